"""The rows of the exported tables, as text cells.

Pure. Knows: the tables' values and their columns, samples. Must never know: files, how a figure is computed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.tables import dictionary, rows
from companion.tables.judged import Judged
from companion.text import LONGEST_SENTENCE, printable

_NS_PER_S = 1e9
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # the wide ones count as formulas in some spreadsheets
_NAMES_THE_WEARER = frozenset({"device", "tz", "date", "started_utc", "started_local"})
_SAMPLES_A_BLOCK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTable:
    """Samples with what was computed at each: all (N,); times in ns of session time, angles in degrees."""

    samples: npt.NDArray[Any]  # SAMPLES
    t_session_ns: npt.NDArray[np.int64]
    sagittal_deg: npt.NDArray[np.float64]
    lateral_deg: npt.NDArray[np.float64]


def cells_of(
    table: str, session: Judged, samples: SampleTable | None = None, *, anonymous: bool = False
) -> Iterable[Sequence[str]]:
    """The rows of one table, without its header, each a text per column in the dictionary's order.

    `anonymous` leaves the sensor's name, the zone and every absolute time empty. Raises KeyError for an
    unknown table, ValueError where the samples are asked for and were not given.
    """
    if table == "samples":
        if samples is None:
            raise ValueError("the table `samples` needs the session's samples")
        return _sample_rows(samples)
    columns = dictionary.names(table)
    hidden = _NAMES_THE_WEARER if anonymous else frozenset()
    found = rows.rows_of(table, session)
    return (["" if name in hidden else cell(row.get(name)) for name in columns] for row in found)


def cell(value: object) -> str:
    """One value as a cell: one decimal place, unknown numbers empty, text printable and defused."""
    if value is None:
        return ""
    if isinstance(value, str):
        return defused(value)
    if isinstance(value, float | np.floating):
        return _decimal(float(value))
    return str(int(value)) if isinstance(value, int | np.integer) else defused(str(value))


def defused(text: str) -> str:
    """A text cell safe for spreadsheets: printable, with a leading ' where it would count as a formula."""
    shown = printable(text, LONGEST_SENTENCE)
    return f"'{shown}" if text.startswith(_FORMULA_STARTS) or shown.startswith(_FORMULA_STARTS) else shown


def _decimal(value: float, places: int = 1) -> str:
    if not np.isfinite(value):
        return ""
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _sample_rows(table: SampleTable) -> Iterator[Sequence[str]]:
    for start in range(0, len(table.samples), _SAMPLES_A_BLOCK):
        yield from _sample_block(table, slice(start, start + _SAMPLES_A_BLOCK))


def _sample_block(table: SampleTable, block: slice) -> Iterator[Sequence[str]]:
    samples = table.samples[block]
    columns = [
        (table.t_session_ns[block] / _NS_PER_S, 6),
        *((samples["acc_mps2"][:, axis], 5) for axis in range(3)),
        *((samples["gyr_radps"][:, axis], 6) for axis in range(3)),
        (table.sagittal_deg[block], 2),
        (table.lateral_deg[block], 2),
    ]
    return zip(*(_decimals(values, places) for values, places in columns), strict=True)


def _decimals(values: npt.NDArray[np.float64], places: int) -> list[str]:
    """A column of numbers as plain decimals; quick, as a day has millions."""
    form = f"%.{places}f"
    minus_zero = f"-{0:.{places}f}"
    texts = (form % value for value in values.tolist())
    mended = {"nan": "", "inf": "", "-inf": "", minus_zero: minus_zero[1:]}
    return [mended.get(text, text) for text in texts]
