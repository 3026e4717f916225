"""What a report costs: whole `posture report` commands, from their start to their end, and the size of the page.

    python benchmarks/report.py [--hours 8] [--rounds 3]

Recordings are made straight at 50 Hz with 5 samples a packet: an ordinary session, one with a movement every 20 s (so
with as many bands as there can be), two sessions of one day, and five of one week. Each line is the median of a few
whole processes. Wall time is what a user waits; on a machine that does other things too, CPU time (user + system) is
what the program itself needs.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from throughput import Cost, cost_of

MONDAY = date(2026, 10, 19)
AIM_S, AIM_MB = 5.0, 3.0
"""For one session of 8 h."""

WEEK = [
    ("desk-hour", MONDAY, "08:00", 1.0),
    ("desk-hour", MONDAY + timedelta(days=1), "08:00", 0.5),
    ("fidget", MONDAY + timedelta(days=1), "13:00", 0.5),
    ("desk-hour", MONDAY + timedelta(days=2), "08:00", 1.0),
    ("fidget", MONDAY + timedelta(days=3), "08:00", 1.0),
    ("desk-hour", MONDAY + timedelta(days=4), "08:00", 1.0),
]
"""Story, day, time of day, and which share of the hours that are asked for."""


@dataclass(frozen=True)
class Page:
    """What one report took, and how large it is."""

    cost: Cost
    size_mb: float


def make(directory: Path, hours: float) -> list[Path]:
    """The recordings of a week, in a data directory."""
    sessions = directory / "sessions"
    sessions.mkdir()
    files = []
    for number, (story, day, at, share) in enumerate(WEEK):
        file = sessions / f"{number}.posture"
        when = ("--started", f"{day}T{at}", "--zone", "Europe/Paris")
        cost_of("simulate", story, "--to", file, "--duration", f"{hours * share * 3600:g}", "--seed", number, *when)
        files.append(file)
    return files


def page(directory: Path, rounds: int, *words: object) -> Page:
    """The medians of a report of `words`, each time written anew."""
    costs, target = list[Cost](), directory / "page.html"
    for _ in range(rounds):
        target.unlink(missing_ok=True)
        costs.append(cost_of("report", *words, "--data-dir", directory, "--out", target))
    medians = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s", "rss_mb"))
    return Page(Cost(*medians), target.stat().st_size / 1e6)


def measured(directory: Path, hours: float, rounds: int) -> Iterator[str]:
    files = make(directory, hours)
    aim = f"< {AIM_S:g} s, < {AIM_MB:g} MB" if hours == 8 else ""
    cases: list[tuple[str, tuple[object, ...], str]] = [
        (f"session of {hours:g} h", (files[0],), aim),
        (f"session of {hours:g} h, restless", (files[4],), aim),
        (f"day of two sessions, {hours:g} h", ("--day", MONDAY + timedelta(days=1)), aim),
        (f"week of six sessions, {5 * hours:g} h", ("--week", MONDAY), ""),
    ]
    yield "| report | wall | CPU | memory | page | wanted |"
    yield "|---|---:|---:|---:|---:|---|"
    for what, words, wanted in cases:
        found = page(directory, rounds, *words)
        cost = found.cost
        yield (
            f"| {what} | {cost.wall_s:.2f} s | {cost.cpu_s:.2f} s | {cost.rss_mb:.0f} MB | {found.size_mb:.2f} MB "
            f"| {wanted} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(f"{asked.hours:g} h a day, median of {asked.rounds}, {os.cpu_count()} processors\n")
        for line in measured(Path(directory), asked.hours, asked.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
