"""The one place that numbers frames, before the recorder or the session sees them.

Pure: knows frames and two callables. Must never know: bleak, files, threads, what a frame means.

The number is the order. A frame that the recorder has no room for gets no number and is seen by nobody; when
there is room again, a `Dropped` frame says how many went missing, so that recording and session always
agree.

Not thread-safe: call `put` from the radio's thread only. Other threads use `put_threadsafe`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from firmware_protocol.frames import Closed, Dropped, Frame, Opened


class Loop(Protocol):
    """The part of an event loop that another thread may touch."""

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any:
        """Run `callback(*args)` soon in the loop's own thread."""
        ...


class Sequencer:
    """Numbers frames 0, 1, 2, ... and hands each to `take(number, frame)` and then to `session(frame)`.

    `clock` gives the present in nanoseconds on the host's boot-time clock, for the frames that the sequencer
    makes itself. `take` returns False where it has no room; the frame is then dropped and counted.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        take: Callable[[int, Frame], bool],
        session: Callable[[Frame], None],
    ) -> None:
        self._clock = clock
        self._take = take
        self._session = session
        self._next = 0
        self._missing = 0
        self._closed = False

    @property
    def count(self) -> int:
        """How many frames have a number; also the number of the next frame."""
        return self._next

    @property
    def missing(self) -> int:
        """How many frames were dropped and have not been told of yet."""
        return self._missing

    def put(self, frame: Frame) -> None:
        """Number a frame and hand it on; after `close`, pass it over (a radio may speak once more while it
        ends).

        Raises ValueError where the first frame is not `Opened`, or a later one is.
        """
        if self._closed:
            return
        if isinstance(frame, Opened) != (self._next == 0):
            raise ValueError("a session begins with exactly one Opened frame")
        self._tell_missing()
        if self._missing or not self._hand_on(frame):
            self._missing += 1

    def put_threadsafe(self, loop: Loop, frame: Frame) -> None:
        """`put`, from a thread that is not the radio's; `loop` is the radio's. The time stamp is kept."""
        loop.call_soon_threadsafe(self.put, frame)

    def close(self, reason: str) -> Closed:
        """End the session: tell what was dropped, make the `Closed` frame, show it to the session, take no
        more.

        The caller gives the frame to the recorder, which writes it under the number `count`. Where there is
        no room to the very end, `missing` stays above 0.
        """
        self._tell_missing()
        self._closed = True
        closed = Closed(t_host_ns=self._clock(), reason=reason, count=self._next)
        self._session(closed)
        return closed

    def _tell_missing(self) -> None:
        if self._missing and self._hand_on(Dropped(t_host_ns=self._clock(), count=self._missing)):
            self._missing = 0

    def _hand_on(self, frame: Frame) -> bool:
        if not self._take(self._next, frame):
            return False
        self._next += 1
        self._session(frame)
        return True
