"""The seam between the radio and the arithmetic: everything that can change a result is one of these.

Left of it are radios, clocks and keys; right of it pure functions. A session file is a numbered list of frames
and nothing else. Knows: plain values. Must never know: what the bytes mean, where they are stored, the present time.

Every frame has `t_host_ns`, the host's boot-time clock in nanoseconds. The *order* of frames is the order in which
the sequencer numbered them, never the order of their time stamps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session began: everything that was decided before the first packet."""

    t_host_ns: int
    session_id: str
    driver: str  # name of the driver that decodes the session's bytes
    device: str  # the wearer's name for the sensor (an alias), or "simulated", "imported"
    rate_hz: float | None = None  # rate asked for; None: the driver's default
    utc_ns: int  # wall clock at t_host_ns, nanoseconds since 1970 UTC
    zone: str  # IANA time zone in force, for example "Europe/Paris"
    settings_json: str = "{}"  # the settings in force, as the JSON object that Settings.to_json writes
    calibration_json: str | None = None  # the calibration in force, as Calibration.to_json writes it
    software_version: str
    origin: str = "live"  # "live", "simulated" or "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification or indication arrived. `characteristic` is the full 128-bit UUID in lower case."""

    t_host_ns: int
    characteristic: str
    data: bytes


def notifications(packets: Iterable[tuple[int, str, bytes]]) -> list[Notification]:
    """Notifications of `t_host_ns`, `characteristic` and `data`: many in half the time of as many calls of the class.

    A night has three hundred thousand. What makes frozen dataclasses slow to make is that they set each of their fields
    through `object`; this sets the same slots directly.
    """
    new, kind = object.__new__, Notification
    names = ("t_host_ns", "characteristic", "data")
    set_time, set_characteristic, set_data = (kind.__dict__[name].__set__ for name in names)
    made = []
    for t_host_ns, characteristic, data in packets:
        frame = new(kind)
        set_time(frame, t_host_ns)
        set_characteristic(frame, characteristic)
        set_data(frame, data)
        made.append(frame)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A characteristic was read and answered."""

    t_host_ns: int
    characteristic: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A characteristic was written (recorded after the sensor acknowledged it)."""

    t_host_ns: int
    characteristic: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """An advertisement was received."""

    t_host_ns: int
    address: str
    name: str | None = None
    rssi: int | None = None
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)
    service_data: dict[str, bytes] = field(default_factory=dict)
    service_uuids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """The link is made and services are known; the driver's script runs next."""

    t_host_ns: int
    address: str
    mtu: int | None = None


ASLEEP = "this computer was asleep"
"""Why a link went: nobody is alarmed for the time that the computer slept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """The link is gone. `cause` is one short phrase for people, such as "out of range"; of these, `ASLEEP` counts."""

    t_host_ns: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The host's clock moved on; sent once a second, so that silence has a length."""

    t_host_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPair:
    """The same instant on the boot-time clock and on the wall clock."""

    t_host_ns: int
    utc_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMark:
    """The wearer said something: kind "mark", "false_alarm", "snooze" (value: a duration such as "30min"), ..."""

    t_host_ns: int
    kind: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanged:
    """A setting changed in mid-session; key and value as in `--set`."""

    t_host_ns: int
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """A calibration came into force."""

    t_host_ns: int
    calibration_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """So many frames arrived while no room was left; neither recorder nor session saw them."""

    t_host_ns: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderTrouble:
    """The recorder could not write what it was given."""

    t_host_ns: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The session ended in order (or was closed by a later start: reason "recovered").

    `count` is the number of frames before this one, `hash` the running hash over them that the recorder keeps
    (empty while the frame has not been written).
    """

    t_host_ns: int
    reason: str
    count: int
    hash: bytes = b""


Frame: TypeAlias = (
    Opened
    | Notification
    | Reading
    | Written
    | Advertisement
    | LinkUp
    | LinkDown
    | Tick
    | ClockPair
    | UserMark
    | SettingChanged
    | CalibrationSet
    | Dropped
    | RecorderTrouble
    | Closed
)
