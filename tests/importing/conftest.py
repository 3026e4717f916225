"""Twelve seconds of motion, and what writes it as other programs do."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from companion.importing.reader import Imported, read

G = 9.80665
START_NS = 1_772_438_400_123_000_000  # 2026-03-02T08:00:00.123Z


@dataclass(frozen=True)
class Truth:
    """600 samples at 50 Hz: upright, and from 6 s on 20° forward. Times in s from 0, m/s², rad/s."""

    t_s: np.ndarray
    acc: np.ndarray
    gyr: np.ndarray

    def table(self, header: str, row: Callable[[int], Sequence[object]], mark: str = ",", end: str = "\n") -> str:
        """A header, and a row for each sample."""
        lines = (mark.join(str(cell) for cell in row(at)) for at in range(len(self.t_s)))
        return end.join([header, *lines, ""])


@pytest.fixture(scope="session")
def truth() -> Truth:
    chance = np.random.default_rng(3)
    t_s = np.arange(600) / 50
    pitch = np.radians(np.where(t_s < 6, 0.0, 20.0))
    up = np.stack([np.cos(pitch), 0 * pitch, -np.sin(pitch)], axis=1)
    return Truth(t_s, G * up + chance.normal(0, 0.02, (600, 3)), chance.normal(0, 0.01, (600, 3)))


Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write files under an own directory: `put(("a.csv", text), ...)`; returns the directory, or the only file."""

    def write(*files: tuple[str, str | bytes]) -> Path:
        for name, text in files:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return tmp_path / "in" / files[0][0] if len(files) == 1 else tmp_path / "in"

    return write


@pytest.fixture
def read_text(put: Put) -> Callable[..., Imported]:
    """One CSV file, read: `read_text(text, columns, units)`."""

    def write_and_read(text: str | bytes, columns: str = "", units: str = "", name: str = "m.csv") -> Imported:
        return read(put((name, text)), columns, units)

    return write_and_read


def joined(*parts: Iterable[float]) -> list[float]:
    """Numbers of several rows in one list."""
    return [float(value) for part in parts for value in part]
