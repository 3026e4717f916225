"""From decoded samples to the pipeline's input, and what their arrival says about the data's quality.

Pure. Knows: samples, packets, ticks. Must never know: bytes, postures.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.posture.few import SLOW_NS
from companion.posture.stage import ARRIVALS, Array, Beat, Columns
from companion.posture.timeline import LEAST_GRACE_NS, stand_at_arrival
from firmware_protocol.drivers import Decoded
from firmware_protocol.samples import SampleFlag

FALLBACK_RATE_HZ = 50.0
_CLOCKS = ("t_host_ns", "t_device_ns", "index", "number", "period_ns", "segment")
_SAMPLE = int(Beat.SAMPLE)
_CLIPPED = np.uint32(SampleFlag.CLIPPED)
_MINUTE_NS = 60 * 1_000_000_000
_LEAST_MINUTES = 15
"""A drift measured over less says nothing: 25 ppm of error after 5 minutes, 2.5 after 15."""
_SILENCE_NS, _SILENCE_PERIODS = 1_000_000_000, 10
_OUTLYING = 3.0  # standard deviations from the line
_RESOLUTION_S = 0.001  # of the clocks of sensors
_RATES_HZ = (0.01, 10_000.0)  # no sensor of motion samples more slowly or faster


def arrivals_of(
    samples: Array,
    periods_ns: Array,
    t0_ns: int,
    first_number: int,
    ticks_ns: npt.ArrayLike = (),
    heard_ns: int | None = None,
    every_tick: bool = False,
) -> Columns:
    """SAMPLES, in order of arrival, as ARRIVALS, with ticks of the host's clock among them.

    Samples of one packet share their `t_host_ns`; no tick has the time of a packet. Ticks that come so soon after a
    packet that they say nothing are left out: nearly all of them; and, but for `every_tick`, those between samples that
    stand at their arrival, where a later tick or sample says as much. `heard_ns`: arrival of the newest sample before.
    """
    times_ns = np.ascontiguousarray(samples["t_host_ns"])
    ticks = _telling(np.asarray(ticks_ns, dtype=np.int64), times_ns, heard_ns)
    if len(ticks) and not every_tick:
        ticks = _not_overtaken(ticks, times_ns, stand_at_arrival(periods_ns, samples["t_device_ns"]))
    made = {name: np.ascontiguousarray(samples[name]) for name in ("t_device_ns", "index", "acc_mps2", "gyr_radps")}
    made["t_host_ns"] = times_ns - t0_ns
    made["segment"] = samples["segment"].astype(np.int64)
    made["period_ns"] = periods_ns
    made["behind"] = _behind(times_ns)
    made["number"] = np.arange(first_number, first_number + len(samples))
    made["beat"] = np.zeros(len(samples), np.uint8)
    made["clipped"] = (samples["flags"] & _CLIPPED) != 0
    arrivals = Columns(made)
    if len(ticks) == 0:
        return arrivals
    order = np.argsort(np.concatenate([times_ns, ticks]), kind="stable")
    return Columns.joined([arrivals, _ticks(ticks - t0_ns, Beat.TICK)])[order]


def period_of(rate_hz: float | None, fallback_hz: float = FALLBACK_RATE_HZ) -> int:
    """The sampling period in nanoseconds; that of the fallback where a rate is unknown or no sensor's."""
    rates = (rate for rate in (rate_hz, fallback_hz) if rate is not None and _RATES_HZ[0] <= rate <= _RATES_HZ[1])
    return round(1e9 / next(rates, FALLBACK_RATE_HZ))


def with_guesses_flagged(samples: Array) -> Array:
    """The same SAMPLES, with TIME_GUESSED where a sensor gave neither clock nor counter."""
    if len(samples) == 0 or samples["index"].min() >= 0:
        return samples
    guessed = (samples["index"] < 0) & (samples["t_device_ns"] < 0)
    flagged = samples.copy()
    flagged["flags"][guessed] |= np.uint32(SampleFlag.TIME_GUESSED)
    return flagged


def end_of(t_host_ns: int, t0_ns: int, period_ns: int) -> Columns:
    """The end of a session as ARRIVALS."""
    return _ticks(np.array([t_host_ns - t0_ns]), Beat.END).changed(period_ns=np.array([period_ns]))


def _ticks(times_ns: Array, beat: Beat) -> Columns:
    count = len(times_ns)
    nothing = np.full((count, 3), np.nan)
    return Columns.zeros(count, ARRIVALS).changed(
        t_host_ns=times_ns,
        beat=np.full(count, beat, np.uint8),
        number=np.full(count, -1),
        acc_mps2=nothing,
        gyr_radps=nothing,
    )


def _telling(ticks_ns: Array, packets_ns: Array, heard_ns: int | None) -> Array:
    """The ticks that may find nothing arriving."""
    if len(ticks_ns) == 0:
        return ticks_ns
    never_ns = int(ticks_ns[0]) - LEAST_GRACE_NS - 1
    heard = np.concatenate([[never_ns if heard_ns is None else heard_ns], packets_ns])
    late: Array = ticks_ns - heard[np.searchsorted(packets_ns, ticks_ns)] > LEAST_GRACE_NS
    return ticks_ns[late]


def _not_overtaken(ticks_ns: Array, packets_ns: Array, prompt: Array) -> Array:
    """The ticks that do not stand between two samples (N,) that are `prompt`, and the last: a sample may be refused."""
    if np.count_nonzero(prompt) == 0:
        return ticks_ns
    after = np.searchsorted(packets_ns, ticks_ns)
    inside = (after > 0) & (after < len(packets_ns))
    overtaken = inside & prompt[np.maximum(after - 1, 0)] & prompt[np.minimum(after, len(prompt) - 1)]
    overtaken[-1] = False
    return np.asarray(ticks_ns[~overtaken])


def _behind(t_host_ns: Array) -> Array:
    """How many samples follow in the same packet."""
    if len(t_host_ns) == 0:
        return np.empty(0, dtype=np.int64)
    if t_host_ns[0] == t_host_ns[-1]:  # one packet, as in a live session
        return np.arange(len(t_host_ns) - 1, -1, -1)
    last = np.append(np.flatnonzero(t_host_ns[1:] != t_host_ns[:-1]), len(t_host_ns) - 1)
    return np.repeat(last, np.diff(last, prepend=-1)) - np.arange(len(t_host_ns))


@dataclass(slots=True)
class _Span:
    """First and newest packet of a segment: the sample at its end, and its arrival."""

    first_index: int
    first_ns: int
    index: int
    newest_ns: int
    clocked: bool = True  # whether its times are told by anything but the arrivals themselves
    delays: dict[int, int] = field(default_factory=dict)  # minute of the session: shortest delay in it

    def add(self, index: Array, device_ns: Array, host_ns: Array, minute: int) -> None:
        """Packets of one minute: the last sample in each, and its arrival."""
        if int(index[-1]) > self.index:
            self.index, self.newest_ns = int(index[-1]), int(host_ns[-1])
        if not self.clocked:
            return
        shortest = int((host_ns - device_ns).min())
        self.delays[minute] = min(shortest, self.delays.get(minute, shortest))


@dataclass(slots=True)
class Quality:
    """Counts and clocks of a session's samples."""

    samples: int = 0
    lost: int = 0
    duplicates: int = 0
    malformed: int = 0
    late: int = 0  # of the samples: those that came too late for the rows
    outages: int = 0
    unnumbered: int = 0  # of those that are lost, how many no counter has counted
    accounted: bool = False  # whether any sample had a counter or a clock, by which a loss shows
    heard_ns: int = -1  # arrival of the newest sample that had neither
    silences: int = 0  # of those samples: how often none came for long, and for how long altogether
    silent_ns: int = 0
    spans: dict[int, _Span] = field(default_factory=dict)

    def add(self, arrivals: Columns, decoded: Decoded) -> None:
        """Count what frames held, and the same samples as ARRIVALS (packets whole; ticks among them do not count)."""
        self.lost += decoded.lost
        self.duplicates += decoded.duplicates
        self.malformed += len(decoded.malformed)
        self.samples += len(decoded.samples)
        if len(decoded.samples) and decoded.samples["index"][0] < 0:
            self.unnumbered += decoded.lost
        self.accounted |= bool(((decoded.samples["index"] >= 0) | (decoded.samples["t_device_ns"] >= 0)).any())
        last = np.flatnonzero((arrivals["behind"] == 0) & (arrivals["beat"] == _SAMPLE))
        if len(last) == 0:
            return
        packets = {name: arrivals[name][last] for name in _CLOCKS}
        host_ns, segment = packets["t_host_ns"], packets["segment"]
        index = np.where(packets["index"] >= 0, packets["index"], packets["number"])
        device_ns = np.where(packets["t_device_ns"] >= 0, packets["t_device_ns"], index * packets["period_ns"])
        self._note_silences(packets)
        minutes = host_ns // _MINUTE_NS
        changed = (segment[1:] != segment[:-1]) | (minutes[1:] != minutes[:-1])
        for first, end in pairwise([0, *(np.flatnonzero(changed) + 1).tolist(), len(last)]):
            clocked = packets["t_device_ns"][first] >= 0 or packets["period_ns"][first] < SLOW_NS
            span = self._span(int(segment[first]), int(index[first]), int(host_ns[first]), bool(clocked))
            span.add(index[first:end], device_ns[first:end], host_ns[first:end], int(minutes[first]))

    def _note_silences(self, packets: dict[str, Array]) -> None:
        """Of samples with neither counter nor clock: where none came, none were lost for all that is known."""
        bare = (packets["index"] < 0) & (packets["t_device_ns"] < 0)
        if not bare.any():
            return
        host_ns, period_ns = packets["t_host_ns"][bare], packets["period_ns"][bare]
        steps_ns = np.diff(host_ns, prepend=host_ns[0] if self.heard_ns < 0 else self.heard_ns)
        long = steps_ns > np.maximum(_SILENCE_NS, _SILENCE_PERIODS * period_ns)
        self.silences += int(np.count_nonzero(long))
        self.silent_ns += int(steps_ns[long].sum())
        self.heard_ns = int(host_ns[-1])

    def _span(self, segment: int, index: int, host_ns: int, clocked: bool) -> _Span:
        if segment not in self.spans:
            self.spans[segment] = _Span(index, host_ns, index, host_ns, clocked)
        return self.spans[segment]

    @property
    def loss_pct(self) -> float | None:
        """Share of the samples taken that did not come, or not in time for the rows; None before the first, and where
        no loss would show.
        """
        taken = self.samples + self.lost
        return 100 * (self.lost + self.late) / taken if taken and self.accounted else None

    @property
    def rate_hz(self) -> float | None:
        """Samples a second on the host's clock, lost ones too; None while there is one packet at most."""
        steps = self.unnumbered + sum(span.index - span.first_index for span in self.spans.values())
        steps -= self.silences
        passed_ns = sum(span.newest_ns - span.first_ns for span in self.spans.values()) - self.silent_ns
        return steps / passed_ns * 1e9 if passed_ns > 0 else None

    def columns(self) -> dict[str, Any]:
        """The columns of `sessions` about data quality; None: nothing to say."""
        longest = max((span.delays for span in self.spans.values()), key=len, default={})
        drift_ppm, drift_sigma_ppm = drift_of(longest)
        return {
            "rate_hz": self.rate_hz,
            "samples": self.samples,
            "lost_samples": self.lost,
            "duplicates": self.duplicates,
            "malformed": self.malformed,
            "loss_pct": self.loss_pct,
            "drift_ppm": drift_ppm,
            "outages": self.outages,
            "drift_sigma_ppm": drift_sigma_ppm,
        }


def drift_of(delays_ns: dict[int, int]) -> tuple[float | None, float | None]:
    """How much faster the sensor's clock runs than the host's, in parts per million, and its standard error.

    `delays_ns`: minute of the session to the shortest delay in it. None: too few minutes to say. A straight line by
    least squares through the minutes that lie on one; those in which every packet was late are left out, as seen from
    a first line by the median of slopes between the halves (Theil 1950, incomplete method).
    """
    if len(delays_ns) < _LEAST_MINUTES:
        return None, None
    minutes, delays = np.array(sorted(delays_ns.items())).T
    t_s, late_s = minutes * 60.0, (delays - delays[0]) * 1e-9
    half = len(t_s) // 2
    slope = np.median((late_s[-half:] - late_s[:half]) / (t_s[-half:] - t_s[:half]))
    off_s = late_s - slope * t_s
    off_s -= np.median(off_s)
    near = np.abs(off_s) <= _OUTLYING * 1.4826 * np.median(np.abs(off_s)) + _RESOLUTION_S
    x, y = t_s[near].tolist(), late_s[near].tolist()
    mean_x, mean_y = fsum(x) / len(x), fsum(y) / len(y)
    spread = fsum((a - mean_x) ** 2 for a in x)
    slope = fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    left = fsum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in zip(x, y, strict=True))
    return float(-slope * 1e6), float(sqrt(left / (len(x) - 2) / spread) * 1e6)
