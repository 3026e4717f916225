"""Posture from plain arrays: for notebooks, benchmarks and scripts. The same pipeline as a session's, without frames.

Pure. Knows: SAMPLES, settings, the pipeline. Must never know: files, devices.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from companion.arrivals import Quality, arrivals_of, end_of
from companion.posture.calibration import CalibrationRefused, Guide
from companion.posture.events import Event
from companion.posture.gate import Gate
from companion.posture.mounting import Calibration
from companion.posture.stage import Array
from companion.posture.summary import SESSION_COLUMNS
from companion.posture.tilt import Tilt, best_batch
from companion.posture.timeline import Timeline
from companion.settings import Settings
from companion.stream import ANGLES, Stream, parameters_of
from firmware_protocol.drivers import Decoded
from firmware_protocol.samples import SAMPLES

_PERIOD_SAMPLES = 64
"""So many samples tell the sampling period: the first ones, however the samples are cut."""


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
        arrivals = self._clock.arrivals(samples, self._quality.samples)
        self._quality.add(arrivals, Decoded(samples=samples, lost=self._clock.lost(samples)))
        self._stream.step(arrivals)
        self._take()

    def _take(self) -> None:
        report = self._stream.take()
        self._posture.append(report.posture)
        self._events += report.events
        self._angles.append(report.angles)


@dataclass(slots=True)
class _Clock:
    """Which of the samples' times is used, and what they say about the sampling period."""

    name: str  # the field
    t0_ns: int
    period_ns: int
    newest_ns: int
    newest_index: int = -1

    @classmethod
    def of(cls, samples: Array) -> "_Clock":
        name = next((name for name in ("t_device_ns", "t_host_ns") if (samples[name] >= 0).any()), None)
        if name is None:
            raise ValueError("samples need t_device_ns or t_host_ns: without a clock there is no sampling period")
        first = samples[:_PERIOD_SAMPLES]
        period_ns = _period_ns(first[name], first["index"])
        return cls(name, int(first[name][0]), period_ns, int(first[name][0]))

    def arrivals(self, samples: Array, first_number: int) -> Array:
        """The samples as ARRIVALS, each a packet of its own, time 0 at the first."""
        timed = samples.copy()
        timed["t_host_ns"] = samples[self.name]
        made = arrivals_of(timed, np.full(len(samples), self.period_ns), self.t0_ns, first_number)
        made["behind"] = 0
        self.newest_ns = max(self.newest_ns, int(samples[self.name].max()))
        return made

    def lost(self, samples: Array) -> int:
        """How many numbers are newly missing from the counter of one segment."""
        newest = int(samples["index"].max())
        if newest < 0:
            return 0
        first = self.newest_index if self.newest_index >= 0 else int(samples["index"][0]) - 1
        self.newest_index = max(newest, first)
        return self.newest_index - first - len(samples)

    def end(self) -> Array:
        """The last sample stands for its whole period."""
        return end_of(self.newest_ns, self.t0_ns, self.period_ns)


def _period_ns(times_ns: Array, index: Array) -> int:
    """The usual step of a clock per sample; packets whose samples share one arrival are averaged over."""
    if len(times_ns) < 2:
        return 20_000_000
    counted = index if (index >= 0).all() else np.arange(len(times_ns))
    steps = np.maximum(np.diff(counted), 1)
    usual = float(np.median(np.diff(times_ns) / steps))
    whole = (int(times_ns[-1]) - int(times_ns[0])) / max(int(counted[-1] - counted[0]), 1)
    return max(round(usual if usual > 0 else whole), 1)


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
    arrivals = _Clock.of(samples).arrivals(samples, 0)
    timeline, gate, tilt = Timeline(), Gate(), Tilt()
    passed = gate.step(gate.start(), timeline.step(timeline.start(), arrivals)[1])[1]
    up = tilt.step(tilt.start(), passed)[1]["up"] if causal else best_batch(passed)
    real = passed["number"] >= 0
    made[passed["number"][real]] = up[real]
    known = np.maximum.accumulate(np.where(np.isfinite(made[:, 0]), np.arange(len(made)), -1))
    first = int(np.argmax(known >= 0))
    return np.asarray(made[np.where(known >= 0, known, first)])


def calibrate(samples: Array) -> Calibration:
    """The baseline in SAMPLES (N,) of a hold, forward bends and a hold; raises CalibrationRefused with the reason."""
    run = Analysis(keep_angles=True)
    run.feed(samples)
    run.close()
    guide = Guide()
    guide.feed(run.angles)
    finished = guide.finish()
    if isinstance(finished, CalibrationRefused):
        raise finished
    return finished
