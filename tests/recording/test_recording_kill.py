"""kill -9 of a recording process: at most a second is lost, nothing that was durable, and nothing is wrong."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from companion.recording import close_cut_off_sessions, is_being_recorded, open_recording
from firmware_protocol.frames import Closed, Notification

CHILD = Path(__file__).with_name("recording_child.py")


def payload(number: int) -> bytes:
    return (number * 2_654_435_761).to_bytes(8, "little") * 8


@contextmanager
def recording_child(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that records 50 frames a second into `path`; it has told of its first frames."""
    child = subprocess.Popen([sys.executable, CHILD, path], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("0 ")
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def kill_after(child: subprocess.Popen[str], seconds: float) -> tuple[int, int, int, int]:
    """Kill -9, then the last whole line that the child wrote."""
    threading.Event().wait(seconds)
    child.kill()
    child.wait()
    assert child.stdout is not None
    text = child.stdout.read()
    number, t_ns, committed, longest_ns = map(int, text[: text.rindex("\n")].splitlines()[-1].split())
    return number, t_ns, committed, longest_ns


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_takes_a_second_at_most(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a.posture"
    with recording_child(path) as child:
        number, t_ns, committed, stall_ns = kill_after(child, random.Random(seed).uniform(0.5, 2.5))

    with open_recording(path) as recording:
        opened, *frames = recording.frames()
        assert (recording.damage, recording.closed) == ([], False)
    assert {side.name for side in tmp_path.iterdir()} == {"a.posture", "a.posture-wal", "a.posture-shm"}
    assert len(frames) + 1 >= committed
    assert [frame.data for frame in frames] == [payload(each) for each in range(1, len(frames) + 1)]
    last_ns = frames[-1].t_host_ns if frames else opened.t_host_ns
    # Times of frames, not of this test. A machine that let the child sleep longer also held up its commits.
    assert t_ns - last_ns <= 1_000_000_000 + stall_ns, f"{number + 1 - len(frames)} frames lost"

    assert close_cut_off_sessions(tmp_path) == [path]
    assert [each.name for each in tmp_path.iterdir()] == ["a.posture"]
    with open_recording(path) as recording:
        again = list(recording.frames())
        assert (recording.damage, recording.closed) == ([], True)
    assert again[:-1] == [opened, *frames]
    assert isinstance(again[-1], Closed)
    assert (again[-1].reason, again[-1].t_host_ns) == ("recovered", last_ns)
    assert close_cut_off_sessions(tmp_path) == []


def test_an_open_session_is_read_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.posture"
    with recording_child(path) as child:
        seen = 0
        for _ in range(3):
            assert child.stdout is not None
            for _ in range(20):
                committed = int(child.stdout.readline().split()[2])
            beside = {name: (tmp_path / name).stat().st_ino for name in ("a.posture", "a.posture-wal", "a.posture-shm")}
            assert is_being_recorded(path)
            assert close_cut_off_sessions(tmp_path) == []
            with open_recording(path) as recording:
                frames = list(recording.frames())
                assert (recording.damage, recording.closed) == ([], False)
            assert {name: (tmp_path / name).stat().st_ino for name in beside} == beside
            assert len(frames) >= max(committed, seen)
            seen = len(frames)
            assert [frame.data for frame in frames if isinstance(frame, Notification)] == [
                payload(number) for number in range(1, seen)
            ]
        assert seen > 1
        kill_after(child, 0.1)
    assert not is_being_recorded(path)
    assert close_cut_off_sessions(tmp_path) == [path]
