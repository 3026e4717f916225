"""Turns numbered frames into rows: times from the opening on, sources as small numbers, a running hash.

Pure. Knows: frames and rows. Must never know: SQLite, files, threads, the present time.

A source (the UUID of a characteristic) is spelled out in the first two rows that have it and again once a minute;
every other row holds its number only. So no single damaged row takes more with it than itself.
"""

import hashlib
import struct
from operator import index
from typing import Final

from companion.recording.codec import CLOSED, COPY_OF_OPENED, KINDS, OPENED, payload_of
from companion.recording.schema import COPY, MAX_NAMED, MAX_PAYLOAD_BYTES, MAX_TIME_NS, NAMED, Row, seal
from firmware_protocol.frames import Closed, Frame, Notification, Opened, Reading, Written

SPELL_OUT_EVERY_NS: Final = 60_000_000_000


class FrameError(ValueError):
    """A frame cannot be written: not of its type, too long, or out of order."""


class Scribe:
    """The state that turns frames of one session into rows. Not thread-safe."""

    def __init__(self) -> None:
        self._t_opened_ns = 0
        self._next = 0
        self._sources: dict[str, int] = {}
        self._spelled_ns: dict[str, int] = {}  # when a source was spelled out last; only after the second time
        self._newly_named: list[Row] = []
        self._hash = hashlib.sha256()

    @property
    def next_number(self) -> int:
        """The smallest number that the next frame may have; 0 before the opening."""
        return self._next

    def row(self, number: int, frame: Frame) -> Row:
        """The row of the next frame, whose number must be larger than the one before. Raises FrameError."""
        try:
            return self._row(index(number), frame)
        except (struct.error, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise FrameError(f"a {type(frame).__name__} frame cannot be recorded: {error}") from error

    def copy_of_opened(self, opened: Row) -> Row:
        """The row that stands in `copies` for frame 0."""
        return seal(opened[0], COPY_OF_OPENED, *opened[2:5])[0]

    def copies_of_names(self) -> list[Row]:
        """Rows for `copies` of the sources that were spelled out for the first time since the last call."""
        found, self._newly_named = self._newly_named, []
        return found

    def last_rows(self, closed: Closed) -> tuple[Closed, Row, Row]:
        """`closed` with number and hash filled in, its row, and its row in `copies`. Raises FrameError."""
        number = max(index(closed.count), self._next)
        filled = Closed(t_host_ns=closed.t_host_ns, reason=closed.reason, count=number, hash=self._hash.digest())
        row = self.row(number, filled)
        return filled, row, seal(number, COPY + CLOSED, *row[2:5])[0]

    def _row(self, number: int, frame: Frame) -> Row:
        kind = KINDS[type(frame)]
        begins = self._next == 0
        if number < self._next or not begins == (number == 0) == (kind == OPENED):
            raise ValueError(f"number {number} is out of order")
        payload = payload_of(frame)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"it has {len(payload)} bytes")
        if isinstance(frame, Opened):
            self._t_opened_ns = index(frame.t_host_ns)
        if not -MAX_TIME_NS < index(frame.t_host_ns) < MAX_TIME_NS:
            raise ValueError(f"{frame.t_host_ns} ns is no time of any clock")
        t_ns = index(frame.t_host_ns) - self._t_opened_ns
        source: int | str = 0
        if isinstance(frame, Notification | Reading | Written):
            source = self._source(frame.characteristic, t_ns)
        row, body = seal(number, kind, t_ns, source, payload)
        self._taken(row, body)
        return row

    def _source(self, name: str, t_ns: int) -> int | str:
        if not isinstance(name, str):
            raise TypeError("its characteristic is no text")
        number = self._sources.get(name, len(self._sources) + 1)
        spelled_ns = self._spelled_ns.get(name)
        if spelled_ns is not None and 0 <= t_ns - spelled_ns < SPELL_OUT_EVERY_NS:
            return number
        return f"{number}={name}"

    def _taken(self, row: Row, body: bytes) -> None:
        """Only a row that could be made changes the state."""
        self._next = row[0] + 1
        self._hash.update(body)
        if isinstance(row[3], str):
            name = row[3].partition("=")[2]
            if name in self._sources:
                self._spelled_ns[name] = row[2]
            else:
                self._sources[name] = len(self._sources) + 1
                if len(self._sources) <= MAX_NAMED:
                    self._newly_named.append(seal(row[0], NAMED, row[2], row[3], b"")[0])
