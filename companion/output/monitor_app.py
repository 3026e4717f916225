"""The live screen: reads the latest snapshot, shows it, and passes keys on.

Runs in the main thread. Knows: Textual, snapshots. Must never know: the radio, the session, where keys lead
to. It only ever reads one reference and calls one function, so a terminal that nobody reads can stop this
screen and nothing else. Cheap on purpose: a tick paints text and compares it, and only lines that differ
reach Textual.
"""

import asyncio
import select
import sys
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from companion import host
from companion.output import panels
from companion.output.canvas import Line
from companion.output.snapshot import Snapshot
from companion.output.styles import strip

UPDATES_A_SECOND = 4
Painter = Callable[[Snapshot, int, int], list[Line]]

TERMINAL_COLOURS = "ansi-dark"
"""Textual's theme that paints with the terminal's own sixteen colours, on its own background."""


class Panel(Widget):
    """A part of the screen that paints itself from a snapshot and redraws only the lines that differ."""

    def __init__(self, painter: Painter, panel_id: str) -> None:
        super().__init__(id=panel_id)
        self._painter = painter
        self._lines: list[Line] = []
        self._snapshot: Snapshot | None = None

    def on_resize(self) -> None:
        """Paint anew in the new size."""
        if self._snapshot is not None:
            self.look(self._snapshot)

    def look(self, snapshot: Snapshot) -> None:
        """Show this snapshot."""
        self._snapshot = snapshot
        width, height = self.size
        if not width or not height:
            return
        lines = self._painter(snapshot, width, height)
        if lines != self._lines:
            changed = _differing(self._lines, lines)
            self._lines = lines
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """One line of the panel; empty beneath the last."""
        return strip(self._lines[y] if y < len(self._lines) else (), self.size.width)


def _differing(before: Sequence[Line], after: Sequence[Line]) -> list[int]:
    both = min(len(before), len(after))
    changed = [y for y in range(both) if before[y] != after[y]]
    return changed + list(range(both, max(len(before), len(after))))


def _flat(painter: Callable[[Snapshot, int], list[Line]]) -> Painter:
    """A painter of fixed height as one that is told the height too."""
    return lambda snapshot, width, _height: painter(snapshot, width)


def _terminal_takes_text() -> bool:
    """Whether the terminal reads what is written; Textual writes to the original stderr.

    Textual would wait for a terminal that does not read, and then neither a key nor the session's end would be seen.
    """
    try:
        return sys.__stderr__ is None or bool(select.select([], [sys.__stderr__], [], 0)[1])
    except (OSError, ValueError):  # not a thing that can be waited for, as on Windows
        return True


class MonitorApp(App[None]):
    """The live monitor's screen.

    `latest` gives the newest snapshot and must not block; `say` is told ("calibrate", ""), ("snooze",
    "30min"), ("mark", ""), ("false_alarm", "") or ("quit", ""). The app ends on q, Ctrl-C, `end()`, or when
    the latest snapshot says that the session has ended.
    """

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    ALLOW_SELECT = False
    TITLE = "posture monitor"
    CSS = """
    Screen { layout: vertical; overflow: hidden; }
    Panel { height: 1; width: 1fr; }
    #hero { height: 5; margin: 1 1; }
    #angle { width: 2fr; min-width: 28; height: 5; }
    #banner { width: 3fr; height: 5; }
    #slouch { margin: 0 1 0 0; }
    #history { height: 1fr; margin: 1 1 1 0; }
    #facts { height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "tell('calibrate', '')", "calibrate"),
        Binding("s", f"tell('snooze', '{panels.SNOOZE}')", "snooze 30 min"),
        Binding("m", "tell('mark', '')", "mark"),
        Binding("f", "tell('false_alarm', '')", "false alarm"),
        Binding("q,ctrl+c,ctrl+q", "leave", "quit", priority=True),
    ]

    def __init__(self, latest: Callable[[], Snapshot], say: Callable[[str, str], None]) -> None:
        super().__init__()
        self.theme = TERMINAL_COLOURS
        self.animation_level = "none"
        self._latest = latest
        self._say = say
        self._shown: Snapshot | None = None
        self._panels: list[Panel] = []
        self._bells = latest().bells
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._ending = False

    def compose(self) -> ComposeResult:
        """Lay the panels out."""
        yield Panel(_flat(panels.title), "title")
        with Horizontal(id="hero"):
            yield Panel(_flat(panels.angle), "angle")
            yield Panel(panels.banner, "banner")
        yield Panel(_flat(panels.slouch), "slouch")
        yield Panel(panels.history, "history")
        yield Panel(_flat(panels.facts), "facts")
        yield Panel(_flat(panels.note), "note")
        yield Panel(lambda _snapshot, width, _height: panels.keys(width), "keys")

    def on_mount(self) -> None:
        """Start looking at the session."""
        self._running_loop = asyncio.get_running_loop()
        self._panels = list(self.query(Panel))
        self._look()
        self.set_interval(1 / UPDATES_A_SECOND, self._look)

    def _look(self) -> None:
        snapshot = self._latest()
        if snapshot.ended or self._ending:
            self.exit()
            return
        if not _terminal_takes_text():
            return
        if snapshot is not self._shown:
            self._shown = snapshot
            for panel in self._panels:
                panel.look(snapshot)
        if snapshot.bells != self._bells:
            self._bells = snapshot.bells
            self.bell()

    def action_tell(self, kind: str, value: str) -> None:
        """Pass a key on."""
        self._say(kind, value)

    def action_leave(self) -> None:
        """Say so, and leave the screen."""
        self._say("quit", "")
        self.exit()

    def end(self) -> None:
        """Leave the screen; may be called from a signal handler or another thread."""
        self._ending = True  # looked at by every tick, should the loop not run yet
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self.exit)


def run_screen(latest: Callable[[], Snapshot], say: Callable[[str, str], None]) -> None:
    """Show the screen until the session or the wearer ends it; the terminal is as before afterwards.

    SIGTERM, SIGHUP and a Ctrl-C from outside say ("quit", "") as the key does.
    """
    app = MonitorApp(latest, say)

    def stop() -> None:
        say("quit", "")
        app.end()

    with host.stop_signals(stop):
        app.run(mouse=False)
