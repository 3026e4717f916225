"""Asks whoever sits at the terminal; without a terminal nobody agrees.

Knows: stdin and stderr. Must never know: what is asked for, sensors, files.
"""

import asyncio
import sys


def somebody_is_there() -> bool:
    """Whether there is a terminal at which somebody could be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


async def agrees(reason: str, question: str) -> bool:
    """Whether the person at the terminal says yes; no is what Enter means, and no terminal."""
    if not somebody_is_there():
        return False
    print(f"{reason}\n{question} [y/N] ", end="", file=sys.stderr, flush=True)
    await _line_typed()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _line_typed() -> None:
    """Until a line has been typed; meanwhile the radio goes on and Ctrl-C is heard.

    Where a terminal cannot be waited for (Windows), reading the line does the waiting.
    """
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, typed.set)
    except (NotImplementedError, OSError, ValueError):
        return
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
