"""A file to read that nobody else touches: the session itself when it is closed, else a private copy.

Knows: files, SQLite's `-wal`. Must never know: rows, frames. It writes nothing beside a session, and nothing into it.
"""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from companion import host
from companion.recording.database import beside, is_open_in_this_process
from companion.recording.holes import copy_file
from companion.recording.identity import uses_wal
from companion.recording.schema import PAGE_BYTES, WAL_SUFFIX

COPY_ATTEMPTS: Final = 8
JOIN_TIME_CAP_S: Final = 5.0
USUAL_WAL_BYTES: Final = 64 << 20
"""A `-wal` file is brought in at about 4 MB. Of a much larger one only the present generation is copied."""

_WAL_HEADER_BYTES: Final = 32
_WAL_MAGICS: Final = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
_FRAME_HEADER_BYTES: Final = 24
_FRAME_BYTES: Final = _FRAME_HEADER_BYTES + PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What to read. `wal`: SQLite could not join the copies, so both are to be salvaged. `directory`: to be removed."""

    path: Path
    wal: Path | None = None
    directory: Path | None = None


def take_snapshot(path: Path) -> Snapshot:
    """A state of the session in which all its commits up to now are. Raises OSError, sqlite3.Error.

    A `-wal` that lies beside a file which is in no need of one is of something else, and stays out.
    """
    if not is_open_in_this_process(path) and not (host.is_regular_file(beside(path, WAL_SUFFIX)) and uses_wal(path)):
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
        copy_file(path, copy)
        wal_copy.unlink(missing_ok=True)
        if before is None and _beginning(wal) is None:
            return
        try:
            copy_file(wal, wal_copy, _bytes_to_copy(wal))
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


def _bytes_to_copy(wal: Path) -> int | None:
    """None: all of it."""
    if wal.stat().st_size <= USUAL_WAL_BYTES:
        return None
    return _WAL_HEADER_BYTES + _FRAME_BYTES * sum(1 for _ in _frames_in(wal))


def _joined(copy: Path) -> bool:
    """Let SQLite bring the `-wal` into the private copy; False where it did not take all of it."""
    wal = beside(copy, WAL_SUFFIX)
    frames, header = list(_frames_in(wal)), _beginning(wal)
    if header and not frames:
        return False  # SQLite would pass it over, with all that may still be in it
    most_pages = copy.stat().st_size // PAGE_BYTES + len(frames) + 1
    if any(page > most_pages or pages > most_pages for page, pages in frames):
        return False  # a page far behind the end would make the copy as large as that
    connection = sqlite3.connect(copy, isolation_level=None)
    try:
        give_up_s = time.monotonic() + JOIN_TIME_CAP_S
        connection.set_progress_handler(lambda: time.monotonic() > give_up_s, 100_000)
        connection.execute("PRAGMA trusted_schema=OFF")
        _, taken, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return bool(taken >= len(frames))


def _frames_in(wal: Path) -> Iterator[tuple[int, int]]:
    """Number of the page and pages of the file after it, for what the present generation of a `-wal` file holds,
    committed or not, damaged or not.
    """
    with wal.open("rb") as file:
        header = file.read(_WAL_HEADER_BYTES)
        if not header.startswith(_WAL_MAGICS):
            return
        at = _WAL_HEADER_BYTES
        while len(head := file.read(_FRAME_HEADER_BYTES)) == _FRAME_HEADER_BYTES and head[8:16] == header[16:24]:
            page = int.from_bytes(head[:4])
            if page == 0:  # which no page has: nothing was written here
                return
            yield page, int.from_bytes(head[4:8])
            at += _FRAME_BYTES
            file.seek(at)


def _backup(path: Path, copy: Path) -> None:
    source = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
