"""The history's file: who may write it, how it is made, replaced and set aside. A kill at any moment leaves one whole.

Knows: files, the lock. Must never know: rows, recordings.

Only who holds the lock beside the file writes it or puts another in its place. SQLite's own locks do not do for that:
they belong to a file, not to its name, and the journal of a file that was replaced would be played into the new one.
Readers need no lock: they see the old file or the new one.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from companion import host
from companion.history.schema import APPLICATION_ID, VERSION
from companion.history.store import History, HistoryDamaged, Unkeepable

Tell = Callable[[str], None]

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_BEGINNING_BYTES = 1 << 16  # the definitions of tables stand in the first pages
_BESIDE: Final = ("-journal", "-wal", "-shm")
_LOOK_AGAIN_S: Final = 0.05


class Keeper:
    """The right to write the history at a path, while `holding` it."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self.path = path
        self._fresh = _fresh_of(path)
        self._tell = tell

    @classmethod
    @contextmanager
    def holding(cls, path: Path, patience_s: float, tell: Tell) -> "Iterator[Keeper]":
        """Hold the lock while inside. Raises Unkeepable where another one has it or nothing can be written there."""
        try:
            lock = _taken(_lock_of(path), patience_s)
        except OSError as error:
            raise Unkeepable(f"{path.parent} cannot be written to: {error.strerror}") from error
        if lock is None:
            raise Unkeepable("another command is writing the history")
        try:
            yield cls(path, tell)
        finally:
            os.close(lock)

    @property
    def lock(self) -> Path:
        """The file whose lock is held; it is empty, and whoever holds it may delete it."""
        return _lock_of(self.path)

    def opened(self) -> History:
        """The history, for writing; a new one where there is none that can be used. Raises Unkeepable."""
        try:
            self._make_usable()
            return History.at(self.path, write=True)
        except (HistoryDamaged, Unkeepable, OSError) as error:
            raise Unkeepable(f"{self.path} cannot be used: {error}") from error

    @contextmanager
    def rebuilding(self) -> Iterator[History]:
        """An empty history, which takes the place of the one there is when the block ends without an error.

        Raises Unkeepable where it cannot be made.
        """
        try:
            fresh = self._new()
        except (OSError, Unkeepable) as error:
            raise Unkeepable(f"{self._fresh} cannot be made: {error}") from error
        try:
            yield fresh
            fresh.close()
            self._put_in_place()
        except OSError as error:
            raise Unkeepable(f"{self.path} cannot be replaced: {error.strerror}") from error
        finally:
            fresh.close()
            self._fresh.unlink(missing_ok=True)

    def set_aside(self, why: str) -> None:
        """Rename what is there, so that a new one can be made, and tell so. Raises OSError."""
        kind = "damaged" if _is_ours(self.path) else "other"
        to = _free(self.path.with_name(f"{self.path.name}.{kind}"))
        self.path.rename(to)
        self._clear_beside()  # what belonged to it would be taken for the new one's
        self._tell(f"{self.path} could not be used ({why}); it is {to.name} now, and the history is made anew.")

    def forget(self, files: Iterable[str]) -> None:
        """Drop recordings, and every older copy of the history. Raises Unkeepable or OSError."""
        if self.path.exists() or self.path.is_symlink():
            history = self.opened()
            try:
                history.forget(files)
            except HistoryDamaged:
                history.close()
                self.path.unlink()
            finally:
                history.close()
        for copy in copies_of(self.path):
            if copy != self.path:
                copy.unlink(missing_ok=True)

    @property
    def strangers(self) -> list[Path]:
        """Files that lay in the history's place and were renamed: nobody knows whose they are."""
        return sorted(self.path.parent.glob(f"{self.path.name}.other*"))

    def _make_usable(self) -> None:
        if not self.path.exists() and not self.path.is_symlink():
            with self.rebuilding():
                return
        trouble = _trouble(self.path)
        if trouble:
            self.set_aside(trouble)
        elif _version(self.path) == VERSION:
            try:
                History.at(self.path, write=True).close()  # which undoes what a kill left half done
                return
            except HistoryDamaged as error:
                self.set_aside(str(error))
        with self.rebuilding():  # in place of another version's
            pass

    def _new(self) -> History:
        self._fresh.unlink(missing_ok=True)
        os.close(host.create_private_file(self._fresh))
        return History.new(self._fresh)

    def _put_in_place(self) -> None:
        """No journal may lie there when a file takes its place, and the old one may need its own until then."""
        if self.path.exists() or self.path.is_symlink():
            self._undo_half_done()
        _sync(self._fresh, os.O_RDWR)
        self._clear_beside()
        self._fresh.replace(self.path)
        with suppress(OSError):
            _sync(self.path.parent, os.O_RDONLY)

    def _undo_half_done(self) -> None:
        trouble = _trouble(self.path)
        if trouble:
            self.set_aside(trouble)
            return
        with suppress(HistoryDamaged, Unkeepable):
            History.at(self.path, write=True).close()

    def _clear_beside(self) -> None:
        for suffix in _BESIDE:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def copies_of(path: Path) -> list[Path]:
    """Files that hold what the history held: it, one that was half made, and those that were set aside as ours."""
    aside = sorted(path.parent.glob(f"{path.name}.damaged*"))
    beside = [path.with_name(path.name + suffix) for suffix in _BESIDE]
    return [each for each in (path, *beside, _fresh_of(path), *aside) if each.exists() or each.is_symlink()]


def readable(path: Path) -> History | None:
    """The history as it is, for reading; None where there is none that can be used as it is."""
    try:
        if _trouble(path) or _version(path) != VERSION:
            return None
        return History.at(path)
    except (HistoryDamaged, Unkeepable, OSError):
        return None


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.lock")


def _fresh_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _taken(lock: Path, patience_s: float) -> int | None:
    give_up_s = time.monotonic() + patience_s
    while True:
        with suppress(FileExistsError):
            os.close(host.create_private_file(lock))
        with suppress(FileNotFoundError):
            held = host.hold_lock(lock)
            if held is not None and _is_at(held, lock):
                return held
            if held is not None:
                os.close(held)  # somebody has deleted everything meanwhile, this lock too
        if time.monotonic() >= give_up_s:
            return None
        time.sleep(_LOOK_AGAIN_S)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES)


def _trouble(path: Path) -> str:
    """Why SQLite shall not even see it; "" where it may. Raises OSError."""
    if path.is_symlink() or not host.is_regular_file(path):
        return "it is no plain file"
    header = _header(path)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return "it is damaged, or no database"
    return "" if int.from_bytes(header[68:72]) == APPLICATION_ID else "it is a database of something else"


def _is_ours(path: Path) -> bool:
    """Whether it was made here: by its header, or by what stands in it where the header is damaged."""
    with suppress(OSError):
        return not _trouble(path) or (not path.is_symlink() and host.is_regular_file(path) and _has_our_tables(path))
    return False


def _has_our_tables(path: Path) -> bool:
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    return b"CREATE TABLE sessions" in beginning and b"median_recovery_s" in beginning


def _version(path: Path) -> int:
    return int.from_bytes(_header(path)[60:64])


def _free(path: Path) -> Path:
    number, found = 1, path
    while found.exists() or found.is_symlink():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
