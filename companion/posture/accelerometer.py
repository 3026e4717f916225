"""Where up is without a gyroscope: the mean direction of what the accelerometer feels. Averaging angles is worse.

Pure. Knows: accelerations. Must never know: what the angles are used for.
"""

from itertools import accumulate

import numpy as np

from companion.posture.stage import Array

CUTOFF_HZ = 5.0
"""Of the live low-pass. What it holds back, the mean of a second does too; what it delays, stays: on moving trunks
0.5 Hz costs 3.5°, 2 Hz 1.63°, none 1.50°."""

_FORGOTTEN = 0.01

BATCH_CUTOFF_HZ = 1.5
"""Of the one for finished recordings: a first-order one of 1 Hz takes a tenth from a lean that swings at 0.3 Hz."""


_END_S = 0.5
"""Past both ends a lean is taken to go on as it came, for so long."""


def low_passed(acc_mps2: Array, memory: Array | None, period_s: float) -> tuple[Array, Array]:
    """(N, 3) unit vectors: accelerations through a first-order low-pass, and its memory (1, 3) after them."""
    gain = float(-np.expm1(-2 * np.pi * CUTOFF_HZ * period_s))
    kept = 1.0 - gain
    start = acc_mps2[0] * kept if memory is None else memory[0]
    smooth = np.empty_like(acc_mps2)
    for axis, (values, before) in enumerate(zip(acc_mps2.T.tolist(), start.tolist(), strict=True)):
        # One after the other, as `lfilter` does; that one takes a second to load, which a live session does not have.
        first = gain * values[0] + before
        smooth[:, axis] = list(accumulate(values[1:], lambda was, now: gain * now + kept * was, initial=first))
    return directions(smooth), kept * smooth[-1:]


def remembers(period_s: float) -> bool:
    """Whether more than a hundredth of a sample is still in the low-pass at the next one."""
    return bool(np.exp(-2 * np.pi * CUTOFF_HZ * period_s) > _FORGOTTEN)


def zero_phase(acc_mps2: Array, period_s: float) -> Array:
    """(N, 3) unit vectors, the future known: forth and back through a low-pass that leaves leans as they are."""
    from scipy.signal import butter, sosfiltfilt

    sos = butter(2, min(BATCH_CUTOFF_HZ, 0.4 / period_s), fs=1 / period_s, output="sos")
    ends = min(len(acc_mps2) - 1, round(_END_S / period_s))
    return directions(sosfiltfilt(sos, acc_mps2, axis=0, padtype="odd", padlen=ends))


def directions(vectors: Array) -> Array:
    """(N, 3) unit vectors along these; of nought, nought."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    length = np.sqrt(x * x + y * y + z * z)
    return np.asarray(vectors / np.where(length > 0, length, 1.0)[:, None])
