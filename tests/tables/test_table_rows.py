"""The values of the tables: days, minutes and episodes row by row, and their sums, which are the session's."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.posture import exposure
from companion.posture.events import AlertCleared, AlertRaised, Event, SlouchEnded, SlouchStarted
from companion.posture.rows import CONTEXTS, ROW_NS, ROWS_PER_S, STATES, RowFlag
from companion.posture.summary import Tally
from companion.tables import rows as tables
from companion.tables.calendar import begin_ns, parse_day
from companion.tables.judged import Judged

S = 1_000_000_000
PARIS = "Europe/Paris"
SUNDAY_NS = begin_ns(parse_day("2026-10-25"), PARIS)  # of 25 h
DURATIONS = ("duration_s", *(f"{name}_s" for name in (*CONTEXTS, *STATES) if name != "unknown"), "suspect_s")


def slouch(episode: int, start_s: float, *alerts_s: float, end_s: float | None = None) -> list[Event]:
    """A slouch's events; `end_s` None: it did not end."""
    angles = {"episode": episode, "angle_deg": 14.0}
    events: list[Event] = [SlouchStarted(t_session_ns=round(start_s * S), **angles)]
    for number, at_s in enumerate(alerts_s, 1):
        forward_ns = round((at_s - start_s) * S)
        events.append(AlertRaised(t_session_ns=round(at_s * S), number=number, forward_ns=forward_ns, **angles))
    if end_s is not None:
        t_ns, ended = round(end_s * S), {"episode": episode, "ended_by": "recovered"}
        duration_ns = round((end_s - start_s) * S)
        events.append(
            SlouchEnded(
                t_session_ns=t_ns, duration_ns=duration_ns, peak_deg=20.5, mean_deg=14.25, alerts=len(alerts_s), **ended
            )
        )
        if alerts_s:
            events.append(AlertCleared(t_session_ns=t_ns, recovery_ns=round((end_s - alerts_s[0]) * S), **ended))
    return events


def some(values: Iterable[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in values]


@pytest.fixture
def over_midnight(make_session: Any) -> Judged:
    """A minute before midnight to two minutes after it; a slouch over it, and one that does not end."""
    spans = [
        ("still", "in_range", 200, 2.0),
        ("still", "forward", 300, 14.0),
        ("walking", "unknown", 100, 1.0),
        ("no_data", "unknown", 100, math.nan),
        ("still", "forward", 200, 16.0),
    ]
    events = [*slouch(1, 40, 60, 70, end_s=100), *slouch(2, 140.2, 170)]
    session = make_session(spans, events, utc_ns=SUNDAY_NS - 60 * S, zone=PARIS)
    session.posture["flags"][-50:] |= np.uint32(RowFlag.SUSPECT)
    return session


def test_days(over_midnight: Judged) -> None:
    saturday, sunday = tables.day_rows(over_midnight)
    assert saturday == {
        "session_id": "s1",
        "date": "2026-10-24",
        "tz": PARIS,
        "day_h": 24.0,
        "started_utc": "2026-10-24T21:59:00.000Z",
        "started_local": "2026-10-24T23:59:00.000+02:00",
        "t_s": 0.0,
        "duration_s": 60.0,
        "still_s": 60.0,
        "in_range_s": 40.0,
        "forward_s": 20.0,
        "reclined_s": 0.0,
        "unjudged_s": 0.0,
        "moving_s": 0.0,
        "walking_s": 0.0,
        "lying_s": 0.0,
        "settling_s": 0.0,
        "no_data_s": 0.0,
        "not_worn_s": 0.0,
        "suspect_s": 0.0,
        "worn_s": 60.0,
        "coverage_pct": 100.0,
        "episodes": 1,
        "alerts": 1,
        "longest_forward_s": 60.0,  # all of it, where it started
        "median_recovery_s": 40.0,
        "rel_p10_deg": 2.0,
        "rel_p50_deg": 2.0,
        "rel_p90_deg": 14.0,
        "rel_p95_deg": 14.0,
        "rel_p99_deg": 14.0,
    }
    assert (
        sunday
        | {
            "date": "2026-10-25",
            "day_h": 25.0,
            "started_local": "2026-10-25T00:00:00.000+02:00",
            "t_s": 60.0,
            "duration_s": 120.0,
            "forward_s": 80.0,
            "walking_s": 20.0,
            "no_data_s": 20.0,
            "suspect_s": 10.0,
            "worn_s": 100.0,
            "episodes": 1,
            "alerts": 2,
            "longest_forward_s": 0.0,  # the one that started here has no end
            "median_recovery_s": None,
            "rel_p99_deg": 16.0,
        }
        == sunday
    )
    assert sunday["coverage_pct"] == pytest.approx(100 * 100 / 120)


def test_minutes(over_midnight: Judged) -> None:
    names = ("started_utc", "started_local", "t_s", "duration_s", "forward_s", "no_data_s", "suspect_s", "alerts")
    found = list(tables.minute_rows(over_midnight))
    assert some(found, *names) == [
        ("2026-10-24T21:59:00.000Z", "2026-10-24T23:59:00.000+02:00", 0.0, 60.0, 20.0, 0.0, 0.0, 1),
        ("2026-10-24T22:00:00.000Z", "2026-10-25T00:00:00.000+02:00", 60.0, 60.0, 40.0, 0.0, 0.0, 1),
        ("2026-10-24T22:01:00.000Z", "2026-10-25T00:01:00.000+02:00", 120.0, 60.0, 40.0, 20.0, 10.0, 1),
    ]
    assert some(found, "sagittal_mean_deg", "lateral_mean_deg") == [
        (pytest.approx((200 * 2 + 100 * 14) / 300), -1.0),
        (pytest.approx((200 * 14 + 100 * 1) / 300), -1.0),
        (16.0, -1.0),
    ]


def test_episodes(over_midnight: Judged) -> None:
    first, second = tables.episode_rows(over_midnight)
    assert first == {
        "session_id": "s1",
        "episode": 1,
        "started_utc": "2026-10-24T21:59:40.000Z",
        "started_local": "2026-10-24T23:59:40.000+02:00",
        "t_s": 40.0,
        "duration_s": 60.0,
        "peak_deg": 20.5,
        "mean_deg": 14.25,
        "alerts": 2,
        "ended_by": "recovered",
        "recovery_s": 40.0,
    }
    assert "duration_s" not in second
    assert some([second], "episode", "t_s", "alerts", "recovery_s") == [(2, 140.2, 1, None)]


def test_both_hours_of_the_long_night_have_their_own_times(make_session: Any) -> None:
    session = make_session([("still", "in_range", 3 * 18_000, 1.0)], utc_ns=SUNDAY_NS + 5400 * S, zone=PARIS)
    local = [row["started_local"] for row in tables.minute_rows(session)]
    assert [local[0], local[30], local[89], local[90], local[150]] == [
        "2026-10-25T01:30:00.000+02:00",
        "2026-10-25T02:00:00.000+02:00",
        "2026-10-25T02:59:00.000+02:00",
        "2026-10-25T02:00:00.000+01:00",
        "2026-10-25T03:00:00.000+01:00",
    ]
    assert len(set(local)) == 180
    assert some(tables.day_rows(session), "date", "day_h", "duration_s") == [("2026-10-25", 25.0, 10_800.0)]


def test_the_hour_that_spring_leaves_out_has_no_minute(make_session: Any) -> None:
    begin_march_ns = begin_ns(parse_day("2026-03-29"), PARIS)
    session = make_session([("still", "in_range", 18_000, 1.0)], utc_ns=begin_march_ns + 5400 * S, zone=PARIS)
    local = [row["started_local"] for row in tables.minute_rows(session)]
    assert local[29:31] == ["2026-03-29T01:59:00.000+01:00", "2026-03-29T03:00:00.000+02:00"]
    assert some(tables.day_rows(session), "day_h") == [(23.0,)]


def test_a_session_without_rows(make_session: Any) -> None:
    session = make_session([], slouch(1, 0, 1))
    (day,) = tables.day_rows(session)
    assert some([day], "date", "duration_s", "worn_s", "coverage_pct", "episodes", "alerts", "rel_p50_deg") == [
        ("1970-01-01", 0.0, 0.0, None, 1, 1, None)
    ]
    assert list(tables.minute_rows(session)) == []
    assert len(list(tables.episode_rows(session))) == 1


def test_exposure_names_the_session(make_session: Any) -> None:
    session = make_session([("still", "in_range", 10, 5.0)])
    exposed = np.zeros(10, dtype=exposure.EXPOSED)
    exposed["worn"], exposed["sagittal_deg"] = True, 5.0
    found = list(tables.exposure_rows(replace(session, exposed=exposed)))
    assert {row["session_id"] for row in found} == {"s1"}
    wanted = {"quantity": "rel_sagittal", "measure": "band", "from_deg": 0.0}
    (band,) = [row for row in found if wanted.items() <= row.items()]
    assert some([band], "to_deg", "time_s", "share_pct") == [(10.0, 2.0, 100.0)]


def test_a_table_that_is_none() -> None:
    with pytest.raises(KeyError):
        tables.rows_of("samples", None)  # type: ignore[arg-type]


def test_parts_of_several_sessions_count_together(over_midnight: Judged, make_session: Any) -> None:
    other = make_session([("still", "in_range", 50, 2.0)], slouch(1, 2, 5, end_s=9), session_id="s2")
    together = tables.figures_of([*over_midnight.days(), other.whole()])
    assert some([together], "duration_s", "episodes", "alerts", "longest_forward_s", "median_recovery_s") == [
        (190.0, 3, 4, 60.0, 22.0)
    ]


SPANS = st.lists(
    st.tuples(
        st.sampled_from(
            [("still", state) for state in STATES[:4]] + [(context, "unknown") for context in CONTEXTS[1:]]
        ),
        st.integers(1, 400),
        st.sampled_from([-20.0, 0.0, 3.456, 14.0, math.nan]),
    ),
    max_size=6,
)
ALERTS = st.lists(st.integers(0, 2500), max_size=6)


def sessions(make_session: Any, spans: list[Any], alerts: list[int], suspect: int, utc_ns: int, zone: str) -> Judged:
    events = [event for number, row in enumerate(sorted(alerts), 1) for event in slouch(number, row / 5, row / 5 + 1)]
    flat = [(context, state, count, angle) for (context, state), count, angle in spans]
    session = make_session(flat, events, utc_ns=utc_ns, zone=zone)
    session.posture["flags"][suspect:] |= np.uint32(RowFlag.SUSPECT)
    return session


@given(
    SPANS,
    ALERTS,
    st.integers(0, 2500),
    st.integers(-300 * S, 300 * S),
    st.sampled_from([PARIS, "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Etc/GMT+5"]),
)
def test_days_and_minutes_add_up_to_the_session(
    make_session: Any, spans: list[Any], alerts: list[int], suspect: int, off_ns: int, zone: str
) -> None:
    session = sessions(make_session, spans, alerts, suspect, begin_ns(parse_day("2026-10-25"), zone) + off_ns, zone)
    whole = tables.durations(session.posture)
    for table in (list(tables.day_rows(session)), list(tables.minute_rows(session))):
        for name in DURATIONS:
            assert sum(row[name] for row in table) == pytest.approx(whole[name], abs=1e-6), name
        for row in table:
            assert sum(row[f"{name}_s"] for name in CONTEXTS) == pytest.approx(row["duration_s"])
            assert sum(row[f"{name}_s"] for name in STATES[:4]) == pytest.approx(row["still_s"])
        if table:
            assert sum(row["alerts"] for row in table) == len(alerts)
    assert sum(row["episodes"] for row in tables.day_rows(session)) == len(list(tables.episode_rows(session)))


@given(SPANS, ALERTS, st.integers(0, 2500))
def test_the_one_day_of_a_session_says_what_its_summary_says(
    make_session: Any, spans: list[Any], alerts: list[int], suspect: int
) -> None:
    session = sessions(make_session, spans, alerts, suspect, SUNDAY_NS + 7200 * S, PARIS)
    rows = session.posture
    kept = np.zeros(len(rows), dtype=[*rows.dtype.descr, ("suspicion", "u1"), ("inclination_deg", "<f8")])
    for name in ("context", "state", "sagittal_deg"):
        kept[name] = rows[name]
    kept["suspicion"] = (rows["flags"] & RowFlag.SUSPECT) != 0
    tally = Tally()
    tally.add_rows(kept)
    for event in session.events:
        tally.add_event(event)
    summary = tally.columns()
    (day,) = tables.day_rows(session)
    common = [name for name in summary if name in day]
    assert len(common) == 23
    assert {name: day[name] for name in common} == {name: summary[name] for name in common}
    assert len(rows) / ROWS_PER_S == session.duration_ns / S
    assert ROW_NS * ROWS_PER_S == S
