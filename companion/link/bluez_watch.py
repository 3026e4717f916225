"""What becomes of Bluetooth on Linux: its service, its adapters, their power, as BlueZ tells on the system's bus.

Knows: D-Bus, BlueZ's names, where bleak keeps what it believes of BlueZ. Must never know: sensors, links, who asks.

When bluetoothd dies, bleak hears nothing: a client stays "connected", and asking it to disconnect takes ten seconds.
The bus tells it at once. Where there is no such bus, on other systems and in most containers, nothing is told, and a
watchdog on the data is all there is. Names and signals: BlueZ's doc/org.bluez.Adapter.rst; the D-Bus specification,
"org.freedesktop.DBus".
"""

import asyncio
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from companion.link.conditions import Conditions
from companion.link.status import ADAPTER_GONE, BLUETOOTH_OFF, SERVICE_STOPPED

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus
    from dbus_fast.message import Message

ANSWER_S = 5.0
AGAIN_S = 10.0  # after the bus itself has gone

_BLUEZ = "org.bluez"
_ADAPTER = "org.bluez.Adapter1"
_BUS = "org.freedesktop.DBus"
_OBJECTS = "org.freedesktop.DBus.ObjectManager"
_RULES = (
    f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{_BLUEZ}'",
    f"type='signal',sender='{_BLUEZ}',interface='{_OBJECTS}',arg0path='/org/bluez/'",
    f"type='signal',sender='{_BLUEZ}',interface='{_BUS}.Properties',member='PropertiesChanged',arg0='{_ADAPTER}'",
)

log = logging.getLogger(__name__)


async def watch_bluez(conditions: Conditions) -> None:
    """Tell `conditions` what BlueZ says, until cancelled; ends at once where this computer has no such bus."""
    if sys.platform != "linux":
        return
    bus = await _connected()
    while bus is not None:
        try:
            await _Watch(bus, conditions).run()
        except Exception as error:  # whatever a bus may do: it is a help, and its lack is no trouble
            log.debug("watching BlueZ: %r", error)
        finally:
            await _close(bus)
        conditions.tell("")
        await asyncio.sleep(AGAIN_S)
        bus = await _connected()


async def _connected() -> "MessageBus | None":
    from dbus_fast.aio import MessageBus
    from dbus_fast.constants import BusType

    bus = None
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)
        async with asyncio.timeout(ANSWER_S):
            return await bus.connect()
    except BaseException as error:
        if bus is not None:
            bus.disconnect()
        if not isinstance(error, Exception):
            raise
        log.debug("no system bus: %r", error)
        return None


async def _close(bus: "MessageBus") -> None:
    """Close a connection and wait until its descriptor is given back."""
    bus.disconnect()
    with suppress(Exception):
        async with asyncio.timeout(ANSWER_S):
            await _ended(bus)


async def _ended(bus: "MessageBus") -> None:
    """Until the connection is no more. Raises what ended it."""
    await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


class _Watch:
    """BlueZ as it is known over one connection to the bus."""

    def __init__(self, bus: "MessageBus", conditions: Conditions) -> None:
        self._bus = bus
        self._conditions = conditions
        self._owner = ""  # the unique name of the running bluetoothd
        self._powered: dict[str, bool] = {}  # by adapter
        self._forgetting: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Learn how it is, then follow it until the bus goes. Raises whatever the bus does."""
        try:
            self._bus.add_message_handler(self._heard)
            for rule in _RULES:
                await self._ask(_BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", "s", rule)
            await self._learn()
            await _ended(self._bus)
        finally:
            if self._forgetting is not None:
                self._forgetting.cancel()

    async def _learn(self) -> None:
        owned = await self._ask(_BUS, "/org/freedesktop/DBus", _BUS, "NameHasOwner", "s", _BLUEZ)
        if owned and owned[0]:  # asking a service that does not run would start it
            self._owner = (await self._ask(_BUS, "/org/freedesktop/DBus", _BUS, "GetNameOwner", "s", _BLUEZ))[0]
            for path, interfaces in (await self._ask(_BLUEZ, "/", _OBJECTS, "GetManagedObjects"))[0].items():
                self._added(path, interfaces)
        self._tell()

    async def _ask(self, service: str, path: str, interface: str, member: str, *body: Any) -> list[Any]:
        """The answer's body; `body` is the signature and the arguments. Raises RuntimeError where it is refused."""
        from dbus_fast.constants import MessageType
        from dbus_fast.message import Message

        signature, arguments = body[0] if body else "", list(body[1:])
        message = Message(service, path, interface, member, signature=signature, body=arguments)
        async with asyncio.timeout(ANSWER_S):
            reply = await self._bus.call(message)
        if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
            raise RuntimeError(f"{member}: {reply.error_name if reply else 'no answer'}")
        return list(reply.body)

    def _heard(self, message: "Message") -> None:
        """A signal of the bus, or of the bluetoothd that runs; what others send is not believed."""
        if message.sender == _BUS and message.member == "NameOwnerChanged" and message.body[0] == _BLUEZ:
            self._passed_on(message.body[2])
        elif message.sender != self._owner or not self._owner:
            return
        elif message.member == "InterfacesAdded":
            self._added(message.body[0], message.body[1])
            self._tell()
        elif message.member == "InterfacesRemoved" and _ADAPTER in message.body[1]:
            self._powered.pop(message.body[0], None)
            self._tell()
        elif message.member == "PropertiesChanged" and message.body[0] == _ADAPTER and message.path is not None:
            if "Powered" in message.body[1]:
                self._powered[message.path] = bool(message.body[1]["Powered"].value)
            self._tell()

    def _passed_on(self, owner: str) -> None:
        """bluetoothd has gone, has come, or another one has taken its place."""
        had_one, self._owner = bool(self._owner), owner
        self._powered.clear()
        if had_one and self._forgetting is None:
            self._conditions.tell(SERVICE_STOPPED)
            self._forgetting = asyncio.ensure_future(self._forget())
        self._tell()

    async def _forget(self) -> None:
        """Whoever waits for better conditions waits for this too."""
        await forget_bluez()
        self._forgetting = None
        self._tell()

    def _added(self, path: str, interfaces: dict[str, Any]) -> None:
        if _ADAPTER in interfaces:
            self._powered[path] = bool(interfaces[_ADAPTER]["Powered"].value)

    def _tell(self) -> None:
        if self._forgetting is not None:
            return
        if not self._owner:
            self._conditions.tell(SERVICE_STOPPED)
        elif not self._powered:
            self._conditions.tell(ADAPTER_GONE)
        else:
            self._conditions.tell("" if any(self._powered.values()) else BLUETOOTH_OFF)


async def forget_bluez() -> None:
    """Make bleak throw away what it believes of a BlueZ that has died; the one place that touches bleak's inside.

    bleak keeps one picture of BlueZ for each event loop and corrects it by signals, which a killed bluetoothd does not
    send: devices stay connected in it, so that the next connection would be taken for made and the old one would wait
    ten seconds for its end. Where its connection to the bus goes, bleak empties the picture, tells every client that it
    is disconnected, and asks anew when next needed. So that connection is closed; first one round trip over it, so that
    no answer that is on its way is lost. Where a later bleak keeps it elsewhere, nothing is done.
    """
    from bleak.backends.bluezdbus import manager
    from dbus_fast.message import Message

    pictures = getattr(manager, "_global_instances", {})
    bus = getattr(pictures.get(asyncio.get_running_loop()), "_bus", None)
    if bus is None:
        return
    try:
        async with asyncio.timeout(ANSWER_S):
            await bus.call(Message(_BUS, "/org/freedesktop/DBus", _BUS, "GetId"))
    except Exception as error:  # then that connection has gone by itself
        log.debug("bleak's connection to the bus: %r", error)
    bus.disconnect()
