"""When a slouch begins, goes on and ends: hysteresis and dwell, decided in whole rows.

A slouch begins at the first still row whose angle less its uncertainty is over the limit. It goes on while the angle
stays above the release (two thirds of the limit). Breaks of up to 5 s (moving, settling, no data) belong to it; a
longer one, or 2 s below the release, ends it; walking, lying and taking the sensor off end it at once.
Knows: rows. Must never know: alerts, clocks.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from companion.posture.few import FEW_NS
from companion.posture.rows import ROW_NS, ROWS_PER_S, Context, State, Suspicion
from companion.posture.slouch import RECLINED_DEG
from companion.posture.stage import Array, copied, runs

RELEASE_SHARE = 2 / 3
RELEASE_ROWS = 2 * ROWS_PER_S
BREAK_ROWS = 5 * ROWS_PER_S
"""Where samples are few, also as long as the one that began the break is among those that a row rests on: one sample
that is otherwise than the others ends nothing."""

UNSURE_SHARE = 1 / 3
"""Uncertainty over this share of the limit makes the time unjudged."""


class EpisodeStep(IntEnum):
    """What a row does to a slouch."""

    NONE = 0
    BEGAN = 1
    ENDED = 2


class EndedBy(IntEnum):
    """Why a slouch ended; the names, in lower case, stand in the export."""

    NONE = 0
    RECOVERED = 1
    MOVED = 2
    WALKED = 3
    LAY_DOWN = 4
    NO_DATA = 5
    SESSION_END = 6


class _Kind(IntEnum):
    """What a row can mean for a slouch."""

    BREAK = 0  # moving, settling or unjudged
    SILENCE = 1
    BELOW = 2  # still, at or below the release
    HELD = 3  # still, above the release
    OVER = 4  # still, over the limit by more than its uncertainty
    WALKS = 5
    LIES = 6
    NOT_WORN = 7


# Plain numbers: an enum's name costs more than the comparison, and a row comes five times a second.
_SILENCE, _BELOW, _HELD, _OVER = int(_Kind.SILENCE), int(_Kind.BELOW), int(_Kind.HELD), int(_Kind.OVER)
_STILL, _SETTLING, _HELD_BACK = int(Context.STILL), int(Context.SETTLING), int(Suspicion.HELD)
_FEW_HZ = 1e9 / FEW_NS
_IN_RANGE, _RECLINED = int(State.IN_RANGE), int(State.RECLINED)
_NOT_JUDGED, _UNKNOWN = int(State.UNJUDGED), int(State.UNKNOWN)

_UNJUDGED = np.full(len(Context), _Kind.BREAK, dtype=np.uint8)
"""What a row that is not judged means, by its context."""
_UNJUDGED[[Context.NO_DATA, Context.WALKING]] = _Kind.SILENCE, _Kind.WALKS
_UNJUDGED[[Context.LYING, Context.NOT_WORN]] = _Kind.LIES, _Kind.NOT_WORN

_STATES = np.full(len(Context), _UNKNOWN, dtype=np.uint8)
"""The state of a row that is not judged, by its context."""
_STATES[Context.STILL] = _NOT_JUDGED

_ENDS_AT_ONCE = {_Kind.WALKS: EndedBy.WALKED, _Kind.LIES: EndedBy.LAY_DOWN, _Kind.NOT_WORN: EndedBy.NO_DATA}


@dataclass(frozen=True, slots=True)
class EpisodesState:
    """The slouch under way, if any, and how long it has been interrupted. Times in ns, lengths in rows."""

    episode: int = 0  # the newest one's number
    under_way: bool = False
    began_ns: int = 0
    last_forward_ns: int = 0
    broken_rows: int = 0
    below_rows: int = 0
    peak_deg: float = 0.0
    sum_deg: float = 0.0
    forward_rows: int = 0


@dataclass(frozen=True, slots=True)
class Episodes:
    """Stage: fills `state` and the fields of the slouch."""

    limit_deg: float = 12.0

    @property
    def release_deg(self) -> float:
        """Below it a slouch ends."""
        return self.limit_deg * RELEASE_SHARE

    def start(self) -> EpisodesState:
        """No slouch yet."""
        return EpisodesState()

    def step(self, state: EpisodesState, block: Array) -> tuple[EpisodesState, Array]:
        """Judge each row; the loop is over runs of rows of one kind, which are few."""
        if len(block) == 0:
            return state, block
        rows = copied(block)
        still = rows["context"] == _STILL
        with np.errstate(invalid="ignore"):  # angles that are not known
            kinds = self._kinds(rows, still)
            rows["state"] = _plain_states(rows, kinds)
        if not (state.under_way or np.count_nonzero(kinds == _OVER)):
            return state, rows  # nearly always
        for first, end in runs(kinds):
            state = self._run(state, rows, _Kind(int(kinds[first])), first, end)
        return state, rows

    def _kinds(self, rows: Array, still: Array) -> Array:
        angle, unsure = rows["deviation_deg"], rows["uncertainty_deg"]
        judged = still & (unsure <= self.limit_deg * UNSURE_SHARE) & np.isfinite(angle)
        judged &= (rows["suspicion"] != _HELD_BACK) & ~rows["implausible"]
        kinds = _UNJUDGED[rows["context"]]
        few = rows["rate_hz"] < _FEW_HZ
        if np.count_nonzero(few):  # what is unknown of those is silence
            kinds[few & (rows["context"] == _SETTLING) & np.isnan(rows["up"][:, 0])] = _SILENCE
        kinds[judged] = _BELOW
        kinds[judged & (angle > self.release_deg)] = _HELD
        kinds[judged & (angle - unsure > self.limit_deg)] = _OVER
        return np.asarray(kinds)

    def _run(self, state: EpisodesState, rows: Array, kind: _Kind, first: int, end: int) -> EpisodesState:
        """Rows [first, end) are of one kind."""
        if not state.under_way:
            if kind is not _Kind.OVER:
                return state
            state = _begun(state, rows, first)
        if kind in (_Kind.OVER, _Kind.HELD):
            return _forward(state, rows, first, end)
        if kind in _ENDS_AT_ONCE:
            return _ended(state, rows, first, _ENDS_AT_ONCE[kind])
        return _interrupted(state, rows, kind, first, end)


def _plain_states(rows: Array, kinds: Array) -> Array:
    judged = (kinds >= _BELOW) & (kinds <= _OVER)
    states: Array = _STATES[rows["context"]]
    states[judged] = _IN_RANGE
    states[judged & (rows["sagittal_deg"] < RECLINED_DEG)] = _RECLINED
    return states


def _begun(state: EpisodesState, rows: Array, first: int) -> EpisodesState:
    rows["episode_step"][first] = EpisodeStep.BEGAN
    t_ns = int(rows["t_session_ns"][first])
    return EpisodesState(episode=state.episode + 1, under_way=True, began_ns=t_ns, last_forward_ns=t_ns)


def _forward(state: EpisodesState, rows: Array, first: int, end: int) -> EpisodesState:
    angles, t_ns = rows["deviation_deg"][first:end], rows["t_session_ns"][first:end]
    rows["state"][first:end] = State.FORWARD
    # Sums begin with what came before and add row by row: the same bits for any cut.
    sums = np.cumsum(np.concatenate([[state.sum_deg], angles]))[1:]
    counts = state.forward_rows + np.arange(1, len(angles) + 1)
    peaks = np.maximum.accumulate(np.maximum(angles, state.peak_deg))
    rows["episode"][first:end] = state.episode
    rows["forward_ns"][first:end] = t_ns - state.began_ns
    rows["peak_deg"][first:end], rows["mean_deg"][first:end] = peaks, sums / counts
    return replace(
        state,
        last_forward_ns=int(t_ns[-1]),
        broken_rows=0,
        below_rows=0,
        peak_deg=float(peaks[-1]),
        sum_deg=float(sums[-1]),
        forward_rows=int(counts[-1]),
    )


def _interrupted(state: EpisodesState, rows: Array, kind: _Kind, first: int, end: int) -> EpisodesState:
    """A break, or a time below the release: part of the slouch until it has lasted too long."""
    below = kind is _Kind.BELOW
    count = end - first
    had = state.below_rows if below else state.broken_rows
    last = first + (RELEASE_ROWS - had - 1 if below else _too_long(had, rows["reach_ns"][first:end]))
    if last < end:
        cause = EndedBy.RECOVERED if below else EndedBy.NO_DATA if kind is _Kind.SILENCE else EndedBy.MOVED
        _mark(state, rows, first, last)
        return _ended(state, rows, last, cause)
    _mark(state, rows, first, end)
    if below:
        return replace(state, below_rows=had + count)
    return replace(state, broken_rows=had + count)


def _too_long(had: int, reach_ns: Array) -> int:
    """At which of these rows (N,) a break that had lasted for so many before is one too long; N: at none of them."""
    broken = had + np.arange(1, len(reach_ns) + 1)
    over = broken > np.maximum(reach_ns // ROW_NS + 1, BREAK_ROWS)
    return int(over.argmax()) if over.any() else len(reach_ns)


def _mark(state: EpisodesState, rows: Array, first: int, end: int) -> None:
    rows["episode"][first:end] = state.episode
    rows["forward_ns"][first:end] = rows["t_session_ns"][first:end] - state.began_ns
    rows["peak_deg"][first:end], rows["mean_deg"][first:end] = _peak_and_mean(state)


def _peak_and_mean(state: EpisodesState) -> tuple[float, float]:
    return state.peak_deg, state.sum_deg / max(state.forward_rows, 1)


def _ended(state: EpisodesState, rows: Array, place: int, cause: EndedBy) -> EpisodesState:
    rows["episode"][place] = state.episode
    rows["episode_step"][place] = EpisodeStep.ENDED
    rows["ended_by"][place] = cause
    rows["forward_ns"][place] = forward_ns(state)
    rows["peak_deg"][place], rows["mean_deg"][place] = _peak_and_mean(state)
    return EpisodesState(episode=state.episode)


def forward_ns(state: EpisodesState) -> int:
    """Length of the slouch under way, from its first forward row to its last, that row included."""
    return state.last_forward_ns - state.began_ns + ROW_NS
