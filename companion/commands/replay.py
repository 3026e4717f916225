"""`posture replay`: a recording through the same pipeline again, in its own time or faster.

Knows: recordings, sessions, voices, pace. Must never know: how a row is computed or printed. Never writes to a
recording.
"""

import math
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Protocol, TypeVar

from companion import host
from companion.commands.options import ReplayOptions
from companion.commands.recorded import header_of, opened, trouble
from firmware_protocol.frames import Frame, Opened

if TYPE_CHECKING:
    from companion.commands.voices import Damage, Voice
    from companion.recording import Recording
    from companion.session import Report

_NS_PER_S = 1e9


def run(options: ReplayOptions) -> None:
    """Tell the session again; stopped, it ends with the summary of what was replayed."""
    from companion.commands.voices import voice
    from companion.output.lines import LineWriter

    recording = opened(options.shared, options.file)
    header = header_of(recording, options.shared)
    view = "settled" if options.settled else "lived"
    teller = voice(options.style, header, recording.path.absolute(), view, live=False)
    out, stop = LineWriter(sys.stdout.buffer), threading.Event()
    with host.stop_signals(stop.set):
        reports = (_settled if options.settled else _lived)(recording, header, options.speed, stop)
        batches: Iterable[list[str]] = (_told(teller, report) for report in reports)
        if math.isinf(options.speed):
            batches = list(batches)  # the damage is known when everything is read, and stands before the first row
        else:
            for _ in recording.frames():
                pass
        out.put(teller.begin(_warned(recording)))
        all(out.put(batch) for batch in batches)


def _told(teller: "Voice", report: "Report") -> list[str]:
    lines = teller.tell(report)
    return lines if report.summary is None else [*lines, *teller.end(report.summary)]


def _lived(recording: "Recording", header: Opened, speed: float, stop: threading.Event) -> "Iterator[Report]":
    """What frames complete, when they are due."""
    from companion.session import Session

    session = Session(header)
    due = recording.runs()
    if not math.isinf(speed):
        due = in_time(recording.frames(), header.t_host_ns, speed, stop.wait)
    for piece in due:
        if stop.is_set():
            break
        yield session.feed(piece)
    yield session.close()


def _settled(recording: "Recording", header: Opened, speed: float, stop: threading.Event) -> "Iterator[Report]":
    """The settled view, which is known when everything was read once, row by row when each is due."""
    from companion.posture.rows import ROW_NS
    from companion.views import settled

    def runs() -> Iterator[list[Frame]]:
        return takewhile(lambda _: not stop.is_set(), recording.runs())

    found = settled(header, runs)
    if math.isinf(speed):
        yield from found.reports
        return
    whole, rows, events = found.whole(), 0, 0
    for each in chain.from_iterable(in_time(map(_Due, whole.by_row()), 0, speed, stop.wait)):
        if stop.is_set():
            break
        yield each.report
        rows, events = rows + len(each.report.posture), events + len(each.report.events)
    if stop.is_set():
        reached_ns = header.t_host_ns + rows * ROW_NS
        whole = found.again(header, lambda: [_until(recording.frames(), reached_ns)]).whole()
    yield whole.behind(rows, events)


@dataclass(frozen=True, slots=True)
class _Due:
    """One row with its events, told at the session time of the row."""

    report: "Report"

    @property
    def t_host_ns(self) -> int:
        return int(self.report.posture["t_session_ns"][-1]) if len(self.report.posture) else 0


def _until(frames: Iterable[Frame], t_host_ns: int) -> list[Frame]:
    return list(takewhile(lambda frame: frame.t_host_ns <= t_host_ns, frames))


def _warned(recording: "Recording") -> "list[Damage]":
    """What a recording that was read to its end has lost; people are told on stderr."""
    for sentence in trouble(recording):
        print(f"warning: {sentence}", file=sys.stderr)
    return list(recording.damage)


class _Timed(Protocol):
    """A frame, or a row."""

    @property
    def t_host_ns(self) -> int: ...


T = TypeVar("T", bound=_Timed)


def in_time(
    frames: Iterable[T],
    t0_ns: int,
    speed: float,
    wait: Callable[[float], bool],
    clock: Callable[[], int] = host.boot_ns,
) -> Iterator[list[T]]:
    """Frames in pieces, each handed over when it is due: `speed` times real time from `t0_ns` on.

    `wait` takes seconds and says whether to stop.
    """
    began_ns, piece = clock(), list[T]()
    for frame in frames:
        due_ns = began_ns + (frame.t_host_ns - t0_ns) / speed
        if due_ns > clock():
            yield piece
            piece = []
            if wait((due_ns - clock()) / _NS_PER_S):
                return
        piece.append(frame)
    yield piece
