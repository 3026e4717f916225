"""Eight hours at 50 Hz, as whole commands: simulate, replay, export; and how fast `--help` is there.

    python benchmarks/throughput.py [--hours 8] [--runs 3]

Each command is a process of its own, start-up included; the figures are medians with the least and the most. Peak
memory is that of the largest of the command's runs, as the operating system counts it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

POSTURE = [sys.executable, "-m", "companion.cli"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(*arguments: str) -> Run:
    """Run `posture` with its output thrown away."""
    began_s = time.perf_counter()
    process = subprocess.Popen([*POSTURE, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"posture {' '.join(arguments)} ended with {process.returncode}")
    return Run(time.perf_counter() - began_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def row(name: str, runs: list[Run], aim: str) -> str:
    """A line of the table."""
    walls = sorted(each.wall_s for each in runs)
    cpu_s = statistics.median(each.cpu_s for each in runs)
    middle_s = statistics.median(walls)
    peak_mb = max(each.peak_mb for each in runs)
    spread = f"{walls[0]:.2f}-{walls[-1]:.2f}"
    return f"| {name:<42} | {middle_s:8.2f} | {spread:>11} | {cpu_s:7.2f} | {peak_mb:7.0f} | {aim:<16} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    length_s = given.hours * 3600
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        session = directory / "0.posture"
        simulated = []
        for number in range(given.runs):
            to = str(directory / f"{number}.posture")
            simulated.append(run("simulate", "desk-hour", "--to", to, "--duration", f"{length_s:g}"))
        replay = ("replay", str(session), "--speed", "max", "--json")
        replayed = [run(*replay) for _ in range(given.runs)]
        exported = [run("export", str(session), "--out", str(directory / f"csv{n}")) for n in range(given.runs)]
        helped = [run("--help") for _ in range(max(given.runs, 5))]
        print(
            f"| {f'{given.hours:g} h at 50 Hz':<42} | median s | least-most  | CPU s   | peak MB | to reach         |"
        )
        print("|---|---:|---:|---:|---:|---|")
        print(row("simulate", simulated, f"{length_s / 500:.0f} s (500 ×)"))
        print(row("replay --speed max --json", replayed, "under 5 s"))
        print(row("export sessions, minutes, episodes", exported, "under 3 s"))
        print(row("--help", helped, "under 0.5 s"))
        size_mb = session.stat().st_size / 1e6
        print(f"\nsession file: {size_mb / given.hours:.2f} MB an hour (12 samples a packet; to reach: 3.5)")
        print(f"simulate: {length_s / statistics.median(each.wall_s for each in simulated):.0f} × real time")


if __name__ == "__main__":
    main()
