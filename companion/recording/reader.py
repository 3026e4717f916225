"""Reading a session file: every row checked, damage skipped and named, the file itself never touched.

Knows: files, rows, frames; asks a device's driver for samples. Must never know: who shows or computes anything.

A file without damage is read through SQLite, row after row. At the first doubt the rest comes from `salvage`, which
believes nothing but the checksum of each row.
"""

import shutil
import sqlite3
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from companion.errors import NotARecording, RecordingError
from companion.recording.codec import CLOSED, COPY_OF_CLOSED, COPY_OF_OPENED, OPENED, RowError, frame_of
from companion.recording.identity import require_recording
from companion.recording.query import Query, reading
from companion.recording.salvage import Salvaged, salvage
from companion.recording.schema import NAMED, Row, body_if_whole
from companion.recording.sequence import Damage, Pass
from companion.recording.snapshot import Snapshot, take_snapshot
from companion.recording.versions import Upgrade, upgrade_from
from firmware_protocol.frames import Closed, Frame, Opened

if TYPE_CHECKING:
    import numpy.typing as npt

_RUN_FRAMES: Final = 8192
_DOUBT: Final = (sqlite3.Error, RowError, UnicodeDecodeError, OSError)
"""UnicodeDecodeError: sqlite3 could not decode its own error message, which quoted damaged bytes."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a session ends: the number after its last good frame, that frame's time, the hash over all of them."""

    next_number: int
    t_host_ns: int
    t_ns: int  # the same time, since the opening
    digest: bytes


@dataclass(frozen=True, slots=True)
class Checked:
    """What the session's own figures say once all of it was read."""

    count: int
    """Frames that could be read."""
    closed: Closed | None
    """The end, where the session has one."""
    is_counted: bool
    """Whether the end tells as many frames as came before it, and is the last."""
    is_hashed: bool
    """Whether the hash over all frames is the one that the end tells."""
    is_sound: bool
    """Whether SQLite, which keeps the frames, finds its own pages whole, and both copies of first and last frame."""


def open_recording(path: Path | str) -> "Recording":
    """Open a session file, closed, cut off or still being written; what is read is its state at this moment.

    Raises NotARecording where there is no such file or it cannot be used, UnsupportedVersion for a newer version's.
    """
    path = Path(path)
    version = require_recording(path)
    try:
        snapshot = take_snapshot(path)
    except (OSError, sqlite3.Error) as error:
        raise NotARecording(f"{path} cannot be read: {error}.") from error
    return Recording(path, snapshot, upgrade_from(version))


class Recording:
    """A session file, open for reading. May be used in a `with` block; forgetting to close it leaves nothing behind."""

    def __init__(self, path: Path, snapshot: Snapshot, upgrade: Upgrade | None) -> None:
        """Use `open_recording`. Raises NotARecording where the file holds no opening frame."""
        self.path = path
        self.damage: list[Damage] = []
        """(from_s, to_s, reason) in session seconds of what the latest call of `frames` could not read."""
        self.frame_count = 0
        """The number after that of the last frame: how many there are, where none is missing."""
        self._snapshot = snapshot
        self._upgrade = upgrade
        self._salvaged: Salvaged | None = None
        self._closed_row: Row | None = None
        self._is_doubted = False  # SQLite could not read it; a -wal that ends in the middle of a commit is no doubt
        self._tidy = weakref.finalize(self, _remove, snapshot.directory)
        try:
            self.header: Opened = self._look()
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether the session was ended in order; False: it is still open, or was cut off."""
        return self._closed_row is not None

    def frames(self) -> Iterator[Frame]:
        """All frames in the order of their numbers, frame 0 included, each checked against its checksum.

        What cannot be read is skipped and noted in `damage`, which begins anew with each call.
        """
        return chain.from_iterable(self.runs())

    def runs(self) -> Iterator[list[Frame]]:
        """The same frames, many at a time, as they are read: for who takes a whole night."""
        self.damage = []
        return self._runs(Pass(self.header.t_host_ns, self.damage, self._upgrade))

    def samples(self) -> "npt.NDArray[Any]":
        """`SAMPLES` in the order of arrival, decoded by the driver that the header names.

        Raises RecordingError where that driver is not installed.
        """
        from firmware_protocol.drivers import driver

        try:
            decoder = driver(self.header.driver).new_decoder()
        except KeyError as error:
            raise RecordingError(
                f"{self.path} needs the driver {self.header.driver!r}, which is not installed.",
                "`posture devices` lists the drivers.",
            ) from error
        return decoder.feed(self.frames()).samples

    def end(self) -> End:
        """Read to the end. `damage` says afterwards what could not be read."""
        self.damage = []
        all_rows = Pass(self.header.t_host_ns, self.damage, self._upgrade)
        for _ in self._runs(all_rows):
            pass
        t_ns = all_rows.t_ns
        return End(all_rows.next_number, self.header.t_host_ns + t_ns, t_ns, all_rows.digest)

    def checked(self, advance: Callable[[int], object]) -> Checked:
        """Read to the end, everything that can be checked checked; `advance` is told how many frames were read.

        `damage` says afterwards what could not be read.
        """
        self.damage = []
        state, count = Pass(self.header.t_host_ns, self.damage, self._upgrade), 0
        for run in self._runs(state):
            count += len(run)
            advance(len(run))
        closed = state.closed
        is_counted = closed is not None and closed.count + 1 == state.next_number == count
        is_hashed = closed is not None and closed.hash == state.digest_before_closed
        return Checked(count, closed, is_counted, is_hashed, not self._is_doubted and self._is_sound())

    def _is_sound(self) -> bool:
        try:
            with reading(self._snapshot.path) as query:
                whole = [row for row in query.copies() if body_if_whole(row) is not None]
                copied = {row[1]: row[0] for row in whole if row[1] != NAMED}
                is_sound = query.is_sound()
        except _DOUBT:
            return False
        expected = {COPY_OF_OPENED: 0}
        if self._closed_row is not None:
            expected[COPY_OF_CLOSED] = self._closed_row[0]
        return is_sound and copied == expected

    def salvaged_rows(self) -> list[Row]:
        """Rows that SQLite may not know of, in order; none where it could read everything."""
        return [] if self._salvaged is None else [row for _, row in sorted(self._salvaged.frames.items())]

    def close(self) -> None:
        """Remove the private copy, where there was one; nothing can be read afterwards."""
        self._tidy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look(self) -> Opened:
        """The header, and whether there is an end; from the rows themselves or else from their copies."""
        if self._snapshot.wal is None:
            with suppress(*_DOUBT), reading(self._snapshot.path) as query:
                return self._look_with(query)
            self._is_doubted = True
        rows = self._salvage().frames
        self.frame_count = max(rows, default=-1) + 1
        self._closed_row = next((row for row in rows.values() if row[1] == CLOSED), None)
        try:
            return _opened(rows[0], self._upgrade)
        except (KeyError, RowError) as error:
            raise NotARecording(f"{self.path} does not hold the beginning of a recording.") from error

    def _look_with(self, query: Query) -> Opened:
        opening, last, ending = query.opening(), query.last(), query.copy_of_closed()
        if opening is None or last is None:
            raise RowError("there is no frame")
        header = _opened(opening, self._upgrade)
        self.frame_count = last[0] + 1
        candidates = ((last, CLOSED), (ending, COPY_OF_CLOSED))
        self._closed_row = next((row for row, kind in candidates if row is not None and _is(row, kind)), None)
        return header

    def _runs(self, state: Pass) -> Iterator[list[Frame]]:
        if self._salvaged is None:
            no_doubt = yield from self._stream(state)
            if no_doubt:
                return
            self._is_doubted = True
        rest = self._from_salvage(state, self._salvage())
        while run := list(islice(rest, _RUN_FRAMES)):
            yield run

    def _stream(self, state: Pass) -> Generator[list[Frame], None, bool]:
        """Frames as SQLite gives them; False where there is doubt and the rest is to be salvaged."""
        run: list[Frame] = []
        try:
            with reading(self._snapshot.path) as query:
                for rows in query.batches():
                    frames = state.frames_until_doubt(rows)
                    run += frames
                    if len(frames) < len(rows):
                        yield run
                        return False
                    if len(run) >= _RUN_FRAMES:
                        yield run
                        run = []
        except _DOUBT:
            yield run
            return False
        yield run
        return self._closed_row is None or state.next_number == self._closed_row[0] + 1

    def _from_salvage(self, state: Pass, found: Salvaged) -> Iterator[Frame]:
        rows = [row for _, row in sorted(found.frames.items())]
        state.learn_names([*rows, *found.names])
        yield from state.frames_over_holes(rows, found.restored)
        if self._closed_row is None and found.share < 1:
            state.note(round(state.t_ns / max(found.share, 0.01)), "the file is cut short; its end is estimated")
        elif self._closed_row is None and self._is_doubted:
            state.note(state.t_ns, "the file is damaged and has no end; frames after this may be missing")
        if found.capped:
            state.note(state.t_ns, "the file is damaged so that reading all of it would take too long")

    def _salvage(self) -> Salvaged:
        if self._salvaged is None:
            try:
                self._salvaged = salvage(self._snapshot.path, self._snapshot.wal)
            except OSError as error:
                raise NotARecording(f"{self.path} cannot be read: {error.strerror}.") from error
        return self._salvaged


def _is(row: Row, kind: int) -> bool:
    return row[1] == kind and body_if_whole(row) is not None


def _opened(row: Row, upgrade: Upgrade | None) -> Opened:
    if not _is(row, OPENED):
        raise RowError("frame 0 is damaged")
    frame = frame_of(OPENED, 0, (row if upgrade is None else upgrade(row))[4])
    assert isinstance(frame, Opened)
    return frame


def _remove(directory: Path | None) -> None:
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
