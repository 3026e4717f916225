"""The holes in what a session was sent, until the sensor's buffer has filled them: what `GapFilled` tells.

A hole of a second or more is told of once, when the last of its samples has come, which a buffer sends last. Shorter
ones, and what came of a hole after that, are told of together, once a minute at most; so every sample that came out of
the buffer is told of in exactly one event. Pure. Knows: samples, times of packets. Must never know: bytes, devices.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from companion.posture.events import Event, GapFilled
from companion.posture.stage import Array
from firmware_protocol.drivers import Filled

LEAST_NS = 1_000_000_000
"""From this length on a hole is told of by itself."""
TOGETHER_NS = 60_000_000_000
_Place = tuple[int, int, int]
"""Segment and number of a sample, and its arrival."""
_MOST = 2000
"""So many holes are remembered; of more, the oldest are forgotten: most sensors have no buffer."""


@dataclass(frozen=True, slots=True)
class FilledGap:
    """Samples that had been missing and came: between these times of the session, in so many holes."""

    from_ns: int
    to_ns: int
    samples: int
    pieces: int = 1

    def event(self, t_session_ns: int) -> Event:
        """What is told of it, at this time of the session."""
        from_ns, to_ns, samples, pieces = self.from_ns, self.to_ns, self.samples, self.pieces
        return GapFilled(t_session_ns=t_session_ns, from_ns=from_ns, to_ns=to_ns, samples=samples, pieces=pieces)

    def with_more(self, other: "FilledGap") -> "FilledGap":
        """Both as one."""
        from_ns, to_ns = min(self.from_ns, other.from_ns), max(self.to_ns, other.to_ns)
        return FilledGap(from_ns, to_ns, self.samples + other.samples, self.pieces + other.pieces)


@dataclass(slots=True)
class _Gap:
    """Samples [first, end) of a segment are missing; times are the session's, in nanoseconds."""

    segment: int
    first: int
    end: int
    from_ns: int  # arrival of the sample before them
    to_ns: int  # arrival of the sample behind them
    left: int  # so many have not come
    came: FilledGap | None = None  # and is not told of
    is_told: bool = False

    def take(self, first: int, end: int) -> None:
        """Of [first, end) what belongs here has come."""
        first, end = max(first, self.first), min(end, self.end)
        more = FilledGap(self._at_ns(first), self._at_ns(end), end - first)
        self.came = more if self.came is None else replace(self.came.with_more(more), pieces=1)
        self.left -= end - first

    def told(self) -> FilledGap | None:
        """What came and was not told of; from now on it is."""
        came, self.came, self.is_told = self.came, None, True
        return came

    def _at_ns(self, number: int) -> int:
        return self.from_ns + (self.to_ns - self.from_ns) * (number - self.first) // (self.end - self.first)


class Gaps:
    """The holes of one session that began at `t0_ns` of the host's clock."""

    def __init__(self, t0_ns: int) -> None:
        self._t0_ns = t0_ns
        self._open: deque[_Gap] = deque(maxlen=_MOST)
        self._early: deque[Filled] = deque(maxlen=_MOST)  # came before what shows that it had been missing
        self._newest: _Place | None = None
        self._small: FilledGap | None = None
        self._told_ns: int | None = None  # when small ones were

    def hear(self, samples: Array, filled: Sequence[Filled]) -> Iterator[tuple[int, Callable[[int], Event]]]:
        """What to tell of, and when on the host's clock: SAMPLES that came when due, and what the buffer sent."""
        done = 0
        for each in filled:
            end = int(np.searchsorted(samples["t_host_ns"], each.t_host_ns, side="right"))
            self._see(samples[done:end])
            done = end
            for closed in self._fill(each):
                yield each.t_host_ns, closed.event
        self._see(samples[done:])

    def rest(self) -> list[FilledGap]:
        """What has not been told of when the session ends."""
        told = [*(gap.told() for gap in self._open), self._take_small()]
        return [each for each in told if each is not None]

    def _see(self, samples: Array) -> None:
        """What is missing between samples that came when due."""
        if len(samples) == 0:
            return
        first, last = self._place(samples[0]), self._place(samples[-1])
        if self._newest is not None:
            self._note(self._newest, first)
        self._newest = last
        if last[0] == first[0] and last[1] - first[1] == len(samples) - 1:
            return  # nearly always
        index = samples["index"]
        for place in np.flatnonzero((index[1:] > index[:-1] + 1) & (index[:-1] >= 0)).tolist():
            self._note(self._place(samples[place]), self._place(samples[place + 1]))

    def _fill(self, filled: Filled) -> list[FilledGap]:
        """What is to be told now that these samples have come."""
        end, touched, told = filled.first + filled.count, [], []
        for gap in self._open:
            if gap.segment == filled.segment and gap.first < end and filled.first < gap.end:
                gap.take(filled.first, end)
                touched.append(gap)
        if not touched:
            self._early.append(filled)
        for gap in touched:
            if gap.is_told or gap.to_ns - gap.from_ns < LEAST_NS:
                self._add_small(gap.told())
            elif end >= gap.end:
                told.append(gap.told())
            if gap.left <= 0:
                self._open.remove(gap)
        if self._small and (self._told_ns is None or filled.t_host_ns - self._told_ns >= TOGETHER_NS):
            self._told_ns = filled.t_host_ns
            told.append(self._take_small())
        return [each for each in told if each is not None]

    def _note(self, before: _Place, behind: _Place) -> None:
        first, end = before[1] + 1, behind[1]
        if before[0] != behind[0] or end <= first or first <= 0:
            return
        gap = _Gap(before[0], first, end, before[2], behind[2], end - first)
        for filled in [each for each in self._early if each.segment == gap.segment]:
            if gap.first < filled.first + filled.count and filled.first < gap.end:
                gap.take(filled.first, filled.first + filled.count)
                self._early.remove(filled)
        self._open.append(gap)

    def _add_small(self, closed: FilledGap | None) -> None:
        if closed is not None:
            self._small = closed if self._small is None else self._small.with_more(closed)

    def _take_small(self) -> FilledGap | None:
        small, self._small = self._small, None
        return small

    def _place(self, sample: Array) -> _Place:
        return int(sample["segment"]), int(sample["index"]), int(sample["t_host_ns"]) - self._t0_ns
