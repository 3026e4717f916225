"""A thousand links made and lost leave nothing behind: no task, no descriptor, no connection, no callback."""

import asyncio
import gc
import sys
from pathlib import Path

import pytest
from bumble.device import Connection

from companion.link.client import SensorLink
from companion.link.status import LinkState
from firmware_protocol import LinkDown, LinkUp

CYCLES = 1000


def descriptors() -> list[str]:
    """What this process has open: a number and what it leads to."""
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sorted(f"{each.name} {each.readlink()}" for each in links)


@pytest.fixture
def plain_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """bumble writes every packet in colours for a log that nobody keeps: a third of the time."""
    for name, module in list(sys.modules.items()):
        if name.startswith("bumble.") and hasattr(module, "color"):
            monkeypatch.setattr(module, "color", lambda text, *_colours, **_styles: text)


def alive(kind: type) -> int:
    gc.collect()
    return sum(isinstance(each, kind) for each in gc.get_objects())


@pytest.mark.slow
async def test_a_thousand_losses_leave_nothing_behind(on_air, plain_logs):
    rig = await on_air(speed=5.0)
    tasks, open_before = len(asyncio.all_tasks()), descriptors()
    ups = downs = 0
    async with rig.running() as supervisor:
        for _ in range(CYCLES):
            await rig.until(lambda: supervisor.status.state is LinkState.STREAMING)
            rig.sim.cut_link()
            await rig.until(lambda: len(rig.of(LinkDown)) == 1)
            ups, downs = ups + len(rig.of(LinkUp)), downs + 1
            rig.frames.clear()
            rig.statuses.clear()
            rig.hci.clear()
        await rig.until(lambda: supervisor.status.state is LinkState.STREAMING)
    assert (ups, downs) == (CYCLES, CYCLES)
    await rig.until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert descriptors() == open_before
    assert alive(SensorLink) <= 1
    assert alive(Connection) <= 4  # those that the last exchange may still hold
