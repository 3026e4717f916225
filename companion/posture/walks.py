"""Whether the wearer walks as they did when the sensor was new: the reference, sums of walking, and where they part.

Walking is the one posture that everybody takes up again and again in about the same way. Bouts of it differ by up to
17 degrees within one person, sums of two minutes by a few degrees only: so nothing shorter is compared.
Knows: directions of up while walking, in the calibrated frame. Must never know: how a slip is told, alerts.

Reference and method: Vähä-Ypyä and others 2018 (walking as the reference of an upright trunk). That two neighbouring
sums are compared too is ours: a slow change of gait of 5 degrees would else hide a turn of 15 degrees against it.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from companion.posture.calibration import Triple
from companion.posture.rows import ROWS_PER_S, Suspicion
from companion.posture.seen import added, away_deg, direction
from companion.posture.stage import Array

SUM_ROWS = 120 * ROWS_PER_S
"""So much walking makes a sum, and the reference."""

BEFORE_ROWS = 2 * SUM_ROWS
"""So much of what went before is compared with the newest sum."""

RELEASE_SHARE = 2 / 3
"""Of the limit: below it walking agrees again, as with slouches; above it a jump between sums counts."""

MOSTLY_SHARE = 0.8
"""Of the limit: beyond it the median of a sum must lie too."""

HELD_DEG = 20.0
"""From here on nothing is judged: as far off as a slouch itself."""

_HELD_AGAIN_DEG = 2.0
_HELD_AT_ONCE_DEG = 22.0  # by the part of a sum that found the slip: less than two minutes, so a margin
_MARGIN_ROWS = 5 * ROWS_PER_S
"""On either side of the place where walking changed best: rows are means of 1 s, and steps come and go."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows of walking: session times (N,) in ns and unit vectors of up (N, 3)."""

    t_ns: Array
    unit: Array


@dataclass(frozen=True, slots=True)
class Parting:
    """From row `place` of a Walk on, it is otherwise than before: a new level, and what is known about it."""

    place: int
    level: Suspicion
    slip_deg: float = np.nan
    before: Triple = (0.0, 0.0, 1.0)  # up while it agreed
    after: Triple = (0.0, 0.0, 1.0)  # up since
    span_ns: tuple[int, int] = (0, 0)  # last walking that agreed, first that did not
    tells: bool = True  # worth a word: found, held, or over; not where it is held no longer
    found: bool = False  # just now, and not known of before


@dataclass(frozen=True, slots=True)
class WalksState:
    """The reference as far as it has come, and the newest walking: sums of its unit vectors, each with its time."""

    learned: Triple = (0.0, 0.0, 0.0)
    learned_rows: int = 0
    sums: Array = field(default_factory=lambda: np.zeros((1, 3)))  # (N + 1, 3): up to and with each row; first: before
    times_ns: Array = field(default_factory=lambda: np.zeros(1, dtype=np.int64))  # (N + 1,)
    level: Suspicion = Suspicion.NONE
    slip_deg: float = np.nan
    span_ns: tuple[int, int] = (0, 0)  # when what is suspected happened

    @property
    def reference(self) -> Triple | None:
        """Up over the first two minutes of walking; None: not yet so much."""
        return direction(np.array(self.learned)) if self.learned_rows >= SUM_ROWS else None


@dataclass(frozen=True, slots=True)
class Walks:
    """Compares walking with the reference: the one given, else the first that is seen."""

    given: Triple | None
    limit_deg: float

    def step(self, state: WalksState, walk: Walk) -> tuple[WalksState, list[Parting], Array]:
        """The new state, where the level changes, and how far off walking is at each row in degrees; NaN: no claim."""
        off_deg, partings, first = np.full(len(walk.t_ns), np.nan), list[Parting](), 0
        if self.given is None and state.learned_rows < SUM_ROWS:
            if state.level is not Suspicion.NONE:  # put on again otherwise before there was a reference
                return state, [], np.full(len(walk.t_ns), state.slip_deg)
            state, first = _learn(state, walk)
        while first < len(walk.t_ns):
            state, end, parting = self._compare(state, walk, first, off_deg)
            if parting is not None:
                partings.append(replace(parting, place=end - 1))
            first = end
        return state, partings, off_deg

    def reference(self, state: WalksState) -> Triple | None:
        """What walking is compared with; None while nothing can be claimed."""
        return self.given or state.reference

    def _compare(
        self, state: WalksState, walk: Walk, first: int, off_deg: Array
    ) -> tuple[WalksState, int, Parting | None]:
        """Go on from row `first`, to the row after which the level is another, or to the end."""
        reference, had = self.reference(state), len(state.times_ns) - 1
        assert reference is not None
        sums, times_ns = _gone_on(state, Walk(walk.t_ns[first:], walk.unit[first:]))
        found = _Compared.of(sums, had, reference)
        levels = self._found(found) if state.level is Suspicion.NONE else self._kept(state.level, found)
        changes = np.flatnonzero(levels != state.level)
        count = int(changes[0]) + 1 if len(changes) else len(levels)
        here = _newest(replace(state, sums=sums[: had + 1 + count], times_ns=times_ns[: had + 1 + count]))
        if state.level is not Suspicion.NONE:
            off_deg[first : first + count] = np.where(found.whole, found.far_deg, state.slip_deg)[:count]
            here = replace(here, slip_deg=float(off_deg[first + count - 1]))
        if not len(changes):
            return here, first + count, None
        level, here_deg = Suspicion(int(levels[changes[0]])), float(found.far_deg[changes[0]])
        here, parting = _parted(here, level, here_deg, reference, self.limit_deg)
        off_deg[first + count - 1] = parting.slip_deg
        return here, first + count, parting

    def _kept(self, level: Suspicion, found: "_Compared") -> Array:
        """The level that each row brings while there is a suspicion."""
        least_deg = HELD_DEG - (_HELD_AGAIN_DEG if level is Suspicion.HELD else 0.0)
        held = np.where(found.whole, found.far_deg > least_deg, level is Suspicion.HELD)
        agrees = found.whole & (found.far_deg <= RELEASE_SHARE * self.limit_deg)
        return np.where(agrees, Suspicion.NONE, np.where(held, Suspicion.HELD, Suspicion.SUSPECT))

    def _found(self, found: "_Compared") -> Array:
        """The level that each row brings while there is none: suspect from the first one that is off."""
        levels = np.full(len(found.ends), Suspicion.NONE)
        jumped = (found.jump_deg() > self.limit_deg) & (found.far_deg > RELEASE_SHARE * self.limit_deg)
        for place in np.flatnonzero(found.whole & ((found.far_deg > self.limit_deg) | jumped)).tolist():
            if found.usual_deg(place) > MOSTLY_SHARE * self.limit_deg:
                levels[place:] = Suspicion.SUSPECT
                break
        return levels


@dataclass(frozen=True, slots=True)
class _Compared:
    """The newest sum at each of some rows beside the reference."""

    sums: Array
    ends: Array  # (N,) which sums are those of the rows
    newest: Array  # (N, 3)
    far_deg: Array  # (N,) from the reference
    reference: Array  # (3,)

    @classmethod
    def of(cls, sums: Array, had: int, reference: Triple) -> "_Compared":
        """Compare the sums after the first `had` of them."""
        ends, other = np.arange(had + 1, len(sums)), np.array(reference)
        newest = sums[ends] - sums[np.maximum(ends - SUM_ROWS, 0)]
        return cls(sums, ends, newest, away_deg(newest, other), other)

    @property
    def whole(self) -> Array:
        """At which rows there are two minutes of walking."""
        return self.ends >= SUM_ROWS

    def jump_deg(self) -> Array:
        """(N,) from what was walked before; 0 where that is less than two minutes."""
        made = np.zeros(len(self.ends))
        both = np.flatnonzero(self.ends >= 2 * SUM_ROWS)
        if len(both):
            middle = self.ends[both] - SUM_ROWS
            before = self.sums[middle] - self.sums[np.maximum(middle - BEFORE_ROWS, 0)]
            made[both] = away_deg(self.newest[both], before)
        return made

    def usual_deg(self, place: int) -> float:
        """How far the median of one sum is from the reference: what half a minute bent forward does not change."""
        end = int(self.ends[place])
        median = np.median(np.diff(self.sums[end - SUM_ROWS : end + 1], axis=0), axis=0)
        return float(away_deg(median, self.reference))


def begun_anew(state: WalksState) -> WalksState:
    """The same reference, but what was walked so far is not compared with what comes."""
    return replace(state, sums=state.sums[-1:], times_ns=state.times_ns[-1:])


def suspected(state: WalksState, slip_deg: float, span_ns: tuple[int, int]) -> WalksState:
    """The sensor was put on again so far off: two minutes of walking that agree with the reference end it."""
    level = Suspicion.HELD if slip_deg > HELD_DEG else Suspicion.SUSPECT
    return replace(begun_anew(state), level=level, slip_deg=slip_deg, span_ns=span_ns)


def _learn(state: WalksState, walk: Walk) -> tuple[WalksState, int]:
    """Add to the reference what it still lacks; the place of the first row that it does not take."""
    count = min(SUM_ROWS - state.learned_rows, len(walk.t_ns))
    if count <= 0:
        return state, 0
    sums, times_ns = _gone_on(state, Walk(walk.t_ns[:count], walk.unit[:count]))
    learned = replace(state, learned=added(state.learned, walk.unit[:count]), learned_rows=state.learned_rows + count)
    return _newest(replace(learned, sums=sums, times_ns=times_ns)), count


def _gone_on(state: WalksState, walk: Walk) -> tuple[Array, Array]:
    """Sums and times with these rows after them; every sum goes on from the one before: the same bits for any cut."""
    sums = np.cumsum(np.concatenate([state.sums[-1:], walk.unit]), axis=0)[1:]
    return np.concatenate([state.sums, sums]), np.concatenate([state.times_ns, walk.t_ns])


def _parted(
    state: WalksState, level: Suspicion, far_deg: float, reference: Triple, limit_deg: float
) -> tuple[WalksState, Parting]:
    """The state from the newest row on, which brought another level."""
    sums, times_ns = state.sums, state.times_ns
    if state.level is not Suspicion.NONE or level is Suspicion.NONE:
        after = direction(sums[-1] - sums[max(len(sums) - 1 - SUM_ROWS, 0)])
        slip_deg = np.nan if level is Suspicion.NONE else far_deg
        made = replace(state, level=level, slip_deg=slip_deg)
        return made, Parting(0, level, slip_deg, reference, after, state.span_ns, level is not Suspicion.SUSPECT)
    split = _split(sums)
    if float(away_deg(sums[split] - sums[0], np.array(reference))) > limit_deg:
        split = 0  # it never agreed since these sums began
    after = direction(sums[-1] - sums[split])
    before = direction(sums[split] - sums[max(split - SUM_ROWS, 0)]) if split else reference
    slip_deg = float(away_deg(np.array(after), np.array(reference)))
    level = Suspicion.HELD if slip_deg > _HELD_AT_ONCE_DEG else Suspicion.SUSPECT
    span_ns = int(times_ns[max(split - _MARGIN_ROWS, 0)]), int(times_ns[split + _MARGIN_ROWS])
    made = replace(state, level=level, slip_deg=slip_deg, span_ns=span_ns)
    made = replace(made, sums=sums[split:], times_ns=times_ns[split:])
    return made, Parting(0, level, slip_deg, before, after, span_ns, found=True)


def _split(sums: Array) -> int:
    """After which row walking is best told in two: least squares about two means, neither of less than 5 s."""
    count = len(sums) - 1
    places = np.arange(_MARGIN_ROWS, count - _MARGIN_ROWS)
    first, second = sums[places] - sums[0], sums[-1] - sums[places]
    gain = (first * first).sum(axis=1) / places + (second * second).sum(axis=1) / (count - places)
    return int(places[np.argmax(gain)])


def _newest(state: WalksState) -> WalksState:
    most = SUM_ROWS + BEFORE_ROWS + 1
    return replace(state, sums=state.sums[-most:], times_ns=state.times_ns[-most:])
