"""What the page shows is what `export` writes, cell by cell: the real commands, a simulated recording, Chromium."""

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from companion.cli import main
from companion.output.csv_tables import cell
from companion.overview import Overview
from companion.tables.dictionary import TABLES

pytestmark = pytest.mark.slow  # a browser opens each page

# Every cell that has a column: table, key of its row, column, value, text without what is beside it.
CELLS = """() => [...document.querySelectorAll("[data-column]")].map((cell) => {
  const shown = cell.cloneNode(true);
  shown.querySelectorAll("small").forEach((each) => each.remove());
  return [
    cell.closest("[data-table]").dataset.table, cell.closest("[data-key]")?.dataset.key ?? "",
    cell.dataset.column, cell.dataset.value, shown.textContent.trim(),
  ];
})"""
AS_WORDS = {"ended_by", "started_local", "date", "session_id", "started_utc"}


def keys_of(table: str, row: dict[str, str]) -> str:
    """By which the page finds a row of a CSV file."""
    if table == "exposure":
        if row["quantity"] and row["measure"] == "percentile":
            return f"{row['quantity']} percentile {row['percentile_pct']}"
        names = ("quantity", "measure", "from_deg", "to_deg", "stay_from_s", "stay_to_s")
        return " ".join(row[name] or "–" for name in names)
    return f"{row['session_id']} {row['episode']}" if table == "episodes" else row["session_id"]


def exported(directory: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Table, key, column: the cells of all CSV files in a directory."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for path in directory.iterdir():
        table = path.stem.rpartition("_")[2]
        with path.open(encoding="utf-8", newline="") as file:
            found.setdefault(table, {}).update({keys_of(table, row): row for row in csv.DictReader(file)})
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A report and the tables of one simulated recording, written by the commands."""
    directory = tmp_path_factory.mktemp("made")
    recording, tables, report = directory / "demo.posture", directory / "csv", directory / "report.html"
    shared = ("--data-dir", str(directory / "data"))
    on_one_day = ("--started", "2026-10-21T10:00", "--zone", "Europe/Paris")  # whenever this runs
    for words in (
        ("simulate", "demo", "--to", str(recording), "--duration", "400", *on_one_day, *shared),
        ("export", str(recording), "--out", str(tables), *shared),
        ("report", str(recording), "--out", str(report), *shared),
    ):
        assert main(list(words)) == 0
    return report, tables


def test_every_cell_equals_the_exported_one(opened: Callable[..., Any], made: tuple[Path, Path]) -> None:
    report, tables = made
    seen = opened(report.read_text(encoding="utf-8"))
    found = exported(tables)
    (session,) = found["sessions"].values()
    (day,) = found["days"].values()
    counted = dict.fromkeys(("figures", "sessions", "episodes", "exposure"), 0)
    for table, key, column, value, text in seen.ask(CELLS):
        if table == "exposure" and key.endswith(" percentile"):
            continue  # five cells of one row; below
        row = {**day, **session} if table == "figures" else found[table][key]
        assert value == row[column], (table, key, column)
        if column not in AS_WORDS:
            assert (value or "–") in text, (table, key, column)
        counted[table] += 1
    assert counted["figures"] == 18
    assert counted["sessions"] >= len(TABLES["sessions"])
    assert counted["episodes"] == 8 * int(session["episodes"]) >= 8
    bands = sum(row["measure"] != "percentile" for row in found["exposure"].values())
    assert counted["exposure"] == 2 * bands


def test_percentiles_equal_the_exported_ones(opened: Callable[..., Any], made: tuple[Path, Path]) -> None:
    report, tables = made
    seen = opened(report.read_text(encoding="utf-8"))
    shown = [cell for cell in seen.ask(CELLS) if cell[0] == "exposure" and cell[1].endswith(" percentile")]
    expected = [
        (key.rpartition(" ")[0], row["velocity_dps"] or row["angle_deg"])
        for key, row in exported(tables)["exposure"].items()
        if row["measure"] == "percentile"
    ]
    assert [(key, value) for _, key, _, value, _ in shown] == expected
    assert [text for *_, text in shown] == [value for _, value in expected]
    assert len(expected) == 20


def test_it_says_that_it_is_simulated(opened: Callable[..., Any], made: tuple[Path, Path]) -> None:
    seen = opened(made[0].read_text(encoding="utf-8"))
    assert seen.complaints == []
    assert "Simulated. These figures were made up by a simulator" in seen.ask(
        "document.querySelector('header').innerText"
    )


def test_days_of_a_week_equal_their_figures(
    opened: Callable[..., Any], session: Callable[..., Any], report_of: Callable[..., Overview]
) -> None:
    long = (("in_range", 7000, 2), ("forward", 100, 20), ("in_range", 900, 1))
    overview = report_of(
        session("2026-10-19T09:00+02:00", *long, name="s1"),
        session("2026-10-21T09:00+02:00", *long[:2], name="s2"),
        session("2026-10-24T23:00+02:00", *long, name="s3"),
        kind="week",
        first_day=date(2026, 10, 19),
    )
    seen = opened(overview)
    shown = [found for found in seen.ask(CELLS) if found[0] == "days"]
    assert len(shown) == 7 * 12
    for (_, key, column, value, text), day in zip(shown, (d for d in overview.days for _ in range(12)), strict=True):
        figures = {"date": day.day.isoformat(), "sessions": day.sessions, **(day.figures or {})}
        assert key == day.day.isoformat()
        assert value == cell(figures.get(column))
        assert column == "date" or (value or "–") == text
    marks = seen.ask(
        "[...document.querySelectorAll('[data-column=date]')].map((e) => e.querySelector('small')?.innerText)"
    )
    assert marks == [
        None, "nothing recorded", "short: worn under 2 h", "nothing recorded", "nothing recorded",
        "short: worn under 2 h", "short: worn under 2 h, 25 h long",
    ]  # fmt: skip
