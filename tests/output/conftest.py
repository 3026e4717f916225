"""Values that the tests of the output share: a header, and rows made from words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from companion.posture.rows import CONTEXTS, POSTURE, ROW_NS, STATES
from firmware_protocol.frames import Opened

Rows = npt.NDArray[Any]
MakeRows = Callable[..., Rows]

# 2026-03-29 00:59:00 UTC: one minute before Paris puts its clocks forward.
BEFORE_SUMMER_TIME_NS = 1_774_745_940_000_000_000


@pytest.fixture
def header() -> Opened:
    return Opened(
        t_host_ns=5_000,
        session_id="2026-03-29T005900Z-4f2a",
        driver="posture_v1",
        device="clip",
        rate_hz=50.0,
        utc_ns=BEFORE_SUMMER_TIME_NS,
        zone="Europe/Paris",
        settings_json='{"alert.delay":"30s"}',
        calibration_json='{"id":"c1"}',
        software_version="0.1.0",
    )


@pytest.fixture
def make_rows() -> MakeRows:
    """Rows of one kind: make_rows(count, first=row number, context=..., state=..., and the angles)."""

    def make(count: int, first: int = 0, context: str = "still", state: str = "in_range", **angles: float) -> Rows:
        rows = np.zeros(count, dtype=POSTURE)
        rows["t_session_ns"] = (first + np.arange(count)) * ROW_NS
        rows["context"], rows["state"] = CONTEXTS.index(context), STATES.index(state)
        usual = {"sagittal_deg": 1.0, "lateral_deg": -0.4, "slouch_pct": 3.0, "uncertainty_deg": 1.2}
        for name, angle in (usual | angles).items():
            rows[name] = angle
        return rows

    return make
