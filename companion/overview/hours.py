"""Hour by hour, as a clock on the wall showed it: seconds of each kind.

Pure. Knows: POSTURE rows, zones. Must never know: pages. An hour that comes twice, where clocks are put back, is two
hours, told apart by their offset; sums of all hours are the durations, exactly.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np

from companion.overview.traces import Array, kinds_of
from companion.overview.values import KINDS, Hour
from companion.posture.rows import ROW_NS, ROWS_PER_S
from companion.tables.calendar import day_of, local
from companion.tables.judged import Part

_MINUTE_NS = 60_000_000_000
_NS_PER_MS = 1_000_000

_Key = tuple[date, int, str]


def hours(parts: Sequence[Part]) -> tuple[Hour, ...]:
    """The hours in which there are rows, in their order; the same hour of two sessions is one.

    A row counts where its 0.2 s begin, as for days. Zones change their offset at whole minutes, so rows are counted by
    minutes and these by hours.
    """
    counts, begins = dict[_Key, Array](), dict[_Key, int]()
    for part in parts:
        for minute, found in _minutes(part):
            shown = local(minute * _MINUTE_NS, part.session.header.zone)
            if shown is None:  # beyond the years 1 to 9999
                continue
            key = (day_of(minute * _MINUTE_NS, part.session.header.zone), shown.hour, shown.isoformat()[19:])
            counts[key] = counts.get(key, 0) + found
            begins.setdefault(key, (minute - shown.minute) * _MINUTE_NS // _NS_PER_MS)
    return tuple(
        Hour(
            day=key[0],
            hour=key[1],
            utc_offset=key[2],
            begin_utc_ms=begins[key],
            seconds=dict(zip(KINDS, (counts[key] / ROWS_PER_S).tolist(), strict=True)),
        )
        for key in sorted(begins, key=begins.__getitem__)
    )


def _minutes(part: Part) -> Iterator[tuple[int, Array]]:
    """Minutes of UTC since 1970 with rows in them, each with (10,) how many are of each kind."""
    kinds = kinds_of(part.posture)
    if len(kinds) == 0:
        return
    first, rest_ns = divmod(part.begin_utc_ns, _MINUTE_NS)
    minutes = (rest_ns + np.arange(len(kinds)) * ROW_NS) // _MINUTE_NS
    width = len(KINDS)
    table = np.bincount(minutes * width + kinds)
    table = np.pad(table, (0, -len(table) % width)).reshape(-1, width)
    for place in np.flatnonzero(table.any(axis=1)).tolist():
        yield first + place, table[place]
