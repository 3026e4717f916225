"""A virtual air in a process of its own, with a controller for each program that connects to a local socket.

For tests and measurements, where sensor and host must not share a processor's time. It listens on 127.0.0.1 or on a
UNIX socket, and only while somebody runs it. Knows: HCI over a stream. Must never know: who connects.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bumble.transport.common import PacketParser

from companion.host import boot_ns
from companion.simulator.bumble_extra import new_air
from companion.simulator.controller import VirtualController
from companion.simulator.radio import SensorOptions, sensor_on_air
from companion.simulator.served import SimulatedSensor


class AirServer:
    """An air behind a socket; an async context manager. `transport` is what `RemoteRadio` and `serve` take.

    Each connection to the socket has a controller of its own on the air; when the connection goes, so does the
    controller, and its links break as if out of range. With `path`, a UNIX socket; else a free port of 127.0.0.1.
    """

    def __init__(self, *, path: Path | None = None) -> None:
        self.air = new_air()
        self._path = path
        self._stack = AsyncExitStack()
        self._ports: set[_Port] = set()

    @property
    def transport(self) -> str:
        """The transport that leads here, as bumble writes it."""
        if self._path is not None:
            return f"unix:{self._path}"
        host, port = self._server.sockets[0].getsockname()
        return f"tcp-client:{host}:{port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path is not None:
            self._server = await loop.create_unix_server(self._port, str(self._path))
        else:
            self._server = await loop.create_server(self._port, "127.0.0.1", 0)
        self._stack.callback(self._end)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await asyncio.sleep(0)  # let the connections end

    def _port(self) -> "_Port":
        return _Port(self)

    def _end(self) -> None:
        self._server.close()
        for port in list(self._ports):
            port.close()


class RadioServer(AirServer):
    """An air with a sensor on it, behind a socket; the sensor's time is `speed` times that of `clock`."""

    def __init__(
        self,
        firmware: SimulatedSensor,
        *,
        path: Path | None = None,
        clock: Callable[[], int] = boot_ns,
        speed: float = 1.0,
    ) -> None:
        super().__init__(path=path)
        self._firmware = firmware
        self._options = SensorOptions(clock, speed)

    async def __aenter__(self) -> Self:
        self.sensor = await self._stack.enter_async_context(sensor_on_air(self._firmware, self.air, self._options))
        return await super().__aenter__()


class _Port(asyncio.Protocol):
    """One connection: bytes from it go to its controller, packets of the controller to it."""

    def __init__(self, server: AirServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._controller = VirtualController("behind a socket", link=self._server.air)
        self._controller.set_packet_sink(self)
        self._parser = PacketParser(self._controller)
        self._server._ports.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except ValueError:  # not HCI
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._server._ports.discard(self)
        self._controller.leave()

    def on_packet(self, packet: bytes) -> None:
        """A packet from the controller."""
        self._transport.write(packet)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()
