"""What the body does: still, moving, walking, lying, settling, no data, not worn. Only *still* is judged.

Each context has its evidence and its hysteresis, so that it does not flicker; still has none, because a slouch begins
at its first moment. Knows: spreads, silence, directions in the calibrated frame. Must never know: limits of posture,
alerts.
"""

from dataclasses import dataclass, field

import numpy as np

from companion.posture.rows import Context
from companion.posture.stage import Array, copied
from companion.posture.wear import WearState, not_worn

WALKING_SD_G = (0.03, 0.04)
"""A walk begins at the second of these at walking cadence (|a| over 2 s, two rows long) and ends below the first."""

WALKING_SHARE = (0.15, 0.25)
"""So much of the spread of |a| must lie at walking cadence: a jolt spreads its power far above it."""

STEP_SD_G = 0.04
"""A second with less spread holds no step."""

LYING_DEG = (50.0, 60.0)
"""From the baseline: lying begins beyond the second and ends within the first.

Lying beyond 64.9° from the direction in walking: H. Vähä-Ypyä and others, "Reliable recognition of lying, sitting, and
standing with a hip-worn accelerometer", Scandinavian Journal of Medicine & Science in Sports 28 (2018) 1092-1102.
"""

UPSIDE_DOWN_DEG = 140.0
"""From here on no trunk lies: the sensor is the other way round."""

LYING_STEADY = 0.98
"""Length of the mean up vector over 4 s: the direction strayed by 11° at the most (RMS)."""

NO_DATA_PERIODS, FAULT_PERIODS = 3, 10
"""A silence of so many periods of a sensor is no data, and a fault, whatever else is known of it."""

LYING_SD_G = 0.1
LYING_ROWS = 5
"""The 4 s must be so for a second: who bends to the floor for less than five seconds does not lie."""


_ENDS, _BEGINS, _OVER = np.cos(np.radians([*LYING_DEG, UPSIDE_DOWN_DEG])).tolist()

# As numpy has them: to look a name up in an enum and to convert it costs more than to use it, live.
_STILL, _MOVING, _WALKING, _LYING, _SETTLING, _NO_DATA, _NOT_WORN = np.array(Context, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class ContextState:
    """What the hysteresis of each context remembers."""

    walking: bool = False
    stepping: bool = False  # the newest row had the evidence for a walk to begin
    lying: bool = False
    lain_rows: int = 0  # rows in a row with the evidence for lying
    wear: WearState = field(default_factory=WearState)


@dataclass(frozen=True, slots=True)
class ContextStage:
    """Stage: fills `context`. Without a calibration lying and not worn cannot be told, and are not."""

    still_sd_g: float = 0.05
    no_data_ns: int = 5_000_000_000
    calibrated: bool = True

    def start(self) -> ContextState:
        """Nothing is known."""
        return ContextState()

    def step(self, state: ContextState, block: Array) -> tuple[ContextState, Array]:
        """The context of each row."""
        if len(block) == 0:
            return state, block
        with np.errstate(invalid="ignore"):  # NaN compares false, which is what is wanted
            return self._told(state, copied(block))

    def _told(self, state: ContextState, rows: Array) -> tuple[ContextState, Array]:
        silent, sd_g = rows["silent_ns"] >= limit_ns(rows, self.no_data_ns, NO_DATA_PERIODS), rows["acc_sd_g"]
        unknown = ~rows["settled"] | np.isnan(sd_g)
        walks, stepping = _walking(state, rows, unknown | silent)
        lying, lain_rows, wear = state.lying, state.lain_rows, state.wear
        context = np.where(sd_g < self.still_sd_g, _STILL, _MOVING)
        context[walks] = _WALKING
        context[unknown] = _SETTLING
        if self.calibrated:
            lies, lain_rows = _lying(state, rows, silent)
            wear, away = not_worn(wear, rows)
            context[lies], context[away] = _LYING, _NOT_WORN
            lying = bool(lies[-1])
        context[silent] = _NO_DATA
        rows["context"] = context
        return ContextState(bool(walks[-1]), stepping, lying, lain_rows, wear), rows


def limit_ns(rows: Array, least_ns: int, periods: int) -> "Array | int":
    """The silence (N,) that says something at each of ROWS: `least_ns`, but for a slower sensor so many periods."""
    slow = rows["rate_hz"] * least_ns < periods * 1e9
    if not np.count_nonzero(slow):
        return least_ns
    known = np.where(slow & (rows["rate_hz"] > 0), rows["rate_hz"], np.inf)
    return np.asarray(np.maximum(np.rint(periods * 1e9 / known).astype(np.int64), least_ns))


def forget_baseline(state: ContextState) -> ContextState:
    """The same state without what was said about directions: for when the frame they are in has changed."""
    return ContextState(walking=state.walking, stepping=state.stepping)


def _walking(state: ContextState, rows: Array, unknown: Array) -> tuple[Array, bool]:
    """Which rows are of a walk, and whether the last one had the evidence for one to begin."""
    stride_g, share = rows["stride_sd_g"], rows["stride_share"]
    if not (state.walking or np.count_nonzero(stride_g >= WALKING_SD_G[1])):
        return np.zeros(len(rows), dtype=np.bool_), False  # nearly always
    steps = ~unknown & (rows["newest_sd_g"] >= STEP_SD_G)
    begins = (stride_g >= WALKING_SD_G[1]) & (share >= WALKING_SHARE[1]) & steps
    goes_on = (stride_g >= WALKING_SD_G[0]) & (share >= WALKING_SHARE[0]) & steps
    again = np.concatenate([[state.stepping], begins[:-1]])
    return _held(state.walking, begins & again, ~goes_on), bool(begins[-1])


def _lying(state: ContextState, rows: Array, silent: Array) -> tuple[Array, int]:
    """Which rows are of a lying wearer, and how many rows in a row had the evidence at the end."""
    x, y, z = rows["rest_up"].T
    end, begin, over = _ENDS, _BEGINS, _OVER
    if not (state.lying or state.lain_rows or np.count_nonzero(z < begin)):
        return np.zeros(len(rows), dtype=np.bool_), 0  # nearly always
    length = np.sqrt(x * x + y * y + z * z)
    steady = length >= LYING_STEADY
    evident = steady & (z < begin * length) & (z >= over * length) & ~(rows["acc_sd_g"] >= LYING_SD_G) & ~silent
    a, b, c = rows["up"].T
    newest = np.sqrt(a * a + b * b + c * c)
    ends = (c >= end * newest) | (c < over * newest) | (np.isnan(c) & steady & (z >= end * length)) | silent
    numbers = np.arange(len(rows))
    since = numbers - np.maximum.accumulate(np.where(evident, -1 - state.lain_rows, numbers))
    return _held(state.lying, since >= LYING_ROWS, ends), int(since[-1])


def _held(before: bool, begins: Array, ends: Array) -> Array:
    """True from where it begins to where it ends; where both are so, it ends."""
    numbers = np.arange(len(begins))
    newest = np.maximum.accumulate(np.where(begins | ends, numbers, -1))
    return np.where(newest >= 0, (begins & ~ends)[newest], before)
