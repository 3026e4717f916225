"""Instants and durations as text."""

import pytest

from companion.tables.instants import clock_text, duration_words, elapsed_text, local_text, utc_text

MINUTE_NS = 60_000_000_000
BEFORE_SUMMER_TIME_NS = 1_774_745_940_000_000_000


def test_the_offset_is_the_one_in_force() -> None:
    assert utc_text(BEFORE_SUMMER_TIME_NS) == "2026-03-29T00:59:00.000Z"
    assert local_text(BEFORE_SUMMER_TIME_NS, "Europe/Paris") == "2026-03-29T01:59:00.000+01:00"
    assert local_text(BEFORE_SUMMER_TIME_NS + MINUTE_NS, "Europe/Paris") == "2026-03-29T03:00:00.000+02:00"
    assert clock_text(BEFORE_SUMMER_TIME_NS + MINUTE_NS, "Europe/Paris") == "03:00"


def test_milliseconds_are_cut_not_rounded() -> None:
    assert utc_text(1_999_999_999) == "1970-01-01T00:00:01.999Z"
    assert utc_text(-1) == "1969-12-31T23:59:59.999Z"


@pytest.mark.parametrize("zone", ["", "No/Such", "../../etc/passwd", "/etc/localtime", "a\0b"])
def test_an_unknown_zone_counts_as_utc(zone: str) -> None:
    assert local_text(0, zone) == "1970-01-01T00:00:00.000+00:00"


@pytest.mark.parametrize("utc_ns", [10**30, -(10**30), 253_402_300_799 * 10**9])
def test_an_instant_outside_the_calendar_is_no_error(utc_ns: int) -> None:
    assert utc_text(utc_ns) in ("", "9999-12-31T23:59:59.000Z")
    assert local_text(utc_ns, "Asia/Tokyo") == clock_text(utc_ns, "Asia/Tokyo") == ""


@pytest.mark.parametrize(
    ("seconds", "elapsed", "words"),
    [
        (0, "0:00:00", "0 s"),
        (29.9, "0:00:29", "30 s"),
        (60, "0:01:00", "1 min"),
        (185.2, "0:03:05", "3 min 05 s"),
        (3599.6, "0:59:59", "1 h"),
        (7800, "2:10:00", "2 h 10 min"),
        (360_000, "100:00:00", "100 h"),
        (-3, "0:00:00", "0 s"),
    ],
)
def test_durations(seconds: float, elapsed: str, words: str) -> None:
    assert elapsed_text(seconds) == elapsed
    assert duration_words(seconds) == words
