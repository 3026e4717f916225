"""The session file as it is written: SQLite in WAL mode, one private file when it is closed.

Knows: SQLite, files, the lock that tells others that a session is open. Must never know: frames, threads, the time.

The lock is taken on the `-wal` file, which SQLite itself never locks and which lives exactly as long as the session is
open: it needs no file of its own, survives nothing that kills its process, and cannot be mistaken after a reboot. It is
made, empty, and locked before the session's own file: a session file without frames that nobody has locked was never
begun.
"""

import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from companion import host
from companion.errors import UsageError
from companion.recording.schema import (
    APPLICATION_ID,
    PAGE_BYTES,
    SCHEMA_ROWS,
    SIDE_SUFFIXES,
    TABLES,
    VERSION,
    WAL_SUFFIX,
    Row,
)

BUSY_TIMEOUT_S: Final = 0.5
SINGLE_FILE_PATIENCE_S: Final = 2.0
LOCK_PATIENCE_S: Final = 0.5

_INSERT = "INSERT OR IGNORE INTO {} (number, kind, t_ns, source, payload, crc) VALUES (?, ?, ?, ?, ?, ?)"
# OR IGNORE: a commit that was reported as failed may still have reached the disk; the same row comes again then.


class NameTaken(UsageError):
    """Something of that name is there already, perhaps since a moment ago."""


_open_in_this_process: set[tuple[int, int]] = set()


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside `path`; beside what a link leads to, where it is one."""
    real = path.resolve() if path.is_symlink() else path
    return real.with_name(real.name + suffix)


def leftovers(path: Path) -> list[Path]:
    """Files that SQLite left beside `path`."""
    return [side for side in (beside(path, suffix) for suffix in SIDE_SUFFIXES) if side.exists()]


def is_open_in_this_process(path: Path) -> bool:
    """Whether this process writes to `path`.

    Such a file must not be opened with `open`: closing it again would drop the locks that SQLite holds on it.
    """
    try:
        return _identity(path) in _open_in_this_process
    except OSError:
        return False


def is_locked(path: Path) -> bool:
    """Whether some live process has the session open for writing; where the system gives no locks, yes."""
    if is_open_in_this_process(path):
        return True
    try:
        return host.lock_is_held(beside(path, WAL_SUFFIX))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    """A connection for writing to a file that exists. The thread that uses it may change; only one at a time does."""
    return sqlite3.connect(
        path.absolute().as_uri() + "?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _make_durable(connection: sqlite3.Connection) -> None:
    """What is committed has reached the disk, also on macOS, where an ordinary sync only reaches its buffer."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=ON")


class Database:
    """One session file, open for writing. Methods raise sqlite3.Error; nothing is half done then."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock: int | None = None
        self._registered = _identity(path)
        _open_in_this_process.add(self._registered)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new file with empty tables, durable and locked; mode 0600, and so are the files beside it.

        Raises NameTaken where something of that name is there, UsageError where the place cannot be written to;
        nothing stays then.
        """
        for existing in (path, *leftovers(path)):
            if existing.exists() or existing.is_symlink():
                raise _exists(existing)
        wal = beside(path, WAL_SUFFIX)
        try:
            os.close(host.create_private_file(wal))
        except FileExistsError as error:
            raise _exists(path) from error  # by someone who begins at this moment
        except OSError as error:
            raise _not_made(path, error.strerror or str(error)) from error
        lock = _lock_of(wal)
        try:
            return cls._made(path, lock)
        except BaseException:
            if lock is not None:
                os.close(lock)
            wal.unlink(missing_ok=True)
            raise

    @classmethod
    def _made(cls, path: Path, lock: int | None) -> Self:
        try:
            os.close(host.create_private_file(path))
        except FileExistsError as error:
            raise _exists(path) from error
        except OSError as error:
            raise _not_made(path, error.strerror or str(error)) from error
        try:
            return cls._prepared(path, lock)
        except BaseException as error:
            for made in (path, *leftovers(path)):
                made.unlink(missing_ok=True)
            if isinstance(error, sqlite3.Error | OSError):
                raise _not_made(path, str(error)) from error
            raise

    @classmethod
    def _prepared(cls, path: Path, lock: int | None) -> Self:
        connection = _connect(path)
        database = cls(path, connection)
        try:
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum=NONE")
            connection.execute("PRAGMA encoding='UTF-8'")
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            for table in TABLES.values():
                connection.execute(table)
            connection.execute("COMMIT")
            if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                raise sqlite3.OperationalError("its file system cannot be shared with a reader")
            _make_durable(connection)
            connection.execute("SELECT count(*) FROM frames").fetchone()  # makes the -wal file
            database._take_lock(lock)
        except BaseException:
            connection.close()
            _open_in_this_process.discard(database._registered)
            raise
        return database

    @classmethod
    def take_over(cls, path: Path) -> Self | None:
        """An existing session file, shut to every other process; None where a live one has it open."""
        if is_locked(path):
            return None
        database = cls(path, _connect(path))
        try:
            database._connection.execute("PRAGMA trusted_schema=OFF")
            database._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            database._connection.execute("BEGIN EXCLUSIVE")
            found = database._connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT 9")
            if set(found.fetchall()) != SCHEMA_ROWS:
                raise sqlite3.DatabaseError("its tables are not those of a session")
            database._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            database.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                return None
            raise
        except BaseException:
            database.close()
            raise
        return database

    def count(self) -> int:
        """The number after the last frame."""
        return int(self._connection.execute("SELECT coalesce(max(number) + 1, 0) FROM frames").fetchone()[0])

    def append(self, rows: Iterable[Row], copies: Iterable[Row] = ()) -> None:
        """Write rows in one durable transaction; rows that are there already are passed over."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT.format("frames"), rows)
            self._connection.executemany(_INSERT.format("copies"), copies)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def reconnect(self) -> None:
        """A fresh connection to the same file. The old one is closed last, so that the `-wal` file and lock stay."""
        if _identity(self.path) != self._registered:
            raise sqlite3.OperationalError("another file is in its place")
        fresh = _connect(self.path)
        try:
            _make_durable(fresh)
            fresh.execute("SELECT count(*) FROM copies").fetchone()
        except BaseException:
            fresh.close()
            raise
        old, self._connection = self._connection, fresh
        old.close()

    def finish(self) -> None:
        """Make the session one file and close it. What is committed is safe even where this does not succeed."""
        self._release_lock()
        try:
            self._into_one_file()
        except sqlite3.Error:
            pass  # a reader from outside holds it: the next start tidies up, and nothing is lost
        finally:
            self.close()

    def _into_one_file(self) -> None:
        give_up_s = time.monotonic() + SINGLE_FILE_PATIENCE_S
        while True:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            try:
                self._connection.execute("PRAGMA journal_mode=DELETE").fetchone()
                break
            except sqlite3.OperationalError:
                if time.monotonic() > give_up_s:
                    raise
                time.sleep(0.05)
        # After a kill, the index of the old process is left; nobody else has the file open at this point.
        beside(self.path, "-shm").unlink(missing_ok=True)

    def remove(self) -> None:
        """Close and delete the file: a session that never began."""
        self.close()
        for made in (self.path, *leftovers(self.path)):
            made.unlink(missing_ok=True)

    def close(self) -> None:
        """Close as it is; a session that is not finished is found by the next start. May be called again."""
        self._release_lock()
        self._connection.close()
        _open_in_this_process.discard(self._registered)

    def _take_lock(self, lock: int | None) -> None:
        """Keep the lock that was taken on the empty `-wal` file, or take it anew where SQLite made another one."""
        wal = beside(self.path, WAL_SUFFIX)
        if lock is None or os.fstat(lock).st_ino == wal.stat().st_ino:
            self._lock = lock
            return
        self._lock = _lock_of(wal)
        os.close(lock)

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_of(wal: Path) -> int | None:
    """The lock on a `-wal` file; None on a file system without locks, where SQLite's own keeps others away."""
    give_up_s = time.monotonic() + LOCK_PATIENCE_S
    lock: int | None = None
    try:
        while lock is None and time.monotonic() < give_up_s:  # someone may be looking whether it is held
            lock = host.hold_lock(wal)
            time.sleep(0 if lock is not None else 0.01)
    except OSError:
        pass
    return lock


def _exists(path: Path) -> NameTaken:
    return NameTaken(f"{path} exists; nothing is overwritten.", "Choose another name.")


def _not_made(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} cannot be made: {why}.", "Choose another place, or make room.")
