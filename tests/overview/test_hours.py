"""Hours as a clock on the wall showed them; their sums are the durations, whatever clocks did."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.overview.hours import hours
from companion.tables.judged import Part


def instants(found) -> list[str]:
    return [datetime.fromtimestamp(hour.begin_utc_ms / 1000, UTC).isoformat() for hour in found]


def test_the_hour_that_comes_twice_is_two(judged, seconds_of) -> None:
    session = judged("2026-10-25T01:30+02:00", ("in_range", 3600), ("forward", 3600), ("walking", 3600))
    found = hours([session.whole()])
    assert [(hour.day, hour.hour, hour.utc_offset) for hour in found] == [
        (date(2026, 10, 25), 1, "+02:00"),
        (date(2026, 10, 25), 2, "+02:00"),
        (date(2026, 10, 25), 2, "+01:00"),
        (date(2026, 10, 25), 3, "+01:00"),
    ]
    assert [hour.seconds for hour in found] == [
        seconds_of(in_range=1800.0),
        seconds_of(in_range=1800.0, forward=1800.0),
        seconds_of(forward=1800.0, walking=1800.0),
        seconds_of(walking=1800.0),
    ]
    assert instants(found) == [f"2026-10-{text}:00:00+00:00" for text in ("24T23", "25T00", "25T01", "25T02")]


@pytest.mark.parametrize(
    ("zone", "started", "expected"),
    [
        ("Asia/Kolkata", "2026-05-01T09:45+05:30", [(9, "+05:30", 900.0), (10, "+05:30", 2700.0)]),
        ("Asia/Kathmandu", "2026-05-01T09:50+05:45", [(9, "+05:45", 600.0), (10, "+05:45", 3000.0)]),
        # Clocks go forward: 02:00 to 03:00 does not exist.
        ("Europe/Paris", "2026-03-29T01:30+01:00", [(1, "+01:00", 1800.0), (3, "+02:00", 1800.0)]),
        # Clocks go back by half an hour, at 02:00 to 01:30.
        ("Australia/Lord_Howe", "2026-04-05T01:30+11:00", [(1, "+11:00", 1800.0), (1, "+10:30", 1800.0)]),
        ("No/Such_Zone", "2026-05-01T09:45+00:00", [(9, "+00:00", 900.0), (10, "+00:00", 2700.0)]),
    ],
)
def test_zones(judged, zone: str, started: str, expected: list[tuple[int, str, float]]) -> None:
    found = hours([judged(started, ("in_range", 3600), zone=zone).whole()])
    assert [(hour.hour, hour.utc_offset, hour.seconds["in_range"]) for hour in found] == expected


def test_two_sessions_of_one_hour_are_in_one(judged, seconds_of) -> None:
    one = judged("2026-05-01T09:10+02:00", ("in_range", 600))
    other = judged("2026-05-01T09:40+02:00", ("walking", 60), name="s2")
    elsewhere = judged("2026-05-01T09:40+01:00", ("lying", 60), name="s3", zone="Europe/London")
    found = hours([one.whole(), other.whole(), elsewhere.whole()])
    assert [(hour.hour, hour.utc_offset, hour.seconds) for hour in found] == [
        (9, "+02:00", seconds_of(in_range=600.0, walking=60.0)),
        (9, "+01:00", seconds_of(lying=60.0)),
    ]


def test_only_the_rows_of_a_part_count(judged) -> None:
    session = judged("2026-05-01T23:30+02:00", ("in_range", 3600))
    first, second = session.days()
    assert [(hour.day.day, hour.hour) for hour in hours([first])] == [(1, 23)]
    assert [(hour.day.day, hour.hour) for hour in hours([second])] == [(2, 0)]
    assert hours([Part(session, first.day, 0, 0)]) == ()


@given(
    data=st.lists(st.tuples(st.sampled_from(["in_range", "walking", "no_data"]), st.integers(0, 9000)), max_size=5),
    minute=st.integers(0, 1439),
    zone=st.sampled_from(["Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_hours_add_up_exactly(judged, data: list[tuple[str, int]], minute: int, zone: str) -> None:
    stretches = [(kind, count / 5) for kind, count in data]
    session = judged(f"2026-10-24T{minute // 60:02d}:{minute % 60:02d}:00+00:00", *stretches, zone=zone)
    for kind in ("in_range", "walking", "no_data"):
        rows = sum(round(hour.seconds[kind] * 5) for hour in hours([session.whole()]))
        assert rows == sum(count for name, count in data if name == kind)
