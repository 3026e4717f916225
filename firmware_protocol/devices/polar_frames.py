"""The frames of Polar's measurement service: heads, whole samples, and samples told as differences.

Pure arithmetic on bytes. Must never know: what was asked of the sensor, which sensor it is, what came before a frame.

A frame is a head of 10 bytes (what was measured, the time of its *last* sample, how it is packed) and samples of three
axes. Sources: Polar Measurement Data Specification; polarofficial/polar-ble-sdk, `PmdDataFrame` and `AccData` (frame
type 2 and differences of type 1 are in the SDK only).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HEAD = np.dtype([("measured", "u1"), ("stamp_ns", "<i8"), ("packing", "u1")])
"""The time is in nanoseconds since 2000-01-01, by a clock that may never have been set."""
DIFFERENCES = 0x80
"""Set in `packing` where the samples are told as differences."""
WHOLE_BYTES = {0: 1, 1: 2, 2: 3}
"""Bytes of one value, by frame type, where they are not: signed milli-g."""
WIDEST_BITS = 32
"""More than any difference of 16-bit values needs."""

_AXES = 3
_FIRST_BYTES = 2 * _AXES
NO_TIME = "a frame's time is not 0, and below 2^63 ns"


def head(data: bytes) -> tuple[int, int]:
    """What a frame measures and how it is packed; a packet shorter than a head gives (-1, -1)."""
    return (data[0], data[9]) if len(data) >= HEAD.itemsize else (-1, -1)


def stamps(frames: Sequence[bytes]) -> Ints:
    """The times (P,) in the heads of frames; those that are none, 0 and 2^63 or more, are 0 or below."""
    heads = b"".join([data[: HEAD.itemsize] for data in frames])
    return np.asarray(np.frombuffer(heads, dtype=HEAD)["stamp_ns"])


def whole(frames: Sequence[bytes], size: int) -> Ints | None:
    """Values (P × N, 3) of frames of one length, `size` bytes each; None where that is no whole number of samples."""
    samples, rest = divmod(len(frames[0]) - HEAD.itemsize, size * _AXES)
    if rest or samples < 1:
        return None
    record = np.dtype([("head", HEAD), ("values", "u1", (samples * _AXES, size))])
    octets = np.frombuffer(b"".join(frames), dtype=record)["values"].reshape(-1, _AXES, size)
    uppermost = np.zeros((len(octets), _AXES, 4), dtype=np.uint8)
    uppermost[..., 4 - size :] = octets
    return np.asarray((uppermost.view("<i4")[..., 0] >> (32 - 8 * size)).astype(np.int64))


def timed(data: bytes) -> bool:
    """Whether the time of one frame is one."""
    return 0 < int.from_bytes(data[1:9], "little") < 1 << 63


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where the values of one frame stand: one entry for each block, the first sample being one of its own."""

    at_bits: list[int]
    width_bits: list[int]
    samples: list[int]


def blocks(data: bytes) -> Blocks | str:
    """The blocks of a frame of differences, or why it is none.

    A first sample of 16 bits an axis, then blocks: width, samples, their differences without gaps from the lowest bit
    on, up to a whole byte. A frame that ends within a block is refused whole: its time is that of a sample which is
    missing, so those of the others are not known.
    """
    place, end = HEAD.itemsize + _FIRST_BYTES, len(data)
    if not timed(data):
        return NO_TIME
    if place > end:
        return "a frame of differences begins with a whole sample of 6 bytes"
    found = Blocks([8 * HEAD.itemsize], [16], [1])
    while place < end:
        width, samples = data[place], data[place + 1] if place + 1 < end else 0
        if not 1 <= width <= WIDEST_BITS:
            return f"differences of {width} bits are not known"
        found.at_bits.append(8 * (place + 2))
        found.width_bits.append(width)
        found.samples.append(samples)
        place += 2 + (samples * width * _AXES + 7) // 8
    return found if place == end else "a frame of differences ends within a block"


def summed(frames: Sequence[bytes], of_frames: Sequence[Blocks]) -> tuple[Ints, Ints]:
    """Values (M, 3) of frames (P) of differences, and how many samples each has (P,)."""
    begins = accumulate([8 * len(data) for data in frames], initial=0)
    at_bits = [begin + at for begin, each in zip(begins, of_frames, strict=False) for at in each.at_bits]
    widths = np.array([width for each in of_frames for width in each.width_bits])
    values = np.array([samples * _AXES for each in of_frames for samples in each.samples])
    counts = np.array([sum(each.samples) for each in of_frames])
    steps = _unpacked(b"".join(frames), np.array(at_bits), widths, values).reshape(-1, _AXES)
    sums = np.cumsum(steps, axis=0)  # over all frames: each begins at its own first sample
    firsts = np.cumsum(counts) - counts
    return sums - (sums[firsts] - steps[firsts]).repeat(counts, axis=0), counts


def _unpacked(data: bytes, at_bits: Ints, widths: Ints, values: Ints) -> Ints:
    """Values (M,) of blocks (B,): each begins at a bit of `data` and has so many values of so many bits."""
    octets = np.frombuffer(data + bytes(8), dtype="u1")
    eights = np.ndarray((len(data) + 1,), dtype="<u8", buffer=octets, strides=(1,))  # those from each byte on
    within = np.arange(values.sum()) - (np.cumsum(values) - values).repeat(values)
    width = widths.repeat(values)
    at = at_bits.repeat(values) + within * width
    unused = 64 - width
    bits = eights[at >> 3] >> (at & 7).view(np.uint64)
    return np.asarray((bits << unused.view(np.uint64)).view(np.int64) >> unused)


def milli_g(counts: Ints, factor: float, thousandfold: bool) -> Floats:
    """Counts (M, 3) times a factor, in milli-g without a fraction; `thousandfold`: the factor is in g.

    In 32-bit floating point and cut off towards zero, as the SDK's `AccData` does.
    """
    scale = np.float32(factor) * np.float32(1000 if thousandfold else 1)
    if scale == 1:
        return counts.astype(np.float64)
    cut_off: Floats = np.trunc(counts.astype(np.float32) * scale).astype(np.float64)
    return cut_off
