"""Days beside one another, literally: on 80 columns, marks in words, escapes only on a terminal."""

import os
from datetime import date
from typing import Any

import pytest

from companion.output.canvas import Line, Span, Tint
from companion.output.history_table import Overview, Row, day_line, lines, show

FIGURES: dict[str, Any] = {
    "worn_s": 27_000.0,
    "suspect_s": 2_700.0,  # a tenth of it: not marked
    "forward_s": 3_690.0,
    "forward_pct": 21.44,
    "episodes_per_h": 2.06,
    "median_recovery_s": 12.2,
    "longest_forward_s": 270.0,
    "coverage_pct": 97.6,
    "alerts": 7,
}
UNKNOWN = FIGURES | {
    "worn_s": 600.0,
    "suspect_s": 0.0,
    "forward_s": 0.0,
    "alerts": 0,
    **dict.fromkeys(("forward_pct", "episodes_per_h", "median_recovery_s", "longest_forward_s", "coverage_pct")),
}


def overview(**changes: Any) -> Overview:
    values: dict[str, Any] = {
        "title": "Local days",
        "rows": (
            Row(date(2026, 11, 20), date(2026, 11, 20), FIGURES),
            Row(date(2026, 11, 21), date(2026, 11, 21)),
            Row(date(2026, 11, 22), date(2026, 11, 22), UNKNOWN, short=True),
        ),
        "together": FIGURES,
        "days": 1,
    }
    return Overview(**(values | changes))


def texts(found: list[Line]) -> list[str]:
    return ["".join(span.text for span in line).rstrip() for line in found]


def test_all_of_it() -> None:
    assert texts(lines(overview())) == [
        "Local days",
        "DAY              WORN  FORWARD  SHARE EPISODES RECOVERY  LONGEST COVERAGE ALERTS",
        "                h:min      min      %    per h        s      min        %",
        "Fr 2026-11-20    7:30     61.5   21.4      2.1     12.2      4.5       98      7",
        "Sa 2026-11-21  · no session",
        "Su 2026-11-22*   0:10      0.0      –        –        –        –        –      0",
        "1 day            7:30     61.5   21.4      2.1     12.2      4.5       98      7",
        "average day      7:30     61.5                                               7.0",
        "",
        "forward, share of the still time that was judged",
        "  40 %┤",
        "      │▂▂▂▂",
        "  20 %┤████",
        "      │████",
        "   0 %┴─    ·    ?",
        "       11-20     11-22",
        "* under 2 h worn: not in the sums and the average · ? nothing was judged",
    ]


def test_an_average_day_is_the_sums_by_the_days() -> None:
    found = texts(lines(overview(days=4)))
    assert found[6].startswith("4 days           7:30     61.5   21.4")
    assert found[7] == "average day      1:53     15.4                                               1.8"


SUSPECT = FIGURES | {"suspect_s": 2_700.2}
SHORT_AND_SUSPECT = UNKNOWN | {"suspect_s": 3_600.0}


def test_days_of_a_sensor_that_may_have_slipped_are_marked() -> None:
    one = (Row(date(2026, 11, 20), date(2026, 11, 20), SUSPECT),)
    found = texts(lines(overview(rows=one)))
    assert found[3] == "Fr 2026-11-20~   7:30     61.5   21.4      2.1     12.2      4.5       98      7"
    assert found[4].startswith("1 day            7:30")
    assert found[-1] == "~ sensor may have slipped for 0:45"


def test_several_marks_stand_beside_one_another() -> None:
    rows = (
        Row(date(2026, 11, 20), date(2026, 11, 20), SUSPECT),
        Row(date(2026, 11, 21), date(2026, 11, 21), SHORT_AND_SUSPECT, short=True),
    )
    found = texts(lines(overview(rows=rows, together=SUSPECT)))
    assert found[4] == "Sa 2026-11-21*~  0:10      0.0      –        –        –        –        –      0"
    assert found[5].startswith("1 day~           7:30")
    assert found[-2:] == [
        "* under 2 h worn: not in the sums and the average · ? nothing was judged",
        "~ sensor may have slipped for 1:45 on 2 days, over a tenth of what was worn on each",
    ]


def test_without_a_day_that_counts_there_are_no_sums() -> None:
    short = (Row(date(2026, 11, 22), date(2026, 11, 22), FIGURES, short=True),)
    found = texts(lines(overview(rows=short, days=0)))
    assert not any(text.startswith(("0 day", "average")) for text in found)


def test_a_run_of_days_without_a_session_is_one_row_and_one_mark() -> None:
    rows = (
        Row(date(2026, 8, 3), date(2026, 8, 3), FIGURES),
        Row(date(2026, 8, 4), date(2026, 11, 20)),
        Row(date(2026, 11, 21), date(2026, 11, 21), FIGURES),
    )
    found = texts(lines(overview(rows=rows)))
    assert found[4] == "Tu 2026-08-04  · no session (109 days, to Fr 2026-11-20)"
    assert [text for text in found if text.startswith("   0 %")] == ["   0 %┴─    ·    ─"]


def test_in_the_chart_a_short_run_has_a_column_for_each_date() -> None:
    rows = (
        Row(date(2026, 8, 3), date(2026, 8, 3), FIGURES),
        Row(date(2026, 8, 4), date(2026, 8, 7)),
        Row(date(2026, 8, 8), date(2026, 8, 8), FIGURES),
    )
    found = texts(lines(overview(rows=rows)))
    assert found[-2:] == ["   0 %┴─    ·    ·    ·    ·    ─", "       08-03     08-05     08-07"]


@pytest.mark.parametrize("width", [20, 80, 120, 400])
def test_nothing_is_wider_than_80_or_than_the_terminal(width: int) -> None:
    rows = tuple(Row(date(2026, 1, day), date(2026, 1, day), FIGURES) for day in range(1, 32))
    assert max(map(len, texts(lines(overview(rows=rows), width)))) <= max(80, min(width, 160))


def test_short_days_and_gaps_are_grey() -> None:
    found = lines(overview())
    assert [found[place][0].tint for place in (3, 4, 5)] == [Tint.PLAIN, Tint.DIM, Tint.DIM]


def test_a_line_for_programs() -> None:
    values = {"type": "day", "day_h": 25.0, "worn_s": 5400.04, "alerts": 3, "short": True, "coverage_pct": None}
    assert day_line(values | {"zones": ("Europe/Paris",)}) == (
        '{"type":"day","day_h":25.0,"worn_s":5400.0,"alerts":3,"short":true,"coverage_pct":null,'
        '"zones":["Europe/Paris"]}'
    )


SHOWN = [(Span("a", Tint.STRONG), Span(" [red]b  ", Tint.DIM)), (), (Span("▂▂", Tint.LINE),)]


def test_plain_lines_where_nobody_reads_them_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(SHOWN)
    assert capsys.readouterr().out == "a [red]b\n\n▂▂\n"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"TERM": "xterm-256color"}, "\x1b[1ma\x1b[0m\x1b[2m [red]b  \x1b[0m\n\n\x1b[33m▂▂\x1b[0m\n"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "\x1b[1ma\x1b[0m\x1b[2m [red]b  \x1b[0m\n\n▂▂\n"),
        ({"TERM": "dumb"}, "a [red]b\n\n▂▂\n"),
    ],
)
def test_colours_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: str
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    show(SHOWN)
    assert capsys.readouterr().out == wanted
    assert os.environ["TERM"] == environment["TERM"]
