"""How fast a sensor really samples, one segment long: what its rate is where it is not the one that was said.

A counter is held against the arrivals. A packet can come late, never early, so the shortest delay of many is nearly
free of the radio's whims; what the shortest delays grow or shrink by from one window of the segment's time to the next
is how far the rate is off. A device's own clock is held against nothing: there the steps between samples tell.
Causal, and the same for every cut. Knows: nanoseconds. Must never know: what the samples mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

import numpy as np

from companion.posture.stage import Array, runs

_S = 1_000_000_000

TOLERANCE = 0.02
"""A sensor's clock keeps within 2 % of its nominal rate; beyond that the rate is not what was said."""

_WINDOW_NS = 10 * _S
_SPANS = ((1, _S), (6, 0))
"""Windows in each half of a measurement, and what a queue may fake in one half. Two halves that agree tell a rate from
a step; 12 % shows within half a minute, 2 % needs two, in which the 30 ms that delays vary by are 0.05 %."""

_KEPT = 2 * _SPANS[-1][0] + 1
_AGREE = 0.25  # the halves differ by no more than this share of both
_MOST = 3.0  # a clock that runs by another factor than a third to this is no clock
_PULL_WINDOWS = 6  # a guessed clock makes up for what it is behind by in so many windows

_COUNTED = ((3 * _S // 2, 0.25, 0.15), (8 * _S, 0.05, 0.02), (30 * _S, 0.025, 0.01))
"""Windows of the host's time in which samples without a clock are counted: how long, by how much a rate must be off,
how well two in a row must agree. A rate that was only assumed may be quite another: the first finds it before the time
that it costs looks like silence, the others where it is nearly right."""
_LEAST_COUNTED = 3
_ONE_MORE = 1.5  # by so many packets may two windows differ in any case; their edges must matter little

_SPACING_WINDOW_NS = 2 * _S
_LONGEST_STEP = 1.75  # in periods; beyond it a sample was lost between
_LEAST_STEPS = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """Shortest delay in each window of a segment: the newest complete ones, and the one that is filling."""

    delays: tuple[tuple[int, int], ...] = ()  # (number of the window, shortest delay in it), at most _KEPT
    window: int = -1  # the one that is filling
    shortest_ns: int = 0  # in it
    first_ns: int | None = None  # in the first window
    least_ns: int | None = None  # in all windows before those in `delays`

    def follow(self, elapsed_ns: Array, host_ns: Array) -> "tuple[Pace, int, float]":
        """Take samples (N,): nominal time since the segment's start, which grows, and arrival.

        Returns the pace, up to which sample it was taken, and how much longer than said the period is from that
        sample on; 1.0: all is as it should be, and all samples were taken.
        """
        pace, delays = self, host_ns - elapsed_ns
        if len(elapsed_ns) and int(elapsed_ns[0]) // _WINDOW_NS == int(elapsed_ns[-1]) // _WINDOW_NS == self.window:
            shortest_ns = min(self.shortest_ns, int(delays.min()))
            return (
                (pace if shortest_ns == self.shortest_ns else replace(pace, shortest_ns=shortest_ns)),
                len(delays),
                1.0,
            )
        for number, first, end in _windows(elapsed_ns, _WINDOW_NS):
            shortest_ns = int(delays[first:end].min())
            if number == pace.window:
                pace = replace(pace, shortest_ns=min(pace.shortest_ns, shortest_ns))
                continue
            pace = pace._closed()
            ratio = pace._ratio()
            if ratio != 1.0:
                return pace, first, ratio
            pace = replace(pace, window=number, shortest_ns=shortest_ns)
        return pace, len(elapsed_ns), 1.0

    def _closed(self) -> "Pace":
        if self.window < 0:
            return self
        first_ns = self.shortest_ns if self.first_ns is None else self.first_ns
        delays, least_ns = (*self.delays, (self.window, self.shortest_ns)), self.least_ns
        if len(delays) > _KEPT:
            least_ns = delays[0][1] if least_ns is None else min(least_ns, delays[0][1])
        return replace(self, delays=delays[-_KEPT:], first_ns=first_ns, least_ns=least_ns)

    def _ratio(self) -> float:
        """The true period in nominal ones, where it is beyond the tolerance; else 1.0."""
        for span, margin_ns in _SPANS:
            ratio = self._ratio_over(span, round(TOLERANCE * span * _WINDOW_NS) + margin_ns)
            if ratio != 1.0:
                return ratio
        return 1.0

    def _ratio_over(self, span: int, least_ns: int) -> float:
        known, newest = dict(self.delays), self.delays[-1][0] if self.delays else 0
        if newest - span not in known or newest - 2 * span not in known:
            return 1.0
        begin_ns, middle_ns, end_ns = known[newest - 2 * span], known[newest - span], known[newest]
        first_ns, second_ns = middle_ns - begin_ns, end_ns - middle_ns
        slow, fast = min(first_ns, second_ns) > least_ns, max(first_ns, second_ns) < -least_ns
        if fast:  # a backlog that is made up for looks like this too, but only down to the shortest delay before it
            older = [delay_ns for number, delay_ns in self.delays if number <= newest - 2 * span]
            fast = end_ns + least_ns < min(older if self.least_ns is None else [*older, self.least_ns])
        ratio = 1.0 + (first_ns + second_ns) / (2 * span * _WINDOW_NS)
        steady = abs(first_ns - second_ns) <= _AGREE * abs(first_ns + second_ns)
        return ratio if (slow or fast) and steady and 1 / _MOST < ratio < _MOST else 1.0

    def guessed_step_ns(self, period_ns: int, elapsed_ns: int, behind_ns: int) -> int | None:
        """The step that keeps a clock made of nothing but the number of samples with the arrivals; None: not known
        yet. `elapsed_ns` is the nominal time so far, `behind_ns` how much less the clock shows.

        A straight line through the windows' delays, by medians as Theil (1950) and Sen (1968) have it: a few windows
        in which every packet was late do not turn it. The clock is pulled to it over a minute, so that it never jumps.
        """
        if len(self.delays) < _KEPT or self.first_ns is None:
            return None
        slope = median((b - a) / (m - n) for (n, a), (m, b) in combinations(self.delays, 2))
        offset = median(delay_ns - slope * number for number, delay_ns in self.delays)
        ahead = elapsed_ns / _WINDOW_NS + _PULL_WINDOWS
        due_ns = offset + slope * ahead - self.first_ns + behind_ns
        ratio = 1.0 + due_ns / (_PULL_WINDOWS * _WINDOW_NS)
        return round(period_ns * min(max(ratio, 1 - 2 * TOLERANCE), 1 + 2 * TOLERANCE))


@dataclass(frozen=True, slots=True)
class _Window:
    """The window that is filling, and what the one right before it held: samples and packets."""

    number: int = 0
    samples: int = 0
    packets: int = 0
    samples_before: int = 0  # 0: there is none
    packets_before: int = 0

    def then(self, number: int) -> "_Window":
        """A later window begins. The very first begins with a packet, and so holds one too many."""
        if number == self.number + 1 and self.number > 0:
            return _Window(number, 0, 0, self.samples, self.packets)
        return _Window(number)

    def ratio(self, length_ns: int, period_ns: int, tolerance: float, agreeing: float) -> float:
        """The true period in assumed ones, where two windows agree that it is another; else 1.0."""
        both, packets = self.samples_before + self.samples, self.packets_before + self.packets
        if min(self.samples_before, self.samples) < _LEAST_COUNTED:
            return 1.0
        allowed, tolerated = max(agreeing / 2, _ONE_MORE / packets), 1 + max(tolerance, 2 * _ONE_MORE / packets)
        ratio = 2 * length_ns / period_ns / both
        off = not 1 / tolerated <= ratio <= tolerated
        return ratio if off and abs(self.samples_before - self.samples) <= allowed * both else 1.0


@dataclass(frozen=True, slots=True)
class Counted:
    """Samples in each window of the host's time, for a sensor of which only the arrivals tell the rate."""

    origin_ns: int | None = None  # arrival of the segment's first packet
    newest_ns: int = 0  # of the newest, since then
    windows: tuple[_Window, ...] = (_Window(),) * len(_COUNTED)

    def follow(self, host_ns: Array, last: Array, period_ns: int) -> "tuple[Counted, int, float]":
        """As `Pace.follow`, of arrivals (N,), and which samples (N,) are the last of their packet.

        Where the rate is found to be another, counting begins anew with it, and what was counted is of no more use.
        """
        if len(host_ns) == 0:
            return self, 0, 1.0
        origin_ns = int(host_ns[0]) if self.origin_ns is None else self.origin_ns
        passed_ns = np.maximum(np.maximum.accumulate(host_ns - origin_ns), self.newest_ns)
        packets, newest_ns = np.concatenate([[0], np.cumsum(last)]), int(passed_ns[-1])
        windows, end, ratio = [], len(host_ns), 1.0
        for window, kind in zip(self.windows, _COUNTED, strict=True):
            filled, place, off = _count(window, kind, passed_ns[:end], packets, period_ns)
            windows.append(filled)
            end, ratio = (place, off) if place < end else (end, ratio)
        return Counted(origin_ns, newest_ns, tuple(windows)), end, ratio


def _count(
    window: _Window, kind: tuple[int, float, float], passed_ns: Array, packets: Array, period_ns: int
) -> tuple[_Window, int, float]:
    """Fill windows with samples, up to the first at which the rate is known to be another."""
    length_ns, *how = kind
    for number, first, end in _windows(passed_ns, length_ns):
        if number != window.number:
            ratio = window.ratio(length_ns, period_ns, *how)
            if ratio != 1.0:
                return window, first, ratio
            window = window.then(number)
        held = int(packets[end] - packets[first])
        window = replace(window, samples=window.samples + end - first, packets=window.packets + held)
    return window, len(passed_ns), 1.0


def _windows(elapsed_ns: Array, length_ns: int) -> Iterator[tuple[int, int, int]]:
    """Number, first and end of each window in times (N,) that grow."""
    if len(elapsed_ns) == 0:
        return
    first, last = int(elapsed_ns[0]) // length_ns, int(elapsed_ns[-1]) // length_ns
    if last - first < len(elapsed_ns):
        edges = np.searchsorted(elapsed_ns, np.arange(first + 1, last + 1) * length_ns).tolist()
        bounds = zip(range(first, last + 1), [0, *edges], [*edges, len(elapsed_ns)], strict=True)
        yield from ((number, start, end) for number, start, end in bounds if start < end)
    else:  # times far apart
        numbers = elapsed_ns // length_ns
        yield from ((int(numbers[start]), start, end) for start, end in runs(numbers))


def window_of(elapsed_ns: int) -> int:
    """The number of the window that this nominal time lies in."""
    return elapsed_ns // _WINDOW_NS


def until_next_window(elapsed_ns: int, period_ns: int) -> int:
    """How many samples, the first of them at this nominal time, lie in its window."""
    return -(-((window_of(elapsed_ns) + 1) * _WINDOW_NS - elapsed_ns) // period_ns)


@dataclass(frozen=True, slots=True)
class Spacing:
    """Steps of a device's clock from sample to sample, in the window that is filling; those over a loss left out."""

    window: int = -1
    steps: int = 0
    stepped_ns: int = 0
    before: float = 1.0  # mean step of the window before, in periods

    def follow(self, elapsed_ns: Array, passed_ns: Array, period_ns: int) -> "tuple[Spacing, int, float]":
        """As `Pace.follow`, of the clock's time since the segment's start and since the sample before."""
        spacing = self
        short = passed_ns <= _LONGEST_STEP * period_ns
        for number, first, end in _windows(elapsed_ns, _SPACING_WINDOW_NS):
            if number != spacing.window:
                mean = spacing._mean(period_ns)
                if abs(mean - 1) > TOLERANCE and abs(mean - spacing.before) <= TOLERANCE * mean:
                    return spacing, first, mean
                spacing = Spacing(window=number, before=mean)
            counted = short[first:end]
            steps, stepped_ns = int(counted.sum()), int(passed_ns[first:end][counted].sum())
            spacing = replace(spacing, steps=spacing.steps + steps, stepped_ns=spacing.stepped_ns + stepped_ns)
        return spacing, len(elapsed_ns), 1.0

    def _mean(self, period_ns: int) -> float:
        return self.stepped_ns / (self.steps * period_ns) if self.steps >= _LEAST_STEPS else 1.0
