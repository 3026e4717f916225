"""Motion: the packets that carry samples.

Pure. Knows: the bytes of one packet. Must never know: the packet before it, the scale in force.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Self

import numpy as np
import numpy.typing as npt

from firmware_protocol.errors import BadValue, TooLong, TooShort, UnknownKind
from firmware_protocol.posture_v1.wire import Field

TICKS_PER_S = 1024
"""The unit of Motion's `time_1024`."""
MOTION_HEADER_BYTES = 8
MOTION_MAX_BYTES = 512
"""No attribute value is longer (Bluetooth Core, Vol 3, Part F, 3.2.9)."""


class Layout(IntEnum):
    """What one sample holds."""

    NONE = 0  # only in answers: not sampling
    ACC = 1
    ACC_GYR = 2

    @property
    def axes(self) -> int:
        """Numbers in one sample (0, 3 or 6), two bytes each."""
        return 3 * self.value

    @property
    def sample_bytes(self) -> int:
        """Length of one sample."""
        return 6 * self.value


class MotionKind(IntFlag):
    """Bits of a packet's first byte; bits 6 and 7 are ignored."""

    LAYOUT = 0x07  # mask of the Layout
    BACKFILLED = 0x08
    CLIPPED = 0x10
    MOTOR = 0x20


_LAYOUT_BITS = int(MotionKind.LAYOUT)  # a plain int: this is asked of every packet
MOTION_HEADER = struct.Struct("<BBIH")
MOTION_LAYOUT: tuple[Field, ...] = (
    Field(
        "kind",
        "u8",
        "bits 0-2 layout: 1 = acceleration (3 × i16), 2 = acceleration and angular rate (6 × i16), any other"
        " is malformed; bit 3 backfilled; bit 4 a sample in this packet is clipped; bit 5 the motor ran"
        " during this packet; bits 6-7 are sent as 0 and ignored",
    ),
    Field("stream", "u8", "number of the running stream; random at boot, + 1 (mod 256) at every Start"),
    Field(
        "index",
        "u32",
        "number of the first sample: how many were taken since Start before it, mod 2^32",
    ),
    Field("time_1024", "u16", "device clock at the first sample, floor(s × 1024) mod 2^16 (wraps at 64 s)"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Samples, as notified on MOTION. `raw` is int16, (N, 3) or (N, 6); value = raw × range / 32768."""

    stream: int
    index: int
    time_1024: int
    raw: npt.NDArray[np.int16]
    backfilled: bool = False
    clipped: bool = False
    motor: bool = False

    @property
    def layout(self) -> Layout:
        """Which layout the shape of `raw` is; raises BadValue for one that has none."""
        if self.raw.ndim != 2 or self.raw.shape[1] not in (3, 6):
            raise BadValue(f"raw must have the shape (N, 3) or (N, 6), not {self.raw.shape}")
        return Layout.ACC if self.raw.shape[1] == 3 else Layout.ACC_GYR

    @property
    def kind(self) -> int:
        """The first byte."""
        backfilled = MotionKind.BACKFILLED if self.backfilled else 0
        clipped = MotionKind.CLIPPED if self.clipped else 0
        motor = MotionKind.MOTOR if self.motor else 0
        return int(self.layout | backfilled | clipped | motor)

    def to_bytes(self) -> bytes:
        """The packet on the wire; raises BadValue where a value does not fit."""
        size = MOTION_HEADER_BYTES + self.layout.sample_bytes * len(self.raw)
        if not len(self.raw) or size > MOTION_MAX_BYTES or self.raw.dtype != np.int16:
            raise BadValue(f"{len(self.raw)} samples of {self.raw.dtype} do not make a packet")
        try:
            header = MOTION_HEADER.pack(self.kind, self.stream, self.index, self.time_1024)
        except struct.error as error:
            raise BadValue(f"Motion: {error}") from error
        return header + self.raw.astype("<i2").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a packet; raises TooShort, TooLong, UnknownKind (layout) or BadValue (no whole samples)."""
        reason = motion_fault(data)
        if reason is not None:
            raise reason
        kind, stream, index, time_1024 = MOTION_HEADER.unpack_from(data)
        raw = np.frombuffer(data, dtype="<i2", offset=MOTION_HEADER_BYTES).astype(np.int16)
        return cls(
            stream,
            index,
            time_1024,
            raw.reshape(-1, Layout(kind & _LAYOUT_BITS).axes),
            backfilled=bool(kind & MotionKind.BACKFILLED),
            clipped=bool(kind & MotionKind.CLIPPED),
            motor=bool(kind & MotionKind.MOTOR),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Motion) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def motion_fault(data: bytes) -> TooShort | TooLong | UnknownKind | BadValue | None:
    """What is wrong with a Motion packet by itself, or None."""
    if len(data) < MOTION_HEADER_BYTES:
        return TooShort(f"Motion has at least {MOTION_HEADER_BYTES} bytes, not {len(data)}")
    if len(data) > MOTION_MAX_BYTES:
        return TooLong(f"Motion has at most {MOTION_MAX_BYTES} bytes, not {len(data)}")
    layout = data[0] & _LAYOUT_BITS
    if layout not in (Layout.ACC, Layout.ACC_GYR):
        return UnknownKind(f"Motion has no layout {layout}")
    samples, rest = divmod(len(data) - MOTION_HEADER_BYTES, 6 * layout)
    if rest or not samples:
        return BadValue(f"{len(data) - MOTION_HEADER_BYTES} bytes are no whole samples of {6 * layout}")
    return None


def samples_per_packet(att_mtu: int, rate_hz: int, layout: Layout) -> int:
    """How many samples a sensor puts into one packet: all that fit, up to 250 ms of them, at least one."""
    return max(1, min((min(att_mtu - 3, MOTION_MAX_BYTES) - MOTION_HEADER_BYTES) // layout.sample_bytes, rate_hz // 4))
