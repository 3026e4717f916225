"""Posture from plain arrays: for notebooks, benchmarks and scripts. The same pipeline as a session's, without frames.

Pure. Knows: SAMPLES, settings, the pipeline. Must never know: files, devices.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from companion.arrivals import Quality
from companion.clock import PERIOD_SAMPLES, Clock
from companion.posture.baselines import CalibrationRefused
from companion.posture.calibration import Calibration
from companion.posture.events import Event
from companion.posture.gate import Gate
from companion.posture.guide import Guide
from companion.posture.stage import Array
from companion.posture.summary import SESSION_COLUMNS
from companion.posture.tilt import Tilt, best_batch
from companion.posture.timeline import Timeline
from companion.settings import Settings
from companion.stream import ANGLES, Stream, parameters_of
from firmware_protocol.drivers import Decoded
from firmware_protocol.samples import SAMPLES


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
        self._clock: Clock | None = None
        self._waiting: list[Array] = []
        self._posture: list[Array] = []
        self._events: list[Event] = []
        self._angles: list[Array] = []

    def feed(self, samples: Array) -> None:
        """Take SAMPLES (N,), in order of arrival."""
        self._waiting.append(samples)
        if self._clock is not None or sum(map(len, self._waiting)) >= PERIOD_SAMPLES:
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
            self._clock = Clock.of(samples)
            self._stream.use(parameters_of(self._settings, self._calibration, self._clock.longest_s))
        taken = self._clock.take(samples, self._quality.samples)
        self._quality.add(taken.arrivals, Decoded(samples=samples, lost=taken.lost, duplicates=taken.duplicates))
        self._stream.step(taken.arrivals)
        self._take()

    def _take(self) -> None:
        report = self._stream.take()
        self._posture.append(report.posture)
        self._events += report.events
        self._angles.append(report.angles)


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
    arrivals = Clock.of(samples).take(samples, 0).arrivals
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
    arrivals = Clock.of(samples).take(samples, 0).arrivals
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
