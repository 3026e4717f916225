"""A file to read that nobody else touches: the session itself when it is closed, else a private copy.

Knows: files, SQLite's `-wal`. Must never know: rows, frames. It writes nothing beside a session, and nothing into it.
"""

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from companion.recording.database import beside, is_open_in_this_process
from companion.recording.schema import PAGE_BYTES, WAL_SUFFIX

COPY_ATTEMPTS: Final = 8
_WAL_HEADER_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What to read. `wal`: SQLite could not join the copies, so both are to be salvaged. `directory`: to be removed."""

    path: Path
    wal: Path | None = None
    directory: Path | None = None


def take_snapshot(path: Path) -> Snapshot:
    """A state of the session in which all its commits up to now are. Raises OSError, sqlite3.Error."""
    if not beside(path, WAL_SUFFIX).exists():
        return Snapshot(path)
    directory = Path(tempfile.mkdtemp(prefix="posture-"))
    try:
        return _copied(path, directory)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _copied(path: Path, directory: Path) -> Snapshot:
    copy = directory / "session"
    if is_open_in_this_process(path):
        _backup(path, copy)
        return Snapshot(copy, directory=directory)
    _copy_both(path, copy)
    if not beside(copy, WAL_SUFFIX).exists() or _joined(copy):
        return Snapshot(copy, directory=directory)
    _copy_both(path, copy)  # afresh: SQLite may have changed what it could not join
    wal = beside(copy, WAL_SUFFIX)
    return Snapshot(copy, wal if wal.exists() else None, directory)


def _copy_both(path: Path, copy: Path) -> None:
    """Copy the file and then its `-wal`, again while a checkpoint came in between.

    As long as the `-wal` file has not begun anew, it holds every page that a checkpoint may be writing into the file
    just now, so the two copies fit each other.
    """
    wal, wal_copy = beside(path, WAL_SUFFIX), beside(copy, WAL_SUFFIX)
    for _ in range(COPY_ATTEMPTS):
        before = _beginning(wal)
        shutil.copyfile(path, copy)
        wal_copy.unlink(missing_ok=True)
        if before is None and _beginning(wal) is None:
            return
        try:
            shutil.copyfile(wal, wal_copy)
        except FileNotFoundError:
            continue
        if before == _beginning(wal) == _beginning(wal_copy):
            return


def _beginning(wal: Path) -> bytes | None:
    try:
        with wal.open("rb") as file:
            return file.read(_WAL_HEADER_BYTES)
    except FileNotFoundError:
        return None


def _joined(copy: Path) -> bool:
    """Let SQLite bring the `-wal` into the private copy; False where it did not take all of it."""
    in_wal = _frames_in(beside(copy, WAL_SUFFIX))
    connection = sqlite3.connect(copy, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        _, taken, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return bool(taken >= in_wal)


def _frames_in(wal: Path) -> int:
    """How many pages the present generation of a `-wal` file holds, committed or not, damaged or not."""
    with wal.open("rb") as file:
        header = file.read(_WAL_HEADER_BYTES)
        if len(header) < _WAL_HEADER_BYTES:
            return 0
        step = 24 + PAGE_BYTES
        count = 0
        while len(head := file.read(24)) == 24 and head[8:16] == header[16:24]:
            count += 1
            file.seek(_WAL_HEADER_BYTES + count * step)
    return count


def _backup(path: Path, copy: Path) -> None:
    source = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
