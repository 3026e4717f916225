"""What BlueZ says on the bus becomes a trouble, or its end. A small bus stands in here; a real one in the guest."""

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import Any

import pytest

from companion.link import bluez_watch
from companion.link.conditions import Conditions
from companion.link.status import ADAPTER_GONE, BLUETOOTH_OFF, SERVICE_STOPPED

dbus_fast = pytest.importorskip("dbus_fast")
Message, MessageType, Variant = dbus_fast.Message, dbus_fast.MessageType, dbus_fast.Variant

ADAPTER = "org.bluez.Adapter1"
OWNER = ":1.7"
BUS = "org.freedesktop.DBus"


class Bus:
    """A bus with a bluetoothd on it, or without, and adapters that are powered or not."""

    def __init__(self, owner: str = "", adapters: dict[str, bool] | None = None) -> None:
        self.owner = owner
        self.adapters = adapters or {}
        self.asked: list[str] = []
        self.handlers: list[Any] = []
        self.gone = asyncio.Event()

    def add_message_handler(self, handler: Any) -> None:
        self.handlers.append(handler)

    async def call(self, message: Any) -> Any:
        self.asked.append(message.member)
        objects = {path: {ADAPTER: {"Powered": Variant("b", on)}} for path, on in self.adapters.items()}
        answers = {
            "AddMatch": ("", []),
            "NameHasOwner": ("b", [bool(self.owner)]),
            "GetNameOwner": ("s", [self.owner]),
            "GetManagedObjects": ("a{oa{sa{sv}}}", [objects]),
        }
        signature, body = answers[message.member]
        return Message(message_type=MessageType.METHOD_RETURN, reply_serial=1, signature=signature, body=body)

    async def wait_for_disconnect(self) -> None:
        await self.gone.wait()

    def disconnect(self) -> None:
        self.gone.set()

    def say(self, member: str, signature: str, *body: Any, sender: str = OWNER, path: str = "/") -> None:
        """A signal, as it comes from the bus."""
        signal = Message(
            message_type=MessageType.SIGNAL,
            sender=sender,
            path=path,
            interface="x.y",
            member=member,
            signature=signature,
            body=list(body),
        )
        for handler in self.handlers:
            handler(signal)

    def owned_by(self, owner: str) -> None:
        self.say("NameOwnerChanged", "sss", "org.bluez", self.owner, owner, sender=BUS)
        self.owner = owner

    def added(self, path: str, powered: bool, **options: str) -> None:
        self.say("InterfacesAdded", "oa{sa{sv}}", path, {ADAPTER: {"Powered": Variant("b", powered)}}, **options)

    def removed(self, path: str, interface: str = ADAPTER, **options: str) -> None:
        self.say("InterfacesRemoved", "oas", path, [interface], **options)

    def powered(self, path: str, on: bool, interface: str = ADAPTER, **options: str) -> None:
        changed = {"Powered": Variant("b", on)}
        self.say("PropertiesChanged", "sa{sv}as", interface, changed, [], path=path, **options)


@asynccontextmanager
async def watched(bus: Bus, monkeypatch: Any, forget: Any = None):
    """What is told of this bus."""

    async def connected() -> Bus | None:
        return None if bus.gone.is_set() else bus

    async def nothing() -> None:
        pass

    monkeypatch.setattr(bluez_watch, "_connected", connected)
    monkeypatch.setattr(bluez_watch, "forget_bluez", forget or nothing)
    monkeypatch.setattr(bluez_watch, "AGAIN_S", 0.001)
    told: list[str] = []
    conditions = Conditions(told.append)
    task = asyncio.create_task(bluez_watch.watch_bluez(conditions))
    while not conditions.known and not task.done():
        await asyncio.sleep(0)
    try:
        yield conditions, told
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert bus.gone.is_set()


@pytest.mark.parametrize(
    ("owner", "adapters", "trouble"),
    [
        ("", {}, SERVICE_STOPPED),
        (OWNER, {}, ADAPTER_GONE),
        (OWNER, {"/org/bluez/hci0": False}, BLUETOOTH_OFF),
        (OWNER, {"/org/bluez/hci0": False, "/org/bluez/hci1": True}, ""),
    ],
)
async def test_how_it_is_at_first(monkeypatch, owner, adapters, trouble):
    bus = Bus(owner, adapters)
    async with watched(bus, monkeypatch) as (conditions, _):
        assert conditions.trouble == trouble
    assert bus.asked.count("AddMatch") == 3
    assert ("GetManagedObjects" in bus.asked) == bool(owner)  # asking a service that does not run would start it


async def test_what_becomes_of_adapters(monkeypatch):
    hci0, hci1 = "/org/bluez/hci0", "/org/bluez/hci1"
    bus = Bus(OWNER, {hci0: True})
    async with watched(bus, monkeypatch) as (_, told):
        bus.powered(hci0, False)
        bus.powered(hci0, False)
        bus.powered(hci0, True)
        bus.removed(hci0, "org.bluez.GattManager1")
        bus.removed(hci0)
        bus.added(hci1, False)
        bus.powered(hci1, True)
    assert told == [BLUETOOTH_OFF, "", ADAPTER_GONE, BLUETOOTH_OFF, ""]


async def test_only_the_bus_and_the_bluetoothd_that_runs_are_believed(monkeypatch):
    hci0 = "/org/bluez/hci0"
    bus = Bus(OWNER, {hci0: True})
    async with watched(bus, monkeypatch) as (_, told):
        bus.powered(hci0, False, sender=":1.99")
        bus.removed(hci0, sender=":1.99")
        bus.say("NameOwnerChanged", "sss", "org.bluez", OWNER, "", sender=":1.99")
        bus.say("NameOwnerChanged", "sss", "org.other", OWNER, "", sender=BUS)
        bus.powered(hci0, False, interface="org.bluez.Device1")
    assert told == []


async def test_a_service_that_dies_is_forgotten_by_bleak_before_anybody_may_try_again(monkeypatch):
    bus = Bus(OWNER, {"/org/bluez/hci0": True})
    forgetting, forgotten = asyncio.Event(), asyncio.Event()

    async def forget() -> None:
        forgetting.set()
        await forgotten.wait()

    async with watched(bus, monkeypatch, forget) as (conditions, told):
        bus.owned_by("")
        assert conditions.trouble == SERVICE_STOPPED
        await forgetting.wait()
        bus.owned_by(":1.8")
        bus.added("/org/bluez/hci0", True, sender=":1.8")
        bus.powered("/org/bluez/hci0", False)  # a late word of the dead one
        assert conditions.trouble == SERVICE_STOPPED
        forgotten.set()
        await conditions.next_change.wait()
        bus.owned_by("")
        await asyncio.sleep(0)
    assert told == [SERVICE_STOPPED, "", SERVICE_STOPPED]


async def test_a_bus_that_goes_takes_its_troubles_along_and_no_bus_is_none(monkeypatch):
    bus = Bus(OWNER, {})
    async with watched(bus, monkeypatch) as (conditions, told):
        bus.gone.set()
        await conditions.next_change.wait()
    assert told == [ADAPTER_GONE, ""]


async def test_without_a_bus_nothing_is_watched_and_nothing_is_wrong(monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    conditions = Conditions()
    await bluez_watch.watch_bluez(conditions)
    assert (conditions.known, conditions.trouble) == (False, "")


@pytest.mark.skipif(sys.platform != "linux", reason="bleak has this module on Linux only")
@pytest.mark.parametrize("fails", [False, True])
async def test_what_bleak_believes_of_a_dead_service_is_thrown_away_after_its_last_words(monkeypatch, fails):
    from bleak.backends.bluezdbus.manager import BlueZManager, _global_instances

    told: list[str] = []

    class Old:
        async def call(self, message: Any) -> None:
            told.append(message.member)
            if fails:
                raise EOFError

        def disconnect(self) -> None:
            told.append("closed")

    await bluez_watch.forget_bluez()  # there is no picture yet
    manager = BlueZManager()
    manager._bus = Old()
    monkeypatch.setitem(_global_instances, asyncio.get_running_loop(), manager)
    await bluez_watch.forget_bluez()
    assert told == ["GetId", "closed"]
