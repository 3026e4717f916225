"""What it costs to decode each maker's packets, and how near the story the angle stays: every simulated sensor.

    python benchmarks/drivers.py [--minutes 9] [--rounds 3]

Each sensor is worn through the story "slouch", through its driver's scripts, into frames as a host records them. Those
frames are decoded all at once and one by one; the times are of the decoder alone. The same frames through the session
give the angle's error on still stretches, which is that of the sensor's scale, rate and batches, not of a body's.
"""

import argparse
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
from tables import Table, show

import firmware_protocol as fp
from companion.posture.calibration import Calibration
from companion.posture.rows import Context
from companion.session import Session
from companion.simulator.makers import simulated
from companion.simulator.stories import body_of
from companion.simulator.straight import frames

STORY_DEG, FROM_S = 25.0, 10.0
SETTLED_S = 8.0  # after the lean: a slow sensor's windows are past it then


def worn(name: str, minutes: float) -> tuple[fp.Opened, list[fp.Frame]]:
    """A session with this maker's sensor: its header and its frames."""
    body = body_of("slouch")
    header = fp.Opened(
        t_host_ns=0,
        session_id="benchmark",
        driver=name,
        device="simulated",
        rate_hz=fp.driver(name).usual_rate_hz,
        utc_ns=0,
        zone="UTC",
        software_version="0",
        calibration_json=Calibration.from_axes(body.up_sensor, body.forward_sensor).to_json(),
    )
    return header, list(frames(body, header=header, duration_s=60 * minutes, rate_hz=header.rate_hz))


def best_s(rounds: int, doing: Callable[[], object]) -> float:
    """The shortest of some runs: what else the machine does only adds."""
    found = []
    for _ in range(rounds):
        begun = perf_counter()
        doing()
        found.append(perf_counter() - begun)
    return min(found)


def figures(name: str, minutes: float, rounds: int) -> dict[str, float]:
    """One row of the table; the story lasts ten minutes."""
    header, lived = worn(name, minutes)
    samples = len(fp.driver(name).new_decoder().feed(lived).samples)
    carrying = sum(1 for frame in lived if isinstance(frame, fp.Notification | fp.Advertisement))
    at_once_s = best_s(rounds, lambda: fp.driver(name).new_decoder().feed(lived))

    def singly() -> None:
        decoder = fp.driver(name).new_decoder()
        for frame in lived:
            decoder.feed([frame])

    rows = Session(header).feed(lived).posture
    t_s = rows["t_session_ns"] / 1e9
    still = (rows["context"] == Context.STILL) & ((t_s < FROM_S) | (t_s > FROM_S + SETTLED_S))
    error = rows["sagittal_deg"] - np.where(t_s < FROM_S, 0.0, STORY_DEG)
    return {
        "samples/s": samples / (60 * minutes),
        "samples a packet": samples / carrying,
        "ns a sample, at once": at_once_s / samples * 1e9,
        "s for 8 h": at_once_s * 8 * 60 / minutes,
        "µs a packet, live": best_s(rounds, singly) / len(lived) * 1e6,
        "error, RMS °": float(np.sqrt(np.mean(error[still] ** 2))),
        "error, most °": float(np.abs(error[still]).max()),
    }


COLUMNS = (
    "samples/s",
    "samples a packet",
    "ns a sample, at once",
    "s for 8 h",
    "µs a packet, live",
    "error, RMS °",
    "error, most °",
)


def measured(minutes: float, rounds: int) -> Iterator[Table]:
    note = (
        f"Decoders alone, {minutes:g} min of frames each, the shortest of {rounds} runs; error of `sagittal_deg` "
        "against the story on still rows."
    )
    table = Table("Decoders of each maker's sensors", note, COLUMNS)
    for name in simulated():
        table.add(name, figures(name, minutes, rounds), wanted="error 2 at the most")
    yield table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    show("Sensors of other makers", measured(given.minutes, given.rounds))


if __name__ == "__main__":
    main()
