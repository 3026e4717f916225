"""The history brought up to date: what changed in the directory of sessions is computed, the rest is known.

Knows: recordings, the history, the figures of a session. Must never know: how anything is printed.

Where nothing has changed, neither a recording is opened nor a numerical package loaded, and nothing is written. A
session that is being recorded counts with what it has so far and is not kept. Where the history cannot be written, or
another command writes it, everything is computed in memory and the answer is the same.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from companion import __version__
from companion.commands.places import Places, close_cut_off
from companion.errors import NotARecording, RecordingError, UnsupportedVersion, UsageError
from companion.history import Entry, History, HistoryDamaged, Keeper, Stamp, Unkeepable, stamps_in
from companion.history.entry import stamp_of
from companion.history.keeping import readable
from companion.history.schema import TABLES
from companion.output.progress import Advance, progress

T = TypeVar("T")
Values = Mapping[str, Any]
Wanted = Callable[[History], T]

PATIENCE_S: Final = 2.0
"""Bringing it up to date after one session takes less; after that another command is making all of it."""

REBUILD_PATIENCE_S: Final = 10.0

_PATH: Final = "\ufffc"
"""Stands for the recording's path in a kept sentence: the directory may be moved."""


def from_history(where: Places, wanted: Wanted[T]) -> T:
    """What `wanted` reads from the history, once that is up to date; nothing is made where there are no recordings."""
    found = _as_it_is(where, wanted)
    if found is not None:
        return found[0]
    notes: list[str] = []
    try:
        return _from_updated(where, wanted, notes.append)
    finally:
        _tell(notes)


def rebuilt(where: Places, wanted: Wanted[T]) -> T:
    """The same from a history that is made anew, whatever the old one says. Raises UsageError where it cannot be."""
    if not stamps_in(where.sessions) and not where.history.exists():
        return wanted(History.in_memory())
    notes: list[str] = []
    close_cut_off(where)
    try:
        with Keeper.holding(where.history, REBUILD_PATIENCE_S, notes.append) as keeper, keeper.rebuilding() as history:
            _bring_up_to_date(history, where, notes.append)
            return wanted(history)
    except Unkeepable as error:
        raise UsageError(f"the history cannot be made anew: {error}.", "Try again later.") from error
    finally:
        _tell(notes)


def columns_kept(where: Places, file: Path) -> Values | None:
    """What the history says of one recording as it is now, and by which version (`computed_by`); None: nothing."""
    history = readable(where.history) if file.absolute().parent.resolve() == where.sessions.resolve() else None
    if history is None:
        return None
    try:
        row = history.sessions().get(file.name)
    except (HistoryDamaged, Unkeepable):
        return None
    finally:
        history.close()
    return row if row is not None and Stamp(row["size"], row["mtime_ns"]) == stamp_of(file) else None


def error_words(error: str, file: Path) -> str:
    """A kept sentence about a recording that cannot be read, with the path at which it lies now."""
    return error.replace(_PATH, str(file))


def _tell(notes: Iterable[str]) -> None:
    for note in dict.fromkeys(notes):
        print(f"warning: {note}", file=sys.stderr)


def _as_it_is(where: Places, wanted: Wanted[T]) -> tuple[T] | None:
    """The answer where the history is up to date and can be trusted."""
    history = readable(where.history)
    if history is None:
        return None
    try:
        is_up_to_date = history.stamps(__version__) == stamps_in(where.sessions)
        return (wanted(history),) if is_up_to_date else None
    except (HistoryDamaged, Unkeepable):
        return None
    finally:
        history.close()


def _from_updated(where: Places, wanted: Wanted[T], tell: Callable[[str], None]) -> T:
    if not stamps_in(where.sessions) and not where.history.exists():
        return wanted(History.in_memory())
    close_cut_off(where)
    try:
        with Keeper.holding(where.history, PATIENCE_S, tell) as keeper:
            return _from_kept(keeper, where, wanted, tell)
    except Unkeepable as error:
        tell(f"the history is only read: {error}; what it lacks is computed now and not kept.")
    return _from_memory(where, wanted, tell)


def _from_kept(keeper: Keeper, where: Places, wanted: Wanted[T], tell: Callable[[str], None]) -> T:
    history = keeper.opened()
    try:
        _bring_up_to_date(history, where, tell)
        return wanted(history)
    except HistoryDamaged as error:
        history.close()
        trouble = str(error)
    finally:
        history.close()
    try:
        keeper.set_aside(trouble)
    except OSError as error:
        raise Unkeepable(f"{keeper.path} is damaged and cannot be renamed: {error.strerror}") from error
    with keeper.rebuilding() as history:
        _bring_up_to_date(history, where, tell)
        return wanted(history)


def _from_memory(where: Places, wanted: Wanted[T], tell: Callable[[str], None]) -> T:
    kept = readable(where.history)
    try:
        history = History.in_memory(kept)
        _bring_up_to_date(history, where, tell)
        return wanted(history)
    except (HistoryDamaged, Unkeepable):
        history = History.in_memory()
        _bring_up_to_date(history, where, tell)
        return wanted(history)
    finally:
        if kept is not None:
            kept.close()


def _bring_up_to_date(history: History, where: Places, tell: Callable[[str], None]) -> None:
    """Each recording is kept as soon as it is computed, so that what was done stays done."""
    found, known = stamps_in(where.sessions), history.stamps(__version__)
    gone = known.keys() - found.keys()
    if gone:
        _write(lambda: history.forget(gone), tell)
    changed = [name for name in sorted(found, reverse=True) if known.get(name) != found[name]]
    with progress("history", sum(found[name].size for name in changed)) as advance:
        for name in changed:
            _look_anew(history, where.sessions / name, found[name], tell, advance)


def _look_anew(history: History, path: Path, stamp: Stamp, tell: Callable[[str], None], advance: Advance) -> None:
    entry, stays = entry_of(path, stamp, advance)
    if stamp_of(path) is None:
        return  # deleted meanwhile
    if not stays or stamp_of(path) != stamp or not _write(lambda: history.put(entry, __version__), tell):
        history.let_pass(entry)


def _write(act: Callable[[], None], tell: Callable[[str], None]) -> bool:
    """Whether it was kept; HistoryDamaged goes on to who can set it aside."""
    try:
        act()
    except Unkeepable as error:
        tell(f"the history cannot be written: {error}; what it lacks is computed each time.")
        return False
    except (ValueError, OverflowError):
        return False  # figures of a strange recording, which the database does not take
    return True


def entry_of(path: Path, stamp: Stamp, advance: Advance = lambda _: None) -> tuple[Entry, bool]:
    """A recording's rows in the settled view with its own settings, and whether they stay as they are.

    `advance` is told how many bytes of `stamp` are done.
    """
    from companion.commands.recorded import computed
    from companion.recording import is_being_recorded, open_recording
    from companion.tables.rows import rows_of

    lives = is_being_recorded(path)
    try:
        with open_recording(path) as recording:
            a_frame = stamp.size / max(recording.frame_count, 1)
            session = computed(recording, recording.header, advance=lambda frames: advance(frames * a_frame)).session
            rows = {table: list(rows_of(table, session)) for table in TABLES}
            lost = [to_s - from_s for from_s, to_s, _ in recording.damage]
            closed = recording.closed
    except RecordingError as error:
        stays = isinstance(error, NotARecording | UnsupportedVersion) and not isinstance(error.__cause__, OSError)
        sentence = str(error).replace(str(path), _PATH)
        return Entry(path.name, stamp, closed=False, error=sentence), stays and not lives
    damage_s = float(sum(lost)) if lost else None
    return Entry(path.name, stamp, closed, damage_s, rows=rows), not lives and (closed or bool(lost))
