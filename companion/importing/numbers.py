"""Lines of text to numbers: what is a number, and what is counted as none.

Clean lines are taken many at a time by numpy, others cell by cell; both give the same numbers. Pure. Must never know:
what a column means.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from companion.importing import stamps
from companion.importing.shape import cut, is_comment

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to take from each line: the cells at `places` as numbers, and the one at `t_place` as a time."""

    delimiter: str
    comma: bool
    places: tuple[int, ...]
    t_place: int | None
    t_form: str  # "number", "instant" or "clock"
    t_unit: str
    label_place: int | None  # a cell that names what a row belongs to
    width: int = 10**9  # so many cells a line may have, empty ones at its end not counted

    @property
    def last(self) -> int:
        """The last cell that a line must have."""
        return max(*self.places, -1 if self.t_place is None else self.t_place)


@dataclass(frozen=True, slots=True)
class Taken:
    """Of each row (N,): its time in ns or None, its numbers (N, K) with NaN for what is none."""

    t_ns: npt.NDArray[np.int64] | None
    values: Floats
    short: int  # lines with too few cells, which are in neither
    labels: frozenset[str]
    long: int = 0  # lines with too many, which are in neither


def take(text: str, wanted: Wanted) -> Taken:
    """The numbers of lines that end with a newline; comments and empty lines are passed over."""
    found = None if '"' in text else _at_once(text, wanted)
    if found is not None:
        return found
    lines = [line for line in text.split("\n") if line.strip() and not is_comment(line)]
    rows = [cut(line, wanted.delimiter) for line in lines]
    fitting = [row for row in rows if not any(map(str.strip, row[wanted.width :]))]
    whole = [row for row in fitting if len(row) > wanted.last]
    values = np.array([[number(row[place], wanted.comma) for place in wanted.places] for row in whole])
    t_ns = None if wanted.t_place is None else _times([row[wanted.t_place] for row in whole], wanted)
    short, long = len(fitting) - len(whole), len(rows) - len(fitting)
    return Taken(t_ns, values.reshape(-1, len(wanted.places)), short, _labels(whole, wanted), long)


def number(cell: str, comma: bool) -> float:
    """A cell as a number; NaN where it is none."""
    text = cell.strip()
    if comma and "." not in text:
        text = text.replace(",", ".")
    if not text.isascii() or "_" in text:  # Python reads 1_000 and other scripts' digits as numbers
        return np.nan
    try:
        return float(text)
    except ValueError:
        return np.nan


def _at_once(text: str, wanted: Wanted) -> Taken | None:
    """The same by numpy, where every line is plain; else None."""
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    if any(line.lstrip()[:1] in "#/%" for line in lines) or any(_is_long(line, wanted) for line in lines):
        return None
    first = () if wanted.t_place is None or wanted.t_form != "number" else (wanted.t_place,)
    places, as_number = (*first, *wanted.places), bool(first)
    table = _loaded(lines, places, wanted)
    if table is None or len(table) != len(lines):
        return None
    values = table[:, 1:] if as_number else table
    t_ns = stamps.numbers_ns(table[:, 0], wanted.t_unit) if as_number else None
    if t_ns is None and wanted.t_place is not None:
        t_ns = _times([_cell(line, wanted.delimiter, wanted.t_place) for line in lines], wanted)
    labels = _labels([cut(line, wanted.delimiter) for line in lines] if wanted.label_place is not None else [], wanted)
    return Taken(t_ns, values, 0, labels)


def _is_long(line: str, wanted: Wanted) -> bool:
    if wanted.delimiter == " ":
        return len(line.split()) > wanted.width
    return line.count(wanted.delimiter) >= wanted.width <= line.rstrip(f" \r{wanted.delimiter}").count(wanted.delimiter)


def _loaded(lines: Sequence[str], places: Sequence[int], wanted: Wanted) -> Floats | None:
    if not lines:
        return np.empty((0, len(places)))
    delimiter = None if wanted.delimiter == " " else wanted.delimiter
    plain = [line.replace(",", ".") for line in lines] if wanted.comma else lines
    for filled in (False, True):
        attempt = _filled(plain, wanted.delimiter) if filled else plain
        try:
            return np.loadtxt(attempt, delimiter=delimiter, usecols=places, comments=None, ndmin=2)
        except (ValueError, IndexError, OverflowError):
            continue
    return None


def _filled(lines: Sequence[str], delimiter: str) -> list[str]:
    """Lines whose empty cells say nan."""
    if delimiter == " ":
        return list(lines)
    text = "\n".join(["", *lines, ""])
    for _ in range(2):  # neighbours share a delimiter
        text = text.replace(2 * delimiter, f"{delimiter}nan{delimiter}")
    text = text.replace(f"{delimiter}\n", f"{delimiter}nan\n").replace(f"\n{delimiter}", f"\nnan{delimiter}")
    return text.split("\n")[1:-1]


def _cell(line: str, delimiter: str, place: int) -> str:
    return line.split()[place] if delimiter == " " else line.split(delimiter, place + 1)[place]


def _times(cells: Sequence[str], wanted: Wanted) -> npt.NDArray[np.int64]:
    return stamps.texts_ns(cells, wanted.t_form, wanted.t_unit)


def _labels(rows: Sequence[Sequence[str]], wanted: Wanted) -> frozenset[str]:
    place = wanted.label_place
    return frozenset() if place is None else frozenset(row[place] for row in rows if len(row) > place)
