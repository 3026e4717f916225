"""Everything that a report says, as values: of sessions, of a day, of a week.

Pure. Knows: judged sessions, calibrations, the calendar. Must never know: pages, plots, files. Every figure here is the
one that the exported tables have, to the last bit, because it is computed by the same functions.
"""

from companion.overview.recorded import NothingRecorded, Recorded
from companion.overview.traces import figures_within
from companion.overview.values import (
    KINDS,
    Away,
    Band,
    Baseline,
    Break,
    DayFigures,
    Hour,
    Overview,
    Quality,
    Trace,
)
from companion.overview.whole import build

__all__ = [
    "KINDS",
    "Away",
    "Band",
    "Baseline",
    "Break",
    "DayFigures",
    "Hour",
    "NothingRecorded",
    "Overview",
    "Quality",
    "Recorded",
    "Trace",
    "build",
    "figures_within",
]
