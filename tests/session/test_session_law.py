"""A session is its frames: any cut gives the same bits, and only the frames count."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.commands.conductor import Asked, conducted
from companion.commands.opening import declared
from companion.session import Report, Session
from companion.settings import Settings
from companion.simulator import straight
from companion.simulator.faults import Faults
from companion.simulator.stories import body_of
from firmware_protocol.frames import (
    ASLEEP,
    CalibrationSet,
    ClockPair,
    Closed,
    Dropped,
    LinkDown,
    Notification,
    Opened,
    RecorderTrouble,
    SettingChanged,
    Tick,
    UserMark,
)

T0_NS = 5_000_000_000_000


def header(body, **texts) -> Opened:
    settings_in_force = Settings.of({"alert.delay": "5s", "alert.repeat": "10s"} | texts)
    given_json = declared(body.up_sensor, body.forward_sensor, settings_in_force) if body.calibration_given else None
    return Opened(
        t_host_ns=T0_NS,
        session_id="a",
        driver="posture_v1",
        device="simulated",
        utc_ns=1_760_000_000_000_000_000,
        zone="Europe/Paris",
        settings_json=settings_in_force.to_json(),
        calibration_json=given_json,
        software_version="test",
        origin="simulated",
    )


def frames_of(story: str, *faults: str, duration_s: float | None = None, **texts) -> list:
    """A simulated session with its guided calibration, and its end."""
    body = body_of(story)
    source = straight.frames(body, header=header(body, **texts), faults=Faults.of(faults), duration_s=duration_s)
    made = list(conducted(source, Asked("desk"), []))
    return [*made, Closed(t_host_ns=made[-1].t_host_ns + 40_000_000, reason="ended", count=len(made))]


def marked(frames: list) -> list:
    """The same session with everything in it that a wearer and a computer can add, and packets that are no packets."""
    made = list(frames)
    extra = {
        0.2: lambda t: UserMark(t_host_ns=t, kind="mark"),
        0.3: lambda t: SettingChanged(t_host_ns=t, key="slouch.limit_deg", value="9"),
        0.4: lambda t: UserMark(t_host_ns=t, kind="snooze", value="10s"),
        0.5: lambda t: Dropped(t_host_ns=t, count=3),
        0.6: lambda t: Notification(t_host_ns=t, characteristic="nobody", data=b"\xff"),
        0.65: lambda t: ClockPair(t_host_ns=t - 10**9, utc_ns=1),  # a clock that went back
        0.7: lambda t: RecorderTrouble(t_host_ns=t, reason="no room"),
    }
    for part, make in sorted(extra.items(), reverse=True):
        place = int(part * len(made))
        made.insert(place, make(made[place].t_host_ns))
    return made


def run(frames: list, pieces: list[list]) -> list[Report]:
    session = Session(frames[0], keep_angles=True)
    return [*(session.feed(piece) for piece in pieces), session.close()]


def told(reports: list[Report]) -> list:
    """Everything that the reports say, in order, as values that compare exactly."""
    said: list = []
    for report in reports:
        for kind, what in report.in_order():
            said += [bytes(row) for row in what] if kind == "posture" else [what]
    return [*said, repr(reports[-1].summary)]


SESSIONS = {
    "plain": lambda: frames_of("slouch", duration_s=60),
    "calibrated, faults": lambda: marked(
        frames_of("demo", "link@25+9", "lose@40+0.4", "garbage@45", "short@46", "flip@47", "reboot@60", "silent@70+8")
    ),
}


@pytest.fixture(scope="module", params=SESSIONS)
def session_frames(request):
    return SESSIONS[request.param]()


@pytest.fixture(scope="module")
def whole(session_frames):
    return told(run(session_frames, [session_frames]))


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_any_cut_gives_the_same_rows_events_and_summary(session_frames, whole, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(session_frames)), max_size=20)))
    pieces = [session_frames[first:end] for first, end in zip([0, *cuts], [*cuts, len(session_frames)], strict=True)]
    assert told(run(session_frames, pieces)) == whole


def test_one_frame_at_a_time_gives_the_same(session_frames, whole):
    assert told(run(session_frames, [[frame] for frame in session_frames])) == whole


def test_the_sessions_of_these_tests_hold_what_they_should(whole):
    names = {type(each).__name__ for each in whole}
    assert {"SlouchStarted", "AlertRaised"} <= names


def test_angles_and_samples_do_not_depend_on_the_cut(session_frames):
    once = run(session_frames, [session_frames])
    singly = run(session_frames, [[frame] for frame in session_frames])
    for name in ("samples", "angles"):
        joined = [np.concatenate([getattr(report, name) for report in reports]) for reports in (once, singly)]
        for column in joined[0].dtype.names:
            assert joined[0][column].tobytes() == joined[1][column].tobytes()


def test_a_setting_changed_in_replay_changes_what_is_said():
    frames = frames_of("slouch", duration_s=60)
    changed = [replace(frames[0], settings_json=Settings.of({"alert.delay": "2min"}).to_json()), *frames[1:]]
    assert run(frames, [frames])[-1].summary["alerts"] > 0
    assert run(changed, [changed])[-1].summary["alerts"] == 0


def test_a_lost_link_is_one_gap_without_good_minutes_and_exact_accounts():
    frames = frames_of("upright", "link@20+20", "no-buffer", duration_s=80)
    reports = run(frames, [frames])
    rows = np.concatenate([report.posture for report in reports])
    summary = reports[-1].summary
    t_s = rows["t_session_ns"] / 1e9
    down_s = next(f.t_host_ns - T0_NS for f in frames if isinstance(f, LinkDown)) / 1e9
    silent = (t_s > down_s + 1) & (t_s < down_s + 19)
    assert np.isnan(rows["sagittal_deg"][silent]).all()
    assert set(rows["state"][silent]) == {4}
    no_data = t_s[rows["context"] == 5]
    assert np.diff(no_data).max() < 0.21  # one gap
    assert no_data[0] == pytest.approx(down_s + 5, abs=0.5)
    names = [type(event).__name__ for report in reports for event in report.events]
    assert names.count("SignalLost") == names.count("SignalFound") == 1
    assert summary["outages"] == 1
    assert summary["samples"] + summary["lost_samples"] == pytest.approx(80 * 50, abs=25)
    assert summary["lost_samples"] == pytest.approx(21 * 50, abs=60)


def test_ticks_alone_are_no_data_and_then_a_fault():
    opened = header(body_of("upright"))
    ticks = [Tick(t_host_ns=T0_NS + second * 10**9) for second in range(1, 61)]
    reports = run([opened], [[opened], ticks])
    rows = np.concatenate([report.posture for report in reports])
    assert len(rows) == 300
    assert (rows["context"][24:] == 5).all()
    assert (rows["context"][:24] == 4).all()
    names = [type(event).__name__ for report in reports for event in report.events]
    assert names == ["SignalLost", "Fault"]
    assert reports[-1].summary["coverage_pct"] == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (ASLEEP, [("SignalLost", ASLEEP)]),
        ("link lost", [("SignalLost", "link lost"), ("Fault", "link lost")]),
    ],
)
def test_a_computer_that_slept_for_an_hour_alarms_nobody(cause, told):
    before = [frame for frame in frames_of("slouch", duration_s=20) if frame.t_host_ns <= T0_NS + 20 * 10**9]
    down_ns = T0_NS + 3620 * 10**9
    awake = [LinkDown(t_host_ns=down_ns, cause=cause), *(Tick(t_host_ns=down_ns + k * 10**9) for k in range(1, 20))]
    reports = run(before, [before, awake])
    events = [event for report in reports for event in report.events]
    heard = [(type(event).__name__, event.cause) for event in events if hasattr(event, "cause")]
    assert heard == told
    alerts_s = [event.t_session_ns / 1e9 for event in events if type(event).__name__ == "AlertRaised"]
    assert alerts_s, "or this says nothing"
    assert max(alerts_s) < 20


def test_silence_that_goes_on_after_the_sleep_is_a_fault_after_its_time():
    before = [frame for frame in frames_of("slouch", duration_s=20) if frame.t_host_ns <= T0_NS + 20 * 10**9]
    down_ns = T0_NS + 3620 * 10**9
    awake = [LinkDown(t_host_ns=down_ns, cause=ASLEEP), *(Tick(t_host_ns=down_ns + k * 10**9) for k in range(1, 60))]
    reports = run(before, [before, awake])
    faults = [event for report in reports for event in report.events if type(event).__name__ == "Fault"]
    assert [round(event.t_session_ns / 1e9) for event in faults] == [3650]


def test_a_calibration_in_mid_session_counts_from_there_on():
    body = body_of("slouch")
    frames = frames_of("slouch", duration_s=60)
    bare = [replace(frames[0], calibration_json=None), *frames[1:]]
    place = next(i for i, frame in enumerate(bare) if frame.t_host_ns > T0_NS + 30 * 10**9)
    made = declared(body.up_sensor, body.forward_sensor, Settings())
    bare.insert(place, CalibrationSet(t_host_ns=bare[place].t_host_ns, calibration_json=made))
    rows = np.concatenate([report.posture for report in run(bare, [bare])])
    t_s = rows["t_session_ns"] / 1e9
    assert np.isnan(rows["sagittal_deg"][t_s < 29]).all()
    assert (rows["state"][(rows["context"] == 0) & (t_s < 29)] == 3).all()
    assert rows["sagittal_deg"][t_s > 34] == pytest.approx(25.0, abs=1.5)
