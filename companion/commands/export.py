"""`posture export`: recordings as CSV tables, in the settled view.

Knows: recordings, sessions, tables. Must never know: how a figure is computed or a cell is written.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from companion.commands.options import ExportOptions
from companion.commands.recorded import Computed, computed, header_of, opened, trouble
from companion.errors import UsageError

if TYPE_CHECKING:
    from companion.output.csv_export import SampleTable


def run(options: ExportOptions) -> None:
    """Write the tables of every recording and print their paths; nothing is written where anything is in the way."""
    if options.describe:
        from companion.tables.dictionary import describe

        print("\n".join(describe()))
        return
    if not options.files:
        raise UsageError("export needs at least one recording.", "`posture sessions` lists them.")
    from companion.output.csv_export import check_targets, parse_tables, write_tables

    tables = parse_tables(options.tables)
    directory = options.out or Path()
    recordings = [opened(options.shared, file) for file in options.files]
    headers = [header_of(recording, options.shared) for recording in recordings]
    check_targets([header.session_id for header in headers], directory, tables)
    for recording, header in zip(recordings, headers, strict=True):
        found = computed(recording, header, keep_angles="samples" in tables, keep_exposed="exposure" in tables)
        for sentence in trouble(recording):
            print(f"warning: {sentence}", file=sys.stderr)
        samples = _samples_of(found) if "samples" in tables else None
        for path in write_tables(found.session, directory, tables, samples, anonymous=options.anonymous):
            print(path)


def _samples_of(found: Computed) -> "SampleTable":
    from companion.output.csv_export import SampleTable

    angles = found.angles
    return SampleTable(
        samples=angles,
        t_session_ns=angles["t_session_ns"],
        sagittal_deg=angles["sagittal_deg"],
        lateral_deg=angles["lateral_deg"],
    )
