"""Fast sensors whose samples come in batches of 0.7 to 2 s: no gap, angles and alerts as if they came one by one."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from companion.posture.calibration import Calibration
from companion.posture.rows import CONTEXTS
from companion.session import Report, Session
from companion.simulator.stories import body_of
from firmware_protocol.devices import imported
from firmware_protocol.frames import Closed, Notification, Opened, Tick
from firmware_protocol.samples import make_samples

T0_NS = 5_000_000_000_000
S = 1_000_000_000
SLOUCH = body_of("slouch")
SECONDS = 90


def frames_of(rate_hz: float, batch: int, clock: str, jitter_s: float) -> list:
    """Packets of so many samples, on their way for up to so long, with ticks between."""
    rng, count = np.random.default_rng(5), int(SECONDS * rate_hz) // batch * batch
    acc, _ = SLOUCH.sample(rate_hz, 0, count)
    frames: list = []
    for first in range(0, count, batch):
        numbers = np.arange(first, first + batch)
        samples = make_samples(
            acc[numbers],
            index=numbers if clock == "counter" else None,
            t_device_ns=np.round((7777 + numbers / rate_hz) * S) if clock == "clock" else None,
        )
        arrives_s = numbers[-1] / rate_hz + 0.03 + rng.uniform(0, jitter_s)
        for data in imported.encode(samples, rate_hz):
            frames.append(Notification(t_host_ns=T0_NS + round(arrives_s * S), characteristic="samples", data=data))
    frames += [Tick(t_host_ns=T0_NS + fifth * S // 5) for fifth in range(1, 5 * SECONDS)]
    frames.sort(key=lambda frame: frame.t_host_ns)
    opened = Opened(
        t_host_ns=T0_NS,
        session_id="batches",
        driver="imported",
        device="strap",
        utc_ns=1_760_000_000_000_000_000,
        zone="UTC",
        calibration_json=Calibration.from_axes(SLOUCH.up_sensor, SLOUCH.forward_sensor).to_json(),
        software_version="test",
    )
    return [opened, *frames, Closed(t_host_ns=frames[-1].t_host_ns + 1, reason="ended", count=len(frames) + 1)]


def run(frames: list, pieces: list[list], longest_s: float) -> list[Report]:
    driver = replace(imported.DRIVER, longest_interval_s=longest_s)
    with patch("companion.session.driver", lambda name: driver):
        session = Session(frames[0])
        return [*(session.feed(piece) for piece in pieces), session.close()]


def events(reports: list[Report]) -> list[tuple[str, float]]:
    return [(type(event).__name__, event.t_session_ns / S) for report in reports for event in report.events]


BATCHES = {  # rate, samples a packet, whims of the radio, what the driver takes for normal
    "36 at 50 Hz": (50.0, 36, 0.03, 1.0),
    "36 at 50 Hz, late ones": (50.0, 36, 0.4, 1.5),
    "73 at 52 Hz": (52.0, 73, 0.1, 2.0),
    "104 at 52 Hz": (52.0, 104, 0.1, 2.5),
    "36 at 25 Hz": (25.0, 36, 0.1, 2.0),
}


@pytest.mark.parametrize("clock", ["clock", "counter", "neither"])
@pytest.mark.parametrize(("rate_hz", "batch", "jitter_s", "longest_s"), BATCHES.values(), ids=BATCHES)
def test_batches_make_no_gap_and_live_is_as_replayed(rate_hz, batch, jitter_s, longest_s, clock):
    frames = frames_of(rate_hz, batch, clock, jitter_s)
    reports = run(frames, [frames[1:]], longest_s)
    rows = np.concatenate([report.posture for report in reports])
    t_s = rows["t_session_ns"] / S
    heard = (t_s > 3) & (t_s < SECONDS - batch / rate_hz - 1)
    assert set(rows["context"][heard]) == {CONTEXTS.index("still")}
    moves = (t_s > 9) & (t_s < 14)
    off_deg = np.abs(rows["sagittal_deg"] - SLOUCH.truth(t_s)[0])[heard & ~moves]
    assert off_deg.max() < 1.0
    assert [name for name, _ in events(reports)][:2] == ["SlouchStarted", "AlertRaised"]
    assert dict(events(reports))["SlouchStarted"] == pytest.approx(11.4, abs=0.21 + jitter_s)
    assert dict(events(reports))["AlertRaised"] == pytest.approx(dict(events(reports))["SlouchStarted"] + 30, abs=0.01)
    live = run(frames, [[frame] for frame in frames[1:]], longest_s)
    assert b"".join(report.posture.tobytes() for report in live) == rows.tobytes()
    assert events(live) == events(reports)
    assert repr(live[-1].summary) == repr(reports[-1].summary)


@pytest.mark.parametrize(("rate_hz", "batch", "jitter_s", "longest_s"), BATCHES.values(), ids=BATCHES)
def test_an_alert_is_raised_by_the_batch_that_holds_its_moment(rate_hz, batch, jitter_s, longest_s):
    frames = frames_of(rate_hz, batch, "clock", jitter_s)
    driver = replace(imported.DRIVER, longest_interval_s=longest_s)
    with patch("companion.session.driver", lambda name: driver):
        session = Session(frames[0])
        for frame in frames[1:]:
            for event in session.feed([frame]).events:
                if type(event).__name__ == "AlertRaised":
                    late_s = (frame.t_host_ns - T0_NS - event.t_session_ns) / S
                    assert late_s < batch / rate_hz + jitter_s + 0.25
                    return
    raise AssertionError("no alert was raised")
