"""Where up is: the inclination filter, with a gyroscope (VQF) or without one.

The only place that imports `vqf`. Knows: accelerations and rates in the calibrated frame. Must never know: what the
angles are used for.

VQF: D. Laidig, T. Seel, "VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic
disturbance rejection", Information Fusion 91 (2023) 187-204.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from vqf import VQF, offlineVQF

from companion.posture.accelerometer import directions, low_passed, remembers, zero_phase
from companion.posture.bridging import Belief, Past, missed_rad, push_g
from companion.posture.few import SLOW_NS
from companion.posture.stage import Array, Beat, Columns, Joint, runs
from companion.posture.turning import turns
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_RESTART, _FILLED, _TIMED = int(Joint.RESTART), int(Joint.FILLED), int(Joint.TIMED)

_BIAS = {"biasSigmaInit": 7.0, "biasClip": 8.0, "restThAcc": 0.12}
_BIAS_SIGMAS = ((2.0, 0.5), (5.0, 0.2), (float("inf"), 0.09))
"""In °/s, but for `restThAcc` in m/s²; then: up to how many seconds that its level rests on, the filter takes what it
sees of a bias for so uncertain.

VQF's own are 0.5, 2, 0.5 and 0.1 for ever. With those a gyroscope that is 4 °/s off on each axis and never rests costs
7.8°, with these 2.3°, and nothing where it is not off. A young level is uncertain itself: booked on the bias, its error
would stay (10 s that begin in motion: 2.8° instead of 1.6°; trunk-like trials of BROAD). A trunk that sinks slowly and
evenly must not be taken for one at rest: a turn of 1 °/s leaves the rest detector's low-pass behind by 0.086 m/s².
"""

SETTLE_NS = 1_500_000_000
"""After a start the inclination is not judged for so long: the accelerometer's low-pass has its mean by then."""

LONGEST_BRIDGE_NS = 1_000_000_000
"""Over a longer hole nothing is carried but the gyroscope's bias."""

_STEADY_S = 2.0
"""VQF's low-pass (3 s) levels about as well as the mean of so much: it fits how errors fade after a start."""

_LOST_SHARE = 0.72
_BIAS_S, _MOST_BIAS_DPS = 0.33, 1.5
"""Of what holes may have hidden and, in seconds, of a bias that is not known yet: how much shows in the error of a
second's mean. With both, and a floor, it lies within one sigma four times in five about one axis and three in five
about both, with and without loss, with and without bias, at 25, 50 and 100 Hz (BROAD). VQF's own sigma of a bias is too
wide for long: it does not know that usual sensors are seldom off by more."""

_SETTLED_DEG = 3.0
"""A filter that had to start anew over a hole is believed again when the accelerometer has brought it so close."""


@dataclass(frozen=True, slots=True)
class TiltState:
    """The filter's memory as plain values; an object of VQF can be neither copied nor stored."""

    vqf: dict[str, Any] | None = None
    low_pass: Array | None = None  # (1, 3)
    period_ns: int = 0
    t_ns: int = 0  # of the newest sample
    settled_ns: int = 0  # from then on it is believed
    filled: int = 0  # samples drawn since the newest real one
    belief: Belief = field(default_factory=Belief)  # in its level, when the stretch began
    taken: int = 0  # samples since then
    past: Past | None = None
    gyr_radps: Array | None = None  # (1, 3) the newest as it came


@dataclass(frozen=True, slots=True)
class Tilt:
    """Stage: MOTION (gated, in the calibrated frame) to UPS; ticks pass, filled samples are marked and kept."""

    def start(self) -> TiltState:
        """Nothing is known."""
        return TiltState()

    def step(self, state: TiltState, block: Columns) -> tuple[TiltState, Columns]:
        """The up direction at every sample of `block`."""
        sample = block["beat"] == Beat.SAMPLE
        samples = block if sample.all() else block[sample]
        parts = []
        for first, end in runs(_kinds(samples)):
            piece = samples[first:end]
            state, found = _each_alone(state, piece) if piece["period_ns"][0] >= SLOW_NS else _Walk(state, piece).done()
            parts.append(found)
        found = parts[0] if len(parts) == 1 else Columns.joined([Columns.zeros(0, _FOUND), *parts])
        kept = {name: block[name] for name in _KEPT}
        norm_g = _length(block["acc_mps2"]) / STANDARD_GRAVITY_MPS2
        return state, Columns(kept | _spread(found, sample) | {"acc_norm_g": norm_g})


_KEPT = ("t_session_ns", "period_ns", "number", "beat", "joint")
_FOUND = np.dtype([("up", "<f8", (3,)), ("sigma_deg", "<f8"), ("settled", "?"), ("gyro", "?")])


def _spread(found: Columns, sample: Array) -> dict[str, Array]:
    """The columns of `found` with room for the ticks."""
    if len(found) == len(sample):
        return {name: found[name] for name in found.names}
    made = Columns.zeros(len(sample), _FOUND)
    for name in made.names:
        made[name][sample] = found[name]
    return {name: made[name] for name in made.names}


def _kinds(samples: Columns) -> Array:
    """Equal where the period is and there is, or is not, a gyroscope."""
    gyro = np.isfinite(samples["gyr_radps"][:, 0])
    return np.where(gyro, samples["period_ns"], -samples["period_ns"])


def _each_alone(state: TiltState, samples: Columns) -> tuple[TiltState, Columns]:
    """Samples of a slow sensor: there is nothing to filter, and what a gyroscope says is not looked at.

    How far they may be wrong is seen from how they differ, where rows are made of them.
    """
    count, no = len(samples), np.zeros(len(samples))
    up = directions(samples["acc_mps2"])
    found = {"up": up, "sigma_deg": no, "settled": np.ones(count, np.bool_), "gyro": np.zeros(count, np.bool_)}
    newest_ns, period_ns = int(samples["t_session_ns"][-1]), int(samples["period_ns"][0])
    return TiltState(vqf=state.vqf, period_ns=period_ns, t_ns=newest_ns), Columns(found)


class _Walk:
    """The filter on its way through samples of one period and kind; holes cut the way into stretches."""

    def __init__(self, state: TiltState, samples: Columns) -> None:
        self.acc, self.gyr, self.t_ns = samples["acc_mps2"], samples["gyr_radps"], samples["t_session_ns"]
        self.joint, count = samples["joint"], len(samples)
        self.period_ns = int(samples["period_ns"][0])
        self.period_s = self.period_ns * 1e-9
        self.gyro = bool(np.isfinite(self.gyr[0, 0]))
        self.vqf, self.low_pass, self.belief, self.taken = state.vqf, state.low_pass, state.belief, state.taken
        self.settled_ns, self.filled, self.newest_ns = state.settled_ns, state.filled, state.t_ns
        same = self.period_ns == state.period_ns and self.gyro == (state.gyr_radps is not None)
        self.known = same and (state.past is not None or state.low_pass is not None)
        self.past = state.past if same else None
        self.since = 0  # the first sample that belongs together with the newest; what `past` holds comes before it
        self.before = state.gyr_radps if same else None
        self.rates, self.quat, self.bias_radps = np.empty((0, 3)), np.empty((count, 4)), np.empty(count)
        self.ups: list[Array] = []  # of each stretch, without a gyroscope
        self.beliefs: list[tuple[int, Belief, int, int]] = []  # from which sample on, with what, taken, settled when

    def done(self) -> tuple[TiltState, Columns]:
        """Walk to the end: the state there, and what was found on the way."""
        joint = self.joint
        if self.gyro:
            self.rates = turns(self.gyr, self.gyr[:1] if self.before is None else self.before, self.period_s)
        begins = (joint & _RESTART) != 0
        begins[1:] |= ((joint[:-1] & _FILLED) != 0) & ((joint[1:] & _FILLED) == 0)
        begins[0] = True
        edges = np.flatnonzero(begins).tolist()
        drawn = self._drawn_before([*edges, len(joint)])
        for place, (first, end) in enumerate(zip(edges, [*edges[1:], len(joint)], strict=True)):
            self._begin(first, drawn[place])
            self.beliefs.append((first, self.belief, self.taken, self.settled_ns))
            if self.gyro:
                self._filter(first, end)
            else:
                up, self.low_pass = low_passed(self.acc[first:end], self.low_pass, self.period_s)
                self.ups.append(up)
            self.taken += end - first
        up = _up_of(self.quat) if self.gyro else np.concatenate(self.ups)
        return self._state(up, drawn[-1]), self._found(up)

    def _begin(self, first: int, drawn: int) -> None:
        """Before a stretch: go on, believe the filter less, turn it over a hole, or start it anew."""
        joint, t_ns = int(self.joint[first]), int(self.t_ns[first])
        hole_ns = t_ns - (int(self.t_ns[first - 1]) if first else self.newest_ns)
        if self.known and not joint & _RESTART:
            if self.gyro and drawn and not joint & _FILLED:
                self._believe(first, drawn)
        elif self.known and self.gyro and joint & _TIMED and hole_ns <= LONGEST_BRIDGE_NS:
            self._bridge(first, max(round(hole_ns / self.period_ns) - 1, 1))
        else:
            self._start_anew(first)
        self.known = True

    def _drawn_before(self, places: list[int]) -> list[int]:
        """How many samples in a row before each of these were drawn."""
        real = ((self.joint & _FILLED) == 0).nonzero()[0]
        if len(real) == len(self.joint):
            return [0 if place else self.filled for place in places]
        last = np.searchsorted(real, places) - 1
        found = np.where(last >= 0, places - real[last] - 1, self.filled + np.array(places)) if len(real) else None
        return [self.filled + place for place in places] if found is None else found.tolist()

    def _start_anew(self, first: int) -> None:
        """Nothing is known but the gyroscope's bias, which outlives a hole."""
        if self.vqf is not None:
            vqf = self._vqf()
            bias, sigma = vqf.getBiasEstimate()
            vqf.resetState()
            vqf.setBiasEstimate(bias, sigma)
            self.vqf = vqf.state
        if self.gyro:
            self.rates[first] = self.gyr[first]
        self.low_pass, self.past, self.since, self.belief, self.taken = None, None, first, Belief(), 0
        self.settled_ns = int(self.t_ns[first]) + (SETTLE_NS if self.gyro or remembers(self.period_s) else 0)

    def _bridge(self, first: int, missing: int) -> None:
        """Turned on over a hole that was not filled, by the straight line between the rates at its ends."""
        before = self.gyr[first - 1 : first] if first else self.before
        acc, rates, up = self._recent(first)
        part = np.arange(1, missing + 1)[:, None] / (missing + 1)
        assert before is not None
        line = before + (self.gyr[first] - before) * part
        vqf = self._vqf()
        vqf.updateBatch(turns(line, before, self.period_s), acc[-1] + (self.acc[first] - acc[-1]) * part)
        self.vqf = vqf.state
        self.rates[first] = turns(self.gyr[first : first + 1], line[-1:], self.period_s)[0]
        self._believe_from(acc, rates, up, missing)
        needed = (np.degrees(self.belief.push_g) / _SETTLED_DEG) ** 2
        wait_ns = min(int(max(needed - self.belief.weight, 0.0)) * self.period_ns, SETTLE_NS)
        self.settled_ns = max(self.settled_ns, int(self.t_ns[first]) + wait_ns)

    def _believe(self, first: int, missing: int) -> None:
        self._believe_from(*self._recent(first), missing)

    def _believe_from(self, acc: Array, rates: Array, up: Array, missing: int) -> None:
        """The filter's level counts for less after a hole: its low-pass becomes a mean of so many samples."""
        assert self.vqf is not None
        missed, push = missed_rad(rates, missing, self.period_s), push_g(acc, up, self.period_s)
        steady = _STEADY_S / self.period_s
        rested = min(self.belief.weight + self.taken, steady)
        self.belief = self.belief.after(self.taken, steady, missed, push)
        self.taken = 0
        if self.belief.weight < rested:
            # While it averages, VQF keeps the number of samples and their sum where its low-pass has its memory later.
            weight, (x, y, z) = self.belief.weight, self.vqf["lastAccLp"]
            memory = np.array([np.nan, weight, weight * x, weight * y, weight * z, 0.0])
            self.vqf = self.vqf | {"accLpState": memory}

    def _recent(self, first: int) -> tuple[Array, Array, Array]:
        """Accelerations, rates and ups of the two seconds before a sample, or of as much as belongs together."""
        begin = max(first - Past.most(self.period_s), self.since)
        here = (self.acc[begin:first], self.rates[begin:first], _up_of(self.quat[begin:first]))
        if self.past is None or begin > 0:
            return here
        return self.past.then(*here, self.period_s).recent(self.period_s)

    def _vqf(self, sigma_dps: float = _BIAS_SIGMAS[-1][1]) -> VQF:
        vqf = VQF(self.period_s, biasSigmaMotion=sigma_dps, **_BIAS)
        if self.vqf is not None:
            vqf.state = self.vqf
        return vqf

    def _filter(self, first: int, end: int) -> None:
        """A stretch, in parts that are filtered alike: what is seen of a bias counts for more when the level is old."""
        begun = first - self.taken
        for until_s, sigma_dps in _BIAS_SIGMAS:
            left = until_s / self.period_s - self.belief.weight
            last = end if left >= end - begun else max(int(np.ceil(left)) + begun, first)
            if last > first:
                vqf = self._vqf(sigma_dps)
                found = vqf.updateBatch(self.rates[first:last], self.acc[first:last])
                self.quat[first:last], self.bias_radps[first:last] = found["quat6D"], found["biasSigma"]
                self.vqf = vqf.state
            first = last

    def _state(self, up: Array, drawn: int) -> TiltState:
        if self.gyro:
            new = (self.acc[self.since :], self.rates[self.since :], up[self.since :])
            self.past = (self.past or Past()).then(*new, self.period_s)
        return TiltState(
            vqf=self.vqf,
            low_pass=self.low_pass,
            period_ns=self.period_ns,
            t_ns=int(self.t_ns[-1]),
            settled_ns=self.settled_ns,
            filled=drawn,
            belief=self.belief,
            taken=self.taken,
            past=self.past if self.gyro else None,
            gyr_radps=self.gyr[-1:].copy() if self.gyro else None,
        )

    def _found(self, up: Array) -> Columns:
        count = len(self.joint)
        firsts = [first for first, *_ in self.beliefs]
        lengths = np.diff([*firsts, count])
        taken = np.arange(1.0, count + 1.0) + np.repeat([had - first for first, _, had, _ in self.beliefs], lengths)
        lost_rad2 = Belief.variances_rad2([belief for _, belief, _, _ in self.beliefs], lengths, taken)
        if self.gyro:
            drift_rad = np.minimum(self.bias_radps, np.radians(_MOST_BIAS_DPS)) * _BIAS_S
            lost_rad2 = lost_rad2 * _LOST_SHARE**2 + drift_rad * drift_rad
        else:
            lost_rad2 = lost_rad2 * _LOST_SHARE**2
        settled_ns = np.repeat([settled for *_, settled in self.beliefs], lengths)
        return Columns(
            {
                "up": up,
                "sigma_deg": np.degrees(np.sqrt(lost_rad2)),
                "settled": self.t_ns >= settled_ns,
                "gyro": np.full(count, self.gyro),
            }
        )


def _up_of(quat: Array) -> Array:
    """(N, 3) the earth's up in the sensor's frame, of quaternions (N, 4) w, x, y, z from sensor to earth."""
    w, x, y, z = quat[:, 0], quat[:, 1], quat[:, 2], quat[:, 3]
    up = np.empty((len(quat), 3))
    up[:, 0] = 2 * (x * z - w * y)
    up[:, 1] = 2 * (y * z + w * x)
    up[:, 2] = 1 - 2 * (x * x + y * y)
    return up


def _length(vectors: Array) -> Array:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return np.asarray(np.sqrt(x * x + y * y + z * z))


def best_batch(samples: Columns) -> Array:
    """(N, 3) up directions of gated samples with the future known too: the best there is for a finished recording."""
    made = np.zeros((len(samples), 3))
    for first, end in runs(np.cumsum((samples["joint"] & _RESTART) != 0)):
        piece = samples[first:end]
        gyr, acc, period_ns = piece["gyr_radps"], piece["acc_mps2"], int(piece["period_ns"][0])
        if period_ns >= SLOW_NS:
            made[first:end] = directions(acc)
        elif np.isfinite(gyr[0, 0]):
            rates = turns(gyr, gyr[:1], period_ns * 1e-9)
            made[first:end] = _up_of(offlineVQF(rates, acc, None, period_ns * 1e-9)["quat6D"])
        else:
            made[first:end] = zero_phase(acc, period_ns * 1e-9)
    return made
