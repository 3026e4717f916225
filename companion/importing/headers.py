"""What the names in a header say by themselves: "Accel X (g)", "gyr_z_dps", "timestamp_ms".

Pure. Knows: words and units. Must never know: files, loggers, what a column holds.
"""

import re
from dataclasses import dataclass

from companion.importing.units import SPELLINGS, spelled

_BRACKETED = re.compile(r"^(?P<name>.*?)[\s_.]*[\[({](?P<unit>[^\[\]{}]*)[\])}]\s*$")
_LONGEST = 200  # a name; what is longer is none, and would keep the patterns busy
_PLAIN = re.compile(r"[^a-z0-9]")
_ENDINGS = sorted((text for text in SPELLINGS if text.isascii()), key=len, reverse=True)
_ACC = frozenset("a acc accel accelerometer acceleration accelerometeracceleration".split())  # noqa: SIM905
_GYR = frozenset(
    "gyr gyro gyroscope angularvelocity angularrate angvel angularspeed as w omega rotationrate gyrorotation".split()  # noqa: SIM905
)
_FREE = frozenset(
    "linearacceleration linearacc linacc linearaccelerometer useracceleration useracc freeacc freeacceleration".split()  # noqa: SIM905
)
_GRAVITY = frozenset({"gravity", "grav"})
_EITHER = frozenset({"", "g", "axis"})  # the unit alone says what it is
_TIME = frozenset(
    "t time timestamp elapsed elapsedtime timeelapsed secondselapsed epoch unixtime datetime sampletime".split()  # noqa: SIM905
)
_TOLD_UNIT = {"secondselapsed": "s"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a name says: kind "t", "acc", "gyr", "free" (acceleration without gravity) or "gravity"; "" for no axis."""

    kind: str
    axis: str
    unit: str | None  # of `units.FACTORS`; None where the name tells none


def said(name: str, unit_below: str = "") -> Said | None:
    """What one name of a header says; `unit_below` is what a row of units says under it. None: nothing we need."""
    if len(name) > _LONGEST:
        return None
    bare, unit_text = _parted(name)
    found = spelled(unit_below) if unit_below and not unit_text else spelled(unit_text)
    stem = _PLAIN.sub("", bare.lower())
    if stem in _TIME:
        return _time(stem, found)
    axis, stem = _axis(stem)
    kind = _kind(stem, found, unit_text) if axis else ""
    if not kind or (unit_text and found is None):
        return None
    told = found[1] if found and found[0] == ("gyr" if kind == "gyr" else "acc") else None
    return Said(kind, axis, told) if told or not found else None


def _time(stem: str, found: tuple[str, str] | None) -> Said | None:
    if found and found[0] != "t":
        return None
    return Said("t", "", found[1] if found else _TOLD_UNIT.get(stem))


def _parted(name: str) -> tuple[str, str]:
    """A name without its unit, and the unit's text ("" where it has none)."""
    match = _BRACKETED.match(name)
    if match:
        return match["name"], match["unit"]
    lower = name.strip().lower()
    for ending in _ENDINGS:
        before = lower.removesuffix(ending)
        if before != lower and before[-1:] in ("_", " ", ".", ",", ":") and before.strip("_ .,:"):
            return before, ending
    return name, ""


def _axis(stem: str) -> tuple[str, str]:
    """The axis of a name, and what is left of it."""
    if stem[-1:] in ("x", "y", "z"):
        return stem[-1], stem[:-1]
    if stem[:1] in ("x", "y", "z"):
        return stem[0], stem[1:]
    return "", stem


def _kind(stem: str, found: tuple[str, str] | None, unit_text: str) -> str:
    for kind, stems in (("acc", _ACC), ("gyr", _GYR), ("free", _FREE), ("gravity", _GRAVITY)):
        if stem in stems:
            return kind
    # A bare "X [G]" is gauss as often as it is g: only a small letter says which.
    if stem in _EITHER and found and found[0] in ("acc", "gyr") and unit_text.strip() != "G":
        return found[0]
    return ""
