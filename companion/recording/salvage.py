"""Gets rows out of a session file that SQLite refuses: cut short, or with damaged pages.

Knows: how SQLite lays a row down in a page. Must never know: what frames mean, SQLite itself, the tree of pages. It
only reads, and believes a row for its checksum alone.

It does not follow the tree, nor the list of cells in a page: it looks at every page for the bytes that begin a row of
ours, and takes what the checksum confirms. So a damaged page costs the rows that were hit and no other. An older state
of a page does no harm, because a session's rows are only ever added: the same number is always the same row.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Self

from companion.recording.codec import COPY_OF_CLOSED
from companion.recording.holes import next_data
from companion.recording.schema import COPY, MAX_PAYLOAD_BYTES, NAMED, PAGE_BYTES, Row, body_if_whole, seal

TIME_CAP_S: Final = 120.0

OPENING_WITHIN_BYTES: Final = 1 << 20
"""Both copies of frame 0 are the first that is written. Where neither is found so far, the rest is of no use."""

STRANGE_BYTES: Final = 8 << 20
"""After so much in a row that holds none of our rows (and is not empty), nothing of ours is expected any more."""

_SPARE_OVERFLOW_PAGES: Final = 1_000
_PAGE_OF_COPIES: Final = 2  # counted from 0

_WAL_HEADER_BYTES = 32
_WAL_FRAME_HEADER_BYTES = 24

# The header of a row's record: its own length; 0 (the number is the row's key); kind; t_ns; source (an integer, or a
# text of odd type); payload (a blob: type even and at least 12); crc. One byte says integer of type 1-6, or 0, or 1.
_INTEGER = rb"[\x01-\x06\x08\x09]"
_VARINT = rb"[\x80-\xff]{0,3}[\x00-\x7f]"
_RECORD = re.compile(
    rb"(?=([\x07-\x0d])\x00(%b)(%b)(%b)(%b)(%b))" % (_INTEGER, _INTEGER, _VARINT, _VARINT, _INTEGER), re.DOTALL
)
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


@dataclass(slots=True)
class Salvaged:
    """What a file still holds."""

    frames: dict[int, Row] = field(default_factory=dict)
    """Rows by number."""
    names: list[Row] = field(default_factory=list)
    """Rows of `copies` that spell out a source."""
    restored: set[int] = field(default_factory=set)
    """Numbers of those among `frames` that come from the table `copies`."""
    share: float = 1.0
    """How much of the file is there: less than 1 where it was cut."""
    capped: bool = False
    """Whether the time ran out before all was looked at."""


def salvage(path: Path, wal: Path | None) -> Salvaged:
    """Every whole row in the file and in the `-wal` file beside it. Raises OSError where they cannot be read."""
    found = Salvaged()
    copies: dict[int, Row] = {}
    give_up_s = time.monotonic() + TIME_CAP_S
    with _Pages.opened(path, wal) as pages:
        bytes_left, strange, looked_at = pages.bytes, 0, 0
        for page in pages.all():
            strange += len(page)
            for row in _rows_in(page, pages):
                table = copies if row[1] >= COPY else found.frames
                bytes_left -= 0 if row[0] in table else len(row[4])
                table.setdefault(row[0], row)
                strange = 0
            looked_at += len(page)
            if looked_at > OPENING_WITHIN_BYTES and 0 not in found.frames and 0 not in copies:
                break
            # Several rows may share their overflow pages: ever more payloads out of a small file.
            if time.monotonic() > give_up_s or min(bytes_left, pages.overflow_left, STRANGE_BYTES - strange) < 0:
                found.capped = True
                break
        found.share = pages.share
    for number, row in sorted(copies.items()):
        _, kind, t_ns, source, payload, _ = row
        if kind == NAMED:
            found.names.append(row)
        elif number not in found.frames:
            found.frames[number] = seal(number, kind - COPY, t_ns, source, payload)[0]
            found.restored.add(number)
    return found


class _Pages:
    """The pages of a file, and the newer ones that wait in its `-wal` file."""

    def __init__(self, main: BinaryIO, wal: BinaryIO | None) -> None:
        self._main = main
        self._wal = wal
        header = _read_at(main, 0, 100)
        self.page_bytes = _page_bytes(header)
        self.share = _share(main, int.from_bytes(header[28:32]) * self.page_bytes)
        self._newer = {} if wal is None else self._index_of(wal)
        self.bytes = main.seek(0, os.SEEK_END) + (0 if wal is None else wal.seek(0, os.SEEK_END))
        self.overflow_left = 2 * self.bytes // self.page_bytes + _SPARE_OVERFLOW_PAGES
        """How many overflow pages are still looked at: each belongs to one row."""

    @classmethod
    def opened(cls, path: Path, wal: Path | None) -> Self:
        """Open both files for reading; they are closed at the end of a `with` block. Raises OSError."""
        return cls(path.open("rb"), None if wal is None else wal.open("rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._main.close()
        if self._wal is not None:
            self._wal.close()

    def all(self) -> Iterator[bytes]:
        """Every page of both files; the last of each may be cut."""
        yield from _pages_in(self._main, 0, 0, self.page_bytes)
        if self._wal is not None:
            yield from _pages_in(self._wal, _WAL_HEADER_BYTES, _WAL_FRAME_HEADER_BYTES, self.page_bytes)

    def numbered(self, number: int) -> bytes:
        """The newest state of page `number`, counted from 1; empty or short where the file does not have it."""
        self.overflow_left -= 1
        if self.overflow_left < 0:
            return b""
        if self._wal is not None and number in self._newer:
            return _read_at(self._wal, self._newer[number], self.page_bytes)
        return _read_at(self._main, (number - 1) * self.page_bytes, self.page_bytes) if number > 0 else b""

    def _index_of(self, wal: BinaryIO) -> dict[int, int]:
        """Where the newest state of each page begins in the `-wal` file."""
        salt = _read_at(wal, 16, 8)
        step = _WAL_FRAME_HEADER_BYTES + self.page_bytes
        newest = {}
        at = _WAL_HEADER_BYTES
        while len(head := _read_at(wal, at, _WAL_FRAME_HEADER_BYTES)) == _WAL_FRAME_HEADER_BYTES:
            if head[8:16] == salt:
                newest[int.from_bytes(head[:4])] = at + _WAL_FRAME_HEADER_BYTES
            at += step
        return newest


def _page_bytes(header: bytes) -> int:
    said = int.from_bytes(header[16:18])
    said = 65536 if said == 1 else said
    return said if 512 <= said <= 65536 and said & (said - 1) == 0 else PAGE_BYTES


def _share(main: BinaryIO, full_bytes: int) -> float:
    bytes_here = main.seek(0, os.SEEK_END)
    return min(bytes_here / full_bytes, 1.0) if full_bytes else 1.0


def _read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _pages_in(file: BinaryIO, begin: int, gap: int, page_bytes: int) -> Iterator[bytes]:
    step = page_bytes + gap
    at = begin + gap
    while page := _read_at(file, at, page_bytes):
        if page.count(0) < len(page):
            yield page
            at += step
            continue
        data = next_data(file, at)
        if data is None:
            return
        at += max(step, (data - at) // step * step)


def _rows_in(page: bytes, pages: _Pages) -> Iterator[Row]:
    for match in _RECORD.finditer(page):
        row = _row_at(page, match, pages)
        if row is not None and body_if_whole(row) is not None:
            yield row


def _row_at(page: bytes, match: re.Match[bytes], pages: _Pages) -> Row | None:
    """The row whose record seems to begin at `match`; None where it cannot be one. No checksum is looked at yet."""
    begin = match.start()
    header_bytes = match[1][0]
    source_type, payload_type = _varint(match[4]), _varint(match[5])
    if header_bytes != match.end(6) - begin or payload_type < 12 or payload_type % 2:
        return None
    if source_type > 9 and (source_type < 13 or source_type % 2 == 0):
        return None
    types = (match[2][0], match[3][0], source_type, payload_type, match[6][0])
    sizes = [_INTEGER_BYTES[t] if t <= 9 else (t - 12) // 2 for t in types]
    record = _record(page, begin, header_bytes + sum(sizes), pages)
    if record is None:
        return None
    values: list[int | bytes] = []
    at = header_bytes
    for serial_type, size in zip(types, sizes, strict=True):
        values.append(_value(serial_type, record[at : at + size]))
        at += size
    return _typed(_number_before(page, begin), values)


def _typed(number: int, values: list[int | bytes]) -> Row | None:
    kind, t_ns, source, payload, crc = values
    try:
        named = source.decode() if isinstance(source, bytes) else source
    except UnicodeDecodeError:
        return None
    return number, kind, t_ns, named, payload, crc  # type: ignore[return-value]  # the pattern fixed the types


def _varint(data: bytes) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def _value(serial_type: int, data: bytes) -> int | bytes:
    if serial_type > 9:
        return data
    return serial_type - 8 if serial_type >= 8 else int.from_bytes(data, signed=True)


def _number_before(page: bytes, begin: int) -> int:
    """The key that ends just before a record: a varint, read backwards."""
    first = begin - 1
    while first > 0 and begin - first < 8 and page[first - 1] & 0x80:
        first -= 1
    return _varint(page[max(first, 0) : begin])


def _record(page: bytes, begin: int, length: int, pages: _Pages) -> bytes | None:
    """The bytes of a record, put together from its overflow pages where it has some; None where they are not there."""
    if length > MAX_PAYLOAD_BYTES + 4096:
        return None
    local = _local_bytes(length, pages.page_bytes)
    here = page[begin : begin + local]
    if len(here) < local:
        return None
    if local == length:
        return here
    parts, left = [here], length - local
    following = page[begin + local : begin + local + 4]
    while left > 0:
        overflow = pages.numbered(int.from_bytes(following))
        part = overflow[4 : 4 + min(left, pages.page_bytes - 4)]
        if not part:
            return None
        parts.append(part)
        left -= len(part)
        following = overflow[:4]
    return b"".join(parts)


def _local_bytes(length: int, page_bytes: int) -> int:
    """How much of a record stands in its leaf page (SQLite's file format, "cell payload overflow pages")."""
    most = page_bytes - 35
    if length <= most:
        return length
    least = (page_bytes - 12) * 32 // 255 - 23
    wanted = least + (length - least) % (page_bytes - 4)
    return wanted if wanted <= most else least


def has_end(path: Path) -> bool:
    """Whether the copy of `Closed` stands where it usually does: True is the truth, False asks for a slower look.

    Raises OSError.
    """
    with path.open("rb") as main:
        copies = _read_at(main, _PAGE_OF_COPIES * PAGE_BYTES, PAGE_BYTES)
        return any(row[1] == COPY_OF_CLOSED for row in _rows_in(copies, _Pages(main, None)))
