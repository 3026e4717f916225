"""The data dictionary as CSV: what `export --describe` prints.

Pure. Knows: the columns of `tables.dictionary`. Must never know: values.
"""

import csv
import io
from collections.abc import Iterator

from companion.tables.dictionary import TABLES


def describe() -> list[str]:
    """The data dictionary as CSV lines (without their newlines): table, column, unit, meaning."""
    return ["table,column,unit,meaning", *(_csv_line(row) for row in _rows())]


def _rows() -> Iterator[tuple[str, ...]]:
    for table, columns in TABLES.items():
        for column in columns:
            yield table, column.name, column.unit, column.meaning


def _csv_line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
