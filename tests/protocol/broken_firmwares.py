"""Firmwares that break one rule each, as subclasses of the simulated one: what an author gets wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from companion.simulator.buffer import fetch_done
from companion.simulator.sampling import Clock, Run
from companion.simulator.sensor import Firmware
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.posture_v1 import packets as p

S = 1_000_000_000
FETCH_DONE = 0x86


class Altered(Firmware):
    """What leaves it is altered by `outgoing`."""

    _inside = False

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        """What leaves instead."""
        return [out]

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        return self._altered(lambda: super(Altered, self).write(characteristic, data, now_ns))

    def advance(self, now_ns: int) -> list[Outgoing]:
        return self._altered(lambda: super(Altered, self).advance(now_ns))

    def _altered(self, call: Callable[[], list[Outgoing]]) -> list[Outgoing]:
        if self._inside:
            return call()
        self._inside = True
        try:
            sent = call()
        finally:
            self._inside = False
        return [other for out in sent for other in self.outgoing(out)]


def altering(characteristic: str, change: Callable[[bytes], bytes | None]) -> type[Firmware]:
    """A firmware whose values of one characteristic are changed on their way out; None is not sent."""

    class Changed(Altered):
        def outgoing(self, out: Outgoing) -> list[Outgoing]:
            if out.characteristic != characteristic:
                return [out]
            data = change(out.data)
            return [] if data is None else [replace(out, data=data)]

    return Changed


def motion(change: Callable[[bytearray], None]) -> type[Firmware]:
    """A firmware whose Motion packets are changed in place."""

    def changed(data: bytes) -> bytes:
        packet = bytearray(data)
        change(packet)
        return bytes(packet)

    return altering(p.MOTION, changed)


def live(change: Callable[[bytearray], None]) -> type[Firmware]:
    """The same for packets that are not backfilled."""
    return motion(lambda packet: None if packet[0] & 8 else change(packet))


def fetched(change: Callable[[bytearray], None]) -> type[Firmware]:
    """The same for packets that are."""
    return motion(lambda packet: change(packet) if packet[0] & 8 else None)


def answers(opcode: int, change: Callable[[bytes], bytes | None]) -> type[Firmware]:
    """A firmware whose answers with this opcode are changed; None is not sent."""
    return altering(p.CONTROL, lambda data: change(data) if data[0] == opcode else data)


def put(packet: bytearray, at: int, value: int, size: int) -> None:
    """Overwrite a number."""
    packet[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")


def number(packet: bytes, at: int, size: int) -> int:
    """Read a number."""
    return int.from_bytes(packet[at : at + size], "little")


def unknown(opcode: int, but: Callable[[bytes], bytes | None]) -> type[Firmware]:
    """A firmware that answers a command it does not know, with this opcode, otherwise."""
    return answers(0xFF, lambda data: but(data) if data[1] == opcode else data)


class TenHertz(Firmware):
    """It breaks no rule: 10 Hz is all that it offers."""

    def _info(self) -> p.Info:
        return replace(super()._info(), rates_mask=1)

    def _offers(self, start: p.Start) -> bool:
        return super()._offers(start) and start.rate_hz == 10


# One rule each.


class TooLong(Firmware):
    """Packets of half a second."""

    def _each(self, run: Run) -> int:
        return min((self._mtu - 11) // run.scale.layout.sample_bytes, run.scale.rate_hz // 2)


@dataclass(frozen=True, slots=True)
class FastRun(Run):
    """Samples come 5 % faster than said, and each has its true time."""

    @property
    def true_rate_hz(self) -> float:
        return self.scale.rate_hz * 1.05

    def ticks(self, index: Any) -> Any:
        return (
            (self.clock.us(self.first_ns) + index * 1_000_000 / (self.scale.rate_hz * 1.05)).astype(int) * 1024 // 10**6
        )


class Fast(Firmware):
    """5 % off."""

    def _start(self, command: p.Start) -> list[Outgoing]:
        out = super()._start(command)
        if self._run is not None and not isinstance(self._run, FastRun):
            run = self._run
            self._run = self._latest = FastRun(run.number, run.stream, run.scale, run.clock, run.first_ns, run.story_s)
        return out


class Stepping(Firmware):
    """Its clock is set forward by 0.4 s while it runs."""

    def _boot(self, now_ns: int, drift_ppm: float) -> None:
        super()._boot(now_ns, drift_ppm)
        self._clock = SteppingClock(now_ns, drift_ppm)


@dataclass(frozen=True, slots=True)
class SteppingClock(Clock):
    """It steps 9 s after power-on."""

    def us(self, now_ns: int) -> int:
        return (now_ns - self.boot_ns) // 1000 + (400_000 if now_ns - self.boot_ns > 9 * S else 0)


class Milliseconds(Firmware):
    """Its device clock is told in milliseconds."""

    def _time(self) -> p.TimeAnswer:
        return replace(super()._time(), time_us=self._now_ns // 1_000_000)

    def _started(self, result: p.Result) -> p.Started:
        return replace(super()._started(result), time_us=self._now_ns // 1_000_000)


class Early(Altered):
    """A packet of a new stream is on the air before the answer that announces it."""

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic != p.CONTROL or out.data[:2] != b"\x81\x00" or self._run is None:
            return [out]
        (early,) = self._run.packets(self._body, 0, 1, 1)
        return [replace(out, characteristic=p.MOTION, data=early), out]


class RepeatsAfterFetch(Altered):
    """After a Fetch the last live packet comes again."""

    last = b""

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic == p.MOTION and not out.data[0] & 8:
            self.last = out.data
        again = out.characteristic == p.CONTROL and out.data[0] == FETCH_DONE and number(out.data, 7, 4) > 0
        return [out, replace(out, characteristic=p.MOTION, data=self.last)] if again else [out]


class Unflushed(Firmware):
    """Stop forgets the samples in hand."""

    def _finish(self) -> list[Outgoing]:
        self._run = None
        return []


class OneStream(Firmware):
    """Every Start has the same number."""

    def _start(self, command: p.Start) -> list[Outgoing]:
        if self._offers(command):
            self._stream = (self._stream - 1) % 256
        return super()._start(command)


class TakesAnything(Firmware):
    """A rate that is not offered is rounded to one that is."""

    def _start(self, command: p.Start) -> list[Outgoing]:
        offered = min(p.RATES_HZ, key=lambda rate_hz: abs(rate_hz - command.rate_hz))
        return super()._start(replace(command, rate_hz=offered))


class Refuses200(Firmware):
    """A rate that Info offers is refused."""

    def _offers(self, start: p.Start) -> bool:
        return super()._offers(start) and start.rate_hz != 200


class StopsWhenAlone(Firmware):
    """A lost host ends the stream."""

    def disconnected(self, now_ns: int) -> None:
        super().disconnected(now_ns)
        self._finish()


class CountsForItsHost(Altered):
    """Samples are counted only while somebody is connected."""

    away_since_ns = 0
    uncounted = 0

    def disconnected(self, now_ns: int) -> None:
        super().disconnected(now_ns)
        self.away_since_ns = now_ns

    def connected(self, now_ns: int, mtu: int = 247) -> None:
        if self.away_since_ns and self._run is not None:
            self.uncounted = (now_ns - self.away_since_ns) * self._run.scale.rate_hz // S
        super().connected(now_ns, mtu)

    def _start(self, command: p.Start) -> list[Outgoing]:
        self.uncounted = self.away_since_ns = 0
        return super()._start(command)

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        data = bytearray(out.data)
        if out.characteristic == p.MOTION:
            put(data, 2, number(data, 2, 4) - self.uncounted, 4)
        elif out.data[0] == 0x83 or out.data[0] == 0x82:
            put(data, 3, number(data, 3, 4) - self.uncounted, 4)
        return [replace(out, data=bytes(data))]


class SendsLater(Altered):
    """The packet that was in hand when the link was lost is sent on the next one."""

    kept: bytes = b""

    def disconnected(self, now_ns: int) -> None:
        if self._run is not None:
            (self.kept,) = self._run.packets(self._body, self._packed, 1, 3)
        super().disconnected(now_ns)

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic == p.MOTION and self.kept and out.data[1] == self.kept[1]:
            kept, self.kept = self.kept, b""
            return [replace(out, data=kept), out]
        return [out]


class Still(Firmware):
    """Its motor's bit is never set."""

    def _send(self, *args: Any) -> list[Outgoing]:
        return [replace(out, data=bytes([out.data[0] & ~0x20]) + out.data[1:]) for out in super()._send(*args)]


class LateStatus(Firmware):
    """Nothing is told when Status is subscribed to."""

    def subscribed(self, characteristic: str, on: bool) -> None:
        before = self._status_due_ns
        super().subscribed(characteristic, on)
        self._status_due_ns = before


class RareStatus(Firmware):
    """Status comes every 30 s, or when something changes."""

    def _notify_status(self) -> list[Outgoing]:
        told = super()._notify_status()
        if told:
            self._status_due_ns = self._now_ns + 30 * S
        return told


class Dim(Firmware):
    """It keeps the change of its flags to itself."""

    def _start(self, command: p.Start) -> list[Outgoing]:
        return self._quietly(lambda: super(Dim, self)._start(command))

    def _stop(self) -> list[Outgoing]:
        return self._quietly(super()._stop)

    def _quietly(self, call: Callable[[], list[Outgoing]]) -> list[Outgoing]:
        due_ns, told_ns = self._status_due_ns, self._status_told_ns
        out = [each for each in call() if each.characteristic != p.STATUS]
        self._status_due_ns, self._status_told_ns = due_ns, told_ns
        return out


class Talkative(Altered):
    """A Status goes with every packet."""

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic != p.MOTION or p.STATUS not in self._subscribed:
            return [out]
        return [out, replace(out, characteristic=p.STATUS, data=self._status(self._now_ns).to_bytes())]


def telling(**values: Callable[[p.Status], Any]) -> type[Firmware]:
    """A firmware with other values in Status."""

    class Told(Firmware):
        def _status(self, now_ns: int) -> p.Status:
            true = super()._status(now_ns)
            return replace(true, **{name: value(true) for name, value in values.items()})

    return Told


def informing(change: Callable[[p.Info], p.Info], more: bytes = b"") -> type[Firmware]:
    """A firmware with another Info."""

    class Informed(Firmware):
        def read(self, characteristic: str, now_ns: int) -> bytes:
            if characteristic == p.INFO:
                return change(self._info()).to_bytes() + more
            return super().read(characteristic, now_ns)

    return Informed


class Forgetful(Firmware):
    """Another identity each time."""

    reads = 0

    def read(self, characteristic: str, now_ns: int) -> bytes:
        data = super().read(characteristic, now_ns)
        if characteristic != p.INFO:
            return data
        self.reads += 1
        return data[:4] + bytes([self.reads]) + data[5:]


class Unannounced(Firmware):
    """Status cannot be subscribed to."""

    @property
    def served(self) -> tuple[Served, ...]:
        return tuple(
            replace(each, properties=Property.READ) if each.uuid == p.STATUS else each for each in super().served
        )


class Lenient(Firmware):
    """`02 00` is taken for Stop."""

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        return super().write(characteristic, data[:1] if data[:1] == b"\x02" else data, now_ns)


class AlwaysDone(Firmware):
    """Stop is done, whether anything ran or not."""

    def _stop(self) -> list[Outgoing]:
        return [
            replace(out, data=bytes([0x82, 0]) + out.data[2:]) if out.data[:1] == b"\x82" else out
            for out in super()._stop()
        ]


class Stammering(Altered):
    """Each answer to Stop comes twice."""

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        return [out, out] if out.characteristic == p.CONTROL and out.data[0] == 0x82 else [out]


class Backwards(Altered):
    """What is fetched comes newest first: two packets at a time change places."""

    held: Outgoing | None = None

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic == p.MOTION and out.data[0] & 8:
            before, self.held = self.held, out if self.held is None else None
            return [] if before is None else [out, before]
        if out.characteristic == p.CONTROL and out.data[0] == FETCH_DONE and self.held is not None:
            last, self.held = self.held, None
            return [last, out]
        return [out]


class GoesOn(Altered):
    """A packet of the stream comes behind the answer to its Stop."""

    last = b""

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic == p.MOTION:
            self.last = out.data
        if out.characteristic != p.CONTROL or out.data[:2] != b"\x82\x00" or self.last[1:2] != out.data[2:3]:
            return [out]
        packet = bytearray(self.last[:20])
        put(packet, 2, number(out.data, 3, 4) + 1, 4)
        return [out, replace(out, characteristic=p.MOTION, data=bytes(packet))]


class Small(Firmware):
    """It forgets what it holds at every disconnection."""

    lost_ns = 0

    def disconnected(self, now_ns: int) -> None:
        super().disconnected(now_ns)
        self.lost_ns = now_ns

    def _held(self, t_ns: int) -> range:
        held = super()._held(t_ns)
        if not self.lost_ns or self._latest is None:
            return held
        return range(min(held.stop, max(held.start, self._latest.taken(self.lost_ns))), held.stop)


class Eager(Firmware):
    """A second Fetch takes the place of the first."""

    def _fetch(self, command: p.Fetch, opcode: int) -> list[Outgoing]:
        self._fetching, before = None, self._fetching
        out = super()._fetch(command, opcode)
        if before is not None:
            done = p.FetchDone(p.Result.OK, command.stream, command.first, 0, command.count)
            self._fetching = before
            return self._indicate(done)
        return out


class Swapping(Altered):
    """Of two live packets the second comes first, once in each stream."""

    held: Outgoing | None = None

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        if out.characteristic != p.MOTION:
            held, self.held = self.held, None
            return [out] if held is None else [held, out]
        if number(out.data, 2, 4) == 12:
            self.held = out
            return []
        held, self.held = self.held, None
        return [out] if held is None else [out, held]


class LastFetchedLater(Altered):
    """The last fetched packet comes behind the answer."""

    held: Outgoing | None = None

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        before = self.held
        if out.characteristic == p.MOTION and out.data[0] & 8:
            self.held = out
            return [] if before is None else [before]
        if out.characteristic == p.CONTROL and out.data[0] == FETCH_DONE and before is not None:
            self.held = None
            return [out, replace(before, t_ns=out.t_ns + 1)]
        return [out]


class Stalls(Altered):
    """Live packets wait for the end of a Fetch, and are dropped."""

    def outgoing(self, out: Outgoing) -> list[Outgoing]:
        waits = out.characteristic == p.MOTION and not out.data[0] & 8 and self._fetching is not None
        return [] if waits else [out]


class Late(Firmware):
    """Live packets wait for 1.8 s; what waits at a Stop or a Start is sent then."""

    waiting: tuple[Outgoing, ...] = ()

    def advance(self, now_ns: int) -> list[Outgoing]:
        sent = super().advance(now_ns)
        delayed = [out for out in sent if out.characteristic == p.MOTION and not out.data[0] & 8]
        waiting = (*self.waiting, *(replace(out, t_ns=out.t_ns + 18 * S // 10) for out in delayed))
        self.waiting = tuple(out for out in waiting if out.t_ns > now_ns)
        due = [out for out in waiting if out.t_ns <= now_ns]
        return sorted([*(out for out in sent if out not in delayed), *due], key=lambda out: out.t_ns)

    def disconnected(self, now_ns: int) -> None:
        self.waiting = ()
        super().disconnected(now_ns)

    def _stop(self) -> list[Outgoing]:
        return self._at_last() + super()._stop()

    def _start(self, command: p.Start) -> list[Outgoing]:
        return (self._at_last() if self._offers(command) else []) + super()._start(command)

    def _at_last(self) -> list[Outgoing]:
        waiting, self.waiting = self.waiting, ()
        return [replace(out, t_ns=self._now_ns) for out in waiting]


class LooksAhead(Firmware):
    """A Fetch waits for samples that were not taken when it came."""

    def _fetch(self, command: p.Fetch, opcode: int) -> list[Outgoing]:
        out = super()._fetch(command, opcode)
        if self._fetching is not None:
            self._fetching.end = max(self._fetching.end, min(command.first + command.count, self._fetching.end + 100))
        return out


class Deaf(Firmware):
    """A Fetch while Motion is not subscribed to is done at once, and everything is gone."""

    def _fetch(self, command: p.Fetch, opcode: int) -> list[Outgoing]:
        if command.count and not self._on_air(p.MOTION):
            return self._indicate(fetch_done(command))
        return super()._fetch(command, opcode)


class Hoards(Firmware):
    """The stream before is kept over a Start, and sent."""

    def _fetch(self, command: p.Fetch, opcode: int) -> list[Outgoing]:
        if self._run is None or not command.count or command.stream != (self._stream - 1) % 256:
            return super()._fetch(command, opcode)
        (packet,) = self._run.packets(self._body, command.first, 1, 1, backfilled=True)
        old = Outgoing(self._now_ns, p.MOTION, packet[:1] + bytes([command.stream]) + packet[2:])
        return [old, *self._indicate(fetch_done(command, sent=1))]


class StopEndsFetch(Firmware):
    """A Stop ends a Fetch."""

    def _stop(self) -> list[Outgoing]:
        if self._fetching is not None:
            self._fetching.cut_short()
        return super()._stop()


class OneByOne(Firmware):
    """Time waits for the end of a Fetch."""

    waiting = False

    def _obey(self, command: p.Command, opcode: int) -> list[Outgoing]:
        if self._fetching is None or not isinstance(command, p.Time):
            return super()._obey(command, opcode)
        self.waiting = True
        return []

    def _fetch_ended(self, *, at_once: bool = False) -> list[Outgoing]:
        out, waiting = super()._fetch_ended(at_once=at_once), self.waiting
        if not waiting or self._fetching is not None:
            return out
        self.waiting = False
        return out + self._indicate(self._time())


class OverflowsAt32Bits(Firmware):
    """Numbers beyond 2^32 are a bad value."""

    def _fetch(self, command: p.Fetch, opcode: int) -> list[Outgoing]:
        if command.first + command.count > 2**32:
            return self._indicate(fetch_done(command, p.Result.BAD_VALUE))
        return super()._fetch(command, opcode)


class NeverNone(Firmware):
    """Before the first sample newest is 0."""

    def _newest(self) -> int:
        return super()._newest() % p.NONE_YET


class DropsFetch(Firmware):
    """A Start lets a Fetch go unanswered."""

    def _fetch_ended(self, *, at_once: bool = False) -> list[Outgoing]:
        if not at_once:
            return super()._fetch_ended()
        self._fetching = None
        return []


class Remembers(Firmware):
    """While it does not sample, Time tells what was in force last."""

    def _time(self) -> p.TimeAnswer:
        true, last = super()._time(), self._latest
        if self._run is not None or last is None:
            return true
        scale = last.scale
        force = {"rate_hz": scale.rate_hz, "acc_range_g": scale.acc_range_g, "gyr_range_dps": scale.gyr_range_dps}
        return replace(true, layout=scale.layout, **force)


class BusySampling(Firmware):
    """Start while sampling is answered busy."""

    def _start(self, command: p.Start) -> list[Outgoing]:
        if self._run is not None and self._offers(command):
            return self._indicate(self._started(p.Result.BUSY))
        return super()._start(command)


class Anonymous(Firmware):
    """Its advertisement names no service."""

    @property
    def appearance(self) -> Appearance:
        return replace(super().appearance, services=())


class Curt(Firmware):
    """A byte of Info is missing."""

    def read(self, characteristic: str, now_ns: int) -> bytes:
        return super().read(characteristic, now_ns)[: 26 if characteristic == p.INFO else None]


def halved(packet: bytearray) -> None:
    """Accelerations as if the range were twice as large."""
    raw = np.frombuffer(bytes(packet[8:]), dtype="<i2") // 2
    packet[8:] = raw.astype("<i2").tobytes()


def at_the_end(packet: bytearray) -> None:
    """A value at the end of its range, in some packets."""
    if number(packet, 2, 4) % 5 == 0:
        put(packet, 8, 32767, 2)


def by_bit(packet: bytearray) -> None:
    """The reserved bit 6."""
    packet[0] |= 0x40


def no_bit(packet: bytearray) -> None:
    """Bit 3 forgotten."""
    packet[0] &= ~8


def jittered(packet: bytearray) -> None:
    """A jitter of 20 ms: the time is read when the packet is sent."""
    late = number(packet, 2, 4) // 12 * 7 % 11 * 2
    put(packet, 6, number(packet, 6, 2) + late, 2)


def other_time(packet: bytearray) -> None:
    """The time of the fetch instead of the sample's."""
    put(packet, 6, number(packet, 6, 2) + 900, 2)


def other_value(packet: bytearray) -> None:
    """One value is another."""
    packet[8] ^= 1


def third_layout(packet: bytearray) -> None:
    """A layout that does not exist."""
    packet[0] = packet[0] & ~7 | 3


def cut_short(packet: bytearray) -> None:
    """The last byte is missing."""
    packet.pop()


def from_one(packet: bytearray) -> None:
    """Samples are counted from 1."""
    put(packet, 2, number(packet, 2, 4) + 1, 4)


def motor_runs(packet: bytearray) -> None:
    """The motor's bit is always set."""
    packet[0] |= 0x20


def plus(at: int, size: int, more: int) -> Callable[[bytes], bytes]:
    """A number in a message is larger than it should be."""

    def changed(data: bytes) -> bytes:
        other = bytearray(data)
        put(other, at, number(data, at, size) + more, size)
        return bytes(other)

    return changed


def one_more_sent(data: bytes) -> bytes:
    """FetchDone counts one sample too many, where any were sent."""
    return plus(7, 4, 1)(data) if number(data, 7, 4) else data


def at_times(change: Callable[[bytearray], None]) -> Callable[[bytearray], None]:
    """Only one packet in seven, never the first."""
    return lambda packet: change(packet) if number(packet, 2, 4) % 7 == 5 else None


def set_bit_3(packet: bytearray) -> None:
    """As if it had been fetched."""
    packet[0] |= 8


def other_stream(packet: bytearray) -> None:
    """A stream that nobody announced."""
    packet[1] = (packet[1] + 128) % 256


def never_gone(data: bytes) -> bytes:
    """FetchDone tells as sent what is gone."""
    return data[:7] + data[11:15] + data[7:11] if data[1] == 0 and number(data, 7, 4) == 0 else data


def zero_is_done(data: bytes) -> bytes:
    """Nothing asked for, nothing sent, all well."""
    return data[:1] + b"\0" + data[2:] if data[1] == 1 else data
