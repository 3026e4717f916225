"""Sensors of other makers at their slowest: the story through their own bytes, live as replayed."""

import numpy as np
import pytest

from companion.posture.calibration import Calibration
from companion.posture.rows import CONTEXTS
from companion.session import Report, Session
from companion.simulator.stories import body_of
from companion.simulator.straight import frames
from firmware_protocol.frames import Opened

SLOUCH = body_of("slouch")  # over the limit 11.2 s after its beginning
S = 1_000_000_000

SENSORS = [  # driver, rate asked for, when the slouch is told in s
    ("microbit", 1.5625, (12, 14)),
    ("sensortag", 1.0, (13, 15)),
    ("xsens_dot", 1.0, (13, 15)),
    ("thingy52", 5.0, (11, 12)),
    ("polar", 25.0, (11, 12)),
    ("polar", 50.0, (11, 12)),
    ("ruuvi", None, (13, 18)),
    ("bthome", None, (13, 18)),
]


def run(header: Opened, pieces: list[list]) -> tuple[np.ndarray, list[tuple[str, float]], Report]:
    session = Session(header)
    reports = [*(session.feed(piece) for piece in pieces), session.close()]
    events = [(type(event).__name__, event.t_session_ns / S) for report in reports for event in report.events]
    return np.concatenate([report.posture for report in reports]), events, reports[-1]


@pytest.mark.parametrize(("driver", "rate_hz", "told_s"), SENSORS)
def test_the_story_is_told_at_the_sensors_own_pace(driver, rate_hz, told_s):
    header = Opened(
        t_host_ns=0,
        session_id="maker",
        driver=driver,
        device="simulated",
        rate_hz=rate_hz,
        utc_ns=0,
        zone="UTC",
        software_version="test",
        calibration_json=Calibration.from_axes(SLOUCH.up_sensor, SLOUCH.forward_sensor).to_json(),
    )
    story = list(frames(SLOUCH, header=header, duration_s=70, rate_hz=rate_hz))[1:]
    rows, events, last = run(header, [story])
    (started_s,) = (t_s for name, t_s in events if name == "SlouchStarted")
    assert told_s[0] <= started_s <= told_s[1]
    assert [t_s for name, t_s in events if name == "AlertRaised"] == [pytest.approx(started_s + 30, abs=0.01)]
    t_s = rows["t_session_ns"] / S
    later = (t_s > started_s + 1) & (t_s < 66)
    assert set(rows["context"][later]) == {CONTEXTS.index("still")}
    assert rows["sagittal_deg"][later] == pytest.approx(SLOUCH.truth(t_s[later])[0], abs=2.0)
    live_rows, live_events, live_last = run(header, [[frame] for frame in story])
    assert live_rows.tobytes() == rows.tobytes()
    assert live_events == events
    assert repr(live_last.summary) == repr(last.summary)
