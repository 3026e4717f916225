"""What a year of days costs in the history: to build, to rebuild, and to be read by the commands that wearers use.

    python benchmarks/history.py [--days 365] [--minutes 125] [--rounds 5]

A session each day, at 10 Hz: two simulated wearers by turns, recorded anew on each date. The first `history` computes
all of them, `history --rebuild` does so again and leaves equal content; then nothing has changed and the commands are
timed as whole processes, the interpreter's start included, the shortest of some runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

from tables import Table, show

from companion.commands.new_recording import record
from companion.commands.opening import declared, opening
from companion.history import History
from companion.history.schema import TABLES
from companion.settings import Settings
from companion.simulator.stories import body_of
from companion.simulator.straight import frames
from firmware_protocol.frames import Closed, Frame, Opened

ZONE = "Europe/Paris"
RATE_HZ = 10.0
STORIES = ("fidget", "slouch")

COLUMNS = ("s", "MB")


def worn(story: str, minutes: float, seed: int) -> list[Frame]:
    """One session of a simulated wearer, its end included."""
    body, settings = body_of(story, seed=seed), Settings()
    header = opening(
        t_host_ns=0,
        driver="posture_v1",
        device="simulated",
        settings=settings,
        origin="simulated",
        rate_hz=RATE_HZ,
        calibration_json=declared(body.up_sensor, body.forward_sensor, settings),
        started=datetime.combine(date(2026, 1, 1), time(9), ZoneInfo(ZONE)),
    )
    found = list(frames(body, header=header, duration_s=60 * minutes, rate_hz=RATE_HZ, seed=seed))
    return [*found, Closed(t_host_ns=found[-1].t_host_ns, reason="the story ended", count=0)]


def make(sessions: Path, days: int, minutes: float) -> None:
    """A recording at nine o'clock of each day up to yesterday; every one a session of its own."""
    sessions.mkdir(parents=True)
    today = datetime.now(ZoneInfo(ZONE)).date()
    lived = [worn(story, minutes, seed) for seed, story in enumerate(STORIES)]
    for number in range(days):
        begin = datetime.combine(today - timedelta(days=days - number), time(9), ZoneInfo(ZONE))
        first, *rest = lived[number % len(lived)]
        assert isinstance(first, Opened)
        utc_ns = int(begin.timestamp()) * 1_000_000_000
        header = replace(first, session_id=f"benchmark-{number:04d}", utc_ns=utc_ns)
        record(sessions / f"{begin.astimezone(UTC):%Y-%m-%dT%H%M%SZ}_simulated.posture", [header, *rest])


def took_s(data: Path, *arguments: str) -> float:
    """Seconds of one command as a process of its own."""
    begun = perf_counter()
    command = [sys.executable, "-m", "companion.cli", *arguments, "--data-dir", str(data)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"TZ": ZONE})
    return perf_counter() - begun


def content(data: Path) -> dict[str, list[object]]:
    """All rows of the history."""
    history = History.at(data / "history.db")
    try:
        return {table: list(history.rows(table)) for table in TABLES}
    finally:
        history.close()


def measured(data: Path, days: int, minutes: float, rounds: int) -> Iterator[Table]:
    """One table: what is done once, then what is done each time."""
    make(data / "sessions", days, minutes)
    table = Table(
        "The history", f"{days} days, a session of {minutes:g} min each; size of the files it reads or makes.", COLUMNS
    )
    recorded_mb = sum(file.stat().st_size for file in (data / "sessions").iterdir()) / 1e6
    table.add("first `history`: all computed", {"s": took_s(data, "history"), "MB": recorded_mb})
    built = content(data)
    again_s = took_s(data, "history", "--rebuild")
    assert content(data) == built, "a rebuild is equal"
    table.add("`history --rebuild`", {"s": again_s, "MB": (data / "history.db").stat().st_size / 1e6})
    for command, wanted in (
        ("history --month", "under 0.5"),
        ("history --week", ""),
        ("history", ""),
        ("history --json", ""),
        ("sessions", ""),
    ):
        best_s = min(took_s(data, *command.split()) for _ in range(rounds))
        table.add(f"`{command}`, nothing new", {"s": best_s}, wanted=wanted)
    min((data / "sessions").iterdir()).unlink()
    table.add("`history --month`, one recording gone", {"s": took_s(data, "history", "--month")})
    yield table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--minutes", type=float, default=125.0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        show("A year in the history", measured(Path(place) / "data", given.days, given.minutes, given.rounds))


if __name__ == "__main__":
    main()
