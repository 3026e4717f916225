"""One connection over real GATT: what a script's steps do, and how a link ends."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from companion.errors import ConnectionLost, LinkError, PairingRefused
from companion.host import boot_ns
from companion.link.client import SensorLink, forget_bond
from companion.link.scan import find
from companion.link.waiting import within
from firmware_protocol import (
    Await,
    Notification,
    Read,
    Reading,
    ScriptRefused,
    Subscribe,
    Write,
    Written,
    driver,
)
from firmware_protocol.posture_v1 import packets as p

POSTURE = driver("posture_v1")
MODEL_NUMBER = "00002a24-0000-1000-8000-00805f9b34fb"
ATT_WRITE_REQUEST = 0x12


@asynccontextmanager
async def linked(rig, **options):
    """A link to the rig's sensor, opened; closed at the end."""
    found = await find(rig.radio, address=rig.sim.address)
    link = SensorLink(found.device, rig.radio, rig.frames.append, boot_ns)
    try:
        await link.open(POSTURE, **options)
        yield link
    finally:
        await link.close()


def replies_of(steps):
    """A script of these steps, and the list that its replies go into."""
    replies: list[bytes] = []

    def script():
        for step in steps:
            replies.append((yield step))

    return script(), replies


async def test_each_step_is_done_answered_and_told(on_air):
    rig = await on_air()
    identify = p.Identify().to_bytes()
    script, replies = replies_of(
        [Read(p.INFO), Subscribe(p.CONTROL), Write(p.CONTROL, identify), Await(p.CONTROL), Read(MODEL_NUMBER)]
    )
    async with linked(rig) as link:
        await link.run(script)
    info = rig.firmware.read(p.INFO, 0)
    answer = b"\x85\x00"
    assert replies == [info, b"", b"", answer, b"simulated posture_v1 sensor"]
    told = [(type(frame), frame.characteristic, frame.data) for frame in rig.frames]
    assert sorted(told, key=str) == sorted(
        [
            (Reading, p.INFO, info),
            (Written, p.CONTROL, identify),
            (Notification, p.CONTROL, answer),
            (Reading, MODEL_NUMBER, b"simulated posture_v1 sensor"),
        ],
        key=str,
    )


async def test_an_answer_that_came_before_it_was_awaited_counts_and_one_to_an_earlier_command_does_not(on_air):
    rig = await on_air()
    late = [Read(p.INFO)] * 3  # by then the answer has long arrived
    script, replies = replies_of(
        [
            Subscribe(p.CONTROL),
            Write(p.CONTROL, p.Time().to_bytes()),
            *late,
            Write(p.CONTROL, p.Identify().to_bytes()),
            *late,
            Await(p.CONTROL),
        ]
    )
    async with linked(rig) as link:
        await link.run(script)
    assert replies[-1] == b"\x85\x00"


async def test_what_is_not_accepted_is_passed_over_and_told_all_the_same(on_air):
    rig = await on_air()
    start = p.Start(50, 8, 1000, p.Layout.ACC_GYR).to_bytes()
    script, replies = replies_of(
        [
            Subscribe(p.CONTROL),
            Subscribe(p.MOTION),
            Write(p.CONTROL, start),
            Await(p.MOTION, accept=lambda data: p.Motion.from_bytes(data).index >= 24),
        ]
    )
    async with linked(rig) as link:
        await link.run(script)
    assert p.Motion.from_bytes(replies[-1]).index == 24
    motion = [frame.data for frame in rig.of(Notification) if frame.characteristic == p.MOTION]
    assert [p.Motion.from_bytes(data).index for data in motion[:3]] == [0, 12, 24]


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(on_air):
    rig = await on_air()
    script, _ = replies_of([Subscribe(p.CONTROL), Await(p.CONTROL, timeout_s=0.1)])
    async with linked(rig) as link:
        with pytest.raises(ConnectionLost, match="did not answer in time"):
            await link.run(script)


async def test_a_link_that_goes_while_an_answer_is_awaited_is_a_lost_link(on_air):
    rig = await on_air()
    script, _ = replies_of([Subscribe(p.CONTROL), Await(p.CONTROL, timeout_s=1000.0)])
    async with linked(rig) as link:
        asyncio.get_running_loop().call_later(0.1, rig.sim.cut_link)
        with pytest.raises(ConnectionLost, match="was lost"):
            await link.run(script)
        assert link.is_lost
        assert await link.wait_lost()
        with pytest.raises(ConnectionLost):
            await link.run(replies_of([Read(p.INFO)])[0])


async def test_a_link_that_goes_while_a_request_is_out_is_a_lost_link(on_air):
    rig = await on_air()
    async with linked(rig) as link:
        rig.sim.sensor.device.gatt_server.on_att_read_request = lambda *_: None  # it never answers
        asyncio.get_running_loop().call_later(0.1, rig.sim.cut_link)
        with pytest.raises(ConnectionLost, match="was lost"):
            await link.run(replies_of([Read(p.INFO)])[0])


async def test_subscribing_twice_subscribes_once(on_air):
    rig = await on_air()
    async with linked(rig) as link:
        before = len(rig.hci)
        await link.run(replies_of([Subscribe(p.STATUS), Subscribe(p.STATUS)])[0])
        await link.run(replies_of([Subscribe(p.STATUS)])[0])
        requests = [each for each in rig.hci[before:] if not each.to_host and each.data[9:10] == b"\x12"]
    assert len(requests) == 1


async def test_a_script_that_gives_up_is_heard(on_air):
    rig = await on_air()

    def script():
        yield Read(p.INFO)
        raise ScriptRefused("Not this one.")

    async with linked(rig) as link:
        with pytest.raises(ScriptRefused, match=r"Not this one\."):
            await link.run(script())


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (Read(p.MOTION), "refused a request .Read Not Permitted"),
        (Write(p.INFO, b"x"), "refused a request .Write Not Permitted"),
        (Subscribe(p.INFO), "refused a request .Request Not Supported"),
    ],
)
async def test_a_step_that_the_sensor_does_not_allow_is_an_error(on_air, step, sentence):
    rig = await on_air()
    async with linked(rig) as link:
        with pytest.raises(LinkError, match=sentence):
            await link.run(replies_of([step])[0])


@pytest.mark.parametrize("step", [Read(p.INFO), Write(p.CONTROL, b"\x03"), Subscribe(p.MOTION), Subscribe(p.CONTROL)])
async def test_without_pairing_the_sensor_gives_nothing_but_its_device_information(on_air, step):
    rig = await on_air()
    async with linked(rig, pair=False) as link:
        await link.run(replies_of([Read(MODEL_NUMBER)])[0])
        with pytest.raises(PairingRefused):
            await link.run(replies_of([step])[0])


async def test_a_bond_makes_pairing_needless_and_can_be_forgotten(on_air):
    rig = await on_air()
    async with linked(rig):
        pass
    async with linked(rig, pair=False) as link:
        await link.run(replies_of([Read(p.INFO)])[0])
    found = await find(rig.radio, address=rig.sim.address)
    await forget_bond(found.device, rig.radio)
    async with linked(rig, pair=False) as link:
        with pytest.raises(PairingRefused):
            await link.run(replies_of([Read(p.INFO)])[0])


async def test_a_sensor_that_has_lost_its_keys_can_be_paired_anew(on_air):
    rig = await on_air()
    async with linked(rig):
        pass
    rig.sim.sensor.forget_bonds()
    with pytest.raises(PairingRefused):
        async with linked(rig):
            pass
    found = await find(rig.radio, address=rig.sim.address)
    await forget_bond(found.device, rig.radio)
    async with linked(rig) as link:
        await link.run(replies_of([Read(p.INFO)])[0])
    assert len(rig.of(Reading)) == 1


async def test_after_silence_nothing_becomes_a_frame(on_air):
    rig = await on_air()
    async with linked(rig) as link:
        await link.run(POSTURE.start(None))
        await rig.until(lambda: len(rig.of(Notification)) > 5)
        link.silence()
        told = len(rig.frames)
        await rig.until_story(rig.sim.story_s() + 3)
    assert len(rig.frames) == told


async def test_the_mtu_is_told_and_fits_a_quarter_of_a_second(on_air):
    rig = await on_air()
    async with linked(rig) as link:
        assert link.mtu == 247
        await link.run(POSTURE.start(None))
        await rig.until(lambda: len(rig.of(Notification)) > 8)
    motion = [frame.data for frame in rig.of(Notification) if frame.characteristic == p.MOTION]
    assert {len(data) for data in motion} == {8 + 12 * 12}


async def test_the_wait_ends_with_the_loss_even_where_a_request_would_never_return():
    loss = asyncio.Event()
    asyncio.get_running_loop().call_soon(loss.set)
    with pytest.raises(ConnectionLost, match="was lost"):
        await within(asyncio.sleep(1000), 1000.0, loss)


async def test_what_will_not_be_cancelled_is_left_after_a_while(monkeypatch):
    monkeypatch.setattr("companion.link.waiting._ASK_AGAIN_S", 0.001)
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(ConnectionLost, match="in time"):
        await within(stubborn(), 0.01, asyncio.Event())
    release.set()
