"""What a device driver is, and the registry of those that are installed.

Pure. At its heart a driver is a match, two scripts and a decoder; the rest says what people and the link should know
of its sensor. It may live in someone else's package, under the entry-point group `posture_companion.drivers`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
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
class Filled:
    """Samples `first` to `first + count` of a segment had been missing, and came from the sensor's buffer.

    Told when the sensor says that it has sent what it could, or when its stream or the link ends before it does.
    `t_host_ns` is when that became known.
    """

    segment: int
    first: int
    count: int
    t_host_ns: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """What some frames meant. `samples` is in order of arrival, `segments` those that began in these frames."""

    samples: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=SAMPLES))
    batteries: tuple[Battery, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    segments: tuple[Segment, ...] = ()
    lost: int = 0  # samples newly known to be missing (a jump of the counter); 0 where there is no counter
    duplicates: int = 0  # samples that had come before; they are not in `samples`
    filled: tuple[Filled, ...] = ()  # by segment and number


class Decoder(Protocol):
    """Bytes in, samples out; total: it never raises on what a radio sends."""

    def feed(self, frames: Iterable[Frame]) -> Decoded:
        """Decode any number of frames, in order; frames that are not this device's business are passed over.

        Law: feeding frames one at a time gives the same samples and counts as feeding them all at once.
        """
        ...


class Backfill(Protocol):
    """What a session lacks and its sensor's buffer may still hold; one object a session, however many links."""

    def feed(self, frames: Iterable[Frame]) -> None:
        """Be told frames, in order: all that a session has."""
        ...

    def next(self) -> Script | None:
        """The script that fetches some of what is missing, to be run while motion flows; None: nothing to fetch now."""
        ...


class Confidence(StrEnum):
    """How the protocol of a sensor is known."""

    OWN = "our own protocol"
    VENDOR = "the maker's documents or code"
    PUBLISHED = "a published open format"
    THIRD_PARTY = "other people's code"
    OWN_FILES = "files of this program"


class Pairing(Enum):
    """When a sensor is bonded with."""

    ALWAYS = "always"  # before anything else is asked of it
    WHEN_ASKED = "when asked"  # where it refuses something without
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class About:
    """What people should know of a sensor before they buy or wear it."""

    title: str  # maker and models
    gives: tuple[str, ...]  # such as "acceleration", "rotation", "battery", "clock", "counter"
    confidence: Confidence
    rates_hz: tuple[float, ...] = ()  # what it can be asked for, ascending; empty: its own rate
    notes: tuple[str, ...] = ()  # a sentence each: what it cannot do, what to look out for, what a rate costs


@dataclass(frozen=True, slots=True)
class Driver:
    """How to recognise, start, stop and decode one kind of sensor."""

    name: str
    match: Callable[[Advertisement], float]
    """How sure this driver is that an advertisement is of its sensor: 0 (no) to 1 (certain).

    1: the advertisement names the driver's own service or format. 0.5 and above: maker and name agree. Below: a name
    only, which anybody can give; the services are looked at after connecting.
    """
    start: Callable[[float | None], Script]
    """From a rate in Hz (None: the driver's usual one) to the script that makes the sensor send motion."""
    stop: Callable[[], Script]
    new_decoder: Callable[[], Decoder]
    about: About
    longest_interval_s: float = 1.0
    """The longest silence between two packets that is normal for this sensor, in seconds."""
    usual_rate_hz: float | None = None
    """The rate that `start(None)` asks for, or at which the sensor sends by itself; None: learnt on connecting."""
    services: tuple[str, ...] = ()
    """Service UUIDs that a connected sensor must offer, lower case, 128 bits."""
    lacking: str = ""
    """One sentence for people: what is missing where a sensor does not offer these services, and what to do."""
    pairing: Pairing = Pairing.NEVER
    ask_battery: Callable[[], Script] | None = None
    """Asks for the battery's level while motion flows; run after `start` and now and then. It may fail: not all have
    one."""
    new_backfill: Callable[[], Backfill] | None = None
    """For a sensor that may have a buffer; None: what was missed is gone."""
    broadcasts: bool = False
    """Motion comes in advertisements: the sensor is listened to, never connected to. The scripts have no steps."""
    secret: str = ""
    """Name of the key that encrypted advertisements need; told to the decoder as a `Reading` of this characteristic."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A device that is recognised and that no driver can use. `reason` is one sentence for people."""

    name: str  # what it is
    reason: str


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
