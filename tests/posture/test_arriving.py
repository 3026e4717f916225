"""When the samples of slow sensors were taken: at their arrival, whatever counter and period say."""

import numpy as np
import pytest

from companion.arrivals import Quality, arrivals_of, end_of, period_of
from companion.posture.gate import Gate
from companion.posture.stage import ARRIVALS, Beat, Columns, Joint
from companion.posture.timeline import Timeline
from firmware_protocol.drivers import Decoded
from firmware_protocol.samples import make_samples

S = 1_000_000_000
UNCERTAIN = np.random.default_rng(1)


def arrivals(at_s, *, period_s=1.285, index=None, device_s=None, first=0, segment=0) -> Columns:
    times = np.round(np.array(at_s) * S).astype(np.int64)
    device = None if device_s is None else np.round(np.array(device_s) * S).astype(np.int64)
    samples = make_samples(np.tile([0.0, 0.0, 9.81], (len(times), 1)), t_host_ns=times, index=index, t_device_ns=device)
    samples["segment"] = segment
    return arrivals_of(samples, np.full(len(times), round(period_s * S)), 0, first)


def tick(t_s, beat=Beat.TICK) -> Columns:
    made = Columns.zeros(1, ARRIVALS)
    made["t_host_ns"][:], made["beat"][:], made["number"][:] = round(t_s * S), beat, -1
    return made


def timed(*parts: Columns, timeline: Timeline | None = None):
    """Each element's time in seconds, ticks as negative ones."""
    timeline = timeline or Timeline()
    made = timeline.step(timeline.start(), Columns.joined(list(parts)))[1]
    sign = np.where(made["beat"] == Beat.SAMPLE, 1, -1)
    return (sign * made["t_session_ns"] / S).round(6).tolist(), made


AT = [0.7, 2.1, 3.2, 7.9, 8.4, 18.4]
CLOCKS = {  # counter, own clock, period: the times from the first sample's arrival on
    "neither": (None, None, 1.285, AT),
    "a counter, which counts losses only": ([0, 1, 2, 5, 6, 7], None, 1.285, AT),
    "a counter that stands still": ([4] * 6, None, 1.285, AT),
    "twice a second": (None, None, 0.5, AT),
    "a clock of its own": (None, [10, 11, 12, 16, 17, 27], 1.285, [0.7, 1.7, 2.7, 6.7, 7.7, 17.7]),
    "both": ([0, 1, 2, 5, 6, 7], [10, 11, 12, 16, 17, 27], 1.285, [0.7, 1.7, 2.7, 6.7, 7.7, 17.7]),
    "not slow: the counter": ([0, 1, 2, 5, 6, 7], None, 0.4, [0.7, 1.1, 1.5, 2.7, 3.1, 3.5]),
}


@pytest.mark.parametrize(("index", "device_s", "period_s", "times"), CLOCKS.values(), ids=CLOCKS)
def test_the_time_of_a_slow_sample(index, device_s, period_s, times):
    found, made = timed(arrivals(AT, period_s=period_s, index=index, device_s=device_s))
    assert found == pytest.approx(times)
    assert set(made["period_ns"].tolist()) == {round(period_s * S)}
    assert np.flatnonzero(made["joint"] & Joint.RESTART).tolist() == [0]


@pytest.mark.parametrize("real_s", [0.3, 1.0, 2.5, 10.0])
def test_an_hour_of_another_interval_than_was_said_stays_at_the_arrivals(real_s):
    at_s = np.cumsum(real_s * UNCERTAIN.uniform(0.9, 1.1, round(3600 / real_s)))
    found, _ = timed(arrivals(at_s, index=np.arange(len(at_s))))
    assert found == pytest.approx(at_s.tolist(), abs=1e-6)


def test_samples_of_one_packet_are_a_period_apart_where_there_is_room():
    found, _ = timed(arrivals([3.0, 3.0, 3.0, 3.5, 3.5, 9.0, 9.0], period_s=1.0))
    assert found[:3] == [1.0, 2.0, 3.0]
    assert found[3:5] == pytest.approx([3.0 + 1e-9, 3.5], abs=1e-6)
    assert found[5:] == [8.0, 9.0]
    assert (np.diff(timed(arrivals([3.0, 3.0, 3.0, 3.5, 3.5], period_s=1.0))[1]["t_session_ns"]) > 0).all()


def test_a_tick_is_known_at_once_since_nothing_earlier_can_come():
    slow = Timeline(grace_ns=20 * S, no_data_ns=30 * S)
    found, _ = timed(arrivals([1.0, 2.0]), tick(2.9), tick(4.0), tick(5.0), arrivals([6.0], first=2), timeline=slow)
    assert found == [1.0, 2.0, -4.0, -5.0, 6.0]


def test_a_sensor_with_a_clock_is_waited_for_as_its_driver_says():
    slow = Timeline(grace_ns=20 * S, no_data_ns=30 * S)
    own = arrivals([1.0, 2.0], device_s=[0.0, 1.0])
    assert timed(own, tick(5.0), tick(25.0), tick(33.0), timeline=slow)[0] == [1.0, 2.0, -5.0, -33.0]


def test_the_session_ends_when_it_is_closed():
    assert timed(arrivals([1.0, 2.0], period_s=10.0), tick(3.5, Beat.END))[0] == [1.0, 2.0, -3.5]
    own = arrivals([1.0, 2.0], period_s=10.0, device_s=[0, 1])
    assert timed(own, end_of(3_500_000_000, 0, 10 * S))[0] == [1.0, 2.0, -12.0]


CHANGES = {  # arrivals and period of one segment, of the next: the times
    "slow, then fast": ([1.0, 2.0], 1.0, [2.0001, 2.04], 0.02, [1.0, 2.0, 2.02, 2.04]),
    "fast, then slow": ([1.0, 1.0001], 0.02, [1.0002, 4.0], 1.0, [1.0, 1.02, 1.02, 4.0198]),
}


@pytest.mark.parametrize(("at_s", "period_s", "then_s", "then_period_s", "times"), CHANGES.values(), ids=CHANGES)
def test_a_segment_of_another_kind_begins_behind_the_one_before(at_s, period_s, then_s, then_period_s, times):
    before = arrivals(at_s, period_s=period_s, index=[0, 1])
    after = arrivals(then_s, period_s=then_period_s, index=[0, 1], first=2, segment=1)
    found, made = timed(before, after)
    assert found == pytest.approx(times, abs=1e-6)
    assert (np.diff(made["t_session_ns"]) > 0).all()


def test_no_lost_slow_sample_is_drawn():
    """At half a second a hole of a quarter more than a period is one and a half periods."""
    block = Timeline().step(Timeline().start(), arrivals([1.0, 1.5, 2.25, 2.75, 4.0], period_s=0.5))[1]
    made = Gate().step(Gate().start(), block)[1]
    assert made["number"].tolist() == [0, 1, 2, 3, 4]


TICKS = {  # own clock, packets, ticks, every tick is wanted: those that are left
    "between slow samples": (False, [2.5, 5.0], [3.8, 4.1, 6.1, 7.5], False, [6.1, 7.5]),
    "between slow samples, but for the last": (False, [2.5, 5.0], [3.8, 4.1, 4.9], False, [4.9]),
    "but for a word between them": (False, [2.5, 5.0], [3.8, 4.1, 6.1], True, [3.8, 4.1, 6.1]),
    "of a sensor with a clock": (True, [2.5, 5.0], [3.8, 4.1, 6.1], False, [3.8, 4.1, 6.1]),
    "before the first": (False, [2.5, 5.0], [0.5, 2.0, 3.9, 6.2], False, [0.5, 2.0, 6.2]),
}


@pytest.mark.parametrize(("clock", "at_s", "ticks_s", "every", "left"), TICKS.values(), ids=TICKS)
def test_ticks_that_the_next_sample_overtakes_are_left_out(clock, at_s, ticks_s, every, left):
    times = np.round(np.array(at_s) * S).astype(np.int64)
    samples = make_samples(np.zeros((len(times), 3)), t_host_ns=times, t_device_ns=times if clock else None)
    ticks = [round(t_s * S) for t_s in ticks_s]
    block = arrivals_of(samples, np.full(len(times), 2_500_000_000), 0, 0, ticks, None, every_tick=every)
    assert (block["t_host_ns"][block["beat"] == Beat.TICK] / S).tolist() == left


@pytest.mark.parametrize(("clock", "drifts"), [(False, False), (True, True)])
def test_arrivals_do_not_drift_against_themselves(clock, drifts):
    times = np.arange(1, 1801) * S
    samples = make_samples(
        np.zeros((1800, 3)), t_host_ns=times, index=np.arange(1800), t_device_ns=times * 1.0001 if clock else None
    )
    quality = Quality()
    quality.add(arrivals_of(samples, np.full(1800, 1_285_000_000), 0, 0), Decoded(samples=samples, lost=3))
    columns = quality.columns()
    assert columns["rate_hz"] == pytest.approx(1.0)
    assert columns["lost_samples"] == 3
    assert columns["drift_ppm"] == (pytest.approx(100.0, abs=1.0) if drifts else None)


@pytest.mark.parametrize(("rate_hz", "period_s"), [(0.1, 10.0), (0.0999, 10.01), (1 / 60, 60.0), (0.001, 0.02)])
def test_one_sample_a_minute_is_a_rate_one_in_a_quarter_of_an_hour_is_none(rate_hz, period_s):
    assert period_of(rate_hz) == pytest.approx(period_s * S, rel=1e-3)
