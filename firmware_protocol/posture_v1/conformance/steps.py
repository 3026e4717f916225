"""What a scene asks for, and what it is told: more than a driver's steps, because a refusal is an answer here.

Pure values. Must never know: how a step is carried out.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from firmware_protocol.frames import Frame, Notification, Reading
from firmware_protocol.scripts import Read, Subscribe

IMPROPERLY_CONFIGURED = 0xFD
"""ATT: *CCC Descriptor Improperly Configured* (Core Specification Supplement, part B, common profile errors)."""
_FETCH_DONE = b"\x86"
NOT_ENCRYPTED = (0x05, 0x0F)
"""ATT: *Insufficient Authentication*, *Insufficient Encryption* (Bluetooth Core, Vol 3, Part F, 3.4.1.1)."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Write `data` to Control and wait for what is indicated next; the reply is Answered or Refused.

    `fetched`: the answer to Fetch is meant. Otherwise one of those is passed over: it alone may come late.
    """

    data: bytes
    timeout_s: float = 2.0
    fetched: bool = False

    def takes(self, data: bytes) -> bool:
        """Whether an indication can be the answer."""
        return self.fetched or data[:1] != _FETCH_DONE


@dataclass(frozen=True, slots=True)
class Configure:
    """Write to the descriptor by which one subscribes to `characteristic`; the reply is None or Refused."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Let `seconds` pass; until then frames come. The reply is None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Make a bond, or use the one that there is. The reply is None."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Disconnect, stay away for so long, connect again over an encrypted link. The reply is None."""

    away_s: float


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Have no more notifications of `characteristic`; the reply is None or Refused."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The sensor, or the system, answered with an error. `code` is ATT's; None where the system does not tell it."""

    code: int | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What was indicated after a command was written at `sent_ns`; `frame` None: nothing came in time."""

    sent_ns: int
    frame: Notification | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A characteristic that a connected sensor has. `descriptors` are UUIDs; None where the system does not tell."""

    service: str
    characteristic: str
    properties: frozenset[str]  # as bleak names them: "read", "write", "notify", "indicate", ...
    descriptors: tuple[str, ...] | None = None


Step: TypeAlias = Read | Subscribe | Unsubscribe | Ask | Configure | Listen | Pair | Reconnect
Reply: TypeAlias = Reading | Answered | Refused | None
Play: TypeAlias = Generator[Step, Reply, None]

__all__ = [
    "IMPROPERLY_CONFIGURED",
    "NOT_ENCRYPTED",
    "Answered",
    "Ask",
    "Configure",
    "Frame",
    "Listen",
    "Offer",
    "Pair",
    "Play",
    "Read",
    "Reconnect",
    "Refused",
    "Reply",
    "Step",
    "Subscribe",
    "Unsubscribe",
]
