"""The last minutes of the angle as a line of braille dots, with its units, the baseline and the limit.

Pure: numbers in, lines of text out. Each character holds two columns and four rows of dots. Must never know:
widgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from companion.output.canvas import Line, Span, Tint

LABEL_WIDTH = 11
"""Columns left of the plot, for the degrees."""

_DOTS_LEFT = (0x01, 0x02, 0x04, 0x40)  # top to bottom, Unicode's numbering of braille dots
_DOTS_RIGHT = (0x08, 0x10, 0x20, 0x80)
_BRAILLE = 0x2800
_STEP_DEG = 5.0


@dataclass(frozen=True, slots=True)
class ChartData:
    """What is drawn: one angle a second (None: unknown), the newest last, at session time `end_s`."""

    angles_deg: tuple[float | None, ...]
    end_s: int
    span_s: int
    limit_deg: float | None  # None: there is no baseline, so there is no limit either
    caption: str


def chart(data: ChartData, width: int, height: int) -> list[Line]:
    """The plot, `height` lines of `width` columns; the last line is the time axis."""
    plot_width, plot_height = width - LABEL_WIDTH - 2, height - 1
    if plot_width < 8 or plot_height < 2:
        return []
    scale = _Scale.around(data, plot_height)
    columns = _columns(data, 2 * plot_width)
    dots = _dots([None if angle is None else scale.dot(angle) for angle in columns], plot_height)
    rules = scale.rules(data.limit_deg)
    lines = [_row(dots[row], rules.get(row, _NO_RULE)) for row in range(plot_height)]
    return [*lines, _time_axis(data, width)]


@dataclass(frozen=True, slots=True)
class _Rule:
    label: str
    mark: str  # what stands where the line leaves a gap


_NO_RULE = _Rule("", " ")


@dataclass(frozen=True, slots=True)
class _Scale:
    """Degrees to dots, the top of the plot being dot 0."""

    low_deg: float
    high_deg: float
    rows: int

    @classmethod
    def around(cls, data: ChartData, rows: int) -> "_Scale":
        """A scale in whole steps that holds the line, the baseline and some room beyond the limit."""
        known = [angle for angle in data.angles_deg if angle is not None]
        limit_deg = data.limit_deg or 0.0
        high = max([*known, max(limit_deg, 0.0) + _STEP_DEG])
        low = min([*known, min(limit_deg, 0.0) - _STEP_DEG])
        return cls(floor(low / _STEP_DEG) * _STEP_DEG, ceil(high / _STEP_DEG) * _STEP_DEG, rows)

    def dot(self, angle_deg: float) -> int:
        """The dot row of an angle, kept within the plot."""
        share = (self.high_deg - angle_deg) / (self.high_deg - self.low_deg)
        return min(max(int(share * (4 * self.rows - 1) + 0.5), 0), 4 * self.rows - 1)

    def rules(self, limit_deg: float | None) -> dict[int, _Rule]:
        """Rows with a label or a line across; what comes later wins where two fall on one row."""
        rules = {
            0: _Rule(f"{self.high_deg:.0f}°", " "),
            self.rows - 1: _Rule(f"{self.low_deg:.0f}°", " "),
            self.dot(0.0) // 4: _Rule("0°", "─"),
        }
        if limit_deg is not None:
            rules[self.dot(limit_deg) // 4] = _Rule(f"limit {round(abs(limit_deg), 1):g}°", "╌")
        return rules


def _columns(data: ChartData, count: int) -> list[float | None]:
    """The mean angle of each dot column; columns stand at fixed session times, so nothing shimmers."""
    seconds_a_column = data.span_s / count
    newest = floor(data.end_s / seconds_a_column)
    sums: dict[int, tuple[float, int]] = {}
    for age, angle in enumerate(reversed(data.angles_deg)):
        if angle is not None:
            column = floor((data.end_s - age) / seconds_a_column) - newest + count - 1
            total, number = sums.get(column, (0.0, 0))
            sums[column] = (total + angle, number + 1)
    means = {column: total / number for column, (total, number) in sums.items()}
    # With more columns than seconds some columns have no second of their own: they take their neighbour's.
    reach = ceil(1 / seconds_a_column)
    return [_nearest_before(means, column, reach) for column in range(count)]


def _nearest_before(means: dict[int, float], column: int, reach: int) -> float | None:
    return next((means[at] for at in range(column, column - reach, -1) if at in means), None)


def _dots(levels: Sequence[int | None], rows: int) -> list[list[int]]:
    """Braille codes, row by row; consecutive points are joined by a vertical stroke."""
    cells = [[0] * (len(levels) // 2) for _ in range(rows)]
    before: int | None = None
    for column, level in enumerate(levels):
        if level is not None:
            start = level if before is None else before + (level > before) - (level < before)
            for dot in range(min(start, level), max(start, level) + 1):
                bits = _DOTS_RIGHT if column % 2 else _DOTS_LEFT
                cells[dot // 4][column // 2] |= bits[dot % 4]
        before = level
    return cells


def _row(codes: Sequence[int], rule: _Rule) -> Line:
    """One line of the plot: label, axis, and the dots with the rule showing through where there are none."""
    spans = [Span(f"{rule.label:>{LABEL_WIDTH}} ", Tint.DIM), Span("┤" if rule.label else "│", Tint.DIM)]
    start = 0
    for at in range(1, len(codes) + 1):
        if at == len(codes) or bool(codes[at]) != bool(codes[start]):
            run = codes[start:at]
            drawn = "".join(chr(_BRAILLE + code) for code in run) if run[0] else rule.mark * len(run)
            spans.append(Span(drawn, Tint.LINE if run[0] else Tint.DIM))
            start = at
    return tuple(spans)


def _time_axis(data: ChartData, width: int) -> Line:
    left, right = f"{data.span_s // 60} min ago", "now"
    room = width - LABEL_WIDTH - 2 - len(left) - len(right)
    if room < 1:
        return (Span(f"{right:>{width}}", Tint.DIM),)
    middle = data.caption if len(data.caption) + 2 <= room else ""
    return (Span(f"{' ' * (LABEL_WIDTH + 2)}{left}{middle:^{room}}{right}", Tint.DIM),)
