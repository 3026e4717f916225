"""From raw numbers to SAMPLES: the arithmetic of posture_v1 samples, one numpy expression for each run of packets.

Pure. Knows: scales and periods. Must never know: what was lost, or why these samples are the ones to give out.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.posture_v1.packets import Layout
from firmware_protocol.posture_v1.track import Track, ns_of
from firmware_protocol.samples import SAMPLES, STANDARD_GRAVITY_MPS2

FULL_SCALE = 32768
_AT_ONCE = 256  # packets: what is written stays in the cache from one field to the next
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
        block = samples[filled : filled + packets * count].reshape(packets, count)
        for first in range(0, packets, _AT_ONCE):
            _fill(block[first : first + _AT_ONCE], piece, slice(first, first + _AT_ONCE))
        filled += packets * count
    return samples


def _fill(block: NDArray[Any], piece: Piece, rows: slice) -> None:
    scale, raw = piece.scale, piece.raw[rows]
    number = np.arange(piece.skipped, piece.skipped + raw.shape[1])
    block["t_device_ns"] = ns_of(np.asarray(piece.ticks[rows], dtype=np.int64))[:, None] + number * scale.period_ns
    block["t_host_ns"] = np.asarray(piece.t_host_ns[rows], dtype=np.int64)[:, None]
    block["index"] = np.asarray(piece.first[rows], dtype=np.int64)[:, None] + number
    block["segment"] = scale.segment
    block["flags"] = np.asarray(piece.flags[rows], dtype=np.uint32)[:, None]
    np.multiply(raw[..., :3], scale.acc_mps2, out=block["acc_mps2"])
    if raw.shape[2] == Layout.ACC_GYR.axes:
        np.multiply(raw[..., 3:], scale.gyr_radps, out=block["gyr_radps"])
    else:
        block["gyr_radps"] = np.nan
