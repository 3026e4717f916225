"""Counters that wrap, and what they say is missing.

Pure. Knows: integers. Must never know: what is counted, or on which device.
"""

from bisect import bisect_left, bisect_right

MISSING_AT_MOST = 10_000
"""So many gaps are remembered; of more, the oldest are forgotten (their samples can then no longer come late)."""


def signed_difference(later: int, earlier: int, bits: int = 32) -> int:
    """`later` - `earlier` for counters that wrap at 2^bits: the difference nearest to 0 (half a turn is negative)."""
    half = 1 << (bits - 1)
    return ((later - earlier + half) & ((1 << bits) - 1)) - half


class Missing:
    """The numbers that never came, as half-open intervals, in order. Memory is bounded."""

    __slots__ = ("_ends", "_firsts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self._firsts)

    def add(self, first: int, end: int) -> None:
        """Note that [first, end) is missing; it must lie above everything noted so far."""
        if first >= end:
            return
        self._firsts.append(first)
        self._ends.append(end)
        self._forget()

    def within(self, first: int, end: int, at_most: int = MISSING_AT_MOST) -> list[tuple[int, int]]:
        """What of [first, end) is missing; the first so many gaps."""
        if first >= end:
            return []
        low, high = bisect_right(self._ends, first), bisect_left(self._firsts, end)
        high = min(high, low + at_most)
        return [(max(first, a), min(end, b)) for a, b in zip(self._firsts[low:high], self._ends[low:high], strict=True)]

    def take(self, first: int, end: int) -> list[tuple[int, int]]:
        """What of [first, end) is missing; from now on it is not."""
        found = self.within(first, end)
        if not found:
            return []
        low, high = bisect_right(self._ends, first), bisect_left(self._firsts, end)
        rest = [(self._firsts[low], found[0][0]), (found[-1][1], self._ends[high - 1])]
        kept = [(a, b) for a, b in rest if a < b]
        self._firsts[low:high] = [a for a, _ in kept]
        self._ends[low:high] = [b for _, b in kept]
        self._forget()  # a gap that was filled in its middle has become two
        return found

    def _forget(self) -> None:
        if len(self._firsts) > MISSING_AT_MOST:
            excess = len(self._firsts) - MISSING_AT_MOST
            del self._firsts[:excess], self._ends[:excess]
