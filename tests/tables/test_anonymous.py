"""What `--anonymous` leaves of a session: numbers; no word of the wearer's, no time of day."""

from dataclasses import replace
from typing import Any

import pytest

from companion.tables.anonymous import anonymous, pseudonym
from companion.tables.rows import day_rows, episode_rows, minute_rows
from firmware_protocol.frames import Opened

S = 1_000_000_000
RANDOM_ID = "4e56fb72595e4b2eac5dc84f4c5d8297"


def test_a_random_id_stays_and_any_other_is_replaced(header: Opened) -> None:
    assert pseudonym(replace(header, session_id=RANDOM_ID)) == RANDOM_ID
    names = ["2026-10-25T013000Z-anna", "anna", "", RANDOM_ID.upper(), "a8098c1af86e11dabd1a00112444be1e"]  # version 1
    made = [pseudonym(replace(header, session_id=name)) for name in names]
    assert len(set(made)) == len(names)
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in made)
    assert made == [pseudonym(replace(header, session_id=name)) for name in names]


def test_the_same_id_of_another_recording_is_another(header: Opened) -> None:
    others = [header, replace(header, utc_ns=1), replace(header, t_host_ns=1), replace(header, calibration_json="{}")]
    assert len({pseudonym(each) for each in others}) == 4
    assert pseudonym(replace(header, settings_json='{"mode":"track"}')) == pseudonym(header)


def test_no_table_tells_the_time_of_day_by_where_midnight_is(make_session: Any) -> None:
    rows = [("still", "in_range", 18_000, 1.0)]
    evening, morning = (make_session(rows, utc_ns=hour * 3600 * S + 1800 * S) for hour in (23, 6))
    assert len(list(day_rows(evening))) == 2
    for table in (day_rows, minute_rows, episode_rows):
        shown = [[{**row, "session_id": ""} for row in table(anonymous(each))] for each in (evening, morning)]
        assert shown[0] == shown[1]


def test_a_day_is_24_hours_from_the_start(make_session: Any) -> None:
    session = anonymous(make_session([("still", "in_range", 30 * 18_000, 1.0)], utc_ns=7 * 3600 * S, zone="Asia/Tokyo"))
    assert [(row["t_s"], row["duration_s"]) for row in day_rows(session)] == [(0.0, 86_400.0), (86_400.0, 21_600.0)]


@pytest.mark.parametrize(
    ("column", "text", "stays"),
    [
        ("profile", "desk", True),
        ("profile", "standing", True),
        ("profile", "annas-desk", False),
        ("mode", "track", True),
        ("mode", "anna", False),
        ("view", "settled", True),
        ("calibration_id", "7d58de91cbac", True),
        ("calibration_id", "anna", False),
        ("calibration_id", "7d58de91cbac7d58de91cbac", False),
        ("software_version", "0.2.0", True),
        ("software_version", "1.0rc1", True),
        ("software_version", "2026.10.25", False),
        ("software_version", "anna", False),
        ("device", "desk", False),
        ("tz", "UTC", False),
        ("started_utc", "2026", False),
        ("a_new_column", "anna", False),
    ],
)
def test_of_texts_only_neutral_ones_stay(make_session: Any, column: str, text: str, stays: bool) -> None:
    session = replace(make_session([]), summary={column: text, "alerts": 2, "loss_pct": None})
    assert anonymous(session).summary == {
        **({column: text} if stays else {}),
        "alerts": 2,
        "loss_pct": None,
        "session_id": pseudonym(session.header),
    }
