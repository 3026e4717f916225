"""A session: frames in, rows and events out. Nothing else runs the pipeline on frames.

Live, replay and batch are this one class, fed one frame at a time or a whole night at once, with the same bits out.
What came late changes no rows here, unless the session is told where it belongs (`settling.py`, `views.py`).
Pure: performs no I/O, awaits nothing, reads no clock. Knows: frames, drivers, the stream of rows. Must never know:
where frames come from, or where rows go.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from companion.arrivals import FALLBACK_RATE_HZ, Quality, arrivals_of, end_of, period_of, with_guesses_flagged
from companion.errors import RecordingError, SettingsError
from companion.gaps import Gaps
from companion.posture.calibration import Calibration
from companion.posture.events import (
    BatteryLow,
    CalibrationTaken,
    Event,
    FramesDropped,
    Marked,
    RecordingTroubled,
    SettingTaken,
    Snoozed,
)
from companion.posture.pipeline import Parameters
from companion.posture.stage import Array
from companion.posture.summary import SESSION_COLUMNS
from companion.settings import Settings, duration_s
from companion.settling import Lateness, Settlement, late
from companion.stream import ANGLES, Report, Stream, parameters_of
from companion.tables.instants import local_text, utc_text
from firmware_protocol.drivers import Decoded, Driver, driver
from firmware_protocol.frames import (
    ASLEEP,
    CalibrationSet,
    Closed,
    Dropped,
    Frame,
    LinkDown,
    LinkUp,
    Notification,
    Opened,
    RecorderTrouble,
    SettingChanged,
    Tick,
    UserMark,
)

__all__ = ["ANGLES", "Report", "Session", "labels"]

BATTERY_WARNINGS_PCT = (20.0, 10.0)

_S = 1_000_000_000
_LATEST_NS = 1 << 60
"""No frame is later than 36 years after its session began: such times are forged, and sums of them would overflow."""
_BARRIERS = frozenset({LinkUp, LinkDown, UserMark, SettingChanged, CalibrationSet, Dropped, RecorderTrouble, Closed})
_TIME, _WHEN = attrgetter("t_host_ns"), itemgetter(0)
_Notice = tuple[int, Callable[[int], Event]]
"""Something happened at a time of the host: what, once the session's time is known."""
_SAMPLES_AT_ONCE = 40_000
_MOST_AT_ONCE = 16_384
"""So many samples, and frames, are worked on at a time: bounds memory, keeps near the cache, changes no bit."""


class Session:
    """One session's arithmetic. `feed` frames in their order, then `close`.

    As it is lived; with a `settlement`, as if everything had come when due, and without alerts: `views` adds those that
    were raised. `lateness` is told what such a settlement is made of.
    Raises RecordingError where a driver, settings or a calibration that the frames name cannot be used.
    """

    def __init__(
        self,
        header: Opened,
        *,
        keep_angles: bool = False,
        keep_exposed: bool = False,
        lateness: Lateness | None = None,
        settlement: Settlement | None = None,
    ) -> None:
        self.header = header
        self.settings = _settings(header)
        self.calibration = _calibration(header.calibration_json)
        self._lateness, self._settlement = lateness, settlement
        self._late_seen = self._settled = 0  # late samples that came so far, and settled ones that were due
        self._driver = _driver(header)
        self._fallback_ns = period_of(header.rate_hz, self._driver.usual_rate_hz or FALLBACK_RATE_HZ)
        self._decoder = self._driver.new_decoder()
        self._stream = Stream(self._parameters(), keep_angles=keep_angles, keep_exposed=keep_exposed)
        self._quality = Quality()
        can_fill = settlement is None and self._driver.new_backfill is not None
        self._gaps = Gaps(header.t_host_ns) if can_fill else None  # settled, there never were any
        self._periods_ns: dict[int, int] = {} if settlement is None else dict(settlement.periods_ns)
        if lateness is not None:
            lateness.periods_ns = self._periods_ns
        self._newest_ns = header.t_host_ns - 1
        self._heard_ns: int | None = None
        self._counted = 0  # samples that the rows rest on
        self._at_once = _MOST_AT_ONCE // 4
        self._warned_pct = 101.0
        self._ended = False

    @property
    def t_session_ns(self) -> int:
        """Session time of the newest row."""
        return self._stream.t_session_ns

    def exposed(self) -> Array:
        """EXPOSED of all rows so far, where the session was made to keep them: what `exposure` is made of."""
        return self._stream.tally.exposed_rows()

    @property
    def learned(self) -> Calibration | None:
        """The calibration in force with the reference of walking found in this session; None: nothing to remember."""
        return self._stream.learned

    def feed(self, frames: Iterable[Frame]) -> Report:
        """What these frames complete; frames after `Closed` are passed over."""
        source = iter(frames)
        while piece := list(islice(source, self._at_once)):
            self._piece(self._stamped(piece))
        return self._stream.take(loss_pct=self._quality.loss_pct, rate_hz=self._quality.rate_hz)

    def close(self) -> Report:
        """The end: what was still open, and the summary."""
        if not self._ended:  # cut off: the last thing heard is the end
            self._end(max(self._newest_ns, self.header.t_host_ns))
        self._stream.finish()
        return self._stream.take(summary=self._summary())

    def _piece(self, frames: list[Frame]) -> None:
        """Any frames; nearly always there is no barrier among them."""
        others = [frame for frame in frames if type(frame) is not Notification]
        if _BARRIERS.isdisjoint(map(type, others)):
            self._flow(frames, others)
            return
        done = 0
        for place in [place for place, frame in enumerate(frames) if type(frame) in _BARRIERS]:
            self._flow(frames[done:place], frames[done:place], frames[place].t_host_ns)
            self._barrier(frames[place])
            done = place + 1
        self._flow(frames[done:], frames[done:])

    def _flow(self, frames: list[Frame], others: list[Frame], until_ns: int | None = None) -> None:
        """Frames between two barriers: packets and ticks; `others` has at least all that are no notifications.

        `until_ns`: when the barrier behind them comes.
        """
        if self._ended or not (frames or until_ns is not None):
            return
        decoded = self._decoder.feed(frames)
        for segment in decoded.segments:
            self._periods_ns[segment.number] = period_of(segment.rate_hz, 1e9 / self._fallback_ns)
        samples = self._in_view(decoded.samples, frames[-1].t_host_ns if until_ns is None else until_ns)
        self._stream.decoded(with_guesses_flagged(samples), decoded.batteries, decoded.malformed)
        samples = self._prompt(samples)
        notices = [*self._battery_warnings(decoded), *self._filled(decoded, samples)]
        t0_ns, counted, heard_ns = self.header.t_host_ns, self._counted, self._heard_ns
        ticks_ns = [frame.t_host_ns for frame in others if type(frame) is Tick]
        periods_ns = self._periods_of(samples["segment"])
        elements = arrivals_of(samples, periods_ns, t0_ns, counted, ticks_ns, heard_ns, every_tick=bool(notices))
        if len(samples):
            self._heard_ns, self._counted = int(samples["t_host_ns"][-1]), counted + len(samples)
            self._at_once = min(max(_SAMPLES_AT_ONCE * len(frames) // len(samples), 1), _MOST_AT_ONCE)
        self._quality.add(elements, decoded)
        for t_ns, event_at in sorted(notices, key=_WHEN):
            split = int(np.searchsorted(elements["t_host_ns"], t_ns - t0_ns, side="right"))
            self._stream.step(elements[:split])
            elements = elements[split:]
            self._stream.tell(event_at(self.t_session_ns))
        self._stream.step(elements)

    def _in_view(self, samples: Array, until_ns: int) -> Array:
        """SAMPLES as decoded, as this view has them: as they came, or with what was due until then in its place."""
        if self._lateness is not None:
            self._lateness.see(samples)
        settlement = self._settlement
        if settlement is None:
            return samples
        first, seen = self._settled, self._late_seen
        self._settled += int(np.searchsorted(settlement.samples["t_host_ns"][first:], until_ns, side="right"))
        self._late_seen += int(np.count_nonzero(late(samples)))
        return settlement.merged(samples, seen, first, self._settled)

    def _prompt(self, samples: Array) -> Array:
        """Those that came when due: what comes late changes no rows."""
        too_late = late(samples)
        if not np.count_nonzero(too_late):
            return samples
        self._quality.late += int(np.count_nonzero(too_late))
        return samples[~too_late]

    def _stamped(self, frames: list[Frame]) -> list[Frame]:
        """The frames with times that grow strictly in their order, which is the truth; nearly always as they are."""
        times = np.array([self._newest_ns, *map(_TIME, frames)], dtype=np.int64)
        latest_ns = self.header.t_host_ns + _LATEST_NS
        if (times[1:] > times[:-1]).all() and times[-1] <= latest_ns:
            self._newest_ns = int(times[-1])
            return frames
        steps = np.arange(len(times))
        grown = np.maximum.accumulate(np.minimum(times, latest_ns) - steps) + steps
        self._newest_ns = int(grown[-1])
        stamped = list(frames)
        for place in np.flatnonzero(grown != times).tolist():
            stamped[place - 1] = replace(frames[place - 1], t_host_ns=int(grown[place]))
        return stamped

    def _periods_of(self, segments: Array) -> Array:
        """Nominal sampling period of each sample (N,), by its segment, in nanoseconds."""
        fallback_ns = self._fallback_ns
        if len(segments) and (segments == segments[0]).all():
            return np.full(len(segments), self._periods_ns.get(int(segments[0]), fallback_ns))
        numbers, where = np.unique(segments, return_inverse=True)
        known = [self._periods_ns.get(int(number), fallback_ns) for number in numbers]
        return np.array(known, dtype=np.int64)[where]

    def _filled(self, decoded: Decoded, samples: Array) -> Iterator[_Notice]:
        """What the sensor's buffer closed; `samples`: what came when due."""
        return iter(()) if self._gaps is None else self._gaps.hear(samples, decoded.filled)

    def _battery_warnings(self, decoded: Decoded) -> Iterator[_Notice]:
        for battery in decoded.batteries:
            percent = battery.percent
            if percent is not None and any(percent <= limit < self._warned_pct for limit in BATTERY_WARNINGS_PCT):
                self._warned_pct = percent
                yield battery.t_host_ns, partial(_battery_low, percent)

    def _barrier(self, frame: Frame) -> None:
        """A frame that changes what the following ones mean."""
        if self._ended:
            return
        now_ns, tell = self.t_session_ns, self._stream.tell
        match frame:
            case LinkUp() | LinkDown():
                self._link(frame)
            case CalibrationSet(calibration_json=text):
                self.calibration = _calibration(text)
                self._stream.use(self._parameters())
                name = self.calibration.calibration_id if self.calibration else ""
                tell(CalibrationTaken(t_session_ns=now_ns, calibration_id=name))
            case SettingChanged(key=key, value=value):
                self._change(key, value)
            case UserMark(kind=kind, value=value):
                self._mark(kind, value)
            case Dropped(count=count):
                tell(FramesDropped(t_session_ns=now_ns, count=count))
            case RecorderTrouble(reason=reason):
                tell(RecordingTroubled(t_session_ns=now_ns, reason=reason))
            case Closed():
                self._end(frame.t_host_ns)

    def _link(self, frame: LinkUp | LinkDown) -> None:
        """What a sensor was told, and its clock, may hold for one link only."""
        decoded = self._decoder.feed([frame])
        for _, event_at in self._filled(decoded, decoded.samples):
            self._stream.tell(event_at(self.t_session_ns))
        if self._lateness is not None:
            self._lateness.links.append((frame.t_host_ns, isinstance(frame, LinkUp)))
        if self._settlement is not None and frame.t_host_ns in self._settlement.unbroken_ns:
            return
        if isinstance(frame, LinkUp):
            self._stream.cause = "connected, but no data come"
        else:
            self._stream.cause = frame.cause
            self._quality.outages += 1
            if frame.cause == ASLEEP and self._heard_ns is not None:
                self._stream.excuse(frame.t_host_ns - self._heard_ns)

    def _change(self, key: str, value: str) -> None:
        try:
            self.settings = self.settings.changed({key: value})
        except SettingsError as error:
            raise RecordingError(f"a setting in this recording cannot be used: {error}") from error
        self._stream.use(self._parameters())
        self._stream.tell(SettingTaken(t_session_ns=self.t_session_ns, key=key, value=value))

    def _mark(self, kind: str, value: str) -> None:
        now_ns = self.t_session_ns
        if kind != "snooze":
            self._stream.tell(Marked(t_session_ns=now_ns, kind=kind, value=value))
            return
        try:
            until_ns = now_ns + round(duration_s(value) * _S)
        except ValueError as error:
            raise RecordingError(f"a snooze in this recording has no duration: {value!r}.") from error
        self._stream.snooze(until_ns)
        self._stream.tell(Snoozed(t_session_ns=now_ns, until_ns=until_ns))

    def _end(self, t_host_ns: int) -> None:
        self._ended = True
        period_ns = self._periods_ns.get(max(self._periods_ns, default=-1), 0)
        self._stream.step(end_of(t_host_ns, self.header.t_host_ns, period_ns))
        for filled in self._gaps.rest() if self._gaps is not None else ():
            self._stream.tell(filled.event(self.t_session_ns))

    def _parameters(self) -> Parameters:
        found = parameters_of(self.settings, self.calibration, self._driver.longest_interval_s)
        return found if self._settlement is None else replace(found, coach=False)

    def _summary(self) -> dict[str, Any]:
        known = labels(self.header, self.settings, "lived" if self._settlement is None else "settled")
        known |= self._stream.tally.columns() | self._quality.columns()
        known["calibration_id"] = self.calibration.calibration_id if self.calibration else None
        return {column: known[column] for column in SESSION_COLUMNS}


def labels(header: Opened, settings: Settings, view: str) -> dict[str, Any]:
    """The columns of `sessions` that say which session it is."""
    return {
        "session_id": header.session_id,
        "view": view,
        "started_utc": utc_text(header.utc_ns),
        "started_local": local_text(header.utc_ns, header.zone),
        "tz": header.zone,
        "device": header.device,
        "profile": settings.profile,
        "mode": settings.mode,
        "software_version": header.software_version,
    }


def _driver(header: Opened) -> Driver:
    try:
        return driver(header.driver)
    except KeyError as error:
        message = f"this recording needs the driver {header.driver!r}, which is not installed."
        raise RecordingError(message, "Install the package that brings it.") from error


def _battery_low(percent: float, t_session_ns: int) -> Event:
    return BatteryLow(t_session_ns=t_session_ns, percent=percent)


def _settings(header: Opened) -> Settings:
    try:
        return Settings.from_json(header.settings_json)
    except SettingsError as error:
        raise RecordingError(str(error)) from error


def _calibration(text: str | None) -> Calibration | None:
    try:
        return None if text is None else Calibration.from_json(text)
    except ValueError as error:
        raise RecordingError("the calibration in this recording is not readable.") from error
