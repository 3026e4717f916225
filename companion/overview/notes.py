"""What is particular in these recordings, in sentences: everything that a reader must know before believing a figure.

Pure. Knows: judged sessions, the calendar. Must never know: pages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from companion.overview.quality import is_given_at_import
from companion.overview.recorded import Piece, Recorded
from companion.overview.values import DayFigures
from companion.posture.rows import ROW_NS
from companion.tables.calendar import is_known_zone, local
from companion.tables.instants import duration_words, local_text
from companion.text import printable

_MOST_NAMED = 4
_HOUR_NS = 3_600_000_000_000


class _Rank(IntEnum):
    """The gravest first; that the sensor may have slipped comes before all of these."""

    DAMAGE = 1
    NOT_KNOWN = 2
    CUT_OFF = 3
    SETTINGS = 4
    SIMULATED = 5
    IMPORTED = 6
    PLACE = 7


@dataclass(frozen=True, slots=True)
class _Said:
    """What is told of one session: a sentence without its subject; the lower the rank, the graver."""

    rank: _Rank
    sentence: str
    session: str  # its begin


def notes(pieces: Sequence[Piece], days: Sequence[DayFigures], *, of_week: bool = False) -> tuple[str, ...]:
    """The sentences, the gravest first; what is the same of several sessions is told once.

    `days` are those to be compared; of a week it is also said that its sums have all of them. That everything is
    simulated is not told: that stands beside the title.
    """
    said = list[_Said]()
    all_simulated = all(piece.recorded.judged.header.origin == "simulated" for piece in pieces)
    for piece in pieces:
        begun = _begin_of(piece.recorded)
        found = [*_of_session(piece.recorded), *((_Rank.PLACE, sentence) for sentence in _of_place(piece))]
        said += [_Said(*each, begun) for each in found if not (all_simulated and each[0] is _Rank.SIMULATED)]
    grouped = dict[tuple[_Rank, str], list[str]]()
    for each in sorted(said, key=lambda each: each.rank):
        grouped.setdefault((each.rank, each.sentence), []).append(each.session)
    told = (f"{_subject(begins, len(pieces))} {sentence}" for (_, sentence), begins in grouped.items())
    return (*_slips(pieces), *told, *_of_all(pieces, days, of_week=of_week))


def _begin_of(recorded: Recorded) -> str:
    header = recorded.judged.header
    return local_text(header.utc_ns, header.zone)[:16].replace("T", ", ")


def _subject(begins: Sequence[str], sessions: int) -> str:
    """Who a sentence is about; its verb is in the singular always."""
    if sessions == 1:
        return "This session"
    if len(begins) == 1:
        return f"The session of {begins[0]}"
    if len(begins) == sessions:
        return f"Each of the {sessions} sessions"
    return f"Each of {len(begins)} of the {sessions} sessions ({_listed(begins)})"


def _listed(begins: Sequence[str]) -> str:
    more = len(begins) - _MOST_NAMED
    return "; ".join(begins[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _slips(pieces: Sequence[Piece]) -> Iterator[str]:
    """One sentence for all sessions: how long differs, what follows from it does not."""
    found = [piece.recorded for piece in pieces if piece.recorded.judged.summary.get("suspect_s")]
    if not found:
        return
    lasted = duration_words(sum(recorded.judged.summary["suspect_s"] for recorded in found))
    if len(found) == 1:
        subject = f"{_subject([_begin_of(found[0])], len(pieces))} has {lasted}"
    else:
        begins = _listed([_begin_of(recorded) for recorded in found])
        subject = f"{len(found)} of the {len(pieces)} sessions ({begins}) have {lasted} in all"
    yield (
        f"{subject} in which the sensor may have slipped; up to 20° off that time counts as ever, "
        "but it is left out of percentiles and of the exposure table."
    )


def _of_session(recorded: Recorded) -> Iterator[tuple[_Rank, str]]:
    judged = recorded.judged
    yield from _of_file(recorded)
    if len(judged.posture) == 0:
        yield _Rank.NOT_KNOWN, "holds no motion."
    elif recorded.calibration is None:
        yield (
            _Rank.NOT_KNOWN,
            "had no calibration: angles from a baseline are not known, and nothing was judged.",
        )
    if recorded.changed_settings:
        changed = ", ".join(f"{printable(key)}={printable(value)}" for key, value in recorded.changed_settings)
        yield _Rank.SETTINGS, f"was computed with settings other than at the time: {changed}."
    if judged.header.origin == "simulated":
        yield _Rank.SIMULATED, "was made up by a simulator: its figures are of no person."
    elif judged.header.origin == "imported":
        yield _Rank.IMPORTED, _imported(recorded)


def _imported(recorded: Recorded) -> str:
    words = "was imported: the motion was recorded by other software"
    if is_given_at_import(recorded.calibration, recorded.judged.header.origin):
        return f"{words}, and its baseline was declared or assumed, not measured."
    return f"{words}."


def _of_file(recorded: Recorded) -> Iterator[tuple[_Rank, str]]:
    if recorded.damage:
        first_s, last_s = min(each[0] for each in recorded.damage), max(each[1] for each in recorded.damage)
        lost_s = sum(to_s - from_s for from_s, to_s, _ in recorded.damage)
        yield _Rank.DAMAGE, f"is damaged: {lost_s:.1f} s between {first_s:.1f} s and {last_s:.1f} s are missing."
    if not recorded.closed:
        yield _Rank.CUT_OFF, "has no end: it was cut off, or is being recorded now."
    elif recorded.is_recovered:
        yield _Rank.CUT_OFF, "was cut off; its last moments may be missing."


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


def _of_all(pieces: Sequence[Piece], days: Sequence[DayFigures], *, of_week: bool) -> Iterator[str]:
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
    if short and of_week:
        yield "All days count here; `posture history` leaves days under 2 h out of its sums."
