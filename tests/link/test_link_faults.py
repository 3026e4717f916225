"""What the supervisor makes of what the system says, of sleep, and of sensors that have lost their keys.

The same rows as in the guest (tests/bluez), with a virtual radio, and with a system that says what a test tells it.
"""

import asyncio
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError

from companion.errors import BluetoothOff, ConnectionLost, KeysRefused
from companion.host import boot_ns
from companion.link.client import SensorLink
from companion.link.conditions import Conditions
from companion.link.radio import Radio
from companion.link.status import ADAPTER_GONE, BLUETOOTH_OFF, SERVICE_STOPPED, LinkState
from companion.link.waiting import Backoff
from companion.posture.calibration import Calibration
from companion.session import Session
from companion.simulator.stories import body_of
from firmware_protocol import LinkDown, LinkUp, Notification
from firmware_protocol.frames import Opened, Tick

S = 1_000_000_000
SLEPT_S = 900.0
GUARD_S = 10.0  # only so that a test that is broken ends


class System:
    """Says of Bluetooth what a test wants; its scans fail while there is a trouble, as BlueZ's do."""

    def __init__(self, rig: Any) -> None:
        self.conditions = Conditions()
        system, usual = self, rig.sim.scanner_backend

        class Scanner(usual):
            async def start(self):
                if system.conditions.trouble:
                    raise BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF)
                await super().start()

        rig.sim.scanner_backend = Scanner

    async def watch(self, conditions: Conditions) -> None:
        self.conditions = conditions
        conditions.tell("")
        await asyncio.Event().wait()


def causes(rig: Any) -> list[str]:
    return [frame.cause for frame in rig.of(LinkDown)]


def no_packet_came_twice(rig: Any) -> bool:
    return rig.decoded().duplicates == 0


@pytest.mark.parametrize("trouble", [SERVICE_STOPPED, BLUETOOTH_OFF, ADAPTER_GONE])
async def test_a_trouble_of_the_system_is_named_and_its_end_is_used_at_once(on_air, trouble):
    """The waits between two looks are for ever here: only what the system says ends them."""
    rig = await on_air()
    system = System(rig)

    async def sleep(_seconds: float) -> None:
        await asyncio.Event().wait()

    async with rig.running(watch=system.watch, sleep=sleep):
        await rig.until_streaming()
        system.conditions.tell(trouble)
        await rig.until(lambda: causes(rig) == [trouble])
        await rig.until(lambda: rig.statuses[-1].attempt == 1)
        assert (rig.statuses[-1].state, rig.statuses[-1].cause) == (LinkState.LOST, trouble)
        system.conditions.tell("")
        assert rig.statuses[-1].cause == "link lost"
        await rig.until_streaming()
        told = len(rig.of(Notification))
        await rig.until(lambda: len(rig.of(Notification)) > told + 4)
    assert causes(rig) == [trouble]
    assert no_packet_came_twice(rig)


async def test_where_the_system_says_nothing_it_is_looked_every_few_seconds_not_every_minute(on_air):
    rig = await on_air()
    system = System(rig)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 12:
            system.conditions.trouble = ""
        await asyncio.sleep(0)

    async with rig.running(sleep=sleep, backoff=Backoff(lambda: 0.0)):
        await rig.until_streaming()
        system.conditions.trouble = BLUETOOTH_OFF
        rig.sim.cut_link()
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
    assert len(waits) == 12
    assert max(waits) <= 5.0


async def test_a_search_that_has_gone_deaf_is_ended_by_what_the_system_says(on_air):
    """The adapter goes off and on in the midst of a window of 30 s: the scan of before hears nothing any more."""
    rig = await on_air()
    system = System(rig)
    async with rig.running(watch=system.watch):
        await rig.until_streaming()
        await rig.sim.sensor.device.stop_advertising()
        rig.firmware.link_allowed = lambda _now_ns: False
        rig.sim.cut_link()
        await rig.until(lambda: rig.sim.central.scanning)
        system.conditions.tell(BLUETOOTH_OFF)
        await rig.until(lambda: not rig.sim.central.scanning)
        assert rig.statuses[-1].cause == BLUETOOTH_OFF
        del rig.firmware.link_allowed
        system.conditions.tell("")
        rig.sim.sensor._wake.set()
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
    assert causes(rig) == ["link lost"]


async def test_a_trouble_ends_the_first_search_with_its_sentence(on_air):
    rig = await on_air("upright", "link@0+1000")
    system = System(rig)
    running = asyncio.create_task(rig.supervisor(watch=system.watch).run(asyncio.Event()))
    await rig.until(lambda: rig.sim.central.scanning)
    system.conditions.tell(BLUETOOTH_OFF)
    with pytest.raises(BluetoothOff, match="Bluetooth is switched off"):
        await running


async def test_a_disconnection_that_takes_for_ever_holds_nothing_up(on_air):
    """A bluetoothd that is dead, or hangs: bleak waits ten seconds for it."""
    rig = await on_air()
    system = System(rig)
    ended: list[str] = []

    class Slow(rig.sim.client_backend):
        async def disconnect(self):
            await super().disconnect()
            if system.conditions.trouble:
                try:
                    await asyncio.sleep(1000)
                finally:
                    ended.append("cut short")

    rig.sim.client_backend = Slow
    async with rig.running(watch=system.watch):
        await rig.until_streaming()
        system.conditions.tell(SERVICE_STOPPED)
        await rig.until(lambda: len(causes(rig)) == 1)
        await asyncio.sleep(0.05)
        system.conditions.tell("")
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
        await rig.until_streaming()
        assert ended == []
    assert ended == ["cut short"]  # accounted for at the end
    assert no_packet_came_twice(rig)


class SleepingHost:
    """A computer twenty times as fast as usual that can be put to sleep."""

    def __init__(self) -> None:
        self.slept_ns = 0

    def boot_ns(self) -> int:
        return boot_ns() * 20 + self.slept_ns

    def waits_ns(self) -> int:
        return boot_ns() * 20

    def sleep(self, seconds: float) -> None:
        self.slept_ns += round(seconds * S)


def opened(now_ns: int, calibration: Calibration) -> Opened:
    return Opened(
        t_host_ns=now_ns,
        session_id="a",
        driver="posture_v1",
        device="simulated",
        utc_ns=1_700_000_000 * S,
        zone="UTC",
        calibration_json=calibration.to_json(),
        software_version="0",
    )


async def test_a_sleep_is_one_gap_with_its_cause_and_no_alert_from_stale_time(on_air):
    """In the midst of a slouch that has not lasted for long enough yet, and that nobody saw go on."""
    host = SleepingHost()
    rig = await on_air("slouch", "no-buffer", speed=1.0, clock=host.boot_ns)
    body = body_of("slouch")
    calibration = Calibration.from_axes(body.up_sensor, body.forward_sensor)
    ticking: list[asyncio.Task[None]] = []

    async def tick(supervisor: Any) -> None:  # as a live session does
        while True:
            await asyncio.sleep(0.05)
            supervisor.look()
            rig.frames.append(Tick(t_host_ns=host.boot_ns()))

    async with rig.running(clock=host.boot_ns, waits=host.waits_ns, silence_s=1e9) as supervisor:
        await rig.until_streaming()
        rig.frames.insert(0, opened(rig.frames[0].t_host_ns - 1, calibration))
        ticking.append(asyncio.create_task(tick(supervisor)))
        await rig.until_story(22)
        rig.sim.cut_link()
        host.sleep(SLEPT_S)
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
        woke_s = rig.sim.story_s()
        await rig.until_story(woke_s + 9)
        ticking[0].cancel()
    assert causes(rig) == ["this computer was asleep"]
    session = Session(rig.frames[0])
    report = session.feed(rig.frames[1:])
    events = [type(event).__name__ for event in report.events]
    assert "SlouchStarted" in events
    assert "AlertRaised" not in events
    silences = [event for event in report.events if type(event).__name__ in ("SignalLost", "SignalFound")]
    assert silences[-2].cause == "this computer was asleep"
    assert silences[-1].silent_ns > SLEPT_S * S
    summary = session.close().summary
    assert summary["outages"] == 1
    assert summary["no_data_s"] > SLEPT_S - 5


ADDRESS = "F4:12:3D:5A:70:01"
KNOWN = {"path": "/org/bluez/hci0/dev_F4_12_3D_5A_70_01", "props": {"Paired": True, "Bonded": True}}


def breaking(rig: Any, breaks: int, error: Exception | None) -> Any:
    """A client as bleak's over BlueZ: each link that a refused key breaks is told as a loss; then an error, or none."""

    class Breaking(rig.sim.client_backend):
        async def connect(self, *args: Any, **options: Any) -> None:
            for _ in range(breaks):
                await asyncio.sleep(0.001)
                self._disconnected_callback()
            if error is not None:
                raise error
            await asyncio.Event().wait()

    return Breaking


@pytest.mark.parametrize(
    ("details", "breaks", "error", "kind"),
    [
        (KNOWN, 40, None, KeysRefused),  # as long as it may: it is not waited for
        (KNOWN, 2, BleakDBusError("org.bluez.Error.Failed", ["br-connection-canceled"]), KeysRefused),
        (KNOWN, 1, BleakDBusError("org.bluez.Error.Failed", ["br-connection-canceled"]), ConnectionLost),
        ({**KNOWN, "props": {}}, 40, None, ConnectionLost),  # without keys it is something else
        (None, 40, None, ConnectionLost),  # a system that does not tell
    ],
)
async def test_a_sensor_that_breaks_link_after_link_refuses_the_keys(on_air, monkeypatch, details, breaks, error, kind):
    monkeypatch.setattr("companion.link.client.CONNECT_TIMEOUT_S", 1000.0)
    rig = await on_air()
    backend = breaking(rig, breaks, error)
    link = SensorLink(BLEDevice(ADDRESS, None, details), Radio(None, backend), rig.frames.append, boot_ns)
    with pytest.raises(kind) as caught:
        async with asyncio.timeout(GUARD_S):
            await link.connect()
    assert type(caught.value) is kind
    assert await link.close()


async def test_a_link_that_is_given_up_ends_an_attempt_to_connect(on_air):
    rig = await on_air()
    link = SensorLink(BLEDevice(ADDRESS, None, None), Radio(None, breaking(rig, 0, None)), rig.frames.append, boot_ns)
    attempt = asyncio.create_task(link.connect())
    await asyncio.sleep(0)
    link.declare_lost()
    with pytest.raises(ConnectionLost):
        await attempt
