"""Which number each sample has, by its time: the rate, and where samples are missing, also where times jitter.

A sample that comes late and is followed by early ones is no loss; one is missing where time runs ahead of the count by
a period and stays so. Pure. Must never know: files, columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_GAP = 1.5  # so many periods between two samples are a gap, where times are regular
_ALONE_GAP = 2.5  # the same where they are not
_REGULAR = 0.02  # of a period: steps that are off by less on the whole are those of a regular clock
_BASELINE = 20  # steps: over so many, jitter is small beside the time that passes
_ENOUGH = 20_000  # samples tell a rate well enough to number them by
_NUMBERED_WITHIN_S = 1.0  # further off, the steps of time are no steps of the rate
_OWN = 0.1  # so far the rate of the times may be from the one in force
_ODD = 0.2  # of a period: a step so far from whole periods is looked at together with those around it
_AROUND = 40  # samples before and after it
_WANDERS, _FAR = 2.0, 8  # times whose errors grow so many times over so many steps wander
_WANDERING, _WILDEST = 0.15, 0.6  # periods of jitter: of times that may wander, and beyond which no number is sure

_JUMP_NATS = 10.0  # how unlikely a loss is beforehand: one in some ten thousand samples
_FOLLOW = 0.04  # a phase follows its samples by so much of what they are off
_LEAST_JITTER = 0.1
_FARTHEST, _FARTHEST_NATS = 1.0, 25.0  # periods: a sample that is further off says no more; nor is it less likely
_KEPT_ROWS, _WAYS = (
    14,
    8,
)  # explanations that are behind by so many samples at their worst, and more of them, are given up
_SEEDS = (0, -1, -2)
_NORMAL = 1.4826  # the standard deviation of normal errors over their median absolute one


@dataclass(frozen=True, slots=True)
class Numbered:
    """Samples (K,) numbered at a rate: their numbers, or None where they stand alone; the gaps between them."""

    index: Times | None
    gaps: int
    lost: int
    longest_ns: int


def rate_hz(t_ns: Times) -> float | None:
    """The rate by the times (K,) themselves, whatever is missing between them. None where they tell none."""
    if len(t_ns) < 2:
        return None
    return 1e9 / _period_ns(t_ns, len(t_ns))


def numbered(t_ns: Times, rate: float) -> Numbered:
    """Number samples (K,) that are in order; a gap skips as many numbers as samples are missing.

    Numbers follow from the steps of time, not from time itself, so that a rate that is a little off numbers no sample
    twice and leaves none out. Times too uneven to be numbered at this rate are not.
    """
    period_ns = 1e9 / rate
    own_ns = _period_ns(t_ns, _ENOUGH) if len(t_ns) > 1 else period_ns
    if abs(own_ns / period_ns - 1) < _OWN:
        period_ns = own_ns
    index = _index(t_ns, period_ns)
    steps_ns = np.diff(t_ns)
    if index is None or (np.abs(index / rate - (t_ns - t_ns[:1]) / 1e9) >= _NUMBERED_WITHIN_S).any():
        return _told(None, steps_ns, steps_ns > _ALONE_GAP * period_ns, 0)
    missing = np.diff(index) - 1
    return _told(index, steps_ns, missing > 0, int(missing.sum()))


def _told(index: Times | None, steps_ns: Times, gaps: Flags, lost: int) -> Numbered:
    longest_ns = int(steps_ns[gaps].max()) if gaps.any() else 0
    return Numbered(index, int(gaps.sum()), lost, longest_ns)


def _period_ns(t_ns: Times, fitted: int) -> float:
    """The time between two samples on the whole, gaps left out; times (K,) with K > 1.

    Where they jitter it is fitted to the first `fitted` of them.
    """
    steps_ns = np.diff(t_ns)
    usual_ns = float(np.median(steps_ns))
    plain_ns = float(steps_ns[steps_ns < _GAP * usual_ns].mean())
    if _jitter(steps_ns / usual_ns) < _REGULAR or len(t_ns) < 2 * _BASELINE:
        return plain_ns
    period_ns = float(np.median(t_ns[_BASELINE:] - t_ns[:-_BASELINE])) / _BASELINE
    for count in (_ENOUGH, _ENOUGH, fitted):
        index = _index(t_ns[:count], period_ns)
        if index is None:  # they have no rate: what is usual between them stands for it
            return plain_ns
        places, times = index - index.mean(), t_ns[:count] - t_ns[0]
        period_ns = float(places @ (times - times.mean()) / (places @ places))
    return period_ns


def _jitter(steps: Floats) -> float:
    """How far one sample is from its place, as a standard deviation in periods; `steps` (K,) in periods."""
    return float(np.median(np.abs(steps - 1))) * _NORMAL / 2**0.5 if len(steps) else 0.0


def _index(t_ns: Times, period_ns: float) -> Times | None:
    """Numbers from 0 on (K,); None where the times are too uneven for any."""
    steps = np.diff(t_ns) / period_ns
    whole = np.maximum(np.rint(steps).astype(np.int64), 1)
    if len(steps) < 2 * _BASELINE:  # too few to know their jitter
        return np.concatenate([[0], np.cumsum(whole)]) if (steps < 0.5).sum() <= 1 else None
    jitter = _jitter(steps)
    if jitter > _WANDERING and (jitter > _WILDEST or _wanders(steps)):
        return None
    odd = (np.abs(steps - np.rint(steps)) > _ODD) | (steps < 0.5)
    for first, end in _surroundings(odd):
        whole[first:end] = 1 + _missing(steps[first:end], max(jitter, _LEAST_JITTER))
    return np.concatenate([[0], np.cumsum(whole)])


def _wanders(steps: Floats) -> bool:
    """Whether errors add up from step to step, so that there is no place that samples keep to."""
    off = np.concatenate([[0.0], np.cumsum(steps - 1)])
    if len(off) <= _FAR:
        return False
    far, near = (float(np.median(np.abs(off[by:] - off[:-by]))) for by in (_FAR, 1))
    return far > _WANDERS * near


def _surroundings(odd: Flags) -> Iterator[tuple[int, int]]:
    """Stretches of steps that stand around odd ones, as (first, end)."""
    spread = np.zeros(len(odd) + 1, dtype=np.int64)
    places = np.flatnonzero(odd)
    np.add.at(spread, np.maximum(places - _AROUND, 0), 1)
    np.add.at(spread, np.minimum(places + _AROUND + 1, len(odd)), -1)
    yield from stretches(np.cumsum(spread)[:-1] > 0)


_Jumps = tuple[int, int, Any] | None  # the newest loss: its step, its size, and those before it
_Way = tuple[float, int, float, _Jumps]
"""One explanation of the samples so far: how unlikely it is, how many are missing, where samples stand between two
whole periods, the losses."""


def _missing(steps: Floats, jitter: float) -> Times:
    """How many samples are missing in each step (K,): of all explanations, the one that is least unlikely.

    Each sample is off by its jitter from a phase that moves slowly; each loss counts against an explanation. What is
    missing is never found again, so an explanation that takes a late sample for a loss is off from there on.
    """
    ahead = np.concatenate([[0.0], np.cumsum(steps - 1)])
    phase = float(np.median(ahead[: _AROUND // 2]))
    ways: list[_Way] = [(0.0, seed, phase, None) for seed in _SEEDS]
    weight = 0.5 / jitter**2
    for step, place in enumerate(ahead.tolist()):
        ways = _going_on(ways, step, place, weight)
    found, jumps = np.zeros(len(steps), dtype=np.int64), ways[0][3]
    while jumps is not None:
        step, size, jumps = jumps
        found[max(step - 1, 0)] += size
    return found


def _going_on(ways: Sequence[_Way], step: int, place: float, weight: float) -> list[_Way]:
    """The explanations with one more sample, the likeliest first."""
    best: dict[int, _Way] = {}
    for nats_before, missing, phase, jumps in ways:
        off = place - missing - phase
        whole = round(off) if step else 0
        for jump in (0,) if whole < 1 else (0, whole) if whole == 1 else (0, whole - 1, whole):
            left = min(max(off - jump, -_FARTHEST), _FARTHEST)
            nats = nats_before + min(weight * left * left, _FARTHEST_NATS) + (_JUMP_NATS if jump else 0.0)
            rival = best.get(missing + jump)
            if rival is None or nats < rival[0]:
                found = (step, jump, jumps) if jump else jumps
                best[missing + jump] = (nats, missing + jump, phase + _FOLLOW * left, found)
    if len(best) == 1:
        return list(best.values())
    likely = sorted(best.values(), key=lambda way: way[0])[:_WAYS]
    least = likely[0][0] + _KEPT_ROWS * min(weight, _FARTHEST_NATS)
    return [way for way in likely if way[0] < least]


def stretches(flags: Flags) -> Sequence[tuple[int, int]]:
    """Where runs of True begin and end (the end is not in it)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
