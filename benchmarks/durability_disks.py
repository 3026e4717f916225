"""A disk that is full and one that is slow, under a live `posture monitor`: what is lost, who notices, what is said.

The monitor is the real command in a process of its own; for the slow disk every commit of that process waits for half a
second longer. Knows: the command line, recordings, how to mount a small disk.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from durability_kills import PATIENCE_S, _lines_of, _whole_lines, environment, posture

from companion import open_recording
from firmware_protocol.frames import Dropped

SLOW_S = 0.5
TROUBLE = "RecordingTroubled"

_SLOWED = """
import sys, time
from companion.recording.database import Database
fast = Database.append
def slow(self, rows, copies=()):
    time.sleep({slow_s})
    fast(self, rows, copies)
Database.append = slow
from companion.cli import main
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def small_disk(where: Path, size: str = "2m") -> Iterator[Path | None]:
    """A file system of two megabytes at `where`; None where nobody may mount one."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        yield None
        return
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where], check=False).returncode:
        yield None
        return
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def fill(disk: Path) -> Path:
    """Take all room that there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return filler


def _monitor(disk: Path, out: Path, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "companion.cli", "monitor", "--simulated", "upright", *options]
    with out.open("wb") as written, out.with_name("err").open("wb") as errors:
        return subprocess.Popen(
            [*command, "--data-dir", disk / "data"],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=errors,
            env=environment(),
        )


def _wait_for(said: Callable[[], bool], process: "subprocess.Popen[bytes]") -> float:
    """Seconds until something was said."""
    began_s = time.monotonic()
    while not said():
        if process.poll() is not None or time.monotonic() > began_s + PATIENCE_S:
            return float("inf")
        time.sleep(0.01)
    return time.monotonic() - began_s


def full_disk(directory: Path, disk: Path, full_s: float, comes_back: bool) -> dict[str, Any]:
    """Fill the disk under a monitor, for so many seconds or for good; what was lost, and when it was said."""
    out = directory / "out"
    process = _monitor(disk, out, "--json", "--duration", str(6.0 + full_s))
    try:
        _wait_for(lambda: out.read_bytes().count(b"\n") > 10, process)
        filler = fill(disk)
        said_s = _wait_for(lambda: TROUBLE.encode() in out.read_bytes(), process)
        if comes_back:
            time.sleep(full_s)
            filler.unlink()
        code = process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    (path,) = (disk / "data" / "sessions").glob("*.posture")
    filler.unlink(missing_ok=True)
    listed = posture("sessions", "--json", "--data-dir", disk / "data")
    with open_recording(path) as recording:
        frames = list(recording.frames())
        damage, closed = recording.damage, recording.closed
    said = [line for line in _whole_lines(out) if line.startswith(('{"type":"posture"', '{"type":"event"'))]
    kept = list(_lines_of(path))
    both = min(len(said), len(kept))
    return {
        "fill to alert, s": round(said_s, 2),
        "exit code": code,
        "lines said": len(said),
        "of them in the recording": both,
        "wrong lines": sum(one != other for one, other in zip(said[:both], kept[:both], strict=True)),
        "frames dropped": sum(frame.count for frame in frames if isinstance(frame, Dropped)),
        "damage": len(damage),
        "closed": int(closed and b'"closed":true' in listed.stdout),
        "error": out.with_name("err").read_text(),
    }


def lines_apart_s(directory: Path, slow_s: float, seconds: float) -> dict[str, Any]:
    """The longest time between two posture lines on stdout, with a disk that takes `slow_s` longer for each commit."""
    program = directory / "slowed.py"
    program.write_text(_SLOWED.format(slow_s=slow_s), encoding="utf-8")
    command = [sys.executable, program, "monitor", "--simulated", "upright", "--json", "--duration", str(seconds)]
    times_s: list[float] = []
    with subprocess.Popen(
        [*command, "--data-dir", directory / f"data-{slow_s}"], stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b'{"type":"posture"'):
                times_s.append(time.monotonic())
    gaps_s = [later - earlier for earlier, later in pairwise(times_s)]
    (path,) = (directory / f"data-{slow_s}" / "sessions").glob("*.posture")
    with open_recording(path) as recording:
        frames = list(recording.frames())
        whole = recording.closed and not recording.damage
    samples = json.loads(posture("sessions", "--json", "--data-dir", directory / f"data-{slow_s}").stdout)
    return {
        "longest between lines, s": round(max(gaps_s, default=0.0), 2),
        "lines": len(times_s),
        "frames": len(frames),
        "lost samples": samples["lost_samples"],
        "whole": int(whole),
    }


def put_s(path: Path, slow_s: float, count: int = 300) -> dict[str, Any]:
    """How long `put` takes the radio's thread while every commit takes half a second; it wakes up 50 times a second."""
    from companion.recording import RecordingWriter
    from companion.recording.database import Database
    from firmware_protocol.frames import Closed, Notification, Opened

    fast = Database.append

    def slow(self: Database, rows: Any, copies: Any = ()) -> None:
        time.sleep(slow_s)
        fast(self, rows, copies)

    writer = RecordingWriter.create(path)
    header = Opened(
        t_host_ns=0, session_id="put", driver="posture_v1", device="x", utc_ns=0, zone="UTC", software_version="0"
    )
    assert writer.put(0, header)
    Database.append = slow  # type: ignore[method-assign]
    took_s, pause = [], threading.Event()
    try:
        for number in range(1, count + 1):
            pause.wait(0.02)
            began_s = time.perf_counter()
            assert writer.put(number, Notification(t_host_ns=number, characteristic="motion", data=bytes(68)))
            took_s.append(time.perf_counter() - began_s)
    finally:
        Database.append = fast  # type: ignore[method-assign]
    writer.close(Closed(t_host_ns=count, reason="ended", count=count + 1))
    took_s.sort()
    return {"put, median µs": round(took_s[count // 2] * 1e6, 1), "put, most ms": round(took_s[-1] * 1e3, 2)}
