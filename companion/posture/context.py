"""What the body does: still, moving, walking, settling, no data. Only *still* is judged.

Knows: spreads and silence. Must never know: baselines, limits of posture, alerts.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.rows import Context
from companion.posture.stage import Array

WALKING_SD_G = 0.05
"""Below it at walking cadence nobody walks (|a| over 4 s; chest and lower back, two public sets)."""

WALKING_SHARE = 0.2
"""From this share of the variance at walking cadence a movement counts as walking."""


@dataclass(frozen=True, slots=True)
class ContextStage:
    """Stage: fills `context`. A row needs nothing from earlier rows: the windows hold what came before."""

    still_sd_g: float = 0.05
    no_data_ns: int = 5_000_000_000

    def start(self) -> None:
        """There is no state."""

    def step(self, state: None, block: Array) -> tuple[None, Array]:
        """The context of each row."""
        rows = block.copy()
        with np.errstate(invalid="ignore"):
            walks = (rows["stride_sd_g"] >= WALKING_SD_G) & (rows["stride_share"] >= WALKING_SHARE)
            quiet = rows["acc_sd_g"] < self.still_sd_g
        known = rows["settled"] & np.isfinite(rows["acc_sd_g"])
        rows["context"] = np.select(
            [rows["silent_ns"] >= self.no_data_ns, ~known, walks, quiet],
            [Context.NO_DATA, Context.SETTLING, Context.WALKING, Context.STILL],
            Context.MOVING,
        )
        return state, rows
