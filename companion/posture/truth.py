"""Which samples cannot be true: beyond what a sensor measures, beyond what a trunk does, or frozen.

A living trunk that turns never gives the same six numbers twice; a sensor that does has stopped measuring.
Pure. Knows: physical limits. Must never know: devices, calibrations, what becomes of a sample that is refused.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.stage import Array, Columns
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

LONGEST_FILL_NS = 250_000_000
"""A straight line over a longer hole does more harm than a new start (measured on 50 Hz trunk motion)."""

MOST_ACC_MPS2 = 15.9 * STANDARD_GRAVITY_MPS2
"""The end of the widest usual range, less its last hundredth: no trunk gets there, so it was no measurement."""

MOST_GYR_RADPS = 2200 * np.pi / 180
"""A tenth above the largest usual range of 2000 °/s."""

FROZEN_TURN_RADPS = 0.1
"""A trunk that turns faster never gives the same six numbers twice, whatever the resolution."""

FROZEN_REST_NS = 500_000_000
"""One that rests may, for a moment."""

FROZEN_ACC_NS = 2_000_000_000
"""Nor does its acceleration stand still to the last bit beside rates that live."""

_LEAP_RADPS = 300 * np.pi / 180
_LEAP_RADPS2 = 25_000 * np.pi / 180
"""A rate of turn changes by no more than this at once and this in a second: thrice what the wildest trial of BROAD,
hand-held and struck, has between samples. A single false rate leaves the filter degrees off, and its bias too."""

_LEAP_MPS2 = 5 * STANDARD_GRAVITY_MPS2
_LEAP_MPS3 = 150 * STANDARD_GRAVITY_MPS2
"""The same of the acceleration: half as much again as the wildest trial of BROAD, thrown to and fro by hand, has
between samples. What leaps further is a blow to the case, which says nothing about where up is."""


@dataclass(frozen=True, slots=True)
class Known:
    """What samples are compared with."""

    last: Columns  # MOTION: the newest one that passed, if any
    newest: Array  # (1, 6) the newest one, whether it passed or not; NaN: none
    same_ns: tuple[int, int]  # for how long it, and its acceleration alone, have been the same


@dataclass(frozen=True, slots=True)
class Judged:
    """Of each element of a block (N,), with what the next block is compared with."""

    passes: Array
    frozen: Array  # repeats the one before it as no living trunk does
    rested: Array  # so, and some that were frozen too have passed before it
    newest: Array
    same_ns: tuple[int, int]


def judge(known: Known, block: Columns, sample: Array) -> Judged:
    """Which elements are samples that can be true; `sample` (N,) says which are samples at all."""
    nothing = np.zeros(len(block), dtype=np.bool_)
    if sample.all():
        judged = _frozen(known, block)
    elif sample.any():
        judged = _spread(_frozen(known, block[sample]), sample)
    else:
        return Judged(nothing, nothing, nothing, known.newest, known.same_ns)
    if _ordinary(known, block):
        passes = sample & ~judged.frozen
    else:
        passes = sample & _plausible(block) & ~judged.frozen
        choose = _one_after_the_other if _changes_kind(known, block, passes) else _without_leaps
        passes = choose(known, block, passes)
    return Judged(passes, judged.frozen, judged.rested, judged.newest, judged.same_ns)


def _spread(judged: Judged, sample: Array) -> Judged:
    frozen, rested = np.zeros(len(sample), dtype=np.bool_), np.zeros(len(sample), dtype=np.bool_)
    frozen[sample], rested[sample] = judged.frozen, judged.rested
    return Judged(sample, frozen, rested, judged.newest, judged.same_ns)


def _ordinary(known: Known, block: Columns) -> bool:
    """Whether a glance is enough: six numbers everywhere, all far inside the limits, none far from the one before."""
    acc, gyr = block["acc_mps2"], block["gyr_radps"]
    last, last_acc = known.last["gyr_radps"], known.last["acc_mps2"]
    if not _within(gyr, MOST_GYR_RADPS) or not np.isfinite(last).all():
        return False
    least, most = acc.min(), acc.max()
    if len(last_acc):
        least, most = min(least, last_acc.min()), max(most, last_acc.max())
    if not (most - least < _LEAP_MPS2 / 2 and max(most, -least) < MOST_ACC_MPS2 / 2):  # also where one is not finite
        return False
    if len(last) and not _within(gyr[:1] - last, _LEAP_RADPS):
        return False
    return len(gyr) < 2 or _within(gyr[1:] - gyr[:-1], _LEAP_RADPS)


def _within(vectors: Array, length: float) -> bool:
    """Whether no vector (N, 3) can be longer; False where one is not finite."""
    return bool(vectors.max() < length / 2 and vectors.min() > -length / 2)


def _frozen(known: Known, samples: Columns) -> Judged:
    """Samples that repeat the one before them, in all six numbers, or for long in their accelerations.

    Rates of nought on all three axes are let through: no gyroscope reads that; motion that was computed may, and may
    well stand still. Without a gyroscope nothing is called frozen: coarse accelerometers repeat themselves at rest.
    """
    acc, gyr = samples["acc_mps2"], samples["gyr_radps"]
    none, every = np.zeros(len(samples), dtype=np.bool_), np.ones(len(samples), dtype=np.bool_)
    newest = np.concatenate([acc[-1:], gyr[-1:]], axis=1)
    held = np.concatenate([[0], (acc[1:, 0] == acc[:-1, 0]).nonzero()[0] + 1])
    held = _repeats(known.newest[:, :3], acc, held)
    held = held[((gyr[held] != 0) & np.isfinite(gyr[held])).any(axis=1)] if len(held) else held
    if len(held) == 0:
        return Judged(every, none, none, newest, (0, 0))
    alike = _repeats(known.newest[:, 3:], gyr, held)
    same, same_ns = _lasted(alike, samples["period_ns"], known.same_ns[0])
    quick = _square(gyr) > FROZEN_TURN_RADPS**2
    _, held_ns = _lasted(held, samples["period_ns"], known.same_ns[1])
    long = (same_ns > FROZEN_REST_NS) | (held_ns > FROZEN_ACC_NS)
    frozen = (same & quick) | long
    return Judged(every, frozen, frozen & ~(same & quick), newest, (int(same_ns[-1]), int(held_ns[-1])))


def _repeats(newest: Array, vectors: Array, places: Array) -> Array:
    """Those of `places` in (N, 3) that equal the one before; before the first comes `newest` (1, 3)."""
    if len(places) and places[0] == 0 and (vectors[0] != newest[0]).any():
        places = places[1:]
    for axis in range(3):
        if len(places):
            column = vectors[:, axis]
            places = places[(column[places] == column[places - 1]) | (places == 0)]
    return places


def _lasted(places: Array, period_ns: Array, before_ns: int) -> tuple[Array, Array]:
    """Where samples repeat (N,), and for how long they have; 0 where they do not."""
    same = np.zeros(len(period_ns), dtype=np.bool_)
    same[places] = True
    t_ns = np.cumsum(np.where(same, period_ns, 0))
    since_ns = np.maximum.accumulate(np.where(same, 0, t_ns))
    return same, t_ns - since_ns + np.where(np.logical_and.accumulate(same), before_ns, 0)


def _plausible(block: Columns) -> Array:
    acc, gyr = _square(block["acc_mps2"]), _square(block["gyr_radps"])
    without = np.isnan(block["gyr_radps"]).all(axis=1)
    with np.errstate(invalid="ignore"):  # NaN compares false, which is what is wanted
        return np.asarray((acc < MOST_ACC_MPS2**2) & (without | (gyr <= MOST_GYR_RADPS**2)))


def _square(vectors: Array) -> Array:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(x * x + y * y + z * z)


def _changes_kind(known: Known, block: Columns, passes: Array) -> bool:
    """Whether samples lose or gain a gyroscope in mid-stream."""
    gyro = np.isfinite(block["gyr_radps"][passes, 0])
    kinds = np.concatenate([np.isfinite(known.last["gyr_radps"][:, 0]), gyro])
    return bool(len(kinds) and (kinds != kinds[0]).any())


def _one_after_the_other(known: Known, block: Columns, passes: Array) -> Array:
    """As `_without_leaps`, and without samples of another kind until a hole lets the stream change it.

    Each is compared with the last that passed both, so they are looked at in turn; rare: only where the kind changes.
    """
    chosen = np.flatnonzero(passes)
    t_ns, acc, gyr = (
        np.concatenate([known.last[name], block[name][chosen]]) for name in ("t_session_ns", "acc_mps2", "gyr_radps")
    )
    gyro, new = np.isfinite(gyr[:, 0]), len(gyr) - len(chosen)
    kept, last = passes.copy(), 0
    for this in range(1, len(gyr)):
        passed_ns = int(t_ns[this] - t_ns[last])
        place = chosen[this - new]
        strange = gyro[this] != gyro[last] and passed_ns <= LONGEST_FILL_NS + block["period_ns"][place]
        if strange or _leaps(acc[[last, this]], gyr[[last, this]], passed_ns):
            kept[place] = False
        else:
            last = this
    return kept


def _without_leaps(known: Known, block: Columns, passes: Array) -> Array:
    """Take out samples whose rate of turn, or acceleration, leaps away from the one that passed before."""
    chosen = np.flatnonzero(passes)
    t_ns, acc, gyr = (
        np.concatenate([known.last[name], block[name][chosen]]) for name in ("t_session_ns", "acc_mps2", "gyr_radps")
    )
    kept, new = passes.copy(), len(gyr) - len(chosen)
    with np.errstate(invalid="ignore"):  # without a gyroscope
        far = _square(np.diff(gyr, axis=0)) > _LEAP_RADPS**2
    candidates = np.flatnonzero(far | (_square(np.diff(acc, axis=0)) > _LEAP_MPS2**2))
    done = 0
    for last in candidates.tolist():  # rare: one blow to the sensor
        if last < done:
            continue
        done = last + 1
        while done < len(gyr) and _leaps(acc[[last, done]], gyr[[last, done]], int(t_ns[done] - t_ns[last])):
            kept[chosen[done - new]] = False
            done += 1
    return kept


def _leaps(acc: Array, gyr: Array, passed_ns: int) -> bool:
    """Whether the second of two samples, (2, 3) each, is too far from the first for the time between them."""
    passed_s = 1e-9 * passed_ns
    turned, pushed = (float(_square(np.diff(vectors, axis=0))[0]) for vectors in (gyr, acc))
    return turned > (_LEAP_RADPS + _LEAP_RADPS2 * passed_s) ** 2 or pushed > (_LEAP_MPS2 + _LEAP_MPS3 * passed_s) ** 2
