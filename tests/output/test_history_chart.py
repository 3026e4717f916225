"""Bars of days: heights, scale, and marks that need no colour."""

import pytest

from companion.output.canvas import Line, Tint
from companion.output.history_chart import ROWS, Bar, bars


def texts(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line).rstrip() for line in lines]


def test_a_week() -> None:
    days = [
        Bar(40.0, "11-16"),
        Bar(20.0, "11-17"),
        Bar(None, "11-18", is_gap=True),
        Bar(None, "11-19"),
        Bar(10.0, "11-20", short=True),
        Bar(0.0, "11-21"),
        Bar(1.25, "11-22"),
    ]
    lines = bars(days, 80)
    assert texts(lines) == [
        "  40 %┤████",
        "      │████",
        "  20 %┤████ ████",
        "      │████ ████           ████ ▁▁▁▁ ▁▁▁▁",
        "   0 %┴─    ─    ·    ?    *    ─    ─",
        "       11-16     11-18     11-20     11-22",
    ]
    assert len(lines) == ROWS + 2
    assert [span.tint for span in lines[3][1:]] == [Tint.LINE] * 4 + [Tint.DIM] + [Tint.LINE] * 2


@pytest.mark.parametrize(
    ("share_pct", "scale", "column"),
    [
        (100.0, "100 %", "████"),
        (60.0, " 60 %", "████"),
        (60.1, " 80 %", "▁███"),
        (12.5, " 20 %", " ▄██"),
        (10.0, " 10 %", "████"),
        (0.01, " 10 %", "   ▁"),
        (0.0, " 10 %", "   ▁"),
    ],
)
def test_the_scale_holds_the_largest(share_pct: float, scale: str, column: str) -> None:
    lines = bars([Bar(share_pct, "")], 20)
    rows = texts(lines)
    assert rows[0][1:6] == scale
    assert "".join(row[7:8] or " " for row in rows[:ROWS]) == column


@pytest.mark.parametrize(("count", "width", "longest"), [(31, 80, 69), (7, 80, 42), (73, 80, 80), (31, 38, 38)])
def test_bars_become_narrower_with_their_number(count: int, width: int, longest: int) -> None:
    rows = texts(bars([Bar(50.0, "")] * count, width))
    assert max(map(len, rows[:ROWS])) <= longest <= width
    assert rows[ROWS].count("─") == count


def test_what_does_not_fit_is_not_drawn() -> None:
    assert bars([Bar(50.0, "")] * 32, 38) == []
    assert bars([], 80) == []


def test_without_a_share_there_is_no_chart() -> None:
    assert bars([Bar(None, "a", is_gap=True), Bar(None, "b")], 80) == []
