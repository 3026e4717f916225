"""`posture doctor`: what of Bluetooth works on this computer, and how to mend what does not. Changes nothing.

Knows: which checks there are, and in which order they are shown. Must never know: D-Bus, bleak, how a check is judged.
"""

import asyncio
import os
import platform
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from companion import __version__, host
from companion.commands.air import on_air
from companion.commands.options import DoctorOptions
from companion.commands.places import Places, places
from companion.commands.store import Sensor, Store
from companion.errors import CompanionError, LinkError
from companion.text import json_text, printable_path
from firmware_protocol.drivers import Pairing, drivers

if TYPE_CHECKING:
    from companion.commands.examining import Check, Met
    from companion.commands.remedies import System
    from companion.link.diagnosis import Bluez
    from companion.link.scan import Found

LONGEST_S, SHORTEST_S = 10.0, 3.0
"""How long a scan takes: as long as a remembered sensor is missing; and so long in any case."""
LITTLE_BYTES = 100_000_000
"""Some 20 h of a sensor with six axes at 50 Hz."""
EXTRAS = {"simulator": ("bumble",), "report": ("bokeh", "jinja2"), "bthome": ("cryptography",)}
PLATFORM = sys.platform
SYSTEMD = Path("/run/systemd/system")  # there where systemd is process 1: man sd_booted

_WIDTH, _WORD, _ID = 80, 5, 11
_WORDS = {True: "ok", False: "FAIL", None: "--"}


def run(options: DoctorOptions) -> int:
    """Print a line for each check as it is made, or one JSON object of all; the exit code that they come to."""
    from companion.commands.examining import exit_code
    from companion.commands.remedies import system_of

    system = system_of(PLATFORM, SYSTEMD.is_dir())
    checks: list[Check] = []
    for check in _examined(options, system):
        checks.append(check)
        if not options.as_json:
            print("\n".join(_lines(check)), flush=True)
    code = exit_code(checks)
    if options.as_json:
        print(json_text(_tree(checks, system, code)))
    return code


def _examined(options: DoctorOptions, system: "System") -> Iterator["Check"]:
    """Every check, in the order in which they are shown; the scan comes last because it takes seconds."""
    yield _program()
    yield from _packages(system)
    where, kept = _stored(options)
    yield kept
    sensors, known = _sensors(where)
    told, bluetooth = _bluetooth(system)
    yield from bluetooth
    yield from _in_range(system, told, where, sensors, known)


# ---- this program


def _program() -> "Check":
    from companion.commands.examining import Check

    python = f"Python {platform.python_version()}"
    return Check("program", True, f"posture-companion {__version__}, {python}, {platform.platform()}.")


def _packages(system: "System") -> Iterator["Check"]:
    from companion.commands.examining import of_extras, of_packages
    from companion.commands.remedies import installing

    names = ["bleak", *(["dbus-fast"] if system.is_linux else []), "numpy", "scipy"]
    yield of_packages(
        {name: _version(name) for name in names}, installing(system, "--force-reinstall posture-companion")
    )
    yield _filter(system)
    yield of_extras({extra: all(map(util.find_spec, needed)) for extra, needed in EXTRAS.items()}, system)


def _filter(system: "System") -> "Check":
    """Whether the one package that is machine code of its own can be loaded here."""
    from companion.commands.examining import HERE_CODE, Check
    from companion.commands.remedies import installing

    try:
        import companion.posture.tilt  # noqa: F401 - it imports vqf
    except ImportError as error:
        fix = f"{installing(system, '--force-reinstall vqf')} (it needs a C++ compiler where there is no wheel)."
        return Check("vqf", False, f"The filter's package cannot be loaded: {error}.", fix, code=HERE_CODE)
    return Check("vqf", True, f"vqf {_version('vqf')} loads.")


def _version(name: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return ""


# ---- what is stored


def _stored(options: DoctorOptions) -> "tuple[Places | None, Check]":
    """Where things are kept, and whether that can be written to."""
    from companion.commands.examining import HERE_CODE, Check

    try:
        where = places(options.shared.data_dir)
    except CompanionError as error:
        return None, Check("data", False, str(error), error.hint, code=HERE_CODE)
    return where, _room(where.data)


def _room(data: Path) -> "Check":
    """Whether the directory, or the one in which it would be made, can be written to and has room."""
    from companion.commands.examining import HERE_CODE, Check

    there = next(each for each in (data, *data.parents) if each.exists())
    name = printable_path(data)
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        fix = "Change its owner or its permissions, or name another place with --data-dir."
        return Check("data", False, f"{name} cannot be written to.", fix, code=HERE_CODE)
    usage = shutil.disk_usage(there)
    if usage.total == 0:  # as of /proc, where nothing can be made, though root, who may write anywhere, is not told so
        says = f"Not known: {name} lies in {printable_path(there)}, which tells of no room at all."
        return Check("data", None, says, "Name a place on a disk with --data-dir.")
    free = usage.free
    may = "can be written to" if there == data else f"does not exist yet; {printable_path(there)} can be written to"
    says = f"{name} {may}; {free / 1e9:.1f} GB are free."
    if free < LITTLE_BYTES:
        fix = "Make room: a recording grows by some 5 MB an hour."
        return Check("data", False, says, fix, code=HERE_CODE)
    return Check("data", True, says)


def _sensors(where: Places | None) -> "tuple[list[Sensor], Check | None]":
    """The remembered sensors that are real, and what there is to say where there are none."""
    from companion.commands.examining import HERE_CODE, Check

    try:
        known = [] if where is None else list(Store(where).sensors().values())
    except CompanionError as error:
        return [], Check("sensors", False, str(error), error.hint, code=HERE_CODE)
    sensors = [each for each in known if not each.simulated]
    if sensors:
        return sensors, None
    fix = "`posture pair` finds one; `posture monitor --simulated` needs none."
    says = "Only simulated sensors have been paired so far." if known else "No sensor has been paired yet."
    return [], Check("sensors", None, says, fix)


# ---- Bluetooth


def _bluetooth(system: "System") -> "tuple[Bluez | None, list[Check]]":
    """What Linux tells of Bluetooth; elsewhere the scan tells it."""
    if not system.is_linux:
        return None, []
    from companion.commands.examining import of_bluez
    from companion.link.diagnosis import ask_bluez

    told = asyncio.run(ask_bluez())
    return told, of_bluez(told, system)


def _in_range(
    system: "System", told: "Bluez | None", where: Places | None, sensors: Sequence[Sensor], known: "Check | None"
) -> Iterator["Check"]:
    """The scan, where it has a chance, and what it tells of the remembered sensors."""
    from companion.commands.examining import may_scan, of_scan, of_scan_elsewhere, of_sensor

    found, error = None, None
    if told is None or may_scan(told):
        try:
            found = asyncio.run(_heard([each.address for each in sensors]))
        except LinkError as caught:
            error = caught
    if told is None:
        yield from of_scan_elsewhere(error, system)
    yield of_scan(found, error, system)
    if known is not None:
        yield known
    for sensor in sensors:
        assert where is not None
        yield from of_sensor(sensor, _met(sensor, found, told, where), found is not None, system)


async def _heard(addresses: Sequence[str]) -> "list[Found]":
    from companion.link.diagnosis import listen

    if sys.stderr.isatty():
        print(f"listening for {LONGEST_S if addresses else SHORTEST_S:g} s at most ...", file=sys.stderr)
    async with on_air(None) as air:
        return await listen(air.radio, addresses, LONGEST_S, SHORTEST_S)


def _met(sensor: Sensor, found: "Sequence[Found] | None", told: "Bluez | None", where: Places) -> "Met":
    from companion.commands.examining import Met
    from companion.commands.last_battery import last_battery

    address, pairing = sensor.address.casefold(), _pairing_of(sensor.driver)
    return Met(
        found=next((each for each in found or () if each.address.casefold() == address), None),
        known=None if told is None else told.devices.get(sensor.address.upper()),
        asked=told is not None and told.trouble is None,
        monitor=_monitor_on(where.data / f"{sensor.alias}.lock"),
        pairing=pairing,
        earlier=None if pairing is None else last_battery(where, sensor),
    )


def _pairing_of(name: str) -> Pairing | None:
    return next((each.pairing for each in drivers() if each.name == name), None)


def _monitor_on(lock: Path) -> str:
    """The process that holds a sensor's lock; empty where none does."""
    try:
        held = host.lock_is_held(lock)
        return (lock.read_text(encoding="ascii", errors="replace").strip() or "unknown") if held else ""
    except OSError:  # there is no such file, or it tells nothing
        return ""


# ---- showing


def _lines(check: "Check") -> list[str]:
    """`ok`, `FAIL` or `--`, the check, a sentence; then what to do, under it."""
    head = f"{_WORDS[check.ok]:<{_WORD}}{check.id:<{_ID}}"
    says = f"{check.alias}: {check.says}" if check.alias else check.says
    space = " " * len(head)
    lines = textwrap.wrap(says, _WIDTH, initial_indent=head, subsequent_indent=space, break_on_hyphens=False)
    if check.fix:
        lines += textwrap.wrap(
            check.fix, _WIDTH, initial_indent=f"{space}fix: ", subsequent_indent=f"{space}     ", break_on_hyphens=False
        )
    return lines


def _tree(checks: Sequence["Check"], system: "System", code: int) -> dict[str, object]:
    """Everything as one object; `fix` and `sensor` are null where there is none."""
    return {
        "type": "doctor",
        "software_version": __version__,
        "system": system.value,
        "exit_code": code,
        "checks": [
            {"id": each.id, "ok": each.ok, "says": each.says, "fix": each.fix or None, "sensor": each.alias or None}
            for each in checks
        ],
    }
