"""The filters we are measured beside, each as its makers ship it, and the ways to feed them a stream with holes.

A peer takes (N, 3) accelerations in m/s², (N, 3) rates in rad/s and the rate of evenly spaced samples, and gives (N, 3)
up directions in the sensor's frame. Knows: published filters. Must never know: our own.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, lfilter, sosfiltfilt
from trials import Trial, unit, up_of
from vqf import VQF, BasicVQF, offlineVQF

Array = npt.NDArray[Any]
Peer: TypeAlias = Callable[[Array, Array, float], Array]

COMPLEMENTARY_TAU_S = 3.0


def vqf_as_shipped(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    return up_of(VQF(1 / rate_hz).updateBatch(gyr_radps, acc_mps2)["quat6D"])


def basic_vqf(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    return up_of(BasicVQF(1 / rate_hz).updateBatch(gyr_radps, acc_mps2)["quat6D"])


def offline_vqf(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    return up_of(offlineVQF(gyr_radps, acc_mps2, None, 1 / rate_hz)["quat6D"])


def imufusion_with_bias(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    """Default settings at the sensor's rate, after its own bias estimator."""
    import imufusion

    settings, bias_settings = imufusion.AhrsSettings(), imufusion.BiasSettings()
    settings.sample_rate = bias_settings.sample_rate = rate_hz
    filter_, bias = imufusion.Ahrs(), imufusion.Bias()
    filter_.set_settings(settings)
    bias.set_settings(bias_settings)
    made = np.empty(acc_mps2.shape)
    for place, (acc_g, gyr_dps) in enumerate(zip(acc_mps2 / 9.80665, np.degrees(gyr_radps), strict=True)):
        filter_.update_no_magnetometer(bias.update(gyr_dps), acc_g)
        made[place] = filter_.get_gravity()
    return made


def complementary(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    """Gyroscope above, accelerometer below 1 / (2π · 3 s); the acceleration is mixed in with its length.

    Turned by the gyroscope into a frame that does not turn, a first-order low-pass of the acceleration is the same
    filter, without a loop.
    """
    turned = _turned(gyr_radps / rate_hz)
    gain = -np.expm1(-1 / (rate_hz * COMPLEMENTARY_TAU_S))
    return unit(_rotated(_conjugate(turned), _low_passed(_rotated(turned, acc_mps2), gain)))


LIVE: dict[str, Peer] = {
    "VQF": vqf_as_shipped,
    "BasicVQF": basic_vqf,
    "imufusion": imufusion_with_bias,
    "complementary 3 s": complementary,
}
if find_spec("imufusion") is None:  # one peer less; the heading of the figures says so
    del LIVE["imufusion"]
BATCH: dict[str, Peer] = {"offlineVQF": offline_vqf}


# ---- without gyroscope


def ema(cutoff_hz: float) -> Peer:
    """First-order low-pass of the acceleration vector."""

    def run(acc_mps2: Array, _gyr_radps: Array, rate_hz: float) -> Array:
        return unit(_low_passed(acc_mps2, -np.expm1(-2 * np.pi * cutoff_hz / rate_hz)))

    return run


def raw(acc_mps2: Array, _gyr_radps: Array, _rate_hz: float) -> Array:
    return unit(acc_mps2)


def butterworth_there_and_back(acc_mps2: Array, _gyr_radps: Array, rate_hz: float) -> Array:
    """Batch: second order, 1 Hz, zero phase."""
    return unit(sosfiltfilt(butter(2, 1.0, fs=rate_hz, output="sos"), acc_mps2, axis=0))


ACCELEROMETER_ONLY: dict[str, Peer] = {
    "EMA 0.5 Hz": ema(0.5),
    "EMA 1 Hz": ema(1.0),
    "EMA 2 Hz": ema(2.0),
    "raw": raw,
    "Butterworth 1 Hz, zero phase (batch)": butterworth_there_and_back,
}


# ---- streams with holes


def joined(peer: Peer, trial: Trial, kept: Array) -> Array:
    """The peer on the samples that arrived, holes not noticed; (n, 3) at those that arrived."""
    return peer(np.ascontiguousarray(trial.acc_mps2[kept]), np.ascontiguousarray(trial.gyr_radps[kept]), trial.rate_hz)


def filled(peer: Peer, trial: Trial, kept: Array) -> Array:
    """The peer with straight lines drawn over the holes; (N, 3) at every sample."""
    return peer(straight_lines(trial.acc_mps2, kept), straight_lines(trial.gyr_radps, kept), trial.rate_hz)


def straight_lines(values: Array, kept: Array) -> Array:
    """(N, 3) with the rows that are not `kept` interpolated between their neighbours."""
    places = np.arange(len(values))
    return np.stack([np.interp(places, places[kept], axis[kept]) for axis in values.T], axis=1)


# ---- turning


def _low_passed(values: Array, gain: float) -> Array:
    return np.asarray(lfilter([gain], [1.0, gain - 1.0], values, axis=0, zi=values[:1] * (1 - gain))[0])


def _turned(angles_rad: Array) -> Array:
    """(N, 4) orientation after each of the small rotations (N, 3), one after the other: products doubled in length."""
    half = np.linalg.norm(angles_rad, axis=1)[:, None] / 2
    made = np.concatenate([np.cos(half), angles_rad / 2 * np.sinc(half / np.pi)], axis=1)
    span = 1
    while span < len(made):
        made[span:] = _product(made[:-span], made[span:])
        span *= 2
    return np.asarray(made / np.linalg.norm(made, axis=1)[:, None])


def _product(a: Array, b: Array) -> Array:
    aw, bw, av, bv = a[:, :1], b[:, :1], a[:, 1:], b[:, 1:]
    return np.concatenate([aw * bw - (av * bv).sum(axis=1)[:, None], aw * bv + bw * av + np.cross(av, bv)], axis=1)


def _conjugate(quat: Array) -> Array:
    return quat * np.array([1.0, -1.0, -1.0, -1.0])


def _rotated(quat: Array, vectors: Array) -> Array:
    twice = 2 * np.cross(quat[:, 1:], vectors)
    return np.asarray(vectors + quat[:, :1] * twice + np.cross(quat[:, 1:], twice))
