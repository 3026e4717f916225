"""What a row sums up: spreads, the part at walking cadence, directions and how fast they turn, at any rate."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from companion.posture.stage import UPS, Array, Beat, Columns, Joint
from companion.posture.windows import Windows, forget_directions

S = 1_000_000_000


def ups(acc_norm_g: Array, rate_hz: float = 50.0, up: Array | None = None, **fields: object) -> Columns:
    """UPS of a settled sensor with a gyroscope, one sample each period; the first begins a filter."""
    made = Columns.zeros(len(acc_norm_g), UPS)
    made["t_session_ns"][:] = np.round(np.arange(1, len(acc_norm_g) + 1) * S / rate_hz)
    made["period_ns"][:], made["number"][:] = round(S / rate_hz), np.arange(len(acc_norm_g))
    made["acc_norm_g"][:], made["up"][:] = acc_norm_g, [0, 0, 1] if up is None else up
    made["settled"][:] = made["gyro"][:] = True
    made["sigma_deg"][:], made["joint"][:1] = 0.5, Joint.RESTART
    for name, value in fields.items():
        made[name][:] = value
    return made


def rows_of(block: Columns) -> Array:
    return Windows().step(Windows().start(), block)[1]


def gait(rate_hz: float, seconds: float = 20.0, cadence_hz: float = 1.9, g: float = 0.2) -> Array:
    """|a| of a walk: steps, and twice as fast a share of what heels do."""
    t_s = np.arange(1, round(seconds * rate_hz) + 1) / rate_hz
    phase = 2 * np.pi * cadence_hz * t_s
    return 1 + g * np.sin(phase) + 0.5 * g * np.sin(3 * phase + 1) * (rate_hz > 8 * cadence_hz)


def test_a_row_says_mean_direction_and_spreads_of_its_windows():
    t_s = np.arange(1, 501) / 50
    lean = np.radians(np.where(t_s <= 5, 10.0, 20.0))
    up = np.stack([-np.sin(lean), 0 * lean, np.cos(lean)], axis=1)
    rows = rows_of(ups(1 + 0.1 * np.sign(np.sin(2 * np.pi * 5 * t_s + 0.01)), up=up))
    assert rows["t_session_ns"].tolist() == [200_000_000 * number for number in range(1, 50)]
    sagittal = np.degrees(np.arctan2(-rows["up"][:, 0], rows["up"][:, 2]))
    assert sagittal[[10, 24]] == pytest.approx(10)
    assert sagittal[[25, 26, 27, 28]] == pytest.approx([12, 14, 16, 18], abs=0.05)
    assert sagittal[[29, 48]] == pytest.approx(20)
    assert rows["acc_sd_g"][10:] == pytest.approx(0.1, rel=0.02)
    assert rows["newest_sd_g"][10:] == pytest.approx(0.1, rel=0.02)
    assert rows["sigma_deg"][10:] == pytest.approx(0.5)
    assert np.isnan(rows["up"][:2]).all()  # under half a second
    steady = np.linalg.norm(rows["rest_up"], axis=1)
    assert steady[[24, 48]] == pytest.approx(1)
    assert steady[34] == pytest.approx(np.cos(np.radians(5)), abs=1e-4)  # two seconds here, two there


def test_flags_and_settling_belong_to_their_second():
    block = ups(np.ones(500))
    block["joint"][200], block["joint"][300] = Joint.CLIPPED, Joint.FROZEN
    block["settled"][:75] = False
    block["gyro"][400:] = False
    rows = rows_of(block)
    assert np.flatnonzero(rows["clipped"]).tolist() == [20, 21, 22, 23, 24]
    assert np.flatnonzero(rows["frozen"]).tolist() == [30, 31, 32, 33, 34]
    assert np.flatnonzero(~rows["settled"]).tolist() == list(range(12))
    assert np.flatnonzero(~rows["gyro"]).tolist() == list(range(40, 49))


@pytest.mark.parametrize("rate_hz", [12.5, 20.0, 25.0, 49.9, 50.0, 52.0, 100.0, 119.0, 200.0])
def test_the_part_at_walking_cadence_does_not_depend_on_the_rate(rate_hz):
    rows = rows_of(ups(gait(rate_hz), rate_hz))[20:]
    assert np.median(rows["stride_sd_g"]) == pytest.approx(0.2 / np.sqrt(2), rel=0.2)
    share = 0.8 if rate_hz > 16 else 1.0  # the heels' part is not there where the sensor cannot show it
    assert np.median(rows["stride_share"]) == pytest.approx(share, rel=0.35)


@pytest.mark.parametrize(("cadence_hz", "passes"), [(0.3, 0.02), (0.6, 0.25), (1.4, 0.75), (2.5, 0.8), (4.5, 0.05)])
def test_what_is_slower_or_faster_than_steps_is_left_out(cadence_hz, passes):
    t_s = np.arange(1, 1001) / 50
    rows = rows_of(ups(1 + 0.2 * np.sin(2 * np.pi * cadence_hz * t_s)))[40:]
    found = np.sqrt(np.mean(rows["stride_sd_g"] ** 2)) / (0.2 / np.sqrt(2))
    assert found == pytest.approx(passes, abs=0.12)


@pytest.mark.parametrize("gain", [0.85, 1.0, 1.3])
def test_what_a_sensor_reads_for_1_g_cancels_out(gain):
    walk = gait(52.0)
    rows, plain = rows_of(ups(gain * walk, 52.0)), rows_of(ups(walk, 52.0))
    for name in ("acc_sd_g", "newest_sd_g", "stride_sd_g", "stride_share"):
        assert rows[name][20:] == pytest.approx(plain[name][20:], rel=1e-6)


def test_a_sensor_that_reads_too_much_makes_no_step_when_it_starts():
    rows = rows_of(ups(np.full(200, 1.3)))
    assert np.nanmax(rows["stride_sd_g"]) < 1e-6


def test_steps_are_not_carried_over_a_new_start():
    walk, stand = gait(50.0, 10.0), np.full(500, 1.0)
    carried, begun = ups(np.concatenate([walk, stand])), ups(np.concatenate([walk, stand]))
    begun["joint"][500] |= Joint.RESTART
    # Rows at 12.2 s and later see nothing of the walk but what the filter still remembers.
    assert rows_of(carried)["stride_sd_g"][60] > 0.01
    assert rows_of(begun)["stride_sd_g"][60] < 1e-9


@pytest.mark.parametrize("rate_hz", [1.0, 0.1, 4.0])
def test_slow_sensors_are_taken_as_they_are(rate_hz):
    rows = rows_of(ups(np.ones(round(60 * max(rate_hz, 1))), rate_hz))
    assert (rows["stride_sd_g"][20:] == 0).any() or np.isnan(rows["stride_sd_g"]).any()
    assert np.isnan(rows["velocity_dps"]).all()
    assert np.isfinite(rows["up"][:, 0]).any()


def swinging(rate_hz: float, amplitude_deg: float, frequency_hz: float, seconds: float = 60.0) -> tuple[Array, Array]:
    t_s = np.arange(1, round(seconds * rate_hz) + 1) / rate_hz
    angle = np.radians(amplitude_deg) * np.sin(2 * np.pi * frequency_hz * t_s)
    return t_s, np.stack([-np.sin(angle), 0 * angle, np.cos(angle)], axis=1)


@pytest.mark.parametrize("rate_hz", [12.5, 25.0, 50.0, 52.0, 100.0, 200.0])
@pytest.mark.parametrize(("frequency_hz", "least", "most"), [(0.3, 0.99, 1.0), (1.0, 0.95, 1.0), (5.0, 0.55, 0.8)])
def test_velocity_is_that_of_the_trunk_below_5_hz(rate_hz, frequency_hz, least, most):
    _, up = swinging(rate_hz, 3.0, frequency_hz * 1.003)
    rows = rows_of(ups(np.ones(len(up)), rate_hz, up=up))
    peak_dps = 3.0 * 2 * np.pi * frequency_hz * 1.003
    found = np.nanpercentile(rows["velocity_dps"], 99.5) / peak_dps
    assert least <= found <= most + 0.005


def test_velocity_is_what_a_butterworth_low_pass_of_5_hz_gives():
    rng = np.random.default_rng(2)
    tremor, drift = rng.normal(0, 1, (2, 6000)), rng.normal(0, 1, (2, 6000))
    slow = sosfilt(butter(2, 0.8, fs=50, output="sos"), drift, axis=1)
    fast = sosfilt(butter(2, (4, 12), "bandpass", fs=50, output="sos"), tremor, axis=1)
    x, y = np.radians(30 * slow + 0.5 * fast)
    up = np.stack([x, y, np.sqrt(1 - x * x - y * y)], axis=1)
    rates = sosfilt(butter(2, 5, fs=50, output="sos"), np.diff(up, axis=0, prepend=up[:1]) * 50, axis=0)
    wanted = np.degrees(np.linalg.norm(rates, axis=1))
    found = rows_of(ups(np.ones(6000), up=up))["velocity_dps"]
    for percentile in (10, 50, 90):
        assert np.nanpercentile(found, percentile) == pytest.approx(np.percentile(wanted, percentile), rel=0.12)


def test_velocity_is_unknown_across_starts_while_settling_and_without_a_gyroscope():
    _, up = swinging(50.0, 5.0, 0.5, 10.0)
    block = ups(np.ones(500), up=up)
    block["joint"][257] |= Joint.RESTART
    block["settled"][:100] = block["gyro"][400:] = False
    unknown = np.isnan(rows_of(block)["velocity_dps"])
    assert np.flatnonzero(unknown).tolist() == [*range(10), 25, *range(40, 49)]


def test_rows_go_on_through_silence_and_say_how_long_it_is():
    block, tick = ups(np.ones(100)), Columns.zeros(1, UPS)
    tick["t_session_ns"][:], tick["beat"][:] = 4 * S, Beat.TICK
    rows = rows_of(Columns.joined([block, tick]))
    assert len(rows) == 20
    assert rows["silent_ns"].tolist() == [0] * 10 + [200_000_000 * number for number in range(1, 11)]
    assert np.isfinite(rows["velocity_dps"][:10]).all()
    assert np.isnan(rows["velocity_dps"][10:]).all()


def test_what_comes_too_late_for_its_row_is_left_out():
    block, tick = ups(np.ones(100)), Columns.zeros(1, UPS)
    tick["t_session_ns"][:], tick["beat"][:] = S, Beat.TICK
    whole = Columns.joined([block[:20], tick, block[20:]])
    assert np.flatnonzero(np.isnan(rows_of(whole)["up"][:, 0])).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(rows_of(whole)) == 9


def test_after_a_new_calibration_no_direction_of_the_old_frame_is_left():
    windows = Windows()
    state, _ = windows.step(windows.start(), ups(np.ones(105), up=[1.0, 0.0, 0.0]))
    block = ups(np.ones(300))
    rows = windows.step(forget_directions(state), block[105:])[1]
    known = np.isfinite(rows["up"][:, 0])
    assert known.sum() > 10
    assert rows["up"][known] == pytest.approx(np.array([[0.0, 0.0, 1.0]] * known.sum()))
    assert np.isnan(rows["velocity_dps"][:1]).all()
