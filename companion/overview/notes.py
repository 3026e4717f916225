"""What is particular in these recordings, in sentences: everything that a reader must know before believing a figure.

Pure. Knows: judged sessions, the calendar. Must never know: pages.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from companion.overview.recorded import Piece, Recorded
from companion.overview.values import DayFigures
from companion.posture.rows import ROW_NS
from companion.tables.calendar import is_known_zone, local
from companion.tables.instants import duration_words, local_text
from companion.text import printable

SHORT_WEAR_S = 7_200
"""A day with less says little of how a day was, and is not compared with others."""

_HOUR_NS = 3_600_000_000_000


def notes(pieces: Sequence[Piece], days: Sequence[DayFigures]) -> tuple[str, ...]:
    """The sentences, the gravest first."""
    found = list[str]()
    for piece in pieces:
        name = _name(piece.recorded, alone=len(pieces) == 1)
        found += [f"{name} {sentence}" for sentence in _of_session(piece.recorded)]
        found += [f"{name} {sentence}" for sentence in _of_place(piece)]
    return tuple(sorted(found, key=lambda text: "was made up" not in text)) + tuple(_of_all(pieces, days))


def _name(recorded: Recorded, *, alone: bool) -> str:
    if alone:
        return "This session"
    header = recorded.judged.header
    return f"The session of {local_text(header.utc_ns, header.zone)[:16].replace('T', ', ')}"


def _of_session(recorded: Recorded) -> Iterator[str]:
    judged = recorded.judged
    if judged.header.origin == "simulated":
        yield "was made up by a simulator: its figures are of no person."
    elif judged.header.origin == "imported":
        yield "was imported: the motion was recorded by other software."
    yield from _of_file(recorded)
    if len(judged.posture) == 0:
        yield "holds no motion."
    elif recorded.calibration is None:
        yield "had no calibration: angles from a baseline are not known, and nothing was judged."
    if judged.summary.get("suspect_s"):
        lasted = duration_words(judged.summary["suspect_s"])
        yield (
            f"has {lasted} in which the sensor may have slipped; that time is left out of percentiles and of the "
            "exposure table."
        )
    if recorded.changed_settings:
        changed = ", ".join(f"{printable(key)}={printable(value)}" for key, value in recorded.changed_settings)
        yield f"was computed with settings other than at the time: {changed}."


def _of_file(recorded: Recorded) -> Iterator[str]:
    if recorded.damage:
        first_s, last_s = min(each[0] for each in recorded.damage), max(each[1] for each in recorded.damage)
        lost_s = sum(to_s - from_s for from_s, to_s, _ in recorded.damage)
        yield f"is damaged: {lost_s:.1f} s between {first_s:.1f} s and {last_s:.1f} s are missing."
    if not recorded.closed:
        yield "has no end: it was cut off, or is being recorded now."
    elif recorded.is_recovered:
        yield "was cut off; its last moments may be missing."


def _of_place(piece: Piece) -> Iterator[str]:
    header, span = piece.recorded.judged.header, piece.span
    if not piece.is_whole:
        yield "lies partly on other days; only what lies on these is in the figures, data quality apart."
    if not is_known_zone(header.zone):
        yield f"names the time zone {printable(header.zone)!r}, which is not known here; its times are in UTC."
    for at_ns, before, after in offset_changes(span.begin_utc_ns, len(span.posture) * ROW_NS, header.zone):
        shown = local_text(at_ns, header.zone)[:16].replace("T", " ")
        yield f"goes over a change of clocks, from {before} to {after} (UTC), at {shown}."
    for t_s, step_s in piece.recorded.clock_steps:
        way = "forward" if step_s > 0 else "back"
        yield (
            f"saw this computer's clock set {way} by {duration_words(abs(step_s))} before {duration_words(t_s)} from "
            "its start; times of day go on as they were at the start."
        )


def offset_changes(begin_utc_ns: int, length_ns: int, zone: str) -> list[tuple[int, str, str]]:
    """Instants, to the second, at which clocks in `zone` were changed within a span, with the offsets around them."""
    hours = [*range(begin_utc_ns, begin_utc_ns + length_ns, _HOUR_NS), begin_utc_ns + length_ns]
    return [
        (_change_ns(low, high, zone), _offset(low, zone), _offset(high, zone))
        for low, high in pairwise(hours)
        if _offset(low, zone) != _offset(high, zone)
    ]


def _change_ns(low_ns: int, high_ns: int, zone: str) -> int:
    before = _offset(low_ns, zone)
    while high_ns - low_ns > 500_000_000:
        middle_ns = (low_ns + high_ns) // 2
        low_ns, high_ns = (middle_ns, high_ns) if _offset(middle_ns, zone) == before else (low_ns, middle_ns)
    return high_ns


def _offset(utc_ns: int, zone: str) -> str:
    shown = local(utc_ns, zone)
    return "" if shown is None else shown.isoformat(timespec="seconds")[19:]


def _of_all(pieces: Sequence[Piece], days: Sequence[DayFigures]) -> Iterator[str]:
    zones = dict.fromkeys(piece.recorded.judged.header.zone for piece in pieces)
    if len(zones) > 1:
        named = ", ".join(printable(zone) for zone in zones)
        yield f"Sessions were recorded in several time zones ({named}); each counts on the days of its own."
    ends = sorted(
        (piece.span.begin_utc_ns, piece.span.begin_utc_ns + len(piece.span.posture) * ROW_NS) for piece in pieces
    )
    if any(later[0] < earlier[1] for earlier, later in pairwise(ends)):
        yield "Sessions overlap in time; all of their time is counted, so some of it twice."
    short = [day.day.isoformat() for day in days if day.is_short and day.figures is not None]
    if short:
        yield f"Worn for less than 2 h, too short to compare with other days: {', '.join(short)}."
