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


@given(st.lists(st.floats(-20, 40), min_size=60, max_size=60), st.integers(0, 1000))
def test_the_line_moves_to_the_left_and_nothing_else_changes(values: list[float], end_s: int) -> None:
    """60 s in 30 columns of dots: two seconds later the same picture stands one column of dots further left."""

    def dots(data: ChartData) -> set[tuple[int, int]]:
        return {
            (2 * at + side, 4 * row + dot)
            for row, line in enumerate(drawn(chart(data, PLOT + 15, 9))[:-1])
            for at, char in enumerate(line[PLOT:])
            for side, bits in enumerate(((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)))
            for dot, bit in enumerate(bits)
            if "\u2800" < char <= "\u28ff" and (ord(char) - 0x2800) & bit
        }

    edges = [-20.0, 40.0]  # they keep the scale as it is
    before = dots(ChartData((*edges, *values[2:]), end_s, 60, 12.0, ""))
    after = dots(ChartData((*edges, *values[4:], 0.0, 0.0), end_s + 2, 60, 12.0, ""))
    # The outermost columns hold parts of a second pair, the edges, and strokes to them.
    kept = {(x - 1, y) for x, y in before if 5 <= x <= 27}
    assert kept == {(x, y) for x, y in after if 4 <= x <= 26}
