"""Whether this computer slept: its boot-time clock ran on, and the clock of waits stood still. Pure but for that clock.

Knows: two clocks. Must never know: links, what follows from a sleep. Where both clocks run on through sleep (Windows),
no sleep is ever seen, and links that it cost are lost like any other.
"""

import time
from collections.abc import Callable

ASLEEP_S = 2.0
"""Shorter sleeps are passed over: a link may outlive them, and clocks are slewed."""


class Wakefulness:
    """`slept()` says whether there was a sleep since it was last asked, or since the beginning.

    clock: the host's boot-time clock, which runs on through sleep; waits: the one that does not; both in nanoseconds.
    """

    def __init__(self, clock: Callable[[], int], waits: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._waits = waits
        self._ahead_ns = clock() - waits()

    def slept(self) -> bool:
        """True once after each sleep of more than `ASLEEP_S`."""
        before_ns, self._ahead_ns = self._ahead_ns, self._clock() - self._waits()
        return self._ahead_ns - before_ns > ASLEEP_S * 1e9
