"""What a night costs: simulate, replay and export of eight hours at 50 Hz, and how soon `--help` stands there.

    python benchmarks/throughput.py [--hours 8] [--rounds 3]

Each line is a whole process, from its start to its end. Wall time is what a user waits; on a machine that does other
things too, CPU time (user + system) is what the program itself needs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POSTURE = (sys.executable, "-m", "companion.cli")
HEAVY = ("numpy", "scipy", "vqf", "bleak", "textual", "bumble")


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    wall_s: float
    cpu_s: float
    rss_mb: float


def cost_of(*arguments: object) -> Cost:
    """Run the command line to its end, its stdout thrown away."""
    began_s = time.monotonic()
    process = subprocess.Popen([*POSTURE, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit_bytes / 1e6)


def median(run: Callable[[int], Cost], rounds: int) -> Cost:
    """The median of each figure."""
    costs = [run(number) for number in range(rounds)]
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s", "rss_mb")))


def imported_by_help() -> list[str]:
    """Which of the heavy packages `--help` loads."""
    program = "import sys; from companion.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in found.stderr.split()}
    return [name for name in HEAVY if name in loaded]


def line(what: str, cost: Cost, besides: str, aim: str) -> str:
    return f"| {what} | {cost.wall_s:.2f} s | {cost.cpu_s:.2f} s | {cost.rss_mb:.0f} MB | {besides} | {aim} |"


def measured(directory: Path, hours: float, rounds: int) -> list[str]:
    seconds, night = hours * 3600, directory / "0.posture"
    told = f"{hours:g} h"

    def simulate(number: int) -> Cost:
        return cost_of("simulate", "desk-hour", "--to", directory / f"{number}.posture", "--duration", f"{seconds:g}")

    def export(number: int) -> Cost:
        return cost_of("export", night, "--out", directory / f"csv-{number}", "--tables", "sessions,minutes,episodes")

    help_ = median(lambda _: cost_of("--help"), 10)
    simulated = median(simulate, rounds)
    factor = f"{seconds / simulated.wall_s:.0f} × real time"
    replayed = median(lambda _: cost_of("replay", night, "--speed", "max", "--json"), rounds)
    exported = median(export, rounds)
    mb = night.stat().st_size / 1e6 / hours
    return [
        "| command | wall | CPU | memory | besides | aim |\n|---|---|---|---|---|---|",
        line("`posture --help`", help_, f"loads of the heavy packages: {imported_by_help() or 'none'}", "0.5 s"),
        line(f"`simulate`, {told}", simulated, factor, "500 × real time"),
        line(f"`replay --speed max --json`, {told}", replayed, f"{seconds / replayed.wall_s:.0f} × real time", "5 s"),
        line(f"`export` of sessions, minutes, episodes, {told}", exported, "", "3 s"),
        f"| size of the recording | | | | {mb:.2f} MB/h | 3.5 MB/h |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print("\n".join(measured(Path(directory), given.hours, given.rounds)))


if __name__ == "__main__":
    main()
