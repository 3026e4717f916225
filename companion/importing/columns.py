"""Which column is what, in which unit: by `--columns` and `--units`, by a logger's header, by names that say it.

What the three do not settle is refused, with the option that does. Pure. Knows: names, units, shapes. Must never
know: files, numbers beyond the first rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from companion.errors import UsageError
from companion.importing.headers import Said, said
from companion.importing.loggers import ACCELERATION, TURNING, Kind, is_parted, label_place, recognised
from companion.importing.numbers import number
from companion.importing.shape import Shape
from companion.importing.stamps import epoch_unit, form_of, has_offset
from companion.importing.units import FACTORS, USUAL, Unit, asked, fitting, listed
from companion.text import printable

QUANTITIES = ("t", *ACCELERATION, *TURNING)
_EXAMPLES = {"--columns": "t=time,ax=accX,ay=accY,az=accZ", "--units": "t=ms,acc=g,gyr=dps"}
_USUAL_STEP_NS = (1e6, 1e9)  # 1000 to 1 samples a second
_DAYS, _DAY_NS = (20_000, 80_000), 86_400e9  # days since 1900, as spreadsheets count them: 1954 to 2119


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said: the tables of `--columns` and `--units`."""

    columns: Mapping[str, str]
    units: Mapping[str, Unit]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table is read: the place of each quantity's column (from 0), their names, the unit of each kind."""

    columns: Mapping[str, int]
    names: Sequence[str]
    units: Mapping[str, Unit]
    t_form: str  # "number", "instant", "clock" or, without a time, ""
    epoch: bool  # whether the times count from 1970
    kind: Kind | None  # of a logger's file
    naive: bool = False  # whether times are what a wall clock showed, without an offset
    free: bool = False  # of what acceleration there is, gravity was taken out
    why: str = ""

    @property
    def role(self) -> str:
        """What it gives: "acc", "gyr", "both", "free" or "gravity"."""
        if self.kind is not None and self.kind.role:
            return self.kind.role
        acc, gyr = ACCELERATION[0] in self.columns, TURNING[0] in self.columns
        return "free" if self.free else "both" if acc and gyr else "acc" if acc else "gyr"

    @property
    def label(self) -> int | None:
        """The column that names the sensor of a row, if there is one."""
        return None if self.kind is None else label_place(self.kind, self.names)

    def words(self, kind: str) -> str:
        """Columns and unit of "t", "acc" or "gyr", for people: "'X', 'Y', 'Z' in g"; "" where there are none."""
        wanted = {"t": ("t",), "acc": ACCELERATION, "gyr": TURNING}[kind]
        if wanted[0] not in self.columns:
            return ""
        shown = ", ".join(repr(printable(self.names[self.columns[name]])) for name in wanted)
        if kind == "t" and self.t_form != "number":
            return f"{shown}, {'a date and time' if self.t_form == 'instant' else 'a time of day'}"
        return f"{shown} in {self.units[kind].words()}" + (" since 1970" if kind == "t" and self.epoch else "")


def parse_map(text: str, option: str) -> dict[str, str]:
    """KEY=VALUE,KEY=VALUE as a table; raises UsageError that names the option."""
    table: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value or key in table:
            raise UsageError(f"{option} cannot be read at {part!r}.", f"It is a list such as {_EXAMPLES[option]}.")
        table[key] = value
    return table


def asked_for(columns: str, units: str) -> Asked:
    """The texts of `--columns` and `--units`, checked; raises UsageError."""
    named, told = parse_map(columns, "--columns"), parse_map(units, "--units")
    _known(named, QUANTITIES, "--columns")
    _known(told, tuple(FACTORS), "--units")
    return Asked(named, {kind: asked(kind, unit) for kind, unit in told.items()})


def plan_of(name: str, file_name: str, shape: Shape, wanted: Asked) -> Plan:
    """How to read the table of a file; raises UsageError where something is not told, or told twice."""
    if any(axis in wanted.columns for axis in (*ACCELERATION, *TURNING)):
        return _mapped(name, shape, wanted)
    if is_parted(file_name, shape.names):
        raise _parted(name)
    found = recognised(file_name, shape.names)
    if found is not None:
        return _of_logger(name, shape, wanted, *found)
    return _self_explained(name, shape, wanted)


def _parted(name: str) -> UsageError:
    return UsageError(
        f"{name} holds acceleration without gravity, and gravity apart from it, each in units that a setting changes.",
        "Add accelerationX and gravityX in one unit, Y and Z too, and name the sums: --columns t=time,ax=sumX,...",
    )


def _known(table: Mapping[str, object], names: Sequence[str], option: str) -> None:
    for key in table:
        if key not in names:
            raise UsageError(f"{option} does not know {key!r}.", f"It knows {', '.join(names)}.")


# ---- by --columns


def _mapped(name: str, shape: Shape, wanted: Asked) -> Plan:
    acc, turning = ([axis for axis in axes if axis in wanted.columns] for axes in (ACCELERATION, TURNING))
    if len(acc) < 3 or len(turning) not in (0, 3):
        lacking = [axis for axis in (ACCELERATION if len(acc) < 3 else TURNING) if axis not in wanted.columns]
        raise UsageError(f"--columns does not name {', '.join(lacking)}.", f"For example {_EXAMPLES['--columns']}.")
    columns = {quantity: place_of(name, shape.names, given) for quantity, given in wanted.columns.items()}
    units = {kind: Unit(unit) for kind, unit in USUAL.items()} | dict(wanted.units)
    return _timed(name, shape, columns, units, why="--columns")


def place_of(name: str, header: Sequence[str], given: str) -> int:
    """The place of the column that a user names: its name, its name but for capitals, else its number from 1 on."""
    for names, name_given in ((header, given), ([each.lower() for each in header], given.lower())):
        found = [place for place, each in enumerate(names) if each == name_given]
        if len(found) > 1:
            raise UsageError(f"{name} has more than one column {given!r}.", "Name its number instead, from 1 on.")
        if found:
            return found[0]
    if given.isascii() and given.isdigit() and 1 <= int(given) <= len(header):
        return int(given) - 1
    shown = printable(", ".join(header[:20]), 160)
    raise UsageError(f"{name} has no column {given!r}.", f"It has: {shown}.")


# ---- by a logger's header


def _of_logger(name: str, shape: Shape, wanted: Asked, kind: Kind, places: Mapping[str, int]) -> Plan:
    columns = {quantity: place for quantity, place in places.items() if quantity in (*QUANTITIES, "wall", "zone")}
    if "t" in wanted.columns:
        columns["t"] = place_of(name, shape.names, wanted.columns["t"])
    told = {each: _unit_of(shape, columns, each) for each in FACTORS}
    units = {each: Unit(kind.units.get(each) or unit or USUAL[each]) for each, unit in told.items()}
    units["acc"] = Unit(units["acc"].name, reversed=kind.down)
    if "t" in wanted.columns and told["t"] is None:
        units.pop("t")
    return _timed(name, shape, columns, units | dict(wanted.units), kind, why=f"{kind.logger} by its header")


def _unit_of(shape: Shape, columns: Mapping[str, int], kind: str) -> str | None:
    """The unit that the names of a kind's columns tell, or the row of units under them."""
    axis = {"t": "t", "acc": ACCELERATION[0], "gyr": TURNING[0]}[kind]
    found = _said(shape, columns[axis]) if axis in columns else None
    if found is None and axis in columns and columns[axis] < len(shape.units):
        found = said("t" if kind == "t" else f"{kind}_x", shape.units[columns[axis]])
    return None if found is None else found.unit


def _said(shape: Shape, place: int) -> Said | None:
    return said(shape.names[place], shape.units[place] if place < len(shape.units) else "")


# ---- by names that say it


def _self_explained(name: str, shape: Shape, wanted: Asked) -> Plan:
    found = {place: each for place in range(len(shape.names)) if (each := _said(shape, place)) is not None}
    columns: dict[str, int] = {}
    units = dict(wanted.units)
    for kind, letter in (("acc", "a"), ("gyr", "g")):
        columns |= _axes(name, shape, {p: each for p, each in found.items() if each.kind == kind}, letter)
        told = {each.unit for each in found.values() if each.kind == kind}
        if told and kind not in units:
            units[kind] = Unit(_one_unit(name, shape, told))
    free = not columns and any(each.kind == "free" for each in found.values())
    if not columns and not free:
        raise _unexplained(name, shape)
    for axes in (ACCELERATION, TURNING):
        named = [axis for axis in axes if axis in columns]
        if len(named) in (1, 2) or (axes == ACCELERATION and TURNING[0] not in columns and not named and not free):
            lacking = ", ".join(axis for axis in axes if axis not in columns)
            raise UsageError(f"the header of {name} does not name {lacking}.", _example())
    columns |= _time_columns(name, shape, found, wanted)
    return _timed(
        name, shape, columns, units, free=free, why="names, and --units" if wanted.units else "names with units"
    )


def _axes(name: str, shape: Shape, found: Mapping[int, Said], letter: str) -> dict[str, int]:
    columns: dict[str, int] = {}
    for place, each in found.items():
        quantity = letter + each.axis
        if quantity in columns:
            twice = f"{shape.names[columns[quantity]]!r} and {shape.names[place]!r}"
            raise UsageError(f"{name} has two columns for {quantity}: {printable(twice, 90)}.", _example())
        columns[quantity] = place
    return columns


def _one_unit(name: str, shape: Shape, told: set[str | None]) -> str:
    if len(told) == 1 and (unit := next(iter(told))) is not None:
        return unit
    raise _unexplained(name, shape, "they tell no unit" if told == {None} else "they tell several units")


def _unexplained(name: str, shape: Shape, what: str = "") -> UsageError:
    shown = printable(listed(shape.names), 120)
    hint = "Name it: --units acc=g,gyr=dps" if what == "they tell no unit" else _example()
    return UsageError(
        f"the columns of {name} do not explain themselves: {shown}{f' ({what})' if what else ''}.",
        f"{hint}{_likely(shape) if what == 'they tell no unit' else ''}",
    )


def _likely(shape: Shape) -> str:
    """A remark on what unit the first accelerations would have, if they were gravity on the whole."""
    columns = {each.axis: p for p in range(len(shape.names)) if (each := _said(shape, p)) and each.kind == "acc"}
    rows = [row for row in shape.first_rows if len(row) > max(columns.values(), default=10**6)]
    norms = [sum(number(row[p], shape.comma) ** 2 for p in columns.values()) ** 0.5 for row in rows]
    fits = fitting("acc", sorted(norms)[len(norms) // 2], 4.9, 19.6) if norms and len(columns) == 3 else []
    return f" (the first rows would fit {' or '.join(fits)})" if fits else ""


def _example() -> str:
    return f"Name them: --columns {_EXAMPLES['--columns']}"


# ---- time


def _time_columns(name: str, shape: Shape, found: Mapping[int, Said], wanted: Asked) -> dict[str, int]:
    """The column that times the rows, and one for the time of day at the start."""
    if "t" in wanted.columns:
        return {"t": place_of(name, shape.names, wanted.columns["t"])}
    places = [place for place, each in found.items() if each.kind == "t" and _first(shape, place)]
    absolute = [place for place in places if _is_absolute(shape, place)]
    relative = [place for place in places if place not in absolute]
    if len(relative) > 1 or (not relative and len(absolute) > 1):
        shown = ", ".join(repr(printable(shape.names[place])) for place in relative or absolute)
        raise UsageError(f"{name} has more than one column of time: {shown}.", "Say which: --columns t=NAME")
    columns = {"t": (relative or absolute)[0]} if places else {}
    return columns | ({"wall": absolute[0]} if relative and absolute else {})


def _first(shape: Shape, place: int) -> str:
    """The first cell of a column that tells a time."""
    cells = (row[place] for row in shape.first_rows if place < len(row))
    return next((cell for cell in cells if form_of(cell)), "")


def _is_absolute(shape: Shape, place: int) -> bool:
    first = _first(shape, place)
    return form_of(first) == "instant" or epoch_unit(number(first, shape.comma)) is not None


def _timed(
    name: str,
    shape: Shape,
    columns: Mapping[str, int],
    units: Mapping[str, Unit],
    kind: Kind | None = None,
    free: bool = False,
    why: str = "",
) -> Plan:
    """The plan, with what the first rows say of the time."""
    every = {each: Unit(unit) for each, unit in USUAL.items()} | dict(units)
    first = _first(shape, columns["t"]) if "t" in columns else ""
    form = form_of(first) if first else "number" if "t" in columns else ""
    value = number(first, shape.comma) if form == "number" else 0.0
    if form == "number" and first and "t" not in units:
        every["t"] = Unit(epoch_unit(value) or _told_unit(name, shape, columns["t"]))
    own = columns.get("wall", columns.get("t")) == columns.get("t")  # else another column tells the time of day
    epoch = form == "number" and own and epoch_unit(value) == every["t"].name
    naive = form == "instant" and not has_offset(first)
    return Plan(columns, shape.names, every, form, epoch, kind, naive, free, why)


def _told_unit(name: str, shape: Shape, place: int) -> str:
    """The unit of a time in its column's name; raises UsageError where there is none."""
    found = _said(shape, place)
    if found is not None and found.kind == "t" and found.unit is not None:
        return found.unit
    raise UsageError(
        f"the column {printable(shape.names[place])!r} of {name} tells no unit of time.", _likely_unit(shape, place)
    )


def _likely_unit(shape: Shape, place: int) -> str:
    """Which unit of time the first rows would fit, as a hint."""
    cells = [row[place] for row in shape.first_rows if place < len(row)]
    times = sorted(t for cell in cells if np.isfinite(t := number(cell, shape.comma)))
    steps = sorted(after - before for before, after in pairwise(times) if after > before)
    step = steps[len(steps) // 2] if steps else 0.0
    if step and _DAYS[0] < times[0] < _DAYS[1] and _USUAL_STEP_NS[0] <= step * _DAY_NS <= _USUAL_STEP_NS[1]:
        return "It seems to count days, as spreadsheets do: write it as a date and time, or in seconds."
    fits = fitting("t", step, *_USUAL_STEP_NS)
    return f"Name it: --units t={fits[0] if fits else 'ms'}" + (f" (rows are {step:.3g} apart)" if step else "")
