"""From decoded samples to the pipeline's input, and what their arrival says about the data's quality.

Pure. Knows: samples, packets, ticks. Must never know: bytes, postures.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.posture.stage import ARRIVALS, Array, Beat
from firmware_protocol.drivers import Decoded
from firmware_protocol.samples import SampleFlag

FALLBACK_RATE_HZ = 50.0
_MINUTE_NS = 60 * 1_000_000_000
_LEAST_MINUTES = 15
"""A drift measured over less says nothing: 25 ppm of error after 5 minutes, 2.5 after 15."""


def arrivals_of(
    samples: Array, periods_ns: Array, t0_ns: int, first_number: int, ticks_ns: npt.ArrayLike = ()
) -> Array:
    """SAMPLES, in order of arrival, as ARRIVALS, with ticks of the host's clock among them.

    Samples of one packet share their `t_host_ns`; no tick has the time of a packet.
    """
    ticks = np.asarray(ticks_ns, dtype=np.int64)
    made = np.zeros(len(samples) + len(ticks), dtype=ARRIVALS)
    times_ns = samples["t_host_ns"]
    # Both are in order: an element's place is its own number and how many of the others come before it.
    where: Array | slice = slice(None)
    if len(ticks):
        where = np.arange(len(samples)) + np.searchsorted(ticks, times_ns)
        _put_ticks(made, np.arange(len(ticks)) + np.searchsorted(times_ns, ticks), ticks - t0_ns, Beat.TICK)
    for name in ("t_device_ns", "index", "segment", "acc_mps2", "gyr_radps"):
        made[name][where] = samples[name]
    made["t_host_ns"][where] = times_ns - t0_ns
    made["period_ns"][where] = periods_ns
    made["behind"][where] = _behind(times_ns)
    made["number"][where] = first_number + np.arange(len(samples))
    made["clipped"][where] = (samples["flags"] & SampleFlag.CLIPPED) != 0
    return made


def end_of(t_host_ns: int, t0_ns: int, period_ns: int) -> Array:
    """The end of a session as ARRIVALS."""
    made = np.zeros(1, dtype=ARRIVALS)
    _put_ticks(made, np.zeros(1, dtype=np.int64), np.array([t_host_ns - t0_ns]), Beat.END)
    made["period_ns"] = period_ns
    return made


def _put_ticks(made: Array, where: Array, times_ns: Array, beat: Beat) -> None:
    made["t_host_ns"][where], made["beat"][where], made["number"][where] = times_ns, beat, -1
    made["acc_mps2"][where] = made["gyr_radps"][where] = np.nan


def _behind(t_host_ns: Array) -> Array:
    """How many samples follow in the same packet."""
    if len(t_host_ns) == 0:
        return np.empty(0, dtype=np.int64)
    last = np.flatnonzero(np.append(t_host_ns[1:] != t_host_ns[:-1], True))
    places = np.arange(len(t_host_ns))
    return np.asarray(last[np.searchsorted(last, places)] - places)


@dataclass(slots=True)
class _Span:
    """First and newest packet of a segment: the sample at its end, and its arrival."""

    first_index: int
    first_ns: int
    index: int
    newest_ns: int
    delays: dict[int, int] = field(default_factory=dict)  # minute of the session: shortest delay in it


@dataclass(slots=True)
class Quality:
    """Counts and clocks of a session's samples."""

    samples: int = 0
    lost: int = 0
    duplicates: int = 0
    malformed: int = 0
    outages: int = 0
    spans: dict[int, _Span] = field(default_factory=dict)

    def add(self, arrivals: Array, decoded: Decoded) -> None:
        """Count what frames held, and the same samples as ARRIVALS (packets whole; ticks among them do not count)."""
        self.lost += decoded.lost
        self.duplicates += decoded.duplicates
        self.malformed += len(decoded.malformed)
        self.samples += len(decoded.samples)
        packets = arrivals[(arrivals["behind"] == 0) & (arrivals["beat"] == Beat.SAMPLE)]
        index = np.where(packets["index"] >= 0, packets["index"], packets["number"])
        device = np.where(packets["t_device_ns"] >= 0, packets["t_device_ns"], index * packets["period_ns"])
        minutes = packets["t_host_ns"] // _MINUTE_NS
        changed = (np.diff(packets["segment"]) != 0) | (np.diff(minutes) != 0)
        edges = [0, *(np.flatnonzero(changed) + 1).tolist(), len(packets)]
        for first, end in pairwise(edges):
            if end > first:
                self._add_minute(packets[first:end], index[first:end], device[first:end], int(minutes[first]))

    def _add_minute(self, packets: Array, index: Array, device_ns: Array, minute: int) -> None:
        host_ns = packets["t_host_ns"]
        fresh = _Span(int(index[0]), int(host_ns[0]), int(index[0]), int(host_ns[0]))
        span = self.spans.setdefault(int(packets["segment"][0]), fresh)
        if int(index[-1]) > span.index:
            span.index, span.newest_ns = int(index[-1]), int(host_ns[-1])
        shortest = int((host_ns - device_ns).min())
        span.delays[minute] = min(shortest, span.delays.get(minute, shortest))

    @property
    def loss_pct(self) -> float | None:
        """Share of the samples taken that never came; None before the first."""
        taken = self.samples + self.lost
        return 100 * self.lost / taken if taken else None

    @property
    def rate_hz(self) -> float | None:
        """Samples a second on the host's clock; None while there is one packet at most."""
        steps = sum(span.index - span.first_index for span in self.spans.values())
        passed_ns = sum(span.newest_ns - span.first_ns for span in self.spans.values())
        return steps / passed_ns * 1e9 if passed_ns else None

    def columns(self) -> dict[str, Any]:
        """The columns of `sessions` about data quality; None: nothing to say."""
        return {
            "rate_hz": self.rate_hz,
            "samples": self.samples,
            "lost_samples": self.lost,
            "duplicates": self.duplicates,
            "malformed": self.malformed,
            "loss_pct": self.loss_pct,
            "drift_ppm": self._drift_ppm(),
            "outages": self.outages,
        }

    def _drift_ppm(self) -> float | None:
        """How much faster the sensor's clock runs than the host's, in parts per million, from the shortest delays."""
        delays = max((span.delays for span in self.spans.values()), key=len, default={})
        if len(delays) < _LEAST_MINUTES:
            return None
        minutes, values = np.array(sorted(delays.items()), dtype=np.float64).T
        slope = np.polynomial.Polynomial.fit(minutes * 60.0, (values - values[0]) * 1e-9, 1).convert().coef[1]
        return float(-slope * 1e6)
