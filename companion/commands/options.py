"""What each command was asked for, as frozen values: the seam between the command line and the commands.

Knows: words and numbers as the user gave them, checked for form only. Must never know: typer, or whether the
file, story or sensor that is named exists.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["auto", "plain", "json"]
"""How to print: "auto" is a screen on a terminal and plain lines elsewhere."""


Direction: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every command takes."""

    data_dir: Path | None = None  # everything this program stores; None: the user's own directories
    settings: tuple[tuple[str, str], ...] = ()  # key and text, in the order in which they take effect
    verbose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A simulated sensor in place of the radio."""

    story: str | None = None  # a built-in story or a motion file; None: no simulation, the real radio
    device: str | None = None  # the driver whose protocol it speaks, or several, with commas; None: posture_v1
    faults: tuple[str, ...] = ()  # KIND@START[+LENGTH], as given


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """`posture scan`."""

    shared: Shared = field(default_factory=Shared)
    simulation: Simulation = field(default_factory=Simulation)
    style: Style = "auto"
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """`posture pair`."""

    shared: Shared = field(default_factory=Shared)
    simulation: Simulation = field(default_factory=Simulation)
    style: Style = "auto"
    alias: str | None = None
    address: str | None = None
    key: bytes = field(default=b"", repr=False)  # of a sensor whose advertisements are encrypted
    forget: bool = False  # this computer's old keys for it


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """`posture calibrate`."""

    shared: Shared = field(default_factory=Shared)
    simulation: Simulation = field(default_factory=Simulation)
    style: Style = "auto"
    alias: str | None = None
    kind: str | None = None  # sitting or standing; None: as before, or as the profile's name says
    quick: bool = False  # one hold; the stored axis stays
    no_bend: bool = False  # a nod does
    mounting: Direction | None = None  # the sensor's axis that faces forward, declared
    slouch: bool = False  # show the usual slouch
    fit_test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorOptions:
    """`posture monitor`."""

    shared: Shared = field(default_factory=Shared)
    simulation: Simulation = field(default_factory=Simulation)
    style: Style = "auto"
    alias: str | None = None
    duration_s: float | None = None  # None: until stopped, or until the story ends
    calibrate: bool = False  # begin with the guided holds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """`posture replay`."""

    shared: Shared = field(default_factory=Shared)
    style: Style = "auto"
    file: Path
    speed: float = 1.0  # times real time; infinity: as fast as it goes
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """`posture export`."""

    shared: Shared = field(default_factory=Shared)
    files: tuple[Path, ...] = ()
    out: Path | None = None  # None: the current directory
    tables: str | None = None  # a list such as "sessions,samples"; None: the usual ones
    describe: bool = False
    anonymous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """`posture verify`."""

    shared: Shared = field(default_factory=Shared)
    file: Path
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOptions:
    """`posture history`; neither `week` nor `month`: all there is, or as much as fits."""

    shared: Shared = field(default_factory=Shared)
    span: Literal["week", "month", "all"] = "all"
    rebuild: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """`posture delete`: files, or all before a local day, or everything."""

    shared: Shared = field(default_factory=Shared)
    files: tuple[Path, ...] = ()
    before: date | None = None
    everything: bool = False
    yes: bool = False  # do not ask


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """`posture report`: of recordings, or of a local day, or of the seven days from a Monday on."""

    shared: Shared = field(default_factory=Shared)
    files: tuple[Path, ...] = ()
    day: date | None = None
    week: date | None = None  # its Monday
    out: Path | None = None  # None: a name of its own in the current directory


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsOptions:
    """`posture sessions`."""

    shared: Shared = field(default_factory=Shared)
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesOptions:
    """`posture devices`."""

    name: str | None = None  # this driver only
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """`posture simulate`: either `to` or `hci` is given."""

    shared: Shared = field(default_factory=Shared)
    story: str
    to: Path | None = None
    hci: str | None = None  # a bumble transport, for example "usb:0"
    device: str | None = None  # the driver whose protocol it speaks; None: posture_v1
    duration_s: float | None = None  # None: the story's own length
    seed: int = 0
    faults: tuple[str, ...] = ()
    started: datetime | None = None  # when the session is to have begun, with its zone; None: now, here


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """`posture import`."""

    shared: Shared = field(default_factory=Shared)
    file: Path
    out: Path
    rate_hz: float | None = None
    columns: str = ""  # "t=time,ax=...": what each of our columns is called in the file
    units: str = ""  # "acc=g,gyr=dps,t=ms"
    started: datetime | None = None  # when it began, with its zone; None: as the file tells, else now
    up: Direction | None = None  # in the sensor's frame at the baseline; None: as the file has it
    forward: Direction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """`posture doctor`."""

    shared: Shared = field(default_factory=Shared)
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformanceOptions:
    """`posture conformance`."""

    shared: Shared = field(default_factory=Shared)
    simulation: Simulation = field(default_factory=Simulation)
    style: Style = "auto"
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigOptions:
    """`posture config show` and `posture config path`."""

    shared: Shared = field(default_factory=Shared)
    as_json: bool = False
