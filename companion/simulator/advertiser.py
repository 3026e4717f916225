"""What simulated sensors share that only advertise: a measurement now and then, told until the next one.

Pure: the same calls give the same bytes. Must never know: bumble, asyncio, hosts, drivers.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from companion.simulator.body import Body
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate, Ledger, Span
from companion.simulator.maker_sensor import Floats
from companion.simulator.served import USUAL_MTU, Appearance, Outgoing, Served

_S = 1_000_000_000


class Advertiser(ABC):
    """One sensor; a maker's says how often it measures and what it then advertises."""

    PERIOD_NS: ClassVar[int]

    def __init__(self, body: Body, *, faults: Faults | None = None, seed: int = 0) -> None:
        self.ledger = Ledger()
        self.body = body
        self._faults, self._seed = faults or Faults(), seed
        self._now_ns = self._story_ns = 0
        self._measured = 0
        self._next_ns = 0
        self._appearance: Appearance | None = None

    @abstractmethod
    def tell(self, number: int, acc_mps2: Floats) -> Appearance:
        """How the sensor advertises its measurement of this number, an acceleration (3,)."""

    @property
    def appearance(self) -> Appearance:
        """What is advertised now."""
        if self._appearance is None:
            self._measure()
        assert self._appearance is not None
        return self._appearance

    @property
    def served(self) -> tuple[Served, ...]:
        """Nothing: nobody connects."""
        return ()

    def connected(self, now_ns: int, mtu: int = USUAL_MTU) -> None:
        """Nobody connects."""

    def disconnected(self, now_ns: int) -> None:
        """Nobody connects."""

    def subscribed(self, characteristic: str, on: bool) -> None:
        """Nobody connects."""

    def read(self, characteristic: str, now_ns: int) -> bytes:
        """Nothing is read: raises KeyError."""
        raise KeyError(characteristic)

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        """Nothing is written: raises KeyError."""
        raise KeyError(characteristic)

    def begin_story(self, now_ns: int) -> None:
        """Let the story and its faults begin (again)."""
        self.advance(now_ns)
        self._story_ns = self._next_ns = now_ns
        self.advance(now_ns)  # its first moment is measured

    def advance(self, now_ns: int) -> list[Outgoing]:
        """Measure what is due up to and including `now_ns`; nothing is sent over a link."""
        self._now_ns = now_ns
        while self._next_ns <= now_ns:
            if self._quiet(self._next_ns):
                self._lose()
            else:
                self._measure()
            self._next_ns += self.PERIOD_NS
        return []

    def next_due_ns(self) -> int:
        """When the next measurement, or the next change of what can be heard, is due."""
        faults = self._faults.of_kind("link", "silent", "reboot")
        edges = [self._story_ns + edge for fault in faults for edge in (fault.start_ns, fault.end_ns)]
        return min(t_ns for t_ns in (self._next_ns, *edges) if t_ns > self._now_ns)

    def link_allowed(self, now_ns: int) -> bool:
        """Whether it can be heard: not out of reach, not restarting."""
        story_ns = now_ns - self._story_ns
        return not any(self._faults.holds(kind, story_ns) for kind in ("link", "reboot"))

    def _quiet(self, t_ns: int) -> bool:
        story_ns = t_ns - self._story_ns
        return any(self._faults.holds(kind, story_ns) for kind in ("silent", "lose", "reboot"))

    def _measure(self) -> None:
        rate_hz = _S / self.PERIOD_NS
        acc, _ = self.body.sample(rate_hz, 0, 1, max(0.0, (self._next_ns - self._story_ns) / _S))
        self._appearance = self.tell(self._measured, np.asarray(acc[0]))
        self._note(Fate.SENT)

    def _lose(self) -> None:
        self._note(Fate.LOST)

    def _note(self, fate: Fate) -> None:
        self.ledger.note(Span(0, 0, self._measured, 1, 1, fate))
        self._measured += 1
        self.ledger.taken[0] = self._measured
