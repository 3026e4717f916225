"""Looks at every packet of Motion as it comes, against what the last answers have put in force.

Pure. Knows: the form of Motion, what Start, Stop and Time were answered. Must never know: who asked, or why.
"""

from firmware_protocol.errors import UnknownKind
from firmware_protocol.frames import Notification
from firmware_protocol.posture_v1.conformance.book import Note
from firmware_protocol.posture_v1.conformance.runs import NS_PER_S, Force, Packet, Run
from firmware_protocol.posture_v1.packets import (
    FetchDone,
    Layout,
    Motion,
    Started,
    TimeAnswer,
    motion_fault,
    samples_per_packet,
)

SILENCE_S = 3.0
"""Lost packets are the radio's; so long a silence on a link that stands is not."""
_FULL_SCALE = (-32768, 32767)
_SENT_AS_ZERO = 0xC0


class Fetching:
    """A Fetch that runs: what was asked, and what has come of it."""

    def __init__(self, stream: int, first: int, count: int, frontier: int) -> None:
        self.stream, self.first, self.count = stream, first, count
        self.frontier = frontier  # the next live sample when it was asked
        self.packets: list[Motion] = []
        self.done = False

    def asks_for(self, motion: Motion) -> bool:
        """Whether a packet lies within what was asked, in samples that were taken before."""
        end = motion.index + len(motion.raw)
        within = self.first <= motion.index and end <= min(self.first + self.count, self.frontier)
        return motion.stream == self.stream and within


class Watch:
    """Notes what it sees; `run` is the stream in force, `runs` all that were."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self.run: Run | None = None
        self.runs: list[Run] = []
        self.ended: Run | None = None
        self.stream: int | None = None  # the last that was told
        self.mtu: int | None = None
        self.link = 0
        self.motor: list[tuple[int, int]] = []  # from when to when the motor may have run
        self.fetching: Fetching | None = None
        self._foreign: set[int] = set()  # streams that a false answer announced
        self.starts = self.early_starts = 0  # and those whose Motion came before their answer
        self._early: list[int] = []  # streams of packets that nothing announced yet
        self._due_since_ns: int | None = None  # motion ought to flow since then

    # What the answers say.

    def started(self, answer: Started) -> None:
        """A Start was done."""
        self.starts += 1
        self.early_starts += answer.stream in self._early
        self.fetching = None  # a Start ends it
        self._early = [stream for stream in self._early if stream != answer.stream]
        self._begin(answer, begun=True)

    def told(self, answer: TimeAnswer) -> None:
        """Time was answered."""
        self.stream = answer.stream
        if answer.layout == Layout.NONE:
            self.run = None
        elif self.run is None or (self.run.stream, self.run.force) != (answer.stream, _force(answer)):
            self._begin(answer, begun=False)

    def stopped(self) -> None:
        """A Stop was answered."""
        if self.run is not None:
            self.ended = self.run
        self.run, self._due_since_ns = None, None

    def fetched(self, answer: FetchDone) -> None:
        """A Fetch was answered."""
        fetching = self.fetching
        if fetching is not None and (answer.stream, answer.first) == (fetching.stream, fetching.first):
            fetching.done = True

    def astray(self, stream: int) -> None:
        """A Start that should have been refused was not: its stream is nobody's business."""
        self.stream = stream
        self._foreign.add(stream)
        self.run, self._due_since_ns = None, None

    def subscribed(self, now_ns: int) -> None:
        """From now on motion ought to come."""
        self._due_since_ns = now_ns

    def connected(self, mtu: int | None) -> None:
        """A link was made."""
        self.mtu, self.link = mtu, self.link + 1

    def disconnected(self) -> None:
        """The link is gone."""
        self._due_since_ns, self.fetching = None, None

    def passed(self, now_ns: int) -> None:
        """Time has passed."""
        if self._due_since_ns is None:
            return
        if self.run is None:
            self._due_since_ns = now_ns  # nothing is due before a Start
            return
        silent_s = (now_ns - self._due_since_ns) / NS_PER_S
        if silent_s > SILENCE_S:
            self._note("motion-flow", False, f"{silent_s:.1f} s passed")
            self._due_since_ns = now_ns

    def end(self) -> None:
        """No more comes."""
        for stream in self._early:
            self._note("motion-stream", False, f"a packet of stream {stream} came")

    def _begin(self, answer: Started | TimeAnswer, *, begun: bool) -> None:
        self.stream = answer.stream
        self.run = Run(answer.stream, _force(answer), answer.time_us, begun)
        self.runs.append(self.run)

    # Packets.

    def packet(self, frame: Notification) -> None:
        """A notification of Motion."""
        self.passed(frame.t_host_ns)
        self._due_since_ns = frame.t_host_ns
        fault = motion_fault(frame.data)
        if fault is not None:
            self._note("motion-layout" if isinstance(fault, UnknownKind) else "motion-length", False, str(fault))
            return
        for rule in ("motion-length", "motion-flow"):
            self._note(rule, True, "")
        kind = frame.data[0]
        self._note("motion-reserved", not kind & _SENT_AS_ZERO, f"its first byte was 0x{kind:02x}")
        motion = Motion.from_bytes(frame.data)
        run = self._run_of(motion)
        if run is not None:
            self._of_run(run, motion, frame)

    def _run_of(self, motion: Motion) -> Run | None:
        """The stream that a packet belongs to; None where it belongs to none."""
        stream, run = motion.stream, self.run
        if run is not None and stream == run.stream:
            self._note("motion-stream", True, "")
            return run
        fetched = motion.backfilled or (self.fetching is not None and self.fetching.asks_for(motion))
        if fetched and self.ended is not None and stream == self.ended.stream:
            return self.ended
        if run is None and self.ended is not None and stream == self.ended.stream:
            self._note("stop-silent", False, f"sample {motion.index} of stream {stream} came")
        elif stream not in self._foreign:
            self._early.append(stream)
        return None

    def _of_run(self, run: Run, motion: Motion, frame: Notification) -> None:
        layout = int(motion.layout)
        told = f"layout {layout} came where {run.force.layout} was in force"
        self._note("motion-layout", layout == run.force.layout, told)
        if layout != run.force.layout:
            return
        count, most = len(motion.raw), samples_per_packet(self.mtu or 512 + 3, run.force.rate_hz, motion.layout)
        self._note("motion-samples", count <= most, f"{count} came in one packet where {most} are the most")
        self._clipped(motion)
        self._motor(motion, frame.t_host_ns)
        if motion.backfilled:
            self._fetched(motion)
        elif self.fetching is not None and self.fetching.asks_for(motion):
            self._note("fetch-bit", False, f"sample {motion.index} came without it")
            self.fetching.packets.append(motion)
        else:
            self._note("motion-live", True, "")
            self._live(run, run.placed(motion, frame.t_host_ns, self.link))

    def _fetched(self, motion: Motion) -> None:
        if self.fetching is None:
            self._note("motion-live", False, f"sample {motion.index} has it, and nothing was fetched")
            return
        self._note("fetch-bit", True, "")
        self._note("fetch-sent", not self.fetching.done, f"sample {motion.index} came behind it")
        self.fetching.packets.append(motion)

    def _live(self, run: Run, packet: Packet) -> None:
        if packet.index < run.end and run.goes_with_the_last(packet, whenever=True):
            again = run.received(packet.index, packet.end)
            told = f"sample {packet.motion.index} came after {run.end - 1}"
            self._note("motion-repeats" if again else "motion-order", False, told)
            return
        agrees = run.add(packet)
        self._note("motion-time", agrees, f"sample {packet.motion.index} came with time {packet.motion.time_1024}")
        if agrees:
            self._note("motion-order", True, "")
            self._note("motion-repeats", True, "")

    def _clipped(self, motion: Motion) -> None:
        low, high = _FULL_SCALE
        if (motion.raw == low).any() or (motion.raw == high).any():
            self._note("motion-clipped", motion.clipped, f"sample {motion.index} or one after it is, and it does not")

    def _motor(self, motion: Motion, t_ns: int) -> None:
        if motion.motor:
            ran = any(begin <= t_ns <= end for begin, end in self.motor)
            self._note("motion-motor", ran, f"sample {motion.index} has it, and nobody had it run")


def _force(answer: Started | TimeAnswer) -> Force:
    return Force(answer.rate_hz, answer.acc_range_g, answer.gyr_range_dps, answer.layout)
