"""The accelerated day, shortened: nothing is lost that the sensor sent, and what the process holds stays as it is."""

import asyncio
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def endurance() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
        yield import_module("endurance")


def test_time_passes_while_the_loop_waits_and_in_the_right_order(endurance: ModuleType) -> None:
    """An hour of timers takes no hour, and a timer of a second comes after a second of that clock."""
    marks: list[int] = []
    clock = endurance.Clock(600 * 10**9, marks.append)
    began_ns, told = clock.boot_ns(), list[tuple[str, float]]()

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        told.append((name, round((clock.boot_ns() - began_ns) / 1e9, 2)))

    async def run() -> None:
        await asyncio.gather(wait("hour", 3600), wait("second", 1), wait("minute", 60))

    loop = endurance.Loop(clock, speed=1e6)
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
    assert told == [("second", 1.0), ("minute", 60.0), ("hour", 3600.0)]
    assert marks == [1, 2, 3, 4, 5, 6]
    assert clock.utc_ns() > 0


@pytest.mark.slow
def test_a_quarter_of_an_hour_of_a_session_leave_no_trace(endurance: ModuleType) -> None:
    marks, held = endurance.run(1 / 4, mark_s=180, speed=2000)
    assert len(marks) in (4, 5)
    assert len({mark.descriptors for mark in marks}) == 1
    assert max(mark.tasks for mark in marks) - min(mark.tasks for mark in marks) <= 2
    assert max(mark.threads for mark in marks) - min(mark.threads for mark in marks) <= 1
    assert marks[-1].objects - marks[0].objects < 3000
    assert endurance.growth_mb(marks) < endurance.WANTED_GROWTH_MB
    assert held["closed"]
    assert held["damage"] == []
    assert (held["duplicates"], held["outages"]) == (0, 1), "one restart"
    assert held["alerts"] == held["alert_lines"]
    assert abs(held["duration_s"] - 900) < 15
    assert 40_000 < held["samples"] + held["lost_samples"] <= 45_100
