"""bleak's backends over a simulated host: the real BleakScanner and BleakClient reach simulated sensors through them.

Knows: bleak's base classes, the central. Must never know: what is scanned for, or why.

bleak takes classes, not objects, so `backends(central)` makes three classes bound to one central. Errors are those
that a real system raises through bleak, so that what handles them is tested too.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar, NamedTuple, Self, TypeVar
from uuid import UUID

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode
from bumble import att, core, hci
from bumble.device import Advertisement, Connection
from bumble.gatt_client import CharacteristicProxy
from bumble.gatt_client import Client as GattClient

from companion.simulator.central import Central

T = TypeVar("T")
_Ad = core.AdvertisingData


class Backends(NamedTuple):
    """The three classes that bleak takes."""

    scanner: type[BaseBleakScanner]
    client: type[BaseBleakClient]
    adapter: type[BaseBleakAdapter]


def backends(central: Central) -> Backends:
    """Classes for bleak's `backend=`, all of them on this central."""
    names = {"central": central, "__module__": __name__}
    return Backends(
        type("SimulatedScanner", (_Scanner,), names),
        type("SimulatedClient", (_Client,), names),
        type("SimulatedAdapter", (_Adapter,), names),
    )


class _Scanner(BaseBleakScanner):
    central: ClassVar[Central]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        *_mode: Any,
        **_options: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        if self.central.scanning:
            raise BleakError("a scan is in progress")
        self.seen_devices = {}
        await self.central.start_scanning(self._seen)

    async def stop(self) -> None:
        await self.central.stop_scanning(self._seen)

    def _seen(self, advertisement: Advertisement) -> None:
        data = advertisement_data(advertisement)
        if self.is_allowed_uuid(data.service_uuids):
            address = advertisement.address.to_string(False)
            device = self.create_or_update_device(address, address, data.local_name, advertisement.address, data)
            self.call_detection_callbacks(device, data)


class _Adapter(BaseBleakAdapter):
    central: ClassVar[Central]

    @classmethod
    async def get(cls, **_options: Any) -> Self:
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        connections = self.central.device.connections.values()
        return [
            BLEDevice(each.peer_address.to_string(False), None, each.peer_address)
            for each in connections
            if service_uuids & {_uuid_text(service.uuid) for service in each.gatt_client.services}
        ]


class _Client(BaseBleakClient):
    central: ClassVar[Central]

    def __init__(self, address_or_ble_device: BLEDevice | str, **options: Any) -> None:
        super().__init__(address_or_ble_device, **options)
        given = address_or_ble_device.details if isinstance(address_or_ble_device, BLEDevice) else None
        self._address = given if isinstance(given, hci.Address) else hci.Address(self.address)
        self._name = getattr(address_or_ble_device, "name", None) or self.address
        self._connection: Connection | None = None
        self._leaving = False

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def mtu_size(self) -> int:
        return self._connected().att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_options: Any) -> None:
        if self._connection is not None:
            raise BleakError("Client is already connected")
        connection = self.central.connection_to(self._address)
        if connection is None:
            connection = await _translated(self.central.connect(self._address, self._timeout))
        else:  # left over from a client that never disconnected: nobody listens to what it subscribed to
            connection.gatt_client = GattClient(connection)
        connection.on("disconnection", self._on_disconnection)
        self._connection, self._leaving = connection, False
        try:
            self.services = await _translated(_discovered(connection))
            if pair:
                await self.pair()
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        connection, self._leaving = self._connection, True
        if connection is not None:
            await _translated(self.central.disconnect(connection))

    async def pair(self, *_args: Any, **_options: Any) -> None:
        connection = self._connected()
        if connection.is_encrypted:
            return
        if await self.central.bonded(self._address):  # and yet in the clear: the sensor no longer has its key
            raise BleakError("Peer removed pairing information")  # in the words of macOS
        await _translated(connection.pair())

    async def unpair(self) -> None:
        await self.central.forget(self._address)
        await self.disconnect()

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_options: Any) -> bytearray:
        return await self._read(characteristic.handle)

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_options: Any) -> bytearray:
        return await self._read(descriptor.handle)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        client = self._connected().gatt_client
        await _translated(client.write_value(characteristic.handle, bytes(data), response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        client = self._connected().gatt_client
        await _translated(client.write_value(descriptor.handle, bytes(data), True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_options: Any
    ) -> None:
        self._connected()
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakGATTProtocolError(BleakGATTProtocolErrorCode.REQUEST_NOT_SUPPORTED)
        await _translated(characteristic.obj.subscribe(lambda value: callback(bytearray(value))))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        self._connected()
        await _translated(characteristic.obj.unsubscribe())

    async def _read(self, handle: int) -> bytearray:
        return bytearray(await _translated(self._connected().gatt_client.read_value(handle)))

    def _connected(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    def _on_disconnection(self, _reason: int) -> None:
        self._connection, self.services = None, None
        if self._disconnected_callback is not None and not self._leaving:
            self._disconnected_callback()


async def _translated(doing: Awaitable[T]) -> T:
    """The result of something that bumble does; raises what a system's own backend would raise."""
    task = asyncio.current_task()
    try:
        return await doing
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
        raise BleakError("Not connected") from None  # bumble cancels what waits on a link that is lost
    except att.ATT_Error as error:
        raise BleakGATTProtocolError(int(error.error_code)) from error
    except core.TimeoutError as error:
        raise TimeoutError(str(error)) from error
    except core.BaseBumbleError as error:
        raise BleakError(str(error)) from error


async def _discovered(connection: Connection) -> BleakGATTServiceCollection:
    """Every service, characteristic and descriptor that the sensor has."""
    client = connection.gatt_client
    found = BleakGATTServiceCollection()
    for service in await client.discover_services():
        ours = BleakGATTService(service, service.handle, _uuid_text(service.uuid))
        found.add_service(ours)
        for characteristic in await client.discover_characteristics((), service):
            await _add_characteristic(found, ours, characteristic, connection)
    return found


async def _add_characteristic(
    found: BleakGATTServiceCollection,
    service: BleakGATTService,
    characteristic: "CharacteristicProxy[bytes]",
    connection: Connection,
) -> None:
    ours = BleakGATTCharacteristic(
        characteristic,
        characteristic.handle,
        _uuid_text(characteristic.uuid),
        list(gatt_char_props_to_strs(int(characteristic.properties))),
        lambda: connection.att_mtu - 3,
        service,
    )
    found.add_characteristic(ours)
    for descriptor in await characteristic.discover_descriptors():
        found.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, _uuid_text(descriptor.type), ours))


def _uuid_text(uuid: core.UUID) -> str:
    """As bleak writes UUIDs: 128 bits, lower case."""
    return str(UUID(bytes=uuid.to_bytes(force_128=True)[::-1]))


def advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    """An advertisement as bleak tells it."""
    structures: dict[int, list[bytes]] = {}
    for kind, data in advertisement.data.ad_structures:
        structures.setdefault(int(kind), []).append(data)
    names = structures.get(_Ad.COMPLETE_LOCAL_NAME, []) + structures.get(_Ad.SHORTENED_LOCAL_NAME, [])
    return AdvertisementData(
        local_name=names[0].decode("utf-8", "replace") if names else None,
        manufacturer_data={
            int.from_bytes(data[:2], "little"): data[2:] for data in structures.get(_Ad.MANUFACTURER_SPECIFIC_DATA, [])
        },
        service_data=_service_data(structures),
        service_uuids=_service_uuids(structures),
        tx_power=None,
        rssi=advertisement.rssi,
        platform_data=(),
    )


_SERVICE_DATA_SIZES = {
    _Ad.SERVICE_DATA_16_BIT_UUID: 2,
    _Ad.SERVICE_DATA_32_BIT_UUID: 4,
    _Ad.SERVICE_DATA_128_BIT_UUID: 16,
}
_SERVICE_LIST_SIZES = {
    _Ad.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    _Ad.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    _Ad.INCOMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    _Ad.COMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    _Ad.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    _Ad.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}


def _service_data(structures: dict[int, list[bytes]]) -> dict[str, bytes]:
    return {
        _uuid_text(core.UUID.from_bytes(data[:size])): data[size:]
        for kind, size in _SERVICE_DATA_SIZES.items()
        for data in structures.get(kind, [])
        if len(data) >= size
    }


def _service_uuids(structures: dict[int, list[bytes]]) -> list[str]:
    return [
        _uuid_text(core.UUID.from_bytes(data[at : at + size]))
        for kind, size in _SERVICE_LIST_SIZES.items()
        for data in structures.get(kind, [])
        for at in range(0, len(data) - size + 1, size)
    ]
