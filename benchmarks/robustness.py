"""What lost packets, biased gyroscopes, coarse or broken samples and other mountings cost, beside other filters.

    python benchmarks/robustness.py [--quick] [--seeds 3] [--only loss,starts,bias,sensors,faults,mountings,uncertainty]

Everything at 50 Hz with 5 samples a packet unless a row says otherwise. Real recordings are needed:
`benchmarks/trials.py` says where they are looked for. Figures are degrees, but for shares of rows.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import product

import confidence
import faults
import numpy as np
import peers
import trials
from tables import Table, chosen, show
from trials import Array, Trial

import companion

RATE_HZ = 50.0
DEFINITION = "Inclination error (RMSE over the movement phase of a trial), mean over the trials."

LOSSES = {  # share of the packets, and how many are lost in a row
    "no loss": (0.0, 1),
    "1 % singly": (0.01, 1),
    "5 % singly": (0.05, 1),
    "10 % singly": (0.10, 1),
    "5 % in bursts of five (0.5 s)": (0.05, 5),
    "5 % in bursts of twenty (2 s)": (0.05, 20),
}
WANTED_LOSS = {"5 % singly": "≤ 2.60, goal 2.10", "5 % in bursts of five (0.5 s)": "≤ 2.10, goal 1.85"}

BIASES_DPS = (0.0, 1.0, 2.0, 4.0)
WANTED_BIAS = {2.0: "≤ 1.40", 4.0: "≤ 2.50"}
LEAST_PHASE_S = 60.0
"""Shorter ones are hardly begun when the filter has found the bias."""

PIECE_S, PIECES = 10.0, 6

MOUNTINGS = 100


class Bench:
    """The recordings, and how often each random case is repeated."""

    def __init__(self, quick: bool, seeds: int) -> None:
        self.sources, self.human_sources = trials.broad(quick), trials.humans(quick)
        self.people = [trials.at_rate(trial, RATE_HZ) for trial in self.human_sources]
        self.broad = [trials.at_rate(trial, RATE_HZ) for trial in self.sources]
        self.quick, self.seeds = quick, 1 if quick else seeds

    def groups(self) -> dict[str, list[Trial]]:
        """Trials by group; in a quick run all trials are one, and trunk-like."""
        trunk_like = [trial for trial in self.broad if trial.trunk_like]
        every = {} if self.quick else {"all trials": self.broad}
        return {"trunk-like trials": trunk_like} | every | {"people": self.people}

    # ---- lost packets

    def loss(self) -> Iterator[Table]:
        """Holes of every kind, group by group."""
        note = (
            f"Inclination error at the samples that arrived, mean over the trials and {self.seeds} random patterns. "
            "*As shipped*: the filter is given what arrived, joined; *filled*: straight lines are drawn over the "
            "holes. *Every*: also at the samples that were lost, the up vectors before and after them interpolated. "
            "People: offlineVQF of the whole recording at 100 Hz stands in for the truth."
        )
        fed = tuple(f"{name} {how}" for name in peers.LIVE for how in ("as shipped", "filled"))
        columns = ("ours", "ours, worst", "ours, every", *fed, "ours, batch", "offlineVQF filled")
        for group, found in self.groups().items():
            table = Table(f"Lost packets, {group}", note, columns)
            for case, (share, burst) in LOSSES.items():
                each = [
                    [_loss_errors(trial, share, burst, (seed, place)) for seed in range(self.seeds if share else 1)]
                    for place, trial in enumerate(found)
                ]
                wanted = WANTED_LOSS.get(case, "") if group == "trunk-like trials" else ""
                table.add(case, _with_worst(each), wanted)
            yield table

    # ---- beginnings

    def starts(self) -> Iterator[Table]:
        """A session or a segment that begins while the body moves."""
        note = (
            f"{PIECES} pieces of {PIECE_S:g} s of each trial's movement, each by itself: RMSE over all of a piece, "
            "mean over pieces and trials."
        )
        columns = ("ours", "ours, worst", *peers.LIVE, "ours, batch", *peers.BATCH)
        names = {"trunk-like trials": self.sources, "people": self.human_sources}
        table = Table("Begun in motion, no loss", note, columns)
        for (group, sources), rate_hz in product(names.items(), (50.0, 25.0)):
            found = [trials.at_rate(trial, rate_hz) for trial in sources if trial.trunk_like]
            each = [[_errors(piece) for piece in trials.pieces(trial, PIECE_S, PIECES)] for trial in found]
            table.add(f"{group}, {rate_hz:g} Hz", _with_worst(each))
        yield table

    # ---- gyroscopes that are off

    def bias(self) -> Iterator[Table]:
        """A constant on every axis, never a rest to find it in."""
        note = (
            "The same size added to or taken from every axis, all eight combinations; each trial's longest movement "
            f"phase alone (where it lasts {LEAST_PHASE_S:g} s), so that the body never rests; scored from its first "
            "sample on."
        )
        for group, found in self.groups().items():
            phases = [phase for phase in map(trials.without_rests, found) if len(phase) >= LEAST_PHASE_S * RATE_HZ]
            if group == "people" or not phases:
                continue
            columns = ("ours", "ours, worst", *peers.LIVE, "ours, batch", *peers.BATCH)
            table = Table(f"Never at rest, {group}", note, columns)
            for size_dps in BIASES_DPS:
                signs = list(product((1, -1), repeat=3)) if size_dps else [(1, 1, 1)]
                each = [
                    [_errors(trials.biased(phase, size_dps * np.array(sign))) for sign in signs] for phase in phases
                ]
                wanted = WANTED_BIAS.get(size_dps, "") if group == "trunk-like trials" else ""
                table.add(f"bias {size_dps:g} °/s on every axis", _with_worst(each), wanted)
            yield table

    # ---- coarse and noisy sensors

    def sensors(self) -> Iterator[Table]:
        """What a converter or a noisy instrument takes away."""
        kinds: dict[str, Callable[[Trial], Trial]] = {
            "as recorded": lambda trial: trial,
            "16 bit, ±16 g, ±2000 °/s": lambda trial: trials.quantised(trial, 16, 16, 2000),
            "16 bit, ±2 g, ±250 °/s, clipped": lambda trial: trials.quantised(trial, 16, 2, 250),
            "8 bit, ±2 g, ±500 °/s, clipped": lambda trial: trials.quantised(trial, 8, 2, 500),
            "noise 0.05 m/s², 0.2 °/s": lambda trial: trials.noisy(trial, 0.05, 0.2, 0),
            "noise 0.3 m/s², 1 °/s": lambda trial: trials.noisy(trial, 0.3, 1.0, 0),
        }
        for group, found in self.groups().items():
            columns = ("ours", *peers.LIVE, "ours, batch", *peers.BATCH)
            table = Table(f"Coarse and noisy sensors, {group}", f"{DEFINITION} No loss.", columns)
            for case, disturb in kinds.items():
                table.add(case, _means([_errors(disturb(trial)) for trial in found]))
            yield table

    # ---- broken samples

    def faults(self) -> Iterator[Table]:
        """One broken sample, or a stretch of repeated ones."""
        note = (
            "Largest angle between the run with the fault and the clean run, at any sample 10 s or more after the "
            "fault; worst of the trials and of three places in each. inf: no finite answer any more."
        )
        methods = {"ours": faults.ours} | peers.LIVE
        for group, every in self.groups().items():
            table = Table(f"Broken samples, {group}", note, tuple(methods))
            found = [trial for trial in every if len(trial) > LEAST_PHASE_S * RATE_HZ]
            for case, breaking in faults.KINDS.items():
                left = {
                    name: max(faults.lasting_deg(run, breaking, trial) for trial in found)
                    for name, run in methods.items()
                }
                table.add(case, left, "≤ 0.50" if case.startswith("one") else "")
            yield table

    # ---- mountings

    def mountings(self) -> Iterator[Table]:
        """One recording of a person as if the sensor had been stuck on in other ways."""
        count = 5 if self.quick else MOUNTINGS
        note = (
            f"A person's recording turned {count} times at random, the calibration with it: largest difference of "
            "an angle from the unturned run's, in any row. VQF is given the turned samples, and its up vectors are "
            "turned back."
        )
        table = Table("Mountings", note, ("ours", "VQF"), digits=4)
        gyro, without = (_mounting_spread_deg(self.people[0], count, gyroscope) for gyroscope in (True, False))
        table.add("with gyroscope", gyro, "≤ 0.10")
        table.add("accelerometer only", {"ours": without["ours"]}, "≤ 0.10")
        yield table

    # ---- uncertainty

    def uncertainty(self) -> Iterator[Table]:
        """How often the error is within what `analyse` says about it."""
        yield confidence.table(self.sources, self.human_sources, 1 if self.quick else 2)


def _means(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def _with_worst(each: list[list[dict[str, float]]]) -> dict[str, float]:
    """Means over the runs of each trial, then over the trials; and the mean of the trial on which ours is worst."""
    by_trial = [_means(runs) for runs in each]
    return _means(by_trial) | {"ours, worst": max(errors["ours"] for errors in by_trial)}


def _errors(trial: Trial) -> dict[str, float]:
    """Ours and every peer's on a stream without holes."""
    samples = trials.samples_of(trial)
    made = {"ours": companion.estimate_up(samples), "ours, batch": companion.estimate_up(samples, causal=False)}
    for name, run in (peers.LIVE | peers.BATCH).items():
        made[name] = run(trial.acc_mps2, trial.gyr_radps, trial.rate_hz)
    return {name: trials.rmse_deg(up, trial) for name, up in made.items()}


def _loss_errors(trial: Trial, share: float, burst: int, seed: tuple[int, ...]) -> dict[str, float]:
    kept = trials.received(len(trial), share, burst, seed)
    samples = trials.samples_of(trial, kept)
    up = companion.estimate_up(samples)
    made = {
        "ours": trials.rmse_deg(up, trial, kept),
        "ours, every": trials.rmse_deg(_interpolated(up, kept), trial),
        "ours, batch": trials.rmse_deg(companion.estimate_up(samples, causal=False), trial, kept),
    }
    for name, run in peers.LIVE.items():
        made[f"{name} as shipped"] = trials.rmse_deg(peers.joined(run, trial, kept), trial, kept)
    for name, run in (peers.LIVE | peers.BATCH).items():
        made[f"{name} filled"] = trials.rmse_deg(peers.filled(run, trial, kept)[kept], trial, kept)
    return made


def _interpolated(up: Array, kept: Array) -> Array:
    whole = np.zeros((len(kept), 3))
    whole[kept] = up
    return trials.unit(peers.straight_lines(whole, kept))


def _mounting_spread_deg(trial: Trial, count: int, gyroscope: bool) -> dict[str, float]:
    """Largest difference from the unturned run over `count` random rotations."""
    random = np.random.default_rng(0)
    up, forward = trial.up[: round(trial.rate_hz)].mean(axis=0), np.array([0.0, 0.0, 1.0])
    turns = [np.eye(3), *(_random_rotation(random) for _ in range(count))]
    runs = [_turned_run(trial, turn, up, forward, gyroscope) for turn in turns]
    first_rows, first_vqf = runs[0]
    worst, worst_vqf = 0.0, 0.0
    for rows, vqf in runs[1:]:
        for name in ("sagittal_deg", "lateral_deg", "uncertainty_deg"):
            assert np.array_equal(np.isnan(rows[name]), np.isnan(first_rows[name]))
            worst = max(worst, float(np.nanmax(np.abs(rows[name] - first_rows[name]))))
        worst_vqf = max(worst_vqf, float(trials.between_deg(vqf, first_vqf).max()))
    return {"ours": worst, "VQF": worst_vqf}


def _turned_run(trial: Trial, turn: Array, up: Array, forward: Array, gyroscope: bool) -> tuple[Array, Array]:
    acc, gyr = (np.ascontiguousarray(values @ turn.T) for values in (trial.acc_mps2, trial.gyr_radps))
    turned = trials.replaced(trial, acc, gyr)
    baseline = companion.Calibration.from_axes(turn @ up, turn @ forward)
    rows = companion.analyse(trials.samples_of(turned, gyroscope=gyroscope), baseline).posture
    return rows, peers.vqf_as_shipped(acc, gyr, trial.rate_hz) @ turn


def _random_rotation(random: np.random.Generator) -> Array:
    """Uniform over all rotations: the orthogonal part of a matrix of normal numbers, mirrored back where it mirrors."""
    q, r = np.linalg.qr(random.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.linalg.det(q))


def measured(quick: bool = False, only: str = "", seeds: int = 3) -> Iterator[Table]:
    """The tables, one by one."""
    bench = Bench(quick, seeds)
    parts: dict[str, Callable[[], Iterator[Table]]] = {
        "loss": bench.loss,
        "starts": bench.starts,
        "bias": bench.bias,
        "sensors": bench.sensors,
        "faults": bench.faults,
        "mountings": bench.mountings,
        "uncertainty": bench.uncertainty,
    }
    for name in chosen(parts, only):
        yield from parts[name]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording of each kind, one random pattern")
    parser.add_argument("--seeds", type=int, default=3, help="random patterns of loss")
    parser.add_argument("--only", default="", help="parts: loss, starts, bias, sensors, faults, mountings, uncertainty")
    given = parser.parse_args()
    show("Robustness", measured(given.quick, given.only, given.seeds))


if __name__ == "__main__":
    main()
