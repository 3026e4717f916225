"""SQLite as a reader of session files from anywhere: nothing in the file can run, write, or take for ever.

Knows: SQLite, the tables. Must never know: frames, damage.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from companion.errors import NotARecording
from companion.recording.codec import COPY_OF_CLOSED
from companion.recording.schema import MAX_PAYLOAD_BYTES, SCHEMA_ROWS, Row

BATCH_ROWS: Final = 1_000
BATCH_TIME_CAP_S: Final = 10.0
_STEPS_BETWEEN_LOOKS: Final = 100_000

_COLUMNS = "number, kind, t_ns, source, payload, crc"


class SchemaError(sqlite3.DatabaseError):
    """The tables are not described as they were when the file was made; their pages may still hold rows."""


class Query:
    """A connection that only reads a file that nobody writes to."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._give_up_s = time.monotonic() + BATCH_TIME_CAP_S
        connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)

    def opening(self) -> Row | None:
        """The row of frame 0."""
        return self._one(f"SELECT {_COLUMNS} FROM frames WHERE number = 0")

    def last(self) -> Row | None:
        """The row with the largest number."""
        return self._one(f"SELECT {_COLUMNS} FROM frames ORDER BY number DESC LIMIT 1")

    def copy_of_closed(self) -> Row | None:
        """The second copy of the end of the session, where it has an end."""
        return self._one(f"SELECT {_COLUMNS} FROM copies WHERE kind = {COPY_OF_CLOSED} LIMIT 1")

    def batches(self) -> Iterator[list[Row]]:
        """All rows of `frames`, in the order in which SQLite has them, some thousands at a time."""
        cursor = self._connection.execute(f"SELECT {_COLUMNS} FROM frames ORDER BY number")
        while rows := self._in_time(cursor):
            yield rows

    def _in_time(self, cursor: sqlite3.Cursor) -> list[Row]:
        self._give_up_s = time.monotonic() + BATCH_TIME_CAP_S
        return cursor.fetchmany(BATCH_ROWS)

    def _one(self, sql: str) -> Row | None:
        row: Row | None = self._connection.execute(sql).fetchone()
        return row

    def _is_late(self) -> bool:
        return time.monotonic() > self._give_up_s


@contextmanager
def reading(path: Path) -> Iterator[Query]:
    """Open a session file whose tables are exactly ours. Raises sqlite3.Error, NotARecording."""
    connection = sqlite3.connect(path.absolute().as_uri() + "?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_PAYLOAD_BYTES + 4096)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 10_000)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA cell_size_check=ON")
        query = Query(connection)
        _require_our_tables(connection, path)
        yield query
    finally:
        connection.close()


def _require_our_tables(connection: sqlite3.Connection, path: Path) -> None:
    found: list[tuple[Any, ...]] = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT 100"
    ).fetchall()
    if set(found) == SCHEMA_ROWS:
        return
    if {row[0] for row in found} & {"view", "trigger", "index"} or set(found) > SCHEMA_ROWS:
        raise NotARecording(f"{path} holds tables or programs that no recording has.")
    raise SchemaError("the tables are not described as they should be")
