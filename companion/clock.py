"""When plain arrays of samples were taken: which of their times is used, made to grow, and the sampling period.

For arrays without packets, whose clocks may be anything: stamps shared by a packet, whole milliseconds, jitter, steps
back, another rate in mid-stream, counters that leap, end or stand still. Pure. Knows: SAMPLES. Must never know: what
they mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from companion.arrivals import arrivals_of, end_of, period_of
from companion.posture.few import SLOW_NS
from companion.posture.stage import Array, Columns, runs

PERIOD_SAMPLES = 1024
"""So many samples tell the sampling period: the first ones, however the samples are cut."""

_BEHIND_NS = 1_000_000_000  # samples may be so much out of order
_LEAP_NS = 86_400 * 1_000_000_000  # no clock of samples stands still for longer
_MOST_NS = 1 << 61
_MOST_COUNTED = 1 << 33  # samples: a year at 200 Hz and some
_JITTER_NS = 100_000_000  # a stamp may be earlier than the one before by so much
_SPOILT_S = 1.0  # within less than the filter needs to settle, it starts anew while time is no time

_GROWING_SHARE = 0.25
_ALIKE_SHARE = 0.95
_OWN_STAMPS_SHARE = 0.9  # arrivals of packets are too coarse
_LONGEST_S, _LONGEST_PCT, _LONGEST_PERIODS = 1.0, 99, 5
_CHECK_S, _CHECK_SAMPLES, _CHECK_PACKETS = 2.0, 64, 12
_OFF_SHARE, _OFF_SHARE_OF_PACKETS = 0.025, 0.25
"""Two stretches of at least 2 s and 64 samples in which counter and clock differ by more, and alike: another rate.
Stamps of whole packets are coarse; what is less far off, the timeline finds in its time."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Samples as ARRIVALS, each a packet of its own; how many more are missing between them, how many came twice."""

    arrivals: Columns
    lost: int
    duplicates: int


@dataclass(slots=True)
class _Missing:
    """Numbers of one segment that are missing so far."""

    counted: int = -1  # the largest
    counted_ns: int = 0  # time of the newest that has one
    open: int = 0  # missing, and not come late

    def add(self, index: Array, times_ns: Array, anew: bool, most: Callable[[Array], Array]) -> tuple[int, int]:
        """How many are newly missing, and how many came twice; a leap that the clock does not bear out misses none."""
        index, times_ns = index[index >= 0], times_ns[index >= 0]
        if anew:
            self.counted, self.open = -1, 0
        if len(index) == 0:
            return 0, 0
        if self.counted < 0:
            self.counted, self.counted_ns = int(index[0]) - 1, int(times_ns[0])
        newest = np.maximum.accumulate(np.concatenate([[self.counted], index]))
        steps, passed_ns = np.diff(newest), np.diff(times_ns, prepend=self.counted_ns)
        self.counted, self.counted_ns = int(newest[-1]), int(times_ns[-1])
        gaps = np.where((steps > 0) & (steps <= most(passed_ns)), steps - 1, 0)
        found, came, twice = np.cumsum(gaps), 0, 0
        for place in np.flatnonzero(steps == 0).tolist():  # rare: one that fills a gap, or was there already
            fills = self.open + int(found[place]) - came > 0
            came, twice = came + fills, twice + (not fills)
        self.open += int(found[-1]) - came
        return int(found[-1]) - came, twice


@dataclass(slots=True)
class Clock:
    """The samples' time, made to grow: which of their times is used, and what it says about the sampling period.

    Where it goes back, leaps or a counter begins anew, a new segment begins one period later: a flaw of a clock costs a
    restart of the filters, never a sample. While time goes back again and again, the filters never settle.
    """

    name: str  # the field
    usual_ns: int  # the period at first
    longest_s: float  # the longest interval between two samples that is normal
    period_ns: int  # the one in force
    raw_ns: int  # the field's newest value
    counts: bool  # whether there is a counter that counts
    newest_ns: int = 0  # the time made of it, 0 at the first sample
    counter: int = -1  # the newest
    segment: int = 0  # as given
    segments: int = 0  # so many have begun after the first
    fell_back: bool = False
    spoilt: bool = False  # whether the newest step of time was no step of time
    off_share: float = _OFF_SHARE  # from which difference on
    packet: int = 1  # samples that share a stamp
    checked: tuple[int, int, int] = (0, -1, 0)  # time, counter and falls where the rate was looked at last; -1: not yet
    falls: int = 0  # so often has the clock fallen back
    ratio: float = 1.0  # of clock to counter in the stretch before
    missing: _Missing = field(default_factory=_Missing)

    @classmethod
    def of(cls, samples: Array) -> "Clock":
        """Begin with what the first samples say. Raises ValueError where there is no clock."""
        for first in (samples[:PERIOD_SAMPLES], samples):
            name = next((name for name in ("t_device_ns", "t_host_ns") if (first[name] >= 0).any()), None)
            if name is not None:
                break
        else:
            raise ValueError("samples need t_device_ns or t_host_ns: without a clock there is no sampling period")
        known = first[first[name] >= 0]
        counts = _counts(first["index"])
        index = np.minimum(known["index"], _MOST_COUNTED) if _counts(known["index"]) else np.arange(len(known))
        period_ns = _period_ns(np.minimum(known[name], _MOST_NS), index)
        return cls(
            name,
            period_ns,
            _longest_s(known[name], period_ns),
            period_ns,
            int(known[name][0]),
            counts,
            counter=int(first["index"][0]) - 1 if counts else -1,
            segment=int(first["segment"][0]),
            off_share=_OFF_SHARE if _own_stamps(known[name], period_ns) else _OFF_SHARE_OF_PACKETS,
            packet=-(-len(known) // len(np.unique(known[name]))),
        )

    def take(self, samples: Array, first_number: int) -> Taken:
        """The next samples; `first_number` have been taken before."""
        numbers = np.arange(first_number, first_number + len(samples))
        times_ns, anew, fell_back = self._times(samples[self.name], numbers)
        index = np.maximum(samples["index"], -1) if self.counts else np.full(len(samples), -1)
        before, passed_ns = np.concatenate([[self.counter], index[:-1]]), np.diff(times_ns, prepend=self.newest_ns)
        fell, leapt = index - before < -_BEHIND_NS // self.usual_ns, index - before > self._most(passed_ns)
        counted = (index >= 0) & (before >= 0)
        anew |= counted & (fell | leapt)
        anew |= fell_back & ((index < 0) | (index > before))  # a sample that only came late has an older number too
        anew |= ((index >= 0) != (before >= 0)) & (numbers > 0)
        anew |= np.diff(samples["segment"].astype(np.int64), prepend=self.segment) != 0
        periods_ns, changed = self._periods(times_ns, index, numbers, fell_back)
        anew |= changed
        segments = self.segments + np.cumsum(anew)
        lost = duplicates = 0
        for first, end in runs(segments):
            part = slice(first, end)
            more = self.missing.add(index[part], times_ns[part], bool(anew[first]), self._most)
            lost, duplicates = lost + more[0], duplicates + more[1]
        self.newest_ns, self.counter = int(times_ns[-1]), int(index[-1])
        self.segment, self.segments = int(samples["segment"][-1]), int(segments[-1])
        made = arrivals_of(samples, periods_ns, 0, first_number)
        device_ns = np.where(samples["t_device_ns"] >= 0, times_ns if self.name == "t_device_ns" else 0, -1)
        own = {"t_device_ns": device_ns, "index": index, "segment": segments, "t_host_ns": times_ns}
        return Taken(made.changed(behind=np.zeros(len(samples), np.int64), **own), lost, duplicates)

    def end(self) -> Columns:
        """The last sample stands for its whole period."""
        waited_ns = self.period_ns if self.period_ns >= SLOW_NS else 0  # one that stands at its arrival is not awaited
        return end_of(self.newest_ns + waited_ns, 0, self.period_ns)

    def _times(self, raw_ns: Array, numbers: Array) -> tuple[Array, Array, Array]:
        """Times that go on where the clock's do not, where they had to, and where the clock fell back."""
        known = np.maximum.accumulate(np.where(raw_ns >= 0, np.arange(1, len(raw_ns) + 1), 0))
        held_ns = np.minimum(np.concatenate([[self.raw_ns], raw_ns])[known], _MOST_NS)  # missing: as the one before
        steps = np.diff(held_ns, prepend=self.raw_ns)
        back = steps < 0
        twice = back & np.concatenate([[self.fell_back], back[:-1]])
        spoilt = twice | (steps < -_BEHIND_NS) | (steps > _LEAP_NS)
        often = numbers % max(round(_SPOILT_S * 1e9 / self.usual_ns), 1) == 0
        anew = spoilt & (often | ~np.concatenate([[self.spoilt], spoilt[:-1]]))
        self.raw_ns, self.fell_back, self.spoilt = int(held_ns[-1]), bool(back[-1]), bool(spoilt[-1])
        return self.newest_ns + np.cumsum(np.where(spoilt, self.usual_ns, steps)), anew, steps < -_JITTER_NS

    def _periods(self, times_ns: Array, index: Array, numbers: Array, fell_back: Array) -> tuple[Array, Array]:
        """The period at each sample (N,), and where another begins, as clock and counter say together."""
        periods_ns, changed = np.full(len(numbers), self.period_ns), np.zeros(len(numbers), dtype=np.bool_)
        if not self.counts:
            return periods_ns, changed
        least_s = _CHECK_S if self.name == "t_device_ns" else 2 * _CHECK_S  # arrivals stray by tens of milliseconds
        every = max(round(least_s * 1e9 / self.usual_ns), _CHECK_SAMPLES, _CHECK_PACKETS * self.packet)
        falls = self.falls + np.cumsum(fell_back)
        for place in np.flatnonzero(numbers % every == 0).tolist():
            t_ns, counter = int(times_ns[place]), int(index[place])
            (before_ns, before, fallen), self.checked = self.checked, (t_ns, counter, int(falls[place]))
            if before < 0 or counter <= before or t_ns <= before_ns or fallen < falls[place]:
                self.ratio = 1.0
                continue
            ratio = (t_ns - before_ns) / ((counter - before) * self.period_ns)
            agrees, self.ratio = abs(ratio / self.ratio - 1) < self.off_share, ratio
            if agrees and abs(ratio - 1) > self.off_share:
                self.period_ns, self.ratio = period_of(1e9 / (self.period_ns * ratio)), 1.0
                periods_ns[place:], changed[place] = self.period_ns, True
        self.falls = int(falls[-1])
        return periods_ns, changed

    def _most(self, passed_ns: Array) -> Array:
        """How many samples a sensor may have taken in that time, by a clock that is not quite trusted."""
        return np.asarray((2 * passed_ns + _BEHIND_NS) // self.usual_ns)


def _counts(index: Array) -> bool:
    """Whether these are numbers of a counter: there, and growing more often than not at all."""
    there = index[index >= 0]
    grows = len(there) < 2 or float(np.mean(np.diff(there) > 0)) > _GROWING_SHARE
    return bool(2 * len(there) > len(index) and grows)


def _own_stamps(times_ns: Array, period_ns: int) -> bool:
    """Whether the samples came one by one, not many in a packet."""
    return len(times_ns) > 1 and float(np.mean(4 * np.diff(times_ns) > period_ns)) > _OWN_STAMPS_SHARE


def _longest_s(times_ns: Array, period_ns: int) -> float:
    """Of a slow sensor what one interval in a hundred exceeds, as some samples are lost; five periods at the most."""
    if period_ns < SLOW_NS or len(times_ns) < 2:
        return _LONGEST_S
    longest_ns = float(np.percentile(np.diff(times_ns), _LONGEST_PCT))
    return max(_LONGEST_S, min(longest_ns, _LONGEST_PERIODS * period_ns) * 1e-9)


def _length(bounds: tuple[int, int]) -> int:
    return bounds[1] - bounds[0]


def _period_ns(times_ns: Array, index: Array) -> int:
    """The usual step of a clock per sample, over half of the samples at a time: jitter and rounding average out.

    Of samples that share a stamp the last counts: it is the one that the stamp was made for.
    """
    first, end = max(runs(np.cumsum(np.diff(times_ns, prepend=times_ns[:1]) < 0)), key=_length, default=(0, 0))
    times_ns, index = times_ns[first:end], index[first:end]  # the longest stretch in which time does not go back
    ends = np.flatnonzero(np.diff(times_ns, append=times_ns[-1:]) != 0)
    if len(ends) == 0:
        return period_of(None)
    ends = ends if len(ends) > 1 else np.array([ends[0], len(times_ns) - 1])
    apart = max(len(ends) // 2, 1)
    passed, counted = (values[ends][apart:] - values[ends][:-apart] for values in (times_ns, index))
    slopes = passed[counted > 0] / counted[counted > 0]
    slopes = slopes[slopes > 0]
    if len(slopes) == 0:
        return period_of(None)
    steps = np.diff(times_ns) / np.maximum(np.diff(index), 1)
    if np.mean(np.abs(steps / max(np.median(steps), 1.0) - 1) < _OFF_SHARE) > _ALIKE_SHARE:
        slopes = steps  # an exact clock, whatever leaps it makes
    usual_ns = float(np.sort(slopes)[len(slopes) // 2])  # the median, and one of them
    near = np.abs(slopes / usual_ns - 1) < _OFF_SHARE
    return period_of(1e9 / float(np.mean(slopes[near])))
