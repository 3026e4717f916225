"""The snapshot: what the screen shows follows from rows and events, however they come."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.headline import headline
from companion.output.snapshot import Snapshot, SnapshotBuilder
from companion.output.streaks import Breaks, Streak
from companion.posture import events as happened
from companion.posture.rows import CONTEXTS, POSTURE, Context, RowFlag, State
from companion.settings import Settings
from firmware_protocol.drivers import Battery
from firmware_protocol.frames import Opened

MakeRows = Callable[..., Any]
S = 1_000_000_000
EMPTY = np.empty(0, dtype=POSTURE)
STILL_IN_RANGE = (int(Context.STILL), int(State.IN_RANGE))
STILL_FORWARD = (int(Context.STILL), int(State.FORWARD))
MOVING = (int(Context.MOVING), int(State.UNKNOWN))


@pytest.fixture
def builder(header: Opened) -> SnapshotBuilder:
    return SnapshotBuilder(header, Settings.of({}), file="/data/x.posture")


def alert(t_s: int) -> happened.AlertRaised:
    return happened.AlertRaised(t_session_ns=t_s * S, episode=1, number=1, angle_deg=15.0, forward_ns=30 * S)


STALE = happened.CalibrationStale(t_session_ns=S, off_deg=14.0, forward_deg=14.0, right_deg=0.0)
SLIPPED = happened.SlipSuspected(t_session_ns=S, from_ns=0, to_ns=S, slip_deg=14.0)
PUT_ON = happened.SensorReattached(t_session_ns=S, from_ns=0, to_ns=S, off_deg=3.0, suspect=False)


@pytest.mark.parametrize(
    ("events", "offered"),
    [
        ([STALE], "off your baseline"),
        ([SLIPPED], "sit otherwise"),
        ([replace(PUT_ON, suspect=True)], "sit otherwise"),
        ([PUT_ON], ""),
        ([SLIPPED, PUT_ON], "sit otherwise"),
        ([SLIPPED, happened.SlipCleared(t_session_ns=S)], ""),
        ([STALE, happened.CalibrationTaken(t_session_ns=S, calibration_id="a")], ""),
    ],
)
def test_what_can_be_done_about_the_sensor_stays_until_it_is_done(
    builder: SnapshotBuilder, make_rows: MakeRows, events: list, offered: str
) -> None:
    builder.update(EMPTY, events)
    shown = builder.update(make_rows(100, 10, sagittal_deg=3.0))
    assert offered in shown.offer
    assert bool(offered) == bool(shown.offer)
    assert not offered or "press c" in shown.offer


def test_an_alert_of_a_suspect_sensor_says_so(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    rows = make_rows(200, 1, sagittal_deg=15.0)
    assert "slipped" not in headline(builder.update(rows, [alert(40)])).detail
    rows["flags"] = int(RowFlag.SUSPECT)
    assert headline(builder.update(rows)).detail.endswith("(the sensor may have slipped)")


def test_before_anything_has_come(builder: SnapshotBuilder) -> None:
    assert builder.latest == Snapshot(
        session_id="2026-03-29T005900Z-4f2a",
        device="clip",
        file="/data/x.posture",
        calibrated=True,
    )


def test_rows_and_the_rest(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    shown = builder.update(
        make_rows(50, 1, sagittal_deg=3.0),
        batteries=[Battery(None, 3.9), Battery(84.0), Battery(83.0)],
        link="connected\x1b",
        loss_pct=0.5,
        rate_hz=49.9,
    )
    assert shown == replace(
        Snapshot(),
        session_id="2026-03-29T005900Z-4f2a",
        device="clip",
        file="/data/x.posture",
        calibrated=True,
        t_s=10.0,
        context="still",
        state="in_range",
        in_state_s=9.8,
        sagittal_deg=3.0,
        lateral_deg=-0.4,
        uncertainty_deg=1.2,
        slouch_pct=3.0,
        history_deg=(3.0,) * 10,
        history_end_s=10,
        battery_pct=83.0,
        link="connected",
        loss_pct=0.5,
        rate_hz=49.9,
        next_break_s=1790.0,
    )
    assert builder.update(EMPTY).battery_pct == 83.0
    assert not builder.update(EMPTY).ended
    assert builder.update(EMPTY, ended=True).ended
    assert builder.update(EMPTY).ended


def test_unknown_angles_are_none(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    shown = builder.update(make_rows(5, 1, "no_data", "unknown", sagittal_deg=math.nan, slouch_pct=math.inf))
    assert (shown.sagittal_deg, shown.slouch_pct, shown.history_deg) == (None, None, (None,))


def test_history_is_limited(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    shown = builder.update(make_rows(5 * 400, 1))
    assert (len(shown.history_deg), shown.history_end_s) == (300, 400)


def test_an_alert_from_its_start_to_its_end(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    started = happened.SlouchStarted(t_session_ns=10 * S, episode=1, angle_deg=14.0)
    assert builder.update(make_rows(50, 1), [started]).alert_forward_s is None
    raised = builder.update(make_rows(150, 51, state="forward"), [alert(40)])
    assert (raised.alerts, raised.bells, raised.alert_forward_s) == (1, 1, 30.0)
    assert headline(raised).detail == "forward of your baseline for 30 s"
    again = builder.update(make_rows(5, 201, state="forward"), [alert(41)])
    assert (again.alerts, again.bells, again.alert_forward_s) == (2, 2, 31.0)
    cleared = happened.AlertCleared(t_session_ns=42 * S, episode=1, recovery_ns=2 * S, ended_by="recovered")
    calm = builder.update(make_rows(5, 206), [cleared])
    assert (calm.alert_forward_s, calm.note) == (None, "back in range, 2 s after the first alert")
    assert builder.update(make_rows(40, 211)).note == ""


def test_missing_data_are_told_at_once_and_counted_from_the_last(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    builder.update(make_rows(50), data_ns=10 * S, link="streaming", cause="none come", trouble=False)
    builder.update(EMPTY, link="lost", cause="link lost", trouble=True)
    seen = []
    for first in range(50, 85, 5):  # row 50 is at 10 s
        rows = make_rows(5, first, "settling" if first < 75 else "no_data", "unknown", sagittal_deg=math.nan)
        head = headline(builder.update(rows))
        seen.append((head.word, head.detail))
    assert seen == [("NO DATA", f"for {since} s: link lost") for since in range(1, 8)]
    settling = make_rows(5, 85, "settling", "unknown", sagittal_deg=math.nan)
    back = builder.update(settling, data_ns=18 * S, link="streaming", cause="none come", trouble=False)
    assert (back.silent_s, headline(back).word) == (None, "SETTLING")


def test_data_that_came_late_are_no_newer_ones(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    builder.update(make_rows(50), data_ns=10 * S)
    assert builder.update(make_rows(10, 50), data_ns=5 * S).silent_s == 1.8


def test_a_sensor_that_speaks_seldom_is_not_called_silent(header: Opened, make_rows: MakeRows) -> None:
    seldom = SnapshotBuilder(header, Settings.of({}), quiet_s=20.0)
    assert seldom.update(make_rows(76), data_ns=0).silent_s is None
    assert seldom.update(make_rows(26, 76)).silent_s == 20.2
    other = SnapshotBuilder(header, Settings.of({}), quiet_s=20.0)
    assert other.update(make_rows(11), data_ns=0, trouble=True).silent_s == 2.0


def test_silence_and_fault(builder: SnapshotBuilder, make_rows: MakeRows) -> None:
    silent = make_rows(10, 1, "no_data", "unknown")
    lost = builder.update(silent, [happened.SignalLost(t_session_ns=0, cause="out of range")])
    assert headline(lost).word == "NO DATA"
    assert headline(lost).detail == "for 2 s: out of range"
    fault = happened.Fault(t_session_ns=30 * S, cause="battery", silent_ns=30 * S)
    faulty = builder.update(make_rows(140, 11, "no_data", "unknown"), [fault])
    assert headline(faulty).word == "FAULT"
    assert headline(faulty).detail == "no data for 30 s: battery"
    back = [happened.SignalFound(t_session_ns=31 * S, silent_ns=31 * S), happened.FaultCleared(t_session_ns=31 * S)]
    found = builder.update(make_rows(1, 155), back)
    assert (found.fault, found.silence, found.note) == (False, "", "data again after 31 s without")
    assert headline(found).word == "IN RANGE"


def test_snooze_settings_and_calibration(header: Opened, make_rows: MakeRows) -> None:
    builder = SnapshotBuilder(replace(header, calibration_json=None), Settings.of({}))
    shown = builder.update(make_rows(5, 1, state="unjudged", sagittal_deg=math.nan), inclination_deg=8.0)
    assert (shown.calibrated, shown.history_deg) == (False, (8.0,))
    assert headline(shown).detail == "not calibrated: press c"
    shown = builder.update(
        EMPTY,
        [
            happened.Snoozed(t_session_ns=S, until_ns=60 * S),
            happened.CalibrationTaken(t_session_ns=S, calibration_id="c"),
            happened.SettingTaken(t_session_ns=S, key="profile", value="standing"),
            happened.SettingTaken(t_session_ns=S, key="mode", value="track"),
            happened.SettingTaken(t_session_ns=S, key="no.such", value="x"),
        ],
    )
    assert (shown.snoozed_until, shown.calibrated, shown.profile, shown.mode) == ("03:00", True, "standing", "track")
    assert (shown.limit_deg, shown.limit_pct) == (7.0, 40.0)
    assert builder.update(EMPTY, [happened.SnoozeEnded(t_session_ns=S)]).snoozed_until == ""


def test_a_personal_range_moves_the_limit(header: Opened) -> None:
    shown = SnapshotBuilder(header, Settings.of({}), limit_deg=8.0, range_deg=20.0).latest
    assert (shown.limit_deg, shown.limit_pct) == (8.0, 40.0)


def test_a_guide_step_by_step(builder: SnapshotBuilder) -> None:
    shown = builder.guide("Hold still.\x07", 0.5, ring=True)
    assert (shown.guide, shown.guide_progress, shown.bells) == ("Hold still.", 0.5, 1)
    assert headline(shown).word == "CALIBRATION"
    over = builder.guide("")
    assert (over.guide, over.guide_progress, over.bells) == ("", None, 1)


@given(st.data())
def test_a_snapshot_does_not_depend_on_the_cut(data: st.DataObject) -> None:
    header = Opened(t_host_ns=0, session_id="s", driver="d", device="d", utc_ns=0, zone="UTC", software_version="0")
    codes = data.draw(st.lists(st.integers(0, len(CONTEXTS) - 1), min_size=1, max_size=60))
    cut = data.draw(st.integers(0, len(codes)))
    rows = np.array(
        [((n + 1) * S // 5, n, 0.0, n, 1.0, code, code % 5, 0) for n, code in enumerate(codes)], dtype=POSTURE
    )
    whole, parts = (SnapshotBuilder(header, Settings.of({})) for _ in range(2))
    parts.update(rows[:cut])
    assert whole.update(rows) == parts.update(rows[cut:])


def seen(kinds: list[tuple[tuple[int, int], float]]) -> float:
    """How long the last of these (code, seconds) has lasted at its end, in seconds."""
    streak, t_ns, since = Streak(), 0, 0
    for code, seconds in kinds:
        for _ in range(round(seconds * 5)):
            since = streak.see(t_ns, code)
            t_ns += S // 5
    return (t_ns - since) / S


@pytest.mark.parametrize(
    ("kinds", "lasted_s"),
    [
        ([(STILL_IN_RANGE, 20)], 20.0),
        ([(STILL_IN_RANGE, 20), (MOVING, 4), (STILL_IN_RANGE, 6)], 30.0),
        ([(STILL_IN_RANGE, 20), (MOVING, 5.4), (STILL_IN_RANGE, 6)], 6.0),
        ([(STILL_FORWARD, 20), (STILL_IN_RANGE, 2), (STILL_FORWARD, 3)], 3.0),
        ([(STILL_IN_RANGE, 20), (MOVING, 3)], 3.0),
    ],
)
def test_streaks(kinds: list[tuple[tuple[int, int], float]], lasted_s: float) -> None:
    assert seen(kinds) == pytest.approx(lasted_s)


@pytest.mark.parametrize(
    ("stays", "break_s"),
    [
        ([("still", 100)], 0),
        ([("walking", 59)], 0),
        ([("walking", 61), ("still", 10)], 60.8),
        ([("walking", 40), ("moving", 4), ("walking", 40), ("still", 10)], 83.8),
        ([("walking", 40), ("still", 6), ("walking", 40)], 0),
        ([("lying", 61)], 60.8),
        ([("no_data", 299)], 0),
        ([("no_data", 200), ("not_worn", 120)], 319.8),
    ],
)
def test_breaks(stays: list[tuple[str, int]], break_s: float) -> None:
    breaks, t_ns = Breaks(), 0
    for context, seconds in stays:
        for _ in range(seconds * 5):
            breaks.see(t_ns, CONTEXTS.index(context))
            t_ns += S // 5
    assert breaks.last_ns / S == pytest.approx(break_s)
