"""How the program speaks to people on its way out: few lines on stderr, and no complaint where nobody listens.

Knows: the standard streams, the log. Must never know: what was done.
"""

import logging
import os
import sys

from companion.text import printable, printable_path

_LONGEST = 1000  # a message may quote a path


def tell(message: str, hint: str, code: int) -> int:
    """Print what happened and what to do about it, a line each, on stderr; returns the exit code."""
    for line in (f"error: {message}", hint):
        if line:
            print(printable(line, _LONGEST), file=sys.stderr)
    return code


def flush_stdout() -> None:
    """Write what is still buffered now, where a reader that went away can be borne."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush meets no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Printable(logging.Formatter):
    """What is logged may quote a sensor, and a terminal obeys what it is sent."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable_path, super().format(record).split("\n")))


def log_to_stderr(verbose: bool) -> None:
    """The log goes to stderr where it is asked for; else nowhere, as a screen or few lines may be shown there."""
    handler = logging.StreamHandler() if verbose else logging.NullHandler()
    handler.setFormatter(_Printable("%(relativeCreated)d ms %(name)s: %(message)s"))
    logger = logging.getLogger("companion")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    logger.propagate = False
