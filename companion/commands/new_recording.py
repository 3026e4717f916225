"""A recording that is made at once, not live: every frame of a session, or no file at all.

Knows: frames, the recorder. Must never know: where the frames come from.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from companion.errors import UsageError
from firmware_protocol.frames import Closed, Frame

if TYPE_CHECKING:
    from companion.recording import RecordingWriter


def record(path: Path, frames: Iterable[Frame]) -> int:
    """Write `frames`, the last of which is `Closed`, to a new recording and return how many there were.

    Raises UsageError where something is at `path` already or it cannot be written. Whatever goes wrong, on the side
    of the frames too, nothing is left behind.
    """
    from companion.recording import RecordingWriter

    writer = RecordingWriter.create(path, threaded=False)
    try:
        return _write(writer, frames)
    except BaseException:
        writer.discard()
        raise


def _write(writer: "RecordingWriter", frames: Iterable[Frame]) -> int:
    for number, frame in enumerate(frames):
        if isinstance(frame, Closed):
            _close(writer, frame)
            return number + 1
        if not writer.put(number, frame):
            raise _no_room(writer)
    raise ValueError("the frames of a session end with Closed")


def _close(writer: "RecordingWriter", closed: Closed) -> None:
    """The end, which puts in the count and the hash; all of it must be in the one file."""
    try:
        writer.close(closed)
    except UsageError as error:
        raise _no_room(writer) from error
    if not writer.is_one_file:
        raise _no_room(writer)


def _no_room(writer: "RecordingWriter") -> UsageError:
    why = writer.trouble or "there is no room for all of it"
    return UsageError(f"{writer.path} cannot be written: {why}.", "Make room, then try again.")
