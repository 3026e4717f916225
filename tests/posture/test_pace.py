"""The timeline against sensors whose rate is not what they say, and those that count nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.arrivals import arrivals_of, drift_of
from companion.posture.stage import Columns, Joint
from companion.posture.timeline import Timeline
from firmware_protocol.samples import make_samples

NOMINAL_NS = 20_000_000
S = 1_000_000_000


def stream(minutes, period_ns=NOMINAL_NS, *, kind="index", lost=0.0, delay_ns=None, each=5, seed=0):
    """ARRIVALS and the true time of each sample: packets of `each`, 5 to 35 ms on their way, or `delay_ns` of them.

    `period_ns`: a number, or one for each sample.
    """
    rng = np.random.default_rng(seed)
    count = round(minutes * 60 * S / NOMINAL_NS) // each * each
    taken_ns = np.cumsum(np.broadcast_to(period_ns, count)).astype(np.int64)
    sent_ns = taken_ns.reshape(-1, each)[:, -1]
    delays_ns = rng.integers(5_000_000, 35_000_000, len(sent_ns)) if delay_ns is None else delay_ns(sent_ns)
    host_ns = np.maximum.accumulate(sent_ns + delays_ns).repeat(each)
    came = (rng.random(len(sent_ns)) >= lost).repeat(each)
    samples = make_samples(
        np.tile([0.0, 0.0, 9.81], (count, 1)),
        t_host_ns=host_ns,
        t_device_ns=taken_ns if kind == "device" else None,
        index=np.arange(count) if kind == "index" else None,
    )[came]
    return arrivals_of(samples, np.full(len(samples), NOMINAL_NS), 0, 0), taken_ns[came]


def timed(arrivals):
    return Timeline().step(Timeline().start(), arrivals)[1]


def restarts(made):
    """Places after the first at which filters must begin anew."""
    return np.flatnonzero(made["joint"] & Joint.RESTART)[1:]


def burst(sent_ns):
    """What is sent from 300 s on waits until 340 s and is then made up for at twice the pace."""
    waited = np.maximum(340 * S + (sent_ns - 300 * S) // 2 - sent_ns, 0)
    return 20_000_000 + np.where(sent_ns < 300 * S, 0, waited)


def congested(sent_ns):
    """From 300 s on every packet is two seconds late."""
    return 20_000_000 + np.where(sent_ns < 300 * S, 0, 2 * S)


@pytest.mark.parametrize("off", [-0.018, -0.005, 0.0, 0.0001, 0.018])
def test_a_rate_within_two_per_cent_is_what_it_says(off):
    made = timed(stream(20, round(NOMINAL_NS * (1 + off)))[0])
    assert len(restarts(made)) == 0
    assert set(made["period_ns"]) == {NOMINAL_NS}


@pytest.mark.parametrize("delay_ns", [burst, congested], ids=["backlog", "congestion"])
def test_a_link_that_is_late_is_no_other_rate(delay_ns):
    assert len(restarts(timed(stream(20, delay_ns=delay_ns)[0]))) == 0


@pytest.mark.parametrize("stood", [{20_000: 5 * S}, {20_000: 3 * S // 2, 23_000: 5 * S}], ids=["once", "twice"])
def test_a_clock_that_stood_still_is_no_other_rate(stood):
    periods = np.full(60_000, NOMINAL_NS)
    for place, for_ns in stood.items():
        periods[place] += for_ns
    assert len(restarts(timed(stream(20, periods)[0]))) == 0


@pytest.mark.parametrize(
    ("off", "known_s"), [(0.025, 145), (-0.025, 145), (0.05, 140), (0.2, 40), (-0.2, 40), (1.0, 70)]
)
@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_another_rate_begins_a_segment_with_the_measured_period(off, known_s, lost):
    arrivals, taken_ns = stream(20, round(NOMINAL_NS * (1 + off)), lost=lost)
    made = timed(arrivals)
    (place,) = restarts(made)
    assert taken_ns[place] < known_s * S
    assert set(made["period_ns"][:place]) == {NOMINAL_NS}
    assert made["period_ns"][-1] == pytest.approx(NOMINAL_NS * (1 + off), rel=0.003)
    wrong_ns = made["t_session_ns"][place:] - taken_ns[place:]
    assert np.ptp(wrong_ns) < 0.003 * np.ptp(taken_ns[place:]), "from there on time runs as it does"


def test_a_rate_that_changes_in_mid_stream():
    periods = np.where(np.arange(60_000) < 20_000, NOMINAL_NS, round(1.25 * NOMINAL_NS))
    arrivals, taken_ns = stream(20, periods)
    made = timed(arrivals)
    (place,) = restarts(made)
    assert taken_ns[20_000] < taken_ns[place] < taken_ns[20_000] + 45 * S
    assert made["period_ns"][-1] == pytest.approx(1.25 * NOMINAL_NS, rel=0.005)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.5])
def test_the_steps_of_a_devices_clock_tell_its_rate(factor):
    periods = np.where(np.arange(6000) < 3000, NOMINAL_NS, round(factor * NOMINAL_NS))
    arrivals, taken_ns = stream(2, periods, kind="device", lost=0.1)
    made = timed(arrivals)
    (place,) = restarts(made)
    assert taken_ns[place] < taken_ns[0] + 60 * S + 7 * S
    assert made["period_ns"][-1] == pytest.approx(factor * NOMINAL_NS, rel=0.001)
    assert np.ptp(made["t_session_ns"][place:] - taken_ns[place:]) == 0


@pytest.mark.parametrize(
    ("off", "lost", "within_s"),
    [(0.0, 0.0, 0.05), (0.005, 0.0, 0.5), (-0.015, 0.0, 1.5), (0.0, 0.01, 1.0), (-0.005, 0.015, 1.2)],
)
def test_without_clock_or_counter_time_follows_the_arrivals(off, lost, within_s):
    arrivals, taken_ns = stream(60, round(NOMINAL_NS * (1 + off)), kind="neither", lost=lost)
    made = timed(arrivals)
    assert len(restarts(made)) == 0
    assert set(np.diff(made["t_session_ns"][:5000])) == {NOMINAL_NS}, "nominal until two minutes are known"
    assert (np.diff(made["t_session_ns"]) > 0).all()
    late_ns = taken_ns - made["t_session_ns"]
    assert np.abs(late_ns[30_000:] - late_ns[0]).max() < within_s * S


def test_without_clock_or_counter_a_silence_is_seen():
    arrivals, _ = stream(30, kind="neither")
    gone = (np.arange(len(arrivals)) >= 40_000) & (np.arange(len(arrivals)) < 40_500)
    made = timed(arrivals[~gone])
    assert restarts(made).tolist() == [40_000]
    assert made["t_session_ns"][40_000] - made["t_session_ns"][39_999] == pytest.approx(10 * S, abs=0.1 * S)


def test_a_window_in_which_every_packet_is_late_does_not_turn_the_guess():
    def late(sent_ns):
        return 20_000_000 + np.where((sent_ns > 600 * S) & (sent_ns < 620 * S), 0.8 * S, 0).astype(np.int64)

    arrivals, taken_ns = stream(20, kind="neither", delay_ns=late)
    assert np.ptp(timed(arrivals)["t_session_ns"] - taken_ns) < 0.05 * S


@given(
    st.sampled_from([0.97, 1.0, 1.03, 1.25, 0.8]),
    st.sampled_from(["index", "device", "neither"]),
    st.lists(st.integers(0, 9000), max_size=20),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_times(factor, kind, cuts, seed):
    arrivals, _ = stream(3, round(factor * NOMINAL_NS), kind=kind, lost=0.02, seed=seed)
    whole, timeline = timed(arrivals), Timeline()
    state, parts = timeline.start(), []
    places = sorted(cuts)
    for first, end in zip([0, *places], [*places, len(arrivals)], strict=True):
        state, part = timeline.step(state, arrivals[first:end])
        parts.append(part)
    joined = Columns.joined(parts)
    for name in ("t_session_ns", "period_ns", "joint", "number"):
        np.testing.assert_array_equal(joined[name], whole[name])


@pytest.mark.parametrize("true_ppm", [-150.0, 0.0, 12.0])
@pytest.mark.parametrize("late", [0.0, 0.2], ids=["all timely", "a fifth of the minutes late"])
def test_the_drift_is_known_within_its_error(true_ppm, late):
    wrong = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        delays_ns = 5e6 - true_ppm * 1e-6 * 60e9 * np.arange(60) + rng.exponential(1e6, 60)
        delays_ns += np.where(rng.random(60) < late, rng.uniform(0.1e9, 2e9, 60), 0)
        ppm, sigma_ppm = drift_of(dict(enumerate(delays_ns.astype(np.int64).tolist())))
        wrong.append((ppm - true_ppm) / sigma_ppm)
        assert 0.01 < sigma_ppm < 1.0
    assert 10 <= np.sum(np.abs(wrong) < 1) <= 19
    assert np.max(np.abs(wrong)) < 4


def test_fourteen_minutes_tell_no_drift():
    assert drift_of(dict.fromkeys(range(14), 5_000_000)) == (None, None)
    assert drift_of({minute: 60_000 * minute for minute in range(15)})[0] == pytest.approx(-1.0)


@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("factor", [0.25, 0.5, 0.8, 0.94, 1.06, 1.25, 2.0, 4.0, 5.0, 10.0])
def test_a_rate_that_was_only_assumed_is_found_before_it_looks_like_silence(factor, each):
    arrivals, taken_ns = stream(3 / factor, round(NOMINAL_NS * factor), kind="neither", each=each)
    made = timed(arrivals)
    assert 1 <= len(restarts(made)) <= 4
    assert np.diff(made["t_session_ns"]).max() < 5 * S
    error_ns = (made["t_session_ns"] - made["t_session_ns"][0]) - (taken_ns - taken_ns[0])
    assert np.abs(error_ns[taken_ns > 130 * S]).max() < 5 * S
    assert made["period_ns"][-1] == pytest.approx(NOMINAL_NS * factor, rel=0.04)


def test_packets_of_two_seconds_are_no_other_rate():
    made = timed(stream(5, kind="neither", each=100)[0])
    assert len(restarts(made)) == 0
    assert set(made["period_ns"]) == {NOMINAL_NS}


@given(cuts=st.lists(st.integers(0, 3000), max_size=6), factor=st.sampled_from([0.5, 0.9, 1.0, 3.0]))
@settings(max_examples=30, deadline=None)
def test_what_is_only_counted_is_the_same_however_it_is_cut(cuts, factor):
    arrivals = stream(1, round(NOMINAL_NS * factor), kind="neither", each=2, seed=3)[0]
    state, parts = Timeline().start(), []
    for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(arrivals)], strict=True):
        if b > a:
            state, made = Timeline().step(state, arrivals[a:b])
            parts.append(made)
    whole, joined = timed(arrivals), Columns.joined(parts)
    for name in ("t_session_ns", "period_ns", "joint"):
        assert joined[name].tobytes() == whole[name].tobytes(), name


def test_a_sensor_of_one_sample_a_second_that_was_taken_for_a_fast_one_is_found_too():
    """Each sample comes after a silence that could not be joined, and yet they are counted together."""
    arrivals, taken_ns = stream(3 / 50, S, kind="neither", each=1)
    made = timed(arrivals)
    assert made["period_ns"][30] == pytest.approx(S, rel=0.1)
    assert made["period_ns"][-1] == pytest.approx(S, rel=0.02)
    error_ns = (made["t_session_ns"] - made["t_session_ns"][0]) - (taken_ns - taken_ns[0])
    assert np.abs(error_ns).max() < 5 * S
