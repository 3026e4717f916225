"""The firmware of a posture_v1 sensor as a pure model: commands in, notification bytes out.

No radio and no clock: every call says what time it is. `now_ns` counts from power-on and never goes back;
the story of the body and of its faults counts from the same moment unless `begin_story` says otherwise.
Sampling, once started, goes on whether or not a host is connected; packets that are due while nobody
listens are lost. This sensor has no buffer, so Fetch is answered as unsupported. Must never know: bumble,
asyncio, hosts.
"""

import numpy as np

from companion.simulator.body import Body
from companion.simulator.equipment import TEMPERATURE_C, battery_pct, info
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate, Ledger
from companion.simulator.sampling import Clock, Ints, Run, Scale
from companion.simulator.served import USUAL_MTU, Appearance, Outgoing, Property, Served
from companion.simulator.transmitter import Transmitter
from firmware_protocol.errors import ProtocolError
from firmware_protocol.posture_v1 import packets as p

_S = 1_000_000_000
_FOREVER_NS = 2**62
STATUS_EVERY_NS = 10 * _S
USUAL_DRIFT_PPM = 12.0
USUAL_IDENTITY = bytes.fromhex("6f1d3c0a9be24758a1c47e05d9b28f36")
_MOTOR_NS = {0: 0, 1: _S // 10, 2: 4 * _S // 10, 3: 6 * _S // 10}  # by pattern: off, tick, double, long


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
    ) -> None:
        self.ledger = Ledger()
        self._body, self._seed, self._identity = body, seed, identity
        self._faults = faults or Faults()
        self._transmitter = Transmitter(self._faults, self.ledger, seed)
        self._subscribed: set[str] = set()
        self._connected = False
        self._mtu = USUAL_MTU
        self._cut_ns = 0  # since when packets are cut to this MTU
        self._now_ns = 0
        self._story_ns = 0  # when the story began
        self._runs = self._boots = 0
        self._reboots = list(self._faults.of_kind("reboot"))
        self._boot(0, drift_ppm)

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
        self.advance(now_ns)

    def subscribed(self, characteristic: str, on: bool) -> None:
        """The host switched notifications or indications of a characteristic on or off."""
        (self._subscribed.add if on else self._subscribed.discard)(characteristic)

    def read(self, characteristic: str, now_ns: int) -> bytes:
        """The value of INFO or STATUS; raises KeyError for another characteristic."""
        if characteristic == p.INFO:
            return info(self._identity, self._body.has_gyroscope).to_bytes()
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
        self._newest_run = -1  # number of the run that runs or ran last since boot
        self._packed = 0  # samples of the run that are in packets
        self._motor_ns = (0, 0)
        self._status_due_ns = now_ns + STATUS_EVERY_NS
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

    def _motion(self, now_ns: int) -> list[Outgoing]:
        """The packets that are full by `now_ns`."""
        self._now_ns = now_ns
        if self._run is None:
            return []
        each = self._each(self._run)
        count = (self._taken(self._run, now_ns) - self._packed) // each
        full_ns = self._run.taken_ns(self._packed + each * np.arange(1, count + 1) - 1)
        due_ns = np.maximum(full_ns, self._cut_ns)
        return self._send(self._run, each, due_ns)

    def _send(self, run: Run, each: int, due_ns: Ints) -> list[Outgoing]:
        """The next packets of `each` samples, one for each time; those that are lost are not in the list."""
        first = self._packed
        self._packed += each * len(due_ns)
        fates = self._transmitter.fates(due_ns - self._story_ns, self._on_air(p.MOTION))
        self._transmitter.note(run, first, each, fates)
        if all(fate is Fate.LOST for fate in fates):
            return []  # none to build, perhaps none at all
        data = run.packets(self._body, first, len(due_ns), each, self._motor_ns)
        sent = self._transmitter.on_air(data, fates, due_ns)
        return [Outgoing(t_ns, p.MOTION, packet) for t_ns, packet in sent]

    def _finish(self) -> list[Outgoing]:
        """End the run; the samples in hand go out first, as a smaller packet."""
        if self._run is None:
            return []
        rest = self.ledger.taken[self._run.number] - self._packed
        out = self._send(self._run, rest, np.array([self._now_ns])) if rest else []
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
                return self._indicate(p.Done(opcode, self._vibrate(command.pattern)))
            case p.Identify():
                return self._indicate(p.Done(opcode, p.Result.OK))
            case _:  # Fetch: there is no buffer
                return self._indicate(p.Unsupported(opcode))

    def _start(self, command: p.Start) -> list[Outgoing]:
        if not self._offers(command):
            return self._indicate(self._started(p.Result.BAD_VALUE))
        out = self._finish()
        scale = Scale(command.rate_hz, command.acc_range_g, command.gyr_range_dps, p.Layout(command.layout))
        first_ns = self._now_ns + round(_S / scale.rate_hz)
        story_s = (first_ns - self._story_ns) / _S
        self._stream = (self._stream + 1) % 256
        self._run = Run(self._runs, self._stream, scale, self._clock, first_ns, story_s)
        self._newest_run, self._packed = self._runs, 0
        self.ledger.taken[self._runs] = 0
        self._runs += 1
        return out + self._indicate(self._started(p.Result.OK)) + self._notify_status()

    def _stop(self) -> list[Outgoing]:
        result = p.Result.NOT_SAMPLING if self._run is None else p.Result.OK
        out = self._finish()
        return out + self._indicate(p.Stopped(result, self._stream, self._newest())) + self._notify_status()

    def _offers(self, start: p.Start) -> bool:
        gyr_by_layout = {1: (0,), 2: info(self._identity, self._body.has_gyroscope).gyr_ranges_dps}
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

    def _vibrate(self, pattern: int) -> p.Result:
        if pattern not in _MOTOR_NS:
            return p.Result.BAD_VALUE
        self._motor_ns = (self._now_ns, self._now_ns + _MOTOR_NS[pattern])
        return p.Result.OK

    def _newest(self) -> int:
        """Number of the newest sample of the run that runs or ran last, as the protocol counts."""
        return (self.ledger.taken.get(self._newest_run, 0) - 1) % 2**32

    def _indicate(self, answer: p.Answer) -> list[Outgoing]:
        on_air = self._on_air(p.CONTROL)
        return [Outgoing(self._now_ns, p.CONTROL, answer.to_bytes())] if on_air else []

    def _notify_status(self) -> list[Outgoing]:
        on_air = self._on_air(p.STATUS)
        return [Outgoing(self._now_ns, p.STATUS, self._status(self._now_ns).to_bytes())] if on_air else []

    def _status(self, now_ns: int) -> p.Status:
        newest = self._newest()
        return p.Status(
            stream=self._stream,
            flags=p.StatusFlag.WORN | (p.StatusFlag.SAMPLING if self._run else 0),
            newest=newest,
            oldest=(newest + 1) % 2**32,
            dropped=self.ledger.samples(Fate.LOST, run=self._newest_run) % 2**32,
            uptime_s=self._clock.us(now_ns) // 1_000_000,
            battery_pct=battery_pct(now_ns),
            temp_c=TEMPERATURE_C,
        )
