"""Plain arrays with every kind of clock: a slouch of 31 s is a slouch of 31 s, and what is no time raises no alert."""

import numpy as np
import pytest

import companion
import firmware_protocol as fp
from companion.clock import Clock
from companion.posture.calibration import Calibration

UPRIGHT = Calibration.from_axes((0, 0, 1), (1, 0, 0))


def motion(seconds, rate_hz, forward_s, seed=1):
    """Times, accelerations and rates: 25° forward during `forward_s`, upright else."""
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    rng = np.random.default_rng(seed)
    lean = np.radians(np.interp(t_s, [forward_s[0], forward_s[0] + 1, forward_s[1], forward_s[1] + 1], [0, 25, 25, 0]))
    acc = 9.80665 * np.stack([-np.sin(lean), np.zeros_like(lean), np.cos(lean)], axis=1)
    gyr = np.stack([np.zeros_like(lean), np.gradient(lean, t_s), np.zeros_like(lean)], axis=1)
    return t_s, acc + rng.normal(0, 0.03, acc.shape), gyr + rng.normal(0, 0.002, gyr.shape)


def alerts(samples):
    result = companion.analyse(samples, UPRIGHT)
    return [event.t_session_ns / 1e9 for event in result.events if type(event).__name__ == "AlertRaised"], result


def shared(t_ns, size):
    """The stamp of each packet's last sample for all of them."""
    return t_ns[np.minimum(np.arange(len(t_ns)) // size * size + size - 1, len(t_ns) - 1)]


CLOCKS = {  # what makes stamps of exact times, rate
    "exact": (lambda t: t, 50),
    "packets of 2": (lambda t: shared(t, 2), 50),
    "packets of 5": (lambda t: shared(t, 5), 50),
    "packets of 12": (lambda t: shared(t, 12), 25),
    "packets of 64": (lambda t: shared(t, 64), 100),
    "whole milliseconds": (lambda t: t // 10**6 * 10**6, 416),
    "whole milliseconds, 119 Hz": (lambda t: t // 10**6 * 10**6, 119),
    "late by up to 15 ms": (
        lambda t: np.maximum.accumulate(t + np.random.default_rng(2).integers(0, 15 * 10**6, len(t))),
        50,
    ),
}


@pytest.mark.parametrize("field", ["t_device_ns", "t_host_ns"])
@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize(("stamped", "rate_hz"), CLOCKS.values(), ids=CLOCKS)
def test_a_slouch_of_31_s_has_one_alert_by_any_clock(stamped, rate_hz, counted, field, request):
    if field == "t_device_ns" and not counted and "packets" in request.node.name:
        pytest.skip("a sensor's own clock that stands still within a packet needs a counter beside it")
    t_s, acc, gyr = motion(70, rate_hz, (10, 41.5))
    stamps = stamped(np.round(t_s * 1e9).astype(np.int64))
    samples = fp.make_samples(acc, gyr, index=np.arange(len(acc)) if counted else None, **{field: stamps})
    raised, result = alerts(samples)
    assert raised == [pytest.approx(40.6, abs=0.8)]
    assert result.summary["duration_s"] == pytest.approx(70, abs=0.61)
    assert result.summary["no_data_s"] == 0


PERIODS_NS = {  # stamps, counter, period
    "exact, with leaps": (np.concatenate([np.arange(60), 500 + np.arange(60)]) * 20_000_000, None, 20_000_000),
    "lost, but counted": (np.arange(0, 400, 2) * 10_000_000, np.arange(0, 400, 2), 10_000_000),
    "every third is lost, not counted": (
        np.delete(np.arange(300), np.arange(0, 300, 50)) * 20_000_000,
        None,
        20_000_000,
    ),
    "one stamp for all": (np.full(100, 5), None, 20_000_000),
    "back for a while": (
        np.concatenate([np.arange(300), np.arange(300)[::-1], np.arange(600)]) * 20_000_000,
        None,
        20_000_000,
    ),
}


@pytest.mark.parametrize(("stamps_ns", "index", "period_ns"), PERIODS_NS.values(), ids=PERIODS_NS)
def test_the_period(stamps_ns, index, period_ns):
    samples = fp.make_samples(np.zeros((len(stamps_ns), 3)), t_device_ns=stamps_ns, index=index)
    assert Clock.of(samples).period_ns == pytest.approx(period_ns, rel=1e-6)


@pytest.mark.parametrize(("first_hz", "then_hz"), [(25, 100), (100, 50), (50, 52), (50, 100)])
def test_another_rate_in_mid_stream_makes_no_slouch_longer(first_hz, then_hz):
    """20 s forward, from 5 s after the change on: by the old rate it would be up to 80 s."""
    t1, acc1, gyr1 = motion(30, first_hz, (900, 901))
    t2, acc2, gyr2 = motion(90, then_hz, (15, 35))
    t_ns = np.round(np.concatenate([t1, 30 + t2]) * 1e9).astype(np.int64)
    acc, gyr = np.concatenate([acc1, acc2]), np.concatenate([gyr1, gyr2])
    raised, result = alerts(fp.make_samples(acc, gyr, t_device_ns=t_ns, index=np.arange(len(acc))))
    assert raised == []
    assert result.summary["duration_s"] == pytest.approx(120, rel=0.05)
    assert result.summary["no_data_s"] == 0


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize("what", ["all of it", "sawtooth"])
def test_no_alert_while_time_runs_backwards(what, counted):
    t_s, acc, gyr = motion(120, 50, (10, 900))
    t_ns = 10**12 + np.round(t_s * 1e9).astype(np.int64)
    stamps = t_ns[::-1].copy() if what == "all of it" else t_ns - (np.arange(len(t_ns)) // 50 % 2) * 10**9
    raised, result = alerts(
        fp.make_samples(acc, gyr, t_device_ns=stamps, index=np.arange(len(acc)) if counted else None)
    )
    assert raised == []
    assert result.summary["still_s"] < 3


COUNTERS = {  # of 3,500 samples: the counter, lost, twice
    "none is missing": (np.arange(3500), 0, 0),
    "ends": (np.where(np.arange(3500) < 1500, np.arange(3500), -1), 0, 0),
    "falls far below nought": (np.where(np.arange(3500) < 1500, np.arange(3500), -(10**9)), 0, 0),
    "stands still from the start": (np.zeros(3500, np.int64), 0, 0),
    "leaps": (np.where(np.arange(3500) < 1500, np.arange(3500), 10**12 + np.arange(3500)), 0, 0),
}


@pytest.mark.parametrize(("index", "lost", "twice"), COUNTERS.values(), ids=COUNTERS)
def test_a_counter_that_is_none_costs_no_data_while_the_clock_is_right(index, lost, twice):
    t_s, acc, gyr = motion(70, 50, (10, 41.5))
    raised, result = alerts(fp.make_samples(acc, gyr, t_device_ns=np.round(t_s * 1e9).astype(np.int64), index=index))
    assert raised == [pytest.approx(40.6, abs=0.8)]
    assert (result.summary["lost_samples"], result.summary["duplicates"]) == (lost, twice)
    assert result.summary["no_data_s"] == 0


def test_what_came_twice_is_not_less_lost():
    t_s, acc, gyr = motion(40, 50, (900, 901))
    whole = fp.make_samples(acc, gyr, t_device_ns=np.round(t_s * 1e9).astype(np.int64), index=np.arange(len(acc)))
    late = np.concatenate([whole[:500], whole[505:530], whole[500:505], whole[528:1000], whole[1010:]])
    result = companion.analyse(late, UPRIGHT)
    assert (result.summary["lost_samples"], result.summary["duplicates"]) == (10, 2)
