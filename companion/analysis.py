"""Posture from plain arrays: for notebooks, benchmarks and scripts. The same pipeline as a session's, without frames.

Pure. Knows: SAMPLES, settings, the pipeline. Must never know: files, devices.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from companion.arrivals import Quality, arrivals_of, end_of, period_of
from companion.posture.baselines import CalibrationRefused
from companion.posture.calibration import Calibration
from companion.posture.events import Event
from companion.posture.gate import Gate
from companion.posture.guide import Guide
from companion.posture.stage import Array, Columns, runs
from companion.posture.summary import SESSION_COLUMNS
from companion.posture.tilt import Tilt, best_batch
from companion.posture.timeline import Timeline
from companion.settings import Settings
from companion.stream import ANGLES, Stream, parameters_of
from firmware_protocol.drivers import Decoded
from firmware_protocol.samples import SAMPLES

_PERIOD_SAMPLES = 64
"""So many samples tell the sampling period: the first ones, however the samples are cut."""

_BEHIND_NS = 1_000_000_000  # samples may be so much out of order
_LEAP_NS = 86_400 * 1_000_000_000  # no clock of samples stands still for longer
_MOST_NS = 1 << 61
_MOST_COUNTED = 1 << 33  # samples: a year at 200 Hz and some


@dataclass(frozen=True, slots=True)
class Result:
    """What a stretch of motion meant: POSTURE rows (5 Hz), events, and the columns of `sessions`."""

    posture: Array
    events: tuple[Event, ...]
    summary: dict[str, Any]


class Analysis:
    """A session without frames: feed SAMPLES in any cut, then close; the same bits for every cut.

    The sampling period is taken from `t_device_ns`, else from `t_host_ns`; ValueError where both are -1.
    """

    def __init__(
        self, calibration: Calibration | None = None, settings: Settings | None = None, *, keep_angles: bool = False
    ) -> None:
        self._settings = settings or Settings()
        self._calibration = calibration
        self._stream = Stream(parameters_of(self._settings, calibration), keep_angles=keep_angles)
        self._quality = Quality()
        self._clock: _Clock | None = None
        self._waiting: list[Array] = []
        self._posture: list[Array] = []
        self._events: list[Event] = []
        self._angles: list[Array] = []

    def feed(self, samples: Array) -> None:
        """Take SAMPLES (N,), in order of arrival."""
        self._waiting.append(samples)
        if self._clock is not None or sum(map(len, self._waiting)) >= _PERIOD_SAMPLES:
            self._go_on()

    def close(self) -> Result:
        """The rows, events and summary of everything fed."""
        self._go_on()
        if self._clock is not None:
            self._stream.step(self._clock.end())
        self._stream.finish()
        self._take()
        known: dict[str, Any] = dict.fromkeys(SESSION_COLUMNS) | self._stream.tally.columns()
        known |= self._quality.columns()
        known |= {"view": "lived", "profile": self._settings.profile, "mode": self._settings.mode}
        if self._calibration is not None:
            known["calibration_id"] = self._calibration.calibration_id
        return Result(np.concatenate(self._posture), tuple(self._events), known)

    @property
    def angles(self) -> Array:
        """ANGLES of the samples so far, where they were asked for."""
        return np.concatenate([np.empty(0, dtype=ANGLES), *self._angles])

    def _go_on(self) -> None:
        samples = np.concatenate([np.empty(0, dtype=SAMPLES), *self._waiting])
        self._waiting = []
        if len(samples) == 0:
            return
        if self._clock is None:
            self._clock = _Clock.of(samples)
        arrivals, lost = self._clock.take(samples, self._quality.samples)
        self._quality.add(arrivals, Decoded(samples=samples, lost=lost))
        self._stream.step(arrivals)
        self._take()

    def _take(self) -> None:
        report = self._stream.take()
        self._posture.append(report.posture)
        self._events += report.events
        self._angles.append(report.angles)


@dataclass(slots=True)
class _Clock:
    """The samples' time, made to grow: which of their times is used, and what it says about the sampling period.

    Where it goes back, leaps or a counter begins anew, a new segment begins one period later: a flaw of a clock costs a
    restart of the filters, never a sample.
    """

    name: str  # the field
    period_ns: int
    raw_ns: int  # the field's newest value
    newest_ns: int = 0  # the time made of it, 0 at the first sample
    counter: int = -1  # the newest
    counted: int = -1  # the largest of this segment
    counted_ns: int = 0  # time of the newest that has one
    segment: int = 0  # as given
    segments: int = 0  # so many have begun after the first
    fell_back: bool = False
    spoilt: bool = False  # whether the newest step of time was no step of time

    @classmethod
    def of(cls, samples: Array) -> "_Clock":
        for first in (samples[:_PERIOD_SAMPLES], samples):
            name = next((name for name in ("t_device_ns", "t_host_ns") if (first[name] >= 0).any()), None)
            if name is not None:
                break
        else:
            raise ValueError("samples need t_device_ns or t_host_ns: without a clock there is no sampling period")
        period_ns = _period_ns(first[name][first[name] >= 0], first["index"][first[name] >= 0])
        return cls(
            name,
            period_ns,
            int(first[name][first[name] >= 0][0]),
            counter=int(first["index"][0]) - 1,
            segment=int(first["segment"][0]),
        )

    def take(self, samples: Array, first_number: int) -> tuple[Columns, int]:
        """The samples as ARRIVALS, each a packet of its own, and how many numbers are newly missing between them."""
        times_ns, anew = self._times(samples[self.name])
        index = np.maximum(samples["index"], -1)
        before, passed_ns = np.concatenate([[self.counter], index[:-1]]), np.diff(times_ns, prepend=self.newest_ns)
        fell, leapt = index - before < -_BEHIND_NS // self.period_ns, index - before > self._most(passed_ns)
        anew |= (fell | leapt) & (index >= 0) & (before >= 0)
        anew |= np.diff(samples["segment"].astype(np.int64), prepend=self.segment) != 0
        segments = self.segments + np.cumsum(anew)
        parts = [(slice(first, end), bool(anew[first])) for first, end in runs(segments)]
        lost = sum(self._missing(index[part], times_ns[part], begins) for part, begins in parts)
        self.newest_ns, self.counter = int(times_ns[-1]), int(index[-1])
        self.segment, self.segments = int(samples["segment"][-1]), int(segments[-1])
        made = arrivals_of(samples, np.full(len(samples), self.period_ns), 0, first_number)
        device_ns = np.where(samples["t_device_ns"] >= 0, times_ns if self.name == "t_device_ns" else 0, -1)
        own = {"t_device_ns": device_ns, "index": index, "segment": segments, "t_host_ns": times_ns}
        return made.changed(behind=np.zeros(len(samples), np.int64), **own), lost

    def _times(self, raw_ns: Array) -> tuple[Array, Array]:
        """Times that go on where the clock's do not, and where they had to."""
        known = np.maximum.accumulate(np.where(raw_ns >= 0, np.arange(1, len(raw_ns) + 1), 0))
        held_ns = np.minimum(np.concatenate([[self.raw_ns], raw_ns])[known], _MOST_NS)  # missing: as the one before
        steps = np.diff(held_ns, prepend=self.raw_ns)
        back = steps < 0
        twice = back & np.concatenate([[self.fell_back], back[:-1]])
        spoilt = twice | (steps < -_BEHIND_NS) | (steps > _LEAP_NS)
        anew = spoilt & ~np.concatenate([[self.spoilt], spoilt[:-1]])
        self.raw_ns, self.fell_back, self.spoilt = int(held_ns[-1]), bool(back[-1]), bool(spoilt[-1])
        return self.newest_ns + np.cumsum(np.where(spoilt, self.period_ns, steps)), anew

    def _most(self, passed_ns: Array) -> Array:
        """How many samples a sensor may have taken in that time, by a clock that is not quite trusted."""
        return np.asarray((2 * passed_ns + _BEHIND_NS) // self.period_ns)

    def _missing(self, index: Array, times_ns: Array, anew: bool) -> int:
        """How many numbers of one segment are newly missing; a leap that the clock does not bear out misses none."""
        index, times_ns = index[index >= 0], times_ns[index >= 0]
        self.counted = -1 if anew else self.counted
        if len(index) == 0:
            return 0
        if self.counted < 0:
            self.counted, self.counted_ns = int(index[0]) - 1, int(times_ns[0])
        newest = np.maximum.accumulate(np.concatenate([[self.counted], index]))
        steps, passed_ns = np.diff(newest), np.diff(times_ns, prepend=self.counted_ns)
        self.counted, self.counted_ns = int(newest[-1]), int(times_ns[-1])
        borne_out = (steps > 0) & (steps <= self._most(passed_ns))
        return int((steps[borne_out] - 1).sum()) - int((index < newest[1:]).sum())

    def end(self) -> Columns:
        """The last sample stands for its whole period."""
        return end_of(self.newest_ns, 0, self.period_ns)


def _period_ns(times_ns: Array, index: Array) -> int:
    """The usual step of a clock per sample; packets whose samples share one arrival are averaged over."""
    if len(times_ns) < 2:
        return period_of(None)
    counted = index if (index >= 0).all() and (np.diff(index) > 0).all() else np.arange(len(times_ns))
    times_ns, counted = np.minimum(times_ns, _MOST_NS), np.minimum(counted, _MOST_COUNTED)
    usual = float(np.median(np.diff(times_ns) / np.maximum(np.diff(counted), 1)))
    whole = (int(times_ns[-1]) - int(times_ns[0])) / max(int(counted[-1] - counted[0]), 1)
    period_ns = usual if usual > 0 else whole
    return period_of(1e9 / period_ns if period_ns > 0 else None)


def analyse(samples: Array, calibration: Calibration | None = None, settings: Settings | None = None) -> Result:
    """Rows, events and summary of SAMPLES (N,); without a calibration angles are NaN and nothing is judged."""
    run = Analysis(calibration, settings)
    run.feed(samples)
    return run.close()


def estimate_up(samples: Array, causal: bool = True) -> Array:
    """(N, 3) unit vectors: up in the sensor's frame at each of SAMPLES (N,).

    Causal: as a live session has it. Not causal: with the future known, the best there is for finished recordings.
    A gap shows in `index`, else in `t_device_ns`. Where a sample cannot be used the one before it answers. The period
    is taken from `t_device_ns`, else from `t_host_ns`; ValueError where both are -1.
    """
    made = np.full((len(samples), 3), np.nan)
    if len(samples) == 0:
        return made
    arrivals = _Clock.of(samples).take(samples, 0)[0]
    timeline, gate, tilt = Timeline(), Gate(), Tilt()
    passed = gate.step(gate.start(), timeline.step(timeline.start(), arrivals)[1])[1]
    up = tilt.step(tilt.start(), passed)[1]["up"] if causal else best_batch(passed)
    real = passed["number"] >= 0
    made[passed["number"][real]] = up[real]
    known = np.maximum.accumulate(np.where(np.isfinite(made[:, 0]), np.arange(len(made)), -1))
    first = int(np.argmax(known >= 0))
    return np.asarray(made[np.where(known >= 0, known, first)])


def calibrate(samples: Array) -> Calibration:
    """The baseline in SAMPLES (N,) of a hold, forward bends and a hold; raises CalibrationRefused with the reason.

    However long the wearer took between the steps; ValueError where the samples have no clock.
    """
    guide = Guide(patience_s=None)
    if len(samples):
        guide.feed(_steady_angles(samples))
    finished = guide.finish()
    if isinstance(finished, CalibrationRefused):
        raise finished
    return finished


def _steady_angles(samples: Array) -> Array:
    """ANGLES with the best batch estimate of up, which needs no time to settle; angles from a baseline are 0.

    No trunk turns on and on, so over a calibration the median of each rate is the gyroscope's bias; the batch filter
    has too little time to find one of 2 °/s.
    """
    timeline, gate = Timeline(), Gate()
    arrivals = _Clock.of(samples).take(samples, 0)[0]
    passed = gate.step(gate.start(), timeline.step(timeline.start(), arrivals)[1])[1]
    real = passed["number"] >= 0
    made = np.zeros(int(real.sum()), dtype=ANGLES)
    for name in ("t_session_ns", "acc_mps2", "gyr_radps"):
        made[name] = passed[name][real]
    if not len(made):
        return made
    bias_radps = np.median(made["gyr_radps"], axis=0)
    level = passed.changed(gyr_radps=passed["gyr_radps"] - bias_radps)
    made["up"], made["settled"] = best_batch(level)[real], True
    return made
