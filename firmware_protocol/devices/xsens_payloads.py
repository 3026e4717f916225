"""The payloads of the Movella (Xsens) DOT's measurement service: which bytes a mode has, and what they say of motion.

Source: Movella DOT BLE Services Specification, revision C of July 2023, tables 13 to 17 and section 3.5.1. Pure
arithmetic on records. Must never know: links, which mode is in force, what was sent before.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices.decoding import not_finite
from firmware_protocol.devices.orientation import at_rest, turned_into_sensor, up_of_quaternions

Floats = NDArray[np.float64]

_UUID = "1517{:04x}-4947-11e9-8646-d663bd873d93".format
LONG, MEDIUM, SHORT = _UUID(0x2002), _UUID(0x2003), _UUID(0x2004)
FULL_BYTES = {LONG: 63, MEDIUM: 40, SHORT: 20}
"""The characteristics that payloads come in, and how many bytes they are filled up to."""

_TYPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "quaternion": ("<f4", (4,)),  # w, x, y, z; from the sensor's frame to east, north, up
    "euler": ("<f4", (3,)),  # degrees about x (roll), y (pitch) and z (yaw); turned about z, then y, then x
    "free": ("<f4", (3,)),  # acceleration without gravity, m/s², in east, north, up
    "acceleration": ("<f4", (3,)),  # m/s², in the sensor's frame
    "rotation": ("<f4", (3,)),  # degrees a second, in the sensor's frame
    "field": ("<i2", (3,)),
    "status": ("<u2", ()),
    "clips": ("u1", (2,)),
    "turned": ("<f4", (4,)),  # the change of orientation over one period
    "gained": ("<f4", (3,)),  # the change of velocity over one period, m/s
}
_CLIPPED = 0x003F
"""The bits of the status that say an accelerometer or gyroscope was out of range; those of the magnetometer follow."""
_OFF_LENGTH = 0.1
"""How far from 1 the length of a quaternion may be, which is 1 but for rounding; further off it is none."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A payload mode: the characteristic that it comes in, and the fields after the time stamp."""

    characteristic: str
    fields: tuple[str, ...]


MODES = {
    2: Mode(MEDIUM, ("quaternion", "free", "status", "clips")),
    3: Mode(MEDIUM, ("quaternion", "free")),
    4: Mode(SHORT, ("euler",)),
    5: Mode(SHORT, ("quaternion",)),
    6: Mode(SHORT, ("free",)),
    7: Mode(MEDIUM, ("euler", "free", "status", "clips")),
    16: Mode(MEDIUM, ("euler", "free")),
    18: Mode(MEDIUM, ("turned", "gained", "field")),
    19: Mode(MEDIUM, ("turned", "gained")),
    20: Mode(MEDIUM, ("acceleration", "rotation", "field")),
    21: Mode(MEDIUM, ("acceleration", "rotation")),
    22: Mode(MEDIUM, ("euler", "free", "rotation")),
    23: Mode(MEDIUM, ("euler", "free", "field")),
    24: Mode(MEDIUM, ("quaternion", "rotation")),
    26: Mode(LONG, ("quaternion", "acceleration", "rotation")),
}
PRIVATE = {1: MEDIUM, 17: MEDIUM, 25: LONG}
"""Modes whose packing the maker does not tell."""

FAULTS = ("", "bytes after the payload are not 0", "a number is not finite", "a quaternion's length is not 1")


@cache
def layout(number: int, length: int) -> "np.dtype[Any] | None":
    """The records of a mode in packets of `length` bytes: those of its fields, or filled up with zeros.

    None: they are never so long.
    """
    mode = MODES[number]
    parts: list[Any] = [("time_us", "<u4"), *((name, *_TYPES[name]) for name in mode.fields)]
    unused = length - np.dtype(parts).itemsize
    if unused != 0 and length != FULL_BYTES[mode.characteristic]:
        return None
    return np.dtype([*parts, ("unused", "u1", (unused,))])


def faults(records: NDArray[Any]) -> NDArray[np.int64]:
    """What is the matter with each record (P,), as places in FAULTS; 0: nothing."""
    found = np.zeros(len(records), dtype=np.int64)
    for name in records.dtype.names or ():
        if name == "quaternion":
            found[_no_rotation(records[name])] = 3
    for name in records.dtype.names or ():
        if records.dtype[name].base.kind == "f":
            found[not_finite(records[name])] = 2
    found[records["unused"].any(axis=1)] = 1
    return found


def _no_rotation(wxyz: NDArray[Any]) -> NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        q = wxyz.astype(np.float64)
        return np.asarray(~(np.abs(np.sqrt((q * q).sum(axis=1)) - 1.0) <= _OFF_LENGTH))


def acceleration_mps2(records: NDArray[Any]) -> Floats | None:
    """What an accelerometer reads (P, 3) in the sensor's frame; None where a mode does not say where up is.

    Where there is orientation only, it is gravity alone; the acceleration without gravity is added where it is sent.
    """
    kept = records.dtype.names or ()
    if "acceleration" in kept:
        return records["acceleration"].astype(np.float64)
    if "quaternion" in kept:
        wxyz = records["quaternion"].astype(np.float64)
    elif "euler" in kept:
        wxyz = quaternions_of_euler(records["euler"])
    else:
        return None
    gravity = at_rest(up_of_quaternions(wxyz))
    return gravity + turned_into_sensor(wxyz, records["free"]) if "free" in kept else gravity


def rotation_radps(records: NDArray[Any]) -> Floats | float:
    """Rates of turn (P, 3) in rad/s in the sensor's frame; NaN where a mode has none."""
    return np.radians(records["rotation"].astype(np.float64)) if "rotation" in (records.dtype.names or ()) else np.nan


def clipped(records: NDArray[Any]) -> NDArray[np.bool_] | bool:
    """Where an accelerometer or a gyroscope was out of range (P,), as the status says; False where there is none.

    The counters beside it are not looked at: nothing says over which time they count.
    """
    return (records["status"] & _CLIPPED) != 0 if "status" in (records.dtype.names or ()) else False


def quaternions_of_euler(degrees: NDArray[Any]) -> Floats:
    """Quaternions (P, 4) w, x, y, z for angles (P, 3) about x, y and z, turned about z, then y, then x.

    J. Diebel, Representing Attitude, 2006, equation 290 (sequence 1, 2, 3).
    """
    half = np.radians(np.asarray(degrees, dtype=np.float64)) / 2
    (cx, cy, cz), (sx, sy, sz) = np.cos(half).T, np.sin(half).T
    w, x = cx * cy * cz + sx * sy * sz, sx * cy * cz - cx * sy * sz
    y, z = cx * sy * cz + sx * cy * sz, cx * cy * sz - sx * sy * cz
    return np.stack([w, x, y, z], axis=1)
