"""The one currency between devices and posture: a numpy structured array of motion samples.

Knows: units and axes. Must never know: bytes, devices, clocks, files.

Axes: right-handed, fixed to the sensor. At rest the accelerometer reads +9.81 m/s² on the axis that points up
(it measures specific force, so its direction at rest *is* up).
"""

from enum import IntFlag
from typing import Any

import numpy as np
import numpy.typing as npt

STANDARD_GRAVITY_MPS2 = 9.80665
"""One g by definition (3rd General Conference on Weights and Measures, 1901)."""

UNKNOWN = -1
"""Stands in `t_device_ns` and `index` where the device has no clock or no counter."""

SAMPLES = np.dtype(
    [
        ("t_device_ns", "<i8"),  # the sensor's own clock, unwrapped, not shifted; -1: it has none
        ("t_host_ns", "<i8"),  # arrival of the packet that carried the sample; -1: unknown
        ("index", "<i8"),  # number in its segment, counting samples that were lost; -1: no counter
        ("segment", "<u4"),  # a gap that must not be joined starts a new one
        ("flags", "<u4"),  # SampleFlag
        ("acc_mps2", "<f8", (3,)),
        ("gyr_radps", "<f8", (3,)),  # NaN: no gyroscope
    ],
    align=True,
)


class SampleFlag(IntFlag):
    """What is known about a sample's quality; combined in `SAMPLES["flags"]`."""

    CLIPPED = 1  # the sensor was at the end of its range
    FILLED = 2  # interpolated over a short gap, never received
    MASKED = 4  # the sensor's own motor was running
    FROZEN = 8  # the same value for implausibly long
    NOT_FINITE = 16  # NaN, infinity, or a magnitude no body produces
    BACKFILLED = 32  # came later, from the sensor's buffer
    TIME_GUESSED = 64  # neither clock nor counter: the time is the sample's number times a fitted period


def make_samples(
    acc_mps2: npt.ArrayLike,
    gyr_radps: npt.ArrayLike | None = None,
    t_device_ns: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
    t_host_ns: npt.ArrayLike | None = None,
) -> npt.NDArray[Any]:
    """Build `SAMPLES` from plain arrays.

    `acc_mps2` (N, 3) in m/s², `gyr_radps` (N, 3) in rad/s, the others (N,) integers. An absent clock or counter
    becomes -1, an absent gyroscope NaN. Raises ValueError where the shapes do not fit.
    """
    acc = np.asarray(acc_mps2, dtype=np.float64)
    if acc.ndim != 2 or acc.shape[1] != 3:
        raise ValueError(f"acc_mps2 must have the shape (N, 3), not {acc.shape}")
    samples = np.zeros(len(acc), dtype=SAMPLES)
    samples["acc_mps2"] = acc
    samples["gyr_radps"] = np.nan if gyr_radps is None else _shaped("gyr_radps", gyr_radps, acc.shape, float)
    for name, values in (("t_device_ns", t_device_ns), ("index", index), ("t_host_ns", t_host_ns)):
        samples[name] = UNKNOWN if values is None else _shaped(name, values, acc.shape[:1], np.int64)
    return samples


def _shaped(name: str, values: npt.ArrayLike, shape: tuple[int, ...], kind: type) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.asarray(values, dtype=kind)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    return array
