"""The versions of the session file, and how a row of an older one is read as one of today's.

Pure. Knows: rows. Must never know: SQLite, files. A version is a promise: what it holds is read by every later program.

To make a new one: raise `VERSION` in `schema.py`, say here what becomes of rows of the version before, and put a
sample of that version into `tests/recording/versions/`, where a test asks for one of each. All versions have the tables
and the checksum of version 1, so that damage is found and rows are saved before anyone asks for the version.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from companion.recording.schema import VERSION, Row

Upgrade: TypeAlias = Callable[[Row], Row]
"""Turns a row whose checksum is right into the one that the version after it would hold, with the old checksum."""

STEPS: Final[Mapping[int, Upgrade]] = {}
"""By version, the step from it to the next; there is one for each version but the latest."""


def upgrade_from(version: int, steps: Mapping[int, Upgrade] = STEPS, latest: int = VERSION) -> Upgrade | None:
    """How rows of `version` become those of the latest; None where they are. KeyError where a step is missing."""
    taken = [steps[each] for each in range(version, latest)]
    if not taken:
        return None

    def upgraded(row: Row) -> Row:
        for step in taken:
            row = step(row)
        return row

    return upgraded
