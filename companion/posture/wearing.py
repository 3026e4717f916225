"""Whether the sensor is upside down, and whether it was taken off and put on again.

No trunk hangs upside down for seconds while its wearer sits, stands or walks; no trunk is turned over, whirled about,
or laid aside. What a hand does with a sensor is told from what a body does by these, and by nothing weaker: people lie
down, bend and get up. Knows: rows. Must never know: walking, alerts, how it is told.

The idea of looking for re-attachments before trusting an orientation: Etzkorn and others 2021 (worn accelerometers
that were taken off and put back otherwise); the criteria here are our own.
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from companion.posture.calibration import Triple
from companion.posture.rows import ROWS_PER_S, Context
from companion.posture.seen import Seen, added, away_deg, direction
from companion.posture.stage import Array, runs

OVER_DEG = 120.0
"""Farther from the baseline no trunk stays; lying, a baseline of 35 degrees forward comes to 125."""

_OVER_LYING_DEG = 150.0
_DWELL_ROWS = 24
"""4.8 s: less than the shortest delay of an alert."""

_WHIRLED_DPS = 400.0
"""A trunk turns at up to some 200 degrees a second."""

_LAID_ASIDE_DEG = 30.0  # a wearer who sits so still that the sensor seems not worn has not turned by so much
_UPRIGHT_DEG = 65.0  # beyond it one lies (Vähä-Ypyä and others 2018: 64.9 degrees)
_STILL_ROWS = 5 * ROWS_PER_S
_CERTAIN_ROWS = 3  # of means over 1 s
_BASELINE = np.array([0.0, 0.0, 1.0])
_OVER, _OVER_LYING, _UPRIGHT = np.cos(np.radians([OVER_DEG, _OVER_LYING_DEG, _UPRIGHT_DEG])).tolist()
_LYING, _NOT_WORN = int(Context.LYING), int(Context.NOT_WORN)


@dataclass(frozen=True, slots=True)
class TurnedOver:
    """From row `place` on the sensor is upside down (`over`), or is so no longer; between these two instants."""

    place: int
    over: bool
    off_deg: float = 0.0
    from_ns: int = 0
    to_ns: int = 0


@dataclass(frozen=True, slots=True)
class PutOn:
    """At row `place` it is known that the sensor was off between two instants, and how far off it sits since."""

    place: int
    off_deg: float  # from the baseline, or from where it sat before, whichever is less
    up: Triple
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class OverState:
    """For how many rows the sensor has been the other way round than it is taken to be."""

    over: bool = False
    rows: int = 0
    since_ns: int = 0
    before_ns: int = 0  # newest row the right way round


@dataclass(frozen=True, slots=True)
class OffState:
    """The newest still rows, and, once a hand was at the sensor, what has come since."""

    still: Array = field(default_factory=lambda: np.zeros((0, 3)))  # at most _STILL_ROWS
    still_ns: int = 0
    certain_rows: int = 0
    handled: bool = False
    before: Triple = (0.0, 0.0, 1.0)
    from_ns: int = 0
    total: Triple = (0.0, 0.0, 0.0)
    rows: int = 0
    to_ns: int = 0


def overturned(seen: Seen) -> Array:
    """Which rows are upside down: farther from the baseline than any trunk."""
    over = seen.worn & (seen.unit[:, 2] < _OVER)
    if np.count_nonzero(over):
        over &= (seen.context != _LYING) | (seen.unit[:, 2] < _OVER_LYING)
    return np.asarray(over)


class _Way(IntEnum):
    """Which way round a row is."""

    UNKNOWN = 0
    RIGHT = 1
    OVER = 2


def turned_over(state: OverState, seen: Seen, overturned: Array) -> tuple[OverState, list[TurnedOver]]:
    """When the sensor comes to be upside down for good, and when it is put right."""
    worn = seen.worn
    if not (state.over or state.rows or np.count_nonzero(overturned)):  # as nearly always
        right = worn.nonzero()[0]
        return (OverState(False, 0, state.since_ns, int(seen.t_ns[right[-1]])) if len(right) else state), []
    way, found = np.where(overturned, _Way.OVER, np.where(worn, _Way.RIGHT, _Way.UNKNOWN)), list[TurnedOver]()
    for first, end in runs(way):
        against = way[first] == (_Way.RIGHT if state.over else _Way.OVER)
        if way[first] == _Way.UNKNOWN:
            continue
        if not against:
            state = replace(state, rows=0, before_ns=int(seen.t_ns[end - 1]))
            continue
        if state.rows == 0:
            state = replace(state, since_ns=int(seen.t_ns[first]))
        place = first + _DWELL_ROWS - state.rows - 1
        state = replace(state, rows=state.rows + end - first)
        if place < end:
            off_deg = float(away_deg(seen.unit[place], _BASELINE))
            found.append(TurnedOver(place, not state.over, off_deg, state.before_ns, state.since_ns))
            state = OverState(over=not state.over, before_ns=int(seen.t_ns[end - 1]))
    return state, found


class _Kind(IntEnum):
    """What a row says about a hand at the sensor."""

    NOTHING = 0
    STILL = 1  # the trunk is still and upright
    TILTED = 2  # still, but not as a trunk is upright
    WHIRLED = 3
    OVER = 4
    ASIDE = 5  # not worn


def put_on_again(state: OffState, seen: Seen, limit_deg: float) -> tuple[OffState, list[PutOn]]:
    """Where the sensor was taken off and put on again: certainly so, or it sits off by more than the limit since."""
    still, handled = seen.quiet & (seen.unit[:, 2] >= _UPRIGHT), _traces(seen)
    if not (state.handled or any(np.count_nonzero(trace) for trace in handled)):  # as nearly always
        return _stayed(state, seen, still.nonzero()[0]), []
    kinds, found = _kinds(seen, still, handled), list[PutOn]()
    for first, end in runs(kinds):
        kind = _Kind(int(kinds[first]))
        if kind is _Kind.STILL and not state.handled:
            state = _stayed(state, seen, np.arange(first, end))
        elif kind is _Kind.STILL:
            state, put_on = _worn_again(state, seen, first, end, limit_deg)
            found += put_on
        elif kind is _Kind.TILTED:
            state = replace(state, rows=0, total=(0.0, 0.0, 0.0)) if state.rows else state
        elif kind is not _Kind.NOTHING:
            state = _handled(state, seen, kind, first, end)
    return state, found


def _traces(seen: Seen) -> tuple[Array, Array, Array]:
    """Rows in which the sensor is not worn, is turned over, is whirled about."""
    over = seen.known & (seen.unit[:, 2] < _OVER_LYING)
    return seen.context == _NOT_WORN, over, seen.velocity_dps > _WHIRLED_DPS


def _kinds(seen: Seen, still: Array, handled: tuple[Array, Array, Array]) -> Array:
    return np.select(
        [*handled, still, seen.quiet],
        [_Kind.ASIDE, _Kind.OVER, _Kind.WHIRLED, _Kind.STILL, _Kind.TILTED],
        _Kind.NOTHING,
    )


def _stayed(state: OffState, seen: Seen, places: Array) -> OffState:
    places = places[-_STILL_ROWS:]
    if len(places) == 0:
        return state
    still = np.concatenate([state.still, seen.unit[places]])[-_STILL_ROWS:]
    before, total = (state.handled, state.before, state.from_ns), (state.total, state.rows, state.to_ns)
    return OffState(still, int(seen.t_ns[places[-1]]), 0, *before, *total)


def _handled(state: OffState, seen: Seen, kind: _Kind, first: int, end: int) -> OffState:
    """Rows [first, end) are of a kind that no trunk makes, provided that it sat still somewhere before."""
    if not state.handled:
        if len(state.still) < ROWS_PER_S:
            return state
        before = direction(np.cumsum(state.still, axis=0)[-1])
        state = replace(state, before=before, from_ns=state.still_ns)
    if kind is _Kind.ASIDE:
        count = int((away_deg(seen.unit[first:end], np.array(state.before)) > _LAID_ASIDE_DEG).sum())
    else:
        count = end - first if kind is _Kind.OVER else 0
    handled = state.handled or count > 0 or kind is _Kind.WHIRLED
    return replace(state, handled=handled, certain_rows=state.certain_rows + count, rows=0, total=(0.0, 0.0, 0.0))


def _worn_again(state: OffState, seen: Seen, first: int, end: int, limit_deg: float) -> tuple[OffState, list[PutOn]]:
    """Still and upright rows after a hand was at the sensor: five seconds of them say how it sits now."""
    if state.rows == 0:
        state = replace(state, to_ns=int(seen.t_ns[first]))
    last = min(first + _STILL_ROWS - state.rows, end)
    total, rows = added(state.total, seen.unit[first:last]), state.rows + last - first
    if rows < _STILL_ROWS:
        return replace(state, total=total, rows=rows), []
    up = direction(np.array(total))
    places = np.stack([_BASELINE, np.array(state.before)])
    off_deg = float(away_deg(np.array(up), places).min())
    certain = state.certain_rows >= _CERTAIN_ROWS
    found = [PutOn(last - 1, off_deg, up, state.from_ns, state.to_ns)] if certain or off_deg > limit_deg else []
    after = OffState(still=seen.unit[last - 1 : last], still_ns=int(seen.t_ns[last - 1]))
    return _stayed(after, seen, np.arange(last, end)), found
