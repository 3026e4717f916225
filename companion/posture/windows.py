"""From samples to one row each fifth of a second: means of the up vector, spread of the acceleration, silence.

A row at t covers the samples with t - 1 s < t_sample <= t. It is complete when a sample or the clock says that nothing
earlier can come. Sums are kept per bin of 0.2 s, each added up in the order of its samples, so that a row's bits do not
depend on how the samples arrived in blocks. Knows: time. Must never know: baselines, limits.
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from companion.posture.cadence import CadenceState, at_cadence
from companion.posture.rows import ROW_NS
from companion.posture.stage import ROWS, Array, Beat, Columns, Joint, joined_rows, runs
from companion.posture.velocity import VelocityState, turning_dps

ANGLE_BINS = 5  # 1 s
SPREAD_BINS = 10  # 2 s: three to five steps
REST_BINS = 20  # 4 s: a breath or two
LATE_BINS = 3  # by so much the part at walking cadence trails the samples

_LEAST_SHARE = 0.5  # of the samples that a full window would hold
_REST_LEAST_BINS = 3  # of the bins of 4 s must hold samples: a sensor of 1 Hz fills so many
_NORM_G = (0.5, 2.0)
"""The mean of |a| over seconds is 1 g by nature; a sensor that reads otherwise is off by so much at the most."""


_UNKNOWN = ("velocity_dps", "sagittal_deg", "lateral_deg", "inclination_deg", "slouch_pct", "deviation_deg")
"""Of a row: what other stages fill in, and what is NaN where nothing was heard."""


class _Sum(IntEnum):
    """What is summed in each bin, as rows of one array; those that share a window lie side by side."""

    N = 0
    A = 1  # |a| - 1 g
    AA = 2
    STRIDE = 3  # square of its part at walking cadence
    SIGMA = 4  # square of the filter's standard deviation
    UP_X = 5  # where the filter has settled
    UP_Y = 6
    UP_Z = 7
    RAW_X = 8  # where it has not
    RAW_Y = 9
    RAW_Z = 10
    UNSETTLED = 11
    CLIPPED = 12
    FROZEN = 13
    ACCEL_ONLY = 14


_ACC = slice(_Sum.N, _Sum.SIGMA)
_UPS, _RAWS = (_Sum.UP_X, _Sum.UP_Y, _Sum.UP_Z), (_Sum.RAW_X, _Sum.RAW_Y, _Sum.RAW_Z)
_NONE, _FILLING = np.empty(0, np.intp), np.zeros(1, np.intp)
_UP, _RAW = slice(_Sum.UP_X, _Sum.RAW_X), slice(_Sum.RAW_X, _Sum.UNSETTLED)


@dataclass(frozen=True, slots=True)
class WindowsState:
    """The bins that are still needed, the one that is filling, and what the next rows continue from."""

    bins: Array  # (len(_Sum), REST_BINS): the newest complete ones, then the sums so far of the filling one
    done: int = 0  # number of the newest row given out
    heard_ns: int = 0  # session time of the newest sample
    period_ns: int = 0  # of the samples summed so far
    cadence: CadenceState = field(default_factory=CadenceState)
    velocity: VelocityState = field(default_factory=VelocityState)
    waiting: tuple[Columns, ...] = ()  # samples of the filling bin that are not summed yet, all of one period


@dataclass(frozen=True, slots=True)
class Windows:
    """Stage: UPS to ROWS."""

    def start(self) -> WindowsState:
        """No rows, no samples."""
        return WindowsState(bins=np.zeros((len(_Sum), REST_BINS)))

    def step(self, state: WindowsState, block: Columns) -> tuple[WindowsState, Array]:
        """The rows that `block` completed."""
        beats, periods = block["beat"], block["period_ns"]
        if len(block) and not beats.any() and (periods == periods[0]).all():
            return _heard(state, block)
        made = [np.empty(0, dtype=ROWS)]
        for first, end in runs(np.where(beats == Beat.SAMPLE, periods, -1)):
            step = _heard if beats[first] == Beat.SAMPLE else _waited
            state, rows = step(state, block[first:end])
            made.append(rows)
        return state, joined_rows(made)


def forget_directions(state: WindowsState) -> WindowsState:
    """The same state without the up vectors summed so far: for when the frame they are in has changed."""
    state = _all_summed(state)
    bins = state.bins.copy()
    bins[_UP] = bins[_RAW] = 0
    bins[_Sum.UNSETTLED] = bins[_Sum.N]
    return replace(state, bins=bins, velocity=VelocityState())


def _heard(state: WindowsState, samples: Columns) -> tuple[WindowsState, Array]:
    """Samples of one period, in order. Those that complete no row wait: packets are many, rows are few."""
    t_ns = samples["t_session_ns"]
    if state.done and t_ns[0] <= state.done * ROW_NS:
        samples = samples[int(np.searchsorted(t_ns, state.done * ROW_NS, side="right")) :]
        t_ns = samples["t_session_ns"]
        if len(samples) == 0:
            return state, np.empty(0, dtype=ROWS)  # they came too late: their rows are given out already
    if state.waiting and samples["period_ns"][0] != state.waiting[0]["period_ns"][0]:
        state = _all_summed(state)
    waiting, newest_ns = (*state.waiting, samples), int(t_ns[-1])
    last = max(-(-newest_ns // ROW_NS) - 1, state.done)
    if last == state.done:
        return replace(state, heard_ns=newest_ns, waiting=waiting), np.empty(0, dtype=ROWS)
    samples = Columns.joined(waiting)
    return _summed(replace(state, waiting=()), samples, last)


def _waited(state: WindowsState, ticks: Columns) -> tuple[WindowsState, Array]:
    """Nothing came: rows up to the newest tick."""
    state = _all_summed(state)
    last = max(int(ticks["t_session_ns"].max()) // ROW_NS, state.done)
    fresh = np.zeros((len(_Sum), last - state.done + 1))
    fresh[:, 0] = state.bins[:, -1]
    rows = _blank(state, last)
    if len(rows) and fresh[_Sum.N, 0]:
        rows["velocity_dps"][0] = state.velocity.at_newest_dps(state.period_ns)
    return _completed(state, fresh, rows)


def _all_summed(state: WindowsState) -> WindowsState:
    """The same state with no samples waiting."""
    if not state.waiting:
        return state
    return _summed(replace(state, waiting=()), Columns.joined(state.waiting), state.done)[0]


def _blank(state: WindowsState, last: int) -> Array:
    """Rows up to number `last` that nothing was heard for."""
    rows = np.zeros(last - state.done, dtype=ROWS)
    rows["t_session_ns"] = t_ns = np.arange(state.done + 1, last + 1) * ROW_NS
    rows["silent_ns"] = t_ns - state.heard_ns
    rows["rate_hz"] = 1e9 / state.period_ns if state.period_ns else np.nan
    for name in _UNKNOWN:
        rows[name] = np.nan
    return rows


def _summed(state: WindowsState, samples: Columns, last: int) -> tuple[WindowsState, Array]:
    """Samples of one period into their bins; the rows up to number `last`, which they complete."""
    t_ns, joint, period_ns = samples["t_session_ns"], samples["joint"], int(samples["period_ns"][0])
    rows = _blank(state, last)
    ends = np.searchsorted(t_ns, rows["t_session_ns"], side="right")
    edges = np.concatenate([[0], ends, [len(t_ns)]])
    counts = edges[1:] - edges[:-1]
    where = np.repeat(np.arange(len(counts)), counts)
    begins = np.flatnonzero(joint & Joint.RESTART) if joint.any() else _NONE
    if period_ns != state.period_ns:
        begins = np.union1d(begins, [0])
    fresh = np.zeros((len(_Sum), len(counts)))
    fresh[:, 0] = state.bins[:, -1]
    fresh[_Sum.N] += counts
    a = samples["acc_norm_g"] - 1.0
    cadence, places, stride = at_cadence(state.cadence, a, period_ns, begins)
    after = np.concatenate([_FILLING, where])  # what the filling bin holds comes first
    _add(fresh, _Sum.STRIDE, after[np.concatenate([_FILLING, places + 1])], stride * stride)
    _add(fresh, _Sum.A, after, a)
    _add(fresh, _Sum.AA, after, a * a)
    _add_directions(fresh, after, samples)
    velocity, rows["velocity_dps"] = turning_dps(state.velocity, samples, begins, period_ns, ends - 1)
    rows["velocity_dps"][fresh[_Sum.N, :-1] == 0] = np.nan
    _place_in_time(rows, ends, t_ns, period_ns)
    state = WindowsState(state.bins, state.done, int(t_ns[-1]), period_ns, cadence, velocity)
    return _completed(state, fresh, rows)


def _place_in_time(rows: Array, ends: Array, t_ns: Array, period_ns: int) -> None:
    """Silence and rate of the rows that some of the samples belong to or come before."""
    if len(rows):
        first = int(np.searchsorted(ends, 0, side="right"))  # rows before it had their newest sample earlier
        rows["silent_ns"][first:] = rows["t_session_ns"][first:] - t_ns[ends[first:] - 1]
        rows["rate_hz"][first:] = 1e9 / max(period_ns, 1)


def _add(fresh: Array, name: _Sum, after: Array, values: Array) -> None:
    """Add (N,) to the bins (N + 1,); in order, beginning with what the filling bin holds: the same bits for any cut."""
    weights = np.concatenate([fresh[name, :1], values])
    fresh[name] = np.bincount(after, weights=weights, minlength=fresh.shape[1])


def _add_directions(fresh: Array, after: Array, samples: Columns) -> None:
    """Up vectors, what the filter thinks of them, and what the samples were."""
    settled, up, sigma, joint = (samples[name] for name in ("settled", "up", "sigma_deg", "joint"))
    if settled.all():
        _add(fresh, _Sum.SIGMA, after, sigma * sigma)
        for axis in range(3):
            _add(fresh, _UPS[axis], after, up[:, axis])
    else:
        _add(fresh, _Sum.SIGMA, after, np.where(settled, sigma * sigma, 0.0))
        for axis in range(3):
            _add(fresh, _UPS[axis], after, np.where(settled, up[:, axis], 0.0))
            _add(fresh, _RAWS[axis], after, np.where(settled, 0.0, up[:, axis]))
        _count(fresh, _Sum.UNSETTLED, after[1:], ~settled)
    if not samples["gyro"].all():
        _count(fresh, _Sum.ACCEL_ONLY, after[1:], ~samples["gyro"])
    if joint.any():
        _count(fresh, _Sum.CLIPPED, after[1:], (joint & Joint.CLIPPED) != 0)
        _count(fresh, _Sum.FROZEN, after[1:], (joint & Joint.FROZEN) != 0)


def _count(fresh: Array, name: _Sum, where: Array, those: Array) -> None:
    fresh[name] += np.bincount(where[those], minlength=fresh.shape[1])


def _completed(state: WindowsState, fresh: Array, rows: Array) -> tuple[WindowsState, Array]:
    """The rows with what the bins say, and the state after them."""
    bins = np.concatenate([state.bins[:, :-1], fresh], axis=1)
    if len(rows):
        _fill(rows, bins[:, :-1])
    return replace(state, bins=bins[:, -REST_BINS:].copy(), done=state.done + len(rows)), rows


def _fill(rows: Array, bins: Array) -> None:
    """Everything that sums over windows say; `bins` end with the last row's own."""
    one = _of_five(bins)
    two = one[_ACC, ANGLE_BINS:] + one[_ACC, :-ANGLE_BINS]
    newest = slice(len(one.T) - len(rows), None)
    with np.errstate(divide="ignore", invalid="ignore"):
        _fill_angle(rows, one[:, newest])
        _fill_spread(rows, one[_ACC, newest], two)
        _fill_rest(rows, one, bins[_Sum.N])


def _of_five(bins: Array) -> Array:
    """Sums over five bins at each, added in a fixed order."""
    two = bins[:, 1:] + bins[:, :-1]
    four = two[:, 2:] + two[:, :-2]
    return np.asarray(four[:, 1:] + bins[:, :-4])


def _fill_angle(rows: Array, sums: Array) -> None:
    n_up = sums[_Sum.N] - sums[_Sum.UNSETTLED]
    enough = n_up >= _least(rows, ANGLE_BINS, 1)
    rows["up"] = np.where(enough, sums[_UP] / n_up, np.nan).T
    rows["sigma_deg"] = np.where(enough, np.sqrt(sums[_Sum.SIGMA] / n_up), np.nan)
    rows["settled"] = enough & (sums[_Sum.UNSETTLED] == 0)
    rows["clipped"], rows["frozen"] = sums[_Sum.CLIPPED] > 0, sums[_Sum.FROZEN] > 0
    rows["gyro"] = sums[_Sum.ACCEL_ONLY] == 0


def _fill_spread(rows: Array, one: Array, two: Array) -> None:
    """Spread of |a|, as a part of its mean: what a sensor reads for 1 g cancels out."""
    count = len(rows)
    variance, square_g = _variance(two)
    rows["acc_sd_g"] = np.where(
        two[_Sum.N, -count:] >= _least(rows, SPREAD_BINS, 2), np.sqrt(variance[-count:]), np.nan
    )
    newest, _ = _variance(one)
    rows["newest_sd_g"] = np.where(one[_Sum.N] >= _least(rows, ANGLE_BINS, 2), np.sqrt(newest), np.nan)
    stride = (two[_Sum.STRIDE] / two[_Sum.N] / square_g)[-count:]
    rows["stride_sd_g"] = np.sqrt(stride)
    # The samples that the part at cadence is about are a little older.
    before = variance[-count - LATE_BINS : len(variance) - LATE_BINS]
    rows["stride_share"] = np.where(before > 0, stride / before, 0.0)


def _fill_rest(rows: Array, one: Array, n: Array) -> None:
    """The mean of the up vector over 4 s, whether the filter has settled or not."""
    five = one[_UP] + one[_RAW], one[_Sum.N]
    ups, counts = ((ten := each[..., 5:] + each[..., :-5])[..., 10:] + ten[..., :-10] for each in five)
    held = np.concatenate([[0], np.cumsum(n > 0)])
    enough = held[REST_BINS:] - held[:-REST_BINS] >= _REST_LEAST_BINS
    rows["rest_up"] = np.where(enough, ups / counts, np.nan).T


def _least(rows: Array, bins: int, samples: int) -> Array:
    """So many samples are enough for a window of so many bins; NaN before the first sample."""
    return np.asarray(np.maximum(_LEAST_SHARE * rows["rate_hz"] * bins * ROW_NS * 1e-9, samples))


def _variance(sums: Array) -> tuple[Array, Array]:
    """Of |a|, in the square of what the sensor reads for 1 g, and that square in g²."""
    mean = sums[_Sum.A] / sums[_Sum.N]
    norm_g = np.minimum(np.maximum(1.0 + mean, _NORM_G[0]), _NORM_G[1])
    square_g = norm_g * norm_g
    return np.maximum(sums[_Sum.AA] / sums[_Sum.N] - mean * mean, 0.0) / square_g, square_g
