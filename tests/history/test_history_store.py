"""Rows go in and come out as they were, whatever order they came in; what was tampered with is seen and never run."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.history import History, HistoryDamaged, Stamp, Unkeepable
from companion.history.schema import APPLICATION_ID, COLUMNS, NEEDED, TABLES, VERSION
from companion.tables.dictionary import names

FILES = ("a.posture", "b.posture", "c.posture")
Keeping = Callable[[], Any]


def content(history: History) -> dict[str, list[Any]]:
    return {table: history.rows(table) for table in TABLES}


def test_every_column_of_the_dictionary_has_its_place() -> None:
    for table in TABLES:
        assert [name for name in COLUMNS[table] if name in names(table)] == list(names(table))
        assert NEEDED[table] <= COLUMNS[table].keys()
    assert COLUMNS["sessions"]["samples"] == COLUMNS["episodes"]["episode"] == "INTEGER"
    assert COLUMNS["days"]["day_h"] == COLUMNS["minutes"]["sagittal_mean_deg"] == "REAL"
    assert COLUMNS["days"]["date"] == COLUMNS["sessions"]["tz"] == "TEXT"


def test_what_goes_in_comes_out_with_its_type(entry) -> None:
    history, made = History.in_memory(), entry("a.posture", 7)
    history.put(made, "1.2.3")
    assert history.stamps("1.2.3") == {"a.posture": Stamp(1007, 10_000_000_007)}
    assert history.stamps("1.2.4") == {"a.posture": None}, "another version's figures"
    for table in TABLES:
        wanted = [{**row, "file": "a.posture"} for row in made.rows[table]]
        if table == "sessions":
            wanted = [{**row, **made.of_file, "computed_by": "1.2.3"} for row in wanted]
        assert history.rows(table) == wanted
        assert [[type(cell) for cell in row.values()] for row in history.rows(table)] == [
            [type(row[name]) for name in COLUMNS[table]] for row in wanted
        ]


def test_numbers_of_numpy_and_nothing_are_kept_as_plain_ones(entry) -> None:
    history, made = History.in_memory(), entry("a.posture")
    made.rows["sessions"][0].update(alerts=np.int64(3), still_s=np.float32(0.5), loss_pct=None, drift_ppm=math.nan)
    history.put(made, "1")
    row = history.sessions()["a.posture"]
    kept = [row[name] for name in ("alerts", "still_s", "loss_pct", "drift_ppm")]
    assert kept == [3, 0.5, None, None]
    assert [type(each) for each in kept[:2]] == [int, float]


@given(st.lists(st.tuples(st.sampled_from(FILES), st.integers(0, 3)), max_size=12))
def test_any_order_of_changes_leaves_what_the_last_state_leaves(entry, changes: list[tuple[str, int]]) -> None:
    """0: the recording is gone; else it is there as it was or as it has become."""
    with closing(History.in_memory()) as lived, closing(History.in_memory()) as anew:
        state: dict[str, int] = {}
        for file, seed in changes:
            if seed:
                lived.put(entry(file, seed), "1")
                state[file] = seed
            else:
                lived.forget([file])
                state.pop(file, None)
        for file in sorted(state):
            anew.put(entry(file, state[file]), "1")
        assert content(lived) == content(anew)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("days", {"date": "2026-03-09"}),  # both days the same
        ("sessions", {"device": "\ud800"}),
        ("sessions", {"samples": 1 << 63}),
        ("minutes", {"t_s": None}),
        ("sessions", {"device": "x" * (2 << 20)}),
    ],
)
def test_what_cannot_be_kept_changes_nothing(entry, table: str, change: dict[str, Any]) -> None:
    history = History.in_memory()
    history.put(entry("a.posture", 1), "1")
    before, strange = content(history), entry("a.posture", 2)
    for row in strange.rows[table]:
        row.update(change)
    with pytest.raises((ValueError, OverflowError)):
        history.put(strange, "1")
    assert content(history) == before


def test_what_passes_is_counted_once_and_not_kept(entry) -> None:
    history = History.in_memory()
    history.put(entry("a.posture", 1), "1")
    history.put(entry("b.posture", 2), "1")
    history.let_pass(entry("b.posture", 5))
    history.let_pass(entry("c.posture", error="no"))
    assert history.sessions()["b.posture"]["session_id"] == "session_id 5 ü"
    assert [row["session_id"] for row in history.parts()] == ["session_id 1 ü"] * 2 + ["session_id 5 ü"] * 2
    assert {state["file"]: state["error"] for state in history.states()} == {
        "a.posture": None,
        "b.posture": None,
        "c.posture": "no",
    }
    assert history.stamps("1").keys() == {"a.posture", "b.posture"}
    assert history.last_date() == "2026-03-07"


def test_a_span_has_all_parts_of_the_sessions_that_touch_it(entry) -> None:
    history = History.in_memory()
    for seed in (1, 3, 5):  # on the 2nd and 3rd, the 4th and 5th, the 6th and 7th
        history.put(entry(f"{seed}.posture", seed), "1")
    assert [row["date"] for row in history.parts("2026-03-05", "2026-03-05")] == ["2026-03-04", "2026-03-05"]
    found = history.recoveries("2026-03-05", "2026-03-06")
    assert [row["file"] for row in found] == ["3.posture"] * 2 + ["5.posture"] * 2
    assert list(found[0]) == ["file", "t_s", "recovery_s"]


def test_what_is_forgotten_is_in_no_byte_of_the_file(entry, keeping: Keeping, path: Path) -> None:
    with keeping() as keeper, closing(keeper.opened()) as history:
        for number in range(40):
            history.put(entry(f"{number}.posture", number), "1")
        assert b"session_id 7 " in path.read_bytes()
        size = path.stat().st_size
        history.forget([f"{number}.posture" for number in range(7, 40)])
        assert b"session_id 7 " not in path.read_bytes()
        assert b"session_id 6 " in path.read_bytes()
        assert path.stat().st_size < size
    assert [each.name for each in path.parent.iterdir() if each.name.endswith(("-wal", "-journal"))] == []


def test_what_was_replaced_is_in_no_byte_of_the_file(entry, keeping: Keeping, path: Path) -> None:
    with keeping() as keeper, closing(keeper.opened()) as history:
        history.put(entry("a.posture", 7), "1")
        assert b"session_id 7 " in path.read_bytes()
        history.put(entry("a.posture", error="no"), "1")
        assert b"session_id 7 " not in path.read_bytes()


# ---- what is not trusted


def read(history: History) -> None:
    """As the commands do."""
    history.stamps("1")
    history.sessions()
    history.parts()


@pytest.fixture
def kept(entry, keeping: Keeping, path: Path) -> Path:
    """A history of one recording."""
    with keeping() as keeper, closing(keeper.opened()) as history:
        history.put(entry("a.posture"), "1")
    return path


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON days BEGIN DELETE FROM sessions; END",
        "CREATE VIEW v AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
        "CREATE TABLE more (x)",
        "CREATE INDEX i ON days (date)",
        "ALTER TABLE days ADD COLUMN more TEXT",
        "DROP TABLE minutes",
    ],
)
def test_another_schema_is_not_read(kept: Path, statement: str) -> None:
    changed(kept, statement)
    for write in (False, True):
        with pytest.raises(HistoryDamaged, match="its tables are not those of a history"):
            History.at(kept, write=write)


def test_a_view_in_place_of_a_table_is_not_read(kept: Path) -> None:
    """It would never end."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    changed(kept, "DROP TABLE days", f"CREATE VIEW days AS {endless}")
    with pytest.raises(HistoryDamaged):
        History.at(kept)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE days SET worn_s = 'much'",
        "UPDATE days SET worn_s = x'00'",
        "UPDATE days SET episodes = 1.5",
        "UPDATE days SET date = date || '?'",
        "UPDATE sessions SET device = zeroblob(100000000)",
        "UPDATE sessions SET duration_s = NULL",
        "UPDATE sessions SET size = 'x'",
        "UPDATE sessions SET session_id = CAST(x'ff' AS TEXT)",
    ],
)
def test_a_value_of_another_type_is_seen(kept: Path, statement: str) -> None:
    changed(kept, statement)
    with closing(History.at(kept)) as history, pytest.raises(HistoryDamaged):
        read(history)


def test_damage_in_the_pages_is_seen(kept: Path) -> None:
    data = bytearray(kept.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    kept.write_bytes(data)
    with pytest.raises(HistoryDamaged), closing(History.at(kept)) as history:
        history.sessions()


def test_a_reader_never_writes(kept: Path) -> None:
    with closing(History.at(kept)) as history:
        with pytest.raises(Unkeepable, match="readonly"):
            history.forget(["a.posture"])
        assert list(history.sessions()) == ["a.posture"]


def test_the_file_says_what_it_is(kept: Path) -> None:
    header = kept.read_bytes()[:100]
    assert int.from_bytes(header[68:72]) == APPLICATION_ID
    assert int.from_bytes(header[60:64]) == VERSION
    assert kept.stat().st_mode & 0o777 == 0o600
