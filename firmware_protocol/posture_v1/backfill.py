"""What a session of a posture_v1 sensor lacks, and the scripts that fetch it from the sensor's buffer.

Pure. Knows: frames, and through a decoder of its own what is missing. Must never know: how a script is carried out,
the present time; its clock are the times of the frames.

* As long as each packet follows the one before, by its index and by its time, frames are only kept: nothing is decoded
  twice for nothing.
* Only while motion flows is anything asked for, and only what is missing since this session joined the stream; the
  oldest first, because the buffer loses that first.
* A hole is asked for half a second after it showed: what came in another order has come by then.
* What the sensor says is gone is not asked for again; what it sent and did not arrive, three times in all. A sensor
  that is busy, or does not answer, is left alone for a while, each time for twice as long.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import TypeVar

from firmware_protocol.counters import signed_difference
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Frame, LinkDown, LinkUp, Notification, Reading
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    INFO,
    MOTION,
    MOTION_HEADER_BYTES,
    STATUS,
    Answer,
    Capability,
    Fetch,
    FetchDone,
    Info,
    Layout,
    MotionKind,
    Result,
    Status,
    StatusFlag,
    Unsupported,
    parse_answer,
)
from firmware_protocol.posture_v1.track import NS_PER_S, Track, is_timely
from firmware_protocol.scripts import Await, Script, Write

CHUNK_S = 30
"""At most so much is asked for at once: a fetch that is cut off has then cost little."""
PATIENCE_NS = NS_PER_S // 2
TRIES = 3
_BROKEN_OFF, _WHOLE = 1, 4
"""What a try counts: a link that was lost says little of the samples that were asked for, but a sensor that ends the
link whenever it is asked is not asked for ever."""
_ENOUGH = TRIES * _WHOLE
FIRST_PAUSE_NS, LONGEST_PAUSE_NS = 2 * NS_PER_S, 60 * NS_PER_S
ANSWER_S = 10.0
SLOWEST_PACKETS_PER_S = 10.0
"""A buffer that is told more slowly than this counts as not answering."""
_MAX_WAITING = 1024  # frames; then they are decoded unasked
_HOLES_AT_ONCE = 200
_OURS = frozenset({MOTION, CONTROL, STATUS, INFO})
_FETCH = Fetch(0, 0, 0).to_bytes()[0]
_HEAD_BYTES, _INDEX = 6, slice(2, 6)  # kind, stream, index
_SAMPLE_BYTES = {int(layout): layout.sample_bytes for layout in (Layout.ACC, Layout.ACC_GYR)}
_END = itemgetter(1)
_Reading = TypeVar("_Reading", Status, Info)


@dataclass(slots=True)
class _Asked:
    """A chunk that is being fetched, and how that ended; no answer: it was broken off."""

    segment: int
    first: int
    end: int
    tries: int  # before this one, in parts of one
    answer: Answer | None = None


@dataclass(slots=True)
class _Wanted:
    """What has been tried in one segment. `tried`: intervals [first, end), how often (in parts of a try), in order."""

    segment: int
    floor: int  # nothing below is asked for
    flowing_from: int  # motion flows where it has come further than this
    tried: list[tuple[int, int, int]] = field(default_factory=list)
    seen: deque[tuple[int, int]] = field(default_factory=deque)  # time, and up to where the samples were known then
    ripe: int = 0

    def look(self, t_ns: int, next_index: int) -> None:
        """At this time all samples up to `next_index` have come, or are known to be missing."""
        self.seen.append((t_ns, next_index))
        while self.seen and self.seen[0][0] <= t_ns - PATIENCE_NS:
            self.ripe = self.seen.popleft()[1]

    def note(self, first: int, end: int, left: list[tuple[int, int]], tries: int) -> None:
        """[first, end) has now been tried so often, and these parts of it have not come."""
        outside = [(a, min(b, first), count) for a, b, count in self.tried if a < first]
        outside += [(max(a, end), b, count) for a, b, count in self.tried if b > end]
        self.tried = sorted([*outside, *((a, b, tries) for a, b in left)])

    def oldest(self, holes: list[tuple[int, int]]) -> tuple[int, int, int] | None:
        """The oldest part of the holes that may be asked for now or later, all of it tried as often."""
        for first, end in holes:
            for a, b, tries in self._parts(first, end):
                if tries < _ENOUGH:
                    self._settle(a)
                    return a, b, tries
        if len(holes) == _HOLES_AT_ONCE:  # the next call looks at those behind
            self._settle(holes[-1][1])
        return None

    def _settle(self, floor: int) -> None:
        """Nothing older will be asked for again."""
        self.floor = floor
        self.tried = [one for one in self.tried if one[1] > floor]

    def _parts(self, first: int, end: int) -> Iterable[tuple[int, int, int]]:
        """[first, end), cut where it was tried more or less often."""
        place = bisect_right(self.tried, first, key=_END)
        for a, b, tries in islice(self.tried, place, None):
            if a >= end:
                break
            if first < b:
                if first < a:
                    yield first, a, 0
                yield max(first, a), min(b, end), tries
                first = b
        if first < end:
            yield first, end, 0


class Backfill:
    """Fetches for one session; see `firmware_protocol.drivers.Backfill`."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._waiting: list[Frame] = []
        self._has_buffer = False
        self._refused = False
        self._status: Status | None = None
        self._packet_bytes = 0
        self._next_head = b""  # how the next packet begins if nothing is missing
        self._rate_hz = 0  # of the stream that is decoded
        self._time_1024 = 0  # of the packet before
        self._remarkable = False  # something may be missing
        self._wanted: _Wanted | None = None
        self._asked: _Asked | None = None
        self._now_ns = self._not_before_ns = 0
        self._pause_ns = FIRST_PAUSE_NS

    def feed(self, frames: Iterable[Frame]) -> None:
        """Be told frames, in order; they are looked at when `next` is called."""
        for frame in frames:
            if isinstance(frame, Notification | Reading) and frame.characteristic in _OURS:
                self._hear(frame)
            elif isinstance(frame, LinkUp | LinkDown):
                self._link_changed(frame)
        if len(self._waiting) >= _MAX_WAITING:
            self._catch_up()

    def next(self) -> Script | None:
        """The script that fetches the oldest of what is missing; None: nothing is, or this is not the time."""
        if not self._remarkable:
            return None
        track = self._catch_up()
        wanted = self._wanted
        if track is None or wanted is None:
            return None
        self._conclude(track, wanted)
        wanted.look(self._now_ns, track.next_index)
        floor = self._oldest_held(track, wanted.floor)
        holes = track.missing.within(floor, track.next_index, _HOLES_AT_ONCE)
        found = wanted.oldest(holes)
        self._remarkable = found is not None or len(holes) == _HOLES_AT_ONCE or not self._in_step(track)
        if found is None or found[0] >= wanted.ripe or not self._may_ask(track, wanted):
            return None
        first, end, tries = found
        return self._fetch(track, wanted, first, min(end, wanted.ripe), tries)

    def _may_ask(self, track: Track, wanted: _Wanted) -> bool:
        flows = track.next_index > wanted.flowing_from
        return self._has_buffer and flows and self._now_ns >= self._not_before_ns

    # What the frames say.

    def _hear(self, frame: Notification | Reading) -> None:
        if frame.characteristic == INFO:
            self._described(frame.data)
        if not self._has_buffer:
            return
        self._waiting.append(frame)
        self._now_ns = frame.t_host_ns
        if frame.characteristic == MOTION:
            self._follow(frame.data)
        elif frame.characteristic == STATUS:
            self._status = _read(Status, frame.data)
        else:
            self._remarkable = True

    def _follow(self, data: bytes) -> None:
        """Whether this packet begins where the one before ended."""
        head, size = data[:_HEAD_BYTES], len(data)
        self._remarkable = self._remarkable or head != self._next_head or size != self._packet_bytes
        self._packet_bytes = size
        if size < MOTION_HEADER_BYTES:
            return
        samples = (size - MOTION_HEADER_BYTES) // _SAMPLE_BYTES.get(head[0] & MotionKind.LAYOUT, size)
        self._next_head = head[:2] + ((int.from_bytes(head[_INDEX], "little") + samples) % 2**32).to_bytes(4, "little")
        time_1024 = int.from_bytes(data[_HEAD_BYTES:MOTION_HEADER_BYTES], "little")
        passed, self._time_1024 = signed_difference(time_1024, self._time_1024, bits=16), time_1024
        self._remarkable = self._remarkable or not is_timely(passed, samples, self._rate_hz)

    def _in_step(self, track: Track) -> bool:
        """Whether the decoder has taken what was followed: a packet whose head is right may be malformed."""
        return self._next_head[_INDEX] == (track.next_index % 2**32).to_bytes(4, "little")

    def _catch_up(self) -> Track | None:
        """Decode what has come; the stream that is followed."""
        frames, self._waiting = self._waiting, []
        self._decoder.feed(frames)
        track = self._decoder.track
        if track is not None and (self._wanted is None or self._wanted.segment != track.segment):
            self._wanted = _Wanted(track.segment, track.segment_from, track.segment_from)
        self._rate_hz = 0 if track is None else track.rate_hz
        return track

    def _described(self, data: bytes) -> None:
        """What the sensor says of itself before anything else: one without a buffer need not be followed."""
        info = _read(Info, data)
        self._set_buffer(info is not None and bool(info.capabilities & Capability.BUFFER) and not self._refused)

    def _set_buffer(self, has_buffer: bool) -> None:
        self._has_buffer = has_buffer
        if not has_buffer:
            self._decoder, self._waiting, self._wanted, self._asked = Decoder(), [], None, None

    def _link_changed(self, frame: LinkUp | LinkDown) -> None:
        """A fetch is broken off; motion has to flow anew before the next, and Status has to be told anew."""
        track, wanted, self._status = self._catch_up(), self._wanted, None
        if track is not None and wanted is not None:
            self._conclude(track, wanted, _BROKEN_OFF)
            wanted.flowing_from = track.next_index
        self._remarkable = True
        if isinstance(frame, LinkUp):
            self._not_before_ns, self._pause_ns = frame.t_host_ns, FIRST_PAUSE_NS

    def _oldest_held(self, track: Track, floor: int) -> int:
        """From where on the sensor may still have samples, as far as its last Status tells."""
        status = self._status
        if status is None or status.stream != track.stream or not status.flags & StatusFlag.HAS_BUFFER:
            return floor
        if signed_difference(status.newest, status.oldest) < -1:
            return floor
        return max(floor, track.next_index + signed_difference(status.oldest, track.next_index))

    # Asking.

    def _fetch(self, track: Track, wanted: _Wanted, first: int, end: int, tries: int) -> Script:
        each = max(1, (self._packet_bytes - MOTION_HEADER_BYTES) // track.sample_bytes)
        # Whole packets: what is said of a packet is then said of the same samples as it would have been live.
        count = min(end - first, max(1, CHUNK_S * track.rate_hz // each) * each)
        wanted.flowing_from = track.next_index
        asked = self._asked = _Asked(track.segment, first, first + count, tries)
        return _exchange(asked, track.stream, ANSWER_S + -(-count // each) / SLOWEST_PACKETS_PER_S)

    def _conclude(self, track: Track, wanted: _Wanted, counts: int = _WHOLE) -> None:
        """What the last fetch came to, and what it counts where nothing came of it."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        answer = asked.answer
        if isinstance(answer, Unsupported):
            self._refused = True
            self._set_buffer(False)
            return
        done = isinstance(answer, FetchDone) and answer.result == Result.OK
        self._leave_alone(done)
        if asked.segment != wanted.segment or (isinstance(answer, FetchDone) and answer.result == Result.BUSY):
            return
        left = track.missing.within(asked.first, asked.end)
        missing = sum(end - first for first, end in left)
        if answer is None and missing < asked.end - asked.first:
            return  # broken off, but some of it came: that was no fault of these samples
        gone = isinstance(answer, FetchDone) and answer.gone >= missing
        wanted.note(asked.first, asked.end, left, _ENOUGH if done and gone else asked.tries + counts)

    def _leave_alone(self, done: bool) -> None:
        if done:
            self._pause_ns = FIRST_PAUSE_NS
            return
        self._not_before_ns = self._now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)


def _exchange(asked: _Asked, stream: int, timeout_s: float) -> Script:
    """Fetch, and wait until the sensor says that it has sent what it has."""
    first = asked.first % 2**32

    def accept(data: bytes) -> bool:
        answer = _answer(data)
        if isinstance(answer, FetchDone):
            return (answer.stream, answer.first) == (stream, first)
        return answer == Unsupported(_FETCH)

    yield Write(CONTROL, Fetch(stream, first, asked.end - asked.first).to_bytes())
    asked.answer = _answer((yield Await(CONTROL, timeout_s=timeout_s, accept=accept)))


def _answer(data: bytes) -> Answer | None:
    try:
        return parse_answer(data)
    except ProtocolError:
        return None


def _read(kind: type[_Reading], data: bytes) -> _Reading | None:
    try:
        return kind.from_bytes(data)
    except ProtocolError:
        return None
