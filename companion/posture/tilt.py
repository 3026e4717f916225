"""Where up is: the inclination filter, with a gyroscope (VQF) or without one (a low-pass).

The only place that imports `vqf`. Knows: accelerations and rates in the calibrated frame. Must never know: what the
angles are used for.

VQF: D. Laidig, T. Seel, "VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic
disturbance rejection", Information Fusion 91 (2023) 187-204.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from vqf import VQF, offlineVQF

from companion.posture.stage import UPS, Array, Beat, Joint, runs
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

BIAS_SIGMA_INIT_DPS = 2.0
BIAS_CLIP_DPS = 5.0
"""With VQF's own 0.5 and 2, a gyroscope that is 4 °/s off and never rests costs 8°; with these, 2.4°."""

SETTLE_NS = 1_500_000_000
"""After a start the inclination is not judged for so long: the accelerometer's low-pass has its mean by then."""

CUTOFF_HZ = 2.0
"""Of the low-pass without gyroscope: lower ones are worse than none on a moving trunk (0.5 Hz: 3.0°, 2 Hz: 1.35°)."""


@dataclass(frozen=True, slots=True)
class TiltState:
    """The filter's memory as plain values; an object of VQF can be neither copied nor stored."""

    vqf: dict[str, Any] | None = None
    low_pass: Array | None = None  # (1, 3)
    period_ns: int = 0
    started_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Tilt:
    """Stage: MOTION (gated, in the calibrated frame) to UPS; ticks pass, filled samples are marked and kept."""

    def start(self) -> TiltState:
        """Nothing is known."""
        return TiltState()

    def step(self, state: TiltState, block: Array) -> tuple[TiltState, Array]:
        """The up direction at every sample of `block`."""
        made = np.zeros(len(block), dtype=UPS)
        for name in ("t_session_ns", "period_ns", "number", "beat", "joint"):
            made[name] = block[name]
        places = np.flatnonzero(block["beat"] == Beat.SAMPLE)
        samples = block[places]
        for first, end in runs(_piece_numbers(samples)):
            state, up, gyro, settled = _piece(state, samples[first:end])
            where = places[first:end]
            made["up"][where], made["gyro"][where], made["settled"][where] = up, gyro, settled
        made["acc_norm_g"][places] = _length(samples["acc_mps2"]) / STANDARD_GRAVITY_MPS2
        return state, made


def _piece_numbers(samples: Array) -> Array:
    """Equal within a piece that one filter takes in one go: a restart or another period begins a new one."""
    begins = (samples["joint"] & Joint.RESTART) != 0
    if len(begins):
        begins[1:] |= samples["period_ns"][1:] != samples["period_ns"][:-1]
    return np.cumsum(begins)


def _piece(state: TiltState, piece: Array) -> tuple[TiltState, Array, bool, Array]:
    first = piece[0]
    period_ns = int(first["period_ns"])
    gyro = bool(np.isfinite(first["gyr_radps"][0]))
    anew = bool(first["joint"] & Joint.RESTART) or state.started_ns is None or period_ns != state.period_ns
    if anew:
        state = replace(state, period_ns=period_ns, started_ns=int(first["t_session_ns"]), low_pass=None)
    state, up = _with_gyroscope(state, piece, anew) if gyro else _without_gyroscope(state, piece)
    assert state.started_ns is not None
    return state, up, gyro, piece["t_session_ns"] >= state.started_ns + SETTLE_NS


def _with_gyroscope(state: TiltState, piece: Array, anew: bool) -> tuple[TiltState, Array]:
    vqf = VQF(state.period_ns * 1e-9, biasSigmaInit=BIAS_SIGMA_INIT_DPS, biasClip=BIAS_CLIP_DPS)
    if state.vqf is not None:
        vqf.state = state.vqf
        if anew:  # the gyroscope's bias outlives a gap, the rest does not
            bias, sigma = vqf.getBiasEstimate()
            vqf.resetState()
            vqf.setBiasEstimate(bias, sigma)
    gyr, acc = (np.ascontiguousarray(piece[name]) for name in ("gyr_radps", "acc_mps2"))
    quat = vqf.updateBatch(gyr, acc)["quat6D"]
    return replace(state, vqf=vqf.state), _up_of(quat)


def _up_of(quat: Array) -> Array:
    """(N, 3) the earth's up in the sensor's frame, of quaternions (N, 4) w, x, y, z from sensor to earth."""
    w, x, y, z = quat[:, 0], quat[:, 1], quat[:, 2], quat[:, 3]
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)


def _without_gyroscope(state: TiltState, piece: Array) -> tuple[TiltState, Array]:
    """First-order low-pass of the acceleration *vector*, then its direction: averaging angles is worse."""
    from scipy.signal import lfilter  # takes a second to load, and most sensors have a gyroscope

    acc = piece["acc_mps2"]
    gain = float(-np.expm1(-2 * np.pi * CUTOFF_HZ * state.period_ns * 1e-9))
    memory = state.low_pass if state.low_pass is not None else acc[:1] * (1 - gain)
    smooth, memory = lfilter([gain], [1.0, gain - 1.0], acc, axis=0, zi=memory)
    length = _length(smooth)
    return replace(state, low_pass=memory), np.asarray(smooth / np.where(length > 0, length, 1.0)[:, None])


def _length(vectors: Array) -> Array:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return np.asarray(np.sqrt(x * x + y * y + z * z))


def best_batch(samples: Array) -> Array:
    """(N, 3) up directions of gated samples with the future known too: the best there is for a finished recording."""
    made = np.zeros((len(samples), 3))
    for first, end in runs(_piece_numbers(samples)):
        piece = samples[first:end]
        gyr, acc = (np.ascontiguousarray(piece[name]) for name in ("gyr_radps", "acc_mps2"))
        if np.isfinite(gyr[0, 0]):
            made[first:end] = _up_of(offlineVQF(gyr, acc, None, int(piece["period_ns"][0]) * 1e-9)["quat6D"])
        else:
            made[first:end] = _zero_phase(acc, int(piece["period_ns"][0]))
    return made


def _zero_phase(acc: Array, period_ns: int) -> Array:
    """Forth and back through a low-pass of 1 Hz (without gyroscope, batch: 1.2° on moving trunks)."""
    from scipy.signal import butter, sosfiltfilt

    sos = butter(1, min(1.0, 0.4e9 / period_ns), fs=1e9 / period_ns, output="sos")
    smooth = sosfiltfilt(sos, acc, axis=0, padlen=min(len(acc) - 1, 3 * sos.shape[0]))
    return np.asarray(smooth / _length(smooth)[:, None])
