"""How long a session is, without reading all of it where that can be helped.

Knows: session files, SQLite. Must never know: what frames mean.
"""

import sqlite3
from contextlib import suppress

from companion.errors import RecordingError
from companion.recording.database import leftovers
from companion.recording.query import reading
from companion.recording.reader import Recording
from companion.recording.schema import body_if_whole


def length_ns(recording: Recording) -> int:
    """From a session's opening to its last frame.

    That of a session which is one file, and ended, is looked up; any other is read to its end, which notes its damage.
    """
    if recording.closed and not leftovers(recording.path):
        with suppress(sqlite3.Error, OSError, UnicodeDecodeError, RecordingError), reading(recording.path) as query:
            last = query.last()
            if last is not None and body_if_whole(last) is not None:
                return last[2]
    return recording.end().t_ns
