"""What to do on the link, said as values: a driver yields steps, the link (or a table of answers) replies with bytes.

Pure: a handshake is tested with a dict of answers and no `await`. Must never know how a step is carried out.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Read:
    """Read `characteristic`; the reply is its value.

    `service` says whose characteristic is meant where several services have one of this UUID. An `optional` read of
    what the sensor does not have, or does not let be read, is answered with no bytes.
    """

    characteristic: str
    service: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Write `data`; the reply is empty, and comes `settle_s` after the write: some sensors need a moment.

    Where a characteristic takes writes only with, or only without, a response, it is written to in that way.
    """

    characteristic: str
    data: bytes
    with_response: bool = True
    service: str = ""
    settle_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for notifications or indications; the reply is empty. `optional`: a sensor without it is let pass."""

    characteristic: str
    service: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for the next notification or indication of `characteristic`; the reply is its value.

    `accept` says which value is meant: earlier ones of the same characteristic are passed over (and recorded).
    """

    characteristic: str
    timeout_s: float = 5.0
    accept: Callable[[bytes], bool] | None = None


GattStep: TypeAlias = Read | Write | Subscribe | Await
Script: TypeAlias = Generator[GattStep, bytes, None]


class ScriptRefused(Exception):
    """The sensor is not one this driver can work with; the message says what is missing."""
