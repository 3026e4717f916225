"""The exported tables, cell by cell; contexts of a minute that add up; cells that no spreadsheet runs."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.csv_tables import SampleTable, cell, cells_of, defused
from companion.posture import events as happened
from companion.posture.rows import CONTEXTS, POSTURE, STATES, RowFlag
from companion.posture.summary import SESSION_COLUMNS
from companion.tables import dictionary
from companion.tables.judged import Judged
from firmware_protocol.frames import Opened
from firmware_protocol.samples import make_samples

MakeRows = Callable[..., Any]
S = 1_000_000_000
CONTEXT_COLUMNS = [f"{context}_s" for context in CONTEXTS]
STATE_COLUMNS = [f"{state}_s" for state in STATES if state != "unknown"]


def table(name: str, session: Judged, **options: bool) -> list[dict[str, str]]:
    """The rows of a table by column."""
    columns = dictionary.names(name)
    return [dict(zip(columns, row, strict=True)) for row in cells_of(name, session, **options)]


@pytest.fixture
def session(header: Opened, make_rows: MakeRows) -> Judged:
    rows = [
        make_rows(280, 1, sagittal_deg=2.0),
        make_rows(40, 281, state="forward", sagittal_deg=14.0),
        make_rows(10, 321, "no_data", "unknown", sagittal_deg=math.nan, lateral_deg=math.nan),
    ]
    events = (
        happened.SlouchStarted(t_session_ns=56_200_000_000, episode=1, angle_deg=14.0),
        happened.AlertRaised(t_session_ns=60 * S, episode=1, number=1, angle_deg=14.0, forward_ns=4 * S),
        happened.AlertRaised(t_session_ns=62 * S, episode=1, number=2, angle_deg=14.0, forward_ns=6 * S),
        happened.SlouchEnded(
            t_session_ns=64 * S,
            episode=1,
            duration_ns=7_800_000_000,
            peak_deg=14.04,
            mean_deg=-0.04,
            alerts=2,
            ended_by="no_data",
        ),
        happened.SlouchStarted(t_session_ns=66 * S, episode=2, angle_deg=14.0),
    )
    summary = {"session_id": header.session_id, "device": "=clip()", "duration_s": 66.0, "episodes": 2}
    posture = np.concatenate(rows)
    posture["flags"][-3:] |= np.uint32(RowFlag.SUSPECT)
    return Judged(header=header, summary=summary, posture=posture, events=events)


def test_sessions(session: Judged) -> None:
    (row,) = table("sessions", session)
    filled = {name: text for name, text in row.items() if text}
    assert filled == {
        "session_id": "2026-03-29T005900Z-4f2a",
        "device": "'=clip()",
        "duration_s": "66.0",
        "episodes": "2",
    }


def test_minutes(session: Judged) -> None:
    assert [",".join(row.values()) for row in table("minutes", session)] == [
        "2026-03-29T005900Z-4f2a,2026-03-29T00:59:00.000Z,2026-03-29T01:59:00.000+01:00,0.0,60.0,"
        "60.0,56.0,4.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,2.8,-0.4,1,0.0",
        "2026-03-29T005900Z-4f2a,2026-03-29T01:00:00.000Z,2026-03-29T03:00:00.000+02:00,60.0,6.0,"
        "4.0,0.0,4.0,0.0,0.0,0.0,0.0,0.0,0.0,2.0,0.0,14.0,-0.4,1,0.6",
    ]


def test_episodes(session: Judged) -> None:
    assert [",".join(row.values()) for row in table("episodes", session)] == [
        "2026-03-29T005900Z-4f2a,1,2026-03-29T00:59:56.200Z,2026-03-29T01:59:56.200+01:00,56.2,7.8,14.0,0.0,2,no_data",
        "2026-03-29T005900Z-4f2a,2,2026-03-29T01:00:06.000Z,2026-03-29T03:00:06.000+02:00,66.0,,,,0,",
    ]


def test_samples(session: Judged) -> None:
    samples = make_samples(np.array([[0.1, -0.0, 9.80665], [1, 2, 3]]), [[0.5, -1e-9, 1.0], [math.nan] * 3])
    with_samples = replace(
        session,
        samples=SampleTable(
            samples=samples,
            t_session_ns=np.array([0, 7_812_000]),
            sagittal_deg=np.array([3.14159, math.nan]),
            lateral_deg=np.array([-0.001, 1.0]),
        ),
    )
    assert [",".join(row) for row in cells_of("samples", with_samples)] == [
        "0.000000,0.10000,0.00000,9.80665,0.500000,0.000000,1.000000,3.14,0.00",
        "0.007812,1.00000,2.00000,3.00000,,,,,1.00",
    ]
    with pytest.raises(ValueError, match="samples"):
        cells_of("samples", session)


def test_anonymous_rows_name_nobody_and_no_instant(session: Judged) -> None:
    summary = {"device": "clip", "tz": "Europe/Paris", "started_utc": "2026", "started_local": "2026", "alerts": 2}
    session = replace(session, summary=summary)
    for name in ("sessions", "minutes", "episodes"):
        for row in table(name, session, anonymous=True):
            assert {row.get(hidden, "") for hidden in ("device", "tz", "started_utc", "started_local")} == {""}
            assert row["alerts"]


def test_exposure_has_the_session_and_leaves_empty_what_a_line_has_not(session: Judged) -> None:
    lines = (
        {"quantity": "rel_sagittal", "measure": "percentile", "percentile_pct": 10, "angle_deg": -3.14},
        {
            "quantity": "abs_sagittal",
            "measure": "band",
            "from_deg": None,
            "to_deg": 0.0,
            "time_s": 2.4,
            "share_pct": 4.0,
        },
        {"quantity": "velocity", "measure": "percentile", "percentile_pct": 99, "velocity_dps": None},
    )
    rows = cells_of("exposure", replace(session, exposure=lines), anonymous=True)
    session_id = session.header.session_id
    assert [",".join(row) for row in rows] == [
        f"{session_id},rel_sagittal,percentile,10,-3.1,,,,,,,,",
        f"{session_id},abs_sagittal,band,,,,,0.0,,,,2.4,4.0",
        f"{session_id},velocity,percentile,99,,,,,,,,,",
    ]


def test_an_empty_session_has_no_minutes_and_no_episodes(session: Judged) -> None:
    empty = replace(session, posture=session.posture[:0], events=())
    assert table("minutes", empty) == table("episodes", empty) == []


codes = st.tuples(st.integers(0, len(CONTEXTS) - 1), st.integers(0, len(STATES) - 1), st.integers(1, 400))


@given(st.lists(codes, min_size=1, max_size=8), st.integers(0, 5), st.lists(st.integers(0, 3600), max_size=5))
def test_minutes_add_up_to_the_session(spans: list[Any], first: int, alerts: list[int]) -> None:
    header = Opened(t_host_ns=0, session_id="s", driver="d", device="d", utc_ns=0, zone="UTC", software_version="0")
    flat = [(context, state) for context, state, count in spans for _ in range(count)]
    rows = np.zeros(len(flat), dtype=POSTURE)
    rows["t_session_ns"] = (first + np.arange(len(flat))) * S // 5
    rows["context"], rows["state"] = zip(*flat, strict=True)
    rows["state"][rows["context"] != 0] = STATES.index("unknown")
    rows["state"][(rows["context"] == 0) & (rows["state"] == STATES.index("unknown"))] = 0
    raised = tuple(
        happened.AlertRaised(t_session_ns=at * S, episode=1, number=1, angle_deg=0.0, forward_ns=0) for at in alerts
    )
    found = table("minutes", Judged(header=header, summary={}, posture=rows, events=raised))
    total = {name: sum(float(row[name]) for row in found) for name in ("duration_s", *CONTEXT_COLUMNS, *STATE_COLUMNS)}
    assert total["duration_s"] == pytest.approx(len(rows) / 5)
    assert total["duration_s"] == pytest.approx(sum(total[name] for name in CONTEXT_COLUMNS))
    assert total["still_s"] == pytest.approx(sum(total[name] for name in STATE_COLUMNS))
    for code, name in enumerate(CONTEXT_COLUMNS):
        assert total[name] == pytest.approx(np.count_nonzero(rows["context"] == code) / 5)
    assert [float(row["duration_s"]) for row in found[:-1]] == [60.0] * (len(found) - 1)
    assert [float(row["t_s"]) for row in found] == [60.0 * number for number in range(len(found))]
    assert sum(int(row["alerts"]) for row in found) == len(alerts)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("clip", "clip"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=1", "'=1"),
        ("\rx", "'x"),
        ("＝1", "'＝1"),
        ("\x1b=1", "'=1"),
        ("\u202e=1", "'=1"),
        (" =1", "'=1"),
    ],
)
def test_text_cells_are_defused(text: str, safe: str) -> None:
    assert defused(text) == cell(text) == safe


@given(st.text())
def test_no_text_cell_begins_as_a_formula(text: str) -> None:
    assert not defused(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (math.nan, ""), (math.inf, ""), (-12.34, "-12.3"), (-0.04, "0.0"), (3, "3"), (np.int64(-3), "-3")],
)
def test_numbers_are_plain(value: object, text: str) -> None:
    assert cell(value) == text


def test_the_dictionary_describes_every_column_that_is_exported(session: Judged) -> None:
    assert dictionary.names("sessions") == SESSION_COLUMNS
    for name, columns in dictionary.TABLES.items():
        assert len({column.name for column in columns}) == len(columns)
        for column in columns:
            assert column.meaning.endswith("."), column
            suffix = column.name.rsplit("_", 1)[-1]
            known = {"s": "s", "deg": "deg", "pct": "%", "hz": "Hz", "ppm": "ppm", "mps2": "m/s2", "radps": "rad/s"}
            known["dps"] = "deg/s"
            assert column.unit == known.get(suffix, ""), column
        assert name == "samples" or all(len(row) == len(columns) for row in cells_of(name, session))


def test_describe_is_a_table_itself() -> None:
    lines = dictionary.describe()
    assert lines[0] == "table,column,unit,meaning"
    assert lines[1].startswith("sessions,session_id,,")
    assert len(lines) == 1 + sum(len(columns) for columns in dictionary.TABLES.values())
    assert all(line.isprintable() for line in lines)
