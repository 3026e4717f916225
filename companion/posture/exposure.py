"""How the trunk was held over all worn time: percentiles, time in bands, lengths of stay, velocities.

In the units of the field: APDF percentiles (amplitude probability distribution), bands of inclination, exposure
variation analysis (S. E. Mathiassen and J. Winkel, "Quantifying variation in physical load using exposure-vs-time
data", Ergonomics 34 (1991) 1455-1468: level by length of uninterrupted stay). Worn time is still, moving and walking,
with known angles and a sensor that is not suspected of having slipped. One value a row: a mean of the up vector over
1 s, five times a second, each standing for 0.2 s, so that times add up to those of the contexts.
Knows: rows. Must never know: sessions, tables as files, what a figure is good for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from companion.posture.rows import ROWS_PER_S, Context, Suspicion
from companion.posture.stage import Array, runs

PERCENTILES = (10, 50, 90, 95, 99)

SAGITTAL_BANDS_DEG = (-np.inf, 0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, np.inf)
"""Below 0: extension. A band holds its lower edge."""

LATERAL_BANDS_DEG = (-np.inf, -90.0, -60.0, -45.0, -30.0, -20.0, -10.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, np.inf)
"""Both sides, left negative."""

STAYS_S = (0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0, 255.0, 511.0, np.inf)
"""Lengths of stay: each class twice as long as the one before; to 31 s as the field has them, and on for postures."""

_DIP_ROWS = ROWS_PER_S  # shorter dips belong to the stay around them
_STEP_DEG = 0.01
_BINS = 36_001  # -180 to 180 degrees

EXPOSED = np.dtype(
    [
        ("worn", "?"),
        ("sagittal_deg", "<f8"),
        ("lateral_deg", "<f8"),
        ("inclination_deg", "<f8"),
        ("velocity_dps", "<f8"),
    ]
)
"""What exposure needs of each row; packed."""


def worn(rows: Array) -> Array:
    """Which of ROWS count: still, moving or walking, with angles, and no suspicion."""
    known = (rows["context"] <= Context.WALKING) & np.isfinite(rows["sagittal_deg"])
    return np.asarray(known & (rows["suspicion"] == Suspicion.NONE))


def exposed(rows: Array) -> Array:
    """EXPOSED of ROWS."""
    made = np.zeros(len(rows), dtype=EXPOSED)
    made["worn"] = worn(rows)
    for name in EXPOSED.names or ():
        if name != "worn":
            made[name] = rows[name]
    return made


def histogram() -> Array:
    """An empty one, of hundredths of a degree: integers, so that it has the same bits however the rows came."""
    return np.zeros(_BINS, dtype=np.int64)


def put(into: Array, angles_deg: Array) -> None:
    """Count angles in a histogram."""
    places = np.rint(angles_deg / _STEP_DEG).astype(np.int64) + _BINS // 2
    np.add.at(into, np.clip(places, 0, _BINS - 1), 1)


def percentile(counts: Array, per_cent: float) -> float | None:
    """The angle below which `per_cent` of a histogram lies, in degrees, between the two nearest values; None: empty."""
    total = int(counts.sum())
    if total == 0:
        return None
    counted = np.cumsum(counts)
    rank = per_cent / 100 * (total - 1)
    low, high = (int(np.searchsorted(counted, place, side="right")) for place in (int(rank), int(np.ceil(rank))))
    value = low + (high - low) * (rank - int(rank))
    return float((value - _BINS // 2) * _STEP_DEG)


@dataclass(frozen=True, slots=True)
class _Quantity:
    """What the lines of one quantity are made of."""

    name: str
    field: str
    bands_deg: tuple[float, ...]


_QUANTITIES = (
    _Quantity("rel_sagittal", "sagittal_deg", SAGITTAL_BANDS_DEG),
    _Quantity("rel_lateral", "lateral_deg", LATERAL_BANDS_DEG),
    _Quantity("abs_sagittal", "inclination_deg", SAGITTAL_BANDS_DEG),
)


def lines(table: Array) -> Iterator[dict[str, Any]]:
    """The exposure table of EXPOSED rows (N,): one dictionary a line, by the names of its columns.

    `quantity` is rel_sagittal, rel_lateral, abs_sagittal or velocity, `measure` percentile, band or stay; what a line
    does not have is absent, and what is not known (no worn time, no gyroscope) is None.
    """
    kept = table["worn"]
    for quantity in _QUANTITIES:
        counts = histogram()
        put(counts, table[quantity.field][kept])
        for p in PERCENTILES:
            yield _line(quantity, "percentile", percentile_pct=p, angle_deg=percentile(counts, p))
        yield from _bands(quantity, table[quantity.field], kept)
    speeds = table["velocity_dps"][kept & np.isfinite(table["velocity_dps"])]
    for p in PERCENTILES:
        speed = float(np.percentile(speeds, p)) if len(speeds) else None
        yield {"quantity": "velocity", "measure": "percentile", "percentile_pct": p, "velocity_dps": speed}


def _line(quantity: _Quantity, measure: str, **values: object) -> dict[str, Any]:
    return {"quantity": quantity.name, "measure": measure} | values


def _bands(quantity: _Quantity, angles_deg: Array, kept: Array) -> Iterator[dict[str, Any]]:
    codes = np.where(kept, band_of(angles_deg, quantity.bands_deg), -1)
    edges = list(pairwise(quantity.bands_deg))
    counts, whole = np.bincount(codes[kept], minlength=len(edges)), max(int(kept.sum()), 1)
    for place, (low, high) in enumerate(edges):
        yield _line(quantity, "band", **_span(low, high), **_time(int(counts[place]), whole))
    table = stay_table(stays(codes), len(edges))
    for place, (low, high) in enumerate(edges):
        for length, (least_s, most_s) in enumerate(pairwise(STAYS_S)):
            number, rows = table[place, length].tolist()
            lasting = {"stay_from_s": least_s, "stay_to_s": _edge(most_s), "stays": number}
            yield _line(quantity, "stay", **_span(low, high), **lasting, **_time(rows, whole))


def _span(low: float, high: float) -> dict[str, object]:
    return {"from_deg": _edge(low), "to_deg": _edge(high)}


def _time(rows: int, whole: int) -> dict[str, object]:
    return {"time_s": rows / ROWS_PER_S, "share_pct": 100 * rows / whole}


def _edge(value: float) -> float | None:
    return value if np.isfinite(value) else None


def band_of(angles_deg: Array, edges_deg: tuple[float, ...]) -> Array:
    """The number of each angle's band, from 0."""
    return np.searchsorted(np.array(edges_deg[1:-1]), angles_deg, side="right")


def stays(codes: Array) -> list[tuple[int, int]]:
    """Uninterrupted stays in bands, as (band, rows); -1: a row that does not count.

    From left to right: a stay goes on over less than a second elsewhere, whose rows then belong to it as far as they
    count; so the rows of all stays are the rows that count.
    """
    pieces = [(int(codes[first]), end - first) for first, end in runs(codes)]
    found, place = list[tuple[int, int]](), 0
    while place < len(pieces):
        band, rows = pieces[place]
        place += 1
        while band >= 0 and (back := _comes_back(pieces, place, band)):
            rows += sum(count for code, count in pieces[place : back + 1] if code >= 0)
            place = back + 1
        if band >= 0:
            found.append((band, rows))
    return found


def _comes_back(pieces: list[tuple[int, int]], place: int, band: int) -> int:
    """Where a stay goes on after a dip that begins at `place`; 0: the dip is too long, or the end."""
    away = 0
    for number in range(place, min(place + _DIP_ROWS, len(pieces))):
        code, rows = pieces[number]
        if code == band:
            return number
        away += rows
        if away >= _DIP_ROWS:
            break
    return 0


def stay_table(found: list[tuple[int, int]], bands: int) -> Array:
    """(bands, lengths, 2): for each band and class of length the number of stays, and their rows."""
    table = np.zeros((bands, len(STAYS_S) - 1, 2), dtype=np.int64)
    for band, rows in found:
        length = int(np.searchsorted(STAYS_S[1:-1], rows / ROWS_PER_S, side="right"))
        table[band, length] += (1, rows)
    return table
