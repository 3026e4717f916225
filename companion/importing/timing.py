"""When each row was taken: order, rows that share a time, rows that come late.

Pure. Nothing is moved silently: what is left out or spread is counted and told. Must never know: files, columns.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from companion.errors import UsageError

Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_GAP = 1.5  # so many periods between two samples are a gap
_SHARED = 0.3  # of the rows have the time of the row before them: they come in packets
_COPIES = 0.95  # of the rows that share a time repeat all numbers too: then they are copies, and no packets
_EVEN = 0.8  # of the packets are as long as their rows say
_FEWEST_PACKETS = 3
_MOST_BACK = 0.01  # of the rows may be out of the order of time; more are no slips
_FEW_BACK = 100
_UNEVEN = 0.1  # of the usual step: steps that are off by more on the whole are those of times that jitter
_MOST_LATE = 0.1  # of their rows may come no later than the row before


@dataclass(frozen=True, slots=True)
class Ordered:
    """Rows in the order of time: which are kept (N,), their times (K,), and what was found."""

    kept: Flags
    t_ns: Times
    repeated: int  # rows that repeat a row and its time
    back: int  # rows at or before the time of an earlier row
    packet: float  # rows that share one time, on the whole; 0: each row has its own
    moved: int = (
        0  # rows of jittering times that were put between their neighbours, which keep them in the file's order
    )


def ordered(t_ns: Times, values: npt.NDArray[np.float64]) -> Ordered:
    """Put rows (N,) in order; raises UsageError where their times cannot be those of samples."""
    steps = np.diff(t_ns)
    same = np.concatenate([[False], steps == 0])
    again = same & np.concatenate([[False], _alike(values[1:], values[:-1])])
    if same.mean() > _SHARED and again.sum() < _COPIES * same.sum():
        return _spread(t_ns)
    newest = np.maximum.accumulate(t_ns)
    late = np.concatenate([[False], t_ns[1:] <= newest[:-1]])
    if late.any() and _jitters(t_ns, newest, late & ~again):
        between = _put_between(newest, ~again, late)
        if (np.diff(between.t_ns) > 0).all():  # there is room for all
            return between
    kept = np.concatenate([[True], t_ns[1:] > newest[:-1]])
    back = int((~kept & ~again).sum())
    if back > max(_FEW_BACK, _MOST_BACK * len(t_ns)):
        raise _runs_back(t_ns, newest)
    return Ordered(kept, t_ns[kept], int((~kept & again).sum()), back, 0.0)


def _alike(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Flags:
    """Rows (N,) whose numbers are the same, or missing in both."""
    return np.asarray(((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1))


def _jitters(t_ns: Times, newest: Times, late: Flags) -> bool:
    """Whether rows that are no later than the one before them are so because times jitter, all of them."""
    steps_ns = np.diff(newest)
    usual_ns = float(np.median(steps_ns))
    uneven = float(np.median(np.abs(steps_ns - usual_ns))) > _UNEVEN * usual_ns
    return uneven and late.mean() < _MOST_LATE and bool((newest[late] - t_ns[late] < usual_ns).all())


def _put_between(newest: Times, kept: Flags, late: Flags) -> Ordered:
    """Rows in the file's order: late ones stand evenly between the time before them and the next later one."""
    at_ns = newest[kept]
    firsts = np.flatnonzero(np.diff(at_ns, prepend=at_ns[0] - 1))
    counts = np.diff(firsts, append=len(at_ns))
    usual_ns = float(np.median(np.diff(at_ns)))
    room_ns = np.minimum(np.diff(at_ns[firsts], append=at_ns[-1] + round(usual_ns)), usual_ns)
    place = np.arange(len(at_ns)) - np.repeat(firsts, counts)
    found = at_ns + (place * np.repeat(room_ns / counts, counts)).astype(np.int64)
    return Ordered(kept, found, int((~kept).sum()), 0, 0.0, int((late & kept).sum()))


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
    if (np.diff(found) <= 0).any():
        raise _no_packets("no room for them in between")
    return Ordered(np.ones(len(t_ns), np.bool_), found, 0, 0, float(np.mean(counts)))


def _no_packets(what: str) -> UsageError:
    return UsageError(
        f"many rows share one time, with {what}: when each was taken cannot be told.",
        "Name the columns without t (--columns ax=...) and give --rate, if rows are evenly spaced.",
    )
