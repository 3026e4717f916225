"""Instants and durations as text: ISO 8601 in UTC and in the session's zone, clock readings, durations.

Pure: every instant comes in as nanoseconds. Must never know: the present time.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_text(utc_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds and "Z"; "" for an instant outside the years 1 to 9999."""
    moment = _moment(utc_ns)
    return "" if moment is None else moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def local_text(utc_ns: int, zone: str) -> str:
    """ISO 8601 with milliseconds and the offset of `zone` (an IANA name; an unknown one counts as UTC)."""
    local = _local(utc_ns, zone)
    return "" if local is None else local.isoformat(timespec="milliseconds")


def clock_text(utc_ns: int, zone: str) -> str:
    """What a wall clock in `zone` shows, as HH:MM."""
    local = _local(utc_ns, zone)
    return "" if local is None else local.strftime("%H:%M")


def elapsed_text(seconds: float) -> str:
    """Time since the start, as H:MM:SS with whole seconds begun, for example "0:01:30"."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def duration_words(seconds: float) -> str:
    """A duration for people: "12 s", "3 min 05 s", "2 h 10 min"; to the nearest second."""
    whole = max(0, int(seconds + 0.5))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60:02d} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60:02d} min" if whole // 60 % 60 else "")


def _local(utc_ns: int, zone: str) -> datetime | None:
    moment = _moment(utc_ns)
    try:
        return None if moment is None else moment.astimezone(_zone(zone))
    except OverflowError:
        return None


def _moment(utc_ns: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=utc_ns // 1000)
    except OverflowError:
        return None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a recording may name a zone that this system does not know
        return UTC
