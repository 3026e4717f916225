"""A session in one line: durations, episodes, percentiles, data quality. Column names carry units.

Sums are of whole rows and integers, percentiles from a histogram of hundredths of a degree, so that the summary has
the same bits however the session came. Knows: rows, events. Must never know: files, wall clocks.
"""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from companion.posture import exposure
from companion.posture.events import AlertCleared, AlertRaised, Event, SlouchEnded, SlouchStarted
from companion.posture.exposure import PERCENTILES, percentile
from companion.posture.rows import ROW_NS, Context, State
from companion.posture.stage import Array, joined_rows

DURATION_COLUMNS = (
    "duration_s",
    "still_s",
    "in_range_s",
    "forward_s",
    "reclined_s",
    "unjudged_s",
    "moving_s",
    "walking_s",
    "lying_s",
    "settling_s",
    "no_data_s",
    "not_worn_s",
)

SESSION_COLUMNS = (
    "session_id",
    "view",
    "started_utc",
    "started_local",
    "tz",
    "device",
    "profile",
    "mode",
    *DURATION_COLUMNS,
    "coverage_pct",
    "episodes",
    "alerts",
    "longest_forward_s",
    "median_recovery_s",
    *(f"rel_p{p}_deg" for p in PERCENTILES),
    *(f"abs_p{p}_deg" for p in PERCENTILES),
    "rate_hz",
    "samples",
    "lost_samples",
    "duplicates",
    "malformed",
    "loss_pct",
    "drift_ppm",
    "outages",
    "calibration_id",
    "software_version",
    "drift_sigma_ppm",
    "suspect_s",
)


def _durations(count: int, contexts: Array, states: Array) -> dict[str, float]:
    rows = {"duration_s": count}
    rows |= {f"{context.name.lower()}_s": int(contexts[context]) for context in Context}
    judged = (State.IN_RANGE, State.FORWARD, State.RECLINED, State.UNJUDGED)
    rows |= {f"{state.name.lower()}_s": int(states[state]) for state in judged}
    return {name: rows[name] * (ROW_NS // 1_000_000) / 1000 for name in DURATION_COLUMNS}


_ROWS_AT_ONCE = 256
"""So many rows are counted at once: live, one at a time would cost most of all that is done with a row."""


@dataclass(slots=True)
class Tally:
    """What a session's rows and events add up to."""

    count: int = 0
    contexts: Array = field(default_factory=lambda: np.zeros(len(Context), dtype=np.int64))
    states: Array = field(default_factory=lambda: np.zeros(len(State), dtype=np.int64))
    suspect: int = 0
    relative: Array = field(default_factory=exposure.histogram)
    absolute: Array = field(default_factory=exposure.histogram)
    episodes: int = 0
    alerts: int = 0
    longest_forward_ns: int = 0
    recoveries_ns: list[int] = field(default_factory=list)
    keep_exposed: bool = False  # every row's, for the table `exposure`
    exposed: list[Array] = field(default_factory=list)
    waiting: list[Array] = field(default_factory=list)  # ROWS that are not counted yet
    waiting_rows: int = 0

    def add_rows(self, rows: Array) -> None:
        """Count ROWS, which nobody changes any more; now or later."""
        self.waiting.append(rows)
        self.waiting_rows += len(rows)
        if self.waiting_rows >= _ROWS_AT_ONCE:
            self._count_waiting()

    def _count_waiting(self) -> None:
        if not self.waiting:
            return
        rows, self.waiting, self.waiting_rows = joined_rows(self.waiting), [], 0
        self.count += len(rows)
        self.contexts += np.bincount(rows["context"], minlength=len(Context))
        self.states += np.bincount(rows["state"], minlength=len(State))
        self.suspect += int(np.count_nonzero(rows["suspicion"]))
        worn = exposure.worn(rows)
        if worn.any():
            exposure.put(self.relative, rows["sagittal_deg"][worn])
            exposure.put(self.absolute, rows["inclination_deg"][worn])
        if self.keep_exposed:
            self.exposed.append(exposure.exposed(rows))

    def add_event(self, event: Event) -> None:
        """Count an event."""
        match event:
            case SlouchStarted():
                self.episodes += 1
            case AlertRaised():
                self.alerts += 1
            case SlouchEnded(duration_ns=duration_ns):
                self.longest_forward_ns = max(self.longest_forward_ns, duration_ns)
            case AlertCleared(recovery_ns=recovery_ns):
                self.recoveries_ns.append(recovery_ns)

    def exposed_rows(self) -> Array:
        """EXPOSED of all rows so far, where they were kept."""
        self._count_waiting()
        return np.concatenate([np.empty(0, dtype=exposure.EXPOSED), *self.exposed])

    def columns(self) -> dict[str, Any]:
        """The columns of `sessions` that follow from rows and events; None: nothing to say."""
        self._count_waiting()
        found: dict[str, Any] = dict(_durations(self.count, self.contexts, self.states))
        absent_s = found["no_data_s"] + found["not_worn_s"]
        found["coverage_pct"] = 100 * (1 - absent_s / found["duration_s"]) if self.count else None
        found |= {"episodes": self.episodes, "alerts": self.alerts}
        found["suspect_s"] = self.suspect * ROW_NS / 1e9
        found["longest_forward_s"] = self.longest_forward_ns / 1e9
        found["median_recovery_s"] = median(self.recoveries_ns) / 1e9 if self.recoveries_ns else None
        for kind, histogram in (("rel", self.relative), ("abs", self.absolute)):
            found |= {f"{kind}_p{p}_deg": percentile(histogram, p) for p in PERCENTILES}
        return found
