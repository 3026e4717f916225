"""What the screen shows, as one immutable value, and the builder that keeps it up to date.

Pure arithmetic of presentation. Knows: rows, events and settings as values. Must never know: terminals,
threads, how a row or an event is computed. The session's thread builds snapshots; the screen reads whichever
is the latest, and none is ever changed.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from companion.errors import SettingsError
from companion.output.streaks import Breaks, Streak
from companion.output.words import event_words, is_known
from companion.posture import events as happened
from companion.posture.events import Event
from companion.posture.rows import CONTEXTS, STATES, Context, RowFlag
from companion.settings import Settings
from companion.tables.instants import clock_text
from companion.text import LONGEST_SENTENCE, printable, printable_path
from firmware_protocol.drivers import Battery
from firmware_protocol.frames import Opened

HISTORY_S = 300
"""Length of the line on the screen, in seconds, one value a second."""

NOTE_NS = 8_000_000_000
"""How long a short message stays."""

RANGE_DEG: Mapping[str, float] = {"sitting": 30.0, "standing": 17.5}
"""What 100 % of the slouch scale is where no personal range is calibrated."""

QUIET_S = 1.0
"""How long no data come until the screen says so; whether that is a loss, the session says after 5 s or more."""

_LOST_S = 0.5  # where the link says that none come: it may do so while the last packet is on its way through here

_NS_PER_S = 1_000_000_000
_ANGLES = ("sagittal_deg", "lateral_deg", "uncertainty_deg", "slouch_pct")
_NOTED = (
    happened.AlertCleared,
    happened.DigestRaised,
    happened.SignalFound,
    happened.GapFilled,
    happened.BatteryLow,
    happened.CalibrationTaken,
    happened.CalibrationStale,
    happened.SlipSuspected,
    happened.SlipCleared,
    happened.SensorReattached,
    happened.Snoozed,
    happened.SnoozeEnded,
    happened.Marked,
    happened.SettingTaken,
    happened.FramesDropped,
    happened.RecordingTroubled,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the screen shows at one moment. Angles in degrees; None is unknown, "" nothing to say."""

    session_id: str = ""
    device: str = ""
    file: str = ""
    profile: str = "desk"
    mode: str = "coach"
    calibrated: bool = False
    limit_deg: float = 12.0
    limit_at_deg: float | None = 12.0  # where that is on the line of sagittal angles; None: to a side, so nowhere
    limit_pct: float = 40.0  # where the limit lies on the slouch scale
    t_s: float = 0.0
    context: str = "settling"
    state: str = "unknown"
    in_state_s: float = 0.0
    sagittal_deg: float | None = None
    lateral_deg: float | None = None
    uncertainty_deg: float | None = None
    slouch_pct: float | None = None
    inclination_deg: float | None = None  # to vertical: what there is to show without a calibration
    history_deg: tuple[float | None, ...] = ()  # one a second, the newest last, at most HISTORY_S
    history_end_s: int = 0  # session time of the newest
    battery_pct: float | None = None
    link: str = ""
    loss_pct: float | None = None
    rate_hz: float | None = None
    alerts: int = 0
    alert_forward_s: float | None = None  # an alert is under way: how long its slouch has lasted
    suspect: bool = False  # the sensor may have slipped
    offer: str = ""  # what the wearer may do about it, until it is done
    silence: str = ""  # the cause of missing data, as the session told it
    silent_s: float | None = None  # no data come: how long the newest is ago
    cause: str = ""  # why none come, as the link says now
    trouble: bool = False  # the link is not as it should be
    fault: bool = False
    snoozed_until: str = ""  # a clock reading
    next_break_s: float | None = None  # negative: overdue
    guide: str = ""  # what to do now in a guided procedure
    guide_progress: float | None = None  # 0 to 1
    note: str = ""
    bells: int = 0  # how many times a bell was to be heard so far
    ended: bool = False


class SnapshotBuilder:
    """Keeps the latest snapshot of one session; incremental, and cheap enough for five calls a second.

    `limit_deg` and `range_deg` stand in for those of the settings where a personal range is calibrated. `quiet_s`:
    how long without data is nothing unusual for this sensor.
    """

    def __init__(
        self,
        header: Opened,
        settings: Settings,
        *,
        file: str = "",
        limit_deg: float | None = None,
        range_deg: float | None = None,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._header = header
        self._quiet_s = quiet_s
        self._data_ns: int | None = None  # session time of the newest sample
        self._settings = settings
        self._limit_deg, self._range_deg = limit_deg, range_deg
        self._streak, self._breaks = Streak(), Breaks()
        self._history: deque[float | None] = deque(maxlen=HISTORY_S)
        self._slouch_since_ns: int | None = None  # of a slouch that has raised an alert
        self._slouch_started_ns = 0
        self._note_until_ns = 0
        self._now_ns = 0
        self._shown: dict[str, Any] = {
            "session_id": printable(header.session_id),
            "device": printable(header.device),
            "file": printable_path(file),
            "calibrated": header.calibration_json is not None,
        }
        self._take_settings()
        self.latest = Snapshot(**self._shown)

    def update(
        self,
        rows: npt.NDArray[Any],
        events: Iterable[Event] = (),
        *,
        batteries: Iterable[Battery] = (),
        link: str | None = None,
        loss_pct: float | None = None,
        rate_hz: float | None = None,
        inclination_deg: float | None = None,
        data_ns: int | None = None,
        cause: str | None = None,
        trouble: bool | None = None,
        ended: bool = False,
    ) -> Snapshot:
        """The snapshot after these POSTURE rows and events; what is None stays as it was.

        `inclination_deg` is the angle to vertical, shown as long as there is no calibration. `data_ns` is the session
        time of the newest sample, `cause` why no data would come now, `trouble` whether the link is in any.
        """
        levels = [battery.percent for battery in batteries if battery.percent is not None]
        named = {
            "battery_pct": levels[-1] if levels else None,
            "link": None if link is None else printable(link),
            "loss_pct": loss_pct,
            "rate_hz": rate_hz,
            "inclination_deg": inclination_deg,
            "cause": None if cause is None else printable(cause, LONGEST_SENTENCE),
            "trouble": trouble,
            "ended": ended or None,
        }
        self._shown.update({name: value for name, value in named.items() if value is not None})
        if data_ns is not None:
            self._data_ns = max(data_ns, self._data_ns or 0)
        self._rows(rows)
        for event in events:
            self._event(event)
        self._count_time()
        self.latest = Snapshot(**self._shown)
        return self.latest

    def scaled(self, limit_deg: float, range_deg: float, limit_at_deg: float | None) -> Snapshot:
        """The snapshot from now on with this limit and range: those of a wearer who has just been calibrated."""
        self._limit_deg, self._range_deg = limit_deg, range_deg
        self._take_settings()
        self._shown["limit_at_deg"] = limit_at_deg
        self.latest = Snapshot(**self._shown)
        return self.latest

    def guide(self, text: str, progress: float | None = None, *, ring: bool = False) -> Snapshot:
        """The snapshot with the step of a guided procedure ("": it is over), and with a bell if asked for."""
        self._shown |= {"guide": printable(text, LONGEST_SENTENCE), "guide_progress": progress}
        if ring:
            self._ring()
        self.latest = Snapshot(**self._shown)
        return self.latest

    def _rows(self, rows: npt.NDArray[Any]) -> None:
        if not len(rows):
            return
        columns = (rows[name].tolist() for name in ("t_session_ns", "context", "state", "sagittal_deg"))
        since_ns = 0
        for t_ns, context, state, sagittal_deg in zip(*columns, strict=True):
            since_ns = self._streak.see(t_ns, (context, state))
            self._breaks.see(t_ns, context)
            if t_ns % _NS_PER_S == 0:
                self._remember(t_ns, sagittal_deg)
        last = rows[-1]
        self._now_ns = int(last["t_session_ns"])
        angles = {name: float(last[name]) for name in _ANGLES}
        self._shown |= {name: angle if is_known(angle) else None for name, angle in angles.items()}
        self._shown |= {
            "t_s": self._now_ns / _NS_PER_S,
            "context": CONTEXTS[last["context"]],
            "state": STATES[last["state"]],
            "in_state_s": (self._now_ns - since_ns) / _NS_PER_S,
            "suspect": bool(last["flags"] & RowFlag.SUSPECT),
        }
        if last["context"] != Context.NO_DATA and not self._shown.get("fault"):
            self._shown["silence"] = ""

    def _remember(self, t_ns: int, sagittal_deg: float) -> None:
        without_baseline = None if self._shown["calibrated"] else self._shown.get("inclination_deg")
        self._history.append(sagittal_deg if is_known(sagittal_deg) else without_baseline)
        self._shown |= {"history_deg": tuple(self._history), "history_end_s": t_ns // _NS_PER_S}

    def _event(self, event: Event) -> None:
        if isinstance(event, _NOTED):
            self._shown["note"] = event_words(event, self._clock)
            self._note_until_ns = event.t_session_ns + NOTE_NS
        self._shown["offer"] = _offer(event, self._shown.get("offer", ""))
        match event:
            case happened.SlouchStarted():
                self._slouch_started_ns = event.t_session_ns
            case happened.AlertRaised():
                self._slouch_since_ns = self._slouch_started_ns
                self._shown["alerts"] = self._shown.get("alerts", 0) + 1
                self._ring()
            case happened.AlertCleared() | happened.SlouchEnded():
                self._slouch_since_ns = None
            case happened.SignalLost() | happened.Fault():
                silence = printable(event.cause, LONGEST_SENTENCE)
                self._shown |= {"silence": silence, "fault": isinstance(event, happened.Fault)}
            case happened.SignalFound() | happened.FaultCleared():
                self._shown |= {"silence": "", "fault": False}
            case happened.CalibrationTaken():
                self._shown["calibrated"] = True
                self._history.clear()  # the line was of another angle until now
            case happened.Snoozed():
                self._shown["snoozed_until"] = self._clock(event.until_ns)
            case happened.SnoozeEnded():
                self._shown["snoozed_until"] = ""
            case happened.SettingTaken():
                with suppress(SettingsError):
                    self._settings = self._settings.changed({event.key: event.value})
                    self._take_settings()

    def _take_settings(self) -> None:
        settings = self._settings
        limit_deg = settings.limit_deg if self._limit_deg is None else self._limit_deg
        range_deg = RANGE_DEG[settings.kind] if self._range_deg is None else self._range_deg
        self._shown |= {
            "profile": settings.profile,
            "mode": settings.mode,
            "limit_deg": limit_deg,
            "limit_at_deg": limit_deg,
            "limit_pct": 100.0 * limit_deg / range_deg,
        }

    def _count_time(self) -> None:
        if self._now_ns >= self._note_until_ns:
            self._shown["note"] = ""
        slouch_since_ns = self._slouch_since_ns
        self._shown["alert_forward_s"] = (
            None if slouch_since_ns is None else (self._now_ns - slouch_since_ns) / _NS_PER_S
        )
        self._shown["silent_s"] = self._silent_s()
        since_break_s = (self._now_ns - self._breaks.last_ns) / _NS_PER_S
        self._shown["next_break_s"] = self._settings.break_.every - since_break_s

    def _silent_s(self) -> float | None:
        """Since when no data come, counted from the last; None where that is not long, or there never were any."""
        if self._data_ns is None:
            return None
        silent_s = (self._now_ns - self._data_ns) / _NS_PER_S
        return silent_s if silent_s >= (_LOST_S if self._shown.get("trouble") else self._quiet_s) else None

    def _ring(self) -> None:
        self._shown["bells"] = self._shown.get("bells", 0) + 1

    def _clock(self, t_session_ns: int) -> str:
        return clock_text(self._header.utc_ns + t_session_ns, self._header.zone)


def _offer(event: Event, before: str) -> str:
    """What can be done about how the sensor sits, after this event."""
    match event:
        case happened.CalibrationStale():
            return "This session began off your baseline: press c to take it anew."
        case happened.SlipSuspected() | happened.SensorReattached(suspect=True):
            return "The sensor may sit otherwise than it did: press c to take your baseline anew."
        case happened.SlipCleared() | happened.CalibrationTaken():
            return ""
    return before
