"""Leads a wearer through a calibration: which step it is, how far it has come, what came out.

The steps follow the body, not the clock: each waits up to a minute for its movement. The course is written as it runs,
as a generator that is sent one moment after the other. Knows: holds, bends, what makes a baseline. Must never know: how
a wearer is told.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from companion.posture import baselines, fit
from companion.posture.baselines import CalibrationRefused, refused
from companion.posture.bends import Bends
from companion.posture.calibration import Calibration, Triple
from companion.posture.directions import between_deg
from companion.posture.moments import HOLD_S, MOST_MOVEMENT_DEG, Hold, Moment, Moments, Stillness, movement_deg

PATIENCE_S = 60.0
BENDS = 2
_PAUSE_PART = 0.5
"""Who has bent once and is still for so much of a hold is done bending."""

Way: TypeAlias = Literal["bend", "nod", "mounting", "quick", "kept"]
"""How the baseline is found; "kept": the stored one stays."""


class Step(IntEnum):
    """What the wearer is asked for."""

    HOLD = 0
    BEND = 1
    HOLD_AGAIN = 2
    DONE = 3
    REFUSED = 4
    NOD = 5
    SLOUCH = 6
    FIT = 7


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where the guide is: the step, how much of it is done (0 to 1), how many bends were seen."""

    step: Step
    part: float = 0.0
    bends: int = 0
    short_deg: tuple[float, ...] = ()  # the bends that did not go far enough
    least_deg: float = 0.0  # how far they should have gone


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the wearer wants calibrated. "quick" and "kept" need a stored calibration, "mounting" the axis."""

    way: Way = "bend"
    stored: Calibration | None = None  # of this sensor and profile; its usual slouch is kept with a new baseline
    axis: Triple | None = None  # of the sensor: declared to face forward
    slouch: bool = False  # show the usual slouch too
    fit: bool = False  # the fit test too


_Course: TypeAlias = Generator[None, Moment | None, Any]


class Guide:
    """Watches a wearer through the steps; feed it a session's ANGLES, then read `prompt` and `result`.

    `shortfall` says why the slouch or the fit test gave nothing, where the baseline stands nevertheless. A guide with
    `patience_s` None waits for ever.
    """

    def __init__(self, wanted: Wanted | None = None, *, patience_s: float | None = PATIENCE_S) -> None:
        self.wanted = wanted or Wanted()
        self.prompt = Prompt(Step.HOLD)
        self.result: Calibration | CalibrationRefused | None = None
        self.shortfall = ""
        self._patience_s = patience_s
        self._moments = Moments()
        self._waiting_since_ns: int | None = None
        self._course = self._run()
        next(self._course)

    def feed(self, angles: npt.NDArray[Any]) -> Prompt:
        """Take samples (fields t_session_ns, acc_mps2, gyr_radps, up, settled); after the end they are passed over."""
        if self.result is None:
            self._send(self._moments.feed(angles))
        return self.prompt

    def finish(self) -> Calibration | CalibrationRefused:
        """Nothing more comes: the result, or what was missing."""
        self._send([*self._moments.flush(), None])
        assert self.result is not None
        return self.result

    def _send(self, moments: Iterable[Moment | None]) -> None:
        for moment in moments:
            if self.result is None:
                with suppress(StopIteration):
                    self._course.send(moment)

    # The course.

    def _run(self) -> _Course:
        wanted = self.wanted
        try:
            made, tall = yield from self._baseline()
        except CalibrationRefused as reason:
            self._end(reason, Step.REFUSED)
            return
        found = baselines.with_slouch_of(made, wanted.stored)
        try:
            if wanted.slouch:
                found = yield from self._slouch(made, tall)
            if wanted.fit:
                found = yield from self._fit(found)
        except CalibrationRefused as reason:
            self.shortfall = str(reason)
        if self.shortfall and found is wanted.stored:
            self._end(CalibrationRefused(self.shortfall), Step.REFUSED)
        else:
            self._end(found, Step.DONE)

    def _end(self, result: Calibration | CalibrationRefused, step: Step) -> None:
        self.result = result
        self.prompt = Prompt(step, float(step is Step.DONE), self.prompt.bends)

    def _baseline(self) -> Generator[None, Moment | None, tuple[Calibration, Hold]]:
        """The calibration, and the hold before the slouch."""
        wanted = self.wanted
        if wanted.way in ("bend", "nod"):
            return (yield from self._with_bends(wanted.way == "nod"))
        if wanted.way == "kept" and not wanted.slouch:
            assert wanted.stored is not None
            return wanted.stored, Hold(_up(wanted.stored), 0.0, 0 * _up(wanted.stored), 0.0)
        hold = yield from self._hold()
        if wanted.way == "mounting":
            assert wanted.axis is not None
            return baselines.from_mounting(hold, wanted.axis), hold
        assert wanted.stored is not None
        if wanted.way == "quick":
            return baselines.quick(wanted.stored, hold), hold
        baselines.same_pose(wanted.stored, hold)
        return wanted.stored, hold

    def _hold(self) -> Generator[None, Moment | None, Hold]:
        still, newest = Stillness(), deque[Moment](maxlen=round(HOLD_S * 10))
        self._ask(Step.HOLD)
        while still.part < 1:
            moment = yield from self._next(lambda when: _no_hold("no", newest, when))
            still.take(moment)
            newest.append(moment)
            self.prompt = Prompt(Step.HOLD, still.part)
        return still.hold

    def _with_bends(self, nod: bool) -> Generator[None, Moment | None, tuple[Calibration, Hold]]:
        first = yield from self._hold()
        least_deg = baselines.LEAST_NOD_DEG if nod else baselines.LEAST_BEND_DEG
        bends, still, step = Bends(first.up, least_deg), Stillness(), Step.NOD if nod else Step.BEND
        self._ask(step)
        while not (bends.done and still.part >= 1):
            moment = yield from self._next(lambda when: _no_bends(bends, nod, when))
            if bends.take(moment):
                self._waiting_since_ns, still = None, Stillness()  # what comes next has its own minute
            still.take(moment)
            if bends.under_way:
                still = Stillness()  # a bend that is held is no hold
            elif not bends.done and still.part >= 1 and _elsewhere(still.hold, first):
                first = still.hold  # sat down first, and is still again
                bends.lean_from(first.up)
            self._show_bends(step, bends, still.part)
        return baselines.from_bends(first, still.hold, bends.done, "nod" if nod else "guided"), still.hold

    def _show_bends(self, step: Step, bends: Bends, part: float) -> None:
        done = len(bends.done)
        over = done >= BENDS or (done > 0 and part >= _PAUSE_PART)
        asked, part = (Step.HOLD_AGAIN, part) if over else (step, 0.0)
        self.prompt = Prompt(asked, part, done, tuple(bends.short_deg), bends.least_deg)

    def _slouch(self, made: Calibration, tall: Hold) -> Generator[None, Moment | None, Calibration]:
        still, least_deg = Stillness(), baselines.least_slouch_deg(made)
        held_deg = deque[float](maxlen=1)
        self._ask(Step.SLOUCH)
        while True:
            moment = yield from self._next(lambda when: _no_slouch(held_deg, least_deg, when))
            still.take(moment)
            away_deg = between_deg(moment.up, tall.up)
            self.prompt = replace(self.prompt, part=still.part if away_deg >= least_deg else 0.0)
            if still.part >= 1:
                held_deg.append(between_deg(still.hold.up, tall.up))
                if least_deg <= held_deg[0] <= baselines.MOST_SLOUCH_DEG:
                    return baselines.with_slouch(made, tall, still.hold)

    def _fit(self, made: Calibration) -> Generator[None, Moment | None, Calibration]:
        """20 s from the first movement on."""
        taken = list[Moment]()
        self._ask(Step.FIT)
        while not taken or taken[-1].t_ns - taken[0].t_ns < fit.FIT_S * 1e9:
            moment = yield from self._next(
                lambda when: _shortfall(f"there was no movement of 20 s {when}"), started=taken
            )
            if taken or moment.rate_rms_radps > fit.MOVING_RADPS:
                taken.append(moment)
                self.prompt = replace(self.prompt, part=min((moment.t_ns - taken[0].t_ns) / (fit.FIT_S * 1e9), 1.0))
        if fit.moving_s(taken) < fit.LEAST_MOVING_S:
            raise _shortfall(f"you moved for less than {fit.LEAST_MOVING_S:.0f} of the {fit.FIT_S:.0f} s")
        found_deg = fit.wobble_deg(taken, _up(made))
        if found_deg is None:
            raise _shortfall(f"it needs a gyroscope and at least {fit.LEAST_RATE_HZ:.0f} samples a second")
        return replace(made, wobble_deg=found_deg)

    def _ask(self, step: Step) -> None:
        self.prompt, self._waiting_since_ns = Prompt(step, bends=self.prompt.bends), None

    def _next(
        self, missing: Callable[[str], CalibrationRefused], started: object = None
    ) -> Generator[None, Moment | None, Moment]:
        """The next moment; raises what is missing where none comes, or patience is at its end before it `started`."""
        moment = yield
        if moment is None:
            raise missing("before the movement ended")
        if self._waiting_since_ns is None:
            self._waiting_since_ns = moment.t_ns
        waited_s = (moment.t_ns - self._waiting_since_ns) * 1e-9
        if self._patience_s is not None and waited_s > self._patience_s and not started:
            raise missing(f"within {self._patience_s:.0f} s")
        return moment


def _up(calibration: Calibration) -> Any:
    return np.array(calibration.up)


def _elsewhere(hold: Hold, first: Hold) -> bool:
    return between_deg(hold.up, first.up) > baselines.MOST_HOLD_DIFFERENCE_DEG


def _no_hold(which: str, newest: Iterable[Moment], when: str) -> CalibrationRefused:
    moments = list(newest)
    moved_deg = movement_deg(moments) if moments else 0.0
    moved = f" (it moved by {moved_deg:.1f}°)" if moved_deg > MOST_MOVEMENT_DEG else ""
    return refused(
        f"there was {which} hold of {HOLD_S:.0f} s with under {MOST_MOVEMENT_DEG:.0f}° of movement {when}{moved}"
    )


def _no_bends(bends: Bends, nod: bool, when: str) -> CalibrationRefused:
    if bends.done:
        return _no_hold("no second", [], when)
    name, least_deg = ("nod", baselines.LEAST_NOD_DEG) if nod else ("bend", baselines.LEAST_BEND_DEG)
    if bends.under_way:
        return refused(f"nobody came back from the {name} {when}")
    if bends.stirred and bends.deepest_deg < least_deg:
        deep = f"{bends.deepest_deg:.0f}" if round(bends.deepest_deg) < least_deg else f"{bends.deepest_deg:.2f}"
        return refused(f"the {name} of {deep}° is under {least_deg:.0f}°")
    return refused(f"there was no forward {name} of {least_deg:.0f}° or more {when}")


def _no_slouch(held_deg: Sequence[float], least_deg: float, when: str) -> CalibrationRefused:
    if not held_deg:
        return _not_shown(f"nothing was held for {HOLD_S:.0f} s {when}")
    found_deg = held_deg[0]
    if found_deg > baselines.MOST_SLOUCH_DEG:
        return _not_shown(f"{found_deg:.0f}° from the baseline is further than a trunk that sits or stands")
    return _not_shown(
        f"what was held is {found_deg:.1f}° from the baseline; at least {least_deg:.1f}° can be told from it"
    )


def _not_shown(reason: str) -> CalibrationRefused:
    return CalibrationRefused(f"The slouch was not taken: {reason}.")


def _shortfall(reason: str) -> CalibrationRefused:
    return CalibrationRefused(f"The fit test gave no figure: {reason}.")
