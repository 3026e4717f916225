"""phyphox's meta/time.csv: when an experiment ran, by the phone's clock; its own time stands still in pauses.

Pure. Must never know: tables of motion. Columns as in public exports: "event" (START, PAUSE), "experiment time" and
"system time" in s, "system time text" with the offset from UTC.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from companion.errors import UsageError
from companion.importing import stamps
from companion.importing.started import Start, of_utc, table_rows

NAME = "meta/time.csv"
_OFFSET = re.compile(r"UTC([+-])(\d\d):(\d\d)\s*$")
_BACK_NS = 10**7  # the phone's clock may be set by so little while an experiment is paused


@dataclass(frozen=True, slots=True)
class _Event:
    """START or PAUSE: in the experiment's time, on the phone's clock, in ns; minutes from UTC, where they are told."""

    name: str
    at_ns: int
    utc_ns: int
    offset: int | None

    @property
    def is_known(self) -> bool:
        return stamps.NONE_NS not in (self.at_ns, self.utc_ns)


@dataclass(frozen=True, slots=True)
class Pause:
    """From `at_ns` of the experiment's time on, `length_ns` more have passed."""

    at_ns: int
    length_ns: int


def _events(text: str) -> Sequence[_Event]:
    found = []
    for row in table_rows(text):
        if row.get("event") in ("START", "PAUSE"):
            cells = (row.get(name, "").replace(",", ".") for name in ("experiment time", "system time"))
            at_ns, utc_ns = (int(stamps.texts_ns([cell], "number", "s")[0]) for cell in cells)
            found.append(_Event(row["event"], at_ns, utc_ns, _offset(row.get("system time text", ""))))
    return found


def _offset(text: str) -> int | None:
    """The offset in "2023-01-06 13:47:15.262 UTC+02:00", in minutes."""
    found = _OFFSET.search(text)
    return None if found is None else (-1 if found[1] == "-" else 1) * (int(found[2]) * 60 + int(found[3]))


def pauses(text: str) -> Sequence[Pause]:
    """All pauses but the last, in order; raises UsageError where one has no length that can be known."""
    events = _events(text)
    found = []
    for before, event in pairwise(events):
        if event.name != "START":
            continue
        length_ns = event.utc_ns - before.utc_ns
        if before.name == "START":  # its pause was not written down: what ran of it is in the experiment's time
            length_ns -= event.at_ns - before.at_ns
        if not (before.is_known and event.is_known and length_ns >= -_BACK_NS and event.at_ns >= before.at_ns):
            raise UsageError(
                f"the experiment was paused, and {NAME} does not tell for how long.",
                "Name the file of the acceleration alone; times after the pause are then too early.",
            )
        found.append(Pause(event.at_ns, max(length_ns, 0)))
    return found


def passed(t_ns: npt.NDArray[np.int64], paused: Sequence[Pause]) -> npt.NDArray[np.int64]:
    """Times (N,) of an experiment with what passed in its pauses."""
    at_ns = np.array([pause.at_ns for pause in paused], dtype=np.int64)
    sums_ns = np.cumsum([0, *(pause.length_ns for pause in paused)]).astype(np.int64)
    return np.asarray(t_ns + sums_ns[np.searchsorted(at_ns, t_ns, side="right")])


def start(text: str, first_ns: int) -> Start | None:
    """When the sample at `first_ns` was taken, which is `passed`; None where the phone's clock was not written down."""
    event = next((event for event in _events(text) if event.name == "START"), None)
    if event is None or not event.is_known:
        return None
    return of_utc(event.utc_ns + first_ns - event.at_ns, f"from {NAME}", event.offset)
