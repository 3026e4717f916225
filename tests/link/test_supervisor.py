"""The supervisor over real GATT: it connects, starts, watches, and comes back from everything a radio can do."""

import asyncio
import gc
from dataclasses import replace
from pathlib import Path

import pytest
from bumble.device import Connection
from hypothesis import given
from hypothesis import strategies as st

from companion.errors import BluetoothOff, ConnectionLost, DeviceNotFound, PairingRefused
from companion.host import boot_ns
from companion.link.radio import Radio
from companion.link.status import LinkState
from companion.link.supervisor import Supervisor
from companion.link.waiting import Backoff
from companion.simulator.ledger import Fate
from firmware_protocol import (
    Driver,
    LinkDown,
    LinkUp,
    Notification,
    Reading,
    ScriptRefused,
    Written,
    driver,
)
from firmware_protocol.posture_v1 import packets as p

POSTURE = driver("posture_v1")


async def test_every_sample_arrives_once_and_an_orderly_end_loses_none(on_air):
    rig = await on_air("demo")
    async with rig.running():
        await rig.until_streaming()
        await rig.until_story(15)
    decoded = rig.decoded()
    ledger = rig.firmware.ledger
    assert len(decoded.samples) == ledger.samples(Fate.SENT) == ledger.taken[0] > 100
    assert (decoded.lost, decoded.duplicates, decoded.malformed) == (0, 0, ())
    assert ledger.spans[0].fate is Fate.SENT
    assert len(ledger.spans) == 1
    assert rig.of(LinkDown) == []
    assert rig.states() == [
        LinkState.SCANNING,
        LinkState.CONNECTING,
        LinkState.STARTING,
        LinkState.STREAMING,
        LinkState.STOPPED,
    ]


async def test_the_frames_tell_the_whole_conversation(on_air):
    rig = await on_air()
    async with rig.running():
        await rig.until_streaming()
        await rig.until_story(rig.sim.story_s() + 2)
    assert rig.frames[0] == LinkUp(t_host_ns=rig.frames[0].t_host_ns, address=rig.sim.address, mtu=247)
    assert [reading.characteristic for reading in rig.of(Reading)] == [p.INFO, p.STATUS]
    commands = [p.parse_command(frame.data) for frame in rig.of(Written)]
    assert [type(command) for command in commands] == [p.Time, p.Start, p.Time, p.Stop]
    assert {frame.characteristic for frame in rig.of(Written)} == {p.CONTROL}
    answers = [p.parse_answer(frame.data) for frame in rig.of(Notification) if frame.characteristic == p.CONTROL]
    assert [type(answer) for answer in answers] == [p.TimeAnswer, p.Started, p.TimeAnswer, p.Stopped]
    times = [frame.t_host_ns for frame in rig.frames]
    assert times == sorted(times)


async def test_a_lost_link_comes_back_into_the_same_stream_with_an_exact_count(on_air):
    rig = await on_air("upright", "link@8+8", speed=10.0)
    async with rig.running():
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
        await rig.until_story(20)
    decoded = rig.decoded()
    ledger = rig.firmware.ledger
    assert [frame.cause for frame in rig.of(LinkDown)] == ["link lost"]
    assert len(set(decoded.samples["segment"])) == 1
    assert len(decoded.samples) == ledger.samples(Fate.SENT)
    assert decoded.lost == ledger.samples(Fate.LOST) > 8 * 50 - 12
    assert len(decoded.samples) + decoded.lost == ledger.taken[0]
    assert decoded.duplicates == 0


async def test_a_sensor_that_restarts_is_found_again_in_a_new_stream(on_air):
    rig = await on_air("upright", "reboot@8", speed=10.0)
    async with rig.running():
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
        await rig.until_story(16)
    decoded = rig.decoded()
    assert len(rig.of(LinkDown)) == 1
    assert len(set(decoded.samples["segment"])) == 2
    assert len(decoded.samples) == rig.firmware.ledger.samples(Fate.SENT)


async def test_a_connected_but_silent_sensor_is_dropped_and_tried_again(on_air):
    rig = await on_air("upright", "silent@12+36")  # it goes on telling its status meanwhile, every 10 s
    async with rig.running(silence_s=0.8):
        await rig.until(lambda: len(rig.of(LinkDown)) == 1)
        downs_ns = rig.of(LinkDown)[0].t_host_ns
        await rig.until_story(50)
        await rig.until(lambda: rig.frames[-1].t_host_ns > downs_ns and rig.statuses[-1].state is LinkState.STREAMING)
    assert {frame.cause for frame in rig.of(LinkDown)} == {"connected but silent"}
    statuses = [f for f in rig.of(Notification) if f.characteristic == p.STATUS and f.t_host_ns < downs_ns]
    assert len(statuses) > 1
    motion = [f for f in rig.of(Notification) if f.characteristic == p.MOTION]
    assert motion[-1].t_host_ns > rig.of(LinkDown)[-1].t_host_ns


async def test_a_sensor_that_streams_is_left_alone(on_air):
    rig = await on_air()
    async with rig.running(silence_s=0.4):
        await rig.until_story(32)
    assert rig.of(LinkDown) == []


def test_no_data_is_seen_at_three_intervals_and_never_under_15_s():
    silence = {
        longest_s: Supervisor(_with_interval(longest_s), Radio(), lambda _: None)._silence_s
        for longest_s in (0.25, 3.0, 10.0)
    }
    assert silence == {0.25: 15.0, 3.0: 15.0, 10.0: 50.0}


def _with_interval(longest_s: float) -> Driver:
    return replace(POSTURE, longest_interval_s=longest_s)


async def test_nobody_there_is_said_once_the_time_is_over(on_air):
    rig = await on_air("upright", "link@0+1000")
    with pytest.raises(DeviceNotFound) as caught:
        await rig.supervisor(first_timeout_s=0.6).run(asyncio.Event())
    assert str(caught.value) == "A posture_v1 sensor was not seen within 0.6 s."
    assert rig.frames == []
    assert rig.statuses[-1].state is LinkState.STOPPED


async def test_another_sensor_than_the_one_meant_is_not_taken(on_air):
    rig = await on_air()
    with pytest.raises(DeviceNotFound):
        await rig.supervisor(address="F0:00:00:00:00:01", first_timeout_s=0.6).run(asyncio.Event())


async def test_the_address_is_enough_whatever_its_case(on_air):
    rig = await on_air()
    async with rig.running(address=rig.sim.address.lower()):
        await rig.until_streaming()
    assert len(rig.of(LinkUp)) == 1


async def test_a_sensor_without_the_service_is_refused(on_air):
    rig = await on_air()
    other = replace(POSTURE, services=("0000feed-0000-1000-8000-00805f9b34fb",))
    supervisor = Supervisor(other, rig.radio, rig.frames.append)
    with pytest.raises(ScriptRefused, match="does not offer the posture_v1 service; another firmware may be on it"):
        await supervisor.run(asyncio.Event())
    assert rig.frames == []
    assert not rig.sim.sensor.connected


async def test_a_rate_that_the_sensor_lacks_passes_through_as_it_is(on_air):
    rig = await on_air()
    with pytest.raises(ScriptRefused, match="does not sample at 33 Hz"):
        await rig.supervisor(rate_hz=33).run(asyncio.Event())
    assert [frame.cause for frame in rig.of(LinkDown)] == ["sensor not accepted"]


async def test_a_reading_may_show_that_it_is_the_wrong_sensor(on_air):
    rig = await on_air()

    def verify(reading: Reading) -> None:
        if reading.characteristic == p.INFO:
            raise ScriptRefused("This is another sensor than the one that was paired.")

    with pytest.raises(ScriptRefused, match="another sensor"):
        await rig.supervisor(verify=verify).run(asyncio.Event())
    assert rig.of(Written) == []


async def test_without_bluetooth_the_first_connection_says_so(monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    with pytest.raises(BluetoothOff):
        await Supervisor(POSTURE, Radio(), lambda _: None).run(asyncio.Event())


async def test_keys_lost_in_mid_session_are_tried_for_ever_and_mended_by_pairing_anew(on_air):
    rig = await on_air()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    async with rig.running(sleep=sleep, backoff=Backoff(lambda: 0.0)):
        await rig.until_streaming()
        rig.sim.sensor.forget_bonds()
        rig.sim.cut_link()
        await rig.until(lambda: len(waits) == 5)
        assert rig.statuses[-1].cause == "the sensor no longer knows this computer"
        await rig.sim.central.forget(rig.sim.sensor.device.random_address)
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
    assert waits[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert len(rig.of(LinkDown)) == 1


async def test_keys_lost_before_the_first_connection_are_an_error(on_air):
    rig = await on_air()
    async with rig.running():
        await rig.until_streaming()
    rig.sim.sensor.forget_bonds()
    with pytest.raises(PairingRefused):
        await rig.supervisor().run(asyncio.Event())


async def test_a_sensor_that_another_program_left_connected_is_taken_over(on_air):
    """What a killed program leaves behind on Linux: the link stays, and the sensor does not advertise."""
    rig = await on_air()
    supervisor = rig.supervisor()
    killed = asyncio.create_task(supervisor.run(asyncio.Event()))
    await rig.until_streaming()
    supervisor._link._client.disconnect = _nothing  # the end of a process that had no time for it
    killed.cancel()
    await asyncio.wait({killed})
    assert rig.sim.sensor.connected
    rig.frames.clear()
    async with rig.running():
        await rig.until(lambda: len(rig.of(Notification)) > 10)
    indexes = rig.decoded().samples["index"]
    assert len(set(indexes)) == len(indexes)


async def _nothing() -> None:
    return None


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
async def test_twenty_losses_leave_no_task_descriptor_or_connection_behind(on_air):
    rig = await on_air(speed=5.0)
    async with rig.running() as supervisor:
        await rig.until_streaming()
        before = len(asyncio.all_tasks()), descriptors()
        for cycle in range(20):
            rig.sim.cut_link()
            await rig.until(
                lambda cycle=cycle: len(rig.of(LinkUp)) == cycle + 2 and supervisor.status.state is LinkState.STREAMING
            )
        await rig.until(lambda: len(asyncio.all_tasks()) <= before[0])
        gc.collect()
        connections = [each for each in gc.get_objects() if isinstance(each, Connection)]
        assert len(connections) <= 2 * 2  # this link's two ends, and those that the last exchange may still hold
        assert descriptors() <= before[1]
    assert len(rig.of(LinkDown)) == 20
    decoded = rig.decoded()
    assert decoded.duplicates == 0
    assert len(decoded.samples) + decoded.lost == rig.firmware.ledger.taken[0]


async def test_every_client_is_used_once_and_disconnected_also_after_a_loss(on_air):
    """Without it, bleak on Linux delivers everything once more after each reconnect."""
    rig = await on_air()
    calls: list[tuple[str, int]] = []

    class Counted(rig.sim.client_backend):
        async def connect(self, *args, **options):
            calls.append(("connect", id(self)))
            kept.append(self)
            await super().connect(*args, **options)

        async def disconnect(self):
            calls.append(("disconnect", id(self)))
            await super().disconnect()

    kept: list[Counted] = []  # so that no id comes twice
    rig.sim.client_backend = Counted
    async with rig.running():
        for cycle in range(3):
            await rig.until_streaming()
            rig.sim.cut_link()
            await rig.until(lambda cycle=cycle: len(rig.of(LinkUp)) == cycle + 2)
        await rig.until_streaming()
    assert [call for call, _ in calls] == ["connect", "disconnect"] * 4
    assert all(one == other for (_, one), (_, other) in zip(calls[::2], calls[1::2], strict=True))
    assert len(set(kept)) == 4


@pytest.mark.parametrize("state", [None, LinkState.SCANNING, *list(LinkState)[1:5]])
async def test_stopping_is_possible_at_any_moment(on_air, state):
    rig = await on_air("upright", "link@10+1000")
    async with rig.running():
        await rig.until(lambda: state is None or (rig.statuses and rig.statuses[-1].state is state))
    assert rig.statuses[-1].state is LinkState.STOPPED
    await rig.until(lambda: not rig.sim.sensor.connected)
    assert rig.sim.central.device.connections == {}
    assert not rig.sim.central.scanning
    assert len(rig.of(LinkDown)) == (state is LinkState.LOST)


async def test_cancelling_ends_the_link_in_an_orderly_way_too(on_air):
    rig = await on_air()
    task = asyncio.create_task(rig.supervisor().run(asyncio.Event()))
    await rig.until_streaming()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not rig.sim.sensor.connected
    assert p.parse_command(rig.of(Written)[-1].data) == p.Stop()


async def test_the_status_tells_since_when_and_why(on_air):
    rig = await on_air("upright", "link@10+30")
    async with rig.running() as supervisor:
        await rig.until(lambda: supervisor.status.state is LinkState.STREAMING)
        streaming = supervisor.status
        assert (streaming.attempt, streaming.cause, streaming.lost_since_ns) == (0, "", None)
        assert (streaming.address, streaming.name, streaming.rssi) == (rig.sim.address, "Posture 1234", -50)
        await rig.until(lambda: supervisor.status.state is LinkState.LOST and supervisor.status.attempt >= 1)
        lost = supervisor.status
        assert lost.cause == "link lost"
        assert lost.lost_since_ns == rig.of(LinkDown)[0].t_host_ns <= lost.since_ns


@pytest.mark.parametrize(("times_faster", "tries_left"), [(1, 4.0), (1000, 0.5)])
async def test_only_a_link_that_lived_ten_seconds_starts_the_back_off_anew(on_air, times_faster, tries_left):
    rig = await on_air()
    backoff = Backoff(lambda: 0.0)
    for _ in range(3):
        backoff.next_s()
    async with rig.running(backoff=backoff, clock=lambda: boot_ns() * times_faster, silence_s=1e9):
        await rig.until_streaming()
        await asyncio.sleep(0.05)
        rig.sim.cut_link()
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
    assert backoff.next_s() == tries_left


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40))
def test_the_back_off_doubles_to_a_minute_and_is_shortened_by_half_at_most(randoms: list[float]):
    unit = iter(randoms)
    backoff = Backoff(lambda: next(unit))
    waits = [backoff.next_s() for _ in randoms]
    for number, wait_s in enumerate(waits):
        full_s = min(60.0, 0.5 * 2**number)
        assert full_s / 2 <= wait_s <= full_s
    assert waits[0] < 1.0
    backoff.reset()
    unit = iter([0.0])
    assert backoff.next_s() == 0.5


async def test_a_first_connection_that_is_lost_is_tried_again_until_the_time_is_over(on_air):
    rig = await on_air()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    def lose(frame: object) -> None:
        rig.frames.append(frame)
        if isinstance(frame, LinkUp):
            rig.sim.cut_link()

    supervisor = Supervisor(POSTURE, rig.radio, lose, first_timeout_s=6.0, sleep=sleep, backoff=Backoff(lambda: 0.0))
    with pytest.raises(ConnectionLost):
        await supervisor.run(asyncio.Event())
    assert waits[:2] == [0.5, 1.0]
    assert len(rig.of(LinkUp)) == len(rig.of(LinkDown)) == len(waits) + 1
    assert {frame.cause for frame in rig.of(LinkDown)} == {"link lost"}
