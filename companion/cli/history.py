"""The commands on what is kept: is a recording whole, how days compare, a page to read, and forgetting.

Knows: words, options. Must never know: recordings, posture. Commands are imported when they are called, so that
`--help` loads no numerical, radio or screen package.
"""

from pathlib import Path
from typing import Annotated

import typer

from companion.cli.application import CARE, Command, app
from companion.cli.arguments import DataDir, Json, Set, Verbose
from companion.commands import options
from companion.commands.words import local_day, local_week, shared
from companion.errors import UsageError

Files = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE", help="Recordings: paths, or names from `sessions`.")
]


@app.command(cls=Command, epilog=CARE)
def verify(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording: a path, or a name from `sessions`.")],
    json: Json = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Compute a recording's checksums and figures again and compare; ends with 1 where something differs."""
    from companion.commands import verify as command

    is_equal = command.run(
        options.VerifyOptions(shared=shared(data_dir, verbose), file=file, as_json=json),
    )
    if not is_equal:
        raise typer.Exit(1)


@app.command(cls=Command, epilog=CARE)
def history(
    *,
    week: Annotated[bool, typer.Option("--week", help="The last 7 local days, today included.")] = False,
    month: Annotated[bool, typer.Option("--month", help="The last 31 local days, today included.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compute all of it from the recordings again.")] = False,
    json: Json = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Show how your days compare: time forward, episodes, recovery, data; the latest 31 days that have a session.

    --json without --week or --month gives all days.
    """
    if week and month:
        raise UsageError("--week and --month exclude each other.")
    from companion.commands import history as command

    command.run(
        options.HistoryOptions(
            shared=shared(data_dir, verbose),
            span="week" if week else "month" if month else "all",
            rebuild=rebuild,
            as_json=json,
        )
    )


@app.command(cls=Command, epilog=CARE)
def report(
    *,
    files: Files = None,
    day: Annotated[str | None, typer.Option(metavar="D", help="All of a day: 2026-11-22, today, yesterday.")] = None,
    week: Annotated[
        str | None, typer.Option(metavar="W", help="All of this week, such as 2026-W47, or of a day's week.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Where to; without it, here.")] = None,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Write one HTML page that reads without a network: angles over time, episodes, exposure, data quality."""
    if sum((bool(files), day is not None, week is not None)) != 1:
        raise UsageError("report needs one of: recordings, --day, --week.", "`posture sessions` lists the recordings.")
    from companion.commands import report as command

    command.run(
        options.ReportOptions(
            shared=shared(data_dir, verbose, set_),
            files=tuple(files or ()),
            day=None if day is None else local_day(day),
            week=None if week is None else local_week(week),
            out=out,
        )
    )


@app.command(cls=Command, epilog=CARE)
def delete(
    *,
    files: Files = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="All that began before this day, such as 2026-01-31.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every recording, the history, stored baselines.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Delete recordings, and what the history says of them; there is no way back."""
    if sum((bool(files), before is not None, everything)) != 1:
        raise UsageError(
            "delete needs one of: recordings, --before, --all.", "`posture sessions` lists the recordings."
        )
    from companion.commands import delete as command

    command.run(
        options.DeleteOptions(
            shared=shared(data_dir, verbose),
            files=tuple(files or ()),
            before=None if before is None else local_day(before),
            everything=everything,
            yes=yes,
        )
    )
