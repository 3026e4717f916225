"""kill -9 of `posture monitor` itself, at random moments: what is left, against what had been said and seen before.

The truth is outside of the monitor: its lines lie in a file that outlives it, and another process (this one) reads the
recording now and then while it grows. Knows: the command line, recordings. Must never know: how a recording is written.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from companion import host, open_recording
from companion.commands.voices import JsonVoice
from companion.errors import RecordingError
from companion.session import Session
from firmware_protocol.frames import Closed, Frame, Notification

AT_ONCE = 6
PATIENCE_S = 90.0
LOOK_EVERY_S = 0.3
STORY_S = 3.0
"""How long the session lasts that is killed around its own end."""

MOMENTS = ("start", "first second", "running", "end")
"""Since the process began; within a second of the first line; later; around the end of the story."""


def environment() -> dict[str, str]:
    """This one, without settings of this machine's user."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POSTURE_")}


def posture(*arguments: object, timeout_s: float = PATIENCE_S) -> "subprocess.CompletedProcess[bytes]":
    """One whole command in a process of its own."""
    command = [sys.executable, "-m", "companion.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=timeout_s)


@dataclass
class Kill:
    """What one kill did."""

    moment: str
    seed: int
    lost_s: float = 0.0
    """From the last line that was said to the last frame that was kept; 0 where more was kept than said."""
    silent_s: float = 0.0
    """From the last frame that was kept to the kill; holds the time in which no packet was due, up to 0.25 s."""
    fsync_s: float = 0.0
    committed_lost: int = 0
    """Frames that another process had read before the kill and that are not there, or not the same, afterwards."""
    seen: int = 0
    wrong: int = 0
    """Lines that the recording gives otherwise than they were said."""
    began: bool = True
    """Whether there was a session at the moment of the kill."""
    ended: bool = False
    """Whether the monitor had ended its session, or itself, before the kill."""
    closed: bool = False
    troubles: list[str] = field(default_factory=list)


def kill_one(directory: Path, moment: str, seed: int, after_s: float | None = None) -> Kill:
    """Start a monitor, kill it, let the next start find what is left, compare."""
    directory.mkdir()
    kill = Kill(moment, seed)
    wait_s = _wait_s(moment, random.Random(f"{moment} {seed}")) if after_s is None else after_s
    out, data = directory / "out", directory / "data"
    process = _start(out, data, ["--duration", str(STORY_S)] if moment == "end" else [])
    try:
        seen = _watch(process, out, data, wait_s, from_line=moment != "start")
        t_killed_ns = host.boot_ns()
    finally:
        kill.ended = process.poll() is not None
        process.kill()
        process.wait()
    kill.seen = len(seen)
    kill.fsync_s = _fsync_s(directory)
    _judge(kill, out, data, seen, t_killed_ns)
    return kill


def _wait_s(moment: str, chance: random.Random) -> float:
    match moment:
        case "start":
            return chance.uniform(0.0, 3.0)
        case "first second":
            return chance.uniform(0.0, 1.0)
        case "running":
            return chance.uniform(1.0, 9.0)
        case _:
            return STORY_S + chance.uniform(-0.2, 2.0)


def _start(out: Path, data: Path, more: list[str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "companion.cli", "monitor", "--simulated", "upright", "--json", *more]
    with out.open("wb") as written, out.with_name("err").open("wb") as errors:
        return subprocess.Popen(
            [*command, "--data-dir", data],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=errors,
            env=environment(),
            start_new_session=True,
        )


def _watch(process: "subprocess.Popen[bytes]", out: Path, data: Path, wait_s: float, from_line: bool) -> list[Frame]:
    """Wait for the moment of the kill; the frames that another process, which is this one, saw on the disk last."""
    give_up_s = time.monotonic() + PATIENCE_S
    while from_line and b"\n" not in out.read_bytes() and process.poll() is None and time.monotonic() < give_up_s:
        time.sleep(0.01)
    due_s = time.monotonic() + wait_s
    seen: list[Frame] = []
    while (left_s := due_s - time.monotonic()) > 0:
        if left_s > LOOK_EVERY_S:
            seen = _frames(_recording(data)) or seen
        time.sleep(max(0.0, min(LOOK_EVERY_S, due_s - time.monotonic())))
    return seen


def _recording(data: Path) -> Path | None:
    found = sorted((data / "sessions").glob("*.posture"))
    return found[0] if found else None


def _frames(path: Path | None) -> list[Frame]:
    try:
        if path is None:
            return []
        with open_recording(path) as recording:
            return list(recording.frames())
    except RecordingError:  # it is being made at this moment
        return []


def _fsync_s(directory: Path) -> float:
    """What the disk takes for one durable write just now."""
    with (directory / "paced").open("wb") as file:
        file.write(bytes(4096))
        began_s = time.monotonic()
        os.fsync(file.fileno())
    return time.monotonic() - began_s


def _judge(kill: Kill, out: Path, data: Path, seen: list[Frame], t_killed_ns: int) -> None:
    path = _recording(data)
    kept = _frames(path)
    kill.began = bool(kept)
    said = _whole_lines(out)
    if not kept and (said or seen):
        kill.troubles.append("a session of which there were lines left no recording")
    if kept and not isinstance(kept[-1], Closed):
        _measure_loss(kill, kept, said, t_killed_ns)
    kill.committed_lost = sum(1 for number, frame in enumerate(seen) if kept[number : number + 1] != [frame])
    if path is not None and kept:
        mine = list(_lines_of(path))
        lines = [line for line in said if not line.startswith(('{"type":"session"', '{"type":"summary"'))]
        both = min(len(mine), len(lines))
        kill.wrong = sum(one != other for one, other in zip(mine[:both], lines[:both], strict=True))
    _next_start(kill, data, path, kept)


def _measure_loss(kill: Kill, kept: list[Frame], said: list[str], t_killed_ns: int) -> None:
    last_ns = kept[-1].t_host_ns
    rows = [json.loads(line) for line in said if line.startswith('{"type":"posture"')]
    said_s = max((row["t_s"] for row in rows), default=0.0)
    kill.lost_s = max(0.0, said_s - (last_ns - kept[0].t_host_ns) / 1e9)
    kill.silent_s = (t_killed_ns - last_ns) / 1e9 if not kill.ended else 0.0


def _whole_lines(out: Path) -> list[str]:
    text = out.read_bytes().decode()
    return text[: text.rfind("\n") + 1].splitlines()


def _lines_of(path: Path) -> Iterator[str]:
    """The lines that the frames of a recording complete."""
    with open_recording(path) as recording:
        session, voice = Session(recording.header), JsonVoice(recording.header, path)
        for frame in recording.frames():
            yield from voice.tell(session.feed([frame]))


def _next_start(kill: Kill, data: Path, path: Path | None, kept: list[Frame]) -> None:
    """`posture sessions --json`: finds the session, gives it its end, and changes nothing else."""
    ran = posture("sessions", "--json", "--data-dir", data)
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    if ran.returncode or (ran.stderr and kept):
        kill.troubles.append(f"sessions: {ran.returncode} {ran.stderr.decode()[-200:]}")
    left = sorted(each.name for each in (data / "sessions").glob("*")) if data.is_dir() else []
    if not kept:
        kill.closed = not found and not left
        if left:
            kill.troubles.append(f"no session, but {left} is left")
        return
    assert path is not None
    again = _frames(path)
    end = again[-1]
    kill.closed = (
        left == [path.name]
        and [(one["file"], one["closed"]) for one in found] == [(str(path), True)]
        and isinstance(end, Closed)
        and (again == kept or (again[:-1] == kept and end.reason == "recovered"))
    )


def kills(directory: Path, runs: int, seed: int = 0) -> list[Kill]:
    """Kill so many monitors, some at a time."""
    plan = [(directory / f"{seed}-{number}", MOMENTS[number % len(MOMENTS)], seed + number) for number in range(runs)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda each: kill_one(*each), plan))


def packets(frames: list[Frame]) -> int:
    """How many of the frames came from the sensor."""
    return sum(isinstance(frame, Notification) for frame in frames)


def figures(done: list[Kill]) -> dict[str, Any]:
    """The row of the table for these kills."""
    lived = [kill for kill in done if kill.began]
    return {
        "kills": len(done),
        "with a session": len(lived),
        "already ended": sum(kill.ended for kill in done),
        "said but not kept, most s": round(max((kill.lost_s for kill in lived), default=0.0), 2),
        "kill to last kept frame, most s": round(max((kill.silent_s for kill in lived), default=0.0), 2),
        "fsync, most s": round(max((kill.fsync_s for kill in done), default=0.0), 3),
        "frames seen on disk": sum(kill.seen for kill in lived),
        "of them lost": sum(kill.committed_lost for kill in done),
        "wrong lines": sum(kill.wrong for kill in lived),
        "closed by the next start": sum(kill.closed for kill in done),
        "troubles": sum(len(kill.troubles) for kill in done),
    }
