"""`posture replay`: a recording through the same pipeline again, in its own time or faster.

Knows: recordings, sessions, voices, pace. Must never know: how a row is computed or printed. Never writes to a
recording.
"""

import math
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from companion import host
from companion.commands.options import ReplayOptions
from companion.commands.recorded import header_of, opened, trouble
from firmware_protocol.frames import Frame

if TYPE_CHECKING:
    from companion.commands.voices import Damage, Voice
    from companion.recording import Recording
    from companion.session import Session

_NS_PER_S = 1e9


def run(options: ReplayOptions) -> None:
    """Tell the session again; stopped, it ends with the summary of what was replayed."""
    from companion.commands.voices import voice
    from companion.output.lines import LineWriter
    from companion.session import Session

    recording = opened(options.shared, options.file)
    header = header_of(recording, options.shared)
    view = "settled" if options.settled else "lived"
    session = Session(header, view=view)
    teller = voice(options.style, header, recording.path.absolute(), view, live=False)
    out, stop = LineWriter(sys.stdout.buffer), threading.Event()
    with host.stop_signals(stop.set):
        due = recording.runs()
        if not math.isinf(options.speed):
            due = in_time(recording.frames(), header.t_host_ns, options.speed, stop.wait)
        batches: Iterable[list[str]] = _told(session, teller, due, stop)
        if math.isinf(options.speed):
            batches = list(batches)  # the damage is known when everything is read, and stands before the first row
        else:
            for _ in recording.frames():
                pass
        out.put(teller.begin(_warned(recording)))
        all(out.put(batch) for batch in batches)


def _told(
    session: "Session", teller: "Voice", due: Iterable[list[Frame]], stop: threading.Event
) -> Iterator[list[str]]:
    for piece in due:
        if stop.is_set():
            break
        yield teller.tell(session.feed(piece))
    last = session.close()
    yield [*teller.tell(last), *teller.end(last.summary or {})]


def _warned(recording: "Recording") -> "list[Damage]":
    """What a recording that was read to its end has lost; people are told on stderr."""
    for sentence in trouble(recording):
        print(f"warning: {sentence}", file=sys.stderr)
    return list(recording.damage)


def in_time(
    frames: Iterable[Frame],
    t0_ns: int,
    speed: float,
    wait: Callable[[float], bool],
    clock: Callable[[], int] = host.boot_ns,
) -> Iterator[list[Frame]]:
    """Frames in pieces, each handed over when it is due: `speed` times real time from `t0_ns` on.

    `wait` takes seconds and says whether to stop.
    """
    began_ns, piece = clock(), list[Frame]()
    for frame in frames:
        due_ns = began_ns + (frame.t_host_ns - t0_ns) / speed
        if due_ns > clock():
            yield piece
            piece = []
            if wait((due_ns - clock()) / _NS_PER_S):
                return
        piece.append(frame)
    yield piece
