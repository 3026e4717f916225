"""From samples to one row each fifth of a second: means of the up vector, spread of the acceleration, silence.

A row at t covers the samples with t - 1 s < t_sample <= t. It is complete when a sample or the clock says that nothing
earlier can come. Sums are kept per bin of 0.2 s, each added up in the order of its samples, so that a row's bits do not
depend on how the samples arrived in blocks. Knows: time. Must never know: baselines, limits.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from companion.posture.rows import ROW_NS
from companion.posture.stage import ROWS, Array, Beat, Joint, runs

ANGLE_BINS = 5  # 1 s
SPREAD_BINS = 10  # 2 s
STRIDE_BINS = 20  # 4 s: six to ten steps

STRIDE_BAND_HZ = (1.1, 3.0)
"""Steps of a walk: 1.4 to 2.5 a second, with a margin for the filter's skirts."""

STRIDE_FILTER_S = 1.2

_LEAST_SHARE = 0.5  # of the samples that a full window would hold

_SUMS = ("n", "n_up", "up_x", "up_y", "up_z", "a", "aa", "stride", "unsettled", "clipped", "accel_only")
BINS = np.dtype([(name, "<f8") for name in _SUMS])


@dataclass(frozen=True, slots=True)
class WindowsState:
    """The bins that are still needed, the one that is filling, and what the next rows continue from."""

    bins: Array  # (STRIDE_BINS,) BINS: the newest complete ones, then the sums so far of the filling one
    done: int = 0  # number of the newest row given out
    heard_ns: int = 0  # session time of the newest sample
    period_ns: int = 0
    before: Array | None = None  # the newest inputs of the band-pass


@dataclass(frozen=True, slots=True)
class Windows:
    """Stage: UPS to ROWS."""

    def start(self) -> WindowsState:
        """No rows, no samples."""
        return WindowsState(bins=np.zeros(STRIDE_BINS, dtype=BINS))

    def step(self, state: WindowsState, block: Array) -> tuple[WindowsState, Array]:
        """The rows that `block` completed."""
        if len(block) == 0:
            return state, np.empty(0, dtype=ROWS)
        sample = block["beat"] == Beat.SAMPLE
        # The bin of a sample, and the newest row that each element proves complete.
        bins = np.maximum(-(-block["t_session_ns"] // ROW_NS), 1)
        complete = np.where(sample, bins - 1, block["t_session_ns"] // ROW_NS)
        frontier = np.maximum.accumulate(np.concatenate([[state.done], complete]))
        timely = np.flatnonzero(sample & (bins > frontier[:-1]))
        samples, last = block[timely], int(frontier[-1])
        after, stride = _stride(state, samples)
        sums = _sums(state, samples, bins[timely] - state.done, stride, max(last - state.done, 0))
        return _moved(after, sums, samples, last), _rows(state, sums, samples, last)


def forget_directions(state: WindowsState) -> WindowsState:
    """The same state without the up vectors summed so far: for when the frame they are in has changed."""
    bins = state.bins.copy()
    for name in ("n_up", "up_x", "up_y", "up_z"):
        bins[name] = 0
    return replace(state, bins=bins)


def _stride(state: WindowsState, samples: Array) -> tuple[WindowsState, Array]:
    """The part of |a| - 1 g at walking cadence, at each sample."""
    made = np.zeros(len(samples))
    begins = (samples["joint"] & Joint.RESTART) != 0
    before, period_ns = state.before, state.period_ns
    for first, end in runs(np.cumsum(begins)):
        piece = samples[first:end]
        if begins[first] or before is None or int(piece["period_ns"][0]) != period_ns:
            period_ns = int(piece["period_ns"][0])
            before = np.zeros(max(2 * (len(_band_pass(period_ns)) - 1), 0))
        made[first:end], before = _filtered(_band_pass(period_ns), before, piece["acc_norm_g"] - 1.0)
    return replace(state, before=before, period_ns=period_ns), made


@lru_cache(maxsize=32)
def _band_pass(period_ns: int) -> tuple[float, ...]:
    """Half of a symmetric band-pass of about 1.2 s, its middle last: an ideal one under Hann's window.

    Finite on purpose: every output is the same sum of the same inputs, in the same order, for any cut; and a recursive
    one would need a package that takes a second to load.
    """
    rate_hz = 1e9 / max(period_ns, 1)
    half = round(rate_hz * STRIDE_FILTER_S / 2)
    if rate_hz <= 2.5 * STRIDE_BAND_HZ[1]:
        return ()  # too slow a sensor to see steps
    t_s = np.arange(-half, 1) / rate_hz
    low, high = (2 * edge_hz * np.sinc(2 * edge_hz * t_s) for edge_hz in STRIDE_BAND_HZ)
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(-half, 1) / (half + 1))
    return tuple(((high - low) * window / rate_hz).tolist())


def _filtered(taps: tuple[float, ...], before: Array, values: Array) -> tuple[Array, Array]:
    """`values` through the filter, and what the next ones need of the inputs so far."""
    if not taps:
        return np.zeros(len(values)), before
    inputs = np.concatenate([before, values])
    count, last = len(values), 2 * (len(taps) - 1)
    made = taps[-1] * inputs[last // 2 : last // 2 + count]
    for place, tap in enumerate(taps[:-1]):
        made += tap * (inputs[place : place + count] + inputs[last - place : last - place + count])
    return made, inputs[count:]


def _sums(state: WindowsState, samples: Array, places: Array, stride: Array, complete: int) -> Array:
    """Bins: the state's, then `complete` finished ones, then the one that is filling now."""
    sums = np.zeros(STRIDE_BINS - 1 + complete + 1, dtype=BINS)
    sums[: STRIDE_BINS - 1] = state.bins[:-1]
    count = complete + 1
    a, settled = samples["acc_norm_g"] - 1.0, samples["settled"]
    values = {
        "n": np.ones(len(samples)),
        "n_up": settled,
        "up_x": samples["up"][:, 0] * settled,
        "up_y": samples["up"][:, 1] * settled,
        "up_z": samples["up"][:, 2] * settled,
        "a": a,
        "aa": a * a,
        "stride": stride * stride,
        "unsettled": ~settled,
        "clipped": (samples["joint"] & Joint.CLIPPED) != 0,
        "accel_only": ~samples["gyro"],
    }
    where = np.concatenate([[0], places - 1])
    for name, value in values.items():
        # bincount adds in order, beginning with what the filling bin already holds: the same bits for any cut.
        weights = np.concatenate([[state.bins[name][-1]], value])
        sums[name][STRIDE_BINS - 1 :] = np.bincount(where, weights=weights, minlength=count)
    return sums


def _rows(state: WindowsState, sums: Array, samples: Array, last: int) -> Array:
    rows = np.zeros(last - state.done, dtype=ROWS)
    if len(rows) == 0:
        return rows
    rows["t_session_ns"] = t_ns = np.arange(state.done + 1, last + 1) * ROW_NS
    heard = np.concatenate([[state.heard_ns], samples["t_session_ns"]])
    newest = np.searchsorted(heard, t_ns, side="right") - 1
    rows["silent_ns"] = np.maximum(t_ns - heard[np.maximum(newest, 0)], 0)
    periods = np.concatenate([[state.period_ns], samples["period_ns"]])[np.maximum(newest, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["rate_hz"] = rate_hz = np.where(periods > 0, 1e9 / periods, np.nan)
        _fill_angle(rows, sums, rate_hz)
        _fill_spread(rows, sums, rate_hz)
    for name in ("sagittal_deg", "lateral_deg", "inclination_deg", "slouch_pct", "deviation_deg"):
        rows[name] = np.nan
    return rows


def _fill_angle(rows: Array, sums: Array, rate_hz: Array) -> None:
    n_up = _slide(sums["n_up"], ANGLE_BINS)
    enough = n_up >= np.maximum(_LEAST_SHARE * rate_hz * ANGLE_BINS * ROW_NS * 1e-9, 1)
    for axis, name in enumerate(("up_x", "up_y", "up_z")):
        rows["up"][:, axis] = np.where(enough, _slide(sums[name], ANGLE_BINS) / n_up, np.nan)
    rows["settled"] = enough & (_slide(sums["unsettled"], ANGLE_BINS) == 0)
    rows["clipped"] = _slide(sums["clipped"], ANGLE_BINS) > 0
    rows["gyro"] = _slide(sums["accel_only"], ANGLE_BINS) == 0


def _fill_spread(rows: Array, sums: Array, rate_hz: Array) -> None:
    n = _slide(sums["n"], SPREAD_BINS)
    enough = n >= np.maximum(_LEAST_SHARE * rate_hz * SPREAD_BINS * ROW_NS * 1e-9, 2)
    rows["acc_sd_g"] = np.where(enough, np.sqrt(_variance(sums, SPREAD_BINS, n)), np.nan)
    n = _slide(sums["n"], STRIDE_BINS)
    variance, stride = _variance(sums, STRIDE_BINS, n), _slide(sums["stride"], STRIDE_BINS) / n
    rows["stride_sd_g"] = np.sqrt(stride)
    rows["stride_share"] = np.where(variance > 0, stride / variance, 0.0)


def _variance(sums: Array, bins: int, n: Array) -> Array:
    mean = _slide(sums["a"], bins) / n
    return np.asarray(np.maximum(_slide(sums["aa"], bins) / n - mean * mean, 0.0))


def _slide(values: Array, bins: int) -> Array:
    """Sums over the `bins` newest bins at each completed one, added in a fixed order."""
    first, count = STRIDE_BINS - bins, len(values) - STRIDE_BINS
    total = values[first : first + count].copy()
    for place in range(first + 1, STRIDE_BINS):
        total += values[place : place + count]
    return np.asarray(total)


def _moved(state: WindowsState, sums: Array, samples: Array, last: int) -> WindowsState:
    heard = int(samples["t_session_ns"][-1]) if len(samples) else state.heard_ns
    return replace(state, bins=sums[-STRIDE_BINS:].copy(), done=max(last, state.done), heard_ns=heard)
