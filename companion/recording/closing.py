"""What is in a directory of sessions: which there are, which are open, and the end of those that were cut off.

Knows: session files. Must never know: what frames mean to anyone.
"""

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from companion import host
from companion.errors import CompanionError
from companion.recording.codec import CLOSED, payload_of
from companion.recording.database import Database, is_locked, leftovers
from companion.recording.reader import End, open_recording
from companion.recording.schema import COPY, SUFFIX, Row, seal
from firmware_protocol.frames import Closed

RECOVERED: Final = "recovered"

_TIME_IN_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")


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

    A session that is open in a live process, is damaged, or is no session at all is left exactly as it is.
    """
    return [path for path in sessions_in(directory) if _close_if_cut_off(path)]


def _close_if_cut_off(path: Path) -> bool:
    if is_locked(path):
        return False
    try:
        with open_recording(path) as recording:
            if recording.closed and not leftovers(path):
                return False
            end = recording.end()
            if recording.damage:
                return False
            if recording.closed:  # killed between its last commit and becoming one file
                return _become_one_file(path) and False
            return _give_end(path, end, recording.salvaged_rows())
    except (CompanionError, sqlite3.Error, OSError, ValueError):
        return False  # strange or damaged: not ours to change


def _become_one_file(path: Path) -> bool:
    database = Database.take_over(path)
    if database is not None:
        database.finish()
    return database is not None


def _give_end(path: Path, end: End, salvaged: list[Row]) -> bool:
    """Append `Closed` to a session; False where another process has it, or has changed it since it was read."""
    database = Database.take_over(path)
    if database is None:
        return False
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
