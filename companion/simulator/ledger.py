"""What became of every sample that a simulated sensor took: the truth behind a host's own accounts.

Pure bookkeeping, in little memory: packets in a row that fared alike are one span. Must never know: bytes,
times.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Fate(StrEnum):
    """How a packet fared."""

    SENT = "sent"  # went on the air as built
    LOST = "lost"  # taken, never on the air
    GARBAGE = "garbage"  # random bytes went on the air instead
    SHORT = "short"  # went on the air without its last bytes
    FLIPPED = "flipped"  # went on the air with one bit turned over


@dataclass(frozen=True, slots=True)
class Span:
    """Packets in a row of one stream that fared alike: samples `first` to `first + count`.

    `run` numbers the Starts of a sensor from 0, reboots included; `stream` is the number on the wire, which
    may come again.
    """

    run: int
    stream: int
    first: int
    count: int
    packets: int
    fate: Fate

    def continues(self, earlier: "Span") -> bool:
        """Whether this span can be told as one with the one before it."""
        same = (self.run, self.fate) == (earlier.run, earlier.fate)
        return same and self.first == earlier.first + earlier.count


@dataclass(slots=True)
class Ledger:
    """All spans so far, in the order of time, and how many samples each run has taken.

    `spans` are what was due live: every sample that is in a packet stands there once. `backfilled` is what was sent
    again, or at last, out of the buffer.
    """

    spans: list[Span] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)
    backfilled: list[Span] = field(default_factory=list)

    def note(self, span: Span, *, backfilled: bool = False) -> None:
        """Add packets; they join the last span where they fared alike."""
        spans = self.backfilled if backfilled else self.spans
        if spans and span.continues(spans[-1]):
            last = spans.pop()
            span = replace(last, count=last.count + span.count, packets=last.packets + span.packets)
        spans.append(span)

    def delivered(self, run: int) -> list[tuple[int, int]]:
        """The samples of a run that went on the air whole, live or backfilled, as intervals [first, end) in order."""
        sent = sorted((s.first, s.first + s.count) for s in self._whole(run))
        joined = sent[:1]
        for first, end in sent[1:]:
            if first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((first, end))
        return joined

    def never_came(self, run: int) -> int:
        """How many samples of a run were taken and never went on the air whole (those in hand included)."""
        return self.taken.get(run, 0) - sum(end - first for first, end in self.delivered(run))

    def sent_again(self, run: int) -> int:
        """How many times a sample of a run went on the air whole that had done so before."""
        return sum(s.count for s in self._whole(run)) - sum(end - first for first, end in self.delivered(run))

    def _whole(self, run: int) -> list[Span]:
        return [s for s in self.spans + self.backfilled if s.run == run and s.fate is Fate.SENT]

    def samples(self, *fates: Fate, run: int | None = None) -> int:
        """How many samples fared so when they were due (no fate named: all in packets), in one run or in all."""
        return sum(span.count for span in self._of(fates, run))

    def packets(self, *fates: Fate, run: int | None = None) -> int:
        """How many live packets fared so, in one run or in all."""
        return sum(span.packets for span in self._of(fates, run))

    def in_hand(self, run: int) -> int:
        """Samples of this run that were taken and wait for their packet to be full."""
        return self.taken.get(run, 0) - self.samples(run=run)

    def _of(self, fates: tuple[Fate, ...], run: int | None) -> list[Span]:
        return [span for span in self.spans if (not fates or span.fate in fates) and (run is None or span.run == run)]
