"""A recording of the monitor, replayed, prints what the monitor printed: rows, events and summary, byte by byte."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lived = Callable[[str], Any]
Posture = Callable[..., bytes]

KINDS = (b'{"type":"posture",', b'{"type":"event",', b'{"type":"summary",')


def counted(out: bytes) -> list[int]:
    """Lines of each kind; each line is of one of them, but the first."""
    session, *lines = out.splitlines()
    assert session.startswith(b'{"type":"session",')
    counts = [sum(line.startswith(kind) for line in lines) for kind in KINDS]
    assert sum(counts) == len(lines)
    return counts


def identical(posture: Posture, monitor: Any, *, speed: str) -> list[int]:
    """Lines of each kind that both printed."""
    again = posture("replay", monitor.recording, "--speed", speed, "--json")
    assert again.split(b"\n", 1)[1] == monitor.out.split(b"\n", 1)[1]
    return counted(again)


@pytest.mark.parametrize(
    ("name", "least_rows", "events"),
    [
        ("packets", 90, ["SlouchStarted", "AlertRaised", "SlouchEnded"]),
        ("link", 70, ["SlouchStarted", "GapFilled", "SlouchEnded"]),
        ("no buffer", 40, []),
        ("silence", 65, ["SignalLost", "SignalFound"]),
        ("guided", 100, ["CalibrationTaken", "GapFilled"]),
    ],
)
def test_replay_repeats_the_session(
    lived: Lived, posture: Posture, name: str, least_rows: int, events: list[str]
) -> None:
    monitor = lived(name)
    rows, told, summaries = identical(posture, monitor, speed="max")
    assert rows >= least_rows
    assert (told, summaries) == (len(events), 1)
    assert sorted(event["event"] for event in monitor.told("event")) == sorted(events)


def test_replay_in_time_repeats_it_too(lived: Lived, posture: Posture) -> None:
    rows, told, summaries = identical(posture, lived("packets"), speed="10")
    assert rows >= 90
    assert (told, summaries) == (3, 1)


def test_replay_repeats_a_person(lived: Lived, posture: Posture, shared_data: Path) -> None:
    monitor = lived("person")
    rows, _, summaries = identical(posture, monitor, speed="max")
    assert rows >= 55
    assert summaries == 1
    angles = {row["sagittal_deg"] for row in monitor.told("posture") if row["sagittal_deg"] is not None}
    assert len(angles) > 20, "a person moves"
