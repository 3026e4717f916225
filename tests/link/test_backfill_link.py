"""What did not come is fetched over real GATT: while motion flows, through losses, and none of it twice."""

import asyncio
from dataclasses import replace

import pytest

from companion.link.supervisor import Supervisor
from companion.simulator.ledger import Fate
from firmware_protocol import LinkDown, LinkUp, Notification, Read, Reading, Script, Written, driver
from firmware_protocol.posture_v1 import packets as p


def answers(rig) -> list[p.Answer]:
    return [p.parse_answer(f.data) for f in rig.of(Notification) if f.characteristic == p.CONTROL]


def commands(rig) -> list[p.Command]:
    return [p.parse_command(frame.data) for frame in rig.of(Written)]


def fetches(rig) -> list[p.Fetch]:
    return [command for command in commands(rig) if isinstance(command, p.Fetch)]


def motion(rig, *, backfilled: bool) -> list[Notification]:
    every = [f for f in rig.of(Notification) if f.characteristic == p.MOTION]
    return [frame for frame in every if bool(frame.data[0] & p.MotionKind.BACKFILLED) is backfilled]


def sent(rig) -> int:
    """How many samples the sensor has sent out of its buffer."""
    return sum(span.count for span in rig.firmware.ledger.backfilled)


async def until_fetched(rig) -> None:
    """Wait until the sensor has sent all that it did not send live, and said so."""
    ledger = rig.firmware.ledger
    await rig.until(lambda: sent(rig) >= ledger.samples(Fate.LOST) > 0)
    written = len(fetches(rig))
    await rig.until(lambda: sum(isinstance(answer, p.FetchDone) for answer in answers(rig)) >= written)


def nothing_is_lost(rig) -> None:
    decoded, ledger = rig.decoded(), rig.firmware.ledger
    assert (decoded.lost, decoded.duplicates, decoded.malformed) == (0, 0, ())
    assert sorted(decoded.samples["index"].tolist()) == list(range(ledger.taken[0]))


async def test_two_minutes_out_of_range_are_fetched_while_motion_flows(on_air):
    rig = await on_air("upright", "link@40+120", speed=80.0)
    async with rig.running():
        await until_fetched(rig)
    nothing_is_lost(rig)
    lost = rig.firmware.ledger.samples(Fate.LOST)
    assert lost > 120 * 50 - 24
    assert rig.firmware.ledger.sent_again(0) == 0
    assert [frame.cause for frame in rig.of(LinkDown)] == ["link lost"]
    assert [fetch.count for fetch in fetches(rig)][:4] == [1500] * 4
    assert sum(filled.count for filled in rig.decoded().filled) == lost
    old, live = motion(rig, backfilled=True), motion(rig, backfilled=False)
    meanwhile = [frame for frame in live if old[0].t_host_ns < frame.t_host_ns < old[-1].t_host_ns]
    assert len(meanwhile) >= len(old) * 30 / 240 - 5  # a live packet each 240 ms, a backfilled one each 30 ms


async def test_without_a_buffer_the_gap_stays(on_air):
    rig = await on_air("upright", "link@30+20", "no-buffer", speed=40.0)
    async with rig.running():
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
        await rig.until_story(rig.sim.story_s() + 60)
    decoded, ledger = rig.decoded(), rig.firmware.ledger
    assert decoded.lost == ledger.samples(Fate.LOST) > 20 * 50 - 24
    assert len(decoded.samples) + decoded.lost == ledger.taken[0]
    assert (fetches(rig), decoded.filled) == ([], ())


async def test_a_sensor_that_restarts_meanwhile_has_nothing_left_to_fetch(on_air):
    rig = await on_air("upright", "link@30+20", "reboot@40", speed=40.0)
    async with rig.running():
        await rig.until(lambda: len(rig.of(LinkUp)) == 2)
        await rig.until_story(rig.sim.story_s() + 60)
    decoded, ledger = rig.decoded(), rig.firmware.ledger
    assert (fetches(rig), decoded.filled, decoded.duplicates) == ([], (), 0)
    assert len(decoded.segments) == 2
    assert len(decoded.samples) == ledger.samples(Fate.SENT)
    assert ledger.samples(Fate.LOST, run=0) > 9 * 50


@pytest.mark.slow
async def test_a_link_that_is_lost_during_a_fetch_costs_nothing(on_air):
    rig = await on_air("upright", "link@10+60", speed=20.0)
    async with rig.running():
        await rig.until(lambda: sent(rig) > 240)
        rig.sim.cut_link()
        await rig.until(lambda: len(rig.of(LinkUp)) == 3)
        await rig.until(lambda: sent(rig) >= rig.firmware.ledger.samples(Fate.LOST))
        await rig.until(lambda: rig.decoded().lost == 0)
    nothing_is_lost(rig)
    assert len(rig.of(LinkDown)) == 2


@pytest.mark.slow
async def test_an_orderly_end_in_the_middle_of_a_fetch(on_air):
    rig = await on_air("upright", "link@10+60", speed=20.0)
    async with rig.running():
        await rig.until(lambda: sent(rig) > 240)
    decoded, ledger = rig.decoded(), rig.firmware.ledger
    assert [type(command) for command in commands(rig)][-2:] == [p.Fetch, p.Stop]
    assert [type(answer) for answer in answers(rig)].count(p.Stopped) == 1
    assert (decoded.duplicates, decoded.malformed) == (0, ())
    assert len(decoded.samples) + decoded.lost == ledger.taken[0]
    assert 0 < decoded.lost < ledger.samples(Fate.LOST)


def _ask() -> Script:
    yield Read(p.STATUS)


@pytest.mark.slow
async def test_who_asks_for_the_battery_meanwhile_has_an_answer_too(on_air):
    rig = await on_air("upright", "link@10+30", speed=20.0)
    asking = replace(driver("posture_v1"), ask_battery=_ask)
    stop = asyncio.Event()
    supervisor = Supervisor(asking, rig.radio, rig.frames.append, on_status=rig.statuses.append, battery_every_s=0.05)
    running = asyncio.create_task(supervisor.run(stop))
    await until_fetched(rig)
    stop.set()
    await running
    nothing_is_lost(rig)
    assert len([reading for reading in rig.of(Reading) if reading.characteristic == p.STATUS]) > 10
    assert not [task for task in asyncio.all_tasks() if "keep_filling" in repr(task)]
