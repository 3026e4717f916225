"""Cuts the byte stream of a WitMotion sensor into its frames of 20 bytes.

A frame has the header 0x55 0x61 (motion) or 0x55 0x71 (registers) and no checksum, so where it ends is only seen by
what follows it: the next header, or nothing yet. Other products of WIT have the same header on longer frames with
other contents: the WTVB01 vibration sensor (28 bytes in its manual, 32 in a capture) and the WT901SDCL recorder (28).
So that they are never taken for motion:

* a frame with 8 bytes or more behind it that begin no frame is refused, and the stream is in doubt;
* in doubt, a frame is given out only when the header of the next one has come; a motion frame then ends the doubt;
* fewer bytes between frames are passed over, but not after more than three frames in a row.

A notification that begins with a header begins a frame: half a frame before it is refused. The limit of all this:
where the notifications cut longer frames after their 20th byte (as an ATT MTU of 23 does), the first of a link looks
whole when it arrives and is given out. Pure. Must never know: what the numbers in a frame mean.
"""

import re
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices.decoding import Gathered, Packets

FRAME_BYTES = 20
MOTION, REGISTERS = 0x61, 0x71
FRAME = np.dtype([("header", "u1"), ("kind", "u1"), ("raw", "<i2", (9,))])

LONGER = (
    "These frames are longer than 20 bytes, like those of WIT's vibration sensors (WTVB01, 28 bytes) and recorders: "
    "this is no motion sensor of the WT901 family."
)
NOT_FOLLOWED = "a frame of 20 bytes is followed by bytes that begin no frame"
CUT_SHORT = "a frame is cut short: another begins before its 20th byte"
NO_FRAME = "bytes that begin no frame"

_HEADER = re.compile(rb"\x55[\x61\x71]")
_BEGINNING = re.compile(rb"\x55(?:[\x61\x71]|\Z)")  # a lone 0x55 at the end may become a header
_LONGER_BYTES = 8
_LONGEST_BYTES = 12  # the other products' frames have 8 to 12 bytes more
_IN_DOUBT = 4


class FrameCutter:
    """The stream of one link; state is private. The notifications are judged one after the other, in any runs."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """A new link: nothing is half received, nothing is in doubt."""
        self._waiting = b""  # half a frame; in doubt a whole one
        self._open = 0  # the kind of the frame given out last, until what follows it has come
        self._doubts = 0  # frames since the last that was followed by one; `_IN_DOUBT`: see above

    def cut(self, packets: Packets, gathered: Gathered) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The frames (F,) as `FRAME`, and when the notification arrived that completed each (F,), in nanoseconds.

        A frame that was held in doubt has the arrival of the one that says that it is one: time never runs back.
        """
        frames, counts = _whole_frames(packets.data)
        if counts.all() and not (self._waiting or self._doubts):  # as nearly always
            self._open = int(frames["kind"][-1])
            return frames, np.repeat(np.array(packets.t_host_ns), counts)
        pieces, arrivals = self._with_odd_ones(packets, np.flatnonzero(counts == 0).tolist(), gathered)
        t_host_ns = np.array(arrivals, dtype=np.int64).repeat(_sizes(pieces) // FRAME_BYTES)
        return np.frombuffer(b"".join(pieces), dtype=FRAME), t_host_ns

    def _with_odd_ones(self, packets: Packets, odd: list[int], gathered: Gathered) -> tuple[list[bytes], list[int]]:
        """Pieces of one or more frames each, and when each arrived; `odd` are not made of whole frames."""
        data, times = packets.data, packets.t_host_ns
        pieces: list[bytes] = []
        arrivals: list[int] = []
        place = 0
        for end in [*odd, len(data)]:
            while place < end and (self._waiting or self._doubts):
                self._packet(data[place], times[place], pieces, arrivals, gathered)
                place += 1
            if place < end:
                pieces += data[place:end]
                arrivals += times[place:end]
                self._open = data[end - 1][1 - FRAME_BYTES]
            if end < len(data):
                self._packet(data[end], times[end], pieces, arrivals, gathered)
            place = end + 1
        return pieces, arrivals

    def _packet(self, data: bytes, now_ns: int, pieces: list[bytes], arrivals: list[int], gathered: Gathered) -> None:
        """Any notification: whole frames, half ones, anything else."""
        before = len(self._still_waiting(data, gathered))
        data, place = self._waiting + data, 0
        while True:
            place = self._frame_begins(data, place, gathered)
            end = place + FRAME_BYTES
            if end > len(data):
                break
            follows = _next_beginning(data, end, after_frame=True)
            if follows > end:
                in_pieces = place < before
                go_on = self._not_followed(data, place, follows, in_pieces, gathered)
                if go_on is not None:
                    place = go_on
                    continue
            elif self._doubts >= _IN_DOUBT and len(data) - end < 2:  # nothing follows yet, or a lone 0x55
                break
            pieces.append(data[place:end])
            arrivals.append(now_ns)
            self._open = data[place + 1] if follows == end else 0
            place = end
        self._waiting = data[place:]

    def _still_waiting(self, data: bytes, gathered: Gathered) -> bytes:
        """What of an earlier notification `data` may continue."""
        if 0 < len(self._waiting) < FRAME_BYTES and _HEADER.match(data):
            self._strange(CUT_SHORT, self._waiting, gathered)
            self._waiting = b""
        return self._waiting

    def _frame_begins(self, data: bytes, place: int, gathered: Gathered) -> int:
        """Where a frame begins, or may begin; what comes before it is refused."""
        begins = _next_beginning(data, place, after_frame=self._open != 0)
        if begins > place:
            self._strange(NO_FRAME, data[place:begins], gathered)
        elif self._open and len(data) - place > 1:  # the last frame is followed by a header
            self._doubts = 0 if self._open == MOTION else self._doubts
            self._open = 0
        return begins

    def _strange(self, reason: str, data: bytes, gathered: Gathered) -> None:
        """Refuse bytes that are part of no frame; they may say something of the frame before them."""
        longer = self._open != 0 and self._doubt(len(data))
        self._open = 0
        gathered.refuse(LONGER if longer else reason, [data])

    def _not_followed(self, data: bytes, place: int, follows: int, in_pieces: bool, gathered: Gathered) -> int | None:
        """What looks like a frame is not followed by one: where to go on when it is refused, None when it is taken."""
        end = place + FRAME_BYTES
        if another := _HEADER.search(data, place + 1, end + 1):
            gathered.refuse(CUT_SHORT, [data[place : another.start()]])
            return another.start()
        longer = self._doubt(follows - end)
        if self._doubts < _IN_DOUBT and not in_pieces:  # of what comes in pieces, one may be missing
            return None
        gathered.refuse(LONGER if longer else NOT_FOLLOWED, [data[place:follows]])
        return follows

    def _doubt(self, behind: int) -> bool:
        """So many bytes behind a frame begin none: whether they would make it a frame of another product."""
        self._doubts = _IN_DOUBT if behind >= _LONGER_BYTES else min(self._doubts + 1, _IN_DOUBT)
        return _LONGER_BYTES <= behind <= _LONGEST_BYTES


def _next_beginning(data: bytes, place: int, after_frame: bool) -> int:
    """Where a frame begins, or may begin, at or after `place`; the end of `data` where none does.

    A lone 0x55 may be the last byte of a longer frame, where its others come before it.
    """
    found = _BEGINNING.search(data, place)
    last = len(data) - 1
    if found is None or (found.start() == last and after_frame and len(data) - place >= _LONGER_BYTES):
        return len(data)
    return found.start()


def _whole_frames(data: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The frames (F,) of notifications (P,) of such sizes, and how many each holds; 0: it is not made of frames."""
    sizes = _sizes(data)
    counts = np.where(sizes % FRAME_BYTES == 0, sizes // FRAME_BYTES, 0)
    frames = np.frombuffer(b"".join(compress(data, counts.tolist())), dtype=FRAME)
    headed = (frames["header"] == 0x55) & ((frames["kind"] == MOTION) | (frames["kind"] == REGISTERS))
    if not headed.all():
        sized = np.flatnonzero(counts)
        first = np.cumsum(counts[sized]) - counts[sized]
        counts[sized[~np.logical_and.reduceat(headed, first)]] = 0
    return frames, counts


def _sizes(data: Sequence[bytes]) -> NDArray[np.int64]:
    return np.fromiter(map(len, data), dtype=np.int64, count=len(data))
