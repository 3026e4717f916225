"""Days as bars: the share of the judged still time that was forward, a column a day, in eighths of a character.

Pure: numbers in, lines of text out. Must never know: widgets, where the numbers come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from companion.output.canvas import Line, Span, Tint

ROWS = 4
LABEL_WIDTH = 6
"""Columns left of the bars, for the per cent."""

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_SCALES_PCT = (10, 20, 40, 60, 80, 100)
_MOST_COLUMNS_A_BAR = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: its share in per cent (None: nothing was judged), and what else there is to say of it."""

    share_pct: float | None
    label: str  # under the bar, where there is room
    short: bool = False  # under 2 h of wear
    is_gap: bool = False  # there was no session


def bars(days: Sequence[Bar], width: int) -> list[Line]:
    """The chart, `ROWS` lines and the axis, at most `width` columns; nothing where it does not fit."""
    room = width - LABEL_WIDTH - 1
    step = min(room // max(len(days), 1), _MOST_COLUMNS_A_BAR + 1)
    if not days or step < 1 or all(day.share_pct is None for day in days):
        return []
    top_pct = _top([day.share_pct for day in days if day.share_pct is not None])
    lines = [_row(days, step, row, top_pct) for row in range(ROWS)]
    return [*lines, _marks(days, step), _labels(days, step)]


def _top(shares_pct: Sequence[float]) -> int:
    return next(scale for scale in _SCALES_PCT if scale >= min(max(shares_pct), 100))


def _row(days: Sequence[Bar], step: int, row: int, top_pct: int) -> Line:
    label = f"{top_pct} %" if row == 0 else f"{top_pct // 2} %" if row == ROWS // 2 else ""
    spans = [Span(f"{label:>{LABEL_WIDTH}}┤" if label else f"{'│':>{LABEL_WIDTH + 1}}", Tint.DIM)]
    for day in days:
        full = (day.share_pct or 0.0) / top_pct * ROWS - (ROWS - 1 - row)
        least = 1 if row == ROWS - 1 and day.share_pct is not None else 0  # a share of nothing is seen too
        letter = _EIGHTHS[max(min(ceil(full * 8 - 1e-9), 8), least)]
        spans.append(Span(_column(letter, step), Tint.DIM if day.short else Tint.LINE))
    return tuple(spans)


def _column(letter: str, step: int) -> str:
    return letter * max(step - 1, 1) + " " * (step > 1)


def _marks(days: Sequence[Bar], step: int) -> Line:
    """Below the bars: where there was no session, where nothing was judged, which days are short."""
    letters = ("·" if day.is_gap else "?" if day.share_pct is None else "*" if day.short else "─" for day in days)
    return (Span(f"{'0 %':>{LABEL_WIDTH}}┴" + "".join(f"{letter:<{step}}" for letter in letters), Tint.DIM),)


def _labels(days: Sequence[Bar], step: int) -> Line:
    """The labels that fit, each from its own bar on."""
    text = ""
    for number, day in enumerate(days):
        begin = number * step
        if day.label and (not text or len(text) + 1 <= begin):
            text = f"{text:<{begin}}{day.label}"
    return (Span(" " * (LABEL_WIDTH + 1) + text, Tint.DIM),)
