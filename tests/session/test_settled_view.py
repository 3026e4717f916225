"""The settled view: as if everything had come when it was due, bit for bit; the lived view keeps what was lived."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.commands.opening import declared
from companion.posture.events import AlertRaised, DigestRaised, Event, GapFilled, SlouchEnded, SlouchStarted
from companion.session import Session
from companion.settings import Settings
from companion.settling import Lateness, Settlement, late
from companion.simulator import straight
from companion.simulator.faults import Faults
from companion.simulator.stories import body_of
from companion.tables.judged import Judged
from companion.tables.rows import rows_of
from companion.views import Keep, Lived, Viewed, Whole, resettled, settled
from firmware_protocol.frames import (
    CalibrationSet,
    Closed,
    Frame,
    LinkDown,
    LinkUp,
    Notification,
    Opened,
    SettingChanged,
    UserMark,
)
from firmware_protocol.posture_v1.packets import MOTION

T0_NS, UTC_NS, S = 5_000_000_000_000, 1_760_000_000_000_000_000, 1_000_000_000
MIDNIGHT_NS = 1_759_960_800 * S  # of 9 October 2025 in Paris
BACKFILLED = 8
Frames = list[Frame]


def header(story: str) -> Opened:
    body, in_force = body_of(story), Settings.of({"alert.delay": "5s", "alert.repeat": "10s"})
    return Opened(
        t_host_ns=T0_NS,
        session_id="a",
        driver="posture_v1",
        device="simulated",
        utc_ns=UTC_NS,
        zone="Europe/Paris",
        settings_json=in_force.to_json(),
        calibration_json=declared(body.up_sensor, body.forward_sensor, in_force),
        software_version="test",
        origin="simulated",
    )


def frames_of(story: str, *faults: str, duration_s: float) -> Frames:
    made = list(straight.frames(body_of(story), header=header(story), faults=Faults.of(faults), duration_s=duration_s))
    return [*made, Closed(t_host_ns=made[-1].t_host_ns + 40_000_000, reason="ended", count=len(made))]


def lived(frames: Frames) -> Whole:
    session = Session(frames[0])
    return Viewed(session, (session.feed(frames), session.close())).whole()


def seen(frames: Frames, pieces: list[Frames] | None = None) -> Whole:
    return settled(frames[0], lambda: [frames] if pieces is None else pieces).whole()


def events(whole: Whole, kind: type[Event]) -> list[Any]:
    return [event for _, event in whole.told if type(event) is kind]


def alert_times(whole: Whole) -> list[int]:
    return [event.t_session_ns for _, event in whole.told if isinstance(event, AlertRaised | DigestRaised)]


def without_alerts(whole: Whole) -> list[str]:
    """What does not depend on alerts, which are those that were raised."""
    told = [
        (place, replace(event, alerts=0) if isinstance(event, SlouchEnded) else event) for place, event in whole.told
    ]
    kinds = ("AlertRaised", "AlertCleared", "DigestRaised")
    return [repr(each) for each in told if type(each[1]).__name__ not in kinds]


COUNTS = ("samples", "lost_samples", "duplicates", "malformed")


def assert_consistent(view: Whole, life: Whole, utc_ns: int = UTC_NS) -> None:
    """What holds for any two views of one session, which began at `utc_ns`."""
    assert [view.summary[name] for name in COUNTS] == [life.summary[name] for name in COUNTS]
    starts, ends = events(view, SlouchStarted), events(view, SlouchEnded)
    assert len(starts) == len(ends) == view.summary["episodes"]
    raised = events(view, AlertRaised)
    assert sum(event.alerts for event in ends) == len(raised) == view.summary["alerts"]
    assert alert_times(view) == (alert_times(life) if starts else [])
    assert not events(view, GapFilled)
    places = [place for place, _ in view.told]
    assert places == sorted(places)
    opened, told = replace(header("slouch"), utc_ns=utc_ns), tuple(event for _, event in view.told)
    judged = Judged(header=opened, summary=view.summary, posture=view.posture, events=told)
    for table in ("minutes", "days"):
        rows = list(rows_of(table, judged))
        for name in ("duration_s", "no_data_s", "forward_s", "still_s"):
            assert sum(row[name] for row in rows) == pytest.approx(view.summary[name], abs=0.05)
        assert sum(row["alerts"] for row in rows) == view.summary["alerts"]
    assert sum(row["alerts"] for row in rows_of("episodes", judged)) == view.summary["alerts"]


# ---- the simulated sensor and its buffer


@pytest.mark.parametrize("story", ["slouch", "walk-and-sit"])
def test_with_a_lost_link_it_is_what_it_would_have_been_without(story: str) -> None:
    kept, lost = frames_of(story, duration_s=75), frames_of(story, "link@20+25", duration_s=75)
    life, view, wanted = lived(lost), seen(lost), lived(kept)
    assert view.posture.tobytes() == wanted.posture.tobytes()
    assert without_alerts(view) == without_alerts(wanted)
    assert_consistent(view, life)
    figures = ("no_data_s", "outages", "loss_pct", "lost_samples", "view")
    assert [view.summary[name] for name in figures] == [0.0, 0, 0.0, 0, "settled"]
    assert life.summary["no_data_s"] == pytest.approx(21, abs=0.6)
    assert (life.summary["outages"], life.summary["lost_samples"], life.summary["view"]) == (1, 0, "lived")
    assert life.summary["loss_pct"] == pytest.approx(100 * 26 / 75, abs=0.5)


def test_the_lived_view_says_once_what_the_buffer_filled_and_keeps_its_rows() -> None:
    faults = ("link@20+25", "lose@60")
    life, wanted = (
        lived(frames_of("slouch", *faults, duration_s=90)),
        frames_of("slouch", *faults, "no-buffer", duration_s=90),
    )
    assert life.posture.tobytes() == lived(wanted).posture.tobytes()
    (outage, packet) = events(life, GapFilled)
    assert (outage.from_ns / S, outage.to_ns / S) == pytest.approx((20, 46.1), abs=0.3)
    assert 50 <= outage.t_session_ns / S <= 60
    assert (packet.samples, packet.pieces) == (12, 1)
    assert outage.samples + packet.samples == lived(wanted).summary["lost_samples"]


def test_without_a_buffer_both_views_are_the_same_bits() -> None:
    frames = frames_of("slouch", "link@20+25", "garbage@50", "reboot@60", "no-buffer", duration_s=90)
    found = settled(frames[0], lambda: [frames])
    life, view = lived(frames), found.whole()
    assert found.lived is None
    assert view.posture.tobytes() == life.posture.tobytes()
    assert view.told == life.told
    assert view.summary == life.summary | {"view": "settled"}


def test_midnight_in_an_outage_that_was_filled_cuts_it_in_two() -> None:
    frames, utc_ns = frames_of("slouch", "link@20+25", duration_s=75), MIDNIGHT_NS - 32 * S
    frames[0] = replace(header("slouch"), utc_ns=utc_ns)
    life, view = lived(frames), seen(frames)
    assert_consistent(view, life, utc_ns)
    judged = Judged(header=frames[0], summary=view.summary, posture=view.posture, events=())
    assert [(part.day.day, len(part.posture)) for part in judged.days()] == [(8, 160), (9, len(view.posture) - 160)]


def test_what_is_never_filled_stays_an_outage() -> None:
    frames = frames_of("slouch", "link@10+5", "link@50+100", duration_s=80)
    life, view = lived(frames), seen(frames)
    assert (life.summary["outages"], view.summary["outages"]) == (2, 1)
    assert view.summary["no_data_s"] == pytest.approx(25, abs=0.5)
    assert_consistent(view, life)


def test_a_reboot_empties_the_buffer() -> None:
    frames = frames_of("slouch", "link@15+6", "link@40+10", "reboot@45", duration_s=80)
    life, view = lived(frames), seen(frames)
    assert (life.summary["outages"], view.summary["outages"]) == (2, 1)
    assert view.summary["no_data_s"] == pytest.approx(5.5, abs=1.5)
    assert_consistent(view, life)


# ---- packets delayed by hand


@cache
def prompt() -> Frames:
    """A minute in which everything came when it was due, and more happened than motion."""
    frames = frames_of("slouch", duration_s=60)
    made = declared(body_of("slouch").up_sensor, (0.2, 0.1, 1.0), Settings())
    for t_s, extra in (
        (22.31, lambda t: CalibrationSet(t_host_ns=t, calibration_json=made)),
        (31.77, lambda t: SettingChanged(t_host_ns=t, key="slouch.limit_deg", value="9")),
        (40.5, lambda t: UserMark(t_host_ns=t, kind="snooze", value="5s")),
    ):
        frames = with_extra(frames, t_s, extra)
    return frames


@cache
def on_time() -> Whole:
    return lived(prompt())


def with_extra(frames: Frames, t_s: float, make: Callable[[int], Frame]) -> Frames:
    t_ns = T0_NS + round(t_s * S)
    return sorted([*frames, make(t_ns)], key=lambda frame: frame.t_host_ns)


def is_motion(frame: Frame) -> bool:
    return isinstance(frame, Notification) and frame.characteristic == MOTION


def delayed(frames: Frames, places: list[int], by_ns: list[int]) -> Frames:
    """The session with these packets later, as a buffer sends them; at the latest just before the last packet."""
    packets = [frame for frame in frames if is_motion(frame)]
    latest_ns = packets[-1].t_host_ns - 1
    moved = {packets[place].t_host_ns: delay_ns for place, delay_ns in zip(places, by_ns, strict=True)}

    def late_one(frame: Any) -> Frame:
        data = bytes([frame.data[0] | BACKFILLED]) + frame.data[1:]
        return replace(frame, t_host_ns=min(frame.t_host_ns + moved[frame.t_host_ns], latest_ns), data=data)

    made = [late_one(frame) if is_motion(frame) and frame.t_host_ns in moved else frame for frame in frames]
    made.sort(key=lambda frame: frame.t_host_ns)
    times_ns = np.array([frame.t_host_ns for frame in made])
    steps = np.arange(len(made))
    grown = np.maximum.accumulate(times_ns - steps) + steps
    return [replace(frame, t_host_ns=int(t_ns)) for frame, t_ns in zip(made, grown, strict=True)]


def anywhere(frames: Frames, seed: int) -> Frames:
    """The same session, with packets late as chance will have it: single ones, runs of them, by little and by much."""
    rng = np.random.default_rng(seed)
    count = sum(map(is_motion, frames)) - 1  # the first anchors time, the last is behind them all
    late_ones = np.zeros(count, dtype=np.bool_)
    for _ in range(rng.integers(0, 6)):
        first = int(rng.integers(1, count))
        late_ones[first : first + int(rng.integers(1, 120))] = True
    late_ones |= rng.random(count) < rng.choice([0.0, 0.02, 0.3])
    late_ones[0] = False
    places = np.flatnonzero(late_ones).tolist()
    longest_s = float(rng.choice([0.3, 5.0, 60.0]))
    return delayed(frames, places, (rng.uniform(0.1, longest_s, len(places)) * S).astype(np.int64).tolist())


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6)
def test_whatever_comes_late_has_its_place(seed: int) -> None:
    frames = anywhere(prompt(), seed)
    view = seen(frames)
    assert view.posture.tobytes() == on_time().posture.tobytes()
    assert without_alerts(view) == without_alerts(on_time())
    assert_consistent(view, lived(frames))


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=80)
def test_whatever_comes_late_has_its_place_many_times(seed: int) -> None:
    view = seen(anywhere(prompt(), seed))
    assert view.posture.tobytes() == on_time().posture.tobytes()
    assert without_alerts(view) == without_alerts(on_time())


def assert_same_bits(one: Whole, other: Whole) -> None:
    assert one.posture.tobytes() == other.posture.tobytes()
    assert one.told == other.told
    assert repr(one.summary) == repr(other.summary)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=2)
def test_any_cut_gives_the_same_bits(seed: int) -> None:
    frames, rng = anywhere(prompt(), seed), np.random.default_rng(seed)
    cuts = [0, *sorted(rng.integers(0, len(frames), 12).tolist()), len(frames)]
    pieces, session = [frames[first:end] for first, end in pairwise(cuts)], Session(frames[0])
    assert_same_bits(seen(frames, pieces), seen(frames))
    assert_same_bits(
        Viewed(session, (*[session.feed(piece) for piece in pieces], session.close())).whole(), lived(frames)
    )


def test_frame_by_frame_is_the_same_too() -> None:
    frames = frames_of("slouch", "link@5+3", "lose@15", duration_s=20)
    pieces, session = [[frame] for frame in frames], Session(frames[0])
    assert_same_bits(seen(frames, pieces), seen(frames))
    assert_same_bits(
        Viewed(session, (*[session.feed(piece) for piece in pieces], session.close())).whole(), lived(frames)
    )


def test_samples_of_the_settled_view_stand_in_their_order_and_nothing_is_late() -> None:
    frames = anywhere(prompt(), 7)
    assert (
        late(
            np.concatenate([r.samples for r in settled(prompt()[0], lambda: [prompt()], Keep(samples=True)).reports])
        ).sum()
        == 0
    )
    found = settled(frames[0], lambda: [frames], Keep(samples=True, angles=True))
    samples = np.concatenate([report.samples for report in found.reports])
    assert samples["index"].tolist() == list(range(len(samples)))
    assert (np.diff(samples["t_host_ns"]) >= 0).all()
    again = Lateness()
    again.see(samples)
    assert not again


def test_half_a_hole_that_is_filled_leaves_the_other_half() -> None:
    """The oldest are gone from the buffer: packets 60 to 89 of an outage that lost 60 to 119."""
    frames = delayed(prompt(), list(range(60, 120)), [30 * S] * 60)
    gone = {frame.t_host_ns for frame in [frame for frame in prompt() if is_motion(frame)][60:90]}
    times = [frame.t_host_ns for frame in prompt() if is_motion(frame)]
    lost = [
        frame
        for frame in frames
        if not (is_motion(frame) and frame.data[0] & BACKFILLED and frame.t_host_ns - 30 * S in gone)
    ]
    links = [LinkDown(t_host_ns=times[59] + 1, cause="out of range"), LinkUp(t_host_ns=times[120] - 1, address="x")]
    lost = sorted([*lost, *links], key=lambda frame: frame.t_host_ns)
    life, view = lived(lost), seen(lost)
    assert (life.summary["outages"], view.summary["outages"]) == (1, 1)
    no_data = view.posture["t_session_ns"][view.posture["context"] == 5] / S
    down_s = (times[59] - T0_NS) / S
    assert (no_data[0], no_data[-1]) == pytest.approx((down_s + 5, down_s + 7.2), abs=0.4)
    assert life.summary["no_data_s"] > view.summary["no_data_s"] + 6
    assert view.summary["loss_pct"] == pytest.approx(100 * 360 / 3000, abs=0.5)
    assert_consistent(view, life)


# ---- alerts


@pytest.mark.parametrize("story", ["slouch", "fidget"])
def test_the_alerts_that_were_raised_put_back_give_what_was_lived(story: str) -> None:
    """Nothing is late, and the settled view is computed all the same: each event in its place."""
    frames = marked_and_snoozed(frames_of(story, "link@25+8", "no-buffer", duration_s=120))
    life, lateness = lived(frames), Lateness()
    session = Session(frames[0], lateness=lateness)
    told = [*session.feed(frames).events, *session.close().events]
    known = Lived(Settlement.of(lateness, T0_NS), tuple(told))
    view = resettled(frames[0], lambda: [frames], known).whole()
    assert len(events(view, AlertRaised)) > 3
    assert view.told == life.told
    assert view.summary == life.summary | {"view": "settled"}


def marked_and_snoozed(frames: Frames) -> Frames:
    alert = next(event for _, event in lived(frames).told if isinstance(event, AlertRaised))
    t_s = alert.t_session_ns / S + 0.01
    frames = with_extra(frames, t_s, lambda t: UserMark(t_host_ns=t, kind="mark"))
    return with_extra(frames, t_s + 20, lambda t: UserMark(t_host_ns=t, kind="snooze", value="9s"))
