"""One stream as packets tell of it: where each lies, and whether device times and indices go together.

Pure arithmetic. Knows: what a Start put in force, packets that have the right form. Must never know: frames, answers.

Times are ticks of 1/1024 s. A packet that disagrees grossly with the one before it (10 % + 50 ms) is kept apart, so
that one forged or damaged counter does not colour the judgement of all others; where the next one agrees with it
instead, the clock has stepped and a new segment begins.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.counters import signed_difference
from firmware_protocol.posture_v1.packets import TICKS_PER_S, Motion
from firmware_protocol.posture_v1.track import ticks_of

NS_PER_S = 1_000_000_000
JITTER_TICKS = 2 * 0.008 * TICKS_PER_S + 1.5
"""8 ms to either side (README.md, section 1), and two roundings down to a whole tick."""
RATE_SHARE = 0.02
_GROSS_SHARE, _GROSS_TICKS = 0.10, 51
_HOST_SLACK_S = 5.0
_TURN = 1 << 16
_GRID, _ROUNDS = 17, 9  # each round leaves an eighth

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Force:
    """What is in force while a stream runs."""

    rate_hz: int
    acc_range_g: int
    gyr_range_dps: int
    layout: int


@dataclass(frozen=True, slots=True)
class Packet:
    """A live packet in its place: index and ticks do not wrap."""

    index: int
    ticks: int
    motion: Motion
    t_ns: int
    link: int

    @property
    def end(self) -> int:
        """Number of the sample after its last."""
        return self.index + len(self.motion.raw)


@dataclass(slots=True)
class Run:
    """A stream from the answer that announced it on. `told_us` is the device time of that answer."""

    stream: int
    force: Force
    told_us: int
    begun: bool  # by a Start that was seen
    packets: list[Packet] = field(default_factory=list)  # live, those that agree
    segments: list[list[Packet]] = field(default_factory=list)
    taken: int | None = None  # samples in all, once Time told it after a Stop
    _doubt: Packet | None = None

    @property
    def end(self) -> int:
        """Number of the sample after the newest that came live."""
        return max((packet.end for packet in self.packets[-64:]), default=0)

    def placed(self, motion: Motion, t_ns: int, link: int) -> Packet:
        """Where a packet lies, seen from the last one that agreed (or from sample 0)."""
        last = self.packets[-1] if self.packets else None
        index, ticks = (last.index, last.ticks) if last else (0, ticks_of(self.told_us))
        there = index + signed_difference(motion.index, index % 2**32)
        expected = ticks + round((there - index) * TICKS_PER_S / self.force.rate_hz)
        off = (motion.time_1024 - expected + _TURN // 2) % _TURN - _TURN // 2
        return Packet(there, expected + off, motion, t_ns, link)

    def add(self, packet: Packet) -> bool:
        """Take a live packet; False where it disagrees with those before it and is kept apart."""
        if not self.packets or self.goes_with_the_last(packet):
            self._doubt = None
            self._take(packet, anew=not self.segments)
            return True
        before, self._doubt = self._doubt, packet
        if before is not None and self._agree(before, packet):
            self._take(before, anew=True)
            self._take(packet, anew=False)
            self._doubt = None
        return False

    def goes_with_the_last(self, packet: Packet, *, whenever: bool = False) -> bool:
        """Whether index and time go with those of the last packet; and with the host's clock, unless `whenever`."""
        return bool(self.packets) and self._agree(self.packets[-1], packet, whenever=whenever)

    def _take(self, packet: Packet, *, anew: bool) -> None:
        self.packets.append(packet)
        if anew:
            self.segments.append([])
        self.segments[-1].append(packet)

    def _agree(self, one: Packet, other: Packet, *, whenever: bool = False) -> bool:
        delta = other.index - one.index
        expected = delta * TICKS_PER_S / self.force.rate_hz
        host_s = (other.t_ns - one.t_ns) / NS_PER_S
        if not whenever and abs(delta / self.force.rate_hz - host_s) > _HOST_SLACK_S + 0.5 * abs(host_s):
            return False
        return abs(other.ticks - one.ticks - expected) <= _GROSS_SHARE * abs(expected) + _GROSS_TICKS

    def received(self, first: int, end: int) -> bool:
        """Whether some sample from `first` to before `end` has come live."""
        return any(first < packet.end and packet.index < end for packet in self.packets)


@dataclass(frozen=True, slots=True)
class Line:
    """Device time over sample number, in one segment: the line with the least greatest deviation."""

    slope: float  # ticks a sample
    at_zero: float  # ticks at sample 0
    spread: float  # ticks between the packet furthest above and the one furthest below
    first: int
    last: int

    def ticks(self, index: int) -> float:
        """Where the line puts a sample."""
        return self.at_zero + self.slope * index


def line_of(segment: list[Packet]) -> Line | None:
    """The line through a segment; None where it has fewer than three packets."""
    if len(segment) < 3:
        return None
    index = np.array([packet.index for packet in segment], dtype=np.float64)
    ticks = np.array([packet.ticks for packet in segment], dtype=np.float64)
    origin, base = index[0], ticks[0]
    index, ticks = index - origin, ticks - base
    if index.max() <= 0:
        return None
    slope = _least_spread(index, ticks)
    rest = ticks - slope * index
    middle = float(rest.max() + rest.min()) / 2
    return Line(slope, base + middle - slope * origin, float(np.ptp(rest)), segment[0].index, segment[-1].index)


def _least_spread(index: Floats, ticks: Floats) -> float:
    """The slope for which the residuals spread least: a convex function of one number, searched on finer grids."""
    usual = float(ticks[-1] / index[-1]) if index[-1] else 1.0
    low, high = 0.5 * usual, 1.5 * usual
    for _ in range(_ROUNDS):
        slopes = np.linspace(low, high, _GRID)
        spread = np.ptp(ticks - slopes[:, None] * index, axis=1)
        at = int(spread.argmin())
        low, high = float(slopes[max(at - 1, 0)]), float(slopes[min(at + 1, _GRID - 1)])
    return (low + high) / 2


def measured_hz(run: Run) -> tuple[float, float] | None:
    """The rate by the device clock, and by how much it may be off for want of time; None where that is too much.

    The median over pairs of packets that lie far apart: a clock that steps once does not change it.
    """
    segment = max(run.segments, key=len, default=[])
    if len(segment) < 4:
        return None
    index = np.array([packet.index for packet in segment])
    ticks = np.array([packet.ticks for packet in segment])
    apart = max(1, min(run.force.rate_hz, int(index[-1] - index[0]) // 2))
    other = np.searchsorted(index, index + apart)
    pairs = other < len(index)
    if not pairs.any():
        return None
    one, two = np.flatnonzero(pairs), other[pairs]
    slopes = (ticks[two] - ticks[one]) / (index[two] - index[one])
    slope, length = float(np.median(slopes)), float(ticks[-1] - ticks[0])
    if slope <= 0 or length < TICKS_PER_S:
        return None
    return TICKS_PER_S / slope, JITTER_TICKS / length
