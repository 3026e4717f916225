"""The simulated sensor on the air: a GATT server around the firmware model, advertising, pairing, pacing.

Knows: bumble's device and GATT server, the firmware's interface. Must never know: which controller carries
it, bleak.

Where a sensor is secure, everything but Device Information needs an encrypted link. The firmware's time is the host's,
`speed` times as fast, and stands still until the first host connects, so that no story passes unseen. Nothing is
polled: one task sleeps until the firmware has something to say, or a host has done something.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from bumble import att, gatt, hci
from bumble.device import Connection, Device
from bumble.gatt_server import Server
from bumble.keys import MemoryKeyStore

from companion.simulator.sensor_device import advertising_data, device_information
from companion.simulator.served import Outgoing, Property, Served, SimulatedSensor

_ORDERLY = frozenset(
    {
        hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR,
        hci.HCI_ErrorCode.REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR,
    }
)
_NOT_SUBSCRIBED = att.ErrorCode.CCCD_IMPROPERLY_CONFIGURED  # an answer could not be told
_LONGEST_BATCH = 64  # packets sent before others get their turn

_Properties = gatt.Characteristic.Properties
_Permissions = att.Attribute.Permissions
_OPEN = _Permissions.READABLE | _Permissions.WRITEABLE
_SECURE = _Permissions.READ_REQUIRES_ENCRYPTION | _Permissions.WRITE_REQUIRES_ENCRYPTION
_PROPERTIES = {
    Property.READ: _Properties.READ,
    Property.WRITE: _Properties.WRITE,
    Property.WRITE_WITHOUT_RESPONSE: _Properties.WRITE_WITHOUT_RESPONSE,
    Property.NOTIFY: _Properties.NOTIFY,
    Property.INDICATE: _Properties.INDICATE,
}


class Peripheral:
    """A sensor with `firmware` inside, on a bumble `device` (see `sensor_device`).

    One that only advertises changes its advertisement with its measurements, and its story begins at once.

    clock: the host's boot-time clock in nanoseconds. cut: breaks the link as if the sensor had gone out of
    range. story_anew: the story begins again when a host connects after an earlier one has disconnected of
    its own will.
    """

    def __init__(
        self,
        firmware: SimulatedSensor,
        device: Device,
        *,
        clock: Callable[[], int],
        cut: Callable[[], Awaitable[None]],
        speed: float = 1.0,
        story_anew: bool = False,
    ) -> None:
        self.firmware = firmware
        self.device = device
        self._clock = clock
        self._cut = cut
        self._speed = speed
        self._story_anew = story_anew
        self._epoch_ns = 0  # the clock's time when the firmware's was 0, once a host has connected
        self._stepped_ns = 0
        self._story_began_ns: int | None = None  # None: time stands still until a host connects
        self._connection: Connection | None = None
        self._out_of_reach = False  # the firmware's time has passed the loss of the link; it is cut next
        self._outbox: deque[Outgoing] = deque()
        self._subscribed: set[str] = set()
        self._indicating: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._pacing: asyncio.Task[None] | None = None
        self._stopping = False
        self._told = b""  # what is advertised, where that changes
        self._characteristics = self._serve()

    @property
    def connected(self) -> bool:
        """Whether a host is connected."""
        return self._connection is not None

    @property
    def now_ns(self) -> int:
        """Nanoseconds since power-on, as the firmware counts; never before its last step."""
        if self._story_began_ns is None:
            return self._stepped_ns
        return max(self._stepped_ns, round((self._clock() - self._epoch_ns) * self._speed))

    def story_s(self) -> float:
        """Seconds into the story; 0 until the first host connects."""
        return 0.0 if self._story_began_ns is None else (self.now_ns - self._story_began_ns) / 1e9

    async def start(self) -> None:
        """Power on and be found."""
        await self.device.power_on()
        self.device.on("connection", self._on_connection)
        self.device.on("characteristic_subscription", self._on_subscription)
        if not self.firmware.appearance.connectable:
            self._begin_story()
        self._pacing = asyncio.create_task(self._pace())

    async def stop(self) -> None:
        """Stop everything; the link, if there is one, is the caller's to break."""
        for task in self._indicating:
            task.cancel()
        self._stopping = True
        self._wake.set()
        if self._pacing is not None:  # asked, not cancelled: bumble's commands may swallow a cancellation
            await self._pacing
        await self.device.stop_advertising()
        await self.device.power_off()

    def forget_bonds(self) -> None:
        """Lose the keys of every pairing, as a reset to factory settings does."""
        self.device.keystore = MemoryKeyStore()

    # What a host does.

    def _on_connection(self, connection: Connection) -> None:
        self._connection = connection
        connection.on("disconnection", lambda reason: self._on_disconnection(connection, reason))
        connection.on("connection_att_mtu_update", lambda: self._on_mtu(connection))
        self._out_of_reach = False
        if self._story_began_ns is None:
            self._begin_story()
        self.firmware.connected(self._step_to_now(), connection.att_mtu)
        self._wake.set()

    def _begin_story(self) -> None:
        self._story_began_ns = self._stepped_ns
        self._epoch_ns = self._clock() - round(self._stepped_ns / self._speed)
        self.firmware.begin_story(self._stepped_ns)

    def _on_mtu(self, connection: Connection) -> None:
        now_ns = self._step_to_now()
        if not self._out_of_reach:
            self.firmware.connected(now_ns, connection.att_mtu)

    def _on_disconnection(self, connection: Connection, reason: int) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        self.firmware.disconnected(self._step_to_now())
        self._outbox.clear()
        self._subscribed.clear()
        for task in self._indicating:
            task.cancel()
        if self._story_anew and reason in _ORDERLY and not getattr(self.firmware, "sampling", False):
            self._story_began_ns = None
            self.firmware.begin_story(self._stepped_ns)
        self._wake.set()

    def _on_subscription(
        self, _bearer: object, characteristic: gatt.Characteristic[bytes], notify: bool, indicate: bool
    ) -> None:
        for name, served in self._characteristics.items():
            if served is characteristic:
                self._step_to_now()
                (self._subscribed.add if notify or indicate else self._subscribed.discard)(name)
                self.firmware.subscribed(name, notify or indicate)
                self._wake.set()

    def _on_write(self, name: str, value: bytes) -> None:
        if self._characteristics[name].properties & _Properties.INDICATE and name not in self._subscribed:
            raise att.ATT_Error(_NOT_SUBSCRIBED)
        try:
            self._outbox += self.firmware.write(name, value, self._step_to_now())
        except KeyError:
            raise att.ATT_Error(att.ErrorCode.WRITE_NOT_PERMITTED) from None
        self._wake.set()  # the task sends it, so that the write is answered first

    # What the sensor does.

    async def _pace(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._step_to_now()
            await self._send()
            if self._connection is None:
                await self._be_found()
            elif self._out_of_reach:
                await self._cut()
            if not self._stopping:
                await self._sleep_until(self.firmware.next_due_ns())

    def _step_to_now(self) -> int:
        """Let the firmware live until now, event by event, each on its own time; returns now."""
        now_ns = self.now_ns
        while (due_ns := self.firmware.next_due_ns()) <= now_ns:
            self._step(due_ns)
        self._step(now_ns)
        return now_ns

    def _step(self, t_ns: int) -> None:
        self._outbox += self.firmware.advance(t_ns)
        self._stepped_ns = t_ns
        if self._connection is not None and not self._out_of_reach and not self.firmware.link_allowed(t_ns):
            self._out_of_reach = True
            self.firmware.disconnected(t_ns)

    async def _send(self) -> None:
        count = 0
        while self._outbox and self._connection is not None:
            outgoing = self._outbox.popleft()
            characteristic = self._characteristics[outgoing.characteristic]
            if characteristic.properties & _Properties.INDICATE:
                self._indicate(self._connection, characteristic, outgoing.data)
                await asyncio.sleep(0)  # let it go out before what comes after it
            else:
                await self.device.notify_subscriber(self._connection, characteristic, outgoing.data)
            count += 1
            if count % _LONGEST_BATCH == 0:
                await asyncio.sleep(0)

    def _indicate(self, connection: Connection, characteristic: gatt.Characteristic[bytes], data: bytes) -> None:
        """Send an indication; whether it is confirmed holds nothing up."""
        task = asyncio.create_task(self.device.indicate_subscriber(connection, characteristic, data))
        self._indicating.add(task)
        task.add_done_callback(lambda done: self._indicated(connection, done))

    def _indicated(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._indicating.discard(task)
        if not task.cancelled():
            task.exception()  # an indication that nobody confirmed: the link is gone or going
        if connection is not self._connection:  # bumble would keep this connection for ever
            self.device.gatt_server.pending_confirmations.pop(connection, None)
            self.device.gatt_server.indication_semaphores.pop(connection, None)

    async def _be_found(self) -> None:
        """Advertise where a link can be made, and only there."""
        allowed = self.firmware.link_allowed(self._stepped_ns)
        if allowed and not self.firmware.appearance.connectable:
            await self._tell(advertising_data(self.firmware.appearance))
        if allowed and not self.device.is_advertising:
            await self.device.start_advertising()
        elif not allowed and self.device.is_advertising:
            await self.device.stop_advertising()

    async def _tell(self, data: bytes) -> None:
        """Advertise this from now on."""
        if data != self._told:
            self._told = self.device.advertising_data = data
            await self.device.send_sync_command(hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=data))

    async def _sleep_until(self, due_ns: int) -> None:
        """Sleep until the firmware's time `due_ns`, or until a host does something."""
        if self._story_began_ns is None:
            await self._wake.wait()
            return
        wait_s = (due_ns - self.now_ns) / 1e9 / self._speed
        timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    # What it serves.

    def _serve(self) -> dict[str, gatt.Characteristic[bytes]]:
        server, secure = self.device.gatt_server, self.firmware.appearance.secure
        made = {served.name: self._characteristic(served, secure) for served in self.firmware.served}
        for characteristic in made.values():
            if secure and characteristic.properties & (_Properties.NOTIFY | _Properties.INDICATE):
                characteristic.descriptors = [_subscription(server, characteristic)]
        for service in dict.fromkeys(served.service for served in self.firmware.served):
            own = [made[served.name] for served in self.firmware.served if served.service == service]
            server.add_service(gatt.Service(service, own))
        server.add_service(device_information(self.firmware.appearance.model))
        return made

    def _characteristic(self, served: Served, secure: bool) -> gatt.Characteristic[bytes]:
        def read(_connection: Connection) -> bytes:
            try:
                if not served.properties & Property.READ:  # bumble does not look at the properties
                    raise KeyError(served.name)
                return self.firmware.read(served.name, self._step_to_now())
            except KeyError:
                raise att.ATT_Error(att.ErrorCode.READ_NOT_PERMITTED) from None

        def write(_connection: Connection, value: bytes) -> None:
            if not served.properties & (Property.WRITE | Property.WRITE_WITHOUT_RESPONSE):
                raise att.ATT_Error(att.ErrorCode.WRITE_NOT_PERMITTED)
            self._on_write(served.name, bytes(value))

        properties = _Properties(0)
        for each in served.properties:
            properties |= _PROPERTIES[each]
        value = gatt.CharacteristicValue(read=read, write=write)
        return gatt.Characteristic(served.uuid, properties, _OPEN | (_SECURE if secure else _Permissions(0)), value)


def _subscription(server: Server, characteristic: gatt.Characteristic[bytes]) -> gatt.Descriptor:
    """The descriptor that a host writes to subscribe; bumble's own would let it do so in the clear."""
    return gatt.Descriptor(
        gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
        _OPEN | _Permissions.WRITE_REQUIRES_ENCRYPTION,
        server.make_descriptor_value(characteristic),
    )
