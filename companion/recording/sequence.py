"""One pass over the rows of a session in the order of their numbers: frames out, damage noted, all of it checked.

Knows: rows and frames. Must never know: SQLite, files.
"""

import hashlib
import struct
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import compress, pairwise
from operator import add
from typing import Final, TypeAlias
from zlib import crc32

from companion.recording.codec import BYTES_KINDS, KINDS, RowError, frame_of
from companion.recording.schema import MAX_TIME_NS, UNSIGNED, Row, body_if_whole, pack_head, source_number
from companion.recording.versions import Upgrade
from firmware_protocol.frames import Closed, Frame, Notification, Tick, notifications

Damage: TypeAlias = tuple[float, float, str]
"""From and to in seconds since the session's opening, and the reason."""

_NOTIFICATION: Final = KINDS[Notification]
_COMMON: Final = frozenset({_NOTIFICATION, KINDS[Tick]})


class Pass:
    """The state of one reading: which number is due, what the sources are called, the running hash, the damage."""

    def __init__(self, t_opened_ns: int, damage: list[Damage], upgrade: Upgrade | None = None) -> None:
        self._t_opened_ns = t_opened_ns
        self._damage = damage
        self._upgrade = upgrade  # for rows of an older version
        self._names: dict[int | str, str] = {}
        self._hash = hashlib.sha256()
        self._is_complete = True
        self._detail = ""  # why the latest unreadable row could not be read
        self.closed: Closed | None = None
        """The end of the session, once it was read."""
        self.digest_before_closed = b""
        """The running hash over all good rows before it."""
        self.next_number = 0
        """The number that is due."""
        self.t_ns = 0
        """Time of the latest row that was good, since the opening."""

    @property
    def digest(self) -> bytes:
        """The running hash over all good rows so far."""
        return self._hash.digest()

    def frames_until_doubt(self, rows: Sequence[Row]) -> list[Frame]:
        """The frames of rows up to the first that is not the one due, not whole, or not understood.

        As many frames as rows: there was no doubt. This is the path of a file without damage, and written for speed:
        rows that are neither ticks nor notifications of a known source are few, and go one at a time.
        """
        frames: list[Frame] = []
        rare = [place for place, row in enumerate(rows) if row[1] not in _COMMON or type(row[3]) is not int]
        for first, end in pairwise([-1, *rare, len(rows)]):
            one, others = rows[max(first, 0) : first + 1], rows[first + 1 : end]
            found = self._one_by_one(one)
            if len(found) == len(one):
                found += self._common(others) or self._one_by_one(others)
            frames += found
            if len(found) < end - max(first, 0):
                break
        return frames

    def _common(self, rows: Sequence[Row]) -> list[Frame]:
        """The frames of rows that all are ticks, or notifications of known sources; none at the first doubt."""
        if not rows or self._upgrade is not None:
            return []
        numbers, kinds, times, sources, payloads, crcs = zip(*rows, strict=True)
        if numbers != tuple(range(self.next_number, self.next_number + len(rows))):
            return []
        try:
            heads = map(pack_head, numbers, kinds, times, sources, map(len, payloads))
            bodies = list(map(add, heads, payloads))
            if list(map(crc32, bodies)) != [crc & UNSIGNED for crc in crcs]:
                return []
            t0_ns, names = self._t_opened_ns, self._names
            if not -MAX_TIME_NS < min(times) + t0_ns <= max(times) + t0_ns < MAX_TIME_NS:
                return []
            told = [kind == _NOTIFICATION for kind in kinds]
            packets = compress(zip(times, sources, payloads, strict=True), told)
            made = iter(notifications((t_ns + t0_ns, names[source], data) for t_ns, source, data in packets))
            frames: list[Frame] = [
                next(made) if is_told else Tick(t_host_ns=t_ns + t0_ns)
                for is_told, t_ns in zip(told, times, strict=True)
            ]
        except (struct.error, TypeError, KeyError):
            return []
        self._absorb(bodies)
        self.next_number, self.t_ns = self.next_number + len(rows), times[-1]
        return frames

    def _one_by_one(self, rows: Sequence[Row]) -> list[Frame]:
        """The frames of rows up to the first doubt."""
        frames: list[Frame] = []
        for row in rows:
            try:
                if row[0] != self.next_number:
                    break
                body, frame = self._body(row), self._frame(row)
            except (RowError, struct.error, TypeError):
                break
            if isinstance(frame, Closed):
                self._compare(frame, row[2])
            self._absorb([body])
            frames.append(frame)
            self.next_number, self.t_ns = row[0] + 1, row[2]
        return frames

    def learn_names(self, rows: Iterable[Row]) -> None:
        """Take the names of sources from all rows that spell one out, whatever their place."""
        for row in rows:
            if isinstance(row[3], str):
                self._learn(row[3])

    def frames_over_holes(self, rows: Iterable[Row], from_copies: Container[int]) -> Iterator[Frame]:
        """The frames of rows in rising order of numbers; what is missing between them is noted as damage, and so is
        what had to be read from its copy.
        """
        for row in rows:
            if row[0] < self.next_number:
                continue
            try:
                body, frame = self._body(row), self._frame(row)
            except RowError as error:
                self._detail = str(error)
                continue
            if row[0] > self.next_number:
                self.note_missing(row[0], row[2])
            if isinstance(frame, Closed):
                self._compare(frame, row[2])
            if row[0] in from_copies:
                self._damage.append(
                    (row[2] / 1e9, row[2] / 1e9, f"frame {row[0]} is damaged and was read from its copy")
                )
            self._absorb([body])
            self.next_number, self.t_ns = row[0] + 1, row[2]
            yield frame

    def note_missing(self, until_number: int, t_until_ns: int) -> None:
        """Frames from the one due up to before `until_number` cannot be read."""
        self._is_complete = False
        count = until_number - self.next_number
        reason = f"{count} {'frame is' if count == 1 else 'frames are'} damaged or missing"
        self.note(t_until_ns, f"{reason} ({self._detail})" if self._detail else reason)
        self._detail = ""

    def note(self, t_until_ns: int, reason: str) -> None:
        """Something is not right between the latest good row and `t_until_ns`."""
        self._damage.append((min(self.t_ns, t_until_ns) / 1e9, max(self.t_ns, t_until_ns) / 1e9, reason))

    def _body(self, row: Row) -> bytes:
        body = body_if_whole(row)
        if body is None:
            raise RowError("its checksum is not right")
        return body

    def _frame(self, row: Row) -> Frame:
        _, kind, t_ns, source, payload, _ = row if self._upgrade is None else self._upgrade(row)
        t_host_ns = t_ns + self._t_opened_ns
        if not -MAX_TIME_NS < t_host_ns < MAX_TIME_NS:
            raise RowError("its time is of no clock")
        if isinstance(source, str):
            source = self._learn(source)
        bytes_frame = BYTES_KINDS.get(kind)
        if bytes_frame is None:
            return frame_of(kind, t_host_ns, payload)
        name = self._names.get(source)
        if name is None:
            raise RowError(f"source {source} is spelled out nowhere")
        return bytes_frame(t_host_ns=t_host_ns, characteristic=name, data=payload)

    def _learn(self, spelled: str) -> int:
        number = source_number(spelled)
        self._names.setdefault(number, spelled.partition("=")[2])
        return number

    def _absorb(self, bodies: list[bytes]) -> None:
        self._hash.update(b"".join(bodies))
        bodies.clear()

    def _compare(self, closed: Closed, t_ns: int) -> None:
        """The end of a session says what came before it."""
        self.closed, self.digest_before_closed = closed, self._hash.digest()
        if self._is_complete and closed.hash != self.digest_before_closed:
            self._damage.append((0.0, t_ns / 1e9, "the frames do not add up to the checksum of the whole session"))
