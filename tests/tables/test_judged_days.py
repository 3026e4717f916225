"""A session's local days: every row and every event in exactly one of them, and their sums are the session's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.posture.events import AlertRaised, Event, Marked, SlouchStarted
from companion.posture.rows import ROW_NS
from companion.tables.calendar import begin_ns, parse_day

S = 1_000_000_000
PARIS = "Europe/Paris"
SUNDAY_NS = begin_ns(parse_day("2026-10-25"), PARIS)  # of 25 h


def marked(t_ns: int) -> Event:
    return Marked(t_session_ns=t_ns, kind="mark", value="")


def still(rows: int) -> list[tuple[str, str, int, float]]:
    return [("still", "in_range", rows, 1.0)]


def parts(session: Any) -> list[tuple[str, int, int, list[int]]]:
    return [
        (part.day.isoformat(), part.first, part.end, [event.t_session_ns for event in part.events])
        for part in session.days()
    ]


def test_a_row_that_midnight_falls_into_belongs_to_the_earlier_day(make_session: Any) -> None:
    session = make_session(still(20), utc_ns=SUNDAY_NS - S - 1, zone=PARIS)
    assert parts(session) == [("2026-10-24", 0, 6, []), ("2026-10-25", 6, 20, [])]
    exactly = make_session(still(20), utc_ns=SUNDAY_NS - S, zone=PARIS)
    assert parts(exactly) == [("2026-10-24", 0, 5, []), ("2026-10-25", 5, 20, [])]
    first, second = exactly.days()
    assert (first.t_begin_ns, first.end, second.t_begin_ns, second.end) == (0, 5, S, 20)
    assert second.begin_utc_ns == SUNDAY_NS


def test_a_day_of_less_than_a_row_is_none(make_session: Any) -> None:
    session = make_session(still(5), utc_ns=SUNDAY_NS - S + 1, zone=PARIS)
    assert parts(session) == [("2026-10-24", 0, 5, [])]


def test_a_session_from_midnight_has_no_part_before(make_session: Any) -> None:
    assert parts(make_session(still(5), utc_ns=SUNDAY_NS, zone=PARIS)) == [("2026-10-25", 0, 5, [])]


def test_a_session_of_three_days_has_the_long_one_in_the_middle(make_session: Any) -> None:
    session = make_session(still(27 * 18_000), utc_ns=SUNDAY_NS - 3600 * S, zone=PARIS)
    assert [(day, (end - first) / 18_000) for day, first, end, _ in parts(session)] == [
        ("2026-10-24", 1.0),
        ("2026-10-25", 25.0),
        ("2026-10-26", 1.0),
    ]


def test_events_lie_with_the_row_that_they_came_with(make_session: Any) -> None:
    times = [-1, 0, 1, S - 1, S, S + 1, S + ROW_NS, 4 * S, 99 * S]
    session = make_session(still(20), [marked(t_ns) for t_ns in times], utc_ns=SUNDAY_NS - S, zone=PARIS)
    assert parts(session) == [
        ("2026-10-24", 0, 5, [-1, 0, 1, S - 1, S]),
        ("2026-10-25", 5, 20, [S + 1, S + ROW_NS, 4 * S, 99 * S]),
    ]
    assert [event.t_session_ns for event in session.whole().events] == times


def test_a_session_without_rows_has_one_empty_day_with_all_its_events(make_session: Any) -> None:
    session = make_session([], [marked(0), marked(7 * S)], utc_ns=SUNDAY_NS, zone=PARIS)
    assert parts(session) == [("2026-10-25", 0, 0, [0, 7 * S])]
    assert session.duration_ns == 0
    assert len(session.whole().events) == 2


EVENTS = st.lists(st.tuples(st.sampled_from([AlertRaised, SlouchStarted]), st.integers(-1, 500 * ROW_NS)), max_size=6)


@given(
    st.integers(0, 400),
    st.integers(-100 * S, 100 * S),
    st.sampled_from(["Europe/Paris", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "No/Such"]),
    EVENTS,
)
def test_every_row_and_event_lies_in_one_day(
    make_session: Any, rows: int, off_ns: int, zone: str, happened: list[Any]
) -> None:
    kinds = {
        AlertRaised: {"episode": 1, "number": 1, "angle_deg": 0.0, "forward_ns": 0},
        SlouchStarted: {"episode": 1, "angle_deg": 0.0},
    }
    events = [kind(t_session_ns=t_ns, **kinds[kind]) for kind, t_ns in happened]
    midnight_ns = begin_ns(parse_day("2011-12-31"), "Pacific/Apia")
    session = make_session(still(rows), events, utc_ns=midnight_ns + off_ns, zone=zone)
    days = list(session.days())
    assert [part.first for part in days] == [0, *(part.end for part in days[:-1])]
    assert days[-1].end == rows
    assert sorted(id(event) for part in days for event in part.events) == sorted(map(id, events))
    assert sum(len(part.posture) for part in days) == rows
    assert all(begin_ns(part.day, zone) - ROW_NS < part.begin_utc_ns for part in days)


@pytest.mark.parametrize(("t_ns", "row"), [(-5, 0), (0, 0), (1, 0), (ROW_NS, 0), (ROW_NS + 1, 1), (10**18, 9)])
def test_the_row_of_an_event(make_session: Any, t_ns: int, row: int) -> None:
    assert make_session(still(10)).row_of(marked(t_ns)) == row
