"""One connection to one sensor: connects, pairs, checks services, carries out a driver's script, disconnects.

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

from companion.errors import ConnectionLost, LinkError, PairingRefused
from companion.link.errors import link_errors, lost, pairing_refused
from companion.link.radio import Radio
from companion.link.waiting import within
from firmware_protocol import (
    Await,
    Driver,
    Frame,
    GattStep,
    Notification,
    Read,
    Reading,
    Script,
    ScriptRefused,
    Subscribe,
    Write,
    Written,
)

CONNECT_TIMEOUT_S = 20.0  # bleak's own limit is within; Linux needs up to 10 s for a sensor at the edge of its range
PAIR_TIMEOUT_S = 30.0  # a person may have to press a button on the desktop
STEP_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 12.0  # bleak gives a dead Bluetooth service 10 s
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
            disconnected_callback=lambda _: self._lost.set(),
            timeout=CONNECT_TIMEOUT_S - 5.0,
            backend=radio.client_backend,
        )
        self._emit = emit
        self._clock = clock
        self._lost = asyncio.Event()
        self._silenced = False
        self._subscribed: set[str] = set()
        self._inbox: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=_INBOX))
        self._arrival = asyncio.Event()
        self._in_script = False

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

    async def open(self, driver: Driver, *, pair: bool = True) -> None:
        """Connect, check that the driver's services are there, and pair where the system has a call for it.

        Raises LinkError; ScriptRefused where a service is missing.
        """
        with link_errors():
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._client.connect()
        if not self._client.is_connected:
            raise lost()
        self._lost.clear()  # a system may report the loss of an earlier connection while this one is made
        services = self._client.services
        missing = [uuid for uuid in driver.services if services.get_service(uuid) is None]
        if missing:
            raise ScriptRefused(f"The sensor does not offer the service {missing[0]} that {driver.name} needs.")
        if pair:
            await self._pair()

    async def run(self, script: Script) -> None:
        """Carry out a driver's script. Raises LinkError, or ScriptRefused where the script gives up."""
        self._in_script = True
        try:
            with closing(script):
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
        try:
            await self._within(self._client.pair(), PAIR_TIMEOUT_S)
        except NotImplementedError:  # macOS pairs by itself, at the first protected read
            return
        except ConnectionLost as error:
            if self._client.is_connected and not self._lost.is_set():
                raise pairing_refused() from error
            raise
        except LinkError as error:
            raise error if isinstance(error, PairingRefused) else pairing_refused() from error

    async def _do(self, step: GattStep) -> bytes:
        match step:
            case Read(characteristic):
                data = bytes(await self._within(self._client.read_gatt_char(characteristic), STEP_TIMEOUT_S))
                self._tell(Reading(t_host_ns=self._clock(), characteristic=characteristic, data=data))
                return data
            case Write(characteristic, data, with_response):
                self._inbox.clear()  # what is awaited next is an answer to this
                writing = self._client.write_gatt_char(characteristic, data, response=with_response)
                await self._within(writing, STEP_TIMEOUT_S)
                self._tell(Written(t_host_ns=self._clock(), characteristic=characteristic, data=data))
            case Subscribe(characteristic):
                await self._subscribe(characteristic)
            case Await(characteristic, timeout_s, accept):
                return await self._within(self._next(characteristic, accept), timeout_s)
        return b""

    async def _subscribe(self, characteristic: str) -> None:
        """Exactly once per connection: twice, and some systems deliver everything twice."""
        if characteristic not in self._subscribed:
            await self._within(self._client.start_notify(characteristic, self._notified), STEP_TIMEOUT_S)
            self._subscribed.add(characteristic)

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


def _next_step(script: Script, reply: bytes | None) -> GattStep | None:
    """The script's next step, given the reply to the one before (None: it has not begun); None at its end."""
    try:
        return next(script) if reply is None else script.send(reply)
    except StopIteration:
        return None


async def forget_bond(device: BLEDevice, radio: Radio) -> None:
    """Remove this computer's keys for a sensor that has lost its own; where the system has no call for it,
    do nothing.

    Afterwards the sensor must be scanned for again. Raises LinkError.
    """
    client = BleakClient(device, backend=radio.client_backend)
    with link_errors():
        try:
            async with asyncio.timeout(STEP_TIMEOUT_S):
                await client.unpair()
        except NotImplementedError:
            return
