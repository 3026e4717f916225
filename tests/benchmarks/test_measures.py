"""The measures themselves: truth that is known exactly must come out exactly."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

RATE_HZ = 50.0
SECONDS = 60


@pytest.fixture(scope="module")
def swing(script: Callable[[str], ModuleType]) -> object:
    """A sensor that nods 30° about its y axis at 0.2 Hz: up, turning rate and acceleration are known exactly."""
    t_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    angle, zero = np.radians(30) * np.sin(2 * np.pi * 0.2 * t_s), np.zeros(len(t_s))
    rate = np.radians(30) * 2 * np.pi * 0.2 * np.cos(2 * np.pi * 0.2 * t_s)
    up = np.stack([-np.sin(angle), zero, np.cos(angle)], axis=1)
    gyr = np.stack([zero, rate, zero], axis=1)
    return script("trials").Trial("swing", RATE_HZ, 9.80665 * up, gyr, up, zero == 0, trunk_like=True)


def test_every_peer_follows_a_slow_swing(script: Callable[[str], ModuleType], swing: object) -> None:
    peers, trials = script("peers"), script("trials")
    for name, run in (peers.LIVE | peers.BATCH).items():
        assert trials.rmse_deg(run(swing.acc_mps2, swing.gyr_radps, RATE_HZ), swing) < 0.6, name
    errors = {
        name: trials.rmse_deg(run(swing.acc_mps2, swing.gyr_radps, RATE_HZ), swing)
        for name, run in peers.ACCELEROMETER_ONLY.items()
    }
    assert errors["raw"] == pytest.approx(0.0, abs=1e-6)
    assert errors["EMA 0.5 Hz"] > errors["EMA 1 Hz"] > errors["EMA 2 Hz"] > 1.0


def test_an_error_is_the_angle_between_two_directions(script: Callable[[str], ModuleType], swing: object) -> None:
    trials = script("trials")
    lean = np.radians(2.0)
    leaned = swing.up @ np.array([[1, 0, 0], [0, np.cos(lean), np.sin(lean)], [0, -np.sin(lean), np.cos(lean)]])
    across = np.degrees(np.arccos((leaned * swing.up).sum(axis=1)))
    assert trials.rmse_deg(leaned, swing) == pytest.approx(np.sqrt(np.mean(across**2)))
    kept = trials.received(len(swing), 0.1, 1, (1,))
    assert trials.rmse_deg(leaned[kept], swing, kept) == pytest.approx(np.sqrt(np.mean(across[kept] ** 2)))


@pytest.mark.parametrize(("share", "burst"), [(0.01, 1), (0.05, 1), (0.05, 5), (0.05, 20)])
def test_whole_packets_are_lost_in_runs_of_the_asked_length(
    script: Callable[[str], ModuleType], share: float, burst: int
) -> None:
    received = script("trials").received
    kept = received(200_000, share, burst, (3,))
    packets = kept.reshape(-1, 5)
    assert (packets.all(axis=1) | ~packets.any(axis=1)).all()
    assert received(1_000, 0.9, 1, (3,))[:50].all()
    assert 1 - kept.mean() == pytest.approx(share, rel=0.2)
    lost = np.concatenate([[0], 1 - packets[:, 0], [0]])
    edges = np.flatnonzero(np.diff(lost))
    assert (edges[1::2] - edges[::2])[:-1].min() == burst


def test_another_rate_keeps_the_time_and_the_truth(script: Callable[[str], ModuleType], swing: object) -> None:
    trials = script("trials")
    slower = trials.at_rate(swing, 12.5)
    assert (slower.rate_hz, len(slower)) == (12.5, 750)
    assert trials.between_deg(slower.up, swing.up[::4]).max() < 1e-9
    inside = slice(10, -10)  # the filter has no samples beyond the ends
    assert np.abs(slower.acc_mps2 - swing.acc_mps2[::4])[inside].max() < 0.02
    assert np.abs(slower.gyr_radps - swing.gyr_radps[::4])[inside].max() < 0.002


def test_what_a_slow_sensor_cannot_see_is_filtered_out(script: Callable[[str], ModuleType], swing: object) -> None:
    trials = script("trials")
    buzz = np.sin(2 * np.pi * 11.0 * np.arange(len(swing)) / RATE_HZ)[:, None]
    shaken = trials.replaced(swing, swing.acc_mps2 + 5 * buzz, swing.gyr_radps)
    apart = trials.at_rate(shaken, 12.5).acc_mps2 - trials.at_rate(swing, 12.5).acc_mps2
    assert np.abs(apart[10:-10]).max() < 0.05


def test_a_share_counts_the_errors_within_their_own_sigma(script: Callable[[str], ModuleType]) -> None:
    compared = script("confidence").Compared(
        sagittal_deg=np.array([0.5, -2.0, 1.0, -0.1]),
        lateral_deg=np.array([0.0, 0.0, 3.0, -3.0]),
        tilt_deg=np.array([0.5, 2.0, 3.2, 3.0]),
        sigma_deg=np.array([1.0, 1.0, 1.0, 0.05]),
        settled=np.array([True, False, True, True]),
    )
    figures = compared.figures()
    shares = {name: round(figures[name], 2) for name in ("sagittal %", "lateral %", "whole tilt %", "settled %")}
    assert shares == {"sagittal %": 50.0, "lateral %": 50.0, "whole tilt %": 25.0, "settled %": 66.67}
    assert (figures["median sigma °"], figures["rows"]) == (1.0, 4.0)
