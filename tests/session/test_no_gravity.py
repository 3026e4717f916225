"""What gravity does not give is not judged, however still it is; what a coarse sensor reads for 1 g is."""

import numpy as np
import pytest

import companion
import firmware_protocol as fp
from companion.posture.calibration import Calibration

UPRIGHT = Calibration.from_axes((0, 0, 1), (1, 0, 0))
RATE_HZ = 50


def forward_for_50_s(factor: float) -> np.ndarray:
    """10 s upright at 1 g, then 25° forward at `factor` g."""
    lean = np.radians(np.where(np.arange(60 * RATE_HZ) < 10 * RATE_HZ, 0, 25))
    size = np.where(lean > 0, factor, 1.0) * 9.80665
    acc = size[:, None] * np.stack([-np.sin(lean), np.zeros_like(lean), np.cos(lean)], axis=1)
    times_ns = np.arange(len(acc)) * (10**9 // RATE_HZ)
    return fp.make_samples(acc + np.random.default_rng(4).normal(0, 0.02, acc.shape), t_device_ns=times_ns)


@pytest.mark.parametrize(("factor", "alerts"), [(0.0, 0), (0.2, 0), (0.7, 1), (1.0, 1), (1.3, 1), (2.0, 0), (3.0, 0)])
def test_only_what_gravity_gives_is_judged(factor, alerts):
    result = companion.analyse(forward_for_50_s(factor), UPRIGHT)
    assert sum(type(event).__name__ == "AlertRaised" for event in result.events) == alerts
    states = result.posture["state"][60 * 5 - 100 :]
    assert {companion.STATES[state] for state in states.tolist()} <= (
        {"forward"} if alerts else {"unjudged", "unknown"}
    )
