"""Directions in three dimensions: their length, mean, the angle between two, the smallest turn from one to another.

Knows: unit vectors. Must never know: what they are the direction of.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[Any]
"""(3,) or, where the name is in the plural, (N, 3)."""


def unit(vector: Vector) -> Vector:
    """The same direction with length 1."""
    return np.asarray(vector / np.linalg.norm(vector))


def mean_direction(directions: Vector) -> Vector:
    """Of (N, 3) unit vectors: the vectors are averaged, not angles."""
    return unit(directions.sum(axis=0))


def between_deg(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """The angle between two directions (3,), 0 to 180; exact for small angles too."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def off_deg(directions: Vector, middle: Vector) -> Vector:
    """(N,) angles between (N, 3) unit vectors and one of them."""
    across = np.linalg.norm(np.cross(directions, middle), axis=1)
    return np.asarray(np.degrees(np.arctan2(across, directions @ middle)))


def smallest_turn(start: npt.ArrayLike, end: npt.ArrayLike) -> Vector:
    """(3, 3) the rotation by the smallest angle that takes the unit vector `start` to `end`.

    Rodrigues' formula for the axis start × end. Raises ValueError where the two are opposite: no turn is the smallest.
    """
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    x, y, z = np.cross(a, b)
    cosine = float(a @ b)
    if cosine < -1 + 1e-9:
        raise ValueError("opposite directions have no smallest turn between them")
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))
