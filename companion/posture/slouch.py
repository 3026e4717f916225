"""How far from the baseline: signed angles, per cent of the range, and how sure they are.

sagittal = atan2(-u·forward, u·up), lateral = atan2(-u·right, u·up) with right = forward × up, for the mean up vector u
of the last second; averaging the vector and then taking the angle is better than averaging angles.
deviation = atan2(u·h, u·up), where the unit vector h is the horizontal way that up takes in the wearer's usual slouch;
without one that was shown h is -forward, so that deviation is sagittal.
Knows: the calibration's meaning. Must never know: time, alerts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from companion.posture.calibration import Calibration, Kind
from companion.posture.stage import Array, copied

SITTING_RANGE_DEG = 30.0
STANDING_RANGE_DEG = 17.5
"""100 % where no usual slouch was calibrated: so that 40 % is the default limit, 12° sitting and 7° standing."""

RANGES_DEG: Mapping[Kind, float] = {"sitting": SITTING_RANGE_DEG, "standing": STANDING_RANGE_DEG}
LIMIT_SHARE = 0.4

RECLINED_DEG = -15.0
"""Of the sagittal angle, whichever way the wearer's own slouch goes."""

_RATES_HZ = (1.0, 3.0, 6.25, 12.5, 25.0)
_GYRO_SIGMA_DEG = (6.0, 1.4, 0.55, 0.36, 0.33)
"""Error of a second's mean about one axis by sampling rate, without loss and bias, as the filter adds them itself: what
four fifths of it lie within (trunk-like trials of BROAD; below 3 Hz guessed)."""

ACCEL_SIGMA_DEG = 1.4
"""The same without gyroscope, on 1 s means."""

# As numpy has them: to convert them costs more than to use them, live.
_BY_RATE = (np.array(_RATES_HZ), np.array(_GYRO_SIGMA_DEG))
_ACCEL_SIGMA_DEG, _NAN = np.array(ACCEL_SIGMA_DEG), np.array(np.nan)

_LEAST_SIGMAS = 3.0
"""Uncertainty over a third of the limit makes time unjudged: a limit below three of it would judge nothing."""

_STILL_SIGMA_DEG = 1.0
"""Of the filter on a still wearer, with a margin (25 Hz and more: 0.33°, 0.6° while the bias is not known)."""

_MOST_SHARE = 0.75
"""However small the range, the usual slouch itself lies over the limit."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What is measured against: degrees that are 100 %, and degrees from which a posture counts as forward."""

    range_deg: float
    limit_deg: float


def kind_of(calibration: Calibration | None, profile: str, kind_of_name: Kind) -> Kind:
    """Sitting or standing: as calibrated where the calibration is of this profile, else as the profile's name says."""
    return calibration.kind if calibration is not None and calibration.profile == profile else kind_of_name


def scale_of(calibration: Calibration | None, kind: Kind, limit_deg: float | None = None) -> Scale:
    """The scale of a wearer; `limit_deg` is one that was set, None: 40 % of the range.

    With an own range the limit is at least three times the uncertainty, below which nothing could be judged, but never
    over three quarters of the range.
    """
    own_deg = None if calibration is None else calibration.own_range_deg
    range_deg = own_deg or RANGES_DEG[kind]
    if limit_deg is not None:
        return Scale(range_deg, limit_deg)
    usual_deg = LIMIT_SHARE * range_deg
    if calibration is None or not own_deg:
        return Scale(range_deg, usual_deg)
    least_deg = _LEAST_SIGMAS * float(np.hypot(calibration.uncertainty_deg, _STILL_SIGMA_DEG))
    return Scale(range_deg, max(usual_deg, min(least_deg, _MOST_SHARE * range_deg)))


def sagittal_at(calibration: Calibration, deviation_deg: float) -> float | None:
    """The sagittal angle at which a wearer's slouch has come so far; None where it goes mostly to one side."""
    forward, left = calibration.slouch_direction
    if abs(forward) < abs(left):
        return None
    turn = np.radians(deviation_deg)
    return float(np.degrees(np.arctan2(-forward * np.sin(turn), np.cos(turn))))


@dataclass(frozen=True, slots=True)
class SlouchStage:
    """Stage: fills the angles, `slouch_pct`, `deviation_deg` and `uncertainty_deg`; NaN without a calibration."""

    calibration: Calibration | None
    range_deg: float = SITTING_RANGE_DEG

    def start(self) -> None:
        """There is no state."""

    def step(self, state: None, block: Array) -> tuple[None, Array]:
        """Angles from up vectors in the calibrated frame (x forward, y left, z up)."""
        if self.calibration is None:
            rows = copied(block)
            rows["uncertainty_deg"] = np.nan
            return state, rows
        rows = copied(block)
        x, y, z = rows["up"][:, 0], rows["up"][:, 1], rows["up"][:, 2]
        rows["sagittal_deg"] = sagittal = np.degrees(np.arctan2(-x, z))
        rows["lateral_deg"] = np.degrees(np.arctan2(y, z))
        rows["inclination_deg"] = sagittal + _baseline_inclination_deg(self.calibration)
        rows["deviation_deg"] = deviation = self._deviation_deg(x, y, z, sagittal)
        rows["slouch_pct"] = 100 * deviation / self.range_deg
        rows["uncertainty_deg"] = np.where(np.isfinite(sagittal), self._uncertainty(rows), _NAN)
        return state, rows

    def _deviation_deg(self, x: Array, y: Array, z: Array, sagittal_deg: Array) -> Array:
        assert self.calibration is not None
        if self.calibration.slouch is None:
            return sagittal_deg
        forward, left = self.calibration.slouch_direction
        return np.asarray(np.degrees(np.arctan2(forward * x + left * y, z)))

    def _uncertainty(self, rows: Array) -> Array:
        assert self.calibration is not None
        floor = np.where(rows["gyro"], np.interp(rows["rate_hz"], *_BY_RATE), _ACCEL_SIGMA_DEG)
        added = rows["sigma_deg"]
        return np.asarray(np.sqrt(floor * floor + added * added + self.calibration.uncertainty_deg**2))


@lru_cache(maxsize=32)
def _baseline_inclination_deg(calibration: Calibration) -> float:
    """As the calibration has it; to work it out for each row would cost as much as all the angles."""
    return calibration.baseline_inclination_deg
