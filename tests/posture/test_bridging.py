"""How far a level is believed after a hole: every figure worked out by hand."""

from math import sqrt

import numpy as np
import pytest

from companion.posture.bridging import Belief, missed_rad, push_g

G_MPS2 = 9.80665
UP = np.array([0.0, 0.0, 1.0])
BEND_SHARE = 0.3849001794597505  # 2 / 3 / sqrt(3)


VARIANCES = {
    "at a start one acceleration is all there is": (Belief(), 1, 0.01),
    "four of them leave a quarter": (Belief(), 4, 0.0025),
    "nothing since": (Belief(10, 0.002, 0.2), 0, 0.002),
    "as many new ones as the level was worth": (Belief(10, 0.002, 0.2), 10, 0.0015),  # (0.2 + 0.4) / 400
    "many": (Belief(10, 0.002, 0.2), 990, 3.98e-5),  # (0.2 + 39.6) / 10^6
}


@pytest.mark.parametrize(("belief", "taken", "expected"), VARIANCES.values(), ids=VARIANCES)
def test_the_variance_of_a_level_fades_as_samples_take_over(belief, taken, expected):
    assert belief.variance_after_rad2(taken) == pytest.approx(expected)
    assert Belief.variances_rad2([belief], np.array([1]), np.array([taken])) == pytest.approx([expected])


def test_variances_come_for_many_samples_at_once():
    first, second = Belief(), Belief(10, 0.002, 0.2)
    assert Belief.variances_rad2([first], np.array([4]), np.arange(1, 5)) == pytest.approx(
        [0.01, 0.005, 0.01 / 3, 0.0025]
    )
    both = Belief.variances_rad2([first, second], np.array([2, 1]), np.array([1, 2, 990]))
    assert both == pytest.approx([0.01, 0.005, 3.98e-5])


AFTER = {  # taken, most, missed, push: weight, variance
    "a small hole costs variance only": (10, 100, 0.03, 0.3, 20.0, 0.0024),
    "no level is worth more than the most": (10, 15, 0.03, 0.2, 15.0, 0.0024),
    "a level that lost more starts nearly anew": (10, 100, 0.15, 0.3, 10 / 3, 0.024),  # 1 / (1/4 + 1/20)
    "one that knows no better than one acceleration": (10, 100, 0.3, 0.3, 20 / 21, 0.0915),  # 1 / (1 + 1/20)
    "without a sample since the hole before": (0, 100, 0.03, 0.3, 10.0, 0.24 / 121 + 0.0009),
}


@pytest.mark.parametrize(("taken", "most", "missed", "push", "weight", "variance"), AFTER.values(), ids=AFTER)
def test_a_hole_changes_weight_and_variance(taken, most, missed, push, weight, variance):
    found = Belief(10, 0.002, 0.2).after(taken, most, missed, push)
    assert (found.weight, found.variance_rad2, found.push_g) == pytest.approx((weight, variance, push))


def test_a_wider_hole_is_never_believed_more():
    found = [Belief(50, 1e-4, 0.05).after(20, 100, missed, 0.05) for missed in np.geomspace(1e-4, 1, 40)]
    weights, variances = [each.weight for each in found], [each.variance_rad2 for each in found]
    assert weights == sorted(weights, reverse=True)
    assert variances == sorted(variances)
    assert weights[0] == 70
    assert weights[-1] < 0.01


def rates(values):
    """(N, 3) about one axis."""
    return np.stack([np.asarray(values, dtype=float), np.zeros(len(values)), np.zeros(len(values))], axis=1)


MISSED = {  # rates, missing, period in s: radians
    "at rest: what a gyroscope may hide": (rates(np.zeros(100)), 5, 0.02, 0.0036),
    "twice the period": (rates(np.zeros(50)), 5, 0.04, 0.0072),
    "a steady turn is no bend": (rates(np.full(100, 2.0)), 5, 0.02, 0.0036),
    "nor is one that grows evenly": (rates(0.1 * np.arange(100)), 5, 0.02, 0.0036),
    "a parabola": (rates(0.01 * np.arange(100) ** 2), 5, 0.02, 0.12 * (BEND_SHARE * 0.09 + 0.03)),
    "the same over a hole of 25": (rates(0.01 * np.arange(100) ** 2), 25, 0.02, 0.52 * (BEND_SHARE * 1.69 + 0.03)),
    "too short a past: the rate itself": (rates(np.full(9, 2.0)), 5, 0.02, 0.12 * (BEND_SHARE * 2.0 + 0.03)),
    "one sample of past": (rates([2.0]), 5, 0.02, 0.12 * (BEND_SHARE * 2.0 + 0.03)),
    "just long enough": (rates(np.full(10, 2.0)), 5, 0.02, 0.0036),
}


@pytest.mark.parametrize(("gyr", "missing", "period_s", "expected"), MISSED.values(), ids=MISSED)
def test_how_much_of_a_turn_a_straight_line_misses(gyr, missing, period_s, expected):
    assert missed_rad(gyr, missing, period_s) == pytest.approx(expected)


def test_all_three_axes_bend():
    one = missed_rad(rates(0.01 * np.arange(100) ** 2), 5, 0.02)
    three = missed_rad(np.repeat(0.01 * np.arange(100)[:, None] ** 2, 3, axis=1), 5, 0.02)
    assert three - 0.0036 == pytest.approx(sqrt(3) * (one - 0.0036))


def test_more_is_missed_over_a_longer_hole():
    sway = rates(np.sin(2 * np.pi * 0.7 * np.arange(100) * 0.02))
    missed = [missed_rad(sway, missing, 0.02) for missing in range(1, 30)]
    assert missed == sorted(missed)
    assert missed[-1] > 20 * missed[0]


def accelerations(push, count=100):
    """(N, 3) of a sensor that is level and pushed by (3,) or (N, 3) g."""
    return G_MPS2 * (UP + np.broadcast_to(push, (count, 3)))


FLOOR_G = 0.01
PUSHES = {  # accelerations, period in s: g
    "at rest: a sensor's own noise": (accelerations((0, 0, 0)), 0.02, FLOOR_G),
    "a push that lasts": (accelerations((0.2, 0, 0)), 0.02, 0.2 * sqrt(5) + FLOOR_G),
    "along two axes": (accelerations((0.12, -0.16, 0)), 0.02, 0.2 * sqrt(5) + FLOOR_G),
    "up and down moves no level": (accelerations((0, 0, 0.3)), 0.02, FLOOR_G),
    "to and fro within a fifth of a second": (accelerations(np.tile([[0.2, 0, 0], [-0.2, 0, 0]], (50, 1))), 0.02, 0.01),
    "at 25 Hz a block has five samples": (accelerations((0.2, 0, 0)), 0.04, 0.2 * sqrt(2.5) + FLOOR_G),
    "slow sensors: each sample a block": (accelerations((0.2, 0, 0)), 1.0, 0.2 * sqrt(0.5) + FLOOR_G),
    "less than a block: unknown": (accelerations((0, 0, 0), 9), 0.02, 1.0),
    "nothing: unknown": (accelerations((0, 0, 0), 0), 0.02, 1.0),
    "the newest whole blocks": (
        accelerations(np.repeat([[5.0, 0, 0], [0, 0, 0]], (5, 20), axis=0), 25),
        0.02,
        FLOOR_G,
    ),
}


@pytest.mark.parametrize(("acc", "period_s", "expected"), PUSHES.values(), ids=PUSHES)
def test_how_strongly_a_trunk_is_pushed(acc, period_s, expected):
    assert push_g(acc, np.tile(UP, (len(acc), 1)), period_s) == pytest.approx(expected)


def test_pushes_count_across_whatever_is_up():
    up = np.tile([0.6, 0.0, 0.8], (50, 1))
    assert push_g(G_MPS2 * 1.3 * up, up, 0.02) == pytest.approx(FLOOR_G)
    assert push_g(G_MPS2 * (up + np.array([0.8, 0.0, -0.6])), up, 0.02) == pytest.approx(sqrt(5) + FLOOR_G)
