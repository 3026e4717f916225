"""The tables that have a row for each session: what matters of them, every figure, how far the data can be trusted.

Pure. Knows: an overview's values, how one value is shown. Must never know: HTML, plots. A session is told by when it
began, by the clock on the wall; its identifier is only said beside that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from companion.output.csv_tables import cell
from companion.output.report.tables import DASH, Grid, Row, Shown, grid, shown
from companion.output.words import counted
from companion.overview import Baseline, Overview, Quality
from companion.tables.dictionary import TABLES
from companion.tables.instants import duration_words
from companion.tables.wear import judged_share_pct

_SESSION = {
    "started_local": "Began",
    "duration_s": "Length, s",
    "forward_s": "Forward, s",
    "episodes": "Episodes",
    "alerts": "Alerts",
    "longest_forward_s": "Longest forward, s",
    "median_recovery_s": "Median recovery, s",
    "coverage_pct": "Coverage, %",
}
_BEFORE_WORN = 2
_QUALITY = {
    "started_local": "Began",
    "device": "Sensor",
    "rate_hz": "Rate, Hz",
    "samples": "Samples",
    "lost_samples": "Lost",
    "loss_pct": "Loss, %",
    "duplicates": "Twice",
    "malformed": "Malformed packets",
    "outages": "Links lost",
    "drift_ppm": "Clock drift, ppm",
    "no_data_s": "No data, s",
    "suspect_s": "May have slipped, s",
    "coverage_pct": "Coverage, %",
}
GAP_MEANING = "The longest silence of the sensor, from its last sample before it to the next; 0: there was none."
UNCERTAINTY_MEANING = "Median of the judged time: one standard deviation of filter and calibration, no soft tissue."
_FURTHER = (
    ("Longest gap, s", GAP_MEANING),
    ("Uncertainty, °", UNCERTAINTY_MEANING),
    ("Driver", ""),
    ("File", ""),
)
_RECEIVED = frozenset({"Began", "Rate, Hz", "Samples", "Lost", "Loss, %", "Twice", "Malformed packets", "Links lost"})
"""What of the data quality is told in the first of two tables, where one would be too wide."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration and the sessions that were judged by it: when each began, and what each is called."""

    began: tuple[str, ...]
    session_ids: tuple[str, ...]
    baseline: Baseline


def sessions(overview: Overview) -> Grid:
    """The sessions, in what matters of them; of time without a column of its own, worn, the share that was forward."""
    plain = grid("sessions", "Sessions", _SESSION, overview.sessions, ("session_id",))
    share = ("Forward, %", "Time forward of the baseline as a share of the still time that was judged.")
    headings = _with(plain.headings, ("Worn, s", "All time but no data and not worn."), share)
    rows = tuple(
        (key, _with(cells, _worn(row), _share(row)))
        for row, (key, cells) in zip(overview.sessions, plain.rows, strict=True)
    )
    return replace(plain, headings=headings, rows=rows)


def session_columns(overview: Overview) -> tuple[Grid, ...]:
    """Every column of `sessions`, one table for each session, named by when it began."""
    headings = (("Column", ""), ("Value", ""), ("Unit", ""), ("Meaning", ""))
    return tuple(
        Grid(
            "sessions",
            f"Session that began {_began(row)}",
            headings,
            tuple((cell(row.get("session_id")), line) for line in _lines(row)),
        )
        for row in overview.sessions
    )


def quality(overview: Overview) -> tuple[Grid, ...]:
    """How far each session's data can be trusted; of many sessions in two tables, since one would be too wide."""
    began = _begun(overview)
    rows = [
        one.columns | {"device": one.device, "started_local": began.get(one.session_id)} for one in overview.quality
    ]
    plain = grid("sessions", "Data quality", _QUALITY, rows, ())
    whole = replace(
        plain,
        headings=(*plain.headings, *_FURTHER),
        rows=tuple(
            (cell(one.session_id), (*cells, *_further(one)))
            for one, (_, cells) in zip(overview.quality, plain.rows, strict=True)
        ),
    )
    if whole.is_narrow or not whole.rows:
        return (whole,)
    return (
        _columns(whole, "What arrived", [place for place, (name, _) in enumerate(whole.headings) if name in _RECEIVED]),
        _columns(
            whole,
            "How far it can be trusted",
            [place for place, (name, _) in enumerate(whole.headings) if name == "Began" or name not in _RECEIVED],
        ),
    )


def calibrations(overview: Overview) -> tuple[Calibrated, ...]:
    """Each calibration once, with all sessions that were judged by it."""
    began = _begun(overview)
    found = dict[tuple[object, ...], list[Baseline]]()
    for baseline in overview.baselines:
        found.setdefault((baseline.calibration_id, baseline.lines), []).append(baseline)
    return tuple(
        Calibrated(
            tuple(_clock(began.get(one.session_id)) for one in same), tuple(one.session_id for one in same), same[0]
        )
        for same in found.values()
    )


def began_at(overview: Overview, session_id: str) -> str:
    """When a session of the report began, such as "2026-11-18 09:00:00"."""
    return _clock(_begun(overview).get(session_id))


def _begun(overview: Overview) -> dict[str, str]:
    """The first start of each session."""
    return {str(row.get("session_id")): str(row.get("started_local") or "") for row in reversed(overview.sessions)}


def _began(row: Row) -> str:
    return _clock(row.get("started_local"))


def _clock(started_local: object) -> str:
    return str(started_local)[:19].replace("T", " ") if started_local else DASH


def _with(plain: Sequence[T], worn: T, share: T) -> tuple[T, ...]:
    """Columns with two more: worn time before forward time, the share after it."""
    before, forward, *after = plain[:_BEFORE_WORN], plain[_BEFORE_WORN], *plain[_BEFORE_WORN + 1 :]
    return (*before, worn, forward, share, *after)


def _worn(row: Row) -> Shown:
    duration_s, *absent_s = (float(row.get(name) or 0.0) for name in ("duration_s", "no_data_s", "not_worn_s"))
    worn_s = max(0.0, duration_s - sum(absent_s))
    return Shown(f"{worn_s:.1f}", aside=duration_words(worn_s) if worn_s >= 600 else "", is_number=True)


def _share(row: Row) -> Shown:
    share_pct = judged_share_pct({name: row.get(name) or 0.0 for name in ("in_range_s", "forward_s", "reclined_s")})
    return Shown(DASH if share_pct is None else f"{share_pct:.1f}", is_number=True)


def _lines(row: Row) -> tuple[tuple[Shown, ...], ...]:
    return tuple(
        (
            Shown(column.name),
            shown("sessions", column.name, row),
            Shown(column.unit or DASH),
            Shown(column.meaning),
        )
        for column in TABLES["sessions"]
    )


def _columns(whole: Grid, caption: str, places: Sequence[int]) -> Grid:
    """Some columns of a table."""
    return Grid(
        whole.table,
        caption,
        tuple(whole.headings[place] for place in places),
        tuple((key, tuple(cells[place] for place in places)) for key, cells in whole.rows),
    )


def _further(one: Quality) -> tuple[Shown, ...]:
    damage = f"{counted(len(one.damage), 'stretch').replace('stretchs', 'stretches')} missing" if one.damage else ""
    state = damage or ("whole" if one.closed else "has no end")
    return (
        Shown(cell(one.longest_gap_s), is_number=True),
        Shown(cell(one.median_uncertainty_deg) or DASH, is_number=True),
        Shown(one.driver),
        Shown(state),
    )
