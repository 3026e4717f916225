"""The guest is what it should be: Linux's own Bluetooth with a sensor in range that can be steered."""

import json

import pytest
from bluez_bench import Air, Bluetooth, Commands

pytestmark = pytest.mark.bluez


def test_bluez_runs_with_an_adapter_that_comes_and_goes(air: Air, bluetooth: Bluetooth):
    assert bluetooth.running
    assert bluetooth.adapters == ["/org/bluez/hci0"]
    address = bluetooth.get("Address")
    air.unplug()
    assert bluetooth.adapters == []
    air.plug()
    bluetooth.wait_powered()
    assert bluetooth.get("Address") == address


def test_a_scan_finds_the_sensor_and_not_one_that_is_away(air: Air, posture: Commands):
    air.reset("upright", "upright")
    air.away(1)
    found = [json.loads(line) for line in posture("scan", "--timeout", 4, "--json").splitlines()]
    assert [each["address"] for each in found] == [air.addresses[0]]
