"""One pass over the rows of a session in the order of their numbers: frames out, damage noted, nothing believed unchecked.

Knows: rows and frames. Must never know: SQLite, files.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Final
from zlib import crc32

from companion.recording.codec import BYTES_KINDS, KINDS, Undecodable, frame_of
from companion.recording.schema import UNSIGNED, Row, body_if_whole, pack_head, source_number
from firmware_protocol.frames import Closed, Frame, Notification

Damage = tuple[float, float, str]
"""From and to in seconds since the session's opening, and the reason."""

_NOTIFICATION: Final = KINDS[Notification]


class Pass:
    """The state of one reading: which number is due, what the sources are called, the running hash, the damage."""

    def __init__(self, t_opened_ns: int, damage: list[Damage]) -> None:
        self._t_opened_ns = t_opened_ns
        self._damage = damage
        self._names: dict[int | str, str] = {}
        self._hash = hashlib.sha256()
        self._t_ns = 0
        self.next_number = 0
        """The number that is due."""

    def frames_until_doubt(self, rows: Sequence[Row]) -> tuple[list[Frame], bool]:
        """Frames of rows up to the first that is not the one due, not whole, or not understood; and whether all were
        taken.
        """
        frames: list[Frame] = []
        bodies: list[bytes] = []
        due, names, t_opened_ns = self.next_number, self._names, self._t_opened_ns
        for row in rows:
            number, kind, t_ns, source, payload, crc = row
            if number != due:
                break
            try:
                body = pack_head(number, kind, t_ns, source, len(payload)) + payload  # type: ignore[arg-type]
                if crc32(body) != crc & UNSIGNED:
                    break
                if kind == _NOTIFICATION:
                    frames.append(
                        Notification(t_host_ns=t_ns + t_opened_ns, characteristic=names[source], data=payload)
                    )
                else:
                    frames.append(self._frame(row, self._hash_now(bodies)))
            except (struct.error, TypeError, KeyError):  # a spelled-out source, or a value of the wrong type
                whole = self._with_names(row)
                if whole is None:
                    break
                body, frame = whole
                frames.append(frame)
            except Undecodable:
                break
            bodies.append(body)
            due += 1
            self._t_ns = t_ns
        self._hash_now(bodies)
        self.next_number = due
        return frames, len(frames) == len(rows)
