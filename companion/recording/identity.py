"""Is this file a recording at all? Looked at before SQLite sees it.

Knows: the first hundred bytes of a file. Must never know: rows, frames.
"""

from pathlib import Path
from typing import Final

from companion import host
from companion.errors import NotARecording, UnsupportedVersion
from companion.recording.database import is_open_in_this_process
from companion.recording.schema import APPLICATION_ID, MAX_FILE_BYTES, VERSION

_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\x00"
_WITHOUT_WAL: Final = b"\x01\x01"


def require_recording(path: Path) -> int:
    """The version of a recording.

    Raises NotARecording where there is no file or it is not one of ours, UnsupportedVersion for a newer one.
    """
    if not path.exists():
        raise NotARecording(f"there is no file {path}.", "`posture sessions` lists your recordings.")
    if not host.is_regular_file(path):
        raise NotARecording(f"{path} is no file.")
    if is_open_in_this_process(path):
        return VERSION  # made here; it must not be opened and closed a second time
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise NotARecording(f"{path} cannot be read: {error.strerror}.") from error
    if size > MAX_FILE_BYTES:
        raise NotARecording(f"{path} is larger than any recording.")
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise NotARecording(f"{path} is no recording of this program.")
    version = int.from_bytes(header[60:64])
    _require_ours(path, int.from_bytes(header[68:72]), version)
    return version


def _require_ours(path: Path, application_id: int, version: int) -> None:
    if application_id != APPLICATION_ID or version < 1:
        raise NotARecording(f"{path} is an SQLite file, but no recording of this program.")
    if version > VERSION:
        raise UnsupportedVersion(
            f"{path} was recorded by a newer version of this program (format {version}).",
            "Update the program to read it.",
        )


def uses_wal(path: Path) -> bool:
    """Whether what stands beside a file in a `-wal` belongs to it: not where its header says that it has none.

    A session has that header only before its first frame, and after its end. Raises OSError.
    """
    with path.open("rb") as file:
        return file.read(20)[18:20] != _WITHOUT_WAL
