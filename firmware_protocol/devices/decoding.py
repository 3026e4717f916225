"""What the decoders of off-the-shelf sensors share: frames sorted into runs of packets, SAMPLES put together.

A decoder of one maker derives from `PacketDecoder`, names the characteristics that motion comes in, and says in
`motion` what a run of packets of one length means, and in `told` what else the sensor and the host say. Pure. Must
never know: any one maker's bytes, radios, files, the present time.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices.battery import BATTERY_LEVEL, battery_level
from firmware_protocol.drivers import Battery, Decoded, Malformed, Segment
from firmware_protocol.frames import Advertisement, Frame, LinkDown, LinkUp, Notification, Reading, Written
from firmware_protocol.samples import SAMPLES, UNKNOWN, SampleFlag

Told = Notification | Reading | Written | Advertisement
_TELLING = frozenset({Notification, Reading, Written, Advertisement, LinkUp, LinkDown})
"""The frames that a sensor, or a driver's script, has a part in."""
_DATA, _TIME, _NAME = attrgetter("data"), attrgetter("t_host_ns"), attrgetter("characteristic")
_CLIPPED = np.uint32(SampleFlag.CLIPPED)


@dataclass(slots=True)
class Gathered:
    """What one call of `feed` has found so far, in order."""

    samples: list[NDArray[Any]] = field(default_factory=list)
    batteries: list[Battery] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    lost: int = 0
    duplicates: int = 0

    def refuse(self, reason: str, packets: Iterable[bytes]) -> None:
        """Count packets that the protocol does not allow."""
        self.malformed += [Malformed(reason, data) for data in packets]

    def decoded(self) -> Decoded:
        """All of it."""
        samples = np.concatenate(self.samples) if self.samples else np.empty(0, dtype=SAMPLES)
        found = (tuple(self.batteries), tuple(self.malformed), tuple(self.segments))
        return Decoded(samples, *found, lost=self.lost, duplicates=self.duplicates)


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets of one length (or alike in another way) from one characteristic, in order of arrival."""

    characteristic: str
    data: Sequence[bytes]
    t_host_ns: Sequence[int]

    def records(self, dtype: "np.dtype[Any]") -> NDArray[Any]:
        """The packets (P,) as records of this packed dtype; its size must be their length."""
        return np.frombuffer(b"".join(self.data), dtype=dtype)

    def without(self, refused: NDArray[np.bool_]) -> "Packets":
        """Those that are not refused (P,)."""
        if not refused.any():
            return self
        kept = np.flatnonzero(~refused).tolist()
        return Packets(self.characteristic, [self.data[k] for k in kept], [self.t_host_ns[k] for k in kept])


class PacketDecoder(ABC):
    """One session of one sensor; state is private.

    A segment begins with the first samples, with those after each new link, and where `rate_hz` has changed.
    """

    MOTION: ClassVar[frozenset[str]]
    """The characteristics that motion comes in."""

    rate_hz: float | None = None
    """The rate in force, as far as it is known."""

    def __init__(self) -> None:
        self._segment: Segment | None = None
        self._segments = 0

    def feed(self, frames: Iterable[Frame]) -> Decoded:
        """Decode frames in order; never raises on what a sensor sends, and any cut gives the same."""
        gathered = Gathered()
        telling = [frame for frame in frames if type(frame) in _TELLING]  # a run is not to be broken by a tick
        # Written for speed: nearly every frame of a night is motion, and these lines see each of them.
        moving = [type(frame) is Notification and frame.characteristic in self.MOTION for frame in telling]
        for first, end in _runs(moving):
            if moving[first]:
                self._in_runs(telling[first:end], gathered)
                continue
            for frame in telling[first:end]:
                self._other(frame, gathered)
        return gathered.decoded()

    def alike(self, data: bytes) -> Hashable:
        """What packets in a row must share to be decoded together: their length, where a maker does not say more."""
        return len(data)

    @abstractmethod
    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Decode packets that are alike; `give` the samples, `gathered.refuse` the rest."""

    def told(self, frame: Told, gathered: Gathered) -> None:  # noqa: B027 - most have nothing to learn
        """Something that is no motion was sent, read or written; to be learnt from or passed over."""

    def linked(self) -> None:  # noqa: B027 - the same
        """A link was made, or lost: what the sensor was told before is no longer in force, nor is half a packet."""

    def give(
        self,
        gathered: Gathered,
        t_host_ns: NDArray[Any] | Sequence[int],
        acc_mps2: NDArray[Any],
        gyr_radps: NDArray[Any] | float = np.nan,
        t_device_ns: NDArray[Any] | int = UNKNOWN,
        index: NDArray[Any] | int = UNKNOWN,
        clipped: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Give out samples (M,), in order: acceleration and rate (M, 3), arrival and times (M,), in SI units."""
        if len(acc_mps2) == 0:
            return
        samples = np.empty(len(acc_mps2), dtype=SAMPLES)
        samples["segment"] = self._in_segment(gathered)
        samples["t_host_ns"], samples["t_device_ns"], samples["index"] = t_host_ns, t_device_ns, index
        samples["acc_mps2"], samples["gyr_radps"] = acc_mps2, gyr_radps
        samples["flags"] = np.asarray(clipped) * _CLIPPED
        gathered.samples.append(samples)

    def begin_segment(self) -> None:
        """The next samples begin a segment: they must not be joined to those before."""
        self._segment = None

    def _in_segment(self, gathered: Gathered) -> int:
        if self._segment is None or self._segment.rate_hz != self.rate_hz:
            self._segment = Segment(self._segments, self.rate_hz)
            self._segments += 1
            gathered.segments.append(self._segment)
        return self._segment.number

    def _in_runs(self, notifications: Sequence[Frame], gathered: Gathered) -> None:
        """Notifications of motion: those in a row that are alike together."""
        data: list[bytes] = list(map(_DATA, notifications))
        t_host_ns: list[int] = list(map(_TIME, notifications))
        own = type(self).alike is not PacketDecoder.alike
        kinds: list[Hashable] = list(map(self.alike if own else len, data))
        names: list[str] = list(map(_NAME, notifications))
        if len(self.MOTION) > 1:
            kinds = list(zip(names, kinds, strict=True))
        for first, end in _runs(kinds):
            self.motion(Packets(names[first], data[first:end], t_host_ns[first:end]), gathered)

    def _other(self, frame: Frame, gathered: Gathered) -> None:
        if isinstance(frame, LinkUp | LinkDown):
            self.begin_segment()
            self.linked()
        elif isinstance(frame, Notification | Reading) and frame.characteristic == BATTERY_LEVEL:
            match battery_level(frame.data, frame.t_host_ns):
                case Battery() as level:
                    gathered.batteries.append(level)
                case Malformed() as fault:
                    gathered.malformed.append(fault)
        elif isinstance(frame, Notification | Reading | Written | Advertisement):
            self.told(frame, gathered)


def _runs(kinds: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Where equal ones in a row begin and end."""
    first = 0
    for _, run in groupby(kinds):
        end = first + sum(1 for _ in run)
        yield first, end
        first = end


def each_sample(of_packets: Sequence[int] | NDArray[Any], count: int) -> NDArray[np.int64]:
    """A number of each packet (P,), for each of its `count` samples: (P × count,)."""
    return np.asarray(of_packets, dtype=np.int64).repeat(count)


def at_the_end(raw: NDArray[Any], lowest: int, highest: int) -> NDArray[np.bool_]:
    """Which samples (M,) have a raw value (M, axes) at the end of the sensor's range."""
    return np.asarray(((raw <= lowest) | (raw >= highest)).any(axis=1))


def not_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which packets (P,) hold a number (P, ...) that is none: they are refused."""
    return np.asarray(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
