"""What slow samples of real people say: computer work is judged, walking is not, angles are as sure as is said."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import companion
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2, make_samples

COMPUTER, WALKING = 1, 4
S = 1_000_000_000


@dataclass(frozen=True)
class Person:
    """Samples of a sensor on the chest with rough labels, and what the fast sensor makes of them."""

    acc_g: Any
    label: Any
    rate_hz: float
    baseline: companion.Calibration
    fast: Any  # POSTURE


def people(directory: Path) -> Iterator[Person]:
    for file in sorted(directory.glob("*.npz")):
        with np.load(file) as data:
            acc_g, label, rate_hz = (data["raw"] - 2048.0) / 372, data["label"], float(data["sampling_rate"])
        up = acc_g[label == COMPUTER].mean(axis=0)
        across = np.cross(up, [0.3, 0.1, 0.9])
        baseline = companion.Calibration.from_axes(up, across)
        times = np.round(np.arange(len(acc_g)) * S / rate_hz)
        fast = companion.analyse(make_samples(acc_g * STANDARD_GRAVITY_MPS2, t_host_ns=times), baseline).posture
        yield Person(acc_g, label, rate_hz, baseline, fast)


@pytest.fixture(scope="module")
def everybody(shared_data: Path) -> list[Person]:
    return list(people(shared_data / "chest_uci"))


def thinned(person: Person, interval_s: float, lost: float) -> tuple[Any, float]:
    """POSTURE of one sample in so long, some lost, and when the first arrived."""
    rng = np.random.default_rng(1)
    at_s = np.arange(0.1, len(person.acc_g) / person.rate_hz - 0.5, interval_s)
    at_s = at_s[rng.random(len(at_s)) >= lost]
    acc = person.acc_g[(at_s * person.rate_hz).astype(int)] * STANDARD_GRAVITY_MPS2
    arrive_s = np.maximum.accumulate(at_s + rng.uniform(0, 0.03, len(at_s)))
    samples = make_samples(acc, t_host_ns=np.round(arrive_s * S))
    return companion.analyse(samples, person.baseline).posture, float(arrive_s[0])


# Interval, lost; of computer work at least so much is judged, of walking at most so much, in per cent.
FIGURES = [
    (0.64, 0.0, 92, 2),
    (1.285, 0.0, 90, 2),
    (1.285, 0.2, 90, 2),
    (2.5, 0.0, 87, 2),
    (5.0, 0.0, 85, 3),
    (10.0, 0.0, 80, 3),
]


@pytest.mark.parametrize(("interval_s", "lost", "computer_pct", "walking_pct"), FIGURES)
def test_computer_work_is_judged_and_walking_is_not(everybody, interval_s, lost, computer_pct, walking_pct):
    judged, walked, off_sigmas = [], [], []
    for person in everybody:
        rows, began_s = thinned(person, interval_s, lost)
        t_s = rows["t_session_ns"] / S + began_s
        label = person.label[np.minimum((t_s * person.rate_hz).astype(int), len(person.label) - 1)]
        fast = person.fast[np.clip(np.round(t_s * 5).astype(int) - 1, 0, len(person.fast) - 1)]
        still, moves = rows["context"] == 0, fast["context"] == 2
        judged.append(still[label == COMPUTER])
        walked.append(still[(label == WALKING) & moves])
        both = still & (label == COMPUTER) & (fast["context"] == 0)
        for name in ("sagittal_deg", "lateral_deg"):
            off_sigmas.append(np.abs(rows[name] - fast[name])[both] / rows["uncertainty_deg"][both])
    assert 100 * np.mean(np.concatenate(judged)) >= computer_pct
    assert 100 * np.mean(np.concatenate(walked)) <= walking_pct
    assert np.mean(np.concatenate(off_sigmas) <= 1) >= 0.8, "one standard deviation, and what changed between samples"
