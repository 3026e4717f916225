"""Scanning: over the simulated radio, in a flood (T9), and where there is no Bluetooth at all."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from fake_air import READ, packets_backend, plain

from companion.errors import BluetoothOff, DeviceNotFound
from companion.link.radio import Radio
from companion.link.scan import MAX_REMEMBERED, Sightings, find, scan
from companion.simulator.served import Served
from firmware_protocol import driver
from firmware_protocol.posture_v1 import packets as p

POSTURE = driver("posture_v1")


def heard(number: int, rssi: int, *, name: str | None = None, services: tuple[str, ...] = (), data=None, maker=None):
    """A device and an advertisement of it, as bleak gives them."""
    address = f"F0:00:00:00:{number // 256:02X}:{number % 256:02X}"
    told = AdvertisementData(name, maker or {}, data or {}, list(services), None, rssi, ())
    return BLEDevice(address, name, None), told


async def test_a_scan_lists_the_sensor_with_its_driver_and_full_name(on_air):
    rig = await on_air(name="Posture 1234")
    (found,) = await scan(rig.radio, 0.3)
    assert (found.address, found.name, found.rssi, found.driver) == (rig.sim.address, "Posture 1234", -50, "posture_v1")
    assert found.advertisement.service_uuids == (p.SERVICE,)
    assert found.battery is None
    assert found.device is not None
    assert not rig.sim.central.scanning


async def test_a_name_from_the_air_is_made_printable(on_air):
    rig = await on_air(name="\x1b[31m\u202eevil\x07")
    (found,) = await scan(rig.radio, 0.3)
    assert found.name == "[31mevil"


async def test_two_scans_at_a_time_wait_for_each_other(on_air):
    rig = await on_air()
    radio = rig.radio
    both = await asyncio.gather(scan(radio, 0.2), scan(radio, 0.2), find(radio, driver=POSTURE, settle_s=0.0))
    assert [len(each) for each in both[:2]] == [1, 1]


async def test_find_takes_the_first_of_an_address_and_says_when_there_is_none(on_air):
    rig = await on_air()
    found = await find(rig.radio, address=rig.sim.address.lower(), timeout_s=5.0)
    assert found.driver == "posture_v1"
    with pytest.raises(DeviceNotFound) as caught:
        await find(rig.radio, address="F0:00:00:00:00:09", timeout_s=0.2)
    assert str(caught.value) == "The sensor was not seen within 0.2 s."
    assert caught.value.exit_code == 2
    assert not rig.sim.central.scanning


async def test_find_without_a_driver_takes_any_that_some_driver_knows(on_air):
    rig = await on_air()
    assert (await find(rig.radio, settle_s=0.0)).driver == "posture_v1"


async def test_an_address_that_no_driver_claims_is_listened_to_for_its_name(monkeypatch):
    """The name often comes in a packet of its own, after the first."""
    backend = packets_backend()
    radio = Radio(backend)
    waiting = asyncio.create_task(find(radio, address="F0:00:00:00:00:01"))
    while not backend.listening:
        await asyncio.sleep(0.005)
    backend.say("F0:00:00:00:00:01")
    await asyncio.sleep(0.05)
    assert not waiting.done()
    backend.say("F0:00:00:00:00:01", name="BBC micro:bit [zuvov]")
    assert (await waiting).driver == "microbit"
    monkeypatch.setattr("companion.link.scan.CLAIM_S", 0.05)
    waiting = asyncio.create_task(find(radio, address="F0:00:00:00:00:01"))
    while not backend.listening:
        await asyncio.sleep(0.005)
    backend.say("F0:00:00:00:00:01", name="my own board")
    assert (await waiting).driver is None


async def test_the_strongest_of_several_makers_is_found():
    backend = packets_backend()
    waiting = asyncio.create_task(find(Radio(backend), settle_s=0.1))
    while not backend.listening:
        await asyncio.sleep(0.005)
    backend.say("F0:00:00:00:00:01", name="WT901BLE67", rssi=-70)
    backend.say("F0:00:00:00:00:02", name="Polar H10 12345678", rssi=-60)
    backend.say("F0:00:00:00:00:03", name="UprightGO2", rssi=-30)
    backend.say("F0:00:00:00:00:04", rssi=-20)
    found = await waiting
    assert (found.address, found.driver) == ("F0:00:00:00:00:02", "polar")


async def test_a_connected_sensor_whose_name_nobody_knows_is_known_by_its_services(among):
    microbit = driver("microbit")
    rig = await among(plain("mine", Served(microbit.services[0], p.INFO, READ)))
    found = await find(rig.radio, address=rig.sim.address, driver=microbit)
    client = BleakClient(found.device, backend=rig.sim.client_backend)
    await client.connect()
    again = await find(rig.radio, driver=microbit, timeout_s=0.2)
    assert (again.address, again.driver) == (found.address, "microbit")
    await client.disconnect()


async def test_a_sensor_that_is_connected_already_is_found_without_a_scan(on_air):
    rig = await on_air()
    found = await find(rig.radio, driver=POSTURE, settle_s=0.0)
    client = BleakClient(found.device, backend=rig.sim.client_backend)
    await client.connect()
    again = await find(rig.radio, driver=POSTURE, timeout_s=0.2)
    assert (again.address, again.driver, again.rssi) == (found.address, "posture_v1", None)
    with pytest.raises(DeviceNotFound):
        await find(rig.radio, driver=POSTURE, address="F0:00:00:00:00:09", timeout_s=0.2)
    await client.disconnect()


def test_devices_are_sorted_by_signal_and_kept_up_to_date():
    sightings = Sightings(lambda: 7)
    for number, rssi in ((1, -80), (2, -40), (3, -60), (1, -30)):
        sightings.see(*heard(number, rssi))
    assert [(found.address[-2:], found.rssi) for found in sightings.best_first()] == [
        ("01", -30),
        ("02", -40),
        ("03", -60),
    ]
    assert {found.advertisement.t_host_ns for found in sightings.best_first()} == {7}


def test_a_name_that_comes_later_is_taken():
    sightings = Sightings()
    sightings.see(*heard(1, -50))
    sightings.see(*heard(1, -51, name="Posture", services=(p.SERVICE.upper(),)))
    (found,) = sightings.best_first()
    assert (found.name, found.driver, found.advertisement.service_uuids) == ("Posture", "posture_v1", (p.SERVICE,))


def test_a_flood_of_addresses_and_names_does_not_push_out_a_sensor():
    sightings = Sightings()
    sightings.see(*heard(1, -95, services=(p.SERVICE,)))
    for number in range(2, 5000):
        sightings.see(*heard(number, -30, name=f"flood {number}"))
    found = sightings.best_first()
    assert len(found) == MAX_REMEMBERED
    assert [each.address for each in found if each.driver] == ["F0:00:00:00:00:01"]


def test_what_is_known_to_be_of_no_use_is_kept_before_strangers_and_gives_way_to_sensors():
    sightings = Sightings(limit=3)
    sightings.see(*heard(1, -90, name="UprightGO2"))
    for number in range(2, 100):
        sightings.see(*heard(number, -30))
    kept = {found.address[-2:]: found for found in sightings.best_first()}
    assert kept["01"].unusable is not None
    assert kept["01"].driver is None
    for number in range(100, 103):
        sightings.see(*heard(number, -95, services=(p.SERVICE,)))
    assert {found.driver for found in sightings.best_first()} == {"posture_v1"}


def test_what_a_driver_takes_is_told_with_how_sure_it_is():
    sightings = Sightings()
    sensor = sightings.see(*heard(1, -50, name="BBC micro:bit [zuvov]"))
    useless = sightings.see(*heard(2, -50, name="WTVB01-BT50"))
    stranger = sightings.see(*heard(3, -50, name="a headset"))
    assert (sensor.driver, sensor.confidence, sensor.unusable) == ("microbit", 0.4, None)
    assert (useless.driver, useless.confidence) == (None, None)
    assert "vibration" in useless.unusable.reason
    assert (stranger.driver, stranger.confidence, stranger.unusable) == (None, None, None)
    assert sensor.rank > useless.rank > stranger.rank


BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
TEMPERATURE, LEAN = bytes.fromhex("4002c409"), bytes.fromhex("403f020c")


def test_a_sensor_that_tells_its_motion_in_some_packets_only_stays_one():
    sightings = Sightings()
    first = sightings.see(*heard(1, -50, data={BTHOME: TEMPERATURE}))
    assert (first.driver, first.unusable is None) == (None, False)
    sightings.see(*heard(1, -50, data={BTHOME: LEAN}))
    found = sightings.see(*heard(1, -50, data={BTHOME: TEMPERATURE}))
    assert (found.driver, found.confidence, found.unusable) == ("bthome", 1.0, None)


def test_a_name_that_is_left_out_of_later_packets_is_not_forgotten_and_one_that_tells_more_counts():
    sightings = Sightings()
    sightings.see(*heard(1, -50, name="BBC micro:bit [zuvov]"))
    assert sightings.see(*heard(1, -50, maker={1: b"x"})).driver == "microbit"
    sightings.see(*heard(2, -50, name="WT901BLE67"))
    found = sightings.see(*heard(2, -50, name="WTVB01-BT50"))
    assert (found.driver, found.unusable.name) == (None, "WTVB")


def test_in_a_flood_of_forged_sensors_the_strongest_stay():
    sightings = Sightings()
    for number in range(2000):
        sightings.see(*heard(number, -90 + number % 50, services=(p.SERVICE,)))
    assert len(sightings.best_first()) == MAX_REMEMBERED
    sightings.see(*heard(9999, -20, services=(p.SERVICE,)))
    assert sightings.best_first()[0].rssi == -20


@pytest.mark.parametrize(
    ("value", "level"), [(b"\x00", 0.0), (b"\x64", 100.0), (b"\x65", None), (b"", None), (b"\x10\x10", None)]
)
def test_a_standard_battery_level_is_read(value, level):
    battery = {"0000180F-0000-1000-8000-00805F9B34FB": value}
    assert Sightings().see(*heard(1, -50, data=battery)).battery == level


async def test_without_a_bluetooth_service_a_real_scan_says_so_in_one_sentence(monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    for attempt in (scan(Radio(), 0.1), find(Radio(), driver=POSTURE, timeout_s=0.1)):
        with pytest.raises(BluetoothOff) as caught:
            await attempt
        assert str(caught.value) == (
            "Bluetooth cannot be used on this computer: there is no adapter, or its service is not running."
        )
        assert "--simulated" in caught.value.hint
        assert caught.value.exit_code == 3


async def test_the_real_bleak_is_what_scans(on_air):
    rig = await on_air()
    device = await BleakScanner.find_device_by_address(rig.sim.address, timeout=5, backend=rig.sim.scanner_backend)
    assert device is not None
    assert device.name == "Posture 1234"
