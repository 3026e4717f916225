"""scan, pair, calibrate: over the simulated radio, with the real command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from companion.commands.words import bluetooth_address

SIMULATED_ADDRESS = "F4:12:3D:5A:70:01"


def remembered(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "sensors.json").read_text(encoding="utf-8"))


def test_scan_lists_the_simulated_sensor(posture) -> None:
    ran = posture("scan", "--simulated", "--timeout", "1", "--json")
    assert ran.code == 0
    assert json.loads(ran.lines[0]) == {
        "address": SIMULATED_ADDRESS,
        "name": "Posture 1234",
        "rssi_dbm": -50,
        "driver": "posture_v1",
        "confidence": 1.0,
        "battery_pct": None,
        "unusable": None,
    }


def test_pair_remembers_what_the_sensor_said(posture, data_dir: Path) -> None:
    ran = posture("pair", "upper-back", "--simulated")
    assert ran.code == 0
    assert ran.lines == [
        "upper-back: Posture 1234 (posture_v1)",
        "  rate     50 Hz",
        "  gives    acceleration, rotation",
        "  battery  92 %",
        "  security simulated: nothing to read",
    ]
    kept = remembered(data_dir)
    assert kept["default"] == "upper-back"
    sensor = kept["sensors"]["upper-back"]
    assert (sensor["driver"], sensor["address"], sensor["rate_hz"]) == ("posture_v1", SIMULATED_ADDRESS, "50")
    assert len(bytes.fromhex(sensor["identity"])) == 16


def test_pairing_the_same_sensor_again_keeps_its_name(posture, data_dir: Path) -> None:
    assert posture("pair", "mine", "--simulated").code == 0
    assert posture("pair", "--simulated").code == 0
    assert list(remembered(data_dir)["sensors"]) == ["mine"]


def test_a_simulated_sensor_is_not_looked_for_on_the_real_radio(posture) -> None:
    posture("pair", "--simulated")
    ran = posture("monitor")
    assert ran.code == 2
    assert "is a simulated sensor" in ran.err


RULE = "An alias has 1 to 32 of a-z, 0-9, - and _, and begins and ends with a letter or a digit."


@pytest.mark.parametrize(
    ("alias", "said"),
    [
        ("../x", ["error: '../x' cannot be an alias.", RULE]),
        ("-x", ["error: '-x' cannot be an alias.", RULE]),
        ("_x", ["error: '_x' cannot be an alias.", RULE]),
        ("x-", ["error: 'x-' cannot be an alias.", RULE]),
        ("con", ["error: 'con' cannot be an alias: Windows keeps that name for itself.", "Choose another one."]),
    ],
)
def test_an_alias_that_cannot_be_one_is_refused_before_anything_is_connected(posture, alias: str, said: list) -> None:
    ran = posture("pair", "--simulated", "--", alias)
    assert (ran.code, ran.out, ran.err.splitlines()) == (1, "", said)


def test_an_alias_from_before_that_rule_is_still_one(posture, data_dir: Path) -> None:
    posture("pair", "x", "--simulated")
    kept = (data_dir / "sensors.json").read_text(encoding="utf-8")
    (data_dir / "sensors.json").write_text(kept.replace('"x"', '"-x"'), encoding="utf-8")
    ran = posture("pair", "--simulated", "--", "-x")
    assert (ran.code, ran.lines[0]) == (0, "-x: Posture 1234 (posture_v1)")


@pytest.mark.parametrize("address", ["zz", "F4:12:3D:5A:70", "F4-12-3D-5A-70-01", ""])
def test_what_is_no_address_is_told_before_anything_is_looked_for(posture, address: str) -> None:
    ran = posture("pair", "--address", address)
    assert (ran.code, ran.err.splitlines()) == (
        1,
        [
            f"error: {address!r} is no Bluetooth address such as AA:BB:CC:DD:EE:FF (on macOS, a UUID).",
            "`posture scan` lists the addresses in range.",
        ],
    )


def test_addresses_of_every_system_are_taken() -> None:
    for text in ("F4:12:3D:5A:70:01", "f4:12:3d:5a:70:01", "6A3C1B52-1D2E-4F70-8A9B-0C1D2E3F4A5B"):
        assert bluetooth_address(text) == text


def test_that_nothing_was_there_to_be_forgotten_is_told(posture) -> None:
    ran = posture("pair", "back", "--simulated", "--forget")
    assert (ran.code, ran.err.splitlines()) == (
        0,
        ["There were no old keys for it on this computer.", "`posture monitor` uses it from now on."],
    )


@pytest.mark.slow
def test_calibrate_leads_through_the_steps_and_stores_the_baseline(posture, data_dir: Path) -> None:
    ran = posture("calibrate", "--simulated", "demo", "--profile", "sofa")
    assert ran.code == 0, ran.err
    steps = [line.split("calibration: ")[1].split(",")[0] for line in ran.lines if "calibration: " in line]
    assert steps == ["hold still", "bend forward from the hips", "1 of 2 seen", "hold still again", "done"]
    kept = json.loads((data_dir / "calibrations.json").read_text(encoding="utf-8"))
    stored = kept["calibrations"]["simulated"]["sofa"]
    assert (stored["method"], stored["profile"]) == ("guided", "sofa")
    assert not list((data_dir / "sessions").iterdir())


def test_the_real_radio_is_missing_in_one_sentence(posture) -> None:
    ran = posture("scan", "--timeout", "0.5")
    if ran.code == 0:
        pytest.skip("this computer has Bluetooth")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: Bluetooth")
    assert len(ran.err.splitlines()) <= 3


@pytest.mark.slow
def test_an_alias_is_the_sensor_that_was_paired_under_it(posture) -> None:
    assert posture("pair", "strap", "--simulated", "--device", "polar").code == 0
    ran = posture("monitor", "strap", "--simulated", "upright", "--json", "--duration", "1")
    assert (ran.code, json.loads(ran.lines[0])["device"]) == (0, "polar")
    for command in (("monitor", "strap", "--simulated", "upright"), ("calibrate", "strap", "--simulated", "demo")):
        ran = posture(*command, "--device", "witmotion")
        assert ran.code == 1
        assert ran.err.splitlines() == [
            "error: 'strap' is a polar sensor.",
            "Leave out --device, or use another name.",
        ]


@pytest.mark.slow
def test_another_sensor_under_a_known_name_is_told(posture) -> None:
    posture("pair", "strap", "--simulated", "--device", "polar,witmotion", "--address", "F4:12:3D:5A:70:04")
    ran = posture("pair", "strap", "--simulated", "--device", "polar,witmotion", "--address", "F4:12:3D:5A:70:03")
    assert ran.code == 0
    assert "strap was Polar H10 5A700404 (polar) before." in ran.err
