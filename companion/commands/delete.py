"""`posture delete`: recordings, forgotten.

Knows: the data directory, recordings, the history. Must never know: what is in a recording, when it began apart.

What was asked for is looked at as a whole first: where anything of it must not be deleted, nothing is. Only recordings
are ever deleted, and what this program made of them. A link is removed and never what it points to.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from companion import host
from companion.commands.options import DeleteOptions
from companion.commands.places import SUFFIX, Places, checked_alias, places, recording_named
from companion.errors import RecordingError, UnsupportedVersion, UsageError
from companion.history import Keeper, Unkeepable, copies_of
from companion.tables.calendar import begin_ns, day_of
from companion.text import printable_path

if TYPE_CHECKING:
    from firmware_protocol.frames import Opened

_PATIENCE_S: Final = 10.0
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite may leave beside a recording; it goes with it."""
_NAMED: Final = 10
"""So many names are listed before the question; of the rest, how many there are."""

_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Doomed:
    """What is to be deleted."""

    recordings: tuple[Path, ...]
    more: tuple[Path, ...] = ()  # leftovers without a recording, and with --all what else is kept of the wearer
    everything: bool = False

    @property
    def files(self) -> Iterator[Path]:
        """All of it; what lies beside a recording before the recording, so that a second try finds it."""
        for recording in self.recordings:
            yield from _beside(recording)
            yield recording
        yield from self.more


def run(options: DeleteOptions) -> None:
    """Look, ask where somebody can answer, delete, and print the paths of what is gone."""
    where = places(options.shared.data_dir)
    doomed = _doomed(options, where)
    if not doomed.recordings and not doomed.more:
        print(_nothing(options, where), file=sys.stderr)
        return
    _require_closed(doomed.recordings, where)
    if sys.stdin is not None and sys.stdin.isatty() and not options.yes and not _is_wanted(doomed, where):
        print("Nothing was deleted.", file=sys.stderr)
        return
    ours = [each for each in doomed.recordings if _is_in(each, where.sessions)]
    if not ours and not doomed.everything:
        _delete(doomed.files)
        return
    _delete_and_forget(doomed, [each.name for each in ours], where)


def _delete_and_forget(doomed: _Doomed, names: list[str], where: Places) -> None:
    """With the history held: nobody else may write into it meanwhile what it is to forget."""
    try:
        with Keeper.holding(where.history, _PATIENCE_S, _warn) as keeper:
            try:
                _delete(doomed.files)
            finally:
                _forget(keeper, doomed, names, where)
            _tell_what_stays(doomed, where, keeper.strangers)
    except Unkeepable as error:
        raise UsageError(f"nothing was deleted: {error}.", "Try again later.") from error


def _forget(keeper: Keeper, doomed: _Doomed, names: list[str], where: Places) -> None:
    """The history holds nothing any more of the recordings that are gone."""
    try:
        if doomed.everything:
            keeper.lock.unlink(missing_ok=True)
        else:
            keeper.forget([name for name in names if not (where.sessions / name).exists()])
    except (Unkeepable, OSError) as error:
        hint = "It is only made of the recordings, and is made again when it is gone."
        raise UsageError(f"the recordings are gone, but not from {where.history}: {error}.", hint) from error


def _delete(files: Iterable[Path]) -> None:
    """Raises UsageError where something remains, once all else is gone."""
    remaining = []
    for file in files:
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            remaining.append(f"{file} ({error.strerror})")
            continue
        if not file.name.endswith(_BESIDE):  # these are part of a recording
            print(printable_path(file))
    if remaining:
        named = ", ".join(remaining[:_NAMED]) + (", and more" if len(remaining) > _NAMED else "")
        raise UsageError(f"{len(remaining)} could not be deleted and remain: {named}.", "All else is gone.")


# ---- what was asked for


def _doomed(options: DeleteOptions, where: Places) -> _Doomed:
    if options.everything:
        recordings, leftovers = _all_in(where.sessions)
        return _Doomed(recordings, (*leftovers, *copies_of(where.history), *_baselines(where)), everything=True)
    if options.before is not None:
        return _Doomed(tuple(_before(options.before, where)))
    chosen = [_recording(where, given) for given in options.files]
    return _Doomed(tuple({path.parent.resolve() / path.name: path for path in chosen}.values()))


def _recording(where: Places, given: Path) -> Path:
    """A recording that the user named; raises UsageError or NotARecording. A damaged one of ours counts as one."""
    from companion.recording.identity import require_recording

    kept = where.sessions / given.name
    path = kept if given.name == str(given) and kept.is_symlink() else given
    path = path if path.is_symlink() else recording_named(where, given)
    if _is_in(path, where.sessions) and path.suffix == SUFFIX and (path.is_symlink() or host.is_regular_file(path)):
        return path
    with suppress(UnsupportedVersion):  # of a newer version of this program: a recording all the same
        require_recording(path)
    return path


def _all_in(directory: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Every recording, and what lies beside one that is gone."""
    try:
        found = sorted(path for path in directory.iterdir() if path.is_symlink() or host.is_regular_file(path))
    except OSError:
        return (), ()
    recordings = tuple(path for path in found if path.suffix == SUFFIX)
    beside = {each for recording in recordings for each in _beside(recording)}
    ends = tuple(SUFFIX + suffix for suffix in _BESIDE)
    return recordings, tuple(path for path in found if path.name.endswith(ends) and path not in beside)


def _before(day: date, where: Places) -> Iterator[Path]:
    """The recordings that began before a day, each in its own zone."""
    unknown = 0
    for path in _all_in(where.sessions)[0]:
        header = _header(path)
        if header is None:
            unknown += 1
        elif header.utc_ns < begin_ns(day, header.zone):
            yield path
    if unknown:
        said = "recording does not say when it" if unknown == 1 else "recordings do not say when they"
        _warn(f"{unknown} {said} began; `posture delete` takes names too, as `posture sessions` shows them.")


def _baselines(where: Places) -> list[Path]:
    """The stored baselines: how somebody sits is theirs as much as a recording of it."""
    return [where.calibrations] if where.calibrations.exists() else []


def _beside(recording: Path) -> Iterator[Path]:
    for suffix in _BESIDE:
        side = recording.with_name(recording.name + suffix)
        if side.exists() and not recording.is_symlink():
            yield side


def _is_in(path: Path, directory: Path) -> bool:
    return path.parent.resolve() == directory.resolve()


def _header(path: Path) -> "Opened | None":
    from companion.recording import open_recording

    try:
        with open_recording(path) as recording:
            return recording.header
    except RecordingError:
        return None


# ---- what must not be


def _require_closed(recordings: Iterable[Path], where: Places) -> None:
    """Raises UsageError that names a recording which a live monitor writes."""
    from companion.recording import is_being_recorded

    for path in recordings:
        if is_being_recorded(path) or (path.is_symlink() and is_being_recorded(path.resolve())):
            pid = _process(path, where)
            by = f" by process {pid}" if pid else ""
            raise UsageError(f"{path} is being recorded now{by}; nothing was deleted.", "End the monitor first.")


def _process(path: Path, where: Places) -> str:
    """The number of the monitor on the recording's sensor, where a lock of that sensor says it."""
    header = _header(path)
    if header is None:
        return ""
    with suppress(OSError, UsageError):
        lock = where.data / f"{checked_alias(header.device)}.lock"
        pid = lock.read_text(encoding="ascii", errors="replace").strip()
        return pid if host.lock_is_held(lock) and pid.isdecimal() else ""
    return ""


# ---- what is said


def _is_wanted(doomed: _Doomed, where: Places) -> bool:
    for line in _question(doomed, where):
        print(line, file=sys.stderr)
    print("There is no way back. Delete? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _question(doomed: _Doomed, where: Places) -> Iterator[str]:
    for path in doomed.recordings[:_NAMED]:
        yield f"  {printable_path(path.name)}" + ("  (the link, not what it points to)" if path.is_symlink() else "")
    if len(doomed.recordings) > _NAMED:
        yield f"  and {len(doomed.recordings) - _NAMED} more"
    size_mb = sum(file.lstat().st_size for file in doomed.files if file.exists() or file.is_symlink()) / _MEGABYTE
    yield f"{_counted(len(doomed.recordings))}{_when(doomed.recordings)}, {size_mb:.1f} MB"
    if doomed.everything:
        yield f"and the history and the stored baselines in {printable_path(where.data)}"


def _when(recordings: Iterable[Path]) -> str:
    headers = [header for header in map(_header, recordings) if header is not None]
    if not headers:
        return ""
    days = sorted(day_of(header.utc_ns, header.zone).isoformat() for header in headers)
    return f" of {days[0]}" if days[0] == days[-1] else f" of {days[0]} to {days[-1]}"


def _counted(number: int) -> str:
    return f"{number} recording" if number == 1 else f"{number} recordings"


def _nothing(options: DeleteOptions, where: Places) -> str:
    if options.before is not None:
        return f"There is no recording from before {options.before.isoformat()} in {where.sessions}."
    return f"There is nothing to delete in {where.data}."


def _tell_what_stays(doomed: _Doomed, where: Places, strangers: list[Path]) -> None:
    if strangers:
        _warn(f"{strangers[0]} lay in the history's place; look whether it is yours.")
    if doomed.everything:
        print(
            f"Every recording, the history and the stored baselines are deleted; paired sensors in {where.data} and "
            f"settings in {where.config} stay.",
            file=sys.stderr,
        )


def _warn(sentence: str) -> None:
    print(f"warning: {sentence}", file=sys.stderr)
