"""Listens to one sensor that tells its motion in advertisements: hears it, misses it, hears it again.

Knows: bleak's scanner, when a silence is too long. Must never know: what the bytes mean, where frames go.

To everybody else it is what the supervisor is for a sensor that is connected to: the same frames tell when there is a
link, though here that only means that the sensor is heard.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from companion.errors import LinkError
from companion.host import boot_ns
from companion.link.bluez_watch import watch_bluez
from companion.link.conditions import Conditions, Watch
from companion.link.radio import Radio
from companion.link.scan import advertisement_of, listening, not_found, same_content
from companion.link.status import NOT_HEARD, LinkState, LinkStatus, Reporter, cause_of
from companion.link.supervisor import AGAIN_S, FIRST_TIMEOUT_S, SCAN_WINDOW_S
from companion.link.waiting import Backoff, end_task, until_stopped
from companion.link.wakefulness import Wakefulness
from companion.text import printable
from firmware_protocol import Advertisement, Driver, Frame, LinkDown, LinkUp, Reading, best_match
from firmware_protocol.frames import ASLEEP

LEAST_SILENCE_S = 5.0  # or three of the driver's longest intervals, as for a session's "no data"
REPEAT_NS = 1_000_000_000
"""An advertisement that says nothing new becomes a frame at most once in this time."""

LOOK_S = 0.5  # how often the clock is looked at: it runs on while this computer sleeps, and waits do not

log = logging.getLogger(__name__)


def silence_of(driver: Driver) -> float:
    """How long a sensor of this driver may be unheard before it counts as gone, in seconds."""
    return max(LEAST_SILENCE_S, 3 * driver.longest_interval_s)


class Listener:
    """Listens to one sensor of a driver that `broadcasts`, and stays with it.

    emit: gets LinkUp, a Reading of the driver's secret where there is a `key`, Advertisement, LinkDown frames in order.
    clock: the host's boot-time clock in nanoseconds. address: only this sensor; None: the first that the driver knows,
    and from then on only that one. silence_s: how long it may be unheard. on_status: called in the radio's thread
    whenever the status changes. watch: tells what the system says of its Bluetooth; None: BlueZ's, for the system's own
    radio. sleep, backoff, waits: for tests.
    """

    def __init__(
        self,
        driver: Driver,
        radio: Radio,
        emit: Callable[[Frame], None],
        clock: Callable[[], int] = boot_ns,
        *,
        address: str | None = None,
        key: bytes = b"",
        silence_s: float | None = None,
        first_timeout_s: float = FIRST_TIMEOUT_S,
        scan_window_s: float = SCAN_WINDOW_S,
        on_status: Callable[[LinkStatus], None] | None = None,
        watch: Watch | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
        waits: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._driver = driver
        self._radio = radio
        self._emit = emit
        self._clock = clock
        self._address = address
        self._key = key
        self._silence_s = silence_of(driver) if silence_s is None else silence_s
        self._first_timeout_s = max(first_timeout_s, self._silence_s)
        self._scan_window_s = scan_window_s
        self._backoff = backoff or Backoff(longest_s=AGAIN_S)
        self._conditions = Conditions(self._conditions_changed)
        self._watch_system = watch or (watch_bluez if radio.is_system else None)
        self._wakefulness = Wakefulness(clock, waits)
        self._sleep = sleep
        self._reporter = Reporter(clock, on_status)
        self._report = self._reporter.report
        self._told: Advertisement | None = None  # the newest that became a frame on this link
        self._heard_ns = clock()

    @property
    def status(self) -> LinkStatus:
        """The present picture; a value, safe to read from any thread."""
        return self._reporter.status

    async def run(self, stop: asyncio.Event) -> None:
        """Stay with the sensor until `stop` is set.

        Only the beginning can fail: DeviceNotFound where the sensor is not heard within the first time-out, any other
        LinkError at once. An orderly end is no LinkDown.
        """
        await until_stopped(self._keep(), stop, self._end)

    async def _keep(self) -> None:
        scanning = asyncio.create_task(self._scan())
        besides = [scanning]
        if self._watch_system is not None:
            besides.append(asyncio.create_task(self._watch_system(self._conditions)))
        try:
            await self._watch(scanning)
        finally:
            await asyncio.gather(*map(end_task, besides))

    def look(self) -> None:
        """See whether this computer slept: then nothing was heard because of that, and the scan begins anew."""
        if self._wakefulness.slept():
            self._miss(ASLEEP)
            self._conditions.nudge()

    def _conditions_changed(self, trouble: str) -> None:
        if trouble:
            self._miss(trouble)
        if self.status.state is LinkState.LOST:
            self._report(cause=trouble or NOT_HEARD)

    async def _scan(self) -> None:
        """Scan without end, window by window: some systems go deaf in a long scan, and others want the radio too."""
        while True:
            change = self._conditions.next_change
            self._report(attempt=self.status.attempt + 1 if self._told is None else 0)
            try:
                await self._conditions.unless_changed(self._listen())
                self._backoff.reset()
            except LinkError as error:
                if self._never_heard:
                    raise
                log.debug("listening: %s", error)
                self._report(cause=self._conditions.trouble or cause_of(error))
                await self._conditions.unless_changed(self._sleep(self._backoff.next_s()), change)

    async def _listen(self) -> None:
        async with self._radio.scanning, listening(self._radio, self._saw):
            await self._sleep(self._scan_window_s)

    async def _watch(self, scanning: asyncio.Task[None]) -> None:
        """Miss the sensor when it is due. Raises what ends the first search."""
        self._heard_ns = self._clock()
        while True:
            self.look()
            limit_s = self._first_timeout_s if self._never_heard else self._silence_s
            left_s = limit_s - (self._clock() - self._heard_ns) / 1e9
            if left_s <= 0:
                if self._never_heard:
                    raise not_found(self._driver, self._address, self._first_timeout_s)
                self._miss(NOT_HEARD)
            await asyncio.wait({scanning}, timeout=left_s if 0 < left_s < LOOK_S else LOOK_S)
            if scanning.done():
                scanning.result()

    def _miss(self, cause: str) -> None:
        """It is not heard any more, if it was."""
        if self._told is not None:
            self._told, now_ns = None, self._clock()
            self._emit(LinkDown(t_host_ns=now_ns, cause=cause))
            self._report(LinkState.LOST, cause=cause, lost_since_ns=now_ns)

    def _saw(self, device: BLEDevice, data: AdvertisementData) -> None:
        if self._address is not None and device.address.casefold() != self._address.casefold():
            return
        advertisement = advertisement_of(device, data, self._clock())
        if self._address is None and best_match(advertisement) is not self._driver:
            return
        self._heard_ns = advertisement.t_host_ns
        if self._told is None:
            self._found(advertisement)
        elif same_content(self._told, advertisement) and self._heard_ns - self._told.t_host_ns < REPEAT_NS:
            return
        self._told = advertisement
        self._emit(advertisement)

    def _found(self, advertisement: Advertisement) -> None:
        self._address = advertisement.address
        self._emit(LinkUp(t_host_ns=advertisement.t_host_ns, address=advertisement.address))
        if self._key:
            self._emit(
                Reading(t_host_ns=advertisement.t_host_ns, characteristic=self._driver.secret, data=self._key),
            )
        self._report(
            LinkState.STREAMING,
            attempt=0,
            cause="",
            lost_since_ns=None,
            address=advertisement.address,
            name=printable(advertisement.name or ""),
            rssi=advertisement.rssi,
        )

    @property
    def _never_heard(self) -> bool:
        return self._told is None and self.status.lost_since_ns is None

    async def _end(self) -> None:
        self._report(LinkState.STOPPED)
