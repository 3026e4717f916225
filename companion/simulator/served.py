"""What the air sees of a simulated sensor: its services, how it advertises, and how its time is driven.

Pure. Must never know: bumble, asyncio, what the bytes mean.
"""

from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Protocol

from companion.simulator.ledger import Ledger

USUAL_MTU = 247


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A notification or indication that leaves the sensor at `t_ns`."""

    t_ns: int
    characteristic: str
    data: bytes


class Property(Flag):
    """What may be done with a characteristic."""

    READ = auto()
    WRITE = auto()
    WRITE_WITHOUT_RESPONSE = auto()
    NOTIFY = auto()
    INDICATE = auto()


@dataclass(frozen=True, slots=True)
class Served:
    """A characteristic. `key` tells it apart where several services have one of the same UUID."""

    service: str
    uuid: str
    properties: Property
    key: str = ""

    @property
    def name(self) -> str:
        """What the sensor calls it."""
        return self.key or self.uuid


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a sensor is found, and what it is called."""

    name: str
    address: str
    model: str = "simulated sensor"
    services: tuple[str, ...] = ()  # advertised ones
    manufacturer: dict[int, bytes] = field(default_factory=dict)
    service_data: dict[str, bytes] = field(default_factory=dict)
    secure: bool = False  # nothing but Device Information without an encrypted link
    connectable: bool = True  # False: it only advertises


class SimulatedSensor(Protocol):
    """One sensor; `now_ns` counts from power-on and never goes back. `ledger` has what became of every sample."""

    ledger: Ledger

    @property
    def served(self) -> tuple[Served, ...]:
        """Its characteristics, in order."""
        ...

    @property
    def appearance(self) -> Appearance:
        """How it is found now."""
        ...

    def connected(self, now_ns: int, mtu: int = USUAL_MTU) -> None:
        """A host has connected, or agreed on another ATT_MTU."""
        ...

    def disconnected(self, now_ns: int) -> None:
        """The link is gone."""
        ...

    def subscribed(self, characteristic: str, on: bool) -> None:
        """The host switched notifications or indications of a characteristic on or off."""
        ...

    def read(self, characteristic: str, now_ns: int) -> bytes:
        """A value; raises KeyError where there is none to read."""
        ...

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        """What was due before it, then what the write brings about; raises KeyError where nothing can be written."""
        ...

    def begin_story(self, now_ns: int) -> None:
        """Let the story and its faults begin (again)."""
        ...

    def advance(self, now_ns: int) -> list[Outgoing]:
        """Everything that leaves the sensor up to and including `now_ns`, in the order of time."""
        ...

    def next_due_ns(self) -> int:
        """When there will next be something to do."""
        ...

    def link_allowed(self, now_ns: int) -> bool:
        """Whether a link can exist: not out of reach, not restarting."""
        ...
