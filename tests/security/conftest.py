"""The real command line beside hostile neighbours: on the simulated radio, in files, and on the way out.

Each guard is tried twice: on our program, which must stand, and on the naive way to do the same, which must fall. A
check that the naive way passes would say nothing.
"""

import os
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from companion.cli import main
from companion.commands.air import Air
from companion.link.radio import Radio
from companion.recording import RecordingWriter
from companion.simulator.radio import SimulatedRadio
from companion.simulator.sensor import Firmware
from companion.simulator.served import Appearance
from companion.simulator.stories import body_of
from firmware_protocol.frames import Closed, Frame


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Posture = Callable[..., Ran]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for everything the program stores; no setting comes from this machine."""
    for name in list(os.environ):
        if name.startswith("POSTURE_"):
            monkeypatch.delenv(name)
    directory = tmp_path / "data"
    monkeypatch.setenv("POSTURE_DATA_DIR", str(directory))
    return directory


@pytest.fixture
def posture(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Posture]:
    """The command line: arguments in, exit code and both streams out."""
    before = os.umask(0)  # the loosest there is: what is private must be so by our doing

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    yield run
    os.umask(before)


class Named(Firmware):
    """Our own sensor under another name."""

    def __init__(self, name: str, number: int = 1) -> None:
        super().__init__(body_of("upright"))
        self._name, self._address = name, f"F4:12:3D:5A:70:{number:02X}"

    @property
    def appearance(self) -> Appearance:
        return replace(super().appearance, name=self._name, address=self._address)


Surround = Callable[[Callable[[], list[Any]]], None]


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Surround:
    """Puts sensors in range of the real commands, in place of the system's Bluetooth; new ones for each command."""

    def surround(make: Callable[[], list[Any]]) -> None:
        @asynccontextmanager
        async def on_air(_act: object) -> AsyncIterator[Air]:
            async with SimulatedRadio(*make()) as simulated:
                yield Air(Radio(simulated.scanner_backend, simulated.client_backend, simulated.adapter_backend))

        for room in ("meeting", "scan", "live"):
            monkeypatch.setattr(f"companion.commands.{room}.on_air", on_air)

    return surround


@pytest.fixture
def named(around: Surround) -> Callable[..., None]:
    """`named("a name", ...)`: our own sensors are in range, under these names."""
    return lambda *names: around(lambda: [Named(name, number + 1) for number, name in enumerate(names)])


_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\ud800-\udfff\u2028\u2029]")


def _unfit(text: str) -> list[str]:
    found = _CONTROLS.findall(text)
    return [*found, *(char for char in text if unicodedata.bidirectional(char) in _BIDI)]


@pytest.fixture(scope="session")
def unfit() -> Callable[[str], list[str]]:
    """Every C0, C1 or bidirectional control in a text; the end of a line is none of them."""
    return _unfit


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """`recorded(frames)`: a recording of these frames, `Closed` added, in a directory of its own."""

    def write(frames: list[Frame], name: str = "2026-11-22T090000Z_x.posture") -> Path:
        path = tmp_path / "data" / "sessions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = RecordingWriter.create(path, threaded=False)
        for number, frame in enumerate(frames):
            assert writer.put(number, frame), frame
        writer.close(Closed(t_host_ns=frames[-1].t_host_ns, reason="ended", count=len(frames)))
        return path

    return write
