"""The rows of the exported tables, as text cells, from one session's computed values.

Pure. Knows: rows, events and the session's figures as values. Must never know: files, how a figure is
computed. Durations are counted in rows of 0.2 s, so the contexts of each minute add up to its duration
exactly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.output import dictionary
from companion.output.instants import local_text, utc_text
from companion.posture.events import AlertRaised, Event, SlouchEnded, SlouchStarted
from companion.posture.rows import CONTEXTS, ROWS_PER_S, STATES, RowFlag
from companion.text import LONGEST_SENTENCE, printable
from firmware_protocol.frames import Opened

_NS_PER_S = 1e9
_MINUTE_NS = 60_000_000_000
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # the wide ones count as formulas in some spreadsheets
_NAMES_THE_WEARER = frozenset({"device", "tz", "started_utc", "started_local"})
_SAMPLES_A_BLOCK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTable:
    """Samples with what was computed at each: all (N,); times in ns of session time, angles in degrees."""

    samples: npt.NDArray[Any]  # SAMPLES
    t_session_ns: npt.NDArray[np.int64]
    sagittal_deg: npt.NDArray[np.float64]
    lateral_deg: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTables:
    """Everything that is exported of one session."""

    header: Opened
    summary: Mapping[str, object]  # the columns of `sessions`
    posture: npt.NDArray[Any]  # POSTURE rows of the whole session
    events: Sequence[Event]
    exposure: Sequence[Mapping[str, object]] = ()  # the lines of `exposure`, without the session's id
    samples: SampleTable | None = None


def rows_of(table: str, session: SessionTables, *, anonymous: bool = False) -> Iterable[Sequence[str]]:
    """The rows of one table, without its header, each a text per column in the dictionary's order.

    `anonymous` leaves the sensor's name, the zone and every absolute time empty. Raises KeyError for an
    unknown table, ValueError where the samples are asked for and were not given.
    """
    if table == "samples":
        if session.samples is None:
            raise ValueError("the table `samples` needs the session's samples")
        return _sample_rows(session.samples)
    makers = {"sessions": _session_rows, "minutes": _minute_rows, "episodes": _episode_rows, "exposure": _exposure_rows}
    columns = dictionary.names(table)
    hidden = _NAMES_THE_WEARER if anonymous else frozenset()
    return (["" if name in hidden else cell(row.get(name)) for name in columns] for row in makers[table](session))


def cell(value: object) -> str:
    """One value as a cell: one decimal place, unknown numbers empty, text printable and defused."""
    if value is None:
        return ""
    if isinstance(value, str):
        return defused(value)
    if isinstance(value, float | np.floating):
        return _decimal(float(value))
    return str(int(value)) if isinstance(value, int | np.integer) else defused(str(value))


def defused(text: str) -> str:
    """A text cell safe for spreadsheets: printable, with a leading ' where it would count as a formula."""
    shown = printable(text, LONGEST_SENTENCE)
    return f"'{shown}" if text.startswith(_FORMULA_STARTS) or shown.startswith(_FORMULA_STARTS) else shown


def _decimal(value: float, places: int = 1) -> str:
    if not np.isfinite(value):
        return ""
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _session_rows(session: SessionTables) -> Iterator[Mapping[str, object]]:
    yield session.summary


def _exposure_rows(session: SessionTables) -> Iterator[Mapping[str, object]]:
    for line in session.exposure:
        yield {"session_id": session.header.session_id, **line}


def _minute_rows(session: SessionTables) -> Iterator[Mapping[str, object]]:
    rows = session.posture
    if not len(rows):
        return
    minutes = (rows["t_session_ns"] - rows["t_session_ns"][0]) // _MINUTE_NS
    first_rows = np.flatnonzero(np.diff(minutes, prepend=-1))
    alerts = _alerts_a_minute(session, int(minutes[-1]) + 1)
    for start, end in zip(first_rows, [*first_rows[1:], len(rows)], strict=True):
        minute = int(minutes[start])
        yield {
            **_start(session.header, minute * _MINUTE_NS),
            "duration_s": (end - start) / ROWS_PER_S,
            **_durations(rows[start:end]),
            "sagittal_mean_deg": _mean(rows["sagittal_deg"][start:end]),
            "lateral_mean_deg": _mean(rows["lateral_deg"][start:end]),
            "alerts": alerts[minute],
            "suspect_s": float(np.count_nonzero(rows["flags"][start:end] & RowFlag.SUSPECT)) / ROWS_PER_S,
        }


def _alerts_a_minute(session: SessionTables, minutes: int) -> list[int]:
    first_ns = int(session.posture["t_session_ns"][0])
    counts = [0] * minutes
    for event in session.events:
        if isinstance(event, AlertRaised):
            counts[min(max((event.t_session_ns - first_ns) // _MINUTE_NS, 0), minutes - 1)] += 1
    return counts


def _durations(rows: npt.NDArray[Any]) -> dict[str, float]:
    contexts = np.bincount(rows["context"], minlength=len(CONTEXTS)) / ROWS_PER_S
    still = rows["state"][rows["context"] == CONTEXTS.index("still")]
    states = np.bincount(still, minlength=len(STATES)) / ROWS_PER_S
    by_name = dict(zip(CONTEXTS, contexts, strict=True)) | dict(zip(STATES, states, strict=True))
    return {f"{name}_s": float(duration) for name, duration in by_name.items() if name != "unknown"}


def _mean(angles_deg: npt.NDArray[np.float64]) -> float | None:
    known = angles_deg[np.isfinite(angles_deg)]
    return float(known.mean()) if len(known) else None


def _episode_rows(session: SessionTables) -> Iterator[Mapping[str, object]]:
    ends = {event.episode: event for event in session.events if isinstance(event, SlouchEnded)}
    raised = [event.episode for event in session.events if isinstance(event, AlertRaised)]
    for event in session.events:
        if isinstance(event, SlouchStarted):
            yield {
                **_start(session.header, event.t_session_ns),
                "episode": event.episode,
                "alerts": raised.count(event.episode),
                **_end(ends.get(event.episode)),
            }


def _end(event: SlouchEnded | None) -> dict[str, object]:
    if event is None:
        return {}
    return {
        "duration_s": event.duration_ns / _NS_PER_S,
        "peak_deg": event.peak_deg,
        "mean_deg": event.mean_deg,
        "ended_by": event.ended_by,
    }


def _start(header: Opened, t_session_ns: int) -> dict[str, object]:
    utc_ns = header.utc_ns + t_session_ns
    return {
        "session_id": header.session_id,
        "started_utc": utc_text(utc_ns),
        "started_local": local_text(utc_ns, header.zone),
        "t_s": t_session_ns / _NS_PER_S,
    }


def _sample_rows(table: SampleTable) -> Iterator[Sequence[str]]:
    for start in range(0, len(table.samples), _SAMPLES_A_BLOCK):
        yield from _sample_block(table, slice(start, start + _SAMPLES_A_BLOCK))


def _sample_block(table: SampleTable, block: slice) -> Iterator[Sequence[str]]:
    samples = table.samples[block]
    columns = [
        (table.t_session_ns[block] / _NS_PER_S, 6),
        *((samples["acc_mps2"][:, axis], 5) for axis in range(3)),
        *((samples["gyr_radps"][:, axis], 6) for axis in range(3)),
        (table.sagittal_deg[block], 2),
        (table.lateral_deg[block], 2),
    ]
    return zip(*(_decimals(values, places) for values, places in columns), strict=True)


def _decimals(values: npt.NDArray[np.float64], places: int) -> list[str]:
    """A column of numbers as plain decimals; quick, as a day has millions."""
    form = f"%.{places}f"
    minus_zero = f"-{0:.{places}f}"
    texts = (form % value for value in values.tolist())
    mended = {"nan": "", "inf": "", "-inf": "", minus_zero: minus_zero[1:]}
    return [mended.get(text, text) for text in texts]
