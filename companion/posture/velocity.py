"""How fast the up direction turns, low-passed at 5 Hz as ergonomists do, looked at once a row.

The turning rate is the difference of successive up vectors; its low-pass is a moving mean over 60 ms and a mean of two
instants 40 ms apart, which together pass half the power at 5 Hz. Of a mean of successive differences only the ends are
left, so four up vectors make a row's velocity and nothing is computed between rows.
Knows: unit vectors on a clock. Must never know: what turned.

It is what inclinometry calls the generalized velocity, as against the rate of one inclination angle: X. Fan and others,
"Effects of sensor types and angular velocity computational methods in field measurements of occupational upper arm and
trunk postures and movements", Sensors 21 (2021) 5527. To low-pass at 5 Hz is the field's convention.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from companion.posture.stage import Array, Columns

_SPAN_S = 0.06
_APART_S = 0.04
"""|sin(pi f 0.06)/(pi f 0.06) · cos(pi f 0.04)| is 0.69 at 5 Hz, 0.16 at 10 Hz and nowhere above 0.22 beyond."""

_LEAST_HZ = 10.0
"""A slower sensor cannot show 5 Hz."""


@dataclass(frozen=True, slots=True)
class VelocityState:
    """The newest up vectors (K, 3), and how many in a row were good."""

    ups: Array = field(default_factory=lambda: np.zeros((1, 3)))
    age: int = 0

    def at_newest_dps(self, period_ns: int) -> float:
        """Rate of turn at the newest sample."""
        return float(_rate_dps(self, self.ups[:0], np.array([-1]), np.array([self.age]), period_ns)[0])


def turning_dps(
    state: VelocityState, samples: Columns, begins: Array, period_ns: int, places: Array
) -> tuple[VelocityState, Array]:
    """Rate of turn in °/s (M,) at `places` (M,) of UPS (N,), N > 0, of one period; NaN where it is not known.

    It is known where enough samples before are settled, have a gyroscope, and join: `begins` are the places of those
    that do not. -1 in `places` is the newest sample of before.
    """
    up, count = samples["up"], len(samples)
    good = samples["settled"] & samples["gyro"]
    if len(begins):
        good[begins] = False
    if np.count_nonzero(good) == count:
        ages, age = state.age + 1 + places, state.age + count
    else:
        last_bad = np.maximum.accumulate(np.where(good, -1 - state.age, np.arange(count)))
        ages, age = np.where(places < 0, state.age, places - last_bad[places]), count - 1 - int(last_bad[-1])
    found = _rate_dps(state, up, places, ages, period_ns) if len(places) else np.empty(0)
    kept = sum(_spans(period_ns)) + 1
    ups = up[-kept:].copy() if count >= kept else np.concatenate([state.ups, up])[-kept:]
    return VelocityState(ups, age), found


@lru_cache(maxsize=32)
def _spans(period_ns: int) -> tuple[int, int]:
    """In samples: over how many the difference is taken, and how far apart the two are that are averaged."""
    rate_hz = 1e9 / max(period_ns, 1)
    return max(round(_SPAN_S * rate_hz), 1), round(_APART_S * rate_hz)


def _rate_dps(state: VelocityState, up: Array, places: Array, ages: Array, period_ns: int) -> Array:
    span, apart = _spans(period_ns)
    known = (ages > span + apart) & (period_ns * _LEAST_HZ <= 1e9)
    count = np.count_nonzero(known)
    if count == 0:
        return np.full(len(places), np.nan)
    if count != len(known):
        places = np.where(known, places, 0)
    one, two, three, four = _taken(state.ups, up, places - np.array([[0], [apart], [span], [span + apart]]))
    x, y, z = ((one + two) - (three + four)).T
    per_s = np.sqrt(x * x + y * y + z * z) * (1e9 / period_ns / (2 * span))
    turns_dps = np.degrees(per_s)
    return turns_dps if count == len(known) else np.where(known, turns_dps, np.nan)


def _taken(before: Array, up: Array, places: Array) -> Array:
    """Vectors (..., 3) of `up`, or of `before` where the place (...) is below 0."""
    early = places < 0
    count = np.count_nonzero(early)
    if count == early.size:
        return np.asarray(before.take(places, axis=0, mode="wrap"))
    found = up.take(places, axis=0, mode="clip")
    if count:  # only those: "wrap" counts down from far places, one length at a time
        found[early] = before.take(places[early], axis=0, mode="wrap")
    return np.asarray(found)
