"""Local days begin where a clock first shows their date, whatever clocks do at midnight; weeks; words for both."""

from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.tables import calendar
from companion.tables.calendar import begin_ns, day_of, days_between, end_ns, length_h, local
from companion.tables.instants import local_text, utc_text

S = 1_000_000_000
ZONES = sorted(name for name in available_timezones() if name != "localtime")
DAYS = st.dates(date(1900, 1, 1), date(2037, 12, 31))
INSTANTS = st.integers(-2_208_988_800 * S, 2_145_916_800 * S)  # 1900 to 2038


@pytest.mark.parametrize(
    ("zone", "day", "begins_utc", "begins_local", "hours"),
    [
        ("UTC", "2026-10-25", "2026-10-25T00:00:00.000Z", "2026-10-25T00:00:00.000+00:00", 24.0),
        ("Asia/Kathmandu", "2026-10-25", "2026-10-24T18:15:00.000Z", "2026-10-25T00:00:00.000+05:45", 24.0),
        ("Etc/GMT+5", "2026-10-25", "2026-10-25T05:00:00.000Z", "2026-10-25T00:00:00.000-05:00", 24.0),
        ("Europe/Paris", "2026-03-29", "2026-03-28T23:00:00.000Z", "2026-03-29T00:00:00.000+01:00", 23.0),
        ("Europe/Paris", "2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T00:00:00.000+02:00", 25.0),
        # half an hour of summer time
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00.000Z", "2026-04-05T00:00:00.000+11:00", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00.000Z", "2026-10-04T00:00:00.000+10:30", 23.5),
        # clocks are changed at midnight: no 00:00 in spring; 23:00 twice, or 00:00 twice, in autumn
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00.000Z", "2018-11-04T01:00:00.000-02:00", 23.0),
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00.000Z", "2018-02-17T00:00:00.000-02:00", 25.0),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00:00.000Z", "2026-03-08T01:00:00.000-04:00", 23.0),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00.000Z", "2026-11-01T00:00:00.000-04:00", 25.0),
        # clocks went back over midnight, from 00:01 to 23:01; forward over it, from 23:30 to 00:30
        ("America/St_Johns", "2006-10-28", "2006-10-28T02:30:00.000Z", "2006-10-28T00:00:00.000-02:30", 24.0),
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30:00.000Z", "2006-10-29T00:00:00.000-02:30", 25.0),
        ("America/Toronto", "1919-03-30", "1919-03-30T05:00:00.000Z", "1919-03-30T00:00:00.000-05:00", 23.5),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00.000Z", "1919-03-31T00:30:00.000-04:00", 23.5),
        # Samoa left a day out
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00.000Z", "2011-12-29T00:00:00.000-10:00", 24.0),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00.000Z", "2011-12-31T00:00:00.000+14:00", 0.0),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00.000Z", "2011-12-31T00:00:00.000+14:00", 24.0),
        ("No/Such", "2026-10-25", "2026-10-25T00:00:00.000Z", "2026-10-25T00:00:00.000+00:00", 24.0),
    ],
)
def test_days(zone: str, day: str, begins_utc: str, begins_local: str, hours: float) -> None:
    found = calendar.parse_day(day)
    begin = begin_ns(found, zone)
    assert (utc_text(begin), local_text(begin, zone), length_h(found, zone)) == (begins_utc, begins_local, hours)


@given(DAYS, st.sampled_from(ZONES))
def test_a_day_begins_at_the_first_instant_that_shows_its_date(day: date, zone: str) -> None:
    begin = begin_ns(day, zone)
    at, before = local(begin, zone), local(begin - 1_000, zone)
    assert at is not None
    assert before is not None
    assert before.date() < day <= at.date()


@given(INSTANTS, st.sampled_from(ZONES))
def test_every_instant_lies_in_its_day(utc_ns: int, zone: str) -> None:
    day = day_of(utc_ns, zone)
    assert begin_ns(day, zone) <= utc_ns < end_ns(day, zone)


@given(INSTANTS, st.integers(0, 4 * 86_400 * S), st.sampled_from(ZONES))
def test_a_span_is_cut_into_its_days_without_rest(from_ns: int, length_ns: int, zone: str) -> None:
    parts = list(days_between(from_ns, from_ns + length_ns, zone))
    assert parts[0][1] == from_ns
    assert parts[-1][2] == from_ns + length_ns
    assert all(one[2] == other[1] and one[0] < other[0] for one, other in pairwise(parts))
    for day, begin, until in parts:
        assert begin_ns(day, zone) <= begin <= until <= end_ns(day, zone)
        assert until > begin or length_ns == 0


def test_the_day_that_was_left_out_has_no_part() -> None:
    noon = begin_ns(date(2011, 12, 29), "Pacific/Apia") + 12 * 3600 * S
    parts = list(days_between(noon, noon + 86_400 * S, "Pacific/Apia"))
    assert [(day.isoformat(), (until - begin) / 3.6e12) for day, begin, until in parts] == [
        ("2011-12-29", 12.0),
        ("2011-12-31", 12.0),
    ]


def test_the_hour_that_comes_again_before_midnight_belongs_to_the_day_that_has_begun() -> None:
    again = begin_ns(date(2006, 10, 29), "America/St_Johns") + 15 * 60 * S
    assert local_text(again, "America/St_Johns") == "2006-10-28T23:15:00.000-03:30"
    assert day_of(again, "America/St_Johns") == date(2006, 10, 29)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "America/New_York"])
def test_the_ends_of_the_calendar_are_no_error(zone: str) -> None:
    assert day_of(10**30, zone) == date.max
    assert day_of(-(10**30), zone) == date.min
    assert length_h(date.max, zone) == 24.0
    for from_ns in (10**30, 253_402_300_799 * 10**9):  # far beyond, and over the end
        to_ns = from_ns + 10 * 86_400 * 10**9
        assert list(days_between(from_ns, to_ns, "UTC")) == [(date.max, from_ns, to_ns)]
    assert abs(length_h(date.min, zone) - 24.0) < 24.0


@pytest.mark.parametrize(
    ("text", "monday", "again"),
    [
        ("2026-W47", "2026-11-16", "2026-W47"),
        ("2026W01", "2025-12-29", "2026-W01"),
        ("2020-W53", "2020-12-28", "2020-W53"),
    ],
)
def test_weeks(text: str, monday: str, again: str) -> None:
    found = calendar.parse_week(text)
    assert (found.isoformat(), calendar.week_text(found + timedelta(days=6))) == (monday, again)


@pytest.mark.parametrize(
    "text", ["", "2026-W54", "2026-W00", "2026-47", "26-W01", "２０２６-W01", "2026-W1", "2026-W47 "]
)
def test_what_is_no_week(text: str) -> None:
    with pytest.raises(ValueError, match="week"):
        calendar.parse_week(text)


@pytest.mark.parametrize(
    "text", ["", "2026-02-29", "20260228", "2026-1-1", "２０２６-01-01", "2026-01-01T00:00", "0000-01-01"]
)
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|day|month|year"):
        calendar.parse_day(text)


@pytest.mark.parametrize(
    ("zone", "is_known"), [("Europe/Paris", True), ("UTC", True), ("No/Such", False), ("", False), ("../etc", False)]
)
def test_zones(zone: str, is_known: bool) -> None:
    assert calendar.is_known_zone(zone) == is_known
