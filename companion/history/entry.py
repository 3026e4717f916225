"""What the history has of one recording, and how it tells that a recording has changed: its files' size and time.

Knows: names, sizes and times of files, rows as values. Must never know: SQLite, what is in a recording.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Values = Mapping[str, Any]

_SUFFIX = ".posture"
_BESIDE = ("-wal", "-journal")
"""What belongs to a recording that was not closed in order. The `-shm` file is only an index."""


class Stamp(NamedTuple):
    """Size and time of a recording, with what lies beside it. A recording with the same stamp is the same."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording: its rows by table and column, or why it cannot be read."""

    file: str  # its name in the directory of sessions
    stamp: Stamp
    closed: bool
    damage_s: float | None = None  # seconds that could not be read; None: none
    error: str | None = None
    rows: Mapping[str, Sequence[Values]] = field(default_factory=dict)

    @property
    def of_file(self) -> dict[str, Any]:
        """What is known of the file itself, by column."""
        return {
            "file": self.file,
            "size": self.stamp.size,
            "mtime_ns": self.stamp.mtime_ns,
            "closed": int(self.closed),
            "damage_s": self.damage_s,
            "error": self.error,
        }


def stamps_in(directory: Path) -> dict[str, Stamp]:
    """The recordings in a directory by name; none where it does not exist or cannot be read."""
    found: dict[str, os.stat_result] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith((_SUFFIX, *(_SUFFIX + suffix for suffix in _BESIDE))):
                    _look(entry, found)
    except OSError:
        return {}
    return {name: _stamp([found.get(name + suffix) for suffix in ("", *_BESIDE)]) for name in found if _is_main(name)}


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of one recording; None where it is gone."""
    statuses: list[os.stat_result | None] = []
    for suffix in ("", *_BESIDE):
        try:
            statuses.append(path.with_name(path.name + suffix).stat())
        except OSError:
            statuses.append(None)
    return None if statuses[0] is None else _stamp(statuses)


def _look(entry: "os.DirEntry[str]", found: dict[str, os.stat_result]) -> None:
    try:
        if entry.is_file():
            found[entry.name] = entry.stat()
    except OSError:
        pass  # gone meanwhile


def _is_main(name: str) -> bool:
    return name.endswith(_SUFFIX) and name != _SUFFIX


def _stamp(statuses: Sequence[os.stat_result | None]) -> Stamp:
    known = [status for status in statuses if status is not None]
    return Stamp(sum(status.st_size for status in known), max(status.st_mtime_ns for status in known))
