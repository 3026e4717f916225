"""Posture lines come from a table; they must be what formatting each number would give."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from companion.output.lines import posture_lines
from companion.posture.rows import CONTEXTS, POSTURE, STATES

NAMES = ("sagittal_deg", "lateral_deg", "slouch_pct", "uncertainty_deg")

halves = st.integers(-40_000, 40_000).map(lambda k: k / 10 + 0.05)
near_halves = st.tuples(halves, st.sampled_from([-math.inf, math.inf])).map(lambda pair: math.nextafter(*pair))
values = st.one_of(st.floats(-400, 400), st.floats(), halves, near_halves, st.sampled_from([0.0, -0.0, -0.04, 1e-320]))
times_ns = st.one_of(st.integers(0, 10**7).map(lambda k: k * 200_000_000), st.integers(-(10**12), 10**15))


def text(value):
    return (
        "null"
        if not math.isfinite(value)
        else f"{value:.1f}".replace("-0.0", "0.0")
        if abs(value) < 1
        else f"{value:.1f}"
    )


@given(st.lists(st.tuples(times_ns, *[values] * 4, st.integers(0, 6), st.integers(0, 4)), max_size=20))
def test_every_number_is_as_if_it_were_formatted(drawn):
    rows = np.zeros(len(drawn), dtype=POSTURE)
    for row, (t_ns, *numbers, context, state) in zip(rows, drawn, strict=True):
        row["t_session_ns"], row["context"], row["state"] = t_ns, context, state
        for name, number in zip(NAMES, numbers, strict=True):
            row[name] = number
    expected = [
        f'{{"type":"posture","t_s":{text(t_ns / 1e9)},'
        + ",".join(f'"{name}":{text(number)}' for name, number in zip(NAMES, numbers, strict=True))
        + f',"context":"{CONTEXTS[context]}","state":"{STATES[state]}"}}'
        for t_ns, *numbers, context, state in drawn
    ]
    assert posture_lines(rows) == expected
    assert all(json.loads(line)["type"] == "posture" for line in expected)
