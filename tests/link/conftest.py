"""Simulated sensors on a simulated radio, reached by the real bleak; nothing here is a stand-in for our own parts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from companion.link.radio import Radio
from companion.link.status import LinkState, LinkStatus
from companion.link.supervisor import Supervisor
from companion.simulator.faults import Faults
from companion.simulator.radio import HciPacket, SimulatedRadio
from companion.simulator.sensor import Firmware
from companion.simulator.served import Appearance
from companion.simulator.stories import body_of
from firmware_protocol import Decoded, Frame, driver

GUARD_S = 20.0  # only so that a test that is broken ends


class Named(Firmware):
    """Our own sensor under another name."""

    called = "Posture 1234"

    @property
    def appearance(self) -> Appearance:
        return replace(super().appearance, name=self.called)


@dataclass
class Rig:
    """A sensor, the air, and everything that the link has emitted."""

    firmware: Any
    sim: SimulatedRadio
    hci: list[HciPacket]
    frames: list[Frame] = field(default_factory=list)
    statuses: list[LinkStatus] = field(default_factory=list)

    @property
    def radio(self) -> Radio:
        return Radio(self.sim.scanner_backend, self.sim.client_backend, self.sim.adapter_backend)

    def supervisor(self, of: str = "posture_v1", **options: Any) -> Supervisor:
        return Supervisor(driver(of), self.radio, self.frames.append, on_status=self.statuses.append, **options)

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[Supervisor]:
        """A supervisor that runs inside and is stopped in an orderly way at the end."""
        supervisor, stop = self.supervisor(**options), asyncio.Event()
        task = asyncio.create_task(supervisor.run(stop))
        try:
            yield supervisor
        finally:
            stop.set()
            async with asyncio.timeout(GUARD_S):
                await task

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(GUARD_S):
            while not reached():
                await asyncio.sleep(0.005)

    async def until_streaming(self) -> None:
        await self.until(lambda: bool(self.statuses) and self.statuses[-1].state is LinkState.STREAMING)

    async def until_story(self, seconds: float) -> None:
        await self.until(lambda: self.sim.story_s() >= seconds)

    def of(self, *kinds: type) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kinds)]

    def states(self) -> list[LinkState]:
        """The states in order, each once in a row."""
        told = [status.state for status in self.statuses]
        return [state for before, state in zip([None, *told], told, strict=False) if state is not before]

    def decoded(self) -> Decoded:
        return driver("posture_v1").new_decoder().feed(self.frames)


async def switched_on(stack: AsyncExitStack, *sensors: Any, **options: Any) -> Rig:
    hci: list[HciPacket] = []
    sim = SimulatedRadio(*sensors, hci_log=hci.append, **options)
    return Rig(sensors[0], await stack.enter_async_context(sim), hci)


MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def on_air() -> AsyncIterator[MakeRig]:
    """Makes rigs: `await on_air("upright", "link@5+2", speed=20)`."""
    async with AsyncExitStack() as stack:

        async def make(story: str = "upright", *faults: str, speed: float = 20.0, **options: Any) -> Rig:
            firmware = Named(body_of(story), faults=Faults.of(faults))
            firmware.called = options.pop("name", firmware.called)
            return await switched_on(stack, firmware, speed=speed, **options)

        yield make


@pytest.fixture
async def among() -> AsyncIterator[MakeRig]:
    """Makes rigs of any devices: `await among(plain("BBC micro:bit", ...), ...)` (`plain` is in fake_air.py)."""
    async with AsyncExitStack() as stack:

        async def make(*sensors: Any, **options: Any) -> Rig:
            return await switched_on(stack, *sensors, **options)

        yield make
