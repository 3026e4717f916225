"""What the simulated sensors of other makers share: they sample while they stream, and send packets of so many samples.

A sensor of one maker derives from `MakerSensor`, says what it serves and how it packs samples, and calls `stream` and
`halt` when its host has asked for that. It is written from the maker's facts, and from nothing that the driver knows.
Pure: the same calls give the same bytes. Must never know: bumble, asyncio, hosts, drivers.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from companion.simulator.body import Body
from companion.simulator.equipment import battery_pct
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate, Ledger
from companion.simulator.mangling import noise
from companion.simulator.sampling import Clock, Ints, Timed
from companion.simulator.served import USUAL_MTU, Appearance, Outgoing, Property, Served
from companion.simulator.transmitter import Transmitter

Floats = npt.NDArray[np.float64]

USUAL_DRIFT_PPM = 12.0
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"
BATTERY = Served(BATTERY_SERVICE, BATTERY_LEVEL, Property.READ | Property.NOTIFY)
"""The standard service; a sensor that has it puts this among what it serves, and `read` answers it."""

_S = 1_000_000_000
_FOREVER_NS = 2**62


@dataclass(frozen=True, slots=True)
class Streaming(Timed):
    """Samples are taken from `first_ns` of the host's clock on, which is `story_s` of the body's story."""

    number: int
    nominal_hz: float
    each: int  # samples in a packet
    clock: Clock
    first_ns: int
    story_s: float
    stream: int = 0  # of the ledger's spans

    @property
    def true_rate_hz(self) -> float:
        """Samples in one second of the host: the nominal rate, kept by the sensor's own clock."""
        return self.nominal_hz * self.clock.speed


class MakerSensor(ABC):
    """One sensor. `ledger` holds what became of every sample it took."""

    APPEARANCE: ClassVar[Appearance]
    SERVED: ClassVar[tuple[Served, ...]] = ()
    MOTION: ClassVar[str]
    """The characteristic that packets of motion leave by."""
    EVENT_NS: ClassVar[int] = 0
    """Packets leave at multiples of this time (a connection's own rhythm); 0: as soon as they are full."""

    def __init__(
        self, body: Body, *, faults: Faults | None = None, seed: int = 0, drift_ppm: float = USUAL_DRIFT_PPM
    ) -> None:
        self.ledger = Ledger()
        self.body = body
        self._faults, self._seed, self._drift_ppm = faults or Faults(), seed, drift_ppm
        self._transmitter = Transmitter(self._faults, self.ledger, seed, noise)
        self._subscribed: set[str] = set()
        self._connected = False
        self.mtu = USUAL_MTU
        self.now_ns = self._story_ns = 0
        self._runs = 0
        self._run: Streaming | None = None
        self._packed = 0  # samples of the run that are in packets
        self._reboots = list(self._faults.of_kind("reboot"))
        self._boot(0)

    # What a maker's sensor says.

    @property
    def appearance(self) -> Appearance:
        """How it is found now."""
        return self.APPEARANCE

    @property
    def served(self) -> tuple[Served, ...]:
        """Its characteristics, in order."""
        return self.SERVED

    @abstractmethod
    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """One packet out of samples (N, 3), (N, 3), taken at (N,) ns of the sensor's clock: its notifications."""

    def powered_on(self) -> None:
        """The sensor starts, at first or anew: everything as it comes out of its box."""

    def heard(self, characteristic: str, on: bool) -> None:
        """A subscription changed."""

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A write; what it brings about at once. Raises KeyError where nothing can be written."""
        raise KeyError(characteristic)

    def value(self, characteristic: str) -> bytes:
        """What is read; raises KeyError where there is nothing."""
        raise KeyError(characteristic)

    def left(self) -> None:
        """The host is gone; most sensors stop then."""
        self.halt()

    # What it can call.

    def stream(self, rate_hz: float, each: int) -> None:
        """Begin to sample, `each` samples to a packet; what ran before ends."""
        self.halt()
        first_ns = self.now_ns + round(_S / rate_hz)
        story_s = (first_ns - self._story_ns) / _S  # of the first sample
        self._run = Streaming(self._runs, rate_hz, each, self.clock, first_ns, story_s)
        self.ledger.taken[self._runs] = 0
        self._runs, self._packed = self._runs + 1, 0

    def halt(self) -> None:
        """Sample no more; what is in hand is dropped."""
        if self._run is not None:
            rest = self._taken(self._run, self.now_ns) - self._packed
            self._transmitter.lose(self._run, self._packed, rest)
        self._run = None

    @property
    def streaming(self) -> Streaming | None:
        """What runs now."""
        return self._run

    @property
    def story_s(self) -> float:
        """Seconds into the story."""
        return (self.now_ns - self._story_ns) / _S

    def answer(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A notification or indication, where the host listens."""
        return [Outgoing(self.now_ns, characteristic, data)] if self.listening(characteristic) else []

    def listening(self, characteristic: str) -> bool:
        """Whether the host is subscribed."""
        return self._connected and characteristic in self._subscribed

    # What a host and the link do.

    def connected(self, now_ns: int, mtu: int = USUAL_MTU) -> None:
        """A host has connected, or agreed on another ATT_MTU."""
        if not self._connected:
            self.advance(now_ns)  # up to here nobody listened
        self._connected, self.mtu = True, mtu

    def disconnected(self, now_ns: int) -> None:
        """The link is gone. What was due but not fetched by `advance` never left."""
        was_connected, self._connected = self._connected, False
        self._subscribed.clear()
        self.advance(now_ns)
        if was_connected:
            self.left()

    def subscribed(self, characteristic: str, on: bool) -> None:
        """The host switched notifications or indications of a characteristic on or off."""
        (self._subscribed.add if on else self._subscribed.discard)(characteristic)
        self.heard(characteristic, on)

    def read(self, characteristic: str, now_ns: int) -> bytes:
        """A value; raises KeyError where there is none to read."""
        if characteristic == BATTERY_LEVEL and BATTERY in self.served:
            return bytes([battery_pct(now_ns)])
        return self.value(characteristic)

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        """What was due before it, then what the write brings about; raises KeyError where nothing can be written."""
        return self.advance(now_ns) + self.obey(characteristic, data)

    # Time.

    def begin_story(self, now_ns: int) -> None:
        """Let the story and its faults begin (again); what streams goes on with it."""
        self.advance(now_ns)
        self._story_ns = now_ns
        self._reboots = list(self._faults.of_kind("reboot"))
        self._transmitter = Transmitter(self._faults, self.ledger, self._seed, noise)
        if self._run is not None:
            self.stream(self._run.nominal_hz, self._run.each)

    def advance(self, now_ns: int) -> list[Outgoing]:
        """Everything that leaves the sensor up to and including `now_ns`, in the order of time."""
        if now_ns < self.now_ns:
            raise ValueError(f"time went back from {self.now_ns} to {now_ns}")
        out: list[Outgoing] = []
        while (reboot_ns := self._reboot_due_ns()) <= now_ns:
            out += self._motion(reboot_ns)
            self._reboots.pop(0)
            self.halt()
            self._connected = False
            self._subscribed.clear()
            self._boot(reboot_ns)
        return out + self._motion(now_ns)

    def next_due_ns(self) -> int:
        """When `advance` or `link_allowed` will next have something to tell."""
        due = [self._reboot_due_ns(), *self._link_edges_ns(), _FOREVER_NS]
        if self._run is not None:
            full = self._run.taken_ns(self._packed + self._run.each - 1)
            due.append(max(int(self._departs(full)), self.now_ns + 1))
        return min(t_ns for t_ns in due if t_ns > self.now_ns)

    def link_allowed(self, now_ns: int) -> bool:
        """Whether a link can exist: not out of reach, not restarting."""
        story_ns = now_ns - self._story_ns
        return not (self._faults.holds("link", story_ns) or self._faults.holds("reboot", story_ns))

    # Inside.

    def _boot(self, now_ns: int) -> None:
        self.clock = Clock(now_ns, self._drift_ppm)
        self._run = None
        self.powered_on()

    def _reboot_due_ns(self) -> int:
        return self._story_ns + self._reboots[0].start_ns if self._reboots else _FOREVER_NS

    def _link_edges_ns(self) -> list[int]:
        faults = self._faults.of_kind("link", "reboot")
        return [self._story_ns + edge for fault in faults for edge in (fault.start_ns, fault.end_ns)]

    def _taken(self, run: Streaming, now_ns: int) -> int:
        self.ledger.taken[run.number] = taken = run.taken(now_ns)
        return taken

    def _departs(self, full_ns: Ints) -> Ints:
        """When packets that are full at these times leave."""
        return full_ns if self.EVENT_NS == 0 else -(-full_ns // self.EVENT_NS) * self.EVENT_NS

    def _motion(self, now_ns: int) -> list[Outgoing]:
        """The packets that leave by `now_ns`."""
        self.now_ns, run = now_ns, self._run
        if run is None:
            return []
        full = (self._taken(run, now_ns) - self._packed) // run.each
        due_ns = self._departs(run.taken_ns(self._packed + run.each * np.arange(1, full + 1) - 1))
        return self._send(run, due_ns[due_ns <= now_ns])

    def _send(self, run: Streaming, due_ns: Ints) -> list[Outgoing]:
        first, count = self._packed, len(due_ns)
        self._packed += run.each * count
        fates = self._transmitter.fates(due_ns - self._story_ns, self.listening(self.MOTION))
        self._transmitter.note(run, first, run.each, fates)
        if count == 0 or all(fate is Fate.LOST for fate in fates):
            return []
        acc, gyr = self.body.sample(run.true_rate_hz, first, count * run.each, run.story_s)
        taken_ns = run.taken_ns(first + np.arange(count * run.each))
        clock_ns = np.rint((taken_ns - run.clock.boot_ns) * run.clock.speed).astype(np.int64)
        sent = []
        for k, (fate, t_ns) in enumerate(zip(fates.tolist(), due_ns.tolist(), strict=True)):
            one = slice(k * run.each, (k + 1) * run.each)
            for data in self.pack(acc[one], gyr[one], clock_ns[one]):
                sent += [Outgoing(t_ns, self.MOTION, whole) for whole in self._transmitter.as_sent(data, fate, t_ns)]
        return sent


def counts(values: Floats, per_unit: float, bits: int = 16) -> Ints:
    """What a converter of so many bits gives for values, at so many counts a unit: rounded, kept in its range."""
    full = 1 << (bits - 1)
    return np.asarray(np.clip(np.rint(values * per_unit), -full, full - 1), dtype=np.int64)
