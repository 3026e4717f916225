"""CSV tables of a session: whole files or none, private to their owner, never over something that is there.

Knows: computed rows, events and figures as values; the columns come from `dictionary`. Must never know: how
a figure is computed, where a session is stored. Files are written under a temporary name in the same
directory and renamed when all of them are complete.
"""

import csv
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from companion import host
from companion.errors import UsageError
from companion.output.csv_tables import SampleTable, cells_of
from companion.tables.dictionary import DEFAULT_TABLES, TABLES, names
from companion.tables.judged import Judged
from companion.text import printable

__all__ = ["SampleTable", "check_targets", "parse_tables", "write_tables"]

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", re.ASCII)


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
        for path in _targets(session_id, directory, tables).values():
            if path in seen or os.path.lexists(path):
                raise _exists(path)
            seen.add(path)


def write_tables(
    session: Judged,
    directory: Path,
    tables: Sequence[str] = DEFAULT_TABLES,
    samples: SampleTable | None = None,
    *,
    anonymous: bool = False,
) -> list[Path]:
    """Write the tables of one session into `directory` (made if absent) and return their paths.

    `anonymous` leaves the sensor's name, the zone and every absolute time empty. Either every file is there
    at the end or none is. Raises UsageError: a file exists, the directory or a file cannot be written.
    """
    targets = _targets(session.header.session_id, directory, tables)
    check_targets([session.header.session_id], directory, tables)
    host.make_private_dir(directory)
    drafts: dict[Path, Path] = {}
    try:
        for table, target in targets.items():
            draft = directory / f".{target.name[:80]}.{secrets.token_hex(4)}.part"
            drafts[target] = draft
            _write(draft, table, cells_of(table, session, samples, anonymous=anonymous))
        _publish(drafts)
    except OSError as error:
        message = f"The tables could not be written to {directory}: {error.strerror}."
        raise UsageError(message, "Choose another directory with --out.") from error
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return list(targets.values())


def _targets(session_id: str, directory: Path, tables: Sequence[str]) -> dict[str, Path]:
    if _FILE_NAME.fullmatch(session_id) is None:
        shown = printable(session_id)
        raise UsageError(f"The session's id {shown!r} cannot be part of a file name.", "The recording is damaged.")
    return {table: directory / f"{session_id}_{table}.csv" for table in tables}


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists already.", "Choose another directory with --out, or move the file.")


def _write(path: Path, table: str, rows: Iterable[Sequence[str]]) -> None:
    with os.fdopen(host.create_private_file(path), "w", encoding="utf-8", newline="") as file:
        _write_rows(file, table, rows)
        file.flush()
        os.fsync(file.fileno())


def _write_rows(file: TextIO, table: str, rows: Iterable[Sequence[str]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names(table))
    writer.writerows(rows)


def _publish(drafts: dict[Path, Path]) -> None:
    """Give every draft its name. Each is taken exclusively first: nothing is replaced but our own."""
    taken: list[Path] = []
    try:
        for target, draft in drafts.items():
            os.close(host.create_private_file(target))
            taken.append(target)
            draft.replace(target)
    except OSError as error:
        for target in taken:
            target.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise _exists(target) from error
        raise
