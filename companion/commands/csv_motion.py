"""Motion out of a CSV file: which column is what, in which unit. Nothing is guessed silently.

A header explains itself where its names carry quantity and unit (`t_s`, `acc_x_mps2`, `gyr_z_dps`: our own
`samples` table does); any other needs a map of columns. Knows: names, units, numbers. Must never know:
recordings, devices.
"""

import csv
import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from companion.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

QUANTITIES = ("t", "ax", "ay", "az", "gx", "gy", "gz")
_NEEDED = ("ax", "ay", "az")
_TURNING = ("gx", "gy", "gz")
_G_MPS2 = 9.80665
_DEGREE_RAD = 0.017453292519943295
UNITS: Mapping[str, Mapping[str, float]] = {
    "t": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "acc": {"mps2": 1.0, "g": _G_MPS2, "mg": _G_MPS2 / 1000},
    "gyr": {"radps": 1.0, "dps": _DEGREE_RAD},
}
_DEFAULT_UNITS = {kind: next(iter(units)) for kind, units in UNITS.items()}
_OWN_NAME = re.compile(r"(?:(t)|(acc|gyr)_([xyz]))_([a-z0-9]+)", re.ASCII)
_DELIMITERS = (",", ";", "\t")
_PLAUSIBLE_MPS2 = (_G_MPS2 / 2, _G_MPS2 * 2)
_NUMBERED_WITHIN_S = 1.0  # further off, the steps of time are no steps of the rate
_FASTEST_RADPS = 2200 * _DEGREE_RAD  # no body turns faster; the pipeline leaves such samples out


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: the place of each quantity's column, and the unit of each kind."""

    columns: Mapping[str, int]
    names: Mapping[str, str]
    units: Mapping[str, str]

    def words(self) -> str:
        """What was understood, for people, such as "t from 'time' in ms"."""
        parts = [("t", ("t",), "t"), ("acceleration", _NEEDED, "acc"), ("angular rate", _TURNING, "gyr")]
        told = [
            f"{name} from {', '.join(repr(self.names[each]) for each in wanted)} in {self.units[kind]}"
            for name, wanted, kind in parts
            if wanted[0] in self.columns
        ]
        return "; ".join(told)


@dataclass(slots=True)
class CsvMotion:
    """What a CSV file holds, in SI units: acc_mps2 (N, 3); t_s (N,) from 0 and gyr_radps (N, 3), or None."""

    reading: Reading
    t_s: "npt.NDArray[Any] | None"
    acc_mps2: "npt.NDArray[Any]"
    gyr_radps: "npt.NDArray[Any] | None"
    passed_over: int  # rows without the numbers that are needed, or out of the order of time

    @property
    def rate_hz(self) -> float | None:
        """The rate by the file's own times: from the mean step, gaps left out. None where the file tells none."""
        import numpy as np

        if self.t_s is None or len(self.t_s) < 2:
            return None
        steps_s = np.diff(self.t_s)
        return float(1 / steps_s[steps_s < 1.5 * np.median(steps_s)].mean())

    def samples(self, rate_hz: float) -> "npt.NDArray[Any]":
        """The motion as SAMPLES; the device clock begins at 0, and gaps show in the numbers.

        Numbers follow from the steps of time, not from time itself, so that a rate that is a little off numbers no
        sample twice and leaves none out. Times too uneven to be numbered at this rate stand alone (index -1).
        """
        import numpy as np

        from firmware_protocol.samples import make_samples

        number = np.arange(len(self.acc_mps2))
        t_s = number / rate_hz if self.t_s is None else self.t_s
        number[1:] = np.cumsum(np.maximum(np.rint(np.diff(t_s) * rate_hz), 1))
        numbered = bool((np.abs(number / rate_hz - t_s) < _NUMBERED_WITHIN_S).all())
        t_ns = np.rint(t_s * 1e9).astype(np.int64)
        return make_samples(self.acc_mps2, self.gyr_radps, t_device_ns=t_ns, index=number if numbered else None)


def parse_map(text: str, option: str) -> dict[str, str]:
    """KEY=VALUE,KEY=VALUE as a table; raises UsageError that names the option."""
    table: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value or key in table:
            raise UsageError(f"{option} cannot be read at {part!r}.", f"It is a list such as {_EXAMPLES[option]}.")
        table[key] = value
    return table


_EXAMPLES = {"--columns": "t=time,ax=accX,ay=accY,az=accZ", "--units": "t=ms,acc=g,gyr=dps"}


def read_csv(path: Path, columns: str, units: str) -> CsvMotion:
    """Read a CSV file by the texts of `--columns` and `--units` (empty: the header must explain itself).

    Raises UsageError: a column is not there or not named; the numbers cannot be in the unit that was given.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            return _read(path, stream, parse_map(columns, "--columns"), parse_map(units, "--units"))
    except (OSError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error


def _read(path: Path, stream: TextIO, columns: Mapping[str, str], units: Mapping[str, str]) -> CsvMotion:
    first_line = stream.readline()
    delimiter = max(_DELIMITERS, key=first_line.count)
    first = next(csv.reader([first_line], delimiter=delimiter), [])
    headless = first_line.strip() != "" and all(_number(cell, delimiter) is not None for cell in first)
    header = [str(position + 1) if headless else name.strip() for position, name in enumerate(first)]
    reading = _understood(path, header, columns, units)
    rows = csv.reader(stream, delimiter=delimiter)
    return _collect(reading, (row for part in ([first] if headless else [], rows) for row in part), delimiter)


def _understood(path: Path, header: Sequence[str], columns: Mapping[str, str], units: Mapping[str, str]) -> Reading:
    named, told = (dict(columns), dict(units)) if columns else _self_explained(path, header, units)
    _known(named, QUANTITIES, "--columns")
    _known(told, tuple(UNITS), "--units")
    missing = [name for name in _NEEDED if name not in named]
    turning = [name for name in _TURNING if name in named]
    if missing or len(turning) not in (0, 3):
        lacking = ", ".join(missing or [name for name in _TURNING if name not in named])
        raise UsageError(f"--columns does not name {lacking}.", f"For example {_EXAMPLES['--columns']},gx=...")
    places = {quantity: _place(path, header, name) for quantity, name in named.items()}
    return Reading(places, named, _DEFAULT_UNITS | {kind: _unit(kind, unit) for kind, unit in told.items()})


def _self_explained(
    path: Path, header: Sequence[str], units: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    named: dict[str, str] = {}
    told: dict[str, set[str]] = {kind: set() for kind in UNITS}
    for name in header:
        match = _OWN_NAME.fullmatch(name.lower())
        kind = (match[1] or match[2]) if match else ""
        if match and match[4] in UNITS[kind]:
            named["t" if kind == "t" else kind[0] + match[3]] = name
            told[kind].add(match[4])
    if not named or any(len(found) > 1 for found in told.values()) or units:
        shown = ", ".join(header[:12])[:120]
        raise UsageError(
            f"the columns of {path} do not explain themselves: {shown}.",
            f"Name them: --columns {_EXAMPLES['--columns']}",
        )
    return named, {kind: found.pop() for kind, found in told.items() if found}


def _known(table: Mapping[str, str], names: Sequence[str], option: str) -> None:
    for key in table:
        if key not in names:
            raise UsageError(f"{option} does not know {key!r}.", f"It knows {', '.join(names)}.")


def _unit(kind: str, unit: str) -> str:
    if unit not in UNITS[kind]:
        raise UsageError(f"--units does not know {kind}={unit!r}.", f"For {kind} there are {', '.join(UNITS[kind])}.")
    return unit


def _place(path: Path, header: Sequence[str], name: str) -> int:
    if header.count(name) != 1:
        how = "no column" if name not in header else "more than one column"
        raise UsageError(f"{path} has {how} {name!r}.", f"It has: {', '.join(header[:20])[:160]}.")
    return header.index(name)


def _number(cell: str, delimiter: str) -> float | None:
    """A cell as a number: NaN where it is empty, None where it is something else."""
    if not cell.strip():
        return math.nan
    try:
        return float(cell.replace(",", ".") if delimiter != "," else cell)
    except ValueError:
        return None


def _collect(reading: Reading, rows: Iterator[Sequence[str]], delimiter: str) -> CsvMotion:
    """All rows that hold every number, in SI units."""
    import numpy as np

    places = [reading.columns[name] for name in QUANTITIES if name in reading.columns]
    values, passed_over = array("d"), 0
    for row in filter(None, rows):
        numbers = _numbers(row, places, delimiter)
        values.extend(numbers)
        passed_over += not numbers
    return _in_si(reading, np.array(values).reshape(-1, len(places)), passed_over)


def _numbers(row: Sequence[str], places: Sequence[int], delimiter: str) -> list[float]:
    """The numbers at these places of a row; none where one of them is not a number."""
    if len(row) <= max(places):
        return []
    numbers = [number for place in places if (number := _number(row[place], delimiter)) is not None]
    return numbers if len(numbers) == len(places) else []


def _in_si(reading: Reading, table: "npt.NDArray[Any]", passed_over: int) -> CsvMotion:
    import numpy as np

    with_time = int("t" in reading.columns)
    if not np.isfinite(table[:, with_time + 3 :]).any():  # no gyroscope, or its columns are empty throughout
        table = table[:, : with_time + 3]
    kept = table[_usable(table, with_time)]
    scale = {kind: UNITS[kind][unit] for kind, unit in reading.units.items()}
    t_s = (kept[:, 0] - kept[:1, 0]) * scale["t"] if with_time else None
    acc = kept[:, with_time : with_time + 3] * scale["acc"]
    gyr = kept[:, with_time + 3 :] * scale["gyr"] if table.shape[1] > with_time + 3 else None
    _check_units(acc, gyr, reading)
    return CsvMotion(reading, t_s, acc, gyr, passed_over + len(table) - len(kept))


def _usable(table: "npt.NDArray[Any]", with_time: int) -> "npt.NDArray[np.bool_]":
    """Rows in which every number is finite and the time is later than in every row before."""
    import numpy as np

    usable: npt.NDArray[np.bool_] = np.isfinite(table).all(axis=1)
    if with_time:
        newest = np.maximum.accumulate(np.where(usable, table[:, 0], -np.inf))
        usable[1:] &= table[1:, 0] > newest[:-1]
    return usable


def _check_units(acc: "npt.NDArray[Any]", gyr: "npt.NDArray[Any] | None", reading: Reading) -> None:
    """A sensor measures gravity on the whole, and no body turns that fast: else the unit is another."""
    import numpy as np

    if not len(acc):
        raise UsageError("no row of the file holds all the numbers that are needed.", reading.words() + ".")
    norm = float(np.median(np.linalg.norm(acc, axis=1)))
    low, high = _PLAUSIBLE_MPS2
    if not low < norm < high:
        shown = f"{norm / UNITS['acc'][reading.units['acc']]:.4g} {reading.units['acc']}"
        raise UsageError(
            f"the acceleration is {shown} on the whole, which is not gravity.", "Name its unit: --units acc=g"
        )
    if gyr is not None and float(np.mean(np.abs(gyr) > _FASTEST_RADPS)) > 0.01:
        raise UsageError("the angular rates are beyond what a body can do.", "Name their unit: --units gyr=dps")
