"""Recordings that nobody made: rows of every column, told by a number. Knows the history's columns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from companion.history import Entry, Keeper, Stamp
from companion.history.schema import COLUMNS

MakeEntry = Callable[..., Entry]
HOW_MANY = {"sessions": 1, "days": 2, "minutes": 3, "episodes": 2}


def value(column: str, kind: str, seed: int, place: int) -> Any:
    """Something of the column's type that differs from row to row and from seed to seed."""
    if column == "date":
        return f"2026-03-{1 + (seed + place) % 28:02d}"
    if kind == "TEXT":
        return f"{column} {seed} ü"
    return seed * 100 + place if kind == "INTEGER" else seed + place + 1 / 3


@pytest.fixture(scope="session")
def entry() -> MakeEntry:
    """`entry(file, seed)`: one session with rows in every table; `error=` makes one that cannot be read."""

    def make(file: str, seed: int = 1, error: str | None = None) -> Entry:
        rows = {
            table: [
                {name: value(name, kind, seed, place) for name, kind in columns.items()}
                for place in range(HOW_MANY[table])
            ]
            for table, columns in COLUMNS.items()
        }
        stamp = Stamp(1000 + seed, 10_000_000_000 + seed)
        return Entry(file, stamp, closed=error is None, error=error, rows={} if error else rows)

    return make


@pytest.fixture
def told() -> list[str]:
    """What was said to the wearer."""
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a history may be made."""
    return tmp_path / "history.db"


@pytest.fixture
def keeping(path: Path, told: list[str]) -> Callable[[], Any]:
    """`with keeping() as keeper`: the right to write the history at `path`."""
    return lambda: Keeper.holding(path, 0.0, told.append)
