"""One run of sampling, from a Start to its end: when each sample is taken, and what its bytes are.

Pure. Knows: the clock of the sensor, ranges, the wire layout of Motion. Must never know: links, commands,
faults.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from companion.simulator.body import Body
from firmware_protocol.posture_v1.packets import MOTION_HEADER_BYTES, TICKS_PER_S, Layout, Motion, MotionKind
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_S = 1_000_000_000
_FULL_SCALE = 32_768

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scale:
    """What a Start asks for and its answer confirms."""

    rate_hz: int
    acc_range_g: int
    gyr_range_dps: int  # 0 without the gyroscope
    layout: Layout


@dataclass(frozen=True, slots=True)
class Clock:
    """The sensor's own clock: it began at `boot_ns` of the host's and runs `drift_ppm` too fast."""

    boot_ns: int
    drift_ppm: float

    @property
    def speed(self) -> float:
        """Seconds of the sensor in one second of the host."""
        return 1 + self.drift_ppm * 1e-6

    def us(self, now_ns: int) -> int:
        """Microseconds since boot, as the sensor counts them."""
        return int((now_ns - self.boot_ns) * self.speed) // 1000


class Timed(ABC):
    """When samples are taken, at a true rate from a first one on."""

    __slots__ = ()
    first_ns: int

    @property
    @abstractmethod
    def true_rate_hz(self) -> float:
        """Samples in one second of the host."""

    def taken_ns(self, index: Ints | int) -> Ints:
        """When these samples are taken, on the host's clock."""
        offset = np.rint(np.asarray(index, dtype=np.float64) * (_S / self.true_rate_hz))
        return np.asarray(self.first_ns + offset.astype(np.int64))

    def taken(self, now_ns: int) -> int:
        """How many samples have been taken up to and including `now_ns`."""
        count = max(0, int((now_ns - self.first_ns) * self.true_rate_hz / _S) + 2)
        while count and int(self.taken_ns(count - 1)) > now_ns:
            count -= 1
        return count


@dataclass(frozen=True, slots=True)
class Run(Timed):
    """What one Start put in force. `number` counts Starts, `stream` is the number on the wire.

    Sample 0 is taken at `first_ns` of the host's clock, which is `story_s` of the body's story.
    """

    number: int
    stream: int
    scale: Scale
    clock: Clock
    first_ns: int
    story_s: float

    @property
    def true_rate_hz(self) -> float:
        """Samples in one second of the host: the nominal rate, kept by the sensor's own clock."""
        return self.scale.rate_hz * self.clock.speed

    def ticks(self, index: Ints) -> Ints:
        """The sensor's clock at these samples, in 1/1024 s since boot."""
        us = self.clock.us(self.first_ns) + index * 1_000_000 // self.scale.rate_hz
        return np.asarray(us * TICKS_PER_S // 1_000_000)

    def packets(
        self,
        body: Body,
        first: int,
        count: int,
        each: int,
        motor_ns: Iterable[tuple[int, int]] = (),
        *,
        backfilled: bool = False,
    ) -> list[bytes]:
        """`count` Motion packets of `each` samples from sample `first` on; the motor runs in the times `motor_ns`."""
        raw, clipped = self._raw(body, first, count * each)
        starts = first + each * np.arange(count, dtype=np.int64)
        first_ns, last_ns = self.taken_ns(starts), self.taken_ns(starts + each - 1)
        ran = np.zeros(count, dtype=bool)
        for from_ns, to_ns in motor_ns:
            ran |= (first_ns < to_ns) & (last_ns > from_ns)
        wire = np.empty(count, dtype=_packet_dtype(each, self.scale.layout))
        kinds = _KINDS[self.scale.layout][clipped.reshape(count, each).any(axis=1) * 1, ran * 1]
        wire["kind"] = kinds | (MotionKind.BACKFILLED if backfilled else 0)
        wire["stream"] = self.stream
        wire["index"] = starts % 2**32
        wire["time_1024"] = self.ticks(starts) % 2**16
        wire["raw"] = raw.reshape(count, each, -1)
        data, size = wire.tobytes(), wire.dtype.itemsize
        return [data[at : at + size] for at in range(0, len(data), size)]

    def _raw(self, body: Body, first: int, count: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
        """What the converter gives (count, axes), and which samples are at the end of the range (count,)."""
        acc, gyr = body.sample(self.true_rate_hz, first, count, self.story_s)
        parts = [acc * (_FULL_SCALE / (self.scale.acc_range_g * STANDARD_GRAVITY_MPS2))]
        if self.scale.layout == Layout.ACC_GYR:
            parts.append(gyr * (_FULL_SCALE / np.radians(self.scale.gyr_range_dps)))
        exact = np.rint(np.concatenate(parts, axis=1))
        raw = np.clip(exact, -_FULL_SCALE, _FULL_SCALE - 1)
        return raw.astype(np.int16), (raw != exact).any(axis=1)


def _packet_dtype(each: int, layout: Layout) -> np.dtype[np.void]:
    dtype = np.dtype(
        [
            ("kind", "u1"),
            ("stream", "u1"),
            ("index", "<u4"),
            ("time_1024", "<u2"),
            ("raw", "<i2", (each, layout.axes)),
        ]
    )
    assert dtype.itemsize == MOTION_HEADER_BYTES + each * layout.sample_bytes
    return dtype


def _kinds(layout: Layout) -> npt.NDArray[np.uint8]:
    """The first byte of a packet by clipped and motor, as the codec has it."""
    raw = np.zeros((1, layout.axes), dtype=np.int16)
    table = [[Motion(0, 0, 0, raw, clipped=c, motor=m).kind for m in (False, True)] for c in (False, True)]
    return np.array(table, dtype=np.uint8)


_KINDS = {layout: _kinds(layout) for layout in (Layout.ACC, Layout.ACC_GYR)}
