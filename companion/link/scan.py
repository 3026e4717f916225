"""Who is in range: one scan at a time, names made printable, at most 256 devices remembered.

Knows: bleak's scanner and adapter, the drivers' matches. Must never know: connections, or who asks.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bleak import BleakAdapter, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from companion.errors import DeviceNotFound
from companion.host import boot_ns
from companion.link.errors import link_errors
from companion.link.radio import Radio
from companion.text import printable
from firmware_protocol import Advertisement, Driver, best_match

MAX_REMEMBERED = 256
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
_NO_SIGNAL = -1000


@dataclass(frozen=True, slots=True)
class Found:
    """A device in range. `driver` names the driver that is surest of it; None where none claims it."""

    address: str
    name: str  # printable; empty where it tells none
    rssi: int | None  # dBm
    driver: str | None
    advertisement: Advertisement
    battery: float | None = None  # per cent, where it is advertised
    device: BLEDevice | None = field(default=None, repr=False, compare=False)  # what bleak connects to

    @property
    def rank(self) -> tuple[bool, int]:
        """Known devices before unknown ones, then by signal: greater is better."""
        return (self.driver is not None, _NO_SIGNAL if self.rssi is None else self.rssi)


class Sightings:
    """The devices seen in one scan, bounded: a flood of addresses does not push out what matters."""

    def __init__(self, clock: Callable[[], int] = boot_ns, limit: int = MAX_REMEMBERED) -> None:
        self._clock = clock
        self._limit = limit
        self._found: dict[str, Found] = {}

    def see(self, device: BLEDevice, data: AdvertisementData) -> Found:
        """Note an advertisement; a full memory forgets the device of lowest rank, this one perhaps."""
        advertisement = _advertisement(device, data, self._clock())
        before = self._found.get(device.address)
        if before is not None and _same_content(before.advertisement, advertisement):
            found = Found(before.address, before.name, data.rssi, before.driver, advertisement, before.battery, device)
        else:
            found = _found(device, advertisement)
        self._found[device.address] = found
        if len(self._found) > self._limit:
            del self._found[min(self._found.values(), key=lambda each: each.rank).address]
        return found

    def best_first(self) -> list[Found]:
        """Everything remembered, strongest signal first."""
        return sorted(self._found.values(), key=lambda each: (-each.rank[1], each.address))


async def scan(radio: Radio, timeout_s: float, clock: Callable[[], int] = boot_ns) -> list[Found]:
    """Listen for `timeout_s` seconds; every device heard, strongest signal first. Raises LinkError."""
    sightings = Sightings(clock)
    async with radio.scanning:
        with link_errors():
            async with BleakScanner(_seeing(sightings), backend=radio.scanner_backend):
                await asyncio.sleep(timeout_s)
    return sightings.best_first()


async def find(
    radio: Radio,
    *,
    driver: Driver | None = None,
    address: str | None = None,
    timeout_s: float = 10.0,
    settle_s: float = 0.5,
    clock: Callable[[], int] = boot_ns,
) -> Found:
    """The sensor with this address; without one, the strongest that this driver (or any, where None) knows.

    Returns as soon as the address is seen, or `settle_s` after the first match, so that the nearest of
    several is taken. A sensor that this computer is connected to already (an earlier program ended badly)
    counts as seen, for it does not advertise. Raises DeviceNotFound after `timeout_s`, LinkError where
    Bluetooth does not work.
    """
    wanted = _wanting(driver, address)
    sightings = Sightings(clock)
    first: asyncio.Future[Found] = asyncio.get_running_loop().create_future()

    def saw(device: BLEDevice, data: AdvertisementData) -> None:
        found = sightings.see(device, data)
        if wanted(found) and not first.done():
            first.set_result(found)

    async with radio.scanning:
        for connected in await _connected_already(radio, driver, clock()):
            if wanted(connected):
                return connected
        with link_errors():
            async with BleakScanner(saw, backend=radio.scanner_backend):
                if not (await asyncio.wait({first}, timeout=timeout_s))[0]:
                    raise _not_found(driver, address, timeout_s)
                if address is None:
                    await asyncio.sleep(settle_s)
    return next(filter(wanted, sightings.best_first()), first.result())


def _seeing(sightings: Sightings) -> Callable[[BLEDevice, AdvertisementData], None]:
    def saw(device: BLEDevice, data: AdvertisementData) -> None:
        sightings.see(device, data)

    return saw


def _wanting(driver: Driver | None, address: str | None) -> Callable[[Found], bool]:
    if address is not None:
        return lambda found: found.address.casefold() == address.casefold()
    if driver is not None:
        return lambda found: found.driver == driver.name
    return lambda found: found.driver is not None


def _not_found(driver: Driver | None, address: str | None, timeout_s: float) -> DeviceNotFound:
    what = "The sensor" if address is not None else "A sensor" if driver is None else f"A {driver.name} sensor"
    return DeviceNotFound(
        f"{what} was not seen within {round(timeout_s, 1):g} s.",
        "Switch it on, bring it nearer, and make sure that nothing else is connected to it.",
    )


async def _connected_already(radio: Radio, driver: Driver | None, now_ns: int) -> Iterable[Found]:
    """Sensors that the system is connected to; none where it cannot say (the scan tells what is wrong)."""
    services = driver.services if driver is not None else ()
    if not radio.knows_connected or not services:
        return []
    try:
        adapter = await BleakAdapter.get(backend=radio.adapter_backend)
        devices = await adapter.get_connected_devices(list(services))
    except Exception:  # whatever it is: asking is a convenience, and scanning comes next
        return []
    told = [
        Advertisement(t_host_ns=now_ns, address=each.address, name=each.name, service_uuids=services)
        for each in devices
    ]
    return [_found(device, advertisement) for device, advertisement in zip(devices, told, strict=True)]


def _advertisement(device: BLEDevice, data: AdvertisementData, now_ns: int) -> Advertisement:
    return Advertisement(
        t_host_ns=now_ns,
        address=device.address,
        name=data.local_name or device.name,
        rssi=data.rssi,
        manufacturer_data=dict(data.manufacturer_data),
        service_data={uuid.lower(): value for uuid, value in data.service_data.items()},
        service_uuids=tuple(uuid.lower() for uuid in data.service_uuids),
    )


def _same_content(one: Advertisement, other: Advertisement) -> bool:
    return (
        one.name == other.name
        and one.service_uuids == other.service_uuids
        and one.manufacturer_data == other.manufacturer_data
        and one.service_data == other.service_data
    )


def _found(device: BLEDevice, advertisement: Advertisement) -> Found:
    known = best_match(advertisement)
    return Found(
        address=advertisement.address,
        name=printable(advertisement.name or ""),
        rssi=advertisement.rssi,
        driver=known.name if known is not None else None,
        advertisement=advertisement,
        battery=_battery(known, advertisement),
        device=device,
    )


def _battery(known: Driver | None, advertisement: Advertisement) -> float | None:
    """Per cent, as the driver reads the advertisement, or from the standard battery service data."""
    if known is not None:
        levels = known.new_decoder().feed([advertisement]).batteries
        if levels and levels[-1].percent is not None:
            return levels[-1].percent
    standard = advertisement.service_data.get(BATTERY_SERVICE, b"")
    return float(standard[0]) if len(standard) == 1 and standard[0] <= 100 else None
