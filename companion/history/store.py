"""The history as a database: rows in, rows out, every value checked for its type on the way.

Knows: SQLite, tables. Must never know: where recordings lie, who computes, who else has the file open.

A database that was tampered with executes nothing: its schema is compared with ours before anything is read, and SQLite
is told not to trust it. Reading never writes: whoever only reads opens it read-only, so that no reader ever rolls back
what a live writer has begun.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, Final, Self

from companion.history.entry import Entry, Stamp, Values
from companion.history.schema import APPLICATION_ID, COLUMNS, NEEDED, PYTHON_TYPES, TABLES, VERSION

BUSY_TIMEOUT_S: Final = 10.0
"""A transaction holds one session and takes milliseconds; a slow disk may need longer."""

_LONGEST_VALUE: Final = 1 << 20
_NOT_DAMAGE: Final = frozenset(
    getattr(sqlite3, f"SQLITE_{name}") for name in ("BUSY", "LOCKED", "READONLY", "FULL", "IOERR", "CANTOPEN", "NOMEM")
)
_BIGGEST: Final = (1 << 63) - 1
_SHOWN: Final = ("session_id", "view", "started_utc", "started_local", "duration_s", "forward_s", "alerts")
"""What every session that could be read has."""


class HistoryDamaged(Exception):
    """The database is not what this program wrote; it is to be set aside and made anew."""


class Unkeepable(Exception):
    """The database cannot be used now: it is busy, or there is no room or no permission. The message says why."""


class History:
    """The rows of all recordings. Use `at`, `new` or `in_memory`; close it afterwards.

    Methods raise HistoryDamaged for what is in the file, Unkeepable for what is around it; nothing is half done then.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._passing: dict[str, Entry] = {}

    @classmethod
    def at(cls, path: Path, *, write: bool = False) -> Self:
        """The history in a file that exists."""
        connection = _connected(path.absolute().as_uri() + f"?mode={'rw' if write else 'ro'}")
        try:
            with _suspicion():
                _require_schema(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def new(cls, path: Path) -> Self:
        """An empty history in an empty file that exists."""
        connection = _connected(path.absolute().as_uri() + "?mode=rw")
        try:
            with _suspicion():
                connection.execute("PRAGMA journal_mode=MEMORY")  # nobody knows of this file yet
                connection.execute("PRAGMA synchronous=OFF")
                _create(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def in_memory(cls, source: "History | None" = None) -> Self:
        """An empty history, or a copy of one, that nobody keeps."""
        connection = _connected(":memory:")
        if source is None:
            _create(connection)
        else:
            with _suspicion():
                source._connection.backup(connection)
        return cls(connection)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def stamps(self, computed_by: str) -> dict[str, Stamp | None]:
        """The stamp of every recording it has; None where another version of the program computed the figures."""
        rows = self._select("sessions", ("file", "size", "mtime_ns", "computed_by"))
        return {
            row["file"]: Stamp(row["size"], row["mtime_ns"]) if row["computed_by"] == computed_by else None
            for row in rows
        }

    def put(self, entry: Entry, computed_by: str) -> None:
        """Keep a recording in place of what was known of it, in one transaction.

        Raises ValueError or OverflowError for values that cannot be kept.
        """
        session = dict(next(iter(entry.rows.get("sessions", ())), {}))
        rows = {**entry.rows, "sessions": [{**session, **entry.of_file, "computed_by": computed_by}]}
        with self._transaction():
            self._forget([entry.file])
            try:
                for table in TABLES:
                    self._insert(table, entry.file, rows.get(table, ()))
            except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                raise ValueError(f"{entry.file} has rows that cannot be kept: {error}") from error
        self._passing.pop(entry.file, None)

    def let_pass(self, entry: Entry) -> None:
        """Count a recording this time, in place of what was known of it, and do not keep it."""
        self._passing[entry.file] = entry

    def forget(self, files: Iterable[str]) -> None:
        """Drop recordings; their bytes are overwritten and the file becomes smaller."""
        with self._transaction():
            self._forget(list(files))
        with _suspicion():
            self._connection.execute("VACUUM")

    def rows(self, table: str) -> list[Values]:
        """All rows of a table with all their columns, in the order of its key."""
        return self._rows(table, tuple(COLUMNS[table]))

    def sessions(self) -> dict[str, Values]:
        """The row of each recording by its file: the columns of `sessions`, and what is known of the file."""
        kept: dict[str, Values] = {row["file"]: row for row in self._select("sessions", tuple(COLUMNS["sessions"]))}
        if any(row["error"] is None and None in map(row.get, _SHOWN) for row in kept.values()):
            raise HistoryDamaged("a session has no figures")
        for entry in self._passing.values():
            kept[entry.file] = {**next(iter(entry.rows.get("sessions", ())), {}), **entry.of_file}
        return kept

    def states(self) -> list[Values]:
        """`file`, `closed`, `damage_s` and `error` of each recording."""
        names = ("file", "closed", "damage_s", "error")
        kept = [row for row in self._select("sessions", names) if row["file"] not in self._passing]
        return [*kept, *(entry.of_file for entry in self._passing.values())]

    def last_date(self) -> str | None:
        """The last local date with a session."""
        return max((row["date"] for row in self._dated(self._rows("days", ("file", "date")))), default=None)

    def parts(self, since: str = "", until: str = "~") -> list[Values]:
        """The rows of `days` of every recording that touches the dates `since` to `until`, with their `file`."""
        inside = "file IN (SELECT file FROM days WHERE date BETWEEN ? AND ?)"
        return self._dated(self._rows("days", tuple(COLUMNS["days"]), inside, (since, until)))

    def recoveries(self, since: str = "", until: str = "~") -> list[Values]:
        """`file`, `t_s` and `recovery_s` of the episodes of the same recordings that had an alert and an end."""
        inside = "file IN (SELECT file FROM days WHERE date BETWEEN ? AND ?) AND recovery_s IS NOT NULL"
        rows = self._rows("episodes", ("file", "t_s", "recovery_s"), inside, (since, until))
        return [row for row in rows if row["recovery_s"] is not None]

    @staticmethod
    def _dated(rows: list[Values]) -> list[Values]:
        if not all(_is_date(row["date"]) for row in rows):
            raise HistoryDamaged("a day has no date")
        return rows

    def _rows(
        self, table: str, columns: Sequence[str], where: str = "1", values: Sequence[object] = ()
    ) -> list[Values]:
        kept = [row for row in self._select(table, columns, where, values) if row["file"] not in self._passing]
        passing = (
            {name: entry.file if name == "file" else row.get(name) for name in columns}
            for entry in self._passing.values()
            for row in entry.rows.get(table, ())
        )
        return [*kept, *passing]

    def _select(
        self, table: str, columns: Sequence[str], where: str = "1", values: Sequence[object] = ()
    ) -> list[dict[str, Any]]:
        """Rows as dicts; raises HistoryDamaged where a value is not of its column's type."""
        kinds = COLUMNS[table]
        allowed = tuple(
            PYTHON_TYPES[kinds[name]] if name in NEEDED[table] else (PYTHON_TYPES[kinds[name]], type(None))
            for name in columns
        )
        chosen = f"SELECT {', '.join(columns)} FROM {table} WHERE {where}"
        with _suspicion():
            rows = self._connection.execute(chosen, values).fetchall()
        for row in rows:
            if not all(map(isinstance, row, allowed)) or not all(map(isfinite, filter(_is_real, row))):
                raise HistoryDamaged(f"a value in {table} is not of its type")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _insert(self, table: str, file: str, rows: Iterable[Values]) -> None:
        kinds = COLUMNS[table]
        names, places = ", ".join(kinds), ", ".join("?" * len(kinds))
        bound = ([_bound(kind, ({**row, "file": file}).get(name)) for name, kind in kinds.items()] for row in rows)
        self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", bound)

    def _forget(self, files: Sequence[str]) -> None:
        for table in TABLES:
            self._connection.executemany(f"DELETE FROM {table} WHERE file = ?", ((file,) for file in files))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _suspicion():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


_AS: dict[str, Callable[[Any], object]] = {"TEXT": str, "INTEGER": int, "REAL": float}


def _bound(kind: str, value: Any) -> object:
    """A value as it is kept; numbers of numpy become plain ones. Raises OverflowError for a count beyond 63 bits."""
    if value is None:
        return None
    plain = _AS[kind](value)
    if isinstance(plain, int) and abs(plain) > _BIGGEST:
        raise OverflowError(f"{plain} is too large to be kept")
    return plain


def _is_real(value: object) -> bool:
    return isinstance(value, float)


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _connected(uri: str) -> sqlite3.Connection:
    with _suspicion():
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA temp_store=MEMORY")  # what VACUUM copies lies nowhere else
    return connection


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")
    for table in TABLES.values():
        connection.execute(table)
    connection.execute("COMMIT")


def _require_schema(connection: sqlite3.Connection) -> None:
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT 99").fetchall()
    if set(found) != {("table", name, name, sql) for name, sql in TABLES.items()}:
        raise HistoryDamaged("its tables are not those of a history")


@contextmanager
def _suspicion() -> Iterator[None]:
    """What SQLite says of damaged content becomes HistoryDamaged; that it is busy, full or shut becomes Unkeepable."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        kind = Unkeepable if code in _NOT_DAMAGE else HistoryDamaged
        raise kind(str(error)) from error
