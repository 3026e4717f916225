"""When a slouch begins and ends, and when to speak: rows in, events out, every second written down."""

import numpy as np
import pytest

from companion.posture.alerts import Alerts, snoozed
from companion.posture.episodes import Episodes
from companion.posture.rows import ROW_NS, STATES, Context
from companion.posture.stage import ROWS
from companion.posture.telling import TellingState, last_word, tell

S = 1_000_000_000
UNSURE_DEG = 0.7


def rows_of(*parts: tuple[float, float | Context]) -> np.ndarray:
    """Rows from (seconds, angle) for still time, and (seconds, context) for the rest."""
    made = []
    for seconds, what in parts:
        rows = np.zeros(round(seconds * S / ROW_NS), dtype=ROWS)
        is_context = isinstance(what, Context)
        rows["context"] = what if is_context else Context.STILL
        rows["deviation_deg"] = rows["sagittal_deg"] = np.nan if is_context else what
        rows["uncertainty_deg"] = UNSURE_DEG
        made.append(rows)
    rows = np.concatenate(made)
    rows["t_session_ns"] = (np.arange(len(rows)) + 1) * ROW_NS
    return rows


def judged(rows: np.ndarray, *, limit_deg: float = 12.0, alerts: Alerts | None = None, snoozed_until_s: float = 0.0):
    """The judged rows, and the events as (seconds, name)."""
    episodes, alerts = Episodes(limit_deg), alerts or Alerts()
    state, rows = episodes.step(episodes.start(), rows)
    start = snoozed(alerts.start(), round(snoozed_until_s * S)) if snoozed_until_s else alerts.start()
    after, rows = alerts.step(start, rows)
    _, told = tell(TellingState(), rows, "", 30 * S)
    events = [event for _, event in told] + last_word(state, after.alerts, int(rows["t_session_ns"][-1]))
    return rows, events


def named(events) -> list[tuple[float, str]]:
    return [(event.t_session_ns / S, type(event).__name__) for event in events]


def times(events, name: str) -> list[float]:
    return [t_s for t_s, each in named(events) if each == name]


STARTED, ENDED, RAISED, CLEARED = "SlouchStarted", "SlouchEnded", "AlertRaised", "AlertCleared"

CASES = {
    "29 s: silence": (
        [(10, 0.0), (29, 25.0), (10, 0.0)],
        [(10.2, STARTED), (41.0, ENDED)],
    ),
    "31 s: one alert": (
        [(10, 0.0), (31, 25.0), (10, 0.0)],
        [(10.2, STARTED), (40.2, RAISED), (43.0, ENDED), (43.0, CLEARED)],
    ),
    "the uncertainty must be beyond the limit too": ([(10, 0.0), (60, 12.6)], []),
    "just beyond": ([(10, 0.0), (60, 12.8)], [(10.2, STARTED), (40.2, RAISED), (70.0, ENDED)]),
    "above the release it goes on": (
        [(10, 0.0), (10, 25.0), (30, 8.1), (10, 7.9)],
        [(10.2, STARTED), (40.2, RAISED), (52.0, ENDED), (52.0, CLEARED)],
    ),
    "a dip of under 2 s belongs to it": (
        [(10, 0.0), (20, 25.0), (1.8, 0.0), (20, 25.0)],
        [(10.2, STARTED), (40.2, RAISED), (51.8, ENDED)],
    ),
    "a fidget of 5 s belongs to it": (
        [(10, 0.0), (20, 25.0), (5, Context.MOVING), (20, 25.0)],
        [(10.2, STARTED), (40.2, RAISED), (55.0, ENDED)],
    ),
    "a longer one ends it": (
        [(10, 0.0), (20, 25.0), (5.2, Context.MOVING), (20, 25.0)],
        [(10.2, STARTED), (35.2, ENDED), (35.4, STARTED), (55.2, ENDED)],
    ),
    "no alert while moving, but right after": (
        [(10, 0.0), (29, 25.0), (3, Context.MOVING), (10, 25.0)],
        [(10.2, STARTED), (42.2, RAISED), (52.0, ENDED)],
    ),
    "walking ends it at once": (
        [(10, 0.0), (40, 25.0), (10, Context.WALKING)],
        [(10.2, STARTED), (40.2, RAISED), (50.2, ENDED), (50.2, CLEARED)],
    ),
    "no data of more than 5 s ends it": (
        [(10, 0.0), (20, 25.0), (10, Context.NO_DATA), (20, 25.0)],
        [(10.2, STARTED), (30.2, "SignalLost"), (35.2, ENDED), (40.2, "SignalFound"), (40.2, STARTED), (60.0, ENDED)],
    ),
    "reclined is no slouch": ([(10, 0.0), (60, -25.0)], []),
}


@pytest.mark.parametrize(("parts", "expected"), CASES.values(), ids=CASES)
def test_events(parts, expected):
    events = judged(rows_of(*parts))[1]
    assert named(events) == [(pytest.approx(t_s), name) for t_s, name in expected]


ENDINGS = {
    "recovered": 0.0,
    "moved": Context.MOVING,
    "walked": Context.WALKING,
    "lay_down": Context.LYING,
    "no_data": Context.NO_DATA,
}


@pytest.mark.parametrize(("cause", "then"), ENDINGS.items(), ids=ENDINGS)
def test_an_ended_slouch_says_how_long_how_far_and_why(cause, then):
    events = judged(rows_of((10, 0.0), (20, 20.0), (20, 30.0), (10, then)))[1]
    ended = next(event for event in events if type(event).__name__ == ENDED)
    assert ended.ended_by == cause
    assert ended.duration_ns == 40 * S
    assert (ended.peak_deg, ended.mean_deg, ended.alerts) == (30.0, pytest.approx(25.0), 1)
    cleared = next(event for event in events if type(event).__name__ == CLEARED)
    assert cleared.recovery_ns == 10 * S
    assert cleared.ended_by == cause


def test_ten_minutes_are_one_slouch_and_five_alerts():
    events = judged(rows_of((10, 0.0), (600, 25.0), (10, 0.0)))[1]
    start_s = times(events, STARTED)[0]
    assert [t_s - start_s for t_s in times(events, RAISED)] == pytest.approx([30, 150, 270, 390, 510])
    assert len(times(events, STARTED)) == 1


def test_fidgets_delay_a_cue_and_none_after_it():
    parts = [(18, 25.0), (2, Context.MOVING)] * 30
    events = judged(rows_of((10, 0.0), *parts, (10, 0.0)))[1]
    start_s = times(events, STARTED)[0]
    found = [t_s - start_s for t_s in times(events, RAISED)]
    assert len(found) == 5
    assert all(0 <= t_s - due_s <= 10 for t_s, due_s in zip(found, (30, 150, 270, 390, 510), strict=True))


def test_fifty_minutes_give_six_alerts_in_any_hour_and_then_a_digest():
    events = judged(rows_of((10, 0.0), (3000, 25.0), (1200, 0.0)))[1]
    raised = times(events, RAISED)
    assert len(raised) == 6
    digest = [event for event in events if type(event).__name__ == "DigestRaised"]
    assert len(digest) == 1
    assert digest[0].t_session_ns / S == pytest.approx(raised[0] + 3600)
    assert digest[0].withheld == 19  # of the 25 that were due: 30 s, then every 2 min for 50 min


def test_any_rolling_hour_holds_at_most_the_limit_digests_included():
    events = judged(rows_of((10, 0.0), (4 * 3600, 25.0)))[1]
    spoken = sorted(times(events, RAISED) + times(events, "DigestRaised"))
    assert all(sum(1 for other in spoken if t_s <= other < t_s + 3600) <= 6 for t_s in spoken)
    assert len(spoken) >= 20


def test_a_watching_mode_and_a_limit_of_none_say_nothing():
    rows = rows_of((10, 0.0), (600, 25.0), (10, 0.0))
    for alerts in (Alerts(coach=False), Alerts(per_hour=0)):
        events = judged(rows, alerts=alerts)[1]
        assert [name for _, name in named(events)] == [STARTED, ENDED]


def test_a_snooze_ends_by_itself_and_nothing_is_made_up_for():
    rows, events = judged(rows_of((10, 0.0), (600, 25.0), (10, 0.0)), snoozed_until_s=300.0)
    assert times(events, "SnoozeEnded") == [300.0]
    assert times(events, RAISED) == pytest.approx([400.2, 520.2])
    assert rows["snoozed"].sum() == 300 * 5 - 1
    assert (rows["state"][rows["snoozed"]] == 1).sum() > 1000  # exposure is counted all the same


def test_states_count_still_time_only():
    rows, _ = judged(rows_of((10, 0.0), (10, 25.0), (3, Context.MOVING), (10, -16.0), (10, -14.0)))
    states = [STATES[state] for state in rows["state"]]
    assert states == ["in_range"] * 50 + ["forward"] * 50 + ["unknown"] * 15 + ["reclined"] * 50 + ["in_range"] * 50


def test_too_uncertain_is_unjudged_and_never_alerts():
    rows = rows_of((10, 0.0), (100, 40.0))
    rows["uncertainty_deg"] = 4.1  # over a third of 12
    rows, events = judged(rows)
    assert {STATES[state] for state in rows["state"]} == {"unjudged"}
    assert events == []


def test_without_a_calibration_nothing_is_judged():
    rows = rows_of((10, 0.0), (100, 40.0))
    rows["deviation_deg"] = np.nan
    rows, events = judged(rows)
    assert {STATES[state] for state in rows["state"]} == {"unjudged"}
    assert events == []
