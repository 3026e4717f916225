"""Ends links without making anybody wait for long: what takes its time goes on beside, and is awaited at the end.

Knows: links, asyncio. Must never know: why a link ends, what comes next.
"""

import asyncio

from companion.link.client import SensorLink
from companion.link.waiting import end_task


class Partings:
    """The links that are being closed."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[bool]] = set()

    async def close(self, link: SensorLink, patience_s: float) -> None:
        """Close a link; after `patience_s` it goes on beside. Raises nothing."""
        task = asyncio.create_task(link.close())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.wait({task}, timeout=patience_s)

    async def finish(self, patience_s: float) -> None:
        """Wait for all that is still under way, at most so long; then it is cut short."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=patience_s)
        await asyncio.gather(*(end_task(task) for task in tuple(self._under_way)))
