"""Where the text comes from: one file, a folder, or a .zip that is read in place and never unpacked.

Everything is bounded: how many files are looked at, how long each may be, how long a line. Knows: paths, archives.
Must never know: tables, columns.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from companion import host
from companion.errors import UsageError
from companion.importing.shape import HEAD_BYTES, LONGEST_LINE, encoding_of
from companion.text import printable

Advance = Callable[[float], None]

ENDINGS = frozenset({".csv", ".txt", ".tsv"})
_MOST_FILES = 100
_MOST_ENTRIES = 10_000  # of a folder or an archive, whatever they are
_LONGEST_BYTES = 4 << 30
_BLOCK_CHARS = 1 << 21
_DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # a password
    ValueError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A text file: its name for people, its place in the folder or archive, its length in bytes, how to open it."""

    name: str
    inside: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]

    def head(self) -> bytes:
        """The first bytes."""
        with _told(self.name), self.open() as stream:
            return stream.read(HEAD_BYTES)

    def blocks(self, encoding: str, advance: Advance) -> Iterator[str]:
        """The whole text in blocks that end with a line; raises UsageError where a line is too long."""
        with _told(self.name), self.open() as stream:
            yield from _blocks(self.name, _Counted(stream, self.name, advance), encoding)


def sources(path: Path) -> list[Source]:
    """The text files of a path, in order of their names; raises UsageError where there is none or too many."""
    if path.is_dir():
        found = _of_folder(path)
    elif not host.is_regular_file(path):
        raise UsageError(f"{path} is no file that can be read.", "Name a file, a folder or a .zip.")
    elif zipfile.is_zipfile(path):
        found = _of_archive(path)
    else:
        return [Source(str(path), PurePosixPath(path.name), path.stat().st_size, lambda: path.open("rb"))]
    if not found:
        raise UsageError(f"{path} holds no .csv or .txt file.", "Name the file itself, or another folder.")
    if len(found) > _MOST_FILES:
        raise UsageError(f"{path} holds {len(found)} text files, which is too many.", "Name one file.")
    return sorted(found, key=lambda source: source.name)


def _of_folder(path: Path) -> list[Source]:
    found = []
    for count, each in enumerate(_walk(path, depth=3)):
        if count >= _MOST_ENTRIES:
            raise UsageError(f"{path} holds too many files.", "Name the folder of one recording.")
        inside = PurePosixPath(each.relative_to(path).as_posix())
        if _is_text(inside) and each.is_file():
            found.append(Source(str(inside), inside, each.stat().st_size, lambda each=each: each.open("rb")))  # type: ignore[misc]
    return found


def _walk(path: Path, depth: int) -> Iterator[Path]:
    """Files under a folder; links to folders are not followed."""
    with _told(str(path)):
        entries = sorted(path.iterdir())
    for each in entries:
        if each.is_dir() and not each.is_symlink():
            yield from _walk(each, depth - 1) if depth else ()
        else:
            yield each


def _of_archive(path: Path) -> list[Source]:
    with _told(str(path)), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise UsageError(f"{path} holds too many files.", "Name the archive of one recording.")
    tables = [entry for entry in entries if not entry.is_dir() and _is_text(PurePosixPath(entry.filename))]
    if any(entry.flag_bits & 1 for entry in tables):
        raise UsageError(f"{path} cannot be read: it is encrypted.", "Unpack it, then name the folder.")
    return [_member(path, entry) for entry in tables]


def _member(path: Path, entry: zipfile.ZipInfo) -> Source:
    def opened() -> IO[bytes]:
        with zipfile.ZipFile(path) as archive:  # the member keeps the file open for as long as it needs it
            return archive.open(entry)

    return Source(printable(entry.filename, 80), PurePosixPath(entry.filename), entry.file_size, opened)


def _is_text(inside: PurePosixPath) -> bool:
    """Whether a file may be a table; what a Mac adds to archives is not."""
    hidden = inside.name.startswith(".") or "__MACOSX" in inside.parts
    return not hidden and inside.suffix.lower() in ENDINGS


class _Counted(io.RawIOBase):
    """Bytes on their way: tells how many went, and refuses more than a file may have."""

    def __init__(self, stream: IO[bytes], name: str, advance: Advance) -> None:
        self._stream, self._name, self._advance, self._count = stream, name, advance, 0

    def readable(self) -> bool:
        """It is read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the stream."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        self._advance(len(data))
        if self._count > _LONGEST_BYTES:
            raise UsageError(f"{self._name} has more than {_LONGEST_BYTES >> 30} GB of text.", "Cut it into parts.")
        return len(data)


def _blocks(name: str, raw: io.RawIOBase, encoding: str) -> Iterator[str]:
    text = io.TextIOWrapper(io.BufferedReader(raw, 1 << 18), encoding, errors="replace", newline=None)
    rest = ""
    while piece := text.read(_BLOCK_CHARS):
        end = piece.rfind("\n") + 1
        if end == 0 or max(len(rest), len(piece) - end) > _BLOCK_CHARS:
            if len(rest) + len(piece) > LONGEST_LINE:
                raise too_long(name)
            rest += piece
            continue
        yield rest + piece[:end]
        rest = piece[end:]
        if len(rest) > LONGEST_LINE:
            raise too_long(name)
    if rest:
        yield rest + "\n"


def too_long(name: str) -> UsageError:
    """What is said of a line that no table has."""
    return UsageError(f"{name} cannot be read: a line has more than {LONGEST_LINE} characters.", "Is it a table?")


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What can go wrong with a file, as one sentence."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}.") from error
    except _DAMAGE as error:
        raise UsageError(f"{name} cannot be read: {printable(str(error), 100)}.") from error


def text_of(source: Source, most: int) -> str:
    """The text of a short file, at most so many bytes of it; "" where it is no text."""
    head = source.head()[:most]
    encoding = encoding_of(head)
    return "" if encoding is None else head.decode(encoding, errors="replace")
