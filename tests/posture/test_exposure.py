"""Exposure: what counts, percentiles, bands and stays by hand; the same for any cut; a table true to itself."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import companion
import firmware_protocol as fp
from companion.posture import exposure
from companion.posture.calibration import Calibration
from companion.posture.exposure import EXPOSED, LATERAL_BANDS_DEG, SAGITTAL_BANDS_DEG, STAYS_S, band_of, lines, stays
from companion.posture.rows import Context, Suspicion
from companion.posture.stage import ROWS
from companion.posture.summary import PERCENTILES, Tally


def exposed_of(sagittal_deg, *, lateral_deg=0.0, velocity_dps=np.nan, worn=True) -> np.ndarray:
    made = np.zeros(len(sagittal_deg), dtype=EXPOSED)
    made["sagittal_deg"], made["lateral_deg"] = sagittal_deg, lateral_deg
    made["inclination_deg"], made["velocity_dps"], made["worn"] = made["sagittal_deg"] + 20.0, velocity_dps, worn
    return made


def some(table: np.ndarray, quantity: str, measure: str) -> list[dict]:
    return [line for line in lines(table) if (line["quantity"], line["measure"]) == (quantity, measure)]


def test_percentiles_lie_between_the_two_nearest_values():
    table = exposed_of(np.arange(0.0, 101.0)[::-1])
    found = {line["percentile_pct"]: line["angle_deg"] for line in some(table, "rel_sagittal", "percentile")}
    assert found == {10: 10.0, 50: 50.0, 90: 90.0, 95: 95.0, 99: 99.0}
    found = {line["percentile_pct"]: line["angle_deg"] for line in some(table[:2], "abs_sagittal", "percentile")}
    assert found == pytest.approx({10: 119.1, 50: 119.5, 90: 119.9, 95: 119.95, 99: 119.99})


@given(st.lists(st.floats(-179, 179), min_size=1, max_size=200))
def test_percentiles_are_those_of_numpy_to_a_hundredth(angles):
    for line in some(exposed_of(angles), "rel_sagittal", "percentile"):
        assert line["angle_deg"] == pytest.approx(np.percentile(angles, line["percentile_pct"]), abs=0.0101)


def test_time_in_bands_with_their_lower_edge():
    angles = [-0.1, 0.0, 9.9, 10.0, 20.0, 29.9, 30.0, 45.0, 60.0, 89.9, 90.0, 120.0]
    found = some(exposed_of(angles), "rel_sagittal", "band")
    assert [(line["from_deg"], line["to_deg"], line["time_s"]) for line in found] == [
        (None, 0.0, 0.2),
        (0.0, 10.0, 0.4),
        (10.0, 20.0, 0.2),
        (20.0, 30.0, 0.4),
        (30.0, 45.0, 0.2),
        (45.0, 60.0, 0.2),
        (60.0, 90.0, 0.4),
        (90.0, None, 0.4),
    ]
    assert sum(line["share_pct"] for line in found) == pytest.approx(100.0)


def test_to_a_side_left_is_negative_and_the_middle_is_one_band():
    found = some(exposed_of(np.zeros(5), lateral_deg=[-31, -9.9, 9.9, 10.0, 95.0]), "rel_lateral", "band")
    assert {(line["from_deg"], line["to_deg"]): line["time_s"] for line in found if line["time_s"]} == {
        (-45.0, -30.0): 0.2,
        (-10.0, 10.0): 0.4,
        (10.0, 20.0): 0.2,
        (90.0, None): 0.2,
    }


STAYS = {
    "one": ([(1, 50)], [(1, 50)]),
    "two": ([(1, 50), (2, 7)], [(1, 50), (2, 7)]),
    "a dip of 0.8 s belongs to it": ([(1, 50), (2, 4), (1, 10)], [(1, 64)]),
    "one of 1 s does not": ([(1, 50), (2, 5), (1, 10)], [(1, 50), (2, 5), (1, 10)]),
    "a dip over two bands": ([(1, 50), (2, 2), (3, 2), (1, 10)], [(1, 64)]),
    "over two bands for 1 s": ([(1, 50), (2, 2), (3, 3), (1, 10)], [(1, 50), (2, 2), (3, 3), (1, 10)]),
    "several dips": ([(1, 9), (2, 4), (1, 1), (0, 4), (1, 2)], [(1, 20)]),
    "on the way": ([(1, 50), (2, 3), (3, 50)], [(1, 50), (2, 3), (3, 50)]),
    "what does not count is no stay": ([(-1, 20), (1, 10), (-1, 30)], [(1, 10)]),
    "and interrupts": ([(1, 50), (-1, 5), (1, 10)], [(1, 50), (1, 10)]),
    "but for a moment, which does not count": ([(1, 50), (-1, 3), (2, 1), (1, 10)], [(1, 61)]),
    "none": ([], []),
}


@pytest.mark.parametrize(("pieces", "found"), STAYS.values(), ids=STAYS)
def test_uninterrupted_stays(pieces, found):
    assert stays(np.array([band for band, rows in pieces for _ in range(rows)], dtype=np.int64)) == found


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 12)), max_size=40))
def test_the_rows_of_all_stays_are_the_rows_that_count(pieces):
    codes = np.array([band for band, rows in pieces for _ in range(rows)], dtype=np.int64)
    assert sum(rows for _, rows in stays(codes)) == (codes >= 0).sum()


def test_the_exposure_variation_table_by_hand():
    angles = [5.0] * 5 + [15.0] * 14 + [5.0] * 4 + [15.0] * 3 + [25.0] * 4 + [5.0] * 1600
    # 1.0 s at 5; at 15 2.8 s, a dip of 0.8 s, 0.6 s: 4.2 s; 0.8 s at 25; 320 s at 5.
    found = some(exposed_of(angles), "rel_sagittal", "stay")
    assert len(found) == (len(SAGITTAL_BANDS_DEG) - 1) * (len(STAYS_S) - 1)
    keys = ("from_deg", "stay_from_s", "stay_to_s", "stays", "time_s")
    assert [tuple(line[key] for key in keys) for line in found if line["stays"]] == [
        (0.0, 1.0, 3.0, 1, 1.0),
        (0.0, 255.0, 511.0, 1, 320.0),
        (10.0, 3.0, 7.0, 1, 4.2),
        (20.0, 0.0, 1.0, 1, 0.8),
    ]
    assert sum(line["share_pct"] for line in found) == pytest.approx(100.0)


def test_classes_of_stay_double_and_bands_meet():
    lengths = [most - least for least, most in pairwise(STAYS_S[:-1])]
    assert all(later == 2 * earlier for earlier, later in pairwise(lengths))
    assert band_of(np.array([-181.0, -10.0, 10.0, 181.0]), LATERAL_BANDS_DEG).tolist() == [0, 6, 7, 12]


def test_velocity_is_empty_without_a_gyroscope():
    with_gyro = some(exposed_of(np.zeros(101), velocity_dps=np.arange(101.0)), "velocity", "percentile")
    assert [line["velocity_dps"] for line in with_gyro] == [10.0, 50.0, 90.0, 95.0, 99.0]
    assert {line["velocity_dps"] for line in some(exposed_of(np.zeros(9)), "velocity", "percentile")} == {None}


def test_without_worn_time_times_are_zero_and_percentiles_unknown():
    found = list(lines(exposed_of([10.0, 20.0], worn=False)))
    assert {line.get("time_s", 0.0) for line in found} == {0.0}
    assert {line["angle_deg"] for line in found if "angle_deg" in line} == {None}
    assert [line["quantity"] for line in found] == [line["quantity"] for line in lines(exposed_of([10.0]))]


def test_what_counts_as_worn():
    rows = np.zeros(len(Context) + 3, dtype=ROWS)
    rows["context"][: len(Context)] = list(Context)
    rows["suspicion"][-2:] = [Suspicion.SUSPECT, Suspicion.HELD]
    rows["sagittal_deg"][-3] = np.nan
    assert np.flatnonzero(exposure.worn(rows)).tolist() == [Context.STILL, Context.MOVING, Context.WALKING]


def recording(seconds: int = 120) -> np.ndarray:
    """A trunk that leans about, at 50 Hz, with a gyroscope that agrees."""
    t_s = np.arange(50 * seconds) / 50
    lean, rate = 0.3 + 0.3 * np.sin(0.7 * t_s), 0.21 * np.cos(0.7 * t_s)
    acc = 9.81 * np.stack([-np.sin(lean), np.zeros_like(lean), np.cos(lean)], axis=1)
    gyr = np.stack([np.zeros_like(rate), rate, np.zeros_like(rate)], axis=1)
    times_ns = np.round(t_s * 1e9).astype(np.int64)
    return fp.make_samples(acc, gyr, t_device_ns=times_ns, index=np.arange(len(acc)))


def test_the_summary_has_the_percentiles_of_the_table():
    rng = np.random.default_rng(5)
    rows = np.zeros(3000, dtype=ROWS)
    rows["context"] = rng.choice(list(Context), 3000)
    rows["suspicion"] = rng.choice(list(Suspicion), 3000, p=[0.8, 0.1, 0.1])
    rows["sagittal_deg"] = rng.normal(10, 12, 3000)
    rows["inclination_deg"] = rows["sagittal_deg"] + 17.3
    tally, parts = Tally(keep_exposed=True), Tally(keep_exposed=True)
    tally.add_rows(rows)
    for first, end in pairwise([0, 1, 1, 700, 2999, 3000]):
        parts.add_rows(rows[first:end])
    assert parts.exposed_rows().tobytes() == tally.exposed_rows().tobytes()
    columns, table = tally.columns(), list(lines(tally.exposed_rows()))
    for kind in ("rel", "abs"):
        found = [line for line in table if (line["quantity"], line["measure"]) == (f"{kind}_sagittal", "percentile")]
        assert [line["angle_deg"] for line in found] == [columns[f"{kind}_p{p}_deg"] for p in PERCENTILES]


def test_percentiles_of_a_known_course():
    calibration = Calibration.from_axes([0, 0, 1], [1, 0, 0])
    result = companion.analyse(recording(), calibration=calibration)
    posture = result.posture
    worn = posture["sagittal_deg"][(posture["context"] <= Context.WALKING) & np.isfinite(posture["sagittal_deg"])]
    for p in PERCENTILES:
        assert result.summary[f"rel_p{p}_deg"] == pytest.approx(np.percentile(worn, p), abs=0.01)
        assert result.summary[f"abs_p{p}_deg"] == result.summary[f"rel_p{p}_deg"]  # the sensor was vertical
    assert result.summary["rel_p99_deg"] == pytest.approx(np.degrees(0.6), abs=1.0)
