"""The commands that work on recordings and settings: parse, call one command each.

Knows: words, options. Must never know: recordings, posture. Commands are imported when they are called, so that
`--help` loads no numerical, radio or screen package.
"""

from pathlib import Path
from typing import Annotated

import typer

from companion.cli.application import CARE, Command, app
from companion.cli.arguments import DataDir, Json, Plain, Set, Verbose
from companion.commands import options
from companion.commands.words import direction, instant, shared, style, times_real_time
from companion.errors import UsageError

config_app = typer.Typer(help="Every setting, and where the files lie.", epilog=CARE, rich_markup_mode=None)


@app.command(cls=Command, epilog=CARE)
def replay(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording: a path, or a name from `sessions`.")],
    speed: Annotated[float, typer.Option(parser=times_real_time, metavar="N|max", help="Times real time.")] = 1.0,
    settled: Annotated[bool, typer.Option("--settled", help="Late samples in their place, as in `export`.")] = False,
    plain: Plain = False,
    json: Json = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Run a recording through the same pipeline again."""
    from companion.commands import replay as command

    command.run(
        options.ReplayOptions(
            shared=shared(data_dir, verbose, set_),
            style=style(plain, json),
            file=file,
            speed=speed,
            settled=settled,
        )
    )


@app.command(cls=Command, epilog=CARE)
def export(
    *,
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Recordings.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; without it, here.")] = None,
    tables: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Some of sessions,days,minutes,episodes,exposure,samples."),
    ] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="No sensor name, no absolute time.")] = False,
    describe: Annotated[bool, typer.Option("--describe", help="Print what each column means.")] = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Write recordings as CSV files."""
    from companion.commands import export as command

    command.run(
        options.ExportOptions(
            shared=shared(data_dir, verbose, set_),
            files=tuple(files or ()),
            out=out,
            tables=tables,
            describe=describe,
            anonymous=anonymous,
        )
    )


@app.command(cls=Command, epilog=CARE)
def sessions(
    *,
    json: Json = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """List your recordings, newest first."""
    from companion.commands import sessions as command

    command.run(options.SessionsOptions(shared=shared(data_dir, verbose, set_), as_json=json))


@app.command("import", cls=Command, epilog=CARE)
def import_(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A motion file (.npz), a CSV file, a folder or .zip.")],
    out: Annotated[Path, typer.Option(metavar="FILE.posture", help="The recording to write.")],
    rate: Annotated[
        float | None,
        typer.Option(metavar="HZ", min=1.0, max=1000.0, help="Needed where the file tells no time."),
    ] = None,
    columns: Annotated[str, typer.Option(metavar="MAP", help="CSV: t=time,ax=...,ay=...,az=...,gx=...")] = "",
    units: Annotated[
        str, typer.Option(metavar="MAP", help="CSV: t=ms,acc=g,gyr=dps; with --columns else s, m/s², rad/s.")
    ] = "",
    started: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="When it began, such as 2026-10-25T09:30.")
    ] = None,
    zone: Annotated[str | None, typer.Option(metavar="NAME", help="Where --started is meant: Europe/Paris.")] = None,
    up: Annotated[str | None, typer.Option(metavar="X,Y,Z", help="Up at the baseline, in the sensor's frame.")] = None,
    forward: Annotated[str | None, typer.Option(metavar="X,Y,Z", help="Where the wearer faces, likewise.")] = None,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Turn motion that was recorded elsewhere into a recording."""
    if zone is not None and started is None:
        raise UsageError("--zone says where --started is meant.", "Add --started INSTANT.")
    from companion.commands import import_file as command

    command.run(
        options.ImportOptions(
            shared=shared(data_dir, verbose, set_),
            file=file,
            out=out,
            rate_hz=rate,
            columns=columns,
            units=units,
            started=None if started is None else instant(started, zone),
            up=None if up is None else direction(up),
            forward=None if forward is None else direction(forward),
        )
    )


@config_app.command("show", cls=Command, epilog=CARE)
def config_show(*, json: Json = False, set_: Set = None, data_dir: DataDir = None, verbose: Verbose = False) -> None:
    """List every setting: key, value, and where it comes from."""
    from companion.commands import config as command

    command.show(options.ConfigOptions(shared=shared(data_dir, verbose, set_), as_json=json))


@config_app.command("path", cls=Command, epilog=CARE)
def config_path(json: Json = False, data_dir: DataDir = None, verbose: Verbose = False) -> None:
    """Print where the settings file lies; with --json, the other places too."""
    from companion.commands import config as command

    command.path(options.ConfigOptions(shared=shared(data_dir, verbose), as_json=json))


app.add_typer(config_app, name="config")
