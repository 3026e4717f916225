"""Who is in range: one scan at a time, names made printable, at most 256 devices remembered.

Knows: bleak's scanner and adapter, the drivers' matches. Must never know: connections, or who asks.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from bleak import BleakAdapter, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from companion.errors import DeviceNotFound, LinkError
from companion.host import boot_ns
from companion.link.errors import link_errors
from companion.link.radio import Radio
from companion.text import printable
from firmware_protocol import Advertisement, Driver, Unusable, best_match, unusable
from firmware_protocol import driver as driver_called

MAX_REMEMBERED = 256
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
CLAIM_S = 2.0
"""So long an address that no driver claims is listened to once it is seen: the name comes with a packet of its own."""
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
_NO_SIGNAL = -1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A device in range. `driver` names the driver that is surest of it; None where none claims it.

    `unusable` says why, where it is known that no driver can use it.
    """

    address: str
    name: str  # printable; empty where it tells none
    rssi: int | None  # dBm
    driver: str | None
    advertisement: Advertisement
    battery: float | None = None  # per cent, where it is advertised
    device: BLEDevice | None = field(default=None, repr=False, compare=False)  # what bleak connects to
    confidence: float | None = None  # how sure the driver is, above 0 to 1
    unusable: Unusable | None = None

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """What a driver takes, what is known to be of no use, strangers; then by signal. Greater is better."""
        known = self.unusable is not None
        return (self.driver is not None, known, _NO_SIGNAL if self.rssi is None else self.rssi)


class Sightings:
    """The devices seen in one scan, bounded: a flood of addresses does not push out what matters."""

    def __init__(self, clock: Callable[[], int] = boot_ns, limit: int = MAX_REMEMBERED) -> None:
        self._clock = clock
        self._limit = limit
        self._found: dict[str, Found] = {}

    def see(self, device: BLEDevice, data: AdvertisementData) -> Found:
        """Note an advertisement; a full memory forgets the device of lowest rank, this one perhaps."""
        advertisement = advertisement_of(device, data, self._clock())
        before = self._found.get(device.address)
        if before is not None and same_content(before.advertisement, advertisement):
            found = replace(before, rssi=data.rssi, advertisement=advertisement, device=device)
        else:
            found = _found(device, advertisement)
            if before is not None and _stands(before, found):
                found = replace(found, driver=before.driver, confidence=before.confidence, unusable=None)
        self._found[device.address] = found
        if len(self._found) > self._limit:
            del self._found[min(self._found.values(), key=lambda each: each.rank).address]
        return found

    def best_first(self) -> list[Found]:
        """Everything remembered, strongest signal first."""
        return sorted(self._found.values(), key=lambda each: (-each.rank[-1], each.address))


async def scan(radio: Radio, timeout_s: float, clock: Callable[[], int] = boot_ns) -> list[Found]:
    """Listen for `timeout_s` seconds; every device heard, strongest signal first. Raises LinkError."""
    sightings = Sightings(clock)
    async with radio.scanning, listening(radio, _seeing(sightings)):
        await asyncio.sleep(timeout_s)
    return sightings.best_first()


@asynccontextmanager
async def listening(radio: Radio, saw: Callable[[BLEDevice, AdvertisementData], None]) -> AsyncIterator[None]:
    """Have `saw` called for every advertisement inside; `radio.scanning` must be held. Raises LinkError at entry.

    That a scan cannot be stopped any more (its adapter is gone, say) is no matter to who has what it came for.
    """
    scanner = BleakScanner(saw, backend=radio.scanner_backend)
    with link_errors():
        async with asyncio.timeout(START_TIMEOUT_S):
            await scanner.start()
    try:
        yield
    finally:
        try:
            with link_errors():
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await scanner.stop()
        except LinkError as error:
            log.debug("stopping the scan: %s", error)


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

    Returns as soon as the address is seen (where no driver is meant and none claims it yet, up to `CLAIM_S` later), or
    `settle_s` after the first match, so that the nearest of several is taken. A sensor that this computer is connected
    to already (an earlier program ended badly) counts as seen, for it does not advertise. Raises DeviceNotFound after
    `timeout_s`, LinkError where Bluetooth does not work.
    """
    wanted = _wanting(driver, address)
    sightings = Sightings(clock)
    first: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
    claimed = asyncio.Event()

    def saw(device: BLEDevice, data: AdvertisementData) -> None:
        found = sightings.see(device, data)
        if wanted(found):
            if not first.done():
                first.set_result(found)
            if driver is not None or found.driver is not None:
                claimed.set()

    async with radio.scanning:
        for connected in await _connected_already(radio, driver, clock()):
            if wanted(connected):
                return connected
        async with listening(radio, saw):
            if not (await asyncio.wait({first}, timeout=timeout_s))[0]:
                raise not_found(driver, address, timeout_s)
            await (asyncio.sleep(settle_s) if address is None else _for_a_while(claimed))
    return next(filter(wanted, sightings.best_first()), first.result())


async def _for_a_while(claimed: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(CLAIM_S):
            await claimed.wait()


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


def not_found(driver: Driver | None, address: str | None, timeout_s: float) -> DeviceNotFound:
    """Nobody answered within `timeout_s`."""
    what = "The sensor" if address is not None else "A sensor" if driver is None else f"A {driver.name} sensor"
    return DeviceNotFound(
        f"{what} was not seen within {round(timeout_s, 1):g} s.",
        "Switch it on, bring it nearer, and make sure that nothing else is connected to it.",
    )


async def _connected_already(radio: Radio, driver: Driver | None, now_ns: int) -> Iterable[Found]:
    """Sensors that the system is connected to; none where it cannot say (the scan tells what is wrong)."""
    if driver is None or not driver.services or not radio.knows_connected:
        return []
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            adapter = await BleakAdapter.get(backend=radio.adapter_backend)
            devices = await adapter.get_connected_devices(list(driver.services))
    except Exception:  # whatever it is: asking is a convenience, and scanning comes next
        return []
    told = [
        Advertisement(t_host_ns=now_ns, address=each.address, name=each.name, service_uuids=driver.services)
        for each in devices
    ]
    return [
        replace(_found(device, advertisement), driver=driver.name, unusable=None)
        for device, advertisement in zip(devices, told, strict=True)
    ]


def advertisement_of(device: BLEDevice, data: AdvertisementData, now_ns: int) -> Advertisement:
    """An advertisement as bleak tells it, as a frame."""
    return Advertisement(
        t_host_ns=now_ns,
        address=device.address,
        name=data.local_name or device.name,
        rssi=data.rssi,
        manufacturer_data=dict(data.manufacturer_data),
        service_data={uuid.lower(): value for uuid, value in data.service_data.items()},
        service_uuids=tuple(uuid.lower() for uuid in data.service_uuids),
    )


def same_content(one: Advertisement, other: Advertisement) -> bool:
    """Whether two advertisements say the same, the signal aside."""
    return (
        one.name == other.name
        and one.service_uuids == other.service_uuids
        and one.manufacturer_data == other.manufacturer_data
        and one.service_data == other.service_data
    )


def _stands(before: Found, now: Found) -> bool:
    """Whether an earlier claim holds on: packets of one sensor differ, and not each has its name or its motion."""
    if before.driver is None or now.driver is not None:
        return False
    return now.unusable is None or driver_called(before.driver).broadcasts


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
        confidence=known.match(advertisement) if known is not None else None,
        unusable=unusable(advertisement) if known is None else None,
    )


def _battery(known: Driver | None, advertisement: Advertisement) -> float | None:
    """Per cent, as the driver reads the advertisement, or from the standard battery service data."""
    if known is not None:
        levels = known.new_decoder().feed([advertisement]).batteries
        if levels and levels[-1].percent is not None:
            return levels[-1].percent
    standard = advertisement.service_data.get(BATTERY_SERVICE, b"")
    return float(standard[0]) if len(standard) == 1 and standard[0] <= 100 else None
