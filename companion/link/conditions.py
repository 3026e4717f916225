"""Whether this computer's Bluetooth can be used, as far as the system tells, for those who wait for it.

Knows: asyncio, words. Must never know: how the system tells, sensors, links.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from companion.link.waiting import end_task

T = TypeVar("T")


class Conditions:
    """`trouble` says in words why no sensor can be reached; "" where nothing is known to be in the way.

    `known` says whether the system tells at all. `on_change`, where there is one, is called with the words whenever
    they become others.
    """

    def __init__(self, on_change: Callable[[str], None] | None = None) -> None:
        self.trouble = ""
        self.known = False
        self._on_change = on_change
        self._change = asyncio.Event()

    def tell(self, trouble: str) -> None:
        """The system says that this is how it is now."""
        self.known = True
        if trouble == self.trouble:
            return
        self.trouble = trouble
        self.nudge()
        if self._on_change is not None:
            self._on_change(trouble)

    def nudge(self) -> None:
        """Have everybody who waits for a change look again."""
        self._change.set()
        self._change = asyncio.Event()

    @property
    def next_change(self) -> asyncio.Event:
        """Set as soon as conditions are others than now, or somebody has to look again."""
        return self._change

    async def unless_changed(self, doing: Coroutine[Any, Any, T], since: asyncio.Event | None = None) -> T | None:
        """The result of `doing`, which is ended, with None as the result, where conditions change meanwhile.

        `since`: an earlier `next_change`, so that what changed between then and now counts too.
        """
        task, change = asyncio.create_task(doing), asyncio.create_task((since or self._change).wait())
        try:
            await asyncio.wait({task, change}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            await end_task(change)
            await end_task(task)


Watch: TypeAlias = Callable[[Conditions], Coroutine[Any, Any, None]]
"""Tells conditions what the system says, until it is cancelled, or ends where the system says nothing."""
