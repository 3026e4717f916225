"""Breaks that the body showed, time away, and the longest time without either.

Pure. Knows: POSTURE rows. Must never know: settings, reminders. Walking for 60 s or more is a break; pauses of under
5 s (a door, a greeting) belong to it. Where there are no data, or the sensor is not worn, for 5 min or more, the wearer
is away: that is no break, since nobody knows what the body did, but what came before it does not run on behind it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from companion.overview.traces import Array, instant_ms
from companion.overview.values import Away, Break
from companion.posture.rows import ROW_NS, ROWS_PER_S, Context
from companion.tables.instants import local_text
from companion.tables.judged import Judged, Part

BREAK_S = 60
PAUSE_S = 5
AWAY_S = 300

Span = tuple[int, int]
"""Rows from the first up to before the second."""


def breaks(parts: Sequence[Part]) -> tuple[Break, ...]:
    """The breaks that began in these parts, in their order."""
    return tuple(
        Break(started_local=local, begin_utc_ms=begin, duration_s=length)
        for local, begin, length in _told(parts, break_spans)
    )


def away(parts: Sequence[Part]) -> tuple[Away, ...]:
    """Time away that began in these parts, in its order."""
    return tuple(
        Away(started_local=local, begin_utc_ms=begin, duration_s=length)
        for local, begin, length in _told(parts, away_spans)
    )


def break_spans(session: Judged) -> list[Span]:
    """Rows of a session that are breaks."""
    walking = session.posture["context"] == Context.WALKING
    joined = list[Span]()
    for first, end in _runs(walking):
        if joined and first - joined[-1][1] < PAUSE_S * ROWS_PER_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return [(first, end) for first, end in joined if end - first >= BREAK_S * ROWS_PER_S]


def away_spans(session: Judged) -> list[Span]:
    """Rows of a session in which the wearer is away."""
    return [(first, end) for first, end in _runs(~_worn(session.posture)) if end - first >= AWAY_S * ROWS_PER_S]


def longest_without_break_s(parts: Sequence[Part]) -> float | None:
    """The longest worn time between two breaks, or a break and time away, or the begin or end; None: nothing worn.

    Less than 5 min between two sessions is no end; more is, as nobody knows what the body did.
    """
    longest, under_way, ended_ns = 0, 0, None
    for part in sorted(parts, key=lambda part: part.begin_utc_ns):
        if ended_ns is None or not 0 <= part.begin_utc_ns - ended_ns < AWAY_S * ROWS_PER_S * ROW_NS:
            under_way = 0
        ended_ns = part.begin_utc_ns + len(part.posture) * ROW_NS
        first, *others = _stretches(part)
        longest = max(longest, under_way + first, *others)
        under_way = others[-1] if others else under_way + first
    return longest / ROWS_PER_S if longest else None


def _stretches(part: Part) -> list[int]:
    """Worn rows before, between and after the breaks and the time away in a part."""
    worn = np.concatenate([[0], np.cumsum(_worn(part.posture))])
    clipped = [
        (max(first, part.first) - part.first, min(end, part.end) - part.first)
        for first, end in sorted(break_spans(part.session) + away_spans(part.session))
        if first < part.end and end > part.first
    ]
    return [int(worn[begin] - worn[end]) for (_, end), (begin, _) in pairwise([(0, 0), *clipped, (len(worn) - 1,) * 2])]


def _told(parts: Sequence[Part], spans_of: Callable[[Judged], list[Span]]) -> Iterator[tuple[str, int, float]]:
    """Local time and instant of each begin, and the length, in the order of the parts."""
    for part in parts:
        header = part.session.header
        for first, end in spans_of(part.session):
            if part.first <= first < part.end:
                begin_ns = header.utc_ns + first * ROW_NS
                yield local_text(begin_ns, header.zone), instant_ms(begin_ns), (end - first) / ROWS_PER_S


def _worn(rows: Array) -> Array:
    return np.asarray((rows["context"] != Context.NO_DATA) & (rows["context"] != Context.NOT_WORN))


def _runs(true: Array) -> list[Span]:
    """Where a condition holds without interruption."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
