"""What a night costs: whole commands over eight hours at 50 Hz, the pipeline beside the filter alone, a live packet.

    python benchmarks/throughput.py [--hours 8] [--rounds 3] [--part commands|pipeline|filters|live]

In the first table each line is a whole process, from its start to its end. Wall time is what a user waits; on a machine
that does other things too, CPU time (user + system) is what the program itself needs. The other parts run inside this
process, on frames in memory of 5 samples a packet; what is compared takes turns, so that it meets the same machine.
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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from firmware_protocol.frames import Frame, Opened

FIVE_A_PACKET_MTU = 75
"""3 bytes of ATT, 8 of the packet's header, 5 samples of 12."""
FILTER_SAMPLES = 100_000  # 33 minutes: some peers take 20 microseconds for a sample
LIVE_FRAMES = 6000  # 10 minutes
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
    summed = median(lambda _: cost_of("replay", night, "--speed", "max"), rounds)
    replayed = median(lambda _: cost_of("replay", night, "--speed", "max", "--json"), rounds)
    exported = median(export, rounds)
    mb = night.stat().st_size / 1e6 / hours
    return [
        "| command | wall | CPU | memory | besides | aim |\n|---|---|---|---|---|---|",
        line("`posture --help`", help_, f"loads of the heavy packages: {imported_by_help() or 'none'}", "0.5 s"),
        line(f"`simulate`, {told}", simulated, factor, "500 × real time"),
        line(f"`replay --speed max`, {told}", summed, f"{seconds / summed.wall_s:.0f} × real time", "2 s"),
        line(f"`replay --speed max --json`, {told}", replayed, f"{seconds / replayed.wall_s:.0f} × real time", "3 s"),
        line(f"`export` of sessions, minutes, episodes, {told}", exported, "", "3 s"),
        f"| size of the recording | | | | {mb:.2f} MB/h | 3.5 MB/h |",
    ]


def frames_of(hours: float) -> "tuple[Opened, list[Frame]]":
    """A simulated session of 5 samples a packet: its header, and its frames in memory."""
    from companion.commands.opening import declared, opening
    from companion.settings import Settings
    from companion.simulator import straight
    from companion.simulator.stories import body_of

    body, settings = body_of("desk-hour", seed=0), Settings()
    header = opening(
        t_host_ns=0,
        driver="posture_v1",
        device="simulated",
        settings=settings,
        origin="simulated",
        calibration_json=declared(body.up_sensor, body.forward_sensor, settings),
    )
    with mock.patch.object(straight, "USUAL_MTU", FIVE_A_PACKET_MTU):
        return header, list(straight.frames(body, header=header, duration_s=hours * 3600))


def samples_of(header: "Opened", frames: "list[Frame]") -> Any:
    from firmware_protocol.drivers import driver

    return driver(header.driver).new_decoder().feed(frames).samples


def seconds_for(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def pipeline(hours: float, rounds: int) -> list[str]:
    """Decode to events against the filter alone, on the same samples, in turns."""
    import numpy as np
    from vqf import VQF

    from companion.session import Session

    header, frames = frames_of(hours)
    samples = samples_of(header, frames)
    gyr, acc = (np.ascontiguousarray(samples[name]) for name in ("gyr_radps", "acc_mps2"))

    def session() -> None:
        run = Session(header)
        run.feed(frames)
        run.close()

    turns = [(seconds_for(session), seconds_for(lambda: VQF(0.02).updateBatch(gyr, acc))) for _ in range(rounds + 1)]
    whole_s, filter_s = zip(*turns[1:], strict=True)  # the first turn warms up
    each_ns = [statistics.median(times) / len(samples) * 1e9 for times in (whole_s, filter_s)]
    ratio = statistics.median(a / b for a, b in turns[1:])
    return [
        f"| {len(frames)} frames, {len(samples)} samples, {rounds} turns | a sample | against VQF alone | aim |",
        "|---|---|---|---|",
        f"| decode to events, frames in memory, 5 samples a packet | {each_ns[0]:.0f} ns | {ratio:.2f} × | 2.5 × |",
        f"| `vqf.VQF.updateBatch` alone | {each_ns[1]:.0f} ns | 1 | |",
    ]


def filters(rounds: int) -> list[str]:
    """The peers on the same samples; a peer that is not installed says so."""
    import numpy as np
    import peers

    header, frames = frames_of(FILTER_SAMPLES / 50 / 3600)
    samples = samples_of(header, frames)
    acc, gyr = (np.ascontiguousarray(samples[name]) for name in ("acc_mps2", "gyr_radps"))
    lines = ["| filter | a sample |", "|---|---|"]
    for peer in (peers.vqf_as_shipped, peers.offline_vqf, peers.imufusion_with_bias, peers.complementary):
        try:
            taken_s = statistics.median(seconds_for(partial(peer, acc, gyr, 50.0)) for _ in range(rounds))
            lines.append(f"| {peer.__name__.replace('_', ' ')} | {taken_s / len(samples) * 1e9:.0f} ns |")
        except ImportError as error:
            lines.append(f"| {peer.__name__.replace('_', ' ')} | left out: {error} |")
    return lines


def live() -> list[str]:
    """One packet of 5 samples at a time through all stages, once everything has been used."""
    from companion.session import Session
    from firmware_protocol.frames import Notification

    header, frames = frames_of(LIVE_FRAMES / 10 / 3600)
    run, times_ms = Session(header), []
    for frame in frames:
        taken_s = seconds_for(partial(run.feed, [frame]))
        if isinstance(frame, Notification):
            times_ms.append(1000 * taken_s)
    times_ms = sorted(times_ms[len(times_ms) // 10 :])
    middle, late = statistics.median(times_ms), times_ms[int(0.99 * len(times_ms))]
    return [
        "| a live packet of 5 samples | median | 99 % | aim |\n|---|---|---|---|",
        f"| all stages, {len(times_ms)} packets | {middle:.2f} ms | {late:.2f} ms | median 1 ms |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", action="append", choices=("commands", "pipeline", "filters", "live"))
    given = parser.parse_args()
    parts: dict[str, Callable[[], list[str]]] = {
        "pipeline": lambda: pipeline(given.hours, given.rounds),
        "live": live,
        "filters": lambda: filters(given.rounds),
    }
    if "commands" in (given.part or ["commands"]):
        with tempfile.TemporaryDirectory() as directory:
            print("\n".join(measured(Path(directory), given.hours, given.rounds)), flush=True)
    for name, part in parts.items():
        if name in (given.part or parts):
            print("", *part(), sep="\n", flush=True)


if __name__ == "__main__":
    main()
