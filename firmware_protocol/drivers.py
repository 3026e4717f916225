"""What a device driver is, and the registry of those that are installed.

Pure. A driver is five fields: a name, a match, two scripts and a decoder. It may live in someone else's package, under
the entry-point group `posture_companion.drivers`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from firmware_protocol.frames import Advertisement, Frame
from firmware_protocol.samples import SAMPLES
from firmware_protocol.scripts import Script

ENTRY_POINT_GROUP = "posture_companion.drivers"


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery level. `t_host_ns` is the arrival of the packet that told it."""

    percent: float | None
    volts: float | None = None
    t_host_ns: int = -1


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that the protocol does not allow, kept so that they can be shown."""

    reason: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of samples began; `number` is the value in `SAMPLES["segment"]`."""

    number: int
    rate_hz: float | None  # nominal rate; None: the device does not say


@dataclass(frozen=True, slots=True)
class Decoded:
    """What some frames meant. `samples` is in order of arrival, `segments` those that began in these frames."""

    samples: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=SAMPLES))
    batteries: tuple[Battery, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    segments: tuple[Segment, ...] = ()
    lost: int = 0  # samples newly known to be missing (a jump of the counter); 0 where there is no counter
    duplicates: int = 0  # samples that had come before; they are not in `samples`


class Decoder(Protocol):
    """Bytes in, samples out; total: it never raises on what a radio sends."""

    def feed(self, frames: Iterable[Frame]) -> Decoded:
        """Decode any number of frames, in order; frames that are not this device's business are passed over.

        Law: feeding frames one at a time gives the same samples and counts as feeding them all at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Driver:
    """How to recognise, start, stop and decode one kind of sensor."""

    name: str
    match: Callable[[Advertisement], float]
    """How sure this driver is that an advertisement is of its sensor: 0 (no) to 1 (certain)."""
    start: Callable[[float | None], Script]
    stop: Callable[[], Script]
    new_decoder: Callable[[], Decoder]
    longest_interval_s: float = 1.0
    """The longest silence between two packets that is normal for this sensor, in seconds."""
    services: tuple[str, ...] = ()
    """Service UUIDs that a connected sensor must offer, lower case, 128 bits."""


@cache
def drivers() -> tuple[Driver, ...]:
    """Every installed driver, by name."""
    found = (point.load() for point in entry_points(group=ENTRY_POINT_GROUP))
    return tuple(sorted(found, key=lambda driver: str(driver.name)))


def driver(name: str) -> Driver:
    """The driver called `name`; raises KeyError with the known names where there is none."""
    for candidate in drivers():
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in drivers())
    raise KeyError(f"no driver is called {name!r}; there are: {known}")


def best_match(advertisement: Advertisement) -> Driver | None:
    """The driver that is surest of an advertisement, or None where none claims it."""
    best = max(drivers(), key=lambda candidate: candidate.match(advertisement), default=None)
    return best if best is not None and best.match(advertisement) > 0 else None
