"""Sessions that were cut off get an end; everything else in the directory is left as it is."""

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from companion import host
from companion.recording import RecordingWriter, close_cut_off_sessions, is_being_recorded, open_recording, sessions_in
from companion.recording.database import Database
from firmware_protocol.frames import Closed, Frame, Opened

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


CHILD_THAT_BEGINS = """
import sys, os, signal
from pathlib import Path
from companion.recording import RecordingWriter, database
from companion import host

def stop_at(name, wrapped):
    def stopped(*arguments, **options):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        return wrapped(*arguments, **options)
    return stopped

made = []
create = host.create_private_file
def create_private_file(path):
    if f"file {len(made)}" == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(path)
    return create(path)

host.create_private_file = create_private_file
database._connect = stop_at("connect", database._connect)
database._make_durable = stop_at("tables", database._make_durable)
database.Database._take_lock = stop_at("lock", database.Database._take_lock)
for sys.argv[2] in sys.argv[2:]:
    where = Path(sys.argv[1]) / sys.argv[2]
    where.mkdir()
    if os.fork() == 0:
        RecordingWriter.create(where / "2026-03-01T101500Z_back.posture")
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
"""
LEFT = {
    "file 0": set(),
    "file 1": {"-wal"},
    "connect": {"", "-wal"},
    "tables": {"", "-wal"},
    "lock": {"", "-wal", "-shm"},
    "created": {"", "-wal", "-shm"},
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_session_killed_before_its_first_frame_leaves_nothing(tmp_path: Path) -> None:
    name = "2026-03-01T101500Z_back.posture"
    subprocess.run([sys.executable, "-c", CHILD_THAT_BEGINS, tmp_path, *LEFT], check=True)
    for step, left in LEFT.items():
        where = tmp_path / step
        assert {each.name.removeprefix(name) for each in where.iterdir()} == left, step
        assert close_cut_off_sessions(where) == []
        assert list(where.iterdir()) == []


def test_a_session_that_has_just_been_made_is_left_alone(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "2026-03-01T101500Z_back.posture"
    recorder = RecordingWriter.create(path)
    assert close_cut_off_sessions(tmp_path) == []
    look = "import sys; from pathlib import Path; from companion.recording import close_cut_off_sessions as close"
    subprocess.run([sys.executable, "-c", f"{look}; assert close(Path(sys.argv[1])) == []", tmp_path], check=True)
    assert {each.suffix for each in tmp_path.iterdir()} == {".posture", ".posture-wal", ".posture-shm"}
    assert recorder.put(0, opened)
    recorder.close(Closed(t_host_ns=opened.t_host_ns, reason="stopped", count=1))
    with open_recording(path) as recording:
        assert next(iter(recording.frames())) == opened


def test_nothing_of_another_name_or_with_anything_in_it_is_removed(tmp_path: Path, session_of: SessionOf) -> None:
    name = "2026-03-01T10150{}Z_back.posture"
    (tmp_path / "mine.posture").touch()
    (tmp_path / name.format(0)).write_bytes(b"my notes")
    (tmp_path / name.format(1)).write_bytes(b"SQLite format 3\0" + bytes(100_000))
    (tmp_path / (name.format(2) + "-wal")).write_bytes(b"x")
    (tmp_path / name.format(3)).symlink_to(tmp_path / "mine.posture")
    cut = leave_cut_off(tmp_path / name.format(4), session_of(2))
    kept = {path.name for path in tmp_path.iterdir() if not path.name.startswith(cut.name)}
    assert close_cut_off_sessions(tmp_path) == [cut]
    assert {path.name for path in tmp_path.iterdir()} == kept | {cut.name}


def test_a_wal_of_something_else_does_not_get_into_a_closed_session(
    tmp_path: Path, session_of: SessionOf, write: Write
) -> None:
    """SQLite would bring it in: nothing in a `-wal` says which file it belongs to."""
    path = write(tmp_path / "a.posture", session_of(3))
    other = leave_cut_off(tmp_path / "b.posture", [*session_of(40)])
    shutil.move(f"{other}-wal", f"{path}-wal")
    Path(f"{other}-shm").unlink()
    other.unlink()
    before = path.read_bytes()
    with open_recording(path) as recording:
        assert list(recording.frames())[:-1] == session_of(3)
        assert (recording.damage, recording.closed) == ([], True)
    assert close_cut_off_sessions(tmp_path) == []
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"a.posture", "a.posture-wal"}


def test_a_journal_of_something_else_is_not_brought_back(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    path = write(tmp_path / "a.posture", session_of(30))
    header = bytes.fromhex("d9d505f920a163d7") + struct.pack(">5I", 1, 0, 9, 512, 4096)
    Path(f"{path}-journal").write_bytes(header.ljust(512, b"\0") + struct.pack(">I", 2) + bytes(4096) + bytes(4))
    before = path.read_bytes()
    assert close_cut_off_sessions(tmp_path) == []
    assert path.read_bytes() == before
    with open_recording(path) as recording:
        assert list(recording.frames())[:-1] == session_of(30)


def test_a_link_to_a_session_is_read_with_its_wal_and_left_alone(tmp_path: Path, session_of: SessionOf) -> None:
    (tmp_path / "sessions").mkdir()
    path = leave_cut_off(tmp_path / "a.posture", session_of(20))
    link = tmp_path / "sessions" / "link.posture"
    link.symlink_to(path)
    assert close_cut_off_sessions(tmp_path / "sessions") == []
    with open_recording(link) as recording:
        assert list(recording.frames()) == session_of(20)
    assert {each.name for each in tmp_path.iterdir()} == {"sessions", "a.posture", "a.posture-wal", "a.posture-shm"}


def test_a_directory_that_cannot_be_written_to(
    tmp_path: Path, session_of: SessionOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the system says for it what it would say to others."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = leave_cut_off(tmp_path / "2026-03-01T101500Z_a.posture", session_of(5))
    (tmp_path / "2026-03-01T101501Z_a.posture").touch()
    kept = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    monkeypatch.setattr(host, "lock_is_held", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    assert close_cut_off_sessions(tmp_path) == []
    monkeypatch.undo()
    with open_recording(path) as recording:
        assert list(recording.frames()) == session_of(5)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == kept


CHILD_THAT_CLOSES = (
    "import sys; from pathlib import Path; from companion.recording import close_cut_off_sessions;"
    "print('ready', flush=True); sys.stdin.readline(); print(len(close_cut_off_sessions(Path(sys.argv[1]))))"
)


def closers(count: int, directory: Path) -> list["subprocess.Popen[str]"]:
    """Processes that stand ready to close what was cut off."""
    command = [sys.executable, "-c", CHILD_THAT_CLOSES, str(directory)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def test_two_starts_at_once_close_a_session_once(tmp_path: Path, session_of: SessionOf) -> None:
    paths = [leave_cut_off(tmp_path / f"{number}.posture", session_of(60)) for number in range(6)]
    ran = [process.communicate("go\n")[0] for process in _all_let_go(closers(3, tmp_path))]
    assert sum(map(int, ran)) == len(paths)
    for path in paths:
        with open_recording(path) as recording:
            *given, closed = recording.frames()
            assert (given, recording.damage) == (session_of(60), [])
        assert isinstance(closed, Closed)
        assert closed.reason == "recovered"
    assert sorted(tmp_path.iterdir()) == paths


def _all_let_go(processes: "list[subprocess.Popen[str]]") -> "list[subprocess.Popen[str]]":
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


@pytest.mark.parametrize("turns", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_a_kill_while_closing_loses_nothing(tmp_path: Path, session_of: SessionOf, turns: int) -> None:
    """Killed at any moment of it; the next start goes on from whatever is left."""
    frames = session_of(100)
    chance = random.Random(turns)
    for turn in range(turns):
        where = tmp_path / str(turn)
        where.mkdir()
        path = leave_cut_off(where / "a.posture", frames)
        (process,) = closers(1, where)
        _all_let_go([process])
        threading.Event().wait(chance.uniform(0.0, 0.06))
        process.kill()
        process.communicate()
        close_cut_off_sessions(where)
        assert [each.name for each in where.iterdir()] == ["a.posture"]
        with open_recording(path) as recording:
            *given, closed = recording.frames()
            assert (given, recording.damage) == (frames, [])
        assert isinstance(closed, Closed)
