"""Angles over time, in so few points that a page stays small, and what each moment was counted as, in bands.

Pure. Knows: POSTURE rows, events. Must never know: pages, plots. A point says the mean of what is known and its least
and most, so a short reach is seen however long the session is. Bands are only for drawing: where they are too many to
be seen, each stretch has the kind that most of it is of, and sums are never taken from them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.overview.values import KINDS, Band, Trace
from companion.posture.events import AlertRaised
from companion.posture.rows import ROW_NS, ROWS_PER_S, Context, State
from companion.tables.judged import Part
from companion.tables.rows import figures_of

Array = npt.NDArray[Any]

SESSION_POINTS = 6_000
"""A wide screen has fewer columns of pixels; zoomed in ten times a session of 8 h still has a point each 5 s."""

DAY_POINTS = 10_000
WEEK_POINTS = 14_000
MOST_BANDS = 3_000

FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999, which are all that a calendar has."""

_NS_PER_MS = 1_000_000
_FIRST_CONTEXT = int(State.UNJUDGED)  # KINDS has the states of still time first, then the other contexts in their order


def kinds_of(rows: Array) -> npt.NDArray[np.uint8]:
    """(N,) what each of POSTURE rows is counted as, as a place in KINDS."""
    still = rows["context"] == Context.STILL
    judged = np.minimum(rows["state"], State.UNJUDGED)
    return np.where(still, judged, rows["context"] + _FIRST_CONTEXT).astype(np.uint8)


def rows_a_point(parts: Sequence[Part], most_points: int) -> int:
    """So many rows make a point, the same for all traces of a report."""
    lengths = [len(part.posture) for part in parts]
    return max(-(-sum(lengths) // most_points), -(-max(lengths, default=0) // SESSION_POINTS), 1)


def trace_of(part: Part, rows_each: int, limit_deg: float | None, most_bands: int = MOST_BANDS) -> Trace:
    """The trace of a session or its part, a point for each `rows_each` rows, the last one of fewer."""
    header, rows = part.session.header, part.posture
    starts = np.arange(0, len(rows), rows_each)
    mean, least, most = _spread(rows["sagittal_deg"], starts)
    return Trace(
        session_id=header.session_id,
        zone=header.zone,
        point_s=rows_each / ROWS_PER_S,
        utc_ms=_at(part.begin_utc_ns, starts),
        mean_deg=mean,
        least_deg=least,
        most_deg=most,
        uncertainty_deg=_spread(rows["uncertainty_deg"], starts)[0],
        bands=tuple(bands(kinds_of(rows), part.begin_utc_ns, rows_each, most_bands)),
        limit_deg=limit_deg,
        alerts_utc_ms=tuple(
            instant_ms(header.utc_ns + event.t_session_ns) for event in part.events if isinstance(event, AlertRaised)
        ),
        part=part,
    )


def figures_within(traces: Sequence[Trace], from_ms: int = FIRST_MS, to_ms: int = LAST_MS + 1) -> Mapping[str, Any]:
    """The columns of `days` of the rows that begin from `from_ms` up to before `to_ms`, from the rows themselves.

    Beside them `sagittal_deg`: mean, least and most of the angles that are known; None where none is.
    """
    parts = [_cut(trace.part, from_ms, to_ms) for trace in traces]
    angles = np.concatenate([np.empty(0), *(part.posture["sagittal_deg"] for part in parts)])
    known = angles[np.isfinite(angles)]
    spread = (float(known.mean()), float(known.min()), float(known.max())) if len(known) else None
    return (figures_of(parts) if parts else {}) | {"sagittal_deg": spread}


def _cut(part: Part, from_ms: int, to_ms: int) -> Part:
    begin_ms, row_ms = instant_ms(part.begin_utc_ns), ROW_NS // _NS_PER_MS
    first, end = (
        min(max(part.first - (begin_ms - at_ms) // row_ms, part.first), part.end) for at_ms in (from_ms, to_ms)
    )
    return Part(part.session, part.day, first, end)


def bands(kinds: Array, begin_utc_ns: int, rows_each: int, most: int = MOST_BANDS) -> list[Band]:
    """Unbroken stretches of one kind, (N,) kinds being one a row; exact where they are at most `most`.

    Else the session is cut in pieces of `rows_each` rows, or twice, four times, ... as many, until few enough remain.
    """
    step, pieces = 1, kinds
    while len(edges := _edges(pieces)) - 1 > most:
        step = rows_each if step < rows_each else 2 * step
        pieces = commonest(kinds, step)
    at_ms = _at(begin_utc_ns, np.minimum(edges * step, len(kinds))).tolist()
    return [
        Band(from_utc_ms=begin, to_utc_ms=end, kind=KINDS[kind])
        for begin, end, kind in zip(at_ms[:-1], at_ms[1:], pieces[edges[:-1]].tolist(), strict=True)
    ]


def commonest(kinds: Array, step: int) -> Array:
    """The kind that most rows of each piece of `step` rows are of; of equally many, the first of KINDS."""
    starts = np.arange(0, len(kinds), step)
    counts = [np.add.reduceat(kinds == kind, starts, dtype=np.int64) for kind in range(len(KINDS))]
    return np.asarray(np.argmax(counts, axis=0)).astype(np.uint8)


def instant_ms(utc_ns: int) -> int:
    """An instant in ms since 1970; the first or last of a calendar for one that it does not have."""
    return min(max(utc_ns // _NS_PER_MS, FIRST_MS), LAST_MS)


def _at(begin_utc_ns: int, rows: Array) -> Array:
    """When rows begin, in ms since 1970. A header may say any year, of which no array has the nanoseconds; beyond the
    years 1 to 9999 it is taken for the first or last there is.
    """
    return np.asarray(instant_ms(begin_utc_ns) + (begin_utc_ns % _NS_PER_MS + rows * ROW_NS) // _NS_PER_MS)


def _edges(pieces: Array) -> Array:
    """Where a stretch of one kind begins, and the end."""
    if len(pieces) == 0:
        return np.zeros(1, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(np.diff(pieces)) + 1, [len(pieces)]])


def _spread(values: Array, starts: Array) -> tuple[Array, Array, Array]:
    """Mean, least and most of what is known from each start to the next; NaN where nothing is."""
    if len(starts) == 0:
        return tuple(np.empty(0) for _ in range(3))  # type: ignore[return-value]
    known = np.isfinite(values)
    count = np.add.reduceat(known, starts, dtype=np.int64)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean, np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
