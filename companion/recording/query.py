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
from companion.recording.schema import MAX_NAMED, MAX_PAYLOAD_BYTES, SCHEMA_ROWS, Row

BATCH_ROWS: Final = 1_000
BATCH_BYTES: Final = 4 << 20
BATCH_TIME_CAP_S: Final = 10.0
_ROWS_BETWEEN_LOOKS: Final = 50
_STEPS_BETWEEN_LOOKS: Final = 100_000
_COPIES: Final = 4 + MAX_NAMED

_LEAF, _INTERIOR = 13, 5  # SQLite: pages of a table

_COLUMNS = "number, kind, t_ns, source, payload, crc"


class SchemaError(sqlite3.DatabaseError):
    """The tables are not described as they were when the file was made; their pages may still hold rows."""


class Query:
    """A connection that only reads a file that nobody writes to."""

    def __init__(self, connection: sqlite3.Connection, file_bytes: int) -> None:
        self._connection = connection
        self._bytes_left = file_bytes
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
        return next((row for row in self.copies() if row[1] == COPY_OF_CLOSED), None)

    def copies(self) -> list[Row]:
        """The rows of `copies`: those of the first and the last frame and of names, however many there are."""
        return self._connection.execute(f"SELECT {_COLUMNS} FROM copies LIMIT {_COPIES}").fetchall()

    def is_sound(self) -> bool:
        """Whether SQLite finds its own structure whole: the pages and their order, not what is in them."""
        self._give_up_s = time.monotonic() + BATCH_TIME_CAP_S
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        return bool(found == ("ok",))

    def batches(self) -> Iterator[list[Row]]:
        """All rows of `frames`, in the order in which SQLite has them, up to a thousand or some megabytes at a time."""
        cursor = self._connection.execute(f"SELECT {_COLUMNS} FROM frames ORDER BY number")
        while rows := self._in_time(cursor):
            yield rows

    def _in_time(self, cursor: sqlite3.Cursor) -> list[Row]:
        self._give_up_s = time.monotonic() + BATCH_TIME_CAP_S
        rows: list[Row] = []
        batch_bytes = 0
        while len(rows) < BATCH_ROWS and batch_bytes < BATCH_BYTES:
            some: list[Row] = cursor.fetchmany(_ROWS_BETWEEN_LOOKS)
            batch_bytes += sum([len(row[4]) for row in some if type(row[4]) is bytes])
            rows += some
            if len(some) < _ROWS_BETWEEN_LOOKS:
                break
        self._bytes_left -= batch_bytes
        if self._bytes_left < 0:  # several rows share the same pages: ever more of them out of a small file
            raise sqlite3.DatabaseError("there are more payloads than the file has room for")
        return rows

    def _one(self, sql: str) -> Row | None:
        row: Row | None = self._connection.execute(sql).fetchone()
        return row

    def _is_late(self) -> bool:
        return time.monotonic() > self._give_up_s


@contextmanager
def reading(path: Path) -> Iterator[Query]:
    """Open a session file whose tables are exactly ours. Raises sqlite3.Error, OSError, NotARecording."""
    _require_a_short_description(path)
    connection = sqlite3.connect(path.absolute().as_uri() + "?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_PAYLOAD_BYTES + 4096)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 10_000)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA cell_size_check=ON")
        query = Query(connection, path.stat().st_size)
        _require_our_tables(connection, path)
        yield query
    finally:
        connection.close()


def _require_a_short_description(path: Path) -> None:
    """SQLite reads all of a description before anything else; ours is two rows in one leaf."""
    with path.open("rb") as file:
        page = file.read(105)
    page_type, rows = page[100:101], int.from_bytes(page[103:105])
    if page_type == bytes([_INTERIOR]) and rows != len(SCHEMA_ROWS):  # no single changed byte makes both
        raise NotARecording(f"{path} holds tables or programs that no recording has.")
    if page_type != bytes([_LEAF]):
        raise SchemaError("the tables are not described as they should be")


def _require_our_tables(connection: sqlite3.Connection, path: Path) -> None:
    found: list[tuple[Any, ...]] = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT 100"
    ).fetchall()
    if set(found) == SCHEMA_ROWS:
        return
    if {row[0] for row in found} & {"view", "trigger", "index"} or set(found) > SCHEMA_ROWS:
        raise NotARecording(f"{path} holds tables or programs that no recording has.")
    raise SchemaError("the tables are not described as they should be")
