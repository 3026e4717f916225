"""One connection to one sensor: connects, checks services, pairs, carries out a driver's scripts, disconnects.

Knows: bleak's client, scripts, frames. Must never know: what the bytes mean, why the link is wanted, when to
try again.

An object serves one connection and is thrown away, and it is always closed, also after a loss: bleak on
Linux lets go of its bus connection in `disconnect()` only, and every notification would come twice after the
next connection.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import TypeVar

from bleak import BleakClient
from bleak.backends import BleakBackend
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice

from companion.errors import BluetoothOff, ConnectionLost, LinkError, PairingRefused, PermissionMissing
from companion.link.agent import pair_through_bluez
from companion.link.bonds import bluez_path, is_bonded, keys_refused, names_lost_keys
from companion.link.errors import asks_for_pairing, link_errors, lost, pairing_refused
from companion.link.radio import Radio
from companion.link.waiting import within
from firmware_protocol import (
    Await,
    Driver,
    Frame,
    GattStep,
    Notification,
    Pairing,
    Read,
    Reading,
    Script,
    ScriptRefused,
    Subscribe,
    Write,
    Written,
)
from firmware_protocol.recognition import lacking

CONNECT_TIMEOUT_S = 20.0  # bleak's own limit is within; Linux needs up to 10 s for a sensor at the edge of its range
PAIR_TIMEOUT_S = 30.0  # a person may have to press a button on the desktop
STEP_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 12.0  # bleak gives a dead Bluetooth service 10 s
MAX_BREAKS = 3  # links broken within one attempt: BlueZ tries four times a second, for as long as it may
STALE_BREAKS = 2  # and so many say that it is the keys: a link that is only weak seldom breaks twice within a second
_INBOX = 256  # notifications kept for a script that awaits one of them

T = TypeVar("T")
log = logging.getLogger(__name__)


class SensorLink:
    """A link to the sensor `device` (from a scan). `emit` gets a frame for everything that happens on it."""

    def __init__(
        self, device: BLEDevice, radio: Radio, emit: Callable[[Frame], None], clock: Callable[[], int]
    ) -> None:
        self._client = BleakClient(
            device,
            disconnected_callback=lambda _: self._disconnected(),
            timeout=CONNECT_TIMEOUT_S - 5.0,
            backend=radio.client_backend,
        )
        self._bonded = is_bonded(device)
        self._bluez_path = bluez_path(device) if self._client.backend_id is BleakBackend.BLUEZ_DBUS else None
        self._emit = emit
        self._clock = clock
        self._lost = asyncio.Event()
        self._given_up = asyncio.Event()  # nothing more is expected of an attempt to connect
        self._breaks = 0  # links that were lost again before the attempt to connect was over
        self._silenced = False
        self._driver: Driver | None = None
        self._may_pair = False
        self._paired = False
        self._written = False
        self._subscribed: set[int] = set()
        self._inbox: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=_INBOX))
        self._arrival = asyncio.Event()
        self._in_script = False
        self._one_script = asyncio.Lock()

    @property
    def address(self) -> str:
        """The sensor's address (on macOS, the system's own id for it)."""
        return self._client.address

    @property
    def mtu(self) -> int | None:
        """The ATT MTU in bytes; None where the system does not tell."""
        if self._client.backend_id is not BleakBackend.BLUEZ_DBUS:
            return self._client.mtu_size
        sizes = [each.max_write_without_response_size for each in self._client.services.characteristics.values()]
        return max(sizes) + 3 if sizes else None  # BlueZ tells the MTU by this only

    @property
    def offers(self) -> tuple[str, ...]:
        """The UUIDs of the connected sensor's services, 128 bits in lower case. Raises LinkError where it is gone."""
        with link_errors():
            return tuple(service.uuid for service in self._client.services)

    @property
    def was_written_to(self) -> bool:
        """Whether a script has told the sensor to do something."""
        return self._written

    @property
    def is_bonded(self) -> bool:
        """Whether this computer had keys for the sensor when it was found; False where the system does not tell."""
        return self._bonded

    @property
    def has_paired(self) -> bool:
        """Whether the sensor was paired on this link, or the system asked to see to it."""
        return self._paired

    async def open(self, driver: Driver, *, pair: bool = True) -> None:
        """Connect to a sensor of this driver. Raises LinkError; ScriptRefused where a service is missing."""
        await self.connect()
        await self.prepare(driver, pair=pair)

    async def connect(self) -> None:
        """Connect to whatever it is, and learn its services.

        Raises LinkError; KeysRefused where a sensor that this computer has keys for breaks link after link.
        """
        try:
            await within(self._client.connect(), CONNECT_TIMEOUT_S, self._given_up)
        except LinkError as error:
            if self._breaks >= STALE_BREAKS and self._bonded:
                raise keys_refused() from error
            raise
        if not self._client.is_connected:
            raise lost()
        self._lost.clear()  # a system may report the loss of an earlier connection while this one is made
        self._breaks = 0

    def _disconnected(self) -> None:
        """What the system says when a link is lost; BlueZ says it of every link that a refused key breaks."""
        self._lost.set()
        self._breaks += 1
        if self._breaks >= MAX_BREAKS:
            self._given_up.set()

    async def prepare(self, driver: Driver, *, pair: bool = True) -> None:
        """Check that the driver's services are there, then pair where it always does so.

        With `pair` false there is no pairing, now or later. Raises LinkError; ScriptRefused where a service is missing.
        """
        self._driver, self._may_pair = driver, pair
        offered = self.offers
        missing = [uuid for uuid in driver.services if uuid not in offered]
        if missing:
            raise ScriptRefused(lacking(driver, f"the service {missing[0]}"))
        if pair and driver.pairing is Pairing.ALWAYS:
            await self._pair()

    async def run(self, script: Script) -> None:
        """Carry out a driver's script. Raises LinkError, or ScriptRefused where the script gives up.

        Scripts run one after the other: each of them takes what comes as the answer to what it wrote itself.
        """
        with closing(script):
            async with self._one_script:
                await self._carry_out(script)

    async def _carry_out(self, script: Script) -> None:
        self._in_script = True
        try:
            reply: bytes | None = None
            while (step := _next_step(script, reply)) is not None:
                reply = await self._do(step)
        finally:
            self._in_script = False
            self._inbox.clear()

    @property
    def is_lost(self) -> bool:
        """Whether the system has reported the loss of this link."""
        return self._lost.is_set()

    def declare_lost(self) -> None:
        """The link is of no use any more, whatever the system says of it: whoever waits on it is let go."""
        self._lost.set()
        self._given_up.set()

    async def wait_lost(self, timeout_s: float | None = None) -> bool:
        """Wait until the link is lost (True), or for `timeout_s` seconds (False)."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._lost.wait()
        except TimeoutError:
            return self._lost.is_set()
        return True

    def silence(self) -> None:
        """From here on, nothing more of this link becomes a frame."""
        self._silenced = True

    async def close(self) -> bool:
        """Disconnect; False where the system did not confirm it in time. Raises nothing: it is the end."""
        self.silence()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._client.disconnect()
        except Exception as error:  # whatever the system says now, this object is done with
            log.debug("disconnecting: %r", error)
            return False
        return True

    async def _pair(self) -> None:
        self._paired = True
        try:
            await self._within(self._bond(), PAIR_TIMEOUT_S)
        except NotImplementedError:  # macOS pairs by itself, at the first protected read
            return
        except (BluetoothOff, PermissionMissing):
            raise  # no affair of the sensor's
        except ConnectionLost as error:
            if not self._client.is_connected or self._lost.is_set():
                raise
            raise (keys_refused() if names_lost_keys(error) else pairing_refused()) from error
        except LinkError as error:
            raise error if isinstance(error, PairingRefused) else pairing_refused() from error

    async def _bond(self) -> None:
        """In the system's own way; on Linux with an agent of ours, for there may be none."""
        if self._bluez_path is None:
            await self._client.pair()
        else:
            await pair_through_bluez(self._bluez_path)

    async def _do(self, step: GattStep) -> bytes:
        """A step, and once more after pairing where the sensor wants that first."""
        try:
            return await self._once(step)
        except LinkError as error:
            if _is_optional(step):
                return self._without(step, error)
            if self._paired and self._bonded and isinstance(error, PairingRefused):  # its own keys were of no use
                raise keys_refused() from error
            if not self._pairs_for(error):
                raise
        await self._pair()
        return await self._once(step)

    def _pairs_for(self, error: LinkError) -> bool:
        when_asked = self._driver is not None and self._driver.pairing is Pairing.WHEN_ASKED
        return when_asked and self._may_pair and not self._paired and asks_for_pairing(error)

    def _without(self, step: GattStep, error: LinkError) -> bytes:
        """What an optional step comes to that was refused; a link that is gone is another matter."""
        if self._lost.is_set():
            raise error
        log.debug("%s is let pass: %s", step, error)
        return b""

    async def _once(self, step: GattStep) -> bytes:
        if isinstance(step, Await):
            return await self._within(self._next(step.characteristic, step.accept), step.timeout_s)
        found = self._characteristic(step)
        if found is None:
            log.debug("%s is let pass: the sensor has none", step)
            return b""
        match step:
            case Read(characteristic):
                data = bytes(await self._within(self._client.read_gatt_char(found), STEP_TIMEOUT_S))
                self._tell(Reading(t_host_ns=self._clock(), characteristic=characteristic, data=data))
                return data
            case Write():
                await self._write(step, found)
            case Subscribe():
                await self._subscribe(found)
        return b""

    def _characteristic(self, step: Read | Write | Subscribe) -> BleakGATTCharacteristic | None:
        """What a step is about, in its own service or in the driver's; None: an optional one that is not there.

        Raises ScriptRefused where the step needs it, LinkError where the link is gone.
        """
        driver, wanted = self._driver, step.characteristic.lower()
        first = (step.service.lower(),) if step.service else () if driver is None else driver.services
        with link_errors():
            services = sorted(self._client.services, key=lambda service: service.uuid not in first)
        for service in services:
            if not step.service or service.uuid in first:
                for each in service.characteristics:
                    if each.uuid == wanted:
                        return each
        if _is_optional(step):
            return None
        missing = f"the characteristic {wanted}"
        raise ScriptRefused(lacking(driver, missing) if driver else f"The sensor does not offer {missing}.")

    async def _write(self, step: Write, characteristic: BleakGATTCharacteristic) -> None:
        """In the way that the characteristic takes, whatever is asked for; then wait as long as the step says."""
        self._inbox.clear()  # what is awaited next is an answer to this
        can = {"write": True, "write-without-response": False}
        ways = {with_response for name, with_response in can.items() if name in characteristic.properties}
        response = ways.pop() if len(ways) == 1 else step.with_response
        writing = self._client.write_gatt_char(characteristic, step.data, response=response)
        self._written = True
        await self._within(writing, STEP_TIMEOUT_S)
        self._tell(Written(t_host_ns=self._clock(), characteristic=step.characteristic, data=step.data))
        if step.settle_s > 0 and await self.wait_lost(step.settle_s):
            raise lost()

    async def _subscribe(self, characteristic: BleakGATTCharacteristic) -> None:
        """Exactly once per connection: twice, and some systems deliver everything twice."""
        if characteristic.handle not in self._subscribed:
            await self._within(self._client.start_notify(characteristic, self._notified), STEP_TIMEOUT_S)
            self._subscribed.add(characteristic.handle)

    def _notified(self, characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
        uuid, data = characteristic.uuid, bytes(value)
        self._tell(Notification(t_host_ns=self._clock(), characteristic=uuid, data=data))
        if self._in_script:
            self._inbox[uuid].append(data)
            self._arrival.set()

    async def _next(self, characteristic: str, accept: Callable[[bytes], bool] | None) -> bytes:
        while True:
            inbox = self._inbox[characteristic]
            while inbox:
                data = inbox.popleft()
                if accept is None or accept(data):
                    return data
            self._arrival.clear()
            await self._arrival.wait()

    def _tell(self, frame: Frame) -> None:
        if not self._silenced:
            self._emit(frame)

    async def _within(self, doing: Awaitable[T], timeout_s: float) -> T:
        return await within(doing, timeout_s, self._lost)


def _is_optional(step: GattStep) -> bool:
    return isinstance(step, Read | Subscribe) and step.optional


def _next_step(script: Script, reply: bytes | None) -> GattStep | None:
    """The script's next step, given the reply to the one before (None: it has not begun); None at its end."""
    try:
        return next(script) if reply is None else script.send(reply)
    except StopIteration:
        return None


async def forget_bond(device: BLEDevice, radio: Radio) -> bool:
    """Remove this computer's keys for a sensor that has lost its own; False where the system has no call for it.

    Afterwards the sensor must be scanned for again. Raises LinkError.
    """
    client = BleakClient(device, backend=radio.client_backend)
    with link_errors():
        try:
            async with asyncio.timeout(STEP_TIMEOUT_S):
                await client.unpair()
        except NotImplementedError:
            return False
    return True
