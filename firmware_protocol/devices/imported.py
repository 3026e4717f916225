"""Motion that was recorded elsewhere, as frames: full precision in, exactly the same samples out.

Pure. Knows: its own block format. Must never know: which file or device the motion came from.

A block is the payload of a Notification of the characteristic "samples", little-endian: a header of 20 bytes (magic
"PSI1", number of samples u16, two bytes 0, segment u32, rate_hz f8), then 68 bytes a sample (t_device_ns i8, index i8,
acc_mps2 3 × f8, gyr_radps 3 × f8, flags u4).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.drivers import About, Confidence, Decoded, Driver, Malformed, Segment
from firmware_protocol.frames import Advertisement, Frame, Notification
from firmware_protocol.samples import SAMPLES
from firmware_protocol.scripts import Script, ScriptRefused

CHARACTERISTIC = "samples"
MAGIC = b"PSI1"
BLOCK_SAMPLES = 512
_HEADER = struct.Struct("<4sHxxId")
_STORED = ("t_device_ns", "index", "acc_mps2", "gyr_radps", "flags")
_SAMPLE = np.dtype([(name, SAMPLES[name]) for name in _STORED])  # packed: 68 bytes


def encode(samples: NDArray[Any], rate_hz: float) -> list[bytes]:
    """Blocks of at most 512 SAMPLES of one segment each; `rate_hz` is the nominal rate. Arrival times are left out."""
    return [_block(part, rate_hz) for part in _parts(samples)]


def _parts(samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
    borders = np.flatnonzero(np.diff(samples["segment"])) + 1
    for segment in np.split(samples, borders):
        for first in range(0, len(segment), BLOCK_SAMPLES):
            yield segment[first : first + BLOCK_SAMPLES]


def _block(samples: NDArray[Any], rate_hz: float) -> bytes:
    stored = np.empty(len(samples), dtype=_SAMPLE)
    for name in _STORED:
        stored[name] = samples[name]
    return _HEADER.pack(MAGIC, len(samples), int(samples["segment"][0]), rate_hz) + stored.tobytes()


@dataclass(frozen=True, slots=True)
class _Block:
    segment: int
    rate_hz: float
    stored: NDArray[Any]


def _read(data: bytes) -> _Block | str:
    """The block in `data`, or what is wrong with it."""
    if len(data) < _HEADER.size:
        return f"a block has at least {_HEADER.size} bytes, not {len(data)}"
    magic, count, segment, rate_hz = _HEADER.unpack_from(data)
    if magic != MAGIC:
        return "the block does not begin with PSI1"
    if not 1 <= count <= BLOCK_SAMPLES or len(data) != _HEADER.size + count * _SAMPLE.itemsize:
        return f"{len(data)} bytes do not hold {count} samples"
    if not 0 < rate_hz < 1e6:  # NaN too
        return f"no motion has a rate of {rate_hz} Hz"
    return _Block(segment, rate_hz, np.frombuffer(data, dtype=_SAMPLE, offset=_HEADER.size))


class Decoder:
    """Blocks to samples, exactly as they were; a segment is announced where its number or its rate changes."""

    def __init__(self) -> None:
        self._segment: tuple[int, float] | None = None
        self._last_index = -1

    def feed(self, frames: Iterable[Frame]) -> Decoded:
        """Decode frames in order; any bytes, any cut."""
        parts: list[NDArray[Any]] = []
        malformed: list[Malformed] = []
        segments: list[Segment] = []
        lost = 0
        for frame in frames:
            if not isinstance(frame, Notification) or frame.characteristic != CHARACTERISTIC:
                continue
            block = _read(frame.data)
            if isinstance(block, str):
                malformed.append(Malformed(block, frame.data))
                continue
            if self._segment != (block.segment, block.rate_hz):
                self._segment, self._last_index = (block.segment, block.rate_hz), -1
                segments.append(Segment(block.segment, block.rate_hz))
            lost += self._jumps(block.stored["index"])
            parts.append(_samples(block, frame.t_host_ns))
        samples = np.concatenate(parts) if parts else np.empty(0, dtype=SAMPLES)
        return Decoded(samples, malformed=tuple(malformed), segments=tuple(segments), lost=lost)

    def _jumps(self, index: NDArray[np.int64]) -> int:
        """How many samples the counter skips; before the first of a segment nothing is known to be missing."""
        before = np.concatenate(([self._last_index], index[:-1]))
        self._last_index = int(index[-1])
        counted = (before >= 0) & (index > before)
        return sum((index[counted] - before[counted] - 1).tolist())


def _samples(block: _Block, t_host_ns: int) -> NDArray[Any]:
    samples = np.empty(len(block.stored), dtype=SAMPLES)
    for name in _STORED:
        samples[name] = block.stored[name]
    samples["segment"] = block.segment
    samples["t_host_ns"] = t_host_ns
    return samples


def _never(_: Advertisement) -> float:
    return 0.0


def _refuse(rate_hz: float | None = None) -> Script:  # noqa: ARG001 - no rate helps
    yield from ()  # a generator, as every script is
    raise ScriptRefused("This is a recording made elsewhere; there is no sensor to talk to.")


DRIVER = Driver(
    name="imported",
    match=_never,
    start=_refuse,
    stop=_refuse,
    new_decoder=Decoder,
    about=About(
        title="Motion recorded elsewhere, through `posture import`",
        gives=("acceleration", "rotation", "clock", "counter"),
        confidence=Confidence.OWN_FILES,
        notes=("Files only: there is no sensor to talk to.",),
    ),
)
