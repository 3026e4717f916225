"""Slips that are told where there is none, and turns of 15 degrees that are found, on people who walked with a sensor.

    python benchmarks/slip.py

Each chest recording once as it is, and then with everything after some moment of its walking turned by 15 degrees about
one of four horizontal axes. Counted is the walking from the turn to the word, in the pipeline's own judgement of what
walking is. The peers are the same sums without what stands around them: against the reference alone, of two minutes,
one minute and half a minute; with every place in the walking once as the start of the day, forwards and backwards, as
one recording has but one first walk.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tables import Table, show
from trials import data_directory

import companion
from companion.arrivals import arrivals_of
from companion.posture.pipeline import Parameters, Pipeline
from companion.posture.rows import ROWS_PER_S, Context
from companion.posture.seen import away_deg
from companion.posture.slip import SlipStage
from companion.posture.walks import SUM_ROWS, Walk, Walks, WalksState
from firmware_protocol import make_samples

Array = npt.NDArray[Any]
Told = Callable[[Array], bool]

G_MPS2 = 9.80665
STANDING = 3
TURN_DEG, LIMIT_DEG = 15.0, 10.0
ABOUT_DEG = (0, 90, 180, 270)
SHARES = (0.35, 0.5, 0.65)
"""Where in the walking the sensor turns: after the reference, and two minutes before the end."""

STARTS_EVERY = 100
PERSON = ("hours", "walking s", "false reports", "found %", "median s", "longest s", "within interval %")
DETECTOR = ("starts", "with a false report")


@dataclass(frozen=True)
class Recording:
    """Acceleration in m/s² (N, 3), its rate, and the baseline of a wearer who stands."""

    name: str
    acc_mps2: Array
    rate_hz: float
    calibration: companion.Calibration

    def analysed(self, acc_mps2: Array) -> Any:
        times_ns = np.round(np.arange(len(acc_mps2)) / self.rate_hz * 1e9).astype(np.int64)
        samples = make_samples(acc_mps2, None, t_device_ns=times_ns, index=np.arange(len(acc_mps2)))
        return companion.analyse(samples, calibration=self.calibration)

    def turned(self, t_ns: int, about_deg: float) -> Array:
        """The same with a sensor that sits otherwise from an instant on."""
        size, about = np.radians(TURN_DEG), np.radians(about_deg)
        cross = np.cross(np.eye(3), [np.cos(about), np.sin(about), 0.0])
        turn = np.eye(3) + np.sin(size) * cross + (1 - np.cos(size)) * cross @ cross
        acc, place, body = self.acc_mps2.copy(), round(t_ns * 1e-9 * self.rate_hz), self.calibration.rotation
        acc[place:] = acc[place:] @ (body.T @ turn @ body)
        return acc


def recordings(folder: Path) -> Iterator[Recording]:
    for path in sorted((folder / "chest_uci").glob("*.npz")):
        with np.load(path) as file:
            acc = (file["raw"] - 2048.0) / 372.0 * G_MPS2
            up = acc[file["label"] == STANDING].mean(axis=0)
            calibration = companion.Calibration.from_axes(up, [0.0, 0.0, 1.0])
            yield Recording(path.stem, acc, float(file["sampling_rate"]), calibration)


def slips(result: Any) -> list[Any]:
    return [event for event in result.events if type(event).__name__ in ("SlipSuspected", "SensorReattached")]


def walks_ns(result: Any) -> Array:
    return np.asarray(result.posture["t_session_ns"][result.posture["context"] == Context.WALKING])


def person(recording: Recording) -> dict[str, float]:
    plain = recording.analysed(recording.acc_mps2)
    times_ns, waits_s, within = walks_ns(plain), [], []
    for share in SHARES:
        turned_ns = int(times_ns[int(share * len(times_ns))])
        for about_deg in ABOUT_DEG:
            result = recording.analysed(recording.turned(turned_ns, about_deg))
            told = next((event for event in slips(result) if event.t_session_ns > turned_ns), None)
            after = walks_ns(result)
            walked = (after > turned_ns) & (after <= (told.t_session_ns if told else np.inf))
            waits_s.append(walked.sum() / ROWS_PER_S if told else np.inf)
            within.append(told is not None and told.from_ns <= turned_ns <= told.to_ns)
    return {
        "hours": len(recording.acc_mps2) / recording.rate_hz / 3600,
        "walking s": len(times_ns) / ROWS_PER_S,
        "false reports": len(slips(plain)),
        "found %": 100 * float(np.mean(np.array(waits_s) <= SUM_ROWS / ROWS_PER_S)),
        "median s": float(np.median(waits_s)),
        "longest s": float(np.max(waits_s)),
        "within interval %": 100 * float(np.mean(within)),
    }


def people(all_of_them: list[Recording]) -> Table:
    note = (
        f"A turn of {TURN_DEG:.0f}° counts as found within 120 s of walking; {len(SHARES) * len(ABOUT_DEG)} turns each."
    )
    table = Table("Slip reports on the chest recordings", note, PERSON, digits=1)
    for recording in all_of_them:
        table.add(recording.name, person(recording), "false ≤ 1 in 8 h; found 100")
    return table


def units_of(recording: Recording) -> Array:
    """Up at each row of walking, (N, 3) unit vectors in the calibrated frame."""
    period_ns = round(1e9 / recording.rate_hz)
    count = len(recording.acc_mps2)
    samples = make_samples(recording.acc_mps2, None, t_host_ns=np.arange(count) * period_ns, index=np.arange(count))
    block: Any = arrivals_of(samples, np.full(count, period_ns), 0, 0)
    for stage in Pipeline.of(Parameters(calibration=recording.calibration)).stages:
        if isinstance(stage, SlipStage):
            break
        block = stage.step(stage.start(), block)[1]
    up = block["up"][(block["context"] == Context.WALKING) & np.isfinite(block["up"][:, 2])]
    return np.asarray(up / np.linalg.norm(up, axis=1)[:, None])


def ours(units: Array) -> bool:
    """Whether our detector tells a slip of this walking."""
    times_ns = np.arange(len(units)) * (10**9 // ROWS_PER_S)
    return bool(Walks(None, LIMIT_DEG).step(WalksState(), Walk(times_ns, units))[1])


def sums_of(seconds: int) -> Told:
    """A detector that compares sums of so many seconds with the first two minutes, and nothing else."""

    def told(units: Array) -> bool:
        sums, rows = np.cumsum(np.concatenate([np.zeros((1, 3)), units]), axis=0), seconds * ROWS_PER_S
        return bool((away_deg(sums[SUM_ROWS + rows :] - sums[SUM_ROWS:-rows], sums[SUM_ROWS]) > LIMIT_DEG).any())

    return told


DETECTORS: dict[str, Told] = {"ours": ours} | {f"sums of {seconds} s": sums_of(seconds) for seconds in (120, 60, 30)}


def detectors(all_of_them: list[Recording]) -> Table:
    note = (
        "Every 20 s of the walking once as the start of a day, forwards and backwards; the sensor sits all the while."
    )
    table = Table("False reports by how walking is compared", note, DETECTOR, digits=0)
    walks = [walk for recording in all_of_them for units in [units_of(recording)] for walk in (units, units[::-1])]
    days = [walk[first:] for walk in walks for first in range(0, len(walk) - 2 * SUM_ROWS, STARTS_EVERY)]
    for name, told in DETECTORS.items():
        table.add(name, {"starts": len(days), "with a false report": sum(told(day) for day in days)})
    return table


def main() -> None:
    found = list(recordings(data_directory()))
    show("A sensor that slips", (make(found) for make in (people, detectors)))


if __name__ == "__main__":
    main()
