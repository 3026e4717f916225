"""Whether the books are exact: taken = received + lost, what came twice counted, over a million packets.

    python benchmarks/accounting.py [--packets 1000000] [--seed 1]

The simulated sensor takes samples and keeps its ledger of them. Between it and the host is an air that loses packets,
brings them twice, in another order, cut short or as noise, and keeps a list of what it did; neither looks at what the
host makes of it. On the host's side are the decoder, fed in pieces of any size, and the session with its summary.
Streams begin a few hundred samples before the counter of 32 bits wraps, the device time of 16 bits wraps every 64 s,
links are lost for up to ten minutes, and the sensor is stopped, started in another layout and rate, and reset.

What a sensor took after the last thing that the host heard before a reset, nobody can tell the host: `untold`.
So, exactly: taken = received + lost + untold. Every figure must be equal on both sides, or the script fails.
"""

import argparse
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from companion.commands.opening import opening
from companion.session import Session
from companion.settings import Settings
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate
from companion.simulator.sensor import Firmware
from companion.simulator.served import Outgoing
from companion.simulator.stories import body_of
from firmware_protocol.drivers import driver
from firmware_protocol.frames import Frame, LinkDown, LinkUp, Notification, Opened
from firmware_protocol.posture_v1 import packets as p

_S = 1_000_000_000
_U32 = 1 << 32
_HEAD = struct.Struct("<BBIH")  # the sensor's own words: kind, stream, index, time
_MTUS = (23, 69, 185, 247)
_LAYOUTS = ((p.Layout.ACC, 0), (p.Layout.ACC_GYR, 1000))
_DELAY_NS = (2_000_000, 9_000_000)


@dataclass
class Books:
    """What became of the samples of one run: the sensor's count, and which of them the air delivered."""

    size: int  # bytes of a sample
    offset: int  # what is added to the sensor's index, so that the counter wraps early
    taken: int = 0
    told: int = 0  # samples before this one are known to the host to have been taken
    delivered: list[tuple[int, int]] = field(default_factory=list)  # first and end, as often as they were delivered

    def deliver(self, data: bytes) -> None:
        """A whole packet reaches the host."""
        first = _HEAD.unpack_from(data)[2]
        end = first + (len(data) - _HEAD.size) // self.size
        self.delivered.append((first, end))
        self.told = max(self.told, end)

    def counts(self) -> "Counts":
        """The sums."""
        times = np.zeros(self.taken + 1, dtype=np.int64)
        firsts, ends = np.array(self.delivered or [(0, 0)], dtype=np.int64).T
        np.add.at(times, firsts, 1)
        np.add.at(times, ends, -1)
        often = np.cumsum(times)[:-1]
        received = int(np.count_nonzero(often))
        return Counts(
            self.taken, received, self.told - received, int(often.sum()) - received, 0, self.taken - self.told
        )


@dataclass
class Counts:
    """What one side says."""

    taken: int = 0
    received: int = 0
    lost: int = 0
    twice: int = 0
    malformed: int = 0
    untold: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class Air:
    """Between sensor and host. `books` has one entry for each run of the sensor."""

    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance
        self._held: list[tuple[int, bytes]] = []
        self.books: list[Books] = []
        self.spoiled = self.packets = 0

    def carry(self, sent: list[Outgoing]) -> Iterator[Frame]:
        """What the host gets of what the sensor sent; only motion fares badly, and nothing overtakes an answer."""
        for each in sent:
            if each.characteristic != p.MOTION:
                yield from self.all_held()
                yield self._frame(each.t_ns, each.characteristic, self._answered(each))
                continue
            self.packets += 1
            yield from self._motion(each.t_ns, each.data)

    def all_held(self) -> Iterator[Frame]:
        """Whatever waits to come in another order."""
        held, self._held = self._held, []
        for t_ns, data in held:
            yield self._deliver(t_ns, data)

    def _motion(self, t_ns: int, data: bytes) -> Iterator[Frame]:
        fate = self._chance.random()
        if fate < 0.01:
            return  # lost
        if fate < 0.014:
            yield self._noise(t_ns, data)
            return
        if fate < 0.03 and len(self._held) < 4:
            self._held.append((t_ns, data))
            return
        yield self._deliver(t_ns, data)
        if fate < 0.04:
            yield self._deliver(t_ns, data)
        if self._held and self._chance.random() < 0.5:
            yield self._deliver(t_ns, self._held.pop(int(self._chance.integers(len(self._held))))[1])

    def _deliver(self, t_ns: int, data: bytes) -> Frame:
        book = self.books[-1]
        book.deliver(data)
        kind, stream, index, time_1024 = _HEAD.unpack_from(data)
        moved = _HEAD.pack(kind, stream, (index + book.offset) % _U32, time_1024) + data[_HEAD.size :]
        return self._frame(t_ns, p.MOTION, moved)

    def _noise(self, t_ns: int, data: bytes) -> Frame:
        """No packet any more: cut, or of a layout that does not exist."""
        self.spoiled += 1
        cut = self._chance.random() < 0.5
        return self._frame(t_ns, p.MOTION, data[:-5] if cut else bytes([data[0] | 7]) + self._chance.bytes(len(data)))

    def _answered(self, sent: Outgoing) -> bytes:
        """The sensor's answer, its counters moved like those of the packets."""
        book, data = self.books[-1], sent.data
        if sent.characteristic != p.CONTROL:
            return data
        answer = p.parse_answer(data)
        if isinstance(answer, p.TimeAnswer):
            book.told = max(book.told, answer.index)
            return replace(answer, index=(answer.index + book.offset) % _U32).to_bytes()
        if isinstance(answer, p.Stopped):
            book.told = max(book.told, (answer.newest + 1) % _U32)
            return replace(answer, newest=(answer.newest + book.offset) % _U32).to_bytes()
        return data

    def _frame(self, t_ns: int, characteristic: str, data: bytes) -> Frame:
        late_ns = int(self._chance.integers(*_DELAY_NS))
        return Notification(t_host_ns=t_ns + late_ns, characteristic=characteristic, data=data)


class Life:
    """A sensor with a host that connects, starts, loses it and comes back, through `packets` packets."""

    def __init__(self, seed: int, packets: int) -> None:
        self._chance = chance = np.random.default_rng(seed)
        self._wanted = packets
        self._resets_s = sorted(float(at_s) for at_s in chance.integers(300, 20_000, 3))
        faults = Faults.of(["no-buffer", *(f"reboot@{at_s:.0f}" for at_s in self._resets_s)])
        drift_ppm = float(chance.uniform(-5000, 5000))
        self.sensor = Firmware(body_of("upright"), faults=faults, seed=seed, drift_ppm=drift_ppm)
        self.air = Air(chance)
        self._now_ns = int(chance.integers(_S, 100 * _S))
        self._mtu = 23

    def frames(self) -> Iterator[Frame]:
        """Everything that reaches the host, in order."""
        yield from self._connected()
        yield from self._started()
        acts = (self._streaming, self._streaming, self._streaming, self._away, self._restarted, self._asked)
        while self.air.packets < self._wanted:
            yield from acts[int(self._chance.integers(len(acts)))]()
        yield from self._stopped()

    def counts(self) -> Counts:
        """What sensor and air say."""
        self._close_books()
        total = sum((book.counts() for book in self.air.books), Counts())
        ledger = self.sensor.ledger
        assert total.taken == sum(ledger.taken.values())
        assert self.air.packets == ledger.packets(Fate.SENT)
        total.malformed = self.air.spoiled
        return total

    def _streaming(self) -> Iterator[Frame]:
        yield from self._pass(float(self._chance.uniform(1, 90)))

    def _pass(self, seconds: float) -> Iterator[Frame]:
        """Live on; a reset in between is met as a host meets it."""
        until_ns = self._now_ns + round(seconds * _S)
        if self._resets_s and until_ns >= self._resets_s[0] * _S:
            reset_ns = round(self._resets_s.pop(0) * _S)
            yield from self.air.carry(self.sensor.advance(max(reset_ns, self._now_ns)))
            yield from self._dropped("link lost")
            self._now_ns = max(until_ns, reset_ns + 2 * _S)
            yield from self._connected()
            yield from self._started()
            return
        self._now_ns = until_ns
        yield from self.air.carry(self.sensor.advance(self._now_ns))

    def _connected(self) -> Iterator[Frame]:
        self._mtu = int(self._chance.choice(_MTUS))
        self.sensor.connected(self._now_ns, self._mtu)
        for characteristic in (p.MOTION, p.CONTROL, p.STATUS):
            self.sensor.subscribed(characteristic, True)
        yield LinkUp(t_host_ns=self._now_ns, address="F0:00:00:00:00:01", mtu=self._mtu)

    def _dropped(self, cause: str) -> Iterator[Frame]:
        yield from self.air.all_held()
        yield LinkDown(t_host_ns=self._now_ns, cause=cause)

    def _away(self) -> Iterator[Frame]:
        """The link is lost, for up to ten minutes, and made again."""
        if self._resets_s and self._resets_s[0] * _S < self._now_ns + 700 * _S:
            return
        self.sensor.disconnected(self._now_ns)
        yield from self._dropped("out of range")
        self._now_ns += int(self._chance.integers(_S, 600 * _S))
        yield from self._connected()
        yield from self._told(p.Time())

    def _started(self) -> Iterator[Frame]:
        """A new stream; the host hears of it as of one that has run for long."""
        layout, gyr_range_dps = _LAYOUTS[int(self._chance.integers(2))]
        rate_hz = int(self._chance.choice([50, 100, 200]))
        start = p.Start(rate_hz=rate_hz, acc_range_g=8, gyr_range_dps=gyr_range_dps, layout=layout)
        self._close_books()
        wraps = self._chance.random() < 0.7
        offset = _U32 - int(self._chance.integers(1, 20_000)) if wraps else 0
        sent = self.sensor.write(p.CONTROL, start.to_bytes(), self._now_ns)
        yield from self.air.carry([each for each in sent if each.characteristic == p.MOTION])
        yield from self.air.all_held()
        self.air.books.append(Books(layout.sample_bytes, offset))
        if not wraps:
            yield from self.air.carry([each for each in sent if each.characteristic == p.CONTROL])
        yield from self._told(p.Time())

    def _told(self, command: p.Command) -> Iterator[Frame]:
        yield from self.air.carry(self.sensor.write(p.CONTROL, command.to_bytes(), self._now_ns))

    def _asked(self) -> Iterator[Frame]:
        yield from self._told(p.Time())

    def _stopped(self) -> Iterator[Frame]:
        yield from self._told(p.Stop())

    def _restarted(self) -> Iterator[Frame]:
        yield from self._stopped()
        yield from self._started()

    def _close_books(self) -> None:
        """Enter what the sensor's own ledger says was taken in each run so far."""
        for number, book in enumerate(self.air.books):
            book.taken = self.sensor.ledger.taken[number]


def header() -> Opened:
    """Of a session that begins when the sensor is switched on."""
    return opening(
        t_host_ns=0,
        driver="posture_v1",
        device="books",
        settings=Settings(),
        origin="simulated",
        rate_hz=None,
        calibration_json=None,
    )


def measured(seed: int, packets: int) -> tuple[int, Counts, Counts, Counts]:
    """One life: how many packets there were; what the sensor's side, the decoder and the session say."""
    chance, life = np.random.default_rng([seed, 1]), Life(seed, packets)
    decoder, session = driver("posture_v1").new_decoder(), Session(header())
    found, waiting, cut = Counts(), [], 1
    session.feed([session.header])
    for frame in [*life.frames(), None]:
        waiting += [] if frame is None else [frame]
        if frame is None or len(waiting) >= cut:
            decoded = decoder.feed(waiting)
            session.feed(waiting)
            found += Counts(0, len(decoded.samples), decoded.lost, decoded.duplicates, len(decoded.malformed))
            waiting, cut = [], int(chance.choice([1, 3, 50, 2000]))
    summary = session.close().summary
    assert summary is not None
    names = ("samples", "lost_samples", "duplicates", "malformed")
    return life.air.packets, life.counts(), found, Counts(0, *(summary[name] for name in names))


def differences(sent: Counts, found: Counts) -> list[str]:
    """Where the host's books differ from the sensor's."""
    pairs = [(name, getattr(sent, name), getattr(found, name)) for name in ("received", "lost", "twice", "malformed")]
    told = [
        f"{name}: {theirs} by the sensor's list, {ours} by the host's" for name, theirs, ours in pairs if theirs != ours
    ]
    if sent.taken != found.received + found.lost + sent.untold:
        told.append(f"{sent.taken} taken, but {found.received} + {found.lost} + {sent.untold} accounted for")
    return told


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began_s, packets, seed, total, wrong = time.monotonic(), 0, asked.seed, Counts(), []
    while packets < asked.packets:
        each, sent, found, summary = measured(seed, min(50_000, asked.packets - packets))
        wrong += [f"seed {seed}: {words}" for side in (found, summary) for words in differences(sent, side)]
        packets, seed, total = packets + each, seed + 1, total + sent
    print(f"{packets} packets in {seed - asked.seed} lives, {time.monotonic() - began_s:.0f} s")
    print(" · ".join(f"{name} {count}" for name, count in vars(total).items()))
    print(*(wrong or ["equal on both sides, to the last sample"]), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
