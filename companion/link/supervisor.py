"""Keeps one sensor connected: scan, connect, start, watch; and again after a loss, for as long as it takes.

Knows: when to try again, and what to tell a screen. Must never know: what the bytes mean, where frames go.

After a loss it scans without a pause, window by window, because finding the sensor within seconds of its
return is worth more than the radio's power; the back-off to a minute is for what fails *although* the sensor is
there. Where this computer's own Bluetooth is in the way it looks again every few seconds, and at once where the system
says that it is back. What is seen of each fault, and what is done, stands in docs/architecture.md.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from companion.errors import (
    BluetoothBusy,
    BluetoothOff,
    ConnectionLost,
    DeviceNotFound,
    KeysRefused,
    LinkError,
    PermissionMissing,
)
from companion.host import boot_ns
from companion.link.backfill import keep_filling
from companion.link.bluez_watch import watch_bluez
from companion.link.bonds import keys_refused
from companion.link.client import CLOSE_TIMEOUT_S, SensorLink
from companion.link.conditions import Conditions, Watch
from companion.link.errors import unusable
from companion.link.liveness import Liveness
from companion.link.partings import Partings
from companion.link.radio import Radio
from companion.link.reasons import Reasons
from companion.link.scan import Found, find
from companion.link.status import (
    NO_ANSWER,
    NO_DATA,
    SILENT,
    LinkState,
    LinkStatus,
    Reporter,
    cause_of,
)
from companion.link.waiting import Backoff, end_task, until_stopped
from companion.link.wakefulness import Wakefulness
from firmware_protocol import Driver, Frame, LinkDown, LinkUp, Reading, ScriptRefused
from firmware_protocol.frames import ASLEEP

FIRST_TIMEOUT_S = 30.0
SCAN_WINDOW_S = 30.0  # a new scan now and then: some systems go deaf in a long one, and bleak remembers what it sees
STEADY_S = 10.0  # a link that lived this long starts the back-off anew
STOP_TIMEOUT_S = 3.0
PARTING_S = CLOSE_TIMEOUT_S  # an end that is still under way would end the next link too
END_S = 4.0  # whoever wants an end does not wait for longer; BlueZ takes 2 to 3 s to disconnect
ASK_TWICE_S = 0.5
QUIET_S = 5.0  # or three of the driver's longest intervals: then it is said that no data come
SILENCE_S = 15.0  # or five: then the link is made anew
LOOK_S = 1.0
SAY_WHY_S = 4.0
KEYS_S = 15.0  # the longest until it is seen that lost keys have been mended meanwhile
AGAIN_S = 5.0  # the longest between two looks whether this computer's Bluetooth works again
BATTERY_EVERY_S = 600.0

log = logging.getLogger(__name__)


class Supervisor:
    """Connects to one sensor and stays with it.

    driver: what to speak. emit: gets LinkUp, Reading, Written, Notification, LinkDown frames in order.
    clock: the host's boot-time clock in nanoseconds. address: only this sensor; None: the nearest that the
    driver knows, and after the first connection only that one. verify: may look at each Reading of the start
    script, and raise ScriptRefused for a sensor that is not the one meant. silence_s: how long a connected
    sensor may send no samples. on_status: called in the radio's thread whenever the status changes. watch: tells
    what the system says of its Bluetooth; None: BlueZ's, for the system's own radio. sleep, backoff, waits (the clock
    of `Wakefulness`), battery_every_s: for tests.
    """

    def __init__(
        self,
        driver: Driver,
        radio: Radio,
        emit: Callable[[Frame], None],
        clock: Callable[[], int] = boot_ns,
        *,
        rate_hz: float | None = None,
        address: str | None = None,
        verify: Callable[[Reading], None] | None = None,
        pair: bool = True,
        silence_s: float | None = None,
        first_timeout_s: float = FIRST_TIMEOUT_S,
        scan_window_s: float = SCAN_WINDOW_S,
        on_status: Callable[[LinkStatus], None] | None = None,
        watch: Watch | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
        waits: Callable[[], int] = time.monotonic_ns,
        battery_every_s: float = BATTERY_EVERY_S,
    ) -> None:
        self._driver = driver
        self._radio = radio
        self._emit_frame = emit
        self._clock = clock
        self._rate_hz = rate_hz
        self._address = address
        self._verify = verify
        self._pair = pair
        self._silence_s = max(SILENCE_S, 5 * driver.longest_interval_s) if silence_s is None else silence_s
        self._quiet_s = max(QUIET_S, 3 * driver.longest_interval_s)
        self._first_timeout_s = first_timeout_s
        self._scan_window_s = scan_window_s
        self._backoff = backoff or Backoff()
        self._looks = Backoff(longest_s=AGAIN_S)
        self._sleep = sleep
        self._battery_every_s = battery_every_s
        self._reporter = Reporter(clock, on_status)
        self._report = self._reporter.report
        self._conditions = Conditions(self._conditions_changed)
        self._reasons = Reasons(self._conditions)
        self._watch_system = watch or (watch_bluez if radio.is_system else None)
        self._wakefulness = Wakefulness(clock, waits)
        self._partings = Partings()
        self._link: SensorLink | None = None
        self._up = False  # LinkUp has been told, and no LinkDown since
        self._errands: tuple[asyncio.Task[None], ...] = ()
        self._backfill = driver.new_backfill() if driver.new_backfill is not None else None
        self._liveness = Liveness(driver.new_decoder, clock())

    @property
    def status(self) -> LinkStatus:
        """The present picture; a value, safe to read from any thread."""
        return self._reporter.status

    async def run(self, stop: asyncio.Event) -> None:
        """Stay with the sensor until `stop` is set; then stop it in an orderly way and disconnect.

        Only the first connection can fail: DeviceNotFound after `first_timeout_s`, any other LinkError or
        ScriptRefused at once (a lost connection is tried again until then). An orderly end is no LinkDown.
        """
        besides = [asyncio.create_task(self._look_now_and_then())]
        if self._watch_system is not None:
            besides.append(asyncio.create_task(self._watch_system(self._conditions)))
        try:
            await until_stopped(self._keep(), stop, self._end)
        finally:
            await asyncio.gather(*map(end_task, besides))

    def look(self) -> None:
        """See whether this computer slept, and if so, let go of what was before; called every second, and by whoever
        is about to tell the session how late it is: it has to hear why first."""
        if self._wakefulness.slept():
            self._fall(ASLEEP)
            if self._link is not None:
                self._link.declare_lost()
            self._conditions.nudge()

    async def _look_now_and_then(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    async def _keep(self) -> None:
        await self._connect_first()
        while True:
            self._fall(await self._until_lost())
            await self._let_go()
            await self._connect_again()

    async def _connect_first(self) -> None:
        """Raises LinkError or ScriptRefused."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._first_timeout_s
        while True:
            try:
                return await self._attempt(max(0.1, deadline - loop.time()))
            except _Disturbed:
                continue
            except (ConnectionLost, BluetoothBusy) as error:
                pause_s = self._backoff.next_s()
                if loop.time() + pause_s >= deadline:
                    raise
                self._report(self._reporter.looking, cause=cause_of(error))
                log.debug("first connection: %s", error)
            await self._sleep(pause_s)

    async def _connect_again(self) -> None:
        while True:
            backoff, change = self._backoff, self._conditions.next_change
            try:
                return await self._attempt(self._scan_window_s)
            except (_NotSeen, _Disturbed):
                self._looks.reset()
                continue  # the window was the pause, or there is a reason to look again
            except (BluetoothOff, BluetoothBusy, PermissionMissing) as error:
                if change.is_set():  # by now it is otherwise
                    continue
                backoff = self._looks
                self._failed(error)
            except KeysRefused as error:  # nothing that Bluetooth does mends this, and trying may be what ends it
                self._failed(error)
                await self._sleep(min(self._backoff.next_s(), KEYS_S))
                continue
            except (LinkError, ScriptRefused) as error:
                self._failed(error)
            await self._conditions.unless_changed(self._sleep(backoff.next_s()), change)

    def _failed(self, error: LinkError | ScriptRefused) -> None:
        log.debug("reconnecting: %s", error)
        self._reasons.failed(error)
        self._report(self._reporter.looking, cause=self._reasons.in_the_way)

    async def _attempt(self, timeout_s: float) -> None:
        """Find the sensor, connect, start it. Raises LinkError (_NotSeen: not found), ScriptRefused."""
        self._report(self._reporter.looking, attempt=self.status.attempt + 1)
        found = await self._conditions.unless_changed(self._find(timeout_s))
        if found is None:
            raise unusable(self._conditions.trouble) if self._conditions.trouble else _Disturbed("")
        self._report(LinkState.CONNECTING, address=found.address, name=found.name, rssi=found.rssi)
        await self._start(found)
        self._address = found.address
        self._looks.reset()
        self._report(LinkState.STREAMING, attempt=0, cause="", lost_since_ns=None)
        assert self._link is not None
        self._run_errands(self._link)

    async def _find(self, timeout_s: float) -> Found:
        try:
            return await find(
                self._radio,
                driver=self._driver,
                address=self._address,
                timeout_s=timeout_s,
                clock=self._clock,
            )
        except DeviceNotFound as error:
            raise _NotSeen(str(error), error.hint) from error

    async def _start(self, found: Found) -> None:
        assert found.device is not None
        self._liveness = Liveness(self._driver.new_decoder, self._clock())
        link = self._link = SensorLink(found.device, self._radio, self._emit, self._clock)
        late = asyncio.get_running_loop().call_later(SAY_WHY_S, self._say_why)
        try:
            await link.open(self._driver, pair=self._pair)
            self._emit(LinkUp(t_host_ns=self._clock(), address=link.address, mtu=link.mtu))
            self._up = True
            self._report(LinkState.STARTING)
            await link.run(self._driver.start(self._rate_hz))
        except (LinkError, ScriptRefused) as error:
            if link.was_written_to:  # it may have been told to start: some go on until their battery is empty
                await self._quieten(link)
            loss = await self._why_lost()
            of_keys = self._reasons.are_keys(link)
            self._fall(loss if link.is_lost else cause_of(error))
            await self._let_go()
            if of_keys:
                raise keys_refused() from error
            raise
        finally:
            late.cancel()

    def _say_why(self) -> None:
        """An attempt takes its time; whoever waits does not have to wait for its end to hear of it."""
        if not self.status.cause:
            self._report(cause=NO_ANSWER)

    async def _until_lost(self) -> str:
        """Wait until the link goes, or is up but silent; the cause, in words."""
        assert self._link is not None
        asked_twice = False
        while True:
            silent_s = (self._clock() - self._liveness.last_sample_ns()) / 1e9
            self._mention(NO_DATA if silent_s >= self._quiet_s else "")
            left_s = self._silence_s - silent_s
            if left_s <= 0 and asked_twice:
                return SILENT
            asked_twice = left_s <= 0  # it may be this program that slept: what waits gets a moment to come in
            wait_s = ASK_TWICE_S if asked_twice else min(left_s, max(self._quiet_s - silent_s, LOOK_S))
            if await self._link.wait_lost(wait_s):
                return await self._why_lost()

    async def _why_lost(self) -> str:
        self.look()  # a link that did not outlive a sleep is not told as a lost one
        return await self._reasons.of_loss()

    def _mention(self, cause: str) -> None:
        if cause != self.status.cause:
            self._report(cause=cause)

    async def _ask_battery(self, link: SensorLink) -> None:
        """Ask for the battery's level, now and every ten minutes; data arrive meanwhile, and no answer is no matter."""
        while (ask := self._driver.ask_battery) is not None:
            try:
                await link.run(ask())
            except (LinkError, ScriptRefused) as error:
                log.debug("asking for the battery: %s", error)
            await asyncio.sleep(self._battery_every_s)

    def _run_errands(self, link: SensorLink) -> None:
        """What is asked of the sensor besides, while it streams."""
        errands = [self._ask_battery(link)]
        if self._backfill is not None:
            errands.append(keep_filling(link, self._backfill))
        self._errands = tuple(asyncio.create_task(errand) for errand in errands)

    async def _end_errands(self) -> None:
        errands, self._errands = self._errands, ()
        for errand in errands:
            await end_task(errand)

    async def _quieten(self, link: SensorLink) -> None:
        """Tell a sensor to stop, if it still hears."""
        if link.is_lost:
            return
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await link.run(self._driver.stop())
        except (LinkError, ScriptRefused, TimeoutError) as error:
            log.debug("stopping: %s", error)

    def _conditions_changed(self, trouble: str) -> None:
        """The system says that its Bluetooth cannot be used, or ("") can be again."""
        if trouble and self._link is not None:
            self._link.declare_lost()
        if self.status.state is LinkState.LOST:
            self._mention(self._reasons.in_the_way)

    def _fall(self, cause: str) -> None:
        """The link is no more, and that is told at once; the first cause counts."""
        if not self._up or self._link is None:
            return
        self._up = False
        self._link.silence()
        self._link.declare_lost()
        now_ns = self._clock()
        if self.status.state is LinkState.STREAMING and now_ns - self.status.since_ns >= STEADY_S * 1e9:
            self._backoff.reset()
        self._reasons.went(cause)
        self._emit(LinkDown(t_host_ns=now_ns, cause=cause))
        if self.status.lost_since_ns is None:
            self._report(LinkState.LOST, cause=cause, lost_since_ns=now_ns)

    async def _let_go(self) -> None:
        """Disconnect; where that takes long, it goes on beside."""
        link, self._link = self._link, None
        assert link is not None
        link.silence()
        await self._end_errands()
        parting = self._partings.close(link, 0.0 if self._conditions.trouble else PARTING_S)
        await self._conditions.unless_changed(parting)

    async def _end(self) -> None:
        """Stop the sensor if it streams, or was about to, and disconnect whatever there is."""
        await self._end_errands()
        link, self._link = self._link, None
        if link is not None:
            if self.status.state is LinkState.STREAMING or link.was_written_to:
                await self._quieten(link)
            await self._partings.close(link, END_S)
        await self._partings.finish(0.0)
        self._report(LinkState.STOPPED)

    def _emit(self, frame: Frame) -> None:
        if self._verify is not None and isinstance(frame, Reading):
            self._verify(frame)  # before it is a frame: nothing of an impostor is recorded
        self._liveness.take(frame)
        if self._backfill is not None:
            self._backfill.feed((frame,))
        self._emit_frame(frame)


class _NotSeen(DeviceNotFound):
    """The scan ended without the sensor; unlike other failures, this one took its time."""


class _Disturbed(LinkError):
    """Things changed during the search: it begins anew, at once."""
