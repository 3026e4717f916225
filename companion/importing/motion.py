"""What was read, as motion: rows that can be used, in SI units, in the order of time; and whether it can be motion.

Pure. Knows: numbers, units, plans. Must never know: files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from companion.errors import UsageError
from companion.importing import counting, stamps, timing
from companion.importing.clocks import utc_of
from companion.importing.columns import Plan
from companion.importing.loggers import ACCELERATION, TURNING
from companion.importing.numbers import Taken
from companion.importing.units import FACTORS, Unit, fitting
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

MOST_ACC_MPS2 = 15.9 * STANDARD_GRAVITY_MPS2
NO_ACC_MPS2 = 1e9
"""What is more is no measurement at all, and left out like a cell that is no number."""

FASTEST_RADPS = np.radians(2200)
"""No trunk does more than these two: the pipeline leaves such samples out."""

_GRAVITY_MPS2 = (STANDARD_GRAVITY_MPS2 / 2, STANDARD_GRAVITY_MPS2 * 2)
_FREE_MPS2 = 2.0  # the median of acceleration without gravity is less, of acceleration with gravity never
_SHORT_STRETCH = 10
"""So few rows without angular rate, among rows that have it, are slips of a logger and left out."""

_RANGES_MPS2 = np.array([2, 4, 8, 16]) * STANDARD_GRAVITY_MPS2


@dataclass(slots=True)
class Rows:
    """Rows that can be used: times in ns (None: the file tells none), acceleration and rates (K, 3) or None."""

    t_ns: Times | None
    acc: Floats | None
    gyr: Floats | None
    left_out: dict[str, int] = field(default_factory=dict)  # reason: how many rows
    packet: float = 0.0
    clock_changes: int = 0  # of the wall clock that was read, within the rows
    moved: int = 0  # rows that came late and were put between their neighbours


def cleaned(parts: Sequence[Taken], plan: Plan, zone: str = "UTC") -> Rows:
    """All blocks of a table as usable rows; raises UsageError where none is left, or their times make no sense.

    Times are in UTC where they are dates: those without an offset are taken to be of `zone`.
    """
    values = _in_si(np.concatenate([part.values for part in parts]), plan)
    t_ns = _times(parts, plan)
    acc = values[:, :3] if ACCELERATION[0] in plan.columns else None
    gyr = values[:, -3:] if TURNING[0] in plan.columns else None
    if acc is not None and gyr is not None and not _finite(gyr).any():  # no gyroscope: its columns are empty
        gyr, values = None, acc
    usable = _finite(values[:, :3]) & (np.abs(np.nan_to_num(values[:, :3])).max(axis=1) < NO_ACC_MPS2)
    if t_ns is not None:
        usable &= t_ns != stamps.NONE_NS
    rows = Rows(t_ns, acc, gyr, {"too short": sum(part.short for part in parts)})
    rows.left_out["with more cells than the header names"] = sum(part.long for part in parts)
    rows.left_out["with a cell that is empty or no number"] = int((~usable).sum())
    if not usable.any():
        if t_ns is not None and _finite(values[:, :3]).any():
            raise UsageError("no row of the file holds a time that can be read.", _needed(plan))
        raise UsageError("no row of the file holds all the numbers that are needed.", _needed(plan))
    _keep(rows, usable)
    if rows.t_ns is not None and plan.naive:
        rows.t_ns, rows.clock_changes = utc_of(rows.t_ns, zone)
    _in_order(rows, values[usable])
    _without_slips(rows)
    return rows


def _finite(values: Floats) -> npt.NDArray[np.bool_]:
    """Rows (N,) in which every number is one."""
    return np.asarray(np.isfinite(values).all(axis=1))


def _needed(plan: Plan) -> str:
    told = (f"{name} from {plan.words(kind)}" for kind, name in (("t", "time"), ("acc", "acceleration")))
    return f"Read was: {'; '.join(each for each in told if not each.endswith('from '))}."


def _in_si(values: Floats, plan: Plan) -> Floats:
    """Values (N, 3 or 6) in m/s² and rad/s."""
    kinds = [kind for kind, axes in (("acc", ACCELERATION), ("gyr", TURNING)) if axes[0] in plan.columns]
    factors = np.repeat([plan.units[kind].factor(kind) for kind in kinds], 3)
    with np.errstate(over="ignore"):  # what is too large for a float is no number
        return np.asarray(values * factors)


def _times(parts: Sequence[Taken], plan: Plan) -> Times | None:
    found = [part.t_ns for part in parts if part.t_ns is not None]
    if not found:
        return None
    t_ns = np.concatenate(found)
    if plan.t_form == "clock":
        return stamps.daily(t_ns)
    return stamps.unwrapped(t_ns, plan.kind.wrap_ns) if plan.kind and plan.kind.wrap_ns else t_ns


def _keep(rows: Rows, kept: npt.NDArray[np.bool_]) -> None:
    if kept.all():
        return
    rows.t_ns = None if rows.t_ns is None else rows.t_ns[kept]
    rows.acc = None if rows.acc is None else rows.acc[kept]
    rows.gyr = None if rows.gyr is None else rows.gyr[kept]


def _in_order(rows: Rows, values: Floats) -> None:
    if rows.t_ns is None:
        return
    found = timing.ordered(rows.t_ns, values)
    _keep(rows, found.kept)
    rows.t_ns, rows.packet = found.t_ns, found.packet
    rows.moved = found.moved
    rows.left_out["that repeat the row before"] = found.repeated
    rows.left_out["out of the order of time"] = found.back


def _without_slips(rows: Rows) -> None:
    """Leave out the few rows without angular rate that stand among rows with it; longer stretches stay without."""
    if rows.gyr is None or rows.acc is None:
        return
    whole = _finite(rows.gyr)
    if not whole.any():
        rows.gyr = None
        return
    rows.gyr[~whole] = np.nan
    kept = np.ones(len(whole), dtype=np.bool_)
    for first, end in counting.stretches(~whole):
        kept[first:end] = end - first >= _SHORT_STRETCH
    rows.left_out["without the angular rate that others have"] = int((~kept).sum())
    _keep(rows, kept)


def check_acceleration(acc: Floats, unit: Unit, option: str = "--units acc={}") -> None:
    """A sensor measures gravity on the whole; raises UsageError that says which unit would fit, and what to do then."""
    norm = float(np.median(np.linalg.norm(acc, axis=1)))
    low, high = _GRAVITY_MPS2
    if low < norm < high:
        return
    raw = norm / FACTORS["acc"][unit.name]
    fits = fitting("acc", raw, low, high)
    shown = f"the acceleration is {raw:.4g} {unit.name} on the whole, which is not gravity"
    if not fits and norm < _FREE_MPS2:
        raise UsageError(f"{shown}: it seems to have been taken out.", _WITH_GRAVITY)
    likely = (
        f"It would be gravity in {' or '.join(fits)}: {option.format(fits[0])}" if fits else "Is it an acceleration?"
    )
    raise UsageError(f"{shown}.", likely)


_WITH_GRAVITY = "Where up is shows in gravity alone: export the acceleration with gravity in it."


def without_gravity(name: str, beside: str = "") -> UsageError:
    """What is said of a file that has only acceleration from which gravity was taken out; `beside`: what would help."""
    return UsageError(f"{name} holds acceleration without gravity only.", beside or _WITH_GRAVITY)


def check_rates(gyr: Floats | None, hint: str = "Name their unit: --units gyr=dps") -> None:
    """No body turns that fast; raises UsageError."""
    if gyr is None:
        return
    known = gyr[_finite(gyr)]
    if len(known) and float(np.mean(np.abs(known) > FASTEST_RADPS)) > 0.01:
        raise UsageError("the angular rates are beyond what a body can do.", hint)


def oddities(acc: Floats, gyr: Floats | None) -> Mapping[str, int]:
    """How many samples are beyond what a trunk does, and how many at the end of a sensor's usual range."""
    with np.errstate(invalid="ignore", over="ignore"):
        beyond = np.linalg.norm(acc, axis=1) >= MOST_ACC_MPS2
        if gyr is not None:
            beyond |= np.linalg.norm(gyr, axis=1) > FASTEST_RADPS
    most = float(np.abs(acc).max())
    range_mps2 = _RANGES_MPS2[np.abs(most / _RANGES_MPS2 - 1) < 0.005]
    clipped = (np.abs(acc) >= 0.998 * range_mps2[0]).any(axis=1) if len(range_mps2) else np.zeros(len(acc), np.bool_)
    return {"beyond": int(beyond.sum()), "clipped": int(clipped.sum()) if clipped.sum() > 1 else 0}
