"""The stage that turns samples into the wearer's frame.

Comes before the filter: its rest test and bias clip work per axis, so only turned samples give the same angles in
every mounting. Frame after this stage: +x where the wearer faces, +y to their left, +z up, at the baseline.
Knows: directions and angles. Must never know: how a calibration was stored or asked for.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.calibration import Calibration
from companion.posture.stage import Array, Columns


@dataclass(frozen=True, slots=True)
class Mounting:
    """Stage: MOTION in the sensor's frame to MOTION in the wearer's. Without a calibration nothing is turned."""

    calibration: Calibration | None

    def start(self) -> None:
        """There is no state."""

    def step(self, state: None, block: Columns) -> tuple[None, Columns]:
        """Turn accelerations and rates; ticks pass."""
        if self.calibration is None:
            return state, block
        rotation = self.calibration.rotation.tolist()
        turned = {name: _turned(block[name], rotation) for name in ("acc_mps2", "gyr_radps")}
        return state, block.changed(**turned)


def _turned(vectors: Array, rotation: list[list[float]]) -> Array:
    made = np.empty_like(vectors)
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    for row, (rx, ry, rz) in enumerate(rotation):
        # Element by element: a matrix product depends on the length of the block in its last bit.
        made[:, row] = rx * x + ry * y + rz * z
    return made
