"""From raw numbers to SAMPLES: the arithmetic of posture_v1 samples, one numpy expression for each run of packets.

Pure. Knows: scales and periods. Must never know: what was lost, or why these samples are the ones to give out.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_protocol.posture_v1.packets import Layout
from firmware_protocol.posture_v1.track import Track, ns_of
from firmware_protocol.samples import SAMPLES, STANDARD_GRAVITY_MPS2

FULL_SCALE = 32768


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
    first: ArrayLike  # (P,) index of the packets' first samples
    ticks: ArrayLike  # (P,) device time of the packets' first samples, 1/1024 s
    t_host_ns: ArrayLike  # (P,)
    flags: ArrayLike  # (P,) SampleFlag
    skipped: int = 0  # raw[:, 0] is the packets' sample of this number


def assemble(pieces: Sequence[Piece]) -> NDArray[Any]:
    """All samples of the pieces, in their order, as SAMPLES."""
    samples = np.empty(sum(piece.raw.shape[0] * piece.raw.shape[1] for piece in pieces), dtype=SAMPLES)
    filled = 0
    for piece in pieces:
        packets, count, _ = piece.raw.shape
        _fill(samples[filled : filled + packets * count].reshape(packets, count), piece)
        filled += packets * count
    return samples


def _fill(block: NDArray[Any], piece: Piece) -> None:
    number = np.arange(piece.skipped, piece.skipped + piece.raw.shape[1])
    first_ns = ns_of(np.asarray(piece.ticks, dtype=np.int64))
    block["t_device_ns"] = first_ns[:, None] + number * piece.scale.period_ns
    block["t_host_ns"] = np.asarray(piece.t_host_ns, dtype=np.int64)[:, None]
    block["index"] = np.asarray(piece.first, dtype=np.int64)[:, None] + number
    block["segment"] = piece.scale.segment
    block["flags"] = np.asarray(piece.flags)[:, None]
    np.multiply(piece.raw[..., :3], piece.scale.acc_mps2, out=block["acc_mps2"])
    if piece.raw.shape[2] == Layout.ACC_GYR.axes:
        np.multiply(piece.raw[..., 3:], piece.scale.gyr_radps, out=block["gyr_radps"])
    else:
        block["gyr_radps"] = np.nan
