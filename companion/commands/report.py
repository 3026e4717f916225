"""`posture report`: one HTML page of recordings, of a local day, of a week.

Knows: recordings, what a report is made from, the page. Must never know: how a figure is computed, what the page looks
like. A recording is never written to.
"""

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from companion import host
from companion.commands.options import ReportOptions, Shared
from companion.commands.places import absent, close_cut_off, places
from companion.commands.recorded import computed, doubtful_times, header_of, opened, trouble
from companion.errors import RecordingError, UsageError
from companion.tables.calendar import day_of, local, week_text
from companion.text import printable_path

if TYPE_CHECKING:
    from companion.overview import Recorded
    from companion.recording import Recording

RECOVERED = "recovered"
"""Why a session ended that got its end from a later start."""

_SUFFIXES = ("", ".html", ".htm")

_PAGE_FRAMES = 60_000
"""For the progress bar: the page takes about as long as so many frames, however many there are."""


def run(options: ReportOptions) -> None:
    """Write the page and print its path; nothing is written where anything is in the way."""
    _need_extra()
    _need_page(options.out)
    recordings = _of_files(options) if options.files else _of_days(options)
    target = absent(options.out if options.out is not None else Path(_file_name(options, recordings)))
    from companion.output.progress import progress

    frames = sum(recording.frame_count for recording in recordings)
    with progress("report", frames + _PAGE_FRAMES) as advance:
        text = _page(options, [_recorded(each, options.shared, advance) for each in recordings])
        advance(_PAGE_FRAMES)
    _write(target, text)
    print(target.absolute())


def _need_extra() -> None:
    """Before anything is computed; the packages themselves are loaded when the page is made."""
    if any(find_spec(package) is None for package in ("bokeh", "jinja2")):
        raise UsageError(
            "The report needs the extra `report`.",
            'Install it with: pip install "posture-companion[report]"',
        )


def _need_page(out: Path | None) -> None:
    """A page under another kind's name could be opened by nothing that goes by names."""
    if out is not None and out.suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"{printable_path(out)} is not the name of a page: a report is HTML.",
            "Choose a name that ends in .html; a browser prints the page, also into a PDF file.",
        )


def _of_files(options: ReportOptions) -> list["Recording"]:
    """The recordings that were named, each once."""
    found = [opened(options.shared, file) for file in options.files]
    names = [recording.header.session_id for recording in found]
    for number, recording in enumerate(found):
        if names.index(recording.header.session_id) != number:
            raise UsageError(
                f"{printable_path(recording.path)} holds the same session as another of these files.",
                "Name each session once.",
            )
    return found


def _of_days(options: ReportOptions) -> list["Recording"]:
    """The recordings of the data directory that have a part on these days, by their start; raises UsageError: none."""
    first, last = _days(options)
    where = places(options.shared.data_dir)
    close_cut_off(where)
    kept = _kept(where.sessions)
    found = [each.recording for each in kept if each.first_day <= last and each.last_day() >= first]
    if not found:
        raise _nothing(options, kept)
    return sorted(found, key=lambda recording: recording.header.utc_ns)


def _days(options: ReportOptions) -> tuple[date, date]:
    if options.day is not None:
        return options.day, options.day
    assert options.week is not None
    return options.week, options.week + timedelta(days=6)


@dataclass(slots=True)
class _Kept:
    """A recording in the data directory and the local days it lies on, found without reading it where possible."""

    recording: "Recording"
    first_day: date
    _last_day: date | None = None

    def last_day(self) -> date:
        if self._last_day is None:
            from companion.recording.extent import length_ns

            header = self.recording.header
            self._last_day = day_of(header.utc_ns + max(length_ns(self.recording) - 1, 0), header.zone)
        return self._last_day


def _kept(directory: Path) -> list[_Kept]:
    """What can be read, each session once; what cannot is named on stderr."""
    from companion.recording import open_recording, sessions_in

    found, unreadable = dict[str, _Kept](), list[Path]()
    for path in sessions_in(directory):
        try:
            recording = open_recording(path)
        except RecordingError:
            unreadable.append(path)
            continue
        header = recording.header
        found.setdefault(header.session_id, _Kept(recording, day_of(header.utc_ns, header.zone)))
    if unreadable:
        others = f" and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
        print(f"warning: {printable_path(unreadable[0])}{others} cannot be read: left out.", file=sys.stderr)
    return list(found.values())


def _when(options: ReportOptions) -> str:
    first, _ = _days(options)
    return f"in the week {week_text(first)}" if options.week is not None else f"on {first}"


def _nothing(options: ReportOptions, kept: Sequence[_Kept]) -> UsageError:
    """Nothing was recorded then: when else."""
    first, last = _days(options)
    when = _when(options)
    earlier = max((each.last_day() for each in kept if each.last_day() < first), default=None)
    later = min((each.first_day for each in kept if each.first_day > last), default=None)
    near = [day.isoformat() for day in (earlier, later) if day is not None]
    if not near:
        return UsageError(f"Nothing was recorded {when}, and nothing on any other day.", "`posture monitor` records.")
    are = "nearest days with recordings are" if len(near) > 1 else "nearest day with a recording is"
    return UsageError(f"Nothing was recorded {when}.", f"The {are} {' and '.join(near)}.")


def _file_name(options: ReportOptions, recordings: Sequence["Recording"]) -> str:
    if options.day is not None:
        what = options.day.isoformat()
    elif options.week is not None:
        what = week_text(options.week)
    else:
        header = min((recording.header for recording in recordings), key=lambda header: header.utc_ns)
        began = local(header.utc_ns, header.zone)
        what = "session" if began is None else f"{began:%Y-%m-%dT%H%M%S}"
    return f"posture-report-{what}.html"


def _recorded(recording: "Recording", shared: Shared, advance: Callable[[float], None]) -> "Recorded":
    """One recording, computed."""
    from companion.overview import Recorded
    from companion.posture.slouch import kind_of, sagittal_at, scale_of

    found = computed(recording, header_of(recording, shared), keep_exposed=True, advance=advance)
    for sentence in trouble(recording) + doubtful_times(recording, found):
        print(f"warning: {sentence}", file=sys.stderr)
    calibration, settings = found.calibration, found.settings
    kind = kind_of(calibration, settings.profile, settings.kind)
    scale = scale_of(calibration, kind, settings.slouch.limit_deg)
    return Recorded(
        judged=found.session,
        calibration=calibration,
        range_deg=scale.range_deg,
        limit_deg=scale.limit_deg,
        limit_sagittal_deg=None if calibration is None else sagittal_at(calibration, scale.limit_deg),
        damage=tuple(recording.damage),
        closed=recording.closed,
        is_recovered=found.end is not None and found.end.reason == RECOVERED,
        clock_steps=found.clock_steps,
        changed_settings=shared.settings,
    )


def _page(options: ReportOptions, recorded: "Sequence[Recorded]") -> str:
    from companion import __version__
    from companion.output.report import page
    from companion.overview import NothingRecorded, build

    if options.files:
        return page(build("session", recorded, __version__))
    try:
        return page(build("day" if options.day else "week", recorded, __version__, _days(options)[0]))
    except NothingRecorded:  # of the last session's last fifth of a second only a part lies there
        raise UsageError(f"Nothing was recorded {_when(options)}.") from None


def _write(target: Path, text: str) -> None:
    """Under a name of its own first, so that the page is there as a whole or not at all; never over anything."""
    draft = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(host.create_private_file(draft), "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.close(host.create_private_file(target))  # taken exclusively: what is replaced is our own
        draft.replace(target)
    except FileExistsError as error:
        raise UsageError(f"{printable_path(target)} exists already.", "Choose another name with --out.") from error
    except OSError as error:
        message = f"The report could not be written to {printable_path(target)}: {error.strerror}."
        raise UsageError(message, "Choose another place with --out.") from error
    finally:
        draft.unlink(missing_ok=True)
