"""Which way round the sensor sits: the calibration, and the stage that turns samples into the wearer's frame.

Comes before the filter: its rest test and bias clip work per axis, so only turned samples give the same angles in
every mounting. Frame after this stage: +x where the wearer faces, +y to their left, +z up, at the baseline.
Knows: directions and angles. Must never know: how a calibration was stored or asked for.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from companion.posture.stage import Array

_PARALLEL_DEG = 5.0

Triple: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two directions in the sensor's frame at the wearer's baseline, and how well they are known.

    `up` and `forward` are orthogonal unit vectors; `forward` is where the wearer faces. `uncertainty_deg` is one
    standard deviation of the baseline; 0 where the directions were declared.
    """

    up: Triple
    forward: Triple
    uncertainty_deg: float = 0.0
    axis_ratio: float | None = None  # eigenvalue ratio of the bend; None: declared
    method: str = "declared"  # declared, guided
    profile: str = "desk"
    taken_utc: str = ""
    kind: str = "sitting"  # sitting, standing: what the profile is for
    spread_deg: float = 0.0  # how far the trunk moved within the holds
    slouch: Triple | None = None  # up at the wearer's usual slouch; None: never shown
    wobble_deg: float | None = None  # of the fit test; None: not done
    walking: Triple | None = None  # up over the first walk after it; not part of the baseline's identity

    @classmethod
    def from_axes(cls, up: npt.ArrayLike, forward: npt.ArrayLike) -> "Calibration":
        """A calibration from two directions (3,) in the sensor's frame; `forward` loses its part along `up`.

        Raises ValueError where a direction is not finite, has no length, or both are within 5° of each other.
        """
        u, f = _unit("up", up), _unit("forward", forward)
        across = f - float(f @ u) * u
        if float(np.linalg.norm(across)) < np.sin(np.radians(_PARALLEL_DEG)):
            raise ValueError("up and forward must differ by more than 5°")
        f = across / np.linalg.norm(across)
        return cls(up=_triple(u), forward=_triple(f))

    @property
    def calibration_id(self) -> str:
        """A short name made from the content."""
        return hashlib.sha256(replace(self, walking=None).to_json().encode()).hexdigest()[:12]

    @property
    def rotation(self) -> Array:
        """(3, 3) rows forward, left, up: sensor frame to body frame; not to be written to."""
        return _rotation(self.up, self.forward)

    @property
    def baseline_inclination_deg(self) -> float:
        """How far the sensor's flat side leans forward of vertical at the baseline, in degrees.

        The axis of the sensor that lies closest to the wearer's facing direction is taken as the normal of its flat
        side; leaning forward turns that normal downward.
        """
        u, f = np.array(self.up), np.array(self.forward)
        axis = int(np.argmax(np.abs(f)))
        return float(np.degrees(np.arcsin(np.clip(-np.sign(f[axis]) * u[axis], -1.0, 1.0))))

    def with_profile(self, profile: str) -> "Calibration":
        """The same directions for another profile."""
        return replace(self, profile=profile)

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back exactly."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Read what `to_json` wrote. Raises ValueError where it is something else."""
        try:
            fields = json.loads(text)
            up, forward = (_triple(_unit(name, fields.pop(name))) for name in ("up", "forward"))
            for name in ("slouch", "walking"):
                if fields.get(name) is not None:
                    fields[name] = _triple(_unit(name, fields[name]))
            known = {key: fields[key] for key in cls.__dataclass_fields__ if key in fields}
            made = cls(up=up, forward=forward, **known)
            return replace(made, uncertainty_deg=float(made.uncertainty_deg))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a calibration: {error}") from error


@lru_cache(maxsize=32)
def _rotation(up: Triple, forward: Triple) -> Array:
    u, f = np.array(up), np.array(forward)
    return np.stack([f, np.cross(u, f), u])


def _unit(name: str, direction: npt.ArrayLike) -> Array:
    vector = np.asarray(direction, dtype=np.float64)
    length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
    if not np.isfinite(length) or length < 1e-9:
        raise ValueError(f"{name} must be three finite numbers, not all zero")
    # A vector that is of unit length already stays as it is, bit for bit, so that stored calibrations do not drift.
    return vector if abs(length - 1.0) < 1e-12 else vector / length


def _triple(vector: Array) -> Triple:
    x, y, z = (float(value) for value in vector)
    return x, y, z


@dataclass(frozen=True, slots=True)
class Mounting:
    """Stage: MOTION in the sensor's frame to MOTION in the wearer's. Without a calibration nothing is turned."""

    calibration: Calibration | None

    def start(self) -> None:
        """There is no state."""

    def step(self, state: None, block: Array) -> tuple[None, Array]:
        """Turn accelerations and rates; ticks pass."""
        if self.calibration is None:
            return state, block
        turned = block.copy()
        for name in ("acc_mps2", "gyr_radps"):
            vectors = block[name]
            x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
            for row, (rx, ry, rz) in enumerate(self.calibration.rotation.tolist()):
                # Element by element: a matrix product depends on the length of the block in its last bit.
                turned[name][:, row] = rx * x + ry * y + rz * z
        return state, turned
