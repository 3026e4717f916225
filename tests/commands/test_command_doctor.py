"""`posture doctor`: what it says of every state of Bluetooth on every system, and its exit codes."""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from fake_air import packets_backend

from companion import host
from companion.commands import doctor
from companion.commands.air import Air
from companion.commands.examining import Check, exit_code, of_bluez, of_extras, of_packages
from companion.commands.places import Places
from companion.commands.remedies import System, remedy, system_of
from companion.commands.store import Sensor, Store
from companion.link import diagnosis
from companion.link.diagnosis import Adapter, Bluez, Known, Switch, Trouble
from companion.link.radio import Radio
from firmware_protocol.posture_v1.packets import SERVICE

ADDRESS = "F4:12:3D:00:00:01"
ON, OFF = Adapter("hci0", "00:11:22:33:44:55", True), Adapter("hci0", "00:11:22:33:44:55", False)
WELL = Bluez(version="5.66", adapters=(ON,), devices={}, kernel=("hci0",))
LINUX, ELSEWHERE = (System.SYSTEMD, System.LINUX), (System.MACOS, System.WINDOWS, System.OTHER)


def told(checks: Iterable[Check]) -> dict[str, bool | None]:
    return {each.id: each.ok for each in checks}


# ---- states of BlueZ


@pytest.mark.parametrize("system", LINUX)
@pytest.mark.parametrize(
    ("bluez", "service", "permission", "adapter", "power", "says"),
    [
        (WELL, True, True, True, True, "BlueZ 5.66 runs."),
        (Bluez(devices={}, trouble=Trouble.NO_BUS), False, None, False, None, "message bus (D-Bus) cannot be reached"),
        (Bluez(devices={}, trouble=Trouble.NOT_INSTALLED), False, None, False, None, "is not installed"),
        (
            Bluez(devices={}, trouble=Trouble.STOPPED, version="5.82", kernel=("hci0",)),
            *(False, None, True, None, "BlueZ 5.82 is installed, and its service does not run."),
        ),
        (Bluez(devices={}, trouble=Trouble.NO_ANSWER, kernel=("hci0",)), False, None, True, None, "does not answer"),
        (Bluez(devices={}, trouble=Trouble.DENIED, kernel=("hci0",)), None, False, True, None, "may not use Bluetooth"),
        (Bluez(devices={}), True, True, False, None, "There is no Bluetooth adapter."),
        (Bluez(devices={}, kernel=("hci0",)), True, True, False, None, "Linux has hci0; BlueZ does not work with it."),
        (Bluez(devices={}, adapters=(OFF,), kernel=("hci0",)), True, True, True, False, "Bluetooth is switched off."),
        (
            Bluez(devices={}, adapters=(OFF,), switches=(Switch("hci0", True, False),)),
            *(True, True, True, False, "Software (rfkill) holds Bluetooth off."),
        ),
        (
            Bluez(devices={}, adapters=(OFF,), switches=(Switch("hci0", True, True),)),
            *(True, True, True, False, "A switch of this computer holds Bluetooth off."),
        ),
        (
            Bluez(devices={}, adapters=(ON, OFF), switches=(Switch("hci1", True, False),)),
            *(True, True, True, True, "Bluetooth is switched on."),
        ),
    ],
)
def test_every_state_of_bluez_is_one_sentence_with_a_fix(
    bluez: Bluez,
    service: bool | None,
    permission: bool | None,
    adapter: bool | None,
    power: bool | None,
    says: str,
    system: System,
) -> None:
    checks = of_bluez(bluez, system)
    assert told(checks) == {"service": service, "permission": permission, "adapter": adapter, "power": power}
    assert any(says in each.says for each in checks)
    assert all(each.fix for each in checks if each.ok is False)
    assert exit_code(checks) == (3 if False in told(checks).values() else 0)


def test_every_trouble_has_a_remedy_of_its_system() -> None:
    for trouble in Trouble:
        assert all(remedy(trouble, system) for system in System)
    assert remedy(Trouble.STOPPED, System.SYSTEMD) == "sudo systemctl enable --now bluetooth"
    assert remedy(Trouble.STOPPED, System.LINUX).startswith("sudo service bluetooth start")
    for trouble in (Trouble.OFF, Trouble.DENIED, Trouble.NO_ADAPTER):
        assert len({remedy(trouble, system) for system in (*LINUX[:1], *ELSEWHERE)}) == 4
    for system in ELSEWHERE:
        assert not any(word in remedy(trouble, system) for trouble in Trouble for word in ("sudo", "systemctl"))


def test_systems_by_what_python_calls_them() -> None:
    assert [system_of("linux", True), system_of("linux", False)] == list(LINUX)
    assert [system_of("darwin", False), system_of("win32", False), system_of("freebsd14", False)] == list(ELSEWHERE)


def test_what_is_missing_of_this_program() -> None:
    there = of_packages({"bleak": "3.1.0", "numpy": "2.4.6"}, "do this")
    assert (there.ok, there.says, there.fix) == (True, "bleak 3.1.0, numpy 2.4.6.", "")
    missing = of_packages({"bleak": "", "numpy": "2.4.6"}, "do this")
    assert (missing.ok, missing.says, missing.fix, missing.code) == (False, "Missing: bleak.", "do this", 1)
    some = of_extras({"simulator": True, "report": False, "bthome": False}, System.LINUX)
    assert (some.ok, some.says) == (None, "simulator yes, report no, bthome no.")
    assert some.fix == 'python3 -m pip install "posture-companion[report,bthome]"'
    assert of_extras({"report": True}, System.WINDOWS).ok is True


def test_bluetooth_counts_before_sensors_and_those_before_the_rest() -> None:
    three, two, one = (Check("x", False, "", code=code) for code in (3, 2, 1))
    assert [exit_code(checks) for checks in ([one, two, three], [one, two], [one], [], [Check("x", None, "")])] == [
        *(3, 2, 1, 0, 0)
    ]


# ---- the command


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this computer another: its system, what BlueZ tells, what is on the air."""

    def make(
        *,
        platform: str = "linux",
        bluez: Bluez = WELL,
        heard: Sequence[str] = (),
        failure: Exception | None = None,
    ) -> None:
        backend = packets_backend()
        backend.failures += [failure] if failure else []

        def at_once(self: Any) -> None:
            for address in heard:
                backend.say(address, name="Posture 1234", rssi=-61, services=(SERVICE,))

        backend.heard_at_once = at_once  # type: ignore[method-assign]

        @asynccontextmanager
        async def on_air(_act: object) -> AsyncIterator[Air]:
            yield Air(Radio(backend))

        async def asked() -> Bluez:
            return bluez

        monkeypatch.setattr(doctor, "on_air", on_air)
        monkeypatch.setattr(doctor, "LONGEST_S", 0.1)
        monkeypatch.setattr(doctor, "SHORTEST_S", 0.01)
        monkeypatch.setattr(doctor, "PLATFORM", platform)
        monkeypatch.setattr(diagnosis, "ask_bluez", asked)

    return make


@pytest.fixture
def paired(data_dir: Path) -> Sensor:
    """A sensor that was paired."""
    data_dir.mkdir()
    sensor = Sensor(alias="back", driver="posture_v1", address=ADDRESS)
    Store(Places(data_dir, data_dir)).remember(sensor)
    return sensor


def checks_of(out: str) -> dict[str, dict[str, Any]]:
    tree = json.loads(out)
    assert tree["type"] == "doctor"
    return {each["id"]: each for each in tree["checks"]}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it would scan")
def test_on_a_computer_without_any_bluetooth(posture: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={data_dir}/no-bus")
    ran = posture("doctor")
    assert (ran.code, ran.err) == (3, "")
    assert "FAIL service    The system's message bus (D-Bus) cannot be reached" in ran.out
    assert "fix: sudo " in ran.out
    assert not data_dir.exists()


def test_all_is_well_and_nothing_is_paired(posture: Any, computer: Any, data_dir: Path) -> None:
    computer(heard=[ADDRESS])
    ran = posture("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[:2] for line in ran.lines if not line.startswith(" ")] == [
        *(["ok", each] for each in ("program", "packages", "vqf")),
        [ran.lines[[line[5:11] for line in ran.lines].index("extras")].split()[0], "extras"],
        *(["ok", each] for each in ("data", "service", "permission", "adapter", "power", "scan")),
        ["--", "sensors"],
    ]
    assert "ok   scan       Works: devices in range 1, of them sensors with a driver 1." in ran.lines
    assert not data_dir.exists()


def test_simulated_sensors_are_told_from_real_ones(posture: Any, computer: Any, data_dir: Path) -> None:
    computer()
    data_dir.mkdir()
    sensor = Sensor(alias="back", driver="posture_v1", address=ADDRESS, simulated="yes")
    Store(Places(data_dir, data_dir)).remember(sensor)
    said = checks_of(posture("doctor", "--json").out)
    assert said["sensors"]["says"] == "Only simulated sensors have been paired so far."


def test_where_nothing_can_be_kept_nothing_is_promised(posture: Any, computer: Any, tmp_path: Path) -> None:
    computer()
    place = tmp_path / "x" / "y"
    said = checks_of(posture("doctor", "--json", "--data-dir", place).out)["data"]
    assert (said["ok"], said["says"].split("; ")[:2]) == (
        True,
        [f"{place} does not exist yet", f"{tmp_path} can be written to"],
    )
    if Path("/proc").is_dir():
        said = checks_of(posture("doctor", "--json", "--data-dir", "/proc/x").out)["data"]
        assert said["ok"] is not True
        assert "can be written to" not in said["says"]
    assert not (tmp_path / "x").exists()


def test_a_sensor_that_is_there(posture: Any, computer: Any, paired: Sensor) -> None:
    computer(heard=[ADDRESS], bluez=Bluez(adapters=(ON,), devices={ADDRESS: Known(ADDRESS, True, False, 87.0)}))
    ran = posture("doctor")
    assert ran.code == 0
    assert ran.lines[-4:] == [
        "ok   seen       back: In range (posture_v1), signal -61 dBm.",
        "ok   monitor    back: No other monitor is on it.",
        "ok   bond       back: This computer has keys for it.",
        "ok   battery    back: 87 %.",
    ]


def test_a_sensor_that_is_not_there(posture: Any, computer: Any, paired: Sensor) -> None:
    computer()
    ran = posture("doctor", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["exit_code"] == 2
    found = checks_of(ran.out)
    assert (found["seen"]["ok"], found["seen"]["sensor"]) == (False, "back")
    assert found["seen"]["fix"].startswith("Switch it on")
    assert (found["bond"]["ok"], found["bond"]["fix"]) == (None, "posture pair back")
    assert found["battery"]["ok"] is None
    assert "sensors" not in found


def test_the_battery_of_its_last_recording(posture: Any, computer: Any, paired: Sensor, data_dir: Path) -> None:
    from companion.recording import RecordingWriter
    from firmware_protocol.frames import Closed, Notification, Opened
    from firmware_protocol.posture_v1.packets import STATUS, Status

    computer()
    (data_dir / "sessions").mkdir()
    origins = {
        "2026-11-20T180000Z": ("live", 70),
        "2026-11-21T180000Z": ("live", 64),
        "2026-11-22T180000Z": ("simulated", 5),
    }
    for began, (origin, level) in origins.items():
        opened = Opened(
            t_host_ns=0,
            session_id=began,
            driver="posture_v1",
            device="back",
            utc_ns=int(datetime.fromisoformat(began).timestamp()) * 10**9,
            zone="UTC",
            software_version="0",
            origin=origin,
        )
        levels = [level + 5, level, 255]
        told = [Status(7, 8, k, 0, 0, k, each, 20).to_bytes() for k, each in enumerate(levels)]
        frames = [Notification(t_host_ns=k, characteristic=STATUS, data=data) for k, data in enumerate(told)]
        writer = RecordingWriter.create(data_dir / "sessions" / f"{began}_back.posture", threaded=False)
        for number, frame in enumerate([opened, *frames]):
            assert writer.put(number, frame)
        writer.close(Closed(t_host_ns=9, reason="stopped", count=4))
    found = checks_of(posture("doctor", "--json").out)["battery"]
    assert found["ok"] is None
    assert found["says"] == "Not known now; 64 % at the end of its last recording, begun 2026-11-21 18:00 UTC."


def test_a_sensor_that_is_connected_already(posture: Any, computer: Any, paired: Sensor) -> None:
    computer(bluez=Bluez(adapters=(ON,), devices={ADDRESS: Known(ADDRESS, True, True, None)}))
    ran = posture("doctor", "--json")
    assert ran.code == 0
    assert checks_of(ran.out)["seen"]["says"] == "Connected to this computer, so it does not advertise."


def test_a_sensor_with_a_monitor_on_it(posture: Any, computer: Any, paired: Sensor, data_dir: Path) -> None:
    computer()
    lock = data_dir / "back.lock"
    lock.write_text("4711")
    held = host.hold_lock(lock)
    assert held is not None
    try:
        ran = posture("doctor", "--json")
    finally:
        os.close(held)
    assert ran.code == 0
    found = checks_of(ran.out)
    assert (found["monitor"]["ok"], found["monitor"]["says"]) == (None, "A monitor runs on it (process 4711).")
    assert found["seen"]["ok"] is None
    assert lock.read_text() == "4711"


def test_with_bluetooth_off_there_is_no_scan_and_nothing_is_said_of_sensors(
    posture: Any, computer: Any, paired: Sensor
) -> None:
    computer(bluez=Bluez(adapters=(OFF,), devices={}), failure=AssertionError("it scanned"))
    ran = posture("doctor", "--json")
    assert ran.code == 3
    found = checks_of(ran.out)
    assert (found["power"]["ok"], found["power"]["fix"]) == (False, "bluetoothctl power on")
    assert [found[each]["ok"] for each in ("scan", "seen", "battery")] == [None, None, None]


Reason = BleakBluetoothNotAvailableReason


@pytest.mark.parametrize(
    ("reason", "failed"),
    [
        (Reason.POWERED_OFF, "power"),
        (Reason.NO_BLUETOOTH, "adapter"),
        (Reason.DENIED_BY_USER, "permission"),
    ],
)
@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_elsewhere_the_scan_tells(
    platform: str, reason: BleakBluetoothNotAvailableReason, failed: str, posture: Any, computer: Any, paired: Sensor
) -> None:
    computer(platform=platform, failure=BleakBluetoothNotAvailableError("x", reason))
    ran = posture("doctor", "--json")
    assert (ran.code, ran.err) == (3, "")
    found = checks_of(ran.out)
    assert "service" not in found
    assert {each for each in ("permission", "adapter", "power") if found[each]["ok"] is False} == {failed}
    assert found["scan"]["ok"] is False
    assert found[failed]["fix"]
    assert found["bond"]["says"] == "Not known: this system does not let it be read."


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_all_is_well(platform: str, posture: Any, computer: Any, paired: Sensor) -> None:
    computer(platform=platform, heard=[ADDRESS])
    ran = posture("doctor", "--json")
    assert ran.code == 0
    assert [checks_of(ran.out)[each]["ok"] for each in ("permission", "adapter", "power", "scan")] == [True] * 4


def test_what_is_stored_and_cannot_be_read(posture: Any, computer: Any, data_dir: Path) -> None:
    computer()
    data_dir.mkdir()
    (data_dir / "sensors.json").write_text("{")
    ran = posture("doctor", "--json")
    assert ran.code == 1
    assert checks_of(ran.out)["sensors"]["ok"] is False
    assert (data_dir / "sensors.json").read_text() == "{"


def test_a_data_directory_that_is_none(posture: Any, computer: Any, data_dir: Path) -> None:
    computer()
    data_dir.write_text("")
    ran = posture("doctor", "--json")
    assert ran.code == 1
    assert checks_of(ran.out)["data"]["ok"] is False


def test_a_disk_that_is_nearly_full(posture: Any, computer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    computer()
    monkeypatch.setattr(doctor, "LITTLE_BYTES", 1 << 60)
    ran = posture("doctor", "--json")
    assert ran.code == 1
    assert checks_of(ran.out)["data"]["fix"] == "Make room: a recording grows by some 5 MB an hour."


def test_a_sensor_whose_driver_is_gone_and_one_that_is_simulated(posture: Any, computer: Any, data_dir: Path) -> None:
    computer(heard=[ADDRESS])
    data_dir.mkdir()
    store = Store(Places(data_dir, data_dir))
    store.remember(Sensor(alias="play", driver="posture_v1", address="x", simulated="yes"))
    store.remember(Sensor(alias="old", driver="abacus", address=ADDRESS))
    ran = posture("doctor", "--json")
    assert ran.code == 1
    assert checks_of(ran.out)["bond"]["says"] == "There is no driver 'abacus' any more."
    assert "play" not in ran.out


@pytest.mark.parametrize("trouble", [None, *Trouble])
def test_lines_fit_and_begin_with_their_word(
    trouble: Trouble | None, posture: Any, computer: Any, paired: Sensor
) -> None:
    computer(bluez=WELL if trouble is None else Bluez(devices={}, trouble=trouble))
    ran = posture("doctor")
    assert ran.code == (2 if trouble is None else 3)
    data_and_platform = ("/", "Python")  # words of this computer, longer perhaps than a line
    assert [line for line in ran.lines if len(line) > 80 and not any(part in line for part in data_and_platform)] == []
    assert {line[:5] for line in ran.lines} <= {"ok   ", "FAIL ", "--   ", "     "}


def test_it_is_listed_in_help_with_care(posture: Any) -> None:
    ran = posture("doctor", "--help")
    assert "not a medical device" in ran.out
    assert "discomfort" in ran.out
