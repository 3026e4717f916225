"""Breaks that the body showed, time away, and how long went by without either."""

import pytest

from companion.overview.breaks import away, breaks, longest_without_break_s

MORNING = "2026-05-04T09:00+02:00"


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([("in_range", 600)], []),
        ([("in_range", 60), ("walking", 59.8), ("in_range", 60)], []),
        ([("in_range", 60), ("walking", 60), ("in_range", 60)], [(60, 60.0)]),
        ([("walking", 90)], [(0, 90.0)]),
        # A pause of under 5 s belongs to the walk, one of 5 s ends it.
        ([("walking", 40), ("in_range", 4.8), ("walking", 40)], [(0, 84.8)]),
        ([("walking", 40), ("in_range", 5), ("walking", 40)], []),
        ([("walking", 60), ("moving", 5), ("walking", 60)], [(0, 60.0), (65, 60.0)]),
        ([("walking", 28), ("moving", 4), ("walking", 28)], [(0, 60.0)]),
        # Pauses at either end do not count.
        ([("moving", 4), ("walking", 59), ("moving", 4)], []),
        ([("lying", 600), ("no_data", 600), ("not_worn", 600)], []),
    ],
)
def test_breaks(judged, stretches: list[tuple[str, float]], expected: list[tuple[float, float]]) -> None:
    part = judged(MORNING, *stretches).whole()
    found = breaks([part])
    assert [(each.begin_utc_ms / 1000 - part.begin_utc_ns / 1e9, each.duration_s) for each in found] == expected


def test_a_break_says_when_in_local_time(judged) -> None:
    (found,) = breaks([judged("2026-10-25T02:30+02:00", ("in_range", 1800), ("walking", 61)).whole()])
    assert (found.started_local, found.begin_utc_ms) == ("2026-10-25T02:00:00.000+01:00", 1_792_890_000_000)


def test_a_break_over_midnight_is_of_the_day_it_began_on(judged) -> None:
    first, second = judged("2026-05-04T23:59+02:00", ("in_range", 30), ("walking", 90), ("in_range", 60)).days()
    assert [each.duration_s for each in breaks([first])] == [90.0]
    assert breaks([second]) == ()
    assert longest_without_break_s([first]) == 30.0
    assert longest_without_break_s([second]) == 60.0


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([("no_data", 299.8), ("in_range", 1)], []),
        ([("no_data", 300), ("in_range", 1)], [(0, 300.0)]),
        ([("in_range", 10), ("no_data", 200), ("not_worn", 200), ("in_range", 1)], [(10, 400.0)]),
        ([("no_data", 200), ("in_range", 0.2), ("no_data", 200)], []),
        ([("lying", 600)], []),
    ],
)
def test_away(judged, stretches: list[tuple[str, float]], expected: list[tuple[float, float]]) -> None:
    part = judged(MORNING, *stretches).whole()
    found = away([part])
    assert [(each.begin_utc_ms / 1000 - part.begin_utc_ns / 1e9, each.duration_s) for each in found] == expected


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([], None),
        ([("no_data", 20)], None),
        ([("in_range", 50)], 50.0),
        ([("walking", 60)], None),
        ([("in_range", 100), ("walking", 60), ("forward", 150), ("walking", 70), ("lying", 20)], 150.0),
        # A walk that is no break belongs to the time without.
        ([("in_range", 100), ("walking", 50), ("forward", 100)], 250.0),
        # Silence that is too short to be away is not worn, and ends nothing; a longer one does.
        ([("in_range", 100), ("no_data", 200), ("forward", 100)], 200.0),
        ([("in_range", 100), ("not_worn", 300), ("forward", 120)], 120.0),
    ],
)
def test_longest_without_a_break(judged, stretches: list[tuple[str, float]], expected: float | None) -> None:
    assert longest_without_break_s([judged(MORNING, *stretches).whole()]) == expected


@pytest.mark.parametrize(
    ("second_start", "expected"),
    [
        ("2026-05-04T09:14:59+02:00", 1200.0),  # 4 min 59 s between: the same stretch
        ("2026-05-04T09:15:00+02:00", 600.0),
        ("2026-05-04T09:05:00+02:00", 600.0),  # at the same time: nothing is joined
    ],
)
def test_sessions_close_to_each_other_are_one_stretch(judged, second_start: str, expected: float) -> None:
    one = judged(MORNING, ("in_range", 600)).whole()
    other = judged(second_start, ("in_range", 600), name="s2").whole()
    assert longest_without_break_s([other, one]) == expected
