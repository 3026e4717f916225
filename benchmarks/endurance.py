"""A long day in minutes: `posture monitor --plain` as it is, with a clock that runs ahead while the program waits.

    python benchmarks/endurance.py [--hours 16] [--speed 400] [--story desk-hour]

The real command runs in a process of its own: simulated sensor, radio, link, sequencer, recorder, session, lines.
Only its time is another. The event loop's clock and the two clocks of `companion/host.py` stand still while the loop
works, and pass `--speed` times as fast while it waits for its next timer, so that nothing comes late however busy the
machine is: a timer of one second of the session comes after a second of the session. The recorder's thread and the
printing thread live in real time. At each full hour of the session the process is measured from inside: resident
memory, open descriptors, asyncio tasks, threads, objects that Python's collector knows.
Linux only.
"""

import argparse
import asyncio
import gc
import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HOUR_S = 3600
WANTED_GROWTH_MB = 10.0
WANTED_SPEED = 50.0
_S = 1_000_000_000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SHORTEST_WAIT_S = 0.001  # what a selector can wait for; shorter waits are saved up


# ---- time that passes while the program waits


class Clock:
    """Nanoseconds since some moment; `passed` moves it on, and calls `on_mark` at each multiple of `mark_ns`."""

    def __init__(self, mark_ns: int, on_mark: Callable[[int], None]) -> None:
        self.now_ns = time.monotonic_ns()
        self._began_ns, self._began_utc_ns = self.now_ns, time.time_ns()
        self._mark_ns, self._on_mark = mark_ns, on_mark
        self._marks = 0

    def boot_ns(self) -> int:
        """In place of the clock of `companion/host.py` that runs on through suspend."""
        return self.now_ns

    def utc_ns(self) -> int:
        """In place of the wall clock."""
        return self._began_utc_ns + self.now_ns - self._began_ns

    def passed(self, seconds: float) -> None:
        """So much time went by."""
        self.now_ns += round(seconds * _S)
        while self.now_ns - self._began_ns >= (self._marks + 1) * self._mark_ns:
            self._marks += 1
            self._on_mark(self._marks)


class Selector(selectors.DefaultSelector):
    """Waits `speed` times shorter than it is asked to, and tells the clock how long it was asked to."""

    def __init__(self, clock: Clock, speed: float) -> None:
        super().__init__()
        self._clock, self._speed = clock, speed
        self._owed_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """As always; without a timer (another thread will wake the loop) no time passes."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        self._owed_s += timeout / self._speed
        began_s = time.monotonic()
        wait_s = self._owed_s if self._owed_s >= _SHORTEST_WAIT_S else 0.0
        ready = super().select(wait_s)
        waited_s = time.monotonic() - began_s
        self._owed_s = max(0.0, self._owed_s - waited_s) if wait_s else self._owed_s
        self._clock.passed(min(timeout, waited_s * self._speed) if ready else timeout)
        return ready


class Loop(asyncio.SelectorEventLoop):
    """An event loop on that clock."""

    def __init__(self, clock: Clock, speed: float) -> None:
        super().__init__(Selector(clock, speed))
        self._fast = clock

    def time(self) -> float:
        """Seconds on the clock."""
        return self._fast.now_ns / _S


class Policy(asyncio.DefaultEventLoopPolicy):
    """Makes such loops."""

    def __init__(self, clock: Clock, speed: float) -> None:
        super().__init__()
        self._fast, self._speed = clock, speed

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """For `asyncio.run`."""
        return Loop(self._fast, self._speed)


# ---- the process that is measured


@dataclass(frozen=True)
class Mark:
    """What the process was at a mark of the session."""

    mark: int
    wall_s: float
    cpu_s: float
    rss_mb: float
    own_mb: float
    descriptors: int
    tasks: int
    threads: int
    objects: int


def memory_mb() -> tuple[float, float]:
    """Resident memory of this process in 10⁶ bytes: all of it, and without the files that the system may drop."""
    resident, shared = (int(pages) * _PAGE_BYTES / 1e6 for pages in Path("/proc/self/statm").read_text().split()[1:3])
    return resident, resident - shared


def measured(mark: int, began_s: float) -> Mark:
    """This process now; called in the event loop's thread."""
    gc.collect()  # what waits for the collector is no leak, and when it runs is chance
    resident_mb, own_mb = memory_mb()
    return Mark(
        mark=mark,
        wall_s=time.monotonic() - began_s,
        cpu_s=time.process_time(),
        rss_mb=resident_mb,
        own_mb=own_mb,
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1,
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        objects=len(gc.get_objects()),
    )


def be_monitor(figures: Path, mark_s: float, speed: float, arguments: list[str]) -> int:
    """The command line with these arguments, on accelerated time; writes a line of figures at each mark."""
    from companion import host
    from companion.cli import main

    began_s = time.monotonic()

    def on_mark(mark: int) -> None:
        with figures.open("a", encoding="utf-8") as file:
            print(json.dumps(asdict(measured(mark, began_s))), file=file)

    clock = Clock(round(mark_s * _S), on_mark)
    host.boot_ns, host.utc_ns = clock.boot_ns, clock.utc_ns
    asyncio.set_event_loop_policy(Policy(clock, speed))
    return main(["monitor", *arguments])


# ---- the measurement


def faults(hours: float) -> list[str]:
    """What goes wrong in an ordinary day: twice an hour out of reach, packets lost and damaged, one restart a day."""
    told = []
    for hour in range(int(hours) + 1):
        at_s = hour * HOUR_S
        told += [f"link@{at_s + 1200}+20", f"link@{at_s + 2700}+120", f"lose@{at_s + 600}+1", f"garbage@{at_s + 900}"]
    told.append(f"reboot@{round(hours * HOUR_S / 2) + 60}")
    return [word for fault in told for word in ("--fault", fault)]


def run(
    hours: float, *, mark_s: float = HOUR_S, speed: float = 400.0, story: str = "desk-hour"
) -> tuple[list[Mark], Mapping[str, Any]]:
    """A session of so many hours; what the process was at each mark, and what its recording and its lines came to."""
    with tempfile.TemporaryDirectory() as directory:
        figures, data = Path(directory) / "figures", Path(directory) / "data"
        own = ["--be", str(figures), "--mark", str(mark_s), "--speed", str(speed)]
        asked = ["--simulated", story, "--plain", "--duration", f"{hours}h", "--data-dir", str(data), *faults(hours)]
        out = Path(directory) / "out"
        with out.open("wb") as lines:
            subprocess.run([sys.executable, __file__, *own, "--", *asked], stdout=lines, check=True)
        marks = [Mark(**json.loads(line)) for line in figures.read_text(encoding="utf-8").splitlines()]
        (recording,) = (data / "sessions").iterdir()
        return marks, came_to(recording, out.read_text(encoding="utf-8"))


def came_to(recording: Path, lines: str) -> Mapping[str, Any]:
    """What the recording holds, and how much was printed."""
    from companion.recording import open_recording
    from companion.session import Session

    with open_recording(recording) as opened:
        session = Session(opened.header)
        for run_of_frames in opened.runs():
            session.feed(run_of_frames)
        summary = session.close().summary
        assert summary is not None
        return {
            "closed": opened.closed,
            "damage": opened.damage,
            "lines": lines.count("\n"),
            "alert_lines": lines.count("ALERT"),
            "bytes": recording.stat().st_size,
            **summary,
        }


def growth_mb(marks: list[Mark]) -> float:
    """From the first mark to the highest after it: of all memory or of its own, whichever grew more."""
    kinds = ([mark.rss_mb for mark in marks], [mark.own_mb for mark in marks])
    return max(max(values) - values[0] for values in kinds)


def table(marks: list[Mark]) -> str:
    """The marks as a table."""
    head = ("hour", "real min", "processor min", "memory, MB", "own, MB", "descriptors", "tasks", "threads", "objects")
    rows = [[m.mark, *_texts(m), m.descriptors, m.tasks, m.threads, m.objects] for m in marks]
    lines = [head, ("---:",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def _texts(mark: Mark) -> list[str]:
    return [f"{each:.1f}" for each in (mark.wall_s / 60, mark.cpu_s / 60, mark.rss_mb, mark.own_mb)]


def report(hours: float, marks: list[Mark], held: Mapping[str, Any]) -> str:
    """Everything that was seen."""
    speed, of_processor = (hours * HOUR_S / passed_s for passed_s in (marks[-1].wall_s, marks[-1].cpu_s))
    return "\n".join(
        [
            table(marks),
            "",
            f"memory from hour 1 on: {growth_mb(marks):+.1f} MB (wanted: under {WANTED_GROWTH_MB:g}); "
            f"{speed:.0f} × real time, {of_processor:.0f} × by its processor time (wanted: {WANTED_SPEED:g} or more)",
            f"the recording: {held['samples']} samples, {held['lost_samples']} lost, {held['duplicates']} twice, "
            f"{held['malformed']} malformed, {held['outages']} outages, {held['alerts']} alerts "
            f"({held['alert_lines']} lines), {held['bytes'] / 1e6:.1f} MB; {held['lines']} lines printed",
        ]
    )


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=16.0)
    parser.add_argument("--speed", type=float, default=400.0, help="at most so many times real time")
    parser.add_argument("--story", default="desk-hour")
    parser.add_argument("--mark", type=float, default=HOUR_S, help=argparse.SUPPRESS)
    parser.add_argument("--be", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.be is not None:
        return be_monitor(asked.be, asked.mark, asked.speed, asked.arguments)
    marks, held = run(asked.hours, mark_s=asked.mark, speed=asked.speed, story=asked.story)
    print(report(asked.hours, marks, held))
    return 0 if growth_mb(marks) < WANTED_GROWTH_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
