"""Points and bands: nothing short vanishes, nothing is made up, and a page stays small."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.overview import KINDS
from companion.overview.traces import (
    SESSION_POINTS,
    bands,
    commonest,
    figures_within,
    kinds_of,
    rows_a_point,
    trace_of,
)
from companion.posture.events import AlertRaised
from companion.posture.rows import CONTEXTS, POSTURE, ROW_NS, STATES
from companion.tables.judged import Part
from companion.tables.rows import figures_of
from companion.tables.wear import judged_share_pct

BEGIN_MS = 1_792_884_600_000  # 2026-10-25T01:30+02:00


def rows(*pairs: tuple[str, str]) -> Any:
    made = np.zeros(len(pairs), dtype=POSTURE)
    made["context"] = [CONTEXTS.index(context) for context, _ in pairs]
    made["state"] = [STATES.index(state) for _, state in pairs]
    return made


def test_a_moment_counts_as_its_state_where_it_is_still_and_as_its_context_elsewhere() -> None:
    states = [("still", state) for state in ("in_range", "forward", "reclined", "unjudged")]
    others = [(context, "unknown") for context in CONTEXTS[1:]]
    assert [KINDS[kind] for kind in kinds_of(rows(*states, *others))] == list(KINDS)


@pytest.mark.parametrize(
    ("lengths", "most", "expected"),
    [
        ([0], 14_000, 1),
        ([450], 14_000, 1),
        ([6_000], 14_000, 1),
        ([6_001], 14_000, 2),  # one session has 6,000 at most
        ([144_000], 14_000, 24),
        ([144_000], 10_000, 24),
        ([50_000, 50_000], 10_000, 10),  # a day has 10,000 at most
        ([144_000] * 5, 14_000, 52),
    ],
)
def test_how_many_rows_make_a_point(judged, lengths: list[int], most: int, expected: int) -> None:
    parts = [judged("2026-10-25T01:30+02:00", ("in_range", count / 5)).whole() for count in lengths]
    found = rows_a_point(parts, most)
    assert found == expected
    assert sum(-(-count // found) for count in lengths) <= most + len(lengths)
    assert max(-(-count // found) for count in lengths) <= SESSION_POINTS


def test_a_trace_in_full(judged) -> None:
    alert = AlertRaised(t_session_ns=3 * ROW_NS, episode=1, number=1, angle_deg=20.0, forward_ns=0)
    session = judged(
        "2026-10-25T01:30+02:00",
        ("in_range", 0.4, 2.0),
        ("forward", 0.6, 20.0),
        ("no_data", 0.6),
        ("walking", 0.2, -3.0),
        events=(alert,),
    )
    trace = trace_of(session.whole(), 3, 12.0)
    assert (trace.session_id, trace.zone, trace.point_s, trace.limit_deg) == ("s1", "Europe/Paris", 0.6, 12.0)
    assert trace.utc_ms.tolist() == [BEGIN_MS, BEGIN_MS + 600, BEGIN_MS + 1200]
    assert trace.mean_deg.tolist() == [8.0, 20.0, -3.0]
    assert trace.least_deg.tolist() == [2.0, 20.0, -3.0]
    assert trace.most_deg.tolist() == [20.0, 20.0, -3.0]
    assert trace.uncertainty_deg.tolist() == pytest.approx([0.6] * 3)
    assert [(band.from_utc_ms - BEGIN_MS, band.to_utc_ms - BEGIN_MS, band.kind) for band in trace.bands] == [
        (0, 400, "in_range"),
        (400, 1000, "forward"),
        (1000, 1600, "no_data"),
        (1600, 1800, "walking"),
    ]
    assert trace.alerts_utc_ms == (BEGIN_MS + 600,)


def test_the_trace_of_a_part_begins_with_it(judged) -> None:
    session = judged("2026-10-25T01:30+02:00", ("in_range", 1.0, 2.0), ("walking", 1.0, 4.0))
    trace = trace_of(Part(session, session.whole().day, 5, 10), 2, None)
    assert trace.utc_ms.tolist() == [BEGIN_MS + 1000, BEGIN_MS + 1400, BEGIN_MS + 1800]
    assert trace.mean_deg.tolist() == [4.0, 4.0, 4.0]
    assert [band.kind for band in trace.bands] == ["walking"]


def test_a_session_without_rows_has_an_empty_trace(judged) -> None:
    trace = trace_of(judged("2026-10-25T01:30+02:00").whole(), 1, 12.0)
    assert [len(values) for values in (trace.utc_ms, trace.mean_deg, trace.least_deg, trace.most_deg)] == [0] * 4
    assert trace.bands == ()


@given(
    angles=st.lists(st.one_of(st.floats(-180, 180), st.just(float("nan"))), min_size=1, max_size=60),
    rows_each=st.integers(1, 20),
)
def test_no_reach_vanishes_and_nothing_is_made_up(angles: list[float], rows_each: int) -> None:
    from companion.overview.traces import _spread

    values = np.array(angles)
    mean, least, most = _spread(values, np.arange(0, len(values), rows_each))
    for place in range(len(mean)):
        piece = values[place * rows_each : (place + 1) * rows_each]
        known = piece[np.isfinite(piece)]
        if len(known) == 0:
            assert np.isnan([mean[place], least[place], most[place]]).all()
            continue
        assert (least[place], most[place]) == (known.min(), known.max())
        assert mean[place] == pytest.approx(known.mean(), abs=1e-9)


def test_the_commonest_kind_of_a_piece_and_of_equals_the_first() -> None:
    assert commonest(np.array([1, 1, 5, 5, 5, 9, 9, 0, 9, 4], dtype=np.uint8), 3).tolist() == [1, 5, 9, 4]
    assert commonest(np.array([5, 2, 2, 5], dtype=np.uint8), 4).tolist() == [2]


@given(
    kinds=st.lists(st.integers(0, 9), min_size=1, max_size=200),
    rows_each=st.integers(1, 7),
    most=st.integers(1, 40),
)
def test_bands_cover_the_session_without_holes_and_are_never_too_many(
    kinds: list[int], rows_each: int, most: int
) -> None:
    found = bands(np.array(kinds, dtype=np.uint8), 0, rows_each, most)
    assert len(found) <= most
    assert (found[0].from_utc_ms, found[-1].to_utc_ms) == (0, 200 * len(kinds))
    for one, other in pairwise(found):
        assert one.to_utc_ms == other.from_utc_ms
        assert one.kind != other.kind
    if len(found) == 1 + sum(a != b for a, b in pairwise(kinds)):
        drawn = [band.kind for band in found for _ in range((band.to_utc_ms - band.from_utc_ms) // 200)]
        assert drawn == [KINDS[kind] for kind in kinds]


def test_few_bands_are_exact_to_the_row() -> None:
    kinds = np.array([0] * 100 + [4] + [0] * 100, dtype=np.uint8)
    assert [(band.from_utc_ms, band.to_utc_ms, band.kind) for band in bands(kinds, 0, 50, 3)] == [
        (0, 20_000, "in_range"),
        (20_000, 20_200, "moving"),
        (20_200, 40_200, "in_range"),
    ]
    assert [(band.from_utc_ms, band.to_utc_ms, band.kind) for band in bands(kinds, 0, 50, 2)] == [
        (0, 40_200, "in_range")
    ]


def test_figures_of_traces_are_those_of_the_tables_however_few_points_there_are(judged) -> None:
    one = judged("2026-10-25T01:30+02:00", ("in_range", 60.2, 2.0), ("forward", 30.4, 25.0), suspect_rows=slice(0, 100))
    other = judged("2026-10-25T04:00+01:00", ("reclined", 7.0, -20.0), ("walking", 9.0, 4.0), name="s2")
    parts = [one.whole(), Part(other, other.whole().day, 5, 80)]
    traces = [trace_of(part, 400, 12.0, most_bands=1) for part in parts]
    found = dict(figures_within(traces))
    assert found.pop("sagittal_deg") == pytest.approx((796.4 / 105.6, -20.0, 25.0), abs=1e-4)
    assert found == figures_of(parts)
    assert found["forward_s"] == 30.4


def test_figures_of_a_stretch_count_the_rows_that_begin_in_it(judged) -> None:
    session = judged("2026-10-25T01:30+02:00", ("in_range", 1.0, 2.0), ("forward", 1.0, 20.0), ("no_data", 1.0))
    traces = [trace_of(Part(session, session.whole().day, 2, 15), 100, None)]
    lengths = [
        (figures["duration_s"], figures["forward_s"], figures["sagittal_deg"])
        for low, high in ((0, 1000), (1000, 1001), (1001, 1400), (2000, 9000), (9000, 9900))
        for figures in [figures_within(traces, BEGIN_MS + low, BEGIN_MS + high)]
    ]
    assert lengths == [
        (pytest.approx(0.6), 0.0, (2.0, 2.0, 2.0)),
        (0.2, 0.2, (20.0, 20.0, 20.0)),
        (0.2, 0.2, (20.0, 20.0, 20.0)),
        (1.0, 0.0, None),
        (0.0, 0.0, None),
    ]


@given(cuts=st.lists(st.integers(-500, 20_500), min_size=1, max_size=6))
def test_figures_of_stretches_add_up(judged, cuts: list[int]) -> None:
    session = judged("2026-10-25T01:30+02:00", ("in_range", 7.0), ("forward", 9.4), ("walking", 3.6))
    traces = [trace_of(session.whole(), 30, None)]
    edges = sorted({-1000, *cuts, 30_000})
    stretches = [figures_within(traces, BEGIN_MS + low, BEGIN_MS + high) for low, high in pairwise(edges)]
    for name in ("duration_s", "in_range_s", "forward_s", "walking_s"):
        assert sum(each[name] for each in stretches) == pytest.approx(figures_within(traces)[name])


@pytest.mark.parametrize(
    ("judged_s", "expected"),
    [((50.0, 30.0, 20.0), 30.0), ((0.0, 0.0, 5.0), 0.0), ((0.0, 0.0, 0.0), None)],
)
def test_the_share_of_the_still_time_that_was_judged(judged_s, expected: float | None) -> None:
    in_range_s, forward_s, reclined_s = judged_s
    figures = {"in_range_s": in_range_s, "forward_s": forward_s, "reclined_s": reclined_s, "unjudged_s": 1000.0}
    assert judged_share_pct(figures) == expected
