"""A whole simulated session as the frames that a host would have recorded, with no radio and no waiting.

The same model of the sensor and the same driver scripts as over a radio; only the link between them is a delay of
a few milliseconds. Pure: the same arguments give the same frames.
Must never know: recordings, the pipeline, real clocks.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator

import numpy as np

from companion.errors import UsageError
from companion.simulator.body import Body
from companion.simulator.faults import Faults
from companion.simulator.makers import sensor_of
from companion.simulator.served import USUAL_MTU, Outgoing, Property
from firmware_protocol.drivers import driver
from firmware_protocol.frames import (
    Advertisement,
    ClockPair,
    Frame,
    LinkDown,
    LinkUp,
    Notification,
    Opened,
    Reading,
    Tick,
    Written,
)
from firmware_protocol.scripts import Await, GattStep, Read, Script, ScriptRefused, Subscribe, Write

ADDRESS = "F4:12:3D:5A:70:00"  # static random: its two highest bits are set
RSSI_DBM = -50

_MS = 1_000_000
_S = 1000 * _MS
_CONNECT_NS = 120 * _MS  # from the first advertisement that is heard to a link with known services
_RETURN_NS = 900 * _MS  # from the moment a lost sensor can be reached to the next try
_NOTICE_NS = 120 * _MS  # from the loss of the link to the host's knowing
_HALF_STEP_NS = 7 * _MS  # a request, or its answer, on its way
_LEAST_DELAY_NS, _MOST_DELAY_NS = 2 * _MS, 9 * _MS  # of a notification
_INDICATION_NS = 15 * _MS  # more for an indication, which waits for the next connection event
_STRIDE_NS = 10 * _S  # while nothing but motion comes
_ASK_EVERY_NS = _S  # for what is missing, where the sensor may have a buffer

_UNHEARD = 0.15  # share of advertisements that a scan misses

_CLOCK_PAIR_EVERY_S = 60
_CAUSE = "link lost"
_INBOX = 256  # notifications kept for a script that awaits one of them

_Stream = Generator[Frame, None, None]


class _LinkLostError(Exception):
    """The link went while a script ran."""


class _NoAnswerError(_LinkLostError):
    """What a script awaited did not come in time, or not before the session ended."""


def frames(
    body: Body,
    *,
    header: Opened,
    faults: Faults | None = None,
    duration_s: float | None = None,
    rate_hz: float | None = 50.0,
    seed: int = 0,
) -> Iterator[Frame]:
    """All frames of a session with this body, from the header to the last one before `Closed`.

    The sensor is one of the header's driver. `duration_s` None: as long as the story. Raises UsageError for a rate that
    the sensor does not offer, and for a driver whose sensors are not simulated.
    """
    return Host(body, header=header, faults=faults, duration_s=duration_s, rate_hz=rate_hz, seed=seed).frames()


class Host:
    """A host and its link to one simulated sensor, which keeps the ledger of what was taken and sent."""

    def __init__(
        self,
        body: Body,
        *,
        header: Opened,
        faults: Faults | None = None,
        duration_s: float | None = None,
        rate_hz: float | None = 50.0,
        seed: int = 0,
    ) -> None:
        self._header, self._rate_hz = header, rate_hz
        self._faults = faults or Faults()
        self.firmware = sensor_of(header.driver, body, faults=self._faults, seed=seed)
        self._driver = driver(header.driver)
        self._backfill = self._driver.new_backfill() if self._driver.new_backfill else None
        served = self.firmware.served
        self._names = {each.name for each in served}
        self._indicated = {each.name for each in served if Property.INDICATE in each.properties}
        self._end_ns = round((body.duration_s if duration_s is None else duration_s) * _S)
        self._chance = np.random.default_rng([seed % 2**64, 0x6C696E6B])
        self._now_ns = 0  # since the session began, as the story counts
        self._in_flight: deque[Outgoing] = deque()  # with the time of arrival in place of that of sending
        self._inbox: deque[Notification] = deque(maxlen=_INBOX)  # what came since the last write

    def frames(self) -> _Stream:
        """The frames in order; once only."""
        yield self._header
        yield from self._with_ticks(self._session())

    def _with_ticks(self, frames: _Stream) -> _Stream:
        """The same frames with the host's ticks and clock pairs between them, and a tick at the end."""
        second = 0
        for frame in frames:
            while self._host_ns(second * _S) <= frame.t_host_ns:
                yield from self._tick(second * _S)
                second += 1
            if self._backfill is not None:
                self._backfill.feed([frame])
            yield frame
        while second * _S <= self._end_ns:
            yield from self._tick(second * _S)
            second += 1
        if self._now_ns < self._end_ns and self._end_ns % _S:
            yield Tick(t_host_ns=self._host_ns(self._end_ns))

    def _tick(self, now_ns: int) -> _Stream:
        t_host_ns = self._host_ns(now_ns)
        if now_ns % (_CLOCK_PAIR_EVERY_S * _S) == 0:
            yield ClockPair(t_host_ns=t_host_ns, utc_ns=self._header.utc_ns + now_ns)
        if now_ns:
            yield Tick(t_host_ns=t_host_ns)

    def _host_ns(self, now_ns: int) -> int:
        return self._header.t_host_ns + now_ns

    def _session(self) -> _Stream:
        """Connect, stream, and again after each loss, until the end."""
        if self._driver.broadcasts:
            yield from self._overheard()
            return
        connect_ns = _CONNECT_NS
        while (connect_ns := self._reachable_ns(connect_ns)) < self._end_ns:
            self._now_ns = connect_ns
            try:
                yield from self._connected()
                return
            except _LinkLostError:
                yield from self._lose()
            except ScriptRefused as error:
                raise UsageError(str(error)) from error
            connect_ns = self._reachable_ns(self._now_ns) + _RETURN_NS + int(self._chance.integers(200 * _MS))
        self.firmware.advance(max(self._now_ns, self._end_ns))  # it samples on, and nobody hears of it

    def _connected(self) -> _Stream:
        self.firmware.connected(self._now_ns, USUAL_MTU)
        yield LinkUp(t_host_ns=self._host_ns(self._now_ns), address=ADDRESS, mtu=USUAL_MTU)
        yield from self._run(self._driver.start(self._rate_hz))
        stride_ns = _STRIDE_NS if self._backfill is None else _ASK_EVERY_NS
        while self._now_ns < self._end_ns:
            yield from self._pass(min(self._now_ns + stride_ns, self._end_ns))
            yield from self._fetch_missing()
        yield from self._run(self._driver.stop())
        self.firmware.disconnected(self._now_ns)

    def _fetch_missing(self) -> _Stream:
        """What the sensor's buffer still has of what did not come, while motion flows on."""
        while self._backfill is not None and (script := self._backfill.next()) is not None:
            try:
                yield from self._run(script, until_ns=self._end_ns)
            except _NoAnswerError:
                return

    def _overheard(self) -> _Stream:
        """A sensor that only advertises: most of what it says is heard, some of it is not."""
        yield LinkUp(t_host_ns=self._host_ns(_CONNECT_NS), address=ADDRESS)
        self._now_ns = _CONNECT_NS
        while self._now_ns < self._end_ns:
            self.firmware.advance(self._now_ns)
            if self.firmware.link_allowed(self._now_ns) and self._chance.random() >= _UNHEARD:
                seen = self.firmware.appearance
                yield Advertisement(
                    t_host_ns=self._host_ns(self._now_ns),
                    address=ADDRESS,
                    name=seen.name,
                    rssi=RSSI_DBM,
                    manufacturer_data=dict(seen.manufacturer),
                    service_data=dict(seen.service_data),
                    service_uuids=seen.services,
                )
            self._now_ns = min(self.firmware.next_due_ns(), self._end_ns)

    def _lose(self) -> _Stream:
        """The link is gone: what was on its way still comes, then the host notices."""
        self.firmware.disconnected(self._now_ns)
        yield from self._arrive(self._now_ns + _NOTICE_NS)
        self._now_ns += _NOTICE_NS
        self._inbox.clear()
        yield LinkDown(t_host_ns=self._host_ns(self._now_ns), cause=_CAUSE)

    def _reachable_ns(self, now_ns: int) -> int:
        """The first moment from `now_ns` on at which a link can exist."""
        while not self.firmware.link_allowed(now_ns):
            outages = self._faults.of_kind("link", "reboot")
            now_ns = max(fault.end_ns for fault in outages if fault.start_ns <= now_ns)
        return now_ns

    # Time on a link.

    def _pass(self, until_ns: int) -> _Stream:
        """Let time pass; what arrives meanwhile is told. Raises _LinkLostError where the link goes."""
        outages = self._faults.of_kind("link", "reboot")
        lost_ns = min((fault.start_ns for fault in outages if self._now_ns <= fault.start_ns), default=until_ns + 1)
        reached_ns = min(until_ns, lost_ns)
        self._depart(self.firmware.advance(reached_ns))
        self._now_ns = reached_ns
        if lost_ns <= until_ns:
            raise _LinkLostError
        yield from self._arrive(until_ns)

    def _depart(self, outgoing: list[Outgoing]) -> None:
        """Put what leaves the sensor on its way: a few milliseconds, never overtaking."""
        delays = self._chance.integers(_LEAST_DELAY_NS, _MOST_DELAY_NS, len(outgoing)).tolist()
        newest_ns = self._in_flight[-1].t_ns if self._in_flight else 0
        for out, delay_ns in zip(outgoing, delays, strict=True):
            extra_ns = _INDICATION_NS if out.characteristic in self._indicated else 0
            newest_ns = max(newest_ns, out.t_ns + delay_ns + extra_ns)
            self._in_flight.append(Outgoing(newest_ns, out.characteristic, out.data))

    def _arrive(self, until_ns: int) -> _Stream:
        while self._in_flight and self._in_flight[0].t_ns <= until_ns:
            out = self._in_flight.popleft()
            frame = Notification(t_host_ns=self._host_ns(out.t_ns), characteristic=out.characteristic, data=out.data)
            self._inbox.append(frame)
            yield frame

    # Scripts.

    def _run(self, script: Script, until_ns: int | None = None) -> _Stream:
        """Carry out a driver's script; what it awaits must come before `until_ns`."""
        try:
            step = next(script)
            while True:
                reply = yield from self._do(step, until_ns)
                step = script.send(reply)
        except StopIteration:
            return

    def _do(self, step: GattStep, until_ns: int | None) -> Generator[Frame, None, bytes]:
        match step:
            case Read():
                return (yield from self._read(step))
            case Write():
                yield from self._write(step)
            case Subscribe(characteristic, service):
                yield from self._pass(self._now_ns + _HALF_STEP_NS)
                self.firmware.subscribed(self._name(characteristic, service), True)
                yield from self._pass(self._now_ns + _HALF_STEP_NS)
            case Await():
                return (yield from self._await(step, until_ns))
        return b""

    def _name(self, characteristic: str, service: str) -> str:
        """What the sensor calls a characteristic: several services may have one of the same UUID."""
        apart = f"{service}/{characteristic}"
        return apart if apart in self._names else characteristic

    def _read(self, step: Read) -> Generator[Frame, None, bytes]:
        yield from self._pass(self._now_ns + _HALF_STEP_NS)
        try:
            data = self.firmware.read(self._name(step.characteristic, step.service), self._now_ns)
        except KeyError:
            if step.optional:
                return b""
            raise
        yield from self._pass(self._now_ns + _HALF_STEP_NS)
        yield Reading(t_host_ns=self._host_ns(self._now_ns), characteristic=step.characteristic, data=data)
        return data

    def _write(self, step: Write) -> _Stream:
        self._inbox.clear()
        yield from self._pass(self._now_ns + _HALF_STEP_NS)
        name = self._name(step.characteristic, step.service)
        self._depart(self.firmware.write(name, step.data, self._now_ns))
        yield from self._pass(self._now_ns + _HALF_STEP_NS)
        yield Written(t_host_ns=self._host_ns(self._now_ns), characteristic=step.characteristic, data=step.data)
        yield from self._pass(self._now_ns + round(step.settle_s * _S))

    def _await(self, step: Await, until_ns: int | None) -> Generator[Frame, None, bytes]:
        deadline_ns = self._now_ns + round(step.timeout_s * _S)
        deadline_ns = deadline_ns if until_ns is None else min(deadline_ns, until_ns)
        accept: Callable[[bytes], bool] = step.accept or (lambda _: True)
        while self._now_ns < deadline_ns:
            while self._inbox:
                frame = self._inbox.popleft()
                if frame.characteristic == step.characteristic and accept(frame.data):
                    return frame.data
            yield from self._pass(min(self._now_ns + _HALF_STEP_NS, deadline_ns))
        raise _NoAnswerError
