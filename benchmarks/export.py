"""Cost of `posture export`: whole processes on a long simulated session, beside those that only read or replay it.

    python benchmarks/export.py [--hours 8] [--rounds 3]

The session is the story desk-hour, over and over, at 50 Hz with 5 samples a packet, as `posture simulate` makes it. The
best of the rounds counts, as another process may be in the way of any; processor time tells how far one was.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tables import Table, show

HOURS = 8.0
COLUMNS = ("s", "CPU s", "times reading")
READ = "from companion.recording import open_recording; import sys; [0 for _ in open_recording(sys.argv[1]).runs()]"


def seconds(command: Sequence[str]) -> tuple[float, float]:
    """How long a process takes from its start to its end, and how long processors worked for it."""
    begin_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after, took_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begin_s
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def posture(*words: object) -> list[str]:
    return [sys.executable, "-m", "companion.cli", *map(str, words)]


def figures(directory: Path, hours: float = HOURS, rounds: int = 3) -> Table:
    """Every figure, in seconds of whole processes."""
    file, data = directory / "hours.posture", directory / "data"
    made = seconds(posture("simulate", "desk-hour", "--to", file, "--duration", hours * 3600, "--data-dir", data))
    out = (directory / f"out-{number}" for number in range(99))
    commands = {
        "reading it, every frame checked": lambda: [sys.executable, "-c", READ, str(file)],
        "replay --speed max --json": lambda: posture("replay", file, "--speed", "max", "--json", "--data-dir", data),
        "export": lambda: posture("export", file, "--out", next(out), "--data-dir", data),
        "export --anonymous": lambda: posture("export", file, "--out", next(out), "--anonymous", "--data-dir", data),
        "export --tables samples": lambda: posture(
            "export", file, "--out", next(out), "--tables", "samples", "--data-dir", data
        ),
    }
    found = {name: [seconds(command()) for _ in range(rounds)] for name, command in commands.items()}
    table = Table(
        f"Export of {hours:g} h at 50 Hz",
        f"Whole processes, the best of {rounds}. `export` writes every table but the samples.",
        COLUMNS,
    )
    read_cpu_s = min(cpu_s for _, cpu_s in found["reading it, every frame checked"])
    wanted = {"export": "under 3 s for 8 h", "export --tables samples": "under 30 s for 8 h"}
    for name, each in {"simulate --to, once": [made], **found}.items():
        took_s, cpu_s = (min(values) for values in zip(*each, strict=True))
        table.add(name, dict(zip(COLUMNS, (took_s, cpu_s, cpu_s / read_cpu_s), strict=True)), wanted.get(name, ""))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        show("Cost of export", [figures(Path(directory), chosen.hours, chosen.rounds)])


if __name__ == "__main__":
    main()
