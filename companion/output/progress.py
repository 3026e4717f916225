"""A bar on stderr for what takes longer than a second; nothing at all where stderr is no terminal.

Knows: terminals. Must never know: what is being done.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

SHOW_AFTER_S = 0.8
"""What is done sooner gets no bar: it would only flicker."""

Advance = Callable[[float], None]


@contextmanager
def progress(doing: str, total: float | None = None) -> Iterator[Advance]:
    """`advance(amount)` for what is done inside; `doing` is a word or two, `total` the sum of all amounts, if known.

    The bar vanishes at the end, also where an error or Ctrl-C ends it.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    bar = _Bar(doing, total)
    try:
        yield bar.advance
    finally:
        bar.stop()


class _Bar:
    """Shows itself when it has lasted for a while; `rich` is loaded only then."""

    def __init__(self, doing: str, total: float | None) -> None:
        self._doing, self._total = doing, total
        self._done = 0.0
        self._show_s = time.monotonic() + SHOW_AFTER_S
        self._shown: Progress | None = None

    def advance(self, amount: float) -> None:
        self._done += amount
        if self._shown is None and time.monotonic() >= self._show_s:
            self._shown = _started(self._doing, self._total)
        if self._shown is not None:
            self._shown.update(self._shown.task_ids[0], completed=self._done)

    def stop(self) -> None:
        if self._shown is not None:
            self._shown.stop()


def _started(doing: str, total: float | None) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    shown.add_task(doing, total=total)
    shown.start()
    return shown
