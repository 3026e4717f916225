"""Turns between samples: against motion whose rates and rotations are known in closed form."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

from companion.posture import turning
from companion.posture.turning import GYRO_DELAY_S, turns

PERIODS_S = (0.1, 0.04, 0.02, 0.01)


def test_a_gyroscope_reports_some_milliseconds_late():
    assert GYRO_DELAY_S == 0.0045


@pytest.mark.parametrize("period_s", [*PERIODS_S, 0.005, 0.001])
def test_a_constant_rate_is_that_rate(period_s):
    rates = np.tile([0.3, -1.2, 2.5], (7, 1))
    assert turns(rates, rates[:1], period_s) == pytest.approx(rates, abs=1e-12)


def late(rate, t_s):
    """What a gyroscope says at `t_s` of the true rate at any time."""
    return rate(t_s - GYRO_DELAY_S)


@pytest.mark.parametrize("period_s", PERIODS_S)
def test_a_rate_that_grows_evenly_gives_its_exact_mean_over_the_period(period_s):
    direction = np.array([0.6, -0.8, 0.0])  # one direction: nothing of it does not commute

    def rate(t_s):
        return (0.7 + 3.0 * t_s)[:, None] * direction

    t_s = np.arange(20) * period_s
    said = late(rate, t_s)
    assert turns(said[1:], said[:1], period_s) == pytest.approx(rate(t_s[1:] - period_s / 2), abs=1e-12)


LINEAR = {  # period in s: weight of the newest rate, of the one before
    0.1: (0.545, 0.455),
    0.04: (0.6125, 0.3875),
    0.02: (0.725, 0.275),
    0.01: (0.95, 0.05),
    0.009: (1.0, 0.0),
    0.005: (1.0, 0.0),  # never further ahead than the newest sample
    0.0001: (1.0, 0.0),
}


@pytest.mark.parametrize(("period_s", "weights"), LINEAR.items())
def test_how_much_each_of_two_rates_counts(period_s, weights):
    made = turns(np.array([[4.0, 0.0, 0.0]]), np.array([[-2.0, 0.0, 0.0]]), period_s)
    assert made == pytest.approx(np.array([[weights[0] * 4.0 - weights[1] * 2.0, 0.0, 0.0]]))


def test_the_part_that_does_not_commute_is_a_twelfth_of_the_cross_product():
    before, now = np.array([[1.0, 2.0, 3.0]]), np.array([[-2.0, 0.5, 4.0]])
    made = turns(now, before, 0.04) - (0.6125 * now + 0.3875 * before)
    assert made == pytest.approx(0.04 / 12 * np.array([[6.5, -10.0, 4.5]]))


def turned_apart_rad(rate, t_s, first, said, period_s):
    """Between the rotation over `t_s` as `turns` makes it and as the rates make it."""

    def change(t, flat):
        x, y, z = rate(np.array([t]))[0]
        return (flat.reshape(3, 3) @ np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])).ravel()

    end = solve_ivp(change, (t_s[0], t_s[-1]), np.eye(3).ravel(), rtol=1e-12, atol=1e-13).y[:, -1].reshape(3, 3)
    made = Rotation.identity()
    for turn in turns(said, first, period_s) * period_s:
        made = made * Rotation.from_rotvec(turn)
    return float((Rotation.from_matrix(end).inv() * made).magnitude())


def test_rates_that_grow_evenly_and_turn_are_exact_up_to_the_fifth_order_of_the_period(monkeypatch):
    monkeypatch.setattr(turning, "GYRO_DELAY_S", 0.0)

    def rate(t_s):
        return np.array([2.0, 0.0, 0.5]) + np.asarray(t_s)[:, None] * np.array([0.0, 6.0, -3.0])

    errors = []
    for period_s in (0.08, 0.04):
        ends = np.array([0.0, period_s])
        said = rate(ends)
        errors.append(turned_apart_rad(rate, ends, said[:1], said[1:], period_s))
    without = 0.08**3 / 12 * np.linalg.norm(np.cross([2.0, 0.0, 0.5], [0.0, 6.0, -3.0]))
    assert errors[0] < 0.02 * without
    assert errors[0] / errors[1] == pytest.approx(32, rel=0.2)


def smooth(t_s):
    """A trunk that sways, bends and turns at once, up to 3 rad/s."""
    t = np.asarray(t_s)
    angles = [0.8 * np.sin(1.9 * t), 0.9 * np.sin(2.7 * t + 0.5), 0.5 * np.cos(3.3 * t)]
    return Rotation.from_euler("ZYX", np.stack(angles, axis=-1))


def rates_of(rotation, t_s, step_s=1e-4):
    return (rotation(t_s - step_s).inv() * rotation(t_s + step_s)).as_rotvec() / (2 * step_s)


def sway_error_rad(period_s, gyroscope_s=0.0):
    t_s = np.arange(0.0, 8.0 + period_s / 2, period_s)
    said = rates_of(smooth, t_s - gyroscope_s)
    made, worst = smooth(0.0), 0.0
    for now, turn in zip(t_s[1:], turns(said[1:], said[:1], period_s) * period_s, strict=True):
        made = made * Rotation.from_rotvec(turn)
        worst = max(worst, float((smooth(now).inv() * made).magnitude()))
    return worst


@pytest.mark.parametrize("period_s", [0.08, 0.04])
def test_half_the_period_lessens_the_error_of_a_smooth_turn_by_four_to_eight_times(period_s, monkeypatch):
    monkeypatch.setattr(turning, "GYRO_DELAY_S", 0.0)
    assert 3.8 < sway_error_rad(period_s) / sway_error_rad(period_s / 2) < 8.5


@pytest.mark.parametrize(("period_s", "most_deg"), [(0.04, 0.28), (0.02, 0.08)])
def test_a_late_gyroscope_turns_with_the_body(period_s, most_deg):
    assert np.degrees(sway_error_rad(period_s, GYRO_DELAY_S)) < most_deg
    assert np.degrees(sway_error_rad(period_s, 0.0)) > 2 * most_deg  # one that reported at once would be taken ahead


def test_without_a_sample_before_the_first_counts_for_itself():
    rates = np.array([[0.5, -0.1, 2.0], [0.7, 0.3, 1.0]])
    assert turns(rates, rates[:1], 0.02)[0] == pytest.approx(rates[0])


def test_any_cut_gives_the_same_bits():
    rates = np.random.default_rng(3).normal(0, 2, (50, 3))
    whole = turns(rates, rates[:1], 0.02)
    for cut in range(1, 50):
        parts = turns(rates[:cut], rates[:1], 0.02), turns(rates[cut:], rates[cut - 1 : cut], 0.02)
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_its_arguments_stay_as_they_are():
    rates, before = np.ones((4, 3)), np.full((1, 3), 2.0)
    turns(rates, before, 0.02)
    assert (rates == 1.0).all()
    assert (before == 2.0).all()
