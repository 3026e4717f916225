"""The recorder: private files, nothing overwritten, one commit a second, and `put` that never waits for the disk."""

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from companion.errors import UsageError
from companion.recording import RecordingWriter, open_recording, writer
from companion.recording.database import Database
from firmware_protocol.frames import Closed, Opened, Tick

PRIVATE = 0o600


def tick(opened: Opened, number: int) -> Tick:
    return Tick(t_host_ns=opened.t_host_ns + number * 1_000_000_000)


def end(opened: Opened, count: int) -> Closed:
    return Closed(t_host_ns=opened.t_host_ns, reason="stopped", count=count)


def test_three_private_files_while_open_and_one_when_closed(tmp_path: Path, opened: Opened) -> None:
    old_mask = os.umask(0o000)
    try:
        recorder = RecordingWriter.create(tmp_path / "a.posture")
        assert recorder.put(0, opened)
    finally:
        os.umask(old_mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a.posture": PRIVATE, "a.posture-wal": PRIVATE, "a.posture-shm": PRIVATE}
    recorder.close(end(opened, 1))
    recorder.close(end(opened, 1))
    assert not recorder.put(2, tick(opened, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["a.posture"]
    assert (tmp_path / "a.posture").read_bytes()[18:20] == b"\x01\x01"  # SQLite: no WAL


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_nothing_is_overwritten(tmp_path: Path, suffix: str) -> None:
    there = tmp_path / f"a.posture{suffix}"
    there.write_bytes(b"mine")
    with pytest.raises(UsageError, match="nothing is overwritten"):
        RecordingWriter.create(tmp_path / "a.posture")
    assert [path.name for path in tmp_path.iterdir()] == [there.name]
    assert there.read_bytes() == b"mine"


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.posture").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        RecordingWriter.create(tmp_path / "a.posture")
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be made: No such file or directory"):
        RecordingWriter.create(tmp_path / "none" / "a.posture")


def test_a_creation_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Database, lock: int | None) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Database, "_take_lock", fail)
    with pytest.raises(UsageError, match="disk I/O error"):
        RecordingWriter.create(tmp_path / "a.posture")
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    recorder = RecordingWriter.create(tmp_path / "a.posture")
    recorder.close(Closed(t_host_ns=0, reason="stopped", count=0))
    assert list(tmp_path.iterdir()) == []


def test_strange_names_of_files(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "a b?c#d%20é.posture"
    recorder = RecordingWriter.create(path)
    recorder.put(0, opened)
    recorder.close(end(opened, 1))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    with open_recording(path) as recording:
        assert recording.header == opened


def test_the_opening_is_durable_at_once_and_the_rest_in_one_commit(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[list[int]] = []
    written = threading.Event()
    append = Database.append

    def note(self: Database, rows: list[tuple[int]], copies: object = ()) -> None:
        append(self, rows, copies)  # type: ignore[arg-type]
        commits.append([row[0] for row in rows])
        if len(commits) > 1:
            written.set()

    monkeypatch.setattr(Database, "append", note)
    recorder = RecordingWriter.create(tmp_path / "a.posture")
    assert recorder.put(0, opened)
    assert recorder.committed == 1
    for number in range(1, 51):
        assert recorder.put(number, tick(opened, number))
    assert commits == [[0]]
    assert written.wait(30)
    recorder.close(end(opened, 51))
    assert commits == [[0], list(range(1, 51)), [51]]


def test_a_slow_disk_holds_up_nobody(tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_go_on = threading.Event(), threading.Event()
    append = Database.append

    def slow(self: Database, rows: list[tuple[int]], copies: object = ()) -> None:
        if rows and rows[0][0] == 1:
            begun.set()
            assert may_go_on.wait(30)
        append(self, rows, copies)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "append", slow)
    monkeypatch.setattr(writer, "COMMIT_AFTER_S", 0.0)
    recorder = RecordingWriter.create(tmp_path / "a.posture")
    assert recorder.put(0, opened)
    assert recorder.put(1, tick(opened, 1))
    assert begun.wait(30)
    assert all(recorder.put(number, tick(opened, number)) for number in range(2, 1_000))  # while the disk is busy
    assert recorder.committed == 1
    may_go_on.set()
    recorder.close(end(opened, 1_000))
    with open_recording(tmp_path / "a.posture") as recording:
        assert len(list(recording.frames())) == 1_001
        assert recording.damage == []


def test_memory_is_bounded(tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = threading.Event()
    append = Database.append

    def stalled(self: Database, rows: list[tuple[int]], copies: object = ()) -> None:
        assert rows[0][0] == 0 or may_go_on.wait(30)
        append(self, rows, copies)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "append", stalled)
    recorder = RecordingWriter.create(tmp_path / "a.posture")
    assert recorder.put(0, opened)
    taken = [recorder.put(number, tick(opened, number)) for number in range(1, 12_100)]
    assert taken == [True] * 12_000 + [False] * 99
    may_go_on.set()
    recorder.close(end(opened, 12_001))
    with open_recording(tmp_path / "a.posture") as recording:
        assert sum(1 for _ in recording.frames()) == 12_002


def test_a_disk_that_takes_nothing_to_the_end(tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = RecordingWriter.create(tmp_path / "a.posture")
    assert recorder.put(0, opened)
    assert recorder.put(1, tick(opened, 1))

    def fail(self: Database, rows: object, copies: object = ()) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Database, "append", fail)
        broken.setattr(writer, "CLOSE_PATIENCE_S", 0.0)
        with pytest.raises(UsageError, match=r"the last 2 frames could not be written .* disk is full"):
            recorder.close(end(opened, 2))
    with open_recording(tmp_path / "a.posture") as recording:
        assert list(recording.frames()) == [opened]
        assert not recording.closed


def test_a_connection_that_broke_is_made_again(tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_AFTER_S", 0.01)
    monkeypatch.setattr(writer, "COMMIT_AFTER_S", 0.01)
    told: list[str] = []
    recorder = RecordingWriter.create(tmp_path / "a.posture", on_trouble=told.append)
    assert recorder.put(0, opened)
    recorder._database._connection.close()
    assert recorder.put(1, tick(opened, 1))
    for _ in range(3_000):
        if recorder.committed == 2:
            break
        threading.Event().wait(0.01)
    assert (recorder.committed, recorder.trouble) == (2, None)
    recorder.close(end(opened, 2))
    assert told == ["Cannot operate on a closed database."]
    with open_recording(tmp_path / "a.posture") as recording:
        assert list(recording.frames())[:2] == [opened, tick(opened, 1)]


def test_a_listener_that_fails_stops_nothing(tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    def listener(reason: str) -> None:
        raise RuntimeError("mine")

    recorder = RecordingWriter.create(tmp_path / "a.posture", on_trouble=listener)
    assert not recorder.put(0, tick(opened, 0))
    assert recorder.put(0, opened)
    recorder.close(end(opened, 1))
    assert "mine" in caplog.text
