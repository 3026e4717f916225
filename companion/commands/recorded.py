"""A recording run through the session: what `sessions`, `export` and `replay` share.

Knows: recordings, sessions, the settings of this run. Must never know: how anything is printed or written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.commands.options import Shared
from companion.commands.places import places, recording_named
from companion.errors import RecordingError, SettingsError
from companion.settings import Settings
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    import numpy.typing as npt

    from companion.recording import Recording
    from companion.tables.judged import Judged


@dataclass(frozen=True, slots=True)
class Computed:
    """What a recording says, and the ANGLES of each sample if they were asked for."""

    session: "Judged"
    angles: "npt.NDArray[Any]"


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
    view: str = "settled",
    keep_angles: bool = False,
    keep_exposed: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> Computed:
    """Run all frames of a recording through a session; `advance` is told how many frames each time."""
    import numpy as np

    from companion.session import Session
    from companion.tables.judged import Judged

    session = Session(header, view=view, keep_angles=keep_angles, keep_exposed=keep_exposed)
    reports = []
    for piece in recording.runs():
        reports.append(session.feed(piece))
        advance(len(piece))
    last = session.close()
    reports.append(last)
    judged = Judged(
        header=header,
        summary=last.summary or {},
        posture=np.concatenate([report.posture for report in reports]),
        events=tuple(event for report in reports for event in report.events),
        exposed=session.exposed(),
    )
    return Computed(judged, np.concatenate([report.angles for report in reports]))


def trouble(recording: "Recording") -> list[str]:
    """What is wrong with a recording that was read to its end: one sentence each for damage and a missing end."""
    sentences = []
    if recording.damage:
        lost_s = sum(to_s - from_s for from_s, to_s, _ in recording.damage)
        first_s, last_s = recording.damage[0][0], recording.damage[-1][1]
        sentences.append(
            f"{recording.path} is damaged: {lost_s:.1f} s between {first_s:.1f} s and {last_s:.1f} s are missing."
        )
    if not recording.closed:
        sentences.append(f"{recording.path} has no end: it was cut off, or is being recorded now.")
    return sentences
