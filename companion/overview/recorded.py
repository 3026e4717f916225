"""What a report is made from: a judged session, and what its recording says beside rows and events.

Pure. Knows: judged sessions, calibrations. Must never know: files, how anything was computed.
"""

from dataclasses import dataclass
from datetime import date

from companion.posture.calibration import Calibration
from companion.tables.judged import Judged, Part


class NothingRecorded(ValueError):
    """No session lies on the days that were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One session. The calibration and the limits are those in force at its end."""

    judged: Judged
    calibration: Calibration | None
    range_deg: float  # what 100 % of slouch is
    limit_deg: float  # the deviation along the slouch from which a posture counts as forward
    limit_sagittal_deg: float | None  # the sagittal angle there; None: no calibration, or a slouch to one side
    damage: tuple[tuple[float, float, str], ...] = ()  # from_s, to_s, reason
    closed: bool = True
    is_recovered: bool = False  # it was cut off, and got its end from a later start
    clock_steps: tuple[tuple[float, float], ...] = ()  # t_s, by how many seconds the wall clock was set forward
    changed_settings: tuple[tuple[str, str], ...] = ()  # in place of the recording's own


@dataclass(frozen=True, slots=True)
class Piece:
    """What a report has of a session: all of it, or one stretch of its days."""

    recorded: Recorded
    parts: tuple[Part, ...]  # by local days, one after the other

    @property
    def span(self) -> Part:
        """All parts as one."""
        return Part(self.parts[0].session, self.parts[0].day, self.parts[0].first, self.parts[-1].end)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the session is left out."""
        return self.span.first == 0 and self.span.end == len(self.recorded.judged.posture)


def piece_of(recorded: Recorded, first_day: date, last_day: date) -> Piece | None:
    """What of a session lies on the days from `first_day` to `last_day` of its own zone; None: nothing."""
    parts = tuple(part for part in recorded.judged.days() if first_day <= part.day <= last_day)
    return Piece(recorded, parts) if parts else None
