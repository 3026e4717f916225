"""Does the sensor still sit as it was calibrated: rows in, suspicion and events out; and recordings of real people."""

from dataclasses import replace

import numpy as np
import pytest

import companion
import firmware_protocol as fp
from companion.posture.alerts import Alerts
from companion.posture.calibration import Calibration
from companion.posture.episodes import Episodes
from companion.posture.pipeline import Parameters, Pipeline
from companion.posture.rows import ROW_NS, STATES, Context, Suspicion
from companion.posture.slip import SlipStage, SlipState
from companion.posture.stage import ROWS
from companion.posture.telling import TellingState, tell

S = 1_000_000_000
CALIBRATION = Calibration.from_axes([0.3, -0.2, 0.9], [0.2, 1.0, 0.1])
STILL, MOVING, WALKING, LYING, NOT_WORN = (
    Context.STILL,
    Context.MOVING,
    Context.WALKING,
    Context.LYING,
    Context.NOT_WORN,
)
TOLD = ("CalibrationStale", "SlipSuspected", "SlipCleared", "SensorReattached")


def up_of(forward_deg: float, right_deg: float = 0.0) -> np.ndarray:
    """Up in the calibrated frame of a trunk, or a sensor, that leans by these angles."""
    forward, right = np.radians(forward_deg), np.radians(right_deg)
    return np.array([-np.sin(forward) * np.cos(right), np.sin(right), np.cos(forward) * np.cos(right)])


def rows_of(*parts: tuple, noise_deg: float = 2.0, seed: int = 0) -> np.ndarray:
    """Rows from (seconds, context, forward, right): steady when still, noisy when walking."""
    rng, made = np.random.default_rng(seed), []
    for seconds, context, *lean in parts:
        rows = np.zeros(round(seconds * S / ROW_NS), dtype=ROWS)
        spread = np.radians(noise_deg if context is WALKING else 0.1)
        rows["up"] = up_of(*lean) + rng.normal(0, spread, (len(rows), 3))
        rows["context"], rows["velocity_dps"], rows["settled"] = context, 10.0, True
        made.append(rows)
    rows = np.concatenate(made)
    rows["t_session_ns"] = (np.arange(len(rows)) + 1) * ROW_NS
    rows["sagittal_deg"] = rows["deviation_deg"] = np.degrees(np.arctan2(-rows["up"][:, 0], rows["up"][:, 2]))
    rows["uncertainty_deg"] = 0.7
    return rows


def seen(rows: np.ndarray, *, calibration=CALIBRATION, state: SlipState | None = None, delay_ns: int = 30 * S):
    """The rows after all stages from slip on, the events, and the state of the slip stage."""
    stage, episodes, alerts = SlipStage(calibration), Episodes(12.0), Alerts(delay_ns)
    after, rows = stage.step(state or stage.start(), rows)
    _, rows = episodes.step(episodes.start(), rows)
    _, rows = alerts.step(alerts.start(), rows)
    events = [event for _, event in tell(TellingState(), rows, "", 30 * S)[1]]
    return rows, events, after


def fit(events) -> list[str]:
    return [type(event).__name__ for event in events if type(event).__name__ in TOLD]


def first(events, name: str):
    return next(event for event in events if type(event).__name__ == name)


# ---- walking


BEFORE = ((10, STILL, 0), (130, WALKING, 3), (60, STILL, 2), (120, WALKING, 3))
"""In the order of a day: the reference is complete 140 s after the start, and walking agrees with it at 320 s."""


def test_a_slip_between_two_walks_is_told_as_an_interval_with_its_instant():
    rows, events, _ = seen(rows_of(*BEFORE, (60, STILL, 2), (30, STILL, 17), (150, WALKING, 18), (20, STILL, 17)))
    assert fit(events) == ["SlipSuspected"]
    slip = first(events, "SlipSuspected")
    assert 410 < slip.t_session_ns / S <= 410 + 120
    assert 314 <= slip.from_ns / S <= 320
    assert 410 <= slip.to_ns / S <= 416
    assert slip.at_ns / S == pytest.approx(380, abs=1.0)
    assert slip.slip_deg == pytest.approx(15, abs=0.5)
    assert not slip.held
    after = rows["t_session_ns"] >= slip.t_session_ns
    assert (rows["suspicion"] == np.where(after, Suspicion.SUSPECT, Suspicion.NONE)).all()
    assert np.isnan(rows["slip_deg"][~after]).all()
    assert rows["slip_deg"][-1] == pytest.approx(15, abs=0.5)


@pytest.mark.parametrize("about_deg", range(0, 360, 45))
def test_a_turn_of_15_degrees_about_any_horizontal_axis_is_found_within_120_s_of_walking(about_deg: float):
    about = np.radians(about_deg)
    turned = (120, WALKING, 3 + 15 * np.cos(about), 15 * np.sin(about))
    events = seen(rows_of(*BEFORE, turned, noise_deg=5.0))[1]
    assert fit(events) == ["SlipSuspected"]
    slip = first(events, "SlipSuspected")
    assert slip.from_ns <= 320 * S <= slip.to_ns
    assert slip.to_ns - slip.from_ns <= 15 * S
    assert slip.at_ns is None  # nobody was still


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([(119, WALKING, 0), (300, STILL, 0)], []),  # no reference, no claim
        ([(119, WALKING, 0), (1, WALKING, 0), (119, WALKING, 30)], ["SlipSuspected"]),  # a sum of 120 s has both
        ([*BEFORE, (300, WALKING, 12)], []),  # 9 degrees off
        ([*BEFORE, (300, WALKING, 14.5)], ["SlipSuspected"]),
        ([*BEFORE, (45, WALKING, 45), (120, WALKING, 3)], []),  # most of a minute bent forward
        ([*BEFORE, (200, WALKING, -1), (130, WALKING, 8.5)], []),  # 9.5 degrees from before, 5.5 from the reference
        ([*BEFORE, (400, WALKING, -2.5), (130, WALKING, 12)], ["SlipSuspected"]),  # hidden by a change of gait
    ],
    ids=["no reference", "just a reference", "9", "11.5", "bent", "jump within", "jump beyond two thirds"],
)
def test_sums_of_two_minutes_decide(parts, told):
    assert fit(seen(rows_of(*parts))[1]) == told


def test_suspect_time_is_judged_and_alerts_say_so_until_walking_agrees_again():
    parts = [(130, WALKING, 15), (100, STILL, 20), (200, WALKING, 3), (100, STILL, 20)]
    rows, events, _ = seen(rows_of(*BEFORE, *parts))
    assert fit(events) == ["SlipSuspected", "SlipCleared"]
    raised = [event.suspect for event in events if type(event).__name__ == "AlertRaised"]
    assert raised == [True, False]
    cleared_ns = first(events, "SlipCleared").t_session_ns
    assert 550 < cleared_ns / S <= 550 + 121
    assert (rows["suspicion"][rows["t_session_ns"] >= cleared_ns] == Suspicion.NONE).all()
    assert np.isnan(rows["slip_deg"][rows["t_session_ns"] >= cleared_ns]).all()


def test_beyond_20_degrees_nothing_is_judged():
    rows, events, _ = seen(rows_of(*BEFORE, (130, WALKING, 28), (100, STILL, 28), (20, STILL, 0)))
    assert fit(events) == ["SlipSuspected"]
    assert first(events, "SlipSuspected").held
    late = rows["t_session_ns"] > 460 * S
    assert {STATES[state] for state in rows["state"][late]} == {"unjudged"}
    assert not [event for event in events if type(event).__name__ in ("AlertRaised", "SlouchStarted")]


def test_what_grows_beyond_20_degrees_is_told_again():
    events = seen(rows_of(*BEFORE, (130, WALKING, 15), (200, WALKING, 26)))[1]
    slips = [event for event in events if type(event).__name__ == "SlipSuspected"]
    assert [event.held for event in slips] == [False, True]
    assert (slips[0].from_ns, slips[0].to_ns) == (slips[1].from_ns, slips[1].to_ns)


def test_the_reference_of_an_earlier_session_counts_from_the_first_walk_on():
    learned = seen(rows_of(*BEFORE))[2].learned(CALIBRATION)
    assert learned.calibration_id == CALIBRATION.calibration_id
    assert CALIBRATION.rotation @ learned.walking == pytest.approx(up_of(3), abs=0.01)
    assert Calibration.from_json(learned.to_json()) == learned
    events = seen(rows_of((60, STILL, 2), (121, WALKING, 16)), calibration=learned)[1]
    assert fit(events) == ["SlipSuspected"]
    slip = first(events, "SlipSuspected")
    assert (slip.from_ns, slip.slip_deg) == (0, pytest.approx(13, abs=0.5))
    assert seen(rows_of((60, STILL, 2), (300, WALKING, 3)), calibration=learned)[2].learned(learned) is None


def test_nothing_is_learned_without_two_minutes_or_from_a_session_that_began_off_its_baseline():
    assert seen(rows_of((10, STILL, 0), (119, WALKING, 3)))[2].learned(CALIBRATION) is None
    assert seen(rows_of((10, STILL, 14), (300, WALKING, 14)))[2].learned(CALIBRATION) is None


def test_a_new_calibration_forgets_and_no_calibration_claims_nothing():
    known = seen(rows_of(*BEFORE, (130, WALKING, 20)))[2]
    assert (known.walks.level, known.walks.reference is None) == (Suspicion.SUSPECT, False)
    start = Pipeline.of(Parameters(calibration=CALIBRATION)).start()
    stages = tuple(known if isinstance(state, SlipState) else state for state in start.stages)
    anew = replace(start, stages=stages).turned().slip
    assert (anew.walks.level, anew.walks.reference, anew.start.over) == (Suspicion.NONE, None, True)
    rows, events, _ = seen(rows_of(*BEFORE, (300, WALKING, 40)), calibration=None)
    assert fit(events) == []
    assert (rows["suspicion"] == 0).all()
    assert np.isnan(rows["slip_deg"]).all()


def test_a_lean_that_is_taken_back_is_not_the_instant():
    there_and_back = [(10, STILL, 17), (10, STILL, 2), (10, STILL, 17), (10, STILL, 2)]
    slipped = [(20, STILL, 17), (150, WALKING, 18)]
    events = seen(rows_of(*BEFORE, (30, STILL, 2), *there_and_back, *slipped))[1]
    assert first(events, "SlipSuspected").at_ns / S == pytest.approx(390, abs=1.0)
    slow = [(1, STILL, 2 + 1.5 * step) for step in range(10)]  # a slow one is none either
    assert first(seen(rows_of(*BEFORE, *slow, *slipped))[1], "SlipSuspected").at_ns is None


STEPS = {
    "a jump": ([(0.2, STILL, 9)], 1),
    "in two seconds": ([(1.8, MOVING, 9)], 1),
    "in more": ([(2.2, MOVING, 9)], 0),
    "between movements": ([(1.2, MOVING, 2), (1.2, MOVING, 17)], 0),
    "a bend that ends elsewhere": ([(0.6, MOVING, 40)], 0),
    "too small": ([(10, STILL, 9.5), (0.2, STILL, 13)], 0),
}


@pytest.mark.parametrize(("way", "count"), STEPS.values(), ids=STEPS)
def test_what_is_a_step_between_stills(way, count):
    found = seen(rows_of((10, STILL, 2), *way, (10, STILL, 17)))[2].marks.marks
    assert len(found) == count
    for mark in found:
        assert 9 * S <= mark.t_ns <= 12 * S
        assert np.degrees(np.linalg.norm(mark.moved)) == pytest.approx(15, abs=0.5)


def test_what_was_walked_long_ago_does_not_matter_however_the_rows_came():
    rows = rows_of((125, WALKING, 3), (300, WALKING, -3), (600, WALKING, 3), (150, WALKING, 14.5))
    stage, whole = SlipStage(CALIBRATION), seen(rows)[0]
    state, parts = stage.start(), []
    for place in range(0, len(rows), 97):
        state, part = stage.step(state, rows[place : place + 97])
        parts.append(part)
    pieces = np.concatenate(parts)
    for name in ("suspicion", "slip_deg", "slip_step", "slip_from_ns", "slip_to_ns", "slip_off_deg"):
        assert pieces[name].tobytes() == whole[name].tobytes(), name
    assert whole["slip_from_ns"].max() > 1000 * S
    assert len(seen(rows[:5000])[2].walks.sums) == 6 * 60 * 5 + 1  # six minutes are kept, whatever the day


# ---- the baseline at the start


STARTS = {
    "forward": ([(5, STILL, 14)], [("CalibrationStale", 14.0, 0.0)]),
    "to the left": ([(5, STILL, 0, -11)], [("CalibrationStale", 0.0, -11.0)]),
    "within": ([(600, STILL, 9.5)], []),
    "too short": ([(4.6, STILL, 14)], []),
    "after a walk": ([(60, WALKING, 3), (5, STILL, 14)], [("CalibrationStale", 14.0, 0.0)]),
    "only the first seconds": ([(5, STILL, 1), (600, STILL, 25)], []),
    "a long break begins anew": ([(2, STILL, 14), (6, MOVING, 14), (4, STILL, 1), (1, STILL, 1)], []),
    "told once": ([(300, STILL, 14)], [("CalibrationStale", 14.0, 0.0)]),
}


@pytest.mark.parametrize(("parts", "told"), STARTS.values(), ids=STARTS)
def test_the_first_still_seconds_are_compared_with_the_baseline(parts, told):
    events = [event for event in seen(rows_of(*parts))[1] if type(event).__name__ in TOLD]
    assert [(type(e).__name__, round(e.forward_deg, 0), round(e.right_deg, 0)) for e in events] == told
    assert all(
        event.off_deg == pytest.approx(max(abs(event.forward_deg), abs(event.right_deg)), abs=0.2) for event in events
    )


@pytest.mark.parametrize("parts", [[(60, STILL, 14)], [(0.2, STILL, 14), (4.8, MOVING, 14), (60, STILL, 14)]])
def test_a_stale_baseline_is_told_before_the_first_alert(parts):
    events = seen(rows_of(*parts), delay_ns=5 * S)[1]
    names = [type(event).__name__ for event in events]
    assert names.index("CalibrationStale") < names.index("AlertRaised")


def test_a_calibration_of_this_session_is_not_compared_with_itself():
    assert fit(seen(rows_of((300, STILL, 14)), state=SlipState())[1]) == []


# ---- upside down, off and on


def test_a_sensor_upside_down_is_told_within_five_seconds_and_never_judged():
    rows, events, _ = seen(rows_of((20, STILL, 0), (60, STILL, 178), (20, STILL, 0)), delay_ns=5 * S)
    assert fit(events) == ["SlipSuspected", "SlipCleared", "SensorReattached"]
    slip = first(events, "SlipSuspected")
    assert (slip.t_session_ns, slip.from_ns, slip.to_ns) == (24_800_000_000, 20 * S, 20_200_000_000)
    assert slip.held
    assert slip.slip_deg == pytest.approx(178, abs=1)
    assert first(events, "SlipCleared").t_session_ns == 84_800_000_000
    assert [STATES[state] for state in rows["state"][[99, 100, 399, 422, 423]]] == [
        "in_range",
        "unjudged",
        "unjudged",
        "unjudged",
        "in_range",
    ]
    assert not [event for event in events if type(event).__name__ in ("AlertRaised", "SlouchStarted")]


def test_walking_upside_down_is_told_once_and_at_once():
    events = seen(rows_of(*BEFORE, (300, WALKING, 177)))[1]
    assert fit(events) == ["SlipSuspected"]
    assert first(events, "SlipSuspected").t_session_ns == 324_800_000_000


BODIES = {
    "lying on the back": [(600, LYING, -90)],
    "lying, with a bent baseline": [(600, LYING, -125)],
    "hanging over the seat for a moment": [(4, STILL, 130)],
    "tying shoes": [(2, MOVING, 140), (20, STILL, 20, 15)],
    "sitting like a statue": [(300, NOT_WORN, 2), (20, STILL, 25)],
    "lying down and sitting up otherwise": [(300, LYING, -80, 20), (3, MOVING, -30), (60, STILL, 22, 8)],
}


@pytest.mark.parametrize("parts", BODIES.values(), ids=BODIES)
def test_what_bodies_do_is_no_slip(parts):
    events = seen(rows_of((60, STILL, 0), *parts, (30, WALKING, 3), (60, STILL, 0)))[1]
    assert fit(events) == []


@pytest.mark.parametrize(
    ("handling", "off", "suspect"),
    [
        ([(3, MOVING, 175), (60, NOT_WORN, 95)], (13, 2), True),
        ([(3, MOVING, 60), (60, NOT_WORN, 95)], (-12, 0), True),
        ([(3, MOVING, 60), (60, NOT_WORN, 95)], (4, 0), False),  # certain, so it is told
        ([(3, MOVING, 175), (20, STILL, 95)], (0, 26), True),
    ],
)
def test_a_sensor_that_was_off_and_on_is_told_with_its_interval(handling, off, suspect):
    before, after = [(60, STILL, 1)], [(6, MOVING, *off), (60, STILL, *off)]
    rows, events, _ = seen(rows_of(*before, *handling, *after))
    assert fit(events) == ["SensorReattached"]
    found = first(events, "SensorReattached")
    worn_s = 60 + sum(seconds for seconds, *_ in handling) + 6
    assert found.from_ns == 60 * S
    assert found.to_ns / S == pytest.approx(worn_s + 0.2)
    assert found.t_session_ns / S == pytest.approx(worn_s + 5)
    assert found.off_deg == pytest.approx(min(np.hypot(*off), np.hypot(off[0] - 1, off[1])), abs=0.5)
    assert found.suspect is suspect
    level = (Suspicion.HELD if np.hypot(*off) > 20 else Suspicion.SUSPECT) if suspect else Suspicion.NONE
    assert (rows["suspicion"][rows["t_session_ns"] >= found.t_session_ns] == level).all()


def test_a_whirl_is_told_only_if_the_sensor_sits_otherwise_since():
    for lean, told in ((14, ["SensorReattached"]), (4, [])):
        rows = rows_of((60, STILL, 0), (3, MOVING, 50), (60, STILL, lean))
        rows["velocity_dps"][305:309] = 520.0
        assert fit(seen(rows)[1]) == told


def test_walking_decides_about_a_sensor_that_was_put_on_otherwise():
    off_and_on = [(3, MOVING, 175), (60, NOT_WORN, 95), (30, STILL, 15)]
    agrees = seen(rows_of(*BEFORE, *off_and_on, (121, WALKING, 4), (10, STILL, 0)))
    assert fit(agrees[1]) == ["SensorReattached", "SlipCleared"]
    differs = seen(rows_of(*BEFORE, *off_and_on, (121, WALKING, 17), (10, STILL, 15)))
    assert fit(differs[1]) == ["SensorReattached"]
    assert differs[0]["suspicion"][-1] == Suspicion.SUSPECT
    unknown = seen(rows_of((60, STILL, 0), *off_and_on, (300, WALKING, 17)))
    assert unknown[0]["suspicion"][-1] == Suspicion.SUSPECT
    assert unknown[2].learned(CALIBRATION) is None  # that walking is with the sensor elsewhere


# ---- recordings


def samples_of(acc_mps2: np.ndarray, rate_hz: float, gyr_radps: np.ndarray | None = None) -> np.ndarray:
    t_ns = np.round(np.arange(len(acc_mps2)) / rate_hz * 1e9).astype(np.int64)
    return fp.make_samples(acc_mps2, gyr_radps, t_device_ns=t_ns, index=np.arange(len(acc_mps2)))


def chest(path) -> tuple[np.ndarray, float, Calibration]:
    with np.load(path) as file:
        acc = (file["raw"] - 2048.0) / 372.0 * 9.80665
        up = acc[file["label"] == 3].mean(axis=0)
        return acc, float(file["sampling_rate"]), Calibration.from_axes(up, [0.0, 0.0, 1.0])


def test_no_slip_is_told_on_chest_and_lower_back_where_there_is_none(shared_data):
    hours, told = 0.0, []
    for path in sorted((shared_data / "chest_uci").glob("*.npz")):
        acc, rate_hz, calibration = chest(path)
        hours += len(acc) / rate_hz / 3600
        told += fit(companion.analyse(samples_of(acc, rate_hz), calibration=calibration).events)
    for path in sorted((shared_data / "lowerback_mobilised").glob("*.npz")):
        with np.load(path) as file:
            acc, gyr, rate_hz = file["acc"], file["gyr"], float(file["sampling_rate"])
        calibration = Calibration.from_axes(acc[:200].mean(axis=0), [0.0, 0.0, 1.0])
        told += fit(companion.analyse(samples_of(acc, rate_hz, gyr), calibration=calibration).events)
    assert hours > 3
    assert not set(told) - {"CalibrationStale"}


@pytest.mark.parametrize("about_deg", [0, 120, 240])
def test_a_turn_of_15_degrees_is_found_on_every_chest(shared_data, about_deg: float):
    about, size = np.radians(about_deg), np.radians(15.0)
    axis = np.array([np.cos(about), np.sin(about), 0.0])
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) + np.sin(size) * cross + (1 - np.cos(size)) * cross @ cross
    for path in sorted((shared_data / "chest_uci").glob("*.npz")):
        acc, rate_hz, calibration = chest(path)
        plain = companion.analyse(samples_of(acc, rate_hz), calibration=calibration).posture
        walks_ns = plain["t_session_ns"][plain["context"] == Context.WALKING]
        slipped_ns = int(walks_ns[len(walks_ns) // 2])
        place = round(slipped_ns * 1e-9 * rate_hz)
        body = calibration.rotation
        acc[place:] = acc[place:] @ (body.T @ turn @ body)
        result = companion.analyse(samples_of(acc, rate_hz), calibration=calibration)
        slip = first(result.events, "SlipSuspected")
        walked = (result.posture["context"] == Context.WALKING) & (result.posture["t_session_ns"] > slipped_ns)
        walked &= result.posture["t_session_ns"] <= slip.t_session_ns
        assert slip.from_ns <= slipped_ns <= slip.to_ns, path.name
        assert walked.sum() <= 120 * 5, path.name
