"""A disk that is full: the recorder says so, keeps what it is given, and writes it when there is room again."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from companion.errors import UsageError
from companion.recording import RecordingWriter, open_recording, writer
from firmware_protocol.frames import Closed, Frame


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    where = tmp_path / "small"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", where], check=False)
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    yield where
    subprocess.run(["umount", "-l", where], check=True)


def fill_up(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen within half a minute")


def record_over_trouble(
    path: Path, frames: list[Frame], begin_trouble: Callable[[RecordingWriter], None], end_trouble: Callable[[], None]
) -> list[str]:
    """Record half the frames in trouble, the rest after it; what the recorder told."""
    told: list[str] = []
    recorder = RecordingWriter.create(path, on_trouble=told.append)
    half = len(frames) // 2
    for number, frame in enumerate(frames[:half]):
        assert recorder.put(number, frame)
        if number == 100:
            begin_trouble(recorder)
    wait_for(lambda: bool(told))
    assert recorder.trouble is not None
    with open_recording(path) as recording:  # what was durable is there, whole
        assert list(recording.frames()) == frames[: recorder.committed]
        assert recording.damage == []
    assert 1 <= recorder.committed < half
    end_trouble()
    for number, frame in enumerate(frames[half:], start=half):
        assert recorder.put(number, frame)
    wait_for(lambda: recorder.trouble is None and recorder.committed >= half)
    recorder.close(Closed(t_host_ns=frames[-1].t_host_ns, reason="stopped", count=len(frames)))
    return told


def test_a_full_disk_loses_nothing_once_there_is_room(
    small_disk: Path, session_of: Callable[[int], list[Frame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_AFTER_S", 0.05)
    frames = session_of(120)
    filler = small_disk / "filler"

    def make_room() -> None:
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)

    told = record_over_trouble(small_disk / "a.posture", frames, lambda _: fill_up(filler), make_room)
    assert told == ["database or disk is full"]
    with open_recording(small_disk / "a.posture") as recording:
        assert list(recording.frames())[:-1] == frames
        assert (recording.damage, recording.closed) == ([], True)


def test_nothing_begins_on_a_full_disk(small_disk: Path) -> None:
    fill_up(small_disk / "filler")
    with pytest.raises(UsageError, match=r"cannot be made: .*full"):
        RecordingWriter.create(small_disk / "a.posture")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_sqlite_out_of_pages_loses_nothing_once_there_are_more(
    tmp_path: Path, session_of: Callable[[int], list[Frame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_AFTER_S", 0.05)
    monkeypatch.setattr(writer, "RECONNECT_AFTER_FAILURES", 10**9)  # a fresh connection would have no limit
    frames = session_of(120)
    recorders: list[RecordingWriter] = []

    def limit(recorder: RecordingWriter) -> None:
        recorders.append(recorder)
        recorder._database._connection.execute("PRAGMA max_page_count=5").fetchone()

    def no_limit() -> None:
        recorders[0]._database._connection.execute("PRAGMA max_page_count=1000000").fetchone()

    told = record_over_trouble(tmp_path / "a.posture", frames, limit, no_limit)
    assert told == ["database or disk is full"]
    with open_recording(tmp_path / "a.posture") as recording:
        assert list(recording.frames())[:-1] == frames
        assert (recording.damage, recording.closed) == ([], True)
