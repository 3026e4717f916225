"""Rows of a sensor that gives few samples: each number written down, at every row where it changes."""

import numpy as np
import pytest

from companion.posture.context import ContextStage, limit_ns
from companion.posture.few import LAST, MOST, Patience
from companion.posture.rows import CONTEXTS
from companion.posture.stage import MOTION, ROWS, UPS, Array, Beat, Columns, Joint
from companion.posture.tilt import Tilt
from companion.posture.wear import WearState, not_worn
from companion.posture.windows import Windows, forget_directions

S = 1_000_000_000


def ups(at_s: list[float], leans_deg: list[float], *, norm_g: float = 1.0, period_s: float = 1.0, **fields) -> Columns:
    """UPS of a slow sensor at these times, leaning so far; the first begins a segment."""
    made, lean = Columns.zeros(len(at_s), UPS), np.radians(leans_deg)
    made["t_session_ns"][:] = np.round(np.array(at_s) * S)
    made["period_ns"][:], made["number"][:] = round(period_s * S), np.arange(len(at_s))
    made["up"][:] = np.stack([-np.sin(lean), 0 * lean, np.cos(lean)], axis=1)
    made["acc_norm_g"][:], made["settled"][:], made["joint"][:1] = norm_g, True, Joint.RESTART
    for name, value in fields.items():
        made[name][:] = value
    return made


def tick(t_s: float) -> Columns:
    made = Columns.zeros(1, UPS)
    made["t_session_ns"][:], made["beat"][:], made["number"][:] = round(t_s * S), Beat.TICK, -1
    return made


def rows_of(*parts: Columns, patience: Patience | None = None) -> dict[float, Array]:
    """ROWS by their time in seconds."""
    windows = Windows(patience or Patience())
    rows = windows.step(windows.start(), Columns.joined(list(parts)))[1]
    return {round(row["t_session_ns"] / S, 1): row for row in rows}


def sagittal_deg(row: Array) -> float:
    return float(np.degrees(np.arctan2(-row["up"][0], row["up"][2])))


NAN = pytest.approx(np.nan, nan_ok=True)

# One sample a second, upright three times, then 20 degrees forward: row, angle, spread in g, settled, reach in s.
# Two of three vectors of 1 g that are 20 degrees apart from the third spread by 2 sin 10° · √2 / 3 = 0.1637 g.
TOLD = [
    (0.8, NAN, NAN, False, 0.0),
    (1.0, 0.0, NAN, True, 0.0),
    (2.8, 0.0, NAN, True, 1.8),
    (3.0, 0.0, 0.0, True, 2.0),
    (3.8, 0.0, 0.0, True, 2.8),
    (4.0, 6.64, 0.1637, True, 2.0),
    (4.8, 6.64, 0.1637, True, 2.8),
    (5.0, 13.36, 0.1637, True, 2.0),
    (6.0, 20.0, 0.0, True, 2.0),
    (8.4, 20.0, 0.0, True, 4.4),  # two seconds and a half after the newest
    (8.6, NAN, NAN, False, 0.0),
    (10.8, NAN, NAN, False, 0.0),
    (11.0, 20.0, 0.0, True, 6.0),  # a gap of five seconds does not tear
]


def test_a_row_says_what_the_last_three_samples_say():
    block = ups([1, 2, 3, 4, 5, 6], [0, 0, 0, 20, 20, 20])
    rows = rows_of(block, tick(10.9), ups([11], [20], joint=Joint.RESTART | Joint.TIMED), tick(12.0))
    for t_s, angle_deg, sd_g, settled, reach_s in TOLD:
        row = rows[t_s]
        found = (sagittal_deg(row), float(row["acc_sd_g"]), bool(row["settled"]), row["reach_ns"] / S)
        assert found == (
            pytest.approx(angle_deg, abs=0.01, nan_ok=True),
            pytest.approx(sd_g, abs=1e-4, nan_ok=True),
            settled,
            pytest.approx(reach_s),
        ), t_s
    assert not any(row["gyro"] for t_s, row in rows.items() if 1 <= t_s <= 8.4)


def test_what_a_sensor_reads_for_1_g_cancels_out_and_the_spread_is_in_the_uncertainty():
    plain, heavy = (rows_of(ups([1, 2, 3, 4], [0, 0, 0, 2], norm_g=norm), tick(4.5))[4.0] for norm in (1.0, 1.3))
    assert heavy["acc_sd_g"] == pytest.approx(plain["acc_sd_g"], rel=1e-9)
    spread_deg = np.degrees(2 * np.sin(np.radians(1)) * np.sqrt(2) / 3)
    assert plain["sigma_deg"] == pytest.approx(spread_deg / np.sqrt(2), rel=1e-3)


def test_a_push_without_a_lean_is_a_spread_too():
    block = ups([1, 2, 3, 4], [0, 0, 0, 0])
    block["acc_norm_g"][:] = [1.0, 1.0, 1.3, 1.0]
    assert rows_of(block, tick(4.5))[4.0]["acc_sd_g"] == pytest.approx(0.3 * np.sqrt(2) / 3 / 1.1, rel=1e-6)


TORN = {
    "a gap of more than five seconds": (6.1, Joint.RESTART | Joint.TIMED, True),
    "a shorter one": (4.9, Joint.RESTART | Joint.TIMED, False),
    "what must not be joined": (1.0, Joint.RESTART, True),
}


@pytest.mark.parametrize(("gap_s", "joint", "torn"), TORN.values(), ids=TORN)
def test_samples_on_both_sides_of_a_tear_are_not_looked_at_together(gap_s, joint, torn):
    after = ups([3 + gap_s], [20], joint=joint)
    rows = rows_of(ups([1, 2, 3], [0, 0, 0]), after, tick(3 + gap_s + 0.5))
    row = rows[np.ceil((3 + gap_s) * 5) / 5]
    assert sagittal_deg(row) == pytest.approx(20.0 if torn else 6.64, abs=0.01)
    assert np.isnan(row["acc_sd_g"]) == torn


@pytest.mark.parametrize(("interval_s", "known_s"), [(1.0, 2.5), (4.0, 10.0), (0.5, 2.5)])
def test_the_newest_holds_for_two_intervals_and_a_half_of_those_seen_or_said(interval_s, known_s):
    """The sensor says one sample a second."""
    last_s = 4 * interval_s
    block = ups([interval_s, 2 * interval_s, 3 * interval_s, last_s], [5] * 4)
    rows = rows_of(block, tick(last_s + 16), patience=Patience(1_250_000_000, 15 * S))
    newest = max(t_s for t_s, row in rows.items() if np.isfinite(row["up"][0]))
    assert newest == pytest.approx(last_s + known_s, abs=0.2)


@pytest.mark.parametrize("hold_s", [1.25, 6.25])
def test_a_driver_may_ask_for_more_patience(hold_s):
    rows = rows_of(ups([1, 2, 3], [5] * 3), tick(14.0), patience=Patience(round(hold_s * S), 15 * S))
    newest = max(t_s for t_s, row in rows.items() if np.isfinite(row["up"][0]))
    assert newest == pytest.approx(3 + max(hold_s, 2.5), abs=0.2)


@pytest.mark.parametrize(("rate_hz", "many"), [(5.0, True), (4.0, True), (3.4, False), (2.0, False)])
def test_where_seconds_hold_enough_they_count_as_ever(rate_hz, many):
    """A sensor that is said to be slow and is not: eight samples in two seconds are plenty."""
    times = (np.arange(1, 60) / rate_hz).tolist()
    lean = np.where(np.arange(59) % 2 == 0, 0.0, 20.0).tolist()
    rows = rows_of(ups(times, lean), tick(times[-1] + 0.1))
    row = rows[8.0]
    assert bool(row["reach_ns"] == 0) == many
    assert row["acc_sd_g"] == pytest.approx(0.0 if many else 0.17, abs=0.01), "|a| is 1 g throughout"


def test_lying_needs_three_samples():
    rows = rows_of(ups([1, 2, 3], [80, 80, 80]), tick(4.5))
    assert [bool(np.isfinite(rows[t_s]["rest_up"][0])) for t_s in (1.4, 2.4, 3.0, 4.4)] == [False, False, True, True]
    assert np.linalg.norm(rows[4.4]["rest_up"]) == pytest.approx(1.0)


def test_nothing_of_the_old_frame_is_left():
    windows = Windows()
    state, _ = windows.step(windows.start(), ups([1, 2, 3, 4], [70] * 4))
    later = ups([5, 6, 7, 8], [0] * 4, joint=Joint.RESTART | Joint.TIMED)
    rows = windows.step(forget_directions(state), Columns.joined([later, tick(8.5)]))[1]
    known = np.isfinite(rows["up"][:, 0])
    assert rows["up"][known] == pytest.approx(np.array([[0.0, 0.0, 1.0]] * known.sum()))
    assert known.sum() == 18


def test_three_and_eight_are_what_the_tables_above_are_about():
    assert (LAST, MOST) == (3, 8)


@pytest.mark.parametrize(("period_s", "gyro"), [(0.4, True), (0.5, False), (1.285, False)])
def test_a_gyroscope_that_is_read_twice_a_second_or_less_is_not_looked_at(period_s, gyro):
    count = 20
    block = Columns.zeros(count, MOTION)
    block["t_session_ns"][:] = np.round(np.arange(1, count + 1) * period_s * S)
    block["period_ns"][:], block["number"][:] = round(period_s * S), np.arange(count)
    lean = np.radians(np.arange(count) * 3.0)
    block["acc_mps2"][:] = 9.81 * np.stack([-np.sin(lean), 0 * lean, np.cos(lean)], axis=1)
    block["gyr_radps"][:], block["joint"][0] = 0.02, Joint.RESTART
    tilt = Tilt()
    made = tilt.step(tilt.start(), block)[1]
    assert set(made["gyro"].tolist()) == {gyro}
    if not gyro:
        assert made["up"] == pytest.approx(block["acc_mps2"] / 9.81)
        assert made["settled"].all()


@pytest.mark.parametrize(("rate_hz", "waits"), [(10.0, True), (7.0, True), (6.0, False), (5.0, False)])
def test_a_low_pass_that_remembers_nothing_has_nothing_to_settle(rate_hz, waits):
    block = Columns.zeros(40, MOTION)
    block["t_session_ns"][:] = np.round(np.arange(1, 41) / rate_hz * S)
    block["period_ns"][:], block["number"][:] = round(S / rate_hz), np.arange(40)
    block["acc_mps2"][:], block["gyr_radps"][:] = [0.0, 0.0, 9.81], np.nan
    block["joint"][[0, 20]] = Joint.RESTART
    settled = Tilt().step(Tilt().start(), block)[1]["settled"]
    assert settled[[0, 20]].tolist() == [not waits, not waits]
    assert settled[[19, 39]].all()


SILENCES = [(50.0, 5.0), (0.7, 5.0), (0.5, 6.0), (0.1, 30.0), (np.nan, 5.0)]  # rate, silence that is no data, in s


@pytest.mark.parametrize(("rate_hz", "no_data_s"), SILENCES)
def test_no_sensor_is_silent_before_three_of_its_periods(rate_hz, no_data_s):
    rows = np.zeros(200, dtype=ROWS)
    rows["rate_hz"], rows["silent_ns"] = rate_hz, (np.arange(200) + 1) * S // 5
    stage = ContextStage(calibrated=False)
    context = stage.step(stage.start(), rows)[1]["context"]
    assert np.flatnonzero(context == CONTEXTS.index("no_data"))[0] == round(no_data_s * 5) - 1
    assert int(np.max(limit_ns(rows, 30 * S, 10))) == round(max(30.0, 0 if np.isnan(rate_hz) else 10 / rate_hz) * S)


@pytest.mark.parametrize(("rate_hz", "told"), [(50.0, True), (0.78, False)])
def test_rows_of_a_slow_sensor_must_be_steadier_to_be_of_a_table(rate_hz, told):
    """0.08 degrees RMS about the mean, far from the baseline, with noise: breaths cancel out in means of seconds."""
    rows = np.zeros(660, dtype=ROWS)
    rows["t_session_ns"] = (np.arange(660) + 1) * S // 5
    sway = np.radians(0.08 * np.sqrt(2)) * np.sin(np.arange(660) * 0.7)
    rows["up"] = np.stack([np.sin(1.2 + sway), 0 * sway, np.cos(1.2 + sway)], axis=1)
    rows["acc_sd_g"], rows["rate_hz"], rows["settled"] = 0.02, rate_hz, True
    assert not_worn(WearState(), rows)[1].any() == told
