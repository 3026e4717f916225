"""Which context a row has: every rule with its numbers, its hysteresis, and what must not be taken for it."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.posture.context import ContextStage, forget_baseline
from companion.posture.rows import CONTEXTS, ROW_NS
from companion.posture.stage import ROWS

STILL = {"acc_sd_g": 0.01, "newest_sd_g": 0.01}
WALK = {"acc_sd_g": 0.20, "newest_sd_g": 0.20, "stride_sd_g": 0.10, "stride_share": 0.4}
FIDGET = {"acc_sd_g": 0.20, "newest_sd_g": 0.20, "stride_sd_g": 0.03, "stride_share": 0.05}


def direction(off_deg: float, towards_deg: float = 0.0) -> np.ndarray:
    """Up, so many degrees from the baseline, towards the front (180: the back, 90: the left)."""
    off, towards = np.radians(off_deg), np.radians(towards_deg)
    return np.array([-np.sin(off) * np.cos(towards), -np.sin(off) * np.sin(towards), np.cos(off)])


def rows_of(*parts: tuple[float, dict]) -> np.ndarray:
    """ROWS from (seconds, fields); not given: still, settled, at the baseline."""
    made = []
    for seconds, fields in parts:
        rows = np.zeros(round(seconds * 5), dtype=ROWS)
        rows["up"] = rows["rest_up"] = direction(fields.get("off", 0.0), fields.get("towards", 0.0))
        rows["settled"], rows["rate_hz"] = True, 50.0
        for name, value in (STILL | fields).items():
            if name not in ("off", "towards"):
                rows[name] = value
        made.append(rows)
    rows = np.concatenate(made)
    rows["t_session_ns"] = (np.arange(len(rows)) + 1) * ROW_NS
    return rows


def told(rows: np.ndarray, stage: ContextStage | None = None) -> list[tuple[str, float]]:
    """The contexts in their order, each with its length in seconds."""
    stage = stage or ContextStage()
    contexts = stage.step(stage.start(), rows)[1]["context"]
    return [(CONTEXTS[context], len(list(those)) / 5) for context, those in groupby(contexts.tolist())]


NAN = float("nan")
LAIN = {"off": 80.0, "towards": 180.0}
CASES = {
    "still below 0.05 g, moving from there on": (
        [(2, {"acc_sd_g": 0.0499}), (2, {"acc_sd_g": 0.05})],
        [("still", 2.0), ("moving", 2.0)],
    ),
    "the filter has just started, or there is too little to say": (
        [(2, {"settled": False}), (2, {}), (2, {"acc_sd_g": NAN})],
        [("settling", 2.0), ("still", 2.0), ("settling", 2.0)],
    ),
    "silence": ([(2, {}), (2, {"silent_ns": 5_000_000_000})], [("still", 2.0), ("no_data", 2.0)]),
    "a walk is told at its second row of evidence": (
        [(2, {}), (4, WALK), (2, FIDGET)],
        [("still", 2.0), ("moving", 0.2), ("walking", 3.8), ("moving", 2.0)],
    ),
    "one row of evidence is a jolt": (
        [(1, {}), (0.2, WALK), (1, {})],
        [("still", 1.0), ("moving", 0.2), ("still", 1.0)],
    ),
    "a walk goes on with three quarters of the strength, and does not begin with it": (
        [(1, WALK | {"stride_sd_g": 0.031}), (1, WALK), (1, WALK | {"stride_sd_g": 0.031}), (1, FIDGET)],
        [("moving", 1.2), ("walking", 1.8), ("moving", 1.0)],
    ),
    "and with a smaller share": (
        [(1, WALK | {"stride_share": 0.16}), (1, WALK), (1, WALK | {"stride_share": 0.16}), (1, FIDGET)],
        [("moving", 1.2), ("walking", 1.8), ("moving", 1.0)],
    ),
    "a second without a step ends it": (
        [(1, WALK), (1, WALK | {"newest_sd_g": 0.039})],
        [("moving", 0.2), ("walking", 0.8), ("moving", 1.0)],
    ),
    "gentle steps are no stillness": (
        [(2, {"acc_sd_g": 0.045, "newest_sd_g": 0.045, "stride_sd_g": 0.041, "stride_share": 0.8})],
        [("still", 0.2), ("walking", 1.8)],
    ),
    "a fidget is no walk": ([(3, FIDGET)], [("moving", 3.0)]),
    "on the back": ([(2, {}), (10, LAIN), (2, {})], [("still", 2.8), ("lying", 9.2), ("still", 2.0)]),
    "on the side": ([(10, {"off": 75.0, "towards": 90.0})], [("still", 0.8), ("lying", 9.2)]),
    "on the front": ([(10, {"off": 70.0})], [("still", 0.8), ("lying", 9.2)]),
    "from 60 degrees on": (
        [(3, {"off": 59.0}), (3, {"off": 61.0}), (3, {"off": 51.0}), (3, {"off": 49.0})],
        [("still", 3.8), ("lying", 5.2), ("still", 3.0)],
    ),
    "a second of it is no lying": ([(0.8, LAIN), (2, {})], [("still", 2.8)]),
    "nor is what moves on the way": ([(5, LAIN | {"rest_up": 0.97 * direction(80.0)})], [("still", 5.0)]),
    "nor is what shakes": ([(5, LAIN | FIDGET)], [("moving", 5.0)]),
    "who turns over in bed lies on": (
        [(2, LAIN), (2, LAIN | FIDGET | {"rest_up": 0.5 * direction(80.0)}), (2, LAIN)],
        [("still", 0.8), ("lying", 5.2)],
    ),
    "lying is told of sparse samples too": (
        [(3, LAIN | {"settled": False, "up": NAN, "acc_sd_g": NAN}), (1, {"rest_up": direction(10), "up": NAN})],
        [("settling", 0.8), ("lying", 2.2), ("still", 1.0)],
    ),
    "no trunk is upside down": ([(10, {"off": 160.0})], [("still", 10.0)]),
    "after silence lying is found anew": (
        [(2, LAIN), (1, {"silent_ns": 6_000_000_000}), (2, LAIN)],
        [("still", 0.8), ("lying", 1.2), ("no_data", 1.0), ("still", 0.8), ("lying", 1.2)],
    ),
}


@pytest.mark.parametrize(("parts", "expected"), CASES.values(), ids=CASES)
def test_contexts(parts, expected):
    assert told(rows_of(*parts)) == [(name, pytest.approx(seconds)) for name, seconds in expected]


def test_without_a_calibration_nobody_knows_what_lying_is():
    rows = rows_of((300, LAIN))
    assert told(rows, ContextStage(calibrated=False)) == [("still", 300.0)]


def test_a_new_calibration_ends_what_was_told_of_the_old_frame():
    stage = ContextStage()
    state, _ = stage.step(stage.start(), rows_of((140, LAIN)))
    assert state.lying
    assert state.wear.rest is not None
    state = forget_baseline(state)
    assert told(stage.step(state, rows_of((3, {"off": 55.0})))[1]) == [("still", 3.0)]


def resting(
    seconds: float,
    off_deg: float,
    *,
    sway_deg: float = 0.0,
    noise_deg: float = 0.0,
    noise_g: float = 0.0015,
    seed: int = 0,
) -> tuple:
    """A part of `rows_of`: a sensor that points so, breathing and noise added."""
    t_s = np.arange(round(seconds * 5)) / 5
    rng = np.random.default_rng(seed)
    off = off_deg + sway_deg * np.sin(2 * np.pi * 0.25 * t_s) + rng.normal(0, noise_deg, len(t_s)) if len(t_s) else t_s
    up = np.stack([direction(each) for each in off])
    return seconds, {"up": up, "rest_up": up, "acc_sd_g": noise_g}


TABLE = {
    "on a table it is told after two minutes": (
        [(20, {}), resting(300, 85.0, noise_deg=0.012)],
        [("still", 20.8), ("lying", 119.2), ("not_worn", 180.0)],
    ),
    "a noise of nothing at all counts too": (
        [resting(200, 85.0)],
        [("still", 0.8), ("lying", 119.0), ("not_worn", 80.2)],
    ),
    "who breathes is worn": ([resting(600, 85.0, sway_deg=0.2, noise_deg=0.012)], [("still", 0.8), ("lying", 599.2)]),
    "a noisy sensor does not hide a breath": (
        [resting(600, 85.0, sway_deg=0.2, noise_deg=0.05, noise_g=0.02)],
        [("still", 0.8), ("lying", 599.2)],
    ),
    "a noisy one on a table": (
        [resting(300, 85.0, noise_deg=0.055, noise_g=0.007)],
        [("still", 0.8), ("lying", 119.0), ("not_worn", 180.2)],
    ),
    "near the baseline nobody can tell": ([resting(3600, 40.0)], [("still", 3600.0)]),
    "nor is a wearer ever lost who keeps quiet there": ([resting(3600, 0.0, noise_deg=0.01)], [("still", 3600.0)]),
    "two minutes of it are needed": ([resting(115, 85.0), (3, {})], [("still", 0.8), ("lying", 114.2), ("still", 3.0)]),
    "propped up, 50 degrees off": ([resting(200, 50.0, noise_deg=0.012)], [("still", 119.8), ("not_worn", 80.2)]),
    "taken up, it is worn again": (
        [resting(200, 85.0), (1, FIDGET | {"off": 85.0}), resting(30, 5.0)],
        [("still", 0.8), ("lying", 119.0), ("not_worn", 80.2), ("lying", 1.0), ("still", 30.0)],
    ),
    "turned gently, too": (
        [resting(200, 85.0), resting(30, 89.0)],
        [("still", 0.8), ("lying", 119.0), ("not_worn", 80.2), ("lying", 30.0)],
    ),
    "a lost link leaves it where it was": (
        [resting(200, 85.0), (20, {"silent_ns": 9_000_000_000, "up": NAN, "rest_up": NAN}), resting(20, 85.0)],
        [("still", 0.8), ("lying", 119.0), ("not_worn", 80.2), ("no_data", 20.0), ("not_worn", 20.0)],
    ),
}


@pytest.mark.parametrize(("parts", "expected"), TABLE.values(), ids=TABLE)
def test_a_sensor_that_is_not_worn(parts, expected):
    found = told(rows_of(*parts))
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, seconds), (_, wanted_s) in zip(found, expected, strict=True):
        assert seconds == pytest.approx(wanted_s, abs=10.0 if wanted_s > 60 else 0.01)  # told every 10 s


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_cut_of_hours_in_and_out_of_wear_gives_the_same_bits(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    parts = []
    for number in range(int(rng.integers(1, 6))):
        off_deg = float(rng.choice([0.0, 50.0, 85.0]))
        parts.append(
            resting(float(rng.uniform(100, 200)), off_deg, noise_deg=float(rng.choice([0, 0.02])), seed=number)
        )
        parts.append((float(rng.choice([0.2, 1.0])), FIDGET | {"off": off_deg}))
    rows, stage = rows_of(*parts), ContextStage()
    places = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=15)))
    state, contexts = stage.start(), []
    for first, end in zip([0, *places], [*places, len(rows)], strict=True):
        state, made = stage.step(state, rows[first:end])
        contexts += made["context"].tolist()
    assert contexts == stage.step(stage.start(), rows)[1]["context"].tolist()
