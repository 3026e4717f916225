"""What the system says of its Bluetooth, and whether this computer slept: who waits is told at once."""

import asyncio
from dataclasses import dataclass

import pytest

from companion.errors import ConnectionLost, KeysRefused
from companion.link.conditions import Conditions
from companion.link.reasons import Reasons
from companion.link.status import (
    ADAPTER_GONE,
    BLUETOOTH_OFF,
    FORGOTTEN,
    LINK_LOST,
    NO_ANSWER,
    SERVICE_STOPPED,
)
from companion.link.wakefulness import Wakefulness

S = 1_000_000_000


async def test_what_is_being_done_is_ended_when_conditions_change():
    conditions = Conditions()
    waiting = asyncio.create_task(conditions.unless_changed(asyncio.sleep(1000, "done")))
    await asyncio.sleep(0)
    conditions.tell("")  # it was known to be so
    await asyncio.sleep(0.01)
    assert not waiting.done()
    conditions.tell(BLUETOOTH_OFF)
    assert await waiting is None
    assert await conditions.unless_changed(asyncio.sleep(0, "done")) == "done"
    assert len(asyncio.all_tasks()) == 1


async def test_a_nudge_ends_it_without_a_trouble():
    told: list[str] = []
    conditions = Conditions(told.append)
    waiting = asyncio.create_task(conditions.unless_changed(asyncio.sleep(1000)))
    await asyncio.sleep(0)
    conditions.nudge()
    assert await waiting is None
    assert (told, conditions.trouble, conditions.known) == ([], "", False)


async def test_each_change_is_told_once():
    told: list[str] = []
    conditions = Conditions(told.append)
    for trouble in ("", BLUETOOTH_OFF, BLUETOOTH_OFF, ADAPTER_GONE, "", ""):
        conditions.tell(trouble)
    assert told == [BLUETOOTH_OFF, ADAPTER_GONE, ""]
    assert conditions.known


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(10, 10), (20, 20)], [False, False]),  # awake
        ([(10, 10), (3610, 10), (3620, 20)], [False, True, False]),  # asleep for an hour: told once
        ([(11.9, 10), (12, 10)], [False, False]),  # shorter than a sleep, also in two halves
        ([(8, 10)], [False]),  # the clock of waits may be ahead by what it was read later
    ],
)
def test_a_sleep_is_seen_by_two_clocks(steps: list[tuple[float, float]], expected: list[bool]):
    now = {"boot": 0.0, "waits": 0.0}
    wakefulness = Wakefulness(lambda: round(now["boot"] * S), lambda: round(now["waits"] * S))
    seen = []
    for now["boot"], now["waits"] in steps:
        seen.append(wakefulness.slept())
    assert seen == expected


@dataclass
class Bonded:
    """As much of a link as reasons look at."""

    is_bonded: bool = True


async def test_the_reason_of_a_loss_is_what_the_system_says_a_moment_later():
    conditions = Conditions()
    reasons = Reasons(conditions)
    assert await reasons.of_loss() == LINK_LOST
    conditions.tell("")
    asking = asyncio.create_task(reasons.of_loss())
    await asyncio.sleep(0.03)
    conditions.tell(BLUETOOTH_OFF)
    assert await asking == BLUETOOTH_OFF
    asking = asyncio.create_task(reasons.of_loss())
    await asyncio.sleep(0)
    conditions.tell("")  # a service that was back within the moment
    assert await asking == BLUETOOTH_OFF


def test_what_is_in_the_way_follows_the_system_and_returns_to_what_was_before():
    conditions = Conditions()
    reasons = Reasons(conditions)
    conditions.tell(SERVICE_STOPPED)
    reasons.went(SERVICE_STOPPED)
    assert reasons.in_the_way == SERVICE_STOPPED
    conditions.tell("")
    assert reasons.in_the_way == LINK_LOST
    reasons.failed(ConnectionLost("..."))
    assert reasons.in_the_way == NO_ANSWER
    reasons.failed(KeysRefused("..."))
    conditions.tell(SERVICE_STOPPED)
    assert reasons.in_the_way == FORGOTTEN


@pytest.mark.parametrize(
    ("deaths", "expected"),
    [
        ([(SERVICE_STOPPED, True)] * 3, [False, True, True]),
        ([(SERVICE_STOPPED, False)] * 3, [False, False, False]),  # no keys, so it was not of keys
        ([(BLUETOOTH_OFF, True)] * 3, [False, False, False]),
        ([(SERVICE_STOPPED, True), ("", True), (SERVICE_STOPPED, True)], [False, False, False]),
    ],
)
def test_a_service_that_dies_twice_in_a_row_while_it_connects_died_of_keys(deaths, expected):
    conditions = Conditions()
    reasons = Reasons(conditions)
    told = []
    for trouble, bonded in deaths:
        conditions.tell(trouble)
        told.append(reasons.are_keys(Bonded(bonded)))
    assert told == expected
