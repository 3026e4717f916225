"""How a text file holds a table: encoding, delimiter, decimal sign, where the header and the first row stand.

Found by rule from the beginning of a file. Pure. Must never know: what a column means, where the text comes from.
"""

import codecs
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from companion.importing.stamps import NUMBER, form_of
from companion.importing.units import spelled

HEAD_BYTES = 262_144
"""So much of a file is looked at to find its shape."""

LONGEST_LINE = 65_536
COMMENTS = ("#", "//", "%")
_DELIMITERS = (",", ";", "\t", "|", " ")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_ENCODINGS = {"utf-8": "", "utf-8-sig": "", "utf-16": "UTF-16", "latin-1": "Latin-1"}
_LOOKED_AT = 200  # lines with something in them
_MOST_HEADER_LINES = 4
_NO_UNIT = frozenset({"cal", "raw", "no_units", "u", "-", ""})


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is to be cut into cells. Lines count from 0."""

    encoding: str
    delimiter: str
    comma: bool  # decimals are written with a comma
    names: tuple[str, ...]  # of the columns; their numbers from 1 on where there is no header
    units: tuple[str, ...]  # what a row of units says under them; () for no such row
    header_line: int | None
    first_line: int  # of the table
    preamble: tuple[str, ...]  # lines above the header
    first_rows: tuple[tuple[str, ...], ...]  # the beginning of the table

    def words(self) -> str:
        """For people: "tabs, decimal commas, header in line 12"."""
        where = "no header" if self.header_line is None else f"header in line {self.header_line + 1}"
        comma = "decimal commas" if self.comma else ""
        return ", ".join(filter(None, (_ENCODINGS[self.encoding], _NAMES[self.delimiter], comma, where)))


def encoding_of(head: bytes) -> str | None:
    """The encoding of a file that begins so; None where it is no text."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character that is cut at the end is none
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def cut(line: str, delimiter: str) -> list[str]:
    """One line as cells; runs of blanks count as one."""
    if '"' not in line:
        return line.split() if delimiter == " " else line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def is_comment(line: str) -> bool:
    """Whether a line is a comment."""
    return line.lstrip().startswith(COMMENTS)


def shape_of(text: str, encoding: str) -> Shape:
    """The shape of a file whose beginning is `text`; the last line may be cut off and is not looked at."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(text) >= HEAD_BYTES // 4:
        lines = lines[:-1]
    places = [at for at, line in enumerate(lines) if line.strip() and not is_comment(line) and not _sep(line)]
    rows = _Rows(lines, places[:_LOOKED_AT])
    told = next((mark for line in lines[:3] if (mark := _sep(line))), "")
    delimiter = told or max(_DELIMITERS, key=rows.score)
    return rows.shape(encoding, delimiter)


def _sep(line: str) -> str:
    """The delimiter that a line such as "sep=;" names, as spreadsheets read it."""
    bare = line.strip().strip('"').lower()
    mark = bare[4:].replace("\\t", "\t") if bare.startswith("sep=") else ""
    return mark if mark in _DELIMITERS else ("\t" if bare == "sep=" else "")


@dataclass(frozen=True, slots=True)
class _Rows:
    """The lines of a file's beginning, and which of them have something in them."""

    lines: Sequence[str]
    places: Sequence[int]

    def score(self, delimiter: str) -> int:
        """How well a delimiter cuts the lines into numbers: numbers less twice what is none, over lines of numbers."""
        return sum(max(_numbers(cut(self.lines[at], delimiter), delimiter), 0) for at in self.places)

    def shape(self, encoding: str, delimiter: str) -> Shape:
        cells = {at: _stripped(cut(self.lines[at], delimiter)) for at in self.places}
        data = [at for at in self.places if _is_data(cells[at], delimiter)]
        width = Counter(len(cells[at]) for at in data).most_common(1)[0][0] if data else 0
        first = next((at for at in data if self._goes_on(at, cells, data, width)), None)
        header, units = self._header(cells, first, width)
        begin = first if first is not None else 0 if header is None else header + 1
        names = _without_tail(cells[header]) if header is not None else []
        if header is None:
            header, names = self._commented(delimiter, begin, width)
        return Shape(
            encoding=encoding,
            delimiter=delimiter,
            comma=delimiter != "," and any("," in cell for at in data for cell in cells[at] if NUMBER.fullmatch(cell)),
            names=tuple(names or map(str, range(1, width + 1))),
            units=tuple(cells[units]) if units is not None else (),
            header_line=header,
            first_line=begin,
            preamble=tuple(self.lines[: begin if header is None else header]),
            first_rows=tuple(tuple(cells[at]) for at in self.places if at >= begin),
        )

    def _goes_on(self, at: int, cells: dict[int, list[str]], data: list[int], width: int) -> bool:
        """Whether the table begins here: this line and those after it are rows of it."""
        after = [each for each in self.places if each >= at][:4]
        return len(cells[at]) == width and sum(each in data for each in after) * 2 > len(after)

    def _header(self, cells: dict[int, list[str]], first: int | None, width: int) -> tuple[int | None, int | None]:
        """The line of the names, and of the units under them."""
        if first is None:
            return (self.places[0] if self.places else None), None
        above = [at for at in self.places if at < first][-_MOST_HEADER_LINES:]
        # A header may name more than the rows hold: Movesense's names a magnetometer in every file.
        fitting = [at for at in above if max(2, width - 2) <= len(cells[at]) <= 2 * width]
        units = next((at for at in reversed(fitting) if _are_units(cells[at])), None)
        names = [at for at in fitting if not _are_units(cells[at]) and not _is_data(cells[at], "")]
        best = max(names, key=lambda at: (len(set(filter(None, cells[at]))), at), default=None)
        return best, units if best is not None and units is not None and units > best else None

    def _commented(self, delimiter: str, first: int, width: int) -> tuple[int | None, list[str]]:
        """Names that stand in the last comment above the table, as numpy writes them."""
        at = max((at for at, line in enumerate(self.lines[:first]) if is_comment(line)), default=None)
        names = [] if at is None else _stripped(cut(self.lines[at].lstrip().lstrip("#/%").strip(), delimiter))
        return (at, names) if names and len(names) == width and not _is_data(names, delimiter) else (None, [])


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _without_tail(cells: Sequence[str]) -> list[str]:
    """Cells without the empty ones at the end of a line."""
    kept = list(cells)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _numbers(cells: Sequence[str], delimiter: str) -> int:
    """How many cells are numbers or times, less twice those that are neither; 0 for a single cell."""
    filled = [cell for cell in cells if cell.strip()]
    found = sum(_is_number(cell, delimiter) for cell in filled)
    return 3 * found - 2 * len(filled) if len(cells) > 1 else 0


def _is_number(cell: str, delimiter: str) -> bool:
    return form_of(cell) != "" and not (delimiter == "," and "," in cell)


def _is_data(cells: Sequence[str], delimiter: str) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and 2 * sum(_is_number(cell, delimiter) for cell in filled) > len(filled)


def _are_units(cells: Sequence[str]) -> bool:
    known = [cell for cell in cells if cell.lower() not in _NO_UNIT]
    return (bool(cells) and sum(spelled(cell) is not None for cell in known) * 2 > len(known)) or not known
