"""The session file: one SQLite file of numbered, checksummed frames. `docs/session-file.md` describes it.

Knows: frames, files, SQLite. Must never know: radios, the posture pipeline, screens. It holds what came in and never
what was made of it.
"""

from companion.recording.closing import close_cut_off_sessions, is_being_recorded, sessions_in
from companion.recording.database import NameTaken
from companion.recording.reader import Recording, open_recording
from companion.recording.writer import RecordingWriter

__all__ = [
    "NameTaken",
    "Recording",
    "RecordingWriter",
    "close_cut_off_sessions",
    "is_being_recorded",
    "open_recording",
    "sessions_in",
]
