"""The supervisor with sensors of other makers: batteries that are asked for, starts that fail half-way."""

import asyncio
from dataclasses import replace

import pytest
from fake_air import ADDRESS, BATTERY_LEVEL, BATTERY_SERVICE, NOTIFY, READ, WRITE, plain

from companion.errors import ConnectionLost
from companion.link.status import LinkState
from companion.link.supervisor import Supervisor
from companion.simulator.served import Served
from firmware_protocol import (
    Await,
    LinkDown,
    LinkUp,
    Notification,
    Reading,
    ScriptRefused,
    Subscribe,
    Write,
    Written,
    driver,
)
from firmware_protocol.devices.microbit import DATA, PERIOD, SERVICE

MICROBIT = driver("microbit")
SAMPLE = bytes.fromhex("6000600010fc")


def board(*more: Served, **options):
    """A micro:bit with its accelerometer service."""
    served = (Served(SERVICE, DATA, READ | NOTIFY), Served(SERVICE, PERIOD, READ | WRITE), *more)
    values = {PERIOD: b"\x14\x00", BATTERY_LEVEL: b"\x57"} | options.pop("values", {})
    return plain("BBC micro:bit [tests]", *served, values=values, motion=DATA, packets=(SAMPLE,), **options)


BATTERY = Served(BATTERY_SERVICE, BATTERY_LEVEL, READ | NOTIFY)


async def test_the_battery_is_asked_for_after_the_start_and_again_later(among):
    rig = await among(board(BATTERY))
    async with rig.running(of="microbit", battery_every_s=0.1):
        await rig.until(lambda: len(levels(rig)) == 3)
    assert set(levels(rig)) == {b"\x57"}
    assert rig.frames.index(rig.of(Reading)[0]) > rig.frames.index(rig.of(Written)[0])  # the period comes first
    assert rig.of(Reading)[0].characteristic == PERIOD
    batteries = MICROBIT.new_decoder().feed(rig.frames).batteries
    assert [battery.percent for battery in batteries] == [87.0, 87.0, 87.0]


def levels(rig):
    return [frame.data for frame in rig.of(Reading) if frame.characteristic == BATTERY_LEVEL]


async def test_a_sensor_without_a_battery_service_streams_all_the_same(among):
    rig = await among(board())
    async with rig.running(of="microbit", battery_every_s=0.01):
        await rig.until(lambda: len(rig.of(Notification)) > 20)
    assert levels(rig) == []
    assert rig.of(LinkDown) == []


async def test_data_come_while_the_battery_does_not_answer(among):
    rig = await among(board(BATTERY))
    async with rig.running(of="microbit") as supervisor:
        await rig.until(lambda: len(levels(rig)) == 1)
        rig.sim.sensor.device.gatt_server.on_att_read_request = lambda *_: None  # it never answers again
        asking = asyncio.create_task(supervisor._ask_battery(supervisor._link))
        told = len(rig.of(Notification))
        await rig.until(lambda: len(rig.of(Notification)) > told + 50)
        assert len(levels(rig)) == 1
        asking.cancel()
    assert rig.of(LinkDown) == []


async def test_a_lost_link_ends_the_asking_and_the_next_one_asks_anew(among):
    rig = await among(board(BATTERY))
    async with rig.running(of="microbit", battery_every_s=1000.0):
        for number in range(1, 4):
            await rig.until(lambda number=number: len(levels(rig)) == number)
            if number < 3:
                rig.sim.cut_link()
    assert len(rig.of(LinkUp)) == 3
    assert not [task for task in asyncio.all_tasks() if "_ask_battery" in repr(task)]


def patient(*, refuses: bool):
    """The micro:bit's driver with a start that writes, then fails; its stop writes too."""

    def start(_rate_hz):
        yield Subscribe(DATA)
        yield Write(PERIOD, b"\x14\x00")
        if refuses:
            raise ScriptRefused("It would not start.")
        yield Await(PERIOD, timeout_s=0.2)

    def stop():
        yield Write(PERIOD, b"\x80\x02")

    return replace(MICROBIT, start=start, stop=stop)


@pytest.mark.parametrize(("refuses", "kind"), [(True, ScriptRefused), (False, ConnectionLost)])
async def test_a_start_that_fails_after_it_has_written_is_followed_by_a_stop(among, refuses, kind):
    """A Polar H10 that was started and is not stopped measures until its battery is empty."""
    rig = await among(board())
    supervisor = Supervisor(patient(refuses=refuses), rig.radio, rig.frames.append, first_timeout_s=0.1)
    with pytest.raises(kind):
        await supervisor.run(asyncio.Event())
    assert rig.firmware.written == [(PERIOD, b"\x14\x00"), (PERIOD, b"\x80\x02")]
    assert isinstance(rig.frames[-1], LinkDown)


async def test_an_end_in_the_midst_of_a_start_stops_the_sensor_too(among):
    rig = await among(board())
    slow = replace(patient(refuses=False), start=_never_ready)
    supervisor, stop = Supervisor(slow, rig.radio, rig.frames.append), asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    await rig.until(lambda: bool(rig.firmware.written))
    assert supervisor.status.state is LinkState.STARTING
    stop.set()
    await task
    assert rig.firmware.written[-1] == (PERIOD, b"\x80\x02")
    assert rig.of(LinkDown) == []


def _never_ready(_rate_hz):
    yield Write(PERIOD, b"\x14\x00")
    yield Await(PERIOD, timeout_s=1000.0)


async def test_a_sensor_that_lacks_the_service_is_refused_in_the_driver_s_sentence(among):
    rig = await among(plain("BBC micro:bit [tests]", BATTERY, values={BATTERY_LEVEL: b"\x57"}))
    with pytest.raises(ScriptRefused) as caught:
        await rig.supervisor("microbit", address=ADDRESS).run(asyncio.Event())
    assert str(caught.value) == (
        "This micro:bit's program has no accelerometer service; load one that has it, "
        "such as a MakeCode program with the block 'bluetooth accelerometer service'."
    )
    assert rig.frames == []


async def test_a_service_without_its_characteristics_is_refused_in_the_same_sentence(among):
    """What a micro:bit has when the memory for its services is full."""
    rig = await among(plain("BBC micro:bit [tests]", Served(SERVICE, BATTERY_LEVEL, READ)))
    with pytest.raises(ScriptRefused) as caught:
        await rig.supervisor("microbit", address=ADDRESS).run(asyncio.Event())
    assert str(caught.value) == MICROBIT.lacking
    assert [type(frame) for frame in rig.frames] == [LinkUp, LinkDown]
