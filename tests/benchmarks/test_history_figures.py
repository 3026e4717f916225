"""The benchmark of the history, on three days of two minutes: it runs, and a rebuild is equal."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.slow
def test_a_few_days_fill_the_table(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    history = script("history")
    (table,) = history.measured(tmp_path / "data", days=3, minutes=2.0, rounds=1)
    assert len(table.rows) == 8
    assert all(figures["s"] > 0 for figures in table.rows.values())
    assert len(list((tmp_path / "data" / "sessions").iterdir())) == 2, "the last row is of a recording that is gone"
    assert len(history.content(tmp_path / "data")["days"]) == 2


def test_a_day_is_made_the_same_each_time(script: Callable[[str], ModuleType]) -> None:
    history = script("history")
    first, *rest = history.worn("fidget", 0.5, 0)
    again, *others = history.worn("fidget", 0.5, 0)
    assert rest == others
    assert first.session_id != again.session_id
