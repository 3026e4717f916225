"""`posture doctor` on Linux's own Bluetooth: all is well; adapter off or gone, service killed, sensor away."""

import asyncio
import json
from typing import Any

import pytest
from bluez_bench import Air, Bluetooth, Commands

from companion.commands.examining import of_bluez
from companion.commands.remedies import System
from companion.link.diagnosis import ask_bluez

pytestmark = pytest.mark.bluez


def examined(posture: Commands, code: int) -> dict[str, dict[str, Any]]:
    """The checks of the command, which must have this exit code."""
    return {each["id"]: each for each in json.loads(posture("doctor", "--json", code=code))["checks"]}


def of_service() -> dict[str, tuple[bool | None, str]]:
    """The part of them that BlueZ tells: a new process for each takes long here."""
    return {each.id: (each.ok, each.fix) for each in of_bluez(asyncio.run(ask_bluez()), System.LINUX)}


def test_the_doctor_follows_adapter_and_service(air: Air, bluetooth: Bluetooth, posture: Commands):
    bluetooth.power(False)
    assert of_service()["power"] == (False, "bluetoothctl power on")
    bluetooth.power(True)
    air.unplug()
    assert [ok for ok, _ in of_service().values()] == [True, True, False, None]
    air.plug()
    bluetooth.wait_powered()
    assert [ok for ok, _ in of_service().values()] == [True] * 4

    bluetooth.kill()
    stopped = examined(posture, 3)
    assert (stopped["service"]["ok"], stopped["adapter"]["ok"]) == (False, True)
    assert "its service does not run" in stopped["service"]["says"]
    assert stopped["service"]["fix"].startswith("sudo service bluetooth start")
    assert stopped["scan"]["ok"] is None
    assert not bluetooth.running  # being asked has not started it


def test_the_doctor_sees_a_paired_sensor_and_misses_it(air: Air, bluetooth: Bluetooth, posture: Commands):
    posture("pair")
    before = air.told()["taken"]
    there = examined(posture, 0)
    bluetooth_works = ("service", "permission", "adapter", "power", "scan")
    assert [there[each]["ok"] for each in (*bluetooth_works, "seen", "monitor", "bond")] == [True] * 8
    assert there["service"]["says"].startswith("BlueZ 5.")
    assert bluetooth.get("Address") in there["adapter"]["says"]
    assert there["scan"]["says"].endswith("of them sensors with a driver 1.")
    assert there["bond"]["says"] == "This computer has keys for it."
    assert air.told()["taken"] == before  # nothing was started

    air.away()
    away = examined(posture, 2)
    assert (away["seen"]["ok"], away["bond"]["ok"]) == (False, True)
