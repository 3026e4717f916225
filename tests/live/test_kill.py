"""kill -9 of the monitor at a random moment: a second is lost at most, nothing is wrong, the next start closes it.

The truth is what the monitor had written to stdout before the kill, which lies in a file that outlives it. What a disk
takes for one fsync at that time is allowed besides.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from companion import host
from companion.recording import is_being_recorded
from firmware_protocol.frames import Closed

StartMonitor = Callable[..., Any]
Posture = Callable[..., bytes]

LONGEST_GAP_S = 0.25  # between two frames of a sensor that sends four packets a second
MOMENTS_S = (1.8, 3.3, 4.7)
"""After the first line; together they also find commits that come every two seconds only."""


def fsync_s(directory: Path) -> float:
    """What the disk takes for one durable write just now: the slowest of some."""
    longest_s = 0.0
    for _ in range(5):
        with (directory / "paced").open("ab") as file:
            file.write(bytes(4096))
            began_s = time.monotonic()
            os.fsync(file.fileno())
            longest_s = max(longest_s, time.monotonic() - began_s)
    return longest_s


def killed(start_monitor: StartMonitor, moments_s: Iterable[float]) -> list[tuple[Any, int]]:
    """Monitors that were killed, each so long after its first line, and the time of that on their clock."""
    monitors = [(start_monitor("--simulated", "upright", "--json"), moment_s) for moment_s in moments_s]
    dues = []
    for monitor, moment_s in monitors:
        monitor.wait_until(lambda monitor=monitor: b"\n" in monitor.out)
        dues.append((time.monotonic() + moment_s, monitor))
    ended = []
    for due_s, monitor in sorted(dues, key=lambda each: each[0]):
        time.sleep(max(0.0, due_s - time.monotonic()))
        t_ns = host.boot_ns()
        monitor.clean_up()
        ended.append((monitor, t_ns))
    return ended


def check(monitor: Any, t_killed_ns: int, posture: Posture) -> None:
    slack_s = fsync_s(monitor.directory)
    assert not is_being_recorded(monitor.recording)
    opened, *frames = monitor.frames()

    # Nothing is wrong: what the frames say is what the monitor said.
    said = [line for line in monitor.lines if not line.startswith('{"type":"session"')]
    kept = monitor.lines_of_frames()
    both = min(len(kept), len(said))
    assert kept[:both] == said[:both]

    # A second is lost at most: of what had come until the kill, and so of what the monitor had said.
    last_ns = frames[-1].t_host_ns if frames else opened.t_host_ns
    assert 0 <= (t_killed_ns - last_ns) / 1e9 <= 1.0 + LONGEST_GAP_S + slack_s
    said_s = max((row["t_s"] for row in monitor.told("posture")), default=0.0)
    assert said_s - (last_ns - opened.t_host_ns) / 1e9 <= 1.0 + slack_s

    (line,) = posture("sessions", "--json", "--data-dir", monitor.data).splitlines()
    found = json.loads(line)
    assert (found["file"], found["closed"], found["malformed"]) == (str(monitor.recording), True, 0)
    assert monitor.files == [monitor.recording]
    *again, last = monitor.frames()
    assert again == [opened, *frames]
    assert last == Closed(t_host_ns=last_ns, reason="recovered", count=len(again), hash=last.hash)
    posture("sessions", "--json", "--data-dir", monitor.data)
    assert monitor.frames() == [*again, last]


def test_kill_9_takes_a_second_at_most(start_monitor: StartMonitor, posture: Posture) -> None:
    for monitor, t_killed_ns in killed(start_monitor, MOMENTS_S):
        check(monitor, t_killed_ns, posture)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_twenty_times(start_monitor: StartMonitor, posture: Posture, seed: int) -> None:
    chance = random.Random(seed)
    for monitor, t_killed_ns in killed(start_monitor, [chance.uniform(0.1, 6.0) for _ in range(2)]):
        check(monitor, t_killed_ns, posture)
