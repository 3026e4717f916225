"""The guided calibration, on a trunk that moves: what is found, how sure it is, what is refused and why.

The trunk is the simulator's: a stiff body with sway, breathing, noise and a lever arm, whose true directions are known.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import companion
import firmware_protocol as fp
from companion.posture import baselines
from companion.posture.calibration import Calibration
from companion.posture.directions import between_deg, smallest_turn
from companion.posture.guide import Guide, Step, Wanted
from companion.simulator.body import StoryBody
from companion.simulator.choreography import Choreography
from companion.stream import ANGLES

RATE_HZ = 50.0


def bends(story: Choreography, *peaks: tuple[float, float], over_s: float = 1.3) -> Choreography:
    """Forward and back, each (degrees forward, degrees to the right)."""
    for pitch_deg, roll_deg in peaks:
        story.lean(pitch_deg, roll_deg, over_s=over_s).rest(0.2).lean(0.0, 0.0, over_s=over_s).rest(0.6)
    return story


def usual() -> Choreography:
    return bends(Choreography().rest(7.0), (32, 0), (34, 0)).rest(6.5)


def nods(peak_deg: float) -> Choreography:
    return bends(Choreography().rest(8.0), (peak_deg, 0), (peak_deg, 0), over_s=1.0).rest(7.0)


def moved(story: Choreography, seed: int = 0) -> tuple[StoryBody, np.ndarray]:
    """The body and its SAMPLES, stuck on any way round."""
    count = round(story.now_s * RATE_HZ)
    body = StoryBody("x", story.rest(0.1).figure(), calibration_given=False, seed=seed, mounting=seed + 1)
    acc, gyr = body.sample(RATE_HZ, 0, count)
    return body, made(acc, gyr)


def made(acc: np.ndarray, gyr: np.ndarray | None, kept: np.ndarray | None = None) -> np.ndarray:
    index = np.arange(len(acc)) if kept is None else np.flatnonzero(kept)
    rates = None if gyr is None else gyr[index]
    return fp.make_samples(acc[index], rates, t_device_ns=index * 20_000_000, index=index)


def led(samples: np.ndarray, wanted: Wanted, size: int = 10**6) -> Guide:
    """A guide that has watched the angles of a live session, in parts of this size."""
    run = companion.Analysis(keep_angles=True)
    run.feed(samples)
    run.close()
    guide = Guide(wanted)
    for first in range(0, len(run.angles), size):
        guide.feed(run.angles[first : first + size])
    guide.finish()
    return guide


def off_deg(found: Calibration, body: StoryBody) -> tuple[float, float]:
    return between_deg(found.up, body.up_sensor), between_deg(found.forward, body.forward_sensor)


COURSES = {
    "two bends": usual,
    "one bend": lambda: bends(Choreography().rest(7), (30, 0)).rest(7),
    "slow bends": lambda: bends(Choreography().rest(7), (32, 0), (32, 0), over_s=3.0).rest(6.5),
    "fast bends": lambda: bends(Choreography().rest(7), (32, 0), (32, 0), over_s=0.7).rest(6.5),
    "the bend is held": lambda: bends(Choreography().rest(7).lean(30).rest(7).lean(0).rest(1), (32, 0)).rest(7),
    "walks between": lambda: bends(Choreography().rest(7).walk(20, 200).rest(1), (32, 0), (34, 0)).walk(15).rest(7),
    "walks leaning": lambda: bends(Choreography().rest(7).lean(8).walk(20).rest(0.5), (32, 0), (34, 0)).rest(6.5),
    "walks for two minutes": lambda: bends(Choreography().walk(120, 700).rest(7), (32, 0), (34, 0)).rest(6.5),
    "fidgets": lambda: bends(Choreography().rest(3).fidget(2, 0).rest(7), (32, 0)).rest(2).fidget(1.5, 0).rest(7),
    "reaches": lambda: bends(Choreography().rest(7).reach(1).rest(2), (32, 0), (34, 0)).rest(6.5),
    "sits down first": lambda: bends(Choreography().rest(7).rise().lean(6).rest(7).lean(0).rest(6), (32, 0)).rest(7),
}  # fmt: skip


@pytest.mark.parametrize("with_gyroscope", [True, False])
@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_the_baseline_is_found_whatever_lies_between_the_steps(course, with_gyroscope):
    body, samples = moved(course(), seed=3)
    if not with_gyroscope:
        samples = fp.make_samples(samples["acc_mps2"], t_device_ns=samples["t_device_ns"], index=samples["index"])
    found = companion.calibrate(samples)
    up_deg, forward_deg = off_deg(found, body)
    assert up_deg < 0.4
    assert forward_deg < 1.5
    assert found.method == "guided"
    assert found.axis_ratio > 100
    assert Calibration.from_json(found.to_json()) == found


@pytest.mark.parametrize("seed", range(4))
def test_a_biased_noisy_gyroscope_and_lost_packets_change_little(seed):
    body, samples = moved(usual(), seed=seed)
    chance = np.random.default_rng(seed)
    axis = chance.normal(size=3)
    acc = samples["acc_mps2"] + chance.normal(0, 0.1, (len(samples), 3))
    gyr = samples["gyr_radps"] + np.radians(2.0) * axis / np.linalg.norm(axis) + chance.normal(0, 0.01, acc.shape)
    kept = np.repeat(chance.random(len(acc) // 5 + 1) > 0.05, 5)[: len(acc)]
    up_deg, forward_deg = off_deg(companion.calibrate(made(acc, gyr, kept)), body)
    assert up_deg < 0.5
    assert forward_deg < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_what_the_gyroscope_reads_at_rest_does_not_turn_the_axis_of_a_bend_that_is_held(seed):
    body, samples = moved(
        bends(Choreography().rest(7).lean(18, over_s=3).rest(20).lean(0, over_s=1).rest(8), (18, 0)).rest(7), seed
    )
    across = 0.5 * np.array(body.forward_sensor) + 0.5 * np.cross(body.up_sensor, body.forward_sensor)
    gyr = samples["gyr_radps"] + np.radians(5.0) * across
    assert off_deg(companion.calibrate(made(samples["acc_mps2"], gyr)), body)[1] < 3


def test_who_sits_down_after_the_first_hold_bends_from_there():
    story = Choreography().rest(7).rise().lean(13).rest(7)
    for _ in range(2):
        story.lean(30).rest(0.2).lean(13).rest(0.6)
    body, samples = moved(story.rest(7))
    found = companion.calibrate(samples)
    assert between_deg(found.up, body.up_sensor) == pytest.approx(13, abs=0.5)
    assert found.difference_deg < 0.5


def test_turning_on_a_swivel_chair_meanwhile_does_not_turn_the_axis():
    story = Choreography().rest(7)
    for heading_deg in (25, -20):
        story.lean(32, heading_deg=heading_deg).rest(0.2).lean(0, heading_deg=0).rest(0.6)
    body, samples = moved(story.rest(6.5))
    assert off_deg(companion.calibrate(samples), body)[1] < 1


def test_twisting_about_the_spine_meanwhile_turns_the_axis_by_no_more_than_the_sensor_was_turned():
    body, samples = moved(usual())
    twist = np.radians(0.3 * body.truth(np.arange(len(samples)) / RATE_HZ)[0])  # 10° at the deepest point
    turn = Rotation.from_rotvec(-twist[:, None] * body.up_sensor)
    gyr = turn.apply(samples["gyr_radps"]) + np.gradient(twist)[:, None] * RATE_HZ * body.up_sensor
    found = companion.calibrate(made(turn.apply(samples["acc_mps2"]), gyr))
    assert off_deg(found, body)[1] < 8  # the travel of up alone: 9°, rates across up: 12.5°


@pytest.mark.parametrize("seed", range(5))
def test_a_short_calibration_with_a_bias_of_two_degrees_a_second(seed):
    body, samples = moved(bends(Choreography().rest(5), (30, 0), (30, 0)).rest(4.4), seed)
    axis = np.random.default_rng(seed).normal(size=3)
    gyr = samples["gyr_radps"] + np.radians(2.0) * axis / np.linalg.norm(axis)
    assert max(off_deg(companion.calibrate(made(samples["acc_mps2"], gyr)), body)) < 0.3


def test_a_lopsided_wearer_is_less_sure_where_they_face():
    body, even = moved(usual())
    _, uneven = moved(bends(Choreography().rest(7), (32, 8), (34, -6)).rest(6.5))
    sure, unsure = companion.calibrate(even), companion.calibrate(uneven)
    assert sure.axis_sigma_deg < 2
    assert unsure.axis_sigma_deg == pytest.approx(12, abs=2)
    assert unsure.uncertainty_deg > sure.uncertainty_deg + 0.5
    assert off_deg(unsure, body)[1] < unsure.axis_sigma_deg


def test_the_uncertainty_grows_with_the_difference_of_the_holds():
    stories = [bends(Choreography().rest(7), (32, 0), (34, 0)).lean(deg).rest(6.5) for deg in (0.0, 2.5)]
    same, other = (companion.calibrate(moved(story)[1]) for story in stories)
    assert same.difference_deg == pytest.approx(0.2, abs=0.3)
    assert other.difference_deg == pytest.approx(2.5, abs=0.5)
    assert 0.4 < same.uncertainty_deg < 0.7
    assert 0.9 < other.uncertainty_deg < 1.5


REFUSALS = {
    "the bend of 12° is under 15°": lambda: bends(Choreography().rest(7), (10, 0), (12, 0)).rest(7),
    "there was no forward bend of 15° or more before the movement ended": lambda: Choreography().rest(30),
    "the two holds differ by 5.8°, more than 3°.": lambda: (
        bends(Choreography().rest(7), (32, 0), (34, 0)).lean(6).rest(8)
    ),
    "there was no hold of 5 s with under 3° of movement before the movement ended (it moved by": (
        lambda: [story := Choreography(), [story.lean(4).lean(0) for _ in range(8)]][0]
    ),
    "there was no second hold of 5 s": lambda: bends(Choreography().rest(7), (32, 0), (34, 0)).rest(2),
    "nobody came back from the bend": lambda: Choreography().rest(7).lean(32).rest(20),
    "the bend has no clear axis": lambda: bends(Choreography().rest(7), (30, 0), (3, 30)).rest(7),
    "the bends went in opposite directions": lambda: bends(Choreography().rest(7), (30, 0), (-30, 0)).rest(7),
}


@pytest.mark.parametrize(("reason", "course"), REFUSALS.items(), ids=REFUSALS)
def test_what_cannot_be_used_is_refused_with_the_reason(reason, course):
    with pytest.raises(companion.CalibrationRefused) as refused:
        companion.calibrate(moved(course())[1])
    assert str(refused.value).startswith(f"No baseline was taken: {reason}")
    assert len(str(refused.value)) < 140


def test_a_circle_has_no_axis():
    t_s = np.arange(0, 24, 0.02)
    lean = np.radians(30) * np.clip(np.minimum(t_s - 7, 17 - t_s), 0, 1)
    way = 2 * np.pi * np.clip(t_s - 8, 0, 8) / 8  # once around within 8 s
    up = np.stack([np.sin(lean) * np.cos(way), np.sin(lean) * np.sin(way), np.cos(lean)], axis=1)
    with pytest.raises(companion.CalibrationRefused, match=r"no clear axis \(ratio 1\.\d"):
        companion.calibrate(made(9.80665 * up, None))


def test_no_samples_are_no_baseline():
    with pytest.raises(companion.CalibrationRefused, match="no hold of 5 s"):
        companion.calibrate(fp.make_samples(np.empty((0, 3))))


def test_a_live_guide_waits_a_minute_for_each_step():
    _, samples = moved(Choreography().rest(90))
    guide = led(samples, Wanted())
    assert str(guide.result) == "No baseline was taken: there was no forward bend of 15° or more within 60 s."
    walking = led(moved(Choreography().walk(70))[1], Wanted())
    assert "within 60 s" in str(walking.result)


def test_a_hold_with_a_gap_in_it_is_none():
    for gap_s, step in ((0.4, Step.DONE), (1.5, Step.REFUSED)):
        angles = np.zeros(500, dtype=ANGLES)
        angles["t_session_ns"] = np.arange(500) * 20_000_000
        angles["t_session_ns"][200:] += round(gap_s * 1e9)
        angles["up"], angles["acc_mps2"], angles["settled"] = (0, 0, 1), (0, 0, 9.8), True
        guide = Guide(Wanted("mounting", axis=(1, 0, 0)))
        guide.feed(angles[:420])
        guide.finish()
        assert guide.prompt.step is step


@settings(max_examples=12)
@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(x * x for x in q) > 0.01))
def test_any_mounting_gives_the_same_angles(quaternion):
    turn = Rotation.from_quat(quaternion)
    _, samples = moved(usual().lean(20).rest(4).lean(5, 10).rest(4))
    acc, gyr = samples["acc_mps2"], samples["gyr_radps"]
    other = made(turn.apply(acc), turn.apply(gyr))
    one, two = (companion.analyse(each, companion.calibrate(each)).posture for each in (samples, other))
    for name in ("sagittal_deg", "lateral_deg", "slouch_pct"):
        np.testing.assert_allclose(two[name], one[name], atol=0.1)


@pytest.mark.parametrize("size", [1, 7, 333])
def test_a_guide_does_not_care_how_its_samples_are_cut(size):
    _, samples = moved(usual().lean(20).rest(8))
    wanted = Wanted(slouch=True)
    assert led(samples, wanted, size).result == led(samples, wanted).result


@pytest.mark.parametrize("peak_deg", [6.0, 9.0, 14.0])
def test_who_cannot_bend_nods(peak_deg):
    body, samples = moved(nods(peak_deg))
    found = led(samples, Wanted("nod")).result
    assert isinstance(found, Calibration)
    assert found.method == "nod"
    up_deg, forward_deg = off_deg(found, body)
    assert up_deg < 0.5
    assert forward_deg < 1.0 < found.axis_sigma_deg
    with pytest.raises(companion.CalibrationRefused, match=r"the bend of \d+° is under 15°"):
        raise led(samples, Wanted()).result


def test_a_small_nod_is_refused_and_makes_where_one_faces_less_sure():
    guide = led(moved(nods(3.8))[1], Wanted("nod"))
    assert str(guide.result).startswith("No baseline was taken: the nod of 4° is under 5°")
    small, large = (led(moved(nods(deg))[1], Wanted("nod")).result for deg in (6.0, 14.0))
    assert small.axis_sigma_deg > 1.5 * large.axis_sigma_deg
    assert small.uncertainty_deg > large.uncertainty_deg


def test_a_declared_mounting_needs_one_hold():
    body, samples = moved(Choreography().rest(8))
    axis = tuple(body.forward_sensor + 0.3 * body.up_sensor)
    found = led(samples, Wanted("mounting", axis=axis)).result
    assert found.method == "mounting"
    assert max(off_deg(found, body)) < 0.5
    assert found.uncertainty_deg == pytest.approx(np.hypot(1.0, 5 * np.sin(np.radians(10))), abs=0.1)
    guide = led(samples, Wanted("mounting", axis=tuple(body.up_sensor)))
    assert str(guide.result) == "No baseline was taken: the axis that was named points up, not forward."


def stored_with_slouch() -> tuple[StoryBody, Calibration]:
    body, samples = moved(usual().lean(22).rest(8))
    found = led(samples, Wanted(slouch=True)).result
    assert isinstance(found, Calibration)
    return body, replace(found, wobble_deg=0.1, walking=found.up)


def held(stored: Calibration, tilt_deg: float) -> tuple[Rotation, np.ndarray]:
    """A hold of a sensor that is stuck on so much further forward, and by which turn of its own frame."""
    _, samples = moved(Choreography().rest(8), seed=0)
    turn = Rotation.from_rotvec(np.radians(tilt_deg) * np.cross(stored.forward, stored.up))
    return turn, made(turn.apply(samples["acc_mps2"]), turn.apply(samples["gyr_radps"]))


@pytest.mark.parametrize("tilt_deg", [0.0, 4.0, 14.0])
def test_a_quick_hold_turns_the_stored_axis_by_the_smallest_rotation(tilt_deg):
    _, stored = stored_with_slouch()
    tipped, samples = held(stored, tilt_deg)
    found = led(samples, Wanted("quick", stored)).result
    assert (found.method, found.wobble_deg, found.walking, found.difference_deg) == ("quick", None, None, None)
    assert between_deg(found.up, tipped.apply(stored.up)) < 0.8
    assert between_deg(found.forward, tipped.apply(stored.forward)) < 0.8
    turn = smallest_turn(stored.up, found.up)
    np.testing.assert_allclose(turn @ stored.forward, found.forward, atol=1e-9)
    np.testing.assert_allclose(turn @ stored.slouch, found.slouch, atol=1e-9)
    assert found.own_range_deg == pytest.approx(stored.own_range_deg)
    assert found.slouch_direction == pytest.approx(stored.slouch_direction)
    assert found.axis_sigma_deg == pytest.approx(np.hypot(stored.axis_sigma_deg, tilt_deg), abs=0.5)
    assert found.uncertainty_deg > stored.uncertainty_deg


def test_a_quick_hold_is_refused_where_up_has_moved_too_far():
    _, stored = stored_with_slouch()
    guide = led(held(stored, 16.0)[1], Wanted("quick", stored))
    assert str(guide.result) == (
        "No baseline was taken: up moved by 16° in the sensor since the stored baseline, "
        "and from 15° on the bends are needed."
    )


@pytest.mark.parametrize(
    ("pitch_deg", "roll_deg", "range_deg", "direction"),
    [(22, 0, 22, (-1, 0)), (-18, 0, 18, (1, 0)), (15, 15, 21.1, (-0.71, 0.7)), (0, -12, 12, (0, -1))],
)
def test_a_slouch_has_its_own_range_and_direction(pitch_deg, roll_deg, range_deg, direction):
    _, samples = moved(usual().lean(pitch_deg, roll_deg).rest(8))
    found = led(samples, Wanted(slouch=True)).result
    assert found.own_range_deg == pytest.approx(range_deg, abs=0.7)
    assert found.slouch_direction == pytest.approx(direction, abs=0.06)


def test_a_slouch_that_cannot_be_told_from_the_baseline_leaves_the_baseline():
    guide = led(moved(usual().lean(2.0).rest(70))[1], Wanted(slouch=True))
    assert guide.result.slouch is None
    assert guide.result.method == "guided"
    assert guide.shortfall.startswith("The slouch was not taken: what was held is ")
    assert guide.shortfall.endswith(" from the baseline; at least 3.0° can be told from it.")
    assert baselines.least_slouch_deg(replace(guide.result, uncertainty_deg=2.0)) == pytest.approx(6.36, abs=0.01)


def test_a_slouch_on_its_own_keeps_the_stored_baseline():
    _, stored = stored_with_slouch()
    stored = replace(stored, slouch=None)
    guide = led(moved(Choreography().rest(8).lean(-15).rest(8))[1], Wanted("kept", stored, slouch=True))
    assert replace(guide.result, slouch=None) == stored
    assert guide.result.own_range_deg == pytest.approx(15, abs=0.7)
    other = led(moved(Choreography().lean(5).rest(8))[1], Wanted("kept", stored, slouch=True))
    reason = "No baseline was taken: this hold and the stored baseline differ by 4.6°, more than 3°."
    assert str(other.result) == reason
    nothing = led(moved(Choreography().rest(12))[1], Wanted("kept", stored, slouch=True))
    assert str(nothing.result).startswith("The slouch was not taken: ")


def test_a_new_baseline_keeps_the_slouch_in_the_wearers_own_frame():
    _, stored = stored_with_slouch()
    _, samples = moved(usual(), seed=8)  # stuck on another way round
    found = led(samples, Wanted(stored=stored)).result
    assert found.own_range_deg == pytest.approx(stored.own_range_deg)
    assert found.slouch_direction == pytest.approx(stored.slouch_direction)
    assert found.walking is None


def test_the_fit_test_tells_a_loose_sensor_from_a_firm_one():
    _, stored = stored_with_slouch()
    _, samples = moved(Choreography().rest(2).lean(20).lean(0).walk(22, 300).rest(4))
    t_s = np.arange(len(samples)) / RATE_HZ
    rattle = np.radians(2.0) * 2 * np.pi * 8 * np.cos(2 * np.pi * 8 * t_s)  # 2° at 8 Hz about a level axis
    across = np.cross(stored.up, stored.forward)
    loose = made(samples["acc_mps2"], samples["gyr_radps"] + np.outer(rattle, across))
    firm_deg, loose_deg = (led(each, Wanted("kept", stored, fit=True)).result.wobble_deg for each in (samples, loose))
    assert firm_deg < 0.05
    assert loose_deg == pytest.approx(2.0 / np.sqrt(2), rel=0.1)
    turning = made(samples["acc_mps2"], samples["gyr_radps"] + np.outer(rattle, stored.up))
    assert led(turning, Wanted("kept", stored, fit=True)).result.wobble_deg < 0.1


def test_a_fit_test_without_movement_or_gyroscope_gives_no_figure():
    _, stored = stored_with_slouch()
    still = led(moved(Choreography().rest(70))[1], Wanted("kept", stored, fit=True))
    assert str(still.result) == "The fit test gave no figure: there was no movement of 20 s within 60 s."
    bare = moved(usual().walk(30))[1]
    bare["gyr_radps"] = np.nan
    assert "no movement" in led(bare, Wanted(fit=True)).shortfall
