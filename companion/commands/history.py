"""`posture history`: how days compare.

Knows: the history, the present date. Must never know: how a figure is computed or a table is drawn.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from companion import host
from companion.commands.kept import from_history, rebuilt
from companion.commands.options import HistoryOptions
from companion.commands.places import places
from companion.history import Day, History, days_of, figures_together
from companion.output.history_table import Overview, Row, day_line, lines, show, width_here
from companion.tables.calendar import day_of
from companion.tables.wear import SHORT_WEAR_S

_SPANS: Final = {"week": 7, "month": 31}
"""How many local days, today's included: a month is as long as the longest, so that each has the last one in it."""

_LATEST: Final = 31
"""Days with a session that are shown where no span is asked for."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the history says: the days, and what there is to tell of the recordings."""

    days: list[Day]
    unreadable: int
    damaged: int
    recorded_now: int
    latest: date | None  # the last local day with a session, in the span or not


def run(options: HistoryOptions) -> None:
    """Print a table and a chart, or one JSON object a line: a day each, then what they come to."""
    where = places(options.shared.data_dir)
    today = day_of(host.utc_ns(), host.zone_name())
    span = _Span.of(options.span, today)

    def wanted(history: History) -> _Found:
        return _read(history, span)

    found = rebuilt(where, wanted) if options.rebuild else from_history(where, wanted)
    for note in _notes(found):
        print(note, file=sys.stderr)
    if options.as_json:
        _print_json(found, span)
    elif found.days:
        _print_table(found.days, span)
    elif found.latest is None:
        print(f"There are no recordings in {where.sessions} yet.", file=sys.stderr)
    else:
        print(_nothing_lately(span, found.latest, today), file=sys.stderr)


@dataclass(frozen=True, slots=True)
class _Span:
    """The local days that are asked for; without a first one all that there are."""

    name: str  # week, month or all
    first: date | None
    last: date

    @classmethod
    def of(cls, name: str, today: date) -> "_Span":
        """The last 7 or 31 days with today, or all."""
        return cls(name, today - timedelta(days=_SPANS[name] - 1) if name in _SPANS else None, today)


def _read(history: History, span: _Span) -> _Found:
    if span.first is None:
        days = days_of(history.parts(), history.recoveries())
    else:
        dates = span.first.isoformat(), span.last.isoformat()
        touched = days_of(history.parts(*dates), history.recoveries(*dates))
        days = [day for day in touched if span.first <= day.date <= span.last]
    states = history.states()
    latest = history.last_date()
    return _Found(
        days=days,
        unreadable=sum(state["error"] is not None for state in states),
        damaged=sum(state["damage_s"] is not None for state in states),
        recorded_now=sum(
            not state["closed"] and state["error"] is None and state["damage_s"] is None for state in states
        ),
        latest=None if latest is None else date.fromisoformat(latest),
    )


def _notes(found: _Found) -> Iterator[str]:
    """One line each for what the figures lack or may lack."""
    if found.unreadable:
        yield f"{_recordings(found.unreadable)} cannot be read; `posture sessions` names what cannot."
    if found.damaged:
        yield f"{_recordings(found.damaged)} with damage: what could not be read is missing from the figures."
    if found.recorded_now:
        yield f"{_recordings(found.recorded_now)} without an end, such as one being made now: counted so far."


def _recordings(number: int) -> str:
    return f"{number} recording" if number == 1 else f"{number} recordings"


def _nothing_lately(span: _Span, latest: date, today: date) -> str:
    ago = (today - latest).days
    when = f"{ago} {'day' if ago == 1 else 'days'} ago" if ago > 0 else "after today"
    return (
        f"There is no session in the last {_SPANS[span.name]} days; the latest is of {latest.isoformat()}, {when}. "
        "`posture history` shows the latest days there are."
    )


# ---- for people


def _print_table(days: Sequence[Day], span: _Span) -> None:
    shown = days if span.first is not None else days[-_LATEST:]
    counting = [day for day in shown if not day.short]
    first, last = (shown[0].date, shown[-1].date) if span.first is None else (span.first, span.last)
    more = len(days) - len(shown)
    title = f"Local days {first.isoformat()} to {last.isoformat()}"
    title += f"; {more} earlier with a session are not shown" if more else ""
    overview = Overview(
        title=title,
        rows=tuple(_rows(shown, first, last, merge=span.name != "week")),
        together=_together(counting),
        days=len(counting),
    )
    show(lines(overview, width_here()))


def _rows(days: Sequence[Day], first: date, last: date, *, merge: bool) -> Iterator[Row]:
    """Every date from the first to the last; with `merge` those without a session in one row for each run."""
    one = timedelta(days=1)
    ahead = first
    for day in days:
        yield from _gap(ahead, day.date - one, merge=merge)
        yield Row(day.date, day.date, {**day.figures}, day.short)
        ahead = day.date + one if day.date < date.max else day.date
    yield from _gap(ahead, last, merge=merge) if days and days[-1].date < last else ()


def _gap(first: date, last: date, *, merge: bool) -> Iterator[Row]:
    if merge and first <= last:
        yield Row(first, last)
        return
    for number in range((last - first).days + 1):
        yield Row(first + timedelta(days=number), first + timedelta(days=number))


def _together(days: Sequence[Day]) -> dict[str, Any]:
    recoveries_s = [recovery_s for day in days for recovery_s in day.recoveries_s]
    return figures_together([day.figures for day in days], recoveries_s)


# ---- for programs


def _print_json(found: _Found, span: _Span) -> None:
    for day in found.days:
        known = {"date": day.date.isoformat(), "day_h": day.day_h, "zones": day.zones, "sessions": day.sessions}
        print(day_line({"type": "day", **known, **day.figures, "short": day.short}))
    counting = [day for day in found.days if not day.short]
    first = span.first if span.first is not None else found.days[0].date if found.days else None
    last = span.last if span.first is not None else found.latest
    known = {
        "span": span.name,
        "from": None if first is None else first.isoformat(),
        "to": None if last is None else last.isoformat(),
        "days": len(found.days),
        "short_days": len(found.days) - len(counting),
        "short_below_s": SHORT_WEAR_S,
        "sessions": sum(day.sessions for day in counting),
    }
    state = {"unreadable": found.unreadable, "damaged": found.damaged, "without_end": found.recorded_now}
    print(day_line({"type": "summary", **known, **_together(counting), **state}))
