"""Units of time, acceleration and angular rate: their names in `--units`, how files spell them, what they are worth.

Pure. Must never know: files, columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from companion.errors import UsageError
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

DEGREE_RAD = 0.017453292519943295
"""One degree: pi/180."""

FACTORS: Mapping[str, Mapping[str, float]] = {
    "t": {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0},  # nanoseconds
    "acc": {
        "mps2": 1.0,
        "g": STANDARD_GRAVITY_MPS2,
        "mg": STANDARD_GRAVITY_MPS2 / 1000,
        "cmps2": 0.01,
    },
    "gyr": {"radps": 1.0, "dps": DEGREE_RAD, "mdps": DEGREE_RAD / 1000},
}
"""What one of each unit is in ns, m/s² and rad/s; the first of a kind counts where none is told."""

USUAL: Mapping[str, str] = {kind: next(iter(units)) for kind, units in FACTORS.items()}

_SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "t": {
        "s": "s sec secs second seconds",
        "ms": "ms msec msecs millis millisec millisecond milliseconds",
        "us": "us µs μs usec micros microsecond microseconds",
        "ns": "ns nsec nanos nanosecond nanoseconds",
    },
    "acc": {
        "mps2": "mps2 m/s2 m/s/s ms-2 ms2 m_s2 m/sec2",
        "g": "g gs",
        "mg": "mg milli-g millig",
        "cmps2": "cmps2 cm/s2 cm_s2 gal",
    },
    "gyr": {
        "radps": "radps rad/s rad/sec rads-1 rad_s radpersecond",
        "dps": "dps deg/s deg/sec °/s °/sec d/s degps deg_s degree/s degrees/s degreepersecond degreespersecond",
        "mdps": "mdps mdeg/s",
    },
}
SPELLINGS: Mapping[str, tuple[str, str]] = {
    spelled: (kind, unit)
    for kind, units in _SPELLINGS.items()
    for unit, texts in units.items()
    for spelled in texts.split()
}
"""Kind and name of a unit by how a file may spell it, in lower case."""

_SHOWN = {"mps2": "m/s²", "cmps2": "cm/s²", "radps": "rad/s", "dps": "°/s", "mdps": "m°/s", "us": "µs"}
_SQUARES = str.maketrans({"²": "2", "^": None, "*": None, "(": None, ")": None, " ": None, "·": None, "\u207b": "-"})


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of `FACTORS`; `reversed` where the file counts the other way, as Apple's motion framework does."""

    name: str
    reversed: bool = False

    def factor(self, kind: str) -> float:
        """What one of it is in ns, m/s² or rad/s."""
        return -FACTORS[kind][self.name] if self.reversed else FACTORS[kind][self.name]

    def words(self) -> str:
        """For people: "m/s²"."""
        return _SHOWN.get(self.name, self.name) + (", signs reversed" if self.reversed else "")


def spelled(text: str) -> tuple[str, str] | None:
    """Kind and unit of a file's own spelling ("m/s^2", "deg/s"), or None where it is none of ours."""
    return SPELLINGS.get(text.strip().lower().translate(_SQUARES).replace("**", ""))


def asked(kind: str, text: str) -> Unit:
    """The unit that `--units` names ("g", "-g", "m/s2"); raises UsageError."""
    bare = text.removeprefix("-")
    found = spelled(bare)
    if found is None or found[0] != kind or (bare != text and kind != "acc"):
        known = ", ".join(FACTORS[kind])
        more = "; -g where gravity counts downwards, as on iOS" if kind == "acc" else ""
        raise UsageError(f"--units does not know {kind}={text!r}.", f"For {kind} there are {known}{more}.")
    return Unit(found[1], reversed=bare != text)


def fitting(kind: str, value: float, low: float, high: float) -> list[str]:
    """The units of a kind in which `value` would lie between `low` and `high` (both in ns, m/s² or rad/s)."""
    return [name for name, factor in FACTORS[kind].items() if low <= value * factor <= high]


def listed(names: Iterable[str]) -> str:
    """Names for people, at most twelve of them in 120 characters."""
    return ", ".join(list(names)[:12])[:120]
