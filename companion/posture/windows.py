"""From samples to one row each fifth of a second: means of the up vector, spread of the acceleration, silence.

A row at t covers the samples with t - 1 s < t_sample <= t. It is complete when a sample or the clock says that nothing
earlier can come. Sums are kept per bin of 0.2 s, each added up in the order of its samples, so that a row's bits do not
depend on how the samples arrived in blocks. Rows of a sensor that gives too few samples for that rest on its last ones
(`few`). Knows: time. Must never know: baselines, limits.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from companion.posture import few
from companion.posture.cadence import CadenceState, at_cadence
from companion.posture.few import FEW_NS, LIKE_GRAVITY_G, NORM_G, Patience
from companion.posture.rows import ROW_NS
from companion.posture.stage import ROWS, Array, Beat, Columns, Joint, joined_rows, runs
from companion.posture.velocity import VelocityState, turning_dps

ANGLE_BINS = 5  # 1 s; twice as many for the spread: three to five steps
REST_BINS = 20  # 4 s: a breath or two
LATE_BINS = 3  # by so much the part at walking cadence trails the samples

_LEAST_SHARE = 0.5  # of the samples that a full window would hold
_REST_LEAST_BINS = 3  # of the bins of 4 s must hold samples: a sensor of 1 Hz fills so many

# What is summed in each bin, as rows of one array; those that share a window lie side by side.
_A = 0  # |a| - 1 g
_AA = 1
_STRIDE = 2  # square of its part at walking cadence
_N = 3
_UP_X = 4  # where the filter has settled; Y and Z follow
_SIGMA = 7  # square of the filter's standard deviation
_RAW_X = 8  # where the filter has not settled; Y and Z follow
_UNSETTLED = 11
_CLIPPED = 12
_FROZEN = 13
_ACCEL_ONLY = 14
_SUMS = 15

_ACC, _MEANS, _FLAGS = slice(_A, _UP_X), slice(_UP_X, _RAW_X), slice(_UNSETTLED, _SUMS)
_UP, _RAW, _N_AND_UP = slice(_UP_X, _SIGMA), slice(_RAW_X, _UNSETTLED), slice(_N, _SIGMA)

_BLANK = np.zeros(1, dtype=ROWS)
"""What other stages fill in, and what is NaN where nothing was heard."""
for _name in ("velocity_dps", "sagittal_deg", "lateral_deg", "inclination_deg", "slouch_pct", "deviation_deg"):
    _BLANK[_name] = np.nan
_BLANK_BYTES = _BLANK.view(np.uint8)

_USED = ("t_session_ns", "period_ns", "joint", "settled", "gyro", "up", "sigma_deg", "acc_norm_g")
"""Of a sample that waits for its row."""

# Numbers and masks as numpy has them: to look them up or to convert them costs more than to use them, live.
_SAMPLE, _RESTART, _IS_CLIPPED, _IS_FROZEN = int(Beat.SAMPLE), int(Joint.RESTART), int(Joint.CLIPPED), int(Joint.FROZEN)
_NAN, _NONE = np.array(np.nan), np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class WindowsState:
    """The bins that are still needed, the one that is filling, and what the next rows continue from."""

    bins: Array  # (_SUMS, REST_BINS): the newest complete ones, then the sums so far of the filling one
    done: int = 0  # number of the newest row given out
    heard_ns: int = 0  # session time of the newest sample
    period_ns: int = 0  # of the samples summed so far
    cadence: CadenceState = field(default_factory=CadenceState)
    velocity: VelocityState = field(default_factory=VelocityState)
    waiting: tuple[Columns, ...] = ()  # samples of the filling bin that are not summed yet, all of one period
    recent: Columns | None = None  # the newest ones that are, where they are few

    def heard(self, newest_ns: int, waiting: tuple[Columns, ...]) -> "WindowsState":
        """The same with samples that wait."""
        kept = (self.period_ns, self.cadence, self.velocity)
        return WindowsState(self.bins, self.done, newest_ns, *kept, waiting, self.recent)


@dataclass(frozen=True, slots=True)
class Windows:
    """Stage: UPS to ROWS."""

    patience: Patience = field(default_factory=Patience)

    def start(self) -> WindowsState:
        """No rows, no samples."""
        return WindowsState(bins=np.zeros((_SUMS, REST_BINS)))

    def step(self, state: WindowsState, block: Columns) -> tuple[WindowsState, Array]:
        """The rows that `block` completed."""
        beats, periods = block["beat"], block["period_ns"]
        if len(block) and not np.count_nonzero(beats) and not np.count_nonzero(periods != periods[0]):
            return _heard(state, block, self.patience)
        made = [np.empty(0, dtype=ROWS)]
        for first, end in runs(np.where(beats == _SAMPLE, periods, -1)):
            step = _heard if beats[first] == _SAMPLE else _waited
            state, rows = step(state, block[first:end], self.patience)
            made.append(rows)
        return state, joined_rows(made)


def forget_directions(state: WindowsState) -> WindowsState:
    """The same state without the up vectors summed so far: for when the frame they are in has changed."""
    state = _all_summed(state, Patience())
    bins = state.bins.copy()
    bins[_UP] = bins[_RAW] = 0
    bins[_UNSETTLED] = bins[_N]
    return replace(state, bins=bins, velocity=VelocityState(), recent=None)


def _heard(state: WindowsState, samples: Columns, patience: Patience) -> tuple[WindowsState, Array]:
    """Samples of one period, in order. Those that complete no row wait: packets are many, rows are few."""
    t_ns = samples["t_session_ns"]
    if state.done and t_ns[0] <= state.done * ROW_NS:
        samples = samples[int(np.searchsorted(t_ns, state.done * ROW_NS, side="right")) :]
        t_ns = samples["t_session_ns"]
        if len(samples) == 0:
            return state, np.empty(0, dtype=ROWS)  # they came too late: their rows are given out already
    if state.waiting and samples["period_ns"][0] != state.waiting[0]["period_ns"][0]:
        state = _all_summed(state, patience)
    waiting, newest_ns = (*state.waiting, samples), int(t_ns[-1])
    last = max(-(-newest_ns // ROW_NS) - 1, state.done)
    if last == state.done:
        return state.heard(newest_ns, waiting), np.empty(0, dtype=ROWS)
    return _summed(state, waiting, last, patience)


def _waited(state: WindowsState, ticks: Columns, patience: Patience) -> tuple[WindowsState, Array]:
    """Nothing came: rows up to the newest tick."""
    last = int(ticks["t_session_ns"].max()) // ROW_NS
    if last <= state.done:
        return state, np.empty(0, dtype=ROWS)
    state = _all_summed(state, patience)
    fresh = np.zeros((_SUMS, last - state.done + 1))
    fresh[:, 0] = state.bins[:, -1]
    rows = _blank(state.done, last)
    _place_in_time(rows, state.heard_ns, state.period_ns)
    if fresh[_N, 0]:
        rows["velocity_dps"][0] = state.velocity.at_newest_dps(state.period_ns)
    bins = _filled(state.bins, fresh, rows)
    if state.recent is not None:
        last_places = np.full(len(rows), len(state.recent) - 1)
        few.fill(rows, state.recent, last_places, _in_two_seconds(state.bins, fresh), patience, state.period_ns)
    return replace(state, bins=bins, done=last), rows


def _all_summed(state: WindowsState, patience: Patience) -> WindowsState:
    """The same state with no samples waiting."""
    return _summed(state, state.waiting, state.done, patience)[0] if state.waiting else state


def _blank(done: int, last: int) -> Array:
    """The rows after number `done`, up to number `last`: when they are, and nothing else. As bytes: see `copied`."""
    made = np.empty((last - done, ROWS.itemsize), dtype=np.uint8)
    made[:] = _BLANK_BYTES
    rows = made.reshape(-1).view(ROWS)
    rows["t_session_ns"] = np.arange(done + 1, last + 1) * ROW_NS
    return rows


def _place_in_time(rows: Array, newest_ns: "Array | int", period_ns: int) -> None:
    """Silence of rows since their newest sample, and its rate."""
    rows["silent_ns"] = rows["t_session_ns"] - newest_ns
    rows["rate_hz"] = 1e9 / period_ns if period_ns else np.nan


def _summed(
    state: WindowsState, parts: tuple[Columns, ...], last: int, patience: Patience
) -> tuple[WindowsState, Array]:
    """Samples of one period into their bins; the rows up to number `last`, which they complete."""
    samples = _joined(parts)
    t_ns, period_ns = samples["t_session_ns"], int(samples["period_ns"][0])
    rows = _blank(state.done, last)
    ends = t_ns.searchsorted(rows["t_session_ns"], side="right")
    before = int(ends.searchsorted(0, side="right"))  # rows that had their newest sample earlier
    if before:
        _place_in_time(rows[:before], state.heard_ns, state.period_ns)
    _place_in_time(rows[before:], t_ns[ends[before:] - 1], max(period_ns, 1))
    begins = _begins(samples["joint"], period_ns != state.period_ns)
    fresh, cadence = _bins(state, samples, ends, begins)
    velocity, turns_dps = turning_dps(state.velocity, samples, begins, period_ns, ends - 1)
    rows["velocity_dps"] = np.where(fresh[_N, :-1] > 0, turns_dps, _NAN)
    bins, recent = _filled(state.bins, fresh, rows), None
    if period_ns > FEW_NS:
        known = few.followed_by(state.recent, samples, patience.gap_of(period_ns))
        last_places = ends + (len(known) - len(t_ns) - 1)
        few.fill(rows, known, last_places, _in_two_seconds(state.bins, fresh), patience, period_ns)
        recent = few.newest(known)
    return WindowsState(bins, last, int(t_ns[-1]), period_ns, cadence, velocity, recent=recent), rows


def _joined(parts: tuple[Columns, ...]) -> Columns:
    """One after the other, what is used of them."""
    if len(parts) == 1:
        return parts[0]
    return Columns({name: np.concatenate([part[name] for part in parts]) for name in _USED})


def _begins(joint: Array, first_too: bool) -> Array:
    """Places of samples that do not go on from the one before."""
    begins = np.flatnonzero(joint & _RESTART) if np.count_nonzero(joint) else _NONE
    return np.union1d(begins, [0]) if first_too else begins


def _bins(state: WindowsState, samples: Columns, ends: Array, begins: Array) -> tuple[Array, CadenceState]:
    """(_SUMS, N + 1): the sums of N bins, whose samples go up to `ends` (N,), and of the one that is filling.

    Added in order, beginning with what the filling bin holds: the same bits for any cut.
    """
    edges = np.empty(len(ends) + 2, dtype=np.intp)
    edges[0], edges[1:-1], edges[-1] = 0, ends, len(samples)
    counts = edges[1:] - edges[:-1]
    where = np.arange(len(counts)).repeat(counts)
    fresh = np.zeros((_SUMS, len(counts)))
    fresh[:, 0] = state.bins[:, -1]
    fresh[_N] += counts
    a = samples["acc_norm_g"] - 1.0
    cadence, places, stride = at_cadence(state.cadence, a, int(samples["period_ns"][0]), begins)
    _add(fresh, _STRIDE, where[places], stride * stride)
    _add(fresh, _AA, where, a * a)
    _add(fresh, _A, where, a)
    _add_directions(fresh, where, samples)
    return fresh, cadence


def _add(fresh: Array, name: int, where: Array, values: Array) -> None:
    """Add (N,) to their bins; the first value is written to, since it goes on from what its bin holds."""
    if len(where):
        first = int(where[0])
        values[0] += fresh[name, first]
        fresh[name, first:] = np.bincount(where, weights=values, minlength=fresh.shape[1])[first:]


def _add_directions(fresh: Array, where: Array, samples: Columns) -> None:
    """Up vectors, what the filter thinks of them, and what the samples were."""
    settled, gyro, joint = samples["settled"], samples["gyro"], samples["joint"]
    square, (x, y, z) = samples["sigma_deg"] * samples["sigma_deg"], samples["up"].T
    if np.count_nonzero(settled) == len(where):
        _add_up(fresh, _UP_X, where, (x.copy(), y.copy(), z.copy()))
    else:
        _add_up(fresh, _UP_X, where, [np.where(settled, each, 0.0) for each in (x, y, z)])
        _add_up(fresh, _RAW_X, where, [np.where(settled, 0.0, each) for each in (x, y, z)])
        square[~settled] = 0.0
        _count(fresh, _UNSETTLED, where, ~settled)
    _add(fresh, _SIGMA, where, square)
    if np.count_nonzero(gyro) != len(where):
        _count(fresh, _ACCEL_ONLY, where, ~gyro)
    if np.count_nonzero(joint):
        _count(fresh, _CLIPPED, where, (joint & _IS_CLIPPED) != 0)
        _count(fresh, _FROZEN, where, (joint & _IS_FROZEN) != 0)


def _add_up(fresh: Array, first: int, where: Array, axes: Iterable[Array]) -> None:
    for name, values in enumerate(axes, start=first):
        _add(fresh, name, where, values)


def _count(fresh: Array, name: int, where: Array, those: Array) -> None:
    fresh[name] += np.bincount(where[those], minlength=fresh.shape[1])


def _filled(before: Array, fresh: Array, rows: Array) -> Array:
    """Fill in the rows what the bins say; the bins that the next ones need."""
    bins = np.concatenate([before[:, :-1], fresh], axis=1)
    if len(rows):
        _fill(rows, bins[:, :-1])
    return bins[:, -REST_BINS:].copy()


def _in_two_seconds(before: Array, fresh: Array) -> Array:
    """How many samples the last two seconds of each row hold (N,), for bins as in `_filled`."""
    total = np.cumsum(np.concatenate([[0.0], before[_N, :-1], fresh[_N, :-1]]))
    return np.asarray(total[REST_BINS:] - total[REST_BINS - 2 * ANGLE_BINS : len(total) - 2 * ANGLE_BINS])


def _fill(rows: Array, bins: Array) -> None:
    """Everything that sums over windows say; `bins` end with the last row's own."""
    one, count = _of_five(bins), len(rows)
    newest = one[:, -count:]
    least = _LEAST_SHARE * rows["rate_hz"] * ANGLE_BINS * ROW_NS * 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        _fill_angle(rows, newest, least)
        _fill_spread(rows, newest[_ACC], one[_ACC, ANGLE_BINS:] + one[_ACC, :-ANGLE_BINS], least)
        _fill_rest(rows, one, bins[_N])


def _of_five(bins: Array) -> Array:
    """Sums over five bins at each, added in a fixed order."""
    two = bins[:, 1:] + bins[:, :-1]
    four = two[:, 2:] + two[:, :-2]
    return np.asarray(four[:, 1:] + bins[:, :-4])


def _fill_angle(rows: Array, sums: Array, least: Array) -> None:
    n_up = sums[_N] - sums[_UNSETTLED]
    enough = n_up >= np.maximum(least, 1.0)
    means = np.where(enough, sums[_MEANS] / n_up, _NAN)
    rows["up"], rows["sigma_deg"] = means[:3].T, np.sqrt(means[3])
    unsettled, clipped, frozen, accel_only = sums[_FLAGS] > 0
    rows["settled"], rows["gyro"] = enough & ~unsettled, ~accel_only
    rows["clipped"], rows["frozen"] = clipped, frozen


def _fill_spread(rows: Array, one: Array, two: Array, least: Array) -> None:
    """Spread of |a|, as a part of its mean: what a sensor reads for 1 g cancels out."""
    count = len(rows)
    # The samples that the part at cadence is about are a little older.
    variance, square_g = _variance(np.concatenate([one, two[:, -count - LATE_BINS :]], axis=1))
    before, now = variance[count : 2 * count], variance[-count:]
    stride, n = two[_STRIDE, -count:], two[_N, -count:]
    rows["newest_sd_g"] = np.where(one[_N] >= np.maximum(least, 2.0), np.sqrt(variance[:count]), _NAN)
    rows["acc_sd_g"] = np.where(n >= np.maximum(2 * least, 2.0), np.sqrt(now), _NAN)
    mean = one[_A] / one[_N]
    rows["implausible"] = (mean < LIKE_GRAVITY_G[0] - 1.0) | (mean > LIKE_GRAVITY_G[1] - 1.0)
    stride = stride / n / square_g[-count:]
    rows["stride_sd_g"] = np.sqrt(stride)
    rows["stride_share"] = np.where(before > 0, stride / before, 0.0)


def _fill_rest(rows: Array, one: Array, n: Array) -> None:
    """The mean of the up vector over 4 s, whether the filter has settled or not."""
    five = one[_N_AND_UP].copy()
    five[1:] += one[_RAW]
    ten = five[:, 5:] + five[:, :-5]
    total = ten[:, 10:] + ten[:, :-10]
    rest = total[1:] / total[0]
    if np.count_nonzero(n) != len(n):
        held = np.concatenate([[0], np.cumsum(n > 0)])
        rest[:, held[REST_BINS:] - held[:-REST_BINS] < _REST_LEAST_BINS] = np.nan
    rows["rest_up"] = rest.T


def _variance(sums: Array) -> tuple[Array, Array]:
    """Of |a|, in the square of what the sensor reads for 1 g, and that square in g²."""
    n = sums[_N]
    mean = sums[_A] / n
    norm_g = np.minimum(np.maximum(1.0 + mean, NORM_G[0]), NORM_G[1])
    square_g = norm_g * norm_g
    return np.maximum(sums[_AA] / n - mean * mean, 0.0) / square_g, square_g
