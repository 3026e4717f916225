"""Runs the real command line in this process, `posture("sessions", "--json")`, on an empty data directory."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from companion.cli import main
from companion.commands.air import Air
from companion.link.radio import Radio
from companion.simulator.radio import SimulatedRadio


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


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
    before = os.umask(0)
    os.umask(before)

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    yield run
    os.umask(before)


Surround = Callable[..., None]


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Surround:
    """Puts devices in range of the real commands, in place of the system's Bluetooth: `around(plain(...), ...)`.

    A scanner's backend (of fake_air.py) may stand in place of devices.
    """

    def surround(*devices: Any) -> None:
        @asynccontextmanager
        async def on_air(_act: object) -> AsyncIterator[Air]:
            if isinstance(devices[0], type):
                yield Air(Radio(devices[0]))
                return
            async with SimulatedRadio(*devices) as simulated:
                yield Air(Radio(simulated.scanner_backend, simulated.client_backend, simulated.adapter_backend))

        for room in ("meeting", "scan", "live"):
            monkeypatch.setattr(f"companion.commands.{room}.on_air", on_air)

    return surround
