"""Which contexts the labelled recordings get: computer work that is judged, walking that is not, lying that is found.

    python benchmarks/context.py

The chest recordings need neither offset nor scale: a row's spread is a part of what the sensor reads for 1 g. Labels
are rough (a *walking* run holds pauses, a *standing* run holds steps), so pauses of 4 s and more below 0.03 g are left
out of walking. The peer is the gate that most trackers have: the spread of |a| over 2 s against one threshold, at the
0.05 g of the still gate and at the threshold that separates best on the other people (leave one out). Ours has fixed
thresholds; the last table moves each of them by 30 %.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from tables import Table, show
from trials import data_directory

import companion
from companion.arrivals import arrivals_of
from companion.posture import context
from companion.posture.context import ContextStage
from companion.posture.pipeline import Parameters, Pipeline
from companion.posture.rows import Context
from companion.posture.windows import Windows
from firmware_protocol import make_samples

Array = npt.NDArray[Any]
Gate = Callable[[Array], Array]

G_MPS2 = 9.80665
COMPUTER, WALKING, STANDING, TALKING = 1, 4, 3, 7
PAUSE_SD_G, PAUSE_S = 0.03, 4
SD_GATE_G = 0.05
TRIED_G = np.geomspace(0.01, 0.4, 60)
COLUMNS = ("computer judged %", "walking judged %", "gate", "SD 0.05 g", "SD best of others")


@dataclass(frozen=True)
class Recording:
    """ROWS of a recording, and of each row whether it is walking, at rest, and what it was labelled."""

    name: str
    rows: Array
    labels: Array
    pauses: Array
    walks: Array  # what the reference says
    rests: Array


def contexts(rows: Array) -> Array:
    """What our context stage says, with the thresholds in force."""
    stage = ContextStage(calibrated=False)
    return np.asarray(stage.step(stage.start(), rows)[1]["context"])


def walking_gate(rows: Array) -> Array:
    return contexts(rows) == Context.WALKING


def sd_gate(limit_g: float) -> Gate:
    return lambda rows: np.asarray(rows["acc_sd_g"] >= limit_g)


def rows_of(acc_mps2: Array, gyr_radps: Array | None, rate_hz: float) -> Array:
    """ROWS as they come out of the windows."""
    period_ns = round(1e9 / rate_hz)
    times_ns = np.arange(len(acc_mps2)) * period_ns
    samples = make_samples(acc_mps2, gyr_radps, t_host_ns=times_ns, index=np.arange(len(acc_mps2)))
    block: Any = arrivals_of(samples, np.full(len(samples), period_ns), 0, 0)
    for stage in Pipeline.of(Parameters()).stages:
        block = stage.step(stage.start(), block)[1]
        if isinstance(stage, Windows):
            return np.asarray(block)
    raise AssertionError("the pipeline has windows")


def at_rows(values: Array, rows: Array, rate_hz: float) -> Array:
    """Of each row the value at its newest sample."""
    places = np.round(rows["t_session_ns"] * 1e-9 * rate_hz).astype(int)
    return np.asarray(values[np.minimum(places, len(values) - 1)])


def pauses_of(norm_g: Array, rate_hz: float) -> Array:
    """Samples in stretches of 4 s and more whose spread over 2 s, about each sample, stays below 0.03 g."""
    half, count = round(rate_hz), len(norm_g)
    total, squares = (np.cumsum(np.concatenate([[0.0], each])) for each in (norm_g, norm_g * norm_g))
    first, end = np.maximum(np.arange(count) - half, 0), np.minimum(np.arange(count) + half, count)
    mean = (total[end] - total[first]) / (end - first)
    spread = np.sqrt(np.maximum((squares[end] - squares[first]) / (end - first) - mean * mean, 0))
    quiet = np.concatenate([[False], spread < PAUSE_SD_G, [False]])
    made = np.zeros(count, dtype=bool)
    for begin, over in np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2):
        made[begin:over] = over - begin >= PAUSE_S * rate_hz
    return made


@cache
def chest(gain: float = 1.0) -> tuple[Recording, ...]:
    """The chest recordings, as of a sensor that reads `gain` times as much."""
    return tuple(_chest(file, gain) for file in sorted((data_directory() / "chest_uci").glob("*.npz")))


def _chest(file: Path, gain: float) -> Recording:
    with np.load(file) as data:
        acc_g, labels, rate_hz = (data["raw"] - 2048.0) / 372 * gain, data["label"], float(data["sampling_rate"])
    rows = rows_of(acc_g * G_MPS2, None, rate_hz)
    pauses = at_rows(pauses_of(np.linalg.norm(acc_g, axis=1) / gain, rate_hz), rows, rate_hz)
    labels = at_rows(labels, rows, rate_hz)
    walks, rests = (labels == WALKING) & ~pauses, np.isin(labels, (COMPUTER, STANDING, TALKING))
    return Recording(file.stem, rows, labels, pauses, walks, rests)


@cache
def lower_back() -> tuple[Recording, ...]:
    """The lower-back recordings with the walking periods of their reference."""
    return tuple(_lower_back(file) for file in sorted((data_directory() / "lowerback_mobilised").glob("*.npz")))


def _lower_back(file: Path) -> Recording:
    with np.load(file) as data:
        acc, gyr, rate_hz, periods_s = data["acc"], data["gyr"], float(data["sampling_rate"]), data["walking_s"]
    rows = rows_of(acc.astype(float), gyr.astype(float), rate_hz)
    t_s = rows["t_session_ns"] * 1e-9
    walks = ((t_s[:, None] > periods_s[:, 0]) & (t_s[:, None] <= periods_s[:, 1])).any(axis=1)
    settled = contexts(rows) != Context.SETTLING
    nothing = np.zeros(len(rows), dtype=int)
    return Recording(file.stem, rows, nothing, nothing > 0, walks & settled, ~walks & settled)


def balanced(gate: Gate, recording: Recording) -> float:
    """Balanced accuracy: the mean of walking that is found and of rest that is left."""
    found = gate(recording.rows)
    return float(found[recording.walks].mean() + 1 - found[recording.rests].mean()) / 2


def best_sd_gate(others: list[Recording]) -> Gate:
    """The spread's threshold with the best mean over these people."""
    means = [np.mean([balanced(sd_gate(limit_g), each) for each in others]) for limit_g in TRIED_G]
    return sd_gate(float(TRIED_G[int(np.argmax(means))]))


def judged(recording: Recording) -> tuple[float, float]:
    """Per cent of computer work, and of walking without its pauses, that are still and would be judged."""
    still = contexts(recording.rows) == Context.STILL
    return 100 * float(still[recording.labels == COMPUTER].mean()), 100 * float(still[recording.walks].mean())


def figures(recording: Recording, people: tuple[Recording, ...]) -> dict[str, float]:
    others = [each for each in people if each is not recording]
    values = (
        *judged(recording),
        balanced(walking_gate, recording),
        balanced(sd_gate(SD_GATE_G), recording),
        balanced(best_sd_gate(others), recording),
    )
    return dict(zip(COLUMNS, values, strict=True))


def worst_and_mean(people: tuple[Recording, ...]) -> dict[str, float]:
    """What is asked for, over all people, with the thresholds in force."""
    shares, gates = [judged(each) for each in people], [balanced(walking_gate, each) for each in people]
    return {
        "least computer judged %": min(computer for computer, _ in shares),
        "most walking judged %": max(walking for _, walking in shares),
        "gate, worst": min(gates),
        "gate, mean": float(np.mean(gates)),
    }


def people_table(gain: float) -> Table:
    note = "Balanced accuracy of three gates: walking (pauses left out) against computer work, standing and talking."
    table = Table(f"Chest, five people, sensor at {gain:g} g", note, COLUMNS, digits=3)
    for recording in chest(gain):
        table.add(recording.name, figures(recording, chest(gain)), "≥ 85, ≤ 10, ≥ 0.80")
    means = {name: float(np.mean([row[name] for row in table.rows.values()])) for name in COLUMNS}
    table.add("mean", means, "gate ≥ 0.90")
    return table


THRESHOLDS: dict[str, tuple[str, Callable[[float], Any]]] = {
    "walk begins, 0.04 g": ("WALKING_SD_G", lambda part: (0.03, 0.04 * part)),
    "walk ends, 0.03 g": ("WALKING_SD_G", lambda part: (0.03 * part, 0.04)),
    "share to begin, 0.25": ("WALKING_SHARE", lambda part: (0.15, 0.25 * part)),
    "share to go on, 0.15": ("WALKING_SHARE", lambda part: (0.15 * part, 0.25)),
    "a step's second, 0.04 g": ("STEP_SD_G", lambda part: 0.04 * part),
}


def sensitivity_table() -> Table:
    people = chest()
    table = Table("Thresholds moved by 30 %", "Five people.", tuple(worst_and_mean(people)), digits=3)
    table.add("as they are", worst_and_mean(people))
    for name, (constant, value) in THRESHOLDS.items():
        for part, told in ((0.7, "-30 %"), (1.3, "+30 %")):
            with patch.object(context, constant, value(part)):
                table.add(f"{name} {told}", worst_and_mean(people))
    for part, told in ((0.7, "-30 %"), (1.3, "+30 %")):
        with patch.object(
            ContextStage.__init__, "__defaults__", (0.05 * part, *ContextStage.__init__.__defaults__[1:])
        ):
            table.add(f"still, 0.05 g {told}", worst_and_mean(people))
    return table


def walks_table() -> Table:
    note = (
        "Per cent of the reference's walking that is told as walking, and of the rest that is; short walks of 4-12 s."
    )
    table = Table("Lower back", note, ("walking found %", "rest called walking %", "gate", "SD 0.05 g"), digits=2)
    for recording in lower_back():
        found = walking_gate(recording.rows)
        table.add(
            recording.name,
            {
                "walking found %": 100 * float(found[recording.walks].mean()),
                "rest called walking %": 100 * float(found[recording.rests].mean()),
                "gate": balanced(walking_gate, recording),
                "SD 0.05 g": balanced(sd_gate(SD_GATE_G), recording),
            },
        )
    return table


def lying_shares(file: Path) -> tuple[float, int]:
    """Per cent of the labelled lying that is told so, of rows with a sample in their second, and the number of them."""
    with np.load(file) as data:
        t_s, acc_g, labels = data["t"].astype(float), data["acc_g"].astype(float), data["label"]
    samples = make_samples(acc_g * G_MPS2, None, t_device_ns=np.round(t_s * 1e9).astype(np.int64))
    upright = acc_g[labels == 4].mean(axis=0)  # walking about
    forward = [1.0, 0.0, 0.0] if abs(upright[0]) < 0.9 * np.linalg.norm(upright) else [0.0, 1.0, 0.0]
    rows = companion.analyse(samples, companion.Calibration.from_axes(upright, forward)).posture
    row_s = rows["t_session_ns"] * 1e-9 + t_s[0]
    newest = np.clip(np.searchsorted(t_s, row_s, side="right") - 1, 0, len(t_s) - 1)
    lies = (labels[newest] == 3) & (row_s - t_s[newest] < 1)
    return 100 * float((rows["context"][lies] == Context.LYING).mean()), int(lies.sum())


def lying_table() -> Table:
    note = "Older people, a tag without a battery: samples at 1-10 Hz with long gaps; the baseline is their walking."
    files = sorted((data_directory() / "sternum_batteryless").glob("*.npz"))
    shares = [lying_shares(file) for file in files]
    table = Table("Lying, sternum, irregular samples", note, ("lying found %", "worst %", "rows"), digits=0)
    for name, least in (("at least 1000 rows", 1000), ("at least 200 rows", 200), ("all", 1)):
        kept = [share for share in shares if share[1] >= least]
        total = sum(count for _, count in kept)
        found = sum(share * count for share, count in kept) / total
        worst = min(share for share, _ in kept)
        table.add(f"{name}: {len(kept)} recordings", {"lying found %": found, "worst %": worst, "rows": total})
    return table


def measured() -> Iterator[Table]:
    yield people_table(1.0)
    yield people_table(1.3)
    yield sensitivity_table()
    yield walks_table()
    yield lying_table()


def main() -> None:
    show("Contexts", measured())


if __name__ == "__main__":
    main()
