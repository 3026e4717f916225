"""The benchmark of the export, on two minutes: every figure is there, and says what it is of."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.slow
def test_every_command_has_its_time(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    table = script("export").figures(tmp_path, hours=1 / 30, rounds=1)
    assert list(table.rows) == [
        "simulate --to, once",
        "reading it, every frame checked",
        "replay --speed max --json",
        "export",
        "export --anonymous",
        "export --tables samples",
    ]
    for case, figures in table.rows.items():
        assert tuple(figures) == table.columns
        assert all(math.isfinite(value) and value > 0 for value in figures.values()), case
    names = sorted(path.stem.rsplit("_", 1)[-1] for path in (tmp_path / "out-0").iterdir())
    assert names == ["days", "episodes", "exposure", "minutes", "sessions"]
    assert [path.stem.rsplit("_", 1)[-1] for path in (tmp_path / "out-2").iterdir()] == ["samples"]
