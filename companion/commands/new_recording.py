"""A recording that is made at once, not live: every frame of a session, or no file at all.

Knows: frames, the recorder. Must never know: where the frames come from.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from companion.errors import CompanionError, UsageError
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
        with suppress(CompanionError):
            writer.close(Closed(t_host_ns=0, reason="given up", count=0))
        path.unlink(missing_ok=True)
        raise


def _write(writer: "RecordingWriter", frames: Iterable[Frame]) -> int:
    for number, frame in enumerate(frames):
        if isinstance(frame, Closed):
            writer.close(frame)  # which puts in the count and the hash
            return number + 1
        if not writer.put(number, frame):
            raise UsageError(f"{writer.path} cannot be written: {writer.trouble}.", "Make room, then try again.")
    raise ValueError("the frames of a session end with Closed")
