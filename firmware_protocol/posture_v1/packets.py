"""Every message of posture_v1 as a value, with one codec for both directions; this module names them all.

Pure. Knows: bytes and what single fields mean. Must never know: what came before, scripts, radios, the time.
The tables of fields are the specification's own: `README.md` prints them. Little-endian throughout.
"""

from firmware_protocol.posture_v1.control import (
    ACC_RANGES_G,
    ANSWERS,
    COMMANDS,
    GYR_RANGES_DPS,
    RATES_HZ,
    Answer,
    Command,
    Done,
    Fetch,
    FetchDone,
    Identify,
    Pattern,
    Result,
    Start,
    Started,
    Stop,
    Stopped,
    Time,
    TimeAnswer,
    Unsupported,
    Vibrate,
    parse_answer,
    parse_command,
)
from firmware_protocol.posture_v1.motion import (
    MOTION_HEADER,
    MOTION_HEADER_BYTES,
    MOTION_LAYOUT,
    MOTION_MAX_BYTES,
    TICKS_PER_S,
    Layout,
    Motion,
    MotionKind,
    motion_fault,
    samples_per_packet,
)
from firmware_protocol.posture_v1.readings import (
    BATTERY_UNKNOWN,
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    TEMPERATURE_UNKNOWN,
    Capability,
    Info,
    Status,
    StatusFlag,
    mask,
    members,
)
from firmware_protocol.posture_v1.wire import NONE_YET

_UUID = "3ab63ef7-580a-{:04x}-8cb5-a9bac0994205"
SERVICE = _UUID.format(0x4100)
MOTION = _UUID.format(0x4101)
CONTROL = _UUID.format(0x4102)
STATUS = _UUID.format(0x4103)
INFO = _UUID.format(0x4104)

__all__ = [
    "ACC_RANGES_G",
    "ANSWERS",
    "BATTERY_UNKNOWN",
    "COMMANDS",
    "CONTROL",
    "GYR_RANGES_DPS",
    "INFO",
    "MOTION",
    "MOTION_HEADER",
    "MOTION_HEADER_BYTES",
    "MOTION_LAYOUT",
    "MOTION_MAX_BYTES",
    "NONE_YET",
    "PROTOCOL_MAJOR",
    "PROTOCOL_MINOR",
    "RATES_HZ",
    "SERVICE",
    "STATUS",
    "TEMPERATURE_UNKNOWN",
    "TICKS_PER_S",
    "Answer",
    "Capability",
    "Command",
    "Done",
    "Fetch",
    "FetchDone",
    "Identify",
    "Info",
    "Layout",
    "Motion",
    "MotionKind",
    "Pattern",
    "Result",
    "Start",
    "Started",
    "Status",
    "StatusFlag",
    "Stop",
    "Stopped",
    "Time",
    "TimeAnswer",
    "Unsupported",
    "Vibrate",
    "mask",
    "members",
    "motion_fault",
    "parse_answer",
    "parse_command",
    "samples_per_packet",
]
