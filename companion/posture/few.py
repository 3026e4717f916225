"""Rows of a sensor that gives few samples: where seconds hold hardly any, they say what the last samples say.

A row is a mean over one second and a spread over two. Of a sensor that is slower than 7 Hz these may hold one sample
or none, so there a row rests on its last three samples at least, however old they are, as long as none was late enough
to be missed. So few cannot see what happens between them: their spread is that of the whole acceleration, its length
and its direction, so that a trunk that is caught in the same moment of its stride is still only if it is so thrice.
Knows: samples, rows. Must never know: baselines, limits.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.stage import Array, Columns, Joint

_S = 1_000_000_000

SLOW_NS = 500_000_000
"""From this period on a sensor is slow: each of its samples stands by itself, and at its arrival if it has no clock.

There is nothing to be gained from a fitted period where the radio's whims are a hundredth of it; and rates of turn that
are looked at so seldom say less about where up is than the acceleration alone (BROAD, thinned: 48° against 31° at 2 Hz,
27° against 33° at 5 Hz).
"""

FEW_NS = 150_000_000
"""A longer period than this may leave seconds with too few samples."""

LAST = 3
"""So many samples a row rests on at least.

Of five people with a sensor on the chest, thinned to one sample in 0.64 to 10 s: three in a row spread by less than
0.05 g for 0.4 to 1.6 % of walking and 94 to 84 % of computer work; two for 3 to 7 % and 96 to 89 %; four for 0.3 to
1.2 % and 93 to 80 %.
"""

MOST = 8
"""Where two seconds hold so many, they are not few."""

LEAST_SPREAD = 3
"""Fewer samples have no spread."""

NORM_G = (0.5, 2.0)
"""The mean of |a| over seconds is 1 g by nature; a sensor that reads otherwise is off by so much at the most."""

LIKE_GRAVITY_G = (0.5, 1.6)
"""Between these lies the mean of |a| over a second on a body, also where a sensor reads 1.3 g for 1 g, as some do."""

_ANGLE_NS, _SPREAD_NS, _REST_NS = _S, 2 * _S, 4 * _S

_USED = ("t_session_ns", "joint", "settled", "gyro", "up", "sigma_deg", "acc_norm_g")
_RUN = "run"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the newest sample holds, and from which gap on samples are not looked at together."""

    hold_ns: int = 5 * _S // 4
    gap_ns: int = 5 * _S

    def hold_of(self, spacing_ns: Array) -> Array:
        """(N,) two intervals and a half of those that samples (N,) come in at least: one may be lost."""
        return np.asarray(np.maximum(5 * spacing_ns // 2, self.hold_ns))

    def gap_of(self, period_ns: int) -> int:
        """Three periods at least."""
        return max(self.gap_ns, 3 * period_ns)


def followed_by(recent: Columns | None, samples: Columns, gap_ns: int) -> Columns:
    """The newest samples with those of one period after them, each with the number of its run.

    A run ends where the next sample comes after too long a gap, or where the timeline or the gate says that it does
    not join the one before.
    """
    t_ns, joint = samples["t_session_ns"], samples["joint"]
    before_ns, run = (t_ns[:1], 0) if recent is None else (recent["t_session_ns"][-1:], int(recent[_RUN][-1]))
    torn = np.diff(t_ns, prepend=before_ns) > gap_ns
    torn |= (joint & (Joint.RESTART | Joint.TIMED)) == Joint.RESTART
    made = Columns({name: samples[name] for name in _USED} | {_RUN: run + np.cumsum(torn)})
    return made if recent is None else Columns.joined([recent, made])


def newest(samples: Columns) -> Columns:
    """Those that later rows may rest on."""
    return samples[np.arange(max(len(samples) - MOST, 0), len(samples))]


def fill(rows: Array, samples: Columns, last: Array, counts: Array, patience: Patience, period_ns: int) -> None:
    """Fill in what `rows` (N,) rest on where they have few samples, `counts` (N,) of them in two seconds.

    `last` (N,) is the place of each row's newest sample among `samples`, which begin with those of `newest`.
    """
    places = np.flatnonzero((counts < MOST) & (last >= 0) & (rows["silent_ns"] <= patience.gap_of(period_ns)))
    if len(places):
        looked = _Looked.of(samples, rows["t_session_ns"][places], last[places])
        holds = looked.age_ns[0] <= patience.hold_of(np.maximum(looked.spacing_ns(), period_ns))
        for name, values in looked.told().items():
            rows[name][places[holds]] = values[holds]


@dataclass(frozen=True, slots=True)
class _Looked:
    """The last MOST samples at each of M rows, newest first: everything is (MOST, M)."""

    samples: Columns
    places: Array
    age_ns: Array
    together: Array  # no gap lies between it and the row's newest

    @classmethod
    def of(cls, samples: Columns, t_ns: Array, last: Array) -> "_Looked":
        """Look back from each row's newest sample."""
        places = last - np.arange(MOST)[:, None]
        there, places = places >= 0, np.maximum(places, 0)
        run = samples[_RUN]
        return cls(samples, places, t_ns - samples["t_session_ns"][places], there & (run[places] == run[last]))

    def spacing_ns(self) -> Array:
        """(M,) the mean interval between the last three; 0: there is one."""
        last, ages = self.together[:LAST], self.age_ns[:LAST]
        span_ns = np.where(last, ages, ages[0]).max(axis=0) - ages[0]
        return np.asarray(span_ns // np.maximum(last.sum(axis=0) - 1, 1))

    def told(self) -> dict[str, Array]:
        """The fields of the rows (M,)."""
        second, spread, rest = (self._over(length_ns) for length_ns in (_ANGLE_NS, _SPREAD_NS, _REST_NS))
        settled = self._of("settled")
        known, unsettled, joint = second & settled, (second & ~settled).any(axis=0), self._of("joint")
        mean_g, (var_g2, norm_g) = _mean(second, self._of("acc_norm_g")), self._variance(spread)
        sd_g = np.where(spread.sum(axis=0) >= LEAST_SPREAD, np.sqrt(var_g2) / norm_g, np.nan)
        steady = np.where(rest.sum(axis=0) >= LEAST_SPREAD, 1.0, np.nan)
        sigma_deg = self._of("sigma_deg")
        missed_deg = np.degrees(np.sqrt(var_g2 / 2) / norm_g)  # about one of two horizontal axes
        return {
            "up": self._up(known),
            "rest_up": self._up(rest) * steady[:, None],
            "acc_sd_g": sd_g,
            "sigma_deg": np.sqrt(_mean(known, sigma_deg * sigma_deg) + missed_deg * missed_deg),
            "settled": known.any(axis=0) & ~unsettled,
            "gyro": ~(second & ~self._of("gyro")).any(axis=0),
            "clipped": (second & ((joint & Joint.CLIPPED) != 0)).any(axis=0),
            "frozen": (second & ((joint & Joint.FROZEN) != 0)).any(axis=0),
            "implausible": (mean_g < LIKE_GRAVITY_G[0]) | (mean_g > LIKE_GRAVITY_G[1]),
            "reach_ns": np.where(spread, self.age_ns, 0).max(axis=0),
        }

    def _of(self, name: str) -> Array:
        return self.samples[name][self.places]

    def _over(self, length_ns: int) -> Array:
        """The samples of so much time, the last three at least."""
        return np.asarray(self.together & ((np.arange(MOST)[:, None] < LAST) | (self.age_ns < length_ns)))

    def _up(self, those: Array) -> Array:
        up = self._of("up")
        return np.stack([_mean(those, up[..., axis]) for axis in range(3)], axis=1)

    def _variance(self, those: Array) -> tuple[Array, Array]:
        """Of the acceleration, all axes together, in g², and the mean of its length."""
        norm_g = self._of("acc_norm_g")
        forces_g = self._of("up") * norm_g[..., None]
        total = np.zeros(those.shape[1])
        for axis in range(3):
            off_g = forces_g[..., axis] - _mean(those, forces_g[..., axis])
            total += _mean(those, off_g * off_g)
        return total, np.clip(_mean(those, norm_g), *NORM_G)


def _mean(those: Array, values: Array) -> Array:
    """(M,) of `those` among (MOST, M), added in one order: the same bits for any cut; NaN: of none."""
    total = np.zeros(those.shape[1])
    for mask, value in zip(those, values, strict=True):
        total += np.where(mask, value, 0.0)
    count = those.sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
