"""`posture sessions`: this user's recordings, newest first.

Knows: the data directory, recordings, the history, the figures of a session. Must never know: how a figure is computed.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from companion.commands.kept import error_words, from_history
from companion.commands.options import SessionsOptions, Shared
from companion.commands.places import Places, close_cut_off, places
from companion.commands.recorded import computed, header_of
from companion.errors import RecordingError
from companion.history import History
from companion.tables.dictionary import names
from companion.tables.instants import elapsed_text
from companion.text import json_text, printable_path

_HEAD = f"{'STARTED':<11}  {'LENGTH':>8}  {'FORWARD':>8}  {'ALERTS':>6}  FILE"


@dataclass(frozen=True, slots=True)
class Listed:
    """One recording: the columns of `sessions`, or why it cannot be read."""

    file: Path
    closed: bool
    columns: dict[str, Any] | None
    error: str = ""


def run(options: SessionsOptions) -> None:
    """Print a table, or one JSON object a line.

    With the recordings' own settings most of it is known from the history; with others each recording is computed.
    """
    where = places(options.shared.data_dir)
    found = _with_settings(where, options.shared) if options.shared.settings else from_history(where, _all_in(where))
    lines = map(_json_line, found) if options.as_json else _table(found)
    is_empty = True
    for line in lines:
        is_empty = False
        print(line, flush=True)
    if is_empty:
        print(f"There are no recordings in {where.sessions} yet.", file=sys.stderr)


def _begin(one: Listed) -> str:
    """When it began, as a text that sorts; what cannot be read comes last, as its name says."""
    return "" if one.columns is None else str(one.columns["started_utc"])


def _with_settings(where: Places, shared: Shared) -> list[Listed]:
    from companion.recording import sessions_in

    close_cut_off(where)
    found = [listed(file.absolute(), shared) for file in sessions_in(where.sessions)]
    return sorted(found, key=_begin, reverse=True)


def _all_in(where: Places) -> Callable[[History], list[Listed]]:
    def read(history: History) -> list[Listed]:
        from companion.recording import sessions_in

        known = history.sessions()
        files = (file.absolute() for file in sessions_in(where.sessions))
        found = [_known(file, known[file.name]) for file in files if file.name in known]
        return sorted(found, key=_begin, reverse=True)

    return read


def _known(file: Path, row: Mapping[str, Any]) -> Listed:
    if row["error"] is not None:
        return Listed(file, closed=False, columns=None, error=error_words(row["error"], file))
    return Listed(file, bool(row["closed"]), {name: row.get(name) for name in names("sessions")})


def listed(file: Path, shared: Shared) -> Listed:
    """One recording, computed in the settled view."""
    from companion.recording import open_recording

    try:
        recording = open_recording(file)
        columns = dict(computed(recording, header_of(recording, shared)).session.summary)
    except RecordingError as error:
        return Listed(file, closed=False, columns=None, error=str(error))
    return Listed(file, recording.closed, columns)


def _json_line(one: Listed) -> str:
    """The columns with the decimals of a summary line, then `file` and `closed` (and `error` where there is one)."""
    from companion.output.lines import summary_line

    columns = dict.fromkeys(names("sessions"))
    if one.columns is not None:
        columns |= json.loads(summary_line(one.columns, str(one.columns["view"])))
        columns.pop("type")
    error = {"error": one.error} if one.error else {}
    return json_text({**columns, "file": str(one.file), "closed": one.closed, **error})


def _table(found: Iterable[Listed]) -> Iterator[str]:
    """The head is there only where a row is."""
    for number, one in enumerate(found):
        if number == 0:
            yield _HEAD
        yield _row(one)


def _row(one: Listed) -> str:
    name = printable_path(one.file.name)
    if one.columns is None:
        return f"{'–':<11}  {'–':>8}  {'–':>8}  {'–':>6}  {name}  cannot be read"
    columns = one.columns
    started = str(columns["started_local"])[5:16].replace("T", " ")
    length, forward = elapsed_text(columns["duration_s"]), elapsed_text(columns["forward_s"])
    state = "" if one.closed else "  open"
    return f"{started:<11}  {length:>8}  {forward:>8}  {columns['alerts']:>6}  {name}{state}"
