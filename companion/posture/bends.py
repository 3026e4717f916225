"""Forward bends: where one begins and ends, and which way the wearer faces.

The medio-lateral axis is the first principal axis of the horizontal angular rate *during the bend*; with walking
included it is 20° off. Without gyroscope the facing axis is that of the travel of the up vector. The sign is the
bend's. Knows: moments. Must never know: what the wearer was asked for.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.directions import Vector, between_deg
from companion.posture.moments import MOMENT_NS, Moment

FLANK_SHARE = 0.4
"""A bend lasts while the trunk is further out than this share of its deepest point: what comes before and after, such
as walking, does not tell its axis."""

_MOST_SHAKE_G = 0.15
"""Standard deviation of |a|, in tenths of a second: brisk bends of a real trunk come to 0.09 g, hurried walking and
stairs on the chest to more than this."""

_STIRRED_SHARE = 1 / 3
"""Of the least bend: below it the wearer only sways."""

_LEAST_S = 0.7
"""Nobody bends and comes back faster; without gyroscope a jerk looks like lean for half a second."""

_SHORT_SHARE = 0.5
"""Of the least bend: who went that far meant to bend."""


@dataclass(frozen=True, slots=True)
class Bend:
    """One way out and back."""

    moments: tuple[Moment, ...]
    peak_deg: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.moments[-1].t_ns - self.moments[0].t_ns + MOMENT_NS) * 1e-9

    @property
    def shake_g(self) -> float:
        """Standard deviation of |acceleration|."""
        return float(np.std([moment.acc_g for moment in self.moments]))

    def rates(self, bias_radps: Vector, *, tilting: bool) -> Vector:
        """(3, 3) sum of ω ωᵀ, the gyroscope's bias taken off; `tilting`: only of what of ω is across up."""
        total = np.zeros((3, 3))
        for moment in self.moments:
            crossed = np.outer(bias_radps, moment.rate_sum)
            count = len(moment.gyr_radps)
            square = moment.rate_square - crossed - crossed.T + count * np.outer(bias_radps, bias_radps)
            across = np.eye(3) - np.outer(moment.up, moment.up) if tilting else np.eye(3)
            total += across @ square @ across
        return total

    def travel(self, up: Vector) -> Vector:
        """(N, 3) how far the up vector was from `up`."""
        return np.array([moment.up for moment in self.moments]) - up


class Bends:
    """Watches for bends of at least `least_deg` away from `reference`, an up vector (3,)."""

    def __init__(self, reference: Vector, least_deg: float) -> None:
        self.done: list[Bend] = []
        self.short_deg: list[float] = []  # how deep those were that did not go far enough
        self.deepest_deg = 0.0
        self._reference, self.least_deg = reference, least_deg
        self._out: list[tuple[float, Moment]] = []  # of the way out that is under way
        self._peak_deg = 0.0

    @property
    def under_way(self) -> bool:
        """Whether the wearer is in a bend that is deep enough."""
        return self._peak_deg >= self.least_deg

    @property
    def stirred(self) -> bool:
        """Whether the wearer has done more than sway."""
        return self.deepest_deg > self.least_deg * _STIRRED_SHARE

    def lean_from(self, reference: Vector) -> None:
        """From now on, angles count from here."""
        self._reference, self._out, self._peak_deg = reference, [], 0.0

    def take(self, moment: Moment) -> bool:
        """One more moment; whether it completes a bend."""
        off_deg = between_deg(moment.up, self._reference)
        self.deepest_deg = max(self.deepest_deg, off_deg)
        stirred_deg = self.least_deg * _STIRRED_SHARE
        if self.under_way and off_deg < FLANK_SHARE * self._peak_deg:
            return self._close()
        if off_deg <= stirred_deg:
            if self._peak_deg > self.least_deg * _SHORT_SHARE:
                self.short_deg.append(self._peak_deg)
            self._out, self._peak_deg = [], 0.0
        else:
            self._out.append((off_deg, moment))
            self._peak_deg = max(self._peak_deg, off_deg)
        return False

    def _close(self) -> bool:
        bend = _around_the_peak(self._out)
        self._out, self._peak_deg = [], 0.0
        if bend.seconds < _LEAST_S or bend.shake_g >= _MOST_SHAKE_G:
            return False
        self.done.append(bend)
        return True


def _around_the_peak(out: list[tuple[float, Moment]]) -> Bend:
    """The stretch around the deepest point in which the trunk stays beyond the flank."""
    angles = np.array([off for off, _ in out])
    peak = int(np.argmax(angles))
    near = np.flatnonzero(angles <= FLANK_SHARE * angles[peak])
    first = int(near[near < peak].max(initial=-1)) + 1
    end = int(near[near > peak].min(initial=len(out)))
    return Bend(tuple(moment for _, moment in out[first:end]), float(angles[peak]))


def facing(up: Vector, bends: list[Bend], bias_radps: Vector) -> tuple[Vector, float]:
    """The direction the wearer faces (3,), and how clear the bends' axis was (ratio of eigenvalues).

    `up` (3,) is the baseline; `bias_radps` (3,) what the gyroscope reads at rest. Who turns on a swivel chair meanwhile
    turns about the vertical, who twists turns about the spine; neither is a bend. With the one left out or the other,
    whichever makes the axis clearer, both are seen through.
    """
    travel = np.concatenate([bend.travel(up) for bend in bends])
    if has_rates(bends):
        spreads = [
            np.sum([bend.rates(bias_radps, tilting=across) for bend in bends], axis=0) for across in (True, False)
        ]
        axis, ratio = max((_axis(up, spread) for spread in spreads), key=lambda found: found[1])
        forward = np.cross(axis, up)
    else:
        forward, ratio = _axis(up, travel.T @ travel)
    return np.asarray(-forward if float(forward @ travel.sum(axis=0)) > 0 else forward), ratio


def _axis(up: Vector, spread: Vector) -> tuple[Vector, float]:
    """The principal axis (3,) of a spread (3, 3) in the plane across `up`, and the ratio of its two eigenvalues."""
    level = np.eye(3) - np.outer(up, up)
    values, vectors = np.linalg.eigh(level @ spread @ level)
    return np.asarray(vectors[:, 2]), float(values[2] / max(values[1], 1e-12))


def has_rates(bends: list[Bend]) -> bool:
    """Whether a gyroscope took part."""
    return any(bool(moment.gyr_radps.any()) for bend in bends for moment in bend.moments)
