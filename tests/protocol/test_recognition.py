"""Which driver a device is for, and which devices are known to be of no use: tables of advertisements and services."""

import pytest

import firmware_protocol as fp
from firmware_protocol.posture_v1.packets import SERVICE as POSTURE_SERVICE

BTHOME, BTHOME_1, BTHOME_1_SEALED = (f"0000{short}-0000-1000-8000-00805f9b34fb" for short in ("fcd2", "181c", "181e"))
POLAR_PMD = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
MICROBIT = "e95d0753-251d-470a-a062-fa1922dfa9a8"
WIT = "0000ffe5-0000-1000-8000-00805f9a34fb"
BATTERY = "0000180f-0000-1000-8000-00805f9b34fb"
RUUVI_5 = "0512fc5394c37c0004fffc040cac364200cdcbb8334c884f"
RUUVI_5_EMPTY = "058000ffffffff800080008000ffffffffffffffffffffff"

UPRIGHT = (
    "The UPRIGHT GO's protocol is not published; writing to it without one can disable it, "
    "so this program leaves it alone."
)
ESPRUINO = "Boards with Espruino talk in text over a console, for which there is no driver yet."
NO_BTHOME_MOTION = "This BTHome sensor sends no motion: no acceleration with a direction, and no rotation."
BTHOME_OLD = "This sensor sends version 1 of BTHome, and only version 2 is read."
WTVB = "WIT's WTVB sensors measure vibration and send no motion that a posture could be told from."


def seen(name=None, company=None, data="", service_data=None, services=()):
    return fp.Advertisement(
        t_host_ns=0,
        address="F0:00:00:00:00:01",
        name=name,
        manufacturer_data={} if company is None else {company: bytes.fromhex(data)},
        service_data={uuid: bytes.fromhex(value) for uuid, value in (service_data or {}).items()},
        service_uuids=services,
    )


@pytest.mark.parametrize(
    ("advertisement", "what", "reason"),
    [
        (seen("UprightGO2"), "UPRIGHT GO", UPRIGHT),
        (seen("Upright GO S"), "UPRIGHT GO", UPRIGHT),
        (seen(None, 0x0735, "0102"), "UPRIGHT GO", UPRIGHT),
        (seen("Lift", 0x0251), "Lumo Lift", "No protocol of the Lumo Lift has been published."),
        (seen("WTVB01-BT50"), "WTVB", WTVB),
        (seen("WTVB01-BT50", services=(WIT,)), "WTVB", WTVB),
        (seen("WT901SDCL-BT50"), "WT901SDCL", "WIT's WT901SDCL is a recorder, whose frames no driver reads."),
        (seen("Polar H7 12345678"), "Polar H7 or H9", "The Polar H7 and H9 send heart rate only, no motion."),
        (
            seen("Polar H9 12345678", 0x006B, "00"),
            "Polar H7 or H9",
            "The Polar H7 and H9 send heart rate only, no motion.",
        ),
        (
            seen("jiaozi-1234"),
            "Hipee",
            "The Hipee's protocol is only reverse-engineered, and there is no driver for it.",
        ),
        (seen("JZ-00AF"), "Hipee", "The Hipee's protocol is only reverse-engineered, and there is no driver for it."),
        (
            seen("Ruuvi 1234", 0x0499, "03291a1ece1efc18f94202ca0b53"),
            "Ruuvi",
            "This Ruuvi sensor sends data format 3, and only format 5 (RAWv2) is read.",
        ),
        (seen(None, 0x0499), "Ruuvi", "This Ruuvi sensor sends no data, and only format 5 (RAWv2) is read."),
        (seen("Ruuvi 1234", 0x0499, RUUVI_5_EMPTY), "Ruuvi", "This Ruuvi sensor sends no acceleration."),
        (seen(service_data={BTHOME: "400009015d025d0903b718"}), "BTHome", NO_BTHOME_MOTION),
        (seen(service_data={BTHOME: "40518756"}), "BTHome", NO_BTHOME_MOTION),  # a magnitude only
        (seen(service_data={BTHOME: "40630057d0ff"}), "BTHome", NO_BTHOME_MOTION),  # one axis of three
        (seen(service_data={BTHOME: "2002c409"}), "BTHome", BTHOME_OLD),
        (
            seen(service_data={BTHOME: ""}),
            "BTHome",
            "This sensor sends version 0 of BTHome, and only version 2 is read.",
        ),
        (seen(service_data={BTHOME_1: "0201c409"}), "BTHome", BTHOME_OLD),
        (seen(service_data={BTHOME_1_SEALED: "fba435e4d3c312fb001122339778"}), "BTHome", BTHOME_OLD),
        (seen("Puck.js 1a2b"), "Espruino", ESPRUINO),
        (seen("Bangle.js 1a2b", 0x0590), "Espruino", ESPRUINO),
        (seen(None, 0x0590, "7b7d"), "Espruino", ESPRUINO),
        (
            seen("Nano33BLESense-1A2B"),
            "Arduino Nano 33 BLE",
            "There is no driver yet for this sample firmware of the Arduino Nano 33 BLE.",
        ),
        (seen("eSense-0123"), "eSense", "There is no driver for eSense earables."),
        (
            seen("DfuTarg"),
            "DfuTarg",
            "This sensor waits for a firmware update, as a Movesense does that is called DfuTarg.",
        ),
    ],
)
def test_what_no_driver_can_use_is_told_why(advertisement, what, reason) -> None:
    assert fp.unusable(advertisement) == fp.Unusable(what, reason)
    assert fp.best_match(advertisement) is None
    assert reason.endswith(".")
    assert reason.count(". ") == 0


@pytest.mark.parametrize(
    ("advertisement", "driver"),
    [
        (seen("Posture 1234", services=(POSTURE_SERVICE,)), "posture_v1"),
        (seen("BBC micro:bit [zuvov]"), "microbit"),
        (seen("WT901BLE67"), "witmotion"),
        (seen("Polar H10 12345678", 0x006B, "00"), "polar"),
        (seen("Movesense 123456789012"), "movesense"),
        (seen("Ruuvi 1234", 0x0499, RUUVI_5), "ruuvi"),
        (seen(service_data={BTHOME: "403f020c"}), "bthome"),
        (seen(service_data={BTHOME: "41a47266c95f730011223378237214"}), "bthome"),  # encrypted: may be anything
        (seen("a headset"), None),
        (seen(), None),
        # a board with our own firmware, whatever board it is
        (seen("Puck.js 1a2b", 0x0590, services=(POSTURE_SERVICE,)), "posture_v1"),
        (seen("Nano33BLE-1", services=(POSTURE_SERVICE,)), "posture_v1"),
    ],
)
def test_what_a_driver_can_use_is_of_use(advertisement, driver) -> None:
    assert fp.unusable(advertisement) is None
    found = fp.best_match(advertisement)
    assert (found.name if found else None) == driver


def test_services_tell_the_drivers_that_fit() -> None:
    assert [each.name for each in fp.drivers_for([BATTERY, MICROBIT.upper()])] == ["microbit"]
    assert {each.name for each in fp.drivers_for([MICROBIT, POLAR_PMD, WIT])} == {"microbit", "polar", "witmotion"}
    assert fp.drivers_for([BATTERY]) == ()
    assert fp.drivers_for([]) == ()


@pytest.mark.parametrize(
    ("services", "claimed", "driver"),
    [
        ([MICROBIT, BATTERY], None, "microbit"),  # renamed
        ([MICROBIT], "microbit", "microbit"),
        ([WIT], "polar", "witmotion"),  # another one's name
        ([WIT, POLAR_PMD], "polar", "polar"),
        ([WIT, POLAR_PMD], "witmotion", "witmotion"),
    ],
)
def test_a_connected_sensor_is_known_by_its_services(services, claimed, driver) -> None:
    assert fp.recognised(services, fp.driver(claimed) if claimed else None).name == driver


@pytest.mark.parametrize("claimed", ["microbit", "polar", "movesense", "witmotion", "posture_v1"])
def test_where_no_services_fit_the_claimed_driver_says_what_is_missing(claimed) -> None:
    with pytest.raises(fp.ScriptRefused) as caught:
        fp.recognised([BATTERY], fp.driver(claimed))
    assert str(caught.value) == fp.driver(claimed).lacking != ""


def test_where_none_fit_and_none_was_claimed_so_is_said() -> None:
    with pytest.raises(fp.ScriptRefused) as caught:
        fp.recognised([BATTERY])
    assert str(caught.value) == "This device offers no service that this program knows."
