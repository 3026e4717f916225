"""The scale of a wearer: own range, own direction, limit, kind; and what it makes of the rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import companion
import firmware_protocol as fp
from companion.posture.calibration import Calibration
from companion.posture.rows import State
from companion.posture.slouch import Scale, SlouchStage, kind_of, scale_of
from companion.posture.stage import ROWS
from companion.settings import Settings

BODY = Calibration.from_axes(up=[0, 0, 1], forward=[1, 0, 0])


def up(sagittal_deg: float, lateral_deg: float = 0.0) -> tuple[float, float, float]:
    """The up vector of a lean, forward and to the right positive."""
    x, y = -np.tan(np.radians(sagittal_deg)), np.tan(np.radians(lateral_deg))
    vector = np.array([x, y, 1.0])
    return tuple(vector / np.linalg.norm(vector))


def slouching(sagittal_deg: float, lateral_deg: float = 0.0, **more) -> Calibration:
    return replace(BODY, slouch=up(sagittal_deg, lateral_deg), **more)


def angles(calibration: Calibration, *ups: tuple[float, float, float], range_deg: float = 30.0) -> np.ndarray:
    rows = np.zeros(len(ups), dtype=ROWS)
    rows["up"], rows["gyro"], rows["rate_hz"] = ups, True, 50.0
    stage = SlouchStage(calibration, range_deg)
    return stage.step(stage.start(), rows)[1]


DEVIATIONS = [
    # the wearer's own slouch, where the trunk is now, degrees along the slouch, per cent of the range
    ((24, 0), (24, 0), 24.0, 100.0),
    ((24, 0), (12, 0), 12.0, 50.0),
    ((24, 0), (-12, 0), -12.0, -50.0),
    ((24, 0), (48, 0), 48.0, 200.0),
    ((24, 0), (0, 20), 0.0, 0.0),
    ((-20, 0), (-20, 0), 20.0, 100.0),
    ((-20, 0), (-10, 0), 10.0, 50.0),
    ((-20, 0), (10, 0), -10.0, -50.0),
    ((0, 15), (0, 15), 15.0, 100.0),
    ((0, -15), (0, 15), -15.0, -100.0),
    ((20, 20), (20, 20), 27.2, 100.0),
    ((20, 20), (20, -20), 0.0, 0.0),
]


@pytest.mark.parametrize(("slouch", "now", "deviation_deg", "slouch_pct"), DEVIATIONS)
def test_deviation_runs_along_the_own_slouch(slouch, now, deviation_deg, slouch_pct):
    calibration = slouching(*slouch)
    row = angles(calibration, up(*now), range_deg=calibration.own_range_deg)[0]
    assert row["deviation_deg"] == pytest.approx(deviation_deg, abs=0.05)
    assert row["slouch_pct"] == pytest.approx(slouch_pct, abs=0.2)
    assert row["sagittal_deg"] == pytest.approx(now[0])
    assert row["lateral_deg"] == pytest.approx(now[1])


def test_without_an_own_slouch_deviation_is_sagittal_bit_for_bit():
    ups = np.random.default_rng(0).normal(size=(500, 3))
    rows = angles(BODY, *map(tuple, ups))
    np.testing.assert_array_equal(rows["deviation_deg"], rows["sagittal_deg"])
    np.testing.assert_array_equal(rows["slouch_pct"], 100 * rows["sagittal_deg"] / 30.0)


@given(st.floats(-175, 175), st.floats(0, 359), st.floats(5, 60))
def test_angles_beyond_the_horizontal_go_on_growing(turn_deg, way_deg, range_deg):
    way, turn = np.radians(way_deg), np.radians(turn_deg)
    h = np.array([np.cos(way), np.sin(way), 0.0])

    def at(angle_rad):
        return tuple(np.sin(angle_rad) * h + np.cos(angle_rad) * np.array([0, 0, 1.0]))

    calibration = replace(BODY, slouch=at(np.radians(range_deg)))
    row = angles(calibration, at(turn), range_deg=calibration.own_range_deg)[0]
    assert row["deviation_deg"] == pytest.approx(turn_deg, abs=1e-6)
    assert row["slouch_pct"] == pytest.approx(100 * turn_deg / range_deg, abs=1e-4)


def test_any_cut_gives_the_same_bits():
    ups = np.random.default_rng(1).normal((0, 0, 2), 0.5, size=(300, 3))
    ups[::17] = np.nan
    calibration = slouching(-14, 9)
    whole = angles(calibration, *map(tuple, ups))
    parts = np.concatenate([angles(calibration, *map(tuple, ups[i : i + 7])) for i in range(0, 300, 7)])
    for name in ROWS.names:
        assert parts[name].tobytes() == whole[name].tobytes(), name


SCALES = [
    (None, "sitting", None, Scale(30.0, 12.0)),
    (None, "standing", None, Scale(17.5, 7.0)),
    (BODY, "standing", None, Scale(17.5, 7.0)),
    (BODY, "sitting", 9.0, Scale(30.0, 9.0)),
    (slouching(25), "sitting", None, Scale(25.0, 10.0)),
    (slouching(-20), "standing", None, Scale(20.0, 8.0)),
    (slouching(25), "sitting", 15.0, Scale(25.0, 15.0)),
    (slouching(10, uncertainty_deg=0.5), "sitting", None, Scale(10.0, 4.0)),
    (slouching(6), "sitting", None, Scale(6.0, 3.0)),  # three of the uncertainty of 1°
    (slouching(6, uncertainty_deg=2.0), "sitting", None, Scale(6.0, 4.5)),  # three quarters of the range
]


@pytest.mark.parametrize(("calibration", "kind", "set_deg", "scale"), SCALES)
def test_the_scale_is_the_wearers(calibration, kind, set_deg, scale):
    found = scale_of(calibration, kind, set_deg)
    assert (found.range_deg, found.limit_deg) == pytest.approx((scale.range_deg, scale.limit_deg))


KINDS = [
    (None, "desk", "sitting"),
    (None, "standing", "standing"),
    (None, "kitchen", "sitting"),
    (BODY, "standing", "standing"),  # of another profile: it does not say
    (replace(BODY, profile="kitchen", kind="standing"), "kitchen", "standing"),
    (replace(BODY, profile="kitchen", kind="standing"), "desk", "sitting"),
    (replace(BODY, profile="desk", kind="standing"), "desk", "standing"),
]


@pytest.mark.parametrize(("calibration", "profile", "kind"), KINDS)
def test_the_kind_is_the_calibrations_where_it_is_of_this_profile(calibration, profile, kind):
    settings = Settings.of({"profile": profile})
    assert kind_of(calibration, settings.profile, settings.kind) == kind


def analysed(calibration: Calibration, *parts: tuple[float, float], **settings):
    """The result of leaning for (degrees forward, seconds), one after the other."""
    course = np.concatenate([np.full(round(seconds * 50), float(deg)) for deg, seconds in parts])
    course = np.convolve(np.pad(course, 50, mode="edge"), np.ones(101) / 101, mode="valid")
    acc = 9.80665 * np.array([up(deg) for deg in course])
    gyr = np.zeros_like(acc)
    gyr[:, 1] = np.gradient(np.radians(course)) * 50
    samples = fp.make_samples(acc, gyr, t_device_ns=np.arange(len(acc)) * 20_000_000)
    return companion.analyse(samples, calibration, companion.Settings.of(settings))


def test_a_wearer_who_slouches_backwards_is_alerted_when_they_do():
    result = analysed(slouching(-20), (0, 10), (-20, 60), (0, 15))
    assert (result.summary["episodes"], result.summary["alerts"]) == (1, 1)
    assert result.summary["reclined_s"] == 0
    rows = result.posture
    held = rows[(rows["t_session_ns"] > 15e9) & (rows["t_session_ns"] < 65e9)]
    assert set(held["state"]) == {State.FORWARD}
    assert held["sagittal_deg"] == pytest.approx(-20, abs=0.3)
    assert held["slouch_pct"] == pytest.approx(100, abs=2)


def test_leaning_back_is_reclined_for_whoever_slouches_forward():
    for calibration in (BODY, slouching(24), slouching(20, 10)):
        result = analysed(calibration, (0, 10), (-20, 40), (0, 5))
        assert result.summary["episodes"] == 0
        assert result.summary["reclined_s"] > 30


def test_leaning_forward_is_not_reclined_for_whoever_slouches_backwards():
    result = analysed(slouching(-20), (0, 10), (20, 40), (0, 5))
    assert (result.summary["episodes"], result.summary["reclined_s"]) == (0, 0)


def test_the_limit_is_two_fifths_of_the_own_range_unless_it_is_set():
    course = ((0, 10), (9, 30), (0, 5))
    assert analysed(slouching(18), *course).summary["episodes"] == 1
    assert analysed(slouching(30), *course).summary["episodes"] == 0
    assert analysed(BODY, *course).summary["episodes"] == 0
    assert analysed(slouching(18), *course, **{"slouch.limit_deg": "12"}).summary["episodes"] == 0
    assert analysed(BODY, *course, profile="standing").summary["episodes"] == 1


def test_a_calibration_is_read_back_exactly_and_old_ones_are_understood():
    full = slouching(18, 4, kind="standing", profile="kitchen", difference_deg=0.4, axis_sigma_deg=1.5, wobble_deg=0.1)
    assert Calibration.from_json(full.to_json()) == full
    old = '{"up": [0, 0, 1], "forward": [1, 0, 0], "uncertainty_deg": 0.3, "profile": "standing"}'
    assert Calibration.from_json(old).kind == "standing"
    assert replace(full, walking=(0.0, 0.0, 1.0)).calibration_id == full.calibration_id
    assert replace(full, axis_sigma_deg=2.0).calibration_id != full.calibration_id
    wrong_figures = ('"wobble_deg": "x"', '"difference_deg": []', '"uncertainty_deg": NaN', '"spread_deg": -5')
    for wrong in ('"kind": "lying"', '"slouch": [0, 0, 0]', '"profile": 5', '"forward": [0.6, 0, 0.8]', *wrong_figures):
        with pytest.raises(ValueError, match=r".+"):
            Calibration.from_json('{"up": [0, 0, 1], "forward": [1, 0, 0], ' + wrong + "}")
