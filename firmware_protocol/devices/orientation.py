"""Where up is in the sensor's frame, from what a sensor's own fusion tells. Pure arithmetic on arrays.

Must never know: bytes, which sensor it is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

Floats = NDArray[np.float64]

_LEAST_NORM, _MOST_NORM = 0.5, 2.0
"""A quaternion that says a rotation has length 1; one far from it says nothing."""


def up_of_quaternions(wxyz: NDArray[Any]) -> Floats:
    """Up (N, 3) in the sensor's frame for quaternions (N, 4) that turn the sensor's frame into one whose z is up.

    It is the third row of the rotation matrix (J. B. Kuipers, Quaternions and Rotation Sequences, 1999, 5.14); NaN
    where the quaternion's length is not near 1.
    """
    q = np.asarray(wxyz, dtype=np.float64)
    with np.errstate(all="ignore"):
        norm = np.sqrt((q * q).sum(axis=1, keepdims=True))
        w, x, y, z = (q / np.where((norm > _LEAST_NORM) & (norm < _MOST_NORM), norm, np.nan)).T
        return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z], axis=1)


def up_of_gravity(vectors: NDArray[Any]) -> Floats:
    """Up (N, 3) for vectors (N, 3) of any positive length that point up; NaN where there is no direction."""
    v = np.asarray(vectors, dtype=np.float64)
    with np.errstate(all="ignore"):
        norm = np.sqrt((v * v).sum(axis=1, keepdims=True))
        return np.asarray(v / np.where(norm > 0, norm, np.nan))


def at_rest(up: Floats) -> Floats:
    """What an accelerometer at rest reads (N, 3), in m/s², where up is `up` (N, 3)."""
    return up * STANDARD_GRAVITY_MPS2


def turned_into_sensor(wxyz: NDArray[Any], vectors: NDArray[Any]) -> Floats:
    """Vectors (N, 3) of the frame whose z is up, in the sensor's frame, for unit quaternions (N, 4) as above."""
    q, v = np.asarray(wxyz, np.float64), np.asarray(vectors, np.float64)
    with np.errstate(all="ignore"):
        q = q / np.sqrt((q * q).sum(axis=1, keepdims=True))
        w, part = q[:, :1], -q[:, 1:]  # the inverse turn
        twice = 2.0 * np.cross(part, v)
        return np.asarray(v + w * twice + np.cross(part, twice))
