"""The wire: frames, samples, drivers. Pure; what an author of firmware or of a driver reads.

Must never know: bleak, asyncio, the time, files, or the `companion` package.
"""

from firmware_protocol.drivers import (
    About,
    Battery,
    Confidence,
    Decoded,
    Decoder,
    Driver,
    Malformed,
    Pairing,
    Segment,
    Unusable,
    driver,
    drivers,
)
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import (
    Advertisement,
    CalibrationSet,
    ClockPair,
    Closed,
    Dropped,
    Frame,
    LinkDown,
    LinkUp,
    Notification,
    Opened,
    Reading,
    RecorderTrouble,
    SettingChanged,
    Tick,
    UserMark,
    Written,
)
from firmware_protocol.recognition import best_match, drivers_for, recognised
from firmware_protocol.samples import SAMPLES, STANDARD_GRAVITY_MPS2, SampleFlag, make_samples
from firmware_protocol.scripts import Await, GattStep, Read, Script, ScriptRefused, Subscribe, Write
from firmware_protocol.unusable import unusable

__all__ = [
    "SAMPLES",
    "STANDARD_GRAVITY_MPS2",
    "About",
    "Advertisement",
    "Await",
    "Battery",
    "CalibrationSet",
    "ClockPair",
    "Closed",
    "Confidence",
    "Decoded",
    "Decoder",
    "Driver",
    "Dropped",
    "Frame",
    "GattStep",
    "LinkDown",
    "LinkUp",
    "Malformed",
    "Notification",
    "Opened",
    "Pairing",
    "ProtocolError",
    "Read",
    "Reading",
    "RecorderTrouble",
    "SampleFlag",
    "Script",
    "ScriptRefused",
    "Segment",
    "SettingChanged",
    "Subscribe",
    "Tick",
    "Unusable",
    "UserMark",
    "Write",
    "Written",
    "best_match",
    "driver",
    "drivers",
    "drivers_for",
    "make_samples",
    "recognised",
    "unusable",
]
