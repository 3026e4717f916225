"""`posture verify`: is a recording whole, and does it still mean what it meant: everything computed again and compared.

Knows: recordings, sessions, options. Must never know: what a frame holds. It writes nothing to a recording.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from companion.commands.options import VerifyOptions
from companion.commands.places import places
from companion.commands.recorded import opened
from companion.text import json_text, printable, printable_path

if TYPE_CHECKING:
    from companion.recording import Recording
    from companion.recording.reader import Checked
    from firmware_protocol.frames import Frame, Opened

Kept = Mapping[str, Any]
"""The columns of `sessions` as the history keeps them, and `computed_by`: the version of this program that did."""

PIECES: Final = (1, 7, 1, 40, 3, 500, 2, 97)
"""So many frames at a time, over and over: as uneven as a radio hands them over."""

_READINGS: Final = 3  # how often the frames are gone through: checked, whole, in pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found out about one recording."""

    file: str
    frames: int
    duration_s: float
    closed: bool
    damage: list[tuple[float, float, str]]
    structure: str  # "whole", "damaged": SQLite's own pages, or the second copy of the first or last frame
    hash: str  # "equal", "differs", "absent": count and hash over all frames against those in the end
    figures: str  # "equal", "differs": rows, events, summary, computed whole and in pieces
    history: str  # "equal", "differs", "absent", "other version"
    differing: tuple[str, ...]  # columns of the history that differ

    @property
    def is_equal(self) -> bool:
        """Nothing is damaged and nothing differs; a missing end alone is neither."""
        said = (self.structure, self.hash, self.figures, self.history)
        return not self.damage and not {"damaged", "differs"}.intersection(said)


def run(options: VerifyOptions) -> bool:
    """Check, compute, compare, tell; whether all is equal. Raises RecordingError for what is no recording."""
    from companion.commands.kept import columns_kept
    from companion.output.progress import progress

    recording = opened(options.shared, options.file)
    kept = columns_kept(places(options.shared.data_dir), recording.path)
    with recording, progress("checking", _READINGS * recording.frame_count) as advance:
        found = verdict(recording, advance, kept)
    if not found.closed:
        print(f"warning: {_no_end(found.file)}", file=sys.stderr)
    for line in [_json_line(found)] if options.as_json else _words(found):
        print(line)
    return found.is_equal


def verdict(recording: "Recording", advance: Callable[[int], object], kept: Kept | None) -> Verdict:
    """Everything about one recording; `advance` is told how many frames were gone through."""
    checked = recording.checked(advance)
    damage = list(recording.damage)
    whole, summary = _computed(recording.header, lambda: _counted(recording.runs(), advance))
    pieces, _ = _computed(recording.header, lambda: _counted(_in_pieces(recording.frames()), advance))
    differing = () if kept is None else differing_columns(summary, kept)
    return Verdict(
        file=str(recording.path.absolute()),
        frames=checked.count,
        duration_s=float(summary["duration_s"]),
        closed=checked.closed is not None,
        damage=damage,
        structure="whole" if checked.is_sound else "damaged",
        hash=_hash_word(checked),
        figures="equal" if whole == pieces else "differs",
        history=_history_word(kept, differing),
        differing=differing if _is_comparable(kept) else (),
    )


def _hash_word(checked: "Checked") -> str:
    if checked.closed is None:
        return "absent"
    return "equal" if checked.is_counted and checked.is_hashed else "differs"


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a session's frames mean, as values that compare bit for bit."""

    posture: bytes
    events: tuple[str, ...]  # and the summary as text, in which one NaN equals another
    summary_text: str


def _computed(header: "Opened", runs: "Callable[[], Iterable[list[Frame]]]") -> tuple[_Figures, dict[str, Any]]:
    """What frames mean in the settled view, cut as they are; and the summary."""
    from companion.views import settled

    found = settled(header, runs)
    posture = b"".join(report.posture.tobytes() for report in found.reports)
    events = tuple(repr(event) for report in found.reports for event in report.events)
    return _Figures(posture, events, repr(found.summary)), found.summary


def _in_pieces(frames: "Iterable[Frame]") -> "Iterator[list[Frame]]":
    source = iter(frames)
    for size in cycle(PIECES):
        piece = list(islice(source, size))
        if not piece:
            return
        yield piece


def _counted(runs: "Iterable[list[Frame]]", advance: Callable[[int], object]) -> "Iterator[list[Frame]]":
    for run_of_frames in runs:
        yield run_of_frames
        advance(len(run_of_frames))


def differing_columns(summary: Mapping[str, Any], kept: Kept) -> tuple[str, ...]:
    """The columns that the history keeps otherwise than they are computed now."""
    return tuple(column for column in summary if column in kept and not _same(summary[column], kept[column]))


def _same(one: object, other: object) -> bool:
    """Equal, or both not known."""
    return one == other or (_is_unknown(one) and _is_unknown(other))


def _is_unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _is_comparable(kept: Kept | None) -> bool:
    """Another version may compute other figures, and nothing follows from that."""
    from companion import __version__

    return kept is not None and kept.get("computed_by") == __version__


def _history_word(kept: Kept | None, differing: tuple[str, ...]) -> str:
    if kept is None:
        return "absent"
    if not _is_comparable(kept):
        return "other version"
    return "differs" if differing else "equal"


def _no_end(file: str) -> str:
    return f"{printable_path(file)} has no end: it was cut off, or is being recorded now."


def _json_line(found: Verdict) -> str:
    return json_text(
        {
            "type": "verify",
            "file": found.file,
            "equal": found.is_equal,
            "closed": found.closed,
            "frames": found.frames,
            "duration_s": round(found.duration_s, 1),
            "damage": [
                {"from_s": round(from_s, 3), "to_s": round(to_s, 3), "reason": reason}
                for from_s, to_s, reason in found.damage
            ],
            "structure": found.structure,
            "hash": found.hash,
            "figures": found.figures,
            "history": found.history,
            "differing": list(found.differing),
        }
    )


_SAID: Final = {
    ("structure", "whole"): "pages of the file: whole",
    ("structure", "damaged"): "pages of the file: damaged, and read all the same as far as no loss is named",
    ("hash", "equal"): "count and checksum of the whole session: equal",
    ("hash", "differs"): "count and checksum of the whole session: not what its end says",
    ("hash", "absent"): "count and checksum of the whole session: not known, as it has no end",
    ("figures", "equal"): "figures, computed whole and piece by piece: equal",
    ("figures", "differs"): "figures, computed whole and piece by piece: they differ",
    ("history", "equal"): "figures in the history: equal",
    ("history", "differs"): "figures in the history: other ones",
    ("history", "other version"): "figures in the history: of another version of this program, not compared",
}


def _words(found: Verdict) -> Iterator[str]:
    """Plain lines for people."""
    from companion.tables.instants import elapsed_text

    yield printable_path(found.file)
    yield f"{found.frames} frames, {elapsed_text(found.duration_s)}: each against its checksum"
    for from_s, to_s, reason in found.damage:
        yield f"damage {_span(from_s, to_s)}: {printable(reason, 200)}"
    for what in ("structure", "hash", "figures", "history"):
        if (what, getattr(found, what)) in _SAID:
            yield _SAID[what, getattr(found, what)]
    if found.differing:
        yield f"columns that differ: {', '.join(found.differing)}"
    yield "equal" if found.is_equal else "not equal"


def _span(from_s: float, to_s: float) -> str:
    """Both ends to the second, outwards: a loss of a tenth of a second lies between two of them."""
    return f"{_clock(math.floor(from_s))}–{_clock(math.ceil(to_s))}"


def _clock(whole_s: int) -> str:
    sign, seconds = ("-", -whole_s) if whole_s < 0 else ("", whole_s)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
