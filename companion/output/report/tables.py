"""What stands in the tables and tiles of the page: texts beside the cells that a CSV file has for the same values.

Pure. Knows: an overview's values, the columns, how a CSV cell is written. Must never know: HTML, plots.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from companion.output.csv_tables import cell
from companion.output.report.names import QUANTITIES, column_meaning, kind_words
from companion.output.report.stacks import short_day
from companion.output.words import ENDINGS, counted
from companion.overview import KINDS, DayFigures, Overview
from companion.tables.dictionary import TABLES
from companion.tables.instants import duration_words
from companion.tables.wear import judged_share_pct

DASH = "–"
_LONG_S = 600
_FEW_ROWS = 3
_WORTH_SAYING_PCT = 0.5
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """One value: what people read, what stands in the CSV file, and under which column; aside is smaller."""

    text: str
    column: str = ""
    value: str = ""
    aside: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its name in the data dictionary ("" where it has none), headings with units and meanings, rows.

    A row is its key, by which a reader of the page finds the row of the CSV file, and its cells.
    """

    table: str
    caption: str
    headings: tuple[tuple[str, str], ...]  # heading, meaning
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]

    def is_number(self, place: int) -> bool:
        """Whether a column holds numbers, as far as its first row tells."""
        return bool(self.rows) and self.rows[0][1][place].is_number

    @property
    def is_narrow(self) -> bool:
        """Whether it is read more easily with a column for each row."""
        return 0 < len(self.rows) <= _FEW_ROWS < len(self.headings)


@dataclass(frozen=True, slots=True)
class Tile:
    """One key figure: a label, the figure for people, and what is to be read with it."""

    label: str
    big: Shown
    parts: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """Time of one kind: seconds, words, per cent of the whole."""

    kind: str
    words: str
    seconds: Shown
    lasting: str
    percent: float


def shown(table: str, column: str, row: Row) -> Shown:
    """One value of a row: numbers as in the CSV file, durations from ten minutes on in words too."""
    value, written = row.get(column), cell(row.get(column))
    if value is None or written == "":
        return Shown(DASH, column, written, is_number=_is_number_column(table, column))
    if isinstance(value, str):
        return Shown(_words(column, value), column, written)
    lasting = column.endswith("_s") and column != "t_s" and float(value) >= _LONG_S
    return Shown(written, column, written, duration_words(float(value)) if lasting else "", is_number=True)


def grid(table: str, caption: str, columns: Mapping[str, str], rows: Iterable[Row], key: Sequence[str]) -> Grid:
    """A table of some columns, by name and heading."""
    return Grid(
        table,
        caption,
        tuple((heading, column_meaning(table, column)) for column, heading in columns.items()),
        tuple(
            (" ".join(cell(row.get(name)) for name in key), tuple(shown(table, column, row) for column in columns))
            for row in rows
        ),
    )


def tiles(overview: Overview) -> tuple[Tile, ...]:
    """The key figures."""
    found = overview.figures
    worn_h = float(found.get("worn_s") or 0.0) / 3600
    return (
        _lasting("Worn", "worn_s", found, _seconds("duration_s", found, "of ", " recorded")),
        _lasting("Forward of baseline", "forward_s", found, Shown(_share_of_still(found))),
        _number("Episodes", "episodes", found, Shown(_per_hour(found.get("episodes"), worn_h))),
        _number("Alerts", "alerts", found, Shown(_per_hour(found.get("alerts"), worn_h))),
        _lasting("Longest time forward", "longest_forward_s", found),
        _lasting("Median recovery", "median_recovery_s", found, Shown("from first alert to the end")),
        _number("Coverage", "coverage_pct", found, Shown("worn share of the recording"), unit=" %"),
        _breaks(overview),
    )


def shares(overview: Overview) -> tuple[Share, ...]:
    """Every kind of time with its part of the whole."""
    whole = sum(overview.shares.values()) or 1.0
    found = list[Share]()
    for kind in KINDS:
        seconds = overview.shares.get(kind, 0.0)
        value = Shown(cell(seconds), f"{kind}_s", cell(seconds), is_number=True)
        found.append(Share(kind, kind_words(kind), value, duration_words(seconds), 100 * seconds / whole))
    return tuple(found)


_EPISODE = {
    "episode": "No.",
    "started_local": "Began",
    "duration_s": "Duration, s",
    "mean_deg": "Mean, °",
    "peak_deg": "Peak, °",
    "alerts": "Alerts",
    "recovery_s": "Recovery, s",
    "ended_by": "Ended by",
}
_DAY = {
    "sessions": "Sessions",
    "worn_s": "Worn, s",
    "still_s": "Still, s",
    "forward_s": "Forward, s",
    "episodes": "Episodes",
    "alerts": "Alerts",
    "longest_forward_s": "Longest forward, s",
    "median_recovery_s": "Median recovery, s",
    "rel_p50_deg": "Median, °",
    "rel_p90_deg": "p90, °",
    "coverage_pct": "Coverage, %",
}


def episodes(overview: Overview) -> Grid:
    """All episodes."""
    return grid("episodes", "Episodes", _EPISODE, overview.episodes, ("session_id", "episode"))


def days(overview: Overview) -> Grid:
    """The days; one of little wear is marked in words."""
    made = [{"date": day.day.isoformat(), "sessions": day.sessions, **(day.figures or {})} for day in overview.days]
    plain = grid("days", "Days", _DAY, made, ("date",))
    named = tuple(
        (key, (Shown(f"{short_day(day.day)} {day.day.year}", "date", day.day.isoformat(), aside=_mark(day)), *cells))
        for day, (key, cells) in zip(overview.days, plain.rows, strict=True)
    )
    return Grid("days", "Days", (("Day", ""), *plain.headings), named)


@dataclass(frozen=True, slots=True)
class BandLine:
    """Time in one band of one quantity."""

    words: str
    key: str
    time: Shown
    share: Shown
    percent: float


@dataclass(frozen=True, slots=True)
class StayMatrix:
    """The exposure variation of one quantity: bands by lengths of stay."""

    words: str
    lengths: tuple[str, ...]
    lines: tuple[tuple[str, tuple[tuple[str, Shown, Shown, float], ...]], ...]  # band; key, share, stays, share 0 to 1


def percentiles(overview: Overview) -> Grid:
    """Percentiles of every quantity, a row each."""
    rows = list[tuple[str, tuple[Shown, ...]]]()
    found = [line for line in overview.exposure if line["measure"] == "percentile"]
    for quantity, lines in groupby(found, key=lambda line: str(line["quantity"])):
        column, unit = ("velocity_dps", "°/s") if quantity == "velocity" else ("angle_deg", "°")
        cells = tuple(shown("exposure", column, line) for line in lines)
        rows.append((f"{quantity} percentile", (Shown(f"{QUANTITIES[quantity]}, {unit}"), *cells)))
    percents = dict.fromkeys(int(line["percentile_pct"]) for line in found)
    headings = (("Quantity", ""), *((f"p{p}", f"{p} % of the time was at or below") for p in percents))
    return Grid("exposure", "Percentiles", headings, tuple(rows))


def bands(overview: Overview, quantity: str) -> tuple[BandLine, ...]:
    """Time in each band of one quantity."""
    return tuple(
        BandLine(
            span_words(line["from_deg"], line["to_deg"], "°"),
            exposure_key(line),
            shown("exposure", "time_s", line),
            shown("exposure", "share_pct", line),
            float(line["share_pct"] or 0.0),
        )
        for line in overview.exposure
        if line["quantity"] == quantity and line["measure"] == "band"
    )


def stays(overview: Overview, quantity: str) -> StayMatrix:
    """The exposure variation table of one quantity."""
    found = [line for line in overview.exposure if line["quantity"] == quantity and line["measure"] == "stay"]
    lengths = dict.fromkeys(span_words(line["stay_from_s"], line["stay_to_s"], " s") for line in found)
    by_band = groupby(found, key=lambda line: span_words(line["from_deg"], line["to_deg"], "°"))
    return StayMatrix(
        QUANTITIES[quantity], tuple(lengths), tuple((band, tuple(map(_stay, lines))) for band, lines in by_band)
    )


def exposure_key(line: Row) -> str:
    """By which a line of `exposure` is found: quantity, measure and the edges, as the CSV file writes them."""
    names = ("quantity", "measure", "from_deg", "to_deg", "stay_from_s", "stay_to_s")
    return " ".join(cell(line.get(name)) or DASH for name in names)


def span_words(low: float | None, high: float | None, unit: str) -> str:
    """Such as "10 to 20°", "under 0°", "from 511 s"."""
    if low is None:
        return f"under {high:.0f}{unit}"
    return f"from {low:.0f}{unit}" if high is None else f"{low:.0f} to {high:.0f}{unit}"


def _stay(line: Row) -> tuple[str, Shown, Shown, float]:
    share = float(line["share_pct"] or 0.0) / 100
    return (
        exposure_key(line),
        shown("exposure", "share_pct", line),
        shown("exposure", "stays", line),
        share,
    )


def _mark(day: DayFigures) -> str:
    if day.figures is None:
        return "nothing recorded"
    clocks = "" if day.day_h == 24 else f"{day.day_h:.0f} h long"
    return ", ".join(part for part in ("short: worn under 2 h" if day.is_short else "", clocks) if part)


def _is_number_column(table: str, column: str) -> bool:
    return any(known.name == column and known.unit for known in TABLES[table]) or column in ("episodes", "alerts")


def _words(column: str, value: str) -> str:
    if column == "ended_by":
        return ENDINGS.get(value, value)
    return value[:19].replace("T", " ") if column == "started_local" else value


def _lasting(label: str, column: str, found: Row, *parts: Shown) -> Tile:
    value = found.get(column)
    if value is None:
        return Tile(label, Shown(DASH, column, ""), parts)
    return Tile(label, Shown(duration_words(float(value))), (_seconds(column, found), *parts))


def _seconds(column: str, found: Row, before: str = "", after: str = "") -> Shown:
    written = cell(found.get(column))
    return Shown(f"{before}{written} s{after}", column, written)


def _number(label: str, column: str, found: Row, *parts: Shown, unit: str = "") -> Tile:
    written = cell(found.get(column))
    return Tile(label, Shown(f"{written}{unit}" if written else DASH, column, written), parts)


def _share_of_still(found: Row) -> str:
    """Of the still time that was judged; how much was not, and how much may be of a slipped sensor, is said with it."""
    judged_pct = judged_share_pct(found)
    if judged_pct is None:
        return "nothing was judged"
    words = f"{judged_pct:.1f} % of the still time that was judged"
    still, unjudged, suspect = (float(found.get(name) or 0.0) for name in ("still_s", "unjudged_s", "suspect_s"))
    share = 100 * unjudged / still
    words += f"; {share:.1f} % of still time was not" if share >= _WORTH_SAYING_PCT else ""
    return f"{words}; the sensor may have slipped for {duration_words(suspect)}" if suspect else words


def _per_hour(count: int | None, worn_h: float) -> str:
    return f"{(count or 0) / worn_h:.1f} per worn hour" if worn_h else "nothing worn"


def _breaks(overview: Overview) -> Tile:
    longest = overview.longest_without_break_s
    big = Shown(DASH if longest is None else duration_words(longest))
    return Tile("Longest without a break", big, (Shown(counted(len(overview.breaks), "break")),))
