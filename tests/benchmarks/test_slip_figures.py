"""The figures of `benchmarks/slip.py` on one person: no false report, every turn found, its instant in the interval."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.mark.slow
def test_one_person(script: Callable[[str], ModuleType], shared_data) -> None:
    slip = script("slip")
    recording = next(slip.recordings(shared_data))
    figures = slip.person(recording)
    assert (figures["false reports"], figures["found %"], figures["within interval %"]) == (0, 100, 100)
    assert 20 < figures["median s"] <= figures["longest s"] <= 120


def test_the_detectors_tell_a_slip_from_none(script: Callable[[str], ModuleType]) -> None:
    slip = script("slip")
    still = np.tile([0.0, 0.0, 1.0], (3000, 1))
    slipped = still.copy()
    slipped[1500:] = [-np.sin(0.26), 0.0, np.cos(0.26)]
    assert {name: (told(still), told(slipped)) for name, told in slip.DETECTORS.items()} == dict.fromkeys(
        slip.DETECTORS, (False, True)
    )
