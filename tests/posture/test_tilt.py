"""Where up is: against motion with a known truth, over holes of every length, with and without a gyroscope."""

import numpy as np
import pytest
from scipy.signal import resample_poly
from scipy.spatial.transform import Rotation
from vqf import VQF

import companion
import firmware_protocol as fp
from companion.posture.gate import Gate
from companion.posture.stage import MOTION, Columns, Joint
from companion.posture.tilt import LONGEST_BRIDGE_NS, SETTLE_NS, Tilt, TiltState, best_batch
from companion.posture.turning import GYRO_DELAY_S

G_MPS2 = 9.80665
BODY = companion.Calibration.from_axes(up=[0, 0, 1], forward=[1, 0, 0])


def sway(t_s):
    """Orientations, sensor to earth, of a trunk that bends, leans and turns: up to 60 °/s."""
    angles = [0.5 * np.sin(1.3 * t_s), 0.4 * np.sin(2 * np.pi * 0.31 * t_s), 0.3 * np.sin(2 * np.pi * 0.23 * t_s + 1)]
    return Rotation.from_euler("ZYX", np.stack(angles, axis=-1))


def slow_sway(t_s):
    return sway(0.4 * np.asarray(t_s))


def still(t_s):
    return Rotation.from_euler("ZYX", np.tile([0.0, 0.1, 0.2], (np.size(t_s), 1)))


def up_of(rotation: Rotation) -> np.ndarray:
    return rotation.inv().apply([0.0, 0.0, 1.0])


def rates_of(course, t_s, step_s=1e-4) -> np.ndarray:
    return (course(t_s - step_s).inv() * course(t_s + step_s)).as_rotvec() / (2 * step_s)


def block_of(course=sway, seconds=20.0, rate_hz=50.0, *, bias_dps=0.0, push_g=0.0, noisy=True, seed=0) -> Columns:
    """MOTION as a sensor gives it whose gyroscope reports late; `push_g`: how strongly it is shaken about."""
    rng, period_ns = np.random.default_rng(seed), round(1e9 / rate_hz)
    count = round(seconds * rate_hz)
    made = Columns.zeros(count, MOTION)
    made["number"][:], made["period_ns"][:] = np.arange(count), period_ns
    made["t_session_ns"][:] = (np.arange(count) + 1) * period_ns
    t_s = made["t_session_ns"] * 1e-9
    made["acc_mps2"][:] = G_MPS2 * (up_of(course(t_s)) + push_g * shaken(rng, t_s))
    made["gyr_radps"][:] = rates_of(course, t_s - GYRO_DELAY_S) + np.radians(bias_dps)
    if noisy:
        made["acc_mps2"][:] += rng.normal(0, 0.01, (count, 3))
        made["gyr_radps"][:] += rng.normal(0, 0.001, (count, 3))
    return made


def shaken(rng, t_s) -> np.ndarray:
    """(N, 3) of about size 1, at 1.1 to 2.3 Hz."""
    return np.stack([np.sin(2 * np.pi * hz * t_s + rng.uniform(0, 6)) for hz in (1.1, 1.7, 2.3)], axis=1)


def without(block: Columns, *holes: tuple[int, int]) -> Columns:
    """The samples that remain where (first, end) are lost."""
    kept = np.ones(len(block), dtype=bool)
    for first, end in holes:
        kept[first:end] = False
    return block[kept]


def through(block: Columns, *, gated: bool = True) -> Columns:
    """UPS of the real samples, by gate and filter in one go."""
    passed = Gate().step(Gate().start(), block)[1] if gated else block
    ups = Tilt().step(Tilt().start(), passed)[1]
    return ups[ups["number"] >= 0]


def truth_of(ups: Columns, course) -> np.ndarray:
    return up_of(course(ups["t_session_ns"] * 1e-9))


def between_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1)))


def off_deg(ups: Columns, course=sway) -> np.ndarray:
    return between_deg(ups["up"], truth_of(ups, course))


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


# ---- without holes


@pytest.mark.parametrize("rate_hz", [10.0, 25.0, 50.0, 100.0, 208.0])
@pytest.mark.parametrize("gyroscope", [True, False])
def test_at_rest_up_is_exact(rate_hz, gyroscope):
    """With a gyroscope but for what the first sample's levelling leaves in the bias: 8 °/s for a single sample."""
    block = block_of(still, 5.0, rate_hz, noisy=False)
    block["gyr_radps"][:] = 0.0 if gyroscope else np.nan
    ups = through(block)
    assert off_deg(ups, still).max() < (0.65 / rate_hz if gyroscope else 1e-6)
    assert off_deg(ups, still)[:1].max() < 1e-6
    assert (ups["gyro"] == gyroscope).all()
    assert ups["acc_norm_g"] == pytest.approx(1.0)


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0])
def test_a_known_motion_is_followed(rate_hz):
    ups = through(block_of(sway, 40.0, rate_hz, noisy=False))
    assert off_deg(ups)[ups["t_session_ns"] > 10_000_000_000].max() < 0.1


def test_a_gyroscope_that_would_not_be_late_is_taken_for_late():
    block = block_of(sway, 40.0, noisy=False)
    block["gyr_radps"][:] = rates_of(sway, block["t_session_ns"] * 1e-9)
    assert off_deg(through(block))[500:].max() > 0.2


def plain(block: Columns) -> np.ndarray:
    """Up by VQF as its makers ship it."""
    period_s = int(block["period_ns"][0]) * 1e-9
    quat = VQF(period_s).updateBatch(block["gyr_radps"], block["acc_mps2"])["quat6D"]
    return up_of(Rotation.from_quat(quat, scalar_first=True))


@pytest.mark.parametrize(("bias_dps", "most_deg"), [(0.0, 0.1), (2.0, 0.6), (4.0, 1.6)])
def test_a_bias_is_found_without_a_rest(bias_dps, most_deg):
    block = block_of(sway, 60.0, bias_dps=bias_dps)
    ups = through(block)
    assert off_deg(ups)[2000:].max() < most_deg
    if bias_dps > 3:
        assert off_deg(ups)[2000:].max() < 0.4 * between_deg(plain(block), truth_of(ups, sway))[2000:].max()


def leaning(dps: float, degrees: float = 30.0):
    """Still for 20 s, then ever further forward by so much a second, then still."""

    def course(t_s):
        angle = np.radians(np.clip((np.asarray(t_s) - 20) * dps, 0, degrees))
        return Rotation.from_euler("ZYX", np.stack([0 * angle, angle, 0 * angle], axis=-1))

    return course


@pytest.mark.parametrize("dps", [3.0, 5.0, 8.0, 20.0])
def test_who_sinks_forward_slowly_and_evenly_is_not_at_rest(dps):
    """A filter that took the turn for a gyroscope's bias would not see it, and see one back when it ends."""
    block = block_of(leaning(dps), 60.0)
    assert off_deg(through(block), leaning(dps))[500:].max() < 0.5


def test_best_batch_is_at_least_as_good():
    for push_g in (0.05, 0.15):
        block = block_of(sway, 40.0, push_g=push_g, bias_dps=1.0)
        live, batch = through(block), best_batch(block)
        assert rms(between_deg(batch, truth_of(live, sway))) <= rms(off_deg(live))
        assert np.linalg.norm(batch, axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(("rate_hz", "most_deg"), [(25.0, 0.2), (50.0, 0.1)])
def test_best_batch_knows_that_gyroscopes_are_late_too(rate_hz, most_deg):
    block = block_of(sway, 40.0, rate_hz, noisy=False)
    assert between_deg(best_batch(block), truth_of(block, sway)).max() < most_deg


def test_best_batch_takes_each_side_of_a_hole_by_itself():
    block = without(block_of(sway, 40.0), (900, 1100))
    passed = Gate().step(Gate().start(), block)[1]
    batch = best_batch(passed)
    assert between_deg(batch, truth_of(passed, sway)).max() < 1.0
    alone = best_batch(passed[900:])
    assert batch[900:].tobytes() == alone.tobytes()


# ---- over holes

CENTRE = 1000  # of a motion of 40 s


@pytest.mark.parametrize(("missing", "most_deg"), [(1, 0.1), (5, 0.3), (12, 1.2), (13, 1.5), (25, 5.0), (45, 9.0)])
def test_a_hole_costs_little_and_is_forgotten(missing, most_deg):
    """Filled up to 12 samples, bridged up to a second."""
    block = block_of(sway, 40.0)
    clean, holed = through(block), through(without(block, (CENTRE, CENTRE + missing)))
    after = holed["number"] >= CENTRE + missing
    assert off_deg(holed)[after].max() < most_deg
    assert off_deg(holed)[holed["number"] >= CENTRE + 500].max() < off_deg(clean).max() + 0.3
    assert holed["up"][:CENTRE].tobytes() == clean["up"][:CENTRE].tobytes()


def test_a_bridge_is_better_than_a_start():
    """0.52 s long, while the trunk is pushed about: what was known before it helps."""
    apart = []
    for seed in range(8):
        block = without(block_of(slow_sway, 40.0, push_g=0.1, seed=seed), (CENTRE, CENTRE + 25))
        passed = Gate().step(Gate().start(), block)[1]
        anew = passed.changed(joint=passed["joint"] & ~np.uint8(Joint.TIMED))
        for each in (passed, anew):
            ups = through(each, gated=False)
            chosen = (ups["number"] >= CENTRE + 25) & (ups["number"] < CENTRE + 50)
            apart.append(rms(off_deg(ups, slow_sway)[chosen]))
    assert rms(apart[::2]) < 0.6 * rms(apart[1::2])


def state_after(block: Columns) -> TiltState:
    return Tilt().step(Tilt().start(), Gate().step(Gate().start(), block)[1])[0]


def bias_of(state: TiltState) -> np.ndarray:
    assert state.vqf is not None
    return np.degrees(state.vqf["bias"])


@pytest.mark.parametrize("missing", [5, 25, 100, 3000])
def test_a_bias_outlives_every_hole(missing):
    block = block_of(still, 120.0, bias_dps=2.0)
    before = bias_of(state_after(block[:2000]))
    assert before == pytest.approx([2.0, 2.0, 2.0], abs=0.05)
    assert bias_of(state_after(without(block, (2000, 2000 + missing))[:2001])) == pytest.approx(before, abs=0.02)


@pytest.mark.parametrize("joint", [Joint.RESTART, 0])
def test_a_bias_outlives_a_change_of_the_period(joint):
    slow, fast = block_of(still, 40.0, 50.0, bias_dps=2.0), block_of(still, 10.0, 100.0, bias_dps=2.0, seed=1)
    fast["t_session_ns"][:] += 40_000_000_000
    fast["number"][:] += len(slow)
    fast["joint"][0] = joint
    both = Columns.joined([slow, fast])
    assert bias_of(state_after(both[: len(slow) + 1])) == pytest.approx(bias_of(state_after(slow)), abs=0.02)
    ups = through(both)
    assert off_deg(ups, still)[-900:].max() < 0.2
    settled = ups["settled"][len(slow) :]
    assert np.flatnonzero(settled)[0] == 150  # 1.5 s of the new period


def level_at(course_deg: float, count: int, first: int) -> Columns:
    """A sensor whose gyroscope shows a little on one axis, leaning so far, without noise; numbered from `first`."""
    made = Columns.zeros(count, MOTION)
    made["number"][:] = first + np.arange(count)
    made["t_session_ns"][:], made["period_ns"][:] = (made["number"] + 1) * 20_000_000, 20_000_000
    lean = np.radians(course_deg)
    made["acc_mps2"][:] = G_MPS2 * np.array([-np.sin(lean), 0.0, np.cos(lean)])
    return made


HOLES_AT_REST = {  # missing: weight of the level after it; 100 samples are the most, 0.01 g the push
    5: 1 / ((0.0036 / 0.01) ** 2 + 0.01),  # (5 + 1) · 0.02 s · 0.03 rad/s
    12: 1 / ((0.0078 / 0.01) ** 2 + 0.01),
    25: 1 / ((0.0156 / 0.01) ** 2 + 0.01),
    48: 1 / ((0.0294 / 0.01) ** 2 + 0.01),
}


@pytest.mark.parametrize(("missing", "weight"), HOLES_AT_REST.items())
def test_after_a_hole_the_filter_averages_its_level_with_what_comes(missing, weight):
    """VQF keeps the mean of so many samples as [NaN, their number, their sum, ...] until its low-pass takes over."""
    first = 300 + missing
    blocks = [level_at(0.0, 300, 0), level_at(0.0, 1, first), level_at(10.0, 6, first + 1)]
    state = state_after(Columns.joined(blocks))
    assert state.vqf is not None
    memory = state.vqf["accLpState"]
    assert np.isnan(memory[0])
    assert memory[1] == pytest.approx(weight + 7)
    old, new = np.array([0.0, 0.0, G_MPS2]), blocks[2]["acc_mps2"][0]
    mean = ((weight + 1) * old + 6 * new) / (weight + 7)
    assert state.vqf["lastAccLp"] == pytest.approx(mean)
    assert (state.belief.weight, state.taken) == (pytest.approx(weight), 7)


def test_after_a_rest_that_long_a_single_lost_sample_of_a_calm_trunk_changes_no_level():
    """0.0012 rad against 0.01 g: worth 69 samples, of which it had but 50."""
    state = state_after(Columns.joined([level_at(0.0, 50, 0), level_at(0.0, 5, 51)]))
    assert state.belief.weight == 51  # the one that was drawn counts too
    assert state.vqf is not None
    assert state.vqf["accLpState"][1] == 56


def test_a_wild_trunk_keeps_little_of_its_level_and_a_calm_one_much():
    weights = {}
    for name, course in (("calm", slow_sway), ("wild", sway)):
        block = without(block_of(course, 40.0, push_g=0.02), (CENTRE, CENTRE + 24))[: CENTRE + 1]
        weights[name] = state_after(block).belief.weight
    assert weights["wild"] < 0.5 * weights["calm"]


# ---- when it is believed


def settled_after(block: Columns, number: int) -> int:
    """How many samples from this one on are not believed."""
    ups = through(block)
    later = ups["settled"][ups["number"] >= number]
    assert later[-1]
    return int(np.argmax(later))


def test_a_start_is_believed_after_a_second_and_a_half():
    assert SETTLE_NS == 1_500_000_000
    for rate_hz, count in ((50.0, 75), (25.0, 38), (100.0, 150)):
        assert settled_after(block_of(still, 5.0, rate_hz), 0) == count


SETTLING = {  # missing: samples that are not believed after it, of a calm trunk
    5: 0,
    12: 0,
    25: 0,
    49: 0,  # a second from sample to sample
    50: 75,
    500: 75,
}


@pytest.mark.parametrize(("missing", "count"), SETTLING.items())
def test_what_is_believed_after_a_hole_of_a_calm_trunk(missing, count):
    assert LONGEST_BRIDGE_NS == 1_000_000_000
    block = without(block_of(slow_sway, 40.0), (CENTRE, CENTRE + missing))
    assert settled_after(block, CENTRE + missing) == count


def test_a_trunk_that_is_pushed_about_is_believed_later():
    counts = []
    for push_g in (0.0, 0.1, 0.3, 1.0):
        block = without(block_of(sway, 40.0, push_g=push_g), (CENTRE, CENTRE + 30))
        counts.append(settled_after(block, CENTRE + 30))
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert 5 < counts[2] <= 75
    assert counts[-1] == 75


def test_a_hole_during_a_start_makes_it_no_shorter():
    block = without(block_of(still, 5.0), (30, 55))
    ups = through(block)
    assert ups["number"][np.argmax(ups["settled"])] == 75


def test_after_frozen_values_at_rest_everything_is_new():
    block = block_of(still, 60.0, bias_dps=1.0)
    for name in ("acc_mps2", "gyr_radps"):
        block[name][CENTRE : CENTRE + 35] = block[name][CENTRE]
    block["gyr_radps"][:] *= 0.1 / np.linalg.norm(block["gyr_radps"], axis=1).max()
    assert settled_after(block, CENTRE + 35) == 75


# ---- how sure it is


def sigma_after(block: Columns, number: int) -> np.ndarray:
    ups = through(block)
    return ups["sigma_deg"][ups["number"] >= number]


def test_at_a_start_nothing_is_known_and_after_a_rest_nearly_everything():
    """0.72 · 0.1 rad of one acceleration; 0.33 s of a bias of 1.5 °/s."""
    sigma = sigma_after(block_of(still, 60.0), 0)
    assert sigma[0] == pytest.approx(np.hypot(0.72 * np.degrees(0.1), 0.495))
    assert sigma[3] == pytest.approx(np.hypot(0.72 * np.degrees(0.05), 0.495))
    assert 0.72 * np.degrees(0.1) / np.sqrt(76) < sigma[75] < 0.5
    assert sigma[-1] < 0.15
    assert (np.diff(sigma) < 1e-3).all()


def test_a_bias_that_was_never_seen_at_rest_stays_in_it():
    calm, never = sigma_after(block_of(still, 20.0), 0), sigma_after(block_of(sway, 20.0, push_g=0.1), 0)
    assert never[250:].min() > 0.49 > 1.8 * calm[250:].max()


def test_a_hole_shows_and_fades():
    block = block_of(sway, 60.0)
    clean = sigma_after(block, 0)[2000]
    sizes = []
    for missing in (1, 5, 12, 25, 49):
        sigma = sigma_after(without(block, (2000, 2000 + missing)), 2000 + missing)
        assert (
            sigma[0] > (1.001 if missing == 1 else 1.02) * clean
        )  # which is nearly all from a bias never seen at rest
        assert (np.diff(sigma[:50]) < 1e-6).all()
        assert sigma[900] == pytest.approx(clean, abs=0.1)
        sizes.append(float(sigma[0]))
    hidden = np.sqrt(np.square(sizes) - clean**2)
    assert sizes == sorted(sizes)
    assert hidden[-1] > 5 * hidden[0]


def test_behind_a_hole_over_which_nothing_is_carried_the_level_is_as_unsure_as_at_a_start():
    sigma = sigma_after(without(block_of(sway, 60.0), (1000, 1005), (2000, 2100)), 2100)
    assert 0.72 * np.degrees(0.1) < sigma[0] < np.hypot(0.72 * np.degrees(0.1), 0.495) + 1e-3
    assert sigma[99] == pytest.approx(np.hypot(0.072 * np.degrees(0.1), 0.495), abs=0.01)


def test_the_same_hole_shows_more_in_a_wilder_motion():
    sizes = [sigma_after(without(block_of(course, 60.0), (2000, 2010)), 2010)[0] for course in (still, slow_sway, sway)]
    assert sizes == sorted(sizes)
    assert sizes[2] > 1.5 * sizes[0]


def test_true_errors_after_holes_are_of_the_size_it_says():
    """Of 60 holes of 0.4 s each, in a motion that never is the same."""
    block = block_of(sway, 200.0, push_g=0.05)
    ups = through(without(block, *((first, first + 20) for first in range(500, 9500, 150))))
    after = np.concatenate([np.flatnonzero(np.diff(ups["number"]) > 1) + 1])
    ratios = off_deg(ups)[after] / (np.sqrt(2) * ups["sigma_deg"][after])
    assert len(after) == 60
    assert 0.3 < np.median(ratios) < 1.5


# ---- without a gyroscope


def accelerations(*vectors_g: tuple[float, float, float]) -> Columns:
    made = Columns.zeros(len(vectors_g), MOTION)
    made["number"][:], made["period_ns"][:] = np.arange(len(vectors_g)), 20_000_000
    made["t_session_ns"][:] = (np.arange(len(vectors_g)) + 1) * 20_000_000
    made["acc_mps2"][:], made["gyr_radps"][:] = np.array(vectors_g) * G_MPS2, np.nan
    return made


def test_without_a_gyroscope_a_step_is_followed_as_by_a_low_pass_of_5_hz():
    ups = through(accelerations(*[(0, 0, 1.0)] * 5, *[(1.0, 0, 0)] * 6))
    left = np.exp(-2 * np.pi * 5.0 * 0.02) ** np.array([0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6])  # of the old vector
    expected = np.stack([1 - left, 0 * left, left], axis=1) / np.hypot(left, 1 - left)[:, None]
    assert ups["up"] == pytest.approx(expected)
    assert not ups["gyro"].any()


def test_the_low_pass_averages_vectors_and_not_angles():
    """A jolt of 3 g sideways counts thrice as much as one of 1 g."""
    ups = through(accelerations(*[(0, 0, 1.0)] * 3, (3.0, 0, 1.0), *[(0, 0, 1.0)] * 3))
    kept = np.exp(-2 * np.pi * 5.0 * 0.02)
    part = 3 * (1 - kept) * kept ** np.arange(4)
    assert ups["up"][3:, 0] / ups["up"][3:, 2] == pytest.approx(part)


def test_without_a_gyroscope_it_starts_anew_behind_a_hole_that_was_not_filled():
    block = accelerations(*[(0, 0, 1.0)] * 100, *[(0.6, 0, 0.8)] * 100)
    block["t_session_ns"][100:] += 400_000_000
    ups = through(block)
    assert ups["up"][100] == pytest.approx([0.6, 0, 0.8])
    assert np.flatnonzero(~ups["settled"]).tolist() == [*range(75), *range(100, 175)]
    assert ups["sigma_deg"][0] == ups["sigma_deg"][100] > 3
    assert ups["sigma_deg"][99] < 0.5


def test_a_sensor_that_loses_its_gyroscope_goes_on():
    block = block_of(slow_sway, 20.0)
    block["gyr_radps"][500:] = np.nan
    ups = through(block)
    assert ups["gyro"][:500].all()
    assert not ups["gyro"][500:].any()
    assert off_deg(ups, slow_sway)[-100:].max() < 3
    block["gyr_radps"][700:] = rates_of(slow_sway, block["t_session_ns"][700:] * 1e-9)
    ups = through(block)
    assert ups["gyro"][-200:].all()
    assert off_deg(ups, slow_sway)[-100:].max() < 1


# ---- what must not raise


@pytest.mark.parametrize("rate_hz", [0.1, 1.0, 4.0, 1000.0])
@pytest.mark.parametrize("gyroscope", [True, False])
def test_any_rate_goes_the_whole_way(rate_hz, gyroscope):
    rng, count = np.random.default_rng(2), min(max(round(20 * rate_hz), 40), 4000)
    index = np.flatnonzero(rng.random(count) < 0.8)
    acc, gyr = rng.normal((0, 0, G_MPS2), 0.5, (len(index), 3)), rng.normal(0, 0.2, (len(index), 3))
    samples = fp.make_samples(
        acc, gyr if gyroscope else None, t_device_ns=(index * 1e9 / rate_hz).astype(int), index=index
    )
    up = companion.estimate_up(samples)
    assert np.linalg.norm(up, axis=1) == pytest.approx(1)
    assert len(companion.analyse(samples, BODY).posture) == pytest.approx(
        (index[-1] - index[0] + 1) / rate_hz * 5, abs=1
    )


@pytest.mark.parametrize("missing", [3, 20, 80])
@pytest.mark.parametrize("size", [1, 3])
def test_blocks_of_few_samples_with_a_hole_after_each_second_sample(missing, size):
    block = without(block_of(sway, 30.0), *((first, first + missing) for first in range(1, 1400, missing + 2)))
    gate, tilt, parts = Gate(), Tilt(), []
    gate_state, state = gate.start(), tilt.start()
    for first in range(0, len(block), size):
        gate_state, passed = gate.step(gate_state, block[first : first + size])
        state, ups = tilt.step(state, passed)
        parts.append(ups[ups["number"] >= 0])
    whole = through(block)
    for name in whole.names:
        assert Columns.joined(parts)[name].tobytes() == whole[name].tobytes(), name
    assert np.linalg.norm(whole["up"], axis=1) == pytest.approx(1)
    assert np.isfinite(whole["sigma_deg"]).all()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_what_the_gate_drew_may_be_cut_anywhere(size):
    block = without(block_of(sway, 10.0), (100, 105), (200, 212), (250, 260), (300, 325))
    passed = Gate().step(Gate().start(), block)[1]
    state, parts = Tilt().start(), []
    for first in range(0, len(passed), size):
        state, ups = Tilt().step(state, passed[first : first + size])
        parts.append(ups)
    whole = Tilt().step(Tilt().start(), passed)[1]
    for name in whole.names:
        assert Columns.joined(parts)[name].tobytes() == whole[name].tobytes(), name


# ---- real motion, with a truth beside it

TRUNK_LIKE = (
    "02_undisturbed_slow_rotation_B",
    "05_undisturbed_slow_rotation_with_breaks_B",
    "11_undisturbed_slow_translation_B",
)
RATE_HZ = 50.0


@pytest.fixture(scope="module")
def trials(shared_data):
    """Acceleration, rate, up and what counts of BROAD's slow trials, thinned to 50 Hz: name to arrays."""
    made = {}
    for name in TRUNK_LIKE:
        file = shared_data / "broad" / f"{name}.npz"
        if not file.exists():
            pytest.skip(f"no {file.name}")
        with np.load(file) as kept:
            quat, counts = kept["opt_quat_i16"] / 32767.0, kept["movement"]
            acc, gyr, ratio = kept["imu_acc"].astype(float), kept["imu_gyr"].astype(float), kept["sampling_rate"] / 50
        up_to, down = (50, round(50 * float(ratio)))
        acc, gyr = (resample_poly(each, up_to, down, axis=0, padtype="line") for each in (acc, gyr))
        nearest = np.minimum(np.rint(np.arange(len(acc)) * down / up_to).astype(int), len(quat) - 1)
        w, x, y, z = quat[nearest].T
        up = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z], axis=1)
        made[name] = acc, gyr, up, counts[nearest] & (quat[nearest] != 0).any(axis=1)
    return made


def estimated(acc, gyr, kept=None):
    index = np.arange(len(acc)) if kept is None else np.flatnonzero(kept)
    t_ns = np.rint(index * (1e9 / RATE_HZ)).astype(np.int64)
    return companion.estimate_up(fp.make_samples(acc[index], gyr[index], t_device_ns=t_ns, index=index))


FALSE_SAMPLES = {
    "no number": lambda acc, gyr, place: acc.__setitem__((place, 1), np.nan),
    "an infinite rate": lambda acc, gyr, place: gyr.__setitem__((place, 1), np.inf),
    "16 g": lambda acc, gyr, place: acc.__setitem__((place, 0), 16 * G_MPS2),
    "2000 °/s": lambda acc, gyr, place: gyr.__setitem__((place, 2), np.radians(2000)),
    "the one before it": lambda acc, gyr, place: (
        acc.__setitem__(place, acc[place - 1]),
        gyr.__setitem__(place, gyr[place - 1]),
    ),
}


@pytest.mark.parametrize("spoil", FALSE_SAMPLES.values(), ids=FALSE_SAMPLES)
def test_one_false_sample_of_real_motion_is_forgotten_after_ten_seconds(trials, spoil):
    acc, gyr, _, counts = trials[TRUNK_LIKE[0]]
    moving = np.flatnonzero(counts)
    for share in (0.3, 0.6):
        place = int(moving[int(share * len(moving))])
        first, end = place - 1500, place + 1000
        false = acc[first:end].copy(), gyr[first:end].copy()
        spoil(*false, place - first)
        apart = between_deg(estimated(*false), estimated(acc[first:end], gyr[first:end]))
        assert apart[place - first + 500 :].max() < 0.5


def test_real_motion_in_any_mounting_gives_the_same_angles(trials):
    acc, gyr, _, _ = (each[:4000] for each in trials[TRUNK_LIKE[0]])
    angles = []
    for seed in range(11):
        mounting = Rotation.random(random_state=seed) if seed else Rotation.identity()
        calibration = companion.Calibration.from_axes(mounting.apply([0, 0, 1]), mounting.apply([1, 0, 0]))
        t_ns = np.arange(4000) * 20_000_000
        samples = fp.make_samples(mounting.apply(acc), mounting.apply(gyr), t_device_ns=t_ns, index=np.arange(4000))
        rows = companion.analyse(samples, calibration).posture
        angles.append(np.stack([rows["sagittal_deg"], rows["lateral_deg"]], axis=1))
    known = np.isfinite(angles[0])
    assert known.mean() > 0.8
    assert max(np.abs(each - angles[0])[known].max() for each in angles[1:]) < 0.1


def test_lost_packets_of_real_motion_cost_less_than_with_a_straight_line_and_a_plain_filter(trials):
    ours, peer = [], []
    for number, (acc, gyr, up, counts) in enumerate(trials.values()):
        lost = np.repeat(np.random.default_rng(number).random(len(acc) // 5 + 1) < 0.05, 5)[: len(acc)]
        lost[:250] = False
        kept, places = ~lost, np.arange(len(acc))
        filled = [
            np.stack([np.interp(places, places[kept], axis[kept]) for axis in each.T], axis=1) for each in (acc, gyr)
        ]
        quat = VQF(1 / RATE_HZ).updateBatch(filled[1], filled[0])["quat6D"]
        theirs = up_of(Rotation.from_quat(quat[kept], scalar_first=True))
        chosen = counts[kept]
        ours.append(rms(between_deg(estimated(acc, gyr, kept), up[kept])[chosen]))
        peer.append(rms(between_deg(theirs, up[kept])[chosen]))
    assert np.mean(ours) < 0.9 * np.mean(peer)
    assert all(a < b for a, b in zip(ours, peer, strict=True))
