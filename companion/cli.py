"""The command line: parses, calls one command, sets the exit code. All of typer is here.

Knows: words, options, exit codes. Must never know: sensors, files, posture. Commands are imported when they
are called, so that `--help` loads no numerical, radio or screen package.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from companion import __version__, host
from companion.commands import options
from companion.commands.ending import flush_stdout, log_to_stderr, silence_stdout, tell
from companion.commands.words import direction, seconds, shared, simulation, style, times_real_time, with_story
from companion.errors import CompanionError, UsageError

ABOUT = "A motion sensor on the upper back, a measure of slouching, and an alert when a forward posture persists."
STORIES = "demo, upright, slouch, slouch-29s, slouch-31s, slouch-10min, fidget, desk-hour, walk-and-sit"
CARE = "This is not a medical device. Stop at the first discomfort."


class Command(TyperCommand):
    """A command whose `--simulated` may stand without a story, and that ends quietly when it is stopped."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare `--simulated` its story before the options are parsed."""
        return super().parse_args(ctx, with_story(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C, SIGTERM, a closed terminal and a reader that went away end it with 0."""
        log_to_stderr(bool(ctx.params.get("verbose")))
        try:
            with host.stop_signals(_interrupt):
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
        except BrokenPipeError:
            silence_stdout()
            raise typer.Exit(0) from None


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


app = typer.Typer(
    help=ABOUT,
    epilog=CARE,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Every setting, and where the files lie.", epilog=CARE, rich_markup_mode=None)


# ---- options that several commands share

Alias = Annotated[str | None, typer.Argument(metavar="ALIAS", help="The sensor; without it, the first one paired.")]
Simulated = Annotated[
    str | None,
    typer.Option(metavar="[STORY]", help="A simulated sensor: a built-in story (demo) or a motion file (.npz)."),
]
Device = Annotated[str | None, typer.Option(metavar="NAME", help="With --simulated: speak this driver's protocol.")]
Fault = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND@START[+LENGTH]",
        help="What goes wrong in the simulation, such as link@20+20. Repeatable.",
    ),
]
Plain = Annotated[bool, typer.Option("--plain", help="Plain lines instead of a screen.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting for this run. Repeatable.")
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="desk, standing, sofa or one of your own.")]
Mode = Annotated[str | None, typer.Option(metavar="coach|track", help="coach alerts; track only counts.")]
Duration = Annotated[float | None, typer.Option(parser=seconds, metavar="S", help="Stop after so many seconds.")]
DataDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", envvar="POSTURE_DATA_DIR", help="Keep everything this program stores here."),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")]


# ---- the commands


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version, or the help where no command is given."""
    if version:
        print(f"posture-companion {__version__}")
    elif ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command(cls=Command, epilog=CARE)
def scan(
    *,
    timeout: Annotated[float, typer.Option(parser=seconds, metavar="S", help="How long to listen.")] = 10.0,
    json: Json = False,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """List the sensors in range, best signal first."""
    from companion.commands import scan as command

    command.run(
        options.ScanOptions(
            shared=shared(data_dir, verbose),
            simulation=simulation(simulated, device, fault),
            style=style(plain, json),
            timeout_s=timeout,
        )
    )


@app.command(cls=Command, epilog=CARE)
def pair(
    *,
    alias: Annotated[str | None, typer.Argument(metavar="ALIAS", help="What to call the sensor.")] = None,
    address: Annotated[str | None, typer.Option(metavar="A", help="This sensor; without it, the nearest.")] = None,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Find a sensor, bond with it, read what it can do, and remember it."""
    from companion.commands import pair as command

    command.run(
        options.PairOptions(
            shared=shared(data_dir, verbose),
            simulation=simulation(simulated, device, fault),
            style=style(plain, False),
            alias=alias,
            address=address,
        )
    )


@app.command(cls=Command, epilog=CARE)
def calibrate(
    *,
    alias: Alias = None,
    profile: Profile = None,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Take your baseline: hold, bend forward, hold. The steps wait for you."""
    from companion.commands import calibrate as command

    command.run(
        options.CalibrateOptions(
            shared=shared(data_dir, verbose, set_, profile=profile),
            simulation=simulation(simulated, device, fault),
            style=style(plain, False),
            alias=alias,
        )
    )


@app.command(cls=Command, epilog=CARE)
def monitor(
    *,
    alias: Alias = None,
    profile: Profile = None,
    mode: Mode = None,
    duration: Duration = None,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Begin with the guided holds.")] = False,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    json: Json = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Watch posture live; every session is recorded."""
    from companion.commands import monitor as command

    command.run(
        options.MonitorOptions(
            shared=shared(data_dir, verbose, set_, profile=profile, mode=mode),
            simulation=simulation(simulated, device, fault),
            style=style(plain, json),
            alias=alias,
            duration_s=duration,
            calibrate=calibrate,
        )
    )


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
        typer.Option(metavar="LIST", help="Some of sessions,minutes,episodes,samples."),
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


@app.command(cls=Command, epilog=CARE)
def simulate(
    *,
    story: Annotated[str, typer.Argument(metavar="STORY", help=f"{STORIES}; or a motion file (.npz).")],
    to: Annotated[Path | None, typer.Option(metavar="FILE.posture", help="Write a recording, without a radio.")] = None,
    hci: Annotated[
        str | None, typer.Option(metavar="TRANSPORT", help="Be a sensor on this Bluetooth controller.")
    ] = None,
    duration: Duration = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed, another wearer.")] = 0,
    fault: Fault = None,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Play a story into a recording, or as a sensor on a Bluetooth controller."""
    if (to is None) == (hci is None):
        raise UsageError("simulate needs either --to FILE.posture or --hci TRANSPORT.")
    from companion.commands import simulate as command

    command.run(
        options.SimulateOptions(
            shared=shared(data_dir, verbose, set_),
            story=story,
            to=to,
            hci=hci,
            duration_s=duration,
            seed=seed,
            faults=tuple(fault or ()),
        )
    )


@app.command("import", cls=Command, epilog=CARE)
def import_(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A motion file (.npz) or a CSV file.")],
    out: Annotated[Path, typer.Option(metavar="FILE.posture", help="The recording to write.")],
    rate: Annotated[
        float | None,
        typer.Option(metavar="HZ", min=1.0, max=1000.0, help="Needed where the file tells no time."),
    ] = None,
    columns: Annotated[str, typer.Option(metavar="MAP", help="CSV: t=time,ax=...,ay=...,az=...,gx=...")] = "",
    units: Annotated[str, typer.Option(metavar="MAP", help="CSV: t=ms,acc=g,gyr=dps; else s, m/s², rad/s.")] = "",
    up: Annotated[str | None, typer.Option(metavar="X,Y,Z", help="Up at the baseline, in the sensor's frame.")] = None,
    forward: Annotated[str | None, typer.Option(metavar="X,Y,Z", help="Where the wearer faces, likewise.")] = None,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Turn motion that was recorded elsewhere into a recording."""
    from companion.commands import import_file as command

    command.run(
        options.ImportOptions(
            shared=shared(data_dir, verbose, set_),
            file=file,
            out=out,
            rate_hz=rate,
            columns=columns,
            units=units,
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; messages for people go to stderr, three lines at most.

    Only what no user can cause leaves as an exception, with its traceback.
    """
    host.private_from_now_on()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a letter is no reason to stop
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="posture", standalone_mode=False)
    except CompanionError as error:
        return tell(str(error), error.hint, error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "posture"
        return tell(error.format_message(), f"See `{path} --help`.", CompanionError.exit_code)
    except typer.Abort:
        return tell("the input ended.", "", CompanionError.exit_code)
    flush_stdout()
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
