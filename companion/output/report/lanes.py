"""What one plot of angles shows: traces side by side on one axis of time, as columns to be drawn.

Pure. Knows: traces of an overview, the calendar. Must never know: the library that draws, colours, the page.
Instants are milliseconds of UTC; the clock on the wall is those plus an offset that changes with the seasons, so an
axis of a plot goes on evenly while its labels follow the clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.output.report.names import kind_words
from companion.overview import KINDS, Band, Trace
from companion.tables.calendar import begin_ns, day_of, local

_NS_PER_MS = 1_000_000
_QUARTER_MS = 900_000  # every zone changes its offset at a quarter of an hour of UTC
_LEAST_RANGE_DEG = (-10.0, 30.0)
_MARGIN_MS = 500
_FOLD = 4
_FEW_POINTS = 500
Column = npt.NDArray[Any]
_NOTHING: Column = np.empty(0)


@dataclass(frozen=True, slots=True)
class Offset:
    """From an instant on, how far the clock on the wall is ahead of UTC; `text` is such as +02:00."""

    from_ms: int
    ahead_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Stretches:
    """All stretches of one kind, (N,) each: from_ms and to_ms, and what the clock on the wall showed then."""

    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class Level:
    """A lane at one fineness: `points` to hover, `envelope` from the least to the most, and the kinds of time."""

    points: dict[str, Any]
    envelope: dict[str, Column]
    stretches: dict[str, Stretches]


@dataclass(frozen=True, slots=True)
class Lane:
    """One plot."""

    day: date
    zone: str
    traces: tuple[Trace, ...]
    from_ms: int
    to_ms: int
    y_range_deg: tuple[float, float]
    offsets: tuple[Offset, ...]

    @property
    def levels(self) -> tuple[Level, ...]:
        """The angles and kinds as they are, and as they are seen from farther away; finest first."""
        return tuple(
            Level(_points(traces, self.offsets), _envelope(traces), _stretches(traces, self.offsets))
            for traces in _coarser(self.traces)
        )

    @property
    def limits(self) -> dict[str, Column]:
        """Where a slouch starts, from the begin to the end of each trace that has such an angle."""
        found = [(_begin_ms(t), end_ms(t), t.limit_deg) for t in self.traces if t.limit_deg is not None]
        table = np.array(found, dtype=np.float64).reshape(-1, 3)
        return {"from_ms": table[:, 0].copy(), "to_ms": table[:, 1].copy(), "limit_deg": table[:, 2].copy()}

    @property
    def stretches(self) -> dict[str, Stretches]:
        """By kind, those that occur."""
        return _stretches(self.traces, self.offsets)

    @property
    def alerts(self) -> dict[str, Column]:
        """When there were alerts, and what the clock on the wall showed."""
        at = np.array([at_ms for trace in self.traces for at_ms in trace.alerts_utc_ms], dtype=np.float64)
        return {"x": at, "wall": at + ahead_ms(at, self.offsets)}


def lanes_of(traces: Sequence[Trace], *, same_hours: bool) -> tuple[Lane, ...]:
    """One lane for each local day; more where sessions of a day overlap or lie in several zones.

    `same_hours`: every lane shows the same hours of its day, so that days can be compared.
    """
    rows = list[list[Trace]]()
    for trace in sorted(traces, key=_begin_ms):
        place = next((row for row in reversed(rows) if _fits(row, trace)), None)
        if place is None:
            rows.append([trace])
        else:
            place.append(trace)
    limits = y_range(traces)
    hours = _common_hours(rows) if same_hours else None
    return tuple(_lane(row, limits, hours) for row in rows)


def y_range(traces: Sequence[Trace]) -> tuple[float, float]:
    """From the least to the most that occurs, rounded outward to 10 degrees, and the limits; never narrower than usual.

    Half a per mille at either end is left out, so that one swing while walking does not flatten all else.
    """
    low, high = _LEAST_RANGE_DEG
    for trace in traces:
        least, most = trace.least_deg[np.isfinite(trace.least_deg)], trace.most_deg[np.isfinite(trace.most_deg)]
        if len(least):
            low, high = min(low, float(np.quantile(least, 5e-4))), max(high, float(np.quantile(most, 1 - 5e-4)))
    return float(np.floor(low / 10) * 10), float(np.ceil(high / 10) * 10)


def offsets_between(from_ms: int, to_ms: int, zone: str) -> tuple[Offset, ...]:
    """The offset at the begin, and each that follows; UTC's own for an instant that no calendar has."""
    found = list[Offset]()
    first = from_ms // _QUARTER_MS * _QUARTER_MS
    for at_ms in range(first, max(to_ms, first + 1), _QUARTER_MS):
        shown = local(at_ms * _NS_PER_MS, zone)
        offset = None if shown is None else shown.utcoffset()
        ahead = 0 if offset is None else round(offset.total_seconds() * 1000)
        if not found or found[-1].ahead_ms != ahead:
            text = "+00:00" if shown is None else shown.isoformat()[-6:]
            found.append(Offset(at_ms, ahead, text))
    return tuple(found)


def ahead_ms(at_ms: Column, offsets: Sequence[Offset]) -> Column:
    """(N,) how far the clock on the wall is ahead of UTC at each instant."""
    starts = np.array([offset.from_ms for offset in offsets])
    places = np.maximum(np.searchsorted(starts, at_ms, side="right") - 1, 0)
    return np.array([offset.ahead_ms for offset in offsets], dtype=np.float64)[places]


def end_ms(trace: Trace) -> int:
    """The instant at which a trace ends."""
    if trace.bands:
        return trace.bands[-1].to_utc_ms
    return round(float(trace.utc_ms[-1]) + 1000 * trace.point_s) if len(trace.utc_ms) else 0


def _begin_ms(trace: Trace) -> int:
    return int(trace.utc_ms[0]) if len(trace.utc_ms) else 0


def _day(trace: Trace) -> date:
    return day_of(_begin_ms(trace) * _NS_PER_MS, trace.zone)


def _fits(row: Sequence[Trace], trace: Trace) -> bool:
    last = row[-1]
    return last.zone == trace.zone and _day(last) == _day(trace) and end_ms(last) <= _begin_ms(trace)


def _lane(row: list[Trace], limits: tuple[float, float], hours: tuple[int, int] | None) -> Lane:
    first, last = _begin_ms(row[0]), end_ms(row[-1])
    day, zone = _day(row[0]), row[0].zone
    if hours is not None:
        midnight = begin_ns(day, zone) // _NS_PER_MS
        first, last = midnight + hours[0], midnight + hours[1]
    last = max(last, first + 2 * _MARGIN_MS)
    margin = max(_MARGIN_MS, (last - first) // 200)
    return Lane(
        day, zone, tuple(row), first - margin, last + margin, limits, offsets_between(first - margin, last, zone)
    )


def _common_hours(rows: Sequence[Sequence[Trace]]) -> tuple[int, int] | None:
    """From the earliest begin to the latest end, in milliseconds since each day's midnight."""
    spans = [
        (_begin_ms(row[0]) - midnight, end_ms(row[-1]) - midnight)
        for row in rows
        if (midnight := begin_ns(_day(row[0]), row[0].zone) // _NS_PER_MS) or True
    ]
    return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def _coarser(traces: Sequence[Trace]) -> Iterator[Sequence[Trace]]:
    """The traces, and again with fewer points until a narrow screen has a column of pixels for each."""
    yield traces
    while sum(len(trace.utc_ms) for trace in traces) > _FEW_POINTS:
        traces = [_joined(trace) for trace in traces]
        yield [replace(trace, bands=_broad(trace)) for trace in traces]


def _broad(trace: Trace) -> tuple[Band, ...]:
    """Bands that are broad enough to be seen: each point has the kind that most of its time was of."""
    piece_ms = 1000 * trace.point_s
    edges = np.append(np.arange(_begin_ms(trace), end_ms(trace), piece_ms), end_ms(trace))
    if len(trace.bands) <= len(edges):
        return trace.bands
    spent = [np.diff(_time_before(edges, [band for band in trace.bands if band.kind == kind])) for kind in KINDS]
    most = np.argmax(spent, axis=0)
    starts = np.append(np.flatnonzero(np.diff(most, prepend=-1)), len(most))
    return tuple(
        Band(from_utc_ms=round(edges[first]), to_utc_ms=round(edges[end]), kind=KINDS[most[first]])
        for first, end in pairwise(starts.tolist())
    )


def _time_before(at_ms: Column, bands: Sequence[Band]) -> Column:
    """(N,) how much of the bands, which follow each other, lies before each instant."""
    if not bands:
        return np.zeros(len(at_ms))
    edges = np.array([(band.from_utc_ms, band.to_utc_ms) for band in bands], dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(edges[:, 1] - edges[:, 0])])
    before: Column = np.interp(at_ms, edges.ravel(), np.stack([sums[:-1], sums[1:]], axis=1).ravel())
    return before


def _joined(trace: Trace) -> Trace:
    """Each `_FOLD` points as one."""
    starts = np.arange(0, len(trace.utc_ms), _FOLD)
    if not len(starts):
        return trace
    return replace(
        trace,
        point_s=_FOLD * trace.point_s,
        utc_ms=trace.utc_ms[starts],
        mean_deg=_mean(trace.mean_deg, starts),
        least_deg=np.fmin.reduceat(trace.least_deg, starts),
        most_deg=np.fmax.reduceat(trace.most_deg, starts),
        uncertainty_deg=_mean(trace.uncertainty_deg, starts),
    )


def _mean(values: Column, starts: Column) -> Column:
    """Of what is known from each start to the next; NaN where nothing is."""
    known = np.isfinite(values)
    count = np.add.reduceat(known, starts, dtype=np.int64)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _stretches(traces: Sequence[Trace], offsets: Sequence[Offset]) -> dict[str, Stretches]:
    """By kind, those that occur."""
    found = dict[str, Stretches]()
    for kind in KINDS:
        bands = [band for trace in traces for band in trace.bands if band.kind == kind]
        if bands:
            begins, ends = np.array([(band.from_utc_ms, band.to_utc_ms) for band in bands], dtype=np.float64).T.copy()
            walls = {"wall_from": begins + ahead_ms(begins, offsets), "wall_to": ends + ahead_ms(ends, offsets)}
            found[kind] = Stretches({"from_ms": begins, "to_ms": ends, **walls})
    return found


def _points(traces: Sequence[Trace], offsets: Sequence[Offset]) -> dict[str, Any]:
    """The points of all traces; behind each trace one without an angle, so that no line leads to the next."""
    kept = [trace for trace in traces if len(trace.utc_ms)]
    middle = [trace.utc_ms + 500 * trace.point_s for trace in kept]
    x = np.concatenate([np.append(each, end_ms(trace)) for trace, each in zip(kept, middle, strict=True)] or [_NOTHING])
    angles = {
        name: np.concatenate([np.append(getattr(trace, name), np.nan) for trace in kept] or [_NOTHING]).astype(
            np.float32
        )
        for name in ("mean_deg", "least_deg", "most_deg", "uncertainty_deg")
    }
    kinds = [word for trace, each in zip(kept, middle, strict=True) for word in [*_kinds_at(trace, each), ""]]
    return {"x": x, "wall": x + ahead_ms(x, offsets), **angles, "kind": kinds}


def _kinds_at(trace: Trace, at_ms: Column) -> list[str]:
    """In words, what the middle of each point is counted as."""
    if not trace.bands:
        return [""] * len(at_ms)
    starts = np.array([band.from_utc_ms for band in trace.bands])
    places = np.clip(np.searchsorted(starts, at_ms, side="right") - 1, 0, len(trace.bands) - 1)
    words = [kind_words(band.kind) for band in trace.bands]
    return [words[place] for place in places.tolist()]


def _envelope(traces: Sequence[Trace]) -> dict[str, Column]:
    """Least and most as one outline, which shrinks to nothing where the angle is unknown."""
    pieces = [piece for trace in traces for piece in _outlines(trace)]
    columns = zip(*pieces, strict=True) if pieces else ([_NOTHING],) * 3
    x, least, most = (np.concatenate(column) for column in columns)
    return {"x": x, "least": least.astype(np.float32), "most": most.astype(np.float32)}


def _outlines(trace: Trace) -> Iterator[tuple[Column, Column, Column]]:
    """Instants, least and most of each known stretch, beginning and ending in a point without height."""
    known = np.isfinite(trace.least_deg) & np.isfinite(trace.most_deg)
    middle = trace.utc_ms + 500 * trace.point_s
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        x, least, most = middle[first:end], trace.least_deg[first:end], trace.most_deg[first:end]
        begin, last = (least[0] + most[0]) / 2, (least[-1] + most[-1]) / 2
        yield (
            np.concatenate([x[:1], x, x[-1:]]),
            np.concatenate([[begin], least, [last]]),
            np.concatenate([[begin], most, [last]]),
        )
