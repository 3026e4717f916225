"""Which of several files of a recording are meant: one for the acceleration, and one for the rates if there is one.

What is ambiguous is refused with the choice. Pure. Must never know: rows, numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from companion.errors import UsageError
from companion.importing.columns import Asked, Plan
from companion.importing.motion import without_gravity
from companion.importing.shape import Shape
from companion.importing.sources import Source
from companion.importing.units import Unit

_APPLE = ("ios", "iphone", "ipad")
_PLATFORMS = "Sensor Logger"


@dataclass(frozen=True, slots=True)
class File:
    """A table: where it comes from, its shape, and how it is to be read."""

    source: Source
    shape: Shape
    plan: Plan


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is read: `acc` (which may hold the rates too) or `free` and `gravity`; `gyr` beside them, or None."""

    acc: File | None = None
    free: File | None = None
    gravity: File | None = None
    gyr: File | None = None
    unused: Sequence[str] = ()
    remarks: Sequence[str] = field(default=())

    @property
    def main(self) -> File:
        """The file whose times are those of the samples."""
        file = self.acc or self.free
        assert file is not None
        return file

    @property
    def files(self) -> Sequence[File]:
        """All files that are read."""
        return [file for file in (self.acc, self.free, self.gravity, self.gyr) if file is not None]


def chosen(
    path: str, files: Sequence[File], others: Mapping[str, str], phone: Mapping[str, str], asked: Asked
) -> Chosen:
    """Which of these files are meant; `phone` is what Sensor Logger says of it. Raises UsageError."""
    of = {role: [file for file in files if file.plan.role == role] for role in _ROLES}
    both, acc, free, gravity = (of[role] for role in ("both", "acc", "free", "gravity"))
    if len(both) > 1 or (both and acc):
        raise _several(path, [*both, *acc], "acceleration")
    gyr = None if both else _one(path, of["gyr"], "angular rate")
    first = [file for file in acc if _rank(file) == 0]
    if both or first or (acc and not (free and gravity)):
        picked = Chosen(acc=_one(path, both or acc, "acceleration"), gyr=gyr)
    elif free and gravity:
        parts = (_one(path, free, "acceleration without gravity"), _one(path, gravity, "gravity"))
        picked = Chosen(free=parts[0], gravity=parts[1], gyr=gyr)
    else:
        raise _nothing(path, files, others)
    used = {file.source.name for file in picked.files}
    unused = [*(file.source.name for file in files if file.source.name not in used), *others]
    return _of_phone(replace(picked, unused=unused), phone, asked)


_ROLES = ("both", "acc", "gyr", "free", "gravity")


def _rank(file: File) -> int:
    return 0 if file.plan.kind is None else file.plan.kind.rank


def _one(path: str, files: Sequence[File], what: str) -> File | None:
    """The file of the lowest rank, if there is any; raises UsageError where there are two."""
    least = min(map(_rank, files), default=0)
    first = [file for file in files if _rank(file) == least]
    if len(first) > 1:
        raise _several(path, first, what)
    return first[0] if first else None


def _several(path: str, files: Sequence[File], what: str) -> UsageError:
    names = ", ".join(file.source.name for file in files[:6])
    return UsageError(
        f"{path} holds more than one table of {what}: {names}.", "Name one file, or a folder of one recording."
    )


def _nothing(path: str, files: Sequence[File], others: Mapping[str, str]) -> UsageError:
    free = next((file for file in files if file.plan.role == "free"), None)
    if free is not None:
        logger = free.plan.kind.logger if free.plan.kind is not None else ""
        beside = "Name the folder or .zip that has TotalAcceleration.csv or Gravity.csv too."
        return without_gravity(free.source.name, beside if logger == _PLATFORMS else "")
    if any(file.plan.role in ("gyr", "gravity") for file in files):
        return UsageError(f"{path} holds no acceleration.", "Name the folder or the .zip that holds its file too.")
    first = next(iter(others.items()), None)
    return UsageError(
        f"no table of {path} explains itself.", f"For example {first[0]}: {first[1]}" if first else "Is it empty?"
    )


def _of_phone(found: Chosen, phone: Mapping[str, str], asked: Asked) -> Chosen:
    """Signs and units by the phone, where a logger writes them as its system has them."""
    kind = found.main.plan.kind
    if kind is None or kind.logger != _PLATFORMS or "acc" in asked.units:
        return found
    system = phone.get("platform", "").strip().lower()
    if not system:
        if found.acc is not None and kind.rank == 0:  # only Android writes this file
            return found
        raise UsageError(
            f"{found.main.source.name} does not say which phone wrote it, and iPhones reverse all signs.",
            "Keep Metadata.csv beside it, or say it: --units acc=mps2 (Android), acc=-mps2 (iPhone).",
        )
    if system not in _APPLE:
        return found
    if phone.get("standardisation", "").strip().lower() == "true":
        return replace(found, remarks=["iPhone, units and frames standardised by its setting"])
    unit = Unit("g" if kind.rank else "mps2", reversed=True)
    changed = {
        name: replace(file, plan=replace(file.plan, units={**file.plan.units, "acc": unit}))
        for name in ("acc", "free", "gravity")
        if (file := getattr(found, name)) is not None
    }
    return replace(found, remarks=["iPhone: signs reversed, as its system has them"], **changed)
