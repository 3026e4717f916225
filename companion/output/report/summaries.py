"""Each plot in words and numbers, for those who do not see it: a sentence, and a table of its values.

Pure. Knows: lanes, stacks. Must never know: HTML, how a plot is drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from companion.output.report.lanes import Lane, Offset, ahead_ms
from companion.output.report.names import kind_words
from companion.output.report.stacks import Stack, long_day
from companion.output.report.tables import DASH, Grid, Shown
from companion.output.words import counted
from companion.overview import KINDS, figures_within
from companion.tables.instants import clock_text, duration_words
from companion.tables.wear import judged_share_pct

_NS_PER_MS = 1_000_000
_MINUTE_MS = 60_000
_STEPS_MIN = (1, 5, 15, 30, 60, 120, 240, 480, 1440)
_MOST_ROWS = 24


def lane_title(lane: Lane) -> str:
    """Which day, and whose clock."""
    return f"{long_day(lane.day)}, clock times of {lane.zone} ({offset_words(lane.offsets)})"


def offset_words(offsets: Sequence[Offset]) -> str:
    """Such as "UTC+01:00", or "UTC+02:00, then UTC+01:00"."""
    return ", then ".join(f"UTC{offset.text}" for offset in offsets)


def lane_sentence(lane: Lane) -> str:
    """What the plot of angles shows, in a sentence or two."""
    begin, end = _ends(lane)
    figures = figures_within(lane.traces)
    share_pct = judged_share_pct(figures)
    between = f"between {_clock(lane, begin)} and {_clock(lane, end)}"
    if share_pct is None:
        judged = f"Nothing was judged {between}."
    else:
        judged = (
            f"Forward of the baseline for {duration_words(figures['forward_s'])}, {share_pct:.1f} % of the still time "
            f"that was judged, {counted(figures['alerts'], 'alert')}, {between}."
        )
    return " ".join(filter(None, (_angles_words(figures), judged, _slip_words(figures))))


def lane_numbers(lane: Lane) -> Grid:
    """The plot as a table of at most a day's hours: mean, least, most, time forward, alerts."""
    begin, end = _ends(lane)
    step = next((s for s in _STEPS_MIN if (end - begin) / _MINUTE_MS / s <= _MOST_ROWS), _STEPS_MIN[-1])
    headings = ("From", "Mean, °", "Least, °", "Most, °", "Forward, min", "Alerts")
    rows = [_row(lane, low, high) for low, high in _pieces(lane.offsets, begin, end, step * _MINUTE_MS)]
    return Grid("", f"The plot in numbers, each {step} min", tuple((heading, "") for heading in headings), tuple(rows))


def stack_numbers(stacks: Sequence[Stack], caption: str) -> Grid:
    """Minutes of each kind for each bar."""
    kinds = [kind for kind in KINDS if any(stack.seconds.get(kind) for stack in stacks)]
    headings = ("", *(f"{kind_words(kind)}, min" for kind in kinds))
    rows = tuple(
        (
            "",
            (
                Shown(stack.words),
                *(Shown(f"{stack.seconds.get(kind, 0.0) / 60:.1f}", is_number=True) for kind in kinds),
            ),
        )
        for stack in stacks
    )
    return Grid("", caption, tuple((heading, "") for heading in headings), rows)


def stack_sentence(stacks: Sequence[Stack], of_what: str) -> str:
    """What the bars show: how many, and where most time was forward."""
    if not stacks:
        return f"Nothing recorded, so there are no {of_what}."
    most = max(stacks, key=lambda stack: stack.seconds.get("forward", 0.0))
    forward = most.seconds.get("forward", 0.0)
    if not forward:
        return f"{len(stacks)} bars, one for each of the {of_what}; none with time forward of the baseline."
    return f"Minutes of each kind, by {of_what}. Most time forward: {most.words}, {duration_words(forward)}."


def degrees(angle_deg: float) -> str:
    """An angle with one decimal and the minus that the axes have."""
    return f"{angle_deg:.1f}".replace("-0.0", "0.0").replace("-", "\N{MINUS SIGN}")


def legend(shares: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    """The kinds that occur, with their words."""
    return tuple((kind, kind_words(kind)) for kind in KINDS if shares.get(kind))


def _angles_words(figures: Mapping[str, Any]) -> str:
    low, middle, high = (figures[f"rel_p{percent}_deg"] for percent in (10, 50, 90))
    if middle is None:
        return "No angle from a baseline is known." if not figures["suspect_s"] else ""
    return f"Median {degrees(middle)}°, from {degrees(low)}° (10th percentile) to {degrees(high)}° (90th)."


def _slip_words(figures: Mapping[str, Any]) -> str:
    """What of the figures rests on a sensor that may have slipped; "" where nothing does."""
    if not figures["suspect_s"]:
        return ""
    lasted = duration_words(figures["suspect_s"])
    return f"In {lasted} of it the sensor may have slipped; the percentiles leave that out."


def _ends(lane: Lane) -> tuple[int, int]:
    """Begin and end of what was recorded, not of the axis."""
    edges = [stretches.columns[name] for stretches in lane.stretches.values() for name in ("from_ms", "to_ms")]
    if not edges:
        return lane.from_ms, lane.to_ms
    joined = np.concatenate(edges)
    return int(joined.min()), int(joined.max())


def _pieces(offsets: Sequence[Offset], begin: int, end: int, step: int) -> list[tuple[int, int]]:
    """Stretches of `step` by the clock on the wall, each ending where the clock is changed at the latest."""
    found = list[tuple[int, int]]()
    at = begin
    while at < end:
        ahead = round(float(ahead_ms(np.array([at]), offsets)[0]))
        until = (at + ahead) // step * step + step - ahead
        changes = [offset.from_ms for offset in offsets if at < offset.from_ms < until]
        until = min([until, end, *changes])
        found.append((at, until))
        at = until
    return found


def _row(lane: Lane, low: int, high: int) -> tuple[str, tuple[Shown, ...]]:
    figures = figures_within(lane.traces, low, high)
    angles = [DASH] * 3 if figures["sagittal_deg"] is None else [degrees(angle) for angle in figures["sagittal_deg"]]
    several = len(lane.offsets) > 1
    label = _clock(lane, low) + (f" {_offset_at(lane, low)}" if several else "")
    numbers = (*angles, f"{figures['forward_s'] / 60:.1f}", str(figures["alerts"]))
    return "", (Shown(label), *(Shown(text, is_number=True) for text in numbers))


def _clock(lane: Lane, at_ms: int) -> str:
    return clock_text(at_ms * _NS_PER_MS, lane.zone)


def _offset_at(lane: Lane, at_ms: int) -> str:
    return [offset.text for offset in lane.offsets if offset.from_ms <= at_ms][-1:][0]
