"""Runs the real command line in this process, `posture("sessions", "--json")`, on an empty data directory."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from companion.cli import main


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
