"""What the operating system says of its Bluetooth: asked and read, never changed, and no sensor is connected to.

Knows: BlueZ on D-Bus, Linux's /sys, bleak's scanner. Must never know: what is remembered of sensors, how people are
told. Everything that is asked comes back as plain values, whatever fails on the way. Names: BlueZ's
doc/org.bluez.Adapter.rst, Device.rst and Battery.rst; Linux's Documentation/ABI/stable/sysfs-class-rfkill.
"""

import asyncio
import logging
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason

from companion.errors import BluetoothBusy, LinkError, PermissionMissing
from companion.link.radio import Radio
from companion.link.scan import Found, Sightings, listening
from companion.text import printable

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

ANSWER_S = 3.0
VERSION_S = 3.0
BLUETOOTHD = ("/usr/libexec/bluetooth/bluetoothd", "/usr/lib/bluetooth/bluetoothd", "/usr/sbin/bluetoothd")
"""Where Debian, Fedora, Arch and their kin put the service's program."""

_BLUEZ = "org.bluez"
_BUS, _BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
_VERSION = re.compile(r"\d+\.\d+")

log = logging.getLogger(__name__)


class Trouble(Enum):
    """What keeps Bluetooth from working, as far as the system tells it apart."""

    NO_BUS = "no bus"  # Linux: the bus over which programs talk to BlueZ
    NOT_INSTALLED = "not installed"  # Linux: BlueZ
    STOPPED = "stopped"  # its service
    NO_ANSWER = "no answer"  # it runs, and does not answer
    DENIED = "denied"
    NO_ADAPTER = "no adapter"
    HARD_BLOCK = "hard block"  # a switch or key of the computer
    SOFT_BLOCK = "soft block"  # rfkill, flight mode
    OFF = "off"
    BUSY = "busy"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter that BlueZ works with."""

    name: str  # hci0
    address: str
    powered: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What BlueZ keeps of a device."""

    address: str
    bonded: bool
    connected: bool
    battery_pct: float | None


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch of the kernel for a Bluetooth radio: whether software or hardware holds it off."""

    name: str
    soft: bool
    hard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bluez:
    """Bluetooth on Linux. `trouble` is why BlueZ could not be asked; what it would have told is then empty."""

    trouble: Trouble | None = None
    version: str = ""  # "" where it does not tell
    adapters: tuple[Adapter, ...] = ()
    devices: Mapping[str, Known]  # by address, in capitals
    switches: tuple[Switch, ...] = ()
    kernel: tuple[str, ...] = ()  # the adapters that the kernel has


async def ask_bluez(classes: Path = Path("/sys/class")) -> Bluez:
    """Ask the bus and read /sys; Linux only. Never raises for what a system may be like."""
    answer = await _objects()
    found: tuple[tuple[Adapter, ...], dict[str, Known]] = ((), {})
    if not isinstance(answer, Trouble):
        found = adapters_of(answer), devices_of(answer)
    return Bluez(
        trouble=answer if isinstance(answer, Trouble) else None,
        version=bluez_version(),
        adapters=found[0],
        devices=found[1],
        switches=switches_in(classes / "rfkill"),
        kernel=kernel_adapters(classes / "bluetooth"),
    )


async def _objects() -> Mapping[str, Any] | Trouble:
    """Everything that BlueZ tells of, by D-Bus path, or why it cannot be asked."""
    from dbus_fast.aio import MessageBus
    from dbus_fast.constants import BusType

    bus = None
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)
        async with asyncio.timeout(ANSWER_S):
            await bus.connect()
        return await _objects_over(bus)
    except Exception as error:  # no socket, no address, no right, no answer: all of it is an answer
        log.debug("the system's bus: %r", error)
        return _trouble_of_bus(error)
    finally:
        if bus is not None:
            bus.disconnect()


def _trouble_of_bus(error: Exception) -> Trouble:
    if isinstance(error, PermissionError) or type(error).__name__ == "AuthError":
        return Trouble.DENIED
    return Trouble.NO_ANSWER if isinstance(error, TimeoutError) else Trouble.NO_BUS


async def _objects_over(bus: "MessageBus") -> Mapping[str, Any] | Trouble:
    running = await _call(bus, _BUS, _BUS_PATH, _BUS, "NameHasOwner", _BLUEZ)
    if isinstance(running, Trouble):
        return running
    if not running:  # asking a service that does not run would start it
        startable = await _call(bus, _BUS, _BUS_PATH, _BUS, "ListActivatableNames")
        known = not isinstance(startable, Trouble) and _BLUEZ in startable
        return Trouble.STOPPED if known or bluetoothd() else Trouble.NOT_INSTALLED
    objects: Mapping[str, Any] | Trouble = await _call(
        bus, _BLUEZ, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"
    )
    return objects


async def _call(bus: "MessageBus", service: str, path: str, interface: str, member: str, *words: str) -> Any:
    """The answer's first value, or the trouble in its place."""
    from dbus_fast.constants import MessageType
    from dbus_fast.message import Message

    message = Message(service, path, interface, member, signature="s" * len(words), body=list(words))
    try:
        async with asyncio.timeout(ANSWER_S):
            reply = await bus.call(message)
    except TimeoutError:
        return Trouble.NO_ANSWER
    if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
        return Trouble.DENIED if reply is not None and reply.error_name == _DENIED else Trouble.NO_ANSWER
    return reply.body[0]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Properties without their D-Bus wrapping."""
    return {name: getattr(value, "value", value) for name, value in values.items()}


def adapters_of(objects: Mapping[str, Any]) -> tuple[Adapter, ...]:
    """The adapters among BlueZ's objects, by name."""
    found = [
        (path.rpartition("/")[2], _plain(interfaces["org.bluez.Adapter1"]))
        for path, interfaces in objects.items()
        if "org.bluez.Adapter1" in interfaces
    ]
    return tuple(
        Adapter(printable(name), printable(str(told.get("Address", ""))), bool(told.get("Powered", False)))
        for name, told in sorted(found, key=lambda each: each[0])
    )


def devices_of(objects: Mapping[str, Any]) -> dict[str, Known]:
    """The devices among BlueZ's objects, by address."""
    found: dict[str, Known] = {}
    for interfaces in objects.values():
        told = _plain(interfaces.get("org.bluez.Device1", {}))
        address = str(told.get("Address", "")).upper()
        if address:
            battery = _plain(interfaces.get("org.bluez.Battery1", {})).get("Percentage")
            bonded = bool(told.get("Bonded", told.get("Paired", False)))  # Bonded: since BlueZ 5.66
            found[address] = Known(
                address, bonded, bool(told.get("Connected", False)), None if battery is None else float(battery)
            )
    return found


def switches_in(directory: Path) -> tuple[Switch, ...]:
    """The kernel's switches for Bluetooth; none where there are none, or nothing is told."""
    found = []
    for each in sorted(directory.glob("rfkill*")):
        if _word(each / "type") == "bluetooth":
            found.append(Switch(_word(each / "name"), _word(each / "soft") == "1", _word(each / "hard") == "1"))
    return tuple(found)


def kernel_adapters(directory: Path) -> tuple[str, ...]:
    """The adapters that the kernel has, whatever BlueZ makes of them: hci0, but no link such as hci0:64."""
    return tuple(sorted(each.name for each in directory.glob("hci*") if ":" not in each.name))


def _word(path: Path) -> str:
    try:
        return printable(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def bluetoothd() -> str:
    """The service's program; "" where it is in none of the usual places."""
    return next((path for path in BLUETOOTHD if Path(path).is_file()), "") or shutil.which("bluetoothd") or ""


def bluez_version() -> str:
    """The version of BlueZ that is installed, as its own programs tell; "" where they do not."""
    for program in (bluetoothd(), shutil.which("bluetoothctl") or ""):
        try:
            words = [program, "--version"] if program else []
            said = subprocess.run(
                words, capture_output=True, text=True, timeout=VERSION_S, check=False, stdin=subprocess.DEVNULL
            ).stdout
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
            continue
        if found := _VERSION.search(said):
            return found[0]
    return ""


_BY_REASON = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: Trouble.NO_ADAPTER,
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: Trouble.NO_ADAPTER,
    BleakBluetoothNotAvailableReason.POWERED_OFF: Trouble.OFF,
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: Trouble.DENIED,
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: Trouble.DENIED,
    BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: Trouble.DENIED,
}


def trouble_of(error: LinkError) -> Trouble:
    """What an error of a scan says of the system; OTHER where it does not say."""
    cause = error.__cause__
    if isinstance(cause, BleakBluetoothNotAvailableError):
        return _BY_REASON.get(cause.reason, Trouble.OTHER)
    if isinstance(error, PermissionMissing):
        return Trouble.DENIED
    return Trouble.BUSY if isinstance(error, BluetoothBusy) else Trouble.OTHER


async def listen(radio: Radio, addresses: Collection[str], longest_s: float, shortest_s: float) -> list[Found]:
    """Who is in range: one scan, which ends `shortest_s` after its start or once all `addresses` have been heard.

    Whichever is later, but `longest_s` at most. Raises LinkError.
    """
    sightings, missing, all_heard = Sightings(), {each.casefold() for each in addresses}, asyncio.Event()

    def saw(device: BLEDevice, data: AdvertisementData) -> None:
        missing.discard(sightings.see(device, data).address.casefold())
        if not missing:
            all_heard.set()

    async with radio.scanning, listening(radio, saw):
        await asyncio.sleep(shortest_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s - shortest_s if missing else 0):
                await all_heard.wait()
    return sightings.best_first()
