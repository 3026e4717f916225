"""How long after a packet arrived its rows stand on stdout: `posture monitor --json`, read through a pipe.

    python benchmarks/latency.py [--seconds 60] [--rounds 1]

A row's packet is the frame that completes it when the recording is run through the session again, frame by frame; its
arrival is the frame's `t_host_ns`. The reader takes the time of each line on the same clock. The simulated sensor runs
in the monitor's process, so its work is in the way of both; so is whatever else the machine does.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from companion import host
from companion.recording import open_recording
from companion.session import Session


def lived(directory: Path, seconds: float) -> tuple[Path, list[int]]:
    """A session's recording, and when each of its posture lines was read, in ns of the host's boot-time clock."""
    command = [sys.executable, "-m", "companion.cli", "monitor", "--simulated", "upright", "--json"]
    options = ["--duration", f"{seconds:g}", "--data-dir", str(directory)]
    read_ns, file = [], ""
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE) as monitor:
        assert monitor.stdout is not None
        for line in iter(monitor.stdout.readline, b""):
            now_ns = host.boot_ns()
            if line.startswith(b'{"type":"posture",'):
                read_ns.append(now_ns)
            elif line.startswith(b'{"type":"session",'):
                file = json.loads(line)["file"]
    return Path(file), read_ns


def arrivals(recording: Path) -> list[int]:
    """For each row, when the frame arrived that completed it."""
    with open_recording(recording) as opened:
        session = Session(opened.header)
        return [frame.t_host_ns for frame in opened.frames() for _ in session.feed([frame]).posture]


def latencies_ms(seconds: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    with tempfile.TemporaryDirectory() as made:
        recording, read_ns = lived(Path(made), seconds)
        arrived_ns = arrivals(recording)
    rows = min(len(read_ns), len(arrived_ns))
    first = min(10, rows)  # the first ones come while the program still loads what it needs
    return (np.array(read_ns[first:rows]) - np.array(arrived_ns[first:rows])) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    found = np.concatenate([latencies_ms(given.seconds) for _ in range(given.rounds)])
    print("| from packet to line | ms |\n|---|---|")
    for name, value in (
        ("median", np.median(found)),
        ("p90", np.percentile(found, 90)),
        ("p99", np.percentile(found, 99)),
        ("longest", found.max()),
    ):
        print(f"| {name} of {len(found)} rows | {value:.1f} |")


if __name__ == "__main__":
    main()
