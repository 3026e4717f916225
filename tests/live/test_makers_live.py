"""Every maker's simulated sensor, lived through over GATT: the angle follows the story, and a replay says the same."""

from collections.abc import Callable
from typing import Any

import pytest

from companion.simulator.makers import OURS, simulated

FIRST = ("witmotion", "polar", "movesense", "microbit")
OTHERS = tuple(name for name in simulated() if name not in (OURS, *FIRST))
SLOW = {"ruuvi", "bthome"}
FROM_S, TO_DEG, WITHIN_DEG = 10.0, 25.0, 2.0

Posture = Callable[..., bytes]


@pytest.mark.slow
@pytest.mark.parametrize("names", [FIRST, OTHERS[:4], OTHERS[4:]], ids=lambda names: names[0])
def test_the_angle_follows_the_story_and_the_recording_replays(
    start_monitor: Callable[..., Any], posture: Posture, names: tuple[str, ...]
) -> None:
    usual = ("--simulated", "slouch", "--json", "--duration", "25")
    monitors = {name: start_monitor(*usual, "--device", name) for name in names}
    for name, monitor in monitors.items():
        assert (monitor.ended(), monitor.err) == (0, ""), name
        again = posture("replay", monitor.recording, "--speed", "max", "--json")
        assert again.split(b"\n", 1)[1] == monitor.out.split(b"\n", 1)[1], name
        # The story begins with the connection, a moment after the session; a row is a mean of a second, or of samples.
        late_s = 9.0 if name in SLOW else 4.0
        rows = [row for row in monitor.told("posture") if row["context"] == "still"]
        before = [row["sagittal_deg"] for row in rows if row["t_s"] <= FROM_S]
        after = [row["sagittal_deg"] for row in rows if row["t_s"] >= FROM_S + late_s]
        assert len(before) >= 25, name
        assert len(after) >= (10 if name in SLOW else 50), name
        assert max(abs(angle) for angle in before) < WITHIN_DEG, name
        assert max(abs(angle - TO_DEG) for angle in after) < WITHIN_DEG, name
        assert [event["event"] for event in monitor.told("event")] == ["SlouchStarted", "SlouchEnded"], name
