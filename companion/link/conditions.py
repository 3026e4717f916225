"""Whether this computer's Bluetooth can be used, as far as the system tells, for those who wait for it. Pure.

Knows: asyncio, words. Must never know: how the system tells, sensors, links.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


class Conditions:
    """`trouble` says in words why no sensor can be reached; "" where nothing is known to be in the way.

    `on_trouble`, where there is one, is called with the words whenever a trouble begins.
    """

    def __init__(self, on_trouble: Callable[[str], None] | None = None) -> None:
        self.trouble = ""
        self._on_trouble = on_trouble
        self._change = asyncio.Event()

    def tell(self, trouble: str) -> None:
        """The system says that this is how it is now."""
        if trouble == self.trouble:
            return
        self.trouble = trouble
        self._change.set()
        self._change = asyncio.Event()
        if trouble and self._on_trouble is not None:
            self._on_trouble(trouble)

    async def unless_changed(self, doing: Coroutine[Any, Any, T]) -> T | None:
        """The result of `doing`, which is cancelled, with None, where conditions change meanwhile."""
        task, change = asyncio.create_task(doing), asyncio.create_task(self._change.wait())
        try:
            await asyncio.wait({task, change}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for each in (task, change):
                each.cancel()
            await asyncio.gather(task, change, return_exceptions=True)


Watch: TypeAlias = Callable[[Conditions], Awaitable[None]]
"""Tells conditions what the system says, until it is cancelled, or ends where the system says nothing."""
