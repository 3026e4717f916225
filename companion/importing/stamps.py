"""Times as files write them, as whole nanoseconds: numbers with a unit, ISO 8601, clock readings.

Nothing is rounded on the way but to the nearest nanosecond: numbers too large for a float are taken digit by digit.
Pure. Must never know: files, columns, zones (an instant without an offset comes out as its clock shows it).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import numpy.typing as npt

from companion.importing.units import FACTORS

NONE_NS = np.iinfo(np.int64).min
"""Stands for a time that cannot be read."""

NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T _](\d{1,2}):(\d{2}):(\d{2})(?:[.,:_](\d{1,12}))?"
    r"\s*(?:Z|UTC|GMT)?\s*(?:([+-])(\d{2}):?(\d{2}))?",
    re.ASCII,
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,12}))?", re.ASCII)
_OFFSET = re.compile(r"(?:Z|UTC|GMT)\s*$|[+-]\d{2}:?\d{2}\s*$", re.ASCII)
_S_NS, _MINUTE_NS, _DAY_NS = 10**9, 60 * 10**9, 86_400 * 10**9
_LONGEST = 400  # no time has more characters
_DAY_0 = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_FIRST_YEAR, _LAST_YEAR = 1970, 2200  # what 64 bits of nanoseconds hold, and a sensor's clock may show
_EXACT = 2.0**52  # below, a float times a unit is off by less than half a nanosecond
_LARGEST_NS = 2**62
_EPOCHS = ((1e9, 4.2e9, "s"), (1e12, 4.2e12, "ms"), (1e15, 4.2e15, "us"), (1e18, 4.2e18, "ns"))  # 2001 to 2103


def form_of(cell: str) -> str:
    """How a cell tells a time: "number", "instant" (ISO 8601), "clock" (HH:MM:SS) or "" for none."""
    text = cell.strip()
    if len(text) > _LONGEST:
        return ""
    for form, pattern in (("number", NUMBER), ("instant", _INSTANT), ("clock", _CLOCK)):
        if pattern.fullmatch(text):
            return form
    return ""


def has_offset(cell: str) -> bool:
    """Whether an ISO 8601 text says what it is in UTC."""
    return _OFFSET.search(cell.strip()[10:]) is not None


def offset_minutes(cell: str) -> int | None:
    """The offset from UTC that an ISO 8601 text carries, in minutes; None for none, and for Z."""
    found = _INSTANT.fullmatch(cell.strip()[:_LONGEST])
    return None if found is None or found[8] is None else _minutes(found)


def epoch_unit(value: float) -> str | None:
    """The unit in which `value` counts from 1970 to a day of this century; None where it does in none."""
    return next((unit for low, high, unit in _EPOCHS if low <= value < high), None)


def numbers_ns(values: npt.NDArray[np.float64], unit: str) -> npt.NDArray[np.int64] | None:
    """Times (N,) in `unit` as ns, NaN as `NONE_NS`; None where a float does not hold them to the nanosecond."""
    factor = FACTORS["t"][unit]
    known = np.isfinite(values)
    if known.any() and np.abs(values[known]).max() * factor >= _EXACT:
        return None
    return np.where(known, np.rint(np.where(known, values, 0) * factor), NONE_NS).astype(np.int64)


def texts_ns(cells: Sequence[str], form: str, unit: str) -> npt.NDArray[np.int64]:
    """Times (N,) as texts of one form, as ns; `NONE_NS` where one cannot be read."""
    if form == "number":
        digits = round(np.log10(FACTORS["t"][unit]))
        found = [_exact_ns(cell, digits) for cell in cells]
    else:
        found = [_instant_ns(cell) for cell in cells] if form == "instant" else [_clock_ns(cell) for cell in cells]
    return np.array(found, dtype=np.int64)


def unwrapped(t_ns: npt.NDArray[np.int64], wrap_ns: int) -> npt.NDArray[np.int64]:
    """Times (N,) of a counter that begins anew after `wrap_ns`, as one that does not; unread ones are left."""
    known = t_ns != NONE_NS
    steps = np.diff(t_ns[known], prepend=t_ns[known][:1])
    found = t_ns.copy()
    found[known] += np.cumsum(steps < -wrap_ns // 2) * wrap_ns - np.cumsum(steps > wrap_ns // 2) * wrap_ns
    return found


def daily(t_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Clock readings (N,) that go on over midnight."""
    return unwrapped(t_ns, _DAY_NS)


def _exact_ns(cell: str, digits: int) -> int:
    """A decimal text × 10^digits, to the nearest whole number."""
    text = cell.strip()[:_LONGEST].replace(",", ".")
    whole, _, fraction = text.partition(".")
    if not NUMBER.fullmatch(text):
        return NONE_NS
    if "e" in text or "E" in text or len(whole) > 20:
        exact = Decimal(text).scaleb(digits)
        return int(exact.to_integral_value(ROUND_HALF_UP)) if abs(exact) < _LARGEST_NS else NONE_NS
    sign = -1 if text.startswith("-") else 1
    padded = fraction[: digits + 1].ljust(digits + 1, "0")
    value = int(whole.lstrip("+-") or "0") * 10**digits + (int(padded) + 5) // 10
    return sign * value if value < _LARGEST_NS else NONE_NS


def _instant_ns(cell: str) -> int:
    found = _INSTANT.fullmatch(cell.strip()[:_LONGEST])
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        return NONE_NS
    try:
        days = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC).toordinal() - _DAY_0
    except ValueError:
        return NONE_NS
    of_day_ns = _of_day_ns(found[4], found[5], found[6], found[7])
    return of_day_ns if of_day_ns == NONE_NS else days * _DAY_NS + of_day_ns - _minutes(found) * _MINUTE_NS


def _minutes(found: re.Match[str]) -> int:
    if found[8] is None:
        return 0
    return (-1 if found[8] == "-" else 1) * (int(found[9]) * 60 + int(found[10]))


def _clock_ns(cell: str) -> int:
    found = _CLOCK.fullmatch(cell.strip())
    return NONE_NS if found is None else _of_day_ns(found[1], found[2], found[3], found[4])


def _of_day_ns(hours: str, minutes: str, seconds: str, fraction: str | None) -> int:
    if int(hours) > 23 or int(minutes) > 59 or int(seconds) > 60:
        return NONE_NS
    part = int(fraction[:9].ljust(9, "0")) if fraction else 0
    return (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * _S_NS + part
