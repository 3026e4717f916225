"""Whether `uncertainty_deg` is true: how often the error of an angle lies within it.

For each trial a few moments are taken as baselines, so that every part of a trial is near some baseline; the rows of
`analyse` are compared with the optical up direction, averaged over the same second. An angle about one axis is asked
for where the trunk is within 60° of the baseline: beyond that a sagittal angle is no longer one tilt.

Knows: rows and truth. Must never know: how the uncertainty comes about.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import trials
from tables import Table
from trials import Array, Trial

import companion
from companion.posture.rows import Context

NEAR_DEG = 60.0
SHARES = ("sagittal %", "lateral %", "whole tilt %", "settled %", "least trial %", "most trial %")
COLUMNS = (*SHARES, "RMSE °", "median sigma °", "rows")
WANTED = "sagittal 55-85 %"


@dataclass(frozen=True)
class Compared:
    """Errors of the rows that can be compared, and what they said about themselves."""

    sagittal_deg: Array
    lateral_deg: Array
    tilt_deg: Array
    sigma_deg: Array
    settled: Array

    @classmethod
    def joined(cls, parts: list["Compared"]) -> "Compared":
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @property
    def sagittal_share(self) -> float:
        return _share(np.abs(self.sagittal_deg) <= self.sigma_deg)

    def figures(self) -> dict[str, float]:
        """What stands in one line of the table, but for the extremes of the trials."""
        within = np.abs(self.sagittal_deg) <= self.sigma_deg
        return {
            "sagittal %": self.sagittal_share,
            "lateral %": _share(np.abs(self.lateral_deg) <= self.sigma_deg),
            "whole tilt %": _share(self.tilt_deg <= self.sigma_deg),
            "settled %": _share(within[self.settled]),
            "RMSE °": float(np.sqrt(np.mean(self.sagittal_deg**2))),
            "median sigma °": float(np.median(self.sigma_deg)),
            "rows": float(len(within)),
        }


def _share(chosen: Array) -> float:
    return float(100 * np.mean(chosen)) if len(chosen) else float("nan")


def table(sources: list[Trial], people: list[Trial], baselines: int) -> Table:
    """One line a case."""
    note = (
        "Trunk-like trials at 50 Hz but where a line says otherwise. Share of the rows (5 Hz, in the movement phase, "
        "within 60° of the baseline) whose error is at most `uncertainty_deg`. *Whole tilt*: the angle between the up "
        "directions, about any axis; a normal error about two axes lies within one sigma of one axis 39 % of the time. "
        "*Settled*: sagittal, without rows that say settling. *Least* and *most trial*: sagittal, of those with 60 s."
    )
    made = Table("Uncertainty", note, COLUMNS, digits=1)
    for case, prepared in _cases(sources, people):
        each = [Compared.joined(_against_truth(trial, samples, baselines)) for trial, samples in prepared]
        whole = Compared.joined(each)
        shares = [part.sagittal_share for part in each if len(part.sigma_deg) >= 300]
        extremes = {"least trial %": min(shares), "most trial %": max(shares)} if shares else {}
        made.add(case, whole.figures() | extremes, WANTED)
    return made


Ready = tuple[Trial, Array]  # a trial, and its samples that arrived

_LOSSES = {"5 % singly": (0.05, 1), "5 % in bursts of five": (0.05, 5), "5 % in bursts of 2 s": (0.05, 20)}


def _cases(sources: list[Trial], people: list[Trial]) -> Iterator[tuple[str, list[Ready]]]:
    trunk_like = [trial for trial in sources if trial.trunk_like]
    for rate_hz in (100.0, 50.0, 25.0):
        yield f"no loss, {rate_hz:g} Hz", [_whole(trials.at_rate(trial, rate_hz)) for trial in trunk_like]
    at_50_hz = [trials.at_rate(trial, 50.0) for trial in trunk_like]
    for words in _LOSSES:
        yield words, [_with_holes(trial, words, number) for number, trial in enumerate(at_50_hz)]
    for dps in (1.0, 2.0, 4.0):
        moving = [_one_bias(trials.without_rests(trial), dps, number) for number, trial in enumerate(at_50_hz)]
        yield f"never at rest, bias {dps:g} °/s", list(map(_whole, moving))
    for dps in (2.0, 4.0):
        biased = [_one_bias(trial, dps, number) for number, trial in enumerate(at_50_hz)]
        yield f"with rests, bias {dps:g} °/s", list(map(_whole, biased))
    yield "8 bit, ±2 g, ±500 °/s", [_whole(trials.quantised(trial, 8, 2, 500)) for trial in at_50_hz]
    if len(sources) > len(trunk_like):
        every = [trials.at_rate(trial, 50.0) for trial in sources]
        yield "all trials, no loss", list(map(_whole, every))
        yield "all trials, 5 % singly", [_with_holes(trial, "5 % singly", number) for number, trial in enumerate(every)]
    walkers = [trials.at_rate(trial, 50.0) for trial in people]
    yield "people, no loss", list(map(_whole, walkers))
    yield "people, 5 % singly", [_with_holes(trial, "5 % singly", number) for number, trial in enumerate(walkers)]
    yield "people, accelerometer only", [(trial, trials.samples_of(trial, gyroscope=False)) for trial in walkers]


def _whole(trial: Trial) -> Ready:
    return trial, trials.samples_of(trial)


def _with_holes(trial: Trial, words: str, number: int) -> Ready:
    share, burst = _LOSSES[words]
    return trial, trials.samples_of(trial, trials.received(len(trial), share, burst, (9, number)))


def _one_bias(trial: Trial, dps: float, number: int) -> Trial:
    """Another combination of signs for each trial."""
    return trials.biased(trial, dps * np.array([1 - 2 * (number >> bit & 1) for bit in range(3)]))


def _against_truth(trial: Trial, samples: Array, baselines: int) -> list[Compared]:
    """Rows and truth for each of a few baselines, spread over the part that counts."""
    counted = np.flatnonzero(trial.counts & np.isfinite(trial.up[:, 0]))
    places = counted[np.linspace(0, len(counted) - 1, baselines + 2).astype(int)[1:-1]]
    truth = _truth(trial)
    return [_one_baseline(trial, samples, truth, trial.up[place]) for place in places]


def _truth(trial: Trial) -> Array:
    """The mean up vector of each sample's last second; NaN where a part of it is unknown or does not count."""
    known = np.isfinite(trial.up[:, :1]) & trial.counts[:, None]
    mean = trials.mean_of_1s(np.where(known, trial.up, 0.0), trial.rate_hz)
    share_known = trials.mean_of_1s(np.repeat(known, 3, axis=1).astype(float), trial.rate_hz)
    return np.where(share_known > 1 - 1e-9, mean, np.nan)


def _one_baseline(trial: Trial, samples: Array, truth: Array, up: Array) -> Compared:
    baseline = companion.Calibration.from_axes(up, np.eye(3)[np.argmin(np.abs(up))])
    rows = companion.analyse(samples, baseline).posture
    newest = np.asarray(rows["t_session_ns"] * trial.rate_hz // 1e9, dtype=int)
    rows, newest = rows[newest < len(trial)], newest[newest < len(trial)]
    true_up = trials.unit(truth[newest]) @ baseline.rotation.T
    near = true_up[:, 2] > np.cos(np.radians(NEAR_DEG))  # false where it is unknown
    near &= np.isfinite(rows["uncertainty_deg"]) & np.isfinite(rows["sagittal_deg"])
    rows, (x, y, z) = rows[near], true_up[near].T
    sagittal_rad, lateral_rad = np.radians(rows["sagittal_deg"]), np.radians(rows["lateral_deg"])
    said = trials.unit(np.stack([-np.tan(sagittal_rad), np.tan(lateral_rad), np.ones(len(rows))], axis=1))
    return Compared(
        _turn_deg(sagittal_rad - np.arctan2(-x, z)),
        _turn_deg(lateral_rad - np.arctan2(y, z)),
        trials.between_deg(said, true_up[near]),
        rows["uncertainty_deg"],
        rows["context"] != Context.SETTLING,
    )


def _turn_deg(turn_rad: Array) -> Array:
    """The shorter way round."""
    return np.asarray((np.degrees(turn_rad) + 180) % 360 - 180)
