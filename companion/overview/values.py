"""The values of a report: what a page, or anything else that shows one, may rely on.

Pure. Knows: names, units, plain values. Must never know: how any of them is computed or shown.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.tables.judged import Part

KINDS = (
    "in_range",
    "forward",
    "reclined",
    "unjudged",
    "moving",
    "walking",
    "lying",
    "settling",
    "no_data",
    "not_worn",
)
"""What a moment is counted as: the state of a still one, the context of any other. They add up to the duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """An unbroken stretch of one of KINDS on the time axis."""

    from_utc_ms: int
    to_utc_ms: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The angle of one session, or of its part on a day, in points of equal length of time; all (N,).

    `point_s` is that length: 0.2 s for short sessions, more where a screen would show no more. NaN: unknown throughout.
    """

    session_id: str
    zone: str
    point_s: float
    utc_ms: npt.NDArray[np.int64]  # the begin of each point
    mean_deg: npt.NDArray[np.float64]  # sagittal, from the baseline
    least_deg: npt.NDArray[np.float64]
    most_deg: npt.NDArray[np.float64]
    uncertainty_deg: npt.NDArray[np.float64]
    bands: tuple[Band, ...]
    limit_deg: float | None  # where a slouch starts; None: of a personal direction, no single angle
    alerts_utc_ms: tuple[int, ...]
    part: Part = field(repr=False)  # the rows it was made of: figures come from these, never from points or bands


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour of a local day in which something was recorded: seconds of each of KINDS."""

    day: date
    hour: int  # what the clock on the wall showed; after clocks were put back an hour comes twice
    utc_offset: str  # such as +02:00
    begin_utc_ms: int
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A break that the body showed: walking for 60 s or more, pauses of under 5 s in it."""

    started_local: str
    begin_utc_ms: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Five minutes and more of a session without data, or with the sensor not worn: what the body did is not known."""

    started_local: str
    begin_utc_ms: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How far one session's data can be trusted."""

    session_id: str
    device: str
    driver: str
    profile: str
    mode: str
    columns: dict[str, Any]  # of `sessions`: rate_hz, samples, lost_samples, loss_pct, drift_ppm, outages, ...
    longest_gap_s: float  # without data
    median_uncertainty_deg: float | None
    damage: tuple[tuple[float, float, str], ...]  # from_s, to_s, reason
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The calibration that was in force at the end of a session."""

    session_id: str
    calibration_id: str | None
    lines: tuple[tuple[str, str], ...]  # what to show: label and text with units


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One local day of a week: `figures` as in the table `days`; None where nothing was recorded."""

    day: date
    day_h: float
    sessions: int
    figures: dict[str, Any] | None
    is_short: bool  # under 2 h of wear


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A whole report."""

    kind: str  # "session", "day" or "week"
    title: str  # such as "Sunday, 2026-10-25" or "Week 2026-W43, 19 to 25 October 2026"
    first_day: date
    last_day: date
    zones: tuple[str, ...]
    software_version: str
    sessions: tuple[dict[str, Any], ...]  # rows of `sessions`, by start
    figures: dict[str, Any]  # of all together: the columns of `days` from duration_s on
    shares: dict[str, float]  # seconds of each of KINDS
    traces: tuple[Trace, ...]
    episodes: tuple[dict[str, Any], ...]  # rows of `episodes`
    hours: tuple[Hour, ...]
    days: tuple[DayFigures, ...]  # all seven of a week; else those on which something was recorded
    breaks: tuple[Break, ...]
    longest_without_break_s: float | None  # worn time between breaks
    exposure: tuple[dict[str, Any], ...]  # the lines of the table `exposure`, of all together, without session_id
    quality: tuple[Quality, ...]
    baselines: tuple[Baseline, ...]
    notes: tuple[str, ...]  # sentences: what is particular in these recordings (damaged, open, clocks changed, ...)
    away: tuple[Away, ...] = ()  # never counted as breaks
    is_simulated: bool = False  # some of it is made up by a simulator: to be said where nobody can miss it
