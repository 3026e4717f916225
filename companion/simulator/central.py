"""The host's side of the air: a bumble device that scans, connects, pairs and keeps its bonds in memory.

Knows: bumble's device, GATT client and security. Must never know: bleak, sensors, what is read or written.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from bumble import hci
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore
from bumble.snoop import Snooper
from bumble.transport.common import TransportSink, TransportSource

from companion.simulator.sensor_device import just_works

_GIVE_UP_S = 1.0
MTU = 247  # what phones and computers ask for; a packet then fits one link-layer payload


@dataclass(frozen=True, slots=True)
class HciPacket:
    """A packet between the host and its controller, in H4 format, as it was seen at `t_ns` on the host's clock."""

    t_ns: int
    to_host: bool
    data: bytes


HciLog: TypeAlias = Callable[[HciPacket], None]


class _Tap(Snooper):
    """Shows every packet of a host to a log."""

    def __init__(self, log: HciLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock

    def snoop(self, hci_packet: bytes, direction: Snooper.Direction) -> None:
        """Called by bumble for each packet."""
        to_host = direction is Snooper.Direction.CONTROLLER_TO_HOST
        self._log(HciPacket(self._clock(), to_host, bytes(hci_packet)))


class Central:
    """A host over the controller at `source` and `sink`; `log` gets every HCI packet."""

    def __init__(
        self, source: TransportSource, sink: TransportSink, *, clock: Callable[[], int], log: HciLog | None = None
    ) -> None:
        configuration = DeviceConfiguration(name="Posture companion", address=hci.Address.generate_static_address())
        self.device = Device.from_config_with_hci(configuration, source, sink)
        self.device.keystore = MemoryKeyStore()
        self.device.pairing_config_factory = lambda _: just_works()
        self.scanning = False
        if log is not None:
            self.device.host.snooper = _Tap(log, clock)

    async def start(self) -> None:
        """Power on."""
        await self.device.power_on()

    async def stop(self) -> None:
        """Disconnect from everything and power off."""
        for connection in list(self.device.connections.values()):
            await self.disconnect(connection)
        if self.scanning:
            await self.stop_scanning(lambda _: None)
        await self.device.power_off()

    async def start_scanning(self, seen: Callable[[Advertisement], None]) -> None:
        """Call `seen` for every advertisement, its scan response included. One scan at a time."""
        self.scanning = True
        self.device.on("advertisement", seen)
        try:
            await _unbroken(self.device.start_scanning(legacy=True))
        except asyncio.CancelledError:  # whoever asked has gone, and will not stop it
            await self.stop_scanning(seen)
            raise

    async def stop_scanning(self, seen: Callable[[Advertisement], None]) -> None:
        """End the scan that was started with `seen`."""
        if seen in self.device.listeners("advertisement"):
            self.device.remove_listener("advertisement", seen)
        try:
            await _unbroken(self.device.stop_scanning(legacy=True))
        finally:
            self.scanning = False

    def connection_to(self, address: hci.Address) -> Connection | None:
        """The connection to this sensor, where there is one."""
        return next((each for each in self.device.connections.values() if each.peer_address == address), None)

    async def connect(self, address: hci.Address, timeout_s: float) -> Connection:
        """Connect, agree on an MTU, and encrypt where there is a bond. Raises TimeoutError, and bumble's errors."""
        connection = await self._connect(address, timeout_s)
        await connection.gatt_client.request_mtu(MTU)
        if await self.bonded(address):
            try:
                await connection.encrypt()
            except hci.HCI_Error:  # the sensor has lost its key: the link stays open, and in the clear
                return connection
        return connection

    async def bonded(self, address: hci.Address) -> bool:
        """Whether this host has a key for the sensor."""
        assert self.device.keystore is not None
        return await self.device.keystore.get(str(address)) is not None

    async def forget(self, address: hci.Address) -> None:
        """Remove the key for the sensor, where there is one."""
        if await self.bonded(address):
            assert self.device.keystore is not None
            await self.device.keystore.delete(str(address))

    async def disconnect(self, connection: Connection) -> None:
        """Disconnect, and return when the controller has confirmed it."""
        if connection.handle in self.device.connections:
            await connection.disconnect()

    async def _connect(self, address: hci.Address, timeout_s: float) -> Connection:
        connecting = asyncio.create_task(self.device.connect_le(address, timeout=None))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(connecting)
        finally:
            if not connecting.done():
                await self._give_up(connecting)

    async def _give_up(self, connecting: asyncio.Task[Connection]) -> None:
        """Tell the controller to stop trying; it may have connected a moment before."""
        async with asyncio.timeout(_GIVE_UP_S):
            await self.device.send_sync_command_raw(hci.HCI_LE_Create_Connection_Cancel_Command())
            await asyncio.wait({connecting})
        if connecting.exception() is None:
            await self.disconnect(connecting.result())


async def _unbroken(doing: Awaitable[object]) -> None:
    """Let a conversation with the controller end even where its caller is cancelled: bumble cannot drop a command."""
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
