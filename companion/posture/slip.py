"""Whether the sensor still sits where it was calibrated: told, never mended silently.

Four looks at the same rows, each with its own kind of evidence: the first still seconds of a session (`starting`),
walking (`walks`), a sensor that is upside down or was put on again (`wearing`), and quick steps between stills, which
give an instant to what walking has found (`marks`). Without a calibration nothing is claimed; turns about the vertical
cannot be seen. Knows: rows. Must never know: how it is told, what is stored.
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from companion.posture.calibration import Calibration, Triple
from companion.posture.marks import MarksState, instant, marked, since
from companion.posture.rows import Suspicion
from companion.posture.seen import Seen, away_deg, direction
from companion.posture.stage import Array, copied
from companion.posture.starting import Stale, StartState, compare
from companion.posture.walks import Parting, Walk, Walks, WalksState, begun_anew, suspected
from companion.posture.wearing import (
    OffState,
    OverState,
    PutOn,
    TurnedOver,
    overturned,
    put_on_again,
    turned_over,
)

LIMIT_DEG = 10.0
"""From here on a slip is suspected: sums of two minutes of walking differ by up to six degrees within a person."""


_NONE = Suspicion.NONE


class SlipStep(IntEnum):
    """What a row says about how the sensor sits."""

    NONE = 0
    STALE = 1  # the session begins off the baseline
    SUSPECTED = 2
    CLEARED = 3
    PUT_ON = 4  # taken off and put on again


@dataclass(frozen=True, slots=True)
class SlipState:
    """What each look has seen so far."""

    start: StartState = field(default_factory=StartState)
    walks: WalksState = field(default_factory=WalksState)
    over: OverState = field(default_factory=OverState)
    off: OffState = field(default_factory=OffState)
    marks: MarksState = field(default_factory=MarksState)
    stale: bool = False  # the session began off its baseline

    def learned(self, calibration: Calibration | None) -> Calibration | None:
        """The calibration with the reference of walking that was found beside it; None: nothing that is worth keeping.

        Where the session began off its baseline, walking may have been with a sensor that sat otherwise.
        """
        found = self.walks.reference
        if calibration is None or calibration.walking is not None or found is None or self.stale:
            return None
        x, y, z = (np.array(found) @ calibration.rotation).tolist()
        return replace(calibration, walking=direction(np.array((x, y, z))))


@dataclass(frozen=True, slots=True)
class SlipStage:
    """Stage: fills `suspicion`, `slip_deg` and what a row tells about them; rows without a calibration say nothing."""

    calibration: Calibration | None
    limit_deg: float = LIMIT_DEG

    @property
    def _walks(self) -> Walks:
        given: Triple | None = None
        if self.calibration is not None and self.calibration.walking is not None:
            given = direction(self.calibration.rotation @ np.array(self.calibration.walking))
        return Walks(given, self.limit_deg)

    def start(self) -> SlipState:
        """A session that begins with a calibration: its start is to be compared."""
        return SlipState(start=StartState(over=self.calibration is None))

    def step(self, state: SlipState, block: Array) -> tuple[SlipState, Array]:
        """Look at ROWS; they are cut where the sensor was put on again, as walking begins anew there."""
        if len(block) == 0:
            return state, block
        rows = copied(block)
        rows["slip_deg"] = np.nan
        if self.calibration is None:
            return state, rows
        with np.errstate(invalid="ignore", divide="ignore"):  # directions that are not known
            return self._look(state, rows), rows

    def _look(self, state: SlipState, rows: Array) -> SlipState:
        """Write into ROWS what they say."""
        seen = Seen.of(rows)
        upside_down = overturned(seen)
        start, stale = compare(state.start, seen)
        over, turns = turned_over(state.over, seen, upside_down)
        off, put_on = put_on_again(state.off, seen, self.limit_deg)
        marks = marked(state.marks, seen)
        walks = self._walk(state.walks, seen, seen.walks & ~upside_down, put_on, marks, rows)
        if state.over.over or turns or np.count_nonzero(upside_down):
            _hold(rows, seen, state.over.over, turns, upside_down)
        told = stale is not None and stale.off_deg > self.limit_deg
        if stale is not None and told:
            _tell_stale(rows, stale)
        return SlipState(start, walks, over, off, since(marks, int(walks.times_ns[0])), state.stale or told)

    def _walk(
        self, walks: WalksState, seen: Seen, walking: Array, put_on: list[PutOn], marks: MarksState, rows: Array
    ) -> WalksState:
        first = 0
        for event in [*put_on, None]:
            end = len(rows) if event is None else event.place
            places = first + walking[first:end].nonzero()[0]
            before = walks
            if len(places):
                walks, partings, off_deg = self._walks.step(walks, Walk(seen.t_ns[places], seen.unit[places]))
            else:
                partings, off_deg = [], np.empty(0)
            if before.level != _NONE or partings:
                _mark_rows(rows, slice(first, end), before, places, partings, off_deg)
            for parting in partings:
                _tell_parting(rows, int(places[parting.place]), parting, marks)
            if event is not None:
                far, span_ns = event.off_deg > self.limit_deg, (event.from_ns, event.to_ns)
                walks = suspected(walks, event.off_deg, span_ns) if far else begun_anew(walks)
                _tell_put_on(rows, event)
            first = end
        return walks


def _hold(rows: Array, seen: Seen, over: bool, turns: list[TurnedOver], upside_down: Array) -> None:
    """Nothing is judged of a sensor that is upside down, nor of a row that is."""
    held = upside_down.copy()
    for turn, end in zip([None, *turns], [*(turn.place for turn in turns), len(rows)], strict=True):
        over = over if turn is None else turn.over
        first = 0 if turn is None else turn.place
        held[first:end] |= over
    rows["slip_deg"] = np.where(held, away_deg(seen.unit, np.array([0.0, 0.0, 1.0])), rows["slip_deg"])
    rows["suspicion"] = np.where(held, Suspicion.HELD, rows["suspicion"])
    for turn in turns:
        _tell_turn(rows, turn)


def _mark_rows(
    rows: Array, where: slice, before: WalksState, places: Array, partings: list[Parting], off_deg: Array
) -> None:
    """Suspicion of the rows of a slice: each keeps what the newest walking said."""
    newest = np.searchsorted(places, np.arange(where.start, where.stop), side="right")
    slip_deg = np.concatenate([[before.slip_deg], off_deg])[newest]
    level = np.full(len(newest), before.level, dtype=np.uint8)
    for parting in partings:
        level[places[parting.place] - where.start :] = parting.level
    rows["suspicion"][where] = level
    rows["slip_deg"][where] = np.where(level == Suspicion.NONE, np.nan, slip_deg)


def _tell(rows: Array, place: int, step: SlipStep, off_deg: float, up: Triple | None, span_ns: tuple[int, int]) -> None:
    """Write down at a row what is to be told there; the first word at a row counts."""
    if rows["slip_step"][place] != SlipStep.NONE:
        return
    rows["slip_step"][place], rows["slip_off_deg"][place] = step, off_deg
    rows["slip_from_ns"][place], rows["slip_to_ns"][place] = span_ns
    rows["slip_at_ns"][place] = -1
    if up is not None:
        x, y, z = up
        rows["slip_forward_deg"][place] = np.degrees(np.arctan2(-x, z))
        rows["slip_right_deg"][place] = np.degrees(np.arctan2(y, z))


def _tell_stale(rows: Array, stale: Stale) -> None:
    _tell(rows, stale.place, SlipStep.STALE, stale.off_deg, stale.up, (0, 0))


def _tell_put_on(rows: Array, put_on: PutOn) -> None:
    _tell(rows, put_on.place, SlipStep.PUT_ON, put_on.off_deg, put_on.up, (put_on.from_ns, put_on.to_ns))


def _tell_turn(rows: Array, turn: TurnedOver) -> None:
    clear = not turn.over and rows["suspicion"][turn.place] == Suspicion.NONE
    if turn.over or clear:
        step = SlipStep.SUSPECTED if turn.over else SlipStep.CLEARED
        _tell(rows, turn.place, step, turn.off_deg, None, (turn.from_ns, turn.to_ns))


def _tell_parting(rows: Array, place: int, parting: Parting, marks: MarksState) -> None:
    if not parting.tells:
        return
    step = SlipStep.CLEARED if parting.level is Suspicion.NONE else SlipStep.SUSPECTED
    _tell(rows, place, step, parting.slip_deg, None, parting.span_ns)
    if parting.found:
        moved = np.array(parting.after) - np.array(parting.before)
        rows["slip_at_ns"][place] = instant(marks.marks, parting.span_ns, moved)
