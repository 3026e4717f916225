"""The tables with a row for each session: which session is which, what is told of it, and titles that break well."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from companion.cli import main
from companion.output.report import page
from companion.output.report.page import title_parts
from companion.output.report.session_tables import calibrations, quality, session_columns, sessions
from companion.output.report.tables import Shown
from companion.overview import Overview

ONE = (("in_range", 900, 2), ("forward", 60, 20), ("no_data", 40, 0), ("reclined", 40, -20))
BEGINS = ("2026-10-19 09:00:00", "2026-10-20 09:00:00", "2026-10-21 09:00:00", "2026-10-22 09:00:00")


@pytest.fixture(scope="module")
def four(session: Any, report_of: Any) -> Overview:
    """Four sessions of a week; the last is without a calibration."""
    made = [session(f"{when.replace(' ', 'T')}+02:00", *ONE, name=f"id{at}") for at, when in enumerate(BEGINS[:3])]
    last = session(f"{BEGINS[3].replace(' ', 'T')}+02:00", *ONE, name="id3", calibrated=False)
    return report_of(*made, last, kind="week", first_day=date(2026, 10, 19))


def test_what_matters_of_a_session(four: Overview) -> None:
    table = sessions(four)
    assert [heading for heading, _ in table.headings] == [
        "Began", "Length, s", "Worn, s", "Forward, s", "Forward, %", "Episodes", "Alerts", "Longest forward, s",
        "Median recovery, s", "Coverage, %",
    ]  # fmt: skip
    key, cells = table.rows[0]
    assert (key, cells[0].text) == ("id0", BEGINS[0])
    assert cells[2] == Shown("1000.0", aside="16 min 40 s", is_number=True)
    assert cells[4] == Shown("6.0", is_number=True)  # 60 s of 900 + 60 + 40 s that were judged


def test_every_table_says_which_session(four: Overview) -> None:
    assert [table.caption for table in session_columns(four)] == [f"Session that began {begin}" for begin in BEGINS]
    parts = quality(four)
    assert [part.headings[0][0] for part in parts] == ["Began", "Began"]
    for part in parts:
        assert [(key, cells[0].text) for key, cells in part.rows] == [(f"id{at}", BEGINS[at]) for at in range(4)]


def test_no_figure_of_the_quality_is_lost_in_two_tables(session: Any, report_of: Any, four: Overview) -> None:
    (whole,) = quality(report_of(session("2026-10-21T09:00+02:00", *ONE)))
    both = [heading for part in quality(four) for heading in part.headings]
    assert sorted(both) == sorted([*whole.headings, whole.headings[0]])
    assert dict(both)["Longest gap, s"].startswith("The longest silence")
    assert "standard deviation" in dict(both)["Uncertainty, °"]


def test_a_calibration_is_told_once_with_its_sessions(four: Overview) -> None:
    found = calibrations(four)
    assert [one.session_ids for one in found] == [("id0", "id1", "id2"), ("id3",)]
    assert found[0].began == BEGINS[:3]
    assert f"Calibration of the 3 sessions that began {', '.join(BEGINS[:3])}" in page(four)
    assert "Calibration of session" not in page(four)


@pytest.mark.parametrize(("episodes", "folded"), [(60, False), (61, True)])
def test_long_lists_are_whole_or_say_how_long_they_are(
    session: Any, report_of: Any, episodes: int, folded: bool
) -> None:
    made = session("2026-10-21T09:00+02:00", *(("in_range", 40, 2), ("forward", 10, 20)) * episodes)
    text = page(report_of(made))
    assert (f"<summary>All {episodes} episodes</summary>" in text) == folded
    assert text.count('data-column="peak_deg"') == episodes


def test_words_hold_on_light_and_dark_pages(four: Overview) -> None:
    text = page(four)
    assert "The stronger the colour of a cell, the larger its share." in text
    assert "Share of the recorded time, %" in text


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        (
            "Wednesday, 2026-11-18, 23:10 to 2026-11-19, 07:00 (Europe/Paris)",
            ("Wednesday,", "2026-11-18, 23:10", "to 2026-11-19, 07:00", "(Europe/Paris)"),
        ),
        (
            "Wednesday, 2026-10-21, 09:00 to 10:00 (Europe/Paris)",
            ("Wednesday,", "2026-10-21,", "09:00 to 10:00", "(Europe/Paris)"),
        ),
        ("Week 2026-W47, 16 to 22 November 2026", ("Week 2026-W47,", "16 to 22 November 2026")),
        ("2 sessions, 2026-11-18 to 2026-11-19", ("2 sessions,", "2026-11-18", "to 2026-11-19")),
    ],
)
def test_titles_break_between_what_belongs_together(title: str, parts: tuple[str, ...]) -> None:
    assert title_parts(title) == parts
    assert " ".join(parts) == title


@pytest.mark.parametrize("name", ["x.pdf", "x.PDF", "x.htm.txt", "x.posture"])
def test_a_page_has_the_name_of_a_page(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--day", "2026-10-21", "--out", str(tmp_path / name), "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "a report is HTML" in said.err
    assert list(tmp_path.iterdir()) == []
