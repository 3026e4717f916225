"""Data quality of a session, and its baseline in words."""

from dataclasses import replace

import pytest

from companion.overview.quality import baseline_of, longest_gap_s, median_uncertainty_deg, quality_of
from companion.posture.calibration import Calibration
from companion.posture.events import SignalFound

MORNING = "2026-05-04T09:00+02:00"
DECLARED = Calibration.from_axes((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
MEASURED = replace(
    DECLARED,
    uncertainty_deg=0.5123,
    axis_ratio=400.0,
    method="guided",
    taken_utc="2026-05-04T06:58:00.000Z",
    spread_deg=0.25,
    difference_deg=0.31,
    axis_sigma_deg=1.5,
    wobble_deg=0.11,
)
SIN_20, COS_20 = 0.3420201433256687, 0.9396926207859084


def found_ns(silent_s: float) -> SignalFound:
    return SignalFound(t_session_ns=30_000_000_000, silent_ns=round(silent_s * 1e9))


@pytest.mark.parametrize(
    ("stretches", "events", "expected"),
    [
        ([("in_range", 50)], (), 0.0),
        ([], (), 0.0),
        ([("in_range", 10), ("no_data", 10), ("in_range", 10)], (found_ns(15.1), found_ns(7)), 15.1),
        ([("in_range", 10), ("no_data", 20)], (found_ns(7),), 20.0),
        ([("no_data", 20)], (), 20.0),
    ],
)
def test_the_longest_gap(judged, stretches, events, expected: float) -> None:
    assert longest_gap_s(judged(MORNING, *stretches, events=events)) == expected


def test_the_median_uncertainty_is_of_what_was_judged(judged) -> None:
    session = judged(MORNING, ("in_range", 1), ("forward", 1), ("unjudged", 4), ("walking", 10))
    session.posture["uncertainty_deg"] = [1.0] * 5 + [2.0] * 5 + [9.0] * 70
    assert median_uncertainty_deg(session) == 1.5
    assert median_uncertainty_deg(judged(MORNING, ("unjudged", 4))) is None


def test_quality_in_full(judged, recorded) -> None:
    session = judged(MORNING, ("in_range", 10))
    quality = quality_of(recorded(session, damage=((1.0, 2.0, "why"),), closed=False))
    assert (quality.session_id, quality.device, quality.driver) == ("s1", "upper-back", "posture_v1")
    assert (quality.profile, quality.mode, quality.columns) == ("desk", "coach", dict(session.summary))
    assert (quality.longest_gap_s, quality.median_uncertainty_deg) == (0.0, 0.6)
    assert (quality.damage, quality.closed) == (((1.0, 2.0, "why"),), False)


@pytest.mark.parametrize(
    ("calibration", "expected"),
    [
        (None, [("Baseline", "none: angles from a baseline are not known, and nothing was judged")]),
        (
            DECLARED,
            [
                ("Taken from", "two directions that were declared, not measured"),
                ("Profile", "desk (sitting)"),
                ("Uncertainty of the baseline", "counts as exact, because it was declared"),
                (
                    "The sensor at the baseline",
                    "leans 0.0° forward of vertical, the angle to vertical that the baseline has",
                ),
                ("Usual slouch", "not shown; 30.0° forward stand for it"),
                ("A slouch starts at", "12.0° from the baseline"),
            ],
        ),
        (
            MEASURED,
            [
                ("Taken from", "two holds and forward bends"),
                ("Taken at", "2026-05-04 08:58"),
                ("Profile", "desk (sitting)"),
                ("Uncertainty of the baseline", "0.5° (one standard deviation, without soft tissue)"),
                ("The two holds differ by", "0.3°"),
                ("Movement within the holds", "0.2° (root mean square)"),
                ("Where you face is known to", "1.5°"),
                ("Shaking of the sensor in the fit test", "0.11° (root mean square)"),
                (
                    "The sensor at the baseline",
                    "leans 0.0° forward of vertical, the angle to vertical that the baseline has",
                ),
                ("Usual slouch", "not shown; 30.0° forward stand for it"),
                ("A slouch starts at", "12.0° from the baseline"),
            ],
        ),
    ],
)
def test_the_baseline_in_words(judged, recorded, calibration: Calibration | None, expected) -> None:
    baseline = baseline_of(recorded(judged(MORNING, ("in_range", 1)), calibration=calibration))
    assert baseline.lines == tuple(expected)
    assert baseline.calibration_id == (None if calibration is None else calibration.calibration_id)


@pytest.mark.parametrize(
    ("slouch", "expected"),
    [
        ((-SIN_20, 0.0, COS_20), "20.0° forward of the baseline"),
        ((SIN_20, 0.0, COS_20), "20.0° behind the baseline"),
        ((0.0, SIN_20, COS_20), "20.0° to the right of the baseline"),
        ((0.0, -SIN_20, COS_20), "20.0° to the left of the baseline"),
    ],
)
def test_the_usual_slouch_as_the_wearer_sees_it(judged, recorded, slouch, expected: str) -> None:
    made = replace(MEASURED, slouch=slouch)
    lines = dict(baseline_of(recorded(judged(MORNING), calibration=made, range_deg=20.0, limit_deg=8.0)).lines)
    assert (lines["Usual slouch"], lines["A slouch starts at"]) == (expected, "8.0° from the baseline")


@pytest.mark.parametrize(
    ("up", "expected"),
    [((-SIN_20, 0.0, COS_20), "20.0° forward of vertical"), ((SIN_20, 0.0, COS_20), "20.0° behind vertical")],
)
def test_how_the_sensor_leans_at_the_baseline(judged, recorded, up, expected: str) -> None:
    made = Calibration.from_axes(up, (1.0, 0.0, 0.0))
    line = dict(baseline_of(recorded(judged(MORNING), calibration=made)).lines)["The sensor at the baseline"]
    assert line == f"leans {expected}, the angle to vertical that the baseline has"


def test_a_baseline_given_at_import_is_not_called_exact(judged, recorded) -> None:
    session = judged(MORNING, ("in_range", 1), origin="imported")
    given = dict(baseline_of(recorded(session)).lines)
    assert given["Taken from"] == "two directions that were declared, or assumed at import, not measured"
    assert (
        given["Uncertainty of the baseline"] == "not known, because it was not measured; the ± of angles leaves it out"
    )
    measured = dict(baseline_of(recorded(session, calibration=MEASURED)).lines)
    assert measured["Taken from"] == "two holds and forward bends"


@pytest.mark.parametrize("taken", ["", "yesterday", "2026-05-04", "9999-12-31T23:59:59+00:00"])
def test_a_baseline_of_an_unknown_time_is_no_error(judged, recorded, taken: str) -> None:
    made = replace(MEASURED, taken_utc=taken)
    assert baseline_of(recorded(judged(MORNING), calibration=made)).calibration_id == made.calibration_id


def test_text_from_a_file_cannot_move_the_cursor(judged, recorded) -> None:
    made = replace(MEASURED, method="\x1b[31mred", profile="d\u202eesk")
    lines = dict(baseline_of(recorded(judged(MORNING), calibration=made)).lines)
    assert (lines["Taken from"], lines["Profile"]) == ("[31mred", "desk (sitting)")
