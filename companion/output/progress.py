"""A bar on stderr for what takes longer than a second; nothing at all where stderr is no terminal.

Knows: terminals. Must never know: what is being done. Whoever shows a bar prints nothing until it is gone.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

SHOW_AFTER_S = 0.8
"""What is done sooner gets no bar: it would only flicker."""

_UPDATE_EVERY_S = 0.1
_ROOM_FOR_TIME = 40
"""Narrower terminals, in columns, go without the time that is left: a line must not wrap."""

Advance = Callable[[float], None]


@contextmanager
def progress(doing: str, total: float | None = None) -> Iterator[Advance]:
    """`advance(amount)` for what is done inside; `doing` is a word or two, `total` the sum of all amounts, if known.

    The bar vanishes at the end, also where an error or Ctrl-C ends it.
    """
    if not _can_show():
        yield lambda _: None
        return
    bar = _Bar(doing, total)
    try:
        yield bar.advance
    finally:
        bar.stop()


def _can_show() -> bool:
    """Whether stderr is a terminal on which a line can be drawn anew. There is none at all under `pythonw`."""
    if sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        return False
    return os.environ.get("TERM", "dumb" if os.name == "posix" else "") not in ("dumb", "unknown")


class _Bar:
    """Shows itself when it has lasted for a while; `rich` is loaded only then."""

    def __init__(self, doing: str, total: float | None) -> None:
        self._doing, self._total = doing, total or None  # of nothing there are no parts
        self._done = 0.0
        self._due_s = time.monotonic() + SHOW_AFTER_S
        self._shown: Progress | None = None

    def advance(self, amount: float) -> None:
        """Cheap, however often it is called."""
        self._done += amount
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _UPDATE_EVERY_S
        if self._shown is None:
            self._shown = _made(self._doing, self._total)
        done = self._done if self._total is None else min(self._done, self._total)
        self._shown.update(self._shown.task_ids[0], completed=done)
        self._shown.start()

    def stop(self) -> None:
        """Take it off the screen."""
        if self._shown is not None:
            self._shown.stop()


def _made(doing: str, total: float | None) -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    shown = Progress(
        *_columns(console.width, known=total is not None),
        console=console,
        transient=True,
        refresh_per_second=5,
        # Rich would lead what is printed meanwhile to stderr, even what goes down a pipe.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    shown.add_task(doing, total=total)
    return shown


def _columns(width: int, *, known: bool) -> "Iterator[ProgressColumn]":
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    yield TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="crop"))
    yield BarColumn(bar_width=None, table_column=Column(ratio=1))
    if known:
        yield TaskProgressColumn(table_column=Column(no_wrap=True))
    if width >= _ROOM_FOR_TIME:
        column = Column(no_wrap=True)
        yield TimeRemainingColumn(table_column=column) if known else TimeElapsedColumn(table_column=column)
