"""Whole reports: which parts count, what is added up, titles; all figures those of the tables."""

from dataclasses import replace
from datetime import date

import pytest

from companion.overview import KINDS, build
from companion.overview.whole import joined_exposed
from companion.posture import exposure
from companion.posture.events import AlertCleared, AlertRaised, SlouchEnded, SlouchStarted
from companion.tables.rows import day_rows, episode_rows, exposure_rows

NIGHT = "2026-10-24T23:00+02:00"
"""Before the night in which Paris puts its clocks back."""


def slouch(episode: int, at_s: float, length_s: float) -> tuple:
    at_ns, end_ns, length_ns = (round(each * 1e9) for each in (at_s, at_s + length_s, length_s))
    return (
        SlouchStarted(t_session_ns=at_ns, episode=episode, angle_deg=20.0),
        AlertRaised(t_session_ns=at_ns + 10**9, episode=episode, number=1, angle_deg=20.0, forward_ns=10**9),
        AlertCleared(t_session_ns=end_ns, episode=episode, recovery_ns=length_ns - 10**9, ended_by="recovered"),
        SlouchEnded(
            t_session_ns=end_ns,
            episode=episode,
            duration_ns=length_ns,
            peak_deg=22.0,
            mean_deg=20.0,
            alerts=1,
            ended_by="recovered",
        ),
    )


@pytest.fixture
def night(judged):
    """23:00 to 04:00 on the wall, six hours: an hour of forward each before and after midnight."""
    return judged(
        NIGHT,
        ("forward", 1800, 20.0),
        ("in_range", 3600, 2.0),
        ("forward", 3600, 18.0),
        ("walking", 600, 8.0),
        ("no_data", 12000),
        events=(*slouch(1, 600, 40), *slouch(2, 3590, 100), *slouch(3, 6000, 30)),
    )


def test_a_session_is_the_sum_of_its_days_and_a_day_the_row_of_the_table(night, recorded) -> None:
    rows = list(day_rows(night))
    assert [row["date"] for row in rows] == ["2026-10-24", "2026-10-25"]
    for row in rows:
        overview = build("day", [recorded(night)], "0.2.0", date.fromisoformat(row["date"]))
        assert overview.figures == {name: row[name] for name in overview.figures}
        assert list(overview.shares) == list(KINDS)
        assert overview.shares == {kind: row[f"{kind}_s"] for kind in KINDS}
        (day,) = overview.days
        assert (day.day.isoformat(), day.day_h, day.figures) == (row["date"], row["day_h"], overview.figures)
        assert [each["episode"] for each in overview.episodes] == ([1, 2] if row is rows[0] else [3])
    whole = build("session", [recorded(night)], "0.2.0")
    for name in ("duration_s", "episodes", "alerts", *(f"{kind}_s" for kind in KINDS)):
        assert whole.figures[name] == pytest.approx(sum(row[name] for row in rows)), name
    assert whole.episodes == tuple(episode_rows(night))
    assert [{"session_id": "s1", **line} for line in whole.exposure] == list(exposure_rows(night))
    assert [day.day.isoformat() for day in whole.days] == ["2026-10-24", "2026-10-25"]


def test_hours_add_up_to_the_durations(night, recorded) -> None:
    overview = build("session", [recorded(night)], "0.2.0")
    for kind in KINDS:
        assert sum(round(hour.seconds[kind] * 5) for hour in overview.hours) == round(overview.shares[kind] * 5)
    assert [(hour.hour, hour.utc_offset) for hour in overview.hours] == [
        *((hour, "+02:00") for hour in (23, 0, 1, 2)),
        *((hour, "+01:00") for hour in (2, 3)),
    ]


def test_a_week_with_gaps(judged, recorded) -> None:
    monday = judged("2026-10-19T09:00+02:00", ("in_range", 7200))
    thursday = judged("2026-10-22T23:30+02:00", ("in_range", 1800), ("walking", 1800), name="s2")
    last_week = judged("2026-10-18T22:00+02:00", ("forward", 3600), ("lying", 7200), name="s0")
    next_week = judged("2026-10-26T00:00+01:00", ("lying", 3600), name="s9")
    sessions = [recorded(each) for each in (next_week, thursday, monday, last_week)]
    overview = build("week", sessions, "0.2.0", date(2026, 10, 19))
    assert overview.title == "Week 2026-W43, 19 to 25 October 2026"
    assert [row["session_id"] for row in overview.sessions] == ["s0", "s1", "s2"]
    assert [(day.day.day, day.sessions, day.day_h, day.is_short) for day in overview.days] == [
        (19, 2, 24.0, False),
        (20, 0, 24.0, True),
        (21, 0, 24.0, True),
        (22, 1, 24.0, True),
        (23, 1, 24.0, True),
        (24, 0, 24.0, True),
        (25, 0, 25.0, True),
    ]
    assert [day.figures is None for day in overview.days] == [False, True, True, False, False, True, True]
    assert overview.figures["duration_s"] == 3600 + 7200 + 3600
    assert (overview.shares["forward"], overview.shares["lying"]) == (0.0, 3600.0)
    assert [len(trace.bands) for trace in overview.traces] == [1, 1, 2]  # one for each session, over midnight too
    assert [each.duration_s for each in overview.breaks] == [1800.0]


def test_each_session_counts_on_the_days_of_its_own_zone(judged, recorded) -> None:
    paris = judged("2026-05-04T23:30+02:00", ("in_range", 3600))
    tokyo = judged("2026-05-05T00:00+09:00", ("walking", 3600), name="s2", zone="Asia/Tokyo")
    overview = build("day", [recorded(paris), recorded(tokyo)], "0.2.0", date(2026, 5, 5))
    assert overview.zones == ("Asia/Tokyo", "Europe/Paris")
    assert (overview.shares["in_range"], overview.shares["walking"]) == (1800.0, 3600.0)
    assert [(hour.hour, hour.utc_offset) for hour in overview.hours] == [(0, "+09:00"), (0, "+02:00")]


def test_a_stay_never_goes_on_from_one_session_to_the_next(judged) -> None:
    one = judged("2026-05-04T09:00+02:00", ("in_range", 40, 5.0)).whole()
    other = judged("2026-05-04T09:01+02:00", ("in_range", 40, 5.0), name="s2").whole()

    def stays(table) -> list[tuple[float, int, float]]:
        lines = [line for line in exposure.lines(table) if line["measure"] == "stay" and line["stays"]]
        return [
            (line["stay_from_s"], line["stays"], line["time_s"]) for line in lines if line["quantity"] == "rel_sagittal"
        ]

    assert stays(joined_exposed([one, other])) == [(31.0, 2, 80.0)]
    assert stays(one.session.exposed) == [(31.0, 1, 40.0)]


def test_of_one_session_over_midnight_a_week_has_one_stay(judged, recorded) -> None:
    session = judged("2026-05-04T23:59:40+02:00", ("in_range", 40, 5.0))
    overview = build("week", [recorded(session)], "0.2.0", date(2026, 5, 4))
    assert [line["stays"] for line in overview.exposure if line["measure"] == "stay" and line["stays"]] == [1, 1, 1]
    assert [{"session_id": "s1", **line} for line in overview.exposure] == list(exposure_rows(session))


@pytest.mark.parametrize(
    ("kind", "day", "expected"),
    [
        ("session", None, "Saturday, 2026-10-24, 23:00 to 2026-10-25, 04:00 (Europe/Paris)"),
        ("day", date(2026, 10, 25), "Sunday, 2026-10-25"),
        ("week", date(2026, 10, 19), "Week 2026-W43, 19 to 25 October 2026"),
    ],
)
def test_titles(night, recorded, kind, day, expected: str) -> None:
    assert build(kind, [recorded(night)], "0.2.0", day).title == expected


@pytest.mark.parametrize(
    ("monday", "expected"),
    [
        ("2026-09-28", "Week 2026-W40, 28 September to 4 October 2026"),
        ("2026-12-28", "Week 2026-W53, 28 December 2026 to 3 January 2027"),
    ],
)
def test_titles_of_weeks_over_months_and_years(judged, recorded, monday: str, expected: str) -> None:
    session = judged(f"{monday}T12:00+02:00", ("in_range", 1))
    assert build("week", [recorded(session)], "0.2.0", date.fromisoformat(monday)).title == expected


def test_titles_of_sessions(judged, recorded) -> None:
    one = recorded(judged("2026-05-04T09:00+02:00", ("in_range", 60)))
    same_day = recorded(judged("2026-05-04T10:00+02:00", ("in_range", 60), name="s2"))
    later = recorded(judged("2026-05-06T10:00+02:00", ("in_range", 60), name="s3"))
    assert build("session", [one], "0").title == "Monday, 2026-05-04, 09:00 to 09:01 (Europe/Paris)"
    assert build("session", [same_day, one], "0").title == "2 sessions, Monday, 2026-05-04"
    assert build("session", [later, one], "0").title == "2 sessions, 2026-05-04 to 2026-05-06"


def test_a_session_without_rows_is_a_report(judged, recorded) -> None:
    overview = build("session", [recorded(judged("2026-05-04T09:00+02:00"))], "0.2.0")
    assert (overview.figures["duration_s"], overview.figures["coverage_pct"]) == (0.0, None)
    assert (overview.hours, overview.breaks, overview.longest_without_break_s) == ((), (), None)
    assert {line["angle_deg"] for line in overview.exposure if "angle_deg" in line} == {None}


@pytest.mark.parametrize("started", ["9999-12-31T20:00+00:00", "0001-01-01T12:00+00:00"])
def test_a_clock_that_was_set_to_any_year(judged, recorded, started: str) -> None:
    session = judged(started, ("in_range", 60), ("walking", 60), zone="UTC")
    overview = build("session", [recorded(session)], "0.2.0")
    assert [hour.seconds["walking"] for hour in overview.hours] == [60.0]
    (trace,) = overview.traces
    assert trace.utc_ms[0] == session.header.utc_ns // 10**6
    assert [band.to_utc_ms - band.from_utc_ms for band in trace.bands] == [60_000, 60_000]


def test_a_clock_that_was_set_to_no_year_at_all(judged, recorded) -> None:
    session = judged("2026-05-04T09:00+02:00", ("in_range", 60), ("walking", 60))
    strange = replace(session, header=replace(session.header, utc_ns=-(10**30)))
    overview = build("session", [recorded(strange)], "0.2.0")
    assert overview.figures == build("session", [recorded(session)], "0.2.0").figures
    assert (overview.hours, overview.breaks[0].started_local) == ((), "")
    assert overview.traces[0].utc_ms.dtype == "int64"


def test_nothing_on_these_days_is_refused(night, recorded) -> None:
    with pytest.raises(ValueError, match="none of these sessions"):
        build("day", [recorded(night)], "0.2.0", date(2026, 10, 26))
    with pytest.raises(ValueError, match="needs its first day"):
        build("week", [recorded(night)], "0.2.0")


def test_what_is_simulated_says_so(judged, recorded) -> None:
    live, made_up = (judged("2026-05-04T09:00+02:00", ("in_range", 1), origin=name) for name in ("live", "simulated"))
    assert not build("session", [recorded(live)], "0").is_simulated
    assert build("session", [recorded(made_up)], "0").is_simulated
    assert build("session", [recorded(live), recorded(made_up)], "0").is_simulated


def test_points_and_bands_are_bounded_together(judged, recorded) -> None:
    restless = [(kind, 0.2, angle) for angle in range(2_000) for kind in ("in_range", "moving")]
    sessions = [recorded(judged(f"2026-05-0{day}T09:00+02:00", *restless, name=f"s{day}")) for day in (4, 5, 6, 7)]
    overview = build("week", sessions, "0.2.0", date(2026, 5, 4))
    assert sum(len(trace.utc_ms) for trace in overview.traces) <= 14_004
    assert 4 <= sum(len(trace.bands) for trace in overview.traces) <= 3_000
    assert max(trace.most_deg.max() for trace in overview.traces) == 1_999
