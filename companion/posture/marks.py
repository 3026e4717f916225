"""Instants at which up went elsewhere between two still stretches, too quickly for a bend: where a slip may have been.

A mark claims nothing: people straighten up as quickly. It gives an instant to a slip that walking has found.
Knows: rows. Must never know: why up moved.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from companion.posture.calibration import Triple
from companion.posture.rows import ROW_NS, ROWS_PER_S
from companion.posture.seen import Seen, away_deg
from companion.posture.stage import Array

STEP_DEG = 8.0
"""From here on a step is more than sway."""

_STAY_ROWS = ROWS_PER_S  # still so long before and after
_WAY_ROWS = 2 * ROWS_PER_S  # and at most so long on the way
_SPAN_ROWS = 2 * _STAY_ROWS + _WAY_ROWS
_STAYS = (*range(_STAY_ROWS), *range(_SPAN_ROWS - _STAY_ROWS, _SPAN_ROWS))
_FAR = float(np.radians(STEP_DEG - 1.0) ** 2)
_STEADY_DEG = 2.0
_BEYOND_DEG = 3.0  # farther than its end a bend goes on the way, a slip does not
_MEAN_NS = 500_000_000  # a row is the mean of the last second: half a step is seen so much later
_LIKE = 0.5  # a step is the slip if their difference is less than this share of the slip


@dataclass(frozen=True, slots=True)
class Mark:
    """At `t_ns` up moved by this vector."""

    t_ns: int
    moved: Triple


@dataclass(frozen=True, slots=True)
class MarksState:
    """The newest rows, as the next ones may be the end of a step, and the marks so far."""

    unit: Array = field(default_factory=lambda: np.full((_SPAN_ROWS - 1, 3), np.nan))
    quiet: Array = field(default_factory=lambda: np.zeros(_SPAN_ROWS - 1, dtype=bool))
    marks: tuple[Mark, ...] = ()


def marked(state: MarksState, seen: Seen) -> MarksState:
    """Look for steps that these rows complete."""
    unit, quiet = np.concatenate([state.unit, seen.unit]), np.concatenate([state.quiet, seen.quiet])
    marks, starts = list(state.marks), _candidates(unit, quiet)
    for mark in _marks(unit, starts, seen.t_ns) if len(starts) else ():
        if not marks or mark.t_ns - marks[-1].t_ns > _WAY_ROWS * ROW_NS:
            marks.append(mark)
    return MarksState(unit[1 - _SPAN_ROWS :], quiet[1 - _SPAN_ROWS :], tuple(marks))


def since(state: MarksState, t_ns: int) -> MarksState:
    """Without the marks before this instant, but for the newest, which the next may be part of."""
    if len(state.marks) < 2 or state.marks[0].t_ns >= t_ns:
        return state
    return replace(state, marks=(*(mark for mark in state.marks[:-1] if mark.t_ns >= t_ns), state.marks[-1]))


def instant(marks: tuple[Mark, ...], span_ns: tuple[int, int], moved: Array) -> int:
    """When up moved by about `moved` (3,) for good between two instants; -1: no one mark says so."""
    size = float(np.sqrt(moved @ moved))
    between = [mark for mark in marks if span_ns[0] <= mark.t_ns <= span_ns[1]]
    alike = [mark for mark in between if _apart(np.array(mark.moved), moved) < _LIKE * size]
    undone = [mark for mark in between if _apart(np.array(mark.moved), -moved) < _LIKE * size]
    # A lean that is taken back is as long as its way back: what is left over is the slip.
    left = [mark for mark in alike if not any(back.t_ns > mark.t_ns for back in undone)]
    return left[0].t_ns if len(left) == 1 else -1


def _apart(one: Array, other: Array) -> float:
    return float(np.sqrt(((one - other) ** 2).sum()))


def _candidates(unit: Array, quiet: Array) -> Array:
    """Starts of spans that begin and end still and in different directions."""
    count = len(unit) - _SPAN_ROWS + 1
    away = unit[_SPAN_ROWS - 1 :] - unit[:count]
    x, y, z = away[:, 0], away[:, 1], away[:, 2]
    starts: Array = (quiet[:count] & quiet[_SPAN_ROWS - 1 :] & (x * x + y * y + z * z > _FAR)).nonzero()[0]
    for place in _STAYS if len(starts) else ():
        starts = starts[quiet[starts + place]]
    return starts


def _marks(unit: Array, starts: Array, t_ns: Array) -> list[Mark]:
    """What is a step among the spans with these starts; row k of the span's last rows is at `t_ns[k]`."""
    spans = [unit[starts + place] for place in range(_SPAN_ROWS)]
    before, after = _mean(spans[:_STAY_ROWS]), _mean(spans[-_STAY_ROWS:])
    step_deg = away_deg(after, before)
    from_deg = np.stack([away_deg(row, before) for row in spans])
    to_deg = np.stack([away_deg(row, after) for row in spans[-_STAY_ROWS:]])
    steady = (from_deg[:_STAY_ROWS].max(axis=0) < _STEADY_DEG) & (to_deg.max(axis=0) < _STEADY_DEG)
    is_step = steady & (step_deg > STEP_DEG) & (from_deg.max(axis=0) < step_deg + _BEYOND_DEG)
    halfway = np.argmax(from_deg >= step_deg / 2, axis=0)
    at_ns = t_ns[starts] - (_SPAN_ROWS - 1 - halfway) * ROW_NS - _MEAN_NS
    return [
        Mark(t, (x, y, z))
        for t, (x, y, z) in zip(at_ns[is_step].tolist(), (after - before)[is_step].tolist(), strict=True)
    ]


def _mean(rows: list[Array]) -> Array:
    """Of rows (K, 3), added in their order: the same bits however many spans there are."""
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    return np.asarray(total / len(rows))
