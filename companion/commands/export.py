"""`posture export`: recordings as CSV tables, in the settled view.

Knows: recordings, sessions, tables. Must never know: how a figure is computed or a cell is written.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from companion.commands.options import ExportOptions
from companion.commands.recorded import computed, doubtful_times, header_of, opened, trouble
from companion.errors import UsageError
from companion.text import printable_path
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    from companion.output.csv_export import Export
    from companion.output.progress import Advance
    from companion.recording import Recording


def run(options: ExportOptions) -> None:
    """Write the tables of every recording and print their paths; all of them, or nothing at all."""
    if options.describe:
        from companion.output.csv_dictionary import describe

        print("\n".join(describe()))
        return
    if not options.files:
        raise UsageError("export needs at least one recording.", "`posture sessions` lists them.")
    from companion.output.csv_export import check_targets, exporting, parse_tables
    from companion.output.progress import progress
    from companion.tables.anonymous import pseudonym

    tables, directory = parse_tables(options.tables), options.out or Path()
    recordings = [opened(options.shared, file) for file in options.files]
    headers = [header_of(recording, options.shared) for recording in recordings]
    _all_different(recordings)
    names = [pseudonym(header) if options.anonymous else header.session_id for header in headers]
    check_targets(names, directory, tables)
    frames = sum(recording.frame_count for recording in recordings)
    told = list[str]()
    with (
        exporting(directory, tables) as export,
        progress("exporting", frames * (2 if "samples" in tables else 1)) as advance,
    ):
        for recording, header in zip(recordings, headers, strict=True):
            told += _add(export, recording, header, tables, anonymous=options.anonymous, advance=advance)
        paths = export.publish()
    for sentence in told:
        print(f"warning: {sentence}", file=sys.stderr)
    for path in paths:
        print(path)


def _all_different(recordings: "Sequence[Recording]") -> None:
    """A session counts once: tables of two copies would be taken for two sessions, or overwrite each other."""
    first: dict[str, Path] = {}
    for recording in recordings:
        same, shown = first.get(recording.header.session_id), printable_path(recording.path)
        if same == recording.path:
            raise UsageError(f"{shown} was named twice.", "Name it once.")
        if same is not None:
            raise UsageError(f"{shown} and {printable_path(same)} are the same session.", "Name one of them.")
        first[recording.header.session_id] = recording.path


def _add(
    export: "Export",
    recording: "Recording",
    header: Opened,
    tables: Sequence[str],
    *,
    anonymous: bool,
    advance: "Advance",
) -> list[str]:
    """Write one session's tables as drafts; what is to be said about it. Its samples count as much as its frames."""
    found = computed(
        recording,
        header,
        keep_samples="samples" in tables,
        keep_exposed="exposure" in tables,
        advance=advance,
    )
    frames_a_sample = recording.frame_count / max(len(found.samples.samples), 1) if found.samples else 0.0
    export.add(
        found.session,
        found.samples,
        anonymous=anonymous,
        advance=lambda samples: advance(samples * frames_a_sample),
    )
    return [*trouble(recording), *([] if anonymous else doubtful_times(recording, found))]
