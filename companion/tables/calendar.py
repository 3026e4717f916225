"""The wearer's calendar: local days of 23 to 25 hours, weeks, months; between instants and dates.

Pure. Knows: IANA time zones, fixed offsets. Must never know: the present time. A day begins at the first instant that a
clock on the wall shows its date, and ends where the next one begins; it is never taken for 86,400 s.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

NS_PER_S = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK = re.compile(r"(\d{4})-?W(\d{2})", re.ASCII)
_FIXED = re.compile(r"UTC([+-])(\d{2}):(\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name or of a fixed offset such as "UTC+05:30"; UTC where this system does not know it."""
    fixed = _FIXED.fullmatch(name)
    if fixed is not None and int(fixed[2]) < 24 and int(fixed[3]) < 60:
        minutes = int(fixed[2]) * 60 + int(fixed[3])
        return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def fixed_zone(offset_minutes: int) -> str:
    """The name of a zone that is always so many minutes ahead of UTC, for the offsets that no IANA zone stands for."""
    hours, minutes = divmod(abs(offset_minutes), 60)
    return f"UTC{'-' if offset_minutes < 0 else '+'}{hours:02d}:{minutes:02d}"


def is_known_zone(name: str) -> bool:
    """Whether this system knows the zone, so that local times are not in UTC instead."""
    return zone_of(name) is not UTC


def local(utc_ns: int, zone: str) -> datetime | None:
    """What a clock in `zone` shows, with its offset, to the microsecond; None outside the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=utc_ns // 1000)).astimezone(zone_of(zone))
    except OverflowError:
        return None


def day_of(utc_ns: int, zone: str) -> date:
    """The local day that an instant lies in; the first or last there is, for an instant beyond the years 1 to 9999.

    It is the date that a clock shows there, but where clocks went back over midnight: the next day has begun by then.
    """
    moment = local(utc_ns, zone)
    if moment is None:
        return date.min if utc_ns < 0 else date.max
    day = moment.date()
    return day + timedelta(days=1) if utc_ns >= end_ns(day, zone) and day < date.max else day


@lru_cache(maxsize=4096)
def begin_ns(day: date, zone: str) -> int:
    """The instant at which a local day begins, in nanoseconds of UTC since 1970.

    Where clocks go forward over midnight that is the first instant after the gap; where they go back over midnight, the
    first of the two. A day that a zone left out begins where the next one does.
    """
    try:
        midnight = datetime.combine(day, time(), zone_of(zone))
        begin, earliest = utc_ns_of(midnight), utc_ns_of(midnight.replace(fold=1))
    except OverflowError:  # at the calendar's ends, where a zone's midnight may lie beyond
        return (day - _EPOCH.date()).days * 86_400 * NS_PER_S
    return begin if earliest >= begin else _first_shown(day, zone, earliest, begin)


def _first_shown(day: date, zone: str, before_ns: int, shown_ns: int) -> int:
    """The first instant of a day whose midnight lies in a gap of its zone: clocks change on whole seconds."""
    while shown_ns - before_ns > NS_PER_S:
        middle_ns = (before_ns + shown_ns) // (2 * NS_PER_S) * NS_PER_S
        moment = local(middle_ns, zone)
        if moment is not None and moment.date() >= day:
            shown_ns = middle_ns
        else:
            before_ns = middle_ns
    return shown_ns


def utc_ns_of(moment: datetime) -> int:
    """Nanoseconds of UTC since 1970, to the microsecond, of a point in time with its zone."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000


def end_ns(day: date, zone: str) -> int:
    """The instant at which a local day ends: the begin of the next."""
    return begin_ns(day + timedelta(days=1), zone) if day < date.max else begin_ns(day, zone) + 86_400 * NS_PER_S


def length_h(day: date, zone: str) -> float:
    """How many hours a local day has: 23 to 25 where clocks are changed."""
    return (end_ns(day, zone) - begin_ns(day, zone)) / (3600 * NS_PER_S)


def days_between(from_ns: int, to_ns: int, zone: str) -> Iterator[tuple[date, int, int]]:
    """Local days that a span touches, each with the part of the span in it, `from_ns` <= part < `to_ns`.

    An empty span touches the day it lies in; what lies beyond the calendar's last day is counted to that day.
    """
    day, at_ns = day_of(from_ns, zone), from_ns
    while True:
        until_ns = max(min(end_ns(day, zone), to_ns), at_ns) if day < date.max else to_ns
        if until_ns > at_ns or from_ns >= to_ns:  # a day that a zone left out has no length
            yield day, at_ns, until_ns
        if until_ns >= to_ns:
            return
        day, at_ns = day + timedelta(days=1), until_ns


def parse_day(text: str) -> date:
    """A date such as 2026-11-22; raises ValueError."""
    if _DAY.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no date such as 2026-11-22")
    return date.fromisoformat(text)


def parse_week(text: str) -> date:
    """The Monday of an ISO week such as 2026-W47; raises ValueError."""
    match = _WEEK.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no week such as 2026-W47")
    return date.fromisocalendar(int(match[1]), int(match[2]), 1)


def week_text(day: date) -> str:
    """The ISO week of a date, such as 2026-W47."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"
