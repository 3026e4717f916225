"""From raw numbers to SAMPLES: the arithmetic of posture_v1 samples, one numpy expression for each run of packets.

Pure. Knows: scales and periods. Must never know: what was lost, or why these samples are the ones to give out.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.posture_v1.packets import Layout
from firmware_protocol.posture_v1.track import Track, ns_of
from firmware_protocol.samples import SAMPLES, STANDARD_GRAVITY_MPS2

FULL_SCALE = 32768
_SAMPLES_AT_ONCE = 8192  # what is written stays in the cache from one field to the next
_SIX = np.dtype(("<f8", (6,)))
_BOTH_VECTORS = np.dtype([("before", f"V{SAMPLES.itemsize - _SIX.itemsize}"), ("vectors", _SIX)])
"""SAMPLES with acceleration and rate, which lie side by side at its end, as one field: written in half the time."""
_Numbers: TypeAlias = Sequence[int] | NDArray[Any]


class Scale(NamedTuple):
    """What turns raw numbers of a track into samples in SI units."""

    segment: int
    period_ns: int
    acc_mps2: float
    gyr_radps: float

    @classmethod
    def of(cls, track: Track) -> "Scale":
        """The scale in force on `track`."""
        acc_mps2 = track.acc_range_g * STANDARD_GRAVITY_MPS2 / FULL_SCALE
        return cls(track.segment, track.period_ns, acc_mps2, math.radians(track.gyr_range_dps) / FULL_SCALE)


class Piece(NamedTuple):
    """P packets of N samples each, all of one segment."""

    scale: Scale
    raw: NDArray[np.int16]  # (P, N, 3) or (P, N, 6)
    first: _Numbers  # (P,) index of the packets' first samples
    ticks: _Numbers  # (P,) device time of the packets' first samples, 1/1024 s
    t_host_ns: _Numbers  # (P,)
    flags: _Numbers  # (P,) SampleFlag
    skipped: int = 0  # raw[:, 0] is the packets' sample of this number


def assemble(pieces: Sequence[Piece]) -> NDArray[Any]:
    """All samples of the pieces, in their order, as SAMPLES."""
    samples = np.empty(sum(piece.raw.shape[0] * piece.raw.shape[1] for piece in pieces), dtype=SAMPLES)
    filled = 0
    for piece in pieces:
        packets, count, _ = piece.raw.shape
        at_once = max(_SAMPLES_AT_ONCE // max(count, 1), 1)
        for first in range(0, packets, at_once):
            rows = slice(first, min(first + at_once, packets))
            end = filled + count * (rows.stop - first)
            _fill(samples[filled:end], piece, rows)
            filled = end
    return samples


def _fill(block: NDArray[Any], piece: Piece, rows: slice) -> None:
    """SAMPLES of some packets, written flat: numpy is slow where its innermost loop is as short as a packet."""
    scale, raw = piece.scale, piece.raw[rows]
    packets, count, axes = raw.shape
    number = np.arange(piece.skipped, piece.skipped + count)
    number = np.tile(number, packets) if packets > 1 else number
    block["t_device_ns"] = ns_of(_each(piece.ticks[rows], count)) + number * scale.period_ns
    block["t_host_ns"] = _each(piece.t_host_ns[rows], count)
    block["index"] = _each(piece.first[rows], count) + number
    block["segment"] = scale.segment
    block["flags"] = _each(piece.flags[rows], count)
    vectors = (raw.reshape(packets, count * axes) * _scales(scale, count, axes)).reshape(-1, axes)
    if axes == Layout.ACC_GYR.axes:
        block.view(_BOTH_VECTORS)["vectors"] = vectors
    else:
        block["acc_mps2"], block["gyr_radps"] = vectors, np.nan


def _each(of_packets: _Numbers, count: int) -> NDArray[np.int64]:
    """A number of each packet, for each of its samples."""
    return np.asarray(of_packets, dtype=np.int64).repeat(count)


@lru_cache(maxsize=32)
def _scales(scale: Scale, count: int, axes: int) -> NDArray[np.float64]:
    """What to multiply each number of a packet by."""
    return np.tile([scale.acc_mps2] * 3 + [scale.gyr_radps] * (axes - 3), count)
