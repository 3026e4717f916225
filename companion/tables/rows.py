"""The rows of the tables `sessions`, `days`, `minutes`, `episodes` and `exposure`: values by the name of their column.

Pure. Knows: judged sessions and the columns' names. Must never know: text cells, files, databases. A value is a text, a
number or None where there is nothing to say. Durations are counted in rows of 0.2 s, so the contexts of every row add
up to its duration exactly.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.posture import exposure
from companion.posture.events import AlertCleared, AlertRaised, SlouchEnded, SlouchStarted
from companion.posture.exposure import PERCENTILES
from companion.posture.rows import CONTEXTS, ROW_NS, ROWS_PER_S, STATES, Context, RowFlag
from companion.tables.calendar import NS_PER_S, length_h
from companion.tables.instants import local_text, utc_text
from companion.tables.judged import Judged, Part
from firmware_protocol.frames import Opened

Values = dict[str, Any]
"""One row: a value for each column that has one."""

_MINUTE_NS = 60 * NS_PER_S
_MINUTE_ROWS = _MINUTE_NS // ROW_NS


def rows_of(table: str, session: Judged) -> Iterator[Values]:
    """The rows of one table. Raises KeyError for a table that is not made of a session's rows and events."""
    return _MAKERS[table](session)


def session_rows(session: Judged) -> Iterator[Values]:
    """The one row of `sessions`."""
    yield dict(session.summary)


def day_rows(session: Judged) -> Iterator[Values]:
    """One row for each local day that the session touches."""
    header = session.header
    for part in session.days():
        yield {
            **started(header, part.t_begin_ns),
            "date": part.day.isoformat(),
            "tz": header.zone,
            "day_h": length_h(part.day, header.zone),
            **figures_of([part]),
        }


def minute_rows(session: Judged) -> Iterator[Values]:
    """One row for each minute of the session, the last one shorter."""
    rows = session.posture
    alerts = _alerts_a_minute(session)
    for minute, first in enumerate(range(0, len(rows), _MINUTE_ROWS)):
        here = rows[first : first + _MINUTE_ROWS]
        yield {
            **started(session.header, minute * _MINUTE_NS),
            **durations(here),
            "sagittal_mean_deg": mean(here["sagittal_deg"]),
            "lateral_mean_deg": mean(here["lateral_deg"]),
            "alerts": alerts[minute],
        }


def episode_rows(session: Judged) -> Iterator[Values]:
    """One row for each slouch that started."""
    ends = {event.episode: event for event in session.events if isinstance(event, SlouchEnded)}
    recoveries = {event.episode: event for event in session.events if isinstance(event, AlertCleared)}
    raised = [event.episode for event in session.events if isinstance(event, AlertRaised)]
    for event in session.events:
        if isinstance(event, SlouchStarted):
            cleared = recoveries.get(event.episode)
            yield {
                **started(session.header, event.t_session_ns),
                "episode": event.episode,
                "alerts": raised.count(event.episode),
                **_ended(ends.get(event.episode)),
                "recovery_s": None if cleared is None else cleared.recovery_ns / NS_PER_S,
            }


def exposure_rows(session: Judged) -> Iterator[Values]:
    """The lines of `exposure`, where the session kept what they need."""
    for line in exposure.lines(session.exposed):
        yield {"session_id": session.header.session_id, **line}


_MAKERS: Mapping[str, Callable[[Judged], Iterator[Values]]] = {
    "sessions": session_rows,
    "days": day_rows,
    "minutes": minute_rows,
    "episodes": episode_rows,
    "exposure": exposure_rows,
}


def figures_of(parts: Sequence[Part]) -> Values:
    """What parts of sessions come to together: durations, coverage, episodes, alerts, percentiles.

    An episode, its length and its recovery count where it started; an alert where it was raised.
    """
    rows = np.concatenate([part.posture for part in parts]) if len(parts) != 1 else parts[0].posture
    return durations(rows) | _worn(rows) | _counted(parts) | _percentiles(rows)


def durations(rows: npt.NDArray[Any]) -> Values:
    """`duration_s`, each context and each state of still time in seconds, `suspect_s`, of POSTURE rows (N,)."""
    contexts = np.bincount(rows["context"], minlength=len(CONTEXTS)) / ROWS_PER_S
    still = rows["state"][rows["context"] == Context.STILL]
    states = np.bincount(still, minlength=len(STATES)) / ROWS_PER_S
    by_name = dict(zip(CONTEXTS, contexts, strict=True)) | dict(zip(STATES, states, strict=True))
    return {
        "duration_s": len(rows) / ROWS_PER_S,
        **{f"{name}_s": float(duration) for name, duration in by_name.items() if name != "unknown"},
        "suspect_s": float(np.count_nonzero(rows["flags"] & RowFlag.SUSPECT)) / ROWS_PER_S,
    }


def mean(angles_deg: npt.NDArray[np.float64]) -> float | None:
    """The mean of the angles that are known; None where none is."""
    known = angles_deg[np.isfinite(angles_deg)]
    return float(known.mean()) if len(known) else None


def started(header: Opened, t_session_ns: int) -> Values:
    """The columns that say when a row begins."""
    utc_ns = header.utc_ns + t_session_ns
    return {
        "session_id": header.session_id,
        "started_utc": utc_text(utc_ns),
        "started_local": local_text(utc_ns, header.zone),
        "t_s": t_session_ns / NS_PER_S,
    }


def _worn(rows: npt.NDArray[Any]) -> Values:
    no_data, not_worn = (int(np.count_nonzero(rows["context"] == each)) for each in (Context.NO_DATA, Context.NOT_WORN))
    worn_s = (len(rows) - no_data - not_worn) / ROWS_PER_S
    if not len(rows):
        return {"worn_s": worn_s, "coverage_pct": None}
    # As the session's summary has it, to the last bit: the day of a session within one day says the same.
    absent_s = no_data / ROWS_PER_S + not_worn / ROWS_PER_S
    return {"worn_s": worn_s, "coverage_pct": 100 * (1 - absent_s / (len(rows) / ROWS_PER_S))}


def _counted(parts: Sequence[Part]) -> Values:
    begun, ended, cleared = set[tuple[str, int]](), list[int](), list[int]()
    alerts = 0
    for part in parts:
        name = part.session.header.session_id
        for event in part.events:
            if isinstance(event, SlouchStarted):
                begun.add((name, event.episode))
            alerts += isinstance(event, AlertRaised)
    for session in {id(part.session): part.session for part in parts}.values():
        for end in session.events:
            if isinstance(end, SlouchEnded | AlertCleared) and (session.header.session_id, end.episode) in begun:
                (ended if isinstance(end, SlouchEnded) else cleared).append(_length_ns(end))
    return {
        "episodes": len(begun),
        "alerts": alerts,
        "longest_forward_s": max(ended, default=0) / NS_PER_S,
        "median_recovery_s": median(cleared) / NS_PER_S if cleared else None,
    }


def _length_ns(event: SlouchEnded | AlertCleared) -> int:
    return event.duration_ns if isinstance(event, SlouchEnded) else event.recovery_ns


def _percentiles(rows: npt.NDArray[Any]) -> Values:
    """As `sessions` has them: of worn time with known angles and no suspicion."""
    known = (rows["context"] <= Context.WALKING) & np.isfinite(rows["sagittal_deg"])
    counts = exposure.histogram()
    exposure.put(counts, rows["sagittal_deg"][known & (rows["flags"] & RowFlag.SUSPECT == 0)])
    return {f"rel_p{p}_deg": exposure.percentile(counts, p) for p in PERCENTILES}


def _alerts_a_minute(session: Judged) -> list[int]:
    alerts = [0] * max(-(-len(session.posture) // _MINUTE_ROWS), 1)
    for event in session.events:
        if isinstance(event, AlertRaised):
            alerts[session.row_of(event) // _MINUTE_ROWS] += 1
    return alerts


def _ended(event: SlouchEnded | None) -> Values:
    if event is None:
        return {}
    return {
        "duration_s": event.duration_ns / NS_PER_S,
        "peak_deg": event.peak_deg,
        "mean_deg": event.mean_deg,
        "ended_by": event.ended_by,
    }
