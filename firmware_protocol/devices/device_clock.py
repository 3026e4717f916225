"""Follows the clock that stands in a sensor's packets: unwraps it, finds what was lost and what came twice.

Pure. Knows: integers. Must never know: bytes, which sensor it is.

Packets have no number here, only a time, so what is missing is what the time leaves room for: packets are lost whole,
and less than half a packet is a clock that is a little off its nominal rate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

JUMP_SAMPLES = 600
"""A step further than this, or back, is no loss: the sensor's clock began anew."""
JUMP_NS = 12 * 1_000_000_000
"""The same where nobody has told the rate."""
LATE_NS = 60 * 1_000_000_000
"""What is older than the newest by up to this came twice; what is older still is of a clock that began anew."""
LATE_TO_ADOPT = 4
"""So many late packets in a row, each younger than the one before, are no repeats: the newest stamp was false."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a clock says of P packets."""

    stamp_ns: Ints  # (P,) the stamps, unwrapped
    before_ns: Ints  # (P,) the stamp of the packet before; -1: none in this segment
    kept: NDArray[np.bool_]  # (P,) False: it came before
    fresh: NDArray[np.bool_]  # (P,) a segment begins here
    lost: int  # samples that must have been in between

    def stretches(self) -> Iterator[tuple[bool, Ints]]:
        """Stretches of packets in order: whether a segment begins with it, and the places of those that are kept."""
        for places in np.split(np.arange(len(self.kept)), np.flatnonzero(self.fresh)):
            if len(places):
                yield bool(self.fresh[places[0]]), places[self.kept[places]]


class DeviceClock:
    """The clock of one sensor: `bits` wide (64: it never wraps), one tick is `tick_ns`.

    `stamps` says which sample of a packet the time is of. State is private; any cut of the packets gives the same.
    """

    def __init__(self, bits: int, tick_ns: int, stamps: Literal["first", "last"]) -> None:
        self._bits, self._tick_ns, self._stamps = bits, tick_ns, stamps
        self._newest_ns = -1
        self._count = 0  # samples in the newest packet
        self._late = 0  # packets in a row that were late, each younger than the one before
        self._late_ns = -1

    def forget(self) -> None:
        """The next packet begins a segment."""
        self._newest_ns, self._late = -1, 0

    def follow(self, ticks: NDArray[Any], counts: NDArray[Any], period_ns: int | None) -> Followed:
        """Packets in order of arrival with their stamps (P,) in ticks below 2^63 ns, and their samples (P,).

        Without a `period_ns` (None: nobody has told the rate) nothing is known to be lost.
        """
        stamp_ns = np.array(ticks, dtype=np.int64) * self._tick_ns
        counts = np.asarray(counts, dtype=np.int64)
        made = Followed(stamp_ns, np.full(len(ticks), -1), np.ones(len(ticks), bool), np.zeros(len(ticks), bool), 0)
        return made if len(ticks) == 0 else self._through(made, counts, period_ns)

    def _through(self, made: Followed, counts: Ints, period_ns: int | None) -> Followed:
        """Stretches of packets that follow one another at once, the others one at a time."""
        stamps, lost, place = made.stamp_ns, 0, 0
        raw = stamps.copy()
        steps = self._wrapped(np.diff(raw))
        limit_ns = _limit_ns(period_ns)
        broken = np.append(np.flatnonzero((steps <= 0) | (steps > limit_ns)) + 1, len(raw))
        while place < len(raw):
            lost += self._one(made, place, int(raw[place]), int(counts[place]), period_ns)
            end = int(broken[np.searchsorted(broken, place + 1)])
            if made.kept[place] and end > place + 1:
                rest = slice(place + 1, end)
                stamps[rest] = stamps[place] + np.cumsum(steps[place : end - 1])
                made.before_ns[rest] = stamps[place : end - 1]
                due = counts[rest] if self._stamps == "last" else counts[place : end - 1]
                lost += int(missing(steps[place : end - 1], due, period_ns).sum())
                self._newest_ns, self._count, self._late = int(stamps[end - 1]), int(counts[end - 1]), 0
                place = end
            else:
                place += 1
        return Followed(stamps, made.before_ns, made.kept, made.fresh, lost)

    def _one(self, made: Followed, place: int, raw_ns: int, count: int, period_ns: int | None) -> int:
        """One packet behind the newest; returns how many samples lie between them."""
        lost, newest_ns = 0, self._newest_ns
        step_ns = int(self._wrapped(np.array([raw_ns - newest_ns]))[0])
        if newest_ns >= 0 and -LATE_NS < step_ns <= 0 and not self._to_be_believed(newest_ns + step_ns):
            made.kept[place] = False
            return 0
        if newest_ns < 0 or step_ns <= 0 or step_ns > _limit_ns(period_ns):
            made.fresh[place] = True
            made.stamp_ns[place] = raw_ns
        else:
            made.stamp_ns[place] = newest_ns + step_ns
            made.before_ns[place] = newest_ns
            due = np.array([count if self._stamps == "last" else self._count])
            lost = int(missing(np.array([step_ns]), due, period_ns)[0])
        self._newest_ns, self._count, self._late = int(made.stamp_ns[place]), count, 0
        return lost

    def _to_be_believed(self, late_ns: int) -> bool:
        """A packet is late: whether it is one of several that go on from each other."""
        goes_on = self._late > 0 and self._late_ns < late_ns < self._newest_ns
        self._late, self._late_ns = (self._late + 1 if goes_on else 1), late_ns
        return self._late >= LATE_TO_ADOPT

    def _wrapped(self, steps_ns: Ints) -> Ints:
        """Differences of stamps, the shorter way round."""
        if self._bits >= 64:
            return steps_ns
        turn = self._tick_ns << self._bits
        return np.asarray((steps_ns + turn // 2) % turn - turn // 2)


def _limit_ns(period_ns: int | None) -> int:
    return JUMP_NS if period_ns is None else JUMP_SAMPLES * period_ns


def missing(steps_ns: Ints, due: Ints, period_ns: int | None) -> Ints:
    """Samples between packets, where the step holds at least half a packet more than is due."""
    if period_ns is None:
        return np.zeros_like(due)
    room = np.rint(steps_ns / period_ns).astype(np.int64) - due
    return np.where(room >= np.maximum(1, -(-due // 2)), room, 0)
