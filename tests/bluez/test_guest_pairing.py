"""Pairing through Linux's own Bluetooth by the real command: without any agent, beside a desktop's, after a reset."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bluez_bench import Air, Bluetooth, Commands, on_bus, wait_until

pytestmark = pytest.mark.bluez

STALE = "The sensor does not accept the keys that this computer has for it: it was reset, or another one poses as it."


class DesktopAgent:
    """A default agent of somebody else, which refuses everything and notes what it was asked."""

    CODE = """
import asyncio, sys
from dbus_fast.aio import MessageBus
from dbus_fast.constants import BusType, MessageType
from dbus_fast.message import Message

def ask(bus, member, signature, body):
    path, manager = "/org/bluez", "org.bluez.AgentManager1"
    return bus.call(Message("org.bluez", path, manager, member, signature=signature, body=body))

def asked(message):
    if message.message_type is MessageType.METHOD_CALL and message.path == "/desktop":
        print(message.member, flush=True)
        return Message.new_error(message, "org.bluez.Error.Rejected", "no")

async def main():
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bus.add_message_handler(asked)
    await ask(bus, "RegisterAgent", "os", ["/desktop", "DisplayYesNo"])
    reply = await ask(bus, "RequestDefaultAgent", "o", ["/desktop"])
    print(reply.message_type.name, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("w") as stream:
            self._process = subprocess.Popen([sys.executable, "-c", self.CODE], stdout=stream)
        wait_until(lambda: self._said[:1] == ["METHOD_RETURN"], "a desktop's agent")

    @property
    def asked(self) -> list[str]:
        """The calls that it got so far."""
        return self._said[1:]

    @property
    def _said(self) -> list[str]:
        return self._log.read_text().split()

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[DesktopAgent]:
    agent = DesktopAgent(tmp_path / "asked")
    yield agent
    agent.end()


def known(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "sensors.json").read_text())["sensors"]["back"])


def says(name: str, address: str) -> str:
    """A property of a device as text, as BlueZ tells it."""
    device = f"/org/bluez/hci0/dev_{address.replace(':', '_')}"
    wanted = ("string:org.bluez.Device1", f"string:{name}")
    return (on_bus("org.bluez", device, "org.freedesktop.DBus.Properties.Get", *wanted).split() or [""])[-1]


def test_pair_needs_nobody_elses_agent_and_a_second_one_changes_nothing(
    air: Air, bluetooth: Bluetooth, posture: Commands
):
    lines = posture("pair", "back").splitlines()
    assert "  security bonded, as the system's Bluetooth service says" in lines
    assert bluetooth.bonded == air.addresses
    assert says("Bonded", air.addresses[0]) == "true"
    first = known(posture.data)
    assert first["identity"] == "01" * 16
    keys = key_files()
    posture("pair", "back")
    assert known(posture.data) | {"paired_utc": ""} == first | {"paired_utc": ""}
    assert key_files() == keys


def key_files() -> dict[str, str]:
    """What BlueZ keeps of each device's long-term key."""
    infos = Path("/var/lib/bluetooth").glob("*/*/info")
    return {each.parent.name: each.read_text().partition("LongTermKey]")[2].partition("[")[0] for each in infos}


def test_a_stale_bond_is_named_and_mended_beside_a_desktops_agent(
    air: Air, bluetooth: Bluetooth, desktop: DesktopAgent, posture: Commands
):
    posture("pair", "back")
    assert bluetooth.bonded == air.addresses
    assert desktop.asked == [], "neither asked nor told to go"
    before = key_files()
    air.forget()
    refused = subprocess.run(
        ["posture", "pair", "back"], capture_output=True, text=True, env=posture.environment, check=False
    )
    said = refused.stderr.splitlines()
    if refused.returncode == 3:  # some kernels stumble over a refused key, and BlueZ dies: Debian's 6.1.192 does
        assert said[0] == "error: The Bluetooth service of this computer stopped while it connected to the sensor."
        assert said[1].endswith("; if the sensor was reset, then: posture pair back --forget")
        wait_until(lambda: not bluetooth.pids, "the end of bluetoothd")
        bluetooth.start()
        bluetooth.wait_powered()
    else:
        assert said == [f"error: {STALE}", "If it was reset, this mends it: posture pair back --forget"]
        assert refused.returncode == 4
    assert key_files() == before
    posture("pair", "back", "--forget")
    assert bluetooth.bonded == air.addresses
    assert key_files() != before
