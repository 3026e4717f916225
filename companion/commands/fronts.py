"""The main thread's side of a live session: prints its lines as they come, or shows the screen, until it ends.

Knows: listeners, the terminal. Must never know: how a session runs.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from companion import host
from companion.commands.live import Live, Plan

if TYPE_CHECKING:
    from companion.settings import Settings


@dataclass(slots=True)
class Ending:
    """How a session went: why a guided calibration gave no baseline ("": it did, or none was asked for), and whether
    a signal ended it."""

    refusal: str = ""
    by_signal: bool = False


def in_lines(plan: Plan, style: str) -> Ending:
    """Run a session and print its lines as they come; Ctrl-C, SIGTERM and a closed terminal end it in order."""
    from companion.commands.listeners import LineListener
    from companion.output.lines import LineWriter

    listener, writer = LineListener(style, bell=sys.stdout.isatty()), LineWriter(sys.stdout.buffer)
    live, ending = Live(plan, listener), Ending()

    def stop() -> None:
        ending.by_signal = True
        live.stop()

    with host.stop_signals(stop):
        live.start()
        try:
            while (lines := listener.lines.get()) is not None and writer.put(lines):
                pass
        finally:  # also where nobody reads any more
            live.stop()
            live.join()
    if listener.unread:
        print(f"warning: {listener.unread} lines were not printed: nobody read them.", file=sys.stderr)
    ending.refusal = listener.refusal
    return ending


def on_screen(plan: Plan, settings: "Settings") -> None:
    """Run a session on the live screen, then print its figures."""
    from companion.commands.listeners import ScreenListener
    from companion.output.monitor_app import run_screen

    listener = ScreenListener(settings)
    live = Live(plan, listener)
    live.start()
    try:
        run_screen(listener.latest, live.say)
    finally:
        live.stop()
        live.join()
    for line in listener.figures():
        print(line)
