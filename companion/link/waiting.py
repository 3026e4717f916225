"""Waiting for what a radio does: never without an end, and never longer than the link lives.

Knows: asyncio. Must never know: bleak's objects, frames.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from companion.link.errors import link_errors, lost, no_answer

T = TypeVar("T")
_ASK_AGAIN_S = 0.2
_PATIENCE = 10


class Backoff:
    """Half a second, doubling to a minute, each time shortened at random by up to half."""

    def __init__(
        self, random_unit: Callable[[], float] = random.random, first_s: float = 0.5, longest_s: float = 60.0
    ) -> None:
        self._random_unit = random_unit
        self._first_s = first_s
        self._longest_s = longest_s
        self._tries = 0

    def next_s(self) -> float:
        """How long to wait before the next try, in seconds."""
        full_s = min(self._longest_s, self._first_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return full_s * (1.0 - 0.5 * self._random_unit())

    def reset(self) -> None:
        """Begin again at the shortest."""
        self._tries = 0


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, or for 2 s.

    It is asked again and again: before Python 3.12, `asyncio.wait_for` swallows a cancellation that comes together
    with a result, and so does what is built on it.
    """
    for _ in range(_PATIENCE):
        if task.done():
            break
        task.cancel()
        await asyncio.wait({task}, timeout=_ASK_AGAIN_S)
    if task.done() and not task.cancelled():
        task.exception()  # seen


async def until_stopped(
    doing: Coroutine[Any, Any, None], stop: asyncio.Event, end: Callable[[], Awaitable[None]]
) -> None:
    """Carry on `doing` until `stop` is set, then `end`; raises what `doing` fails with, after `end`."""
    keeping = asyncio.create_task(doing)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await end_task(keeping)
        await end()
    if not keeping.cancelled():
        keeping.result()


async def within(doing: Awaitable[T], timeout_s: float, loss: asyncio.Event) -> T:
    """The result of `doing`; raises LinkError when it fails, takes longer, or `loss` is set meanwhile.

    The loss has to be watched besides: on some systems a request on a lost link never returns.
    """
    task = asyncio.ensure_future(_awaited(doing))
    watch = asyncio.ensure_future(loss.wait())
    try:
        done, _ = await asyncio.wait({task, watch}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task not in done:
            raise lost() if watch in done else no_answer()
        if task.cancelled():
            raise lost()
        with link_errors():
            return task.result()
    finally:
        watch.cancel()
        await end_task(task)


async def _awaited(doing: Awaitable[T]) -> T:
    return await doing
