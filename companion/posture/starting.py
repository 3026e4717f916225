"""The first still seconds of a session beside the baseline it begins with: does the sensor still sit as it did?

Whoever sits down forward of the baseline looks the same as a sensor that was stuck on otherwise, so nothing is
concluded: it is told, before the first alert can be. Knows: rows. Must never know: alerts, how it is told.
"""

from dataclasses import dataclass, replace

import numpy as np

from companion.posture.calibration import Triple
from companion.posture.seen import Seen, added, away_deg, direction

_BASELINE = np.array([0.0, 0.0, 1.0])
_LASTS_NS = 4_800_000_000
"""From the first still row to the one that decides: 25 rows. The shortest delay of an alert is one row longer."""

_BREAK_NS = 5_000_000_000
"""A longer break ends a slouch, so that its delay begins anew, and so does this."""


@dataclass(frozen=True, slots=True)
class StartState:
    """The still rows so far. `over`: compared, or there is nothing to compare."""

    over: bool = True
    total: Triple = (0.0, 0.0, 0.0)
    first_ns: int = -1
    newest_ns: int = 0


@dataclass(frozen=True, slots=True)
class Stale:
    """At row `place` it is known how far from the baseline the session began."""

    place: int
    off_deg: float
    up: Triple


def compare(state: StartState, seen: Seen) -> tuple[StartState, Stale | None]:
    """Add still rows until they decide."""
    if state.over:
        return state, None
    for place in np.flatnonzero(seen.quiet).tolist():
        t_ns = int(seen.t_ns[place])
        if state.first_ns < 0 or t_ns - state.newest_ns > _BREAK_NS:
            state = StartState(over=False, first_ns=t_ns)
        state = replace(state, total=added(state.total, seen.unit[place : place + 1]), newest_ns=t_ns)
        if t_ns - state.first_ns >= _LASTS_NS:
            up = direction(np.array(state.total))
            return replace(state, over=True), Stale(place, float(away_deg(np.array(up), _BASELINE)), up)
    return state, None
