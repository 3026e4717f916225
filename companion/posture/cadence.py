"""The part of |a| that lies at walking cadence: a finite band-pass over means of a few samples.

Samples are averaged in groups down to some 12.5 a second, which is plenty for steps and costs a fraction. Finite on
purpose: every output is the same sum of the same inputs, in the same order, for any cut; and a recursive filter would
need a package that takes a second to load. Knows: evenly spaced numbers. Must never know: what is made of them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from companion.posture.stage import Array

BAND_HZ = (1.1, 3.0)
"""Steps of a walk: 1.4 to 2.5 a second, with a margin for the filter's skirts."""

LENGTH_S = 1.2
"""Of the filter; its output trails its input by half of that."""

_FEW = 16  # so many values need fewer calls than there are taps
_GROUP_HZ = 12.5
_LEAST_HZ = 2.5 * BAND_HZ[1]
"""A slower sensor cannot see steps."""


@dataclass(frozen=True, slots=True)
class CadenceState:
    """What the next outputs continue from."""

    period_ns: int = 0
    group: Array | None = None  # samples of the group that is filling; None: nothing to continue
    before: Array | None = None  # the newest inputs of the band-pass; None: no group was complete yet


def at_cadence(state: CadenceState, values: Array, period_ns: int, breaks: Array) -> tuple[CadenceState, Array, Array]:
    """For each completed group of `values` (N,): the place of its last sample, and its part at walking cadence.

    Nothing is continued across `breaks`, the places of samples that begin anew. The parts are scaled so that their
    squares add up as if every sample of the group had one.
    """
    if len(breaks) == 0 and state.group is not None:
        return _continued(state, values)  # nearly always
    places, parts = [], []
    for first, end in pairwise(sorted({0, *breaks.tolist(), len(values)})):
        if state.group is None or first in breaks:
            state = CadenceState(period_ns=period_ns, group=values[:0])
        state, lasts, made = _continued(state, values[first:end])
        places.append(first + lasts)
        parts.append(made)
    if len(parts) == 1:
        return state, places[0], parts[0]
    return state, np.concatenate([np.empty(0, np.intp), *places]), np.concatenate([np.empty(0), *parts])


def _continued(state: CadenceState, values: Array) -> tuple[CadenceState, Array, Array]:
    size, taps = _band_pass(state.period_ns)
    assert state.group is not None
    inputs = np.concatenate([state.group, values])
    count = len(inputs) // size if taps else 0
    if count == 0:
        state = CadenceState(state.period_ns, inputs[: size - 1], state.before)
        return state, np.empty(0, np.intp), np.empty(0)
    means = _group_means(inputs[: count * size].reshape(count, size))
    # What came before the first group is taken to be like it, so that a sensor that reads 1.3 g makes no step at 0.
    before = state.before if state.before is not None else np.full(2 * (len(taps) - 1), means[0])
    parts, before = _filtered(taps, before, means)
    lasts = np.arange(size, len(inputs) + 1, size) - (1 + len(inputs) - len(values))
    return CadenceState(state.period_ns, inputs[count * size :], before), lasts, parts * math.sqrt(size)


def _group_means(groups: Array) -> Array:
    total = groups[:, 0].copy()
    for place in range(1, groups.shape[1]):  # added in a fixed order, whatever the number of groups
        total += groups[:, place]
    return np.asarray(total / groups.shape[1])


@lru_cache(maxsize=32)
def _band_pass(period_ns: int) -> tuple[int, tuple[float, ...]]:
    """The size of a group, and half of a symmetric band-pass, its middle last; no taps where the sensor is too slow.

    An ideal band-pass under Hann's window, less what makes its sum zero: a constant does not get through at all.
    """
    rate_hz = 1e9 / max(period_ns, 1)
    if rate_hz <= _LEAST_HZ:
        return 1, ()
    size = max(int(rate_hz // _GROUP_HZ), 1)
    rate_hz /= size
    half = round(rate_hz * LENGTH_S / 2)
    t_s = np.arange(-half, half + 1) / rate_hz
    low, high = (2 * edge_hz * np.sinc(2 * edge_hz * t_s) for edge_hz in BAND_HZ)
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(-half, half + 1) / (half + 1))
    taps = (high - low) * window / rate_hz
    taps -= window * (taps.sum() / window.sum())
    return size, tuple(taps[: half + 1].tolist())


def _filtered(taps: tuple[float, ...], before: Array, values: Array) -> tuple[Array, Array]:
    """`values` through the filter, and what the next ones need of the inputs so far."""
    inputs = np.concatenate([before, values])
    count, last = len(values), 2 * (len(taps) - 1)
    if count <= _FEW:
        return _few_filtered(taps, inputs, count), inputs[count:]
    made = taps[-1] * inputs[last // 2 : last // 2 + count]
    for place, tap in enumerate(taps[:-1]):
        made += tap * (inputs[place : place + count] + inputs[last - place : last - place + count])
    return made, inputs[count:]


def _few_filtered(taps: tuple[float, ...], inputs: Array, count: int) -> Array:
    """The same sums of the same products in the same order, in fewer calls: for the few values of a live packet."""
    weights, early, late = _laid_out(taps, count)
    products = inputs.take(early)
    products[1:] += inputs.take(late)
    products *= weights
    return np.asarray(np.add.accumulate(products)[-1])


@lru_cache(maxsize=64)
def _laid_out(taps: tuple[float, ...], count: int) -> tuple[Array, Array, Array]:
    """The weights (K, 1) in their order, the middle first, and for each which inputs (K, N) and (K - 1, N) it takes."""
    half = len(taps) - 1
    outputs, places = np.arange(count), np.arange(half)[:, None]
    early = np.concatenate([outputs[None] + half, places + outputs])
    return np.array([taps[-1], *taps[:-1]])[:, None], early, 2 * half - places + outputs
