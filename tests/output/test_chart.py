"""The line of the last minutes: in the right place, in the right size, and calm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.canvas import Line
from companion.output.chart import LABEL_WIDTH, ChartData, chart

PLOT = LABEL_WIDTH + 2


def drawn(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def data(*angles_deg: float | None, end_s: int = 20, limit_deg: float | None = 12.0) -> ChartData:
    return ChartData(angles_deg, end_s, 20, limit_deg, "degrees")


def test_a_small_chart_in_full() -> None:
    angles = [0.0] * 9 + [20.0] * 5 + [None] * 3 + [-5.0] * 3
    assert drawn(chart(data(*angles), PLOT + 20, 6)) == [
        "        20° ┤         ⢸⠉⠉⠉⠉⠁     ",
        "  limit 12° ┤╌╌╌╌╌╌╌╌╌⢸╌╌╌╌╌╌╌╌╌╌",
        "            │         ⢸          ",
        "         0° ┤⢀⣀⣀⣀⣀⣀⣀⣀⣀⡸──────────",
        "        -5° ┤                 ⢀⣀⣀",
        "             0 min ago        now",
    ]


def test_who_slouches_backwards_has_the_limit_below() -> None:
    assert drawn(chart(data(*[0.0] * 10, *[-14.0] * 10, limit_deg=-8.0), PLOT + 20, 6)) == [
        "         5° ┤                    ",
        "         0° ┤⠐⠒⠒⠒⠒⠒⠒⠒⠒⠒⢢─────────",
        "            │          ⢸         ",
        "   limit 8° ┤╌╌╌╌╌╌╌╌╌╌⢸╌╌╌╌╌╌╌╌╌",
        "       -15° ┤          ⠸⠤⠤⠤⠤⠤⠤⠤⠤⠤",
        "             0 min ago        now",
    ]


def test_without_baseline_there_is_no_limit() -> None:
    lines = drawn(chart(data(8.0, limit_deg=None), PLOT + 20, 6))
    assert not [line for line in lines if "limit" in line]


@pytest.mark.parametrize(("width", "height"), [(PLOT + 7, 8), (80, 2), (0, 0), (-3, -3)])
def test_no_room_no_chart(width: int, height: int) -> None:
    assert chart(data(1.0), width, height) == []


angles = st.lists(st.none() | st.floats(-180, 180), max_size=300)


@given(angles, st.integers(20, 140), st.integers(3, 40), st.integers(0, 10**6))
def test_every_line_fits(values: list[float | None], width: int, height: int, end_s: int) -> None:
    lines = chart(ChartData(tuple(values), end_s, 300, 12.0, "degrees from your baseline"), width, height)
    assert lines == [] or {len(line) for line in drawn(lines)} == {width}
    assert lines == [] or len(lines) == height


def dots(angles_deg: tuple[float, ...], end_s: int) -> set[tuple[int, int]]:
    """Columns and rows of the dots of 60 s in 30 columns, two seconds to each."""
    lines = drawn(chart(ChartData(angles_deg, end_s, 60, 12.0, ""), PLOT + 15, 9))
    return {
        (2 * at + side, 4 * row + dot)
        for row, line in enumerate(lines[:-1])
        for at, char in enumerate(line[PLOT:])
        for side, bits in enumerate(((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)))
        for dot, bit in enumerate(bits)
        if "\u2800" < char <= "\u28ff" and (ord(char) - 0x2800) & bit
    }


# Two angles at the left edge keep the scale as it is; they, what comes in and strokes to both are left out below.
EDGES = (-20.0, 40.0)
minutes = st.lists(st.floats(-20, 40), min_size=60, max_size=60)


@given(minutes, st.integers(0, 500))
def test_within_a_column_of_time_nothing_old_changes(values: list[float], half_end_s: int) -> None:
    before = dots((*EDGES, *values[2:]), 2 * half_end_s)
    after = dots((*EDGES, *values[3:], 0.0), 2 * half_end_s + 1)
    assert {dot for dot in before if 4 <= dot[0] <= 28} == {dot for dot in after if 4 <= dot[0] <= 28}


@given(minutes, st.integers(0, 1000))
def test_the_line_moves_to_the_left_and_nothing_else_changes(values: list[float], end_s: int) -> None:
    before = dots((*EDGES, *values[2:]), end_s)
    after = dots((*EDGES, *values[4:], 0.0, 0.0), end_s + 2)
    assert {(x - 1, y) for x, y in before if 5 <= x <= 27} == {dot for dot in after if 4 <= dot[0] <= 26}
