"""Posture from plain arrays: angles, mountings, gaps, what must not reach the filter."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import companion
import firmware_protocol as fp

RATE_HZ = 50.0
PERIOD_NS = 20_000_000
BODY = companion.Calibration.from_axes(up=[0, 0, 1], forward=[1, 0, 0])


def lean(*parts: tuple[float, float]) -> np.ndarray:
    """Degrees forward at each sample, from (angle, seconds): 1.5 s from one angle to the next, then held."""
    made, now = [], parts[0][0]
    for angle, seconds in parts:
        part = np.clip(np.arange(round(seconds * RATE_HZ)) / (1.5 * RATE_HZ), 0, 1)
        made.append(now + (angle - now) * part * part * (3 - 2 * part))
        now = angle
    return np.concatenate(made)


def motion(sagittal_deg: np.ndarray, *, mounting: Rotation | None = None, seed: int = 0, noisy: bool = True):
    """Acceleration and rate of a sensor that leans so: x forward, y left, z up in the body's frame."""
    rng = np.random.default_rng(seed)
    angle = np.radians(sagittal_deg)
    acc = 9.80665 * np.stack([-np.sin(angle), 0 * angle, np.cos(angle)], axis=1)
    gyr = np.stack([0 * angle, np.gradient(angle) * RATE_HZ, 0 * angle], axis=1)
    if noisy:
        acc, gyr = acc + rng.normal(0, 0.015, acc.shape), gyr + rng.normal(0, 0.001, gyr.shape)
    return (acc, gyr) if mounting is None else (mounting.apply(acc), mounting.apply(gyr))


def samples(acc, gyr=None, index=None):
    times = np.arange(len(acc)) if index is None else index
    return fp.make_samples(acc, gyr, t_device_ns=times * PERIOD_NS, index=index)


def turned(mounting: Rotation) -> companion.Calibration:
    return companion.Calibration.from_axes(mounting.apply([0, 0, 1]), mounting.apply([1, 0, 0]))


@pytest.mark.parametrize("with_gyroscope", [True, False])
def test_angles_follow_a_lean_and_signs_are_as_documented(with_gyroscope):
    acc, gyr = motion(lean((0, 10), (25, 20), (-20, 20)))
    result = companion.analyse(samples(acc, gyr if with_gyroscope else None), BODY)
    t_s, rows = result.posture["t_session_ns"] / 1e9, result.posture
    assert rows["sagittal_deg"][(t_s > 15) & (t_s < 30)] == pytest.approx(25, abs=0.3)
    assert rows["sagittal_deg"][t_s > 35] == pytest.approx(-20, abs=0.3)
    assert rows["lateral_deg"][t_s > 3] == pytest.approx(0, abs=0.3)
    assert rows["slouch_pct"][(t_s > 15) & (t_s < 30)] == pytest.approx(100 * 25 / 30, abs=1)
    assert {companion.STATES[state] for state in rows["state"][t_s > 35]} == {"reclined"}
    assert result.summary["duration_s"] == 50.0
    assert result.summary["samples"] == 2500


def test_leaning_right_is_positive():
    acc, gyr = motion(lean((0, 5), (20, 15)))
    quarter = Rotation.from_euler("z", -90, degrees=True)  # the lean that was forward is to the right now
    rows = companion.analyse(samples(quarter.apply(acc), quarter.apply(gyr)), BODY).posture
    assert rows["lateral_deg"][-1] == pytest.approx(20, abs=0.3)
    assert rows["sagittal_deg"][-1] == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("seed", range(4))
def test_any_mounting_gives_the_same_angles(seed):
    course = lean((0, 10), (25, 20), (10, 10), (40, 5), (0, 15))
    mounting = Rotation.random(random_state=seed)
    plain = companion.analyse(samples(*motion(course)), BODY).posture
    other = companion.analyse(samples(*motion(course, mounting=mounting)), turned(mounting)).posture
    for name in ("sagittal_deg", "lateral_deg"):
        assert other[name] == pytest.approx(plain[name], abs=0.1, nan_ok=True)


def test_durations_add_up():
    acc, gyr = motion(lean((0, 10), (25, 60), (0, 10)))
    summary = companion.analyse(samples(acc, gyr), BODY).summary
    judged = ("in_range_s", "forward_s", "reclined_s", "unjudged_s")
    contexts = ("still_s", "moving_s", "walking_s", "lying_s", "settling_s", "no_data_s", "not_worn_s")
    assert sum(summary[name] for name in judged) == pytest.approx(summary["still_s"])
    assert sum(summary[name] for name in contexts) == pytest.approx(summary["duration_s"])
    assert (summary["episodes"], summary["alerts"]) == (1, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
@pytest.mark.parametrize("field", ["acc_mps2", "gyr_radps"])
def test_one_impossible_value_is_forgotten_within_ten_seconds(field, value):
    acc, gyr = motion(lean((0, 10), (25, 30), (5, 20)))
    clean, spoiled = samples(acc, gyr), samples(acc, gyr)
    spoiled[field][1000, 1] = value
    ups = [companion.estimate_up(each) for each in (clean, spoiled)]
    off_deg = np.degrees(np.arccos(np.clip((ups[0] * ups[1]).sum(axis=1), -1, 1)))
    assert off_deg[1500:].max() < 0.5
    assert np.isfinite(ups[1]).all()


def test_lost_samples_are_seen_in_the_index():
    rng = np.random.default_rng(5)
    acc, gyr = motion(30 * np.sin(np.arange(6000) / 60))
    lost = np.repeat(rng.random(1200) < 0.05, 5)  # packets of five
    index = np.arange(6000)
    truth = companion.estimate_up(samples(acc, gyr))
    kept = ~lost
    with_index = companion.estimate_up(samples(acc[kept], gyr[kept], index=index[kept]))
    joined = companion.estimate_up(samples(acc[kept], gyr[kept]))
    off = [np.degrees(np.arccos(np.clip((up * truth[kept]).sum(axis=1), -1, 1))) for up in (with_index, joined)]
    assert np.sqrt(np.mean(off[0] ** 2)) < 0.5 * np.sqrt(np.mean(off[1] ** 2))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("with_gyroscope", [True, False])
def test_estimate_up_gives_unit_vectors_for_every_sample(causal, with_gyroscope):
    acc, gyr = motion(lean((0, 5), (25, 10)))
    gappy = samples(acc, gyr if with_gyroscope else None)
    gappy["acc_mps2"][[0, 100, 749], 0] = np.nan
    gappy["t_device_ns"][400:] += 5_000_000_000
    up = companion.estimate_up(gappy, causal=causal)
    assert up.shape == (750, 3)
    assert np.linalg.norm(up, axis=1) == pytest.approx(1)


def test_without_calibration_nothing_is_judged():
    result = companion.analyse(samples(*motion(lean((0, 5), (25, 60)))))
    assert np.isnan(result.posture["sagittal_deg"]).all()
    assert {companion.STATES[state] for state in result.posture["state"]} == {"unjudged", "unknown"}
    assert result.events == ()


def test_a_clock_is_needed():
    bare = fp.make_samples(np.ones((100, 3)))
    for use in (companion.estimate_up, companion.analyse):
        with pytest.raises(ValueError, match="t_device_ns or t_host_ns"):
            use(bare)


def test_settings_count():
    data = samples(*motion(lean((0, 10), (25, 60), (0, 10))))
    strict = companion.Settings.of({"alert.delay": "10s", "alert.repeat": "20s"})
    assert companion.analyse(data, BODY, strict).summary["alerts"] == 3
    assert companion.analyse(data, BODY, companion.Settings.of({"mode": "track"})).summary["alerts"] == 0
    assert companion.analyse(data, BODY, companion.Settings.of({"slouch.limit_deg": 30})).summary["episodes"] == 0


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_any_cut_of_an_analysis_gives_the_same_bits(size):
    data = samples(*motion(lean((0, 10), (25, 40), (0, 10))))
    whole = companion.analyse(data, BODY)
    run = companion.Analysis(BODY)
    for first in range(0, len(data), size):
        run.feed(data[first : first + size])
    result = run.close()
    assert result.posture.tobytes() == whole.posture.tobytes()
    assert result.events == whole.events
    assert result.summary == whole.summary


def test_no_samples_at_all():
    result = companion.analyse(fp.make_samples(np.empty((0, 3))))
    assert len(result.posture) == 0
    assert result.summary["duration_s"] == 0
    assert companion.estimate_up(fp.make_samples(np.empty((0, 3)))).shape == (0, 3)


def test_calibrations_that_mean_nothing_are_refused():
    for up, forward in (([0, 0, 0], [1, 0, 0]), ([0, 0, 1], [0, 0.05, 1]), ([np.nan, 0, 1], [1, 0, 0])):
        with pytest.raises(ValueError, match=r"up|forward"):
            companion.Calibration.from_axes(up, forward)
    axes = '{"up": [0,0,1], "forward": [1,0,%s]'
    texts = (
        "",
        "[]",
        "{}",
        '{"up": 3}',
        axes % 0 + ', "uncertainty_deg": "x"}',
        axes % ("1" * 400) + "}",
        "[" * 99_999,
    )
    typed = [
        axes % 0 + f', "{name}": {value}}}' for name in ("method", "taken_utc", "profile") for value in ("[]", "1")
    ]
    typed += [
        axes % 0 + f', "{name}": {value}}}' for name in ("axis_ratio", "wobble_deg") for value in ("[]", "{}", '"x"')
    ]
    for text in (*texts, *typed, axes % 0 + ', "uncertainty_deg": 1e308}', axes % 0 + ', "axis_ratio": NaN}'):
        with pytest.raises(ValueError):  # noqa: PT011 - json and we say different things
            companion.Calibration.from_json(text)
