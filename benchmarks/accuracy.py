"""How close the up direction is to the truth, live and as batch, at several rates, beside published filters.

    python benchmarks/accuracy.py [--quick] [--only live,batch,trials,thinning,accelerometer]

Real recordings are needed: `benchmarks/trials.py` says where they are looked for. Figures are degrees.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import numpy as np
import peers
import trials
from tables import Table, chosen, show
from trials import Array, Trial

import companion
from companion.posture.rows import ROW_NS

RATES_HZ = (100.0, 50.0, 25.0, 12.5)
DEFINITION = "Inclination error as BROAD defines it: RMSE over the movement phase of a trial, mean over the trials."

Wanted = dict[tuple[str, float], float]
WANTED_LIVE: Wanted = {
    ("trunk-like", 100.0): 0.50,
    ("trunk-like", 50.0): 0.68,
    ("trunk-like", 25.0): 1.23,
    ("all", 50.0): 1.45,
}
WANTED_BATCH: Wanted = {("trunk-like", 50.0): 0.50}


def ours(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    """`companion.estimate_up`, called as a peer is."""
    return companion.estimate_up(_samples(acc_mps2, gyr_radps, rate_hz))


def ours_batch(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    return companion.estimate_up(_samples(acc_mps2, gyr_radps, rate_hz), causal=False)


def _samples(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    unknown = np.zeros(acc_mps2.shape)
    return trials.samples_of(Trial("", rate_hz, acc_mps2, gyr_radps, unknown, unknown[:, 0] == 0))


class Bench:
    """The recordings, and each method's error on each of them at each rate, measured once."""

    def __init__(self, quick: bool) -> None:
        self.broad, self.people = trials.broad(quick), trials.humans(quick)
        self.rates_hz = (50.0,) if quick else RATES_HZ
        self.groups = {
            "trunk-like": [trial for trial in self.broad if trial.trunk_like],
            "all": self.broad,
            "people": self.people,
        }
        self.errors_deg = cache(self._errors_deg)

    def _errors_deg(self, method: peers.Peer, group: str, rate_hz: float) -> Array:
        return np.array([_error_deg(method, trials.at_rate(trial, rate_hz)) for trial in self.groups[group]])

    def live(self) -> Table:
        """Up now, from what was measured so far."""
        note = f"{DEFINITION} People: offlineVQF of the whole recording at 100 Hz stands in for the truth."
        return self._by_rate(("Live, no loss", note), tuple(self.groups), {"ours": ours} | peers.LIVE, WANTED_LIVE)

    def batch(self) -> Table:
        """Up with the whole recording known."""
        methods = {"ours, batch": ours_batch} | peers.BATCH
        return self._by_rate(("Batch, no loss", DEFINITION), ("trunk-like", "all"), methods, WANTED_BATCH)

    def _by_rate(
        self, told: tuple[str, str], groups: tuple[str, ...], methods: dict[str, peers.Peer], wanted: Wanted
    ) -> Table:
        first = next(iter(methods))
        table = Table(told[0], f"{told[1]} *Worst*: of one trial.", (*methods, f"{first}, worst"))
        for group, rate_hz in product(groups, self.rates_hz):
            errors = {name: self.errors_deg(run, group, rate_hz) for name, run in methods.items()}
            figures = {name: float(each.mean()) for name, each in errors.items()}
            figures[f"{first}, worst"] = float(errors[first].max())
            limit = wanted.get((group, rate_hz))
            table.add(f"{group}, {rate_hz:g} Hz", figures, f"≤ {limit:.2f}" if limit else "")
        return table

    def trials(self) -> Table:
        """Every trial by itself at 50 Hz."""
        methods = {"ours": ours, "ours, batch": ours_batch} | peers.LIVE | peers.BATCH
        table = Table("Each trial, 50 Hz, no loss", "RMSE over the movement phase.", tuple(methods))
        for place, trial in enumerate(self.broad):
            figures = {name: float(self.errors_deg(run, "all", 50.0)[place]) for name, run in methods.items()}
            table.add(f"{trial.name}{', trunk-like' if trial.trunk_like else ''}", figures)
        return table

    def thinning(self) -> Table:
        """Other ways in which a sensor of a high inner rate comes to the one it sends."""
        methods = {"ours": ours} | peers.LIVE | {"ours, batch": ours_batch} | peers.BATCH
        table = Table(
            "Ways of thinning, 50 Hz, no loss", f"{DEFINITION} All other tables: the first way.", tuple(methods)
        )
        for group, way in product(("trunk-like", "all"), trials.Thinning):
            found = [trials.at_rate(trial, 50.0, way) for trial in self.groups[group]]
            figures = {name: float(np.mean([_error_deg(run, each) for each in found])) for name, run in methods.items()}
            table.add(f"{group}, {way}", figures)
        return table

    def accelerometer(self) -> Table:
        """Without gyroscope, on people."""
        note = (
            "People with a sensor on the lower back, 50 Hz, no gyroscope; sagittal angle of the mean up vector of the "
            "last second, five times a second; RMSE over a recording (*all*: over the rows of all of them) against "
            "offlineVQF of the 100 Hz data with gyroscope, averaged alike. *Ours* are the rows of `analyse`; *ours, "
            "up* is `estimate_up`."
        )
        methods = {"ours, up": _ours_without_gyroscope} | peers.ACCELEROMETER_ONLY
        table = Table("Accelerometer only", note, ("ours", *methods))
        errors: dict[str, list[Array]] = {}
        for source in self.people:
            trial = trials.at_rate(source, 50.0)
            each = {"ours": _row_errors_deg(trial)} | {
                name: _1s_errors_deg(run, trial) for name, run in methods.items()
            }
            table.add(trial.name, {name: _rms(values) for name, values in each.items()})
            for name, values in each.items():
                errors.setdefault(name, []).append(values)
        together = {name: _rms(np.concatenate(values)) for name, values in errors.items()}
        table.add("all", together, "≤ 1.50")
        return table


def _error_deg(method: peers.Peer, trial: Trial) -> float:
    return trials.rmse_deg(method(trial.acc_mps2, trial.gyr_radps, trial.rate_hz), trial)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


# ---- without gyroscope: the sagittal angle in the frame x up, y left, z forward that the recordings are about in


def _ours_without_gyroscope(acc_mps2: Array, _gyr_radps: Array, rate_hz: float) -> Array:
    return ours(acc_mps2, np.full(acc_mps2.shape, np.nan), rate_hz)


def _baseline(trial: Trial) -> companion.Calibration:
    return companion.Calibration.from_axes(trial.up[: round(trial.rate_hz)].mean(axis=0), (0, 0, 1))


def _sagittal_deg(up: Array, baseline: companion.Calibration) -> Array:
    return np.asarray(np.degrees(np.arctan2(-up @ np.array(baseline.forward), up @ np.array(baseline.up))))


def _true_sagittal_deg(trial: Trial) -> Array:
    return _sagittal_deg(trials.mean_of_1s(trial.up, trial.rate_hz), _baseline(trial))


def _1s_errors_deg(method: peers.Peer, trial: Trial) -> Array:
    up = trials.mean_of_1s(method(trial.acc_mps2, trial.gyr_radps, trial.rate_hz), trial.rate_hz)
    errors = _sagittal_deg(up, _baseline(trial)) - _true_sagittal_deg(trial)
    return errors[_row_places(trial, np.arange(5, int(len(trial) / trial.rate_hz * 5)) * ROW_NS)]


def _row_errors_deg(trial: Trial) -> Array:
    rows = companion.analyse(trials.samples_of(trial, gyroscope=False), _baseline(trial)).posture
    known = np.isfinite(rows["sagittal_deg"]) & (rows["t_session_ns"] >= 5 * ROW_NS)
    known &= rows["t_session_ns"] < len(trial) / trial.rate_hz * 1e9
    return rows["sagittal_deg"][known] - _true_sagittal_deg(trial)[_row_places(trial, rows["t_session_ns"][known])]


def _row_places(trial: Trial, t_ns: Array) -> Array:
    """The newest sample of each row."""
    return np.asarray((t_ns * trial.rate_hz) // 1e9, dtype=int)


def measured(quick: bool = False, only: str = "") -> Iterator[Table]:
    """The tables, one by one."""
    bench = Bench(quick)
    parts: dict[str, Callable[[], Table]] = {
        "live": bench.live,
        "batch": bench.batch,
        "trials": bench.trials,
        "thinning": bench.thinning,
        "accelerometer": bench.accelerometer,
    }
    return (parts[name]() for name in chosen(parts, only))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording, one rate")
    parser.add_argument("--only", default="", help="parts: live, batch, trials, thinning, accelerometer")
    given = parser.parse_args()
    show("Accuracy", measured(given.quick, given.only))


if __name__ == "__main__":
    main()
