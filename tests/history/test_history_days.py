"""Days as they were lived: over clock changes, in two zones, with copies; figures that add up."""

from typing import Any

import pytest

from companion.history import days_of, figures_together
from companion.tables.dictionary import DAY_COLUMNS

SUMMED = [
    "duration_s still_s in_range_s forward_s reclined_s unjudged_s moving_s walking_s lying_s settling_s no_data_s",
    "not_worn_s worn_s suspect_s",
]


def part(
    file: str, date: str, begun: str, *, tz: str = "Europe/Paris", t_s: float = 0.0, **figures: Any
) -> dict[str, Any]:
    """A row of `days` with its file: 60 s in range, unless told otherwise."""
    row: dict[str, Any] = {column.name: 0.0 for column in DAY_COLUMNS if column.unit}
    row |= {"file": file, "session_id": file, "date": date, "started_utc": begun, "tz": tz, "t_s": t_s}
    row |= {"episodes": 0, "alerts": 0, "duration_s": 60.0, "worn_s": 60.0, "still_s": 60.0, "in_range_s": 60.0}
    return row | figures


def test_a_day_has_all_its_sessions() -> None:
    (day,) = days_of(
        [
            part(
                "b", "2026-03-02", "2026-03-02T12:00", forward_s=30.0, reclined_s=10.0, longest_forward_s=20.0, alerts=2
            ),
            part("a", "2026-03-02", "2026-03-02T08:00", worn_s=40.0, no_data_s=20.0, episodes=3, longest_forward_s=9.0),
        ],
        [
            {"file": "a", "t_s": 5.0, "recovery_s": 4.0},
            {"file": "b", "t_s": 5.0, "recovery_s": 1.0},
            {"file": "b", "t_s": 9.0, "recovery_s": 2.0},
        ],
    )
    assert (day.date.isoformat(), day.day_h, day.zones, day.sessions) == ("2026-03-02", 24.0, ("Europe/Paris",), 2)
    assert day.recoveries_s == (1.0, 2.0, 4.0)
    assert day.short
    zero = dict.fromkeys(" ".join(SUMMED).split(), 0.0)
    assert day.figures == zero | {
        "duration_s": 120.0,
        "still_s": 120.0,
        "in_range_s": 120.0,
        "forward_s": 30.0,
        "reclined_s": 10.0,
        "worn_s": 100.0,
        "no_data_s": 20.0,
        "episodes": 3,
        "alerts": 2,
        "forward_pct": 18.75,
        "coverage_pct": pytest.approx(83.3333, abs=1e-3),
        "episodes_per_h": 108.0,
        "longest_forward_s": 20.0,
        "median_recovery_s": 2.0,
    }


@pytest.mark.parametrize(
    ("tz", "date", "day_h"),
    [
        ("Europe/Paris", "2026-10-25", 25.0),
        ("Europe/Paris", "2026-03-29", 23.0),
        ("Asia/Kathmandu", "2026-10-25", 24.0),
        ("America/St_Johns", "2026-11-01", 25.0),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_a_day_has_the_hours_of_its_zone(tz: str, date: str, day_h: float) -> None:
    (day,) = days_of([part("a", date, "x", tz=tz)], [])
    assert day.day_h == day_h


def test_who_travels_has_a_longer_or_a_shorter_day() -> None:
    """From Paris to New York the clocks go back by six hours, on the way back forward."""
    out = [
        part("a", "2026-06-01", "2026-06-01T06:00"),
        part("b", "2026-06-01", "2026-06-01T22:00", tz="America/New_York"),
    ]
    home = [
        part("a", "2026-06-09", "2026-06-09T10:00", tz="America/New_York"),
        part("b", "2026-06-09", "2026-06-09T18:00"),
    ]
    first, last = days_of([*out[::-1]], []) + days_of(home, [])
    assert (first.day_h, first.zones, first.sessions) == (30.0, ("Europe/Paris", "America/New_York"), 2)
    assert (last.day_h, last.zones, last.sessions) == (18.0, ("America/New_York", "Europe/Paris"), 2)


def test_a_session_over_midnight_counts_on_both_days() -> None:
    """An episode that starts with the row that midnight falls into belongs to the first day, as in the table `days`."""
    parts = [
        part("a", "2026-03-03", "2026-03-02T23:00", t_s=100.0, forward_s=6.0),
        part("a", "2026-03-02", "2026-03-02T22:58", t_s=0.0),
    ]
    times = [(0.0, 1.0), (99.8, 2.0), (100.0, 3.0), (100.2, 4.0), (170.0, 5.0)]
    first, second = days_of(parts, [{"file": "a", "t_s": t_s, "recovery_s": each} for t_s, each in times])
    assert (first.recoveries_s, second.recoveries_s) == ((1.0, 2.0, 3.0), (4.0, 5.0))
    assert (first.figures["forward_s"], second.figures["forward_s"]) == (0.0, 6.0)
    assert (first.sessions, second.sessions) == (1, 1)


def test_a_copy_counts_once() -> None:
    """The longest of them; a copy that was cut has less."""
    parts = [
        part("copy", "2026-03-02", "x", session_id="s", duration_s=50.0),
        part("whole", "2026-03-02", "x", session_id="s", duration_s=60.0),
        part("whole-2", "2026-03-02", "x", session_id="s", duration_s=60.0),
    ]
    recoveries = [{"file": name, "t_s": 1.0, "recovery_s": 9.0} for name in ("copy", "whole", "whole-2")]
    (day,) = days_of(parts, recoveries)
    assert (day.sessions, day.figures["duration_s"], day.recoveries_s) == (1, 60.0, (9.0,))


def test_where_nothing_was_judged_no_share_is_told() -> None:
    (day,) = days_of([part("a", "2026-03-02", "x", in_range_s=0.0, unjudged_s=60.0)], [])
    unknown = {name: day.figures[name] for name in ("forward_pct", "median_recovery_s")}
    assert unknown == {"forward_pct": None, "median_recovery_s": None}


def test_where_nothing_was_worn_no_rate_is_told() -> None:
    (day,) = days_of([part("a", "2026-03-02", "x", worn_s=0.0, duration_s=0.0)], [])
    assert (day.figures["episodes_per_h"], day.figures["coverage_pct"]) == (None, None)


def test_a_day_is_short_below_two_hours() -> None:
    days = days_of([part("a", "2026-03-02", "x", worn_s=7199.8), part("b", "2026-03-03", "x", worn_s=7200.0)], [])
    assert [day.short for day in days] == [True, False]


def test_no_day_has_no_figures() -> None:
    together = figures_together([], [])
    assert together["worn_s"] == 0
    unknown = [name for name, value in together.items() if value is None]
    assert unknown == ["forward_pct", "coverage_pct", "episodes_per_h", "longest_forward_s", "median_recovery_s"]
