"""A report out of judged sessions: which part of each is in it, and everything that is said of them together.

Pure. Knows: judged sessions, the tables' values, the calendar. Must never know: pages, plots, files. Figures come from
the same functions as the exported tables.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np

from companion.overview import breaks, hours, quality, traces
from companion.overview.notes import notes
from companion.overview.recorded import NothingRecorded, Piece, Recorded, piece_of
from companion.overview.values import KINDS, DayFigures, Overview, Trace
from companion.posture import exposure
from companion.posture.events import SlouchStarted
from companion.posture.rows import ROW_NS, ROWS_PER_S
from companion.tables.calendar import day_of, length_h, week_text
from companion.tables.instants import clock_text
from companion.tables.judged import Part
from companion.tables.rows import episode_rows, figures_of
from companion.tables.wear import SHORT_WEAR_S
from companion.text import printable

Kind = Literal["session", "day", "week"]

_POINTS = {"session": traces.WEEK_POINTS, "day": traces.DAY_POINTS, "week": traces.WEEK_POINTS}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def build(kind: Kind, sessions: Sequence[Recorded], version: str, first_day: date | None = None) -> Overview:
    """A report of whole sessions ("session"), of one local day, or of the seven from a Monday on.

    `first_day` is needed for a day and a week; of each session only what lies on these days counts, in its own zone.
    `version` is that of the program that makes the report. Raises NothingRecorded where nothing is left.
    """
    first, last = _days(kind, first_day)
    found = [piece_of(recorded, first, last) for recorded in sessions]
    pieces = sorted((piece for piece in found if piece is not None), key=lambda piece: piece.span.begin_utc_ns)
    if not pieces:
        raise NothingRecorded("none of these sessions lies on these days")
    spans = [piece.span for piece in pieces]
    figures = figures_of(spans)
    days = tuple(
        _day_figures(pieces, [first + timedelta(days=number) for number in range(7)] if kind == "week" else None)
    )
    return Overview(
        kind=kind,
        title=_title(kind, pieces, days),
        first_day=days[0].day,
        last_day=days[-1].day,
        zones=tuple(dict.fromkeys(span.session.header.zone for span in spans)),
        software_version=version,
        sessions=tuple(dict(span.session.summary) for span in spans),
        figures=figures,
        shares={name: figures[f"{name}_s"] for name in KINDS},
        traces=tuple(_traces(pieces, _POINTS[kind])),
        episodes=tuple(row for span in spans for row in episodes_of(span)),
        hours=hours.hours(spans),
        days=days,
        breaks=breaks.breaks(spans),
        longest_without_break_s=breaks.longest_without_break_s(spans),
        exposure=tuple(exposure.lines(joined_exposed(spans))),
        quality=tuple(quality.quality_of(piece.recorded) for piece in pieces),
        baselines=tuple(quality.baseline_of(piece.recorded) for piece in pieces),
        notes=notes(
            pieces, () if kind == "session" else days, of_week=kind == "week"
        ),  # a session is compared with no day
        away=breaks.away(spans),
        is_simulated=any(span.session.header.origin == "simulated" for span in spans),
    )


def episodes_of(span: Part) -> Iterator[dict[str, Any]]:
    """The rows of `episodes` that started in a part of a session."""
    begun = {event.episode for event in span.events if isinstance(event, SlouchStarted)}
    return (row for row in episode_rows(span.session) if row["episode"] in begun)


def joined_exposed(spans: Sequence[Part]) -> traces.Array:
    """EXPOSED of all parts, with a second that nobody wore the sensor between two: no stay goes on over that."""
    apart = np.zeros(ROWS_PER_S, dtype=exposure.EXPOSED)
    pieces = [piece for span in spans for piece in (apart, span.exposed)]
    return np.concatenate(pieces[1:])


def _days(kind: Kind, first_day: date | None) -> tuple[date, date]:
    if kind == "session":
        return date.min, date.max
    if first_day is None:
        raise ValueError("a day or a week needs its first day")
    return first_day, first_day + timedelta(days=6 if kind == "week" else 0)


def _traces(pieces: Sequence[Piece], most_points: int) -> Iterator[Trace]:
    spans = [piece.span for piece in pieces]
    rows_each = traces.rows_a_point(spans, most_points)
    whole = max(sum(len(span.posture) for span in spans), 1)
    for piece, span in zip(pieces, spans, strict=True):
        most_bands = max(traces.MOST_BANDS * len(span.posture) // whole, 1)
        yield traces.trace_of(span, rows_each, piece.recorded.limit_sagittal_deg, most_bands)


def _day_figures(pieces: Sequence[Piece], days: Sequence[date] | None) -> Iterator[DayFigures]:
    """Of `days`; None: of those that there are."""
    by_day = dict[date, list[Part]]()
    for piece in pieces:
        for part in piece.parts:
            by_day.setdefault(part.day, []).append(part)
    usual_zone = pieces[0].recorded.judged.header.zone
    for day in days or sorted(by_day):
        parts = by_day.get(day, [])
        figures = figures_of(parts) if parts else None
        yield DayFigures(
            day=day,
            day_h=length_h(day, parts[0].session.header.zone if parts else usual_zone),
            sessions=len(parts),
            figures=figures,
            is_short=figures is None or figures["worn_s"] < SHORT_WEAR_S,
        )


def _title(kind: Kind, pieces: Sequence[Piece], days: Sequence[DayFigures]) -> str:
    first, last = days[0].day, days[-1].day
    if kind == "week":
        return f"Week {week_text(first)}, {_from_to(first, last)}"
    if kind == "day":
        return _day_text(first)
    if len(pieces) > 1:
        return f"{len(pieces)} sessions, {_day_text(first) if first == last else f'{first} to {last}'}"
    span, header = pieces[0].span, pieces[0].recorded.judged.header
    end_ns = span.begin_utc_ns + len(span.posture) * ROW_NS
    ends_later = day_of(end_ns, header.zone) != first
    until = f"{day_of(end_ns, header.zone)}, " * ends_later + clock_text(end_ns, header.zone)
    return f"{_day_text(first)}, {clock_text(header.utc_ns, header.zone)} to {until} ({printable(header.zone)})"


def _day_text(day: date) -> str:
    return f"{_DAYS[day.weekday()]}, {day.isoformat()}"


def _from_to(first: date, last: date) -> str:
    """Such as 19 to 25 October 2026, 28 September to 4 October 2026."""
    begin = f"{first.day}"
    if (first.year, first.month) != (last.year, last.month):
        begin += f" {_MONTHS[first.month - 1]}"
    if first.year != last.year:
        begin += f" {first.year}"
    return f"{begin} to {last.day} {_MONTHS[last.month - 1]} {last.year}"
