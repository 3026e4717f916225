"""From rates of turn at samples to the turn between them: what the filter should integrate.

A filter that takes a sample's rate for the whole time since the one before turns half a period too early: at 25 Hz that
costs more than everything else together. Taken here: the rate in the middle between two samples, with the part of
their turns that does not commute, a little ahead of time because gyroscopes report late. Pure. Knows: rates.
Must never know: the filter.
"""

import numpy as np

from companion.posture.stage import Array

GYRO_DELAY_S = 0.0045
"""How late a gyroscope's own low-pass reports a turn (BROAD against optical truth: 4 to 5 ms on nearly every trial)."""


def turns(gyr_radps: Array, before_radps: Array, period_s: float) -> Array:
    """(N, 3) mean rate of turn from the sample before to each one, both in the sensor's frame, in rad/s.

    `before_radps` (1, 3) is the sample before the first: itself, where there is none.
    Second order: P. G. Savage, "Strapdown inertial navigation integration algorithm design, part 1", Journal of
    Guidance, Control, and Dynamics 21 (1998) 19-28 (coning with linear rates: a twelfth of the cross product).
    """
    earlier = np.concatenate([before_radps, gyr_radps[:-1]])
    ahead = min(GYRO_DELAY_S / period_s, 0.5)
    made = (0.5 + ahead) * gyr_radps + (0.5 - ahead) * earlier
    x, y, z = earlier.T
    u, v, w = gyr_radps.T
    twelfth_s = period_s / 12
    made[:, 0] += twelfth_s * (y * w - z * v)
    made[:, 1] += twelfth_s * (z * u - x * w)
    made[:, 2] += twelfth_s * (x * v - y * u)
    return np.asarray(made)
