"""When each row was taken: order, rows that share a time, gaps, the numbers of samples.

Pure. Nothing is moved silently: what is left out or spread is counted and told. Must never know: files, columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from companion.errors import UsageError

Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_GAP = 1.5  # so many periods between two samples are a gap
_NUMBERED_WITHIN_S = 1.0  # further off, the steps of time are no steps of the rate
_SHARED = 0.3  # of the rows have the time of the row before them: they come in packets
_COPIES = 0.95  # of the rows that share a time repeat all numbers too: then they are copies, and no packets
_EVEN = 0.8  # of the packets are as long as their rows say
_FEWEST_PACKETS = 3
_MOST_BACK = 0.01  # of the rows may be out of the order of time; more are no slips
_FEW_BACK = 100


@dataclass(frozen=True, slots=True)
class Ordered:
    """Rows in the order of time: which are kept (N,), their times (K,), and what was found."""

    kept: Flags
    t_ns: Times
    repeated: int  # rows that repeat a row and its time
    back: int  # rows at or before the time of an earlier row
    packet: float  # rows that share one time, on the whole; 0: each row has its own


@dataclass(frozen=True, slots=True)
class Numbered:
    """Samples (K,) numbered at a rate: their numbers, or None where they stand alone; the gaps between them."""

    index: Times | None
    gaps: int
    lost: int
    longest_ns: int


def ordered(t_ns: Times, values: npt.NDArray[np.float64]) -> Ordered:
    """Put rows (N,) in order; raises UsageError where their times cannot be those of samples."""
    steps = np.diff(t_ns)
    same = np.concatenate([[False], steps == 0])
    again = same & np.concatenate([[False], _alike(values[1:], values[:-1])])
    if same.mean() > _SHARED and again.sum() < _COPIES * same.sum():
        return _spread(t_ns)
    newest = np.maximum.accumulate(t_ns)
    kept = np.concatenate([[True], t_ns[1:] > newest[:-1]])
    back = int((~kept & ~again).sum())
    if back > max(_FEW_BACK, _MOST_BACK * len(t_ns)):
        raise _runs_back(t_ns, newest)
    return Ordered(kept, t_ns[kept], int((~kept & again).sum()), back, 0.0)


def _alike(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Flags:
    """Rows (N,) whose numbers are the same, or missing in both."""
    return np.asarray(((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1))


def _runs_back(t_ns: Times, newest: Times) -> UsageError:
    place = int(np.argmax(np.concatenate([[False], t_ns[1:] < newest[:-1]])))
    by_s = (newest[place - 1] - t_ns[place]) / 1e9 if place else 0.0
    return UsageError(
        f"the time runs back by {by_s:.4g} s at row {place + 1}: the file seems to hold more than one recording.",
        "Cut it there, or name its columns without t (--columns ax=...) and give --rate.",
    )


def _spread(t_ns: Times) -> Ordered:
    """Rows that come in packets with one time each: spread evenly from there to the next packet."""
    firsts = np.flatnonzero(np.concatenate([[True], np.diff(t_ns) != 0]))
    counts = np.diff(firsts, append=len(t_ns))
    at_ns = t_ns[firsts]
    if len(firsts) < _FEWEST_PACKETS or (np.diff(at_ns) <= 0).any():
        raise _no_packets("too few times, or times that run back")
    each_ns = np.diff(at_ns) / counts[:-1]
    usual_ns = float(np.median(np.repeat(each_ns, counts[:-1])))
    even = np.abs(each_ns / usual_ns - 1) <= 0.5
    if even[1:].mean() < _EVEN if len(even) > 2 else not even.any():
        raise _no_packets("packets that are not evenly filled")
    step_ns = np.append(np.minimum(each_ns, _GAP * usual_ns), usual_ns)
    step_ns[step_ns >= _GAP * usual_ns] = usual_ns  # a gap follows: rows are not stretched over it
    place = np.arange(len(t_ns)) - np.repeat(firsts, counts)
    found = np.repeat(at_ns, counts) + np.rint(place * np.repeat(step_ns, counts)).astype(np.int64)
    if each_ns[0] > _GAP * usual_ns:  # the first packet is what was left of one: it ends where the second begins
        found[: counts[0]] = at_ns[1] - np.rint((counts[0] - place[: counts[0]]) * usual_ns).astype(np.int64)
    return Ordered(np.ones(len(t_ns), np.bool_), found, 0, 0, float(np.mean(counts)))


def _no_packets(what: str) -> UsageError:
    return UsageError(
        f"many rows share one time, with {what}: when each was taken cannot be told.",
        "Name the columns without t (--columns ax=...) and give --rate, if rows are evenly spaced.",
    )


def rate_hz(t_ns: Times) -> float | None:
    """The rate by the times (K,) themselves: from the mean step, gaps left out. None where they tell none."""
    if len(t_ns) < 2:
        return None
    steps_ns = np.diff(t_ns)
    return float(1e9 / steps_ns[steps_ns < _GAP * np.median(steps_ns)].mean())


def numbered(t_ns: Times, rate: float) -> Numbered:
    """Number samples (K,) that are in order; a gap skips as many numbers as samples are missing.

    Numbers follow from the steps of time, not from time itself, so that a rate that is a little off numbers no sample
    twice and leaves none out. Times too uneven to be numbered at this rate are not.
    """
    steps = np.diff(t_ns) * (rate / 1e9)
    whole = np.rint(steps).astype(np.int64)
    index = np.concatenate([[0], np.cumsum(np.maximum(whole, 1))])
    close = np.abs(index / rate - (t_ns - t_ns[:1]) / 1e9) < _NUMBERED_WITHIN_S
    uneven = (whole < 1).sum() > max(0.01 * len(whole), 1)
    gaps = steps > _GAP
    longest_ns = int(np.diff(t_ns)[gaps].max()) if gaps.any() else 0
    lost = int((np.maximum(whole, 1) - 1).sum())
    return Numbered(index if close.all() and not uneven else None, int(gaps.sum()), lost, longest_ns)


def stretches(flags: Flags) -> Sequence[tuple[int, int]]:
    """Where runs of True begin and end (the end is not in it)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
