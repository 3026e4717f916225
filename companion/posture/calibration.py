"""The calibration: where up is and where the wearer faces, in the sensor's frame, and how well both are known.

A value that is stored, recorded and replayed. Knows: directions and angles. Must never know: how it was taken (see
`guide` and `baselines`), stored or asked for.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from companion.posture.directions import Vector, between_deg

Triple: TypeAlias = tuple[float, float, float]
Kind: TypeAlias = Literal["sitting", "standing"]
KINDS: tuple[Kind, ...] = ("sitting", "standing")

_PARALLEL_DEG = 5.0
_TURN_DEG = 360.0
_SQUARE = 1e-6  # stored directions are at right angles but for rounding
_LATER: tuple[str, ...] = ("difference_deg", "axis_sigma_deg")
"""Fields that came after the first recordings: left out of the identity where they say nothing."""


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
    method: str = "declared"  # declared, guided, nod, mounting, quick
    profile: str = "desk"
    taken_utc: str = ""
    kind: Kind = "sitting"  # what the profile is for
    spread_deg: float = 0.0  # how far the trunk moved within the holds, root mean square
    slouch: Triple | None = None  # up at the wearer's usual slouch; None: never shown
    wobble_deg: float | None = None  # of the fit test; None: not done
    walking: Triple | None = None  # up over the first walk after it; not part of the baseline's identity
    difference_deg: float | None = None  # between the two holds; None: there was one, or none
    axis_sigma_deg: float = 0.0  # one standard deviation of where the wearer faces; 0: declared

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
        return cls(up=triple(u), forward=triple(f))

    @property
    def calibration_id(self) -> str:
        """A short name made from the content."""
        content = asdict(replace(self, walking=None))
        for name in _LATER:
            if content[name] == self.__dataclass_fields__[name].default:
                del content[name]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:12]

    @property
    def rotation(self) -> Vector:
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

    @property
    def own_range_deg(self) -> float | None:
        """From the baseline to the wearer's usual slouch, in degrees; None where it was never shown."""
        return None if self.slouch is None else between_deg(self.up, self.slouch)

    @property
    def slouch_direction(self) -> tuple[float, float]:
        """Where the up vector goes in a slouch: unit vector (forward, left) in the body frame.

        Without a usual slouch that was shown: (-1, 0), as in leaning forward.
        """
        if self.slouch is None:
            return -1.0, 0.0
        x, y, _ = (self.rotation @ np.array(self.slouch)).tolist()
        length = float(np.hypot(x, y))
        return (x / length, y / length) if length > 0 else (-1.0, 0.0)

    def with_profile(self, profile: str, kind: Kind | None = None) -> "Calibration":
        """The same directions for another profile; `kind` None: as it is."""
        return replace(self, profile=profile, kind=kind or self.kind)

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back exactly."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Read what `to_json` wrote. Raises ValueError where it is something else."""
        try:
            fields = json.loads(text)
            up, forward = (triple(_unit(name, fields.pop(name))) for name in ("up", "forward"))
            for name in ("slouch", "walking"):
                if fields.get(name) is not None:
                    fields[name] = triple(_unit(name, fields[name]))
            known = {key: fields[key] for key in cls.__dataclass_fields__ if key in fields}
            made = cls(up=up, forward=forward, **known)
            if "kind" not in fields and made.profile == "standing":  # written before there were kinds
                made = replace(made, kind="standing")
            return _checked(made)
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a calibration: {error}") from error


def _checked(made: Calibration) -> Calibration:
    """The same with figures that are numbers; raises ValueError where something in it has no meaning."""
    if made.kind not in KINDS:
        raise ValueError(f"not a calibration: there is no kind {made.kind!r}")
    if abs(float(np.dot(made.up, made.forward))) > _SQUARE:
        raise ValueError("not a calibration: up and forward are not at right angles")
    if not all(isinstance(text, str) for text in (made.profile, made.method, made.taken_utc)):
        raise ValueError("not a calibration: profile, method and time are no texts")
    if made.axis_ratio is not None and not float(made.axis_ratio) >= 0:
        raise ValueError("not a calibration: the ratio of its bend is no number")
    figures = (made.uncertainty_deg, made.spread_deg, made.axis_sigma_deg, made.difference_deg, made.wobble_deg)
    if not all(0 <= float(figure) <= _TURN_DEG for figure in figures if figure is not None):
        raise ValueError("not a calibration: a figure of its quality is no number of degrees")
    return replace(
        made,
        uncertainty_deg=float(made.uncertainty_deg),
        axis_ratio=None if made.axis_ratio is None else float(made.axis_ratio),
        spread_deg=float(made.spread_deg),
        axis_sigma_deg=float(made.axis_sigma_deg),
        difference_deg=None if made.difference_deg is None else float(made.difference_deg),
        wobble_deg=None if made.wobble_deg is None else float(made.wobble_deg),
    )


@lru_cache(maxsize=32)
def _rotation(up: Triple, forward: Triple) -> Vector:
    u, f = np.array(up), np.array(forward)
    return np.stack([f, np.cross(u, f), u])


def _unit(name: str, direction: npt.ArrayLike) -> Vector:
    vector = np.asarray(direction, dtype=np.float64)
    length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
    if not np.isfinite(length) or length < 1e-9:
        raise ValueError(f"{name} must be three finite numbers, not all zero")
    # A vector that is of unit length already stays as it is, bit for bit, so that stored calibrations do not drift.
    return vector if abs(length - 1.0) < 1e-12 else np.asarray(vector / length)


def triple(vector: Vector) -> Triple:
    """Three numbers as a value."""
    x, y, z = (float(value) for value in vector)
    return x, y, z
