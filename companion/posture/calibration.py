"""The guided calibration: hold, bend forward, hold again. Gives the baseline and the direction the wearer faces.

The steps follow the body, not the clock: each waits up to a minute for its movement. The medio-lateral axis is the
first principal axis of the horizontal angular rate *during the bend* (without gyroscope: the facing axis is that of the
travel of the up vector); its sign is the bend's. Pure. Knows: up vectors and rates in the sensor's frame.
Must never know: how a wearer is told.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.posture.mounting import Calibration

HOLD_S = 5.0
MOST_MOVEMENT_DEG = 3.0
MOST_HOLD_DIFFERENCE_DEG = 3.0
LEAST_BEND_DEG = 15.0
LEAST_AXIS_RATIO = 3.0
PATIENCE_S = 60.0

_MOMENT_NS = 100_000_000
_HOLD_MOMENTS = round(HOLD_S * 1e9 / _MOMENT_NS)
_STIRRED_DEG = 5.0
"""Below it the wearer only sways; above it a bend has begun, and its motion tells the axis."""

_FLOOR_DEG = 0.3
"""A baseline is never known better than this: the sway of a hold."""

Vector = npt.NDArray[Any]


class CalibrationRefused(Exception):
    """Why no baseline was taken, in one sentence for the wearer."""


class Step(IntEnum):
    """What the wearer is asked for."""

    HOLD = 0
    BEND = 1
    HOLD_AGAIN = 2
    DONE = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where the guide is: the step, how much of it is done (0 to 1), how many bends were seen."""

    step: Step
    part: float = 0.0
    bends: int = 0


@dataclass(frozen=True, slots=True)
class _Moment:
    """Mean up direction of a tenth of a second, and its horizontal motion (sums of outer products)."""

    t_ns: int
    up: Vector
    rates: Vector  # (3, 3) sum of ω ωᵀ; zero without gyroscope


class Guide:
    """Watches a wearer through the three steps; feed it a session's ANGLES, then read `prompt` and `result`."""

    def __init__(self) -> None:
        self.prompt = Prompt(Step.HOLD)
        self.result: Calibration | CalibrationRefused | None = None
        self._open: list[Any] = []  # parts of the moment that is filling
        self._open_number = -1
        self._hold: list[_Moment] = []
        self._first: Vector | None = None  # up in the first hold
        self._bend: list[_Moment] = []
        self._peak_deg = 0.0
        self._deepest_deg = 0.0
        self._since_ns: int | None = None

    def feed(self, angles: npt.NDArray[Any]) -> Prompt:
        """Take samples (fields t_session_ns, gyr_radps, up, settled); what comes after the end is passed over."""
        settled = angles[angles["settled"]]
        numbers = settled["t_session_ns"] // _MOMENT_NS
        for number in np.unique(numbers).tolist():
            if number != self._open_number:
                self._take_open()
                self._open_number = number
            self._open.append(settled[numbers == number])
        return self.prompt

    def finish(self) -> Calibration | CalibrationRefused:
        """Nothing more comes: the result, or what was missing."""
        self._take_open()
        if self.result is None:
            self._refuse(self._missing("before the movement ended"))
        assert self.result is not None
        return self.result

    def _take_open(self) -> None:
        parts, self._open = self._open, []
        if parts and self.result is None:
            self._moment(_moment_of(np.concatenate(parts)))

    def _moment(self, moment: _Moment) -> None:
        self._since_ns = moment.t_ns if self._since_ns is None else self._since_ns
        self._hold = [*self._hold, moment][-_HOLD_MOMENTS:]
        if self._first is None:
            self._first_hold(moment)
        else:
            self._after_first_hold(moment)
        waited_s = (moment.t_ns - self._since_ns) * 1e-9
        if self.result is None and waited_s > PATIENCE_S:
            self._refuse(self._missing(f"within {PATIENCE_S:.0f} s"))

    def _first_hold(self, moment: _Moment) -> None:
        self.prompt = Prompt(Step.HOLD, _stillness(self._hold))
        if self.prompt.part >= 1:
            self._first = _mean_up(self._hold)
            self._go_on(Step.BEND, moment)

    def _after_first_hold(self, moment: _Moment) -> None:
        assert self._first is not None
        off_deg = _between_deg(moment.up, self._first)
        self._deepest_deg = max(self._deepest_deg, off_deg)
        bends = self.prompt.bends
        if off_deg > _STIRRED_DEG:
            self._bend.append(moment)
            self._peak_deg = max(self._peak_deg, off_deg)
        if self._peak_deg >= LEAST_BEND_DEG and off_deg < self._peak_deg / 2:
            self._peak_deg, bends = 0.0, bends + 1
            self._go_on(Step.HOLD_AGAIN if bends > 1 else Step.BEND, moment)
            self.prompt = replace(self.prompt, bends=bends)
        if self._peak_deg >= LEAST_BEND_DEG or not self._bend:
            self._hold = []
        part = _stillness(self._hold)
        step = Step.BEND if bends < 2 and part < 0.3 else Step.HOLD_AGAIN if self._bend else Step.BEND
        self.prompt = Prompt(step, part, bends)
        if part >= 1 and self._bend:
            self._judge(_mean_up(self._hold))

    def _go_on(self, step: Step, moment: _Moment) -> None:
        """The next step has its own minute."""
        self.prompt, self._hold, self._since_ns = Prompt(step), [], moment.t_ns

    def _judge(self, second: Vector) -> None:
        """Both holds and whatever lay between them are there."""
        first = self._first
        assert first is not None
        difference_deg = _between_deg(first, second)
        if self._deepest_deg < LEAST_BEND_DEG:
            self._refuse(f"the bend of {self._deepest_deg:.0f}° is under {LEAST_BEND_DEG:.0f}°")
            return
        if difference_deg > MOST_HOLD_DIFFERENCE_DEG:
            limit = f"{MOST_HOLD_DIFFERENCE_DEG:.0f}°"
            self._refuse(f"the two holds differ by {difference_deg:.1f}°, more than {limit}")
            return
        up = _unit(first + second)
        forward, ratio = facing(up, np.array([m.up for m in self._bend]), np.sum([m.rates for m in self._bend], axis=0))
        if ratio < LEAST_AXIS_RATIO:
            self._refuse(f"the bend has no clear axis (ratio {ratio:.1f}, at least {LEAST_AXIS_RATIO:.0f} is needed)")
            return
        made = Calibration.from_axes(up, forward)
        uncertainty_deg = max(_FLOOR_DEG, difference_deg / 2)
        self.result = replace(made, uncertainty_deg=uncertainty_deg, axis_ratio=min(ratio, 1e6), method="guided")
        self.prompt = Prompt(Step.DONE, 1.0, self.prompt.bends)

    def _missing(self, when: str) -> str:
        if self._first is None:
            moved_deg = _movement_deg(self._hold) if self._hold else 0.0
            moved = f" (it moved by {moved_deg:.1f}°)" if moved_deg > MOST_MOVEMENT_DEG else ""
            return f"there was no hold of {HOLD_S:.0f} s with under {MOST_MOVEMENT_DEG:.0f}° of movement {when}{moved}"
        if self._deepest_deg < LEAST_BEND_DEG:
            return f"there was no forward bend of {LEAST_BEND_DEG:.0f}° or more {when}"
        return f"there was no second hold of {HOLD_S:.0f} s with under {MOST_MOVEMENT_DEG:.0f}° of movement {when}"

    def _refuse(self, reason: str) -> None:
        self.result = CalibrationRefused(f"No baseline was taken: {reason}.")
        self.prompt = Prompt(Step.REFUSED, 0.0, self.prompt.bends)


def facing(up: Vector, bend_ups: Vector, rates: Vector) -> tuple[Vector, float]:
    """The direction the wearer faces (3,), and how clear the bend's axis was (ratio of eigenvalues).

    `bend_ups` (N, 3) are up vectors during the bend, `rates` (3, 3) the sum of ω ωᵀ over it.
    """
    travel = bend_ups - up
    level = np.eye(3) - np.outer(up, up)
    with_gyroscope = bool(np.trace(rates) > 0)
    spread = level @ (rates if with_gyroscope else travel.T @ travel) @ level
    values, vectors = np.linalg.eigh(spread)
    axis = vectors[:, 2]
    forward = np.cross(axis, up) if with_gyroscope else axis
    ratio = float(values[2] / max(values[1], 1e-12))
    return (-forward if float(forward @ travel.sum(axis=0)) > 0 else forward), ratio


def _moment_of(samples: npt.NDArray[Any]) -> _Moment:
    gyr = np.nan_to_num(samples["gyr_radps"])
    return _Moment(int(samples["t_session_ns"][0]), _unit(samples["up"].mean(axis=0)), gyr.T @ gyr)


def _mean_up(moments: list[_Moment]) -> Vector:
    return _unit(np.sum([moment.up for moment in moments], axis=0))


def _movement_deg(moments: list[_Moment]) -> float:
    """The largest angle between two moments, taken as twice the largest one from their mean."""
    mean = _mean_up(moments)
    return 2 * max(_between_deg(moment.up, mean) for moment in moments)


def _stillness(moments: list[_Moment]) -> float:
    """How much of a hold the newest moments are, 0 to 1: those that stay within the allowed movement."""
    kept = moments
    while len(kept) > 1 and _movement_deg(kept) > MOST_MOVEMENT_DEG:
        kept = kept[max(len(kept) // 8, 1) :]
    return len(kept) / _HOLD_MOMENTS if len(moments) > 1 else 0.0


def _between_deg(a: Vector, b: Vector) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector))
