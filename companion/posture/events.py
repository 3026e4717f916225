"""What happened in a session, in the past tense; each event's name is its class name.

Knows: plain values with units. Must never know: how an event is shown. Times are session time, in nanoseconds.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened at `t_session_ns`."""

    t_session_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlouchStarted(Event):
    """The first still moment beyond the limit. Episodes are numbered from 1."""

    episode: int
    angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlouchEnded(Event):
    """A slouch ended; `duration_ns` runs from its start to its last moment beyond the release."""

    episode: int
    duration_ns: int
    peak_deg: float
    mean_deg: float
    alerts: int
    ended_by: str  # recovered, moved, walked, lay_down, no_data, session_end


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised(Event):
    """A forward posture has persisted for `forward_ns`; `number` counts the alerts of this episode from 1."""

    episode: int
    number: int
    angle_deg: float
    forward_ns: int
    suspect: bool = False  # the sensor may have slipped


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCleared(Event):
    """A slouch that had alerts ended; `recovery_ns` counts from its first alert to its last forward moment."""

    episode: int
    recovery_ns: int
    ended_by: str  # as in SlouchEnded; "recovered": back in range


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRaised(Event):
    """One word for `withheld` alerts that the hourly limit held back over `over_ns`."""

    withheld: int
    over_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLost(Event):
    """No sample for longer than this sensor's silence may last; comes with the first no-data row."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFound(Event):
    """Samples came again after `silent_ns` without."""

    silent_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFilled(Event):
    """The sensor's buffer delivered `samples` that had been missing between `from_ns` and `to_ns` of session time.

    Told as it is lived, where rows stay as they were; in the settled view there was no gap. Short gaps are told of
    together, at most once a minute.
    """

    from_ns: int
    to_ns: int
    samples: int
    pieces: int = 1  # in so many gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Event):
    """Still no data, long enough to be told loudly."""

    cause: str
    silent_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCleared(Event):
    """Data came again after a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLow(Event):
    """The sensor's battery fell to `percent`; once at 20 % and once at 10 %."""

    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationTaken(Event):
    """A baseline came into force."""

    calibration_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationStale(Event):
    """The session's first still seconds lie off the baseline it began with, by more than the slip limit.

    The wearer sits otherwise, or the sensor does; to a side (`right_deg`, left negative) it is more likely the sensor.
    """

    off_deg: float  # in whatever direction
    forward_deg: float  # backward negative
    right_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipSuspected(Event):
    """The sensor sits otherwise than it did; it happened between `from_ns` and `to_ns`, the newest walking (or moment)
    that agreed and the first that did not.

    Told again with `held` where it turns out to be so far that nothing is judged any more: beyond 20°, or upside down.
    """

    from_ns: int
    to_ns: int
    slip_deg: float
    at_ns: int | None = None  # the instant, where up went elsewhere in one quick step that fits
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipCleared(Event):
    """Two minutes of walking agree with the reference again, or the sensor is no longer upside down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorReattached(Event):
    """The sensor was taken off and put on again between `from_ns` and `to_ns`.

    It sits `off_deg` off since, compared with the baseline or with where it sat before, whichever is closer.
    """

    from_ns: int
    to_ns: int
    off_deg: float
    suspect: bool  # by more than the slip limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed(Event):
    """No cues until `until_ns` of session time."""

    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnoozeEnded(Event):
    """Cues are given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked(Event):
    """The wearer marked this moment."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingTaken(Event):
    """A setting changed in mid-session."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesDropped(Event):
    """So many packets came while there was no room; they are neither recorded nor judged."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingTroubled(Event):
    """The recording could not be written; the session goes on."""

    reason: str


AnyEvent: TypeAlias = (
    SlouchStarted
    | SlouchEnded
    | AlertRaised
    | AlertCleared
    | DigestRaised
    | SignalLost
    | SignalFound
    | GapFilled
    | Fault
    | FaultCleared
    | BatteryLow
    | CalibrationTaken
    | CalibrationStale
    | SlipSuspected
    | SlipCleared
    | SensorReattached
    | Snoozed
    | SnoozeEnded
    | Marked
    | SettingTaken
    | FramesDropped
    | RecordingTroubled
)
