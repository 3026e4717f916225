"""A wearer in tenths of a second: where up was, how the trunk turned, how hard it was shaken; and holds made of them.

Knows: up vectors, rates and accelerations in the sensor's frame. Must never know: what the wearer was asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.posture.directions import Vector, mean_direction, off_deg, unit
from companion.posture.few import LAST, SLOW_NS
from companion.posture.stage import runs
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

MOMENT_NS = 100_000_000
HOLD_S = 5.0
MOST_MOVEMENT_DEG = 3.0
MOST_SHAKE_G = 0.05
"""Standard deviation of |a|, as for a still context: who walks on the spot with a stiff trunk does not hold still."""

_TORN_NS = 1_000_000_000
"""Two moments further apart than this, or than three of the usual steps, do not join: what lay between is unknown."""

_CUT_SHARE = 0.92
"""A hold of exactly 5 s is cut by the moments at its ends, and by the filter that comes to rest after a bend."""


@dataclass(frozen=True)
class Moment:
    """A tenth of a second, or one sample where they come slower."""

    t_ns: int
    up: Vector  # (3,) mean direction
    acc_g: float  # mean |acceleration|
    times_ns: Vector  # (N,) of its samples
    gyr_radps: Vector  # (N, 3); zero without gyroscope

    @cached_property
    def rate_sum(self) -> Vector:
        """(3,) sum of the rates."""
        return np.asarray(self.gyr_radps.sum(axis=0))

    @cached_property
    def rate_square(self) -> Vector:
        """(3, 3) sum of ω ωᵀ."""
        return np.asarray(self.gyr_radps.T @ self.gyr_radps)

    @property
    def rate_rms_radps(self) -> float:
        """Root mean square of the rate of turn."""
        return float(np.sqrt(np.trace(self.rate_square) / max(len(self.gyr_radps), 1)))


class Moments:
    """Cuts samples into moments, the same ones however the samples come."""

    def __init__(self) -> None:
        self._open: list[Any] = []  # parts of the moment that is filling
        self._number = -1

    def feed(self, angles: npt.NDArray[Any]) -> Iterator[Moment]:
        """Moments completed by samples (fields t_session_ns, acc_mps2, gyr_radps, up, settled)."""
        settled = angles[angles["settled"]]
        numbers = settled["t_session_ns"] // MOMENT_NS
        for first, end in runs(numbers):
            if int(numbers[first]) != self._number:
                yield from self.flush()
                self._number = int(numbers[first])
            self._open.append(settled[first:end])

    def flush(self) -> Iterator[Moment]:
        """The moment that is filling, as it is."""
        parts, self._open = self._open, []
        if parts:
            yield _moment(np.concatenate(parts))


def _moment(samples: npt.NDArray[Any]) -> Moment:
    length = np.linalg.norm(samples["acc_mps2"], axis=1)
    return Moment(
        t_ns=int(samples["t_session_ns"][0]),
        up=unit(samples["up"].mean(axis=0)),
        acc_g=float(length.mean()) / STANDARD_GRAVITY_MPS2,
        times_ns=samples["t_session_ns"],
        gyr_radps=np.nan_to_num(samples["gyr_radps"]),
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """Some seconds in which a wearer kept still."""

    up: Vector  # (3,) mean direction
    spread_deg: float  # root mean square of the angle to it
    bias_radps: Vector  # (3,) what the gyroscope read meanwhile
    seconds: float


class Stillness:
    """Watches for a hold: of the newest moments, those that stay within the allowed movement."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._step_ns = MOMENT_NS

    def take(self, moment: Moment) -> None:
        """One more moment; older ones go as long as all together move too much."""
        if self._kept:
            step_ns = moment.t_ns - self._kept[-1].t_ns
            if step_ns > max(_TORN_NS, 3 * self._step_ns):
                self._kept = []
            self._step_ns = max(step_ns, MOMENT_NS)
        self._kept.append(moment)
        while self._overlong():
            del self._kept[0]
        while len(self._kept) > 1 and self._restless():
            del self._kept[: max(len(self._kept) // 8, 1)]

    @property
    def part(self) -> float:
        """How much of a hold there is, 0 to 1."""
        done = min(self._seconds() / (HOLD_S * _CUT_SHARE), len(self._kept) / LAST, 1.0)
        return done if len(self._kept) > 1 else 0.0

    @property
    def hold(self) -> Hold:
        """What is held now."""
        ups = np.array([moment.up for moment in self._kept])
        middle = mean_direction(ups)
        rates = sum(moment.rate_sum for moment in self._kept) / max(sum(len(m.gyr_radps) for m in self._kept), 1)
        spread_deg = float(np.sqrt(np.mean(off_deg(ups, middle) ** 2)))
        return Hold(middle, spread_deg, np.asarray(rates), self._seconds())

    def _seconds(self) -> float:
        if not self._kept:
            return 0.0
        return (self._kept[-1].t_ns - self._kept[0].t_ns + self._step_ns) * 1e-9

    def _overlong(self) -> bool:
        """Whether the oldest moment is one too many; of a slow sensor: whether the others make a hold without it."""
        seconds = self._seconds()
        if self._step_ns < SLOW_NS:
            return seconds > HOLD_S + 1e-9
        return len(self._kept) > LAST and seconds - self._step_ns * 1e-9 >= HOLD_S * _CUT_SHARE

    def _restless(self) -> bool:
        shaken = float(np.std([moment.acc_g for moment in self._kept])) >= MOST_SHAKE_G
        return shaken or movement_deg(self._kept) > MOST_MOVEMENT_DEG


def movement_deg(moments: list[Moment]) -> float:
    """The largest angle between two moments, taken as twice the largest one from their mean."""
    ups = np.array([moment.up for moment in moments])
    return float(2 * off_deg(ups, mean_direction(ups)).max())
