"""Everything that was seen of a sensor, and what it comes to: frames go in, verdicts come out.

Pure. Knows: frames, the watch over Motion, answers, clocks. Must never know: how frames come, who reads verdicts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Frame, LinkDown, LinkUp, Notification, Reading
from firmware_protocol.posture_v1.conformance.book import Book
from firmware_protocol.posture_v1.conformance.rules import RULES, Rule
from firmware_protocol.posture_v1.conformance.runs import Run
from firmware_protocol.posture_v1.conformance.steps import Offer
from firmware_protocol.posture_v1.conformance.watch import Watch
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    MOTION,
    STATUS,
    Answer,
    FetchDone,
    Info,
    Result,
    Started,
    Status,
    Stopped,
    TimeAnswer,
    parse_answer,
)

LONGEST_ANSWER = 20
_BITS_OF_STATUS = 0x0F
_MIRRORED_NS = 500_000_000
"""A system may tell a value that was read as a notification, too, while it is subscribed to (BlueZ does)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a rule: that it holds, or is broken and how."""

    rule: Rule
    holds: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Clock:
    """A device time in microseconds, and between which moments of the host's clock it was told."""

    sent_ns: int
    received_ns: int
    time_us: int
    link: int


@dataclass(frozen=True, slots=True)
class Told:
    """A Status that was notified."""

    t_ns: int
    link: int
    status: Status
    doubtful: bool = False  # it may be what was read at that moment


class Evidence:
    """What is known so far. The facts on top are set by whoever connects; `feed` gets every frame in order.

    `fresh`: the link is known to be in the clear until `Pair`. `advertised`: None where nobody listened for that.
    """

    def __init__(
        self, *, advertised: tuple[str, ...] | None = None, offers: tuple[Offer, ...] = (), fresh: bool = False
    ) -> None:
        self.advertised, self.offers, self.fresh = advertised, offers, fresh
        self.book = Book()
        self.watch = Watch(self.note)
        self.info: Info | None = None
        self.info_bytes = b""
        self.answers: list[bytes] = []
        self.times: list[tuple[TimeAnswer, Run]] = []  # told while that stream ran
        self.clocks: list[Clock] = []
        self.statuses: list[Told] = []
        self.links: list[tuple[int, int | None]] = []  # when Status was subscribed to, when the link ended
        self.now_ns = 0
        self.away_s = 0.0  # for how long there surely was no link before this one
        self._down_ns: int | None = None
        self.over = ""  # why nothing more can be asked
        self._asked = 0  # commands that are still to be answered
        self._read: Reading | None = None

    def note(self, rule: str, held: bool, found: str = "") -> None:
        """Enter one observation of a rule."""
        self.book.note(rule, held, found)

    def feed(self, frame: Frame) -> None:
        """Be told what happened; every frame once, in order."""
        self.now_ns = max(self.now_ns, frame.t_host_ns)
        match frame:
            case LinkUp():
                self.watch.connected(frame.mtu)
                self.away_s = (frame.t_host_ns - self._down_ns) / 1e9 if self._down_ns is not None else 0.0
                self._asked = 0
            case LinkDown():
                self.watch.disconnected()
                self._down_ns = frame.t_host_ns
                self._link_ended()
            case Notification(characteristic=characteristic) if characteristic == MOTION:
                self.watch.packet(frame)
            case Notification(characteristic=characteristic) if characteristic == CONTROL:
                self._answered(frame.data)
            case Notification(characteristic=characteristic) if characteristic == STATUS:
                self._notified(frame)
            case Reading(characteristic=characteristic) if characteristic == STATUS:
                self._read = frame
                self._mirrored(frame)
        self.watch.passed(frame.t_host_ns)

    # Commands.

    def asked(self) -> None:
        """A command is about to be written."""
        self._asked += 1

    def gave_up(self) -> None:
        """A command was refused, or is not waited for any longer."""
        self._asked = max(0, self._asked - 1)

    def _answered(self, data: bytes) -> None:
        self.note("answers", self._asked > 0, f"{data.hex(' ') or 'nothing'} came unasked")
        self._asked = max(0, self._asked - 1)
        self.answers.append(data)
        self.note("answers-length", len(data) <= LONGEST_ANSWER, f"one has {len(data)} bytes")
        match self.parsed(data):
            case Started(result=Result.OK) as answer:
                self.watch.started(answer)
            case TimeAnswer(result=Result.OK) as answer:
                self.watch.told(answer)
                if self.watch.run is not None:
                    self.times.append((answer, self.watch.run))
            case Stopped():
                self.watch.stopped()
            case FetchDone() as answer:
                self.watch.fetched(answer)
            case None if data[:2] == b"\x81\x00" and len(data) > 2:
                self.watch.astray(data[2])

    def parsed(self, data: bytes) -> Answer | None:
        """An answer; None, and a note, for what is none."""
        try:
            answer = parse_answer(data)
        except ProtocolError as error:
            if data[:1] and 0x81 <= data[0] <= 0x86:
                self.note("answers-length", False, str(error))
            return None
        self.note("answers-length", True)
        return answer

    # Status.

    def subscribed(self) -> None:
        """Status was subscribed to on this link."""
        self.links.append((self.now_ns, None))
        self._read = None  # what was read before is not told now

    def _link_ended(self) -> None:
        if self.links and self.links[-1][1] is None:
            self.links[-1] = (self.links[-1][0], self.now_ns)

    def _notified(self, frame: Notification) -> None:
        status = self.status_of(frame.data)
        mirrored = self._read is not None and self._read.data == frame.data
        if mirrored and self._read is not None and abs(frame.t_host_ns - self._read.t_host_ns) < _MIRRORED_NS:
            return
        if status is not None:
            self.statuses.append(Told(frame.t_host_ns, self.watch.link, status))

    def _mirrored(self, frame: Reading) -> None:
        """A value that was told a moment before it was read may be no notification of the sensor's."""
        last = self.statuses[-1] if self.statuses else None
        if last is not None and frame.t_host_ns - last.t_ns < _MIRRORED_NS and last.status.to_bytes() == frame.data:
            self.statuses[-1] = replace(last, doubtful=True)

    def status_of(self, data: bytes) -> Status | None:
        """A Status, with notes on its values; None for what is none."""
        try:
            status = Status.from_bytes(data)
        except ProtocolError as error:
            self.note("status-values", False, str(error))
            return None
        self.note("status-values", not status.flags & ~_BITS_OF_STATUS, f"its flags were 0x{status.flags:02x}")
        return status

    # Verdicts.

    def verdicts(self, scene: str) -> Iterator[Verdict]:
        """What is said after this scene; a rule that could not be looked at is not among it."""
        for rule in RULES:
            entry = self.book.entries.get(rule.name)
            if rule.scene != scene or entry is None:
                continue
            holds = not entry.broken
            yield Verdict(rule, holds, rule.says if holds else f"{rule.says}: {entry.first or 'it does not'}")

    def unseen(self) -> list[Rule]:
        """The rules that nothing was found of."""
        return [rule for rule in RULES if rule.name not in self.book.entries]
