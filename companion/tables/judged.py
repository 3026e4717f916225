"""One session as it was judged, whole or a part of it: what tables, history and report are made of.

Pure. Knows: a session's header, POSTURE rows, events and figures as values; the calendar. Must never know: how they
were computed, where they are kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.posture.events import Event
from companion.posture.exposure import EXPOSED
from companion.posture.rows import ROW_NS
from companion.tables.calendar import day_of, days_between
from firmware_protocol.frames import Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Everything that was computed of one session."""

    header: Opened
    summary: Mapping[str, Any]  # the columns of `sessions`
    posture: npt.NDArray[Any]  # POSTURE (N,), from the session's begin to its end
    events: tuple[Event, ...]
    exposed: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=EXPOSED))  # (N,), or none

    @property
    def duration_ns(self) -> int:
        """The number of rows times 0.2 s."""
        return len(self.posture) * ROW_NS

    def whole(self) -> "Part":
        """All of it, as of the day it began on."""
        return Part(self, day_of(self.header.utc_ns, self.header.zone), 0, len(self.posture))

    def days(self) -> Iterator["Part"]:
        """Its parts by local days of its own zone; a session without rows has one, which is empty."""
        begun_ns = self.header.utc_ns
        first = 0
        for day, _, until_ns in days_between(begun_ns, begun_ns + self.duration_ns, self.header.zone):
            # A row stands for the 0.2 s up to its time; one that midnight falls into belongs to the earlier day.
            end = min(-(-(until_ns - begun_ns) // ROW_NS), len(self.posture))
            if end > first or not len(self.posture):
                yield Part(self, day, first, end)
            first = end

    def row_of(self, event: Event) -> int:
        """The number of the row that an event came with, from 0; before the first and behind the last: that one."""
        last = max(len(self.posture) - 1, 0)
        return min(max(-(-event.t_session_ns // ROW_NS) - 1, 0), last)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `first` up to before `end` of a session, which lie on one local day, or are all of it."""

    session: Judged
    day: date
    first: int
    end: int

    @property
    def t_begin_ns(self) -> int:
        """Session time at which it begins."""
        return self.first * ROW_NS

    @property
    def begin_utc_ns(self) -> int:
        """The instant at which it begins, nanoseconds since 1970."""
        return self.session.header.utc_ns + self.t_begin_ns

    @property
    def posture(self) -> npt.NDArray[Any]:
        """POSTURE rows of this part."""
        return self.session.posture[self.first : self.end]

    @property
    def exposed(self) -> npt.NDArray[Any]:
        """EXPOSED rows of this part, where the session kept them."""
        return self.session.exposed[self.first : self.end]

    @property
    def events(self) -> tuple[Event, ...]:
        """Events at the time of its rows. What happened before the first row belongs to the first part, and what
        closes a session to its last; all to the one part of a session without rows.
        """
        row_of = self.session.row_of
        end = max(self.end, 1) if not len(self.session.posture) else self.end
        return tuple(event for event in self.session.events if self.first <= row_of(event) < end)
