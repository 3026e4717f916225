"""The firmware of a posture_v1 sensor as a pure model: commands in, notification bytes out.

No radio and no clock: every call says what time it is. `now_ns` counts from power-on and never goes back;
the story of the body and of its faults counts from the same moment unless `begin_story` says otherwise.
Sampling, once started, goes on whether or not a host is connected; packets that are due while nobody
listens are not sent, but their samples stay in the buffer for a Fetch. What the faults do to packets, they do to
backfilled ones as well; the sensor does not know, and counts those as sent. Must never know: bumble, asyncio, hosts.
"""

import numpy as np

from companion.simulator.body import Body
from companion.simulator.buffer import BUFFER_SAMPLES, Fetching, Portion, fetch_done
from companion.simulator.equipment import TEMPERATURE_C, Motor, battery_pct, info
from companion.simulator.faults import NO_BUFFER, Faults
from companion.simulator.ledger import Fate, Ledger
from companion.simulator.sampling import Clock, Ints, Run, Scale
from companion.simulator.served import USUAL_MTU, Appearance, Outgoing, Property, Served
from companion.simulator.transmitter import Fates, Transmitter
from firmware_protocol.errors import ProtocolError
from firmware_protocol.posture_v1 import packets as p

_S = 1_000_000_000
_FOREVER_NS = 2**62
STATUS_EVERY_NS, STATUS_APART_NS = 10 * _S, _S
USUAL_DRIFT_PPM = 12.0
USUAL_IDENTITY = bytes.fromhex("6f1d3c0a9be24758a1c47e05d9b28f36")

SENSOR_ADDRESS = "F4:12:3D:5A:70:01"  # static random: its two highest bits are set

_SERVED = (
    Served(p.SERVICE, p.MOTION, Property.NOTIFY),
    Served(p.SERVICE, p.CONTROL, Property.WRITE | Property.INDICATE),
    Served(p.SERVICE, p.STATUS, Property.READ | Property.NOTIFY),
    Served(p.SERVICE, p.INFO, Property.READ),
)


class Firmware:
    """One sensor. `ledger` holds what became of every sample it took."""

    def __init__(
        self,
        body: Body,
        *,
        faults: Faults | None = None,
        seed: int = 0,
        identity: bytes = USUAL_IDENTITY,
        drift_ppm: float = USUAL_DRIFT_PPM,
        buffer_samples: int = BUFFER_SAMPLES,
    ) -> None:
        self.ledger = Ledger()
        self._body, self._seed, self._identity = body, seed, identity
        self._faults = faults or Faults()
        self._buffer_samples = 0 if self._faults.of_kind(NO_BUFFER) else buffer_samples
        self._transmitter = Transmitter(self._faults, self.ledger, seed)
        self._subscribed: set[str] = set()
        self._connected = False
        self._mtu = USUAL_MTU
        self._cut_ns = 0  # since when packets are cut to this MTU
        self._now_ns = 0
        self._story_ns = 0  # when the story began
        self._runs = self._boots = 0
        self._reboots = list(self._faults.of_kind("reboot"))
        self._fetching: Fetching | None = None
        self._boot(0, drift_ppm)

    @property
    def sampling(self) -> bool:
        """Whether it has been started and not stopped: then its time goes on, with a host or without."""
        return self._run is not None

    @property
    def served(self) -> tuple[Served, ...]:
        """The characteristics of the protocol."""
        return _SERVED

    @property
    def appearance(self) -> Appearance:
        """How it is found; nothing of it is read or written without an encrypted link."""
        return Appearance(
            name="Posture 1234",
            address=SENSOR_ADDRESS,
            model="simulated posture_v1 sensor",
            services=(p.SERVICE,),
            secure=True,
        )

    # What a host and the link do.

    def connected(self, now_ns: int, mtu: int = USUAL_MTU) -> None:
        """A host has connected, or agreed on another ATT_MTU; packets are cut to `mtu` from now on."""
        if not self._connected:
            self.advance(now_ns)  # up to here nobody listened
        self._connected, self._mtu, self._cut_ns = True, mtu, now_ns

    def disconnected(self, now_ns: int) -> None:
        """The link is gone. What was due but not fetched by `advance` never left."""
        self._connected = False
        self._subscribed.clear()
        self._fetching = None
        self.advance(now_ns)

    def subscribed(self, characteristic: str, on: bool) -> None:
        """The host switched notifications or indications of a characteristic on or off."""
        (self._subscribed.add if on else self._subscribed.discard)(characteristic)
        if characteristic == p.STATUS and on:
            self._status_told_ns, self._status_due_ns = -_FOREVER_NS, self._now_ns + 1  # at once
        if characteristic == p.MOTION and not on and self._fetching is not None:
            self._fetching.cut_short()

    def read(self, characteristic: str, now_ns: int) -> bytes:
        """The value of INFO or STATUS; raises KeyError for another characteristic."""
        if characteristic == p.INFO:
            return self._info().to_bytes()
        if characteristic == p.STATUS:
            return self._status(now_ns).to_bytes()
        raise KeyError(characteristic)

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        """A command: what was due before it, then its answer. Raises KeyError for anything but CONTROL."""
        if characteristic != p.CONTROL:
            raise KeyError(characteristic)
        out = self.advance(now_ns)
        try:
            command = p.parse_command(data)
        except ProtocolError:
            return out + self._indicate(p.Unsupported(data[0] if data else 0))
        return out + self._obey(command, data[0])

    # Time.

    def begin_story(self, now_ns: int) -> None:
        """Let the story and its faults begin (again) at `now_ns`; motion follows from the next Start on."""
        self.advance(now_ns)
        self._story_ns = now_ns
        self._reboots = list(self._faults.of_kind("reboot"))
        self._transmitter = Transmitter(self._faults, self.ledger, self._seed)

    def advance(self, now_ns: int) -> list[Outgoing]:
        """Everything that leaves the sensor up to and including `now_ns`, in the order of time."""
        if now_ns < self._now_ns:
            raise ValueError(f"time went back from {self._now_ns} to {now_ns}")
        out: list[Outgoing] = []
        while (event_ns := min(self._status_due_ns, self._reboot_due_ns())) <= now_ns:
            out += self._motion(event_ns)
            if event_ns == self._reboot_due_ns():
                self._reboot(event_ns)
            else:
                self._status_due_ns += STATUS_EVERY_NS
                out += self._notify_status()
        return out + self._motion(now_ns)

    def next_due_ns(self) -> int:
        """When `advance` or `link_allowed` will next have something to tell."""
        due = [self._status_due_ns, self._reboot_due_ns(), *self._link_edges_ns()]
        if self._run is not None:
            full_ns = int(self._run.taken_ns(self._packed + self._each(self._run) - 1))
            due.append(max(full_ns, self._now_ns + 1))  # a shorter packet than before may be full already
        if self._fetching is not None:
            due.append(self._fetching.due_ns)
        return min(t_ns for t_ns in due if t_ns > self._now_ns)

    def link_allowed(self, now_ns: int) -> bool:
        """Whether a link can exist: not out of reach, not restarting."""
        story_ns = now_ns - self._story_ns
        return not (self._faults.holds("link", story_ns) or self._faults.holds("reboot", story_ns))

    # Inside.

    def _boot(self, now_ns: int, drift_ppm: float) -> None:
        self._clock = Clock(now_ns, drift_ppm)
        self._stream = int(np.random.default_rng([self._seed % 2**64, self._boots]).integers(256))
        self._run: Run | None = None
        self._latest: Run | None = None  # the run that runs or ran last since boot: the buffer's
        self._packed = 0  # samples of the run that are in packets
        self._fetching = None
        self._motor = Motor()
        self._status_due_ns, self._status_told_ns = now_ns + STATUS_EVERY_NS, -_FOREVER_NS
        self._boots += 1

    def _reboot(self, now_ns: int) -> None:
        self._reboots.pop(0)
        if self._run is not None:
            rest = self._taken(self._run, now_ns) - self._packed
            self._transmitter.lose(self._run, self._packed, rest)
        self._connected = False
        self._subscribed.clear()
        self._boot(now_ns, self._clock.drift_ppm)

    def _reboot_due_ns(self) -> int:
        return self._story_ns + self._reboots[0].start_ns if self._reboots else _FOREVER_NS

    def _link_edges_ns(self) -> list[int]:
        faults = self._faults.of_kind("link", "reboot")
        return [self._story_ns + edge for fault in faults for edge in (fault.start_ns, fault.end_ns)]

    def _each(self, run: Run) -> int:
        return p.samples_per_packet(self._mtu, run.scale.rate_hz, run.scale.layout)

    def _taken(self, run: Run, now_ns: int) -> int:
        self.ledger.taken[run.number] = taken = run.taken(now_ns)
        return taken

    def _on_air(self, characteristic: str) -> bool:
        return self._connected and characteristic in self._subscribed

    def _held(self, t_ns: int) -> range:
        """The samples in the buffer at a time that has been."""
        if self._latest is None:
            return range(0)
        taken = min(self._latest.taken(t_ns), self.ledger.taken[self._latest.number])
        return range(max(0, taken - self._buffer_samples), taken)

    def _motion(self, now_ns: int) -> list[Outgoing]:
        """The packets that are full by `now_ns`, and what of the buffer has been sent by then."""
        self._now_ns = now_ns
        each, live_ns = 1, np.empty(0, dtype=np.int64)
        if self._run is not None:
            each = self._each(self._run)
            count = (self._taken(self._run, now_ns) - self._packed) // each
            full_ns = self._run.taken_ns(self._packed + each * np.arange(1, count + 1) - 1)
            live_ns = np.maximum(full_ns, self._cut_ns)
        if self._fetching is None:
            return self._send(each, live_ns, self._fates(live_ns))
        portions = self._fetching.until(now_ns, self._each(self._fetched()), self._held)
        fates = self._fates(np.append(live_ns, [portion.t_ns for portion in portions]))
        out = self._send(each, live_ns, fates[: len(live_ns)]) + self._backfill(portions, fates[len(live_ns) :])
        return sorted(out, key=_when)

    def _fates(self, due_ns: Ints) -> Fates:
        """How packets due at these times fare, in any order; of two at the same time, the first here is first."""
        order = np.argsort(due_ns, kind="stable")
        fates = np.empty(len(due_ns), dtype=object)
        fates[order] = self._transmitter.fates(due_ns[order] - self._story_ns, self._on_air(p.MOTION))
        return fates

    def _send(self, each: int, due_ns: Ints, fates: Fates) -> list[Outgoing]:
        """The next packets of `each` samples, one for each time; those that are lost are not in the list."""
        if self._run is None:
            return []
        run, first = self._run, self._packed
        self._packed += each * len(due_ns)
        self._transmitter.note(run, first, each, fates)
        if all(fate is Fate.LOST for fate in fates):
            return []  # none to build, perhaps none at all
        data = run.packets(self._body, first, len(due_ns), each, self._motor.shook_ns)
        sent = self._transmitter.on_air(data, fates, due_ns)
        return [Outgoing(t_ns, p.MOTION, packet) for t_ns, packet in sent]

    def _fetched(self) -> Run:
        assert self._latest is not None
        return self._latest

    def _backfill(self, portions: list[Portion], fates: Fates) -> list[Outgoing]:
        """Packets out of the buffer, and the answer behind the last of them."""
        run, out = self._fetched(), []
        for (t_ns, first, count), fate in zip(portions, fates.tolist(), strict=True):
            self._transmitter.note_backfilled(run, first, count, fate)
            (data,) = run.packets(self._body, first, 1, count, self._motor.shook_ns, backfilled=True)
            out += [Outgoing(t_ns, p.MOTION, sent) for sent in self._transmitter.as_sent(data, fate, t_ns)]
        return out + self._fetch_ended()

    def _fetch_ended(self, *, at_once: bool = False) -> list[Outgoing]:
        """The answer to a Fetch that has come to its end, or does so now."""
        fetching = self._fetching
        if fetching is None or (fetching.done_ns is None and not at_once):
            return []
        self._fetching = None
        return self._indicate(fetching.answer(), fetching.done_ns)

    def _finish(self) -> list[Outgoing]:
        """End the run; the samples in hand go out first, as a smaller packet."""
        if self._run is None:
            return []
        rest = self.ledger.taken[self._run.number] - self._packed
        now_ns = np.full(min(rest, 1), self._now_ns, dtype=np.int64)
        out = self._send(rest, now_ns, self._fates(now_ns))
        self._run = None
        return out

    # Answers.

    def _obey(self, command: p.Command, opcode: int) -> list[Outgoing]:
        match command:
            case p.Start():
                return self._start(command)
            case p.Stop():
                return self._stop()
            case p.Time():
                return self._indicate(self._time())
            case p.Vibrate():
                return self._indicate(p.Done(opcode, self._motor.play(command.pattern, self._now_ns)))
            case p.Identify():
                return self._indicate(p.Done(opcode, p.Result.OK))
            case p.Fetch():
                return self._fetch(command, opcode)

    def _start(self, command: p.Start) -> list[Outgoing]:
        if not self._offers(command):
            return self._indicate(self._started(p.Result.BAD_VALUE))
        out = self._finish() + self._fetch_ended(at_once=True)
        scale = Scale(command.rate_hz, command.acc_range_g, command.gyr_range_dps, p.Layout(command.layout))
        first_ns = self._now_ns + round(_S / scale.rate_hz)
        story_s = (first_ns - self._story_ns) / _S
        self._stream = (self._stream + 1) % 256
        self._run = self._latest = Run(self._runs, self._stream, scale, self._clock, first_ns, story_s)
        self._packed = 0
        self.ledger.taken[self._runs] = 0
        self._runs += 1
        return out + self._indicate(self._started(p.Result.OK)) + self._notify_status()

    def _stop(self) -> list[Outgoing]:
        result = p.Result.NOT_SAMPLING if self._run is None else p.Result.OK
        out = self._finish()
        return out + self._indicate(p.Stopped(result, self._stream, self._newest())) + self._notify_status()

    def _fetch(self, command: p.Fetch, opcode: int) -> list[Outgoing]:
        if not self._buffer_samples:
            return self._indicate(p.Unsupported(opcode))
        if command.count == 0:
            return self._indicate(fetch_done(command, p.Result.BAD_VALUE))
        if self._fetching is not None or not self._on_air(p.MOTION):
            return self._indicate(fetch_done(command, p.Result.BUSY))
        if self._latest is None or command.stream != self._latest.stream:
            return self._indicate(fetch_done(command))
        self._fetching = Fetching.of(command, self._held(self._now_ns), self._now_ns)
        return self._fetch_ended()

    def _info(self) -> p.Info:
        return info(self._identity, self._body.has_gyroscope, self._buffer_samples)

    def _offers(self, start: p.Start) -> bool:
        gyr_by_layout = {1: (0,), 2: self._info().gyr_ranges_dps}
        gyr_ranges = gyr_by_layout.get(start.layout, ())
        return start.rate_hz in p.RATES_HZ and start.acc_range_g in p.ACC_RANGES_G and start.gyr_range_dps in gyr_ranges

    def _in_force(self) -> dict[str, int]:
        scale = self._run.scale if self._run else Scale(0, 0, 0, p.Layout.NONE)
        return {
            "rate_hz": scale.rate_hz,
            "acc_range_g": scale.acc_range_g,
            "gyr_range_dps": scale.gyr_range_dps,
            "layout": scale.layout,
        }

    def _started(self, result: p.Result) -> p.Started:
        return p.Started(result, self._stream, self._clock.us(self._now_ns), **self._in_force())

    def _time(self) -> p.TimeAnswer:
        taken = (self._newest() + 1) % 2**32
        return p.TimeAnswer(p.Result.OK, self._stream, taken, self._clock.us(self._now_ns), **self._in_force())

    def _newest(self) -> int:
        """Number of the newest sample of the run that runs or ran last, as the protocol counts."""
        return ((self.ledger.taken[self._latest.number] if self._latest else 0) - 1) % 2**32

    def _indicate(self, answer: p.Answer, t_ns: int | None = None) -> list[Outgoing]:
        """An answer, at `t_ns` or now."""
        t_ns = self._now_ns if t_ns is None else t_ns
        return [Outgoing(t_ns, p.CONTROL, answer.to_bytes())] if self._on_air(p.CONTROL) else []

    def _notify_status(self) -> list[Outgoing]:
        """Status, to who has subscribed: now, or a second after the last one."""
        if not self._on_air(p.STATUS):
            return []
        if self._now_ns < (again_ns := self._status_told_ns + STATUS_APART_NS):
            self._status_due_ns = min(self._status_due_ns, again_ns)
            return []
        self._status_told_ns = self._now_ns
        return [Outgoing(self._now_ns, p.STATUS, self._status(self._now_ns).to_bytes())]

    def _status(self, now_ns: int) -> p.Status:
        buffer = p.StatusFlag.HAS_BUFFER if self._buffer_samples else 0
        dropped = self.ledger.samples(Fate.LOST, run=self._latest.number) if self._latest else 0
        return p.Status(
            stream=self._stream,
            flags=p.StatusFlag.WORN | buffer | (p.StatusFlag.SAMPLING if self._run else 0),
            newest=self._newest(),
            oldest=self._held(now_ns).start % 2**32,
            dropped=dropped % 2**32,
            uptime_s=self._clock.us(now_ns) // 1_000_000,
            battery_pct=battery_pct(now_ns),
            temp_c=TEMPERATURE_C,
        )


def _when(outgoing: Outgoing) -> int:
    return outgoing.t_ns
