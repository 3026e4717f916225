"""How far from the baseline: signed angles, per cent of the range, and how sure they are.

sagittal = atan2(-u·forward, u·up), lateral = atan2(-u·right, u·up) with right = forward × up, for the mean up vector u
of the last second; averaging the vector and then taking the angle is better than averaging angles.
Knows: the calibration's meaning. Must never know: time, alerts.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.mounting import Calibration
from companion.posture.stage import Array

SITTING_RANGE_DEG = 30.0
STANDING_RANGE_DEG = 17.5
"""100 % where no usual slouch was calibrated: so that 40 % is the default limit, 12° sitting and 7° standing."""

RECLINED_DEG = -15.0

_RATES_HZ = (0.5, 12.5, 25.0, 50.0, 100.0)
_GYRO_SIGMA_DEG = (4.0, 2.4, 1.2, 0.7, 0.5)
"""Inclination error of the filter by sampling rate (RMSE over trunk-like motion against optical truth)."""

ACCEL_SIGMA_DEG = 1.4
"""The same without gyroscope, on 1 s means."""


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
            rows = block.copy()
            rows["uncertainty_deg"] = np.nan
            return state, rows
        rows = block.copy()
        x, y, z = rows["up"][:, 0], rows["up"][:, 1], rows["up"][:, 2]
        rows["sagittal_deg"] = sagittal = np.degrees(np.arctan2(-x, z))
        rows["lateral_deg"] = np.degrees(np.arctan2(y, z))
        rows["inclination_deg"] = sagittal + self.calibration.baseline_inclination_deg
        rows["deviation_deg"] = sagittal
        rows["slouch_pct"] = 100 * sagittal / self.range_deg
        rows["uncertainty_deg"] = np.where(np.isfinite(sagittal), self._uncertainty(rows), np.nan)
        return state, rows

    def _uncertainty(self, rows: Array) -> Array:
        assert self.calibration is not None
        filtered = np.where(rows["gyro"], np.interp(rows["rate_hz"], _RATES_HZ, _GYRO_SIGMA_DEG), ACCEL_SIGMA_DEG)
        return np.sqrt(filtered * filtered + self.calibration.uncertainty_deg**2)
