"""Samples that no body makes, put into real motion, and what is left of them ten seconds later.

Knows: trials and what breaks them. Must never know: how a filter works.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import trials
from peers import Peer
from trials import Array, Trial

import companion

LATER_S = 10.0
PLACES = (0.2, 0.5, 0.8)
"""Where in the counted part of a trial the fault begins."""

Breaking: TypeAlias = Callable[[Array, Array, int, float], int]
"""Breaks accelerations and rates, in place, from a sample on, at a rate in Hz; gives the number of broken samples."""


def ours(acc_mps2: Array, gyr_radps: Array, rate_hz: float) -> Array:
    """`companion.estimate_up`, called as a peer is."""
    nothing = np.zeros(acc_mps2.shape)
    return companion.estimate_up(
        trials.samples_of(Trial("", rate_hz, acc_mps2, gyr_radps, nothing, nothing[:, 0] == 0))
    )


def _one_value(instrument: int, value: float) -> Breaking:
    def breaking(acc_mps2: Array, gyr_radps: Array, place: int, _rate_hz: float) -> int:
        (acc_mps2, gyr_radps)[instrument][place, 1] = value
        return 1

    return breaking


def _packet_of_nan(acc_mps2: Array, gyr_radps: Array, place: int, _rate_hz: float) -> int:
    acc_mps2[place : place + trials.PACKET] = gyr_radps[place : place + trials.PACKET] = np.nan
    return trials.PACKET


def _repeated(seconds: float | None) -> Breaking:
    """Everything stands still at the sample before; None: for one sample."""

    def breaking(acc_mps2: Array, gyr_radps: Array, place: int, rate_hz: float) -> int:
        count = 1 if seconds is None else round(seconds * rate_hz)
        for values in (acc_mps2, gyr_radps):
            values[place : place + count] = values[place - 1]
        return count

    return breaking


G_MPS2 = 9.80665
KINDS: dict[str, Breaking] = {
    "one NaN, accelerometer": _one_value(0, np.nan),
    "one NaN, gyroscope": _one_value(1, np.nan),
    "one infinite, accelerometer": _one_value(0, np.inf),
    "one infinite, gyroscope": _one_value(1, -np.inf),
    "one packet of NaN": _packet_of_nan,
    "one of 16 g": _one_value(0, 16 * G_MPS2),
    "one of 15.5 g": _one_value(0, 15.5 * G_MPS2),
    "one of 1e30 m/s²": _one_value(0, 1e30),
    "one of 2500 °/s": _one_value(1, np.radians(2500.0)),
    "one of 2000 °/s": _one_value(1, np.radians(2000.0)),
    "one repeated": _repeated(None),
    "repeated for 0.1 s": _repeated(0.1),
    "repeated for 0.2 s": _repeated(0.2),
    "repeated for 0.5 s": _repeated(0.5),
    "repeated for 1 s": _repeated(1.0),
    "repeated for 2 s": _repeated(2.0),
    "repeated for 5 s": _repeated(5.0),
}


def lasting_deg(run: Peer, breaking: Breaking, trial: Trial) -> float:
    """Largest angle to the clean run from LATER_S after the fault on; inf where an answer is not finite."""
    counted = np.flatnonzero(trial.counts)
    worst = 0.0
    for part in PLACES:
        place = int(counted[int(part * (len(counted) - 1))])
        acc, gyr = trial.acc_mps2.copy(), trial.gyr_radps.copy()
        after = place + breaking(acc, gyr, place, trial.rate_hz) + round(LATER_S * trial.rate_hz)
        with np.errstate(all="ignore"):  # what a peer makes of it is what is measured
            apart = trials.between_deg(run(acc, gyr, trial.rate_hz)[after:], _clean(run, trial)[after:])
        worst = max(worst, float(apart.max(initial=0.0)) if np.isfinite(apart).all() else np.inf)
    return worst


_kept: dict[tuple[Peer, str, float], Array] = {}


def _clean(run: Peer, trial: Trial) -> Array:
    key = (run, trial.name, trial.rate_hz)
    if key not in _kept:
        _kept[key] = run(trial.acc_mps2, trial.gyr_radps, trial.rate_hz)
    return _kept[key]
