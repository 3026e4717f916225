"""How the history tells that a recording has changed: by size and time of all its files."""

import os
from pathlib import Path

from companion.history import Stamp, stamps_in
from companion.history.entry import stamp_of


def made(path: Path, size: int, mtime_ns: int) -> None:
    path.write_bytes(b"x" * size)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def test_only_recordings_count(tmp_path: Path) -> None:
    made(tmp_path / "a.posture", 100, 5_000)
    made(tmp_path / "notes.txt", 1, 1)
    made(tmp_path / ".posture", 1, 1)
    made(tmp_path / "gone.posture-wal", 1, 1)
    (tmp_path / "directory.posture").mkdir()
    (tmp_path / "b.posture").symlink_to(tmp_path / "a.posture")
    (tmp_path / "broken.posture").symlink_to(tmp_path / "nothing")
    assert stamps_in(tmp_path) == {"a.posture": Stamp(100, 5_000), "b.posture": Stamp(100, 5_000)}


def test_what_lies_beside_belongs_to_it(tmp_path: Path) -> None:
    made(tmp_path / "a.posture", 100, 5_000)
    made(tmp_path / "a.posture-wal", 30, 9_000)
    made(tmp_path / "a.posture-journal", 4, 1_000)
    made(tmp_path / "a.posture-shm", 1_000, 99_000)
    assert stamps_in(tmp_path) == {"a.posture": Stamp(134, 9_000)}
    assert stamp_of(tmp_path / "a.posture") == Stamp(134, 9_000)


def test_what_is_not_there_has_none(tmp_path: Path) -> None:
    assert stamps_in(tmp_path / "nowhere") == {}
    assert stamp_of(tmp_path / "a.posture") is None
