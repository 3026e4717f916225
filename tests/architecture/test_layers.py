"""Each room imports only what the table of docs/architecture.md allows it, and the pure rooms do no I/O.

The table is an allow-list: what it does not name is a violation, so a new dependency is decided in this file.
Imports inside functions and under TYPE_CHECKING count.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

PURE_STDLIB = frozenset(
    """__future__ abc array base64 binascii bisect collections contextlib copy dataclasses datetime decimal
    enum fractions functools hashlib heapq importlib.metadata itertools json keyword math numbers
    operator re statistics string struct textwrap types typing unicodedata uuid warnings zlib
    zoneinfo""".split()  # noqa: SIM905
)
"""Standard modules that read no clock, no file and no environment, and start nothing."""

ROOMS_OF_STDLIB = frozenset({"sqlite3"})
"""Standard modules that live in one room, as third-party packages do."""

VALUES = (
    "numpy",
    "firmware_protocol",
    "companion.errors",
    "companion.text",
    "companion.settings",
    "companion.session.Report",
    "companion.stream.Report",
    "companion.tables",
    "companion.overview",
    "companion.posture.rows",
    "companion.posture.events",
    "companion.posture.calibration.Calibration",
    "companion.posture.mounting.Calibration",
)
"""What an edge may know of the layers above it: their values, never the pipeline."""

PIPELINE = ("numpy", "firmware_protocol", "companion.posture", "companion.settings", "companion.errors")
"""What the composition of the pipeline may know."""

ON_THE_AIR = (
    "bumble_extra",
    "central",
    "controller",
    "peripheral",
    "radio",
    "radio_backend",
    "radio_server",
    "sensor_device",
)
"""The simulator's modules that run a Bluetooth stack; the rest of it is pure."""

AIR = (*VALUES, "companion.host", "companion.simulator", "bumble")
BLEAK = {"radio": ("bleak",), "radio_backend": ("bleak",)}


@dataclass(frozen=True)
class Room:
    """A directory (ending in a slash) or a file, and what it may import besides the standard library.

    Names are full: `companion.posture` covers all that is in it, `companion.session.Report` one class.
    """

    where: str
    imports: tuple[str, ...]
    pure: bool = False
    never: tuple[str, ...] = ()  # what `imports` would cover and is not meant


ROOMS = (
    Room("firmware_protocol/", ("numpy", "firmware_protocol"), pure=True),
    Room("firmware_protocol/devices/bthome.py", ("numpy", "firmware_protocol", "cryptography"), pure=True),
    Room(
        "companion/posture/",
        ("numpy", "scipy", "firmware_protocol.samples", "companion.posture"),
        pure=True,
    ),
    Room(
        "companion/posture/tilt.py",
        ("numpy", "scipy", "vqf", "firmware_protocol.samples", "companion.posture"),
        pure=True,
    ),
    Room("companion/errors.py", (), pure=True),
    Room("companion/text.py", (), pure=True),
    Room("companion/settings.py", ("pydantic", "companion.errors"), pure=True),
    Room("companion/arrivals.py", PIPELINE, pure=True),
    Room("companion/stream.py", PIPELINE, pure=True),
    Room("companion/gaps.py", PIPELINE, pure=True),
    Room("companion/settling.py", PIPELINE, pure=True),
    Room(
        "companion/session.py",
        (
            *PIPELINE,
            "companion.arrivals",
            "companion.gaps",
            "companion.settling",
            "companion.stream",
            "companion.tables.instants",
        ),
        pure=True,
    ),
    Room(
        "companion/views.py",
        (*PIPELINE, "companion.session", "companion.settling", "companion.stream"),
        pure=True,
    ),
    Room("companion/clock.py", (*PIPELINE, "companion.arrivals"), pure=True),
    Room("companion/analysis.py", (*PIPELINE, "companion.arrivals", "companion.clock", "companion.stream"), pure=True),
    Room(
        "companion/tables/",
        (
            "numpy",
            "firmware_protocol",
            "companion.tables",
            *(f"companion.posture.{name}" for name in ("events", "exposure", "rows")),
        ),
        pure=True,
    ),
    Room(
        "companion/overview/",
        (
            "numpy",
            "firmware_protocol",
            "companion.overview",
            "companion.tables",
            "companion.text",
            *(f"companion.posture.{name}" for name in ("calibration", "events", "exposure", "rows")),
        ),
        pure=True,
    ),
    Room("companion/host.py", ("platformdirs", "companion.errors")),
    Room("companion/link/", (*VALUES, "companion.host", "companion.link", "bleak", "dbus_fast")),
    Room("companion/recording/", (*VALUES, "companion.host", "companion.recording", "sqlite3")),
    Room("companion/history/", (*VALUES, "companion.host", "companion.history", "sqlite3")),
    Room("companion/importing/", (*VALUES, "companion.host", "companion.importing")),
    Room("companion/output/", (*VALUES, "companion.host", "companion.output", "rich", "textual")),
    Room("companion/output/report/", (*VALUES, "companion.output", "bokeh", "jinja2", "markupsafe")),
    Room(
        "companion/simulator/",
        (*VALUES, "scipy", "companion.simulator"),
        pure=True,
        never=tuple(f"companion.simulator.{name}" for name in ON_THE_AIR),
    ),
    Room("companion/simulator/motion_file.py", (*VALUES, "scipy", "companion.simulator")),
    *(Room(f"companion/simulator/{name}.py", AIR + BLEAK.get(name, ())) for name in ON_THE_AIR),
    Room(
        "companion/commands/",
        (
            *VALUES,
            *(f"companion.{name}" for name in ("__version__", "host", "session", "views", "analysis", "posture")),
            *(f"companion.{name}" for name in ("link", "recording", "history", "output", "simulator", "commands")),
            "companion.importing",
        ),
    ),
    Room(
        "companion/cli/",
        (
            "typer",
            "companion.cli",
            "companion.__version__",
            "companion.host",
            "companion.errors",
            "companion.settings",
            "companion.commands",
        ),
    ),
    Room("companion/__init__.py", ("companion", "firmware_protocol.samples"), pure=True),
)

IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "compile", "breakpoint"})
CLOCK_METHODS = frozenset({"now", "utcnow", "today"})
NUMPY_FILES = frozenset(
    "load save savez savez_compressed loadtxt savetxt genfromtxt fromfile tofile memmap".split()  # noqa: SIM905
)


COMPUTED = "a module whose name is computed"


def room_of(path: str) -> Room | None:
    """The room that a module belongs to: the most precise entry of the table."""
    found = [room for room in ROOMS if path == room.where or (room.where.endswith("/") and path.startswith(room.where))]
    return max(found, key=lambda room: len(room.where), default=None)


def imported_names(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, wherever the import stands."""
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{home}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _last_name(node.func) in {"import_module", "__import__"}:
            named = node.args[0] if node.args else None
            yield node.lineno, str(named.value) if isinstance(named, ast.Constant) else COMPUTED


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _covers(allowed: str, name: str) -> bool:
    return name == allowed or name.startswith(allowed + ".")


def _may_import(room: Room, name: str) -> bool:
    if room.where == "companion/__init__.py" and name in {"importlib.import_module", COMPUTED}:
        return True  # the public names are loaded when they are first used
    top = name.split(".", maxsplit=1)[0]
    if top in sys.stdlib_module_names and top not in ROOMS_OF_STDLIB:
        return not room.pure or any(_covers(module, name) for module in PURE_STDLIB)
    allowed = any(_covers(entry, name) for entry in room.imports)
    return allowed and not any(_covers(entry, name) for entry in room.never)


def impurities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and sentence for everything that waits, reads a clock or touches a file, imports apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node.lineno, "waits (async); a pure room does not"
        if not isinstance(node, ast.Call):
            continue
        name, owner = _last_name(node.func), ""
        if isinstance(node.func, ast.Attribute):
            owner = _last_name(node.func.value)
        if isinstance(node.func, ast.Name) and name in IMPURE_CALLS:
            yield node.lineno, f"calls {name}(); a pure room does no I/O"
        if owner in {"datetime", "date"} and name in CLOCK_METHODS:
            yield node.lineno, f"calls {owner}.{name}(); a pure room reads no clock"
        if owner in {"np", "numpy"} and name in NUMPY_FILES:
            yield node.lineno, f"calls {owner}.{name}(); a pure room touches no file"
        if name == "default_rng" and not node.args and not node.keywords:
            yield node.lineno, "calls default_rng() without a seed; a pure room gives the same answer twice"


def violations(path: str, source: str) -> list[str]:
    """Everything in one module that the table does not allow, one sentence each."""
    room = room_of(path)
    if room is None:
        return [f"{path}: belongs to no room of the table"]
    tree = ast.parse(source)
    found = [
        (line, f"{room.where} may not import {name}")
        for line, name in imported_names(path, tree)
        if not _may_import(room, name)
    ]
    if room.pure:
        found += impurities(tree)
    return [f"{path}:{line}: {sentence}" for line, sentence in sorted(found)]


def test_every_module_keeps_the_table(modules: dict[str, str]) -> None:
    assert modules
    found = [sentence for path, source in modules.items() for sentence in violations(path, source)]
    assert not found, "\n".join(found)


def test_the_table_stands_in_the_documentation(texts: dict[str, str]) -> None:
    page = texts["docs/architecture.md"]
    assert [room.where for room in ROOMS if f"`{room.where}`" not in page] == []


@pytest.mark.parametrize(
    ("path", "source", "sentence"),
    [
        ("firmware_protocol/frames.py", "import bleak", "may not import bleak"),
        (
            "firmware_protocol/frames.py",
            "from companion import settings",
            "may not import companion.settings",
        ),
        ("firmware_protocol/frames.py", "import asyncio", "may not import asyncio"),
        ("firmware_protocol/frames.py", "from time import monotonic", "may not import time.monotonic"),
        ("firmware_protocol/frames.py", "import os.path", "may not import os.path"),
        ("firmware_protocol/devices/polar.py", "import importlib", "may not import importlib"),
        ("companion/posture/tilt.py", "def f():\n    import time", "may not import time"),
        (
            "companion/posture/tilt.py",
            "from firmware_protocol.frames import Tick",
            "firmware_protocol.frames.Tick",
        ),
        ("companion/posture/tilt.py", "from companion import settings", "may not import companion.settings"),
        ("companion/posture/slouch.py", "import vqf", "may not import vqf"),
        ("companion/posture/tilt.py", "import pandas", "may not import pandas"),
        ("companion/posture/tilt.py", "open('x')", "calls open()"),
        ("companion/posture/tilt.py", "async def f(): ...", "waits (async)"),
        ("companion/posture/tilt.py", "datetime.now()", "reads no clock"),
        ("companion/posture/tilt.py", "x = np.load('x.npy')", "touches no file"),
        ("companion/posture/tilt.py", "r = np.random.default_rng()", "without a seed"),
        ("companion/session.py", "from companion import host", "may not import companion.host"),
        ("companion/session.py", "from companion.recording import open_recording", "companion.recording"),
        (
            "companion/settings.py",
            "from companion.posture import rows",
            "may not import companion.posture.rows",
        ),
        ("companion/errors.py", "import numpy", "may not import numpy"),
        (
            "companion/analysis.py",
            "from companion.text import printable",
            "companion.text.printable",
        ),
        ("companion/link/scan.py", "from companion.recording import schema", "companion.recording.schema"),
        ("companion/link/scan.py", "import sqlite3", "may not import sqlite3"),
        (
            "companion/recording/writer.py",
            "from companion.session import Session",
            "companion.session.Session",
        ),
        ("companion/recording/writer.py", "import companion.session", "may not import companion.session"),
        (
            "companion/recording/writer.py",
            "from companion import analysis",
            "may not import companion.analysis",
        ),
        ("companion/output/lines.py", "import bleak", "may not import bleak"),
        ("companion/output/lines.py", "from ..link import scan", "may not import companion.link.scan"),
        (
            "companion/output/lines.py",
            "from companion.posture.tilt import Tilt",
            "companion.posture.tilt.Tilt",
        ),
        (
            "companion/output/lines.py",
            "import importlib\nimportlib.import_module('bumble')",
            "may not import bumble",
        ),
        ("companion/output/lines.py", "__import__('bum' + 'ble')", "whose name is computed"),
        ("companion/simulator/peripheral.py", "import bleak", "may not import bleak"),
        ("companion/simulator/body.py", "import bumble", "may not import bumble"),
        (
            "companion/simulator/body.py",
            "from companion.simulator import radio",
            "may not import companion.simulator.radio",
        ),
        ("companion/simulator/body.py", "from companion.host import boot_ns", "companion.host.boot_ns"),
        ("companion/commands/monitor.py", "import rich", "may not import rich"),
        ("companion/commands/monitor.py", "from companion.cli import main", "companion.cli.main"),
        ("companion/cli/air.py", "from companion.link import scan", "companion.link.scan"),
        (
            "companion/cli/air.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import rich",
            "may not import rich",
        ),
        ("companion/__init__.py", "import time", "may not import time"),
        ("companion/extras.py", "", "belongs to no room"),
    ],
)
def test_a_violation_is_seen(path: str, source: str, sentence: str) -> None:
    found = violations(path, source)
    assert len(found) == 1, found
    assert sentence in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("firmware_protocol/drivers.py", "from importlib.metadata import entry_points"),
        ("companion/posture/tilt.py", "from vqf import VQF\nfrom firmware_protocol.samples import SAMPLES"),
        ("companion/simulator/radio_backend.py", "from bleak.backends.client import BaseBleakClient"),
        ("companion/output/lines.py", "import os, time\nfrom companion.session import Report"),
        ("companion/recording/reader.py", "import sqlite3\nfrom companion import host"),
        (
            "companion/commands/replay.py",
            "from companion.session import Session\nfrom companion.output import lines",
        ),
        ("companion/posture/tilt.py", "self.open(np.arange(3))\nrng = np.random.default_rng(7)"),
    ],
)
def test_what_is_allowed_is_not_reported(path: str, source: str) -> None:
    assert violations(path, source) == []
