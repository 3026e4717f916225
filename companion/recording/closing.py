"""What is in a directory of sessions: which there are, which are open, and the end of those that were cut off.

Knows: session files. Must never know: what frames mean to anyone.
"""

import re
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from companion import host
from companion.errors import CompanionError
from companion.recording.codec import CLOSED, payload_of
from companion.recording.database import Database, beside, is_locked, leftovers
from companion.recording.identity import uses_wal
from companion.recording.reader import End, open_recording
from companion.recording.salvage import has_end, salvage
from companion.recording.schema import COPY, PAGE_BYTES, SUFFIX, WAL_SUFFIX, Row, seal
from firmware_protocol.frames import Closed

RECOVERED: Final = "recovered"
PATIENCE_S: Final = 1.0
"""How long a start waits for another one that closes the same session at this moment."""

NEVER_BEGUN_BYTES: Final = 1 << 16
"""A session file without frames is 12 kB long; a larger one is none that was never begun."""

_TIME_IN_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
_OUR_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z_[a-z0-9_-]{1,40}\.posture(-wal)?", re.ASCII)

_JOURNAL_RECORD_BYTES = 4 + PAGE_BYTES + 4
_COUNTED_BYTES = 100
"""The part of the first page that changes when a session becomes one file."""


def sessions_in(directory: Path) -> list[Path]:
    """The session files in a directory, newest first: by the time in the name, else by the time of the last change.

    A directory that does not exist or cannot be read holds none.
    """
    try:
        found = [path for path in directory.iterdir() if path.suffix == SUFFIX and host.is_regular_file(path)]
    except OSError:
        return []
    return sorted(found, key=_age_key, reverse=True)


def _age_key(path: Path) -> tuple[str, str]:
    begun = _TIME_IN_NAME.match(path.name)
    if begun is not None:
        return begun[0], path.name
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return "", path.name
    return changed.strftime("%Y-%m-%dT%H%M%SZ"), path.name


def is_being_recorded(path: Path) -> bool:
    """Whether a live process has this session open for writing."""
    return is_locked(path)


def close_cut_off_sessions(directory: Path) -> list[Path]:
    """Give every session that was cut off its end, and make it one file; returns those that were closed, newest first.

    A session that is open in a live process, is damaged, or is no session at all is left exactly as it is. What a kill
    left of a session before its first frame is removed: it holds nothing.
    """
    _remove_never_begun(directory)
    return [path for path in sessions_in(directory) if not _is_surely_closed(path) and _close_if_cut_off(path)]


def _is_surely_closed(path: Path) -> bool:
    """A quick look, for the sake of a directory with the sessions of years."""
    try:
        return not leftovers(path) and not uses_wal(path) and has_end(path)
    except OSError:
        return False


def _close_if_cut_off(path: Path) -> bool:
    """Whether this process gave the session its end; waits for another one that is about to."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not (path.is_symlink() or is_locked(path)):
        found = _try_to_close(path)
        if found is not None or time.monotonic() > give_up_s:
            return bool(found)
        time.sleep(0.05)
    return False


def _try_to_close(path: Path) -> bool | None:
    """True: it was cut off and has its end now. False: it is not ours to change. None: someone else has it open."""
    try:
        with open_recording(path) as recording:
            if recording.closed and not leftovers(path):
                return False
            end = recording.end()
            if recording.damage or _has_strange_neighbours(path):
                return False
            if recording.closed:  # killed between its last commit and becoming one file
                return _become_one_file(path)
            return _give_end(path, end, recording.salvaged_rows())
    except (CompanionError, sqlite3.Error, OSError, ValueError):
        return False  # strange or damaged: not ours to change


def _has_strange_neighbours(path: Path) -> bool:
    """Whether SQLite would bring something into the session that is not of it."""
    wal, journal = beside(path, WAL_SUFFIX), beside(path, "-journal")
    if wal.exists() and (not host.is_regular_file(wal) or (wal.stat().st_size > 0 and not uses_wal(path))):
        return True
    return journal.exists() and not _is_of_becoming_one_file(journal, path)


def _is_of_becoming_one_file(journal: Path, path: Path) -> bool:
    """Whether a `-journal` is what a kill leaves in the moment in which a session becomes one file, and so holds
    nothing but the first page as it was: SQLite puts back whatever it finds in one, and may delete a file it names.
    """
    if not host.is_regular_file(journal) or journal.stat().st_size > NEVER_BEGUN_BYTES:
        return False
    data = journal.read_bytes()
    sector = int.from_bytes(data[20:24])
    if len(data) <= sector:
        return not any(data[8:12])  # SQLite: it holds no page
    record = data[sector:]
    with path.open("rb") as file:
        first = file.read(PAGE_BYTES)
    return (
        len(record) <= _JOURNAL_RECORD_BYTES
        and int.from_bytes(record[:4]) == 1
        and record[4 + _COUNTED_BYTES : 4 + PAGE_BYTES] == first[_COUNTED_BYTES:]
    )


def _remove_never_begun(directory: Path) -> None:
    try:
        names = [path for path in directory.iterdir() if _OUR_NAME.fullmatch(path.name)]
    except OSError:
        return
    for path in names:
        try:
            _remove_if_never_begun(path)
        except OSError:
            continue  # it went away, or may not be touched


def _remove_if_never_begun(path: Path) -> None:
    """A `-wal` without its session, or a session file in which nothing was ever written, locked by nobody."""
    if path.is_symlink() or not host.is_regular_file(path) or path.stat().st_size > NEVER_BEGUN_BYTES:
        return
    if path.name.endswith(WAL_SUFFIX):
        session = path.with_name(path.name.removesuffix(WAL_SUFFIX))
        if path.stat().st_size == 0 and not session.exists() and not host.lock_is_held(path):
            path.unlink()
    elif not is_locked(path) and _holds_nothing(path):
        for left in (path, *leftovers(path)):
            left.unlink()


def _holds_nothing(path: Path) -> bool:
    """Whether neither the file nor its `-wal` holds a single row, nor anything that is not SQLite's."""
    if path.stat().st_size and not path.read_bytes().startswith(b"SQLite format 3\0"):
        return False
    wal = beside(path, WAL_SUFFIX)
    if wal.exists() and (not host.is_regular_file(wal) or wal.stat().st_size > NEVER_BEGUN_BYTES):
        return False
    return not salvage(path, wal if wal.exists() else None).frames


def _become_one_file(path: Path) -> bool | None:
    """False, as it has its end already; None where another process has it."""
    database = Database.take_over(path)
    if database is None:
        return None
    database.finish()
    return False


def _give_end(path: Path, end: End, salvaged: list[Row]) -> bool | None:
    """Append `Closed` to a session; None where another process has it, False where one has changed it meanwhile."""
    database = Database.take_over(path)
    if database is None:
        return None
    try:
        closed = Closed(t_host_ns=end.t_host_ns, reason=RECOVERED, count=end.next_number, hash=end.digest)
        rest = (0, payload_of(closed))
        row, _ = seal(end.next_number, CLOSED, end.t_ns, *rest)
        copy, _ = seal(end.next_number, COPY + CLOSED, end.t_ns, *rest)
        if database.count() > end.next_number:
            return False
        database.append([*salvaged, row], [copy])
        database.finish()
    finally:
        database.close()
    return True
