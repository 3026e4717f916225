"""Keeps one sensor connected: scan, connect, start, watch; and again after a loss, for as long as it takes.

Knows: when to try again, and what to tell a screen. Must never know: what the bytes mean, where frames go.

After a loss it scans without a pause, window by window, because finding the sensor within seconds of its
return is worth more than the radio's power; the back-off to a minute is for what fails *although* the sensor is
there. Where this computer's own Bluetooth is in the way it looks again every few seconds, and at once where the system
says that it is back. What is seen of each fault, and what is done, stands in docs/architecture.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from companion.errors import ConnectionLost, DeviceNotFound, LinkError
from companion.host import boot_ns
from companion.link.bluez_watch import watch_bluez
from companion.link.client import SensorLink
from companion.link.conditions import Conditions, Watch
from companion.link.errors import unusable
from companion.link.liveness import Liveness
from companion.link.partings import Partings
from companion.link.radio import Radio
from companion.link.scan import Found, find
from companion.link.status import (
    ASLEEP,
    LINK_LOST,
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

FIRST_TIMEOUT_S = 30.0
SCAN_WINDOW_S = 30.0  # a new scan now and then: some systems go deaf in a long one, and bleak remembers what it sees
STEADY_S = 10.0  # a link that lived this long starts the back-off anew
STOP_TIMEOUT_S = 5.0
ASK_TWICE_S = 0.5
SILENCE_S = 15.0  # or five of the driver's longest intervals
BATTERY_EVERY_S = 600.0

log = logging.getLogger(__name__)


class Supervisor:
    """Connects to one sensor and stays with it.

    driver: what to speak. emit: gets LinkUp, Reading, Written, Notification, LinkDown frames in order.
    clock: the host's boot-time clock in nanoseconds. address: only this sensor; None: the nearest that the
    driver knows, and after the first connection only that one. verify: may look at each Reading of the start
    script, and raise ScriptRefused for a sensor that is not the one meant. silence_s: how long a connected
    sensor may send no samples. on_status: called in the radio's thread whenever the status changes. sleep,
    backoff, battery_every_s: for tests.
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
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
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
        self._first_timeout_s = first_timeout_s
        self._scan_window_s = scan_window_s
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._battery_every_s = battery_every_s
        self._reporter = Reporter(clock, on_status)
        self._report = self._reporter.report
        self._link: SensorLink | None = None
        self._asking: asyncio.Task[None] | None = None
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
        await until_stopped(self._keep(), stop, self._end)

    async def _keep(self) -> None:
        await self._connect_first()
        while True:
            await self._drop(await self._watch())
            await self._connect_again()

    async def _connect_first(self) -> None:
        """Raises LinkError or ScriptRefused."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._first_timeout_s
        while True:
            try:
                return await self._attempt(max(0.1, deadline - loop.time()))
            except ConnectionLost as error:
                pause_s = self._backoff.next_s()
                if loop.time() + pause_s >= deadline:
                    raise
                self._report(self._reporter.looking, cause=cause_of(error))
                log.debug("first connection: %s", error)
            await self._sleep(pause_s)

    async def _connect_again(self) -> None:
        while True:
            try:
                return await self._attempt(self._scan_window_s)
            except _NotSeen:
                continue  # the window was the pause
            except (LinkError, ScriptRefused) as error:
                log.debug("reconnecting: %s", error)
                self._report(self._reporter.looking, cause=cause_of(error))
            await self._sleep(self._backoff.next_s())

    async def _attempt(self, timeout_s: float) -> None:
        """Find the sensor, connect, start it. Raises LinkError (_NotSeen: not found), ScriptRefused."""
        self._report(self._reporter.looking, attempt=self.status.attempt + 1)
        try:
            found = await find(
                self._radio,
                driver=self._driver,
                address=self._address,
                timeout_s=timeout_s,
                clock=self._clock,
            )
        except DeviceNotFound as error:
            raise _NotSeen(str(error), error.hint) from error
        self._report(LinkState.CONNECTING, address=found.address, name=found.name, rssi=found.rssi)
        await self._start(found)
        self._address = found.address
        self._report(LinkState.STREAMING, attempt=0, cause="", lost_since_ns=None)
        assert self._link is not None
        self._asking = asyncio.create_task(self._ask_battery(self._link))

    async def _start(self, found: Found) -> None:
        assert found.device is not None
        self._liveness = Liveness(self._driver.new_decoder, self._clock())
        link = self._link = SensorLink(found.device, self._radio, self._emit, self._clock)
        up = False
        try:
            await link.open(self._driver, pair=self._pair)
            self._emit(LinkUp(t_host_ns=self._clock(), address=link.address, mtu=link.mtu))
            up = True
            self._report(LinkState.STARTING)
            await link.run(self._driver.start(self._rate_hz))
        except (LinkError, ScriptRefused) as error:
            cause = LINK_LOST if link.is_lost else cause_of(error)
            if link.was_written_to:  # it may have been told to start: some go on until their battery is empty
                await self._quieten(link)
            await self._drop(cause, up=up)
            raise

    async def _watch(self) -> str:
        """Wait until the link goes, or is up but silent; the cause, in words."""
        assert self._link is not None
        asked_twice = False
        while True:
            left_s = self._silence_s - (self._clock() - self._liveness.last_sample_ns()) / 1e9
            if left_s <= 0 and asked_twice:
                return SILENT
            asked_twice = left_s <= 0  # it may be this program that slept: what waits gets a moment to come in
            if await self._link.wait_lost(ASK_TWICE_S if asked_twice else left_s):
                return LINK_LOST

    async def _ask_battery(self, link: SensorLink) -> None:
        """Ask for the battery's level, now and every ten minutes; data arrive meanwhile, and no answer is no matter."""
        while (ask := self._driver.ask_battery) is not None:
            try:
                await link.run(ask())
            except (LinkError, ScriptRefused) as error:
                log.debug("asking for the battery: %s", error)
            await asyncio.sleep(self._battery_every_s)

    async def _stop_asking(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            await end_task(asking)

    async def _quieten(self, link: SensorLink) -> None:
        """Tell a sensor to stop, if it still hears."""
        if link.is_lost:
            return
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await link.run(self._driver.stop())
        except (LinkError, ScriptRefused, TimeoutError) as error:
            log.debug("stopping: %s", error)

    async def _drop(self, cause: str, *, up: bool = True) -> None:
        """Let go of the link: LinkDown at once, then the disconnection, which may take seconds."""
        link, self._link = self._link, None
        assert link is not None
        link.silence()
        now_ns = self._clock()
        if self.status.state is LinkState.STREAMING and now_ns - self.status.since_ns >= STEADY_S * 1e9:
            self._backoff.reset()
        if up:
            self._emit(LinkDown(t_host_ns=now_ns, cause=cause))
            if self.status.lost_since_ns is None:
                self._report(LinkState.LOST, cause=cause, lost_since_ns=now_ns)
        await self._stop_asking()
        await link.close()

    async def _end(self) -> None:
        """Stop the sensor if it streams, or was about to, and disconnect whatever there is."""
        await self._stop_asking()
        link, self._link = self._link, None
        if link is not None:
            if self.status.state is LinkState.STREAMING or link.was_written_to:
                await self._quieten(link)
            await link.close()
        self._report(LinkState.STOPPED)

    def _emit(self, frame: Frame) -> None:
        self._liveness.take(frame)
        self._emit_frame(frame)
        if self._verify is not None and isinstance(frame, Reading):
            self._verify(frame)


class _NotSeen(DeviceNotFound):
    """The scan ended without the sensor; unlike other failures, this one took its time."""
