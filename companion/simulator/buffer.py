"""The buffer of a simulated posture_v1 sensor, and the Fetch that is answered from it.

Pure. Nothing is stored: what a sample was can be computed again at any time, so the buffer is a range of numbers.
A radio has no room for everything at once: one backfilled packet goes into each connection event, 30 ms apart, behind
the live one where there is one. Must never know: links, faults, bytes of samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from firmware_protocol.counters import signed_difference
from firmware_protocol.posture_v1 import packets as p

BUFFER_SAMPLES = 120_000
"""40 minutes at 50 Hz, 10 at 200 Hz; with six axes, the 1.4 MB that a small flash chip holds."""
EVENT_NS = 30_000_000
"""Between two backfilled packets: the longest interval of connection events that the specification asks for."""

HeldAt = Callable[[int], range]
"""The numbers of the samples that the buffer holds at a time, in nanoseconds since power-on."""


class Portion(NamedTuple):
    """Samples `first` to `first + samples`, sent as one packet at `t_ns`."""

    t_ns: int
    first: int
    samples: int


@dataclass(slots=True)
class Fetching:
    """A Fetch that runs: the samples from `at` to `end` are still to be sent, the next of them at `due_ns`."""

    command: p.Fetch
    at: int
    end: int
    due_ns: int
    sent: int = 0
    done_ns: int | None = None

    @classmethod
    def of(cls, command: p.Fetch, held: range, now_ns: int) -> "Fetching":
        """What there is of the samples asked for, of a buffer that holds these."""
        first = held.stop + signed_difference(command.first, held.stop)
        at = max(first, held.start)
        end = max(at, min(first + command.count, held.stop))
        return cls(command, at, end, now_ns + EVENT_NS, done_ns=now_ns if at == end else None)

    def until(self, now_ns: int, each: int, held_at: HeldAt) -> list[Portion]:
        """What is sent by `now_ns`, at most `each` samples in a packet; what is overwritten before its turn is not."""
        portions = []
        while self.done_ns is None and self.due_ns <= now_ns:
            self.at = max(self.at, held_at(self.due_ns).start)
            count = min(each, self.end - self.at)
            if count > 0:
                portions.append(Portion(self.due_ns, self.at, count))
                self.at, self.sent = self.at + count, self.sent + count
            if self.at >= self.end:
                self.done_ns = self.due_ns
            self.due_ns += EVENT_NS
        return portions

    def cut_short(self) -> None:
        """Nothing more can be sent; that is answered when the next packet would have been due."""
        self.end = self.at

    def answer(self, result: p.Result = p.Result.OK) -> p.FetchDone:
        """What has come of it so far: all that is unsent is gone."""
        return fetch_done(self.command, result, self.sent)


def fetch_done(command: p.Fetch, result: p.Result = p.Result.OK, sent: int = 0) -> p.FetchDone:
    """The answer to a Fetch of which so many samples were sent."""
    return p.FetchDone(result, command.stream, command.first, sent, command.count - sent)
