"""Judged sessions made from words: so many seconds of this, then of that. Knows values, not how they are computed."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from companion.overview import KINDS, Recorded
from companion.posture.calibration import Calibration
from companion.posture.events import Event
from companion.posture.exposure import EXPOSED
from companion.posture.rows import CONTEXTS, POSTURE, ROW_NS, ROWS_PER_S, STATES, RowFlag
from companion.tables.judged import Judged
from companion.tables.rows import durations
from firmware_protocol.frames import Opened

Made = Callable[..., Judged]
Stretch = tuple[str, float] | tuple[str, float, float]
"""A kind, how many seconds of it, and the sagittal angle (5° unless it is said)."""


def rows_of(stretches: Sequence[Stretch]) -> Any:
    """POSTURE rows, one each 0.2 s."""
    blocks = []
    for kind, seconds, *angle in stretches:
        block = np.zeros(round(seconds * ROWS_PER_S), dtype=POSTURE)
        still = kind in STATES
        block["context"] = CONTEXTS.index("still" if still else kind)
        block["state"] = STATES.index(kind if still else "unknown")
        for name, value in (
            ("sagittal_deg", angle[0] if angle else 5.0),
            ("lateral_deg", 1.0),
            ("uncertainty_deg", 0.6),
        ):
            block[name] = np.nan if kind == "no_data" else value
        blocks.append(block)
    rows = np.concatenate(blocks) if blocks else np.zeros(0, dtype=POSTURE)
    rows["t_session_ns"] = (1 + np.arange(len(rows))) * ROW_NS
    return rows


@pytest.fixture(scope="session")
def judged() -> Made:
    """judged("2026-10-25T01:30+02:00", ("in_range", 60), ("walking", 90), zone="Europe/Paris", events=(...))."""

    def make(
        started: str,
        *stretches: Stretch,
        zone: str = "Europe/Paris",
        events: tuple[Event, ...] = (),
        name: str = "s1",
        origin: str = "live",
        suspect_rows: slice = slice(0, 0),
    ) -> Judged:
        rows = rows_of(stretches)
        rows["flags"][suspect_rows] = int(RowFlag.SUSPECT)
        header = Opened(
            t_host_ns=7_000,
            session_id=name,
            driver="posture_v1",
            device="upper-back",
            utc_ns=round(datetime.fromisoformat(started).timestamp()) * 1_000_000_000,
            zone=zone,
            software_version="0.2.0",
            origin=origin,
        )
        exposed = np.zeros(len(rows), dtype=EXPOSED)
        exposed["worn"] = (rows["context"] <= CONTEXTS.index("walking")) & (rows["flags"] == 0)
        exposed["sagittal_deg"], exposed["lateral_deg"] = rows["sagittal_deg"], rows["lateral_deg"]
        exposed["inclination_deg"], exposed["velocity_dps"] = rows["sagittal_deg"] + 30, np.nan
        summary = {"session_id": name, "profile": "desk", "mode": "coach", **durations(rows)}
        return Judged(header=header, summary=summary, posture=rows, events=events, exposed=exposed)

    return make


CALIBRATION = Calibration.from_axes((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


@pytest.fixture(scope="session")
def recorded() -> Callable[..., Recorded]:
    """A judged session as a report takes it, judged by a declared baseline unless it is said."""

    def make(session: Judged, **said: Any) -> Recorded:
        usual: dict[str, Any] = {
            "calibration": CALIBRATION,
            "range_deg": 30.0,
            "limit_deg": 12.0,
            "limit_sagittal_deg": 12.0,
        }
        return Recorded(judged=session, **(usual | said))

    return make


@pytest.fixture(scope="session")
def seconds_of() -> Callable[..., dict[str, float]]:
    """Seconds of each of KINDS, those named and 0 for the others."""
    return lambda **named: dict.fromkeys(KINDS, 0.0) | named
