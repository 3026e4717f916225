"""Files with holes: which parts of a file hold anything, and a copy that does not write the holes out.

Knows: files. Must never know: what is in them. A hole of four gigabytes costs its maker nothing, and must not cost us
anything either.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_SEEK_DATA: Final = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE: Final = getattr(os, "SEEK_HOLE", None)
_PIECE_BYTES: Final = 1 << 20


def next_data(file: BinaryIO, offset: int) -> int | None:
    """Where the next byte at or after `offset` is that is in no hole; None where there is none to the end.

    A system that knows of no holes says `offset`, up to the end of the file.
    """
    if _SEEK_DATA is None:
        return offset if offset < os.fstat(file.fileno()).st_size else None
    try:
        return os.lseek(file.fileno(), offset, _SEEK_DATA)
    except OSError:  # behind the last of it
        return None


def _next_hole(file: BinaryIO, offset: int, size: int) -> int:
    if _SEEK_HOLE is None:
        return size
    try:
        return min(os.lseek(file.fileno(), offset, _SEEK_HOLE), size)
    except OSError:
        return size


def _filled_parts(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    at = next_data(file, 0)
    while at is not None and at < size:
        end = _next_hole(file, at, size)
        yield at, end
        at = next_data(file, end)


def copy_file(source: Path, target: Path, at_most: int | None = None) -> None:
    """Copy a file, or the first `at_most` bytes of it, to a new one; holes stay holes. Raises OSError."""
    with source.open("rb") as read, target.open("wb") as written:
        size = os.fstat(read.fileno()).st_size
        size = size if at_most is None else min(size, at_most)
        for begin, end in _filled_parts(read, size):
            read.seek(begin)
            written.seek(begin)
            for at in range(begin, end, _PIECE_BYTES):
                written.write(read.read(min(_PIECE_BYTES, end - at)))
        written.truncate(size)
