"""A recording run through the session: what `sessions`, `export`, `replay` and others share.

Knows: recordings, sessions, the settings of this run. Must never know: how anything is printed or written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from companion.commands.options import Shared
from companion.commands.places import places, recording_named
from companion.errors import RecordingError, SettingsError
from companion.settings import Settings
from companion.text import printable, printable_path
from firmware_protocol.frames import ClockPair, Closed, Frame, Opened

if TYPE_CHECKING:
    from companion.posture.calibration import Calibration
    from companion.recording import Recording
    from companion.recording.sequence import Damage
    from companion.session import Report
    from companion.tables.judged import Judged
    from companion.tables.samples import SampleTable

_RANGES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Computed:
    """What a recording says."""

    session: "Judged"
    samples: "SampleTable | None" = None  # where they were asked for
    clock_steps: tuple[tuple[float, float], ...] = ()  # t_s, and by how many seconds the computer's clock was set then
    settings: Settings = field(default_factory=Settings)  # in force at the end
    calibration: "Calibration | None" = None  # the same
    end: Closed | None = None  # None: cut off, or open


def opened(shared: Shared, given: Path) -> "Recording":
    """The recording that a user means, open for reading; raises UsageError or RecordingError."""
    from companion.recording import open_recording

    return open_recording(recording_named(places(shared.data_dir), given))


def header_of(recording: "Recording", shared: Shared) -> Opened:
    """The recording's header with the settings of this run in force; raises SettingsError."""
    header = recording.header
    if not shared.settings:
        return header
    try:
        recorded = Settings.from_json(header.settings_json)
    except SettingsError as error:
        raise RecordingError(str(error)) from error
    return replace(header, settings_json=recorded.changed(dict(shared.settings)).to_json())


def computed(
    recording: "Recording",
    header: Opened,
    *,
    keep_samples: bool = False,
    keep_exposed: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> Computed:
    """All of a recording in its settled view; `advance` is told how many frames each time.

    Where something came late, its frames are gone through twice.
    """
    import numpy as np

    from companion.tables import wall_clock
    from companion.tables.judged import Judged
    from companion.views import Keep, settled

    pairs, end = list[ClockPair](), list[Closed]()

    def runs() -> Iterator[list[Frame]]:
        pairs.clear()
        for piece in recording.runs():
            yield piece
            pairs.extend(frame for frame in piece if isinstance(frame, ClockPair))
            end[:] = [frame for frame in piece[-1:] if isinstance(frame, Closed)]
            advance(len(piece))

    found = settled(header, runs, Keep(samples=keep_samples, angles=keep_samples, exposed=keep_exposed))
    session, reports = found.session, found.reports
    judged = Judged(
        header=header,
        summary=found.summary,
        posture=np.concatenate([report.posture for report in reports]),
        events=tuple(event for report in reports for event in report.events),
        exposed=session.exposed(),
    )
    samples = _sample_table(reports, header) if keep_samples else None
    steps, closed = wall_clock.steps(header, pairs), end[0] if end else None
    return Computed(judged, samples, steps, session.settings, session.calibration, closed)


def _sample_table(reports: "Sequence[Report]", header: Opened) -> "SampleTable":
    import numpy as np

    from companion.tables.samples import SampleTable

    samples = np.concatenate([report.samples for report in reports])
    return SampleTable.of(samples, np.concatenate([report.angles for report in reports]), header.t_host_ns)


def trouble(recording: "Recording") -> list[str]:
    """What is wrong with a recording that was read to its end: one sentence each for damage and a missing end."""
    sentences = []
    if recording.damage:
        lost_s = sum(to_s - from_s for from_s, to_s, _ in recording.damage)
        first_s, last_s = recording.damage[0][0], recording.damage[-1][1]
        where = f"{lost_s:.1f} s between {first_s:.1f} s and {last_s:.1f} s are missing{_ranges(recording.damage)}"
        sentences.append(f"{printable_path(recording.path)} is damaged: {where}.")
    if not recording.closed:
        sentences.append(f"{printable_path(recording.path)} has no end: it was cut off, or is being recorded now.")
    return sentences


def _ranges(damage: "Sequence[Damage]") -> str:
    """Each stretch, where there are several; the first ones, where there are many."""
    if len(damage) == 1:
        return ""
    told = ", ".join(f"{from_s:.1f}-{to_s:.1f} s" for from_s, to_s, _ in damage[:_RANGES_TOLD])
    more = f" and {len(damage) - _RANGES_TOLD} more" if len(damage) > _RANGES_TOLD else ""
    return f" ({told}{more})"


def doubtful_times(recording: "Recording", found: Computed) -> list[str]:
    """Why times of day in what is shown may not be what a clock showed: a sentence each."""
    from companion.tables.calendar import is_known_zone

    name, zone, sentences = printable_path(recording.path), found.session.header.zone, []
    if not is_known_zone(zone):
        sentences.append(f"{name} names the time zone {printable(zone)!r}, unknown here: local times are in UTC.")
    if found.clock_steps:
        t_s, step_s = max(found.clock_steps, key=lambda step: abs(step[1]))
        sentences.append(
            f"{name}: the computer's clock was set by {step_s:+.1f} s, seen at {t_s:.1f} s; "
            "times of day go on from the session's start."
        )
    return sentences
