"""The command line: parses, calls one command, sets the exit code. All of typer is here.

Knows: words, options, exit codes. Must never know: sensors, files, posture.
"""

from companion.cli import air, checks, files, history  # their commands register themselves
from companion.cli.application import app, main
from companion.cli.arguments import STORIES

__all__ = ["STORIES", "air", "app", "checks", "files", "history", "main"]
