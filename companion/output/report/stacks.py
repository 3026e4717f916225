"""Time as stacked bars: hour by hour, and day by day.

Pure. Knows: hours and days of an overview. Must never know: colours, the library that draws.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from companion.overview import KINDS, DayFigures, Hour, Overview


@dataclass(frozen=True, slots=True)
class Stack:
    """One bar: its label and the seconds of each kind; pale where it rests on little."""

    label: str
    seconds: dict[str, float] = field(default_factory=dict)
    is_pale: bool = False
    group: str = ""  # what neighbours have in common, such as their day; "" where there is no need to say

    @property
    def words(self) -> str:
        """The label with its group, on one line."""
        return f"{self.group} {self.label}".strip().replace("\n", " ")


def hour_stacks(overview: Overview) -> tuple[Stack, ...]:
    """By the clock on the wall; of a week all its days together, else every hour for itself."""
    return _hours_of_the_day(overview.hours) if overview.kind == "week" else _hours_in_order(overview.hours)


def day_stacks(days: Sequence[DayFigures]) -> tuple[Stack, ...]:
    """One bar a day; a day of little wear is pale, and its label says so."""
    return tuple(
        Stack(
            label=f"{short_day(day.day)}{chr(10)}short" if day.is_short and day.figures else short_day(day.day),
            seconds={kind: float((day.figures or {}).get(f"{kind}_s") or 0.0) for kind in KINDS},
            is_pale=day.is_short,
        )
        for day in days
    )


def short_day(day: date) -> str:
    """Such as "Mon 19 Oct"; the same on every system."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def long_day(day: date) -> str:
    """Such as "Monday, 2026-10-19"."""
    return f"{_LONG_WEEKDAYS[day.weekday()]}, {day.isoformat()}"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _hours_in_order(hours: Sequence[Hour]) -> tuple[Stack, ...]:
    """An hour that comes twice has its offset in the label; hours of several days have the day. Between two hours of a
    day the ones without a recording stand empty.
    """
    times = Counter((hour.day, hour.hour) for hour in hours)
    several_days = len({hour.day for hour in hours}) > 1
    several_years = len({hour.day.year for hour in hours}) > 1
    stacks = list[Stack]()
    for before, hour in zip([None, *hours], hours, strict=False):
        group = _group(hour.day, several_years) if several_days else ""
        if before is not None and before.day == hour.day:
            between = [missing for missing in range(before.hour + 1, hour.hour) if (hour.day, missing) not in times]
            times.update((hour.day, missing) for missing in between)  # none twice, where several zones alternate
            stacks += [_empty(missing, group) for missing in between]
        label = f"{hour.hour:02d}:00"
        if times[hour.day, hour.hour] > 1:
            label += f" {hour.utc_offset}"
        stacks.append(Stack(label, hour.seconds, group=group))
    return tuple(stacks)


def _empty(hour: int, group: str = "") -> Stack:
    return Stack(f"{hour:02d}:00", dict.fromkeys(KINDS, 0.0), group=group)


def _group(day: date, several_years: bool) -> str:
    return day.isoformat() if several_years else short_day(day)


def _hours_of_the_day(hours: Sequence[Hour]) -> tuple[Stack, ...]:
    sums = dict[int, dict[str, float]]()
    for hour in hours:
        into = sums.setdefault(hour.hour, dict.fromkeys(KINDS, 0.0))
        for kind, seconds in hour.seconds.items():
            into[kind] += seconds
    spanned = range(min(sums, default=0), max(sums, default=-1) + 1)
    return tuple(Stack(f"{hour:02d}:00", sums[hour]) if hour in sums else _empty(hour) for hour in spanned)
