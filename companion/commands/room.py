"""Whether there is room where recordings are kept: looked at now and then, told once each time it grows scarce.

Knows: a directory. Must never know: what is recorded, who is told. Recording goes on for as long as there is any room:
a session that is not recorded would be worse than a full disk, and silence would look like good news.
"""

import shutil
from pathlib import Path
from typing import Final

LEAST_BYTES: Final = 500_000_000
LEAST_SHARE: Final = 0.02
_AGAIN: Final = 1.1  # so much more there must be before it counts as enough again


class Room:
    """Looks at the disk on which `directory` lies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._is_scarce = False

    def trouble(self) -> str:
        """What to tell, where room has become scarce since the last look; else nothing.

        May wait for the disk: not for an event loop's thread.
        """
        try:
            disk = shutil.disk_usage(self._directory)
        except OSError:  # the recorder will meet it, and say so
            return ""
        least = max(LEAST_BYTES, LEAST_SHARE * disk.total) * (_AGAIN if self._is_scarce else 1)
        was_scarce, self._is_scarce = self._is_scarce, disk.free < least
        if was_scarce or not self._is_scarce:
            return ""
        return f"{LITTLE_ROOM}: {disk.free / 1e6:.0f} MB are free on its disk"


LITTLE_ROOM: Final = "little room is left for the recording"
"""How the sentence begins; it is recorded, so that a replay tells it too."""
