"""The rows of the exported tables, as text cells.

Pure. Knows: the tables' values and their columns, samples. Must never know: files, how a figure is computed.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.tables import dictionary, rows
from companion.tables.anonymous import HIDDEN
from companion.tables.anonymous import anonymous as without_words
from companion.tables.judged import Judged
from companion.tables.samples import SampleTable
from companion.text import LONGEST_SENTENCE, printable

_NS_PER_S = 1_000_000_000
_FORMULA_STARTS = tuple(
    "=+-@\t\r\n＝＋－＠﹢﹣−﹦﹫"
)  # the wide, small and typographic ones count in some spreadsheets
_SAMPLES_A_BLOCK = 65_536
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e16  # outside, the shortest text of a number has an exponent


def cells_of(table: str, session: Judged, *, anonymous: bool = False) -> Iterable[Sequence[str]]:
    """The rows of one table, without its header, each a text per column in the dictionary's order.

    `anonymous` leaves the sensor's name, the zone and every absolute time empty. Raises KeyError for an
    unknown table, and for `samples`, which `sample_text` makes.
    """
    columns = dictionary.names(table)
    shown = without_words(session) if anonymous else session
    hidden = HIDDEN if anonymous else frozenset()
    return (["" if name in hidden else cell(row.get(name)) for name in columns] for row in rows.rows_of(table, shown))


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
    """A text cell safe for spreadsheets: printable, with a leading ' where it would count as a formula.

    Spreadsheets pass over blanks and quotes before a sign, so what stands behind these counts too.
    """
    shown = printable(text, LONGEST_SENTENCE)
    suspect = text.startswith(_FORMULA_STARTS) or shown.lstrip("\"'` ").startswith(_FORMULA_STARTS)
    return f"'{shown}" if suspect else shown


def _decimal(value: float, places: int = 1) -> str:
    if not np.isfinite(value):
        return ""
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


# ---- samples: a day has millions of them, all numbers, so whole blocks of lines are made at once


def sample_text(table: SampleTable) -> Iterator[tuple[int, str]]:
    """The lines of the table `samples`, without its header, many at a time: how many, and their text.

    Times to the nanosecond, accelerations and rates as the shortest decimals that read back as the same number.
    """
    for start in range(0, len(table.samples), _SAMPLES_A_BLOCK):
        lines = _sample_lines(table, slice(start, start + _SAMPLES_A_BLOCK))
        yield len(lines), "\n".join(lines) + "\n"


def _sample_lines(table: SampleTable, block: slice) -> list[str]:
    samples = table.samples[block]
    columns = [
        _seconds(table.t_session_ns[block]),
        *(_exact(samples["acc_mps2"][:, axis]) for axis in range(3)),
        *(_exact(samples["gyr_radps"][:, axis]) for axis in range(3)),
        _thousandths(table.sagittal_deg[block]),
        _thousandths(table.lateral_deg[block]),
    ]
    return [",".join(cells) for cells in zip(*columns, strict=True)]


def _seconds(times_ns: npt.NDArray[np.int64]) -> list[str]:
    """Whole nanoseconds as seconds with nine decimals."""
    seconds, rests = np.divmod(np.abs(times_ns), _NS_PER_S)
    texts = [f"{second}.{rest:09d}" for second, rest in zip(seconds.tolist(), rests.tolist(), strict=True)]
    for place in np.flatnonzero(times_ns < 0).tolist():
        texts[place] = f"-{texts[place]}"
    return texts


def _exact(values: npt.NDArray[Any]) -> list[str]:
    """Each number as the shortest plain decimal that reads back as the same; unknown ones empty.

    A sensor has few different values, so each is formatted once.
    """
    bits, where = np.unique(np.ascontiguousarray(values).view(np.int64), return_inverse=True)
    texts = [_plain(value) for value in bits.view(np.float64).tolist()]
    return [texts[place] for place in where.tolist()]


def _plain(value: float) -> str:
    if _PLAIN_FROM <= abs(value) < _PLAIN_TO:
        return repr(value)
    if not np.isfinite(value):
        return ""
    return np.format_float_positional(value, unique=True, trim="0")


def _thousandths(values: npt.NDArray[np.float64]) -> list[str]:
    """Angles with three decimals; unknown ones empty."""
    texts = [f"{value:.3f}" for value in values.tolist()]
    for place in np.flatnonzero(~(np.abs(values) >= 0.0005)).tolist():  # what is next to 0, and what is unknown
        texts[place] = _decimal(values[place], 3)
    return texts
