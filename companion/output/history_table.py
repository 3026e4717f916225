"""Days beside one another, as lines of at most 80 columns: a table, what it comes to, a chart, and what the marks mean.

Knows: figures of days as values, terminals. Must never know: how a figure is computed, where it is kept. No meaning
rests on a colour: a short day has its mark, a day without a session says so.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from companion.output.canvas import Line, Span, Tint
from companion.output.history_chart import Bar, bars
from companion.text import json_text

if TYPE_CHECKING:
    from rich.text import Text

PLAIN_WIDTH = 80
_DAY_WIDTH = 14
_HEADS = (
    ("WORN", "h:min", 7),
    ("FORWARD", "min", 9),
    ("SHARE", "%", 7),
    ("EPISODES", "per h", 9),
    ("RECOVERY", "s", 9),
    ("LONGEST", "min", 9),
    ("COVERAGE", "%", 9),
    ("ALERTS", "", 7),
)
"""What stands above each column, its unit, and how wide it is."""

_WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_MOST_DATES = 62
"""So many columns fit on 80."""

_NO_SESSION = "no session"
_UNKNOWN = "–"
_SUSPECT_SHARE = 0.1
"""A day is marked where the sensor may have slipped in more of its worn time than this."""

_NOTES = {
    "*": "* under 2 h worn: not in the sums and the average",
    "?": "? nothing was judged",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One day, or a run of days without a session."""

    first: date
    last: date
    figures: Mapping[str, Any] | None = None  # None: there was no session
    short: bool = False

    @property
    def days(self) -> int:
        """How many dates it stands for."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is shown: the rows, and the figures of the days that count, together."""

    title: str
    rows: Sequence[Row]
    together: Mapping[str, Any]
    days: int  # that count: those with 2 h of wear or more


def lines(overview: Overview, width: int = PLAIN_WIDTH) -> list[Line]:
    """Title, table, sums, chart, notes."""
    return [
        (Span(overview.title, Tint.STRONG),),
        *_head(),
        *map(_row, overview.rows),
        *_sums(overview),
        *_chart(overview, min(width, 2 * PLAIN_WIDTH)),
        *_notes(overview),
    ]


def day_line(values: Mapping[str, Any]) -> str:
    """One JSON object; numbers with one decimal, whole numbers as they are, what is unknown null."""
    return json_text({name: round(value, 1) if isinstance(value, float) else value for name, value in values.items()})


def show(shown: Iterable[Line]) -> None:
    """Print the lines, in colour only where they are read on a terminal."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        for line in shown:
            print("".join(span.text for span in line).rstrip())
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for line in shown:
        console.print(_styled(line), no_wrap=True, overflow="ignore", crop=False)


def width_here() -> int:
    """How many columns there are on the terminal; 80 where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return PLAIN_WIDTH


def _styled(line: Line) -> "Text":
    from rich.text import Text

    styles = {Tint.STRONG: "bold", Tint.DIM: "dim", Tint.LINE: "yellow"}
    return Text.assemble(*((span.text, styles.get(span.tint, "")) for span in line))


def _head() -> Iterator[Line]:
    for place, name in enumerate(("DAY", "")):
        cells = "".join(f"{head[place]:>{head[2]}}" for head in _HEADS)
        yield (Span(f"{name:<{_DAY_WIDTH}}{cells}", Tint.DIM),)


def _row(row: Row) -> Line:
    if row.figures is None:
        more = f" ({row.days} days, to {_day(row.last)})" if row.days > 1 else ""
        return (Span(f"{_day(row.first)}  · {_NO_SESSION}{more}", Tint.DIM),)
    text = _labelled(_day(row.first) + "*" * row.short + "~" * _is_suspect(row.figures), _cells(row.figures))
    return (Span(text, Tint.DIM if row.short else Tint.PLAIN),)


def _labelled(label: str, cells: str) -> str:
    """A label of one mark more than there is room for takes the blank before the first column."""
    return f"{label:<{_DAY_WIDTH}}{cells[max(len(label) - _DAY_WIDTH, 0) :]}"


def _is_suspect(figures: Mapping[str, Any]) -> bool:
    return bool(figures["suspect_s"] > _SUSPECT_SHARE * figures["worn_s"])


def _day(day: date) -> str:
    return f"{_WEEKDAYS[day.weekday()]} {day.isoformat()}"


def _cells(figures: Mapping[str, Any]) -> str:
    texts = (
        _hours(figures["worn_s"]),
        _minutes(figures["forward_s"]),
        _number(figures["forward_pct"]),
        _number(figures["episodes_per_h"]),
        _number(figures["median_recovery_s"]),
        _minutes(figures["longest_forward_s"]),
        _number(figures["coverage_pct"], 0),
        str(figures["alerts"]),
    )
    return "".join(f"{text:>{head[2]}}" for text, head in zip(texts, _HEADS, strict=True))


def _sums(overview: Overview) -> Iterator[Line]:
    """What all counted days come to, and an average one; nothing where none counts."""
    if not overview.days:
        return
    noun = "day" if overview.days == 1 else "days"
    label = f"{overview.days} {noun}" + "~" * _is_suspect(overview.together)
    yield (Span(_labelled(label, _cells(overview.together)), Tint.STRONG),)
    a_day = {name: overview.together[name] / overview.days for name in ("worn_s", "forward_s", "alerts")}
    texts = (_hours(a_day["worn_s"]), _minutes(a_day["forward_s"]), *[""] * 5, f"{a_day['alerts']:.1f}")
    cells = "".join(f"{text:>{head[2]}}" for text, head in zip(texts, _HEADS, strict=True))
    yield (Span(f"{'average day':<{_DAY_WIDTH}}{cells}", Tint.STRONG),)


def _chart(overview: Overview, width: int) -> list[Line]:
    """A column for each date; where there would be too many of them, a run of days without a session is one."""
    all_dates = sum(row.days for row in overview.rows) <= _MOST_DATES
    drawn = bars([bar for row in overview.rows for bar in _bars_of(row, row.days if all_dates else 1)], width)
    return [(), (Span("forward, share of the still time that was judged", Tint.DIM),), *drawn] if drawn else []


def _bars_of(row: Row, count: int) -> Iterator[Bar]:
    share = None if row.figures is None else row.figures["forward_pct"]
    for number in range(count):
        label = (row.first + timedelta(days=number)).isoformat()[5:]
        yield Bar(share, label, short=row.short, is_gap=row.figures is None)


def _notes(overview: Overview) -> Iterator[Line]:
    needed = {
        "*": any(row.short for row in overview.rows),
        "?": any(row.figures is not None and row.figures["forward_pct"] is None for row in overview.rows),
    }
    text = " · ".join(note for mark, note in _NOTES.items() if needed[mark])
    if text:
        yield (Span(text, Tint.DIM),)
    suspect = [row.figures for row in overview.rows if row.figures is not None and _is_suspect(row.figures)]
    if suspect:
        lasted = _hours(sum(figures["suspect_s"] for figures in suspect))
        days = "" if len(suspect) == 1 else f" on {len(suspect)} days, over a tenth of what was worn on each"
        yield (Span(f"~ sensor may have slipped for {lasted}{days}", Tint.DIM),)


def _hours(seconds: float) -> str:
    minutes = int(seconds / 60 + 0.5)
    return f"{minutes // 60}:{minutes % 60:02d}"


def _minutes(seconds: float | None) -> str:
    return _UNKNOWN if seconds is None else f"{seconds / 60:.1f}"


def _number(value: float | None, places: int = 1) -> str:
    return _UNKNOWN if value is None else f"{value:.{places}f}"
