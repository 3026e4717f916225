"""Days as the wearer lived them: the parts of all sessions that lie on one local date, together.

Pure. Knows: rows of the tables `days` and `episodes` as values, the calendar. Must never know: databases, text.

A date is the one that clocks showed where the wearer was. Who travels has it in several zones: it lasts from the
midnight where the first session was to the midnight where the last one was.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum
from statistics import median
from typing import Any, Final

from companion.tables.calendar import NS_PER_S, begin_ns, end_ns
from companion.tables.dictionary import DURATIONS
from companion.tables.wear import SHORT_WEAR_S, judged_share_pct

Values = Mapping[str, Any]

_SUMMED: Final = ("duration_s", *(column.name for column in DURATIONS), "worn_s", "suspect_s")


@dataclass(frozen=True, slots=True)
class Day:
    """One local date with at least one session."""

    date: date
    day_h: float  # from midnight to midnight
    zones: tuple[str, ...]  # where the sessions were, in the order of time
    sessions: int
    figures: Values  # durations in s, counts, shares in %
    recoveries_s: tuple[float, ...]  # of the episodes that started on it

    @property
    def short(self) -> bool:
        """Whether it has under 2 h of wear."""
        return bool(self.figures["worn_s"] < SHORT_WEAR_S)


def days_of(parts: Iterable[Values], recoveries: Iterable[Values]) -> list[Day]:
    """The days of these sessions, first one first.

    `parts` are all rows of `days` of each recording, `recoveries` its episodes' `t_s` and `recovery_s`; both with the
    `file` they are from. A session that lies in several files, as after a copy, counts once: its longest.
    """
    of_file: dict[str, list[Values]] = defaultdict(list)
    for part in parts:
        of_file[part["file"]].append(part)
    once = dict(_each_session_once(of_file))
    recovered = _by_day(once, recoveries)
    of_day: dict[str, list[Values]] = defaultdict(list)
    for rows in once.values():
        for row in rows:
            of_day[row["date"]].append(row)
    return [_day(name, of_day[name], recovered.get(name, ())) for name in sorted(of_day)]


def figures_together(figures: Sequence[Values], recoveries_s: Sequence[float]) -> dict[str, Any]:
    """What several parts or days come to: sums, shares of the sums, and the median of all recoveries."""
    found: dict[str, Any] = {name: fsum(each[name] for each in figures) for name in _SUMMED}
    found |= {name: sum(each[name] for each in figures) for name in ("episodes", "alerts")}
    found["forward_pct"] = judged_share_pct(found)
    found["coverage_pct"] = _share(found["worn_s"], found["duration_s"])
    found["episodes_per_h"] = found["episodes"] * 3600 / found["worn_s"] if found["worn_s"] > 0 else None
    found["longest_forward_s"] = max((each["longest_forward_s"] for each in figures), default=None)
    found["median_recovery_s"] = median(recoveries_s) if recoveries_s else None
    return found


def _share(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole > 0 else None


def _each_session_once(of_file: Mapping[str, list[Values]]) -> Iterator[tuple[str, list[Values]]]:
    chosen: dict[str, tuple[float, str]] = {}
    for file in sorted(of_file):
        rows = of_file[file]
        session, length_s = rows[0]["session_id"], fsum(row["duration_s"] for row in rows)
        if session not in chosen or length_s > chosen[session][0]:
            chosen[session] = length_s, file
    for _, file in sorted(chosen.values(), key=lambda found: found[1]):
        yield file, sorted(of_file[file], key=lambda row: row["t_s"])


def _by_day(once: Mapping[str, list[Values]], recoveries: Iterable[Values]) -> dict[str, list[float]]:
    """Recoveries by the date of the part that their episode began in: a part ends with its last row, which it has."""
    begins = {file: [row["t_s"] for row in rows] for file, rows in once.items()}
    found: dict[str, list[float]] = defaultdict(list)
    for each in recoveries:
        rows = once.get(each["file"])
        if rows is not None:
            place = max(bisect_left(begins[each["file"]], each["t_s"]) - 1, 0)
            found[rows[place]["date"]].append(each["recovery_s"])
    return found


def _day(name: str, parts: list[Values], recoveries_s: Sequence[float]) -> Day:
    day = date.fromisoformat(name)
    parts = sorted(parts, key=lambda part: (part["started_utc"], part["file"]))
    zones = tuple(dict.fromkeys(part["tz"] for part in parts))
    return Day(
        date=day,
        day_h=(end_ns(day, parts[-1]["tz"]) - begin_ns(day, parts[0]["tz"])) / (3600 * NS_PER_S),
        zones=zones,
        sessions=len(parts),
        figures=figures_together(parts, recoveries_s),
        recoveries_s=tuple(sorted(recoveries_s)),
    )
