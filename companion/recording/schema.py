"""What a session file is made of: identity, tables, kinds of rows, and the checksum of a row.

Knows: numbers and names that stand in the file; `docs/session-file.md` says the same in words. Must never know: what
frames mean, who writes, who reads. The file holds frames and nothing else: no posture rows, no events.
"""

import struct
import zlib
from typing import Final, TypeAlias

APPLICATION_ID: Final = 0x50535452
"""The letters PSTR, at byte 68 of the file."""

VERSION: Final = 1
"""`user_version`, at byte 60 of the file. A reader refuses a larger one."""

PAGE_BYTES: Final = 4096

SUFFIX: Final = ".posture"
WAL_SUFFIX: Final = "-wal"
SIDE_SUFFIXES: Final = (WAL_SUFFIX, "-shm", "-journal")
"""What SQLite may keep beside a session file while it is open, or after a kill."""

MAX_PAYLOAD_BYTES: Final = 1 << 20
"""Longer payloads are neither written nor believed. A GATT value has at most 512 bytes, a calibration some thousand."""

MAX_FILE_BYTES: Final = 4 << 30
"""More than 24 h of the fastest sensor; a larger file is not opened."""

_COLUMNS = (
    "number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, t_ns INTEGER NOT NULL,"
    " source NOT NULL, payload BLOB NOT NULL, crc INTEGER NOT NULL"
)
TABLES: Final = {name: f"CREATE TABLE {name} ({_COLUMNS})" for name in ("frames", "copies")}
"""`frames` is only ever appended to. `copies` holds `Opened`, `Closed` and names once more, so that no single flipped
byte can take them away; it is a table of its own so that the pages of `frames` stay in the order of time."""

SCHEMA_ROWS: Final = {("table", name, name, sql) for name, sql in TABLES.items()}
"""What `SELECT type, name, tbl_name, sql FROM sqlite_schema` gives for a session file, and nothing else."""

COPY: Final = 64
"""Added to the kind of a row in `copies`, so that a row tells which table it is from."""

NAMED: Final = 127
"""The kind of a row in `copies` that spells out a source once more, with the number of the row that does so first."""

MAX_NAMED: Final = 16
"""So many sources have such a row: with `Opened` they still fit the page in which `copies` begins."""

Row: TypeAlias = tuple[int, int, int, int | str, bytes, int]
"""number, kind, t_ns, source, payload, crc: as they stand in a table."""

MAX_TIME_NS: Final = 1 << 62
"""146 years: a time beyond it, on either side, is neither written nor believed, so that no arithmetic overflows."""

_HEAD = struct.Struct("<qqqqI")
pack_head = _HEAD.pack
"""number, kind, t_ns, number of the source, length of the payload: 36 bytes, little-endian."""

UNSIGNED: Final = 0xFFFFFFFF
"""`crc` is stored as a signed number, which takes one to two bytes less; `crc & UNSIGNED` is the CRC-32."""


def body_of(number: int, kind: int, t_ns: int, source: int | str, payload: bytes) -> bytes:
    """The bytes that the checksum of a row is taken over.

    Raises ValueError, TypeError or struct.error where a value is not of its type or range.
    """
    if isinstance(source, str):
        spelled = source.encode()
        return pack_head(number, kind, t_ns, source_number(source), len(payload)) + spelled + payload
    return pack_head(number, kind, t_ns, source, len(payload)) + payload


def seal(number: int, kind: int, t_ns: int, source: int | str, payload: bytes) -> tuple[Row, bytes]:
    """The row with its checksum, and the bytes it was taken over. Raises as `body_of`."""
    body = body_of(number, kind, t_ns, source, payload)
    crc = zlib.crc32(body)
    return (number, kind, t_ns, source, payload, crc - (1 << 32) if crc >> 31 else crc), body


def body_if_whole(row: Row) -> bytes | None:
    """The bytes under the checksum of a row; None where a value is not of its type or the checksum is not right."""
    try:
        body = body_of(*row[:5])
        return body if zlib.crc32(body) == row[5] & UNSIGNED and len(row[4]) <= MAX_PAYLOAD_BYTES else None
    except (struct.error, TypeError, ValueError):
        return None


def source_number(spelled: str) -> int:
    """The number in a source that is spelled out ("3=0000ffe4-..."); ValueError where there is none."""
    digits, equals, _ = spelled.partition("=")
    if not equals or not digits.isdecimal() or len(digits) > 9:
        raise ValueError("no number stands before the source's name")
    return int(digits)
