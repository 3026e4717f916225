"""Inputs for the stages: what sensors and links really do, and some things they should not."""

import numpy as np
from hypothesis import strategies as st

from companion.posture.rows import ROW_NS, Context
from companion.posture.stage import ARRIVALS, ROWS, Beat, Columns

PERIOD_NS = 20_000_000


@st.composite
def arrivals(draw, packets=40):
    """Packets with gaps, repeats, NaN, spikes, new segments, a lost gyroscope, clocks that jump, ticks between."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    with_index, with_clock, with_gyro = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    parts, host_ns, index, segment, period_ns = [], 300_000_000, 0, 0, PERIOD_NS
    for _ in range(draw(st.integers(1, packets))):
        what = rng.choice(["plain"] * 8 + ["gap", "long gap", "repeat", "segment", "ticks", "jump", "rate"])
        count = int(rng.integers(1, 13))
        if what in {"gap", "long gap"}:
            lost = int(rng.integers(1, 12 if what == "gap" else 600))
            index, host_ns = index + lost, host_ns + lost * period_ns
        elif what == "repeat":
            index = max(index - count, 0)
        elif what == "segment":
            segment, index, host_ns = (
                segment + 1,
                int(rng.integers(0, 5)),
                host_ns + int(rng.integers(0, 3_000_000_000)),
            )
        elif what == "jump":
            index += int(rng.integers(10_000, 2**40))
        elif what == "rate":
            segment, index, period_ns = segment + 1, 0, int(rng.choice([10_000_000, 40_000_000, 19_230_769]))
        if what == "ticks":
            parts.append(_ticks(rng, host_ns))
            host_ns = int(parts[-1]["t_host_ns"][-1]) + 1
        host_ns += count * period_ns + int(rng.integers(0, 30_000_000))
        parts.append(_packet(rng, host_ns, index, segment, period_ns, count, with_index, with_clock, with_gyro))
        index += count
    if draw(st.booleans()):
        parts.append(_ticks(rng, host_ns, Beat.END)[:1])
    made = Columns.joined(parts)
    made["number"][:] = np.where(made["beat"] == Beat.SAMPLE, np.cumsum(made["beat"] == Beat.SAMPLE) - 1, -1)
    return made


@st.composite
def few_arrivals(draw, packets=60):
    """A sensor of 5 Hz to one sample in ten seconds that does not keep to its period, some lost, ticks between.

    Now and then a packet of several, silence, a new segment, another rate (a fast one too), another clock.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    with_index, with_clock, with_gyro = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    periods_ns = [200_000_000, 400_000_000, 500_000_000, 640_000_000, 1_285_000_000, 2_500_000_000, 10_000_000_000]
    period_ns, factor, parts = int(rng.choice(periods_ns)), float(rng.choice([0.1, 0.5, 1.0, 1.0, 1.0, 2.0])), []
    host_ns, index, segment = 300_000_000, 0, 0
    for _ in range(draw(st.integers(1, packets))):
        what = rng.choice(["plain"] * 12 + ["lost", "silence", "segment", "rate", "clock", "several", "late"])
        count = int(rng.integers(2, 5)) if what == "several" else 1
        if what == "lost":
            index += int(rng.integers(1, 4))
        elif what in {"segment", "rate", "clock"}:
            segment, index = segment + 1, 0
            period_ns = int(rng.choice([*periods_ns, PERIOD_NS])) if what == "rate" else period_ns
            with_clock = with_clock ^ (what == "clock")
        waits_ns = round(period_ns * factor * rng.uniform(0.7, 1.3)) + (40_000_000_000 if what == "silence" else 0)
        first_ns, host_ns = host_ns, host_ns + count * max(waits_ns, 1)
        if what == "late":
            host_ns = first_ns + 1
        if rng.random() < 0.7 and host_ns - first_ns > 2:
            parts.append(_ticks_between(rng, first_ns, host_ns))
        parts.append(_packet(rng, host_ns, index, segment, period_ns, count, with_index, with_clock, with_gyro))
        index += count
    if draw(st.booleans()):
        parts.append(_ticks(rng, host_ns, Beat.END)[:1])
    made = Columns.joined(parts)
    made["number"][:] = np.where(made["beat"] == Beat.SAMPLE, np.cumsum(made["beat"] == Beat.SAMPLE) - 1, -1)
    return made


def _ticks_between(rng, first_ns, last_ns):
    """A few ticks, none at these two instants."""
    made = _ticks(rng, first_ns)
    times = np.unique(np.sort(rng.integers(first_ns + 1, last_ns, len(made))))
    return made[: len(times)].changed(t_host_ns=times)


def _ticks(rng, host_ns, beat=Beat.TICK):
    made = Columns.zeros(int(rng.integers(1, 9)), ARRIVALS)
    made["t_host_ns"][:] = host_ns + 1 + np.arange(len(made)) * int(rng.choice([1_000_000_000, 400_000_000]))
    made["beat"][:], made["period_ns"][:] = beat, PERIOD_NS
    made["acc_mps2"][:] = made["gyr_radps"][:] = np.nan
    return made


def _packet(rng, host_ns, index, segment, period_ns, count, with_index, with_clock, with_gyro):
    made = Columns.zeros(count, ARRIVALS)
    numbers = index + np.arange(count)
    made["t_host_ns"][:], made["period_ns"][:], made["segment"][:] = host_ns, period_ns, segment
    made["index"][:] = numbers if with_index else -1
    made["t_device_ns"][:] = numbers * period_ns if with_clock else -1
    made["behind"][:] = np.arange(count)[::-1]
    lean = np.radians(rng.choice([0.0, 5.0, 14.0, 25.0]))
    made["acc_mps2"][:] = 9.81 * np.array([-np.sin(lean), 0, np.cos(lean)]) + rng.normal(0, 0.05, (count, 3))
    made["gyr_radps"][:] = rng.normal(0, 0.01, (count, 3)) if with_gyro else np.nan
    spoiled = rng.random(count) < 0.03
    made["acc_mps2"][spoiled, 0] = rng.choice([np.nan, np.inf, 1e3, -1e300])
    made["gyr_radps"][rng.random(count) < 0.02] = rng.choice([np.nan, 1e6, 30.0])
    if rng.random() < 0.1:  # the sensor stops measuring, at rest or while it turns
        first = int(rng.integers(count))
        made["acc_mps2"][first:] = made["acc_mps2"][first]
        made["gyr_radps"][first:] = made["gyr_radps"][first] + rng.choice([0.0, 0.5])
    made["clipped"][:] = rng.random(count) < 0.05
    return made


@st.composite
def rows(draw, most=400):
    """Rows in every context, with angles about the limits, uncertain ones and unknown ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, most))
    made = np.zeros(count, dtype=ROWS)
    made["t_session_ns"] = (np.arange(count) + 1) * ROW_NS
    held = np.repeat(np.arange(count), rng.integers(1, 40, size=count))[:count]  # values that last a while
    made["context"] = rng.choice([0] * 12 + list(Context), size=count)[held]
    made["deviation_deg"] = rng.choice([-20.0, 0.0, 7.0, 9.0, 12.5, 14.0, 25.0, np.nan], size=count)[held]
    made["deviation_deg"] += rng.normal(0, 0.3, count)
    made["uncertainty_deg"] = rng.choice([0.5, 1.0, 5.0], p=[0.6, 0.3, 0.1], size=count)[held]
    made["sagittal_deg"] = made["deviation_deg"]
    made["silent_ns"] = rng.choice([0, 4_900_000_000, 5_000_000_000, 31_000_000_000], size=count)[held]
    up = rng.normal((0.0, 0.0, 1.0), 0.3, (count, 3))
    made["up"] = np.where(rng.random((count, 1)) < 0.1, np.nan, up)
    made["acc_sd_g"] = rng.choice([0.0, 0.03, 0.06, np.nan], size=count)[held]
    made["newest_sd_g"] = rng.choice([0.0, 0.03, 0.06, np.nan], size=count)[held]
    lain = np.where(rng.random((count, 1)) < 0.3, [[0.9, 0.0, 0.1]], [[0.0, 0.0, 1.0]])[held]
    made["rest_up"] = np.where(rng.random((count, 1)) < 0.05, np.nan, lain + rng.normal(0, 0.05, (count, 3)))
    made["stride_sd_g"], made["stride_share"] = rng.random(count) * 0.1, rng.random(count)
    made["rate_hz"], made["settled"], made["gyro"] = 50.0, rng.random(count) < 0.9, True
    return made


@st.composite
def worn_rows(draw):
    """Up to half an hour: walking, sitting, lying, a sensor that slips, is taken off, turned over, put on again."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts, turned = [], np.eye(3)
    for _ in range(draw(st.integers(1, 24))):
        context = rng.choice([Context.WALKING] * 5 + [Context.STILL] * 5 + list(Context))
        turned = _slipped(rng, turned)
        part = np.zeros(int(rng.integers(1, 900)), dtype=ROWS)
        lean = np.radians(rng.choice([0.0, 4.0, 25.0, 95.0, 170.0], p=[0.5, 0.3, 0.1, 0.05, 0.05]))
        up = np.array([-np.sin(lean), 0.0, np.cos(lean)]) + rng.normal(0, 0.03, (len(part), 3))
        part["up"] = np.where(rng.random((len(part), 1)) < 0.01, np.nan, up @ turned.T)
        part["context"], part["velocity_dps"] = (
            context,
            rng.choice([5.0, 90.0, 500.0, np.nan], p=[0.9, 0.05, 0.01, 0.04]),
        )
        parts.append(part)
    made = np.concatenate(parts)
    made["t_session_ns"], made["settled"] = (np.arange(len(made)) + 1) * ROW_NS, rng.random(len(made)) < 0.99
    return made


def _slipped(rng, turned):
    """The same, or turned by some degrees more about a horizontal axis, or turned over."""
    if rng.random() < 0.7:
        return turned
    if rng.random() < 0.2:
        return np.eye(3)
    angle, about = np.radians(rng.choice([7.0, 12.0, 16.0, 26.0, 180.0])), rng.uniform(0, 2 * np.pi)
    x, y = np.cos(about), np.sin(about)
    cross = np.array([[0.0, 0.0, y], [0.0, 0.0, -x], [-y, x, 0.0]])
    return turned @ (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def cuts(length):
    """Places to cut an array of this length; every place at once is likely enough to be tried."""
    places = st.lists(st.integers(0, length), max_size=12).map(sorted)
    return st.one_of(places, st.just(list(range(length + 1))) if length <= 300 else places)
