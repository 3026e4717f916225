"""The recorder: takes numbered frames from the radio's thread and makes them durable once a second.

Knows: frames, rows, the session's database, a thread. Must never know: radios, what bytes mean, the pipeline.

`put` only turns a frame into a row and lays it down in bounded memory. A thread of the recorder's own does everything
that can wait for a disk. A row leaves memory only when it is durable, so a full disk loses nothing while there is room.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from companion.errors import UsageError
from companion.recording.database import Database, leftovers
from companion.recording.schema import Row
from companion.recording.scribe import FrameError, Scribe
from firmware_protocol.frames import Closed, Frame

COMMIT_AFTER_S: Final = 0.5
"""The oldest row waits no longer than this, so that a kill takes less than a second, counted back to the latest packet
that could be kept: the commit itself and the quarter of a second between two packets come on top."""

RETRY_AFTER_S: Final = 1.0
RECONNECT_AFTER_FAILURES: Final = 3
CLOSE_PATIENCE_S: Final = 5.0

MAX_WAITING_ROWS: Final = 60 * 200  # 60 s of the fastest sensor
MAX_WAITING_BYTES: Final = 32 << 20

BULK_ROWS: Final = 5_000
BULK_BYTES: Final = 8 << 20
"""What makes one transaction where nothing is live: so many rows or bytes, whichever comes first."""

_log = logging.getLogger(__name__)


class RecordingWriter:
    """Writes one session file. `put` is for one thread at a time; `close` for any."""

    def __init__(self, database: Database, on_trouble: Callable[[str], None] | None, threaded: bool) -> None:
        self._database = database
        self._on_trouble = on_trouble
        self._threaded = threaded
        self._scribe = Scribe()
        self._wake = threading.Condition()
        self._waiting: list[Row] = []
        self._waiting_bytes = 0
        self._due_s: float | None = None  # when the waiting rows must be written; None: none wait
        self._stopping = False
        self._closed = False
        self._failures = 0
        self._thread: threading.Thread | None = None
        self._copies: list[Row] = []  # rows of the table `copies` that are not durable yet
        self._refused: set[str] = set()
        self.trouble: str | None = None
        """Why rows cannot be written just now; None while they can."""
        self.committed = 0
        """All frames with a smaller number are durable."""

    @classmethod
    def create(cls, path: Path, *, on_trouble: Callable[[str], None] | None = None, threaded: bool = True) -> Self:
        """A new session file at `path`, mode 0600; its directory must exist.

        `on_trouble(reason)` is called once when rows cannot be written, and again only after they could be: from the
        recorder's thread, or for frame 0 from the caller's. With `threaded=False` there is no thread: `put` writes
        large transactions itself, for sessions that are not live. Raises NameTaken or another UsageError, and then
        leaves nothing behind.
        """
        return cls(Database.create(path), on_trouble, threaded)

    @property
    def path(self) -> Path:
        """The session file."""
        return self._database.path

    def put(self, number: int, frame: Frame) -> bool:
        """Take a frame; never waits for the disk and never raises. False: there is no room, the frame is not taken.

        Only frame 0 (`Opened`) is written before this returns, so that a killed session can always be recognised.
        """
        try:
            with self._wake:
                taken = self._take(number, frame)
        except FrameError as error:
            self._refuse(str(error))
            return False
        if taken and number == 0:
            self._begin()
        elif taken and not self._threaded and self._is_bulk():
            self._commit()
        return taken

    def close(self, closed: Closed) -> None:
        """Write what waits and `closed` with number and running hash, and make the session one file.

        A session without any frame is removed. Later calls do nothing. Raises UsageError where the disk takes nothing
        for 5 s: what was durable stays, and the next start closes the session.
        """
        with self._wake:
            if self._closed:
                return
            self._closed = self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        if self._scribe.next_number == 0:
            self._database.remove()
            return
        self._write_to_the_end(closed)
        self._database.finish()

    def discard(self) -> None:
        """Give up: the file goes, and what lies beside it. Also where it could not be closed."""
        with self._wake:
            self._closed = self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        self._database.remove()

    @property
    def is_one_file(self) -> bool:
        """Whether nothing lies beside the file: after `close`, that there was room to bring everything into it."""
        return not leftovers(self.path)

    def _take(self, number: int, frame: Frame) -> bool:
        if self._stopping or len(self._waiting) >= MAX_WAITING_ROWS or self._waiting_bytes >= MAX_WAITING_BYTES:
            return False
        row = self._scribe.row(number, frame)
        if number == 0:
            self._copies.append(self._scribe.copy_of_opened(row))
        self._copies += self._scribe.copies_of_names()
        self._waiting.append(row)
        self._waiting_bytes += len(row[4])
        if self._due_s is None:
            self._due_s = time.monotonic() + COMMIT_AFTER_S
            self._wake.notify()
        return True

    def _is_bulk(self) -> bool:
        """Whether it is time for a large transaction; while the disk takes nothing, only now and then."""
        if self._failures:
            return len(self._waiting) % 1_000 == 0
        return len(self._waiting) >= BULK_ROWS or self._waiting_bytes >= BULK_BYTES

    def _begin(self) -> None:
        self._commit()
        if self._threaded:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._wait_until_due():
            self._commit()

    def _wait_until_due(self) -> bool:
        """Sleep until rows must be written; False at the end. While nothing waits, nothing wakes up."""
        with self._wake:
            while not self._stopping:
                left_s = None if self._due_s is None else self._due_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return True
                self._wake.wait(left_s)
            return False

    def _commit(self) -> bool:
        """Make what waits durable. On failure everything stays where it is and the next try is a second later."""
        with self._wake:
            batch, copies = list(self._waiting), list(self._copies)
            self._due_s = None
        try:
            if self._failures >= RECONNECT_AFTER_FAILURES:
                self._database.reconnect()
            self._database.append(batch, copies)
        except (sqlite3.Error, OSError) as error:
            self._failed(str(error))
            return False
        self._written(batch, len(copies))
        return True

    def _written(self, batch: list[Row], copies: int) -> None:
        with self._wake:
            del self._waiting[: len(batch)]
            del self._copies[:copies]
            self._waiting_bytes -= sum(len(row[4]) for row in batch)
            if batch:
                self.committed = batch[-1][0] + 1
            self._failures = 0
            self.trouble = None

    def _failed(self, reason: str) -> None:
        with self._wake:
            self._due_s = time.monotonic() + RETRY_AFTER_S
            self._failures += 1
            is_new = self.trouble is None
            self.trouble = reason
        if is_new:
            self._tell(reason)

    def _refuse(self, reason: str) -> None:
        """A frame that no file can hold is a mistake in a program: told once for each kind of mistake."""
        if reason not in self._refused and len(self._refused) < 100:
            self._refused.add(reason)
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        _log.warning("the recorder: %s", reason)
        if self._on_trouble is None:
            return
        try:
            self._on_trouble(reason)
        except Exception:  # whoever listens must not be able to stop the recording
            _log.exception("the listener for the recorder's trouble failed")

    def _write_to_the_end(self, closed: Closed) -> None:
        _, row, copy = self._scribe.last_rows(closed)
        self._waiting.append(row)
        self._waiting_bytes += len(row[4])
        self._copies.append(copy)
        give_up_s = time.monotonic() + CLOSE_PATIENCE_S
        while not self._commit():
            if time.monotonic() > give_up_s:
                self._database.close()
                raise UsageError(
                    f"the last {len(self._waiting)} frames could not be written to {self.path}: {self.trouble}.",
                    "What came before is safe: make room, and the next start closes the recording.",
                )
            time.sleep(0.2)
