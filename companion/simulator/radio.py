"""Simulated radios: a whole air in this process, a host on somebody else's controller, a sensor on a real one.

Knows: which parts make a radio. Must never know: what the sensor measures, what the host does with it.
Importing this without bumble raises UsageError with what to install.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from companion.errors import UsageError
from companion.host import boot_ns
from companion.simulator.bumble_extra import Device, LocalLink, Transport, new_air, open_transport
from companion.simulator.central import Central, HciLog, HciPacket
from companion.simulator.controller import VirtualController
from companion.simulator.peripheral import Peripheral
from companion.simulator.radio_backend import backends
from companion.simulator.sensor_device import sensor_device
from companion.simulator.served import SimulatedSensor

__all__ = ["HciLog", "HciPacket", "RemoteRadio", "SensorOptions", "SimulatedRadio", "sensor_on_air", "serve"]

CLEANUP_S = 2.0
# Transports with a host at the other end, which needs a controller from us; the others lead to a controller.
HOST_SCHEMES = frozenset({"vhci", "pty", "tcp-server", "unix-server"})


@dataclass(frozen=True, slots=True)
class SensorOptions:
    """How the time of a simulated sensor goes.

    Its time is `speed` times that of `clock` (nanoseconds). With `story_anew` its story begins again when a host
    connects after an orderly end (not after a lost link).
    """

    clock: Callable[[], int] = boot_ns
    speed: float = 1.0
    story_anew: bool = False


class _HostRadio(ABC):
    """What both kinds have: a central, and bleak's backends over it from entry on."""

    def __init__(self, clock: Callable[[], int], hci_log: HciLog | None) -> None:
        self._clock = clock
        self._hci_log = hci_log
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            self.central = await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        self.scanner_backend, self.client_backend, self.adapter_backend = backends(self.central)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @abstractmethod
    async def _build(self) -> Central:
        """The host's side of this kind of air, started."""


class SimulatedRadio(_HostRadio):
    """A sensor, perhaps with others in range, and a host on a virtual air of their own; an async context manager.

    From entry on, `scanner_backend`, `client_backend` and `adapter_backend` are classes for bleak's `backend=`. The
    sensor's time is `speed` times the clock's (nanoseconds); its story begins with the first connection. `hci_log` is
    called with every packet between the host and its controller; a list's `append` will do.
    """

    def __init__(
        self,
        firmware: SimulatedSensor,
        *others: SimulatedSensor,
        clock: Callable[[], int] = boot_ns,
        speed: float = 1.0,
        hci_log: HciLog | None = None,
    ) -> None:
        super().__init__(clock, hci_log)
        self._firmware, self._others = firmware, others
        self._options = SensorOptions(clock, speed)

    def story_s(self) -> float:
        """Seconds into the story; 0 until the first connection."""
        return self.sensor.story_s()

    @property
    def address(self) -> str:
        """The sensor's address."""
        return self._firmware.appearance.address

    def cut_link(self) -> None:
        """Lose the link now, as if the sensor had gone out of range for a moment."""
        self._controller.cut()

    async def _build(self) -> Central:
        air = new_air()
        self.sensor = await self._stack.enter_async_context(sensor_on_air(self._firmware, air, self._options))
        for other in self._others:
            await self._stack.enter_async_context(sensor_on_air(other, air, self._options))
        controller = self._controller = VirtualController("host", link=air)
        self._stack.callback(controller.leave)
        return await _started(Central(controller, controller, clock=self._clock, log=self._hci_log), self._stack)


class RemoteRadio(_HostRadio):
    """A host in this process on a controller elsewhere, such as `tcp-client:127.0.0.1:9001`; else as above.

    Raises UsageError at entry where the transport cannot be opened.
    """

    def __init__(self, transport: str, *, clock: Callable[[], int] = boot_ns, hci_log: HciLog | None = None) -> None:
        super().__init__(clock, hci_log)
        self._transport = transport

    async def _build(self) -> Central:
        opened = await self._stack.enter_async_context(_opened(self._transport))
        return await _started(Central(opened.source, opened.sink, clock=self._clock, log=self._hci_log), self._stack)


@asynccontextmanager
async def sensor_on_air(firmware: SimulatedSensor, air: LocalLink, options: SensorOptions) -> AsyncIterator[Peripheral]:
    """A sensor on a virtual controller of its own, powered on while inside."""
    controller = VirtualController("sensor", link=air)

    async def cut() -> None:
        controller.cut()

    device = sensor_device(firmware.appearance, controller, controller)
    sensor = _peripheral(firmware, device, cut, options)
    await sensor.start()
    try:
        yield sensor
    finally:
        await sensor.stop()
        controller.leave()


def _peripheral(
    firmware: SimulatedSensor, device: Device, cut: Callable[[], Awaitable[None]], options: SensorOptions
) -> Peripheral:
    return Peripheral(
        firmware, device, clock=options.clock, cut=cut, speed=options.speed, story_anew=options.story_anew
    )


async def serve(
    firmware: SimulatedSensor,
    transport: str,
    *,
    stop: asyncio.Event,
    options: SensorOptions | None = None,
    ready: Callable[[Peripheral], None] | None = None,
) -> None:
    """Be a sensor on a real or virtual controller until `stop` is set or the transport ends.

    `transport` is as bumble writes it. `usb:0`, `serial:/dev/ttyACM0`, `hci-socket:0`, `tcp-client:127.0.0.1:9001`
    lead to a controller, which the sensor takes for itself. At the end of `vhci` (this computer's own Bluetooth),
    `pty`, `tcp-server:` and `unix-server:` there is a host: it gets a virtual controller, with the sensor on the same
    virtual air. The story starts anew when a host connects after an orderly end, not after a lost link.
    `ready` is called once the sensor can be found. Raises UsageError where the transport cannot be opened.
    """
    options = options or SensorOptions(story_anew=True)
    async with _opened(transport) as opened, AsyncExitStack() as stack:
        if transport.partition(":")[0] in HOST_SCHEMES:
            air = new_air()
            host = VirtualController("host", opened.source, opened.sink, link=air)
            stack.callback(host.leave)
            around = sensor_on_air(firmware, air, options)
        else:
            around = _sensor_on_controller(firmware, opened, options)
        sensor = await stack.enter_async_context(around)
        if ready is not None:
            ready(sensor)
        await _until(stop, opened.source.terminated)


@asynccontextmanager
async def _sensor_on_controller(
    firmware: SimulatedSensor, opened: Transport, options: SensorOptions
) -> AsyncIterator[Peripheral]:
    device = sensor_device(firmware.appearance, opened.source, opened.sink)

    async def cut() -> None:
        await device.power_on()  # resets the controller: the host hears no more of it, as if out of range

    sensor = _peripheral(firmware, device, cut, options)
    await sensor.start()
    try:
        yield sensor
    finally:
        await _orderly_end(device, sensor)


async def _orderly_end(device: Device, sensor: Peripheral) -> None:
    """Disconnect and power off, unless the controller is gone: then there is nothing to wait for."""
    with suppress(Exception):
        async with asyncio.timeout(CLEANUP_S):
            for connection in list(device.connections.values()):
                await connection.disconnect()
            await sensor.stop()


async def _until(stop: asyncio.Event, terminated: asyncio.Future[None]) -> None:
    stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    ends: list[asyncio.Future[Any]] = [stopping, terminated]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if terminated.done():
        terminated.exception()  # seen: that the other side is gone is no error of ours


@asynccontextmanager
async def _opened(transport: str) -> AsyncIterator[Transport]:
    try:
        opened = await open_transport(transport)
    except Exception as error:  # whatever a transport raises: there are a dozen kinds, each with its own
        raise UsageError(
            f"The Bluetooth transport {transport!r} cannot be opened: {error}.",
            "Examples: usb:0, serial:/dev/ttyACM0, hci-socket:0, vhci, tcp-client:127.0.0.1:9001.",
        ) from error
    async with opened:
        try:
            yield opened
        finally:  # a transport that is a server leaves its sockets open when it is closed
            for left in (getattr(opened, "server", None), getattr(opened.sink, "transport", None)):
                if left is not None:
                    left.close()


async def _started(central: Central, stack: AsyncExitStack) -> Central:
    async def stop() -> None:
        with suppress(Exception):  # the controller may be gone, then there is nothing to wait for
            async with asyncio.timeout(CLEANUP_S):
                await central.stop()

    await central.start()
    stack.push_async_callback(stop)
    return central
