"""When a recording began, and in which zone: from its own times, its preamble, or what lies beside it.

Pure but for the name of this computer's zone. Knows: instants, zones. Must never know: tables.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from companion import host
from companion.importing import stamps
from companion.tables import calendar

_PREAMBLE = re.compile(r"^\W*start[ _]?time\W*(\d{4}\D.*)$", re.IGNORECASE)
_INSIDE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[T _]\d{1,2}:\d{2}:\d{2}(?:[.,:_]\d+)?")
_HEADER_OFFSET = re.compile(r"\(([+-]?)(\d\d):?(\d\d)\)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_S_NS = 10**9
_LARGEST_OFFSET = 24 * 60  # minutes, which no zone has


@dataclass(frozen=True, slots=True)
class Start:
    """The wall clock at the first sample, the zone (as `calendar.zone_of` takes it), and where both come from."""

    utc_ns: int
    zone: str
    told_by: str

    @property
    def instant(self) -> datetime:
        """The same as a point in time in its zone."""
        return (_EPOCH + timedelta(microseconds=self.utc_ns // 1000)).astimezone(calendar.zone_of(self.zone))

    def words(self) -> str:
        """For people: "2026-03-02 09:00:00+01:00 (Europe/Berlin), from 'time'"."""
        return f"{self.instant.isoformat(' ', 'seconds')} ({self.zone}), {self.told_by}"


def named(moment: datetime, own: Start | None) -> Start:
    """The start that a user names, in an IANA zone; it counts before what the file tells, which is said."""
    instead = f"; the file says {own.instant.isoformat(' ', 'seconds')}" if own else ""
    return Start(calendar.utc_ns_of(moment), str(moment.tzinfo), f"as named{instead}")


def of_utc(utc_ns: int, told_by: str, offset_minutes: int | None = None) -> Start | None:
    """A start that is known in UTC; its zone follows from an offset where one is told. None: no day of a calendar."""
    if not 0 <= utc_ns < 2**62:
        return None
    zone = _zone_with(utc_ns, offset_minutes)
    return Start(utc_ns, zone, told_by)


def of_clock(shown_ns: int, told_by: str) -> Start | None:
    """A start that a wall clock showed, without an offset: that of this computer's zone."""
    if not 0 <= shown_ns < 2**62:
        return None
    zone = host.zone_name()
    moment = (_EPOCH + timedelta(microseconds=shown_ns // 1000)).replace(tzinfo=ZoneInfo(zone))
    utc_ns = shown_ns - round(moment.utcoffset().total_seconds()) * _S_NS  # type: ignore[union-attr]
    return Start(utc_ns, zone, f"{told_by}, which tells no zone: this computer's was taken")


def of_cell(cell: str, unit: str, moved_ns: int, told_by: str) -> Start | None:
    """The start by a cell that tells a time of day, `moved_ns` before the first sample; None where it tells none."""
    form = stamps.form_of(cell)
    if form not in ("number", "instant"):
        return None
    found_ns = int(stamps.texts_ns([cell], form, unit)[0])
    if found_ns == stamps.NONE_NS or (form == "number" and stamps.epoch_unit(found_ns) != "ns"):
        return None
    if form == "instant" and not stamps.has_offset(cell):
        return of_clock(found_ns + moved_ns, told_by)
    return of_utc(found_ns + moved_ns, told_by, stamps.offset_minutes(cell))


def of_preamble(lines: Sequence[str]) -> Start | None:
    """The start by a line such as "StartTime: ,2025-07-11_20:06:00_086 WEST"; the letters of a zone are no zone."""
    for line in lines:
        match = _PREAMBLE.match(line)
        inside = _INSIDE.search(match[1]) if match else None
        if inside:
            shown_ns = int(stamps.texts_ns([inside[0]], "instant", "s")[0])
            return of_clock(shown_ns, "from the lines above the header")
    return None


def of_local(utc_ns: int, told_by: str, clock_changes: int) -> Start | None:
    """A start of times that a wall clock showed, which were taken for those of this computer's zone."""
    if not 0 <= utc_ns < 2**62:
        return None
    changed = "; clocks were changed within, by its rules" if clock_changes else ""
    return Start(utc_ns, host.zone_name(), f"{told_by}, which tells no zone: this computer's was taken{changed}")


def zone_of(text: str) -> str | None:
    """The zone that Sensor Logger's Metadata.csv names."""
    zone = metadata(text).get("recording timezone", "")
    return zone if _is_zone(zone) else None


def metadata(text: str) -> Mapping[str, str]:
    """The one row of a Metadata.csv: name and value."""
    return next(table_rows(text), {})


def header_offset(name: str) -> int | None:
    """The minutes from UTC in a column's name such as "timestamp (+0100)"."""
    found = _HEADER_OFFSET.search(name)
    return None if found is None else (-1 if found[1] == "-" else 1) * (int(found[2]) * 60 + int(found[3]))


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and not name.startswith(("/", ".")) and ZoneInfo(name) is not None
    except (KeyError, ValueError, OSError):
        return False


def table_rows(text: str) -> Iterator[Mapping[str, str]]:
    """The rows of a short table, by name; what is no table has none."""
    lines = text.splitlines()[:100]
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    cleaned = [line for line in lines if line.strip()]
    with suppress(csv.Error):
        for row in csv.DictReader(cleaned, delimiter=delimiter, restval=""):
            yield {name: value for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}


def _zone_with(utc_ns: int, offset_minutes: int | None) -> str:
    """This computer's zone, unless another offset was told: then one that has it always, since it may be of many."""
    local = host.zone_name()
    moment = (_EPOCH + timedelta(microseconds=utc_ns // 1000)).astimezone(ZoneInfo(local))
    if offset_minutes is not None and abs(offset_minutes) >= _LARGEST_OFFSET:
        return "UTC"
    if offset_minutes is None or moment.utcoffset() == timedelta(minutes=offset_minutes):
        return local
    name = f"Etc/GMT{-offset_minutes // 60:+d}" if offset_minutes else "UTC"
    return name if offset_minutes % 60 == 0 and _is_zone(name) else calendar.fixed_zone(offset_minutes)
