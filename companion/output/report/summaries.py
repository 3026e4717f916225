"""Each plot in words and numbers, for those who do not see it: a sentence, and a table of its values.

Pure. Knows: lanes, stacks. Must never know: HTML, how a plot is drawn.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from companion.output.report.lanes import Lane, Offset, ahead_ms
from companion.output.report.names import kind_words
from companion.output.report.stacks import Stack, long_day
from companion.output.report.tables import DASH, Grid, Shown
from companion.output.words import counted
from companion.overview import KINDS
from companion.tables.instants import clock_text, duration_words

_NS_PER_MS = 1_000_000
_MINUTE_MS = 60_000
_STEPS_MIN = (1, 5, 15, 30, 60, 120, 240, 480, 1440)
_MOST_ROWS = 24
_JUDGED = frozenset({"in_range", "forward", "reclined"})


def lane_title(lane: Lane) -> str:
    """Which day, and whose clock."""
    return f"{long_day(lane.day)}, clock times of {lane.zone} ({offset_words(lane.offsets)})"


def offset_words(offsets: Sequence[Offset]) -> str:
    """Such as "UTC+01:00", or "UTC+02:00, then UTC+01:00"."""
    return ", then ".join(f"UTC{offset.text}" for offset in offsets)


def lane_sentence(lane: Lane) -> str:
    """What the plot of angles shows, in a sentence or two."""
    begin, end = _ends(lane)
    means = np.concatenate([trace.mean_deg for trace in lane.traces] or [np.empty(0)])
    known = means[np.isfinite(means)]
    if not len(known):
        angles = "No angle from a baseline is known."
    else:
        low, middle, high = np.percentile(known, (5, 50, 95))
        angles = f"Half of the time at or below {middle:.1f}°, nine tenths of it from {low:.1f} to {high:.1f}°."
    alerts = sum(len(trace.alerts_utc_ms) for trace in lane.traces)
    if not _JUDGED & lane.stretches.keys():
        return f"{angles} Nothing was judged between {_clock(lane, begin)} and {_clock(lane, end)}."
    return (
        f"{angles} Forward of the baseline for {duration_words(_seconds(lane, 'forward', begin, end))}, "
        f"{counted(alerts, 'alert')}, between {_clock(lane, begin)} and {_clock(lane, end)}."
    )


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


def legend(shares: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    """The kinds that occur, with their words."""
    return tuple((kind, kind_words(kind)) for kind in KINDS if shares.get(kind))


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
    columns = list[np.ndarray]()
    for trace in lane.traces:
        here = (trace.utc_ms >= low) & (trace.utc_ms < high) & np.isfinite(trace.mean_deg)
        columns.append(np.stack([trace.mean_deg[here], trace.least_deg[here], trace.most_deg[here]]))
    known = np.concatenate(columns, axis=1)
    angles = [f"{known[0].mean():.1f}", f"{known[1].min():.1f}", f"{known[2].max():.1f}"] if known.size else [DASH] * 3
    alerts = sum(low <= at < high for trace in lane.traces for at in trace.alerts_utc_ms)
    several = len(lane.offsets) > 1
    label = _clock(lane, low) + (f" {_offset_at(lane, low)}" if several else "")
    minutes = _seconds(lane, "forward", low, high) / 60
    return "", (Shown(label), *(Shown(text, is_number=True) for text in (*angles, f"{minutes:.1f}", str(alerts))))


def _seconds(lane: Lane, kind: str, low: int, high: int) -> float:
    stretches = lane.stretches.get(kind)
    if stretches is None:
        return 0.0
    begins, ends = stretches.columns["from_ms"], stretches.columns["to_ms"]
    return float(np.maximum(np.minimum(ends, high) - np.maximum(begins, low), 0.0).sum()) / 1000


def _clock(lane: Lane, at_ms: int) -> str:
    return clock_text(at_ms * _NS_PER_MS, lane.zone)


def _offset_at(lane: Lane, at_ms: int) -> str:
    return [offset.text for offset in lane.offsets if offset.from_ms <= at_ms][-1:][0]
