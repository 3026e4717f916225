"""Pairs through BlueZ with an agent of our own, because bluetoothd refuses even "just works" where nobody has one.

Knows: BlueZ's D-Bus interface (`org.bluez.Agent1`, `Device1`; doc/agent-api.txt of BlueZ). Must never know: bleak's
objects, sensors, who asks. Linux only: dbus-fast is imported when it is used.

The agent and the call of `Pair` share one bus connection. BlueZ asks the agent of whoever calls `Pair`, so no default
agent is needed, and a desktop's is neither displaced nor asked. It exists while one sensor is paired, says yes for that
one alone, and has neither display nor keys: a sensor that wants a code shown or typed is paired by the desktop's own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from companion.errors import LinkError
from companion.link.errors import link_errors, no_bluetooth, pairing_refused

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus
    from dbus_fast.message import Message

CALL_TIMEOUT_S: Final = 5.0
PAIR_TIMEOUT_S: Final = 25.0
"""A sensor answers within 2 s; the security manager's own limit for a silent one is 30 s."""

BLUEZ: Final = "org.bluez"
DEVICE: Final = "org.bluez.Device1"
_AGENT: Final = "org.bluez.Agent1"
_AGENTS: Final = "org.bluez.AgentManager1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OUR_PATH: Final = "/posture_companion/agent"
_REJECTED: Final = "org.bluez.Error.Rejected"
_GONE: Final = frozenset(
    f"org.freedesktop.DBus.Error.{name}" for name in ("NoReply", "ServiceUnknown", "NameHasNoOwner", "Disconnected")
)
_OF_A_DEVICE: Final = frozenset({"RequestAuthorization", "RequestConfirmation"})
"""What a NoInputNoOutput agent may be asked of a device that is being paired; nothing is to be compared."""
_TOLD: Final = frozenset({"Release", "Cancel"})


async def pair_through_bluez(device: str) -> None:
    """Pair with the device at this D-Bus path, and bond; nothing happens where it is paired already.

    Raises LinkError: PairingRefused where the sensor or BlueZ refuses, BluetoothOff where its service is gone.
    """
    with link_errors():
        async with _bus() as bus:
            if (await properties(bus, device)).get("Paired"):
                return  # BlueZ 5.66 never answers a second call of Pair
            asked = Asked(device, await _owner(bus))
            bus.add_message_handler(asked.answer)
            await _called(bus, "/org/bluez", _AGENTS, "RegisterAgent", "os", [_OUR_PATH, "NoInputNoOutput"])
            try:
                await _called(bus, device, DEVICE, "Pair", late=pairing_refused, timeout_s=PAIR_TIMEOUT_S)
            finally:
                await _unregistered(bus)  # the end of the bus connection cancels what is not over


async def properties_of(device: str) -> Mapping[str, Any]:
    """What BlueZ's Device1 says of the device at this D-Bus path, by name. Raises LinkError."""
    with link_errors():
        async with _bus() as bus:
            return await properties(bus, device)


async def properties(bus: "MessageBus", device: str) -> Mapping[str, Any]:
    """The same, on a bus that is open. Raises what `link_errors` translates."""
    reply = await _called(bus, device, _PROPERTIES, "GetAll", "s", [DEVICE])
    return {name: variant.value for name, variant in reply.body[0].items()}


class Asked:
    """What our agent answers: yes for `device` to `bluez` (the bus name of BlueZ's own connection), else no."""

    def __init__(self, device: str, bluez: str) -> None:
        self._device = device
        self._bluez = bluez

    def answer(self, message: "Message") -> "Message | None":
        """The reply to a call of the agent; None for any other message."""
        from dbus_fast.constants import MessageType
        from dbus_fast.message import Message

        if message.message_type is not MessageType.METHOD_CALL or message.interface != _AGENT:
            return None
        if message.path == _OUR_PATH and message.sender == self._bluez and self._grants(message.member, message.body):
            return Message.new_method_return(message)
        return Message.new_error(message, _REJECTED, "posture pairs one sensor, and nothing else")

    def _grants(self, member: str | None, body: list[Any]) -> bool:
        return member in _TOLD or (member in _OF_A_DEVICE and bool(body) and body[0] == self._device)


@asynccontextmanager
async def _bus() -> "AsyncIterator[MessageBus]":
    """A connection to the system's bus of our own, closed at the end: what BlueZ does for it ends with it."""
    from dbus_fast.aio import MessageBus
    from dbus_fast.constants import BusType

    bus = MessageBus(bus_type=BusType.SYSTEM)
    await _connect(bus)
    try:
        yield bus
    finally:
        await _closed(bus)


async def _connect(bus: "MessageBus") -> None:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await bus.connect()
    except BaseException as error:
        bus.disconnect()  # also after a failure: its socket is open already
        if isinstance(error, TimeoutError):
            raise no_bluetooth() from error
        raise


async def _closed(bus: "MessageBus") -> None:
    """Close it and wait until its descriptor is given back."""
    bus.disconnect()
    with suppress(Exception):
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def _owner(bus: "MessageBus") -> str:
    """The bus's name for BlueZ's own connection; nobody else may call our agent."""
    path, name = "/org/freedesktop/DBus", "org.freedesktop.DBus"
    reply = await _called(bus, path, name, "GetNameOwner", "s", [BLUEZ], destination=name)
    return str(reply.body[0])


async def _called(
    bus: "MessageBus",
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: list[Any] | None = None,
    *,
    timeout_s: float = CALL_TIMEOUT_S,
    late: Callable[[], LinkError] = no_bluetooth,
    destination: str = BLUEZ,
) -> "Message":
    """The reply; raises BleakDBusError for an error, `late` after the time, LinkError where BlueZ has left the bus."""
    from bleak.exc import BleakDBusError
    from dbus_fast.constants import MessageType
    from dbus_fast.message import Message

    call = Message(
        destination=destination, path=path, interface=interface, member=member, signature=signature, body=body or []
    )
    try:
        async with asyncio.timeout(timeout_s):
            reply = await bus.call(call)
    except TimeoutError as error:
        raise late() from error
    if reply.message_type is MessageType.ERROR:
        refusal = BleakDBusError(reply.error_name or "", reply.body)
        if reply.error_name in _GONE:
            raise no_bluetooth() from refusal
        raise refusal
    return reply


async def _unregistered(bus: "MessageBus") -> None:
    """Take the agent back; where that fails, the end of the bus connection does it."""
    with suppress(Exception):
        await _called(bus, "/org/bluez", _AGENTS, "UnregisterAgent", "o", [_OUR_PATH], timeout_s=1.0)
