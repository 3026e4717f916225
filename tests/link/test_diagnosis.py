"""What the system says of Bluetooth: BlueZ's objects as values, a real message bus of our own, /sys, a scan."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from fake_air import packets_backend

from companion.errors import BluetoothBusy, LinkError, PermissionMissing
from companion.link import diagnosis
from companion.link.diagnosis import (
    Adapter,
    Known,
    Switch,
    Trouble,
    adapters_of,
    ask_bluez,
    bluez_version,
    devices_of,
    kernel_adapters,
    listen,
    switches_in,
    trouble_of,
)
from companion.link.radio import Radio

OBJECTS: dict[str, dict[str, dict[str, Any]]] = {
    "/org/bluez": {"org.bluez.AgentManager1": {}},
    "/org/bluez/hci1": {"org.bluez.Adapter1": {"Address": "00:11:22:33:44:66"}},
    "/org/bluez/hci0": {"org.bluez.Adapter1": {"Address": "00:11:22:33:44:55", "Powered": True}},
    "/org/bluez/hci0/dev_A": {
        "org.bluez.Device1": {"Address": "f4:12:3d:00:00:01", "Paired": True, "Bonded": True, "Connected": True},
        "org.bluez.Battery1": {"Percentage": 87},
    },
    "/org/bluez/hci0/dev_B": {"org.bluez.Device1": {"Address": "F4:12:3D:00:00:02", "Paired": True}},
    "/org/bluez/hci0/dev_C": {"org.bluez.Device1": {"Address": "F4:12:3D:00:00:03", "Paired": True, "Bonded": False}},
    "/org/bluez/hci0/dev_D": {"org.bluez.Device1": {}},
}


def test_adapters_by_name_and_one_that_tells_nothing_is_off() -> None:
    assert adapters_of(OBJECTS) == (
        Adapter("hci0", "00:11:22:33:44:55", True),
        Adapter("hci1", "00:11:22:33:44:66", False),
    )


def test_devices_by_address_with_their_bond() -> None:
    """Bonded is what counts; older BlueZ has only Paired."""
    assert devices_of(OBJECTS) == {
        "F4:12:3D:00:00:01": Known("F4:12:3D:00:00:01", True, True, 87.0),
        "F4:12:3D:00:00:02": Known("F4:12:3D:00:00:02", True, False, None),
        "F4:12:3D:00:00:03": Known("F4:12:3D:00:00:03", False, False, None),
    }


def test_switches_and_adapters_of_the_kernel(tmp_path: Path) -> None:
    for name, values in {
        "rfkill0": {"type": "wlan\n", "name": "phy0\n", "soft": "1\n", "hard": "0\n"},
        "rfkill1": {"type": "bluetooth\n", "name": "hci0\n", "soft": "1\n", "hard": "0\n"},
        "rfkill2": {"type": "bluetooth\n", "name": "dell-bluetooth\n", "soft": "0\n", "hard": "1\n"},
        "rfkill3": {"type": "bluetooth\n"},
    }.items():
        (tmp_path / name).mkdir()
        for key, text in values.items():
            (tmp_path / name / key).write_text(text)
    for name in ("hci0", "hci0:64", "hci1"):
        (tmp_path / name).mkdir()
    assert switches_in(tmp_path) == (
        Switch("hci0", True, False),
        Switch("dell-bluetooth", False, True),
        Switch("", False, False),
    )
    assert kernel_adapters(tmp_path) == ("hci0", "hci1")
    assert switches_in(tmp_path / "absent") == ()
    assert kernel_adapters(tmp_path / "absent") == ()


@pytest.mark.skipif(sys.platform == "win32", reason="programs of this kind are of Unix")
@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo bluetoothctl: 5.66", "5.66"),
        ("echo 5.82", "5.82"),
        ("echo no number; exit 3", ""),
        ("sleep 20", ""),
        (None, ""),
    ],
)
def test_the_version_is_what_its_programs_say(
    script: str | None, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "BLUETOOTHD", ())
    monkeypatch.setattr(diagnosis, "VERSION_S", 0.3)
    if script is not None:
        program = tmp_path / "bluetoothctl"
        program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script.replace('sleep', 'exec sleep')}\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bluez_version() == version


Reason = BleakBluetoothNotAvailableReason


@pytest.mark.parametrize(
    ("error", "cause", "trouble"),
    [
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.NO_BLUETOOTH), Trouble.NO_ADAPTER),
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.NO_BLE_CENTRAL_ROLE), Trouble.NO_ADAPTER),
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.POWERED_OFF), Trouble.OFF),
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_USER), Trouble.DENIED),
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_SYSTEM), Trouble.DENIED),
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_UNKNOWN), Trouble.DENIED),
        (LinkError("x"), BleakBluetoothNotAvailableError("x", Reason.UNKNOWN), Trouble.OTHER),
        (PermissionMissing("x"), None, Trouble.DENIED),
        (BluetoothBusy("x"), None, Trouble.BUSY),
        (LinkError("x"), ValueError(), Trouble.OTHER),
    ],
)
def test_what_an_error_of_a_scan_says_of_the_system(
    error: LinkError, cause: Exception | None, trouble: Trouble
) -> None:
    error.__cause__ = cause
    assert trouble_of(error) is trouble


# ---- a scan


async def test_listening_ends_once_all_are_heard() -> None:
    backend = packets_backend()
    radio = Radio(backend)
    task = asyncio.create_task(listen(radio, ["AA:00:00:00:00:01", "aa:00:00:00:00:02"], 60.0, 0.0))
    while not radio.scanning.locked():
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    backend.say("AA:00:00:00:00:01", name="one")
    await asyncio.sleep(0.01)
    assert not task.done()
    backend.say("AA:00:00:00:00:02", name="two")
    async with asyncio.timeout(10):
        assert sorted(each.name for each in await task) == ["one", "two"]


async def test_listening_ends_without_one_that_is_not_there() -> None:
    backend = packets_backend()
    task = asyncio.create_task(listen(Radio(backend), ["AA:00:00:00:00:01"], 0.1, 0.01))
    await asyncio.sleep(0.03)
    backend.say("AA:00:00:00:00:02", name="two")
    async with asyncio.timeout(10):
        assert [each.name for each in await task] == ["two"]


# ---- a message bus of our own

needs_bus = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("dbus-daemon") is None, reason="there is no dbus-daemon here"
)
ALLOWED = '<allow send_destination="*"/><allow own="*"/><allow receive_sender="*"/>'
"""Nobody may talk to BlueZ where its rule is put behind this."""
NO_BLUEZ = '<deny send_destination="org.bluez"/>'
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={socket}</listen><servicedir>{services}</servicedir>
<policy context="default"><allow user="*"/>{policy}</policy></busconfig>
"""


@asynccontextmanager
async def bus_at(directory: Path, policy: str = ALLOWED, startable: bool = False) -> AsyncIterator[str]:
    """A message bus while inside; its address."""
    services = directory / "services"
    services.mkdir()
    if startable:
        (services / "org.bluez.service").write_text("[D-BUS Service]\nName=org.bluez\nExec=/bin/false\n")
    socket = directory / "bus"
    text = CONFIGURATION.format(socket=socket, services=services, policy=policy)
    (directory / "bus.conf").write_text(text)
    words = ["dbus-daemon", "--nofork", "--print-address", f"--config-file={directory / 'bus.conf'}"]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(10):
            assert (await process.stdout.readline()).startswith(b"unix:")
        yield f"unix:path={socket}"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def away_from_this_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No BlueZ of the computer on which the tests run; a bus that is not there."""
    monkeypatch.setattr(diagnosis, "BLUETOOTHD", ())
    monkeypatch.setattr(diagnosis.shutil, "which", lambda _name: None)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    return tmp_path


async def test_without_a_bus_that_is_what_is_said(away_from_this_computer: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("BlueZ is asked on Linux only")
    told = await ask_bluez(away_from_this_computer)
    assert (told.trouble, told.version, told.adapters, told.devices) == (Trouble.NO_BUS, "", (), {})


@needs_bus
@pytest.mark.parametrize(("startable", "trouble"), [(False, Trouble.NOT_INSTALLED), (True, Trouble.STOPPED)])
async def test_a_bus_without_bluez_tells_whether_it_is_installed_and_starts_nothing(
    startable: bool, trouble: Trouble, away_from_this_computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bus_at(away_from_this_computer, startable=startable) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert (await ask_bluez(away_from_this_computer)).trouble is trouble


@asynccontextmanager
async def bluez_on(address: str) -> AsyncIterator[Any]:
    """A connection that is called org.bluez while inside."""
    from dbus_fast.aio import MessageBus

    bus = await MessageBus(bus_address=address).connect()
    try:
        await bus.request_name("org.bluez")
        yield bus
    finally:
        bus.disconnect()


def an_adapter(powered: bool) -> Any:
    from dbus_fast.constants import PropertyAccess
    from dbus_fast.service import ServiceInterface, dbus_property

    def address(_self: Any) -> "s":  # type: ignore[name-defined]  # noqa: F821 - the signature of a text
        return "00:11:22:33:44:55"

    def power(_self: Any) -> "b":  # type: ignore[name-defined]  # noqa: F821 - the signature of a boolean
        return powered

    read = dbus_property(access=PropertyAccess.READ)
    address.__name__, power.__name__ = "Address", "Powered"
    kind = type("Adapter", (ServiceInterface,), {"Address": read(address), "Powered": read(power)})
    return kind("org.bluez.Adapter1")


@needs_bus
@pytest.mark.parametrize("powered", [True, False])
async def test_bluez_is_asked_over_a_real_bus(
    powered: bool, away_from_this_computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bus_at(away_from_this_computer) as address, bluez_on(address) as bus:
        bus.export("/org/bluez/hci0", an_adapter(powered))
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        told = await ask_bluez(away_from_this_computer)
    assert told.trouble is None
    assert told.adapters == (Adapter("hci0", "00:11:22:33:44:55", powered),)


@needs_bus
async def test_who_may_not_talk_to_bluez_is_told_so(
    away_from_this_computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bus_at(away_from_this_computer, ALLOWED + NO_BLUEZ) as address, bluez_on(address):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert (await ask_bluez(away_from_this_computer)).trouble is Trouble.DENIED


@needs_bus
async def test_a_bluez_that_does_not_answer_is_not_waited_for(
    away_from_this_computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "ANSWER_S", 0.2)
    async with bus_at(away_from_this_computer) as address, bluez_on(address) as bus:
        bus.add_message_handler(lambda message: message.member == "GetManagedObjects")
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert (await ask_bluez(away_from_this_computer)).trouble is Trouble.NO_ANSWER


@pytest.mark.skipif(sys.platform != "linux", reason="BlueZ is asked on Linux only")
@pytest.mark.parametrize(
    ("says", "trouble"), [(b"REJECTED EXTERNAL\r\n", Trouble.DENIED), (b"", Trouble.DENIED), (None, Trouble.NO_ANSWER)]
)
async def test_a_bus_that_lets_nobody_in(
    says: bytes | None, trouble: Trouble, away_from_this_computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses, hangs up when it is told who asks, or keeps silent."""
    monkeypatch.setattr(diagnosis, "ANSWER_S", 0.2)
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n")
        writer.write(says or b"")
        if says == b"":
            writer.close()

    path = away_from_this_computer / "own"
    server = await asyncio.start_unix_server(answer, path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    try:
        assert (await ask_bluez(away_from_this_computer)).trouble is trouble
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
