"""CSV tables of sessions: all files of all of them or none, private to their owner, never over something that is there.

Knows: computed rows, events and figures as values; the columns come from `dictionary`. Must never know: how
a figure is computed, where a session is stored. Files are written under a temporary name in the same
directory and renamed when all of them are complete.
"""

import csv
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from companion import host
from companion.errors import RecordingError, UsageError
from companion.output.csv_tables import cells_of, sample_text
from companion.tables.anonymous import pseudonym
from companion.tables.dictionary import DEFAULT_TABLES, TABLES, names
from companion.tables.judged import Judged
from companion.tables.samples import SampleTable
from companion.text import printable, printable_path

__all__ = ["Export", "check_targets", "exporting", "parse_tables"]

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)


def parse_tables(text: str | None) -> tuple[str, ...]:
    """The tables named in a list such as "minutes,samples"; None: the default ones. Raises UsageError."""
    if text is None:
        return DEFAULT_TABLES
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [table for table in wanted if table not in TABLES]
    if unknown or not wanted:
        what = f"there is no table {printable(unknown[0])!r}" if unknown else "no table was named"
        raise UsageError(f"{what[0].upper()}{what[1:]}.", f"There are: {', '.join(TABLES)}.")
    return wanted


def check_targets(session_ids: Iterable[str], directory: Path, tables: Sequence[str] = DEFAULT_TABLES) -> None:
    """Raise UsageError where exporting these sessions would meet a file that exists; call it first."""
    seen: set[Path] = set()
    for session_id in session_ids:
        for path in targets_of(session_id, directory, tables).values():
            if path in seen or os.path.lexists(path):
                raise _exists(path)
            seen.add(path)


def targets_of(session_id: str, directory: Path, tables: Sequence[str]) -> dict[str, Path]:
    """The file of each table. Raises UsageError where the id would lead elsewhere."""
    if _FILE_NAME.fullmatch(session_id) is None or _RESERVED.fullmatch(session_id):
        shown = printable(session_id)
        raise RecordingError(
            f"the session's id {shown!r} cannot be part of a file name.", "No program of ours wrote it."
        )
    return {table: directory / f"{session_id}_{table}.csv" for table in tables}


class Export:
    """Files under temporary names in a directory, until `publish` gives all of them their own. Use `exporting`."""

    def __init__(self, directory: Path, tables: Sequence[str]) -> None:
        self._directory, self._tables = directory, tables
        self._drafts: dict[Path, Path] = {}

    def add(
        self,
        session: Judged,
        samples: SampleTable | None = None,
        *,
        anonymous: bool = False,
        advance: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Write the tables of one session; `advance` is told how many samples each time.

        `anonymous` leaves out what names the wearer or tells when it was. Raises UsageError: a file exists or cannot
        be written; ValueError where the samples are asked for and were not given.
        """
        name = pseudonym(session.header) if anonymous else session.header.session_id
        for table, target in targets_of(name, self._directory, self._tables).items():
            if target in self._drafts or os.path.lexists(target):
                raise _exists(target)
            draft = self._directory / f".{target.name[:80]}.{secrets.token_hex(4)}.part"
            with self._told_in_a_sentence():
                descriptor = host.create_private_file(draft)
                self._drafts[target] = draft
                with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(names(table))
                    if table == "samples":
                        _write_samples(file, samples, advance)
                    else:
                        csv.writer(file, lineterminator="\n").writerows(cells_of(table, session, anonymous=anonymous))
                    file.flush()
                    os.fsync(file.fileno())

    def publish(self) -> list[Path]:
        """Give every file its name, and return the names in the order in which they were added. Raises UsageError."""
        with self._told_in_a_sentence():
            _publish(self._drafts)
        done, self._drafts = list(self._drafts), {}
        return done

    def give_up(self) -> None:
        """Remove what was not published."""
        for draft in self._drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    @contextmanager
    def _told_in_a_sentence(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"The tables could not be written to {printable_path(self._directory)}: {error.strerror}."
            raise UsageError(message, "Choose another directory with --out.") from error


@contextmanager
def exporting(directory: Path, tables: Sequence[str] = DEFAULT_TABLES) -> Iterator[Export]:
    """An Export into a directory, which is made if absent. Whatever ends it before `publish` leaves nothing behind.

    Raises UsageError where the directory cannot be made or written to.
    """
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    export, is_done = Export(directory, tables), False
    try:
        host.make_private_dir(directory)
        yield export
        is_done = True
    finally:
        export.give_up()
        if not is_done:
            for path in made:
                with suppress(OSError):  # somebody else's files may be in it by now
                    path.rmdir()


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{printable_path(path)} exists already.", "Choose another directory with --out, or move the file."
    )


def _write_samples(file: TextIO, samples: SampleTable | None, advance: Callable[[float], None]) -> None:
    if samples is None:
        raise ValueError("the table `samples` needs the session's samples")
    for count, text in sample_text(samples):
        file.write(text)
        advance(count)


def _publish(drafts: Mapping[Path, Path]) -> None:
    """Give every draft its name. Each is taken exclusively first: nothing is replaced but our own."""
    taken: list[Path] = []
    try:
        for target, draft in drafts.items():
            os.close(host.create_private_file(target))
            taken.append(target)
            draft.replace(target)
    except BaseException as error:
        for target in taken:
            target.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise _exists(target) from error
        raise
