"""Whether the computer's clock was set while a session was recorded: what its clock pairs say.

Times of day count on from the session's start and never step back, so after such a step they are not what the clock
showed; whoever shows them says so. Pure. Knows: frames. Must never know: the present time.
"""

from collections.abc import Iterable

from firmware_protocol.frames import ClockPair, Opened

STEP_NS = 2_000_000_000
"""Less is the drift of two clocks over a day, and how long a pair takes to be read."""


def steps(header: Opened, pairs: Iterable[ClockPair]) -> tuple[tuple[float, float], ...]:
    """Each time that the wall clock went off by more than 2 s: seconds since the start, and seconds set forward.

    The first is told against the session's start, each later one against the one before it.
    """
    found, known_ns = list[tuple[float, float]](), 0
    for pair in pairs:
        off_ns = pair.utc_ns - header.utc_ns - (pair.t_host_ns - header.t_host_ns)
        if abs(off_ns - known_ns) > STEP_NS:
            found.append(((pair.t_host_ns - header.t_host_ns) / 1e9, (off_ns - known_ns) / 1e9))
            known_ns = off_ns
    return tuple(found)
