"""Values that the tests of the tables share: a header, and sessions made from words."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from companion.posture.events import Event
from companion.posture.rows import CONTEXTS, POSTURE, ROW_NS, STATES
from companion.tables.judged import Judged
from firmware_protocol.frames import Opened

MakeSession = Callable[..., Judged]


@pytest.fixture(scope="session")
def header() -> Opened:
    """A session that begins with the year 1970, in UTC."""
    return Opened(
        t_host_ns=5_000,
        session_id="s1",
        driver="posture_v1",
        device="clip",
        utc_ns=0,
        zone="UTC",
        software_version="0.1.0",
    )


@pytest.fixture(scope="session")
def make_session(header: Opened) -> MakeSession:
    """make_session(rows, events, utc_ns=..., zone=...): rows are (context, state, how many, sagittal_deg)."""

    def make(spans: Sequence[tuple[str, str, int, float]], events: Sequence[Event] = (), **changes: Any) -> Judged:
        rows = np.zeros(sum(count for _, _, count, _ in spans), dtype=POSTURE)
        rows["t_session_ns"] = np.arange(1, len(rows) + 1) * ROW_NS
        first = 0
        for context, state, count, sagittal_deg in spans:
            here = rows[first : first + count]
            here["context"], here["state"] = CONTEXTS.index(context), STATES.index(state)
            here["sagittal_deg"], here["lateral_deg"] = sagittal_deg, -1.0
            first += count
        known = {name: getattr(header, name) for name in header.__slots__}
        return Judged(header=Opened(**known | changes), summary={}, posture=rows, events=tuple(events))

    return make
