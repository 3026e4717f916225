"""What goes wrong in a simulated session: `KIND@START[+LENGTH]`, in seconds of the story.

    link@20+20     the link is lost and cannot be made again for 20 s (10 s where no length is given)
    lose@40+0.4    packets are taken and built, but never reach the air
    garbage@30     a packet of random bytes
    short@30       a packet that lacks its last bytes
    flip@30        a packet with one bit turned over
    reboot@60      the sensor restarts: new clock, not sampling, no link for 1 s (or the length)
    silent@50+10   connected, but no motion comes (10 s where no length is given)
    no-buffer      the sensor has no buffer to fill gaps from

`lose`, `garbage`, `short` and `flip` touch one packet, the first one due from START on, unless a length is
given. Pure. Must never know: packets, links, clocks.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from companion.errors import UsageError

TIMED_KINDS = ("link", "lose", "garbage", "short", "flip", "reboot", "silent")
PACKET_KINDS = ("lose", "garbage", "short", "flip")
NO_BUFFER = "no-buffer"

_S = 1_000_000_000
_USUAL_LENGTH_NS = {"link": 10 * _S, "silent": 10 * _S, "reboot": _S}
_TEXT = re.compile(r"([a-z-]+)@(\d{1,7}(?:\.\d{1,9})?)(?:\+(\d{1,7}(?:\.\d{1,9})?))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. `length_ns` None: it touches one packet."""

    kind: str
    start_ns: int = 0
    length_ns: int | None = None

    @property
    def end_ns(self) -> int:
        """When it is over (the start itself where it touches one packet)."""
        return self.start_ns + (self.length_ns or 0)

    @classmethod
    def of(cls, text: str) -> Self:
        """Read `KIND@START[+LENGTH]` or `no-buffer`; raises UsageError."""
        if text == NO_BUFFER:
            return cls(NO_BUFFER)
        match = _TEXT.fullmatch(text)
        if match is None or match[1] not in TIMED_KINDS:
            raise UsageError(
                f"there is no fault {text!r}.",
                f"Write KIND@START or KIND@START+LENGTH in seconds, KIND one of {', '.join(TIMED_KINDS)};"
                f" or {NO_BUFFER}.",
            )
        kind, start, length = match.groups()
        if length is not None and float(length) == 0:
            raise UsageError(f"the fault {text!r} lasts no time.", "Leave the length out, or make it longer.")
        return cls(kind, _ns(start), _USUAL_LENGTH_NS.get(kind) if length is None else _ns(length))


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that goes wrong in a session, by start."""

    faults: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Read the texts of `--fault`; raises UsageError for the first that means nothing."""
        return cls(tuple(sorted((Fault.of(text) for text in texts), key=lambda fault: fault.start_ns)))

    def of_kind(self, *kinds: str) -> tuple[Fault, ...]:
        """The faults of these kinds, by start."""
        return tuple(fault for fault in self.faults if fault.kind in kinds)

    def holds(self, kind: str, story_ns: int) -> bool:
        """Whether a fault of this kind holds at this time of the story."""
        return any(fault.start_ns <= story_ns < fault.end_ns for fault in self.of_kind(kind))


def _ns(text: str) -> int:
    return round(float(text) * _S)
