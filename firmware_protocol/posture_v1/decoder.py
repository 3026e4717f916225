"""Frames of a posture_v1 sensor to samples: total, vectorised, the same bits however the frames are cut.

Pure. Knows: packets, and through `track` what came before. Must never know: radios, files, the present time.

* What is sampled, and in which scale, is learnt from the answers to Start and Time on Control. Motion of another
  stream or layout is malformed. Started begins a segment; so does a Time answer of a stream that was not known.
* A packet whose `index` and `time` disagree is malformed and changes nothing. The fourth in a row that disagrees,
  where the last three agree with each other, begins a new segment: it is given out; the three before it stay
  malformed, and their samples count as lost. What was said about a packet is thus never taken back.
* Backfilled samples that cannot have been taken yet, by the host's clock, are malformed: a buffer holds the past. Those
  ahead of all that came live are given out, and what is expected live stays what it was.
* A live packet further on than the next expected one: what lies between is lost, exactly. A sample that comes after
  a later one is given out flagged BACKFILLED and is no longer lost; one that had come before is a duplicate.
* What came from the buffer is told as Filled once its FetchDone has come, or nothing more of it can: at another
  stream, or a lost link.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import compress, groupby
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.counters import MISSING_AT_MOST
from firmware_protocol.drivers import Battery, Decoded, Filled, Malformed, Segment
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Frame, LinkDown, Notification, Reading
from firmware_protocol.posture_v1.packets import (
    BATTERY_UNKNOWN,
    CONTROL,
    INFO,
    MOTION,
    MOTION_HEADER,
    MOTION_HEADER_BYTES,
    MOTION_MAX_BYTES,
    STATUS,
    Answer,
    FetchDone,
    Info,
    Layout,
    MotionKind,
    Result,
    Started,
    Status,
    Stopped,
    TimeAnswer,
    motion_fault,
    parse_answer,
)
from firmware_protocol.posture_v1.pieces import Piece, Scale, assemble
from firmware_protocol.posture_v1.track import Place, Track
from firmware_protocol.samples import SampleFlag

_FEW_PACKETS = 6  # up to here one at a time is faster
_MESSAGES = frozenset({CONTROL, STATUS, INFO})
_BACKFILLED = int(MotionKind.BACKFILLED)
_SORT = np.uint8(MotionKind.LAYOUT | MotionKind.BACKFILLED)
_DATA, _TIME = attrgetter("data"), attrgetter("t_host_ns")
_Message: TypeAlias = Status | Info | Answer | Malformed | None


@dataclass(slots=True)
class _Found:
    """What one call of feed has gathered."""

    pieces: list[Piece] = field(default_factory=list)
    batteries: list[Battery] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    lost: int = 0
    duplicates: int = 0
    filled: list[Filled] = field(default_factory=list)

    def decoded(self) -> Decoded:
        return Decoded(
            assemble(self.pieces),
            tuple(self.batteries),
            tuple(self.malformed),
            tuple(self.segments),
            self.lost,
            self.duplicates,
            tuple(self.filled),
        )


class Decoder:
    """Decodes one session of one sensor; state is private."""

    def __init__(self) -> None:
        self._track: Track | None = None
        self._segments = 0
        self._filling: list[tuple[int, int, int]] = []  # segment, first, end: came from the buffer, not yet told

    @property
    def track(self) -> Track | None:
        """The stream that is followed, to be looked at only; None before the first answer that told of one."""
        return self._track

    def feed(self, frames: Iterable[Frame]) -> Decoded:
        """Decode frames in order; never raises on what a sensor sends, and any cut gives the same."""
        found, frames, done = _Found(), list(frames), 0
        # Written for speed: nearly every frame of a night is motion, and these two lines see each of them.
        motion = [type(frame) is Notification and frame.characteristic == MOTION for frame in frames]
        for place in _places_of_false(motion):
            frame = frames[place]
            if isinstance(frame, LinkDown):
                message: _Message | LinkDown = frame
            elif isinstance(frame, Notification | Reading) and frame.characteristic in _MESSAGES:
                message = _message(frame)
            else:
                continue
            if not isinstance(message, Status):  # Status leaves the order of results as it is
                self._motion(list(compress(frames[done:place], motion[done:place])), found)
                done = place
            self._take(message, frame.t_host_ns, found)
        self._motion(list(compress(frames[done:], motion[done:])), found)
        return found.decoded()

    def _take(self, message: _Message | LinkDown, t_host_ns: int, found: _Found) -> None:
        match message:
            case FetchDone() | LinkDown():
                self._tell_filled(t_host_ns, found)
            case Malformed():
                found.malformed.append(message)
            case Status() if message.battery_pct != BATTERY_UNKNOWN:
                found.batteries.append(Battery(float(message.battery_pct), t_host_ns=t_host_ns))
            case Started(result=Result.OK):
                self._begin(message, t_host_ns, found)
            case TimeAnswer(result=Result.OK):
                self._time(message, t_host_ns, found)
            case Stopped(result=Result.OK | Result.NOT_SAMPLING):
                self._tell_filled(t_host_ns, found)
                if self._track is not None and self._track.stream == message.stream:
                    found.lost += self._track.finish(message.newest + 1)

    def _time(self, answer: TimeAnswer, t_host_ns: int, found: _Found) -> None:
        track = self._track
        if answer.layout == Layout.NONE:
            if track is not None and track.ended(answer):
                found.lost += track.finish(answer.index)
            else:
                self._tell_filled(t_host_ns, found)
                self._track = None
        elif track is not None and track.goes_on(answer):
            track.go_on(answer, t_host_ns)
        else:
            self._begin(answer, t_host_ns, found)

    def _tell_filled(self, t_host_ns: int, found: _Found) -> None:
        filling, self._filling = sorted(self._filling), []
        found.filled += [Filled(segment, first, end - first, t_host_ns) for segment, first, end in _joined(filling)]

    def _begin(self, answer: Started | TimeAnswer, t_host_ns: int, found: _Found) -> None:
        self._tell_filled(t_host_ns, found)
        self._track = Track(answer, self._next_segment(answer.rate_hz, found), t_host_ns)

    def _next_segment(self, rate_hz: int, found: _Found) -> int:
        number = self._segments
        self._segments += 1
        found.segments.append(Segment(number, float(rate_hz)))
        return number

    def _motion(self, frames: Sequence[Frame], found: _Found) -> None:
        """Notifications of motion, in runs of one length."""
        packets: list[bytes] = list(map(_DATA, frames))
        t_host_ns: list[int] = list(map(_TIME, frames))
        if len(set(map(len, packets))) == 1:
            self._run(len(packets[0]), packets, t_host_ns, found)
            return
        position = 0
        for length, group in groupby(map(len, packets)):
            end = position + sum(1 for _ in group)
            self._run(length, packets[position:end], t_host_ns[position:end], found)
            position = end

    def _run(self, length: int, packets: Sequence[bytes], t_host_ns: Sequence[int], found: _Found) -> None:
        """Packets of one length: plain ones all at once, the others one at a time."""
        position, window, singly = 0, len(packets), 0
        while position < len(packets):
            if singly or len(packets) - position < _FEW_PACKETS or not self._holds_samples(length):
                self._packet(packets[position], t_host_ns[position], found)
                position, singly = position + 1, max(0, singly - 1)
                continue
            block = packets[position : position + window]
            done = self._plain(block, t_host_ns[position : position + window], found)
            position += done
            window = 2 * window if done == len(block) else max(64, 2 * done)
            # Where plain packets are rare, looking for them costs more than it saves.
            singly = 0 if done == len(block) else 1 if done >= _FEW_PACKETS else 32

    def _holds_samples(self, length: int) -> bool:
        if self._track is None or length > MOTION_MAX_BYTES:
            return False
        samples, rest = divmod(length - MOTION_HEADER_BYTES, self._track.sample_bytes)
        return samples > 0 and not rest

    def _plain(self, packets: Sequence[bytes], t_host_ns: Sequence[int], found: _Found) -> int:
        """Decode the plain packets at the front, all in one; returns how many there are."""
        track = self._track
        if track is None or track.ahead:
            return 0
        array = np.frombuffer(b"".join(packets), dtype=_packet_dtype(len(packets[0]), track.sample_bytes // 2))
        array = array[: _leading((array["stream"] == track.stream) & (array["kind"] & _SORT == track.layout))]
        samples = array["raw"].shape[1]
        index, ticks = track.agreeing(array["index"], array["time_1024"], samples)
        count = len(index)
        if count:
            found.lost += track.accept_all(index, samples)
            track.follow(int(index[-1]), int(ticks[-1]), t_host_ns[count - 1])
            flags = _FLAGS[array["kind"][:count]]
            found.pieces.append(Piece(Scale.of(track), array["raw"][:count], index, ticks, t_host_ns[:count], flags))
        return count

    def _packet(self, data: bytes, t_host_ns: int, found: _Found) -> None:
        track, fault = self._track, self._fault(data)
        if track is None or fault:
            found.malformed.append(Malformed(fault, data))
            return
        kind, _, index_u32, time_1024 = MOTION_HEADER.unpack_from(data)
        backfilled = bool(kind & _BACKFILLED)
        place = track.place(index_u32, time_1024, t_host_ns, backfilled)
        samples = (len(data) - MOTION_HEADER_BYTES) // track.sample_bytes
        if backfilled and place.agrees and not track.may_hold(place.index + samples, t_host_ns):
            found.malformed.append(Malformed("backfilled samples that have not been taken yet", data))
            return
        if not place.agrees:
            if backfilled or not track.doubt(index_u32, time_1024):
                found.malformed.append(Malformed("index and device time disagree", data))
                return
            segment = self._next_segment(track.rate_hz, found)
            place, lost = track.adopt(place, time_1024, t_host_ns, segment)
            found.lost += lost
        self._accept(track, place, data, t_host_ns, found)

    def _fault(self, data: bytes) -> str:
        fault, track = motion_fault(data), self._track
        if fault is not None:
            return str(fault)
        if track is None:
            return "no answer to Start or Time has told what is sampled"
        if data[1] != track.stream:
            return f"stream {data[1]} was not announced, {track.stream} was"
        layout = data[0] & MotionKind.LAYOUT
        return "" if layout == track.layout else f"layout {layout} was not announced, {track.layout} was"

    def _accept(self, track: Track, place: Place, data: bytes, t_host_ns: int, found: _Found) -> None:
        raw = np.frombuffer(data, "<i2", offset=MOTION_HEADER_BYTES).reshape(1, -1, track.sample_bytes // 2)
        end, backfilled = place.index + raw.shape[1], bool(data[0] & _BACKFILLED)
        arrival = track.accept(place.index, end, backfilled)
        found.lost += arrival.lost
        found.duplicates += arrival.duplicates
        if not backfilled:
            track.reassured()
            if arrival.fresh:
                track.follow(place.index, place.ticks, t_host_ns)
        late = SampleFlag.BACKFILLED
        for (first, after), extra in [*((span, late) for span in arrival.late), *((span, 0) for span in arrival.fresh)]:
            if backfilled:
                self._note_filled(track.segment, first, after)
                if len(self._filling) > MISSING_AT_MOST:
                    self._tell_filled(t_host_ns, found)
            skipped, flags = first - place.index, [_FLAGS[data[0]] | extra]
            part = raw[:, skipped : after - place.index]
            found.pieces.append(Piece(Scale.of(track), part, [place.index], [place.ticks], [t_host_ns], flags, skipped))

    def _note_filled(self, segment: int, first: int, end: int) -> None:
        before = self._filling[-1] if self._filling else (segment, first, first)
        if before[0] == segment and before[2] == first:  # as they come from a buffer: in order
            self._filling[-1:] = [(segment, before[1], end)]
        else:
            self._filling.append((segment, first, end))


def _joined(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Spans of a segment in order, those that touch as one."""
    joined = spans[:1]
    for segment, first, end in spans[1:]:
        if joined[-1][0] == segment and joined[-1][2] == first:
            joined[-1] = (segment, joined[-1][1], end)
        else:
            joined.append((segment, first, end))
    return joined


def _message(frame: Notification | Reading) -> _Message:
    """What a frame that is no Motion says."""
    try:
        if frame.characteristic == STATUS:
            return Status.from_bytes(frame.data)
        if frame.characteristic == INFO:
            return Info.from_bytes(frame.data)
        return parse_answer(frame.data) if isinstance(frame, Notification) else None
    except ProtocolError as error:
        return Malformed(str(error), frame.data)


def _places_of_false(values: list[bool]) -> Iterator[int]:
    """Where few of many are false: `index` passes over the others faster than any loop."""
    place = -1
    with suppress(ValueError):
        while True:
            place = values.index(False, place + 1)
            yield place


def _leading(true: NDArray[np.bool_]) -> int:
    """How many of the first are true."""
    return len(true) if true.all() else int(true.argmin())


@cache
def _packet_dtype(length: int, axes: int) -> np.dtype[Any]:
    samples = (length - MOTION_HEADER_BYTES) // (2 * axes)
    return np.dtype(
        [("kind", "u1"), ("stream", "u1"), ("index", "<u4"), ("time_1024", "<u2"), ("raw", "<i2", (samples, axes))]
    )


def _flags_of(kind: int) -> int:
    pairs = (
        (MotionKind.CLIPPED, SampleFlag.CLIPPED),
        (MotionKind.MOTOR, SampleFlag.MASKED),
        (MotionKind.BACKFILLED, SampleFlag.BACKFILLED),
    )
    return sum(int(flag) for bit, flag in pairs if kind & bit)


_FLAGS = np.array([_flags_of(kind) for kind in range(256)], dtype=np.uint32)
