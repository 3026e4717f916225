"""How far a session's data can be trusted, and the baseline it was judged by, in neutral words.

Pure. Knows: judged sessions, calibrations. Must never know: pages. All of a session counts, also where a report has a
part of it.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from companion.overview.recorded import Recorded
from companion.overview.values import Baseline, Quality
from companion.posture.calibration import Calibration
from companion.posture.events import SignalFound
from companion.posture.rows import ROWS_PER_S, Context, State
from companion.tables.calendar import zone_of
from companion.tables.judged import Judged
from companion.text import printable

_METHODS = {
    "declared": "two directions that were declared, not measured",
    "guided": "two holds and forward bends",
    "nod": "two holds and nods from the hips",
    "mounting": "one hold, and the sensor's axis that was named",
    "quick": "one hold, and the axis of the baseline before",
}


def quality_of(recorded: Recorded) -> Quality:
    """The figures of one session."""
    judged = recorded.judged
    return Quality(
        session_id=judged.header.session_id,
        device=judged.header.device,
        driver=judged.header.driver,
        profile=str(judged.summary.get("profile", "")),
        mode=str(judged.summary.get("mode", "")),
        columns=dict(judged.summary),
        longest_gap_s=longest_gap_s(judged),
        median_uncertainty_deg=median_uncertainty_deg(judged),
        damage=recorded.damage,
        closed=recorded.closed,
    )


def longest_gap_s(judged: Judged) -> float:
    """The longest silence that was told, from the last sample before it on; 0: there was none.

    A silence is told once it has lasted longer than this sensor's may (5 s, or three times its longest interval). One
    that the session ended in counts from where it was told.
    """
    told_ns = [event.silent_ns for event in judged.events if isinstance(event, SignalFound)]
    absent = judged.posture["context"] == Context.NO_DATA
    at_end = len(absent) if absent.all() else int(np.argmax(~absent[::-1]))
    return max([at_end / ROWS_PER_S, *(silent_ns / 1e9 for silent_ns in told_ns)])


def median_uncertainty_deg(judged: Judged) -> float | None:
    """Of the rows that were judged; None where none was."""
    rows = judged.posture
    known = rows["uncertainty_deg"][(rows["context"] == Context.STILL) & (rows["state"] < State.UNJUDGED)]
    return float(np.median(known)) if len(known) else None


def baseline_of(recorded: Recorded) -> Baseline:
    """The calibration in force at the end, told in lines."""
    made = recorded.calibration
    header = recorded.judged.header
    return Baseline(
        session_id=header.session_id,
        calibration_id=None if made is None else made.calibration_id,
        lines=(_NONE,) if made is None else tuple(_lines(made, recorded, header.zone)),
    )


_NONE = ("Baseline", "none: angles from a baseline are not known, and nothing was judged")


def _lines(made: Calibration, recorded: Recorded, zone: str) -> Iterator[tuple[str, str]]:
    origin = recorded.judged.header.origin
    yield "Taken from", _taken_from(made, origin)
    if taken := _taken(made.taken_utc, zone):
        yield "Taken at", taken
    yield "Profile", f"{printable(made.profile)} ({made.kind})"
    yield "Uncertainty of the baseline", _uncertainty(made, origin)
    if made.difference_deg is not None:
        yield "The two holds differ by", f"{made.difference_deg:.1f}°"
    if made.method != "declared":
        yield "Movement within the holds", f"{made.spread_deg:.1f}° (root mean square)"
        yield "Where you face is known to", f"{made.axis_sigma_deg:.1f}°"
    if made.wobble_deg is not None:
        yield "Shaking of the sensor in the fit test", f"{made.wobble_deg:.2f}° (root mean square)"
    yield "The sensor at the baseline", _to_vertical(made.baseline_inclination_deg)
    yield "Usual slouch", _slouch(made, recorded.range_deg)
    yield "A slouch starts at", f"{recorded.limit_deg:.1f}° from the baseline"


def _taken(text: str, zone: str) -> str:
    """When, as a clock in `zone` shows it; "" where it is not known."""
    try:
        return datetime.fromisoformat(text).astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, TypeError):
        return ""


def is_given_at_import(made: Calibration | None, origin: str) -> bool:
    """Whether nobody can tell a baseline that was declared from one that the import took for granted."""
    return made is not None and made.method == "declared" and origin == "imported"


def _taken_from(made: Calibration, origin: str) -> str:
    if is_given_at_import(made, origin):
        return "two directions that were declared, or assumed at import, not measured"
    return _METHODS.get(made.method, printable(made.method))


def _uncertainty(made: Calibration, origin: str) -> str:
    if is_given_at_import(made, origin):
        return "not known, because it was not measured; the ± of angles leaves it out"
    if made.method == "declared":
        return "counts as exact, because it was declared"
    return f"{made.uncertainty_deg:.1f}° (one standard deviation, without soft tissue)"


def _to_vertical(inclination_deg: float) -> str:
    side = "forward of" if inclination_deg >= 0 else "behind"
    return f"leans {abs(inclination_deg):.1f}° {side} vertical, the angle to vertical that the baseline has"


def _slouch(made: Calibration, range_deg: float) -> str:
    if made.own_range_deg is None:
        return f"not shown; {range_deg:.1f}° forward stand for it"
    forward, left = made.slouch_direction  # where up goes: opposite to the lean
    if abs(forward) >= abs(left):
        way = "forward of" if forward < 0 else "behind"
    else:
        way = "to the right of" if left > 0 else "to the left of"
    return f"{made.own_range_deg:.1f}° {way} the baseline"
