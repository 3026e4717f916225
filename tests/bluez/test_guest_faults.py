"""Every fault that a link over BlueZ can meet, each with the real Supervisor over bleak's own backend.

Each row: the cause is named within 5 s, data flow again, nothing comes twice, and the session hears of one loss.
"""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bluez_bench import PATIENCE_S, Air, Bluetooth, on_bus, wait_until

from companion.link.radio import Radio
from companion.link.status import LinkState, LinkStatus
from companion.link.supervisor import Supervisor
from companion.session import Session
from companion.views import Viewed, settled
from firmware_protocol import Frame, LinkDown, LinkUp, Notification, driver
from firmware_protocol.frames import Opened
from firmware_protocol.posture_v1 import packets as p

pytestmark = pytest.mark.bluez

NAMED_WITHIN_S = 5.0
TWO_DEATHS_S = 20.0  # BlueZ 5.66 has to die twice, and to be started twice, before it is no chance any more
BACK_WITHIN_S = 15.0  # after bluetoothd has been started again
FLOWING = 4  # packets of motion: a quarter of a second each
END_WITHIN_S = 12.0
LOST = "link lost"
FORGOTTEN = "the sensor no longer knows this computer"
DEAD = "the bluetooth service stopped"


class Kept:
    """A supervisor that runs in a thread of its own, with everything it tells and when (monotonic, s)."""

    def __init__(self, **options: Any) -> None:
        self.frames: list[Frame] = []
        self.statuses: list[tuple[float, LinkStatus]] = []
        self.on_status: Callable[[LinkStatus], None] = lambda _: None
        self.failure: BaseException | None = None
        self._options = options
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        supervisor = Supervisor(
            driver("posture_v1"), Radio(), self.frames.append, on_status=self._told, **self._options
        )
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(supervisor.run(self._stop))
        except BaseException as error:  # told to the test, which is another thread
            self.failure = error

    def _told(self, status: LinkStatus) -> None:
        self.statuses.append((time.monotonic(), status))
        self.on_status(status)

    def end(self) -> float:
        """Stop it as Ctrl-C does; how long that took, in seconds."""
        start_s = time.monotonic()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "it did not end"
        return time.monotonic() - start_s

    def of(self, *kinds: type) -> list[Any]:
        return [frame for frame in list(self.frames) if isinstance(frame, kinds)]

    @property
    def causes(self) -> list[str]:
        return [frame.cause for frame in self.of(LinkDown)]

    @property
    def lately(self) -> str:
        """The newest statuses, for a test that fails."""
        return ", ".join(f"{status.state.value} ({status.cause})" for _, status in self.statuses[-5:])

    def motion(self) -> list[p.Motion]:
        told = [frame.data for frame in self.of(Notification) if frame.characteristic == p.MOTION]
        return [p.Motion.from_bytes(data) for data in told]

    @property
    def lost(self) -> int:
        """How many samples have not come."""
        return driver("posture_v1").new_decoder().feed(list(self.frames)).lost

    def wait_flow(self, links: int = 1, patience_s: float = PATIENCE_S) -> None:
        """Wait until motion flows over the so many-th link."""

        def flowing() -> bool:
            if self.failure is not None:
                raise self.failure
            frames = list(self.frames)
            ups = [place for place, frame in enumerate(frames) if isinstance(frame, LinkUp)]
            fresh = [] if len(ups) < links else frames[ups[-1] :]
            motion = [f for f in fresh if isinstance(f, Notification) and f.characteristic == p.MOTION]
            return len(motion) >= FLOWING

        wait_until(flowing, f"motion over link {links}; {self.lately}", patience_s)

    def wait_named(self, cause: str, since_s: float, within_s: Callable[[], float] = lambda: NAMED_WITHIN_S) -> None:
        """The status names this cause, and soon enough."""

        def named() -> list[float]:
            return [came_s for came_s, status in list(self.statuses) if came_s >= since_s and status.cause == cause]

        came_s = wait_until(named, f"{cause}; {self.lately}")[0]
        assert came_s - since_s < within_s()

    def check(self, *causes: str) -> None:
        """So many losses with these causes, and no packet twice."""
        live = [(m.stream, m.index) for m in self.motion() if not m.backfilled]
        assert len(live) == len(set(live)) >= 2 * FLOWING
        assert self.causes == list(causes)
        assert driver("posture_v1").new_decoder().feed(list(self.frames)).duplicates == 0


@contextmanager
def kept(**options: Any) -> Iterator[Kept]:
    supervisor = Kept(**options)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.end()


@pytest.fixture
def flowing(air: Air) -> Iterator[Kept]:
    """A supervisor with motion flowing."""
    with kept() as supervisor:
        supervisor.wait_flow()
        yield supervisor


def test_the_sensor_ends_the_link(flowing: Kept, air: Air):
    start_s = time.monotonic()
    air.drop()
    flowing.wait_named(LOST, start_s)
    flowing.wait_flow(2)
    flowing.check(LOST)


def test_the_link_is_lost_and_the_sensor_returns(flowing: Kept, air: Air):
    start_s = time.monotonic()
    air.vanish(3.0)
    flowing.wait_named(LOST, start_s)
    flowing.wait_flow(2)
    flowing.check(LOST)


def test_the_sensor_goes_away_while_it_is_connected_to(air: Air):
    supervisor = Kept()
    supervisor.on_status = lambda status: air.away() if status.state is LinkState.CONNECTING else None
    try:
        supervisor.start()
        wait_until(lambda: supervisor.statuses and supervisor.statuses[-1][1].state is LinkState.CONNECTING, "a try")
        supervisor.wait_named("sensor did not answer", time.monotonic())
        supervisor.on_status = lambda _: None
        air.back()
        supervisor.wait_flow()
        assert supervisor.causes == []
    finally:
        supervisor.end()


def test_the_sensor_has_lost_its_keys(flowing: Kept, air: Air, bluetooth: Bluetooth):
    """BlueZ 5.66 dies of it, again and again, as long as somebody starts it; 5.82 tries four times a second."""
    with always_started(bluetooth) as deaths:
        start_s = time.monotonic()
        air.forget()
        flowing.wait_named(FORGOTTEN, start_s, lambda: TWO_DEATHS_S if deaths else NAMED_WITHIN_S)
        time.sleep(6)
        tries = [status for came_s, status in flowing.statuses if status.state is LinkState.CONNECTING]
        assert len(tries) < 12  # it does not go round in circles
        remove(bluetooth, air.addresses[0])  # what `posture pair --forget` does first
        flowing.wait_flow(2)
    flowing.check(LOST)


@contextmanager
def always_started(bluetooth: Bluetooth) -> Iterator[list[float]]:
    """What systemd does for a service that dies; the times at which it had to."""
    deaths: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            if not bluetooth.pids:
                deaths.append(time.monotonic())
                bluetooth.start()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield deaths
    finally:
        over.set()
        thread.join()


def remove(bluetooth: Bluetooth, address: str) -> None:
    """Have BlueZ forget a device and its keys."""

    def gone() -> bool:
        for adapter in bluetooth.adapters[:1]:
            device = f"{adapter}/dev_{address.replace(':', '_')}"
            on_bus("org.bluez", adapter, "org.bluez.Adapter1.RemoveDevice", f"objpath:{device}")
        return address not in bluetooth.bonded

    wait_until(gone, "BlueZ to forget the sensor")


def test_the_adapter_is_switched_off_and_on(flowing: Kept, bluetooth: Bluetooth):
    start_s = time.monotonic()
    bluetooth.power(False)
    flowing.wait_named("bluetooth is off", start_s)
    time.sleep(3)
    start_s = time.monotonic()
    bluetooth.power(True)
    flowing.wait_flow(2)
    assert time.monotonic() - start_s < BACK_WITHIN_S
    flowing.check("bluetooth is off")


def test_bluetoothd_is_killed_and_started_again(flowing: Kept, bluetooth: Bluetooth):
    start_s = time.monotonic()
    bluetooth.kill()
    flowing.wait_named(DEAD, start_s)
    time.sleep(3)
    start_s = time.monotonic()
    bluetooth.start()
    flowing.wait_flow(2)
    assert time.monotonic() - start_s < BACK_WITHIN_S
    flowing.check(DEAD)

    # Lived it is one gap; settled there is none, once the sensor's buffer has delivered it.
    wait_until(lambda: flowing.lost == 0, "what was missed")
    flowing.end()
    lived, filled = (view.summary for view in views_of(flowing.frames))
    assert (lived["outages"], lived["lost_samples"], lived["duplicates"]) == (1, 0, 0)
    assert lived["loss_pct"] > 0
    assert (filled["outages"], filled["loss_pct"], filled["no_data_s"]) == (0, 0, 0)
    assert filled["samples"] == lived["samples"]


def views_of(frames: list[Frame]) -> tuple[Viewed, Viewed]:
    """The session of these frames as it was lived, and settled."""
    header = Opened(
        t_host_ns=frames[0].t_host_ns - 1,
        session_id="s",
        driver="posture_v1",
        device="sensor",
        utc_ns=0,
        zone="UTC",
        software_version="test",
    )
    session = Session(header)
    lived = Viewed(session, (session.feed(frames), session.close()))
    return lived, settled(header, lambda: [frames])


def test_the_controller_is_pulled_out_and_plugged_in_again(flowing: Kept, air: Air):
    start_s = time.monotonic()
    air.unplug()
    flowing.wait_named("the bluetooth adapter is gone", start_s)
    time.sleep(2)
    start_s = time.monotonic()
    air.plug()
    flowing.wait_flow(2)
    assert time.monotonic() - start_s < BACK_WITHIN_S
    flowing.check("the bluetooth adapter is gone")


def test_a_bluetoothd_that_hangs_is_noticed_by_the_lack_of_data(air: Air, bluetooth: Bluetooth):
    """Nobody says anything: there is no signal on the bus, and no call returns."""
    with kept(silence_s=4.0) as supervisor:
        supervisor.wait_flow()
        start_s = time.monotonic()
        for pid in bluetooth.pids:
            os.kill(pid, signal.SIGSTOP)
        supervisor.wait_named("connected but silent", start_s, lambda: NAMED_WITHIN_S + 2)
        time.sleep(3)
        for pid in bluetooth.pids:
            os.kill(pid, signal.SIGCONT)
        supervisor.wait_flow(2)
        supervisor.check("connected but silent")


@pytest.mark.parametrize("state", ["dead", "hanging", "searching"])
def test_it_can_be_ended_whatever_has_become_of_bluetooth(flowing: Kept, air: Air, bluetooth: Bluetooth, state: str):
    pids = bluetooth.pids
    if state == "dead":
        bluetooth.kill()
    elif state == "searching":
        air.away()
        wait_until(lambda: flowing.causes, "the loss")
    else:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    try:
        assert flowing.end() < END_WITHIN_S
    finally:
        if state == "hanging":
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
    assert flowing.failure is None
    assert flowing.statuses[-1][1].state is LinkState.STOPPED


def test_another_program_that_scans_does_not_matter(flowing: Kept, air: Air):
    other = subprocess.Popen(["bluetoothctl", "--timeout", "20", "scan", "on"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        air.drop()
        flowing.wait_flow(2)
    finally:
        other.kill()
        other.wait()
    flowing.check(LOST)
