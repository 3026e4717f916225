"""What to do on the link, said as values: a driver yields steps, the link (or a table of answers) replies with bytes.

Pure: a handshake is tested with a dict of answers and no `await`. Must never know how a step is carried out.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Read:
    """Read `characteristic`; the reply is its value."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write `data`; the reply is empty."""

    characteristic: str
    data: bytes
    with_response: bool = True


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for notifications or indications; the reply is empty."""

    characteristic: str


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
