"""Real motion with a truth beside it: BROAD's trials and recordings of people, at any rate, whole or with holes.

    python benchmarks/trials.py

prints what is there. The recordings lie outside the project, where POSTURE_TEST_DATA says or else in `../shared/data`
beside the checkout; their READMEs name sources and licences.

BROAD: D. Laidig, M. Caruso, A. Cereatti, T. Seel, "BROAD - A Benchmark for Robust Inertial Orientation Estimation",
Data 6(7):72, 2021. Its inclination error is the angle between the estimated and the optical up direction; its RMSE is
taken over the movement phase of a trial, then averaged over the trials.

Knows: files of motion, directions, errors. Must never know: filters that are compared (but for the stand-in truth).
"""

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly
from vqf import offlineVQF

from companion import SAMPLES
from firmware_protocol import make_samples

Array = npt.NDArray[Any]

PACKET = 5
"""Samples that travel and get lost together."""

TRUNK_RATE_DPS = 150.0
TRUNK_ACC_MPS2 = 3.0
"""A trial is trunk-like where the root mean square of its turning rate in the movement phase, and the standard
deviation of the length of its acceleration, stay below these. Both are three times what the recordings of walking
people have (28 to 42 °/s, 1.0 to 1.2 m/s²); of BROAD the slow trials stay below, the fast and the tapped do not."""


QUICK_S = 105.0


@dataclass(frozen=True)
class Trial:
    """One recording: what the sensor said, and where up was in its frame."""

    name: str
    rate_hz: float
    acc_mps2: Array  # (N, 3)
    gyr_radps: Array  # (N, 3)
    up: Array  # (N, 3) unit vectors in the sensor's frame; NaN: not known
    counts: Array  # (N,) whether a sample counts towards an error
    trunk_like: bool = False

    def __len__(self) -> int:
        return len(self.acc_mps2)


def data_directory() -> Path:
    """Where the recordings are; ends the program with a sentence where they are not."""
    named = os.environ.get("POSTURE_TEST_DATA")
    found = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (found / "broad").is_dir():
        raise SystemExit(f"no recordings at {found}; POSTURE_TEST_DATA says where they are")
    return found


def broad(quick: bool = False) -> list[Trial]:
    """BROAD's trials at their own rate, or only the beginning of the first."""
    files = sorted((data_directory() / "broad").glob("*.npz"))
    return [_beginning(_broad_trial(files[0]))] if quick else [_broad_trial(file) for file in files]


def humans(quick: bool = False) -> list[Trial]:
    """People with a sensor on the lower back, longest first; the truth is the best batch estimate with gyroscope."""
    files = sorted((data_directory() / "lowerback_mobilised").glob("*.npz"), key=lambda file: -file.stat().st_size)
    return [_beginning(_human(files[0]))] if quick else [_human(file) for file in files]


def _beginning(trial: Trial) -> Trial:
    return part_of(trial, slice(round(QUICK_S * trial.rate_hz)))


def _broad_trial(file: Path) -> Trial:
    with np.load(file) as kept:
        quat = kept["opt_quat_i16"] / 32767.0
        acc, gyr = kept["imu_acc"].astype(float), kept["imu_gyr"].astype(float)
        counts, rate_hz = kept["movement"], float(kept["sampling_rate"])
    up = np.where((quat == 0).all(axis=1)[:, None], np.nan, up_of(quat))
    rms_dps = np.degrees(np.sqrt((gyr[counts] ** 2).sum(axis=1).mean()))
    shaken_mps2 = np.linalg.norm(acc[counts], axis=1).std()
    trunk_like = bool(rms_dps < TRUNK_RATE_DPS and shaken_mps2 < TRUNK_ACC_MPS2)
    return Trial(file.stem, rate_hz, acc, gyr, unit(up), counts, trunk_like)


def _human(file: Path) -> Trial:
    with np.load(file) as kept:
        acc, gyr, rate_hz = kept["acc"].astype(float), kept["gyr"].astype(float), float(kept["sampling_rate"])
    up = up_of(offlineVQF(np.ascontiguousarray(gyr), np.ascontiguousarray(acc), None, 1 / rate_hz)["quat6D"])
    return Trial(file.stem, rate_hz, acc, gyr, up, np.ones(len(acc), dtype=bool), trunk_like=True)


# ---- other rates


class Thinning(StrEnum):
    """How a sensor comes from its inner rate to the one it sends."""

    FILTERED = "low-passed below half the rate, then thinned"
    AVERAGED = "mean since the sample before"
    INTERPOLATED = "straight line between its own samples, not filtered"
    PICKED = "nearest of its own samples, not filtered"


def at_rate(trial: Trial, rate_hz: float, thinning: Thinning = Thinning.FILTERED) -> Trial:
    """The trial as a sensor of another rate gives it.

    Sensors filter both instruments alike before they thin, and a filter's delay only shifts the time, so that of zero
    phase stands for them. The truth is interpolated at the new samples' times.
    """
    ratio = Fraction(rate_hz / trial.rate_hz).limit_denominator(1000)
    places = np.arange(int((len(trial) - 1) * ratio) + 1) / float(ratio)
    nearest = np.minimum(np.rint(places).astype(int), len(trial) - 1)
    acc, gyr = (_thinned(each, places, ratio, thinning) for each in (trial.acc_mps2, trial.gyr_radps))
    up = unit(_between(trial.up, places))
    return replace(trial, rate_hz=rate_hz, acc_mps2=acc, gyr_radps=gyr, up=up, counts=trial.counts[nearest])


def _thinned(values: Array, places: Array, ratio: Fraction, thinning: Thinning) -> Array:
    if thinning is Thinning.FILTERED:
        filtered = resample_poly(values, ratio.numerator, ratio.denominator, axis=0, padtype="line")
        return np.ascontiguousarray(filtered[: len(places)])
    if thinning is Thinning.AVERAGED:
        sums = np.cumsum(np.vstack([np.zeros(3), values]), axis=0)
        ends, begins = places + 1, np.maximum(places + 1 - 1 / float(ratio), 0)
        return (_between(sums, ends) - _between(sums, begins)) / (ends - begins)[:, None]
    if thinning is Thinning.INTERPOLATED:
        return _between(values, places)
    return values[np.minimum(np.rint(places).astype(int), len(values) - 1)]


def _between(values: Array, places: Array) -> Array:
    """Rows of (N, 3) at places that are not whole, on the straight line between their neighbours."""
    before = np.minimum(places.astype(int), len(values) - 2)
    part = (places - before)[:, None]
    return np.asarray(values[before] * (1 - part) + values[before + 1] * part)


# ---- parts and disturbances


def part_of(trial: Trial, chosen: Array | slice) -> Trial:
    """Only some of the samples."""
    names = ("acc_mps2", "gyr_radps", "up", "counts")
    return replace(trial, **{name: np.ascontiguousarray(getattr(trial, name)[chosen]) for name in names})


def replaced(trial: Trial, acc_mps2: Array, gyr_radps: Array) -> Trial:
    """The same with other readings."""
    return replace(trial, acc_mps2=acc_mps2, gyr_radps=gyr_radps)


def without_rests(trial: Trial) -> Trial:
    """The longest movement phase alone: from its first to its last sample the body never rests."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], trial.counts, [0]])))
    first, end = max(zip(edges[::2], edges[1::2], strict=True), key=lambda phase: phase[1] - phase[0])
    return part_of(trial, slice(first, end))


def pieces(trial: Trial, seconds: float, count: int) -> list[Trial]:
    """Pieces of the part that counts, spread over it: what a session sees that begins while the body moves."""
    length = round(seconds * trial.rate_hz)
    counted = np.flatnonzero(trial.counts[: len(trial) - length])
    chosen = counted[np.linspace(0, len(counted) - 1, count).astype(int)] if len(counted) else counted
    return [part_of(trial, slice(place, place + length)) for place in np.unique(chosen)]


def biased(trial: Trial, bias_dps: Array) -> Trial:
    """The same with a constant (3,) added to the gyroscope."""
    return replace(trial, gyr_radps=trial.gyr_radps + np.radians(bias_dps))


def quantised(trial: Trial, bits: int, acc_range_g: float, gyr_range_dps: float) -> Trial:
    """The same in whole counts of a converter; what is beyond the range stands at its end."""
    acc = _in_counts(trial.acc_mps2, bits, acc_range_g * 9.80665)
    return replace(trial, acc_mps2=acc, gyr_radps=_in_counts(trial.gyr_radps, bits, np.radians(gyr_range_dps)))


def _in_counts(values: Array, bits: int, full: float) -> Array:
    step = full / 2 ** (bits - 1)
    return np.asarray(np.clip(np.rint(values / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step)


def noisy(trial: Trial, acc_mps2: float, gyr_dps: float, seed: int) -> Trial:
    """The same with white noise of these standard deviations on each axis."""
    random = np.random.default_rng(seed)
    acc = trial.acc_mps2 + random.normal(0, acc_mps2, trial.acc_mps2.shape)
    return replace(trial, acc_mps2=acc, gyr_radps=trial.gyr_radps + random.normal(0, np.radians(gyr_dps), acc.shape))


def received(count: int, share: float, burst: int, seed: tuple[int, ...]) -> Array:
    """(count,) which samples arrive where a share of the packets is lost in runs of `burst` that begin at random.

    The first second's worth of packets always arrives: no recording begins before its first packet.
    """
    packets = -(-count // PACKET)
    begins = np.random.default_rng(seed).random(packets) < share / burst
    begins[:10] = False
    lost = np.convolve(begins, np.ones(burst))[:packets] > 0
    return np.repeat(~lost, PACKET)[:count]


def samples_of(trial: Trial, kept: Array | None = None, gyroscope: bool = True) -> Array:
    """SAMPLES of those that arrived, counted and timed by the sensor."""
    index = np.arange(len(trial)) if kept is None else np.flatnonzero(kept)
    t_ns = np.rint(index * (1e9 / trial.rate_hz)).astype(np.int64)
    gyr = trial.gyr_radps[index] if gyroscope else None
    made = make_samples(trial.acc_mps2[index], gyr, t_device_ns=t_ns, index=index)
    assert made.dtype == SAMPLES
    return made


# ---- directions and errors


def up_of(quat: Array) -> Array:
    """(N, 3) the earth's up in the sensor's frame, of quaternions (N, 4) w, x, y, z from sensor to earth."""
    w, x, y, z = quat.T
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z], axis=1)


def unit(vectors: Array) -> Array:
    """The same directions with length 1; NaN where there is no length."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1)[:, None])


def between_deg(a: Array, b: Array) -> Array:
    """(N,) angles between the unit vectors of (N, 3) and (N, 3)."""
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))))


def rmse_deg(estimate: Array, trial: Trial, kept: Array | None = None) -> float:
    """BROAD's inclination error: RMSE over the samples that count.

    `estimate` is (n, 3), for those of `kept` alone, else for all. NaN where an estimate that counts is not finite.
    """
    chosen = slice(None) if kept is None else kept
    truth, counts = trial.up[chosen], trial.counts[chosen]
    counts = counts & np.isfinite(truth[:, 0])
    return float(np.sqrt(np.mean(between_deg(estimate[counts], truth[counts]) ** 2)))


def mean_of_1s(vectors: Array, rate_hz: float) -> Array:
    """(N, 3) the mean of each vector and those of the second before it; NaN in the first second."""
    width = max(round(rate_hz), 1)
    sums = np.cumsum(np.vstack([np.zeros(3), vectors]), axis=0)
    made = np.full(vectors.shape, np.nan)
    made[width - 1 :] = (sums[width:] - sums[:-width]) / width
    return made


def main() -> None:
    """Say what is there."""
    print("| trial | rate, Hz | length, s | counted, s | turning, RMS in °/s | shaken, m/s² | trunk-like |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for each in [*broad(), *humans()]:
        turning_dps = np.degrees(np.sqrt((each.gyr_radps[each.counts] ** 2).sum(axis=1).mean()))
        shaken_mps2 = np.linalg.norm(each.acc_mps2[each.counts], axis=1).std()
        length_s, counted_s = len(each) / each.rate_hz, each.counts.sum() / each.rate_hz
        figures = f"{each.rate_hz:.0f} | {length_s:.0f} | {counted_s:.0f} | {turning_dps:.0f} | {shaken_mps2:.2f}"
        print(f"| {each.name} | {figures} | {'yes' if each.trunk_like else ''} |")


if __name__ == "__main__":
    main()
