"""Acceleration and angular rate that come in two streams, as one.

Pure. Knows: arrays on one clock. Must never know: files, loggers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from companion.errors import UsageError

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

_HOLE = 2.5
"""So many usual steps between two values are a hole, across which nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Values (N, 3) at times (N,) in ns, which grow."""

    t_ns: Times
    values: Floats


def at_times(stream: Stream, t_ns: Times) -> Floats:
    """A stream's values (K, 3) at other times (K,), by straight lines; NaN outside of it and in its holes."""
    after = np.searchsorted(stream.t_ns, t_ns)
    inside = (after > 0) & (after < len(stream.t_ns))
    inside |= (after < len(stream.t_ns)) & (stream.t_ns[np.minimum(after, len(stream.t_ns) - 1)] == t_ns)
    right = np.clip(after, 1, len(stream.t_ns) - 1)
    span_ns = stream.t_ns[right] - stream.t_ns[right - 1]
    part = (t_ns - stream.t_ns[right - 1]) / span_ns
    found = stream.values[right - 1] + part[:, None] * (stream.values[right] - stream.values[right - 1])
    exact = part == 1.0
    found[exact] = stream.values[right[exact]]
    holes = (span_ns > _HOLE * np.median(np.diff(stream.t_ns))) & (part > 0) & (part < 1)
    found[~inside | holes] = np.nan
    return found


def joined(acc: Stream, gyr: Stream) -> Floats:
    """The rates (N, 3) at the accelerations' times; raises UsageError where the two share no time."""
    if len(gyr.t_ns) < 2:
        raise UsageError("there are fewer than two angular rates.", "Name the acceleration's file to go without.")
    found = at_times(gyr, acc.t_ns)
    if np.isnan(found).all():
        apart_s = max(gyr.t_ns[0] - acc.t_ns[-1], acc.t_ns[0] - gyr.t_ns[-1]) / 1e9
        raise UsageError(
            f"acceleration and angular rate were not taken at one time: {apart_s:.4g} s lie between them.",
            "Name the acceleration's file to go without angular rate.",
        )
    return found


def added(free: Stream, gravity: Stream) -> Stream:
    """Acceleration with gravity, at the times at which both are known."""
    if len(gravity.t_ns) < 2:
        raise UsageError("there are fewer than two values of gravity.", "Log the acceleration with gravity in it.")
    total = free.values + at_times(gravity, free.t_ns)
    known = np.isfinite(total).all(axis=1)
    return Stream(free.t_ns[known], total[known])
