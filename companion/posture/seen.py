"""What rows say about how the sensor sits, in the form in which it is asked for again and again.

Knows: rows. Must never know: what is concluded from them.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.calibration import Triple
from companion.posture.rows import Context
from companion.posture.stage import Array

# Plain numbers: a look is taken at every row of a day.
_STILL, _WALKING, _LYING = int(Context.STILL), int(Context.WALKING), int(Context.LYING)


@dataclass(frozen=True, slots=True)
class Seen:
    """N rows: times in ns, unit vectors of up in the calibrated frame, and masks; the baseline is at +z."""

    t_ns: Array
    context: Array
    unit: Array  # (N, 3); NaN: unknown
    velocity_dps: Array
    known: Array  # up is known
    worn: Array  # and the sensor is on a body
    quiet: Array  # still, so that up is where the trunk is
    walks: Array

    @classmethod
    def of(cls, rows: Array) -> "Seen":
        """Look at ROWS."""
        up = rows["up"]
        x, y, z = up[:, 0], up[:, 1], up[:, 2]
        unit = up / np.sqrt(x * x + y * y + z * z)[:, None]
        known = np.isfinite(unit[:, 2]) & rows["settled"]
        context = rows["context"]
        worn, quiet, walks = (known & each for each in (context <= _LYING, context == _STILL, context == _WALKING))
        return cls(rows["t_session_ns"], context, unit, rows["velocity_dps"], known, worn, quiet, walks)

    def __len__(self) -> int:
        return len(self.t_ns)


def away_deg(vectors: Array, other: Array) -> Array:
    """Angles between vectors (..., 3) and another or as many, in degrees: exact for small ones too, for any cut."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    a, b, c = other[..., 0], other[..., 1], other[..., 2]
    across = np.sqrt((y * c - z * b) ** 2 + (z * a - x * c) ** 2 + (x * b - y * a) ** 2)
    return np.asarray(np.degrees(np.arctan2(across, x * a + y * b + z * c)))


def direction(vector: Array) -> Triple:
    """A vector (3,) with length 1; up at the baseline where it has none."""
    length = float(np.sqrt(vector @ vector))
    x, y, z = (vector / length).tolist() if length > 0 else (0.0, 0.0, 1.0)
    return x, y, z


def added(total: Triple, units: Array) -> Triple:
    """A sum with (N, 3) more vectors in it, one after the other: the same bits for any cut."""
    x, y, z = np.cumsum(np.concatenate([[total], units]), axis=0)[-1].tolist()
    return x, y, z
