"""Plain arrays whose clocks and counters do what they should not: never an exception, never an alert from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import companion
from companion.analysis import Analysis
from companion.posture.calibration import Calibration
from companion.posture.events import AlertRaised
from companion.settings import Settings
from firmware_protocol.samples import SAMPLES, make_samples

PERIOD_NS = 20_000_000
UPRIGHT = Calibration.from_axes([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
QUICK = Settings().changed({"alert.delay": "5s"})
FLAWS = [
    "back",
    "leap",
    "stop",
    "repeat",
    "rate",
    "backwards",
    "jump",
    "fall",
    "missing",
    "uncounted",
    "wild",
    "segment",
]


@st.composite
def flawed(draw):
    """SAMPLES of somebody who sits upright and still, with flawed times and counters."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 3000))
    t_ns, index, segment = (np.arange(count) * PERIOD_NS, np.arange(count), np.zeros(count, np.int64))
    for flaw in draw(st.lists(st.sampled_from(FLAWS), max_size=6)):
        first = int(rng.integers(0, count))
        end = int(rng.integers(first, count)) + 1
        if flaw in {"back", "leap"}:
            far = int(rng.choice([10_000_000, 900_000_000, 5_000_000_000, 3_600_000_000_000, 2**60]))
            t_ns[first:end] += far if flaw == "leap" else -far
        elif flaw == "stop":
            t_ns[first:end] = t_ns[first]
        elif flaw == "repeat":
            t_ns[first:end], index[first:end] = t_ns[: end - first], index[: end - first]
        elif flaw == "rate":
            t_ns[first:] = t_ns[first] + np.arange(count - first) * int(
                rng.choice([5, 10, 15, 19, 21, 30, 40, 100]) * 1e6
            )
        elif flaw == "backwards":
            t_ns[first:end] = t_ns[first:end][::-1].copy()
        elif flaw == "jump":
            index[first:] += int(rng.choice([3, 1000, 2**31, 2**40, 2**62]))
        elif flaw == "fall":
            index[first:] -= index[first]
        elif flaw == "missing":
            t_ns[first:end] = -1
        elif flaw == "uncounted":
            index[first:end] = -1
        elif flaw == "wild":
            t_ns[first:end] = rng.integers(-(2**63), 2**63 - 1, end - first)
        else:
            segment[first:end] = rng.integers(0, 5)
    names = draw(st.sampled_from([("t_device_ns",), ("t_host_ns",), ("t_device_ns", "t_host_ns")]))
    samples = make_samples(
        rng.normal([0.0, 0.0, 9.81], 0.02, (count, 3)),
        rng.normal(0.0, 0.002, (count, 3)) if draw(st.booleans()) else None,
        index=np.maximum(index, -1) if draw(st.booleans()) else None,
        **dict.fromkeys(names, t_ns),
    )
    samples["segment"] = segment
    return samples


def usable(samples):
    return any((samples[name] >= 0).any() for name in ("t_device_ns", "t_host_ns"))


@given(flawed())
@settings(max_examples=150, deadline=None)
def test_nobody_who_sits_upright_is_alerted_by_a_clock(samples):
    if not usable(samples):
        with pytest.raises(ValueError, match="t_device_ns or t_host_ns"):
            companion.analyse(samples, UPRIGHT, QUICK)
        return
    result = companion.analyse(samples, UPRIGHT, QUICK)
    assert not [event for event in result.events if isinstance(event, AlertRaised)]
    known = np.isfinite(result.posture["sagittal_deg"])
    assert (np.abs(result.posture["sagittal_deg"][known]) < 3.0).all()
    assert result.summary["samples"] == len(samples)
    assert result.summary["lost_samples"] < 2**20


@given(flawed(), st.lists(st.integers(0, 3000), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_flawed_samples_gives_the_same(samples, cuts):
    if not usable(samples[:64]):
        return
    whole = companion.analyse(samples, UPRIGHT, QUICK)
    run = Analysis(UPRIGHT, QUICK)
    for part in np.split(samples, sorted(cut for cut in cuts if cut < len(samples))):
        run.feed(part)
    pieces = run.close()
    assert pieces.posture.tobytes() == whole.posture.tobytes()
    assert pieces.events == whole.events
    assert pieces.summary["lost_samples"] == whole.summary["lost_samples"]


@given(flawed(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_up_is_known_at_every_sample(samples, causal):
    if not usable(samples):
        return
    up = companion.estimate_up(samples, causal)
    assert up.shape == (len(samples), 3)
    assert np.isfinite(up).all()
    np.testing.assert_allclose(np.linalg.norm(up, axis=1), 1.0, atol=1e-6)
    assert (up[:, 2] > np.cos(np.radians(3.0))).all()


def still(count, **columns):
    return make_samples(np.tile([0.0, 0.0, 9.81], (count, 1)), np.zeros((count, 3)), **columns)


@pytest.mark.parametrize(
    ("t_ns", "index", "duration_s", "lost"),
    [
        pytest.param(np.arange(1000) * PERIOD_NS, None, 20.0, 0, id="as it should be"),
        pytest.param(np.arange(1000)[::-1] * PERIOD_NS, None, 20.0, 0, id="backwards throughout"),
        pytest.param(np.r_[np.arange(500), np.arange(500)] * PERIOD_NS, None, 20.0, 0, id="begins anew"),
        pytest.param(
            np.r_[np.arange(500), np.arange(500)] * PERIOD_NS, np.r_[:500, :500], 20.0, 0, id="with its counter"
        ),
        pytest.param(np.arange(1000) * PERIOD_NS, np.r_[:500, :500], 20.0, 0, id="a counter that begins anew"),
        pytest.param(np.arange(1000) * PERIOD_NS, np.r_[:500, 2**40 : 2**40 + 500], 20.0, 0, id="a counter that leaps"),
        pytest.param(np.r_[:500, 510:1010] * PERIOD_NS, np.r_[:500, 510:1010], 20.2, 10, id="ten lost"),
        pytest.param(np.r_[:500, [2**62], 501:1000] * PERIOD_NS % 2**62, np.arange(1000), 20.0, 0, id="one wild time"),
    ],
)
def test_the_time_that_is_made_of_it(t_ns, index, duration_s, lost):
    result = companion.analyse(still(len(t_ns), t_device_ns=t_ns, index=index), UPRIGHT)
    assert result.summary["duration_s"] == pytest.approx(duration_s, abs=0.21)
    assert result.summary["lost_samples"] == lost
    assert result.summary["no_data_s"] == 0
    assert 30 < result.summary["rate_hz"] < 60, "one wild time may cost seconds, a counter that leaps nothing"


def test_a_gap_shows_in_the_counter_else_in_the_clock():
    """Where the trunk turned in a gap, up before it is not up behind it: a filter that saw no gap would be slow."""
    acc = np.r_[np.tile([0.0, 0.0, 9.81], (500, 1)), np.tile([0.0, 6.94, 6.94], (500, 1))]
    numbers = np.r_[:500, 1000:1500]
    behind = (0.0, np.sqrt(0.5), np.sqrt(0.5))
    for columns in (
        {"index": numbers, "t_device_ns": np.arange(1000) * PERIOD_NS},
        {"t_device_ns": numbers * PERIOD_NS},
    ):
        up = companion.estimate_up(make_samples(acc, np.zeros((1000, 3)), **columns))
        np.testing.assert_allclose(up[505], behind, atol=0.02)


def test_samples_of_nothing_but_zeros():
    samples = np.zeros(300, dtype=SAMPLES)
    companion.analyse(samples)
    assert companion.estimate_up(samples).shape == (300, 3)
