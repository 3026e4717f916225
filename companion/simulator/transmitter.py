"""The way of packets from the sensor to the air, and what faults do to them there.

Pure; remembers only which faults for a single packet have had theirs. Must never know: commands, hosts,
what the bytes mean.
"""

from itertools import groupby
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from companion.simulator.faults import PACKET_KINDS, Fault, Faults
from companion.simulator.ledger import Fate, Ledger, Span
from companion.simulator.mangling import Garbage, foreign_layout, mangled
from companion.simulator.sampling import Ints

_FATES = {"lose": Fate.LOST, "garbage": Fate.GARBAGE, "short": Fate.SHORT, "flip": Fate.FLIPPED}


class Numbered(Protocol):
    """What the ledger needs to know of a run of samples."""

    @property
    def number(self) -> int:
        """It counts the runs of a sensor."""
        ...

    @property
    def stream(self) -> int:
        """The number on the wire, where there is one."""
        ...


Mask = npt.NDArray[np.bool_]
Fates = npt.NDArray[Any]
"""One Fate for each packet, an array of objects."""


class Transmitter:
    """Decides how each packet fares and writes it into the ledger."""

    def __init__(self, faults: Faults, ledger: Ledger, seed: int, garbage: Garbage = foreign_layout) -> None:
        self._silences = faults.of_kind("silent", "link", "reboot")
        self._touching = faults.of_kind(*PACKET_KINDS)
        self._spent: set[Fault] = set()
        self._ledger = ledger
        self._seed = seed
        self._garbage = garbage

    def fates(self, story_ns: Ints, listening: bool) -> Fates:
        """How packets due at these times of the story fare. Call it once for each packet, in order."""
        fates: Fates = np.empty(len(story_ns), dtype=object)
        fates.fill(Fate.SENT if listening else Fate.LOST)
        for fault in self._silences:
            fates[_within(fault, story_ns)] = Fate.LOST
        for fault in self._touching:
            whole = np.array([fate is Fate.SENT for fate in fates], dtype=bool)
            fates[self._touched(fault, story_ns, whole)] = _FATES[fault.kind]
        return fates

    def note(self, run: Numbered, first: int, each: int, fates: Fates) -> None:
        """Write packets of `each` samples, from sample `first` on, into the ledger."""
        for fate, group in groupby(fates.tolist()):
            packets = len(list(group))
            self._ledger.note(Span(run.number, run.stream, first, packets * each, packets, fate))
            first += packets * each

    def note_backfilled(self, run: Numbered, first: int, count: int, fate: Fate) -> None:
        """Write a packet out of the buffer into the ledger."""
        self._ledger.note(Span(run.number, run.stream, first, count, 1, fate), backfilled=True)

    def lose(self, run: Numbered, first: int, count: int) -> None:
        """Write samples into the ledger that were in hand and are gone."""
        if count:
            self._ledger.note(Span(run.number, run.stream, first, count, 0, Fate.LOST))

    def on_air(self, packets: list[bytes], fates: Fates, due_ns: Ints) -> list[tuple[int, bytes]]:
        """The time and the bytes of each packet that reaches the air."""
        every = zip(due_ns.tolist(), packets, fates.tolist(), strict=True)
        return [(t_ns, sent) for t_ns, data, fate in every for sent in self.as_sent(data, fate, t_ns)]

    def as_sent(self, data: bytes, fate: Fate, t_ns: int) -> list[bytes]:
        """A packet as it goes on the air at `t_ns`; empty where it does not."""
        if fate is Fate.LOST:
            return []
        return [data if fate is Fate.SENT else mangled(data, fate, self._seed, t_ns, self._garbage)]

    def _touched(self, fault: Fault, story_ns: Ints, whole: Mask) -> Mask:
        """Which of the packets that are still whole this fault touches."""
        if fault.length_ns is not None:
            return whole & _within(fault, story_ns)
        ready = whole & (story_ns >= fault.start_ns)
        if fault in self._spent or not ready.any():
            return np.zeros(len(story_ns), dtype=bool)
        self._spent.add(fault)
        return np.asarray(np.arange(len(story_ns)) == np.argmax(ready))


def _within(fault: Fault, story_ns: Ints) -> Mask:
    return np.asarray((story_ns >= fault.start_ns) & (story_ns < fault.end_ns))
