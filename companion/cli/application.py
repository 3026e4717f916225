"""The application: its one command class, the exit codes, and what stands above all commands. Words are in `arguments`.

Knows: typer, errors. Must never know: any command but by its name.
"""

import errno
import io
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from companion import __version__, host
from companion.commands.ending import flush_stdout, log_to_stderr, silence_stdout, tell
from companion.commands.words import with_story
from companion.errors import CompanionError

ABOUT = "A motion sensor on the upper back, a measure of slouching, and an alert when a forward posture persists."
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
            print("stopped before the end", file=sys.stderr)
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
        flush_stdout()
    except CompanionError as error:
        return tell(str(error), error.hint, error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "posture"
        return tell(error.format_message(), f"See `{path} --help`.", CompanionError.exit_code)
    except typer.Abort:
        return tell("the input ended.", "", CompanionError.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        silence_stdout()
        return tell("what was to be written has no room.", "Make room on the disk.", CompanionError.exit_code)
    return code if isinstance(code, int) else 0
