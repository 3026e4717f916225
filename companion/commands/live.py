"""One live session in a thread of its own: link, sequencer, recorder, session, guided calibration.

Knows: how the parts hang together. Must never know: how anything is shown; a listener is told, in this thread.
The main thread belongs to the screen or to the lines: whatever blocks there, this thread goes on.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from companion import host
from companion.commands.air import Act, Air, on_air
from companion.commands.conductor import Asked, Conductor
from companion.commands.pinned import AnotherSensor
from companion.commands.places import next_name
from companion.commands.room import Room
from companion.errors import UsageError
from companion.session import Report, Session
from firmware_protocol.drivers import Driver
from firmware_protocol.frames import (
    Advertisement,
    ClockPair,
    Closed,
    Frame,
    Notification,
    Opened,
    RecorderTrouble,
    Tick,
    UserMark,
)
from firmware_protocol.scripts import ScriptRefused

if TYPE_CHECKING:
    from companion.link.listener import Listener as Ear
    from companion.link.status import LinkStatus
    from companion.link.supervisor import Supervisor
    from companion.posture.calibration import Calibration
    from companion.posture.guide import Prompt
    from companion.recording import RecordingWriter
    from firmware_protocol.frames import Reading

FLUSH_AFTER_S = 0.04
"""So long frames are gathered before the session sees them: what one packet brings is worked on once."""

TICK_WAITS_S = 0.26
"""Longer than a quarter of a second, which is the longest that a packet of the usual sensors takes to fill."""

_S = 1_000_000_000
CLOCK_PAIR_EVERY_NS = 60 * _S
_ROOM_EVERY_S = 60.0
_BRISK_NS = _S // 5
_STORY_LOOK_S = 0.1


class Listener(Protocol):
    """Told what happens, in the session's thread; must not block."""

    def began(self, header: Opened, file: Path | None) -> None:
        """The session is open."""
        ...

    def report(self, report: Report) -> None:
        """Frames completed rows, events."""
        ...

    def link(self, status: "LinkStatus") -> None:
        """The link changed."""
        ...

    def prompt(self, prompt: "Prompt", refusal: str) -> None:
        """The guided calibration went on; `refusal` says why it ended without a baseline."""
        ...

    def calibrated(self, calibration: "Calibration | None") -> None:
        """This baseline is in force from now on."""
        ...

    def ended(self) -> None:
        """Nothing more comes."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a live session is to be."""

    header: Callable[[], Opened]  # made when the session opens
    driver: Driver
    file: Path | None  # None: not recorded
    asked: Asked  # of the guided calibration
    act: Act | None = None  # a simulated sensor
    address: str | None = None
    key: bytes = field(default=b"", repr=False)  # of a sensor whose advertisements are encrypted
    verify: "Callable[[Reading], None] | None" = None
    duration_s: float | None = None
    guided: bool = False  # begin with the guided calibration
    until_guided: bool = False  # end with it
    keep_calibration: Callable[[str], None] | None = field(default=None)
    keep_learned: "Callable[[Calibration], None] | None" = field(default=None)  # what a session finds beside it


class Live:
    """A session that runs in its own thread from `start` to `join`."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self._plan = plan
        self._file = plan.file
        self._listener = listener
        self._thread = threading.Thread(target=self._main, name="radio", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._failure: Exception | None = None
        self._keeping: set[asyncio.Future[None]] = set()
        self._conductor: Conductor | None = None
        self._pending: list[Frame] = []
        self._flush_due: asyncio.TimerHandle | None = None
        self._connected = False
        self._heard_ns = 0
        self.summary: dict[str, Any] | None = None
        """The columns of `sessions`, once the session has ended."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Ask for an orderly end; from any thread, any number of times."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended already
                self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        """Wait for the end; raises what ended the session other than in order."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def say(self, kind: str, value: str = "") -> None:
        """A key: "quit", "calibrate", or a mark that goes into the recording; from any thread."""
        if kind == "quit":
            self.stop()
        elif self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._said, kind, value)

    # In the session's thread.

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # carried over to the main thread, whatever it is
            self._error = error
        finally:
            self._ready.set()
            self._listener.ended()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        async with on_air(self._plan.act) as air, self._recorded():
            await self._stay_connected(air)

    @asynccontextmanager
    async def _recorded(self) -> AsyncIterator[None]:
        """The session from `Opened` to `Closed`; a recording without any connection is not kept."""
        from companion.link.sequencer import Sequencer

        header = self._plan.header()
        self._writer = await asyncio.to_thread(self._create)
        self._session = Session(header, keep_angles=True)
        self._sequencer = Sequencer(host.boot_ns, self._take, self._arrived)
        if self._plan.guided:
            self._conductor = Conductor(header, self._plan.asked)
        self._header = header
        self._sequencer.put(header)
        self._listener.began(header, self._file)
        self._calibration = self._session.calibration
        self._listener.calibrated(self._calibration)
        try:
            yield
        finally:
            await self._close()

    def _create(self) -> "RecordingWriter | None":
        """The recorder, on a file of its own also where another monitor has just taken the name."""
        from companion.recording import NameTaken, RecordingWriter

        while self._file is not None:
            try:
                return RecordingWriter.create(self._file, on_trouble=self._trouble)
            except NameTaken:
                self._file = next_name(self._file)
        return None

    def _take(self, number: int, frame: Frame) -> bool:
        return self._writer is None or self._writer.put(number, frame)

    def _trouble(self, reason: str) -> None:
        """Called by the recorder's thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._put_trouble, reason)

    def _put_trouble(self, reason: str) -> None:
        self._sequencer.put(RecorderTrouble(t_host_ns=host.boot_ns(), reason=reason))

    async def _close(self) -> None:
        """End the recording in any case, the session where it still can."""
        closed = self._sequencer.close("ended")
        if self._failure is None:
            self._finish(closed)
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close, closed)
            if not self._connected and self._file is not None:
                self._file.unlink(missing_ok=True)
        await asyncio.gather(*self._keeping)
        if self._failure is not None:
            raise self._failure

    def _finish(self, closed: Closed) -> None:
        self._flush()
        if not self._connected:
            return  # there was no session: nothing is kept, there are no figures, and no step was refused
        if self._conductor is not None:
            self._conductor.finish(closed.t_host_ns)
            self._listener.prompt(self._conductor.prompt, self._conductor.refusal)
        last = self._session.close()
        if self._session.learned is not None and self._plan.keep_learned is not None:
            self._keep(self._plan.keep_learned, self._session.learned)
        self.summary = last.summary
        self._listener.report(last)

    async def _stay_connected(self, air: Air) -> None:
        assert self._stop is not None
        link = self._link(air)
        watches = (self._tick(link), self._watch_the_clock(air), self._watch_the_room())
        besides = [asyncio.create_task(each) for each in watches]
        try:
            await link.run(self._stop)
        except ScriptRefused as error:
            hint = error.hint if isinstance(error, AnotherSensor) else "Another sensor, or another driver, may do."
            raise UsageError(str(error), hint) from error
        finally:
            for task in besides:
                task.cancel()
            await asyncio.gather(*besides, return_exceptions=True)

    def _link(self, air: Air) -> "Supervisor | Ear":
        """What stays with the sensor: connected to it, or listening to what it advertises."""
        plan, put = self._plan, self._sequencer.put
        if plan.driver.broadcasts:
            from companion.link.listener import Listener as Ear

            return Ear(
                plan.driver, air.radio, put, host.boot_ns, address=plan.address, key=plan.key, on_status=self._status
            )
        from companion.link.supervisor import Supervisor

        return Supervisor(
            plan.driver,
            air.radio,
            put,
            host.boot_ns,
            rate_hz=self._header.rate_hz,
            address=plan.address,
            verify=plan.verify,
            on_status=self._status,
        )

    async def _tick(self, link: "Supervisor | Ear") -> None:
        """The host's clock, once a second; now and then with the wall clock beside it.

        More often while a silence is young, so that missing data are told when they are due, not at the next second.
        """
        paired_ns = 0
        while True:
            now_ns = host.boot_ns()
            if now_ns - paired_ns >= CLOCK_PAIR_EVERY_NS:
                paired_ns = now_ns
                self._sequencer.put(ClockPair(t_host_ns=now_ns, utc_ns=host.utc_ns()))
            step_ns = _BRISK_NS if _S <= now_ns - self._heard_ns < 10 * _S else _S
            await asyncio.sleep((step_ns - now_ns % step_ns) / _S)
            link.look()  # if this computer slept, that is told before how late it is
            self._sequencer.put(Tick(t_host_ns=host.boot_ns()))

    async def _watch_the_room(self) -> None:
        """Say when the disk has little room left; the recorder goes on for as long as there is any."""
        if self._file is None:
            return
        room = Room(self._file.parent)
        while True:
            if reason := await asyncio.to_thread(room.trouble):
                self._put_trouble(reason)
            await asyncio.sleep(_ROOM_EVERY_S)

    async def _watch_the_clock(self, air: Air) -> None:
        """The end of the story, or of the time that was asked for."""
        assert self._stop is not None
        until_s = self._plan.duration_s
        if air.story_s is None:
            if until_s is not None:
                await asyncio.sleep(until_s)
                self._stop.set()
            return
        act = self._plan.act
        assert act is not None
        until_s = act.body.duration_s if until_s is None else until_s
        while (left_s := until_s - air.story_s()) > 0:
            await asyncio.sleep(max(left_s, _STORY_LOOK_S))
        self._stop.set()

    def _status(self, status: "LinkStatus") -> None:
        from companion.link.status import LinkState

        self._connected = self._connected or status.state is LinkState.STREAMING
        self._listener.link(status)

    def _arrived(self, frame: Frame) -> None:
        """A frame has its number; what arrives within a moment is worked on together."""
        self._pending.append(frame)
        if isinstance(frame, Notification | Advertisement):
            self._heard_ns = frame.t_host_ns
        loop = asyncio.get_running_loop()
        if isinstance(frame, Tick):  # says nothing by itself while packets come: it goes with the next one
            self._flush_due = self._flush_due or loop.call_later(TICK_WAITS_S, self._flush_when_due)
        elif self._flush_due is None or self._flush_due.when() > loop.time() + FLUSH_AFTER_S:
            if self._flush_due is not None:
                self._flush_due.cancel()
            self._flush_due = loop.call_later(FLUSH_AFTER_S, self._flush_when_due)

    def _flush_when_due(self) -> None:
        """A session that cannot go on must not look as if it did."""
        try:
            self._flush()
        except Exception as error:  # whatever it is, it is told at the end, which is now
            self._failure = error
            assert self._stop is not None
            self._stop.set()

    def _flush(self) -> None:
        frames, self._pending = self._pending, []
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        report = self._session.feed(frames)
        if self._session.calibration is not self._calibration:
            self._calibration = self._session.calibration
            self._listener.calibrated(self._calibration)
        self._listener.report(report)
        if self._conductor is not None:
            self._conduct(self._conductor, report)

    def _conduct(self, conductor: Conductor, report: Report) -> None:
        before = conductor.prompt
        placed = conductor.watch(report.angles, host.boot_ns())
        if conductor.prompt != before:
            self._listener.prompt(conductor.prompt, conductor.refusal)
        if placed is not None:
            self._sequencer.put(placed)
            if self._plan.keep_calibration is not None:
                self._keep(self._plan.keep_calibration, placed.calibration_json)
        if conductor.over:
            self._conductor = None
            if self._plan.until_guided and self._stop is not None:
                self._stop.set()

    def _keep(self, keep: Callable[[Any], None], what: object) -> None:
        """Remember something for later sessions, without waiting for the disk."""
        self._keeping.add(asyncio.ensure_future(asyncio.to_thread(keep, what)))

    def _said(self, kind: str, value: str) -> None:
        if kind == "calibrate":
            wanted = replace(self._plan.asked.wanted, stored=self._session.calibration)
            self._conductor = Conductor(self._header, replace(self._plan.asked, wanted=wanted))
            self._listener.prompt(self._conductor.prompt, "")
        else:
            self._sequencer.put(UserMark(t_host_ns=host.boot_ns(), kind=kind, value=value))
