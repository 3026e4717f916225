"""The simulated wearer: the same motion in any chunks, physics that agree with the angles, stories as they are told."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from companion.errors import UsageError
from companion.simulator.body import GYR_NOISE_RADPS, Body, mounting_rotation
from companion.simulator.choreography import Choreography
from companion.simulator.stories import STORIES, body_of
from companion.simulator.trunk import CADENCE_HZ, SENSOR_HEIGHT_M, Figure, Pose, Sway, ideal_motion, pose

G_MPS2 = 9.80665
SWAY = Sway((0.1, 0.2, 0.3, 0.4))

Array = npt.NDArray[np.float64]


def restless() -> Figure:
    """Everything at once: angles on all three axes, walking, a shake."""
    story = Choreography().lean(20.0, -12.0, 40.0, over_s=1.1).walk(6.0).lean(-8.0, 9.0, 200.0, over_s=0.9)
    return story.fidget(2.0, -8.0).rest(1.0).figure()


def orientation(at: Pose) -> Rotation:
    """Trunk to world, made by scipy from the three angles: about up, then left, then forward."""
    angles = np.stack([at.heading.value, at.pitch.value, at.roll.value], axis=1)
    return Rotation.from_euler("ZYX", angles)


def judged(body: Body, rate_hz: int = 50) -> tuple[Array, Array, Array, npt.NDArray[np.bool_]]:
    """By the accelerometer alone: times, sagittal and lateral angle of the mean of the last second, and stillness."""
    acc, _ = body.sample(rate_hz, 0, int(body.duration_s * rate_hz))
    total = np.cumsum(np.concatenate([np.zeros((1, 3)), acc]), axis=0)
    up = (total[rate_hz:] - total[:-rate_hz])[rate_hz:]
    windows = np.lib.stride_tricks.sliding_window_view(np.linalg.norm(acc, axis=1) / G_MPS2, 2 * rate_hz)
    still = windows.std(axis=1) < 0.05
    forward, right = body.forward_sensor, np.cross(body.forward_sensor, body.up_sensor)
    sagittal = np.degrees(np.arctan2(-up @ forward, up @ body.up_sensor))
    lateral = np.degrees(np.arctan2(-up @ right, up @ body.up_sensor))
    return (np.arange(len(acc)) / rate_hz)[2 * rate_hz - 1 :], sagittal, lateral, still


def slouches(body: Body) -> list[tuple[float, float]]:
    """Start and length of every stay forward after the holds: from still beyond 13° to below 8°."""
    t_s, sagittal, _, still = judged(body)
    found: list[tuple[float, float]] = []
    start_s: float | None = None
    for now_s, angle, quiet in zip(t_s.tolist(), sagittal.tolist(), still.tolist(), strict=True):
        if start_s is None and quiet and angle > 13.0 and now_s > body.once_s:
            start_s = now_s
        elif start_s is not None and angle < 8.0:
            found.append((start_s, now_s - start_s))
            start_s = None
    return found if start_s is None else [*found, (start_s, float(t_s[-1]) - start_s)]


@given(
    story=st.sampled_from(["demo", "walk-and-sit", "fidget:mounting=3"]),
    rate_hz=st.sampled_from([25.0, 50.0006, 200.0]),
    start_s=st.sampled_from([0.0, 24.37]),
    cuts=st.lists(st.integers(0, 5000), min_size=2, max_size=6),
)
def test_any_cut_gives_the_same_bits(story: str, rate_hz: float, start_s: float, cuts: list[int]) -> None:
    body, edges = body_of(story), sorted(cuts)
    whole = body_of(story).sample(rate_hz, edges[0], edges[-1] - edges[0], start_s)
    parts = [body.sample(rate_hz, first, end - first, start_s) for first, end in pairwise(edges)]
    for kind in (0, 1):
        assert np.array_equal(np.concatenate([part[kind] for part in parts]), whole[kind])


def test_what_was_asked_before_changes_nothing() -> None:
    body = body_of("demo")
    kept = body.sample(50.0, 700, 90)
    first = kept[0].copy(), kept[1].copy()
    kept[0][:] = kept[1][:] = 0.0  # what is handed out is the caller's
    assert np.array_equal(body.sample(50.0, 700, 90)[0], first[0])
    for rate_hz, number, start_s in ((50.0, 4000, 0.0), (100.0, 700, 0.0), (50.0, 700, 1.0)):
        other = body.sample(rate_hz, number, 90, start_s)
        assert not np.array_equal(other[0], first[0])
    again = body.sample(50.0, 700, 90)
    assert np.array_equal(again[0], first[0])
    assert np.array_equal(again[1], first[1])


def test_nothing_is_asked_for() -> None:
    acc, gyr = body_of("demo").sample(50.0, 2048, 0)
    assert acc.shape == gyr.shape == (0, 3)


@pytest.mark.parametrize("asked", [(0.0, 0, 1), (50.0, -1, 1), (50.0, 0, -1)])
def test_what_cannot_be_sampled_is_refused(asked: tuple[float, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot take"):
        body_of("demo").sample(*asked)


def test_the_rates_are_those_of_the_orientation() -> None:
    figure, h_s = restless(), 1e-5
    t_s = np.arange(0.05, figure.duration_s - 0.05, 0.01)
    before, after = (orientation(pose(figure, SWAY, t_s + dt)) for dt in (-h_s, h_s))
    expected = (before.inv() * after).as_rotvec() / (2 * h_s)
    _, gyr = ideal_motion(figure, SWAY, t_s)
    assert np.abs(gyr).max() > 1.0  # there is something to see
    assert np.allclose(gyr, expected, atol=1e-4)


def test_the_acceleration_is_that_of_a_point_above_the_hips() -> None:
    figure = Choreography().lean(30.0, -12.0, 40.0, over_s=1.1).lean(-8.0, 9.0, 200.0, over_s=0.9).figure()
    h_s, height = 1e-4, np.array([0.0, 0.0, SENSOR_HEIGHT_M])
    t_s = np.arange(0.05, figure.duration_s - 0.05, 0.01)
    before, now, after = (orientation(pose(figure, SWAY, t_s + dt)) for dt in (-h_s, 0.0, h_s))
    world = (before.apply(height) - 2 * now.apply(height) + after.apply(height)) / h_s**2
    expected = now.apply(world + np.array([0.0, 0.0, G_MPS2]), inverse=True)
    acc, _ = ideal_motion(figure, SWAY, t_s)
    assert np.abs(world).max() > 1.0
    assert np.allclose(acc, expected, atol=2e-3)  # the third derivative jumps where a move ends


def test_forward_and_right_are_positive() -> None:
    for story, expected in (
        (Choreography().lean(25.0, 0.0), (25.0, 0.0)),
        (Choreography().lean(0.0, 10.0), (0.0, 10.0)),
        (Choreography().lean(-20.0, -5.0), (-20.0, -5.0)),
    ):
        figure = story.rest(1.0).figure()
        acc, _ = ideal_motion(figure, SWAY, np.array([figure.duration_s - 0.1]))
        forward, left, up = acc[0]  # up in the wearer's frame: forward, left, up at the baseline
        angles = np.degrees([np.arctan2(-forward, up), np.arctan2(left, up)])
        assert angles == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize("mounting", [0, 1, 2, 3])
def test_in_still_phases_the_accelerometer_tells_the_true_angle(mounting: int) -> None:
    body = body_of(f"demo:mounting={mounting}")
    t_s, sagittal, lateral, still = judged(body)
    around_s = t_s[:, None] + np.arange(-2.0, 0.5, 0.05)  # what either measure looks back on, and a little more
    true_sagittal, true_lateral = (angle.reshape(around_s.shape) for angle in body.truth(around_s.ravel()))
    calm = still & (np.ptp(true_sagittal, axis=1) < 1.0)
    assert calm.mean() > 0.6
    last_second = (around_s[0] > t_s[0] - 1.0) & (around_s[0] <= t_s[0])
    assert np.abs(sagittal - true_sagittal[:, last_second].mean(axis=1))[calm].max() < 0.5
    assert np.abs(lateral - true_lateral[:, last_second].mean(axis=1))[calm].max() < 0.5


@pytest.mark.parametrize("mounting", range(6))
def test_a_mounting_is_a_rotation(mounting: int) -> None:
    turn = mounting_rotation(mounting)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    body = body_of(f"upright:mounting={mounting}")
    assert np.allclose(body.up_sensor, turn[:, 2])
    assert np.allclose(body.forward_sensor, turn[:, 0])


def test_the_usual_mounting_is_oblique() -> None:
    assert np.abs(mounting_rotation(0)).max() < 0.8


def test_noise_and_bias_are_those_of_a_small_sensor() -> None:
    acc, gyr = body_of("upright").sample(50.0, 0, 4096)
    noise_mg = np.diff(acc, axis=0).std(axis=0) / np.sqrt(2) / G_MPS2 * 1e3
    assert noise_mg == pytest.approx(1.5, rel=0.1)
    assert np.diff(gyr, axis=0).std(axis=0) / np.sqrt(2) == pytest.approx(GYR_NOISE_RADPS, rel=0.1)
    bias_dps = np.abs(np.degrees(gyr.mean(axis=0)))
    assert 0.05 < bias_dps.max() < 1.0


def test_a_seed_changes_the_noise_and_not_the_story() -> None:
    one, other = body_of("demo", seed=1), body_of("demo:seed=2", seed=1)
    assert not np.array_equal(one.sample(50.0, 0, 10)[0], other.sample(50.0, 0, 10)[0])
    t_s = np.arange(0.0, 90.0, 0.1)
    assert np.abs(one.truth(t_s)[0] - other.truth(t_s)[0]).max() < 1.0


FACTS = {
    # story: length, played once (s), first forward and for how long (s), the whole list
    "demo": (90.0, 22.0, [(35.3, 36.0)]),
    "upright": (600.0, 0.0, []),
    "slouch": (600.0, 0.0, [(11.3, 588.7)]),
    "slouch-29s": (76.0, 22.0, [(31.3, 29.0)]),
    "slouch-31s": (78.0, 22.0, [(31.3, 31.0)]),
    "slouch-10min": (647.0, 22.0, [(31.3, 600.0)]),
    "slouch-50min": (4232.0, 22.0, [(31.3, 3000.0)]),
    "fidget": (648.0, 22.0, [(31.3, 601.6)]),
    "walk-and-sit": (220.0, 22.0, [(102.3, 45.0)]),
    "lie-down": (193.0, 22.0, [(31.3, 20.0), (169.2, 3.8)]),  # the second bends to the floor
}


@pytest.mark.parametrize(("story", "facts"), FACTS.items())
def test_stories_keep_their_times(story: str, facts: tuple[float, float, list[tuple[float, float]]]) -> None:
    body = body_of(story)
    duration_s, once_s, forward = facts
    assert (body.duration_s, body.once_s) == pytest.approx((duration_s, once_s))
    assert body.calibration_given == (once_s == 0)
    found = slouches(body)
    assert len(found) == len(forward)
    for (start_s, length_s), (told_s, told_length_s) in zip(found, forward, strict=True):
        assert start_s == pytest.approx(told_s, abs=0.1)
        assert length_s == pytest.approx(told_length_s, abs=0.1)


def test_every_story_is_told_about() -> None:
    assert set(STORIES) == {*FACTS, "desk-hour"}


def test_the_holds_are_still_and_the_bends_deep() -> None:
    body = body_of("slouch-29s")
    for first_s, last_s in ((0.0, 7.5), (13.6, 22.0)):
        sagittal, lateral = body.truth(np.arange(first_s, last_s, 0.02))
        assert np.ptp(sagittal) < 1.0
        assert np.ptp(lateral) < 1.0
    sagittal, _ = body.truth(np.arange(7.5, 13.5, 0.02))
    deep = np.flatnonzero(np.diff((sagittal > 15.0).astype(int)) == 1)
    assert len(deep) == 2
    assert sagittal.max() > 30.0


def test_leaning_is_gentle_enough_to_count_as_still() -> None:
    for story in ("upright", "slouch", "slouch-29s"):
        assert judged(body_of(story))[3].all()


def test_the_fidgets_are_movements_of_a_wearer_who_stays_forward() -> None:
    t_s, sagittal, _, still = judged(body_of("fidget"))
    forward = (t_s > 32.0) & (t_s < 632.0)
    starts = np.flatnonzero(np.diff(still[forward].astype(int)) == -1)
    ends = np.flatnonzero(np.diff(still[forward].astype(int)) == 1)
    assert len(starts) == len(ends) == 29
    assert np.diff(starts) / 50.0 == pytest.approx(20.0, abs=1.0)
    lengths_s = (ends - starts) / 50.0 - 2.0  # the measure looks back 2 s
    assert lengths_s.min() > 0.5
    assert lengths_s.max() < 2.8
    assert sagittal[forward].min() > 15.0


def test_walking_bounces_at_the_cadence() -> None:
    acc, _ = body_of("walk-and-sit").sample(50.0, 30 * 50, 30 * 50)
    norm_g = np.linalg.norm(acc, axis=1) / G_MPS2
    assert 0.15 < norm_g.std() < 0.3
    spectrum = np.abs(np.fft.rfft(norm_g - norm_g.mean()))
    assert np.fft.rfftfreq(len(norm_g), 0.02)[np.argmax(spectrum)] == pytest.approx(CADENCE_HZ, abs=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_hour_at_a_desk_is_plausible(seed: int) -> None:
    body = body_of("desk-hour", seed=seed)
    assert body.duration_s == 3600.0
    _, sagittal, _, still = judged(body)
    assert 0.6 < still.mean() < 0.97
    assert 2 <= len(slouches(body)) <= 25
    assert np.median(sagittal) < 12.0
    assert sagittal.min() > -40.0
    assert abs(sagittal[-1]) < 1.0  # so that a repeat goes on smoothly


@pytest.mark.parametrize("story", ["demo", "slouch"])
def test_a_story_is_repeated_without_its_holds_and_without_a_jump(story: str) -> None:
    body = body_of(story)
    lap_s = body.duration_s - body.once_s
    t_s = np.arange(body.duration_s - 5.0, body.duration_s + lap_s, 0.01)
    sagittal, _ = body.truth(t_s)
    assert np.abs(np.diff(sagittal)).max() < 0.6  # 60 °/s
    later_s = np.arange(body.once_s + 2.0, body.duration_s, 0.1)
    assert np.abs(body.truth(later_s + lap_s)[0] - body.truth(later_s)[0]).max() < 1.0  # breathing goes on


def test_a_seam_is_felt_by_the_gyroscope() -> None:
    """After the end of `slouch` the wearer comes back to the baseline; rate and angle tell of the same movement."""
    body = body_of("slouch")
    rate_hz, first = 200.0, 600 * 200 - 200
    _, gyr = body.sample(rate_hz, first, 800)
    bias = body.sample(rate_hz, first - 4000, 3000)[1].mean(axis=0)
    left = np.cross(body.up_sensor, body.forward_sensor)
    turned_deg = np.degrees(((gyr - bias) @ left).sum() / rate_hz)
    assert turned_deg == pytest.approx(-25.0, abs=1.0)


@pytest.mark.parametrize("deg", [5, 20, 40])
def test_how_far_a_slouch_goes_can_be_told(deg: int) -> None:
    body = body_of(f"slouch-29s:slouch_deg={deg},mounting=2,seed=7")
    assert body.truth(50.0)[0][0] == pytest.approx(deg, abs=0.5)
    found = slouches(body)
    assert [length_s for _, length_s in found] == pytest.approx([29.0] if deg > 13 else [], abs=0.2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("slump", "there is no story 'slump'"),
        ("", "there is no story ''"),
        ("demo:speed=2", "has no parameter 'speed'"),
        ("demo:slouch_deg", "slouch_deg cannot be ''"),
        ("demo:slouch_deg=nan", "slouch_deg cannot be 'nan'"),
        ("demo:slouch_deg=90", "-60 to 75"),
        ("demo:mounting=-1", "0 or more"),
        ("demo:seed=1,seed=x", "seed cannot be 'x'"),
        ("nowhere.npz", "there is no file nowhere.npz"),
    ],
)
def test_what_is_no_story_is_said(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        body_of(text)


def test_the_list_of_stories_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        body_of("slump")
    assert all(name in caught.value.hint for name in STORIES)
