"""What goes wrong on the air stands in the session's figures, and nothing that comes from there stops the monitor."""

from collections.abc import Callable
from typing import Any

import pytest

from firmware_protocol.frames import Closed, LinkDown, LinkUp, Notification
from firmware_protocol.posture_v1 import packets as p

Lived = Callable[[str], Any]
PACKET = 12  # samples, at 50 Hz and the MTU that a computer asks for


def newest_by_stream(monitor: Any) -> dict[int, int]:
    """The number of the newest sample that the sensor had taken, as it said when it was stopped."""
    said = [
        p.parse_answer(frame.data)
        for frame in monitor.frames()
        if isinstance(frame, Notification) and frame.characteristic == p.CONTROL
    ]
    return {answer.stream: answer.newest for answer in said if isinstance(answer, p.Stopped)}


def summary_of(monitor: Any) -> dict[str, Any]:
    (summary,) = monitor.told("summary")
    return summary


def events_of(monitor: Any) -> list[tuple[str, Any]]:
    return [(event["event"], event.get("cause")) for event in monitor.told("event")]


@pytest.mark.parametrize(
    "name",
    [*(pytest.param(name, marks=pytest.mark.slow) for name in ("packets", "link")), "no buffer", "silence", "guided"],
)
def test_the_session_ends_in_order(lived: Lived, name: str) -> None:
    monitor = lived(name)
    *_, last = monitor.frames()
    assert isinstance(last, Closed)
    assert last.reason == "ended"
    assert len(monitor.files) == 1
    assert len(monitor.told("summary")) == 1


def test_packets_that_are_lost_or_unreadable_are_counted(lived: Lived) -> None:
    monitor = lived("packets")
    summary = summary_of(monitor)
    assert (summary["malformed"], summary["duplicates"], summary["outages"]) == (2, 0, 0)
    # 0.4 s hold one or two packets; the other two came, and could not be read.
    assert summary["lost_samples"] in (3 * PACKET, 4 * PACKET)
    (newest,) = newest_by_stream(monitor).values()
    assert summary["samples"] + summary["lost_samples"] == newest + 1


def test_a_lost_link_is_one_outage_and_its_samples_are_counted(lived: Lived) -> None:
    monitor = lived("no buffer")
    summary = summary_of(monitor)
    assert (summary["malformed"], summary["duplicates"], summary["outages"]) == (0, 0, 1)
    assert summary["lost_samples"] >= 2 * 50 - PACKET
    (newest,) = newest_by_stream(monitor).values()
    assert summary["samples"] + summary["lost_samples"] == newest + 1


def test_a_lost_link_and_a_restart_of_the_sensor_are_told_apart(lived: Lived) -> None:
    monitor = lived("link")
    frames = monitor.frames()
    assert [frame.cause for frame in frames if isinstance(frame, LinkDown)] == ["link lost", "link lost"]
    assert sum(isinstance(frame, LinkUp) for frame in frames) == 3
    samples = monitor.samples()
    # The stream goes on after the link was lost, and begins anew after the restart.
    assert len(set(samples["segment"].tolist())) == 2
    assert summary_of(monitor)["outages"] == 2


def test_silence_is_told_and_ends(lived: Lived) -> None:
    monitor = lived("silence")
    assert events_of(monitor) == [("SignalLost", "connected, but no data come"), ("SignalFound", None)]
    rows = monitor.told("posture")
    silent = [row for row in rows if row["context"] == "no_data"]
    assert silent
    assert {(row["sagittal_deg"], row["slouch_pct"], row["state"]) for row in silent} == {(None, None, "unknown")}
    assert summary_of(monitor)["outages"] == 0
