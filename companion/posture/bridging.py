"""How far to believe the filter after a hole in the samples: the better, the shorter and the steadier the motion was.

Over a hole the rates of turn are drawn as a straight line. What that misses grows with the length of the hole and with
how much the rates bend; what the accelerometer can mend shrinks with how much the trunk is pushed about. Both are
measured over the two seconds before the hole, and their ratio says how many samples of the accelerometer the filter's
old level is worth: a filter that knows better than it does starts from there, one that does not starts anew.
Pure. Knows: accelerations, rates, up vectors. Must never know: the filter, clocks, devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from companion.posture.stage import Array
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

RECENT_S = 2.0
"""So much of the past says how the wearer moves."""

_BLOCK_S = 0.2
_ACC_FLOOR_G = 0.01  # a sensor's own noise, gathered over a block
_RATE_FLOOR_RADPS = 0.03

_BEND_SHARE = 2.0 / 3.0 / np.sqrt(3.0)
"""Of the turn missed: a parabola is two thirds of its middle high in the mean; one axis has a third of the square."""


@dataclass(frozen=True, slots=True)
class Past:
    """The newest samples that belong together: what was pushed, how it turned and where up was, (N, 3) each."""

    parts: tuple[tuple[Array, Array, Array], ...] = ()
    count: int = 0

    def then(self, acc_mps2: Array, gyr_radps: Array, up: Array, period_s: float) -> "Past":
        """With what came after it; what is older than two seconds is forgotten."""
        most = self.most(period_s)
        if len(up) >= most:
            return Past(((acc_mps2[-most:].copy(), gyr_radps[-most:].copy(), up[-most:].copy()),), most)
        parts, count = (*self.parts, (acc_mps2, gyr_radps, up)), self.count + len(up)
        while count - len(parts[0][0]) >= most:
            count -= len(parts[0][0])
            parts = parts[1:]
        return Past(parts, count)

    def recent(self, period_s: float) -> tuple[Array, Array, Array]:
        """Accelerations, rates and ups of the last two seconds, or of as much as there is."""
        acc, gyr, up = (np.concatenate(arrays)[-self.most(period_s) :] for arrays in zip(*self.parts, strict=True))
        return acc, gyr, up

    @staticmethod
    def most(period_s: float) -> int:
        """So many samples are kept."""
        return max(round(RECENT_S / period_s), 1)


@dataclass(frozen=True, slots=True)
class Belief:
    """What the filter's level rests on since the last hole: for how its error fades, sample by sample."""

    weight: float = 0.0  # so many samples it was worth then
    variance_rad2: float = 0.0  # of its error then, about one horizontal axis
    push_g: float = 0.1  # of a single acceleration, as `push_g` has it; before anything is known a guess

    def variance_after_rad2(self, taken: float) -> float:
        """Of the error after so many more samples, which have taken over in proportion."""
        total = self.weight + taken
        return (self.variance_rad2 * self.weight**2 + self.push_g**2 * taken) / (total * total)

    @staticmethod
    def variances_rad2(beliefs: "Sequence[Belief]", lengths: Array, taken: Array) -> Array:
        """(N,) the same at every sample: a belief for so many samples, then the next; `taken` (N,) since each began."""
        rows = np.array([(each.weight, each.variance_rad2 * each.weight**2, each.push_g**2) for each in beliefs])
        weight, lost, push = rows.T if len(rows) == 1 else (np.repeat(column, lengths) for column in rows.T)
        total = weight + taken
        return np.asarray((lost + push * taken) / (total * total))

    def after(self, taken: int, most: float, missed_rad: float, push: float) -> "Belief":
        """After `taken` samples and a hole that hides a turn of `missed_rad`; no level is worth more than `most`.

        A level that has just lost as much as the accelerometer knows is worth that many samples less.
        """
        rested = min(self.weight + taken, most)
        variance = self.variance_after_rad2(max(taken, 1)) + missed_rad**2
        known = (push / missed_rad) ** 2
        weight = rested if known > rested else 1.0 / (1.0 / known + 1.0 / rested)
        return Belief(weight, variance, push)


def missed_rad(gyr_radps: Array, missing: int, period_s: float) -> float:
    """How much of a turn about one horizontal axis a straight line over `missing` samples misses (RMS), in radians.

    Of rates (N, 3) from before the hole.
    """
    return float((missing + 1) * period_s * (_BEND_SHARE * _bend_radps(gyr_radps, missing) + _RATE_FLOOR_RADPS))


def push_g(acc_mps2: Array, up: Array, period_s: float) -> float:
    """How strongly the trunk is pushed about, along one horizontal axis and for a single sample, in g; 1: unknown."""
    size = max(round(_BLOCK_S / period_s), 1)
    used = len(up) // size * size
    if used == 0:
        return 1.0
    ups = up[-used:]
    push = acc_mps2[-used:] * (1.0 / STANDARD_GRAVITY_MPS2) - ups
    push -= np.einsum("ij,ij->i", push, ups)[:, None] * ups
    sums = push.reshape(-1, size, 3).sum(axis=1)
    return float(np.sqrt((sums * sums).sum() / (2 * used))) + _ACC_FLOOR_G


def _bend_radps(gyr_radps: Array, missing: int) -> float:
    """How far rates leave the straight line between two samples that are a hole apart, in its middle (RMS)."""
    half = missing // 2 + 1
    if len(gyr_radps) <= 2 * half + 3:
        bend = gyr_radps
    else:
        bend = gyr_radps[half:-half] - 0.5 * (gyr_radps[: -2 * half] + gyr_radps[2 * half :])
    return float(np.sqrt((bend * bend).sum() / len(bend)))
