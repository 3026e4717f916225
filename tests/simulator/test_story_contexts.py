"""What the contexts make of the stories: walking, lying, a sensor on the table, and what is none of them."""

from itertools import groupby

import numpy as np
import pytest

import companion
import firmware_protocol as fp
from companion.simulator.stories import body_of


def told(story: str, rate_hz: float = 50.0, gyroscope: bool = True) -> list[tuple[str, float]]:
    """The contexts in their order, each with its length in seconds."""
    body = body_of(story)
    count = round(body.duration_s * rate_hz)
    acc, gyr = body.sample(rate_hz, 0, count)
    times_ns = np.round(np.arange(count) * 1e9 / rate_hz).astype(np.int64)
    samples = fp.make_samples(acc, gyr if gyroscope else None, t_device_ns=times_ns, index=np.arange(count))
    baseline = companion.Calibration.from_axes(body.up_sensor, body.forward_sensor)
    contexts = companion.analyse(samples, baseline).posture["context"].tolist()
    return [(companion.CONTEXTS[context], len(list(those)) / 5) for context, those in groupby(contexts)]


def seconds(found: list[tuple[str, float]], context: str) -> float:
    return sum(length_s for name, length_s in found if name == context)


@pytest.mark.parametrize("gyroscope", [True, False])
@pytest.mark.parametrize("rate_hz", [12.5, 50.0, 200.0])
def test_who_lies_down_lies_and_who_bends_to_the_floor_does_not(rate_hz: float, gyroscope: bool) -> None:
    found = told("lie-down", rate_hz, gyroscope)
    lying = [length_s for name, length_s in found if name == "lying"]
    assert lying == [pytest.approx(90.0, abs=1.5)]  # the back and the side are one stretch
    assert seconds(found, "not_worn") == 0


@pytest.mark.parametrize("gyroscope", [True, False])
@pytest.mark.parametrize("rate_hz", [12.5, 25.0, 50.0, 100.0, 200.0])
def test_walks_are_told_at_any_rate(rate_hz: float, gyroscope: bool) -> None:
    found = told("walk-and-sit", rate_hz, gyroscope)
    walks = [length_s for name, length_s in found if name == "walking" and length_s > 2]
    assert walks == [pytest.approx(39.0, abs=1.5), pytest.approx(29.0, abs=1.5)]
    assert seconds(found, "walking") < sum(walks) + 1


@pytest.mark.parametrize("gyroscope", [True, False])
def test_a_sensor_on_the_table_is_not_worn_after_two_minutes_and_until_it_is_taken_up(gyroscope: bool) -> None:
    found = told("upright:restuck_s=60,aside_s=300", gyroscope=gyroscope)
    away = [length_s for name, length_s in found if name == "not_worn"]
    assert away == [pytest.approx(300 - 120, abs=12)]
    assert found[-1] == ("still", pytest.approx(235, abs=2))


def test_a_minute_on_the_table_is_too_short_to_say() -> None:
    assert seconds(told("upright:restuck_s=60,aside_s=100"), "not_worn") == 0


@pytest.mark.parametrize("story", ["fidget", "desk-hour", "desk-hour:seed=3", "upright", "slouch-10min"])
def test_desk_work_is_neither_lying_nor_unworn(story: str) -> None:
    found = told(story)
    assert seconds(found, "lying") == seconds(found, "not_worn") == 0
    if not story.startswith("desk-hour"):
        assert seconds(found, "walking") == 0


@pytest.mark.parametrize("off_deg", [0.0, 25.0, -20.0, 44.0])
def test_computed_motion_without_any_noise_is_judged_for_an_hour(off_deg: float) -> None:
    count, off = 3600 * 25, np.radians(off_deg)
    acc = np.tile(9.80665 * np.array([-np.sin(off), 0.0, np.cos(off)]), (count, 1))
    samples = fp.make_samples(acc, np.zeros((count, 3)), t_device_ns=np.arange(count) * 40_000_000)
    rows = companion.analyse(samples, companion.Calibration.from_axes([0, 0, 1], [1, 0, 0])).posture
    assert {companion.CONTEXTS[context] for context in rows["context"][15:]} == {"still"}
