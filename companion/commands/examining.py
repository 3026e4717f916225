"""What the system told, turned into checks: one sentence each, whether it is as it should be, and what to do.

Pure. Knows: what was asked, and how troubles are mended. Must never know: how it was asked, how checks are shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from companion.commands.remedies import System, installing, remedy
from companion.commands.store import Sensor
from companion.errors import BluetoothOff, CompanionError, DeviceNotFound, LinkError
from companion.link.diagnosis import Bluez, Known, Trouble, trouble_of
from companion.link.scan import Found
from firmware_protocol.drivers import Pairing

BLUETOOTH_CODE = BluetoothOff.exit_code
NOT_SEEN_CODE = DeviceNotFound.exit_code
HERE_CODE = CompanionError.exit_code
"""Of something that is amiss with this program or its files."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `ok` is None where it is not known, or is neither."""

    id: str
    ok: bool | None
    says: str
    fix: str = ""
    alias: str = ""  # of the sensor that it is about
    code: int = 0  # the exit code that it calls for where it is not ok


def exit_code(checks: Sequence[Check]) -> int:
    """3 where Bluetooth cannot be used, else 2 where a sensor was not seen, else 1 for the rest, else 0."""
    return max((check.code for check in checks if check.ok is False), default=0)


def _failed(what: str, trouble: Trouble, says: str, system: System) -> Check:
    return Check(what, False, says, remedy(trouble, system), code=BLUETOOTH_CODE)


def _unknown(what: str, why: str) -> Check:
    return Check(what, None, f"Not known: {why}.")


# ---- Linux

_SERVICE_SAYS = {
    Trouble.NO_BUS: "The system's message bus (D-Bus) cannot be reached, and with it Bluetooth.",
    Trouble.NOT_INSTALLED: "BlueZ, the Bluetooth service of Linux, is not installed.",
    Trouble.STOPPED: "BlueZ{version} is installed, and its service does not run.",
    Trouble.NO_ANSWER: "The service of BlueZ{version} does not answer.",
}


def of_bluez(told: Bluez, system: System) -> list[Check]:
    """Service, permission, adapter and power on Linux."""
    return [_service(told, system), _permission(told, system), _adapter(told, system), _power(told, system)]


def _service(told: Bluez, system: System) -> Check:
    version = f" {told.version}" if told.version else ""
    if told.trouble in _SERVICE_SAYS:
        return _failed("service", told.trouble, _SERVICE_SAYS[told.trouble].format(version=version), system)
    if told.trouble is Trouble.DENIED:
        return _unknown("service", "the system's bus lets this user see nothing of it")
    return Check("service", True, f"BlueZ{version or ' (it tells no version)'} runs.")


def _permission(told: Bluez, system: System) -> Check:
    if told.trouble is Trouble.DENIED:
        return _failed("permission", Trouble.DENIED, "This user may not use Bluetooth.", system)
    if told.trouble is not None:
        return _unknown("permission", "the service could not be asked")
    return Check("permission", True, "This user may use Bluetooth.")


def _adapter(told: Bluez, system: System) -> Check:
    names = ", ".join(f"{each.name} ({each.address})" for each in told.adapters)
    if names:
        return Check("adapter", True, f"{names}.")
    if not told.kernel:
        return _failed("adapter", Trouble.NO_ADAPTER, "There is no Bluetooth adapter.", system)
    kernel = ", ".join(told.kernel)
    if told.trouble is not None:
        return Check("adapter", True, f"{kernel}, as Linux tells; the service could not be asked.")
    return _failed("adapter", Trouble.NO_ANSWER, f"Linux has {kernel}; BlueZ does not work with it.", system)


def _power(told: Bluez, system: System) -> Check:
    if any(each.powered for each in told.adapters):
        return Check("power", True, "Bluetooth is switched on.")
    if any(each.hard for each in told.switches):
        return _failed("power", Trouble.HARD_BLOCK, "A switch of this computer holds Bluetooth off.", system)
    if any(each.soft for each in told.switches):
        return _failed("power", Trouble.SOFT_BLOCK, "Software (rfkill) holds Bluetooth off.", system)
    if told.adapters:
        return _failed("power", Trouble.OFF, "Bluetooth is switched off.", system)
    return _unknown("power", "no adapter could be asked")


def may_scan(told: Bluez) -> bool:
    """Whether looking for sensors has any chance."""
    return told.trouble is None and any(each.powered for each in told.adapters)


# ---- other systems, which tell only by what becomes of a scan

_ELSEWHERE = {
    Trouble.DENIED: ("permission", "The system does not let this program use Bluetooth."),
    Trouble.NO_ADAPTER: ("adapter", "There is no Bluetooth adapter with Low Energy that can be used."),
    Trouble.OFF: ("power", "Bluetooth is switched off."),
}


def of_scan_elsewhere(error: LinkError | None, system: System) -> list[Check]:
    """Permission, adapter and power where a scan is all that tells of them."""
    told = {
        "permission": "This program may use Bluetooth.",
        "adapter": "There is an adapter.",
        "power": "Bluetooth is switched on.",
    }
    if error is None:
        return [Check(what, True, says) for what, says in told.items()]
    trouble = trouble_of(error)
    failed, says = _ELSEWHERE.get(trouble, ("", ""))
    unknown = "this system tells it by a scan, which did not come about"
    return [_failed(what, trouble, says, system) if what == failed else _unknown(what, unknown) for what in told]


# ---- the scan and the sensors


def of_scan(found: Sequence[Found] | None, error: LinkError | None, system: System) -> Check:
    """Whether a scan works; `found` is None where there was none."""
    if error is not None:
        return Check("scan", False, str(error), remedy(trouble_of(error), system), code=BLUETOOTH_CODE)
    if found is None:
        return Check("scan", None, "Not tried, since Bluetooth cannot be used: see above.")
    sensors = sum(each.driver is not None for each in found)
    return Check("scan", True, f"Works: devices in range {len(found)}, of them sensors with a driver {sensors}.")


@dataclass(frozen=True, slots=True)
class Met:
    """What is known of a remembered sensor besides what is remembered."""

    found: Found | None  # as the scan heard it
    known: Known | None  # as BlueZ keeps it
    asked: bool  # whether BlueZ could be asked
    monitor: str  # the process of a monitor that is on it; "" where there is none
    pairing: Pairing | None  # None: no such driver any more
    earlier: tuple[float, datetime] | None = None  # its battery (per cent) in its last recording, and when that began


def of_sensor(sensor: Sensor, met: Met, scanned: bool, system: System) -> Iterator[Check]:
    """Whether it is seen, monitored, bonded, and its battery."""
    yield _seen(sensor, met, scanned)
    if met.monitor:
        yield Check("monitor", None, f"A monitor runs on it (process {met.monitor}).", alias=sensor.alias)
    else:
        yield Check("monitor", True, "No other monitor is on it.", alias=sensor.alias)
    yield _bond(sensor, met, system)
    yield _battery(sensor, met)


def _seen(sensor: Sensor, met: Met, scanned: bool) -> Check:
    alias = sensor.alias
    if met.found is not None:
        signal = "" if met.found.rssi is None else f", signal {met.found.rssi} dBm"
        return Check("seen", True, f"In range ({sensor.driver}){signal}.", alias=alias)
    if met.known is not None and met.known.connected:
        return Check("seen", True, "Connected to this computer, so it does not advertise.", alias=alias)
    if met.monitor:
        return Check("seen", None, "Not heard; a sensor that a monitor is connected to is silent.", alias=alias)
    if not scanned:
        return Check("seen", None, "Not known: there was no scan.", alias=alias)
    fix = "Switch it on, charge it, bring it nearer, and end what else is connected to it (a phone, say)."
    return Check("seen", False, "Paired, and not seen in range.", fix, alias, NOT_SEEN_CODE)


def _bond(sensor: Sensor, met: Met, system: System) -> Check:
    alias = sensor.alias
    if met.pairing is None:
        fix = "`posture devices` lists the drivers; `posture pair` finds the sensor anew."
        return Check("bond", False, f"There is no driver {sensor.driver!r} any more.", fix, alias, HERE_CODE)
    ok: bool | None = None
    fix = ""
    if met.pairing is Pairing.NEVER:
        ok, says = True, "This kind of sensor needs none."
    elif met.known is not None and met.known.bonded:
        ok, says = True, "This computer has keys for it."
    elif not system.is_linux:
        says = "Not known: this system does not let it be read."
    elif not met.asked:
        says = "Not known: BlueZ could not be asked."
    elif met.pairing is Pairing.WHEN_ASKED:
        says = "This computer has no keys for it; it asks for them where it wants them."
    else:
        says, fix = "This computer has no keys for it.", f"posture pair {alias}"
    return Check("bond", ok, says, fix, alias)


def _battery(sensor: Sensor, met: Met) -> Check:
    alias = sensor.alias
    told = (met.found and met.found.battery, met.known and met.known.battery_pct)
    level = next((each for each in told if each is not None), None)
    if level is not None:
        return Check("battery", True, f"{level:.0f} %.", alias=alias)
    if met.earlier is not None:
        level, began = met.earlier
        says = f"Not known now; {level:.0f} % at the end of its last recording, begun {began:%Y-%m-%d %H:%M} UTC."
        return Check("battery", None, says, alias=alias)
    return Check("battery", None, "Not known: it tells only while it is connected.", alias=alias)


# ---- this program


def of_packages(versions: Mapping[str, str], fix: str) -> Check:
    """The packages without which nothing works; "" is the version of one that is missing."""
    missing = [name for name, version in versions.items() if not version]
    if missing:
        return Check("packages", False, f"Missing: {', '.join(missing)}.", fix, code=HERE_CODE)
    return Check("packages", True, ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")


def of_extras(present: Mapping[str, bool], system: System) -> Check:
    """What may be installed besides."""
    says = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in present.items())
    absent = ",".join(name for name, there in present.items() if not there)
    fix = installing(system, f'"posture-companion[{absent}]"') if absent else ""
    return Check("extras", None if absent else True, f"{says}.", fix)
