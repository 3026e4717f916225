"""Sessions that were cut off get an end; everything else in the directory is left as it is."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from companion import host
from companion.recording import RecordingWriter, close_cut_off_sessions, is_being_recorded, open_recording, sessions_in
from companion.recording.database import Database
from firmware_protocol.frames import Closed, Frame

SessionOf = Callable[[int], list[Frame]]
Write = Callable[[Path, list[Frame]], Path]


def leave_cut_off(path: Path, frames: list[Frame], *, closed: bool = False) -> Path:
    """What a kill leaves of a session: with `closed`, of one that was killed after its last commit."""
    writing = path.with_name("writing.part")
    recorder = RecordingWriter.create(writing, threaded=False)
    for number, frame in enumerate(frames):
        assert recorder.put(number, frame)
    recorder._commit()
    if closed:
        _, row, copy = recorder._scribe.last_rows(Closed(t_host_ns=0, reason="stopped", count=len(frames)))
        recorder._database.append([row], [copy])
    for suffix in ("", "-wal", "-shm"):
        shutil.copyfile(f"{writing}{suffix}", f"{path}{suffix}")
    recorder._database.remove()
    return path


def test_a_cut_off_session_gets_its_end(tmp_path: Path, session_of: SessionOf) -> None:
    frames = session_of(70)
    path = leave_cut_off(tmp_path / "a.posture", frames)
    assert not is_being_recorded(path)
    assert close_cut_off_sessions(tmp_path) == [path]
    assert [each.name for each in tmp_path.iterdir()] == ["a.posture"]
    with open_recording(path) as recording:
        *given, closed = recording.frames()
        assert (recording.damage, recording.closed) == ([], True)
    assert given == frames
    assert isinstance(closed, Closed)
    assert (closed.reason, closed.count, closed.t_host_ns) == ("recovered", len(frames), frames[-1].t_host_ns)
    assert len(closed.hash) == 32
    before = path.read_bytes()
    assert close_cut_off_sessions(tmp_path) == []
    assert path.read_bytes() == before


def test_a_session_without_its_wal_gets_its_end_too(tmp_path: Path, session_of: SessionOf) -> None:
    path = leave_cut_off(tmp_path / "a.posture", session_of(10))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    assert [each.name for each in tmp_path.iterdir()] == ["a.posture"]
    assert close_cut_off_sessions(tmp_path) == [path]
    with open_recording(path) as recording:
        assert list(recording.frames())[:-1] == session_of(10)
        assert (recording.damage, recording.closed) == ([], True)


def test_a_session_killed_after_its_end_becomes_one_file(tmp_path: Path, session_of: SessionOf) -> None:
    path = leave_cut_off(tmp_path / "a.posture", session_of(10), closed=True)
    assert close_cut_off_sessions(tmp_path) == []  # it was not cut off
    assert [each.name for each in tmp_path.iterdir()] == ["a.posture"]
    with open_recording(path) as recording:
        *given, closed = recording.frames()
    assert given == session_of(10)
    assert isinstance(closed, Closed)
    assert closed.reason == "stopped"


def test_strange_neighbours_do_not_matter(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    whole = write(tmp_path / "whole.posture", session_of(5))
    cut = leave_cut_off(tmp_path / "cut.posture", session_of(5))
    damaged = leave_cut_off(tmp_path / "damaged.posture", session_of(60))
    damaged.with_name("damaged.posture-wal").write_bytes(os.urandom(9_000))
    with damaged.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    (tmp_path / "empty.posture").touch()
    (tmp_path / "text.posture").write_text("no")
    (tmp_path / "directory.posture").mkdir()
    (tmp_path / "link.posture").symlink_to("nowhere")
    (tmp_path / "other.csv").write_text("a,b")
    kept = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and "cut" not in path.name}
    assert close_cut_off_sessions(tmp_path) == [cut]
    assert {path: path.read_bytes() for path in kept} == kept
    assert whole in kept


def test_no_directory_has_no_sessions(tmp_path: Path) -> None:
    assert close_cut_off_sessions(tmp_path / "none") == []
    assert sessions_in(tmp_path / "none") == []


def test_a_session_open_in_this_process_is_read_and_left_alone(tmp_path: Path, session_of: SessionOf) -> None:
    frames = session_of(20)
    path = tmp_path / "a.posture"
    recorder = RecordingWriter.create(path)
    for number, frame in enumerate(frames):
        assert recorder.put(number, frame)
    assert is_being_recorded(path)
    assert close_cut_off_sessions(tmp_path) == []
    with open_recording(path) as recording:
        assert list(recording.frames()) == frames[: max(1, recorder.committed)]
        assert not recording.closed
    recorder.close(Closed(t_host_ns=frames[-1].t_host_ns, reason="stopped", count=len(frames)))
    assert not is_being_recorded(path)
    with open_recording(path) as recording:
        assert list(recording.frames())[:-1] == frames


def test_without_our_lock_sqlites_own_keeps_others_out(
    tmp_path: Path, session_of: SessionOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection in the same process stands for another process: SQLite treats both alike."""
    path = leave_cut_off(tmp_path / "a.posture", session_of(5))
    connection = sqlite3.connect(path)
    connection.execute("SELECT count(*) FROM frames").fetchone()
    assert Database.take_over(path) is None
    assert close_cut_off_sessions(tmp_path) == []
    connection.close()


def test_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(FileNotFoundError):
        host.hold_lock(path)
    path.touch()
    assert not host.lock_is_held(path)
    held = host.hold_lock(path)
    assert held is not None
    assert host.lock_is_held(path)
    assert host.hold_lock(path) is None
    path.read_bytes()  # opening and closing the file elsewhere takes nothing away
    assert host.lock_is_held(path)
    os.close(held)
    assert not host.lock_is_held(path)


def test_newest_first(tmp_path: Path) -> None:
    times = {
        "2026-03-01T080000Z_back.posture": 5,
        "2026-03-01T093000Z_back.posture": 4,
        "2025-12-31T235959Z_neck.posture": 9,
        "imported.posture": 1_767_300_000,  # 2026-01-01T20:40:00Z
    }
    for name, changed_s in times.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (changed_s, changed_s))
    (tmp_path / "2026-03-02T000000Z_back.posture-wal").touch()
    assert [path.name for path in sessions_in(tmp_path)] == [
        "2026-03-01T093000Z_back.posture",
        "2026-03-01T080000Z_back.posture",
        "imported.posture",
        "2025-12-31T235959Z_neck.posture",
    ]
