"""What a reader must know before believing a figure: every sentence, and none where there is nothing to say."""

from dataclasses import replace

import pytest

from companion.overview import build
from companion.overview.notes import offset_changes
from companion.posture.calibration import Calibration

MORNING = "2026-05-04T09:00+02:00"
LONG = ("in_range", 7200)
CALIBRATION = Calibration.from_axes((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


def notes_of(recorded, *sessions, **said) -> list[str]:
    return list(build("session", [recorded(session, **said) for session in sessions], "0.2.0").notes)


def test_nothing_particular(judged, recorded) -> None:
    assert notes_of(recorded, judged(MORNING, LONG)) == []


@pytest.mark.parametrize(
    ("made", "said", "expected"),
    [
        (
            {"origin": "imported"},
            {},
            "This session was imported: the motion was recorded by other software, and its baseline was declared or "
            "assumed, not measured.",
        ),
        (
            {"origin": "imported"},
            {"calibration": replace(CALIBRATION, method="guided")},
            "This session was imported: the motion was recorded by other software.",
        ),
        (
            {},
            {"damage": ((10.0, 12.5, "a"), (20.0, 21.0, "b"))},
            "This session is damaged: 3.5 s between 10.0 s and 21.0 s are missing.",
        ),
        ({}, {"closed": False}, "This session has no end: it was cut off, or is being recorded now."),
        ({}, {"is_recovered": True}, "This session was cut off; its last moments may be missing."),
        (
            {},
            {"calibration": None, "limit_sagittal_deg": None},
            "This session had no calibration: angles from a baseline are not known, and nothing was judged.",
        ),
        (
            {"suspect_rows": slice(0, 3150)},
            {},
            "This session has 10 min 30 s in which the sensor may have slipped; up to 20° off that time counts as "
            "ever, but it is left out of percentiles and of the exposure table.",
        ),
        (
            {},
            {"changed_settings": (("alert.delay", "60s"), ("profile", "sofa"))},
            "This session was computed with settings other than at the time: alert.delay=60s, profile=sofa.",
        ),
        (
            {},
            {"clock_steps": ((3600.0, -75.0),)},
            "This session saw this computer's clock set back by 1 min 15 s before 1 h from its start; times of day go "
            "on as they were at the start.",
        ),
        (
            {"zone": "No/Such_Zone"},
            {},
            "This session names the time zone 'No/Such_Zone', which is not known here; its times are in UTC.",
        ),
    ],
)
def test_each_sentence(judged, recorded, made, said, expected: str) -> None:
    assert notes_of(recorded, judged(MORNING, LONG, **made), **said) == [expected]


def test_short_wear_is_told_by_day(judged, recorded) -> None:
    just, short = judged(MORNING, LONG), judged("2026-05-05T09:00+02:00", ("in_range", 7199.8), name="s2")
    sentence = "Worn for less than 2 h, too short to compare with other days: 2026-05-05."
    week = build("week", [recorded(just), recorded(short)], "0.2.0", just.whole().day)
    history = "All days count here; `posture history` leaves days under 2 h out of its sums."
    assert (week.notes, notes_of(recorded, just, short)) == ((sentence, history), [])
    long = build("week", [recorded(just)], "0.2.0", just.whole().day)
    assert long.notes == ()
    day = build("day", [recorded(short)], "0.2.0", short.whole().day)
    assert day.notes == (sentence,)


def test_of_several_sessions_each_is_named_and_the_gravest_comes_first(judged, recorded) -> None:
    one = judged(MORNING, LONG, origin="imported")
    other = judged("2026-05-05T09:00+02:00", LONG, name="s2", origin="simulated")
    cut = recorded(judged("2026-05-06T09:00+02:00", LONG, name="s3", suspect_rows=slice(0, 450)), closed=False)
    none = recorded(judged("2026-05-07T09:00+02:00", LONG, name="s4"), calibration=None, limit_sagittal_deg=None)
    lost = recorded(judged("2026-05-08T09:00+02:00", LONG, name="s5"), damage=((1.0, 2.0, "why"),))
    found = build("session", [recorded(one), recorded(other), cut, none, lost], "0.2.0").notes
    assert list(found) == [
        "The session of 2026-05-06, 09:00 has 1 min 30 s in which the sensor may have slipped; up to 20° off that time "
        "counts as ever, but it is left out of percentiles and of the exposure table.",
        "The session of 2026-05-08, 09:00 is damaged: 1.0 s between 1.0 s and 2.0 s are missing.",
        "The session of 2026-05-07, 09:00 had no calibration: angles from a baseline are not known, and nothing was "
        "judged.",
        "The session of 2026-05-06, 09:00 has no end: it was cut off, or is being recorded now.",
        "The session of 2026-05-05, 09:00 was made up by a simulator: its figures are of no person.",
        "The session of 2026-05-04, 09:00 was imported: the motion was recorded by other software, and its baseline "
        "was declared or assumed, not measured.",
    ]


def many(judged, count: int, **made):
    return [judged(f"2026-05-{4 + day:02d}T09:00+02:00", LONG, name=f"s{day}", **made) for day in range(count)]


def test_what_is_simulated_throughout_is_said_beside_the_title_only(judged, recorded) -> None:
    assert notes_of(recorded, *many(judged, 1, origin="simulated")) == []
    assert notes_of(recorded, *many(judged, 12, origin="simulated")) == []


def test_equal_sentences_are_told_once(judged, recorded) -> None:
    assert notes_of(recorded, *many(judged, 12), closed=False) == [
        "Each of the 12 sessions has no end: it was cut off, or is being recorded now."
    ]
    some = [recorded(session, is_recovered=place < 6) for place, session in enumerate(many(judged, 7))]
    assert list(build("session", some, "0.2.0").notes) == [
        "Each of 6 of the 7 sessions (2026-05-04, 09:00; 2026-05-05, 09:00; 2026-05-06, 09:00; 2026-05-07, 09:00; and "
        "2 more) was cut off; its last moments may be missing."
    ]


def test_slips_of_several_sessions_are_one_sentence(judged, recorded) -> None:
    slipped = many(judged, 2, suspect_rows=slice(0, 450))
    whole = judged("2026-05-08T09:00+02:00", LONG, name="whole")
    assert notes_of(recorded, *slipped, whole) == [
        "2 of the 3 sessions (2026-05-04, 09:00; 2026-05-05, 09:00) have 3 min in all in which the sensor may have "
        "slipped; up to 20° off that time counts as ever, but it is left out of percentiles and of the exposure table."
    ]


def test_several_zones_and_sessions_at_the_same_time(judged, recorded) -> None:
    one = judged(MORNING, LONG)
    other = judged("2026-05-04T10:59:59+02:00", LONG, name="s2", zone="Europe/London")
    assert notes_of(recorded, one, other) == [
        "Sessions were recorded in several time zones (Europe/Paris, Europe/London); each counts on the days of its "
        "own.",
        "Sessions overlap in time; all of their time is counted, so some of it twice.",
    ]


def test_a_change_of_clocks_and_a_part(judged, recorded) -> None:
    session = judged("2026-10-24T20:00+02:00", ("in_range", 10 * 3600))
    (whole,) = notes_of(recorded, session)
    assert whole == "This session goes over a change of clocks, from +02:00 to +01:00 (UTC), at 2026-10-25 02:00."
    day = session.whole().day
    (part,) = build("day", [recorded(session)], "0.2.0", day).notes
    assert part == (
        "This session lies partly on other days; only what lies on these is in the figures, data quality apart."
    )


def test_a_session_without_motion(judged, recorded) -> None:
    assert notes_of(recorded, judged(MORNING)) == ["This session holds no motion."]


@pytest.mark.parametrize(
    ("zone", "begin_s", "hours", "expected"),
    [
        ("Europe/Paris", 1_792_890_000 - 3600, 3, [(1_792_890_000, "+02:00", "+01:00")]),
        ("Europe/Paris", 1_792_890_000 - 1, 3, [(1_792_890_000, "+02:00", "+01:00")]),
        ("Europe/Paris", 1_792_890_000, 3, []),
        ("Australia/Lord_Howe", 1_775_314_800 - 600, 2, [(1_775_314_800, "+11:00", "+10:30")]),
        ("UTC", 1_792_890_000 - 3600, 3, []),
    ],
)
def test_changes_of_clocks_to_the_second(zone: str, begin_s: int, hours: int, expected) -> None:
    found = offset_changes(begin_s * 10**9, hours * 3600 * 10**9, zone)
    assert [(round(at_ns / 1e9), before, after) for at_ns, before, after in found] == expected
