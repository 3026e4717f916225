"""The exported tables, cell by cell; contexts of a minute that add up; cells that no spreadsheet runs."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.csv_dictionary import describe
from companion.output.csv_tables import cell, cells_of, defused, sample_text
from companion.posture import events as happened
from companion.posture.exposure import EXPOSED
from companion.posture.rows import CONTEXTS, POSTURE, STATES, RowFlag
from companion.posture.summary import SESSION_COLUMNS
from companion.tables import dictionary
from companion.tables.anonymous import pseudonym
from companion.tables.judged import Judged
from companion.tables.rows import rows_of
from companion.tables.samples import SampleTable
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
        happened.AlertCleared(t_session_ns=64 * S, episode=1, recovery_ns=4 * S, ended_by="no_data"),
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
        "2026-03-29T005900Z-4f2a,1,2026-03-29T00:59:56.200Z,2026-03-29T01:59:56.200+01:00,56.2,7.8,14.0,0.0,2,no_data,4.0",
        "2026-03-29T005900Z-4f2a,2,2026-03-29T01:00:06.000Z,2026-03-29T03:00:06.000+02:00,66.0,,,,0,,",
    ]


def test_days(session: Judged) -> None:
    assert [",".join(row.values()) for row in table("days", session)] == [
        "2026-03-29T005900Z-4f2a,2026-03-29,Europe/Paris,23.0,2026-03-29T00:59:00.000Z,2026-03-29T01:59:00.000+01:00,"
        "0.0,66.0,64.0,56.0,8.0,0.0,0.0,0.0,0.0,0.0,0.0,2.0,0.0,64.0,97.0,2,2,7.8,4.0,2.0,2.0,14.0,14.0,14.0,0.6",
    ]


def sample_table(acc: Any, gyr: Any, times_ns: list[int], angles_deg: list[float]) -> SampleTable:
    angles = np.array(angles_deg)
    times = np.array(times_ns, dtype=np.int64)
    return SampleTable(samples=make_samples(acc, gyr), t_session_ns=times, sagittal_deg=angles, lateral_deg=-angles)


def test_samples() -> None:
    samples = sample_table(
        [[0.1, -0.0, 9.80665], [1, 2, 3], [-1e-5, 0.0, 1 / 3]],
        [[0.5, -1e-9, 1.0], [math.nan] * 3, [1e22, 0, 0]],
        [0, 7_812_003, -1_500_000_000],
        [3.14159, math.nan, 0.0001],
    )
    assert list(sample_text(samples)) == [
        (
            3,
            "0.000000000,0.1,-0.0,9.80665,0.5,-0.000000001,1.0,3.142,-3.142\n"
            "0.007812003,1.0,2.0,3.0,,,,,\n"
            "-1.500000000,-0.00001,0.0,0.3333333333333333,10000000000000000000000.0,0.0,0.0,0.000,0.000\n",
        )
    ]


def test_many_samples_come_in_parts_with_every_line_once() -> None:
    count = 70_000
    values = np.arange(3 * count, dtype=np.float64).reshape(-1, 3)
    parts = list(sample_text(sample_table(values, values, list(range(count)), [0.0] * count)))
    assert [number for number, _ in parts] == [65_536, 4_464]
    lines = "".join(text for _, text in parts).splitlines()
    assert [line.split(",")[1] for line in lines] == [f"{3.0 * number}" for number in range(count)]


NUMBERS = st.floats(allow_nan=True, allow_infinity=False, width=64)
PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@given(st.lists(st.tuples(*[NUMBERS] * 6, st.integers(-(2**62), 2**62)), min_size=1, max_size=20))
def test_samples_read_back_as_the_same_numbers(rows: list[Any]) -> None:
    values = np.array([row[:6] for row in rows])
    times_ns = [row[6] for row in rows]
    made = sample_table(values[:, :3], values[:, 3:], times_ns, [1.0] * len(rows))
    ((_, text),) = sample_text(made)
    cells = [line.split(",") for line in text.splitlines()]
    assert all(PLAIN.fullmatch(cell) for row in cells for cell in row if cell)
    read = np.array([[float(cell or "nan") for cell in row[1:7]] for row in cells])
    held = np.concatenate([made.samples["acc_mps2"], made.samples["gyr_radps"]], axis=1)
    known = np.isfinite(held)
    assert (read[known].view(np.int64) == held[known].view(np.int64)).all()
    assert np.isnan(read[~known]).all()
    assert [int(Decimal(row[0]).scaleb(9)) for row in cells] == times_ns


def test_the_samples_are_no_table_of_cells(session: Judged) -> None:
    with pytest.raises(KeyError):
        cells_of("samples", session)


def test_anonymous_rows_name_nobody_and_no_instant(session: Judged) -> None:
    summary = {"device": "clip", "tz": "Europe/Paris", "started_utc": "2026", "started_local": "2026", "alerts": 2}
    session = replace(session, summary=summary)
    hidden = ("device", "tz", "date", "day_h", "started_utc", "started_local")
    for name in ("sessions", "days", "minutes", "episodes"):
        for row in table(name, session, anonymous=True):
            assert {row.get(column, "") for column in hidden} == {""}
            assert row["alerts"]
            assert row["session_id"] == pseudonym(session.header) != session.header.session_id


def test_no_word_of_the_wearers_is_in_any_anonymous_table(session: Judged) -> None:
    """Every text of the recording is a canary; what is left of it would sing."""
    words = {name: f"Canary{number}" for number, name in enumerate(SESSION_COLUMNS)}
    texts = (
        "session_id",
        "driver",
        "device",
        "zone",
        "settings_json",
        "calibration_json",
        "software_version",
        "origin",
    )
    header = replace(session.header, **{name: f"canary-{name}" for name in texts})
    sung = replace(session, header=header, summary=words)
    for name in dictionary.TABLES:
        if name != "samples":
            shown = str(list(cells_of(name, sung, anonymous=True)))
            assert "canary" not in shown.lower()
            assert "2026" not in shown
            assert "canary" in str(list(cells_of(name, sung))).lower() or name == "exposure"


def test_exposure_has_the_session_and_leaves_empty_what_a_line_has_not(session: Judged) -> None:
    exposed = np.zeros(20, dtype=EXPOSED)
    exposed["worn"], exposed["velocity_dps"] = True, math.nan
    exposed["sagittal_deg"], exposed["inclination_deg"] = -3.14, -3.14
    found = [",".join(row) for row in cells_of("exposure", replace(session, exposed=exposed))]
    session_id = session.header.session_id
    assert len(found) == len(set(found))
    for line in (
        f"{session_id},rel_sagittal,percentile,10,-3.1,,,,,,,,",
        f"{session_id},abs_sagittal,band,,,,,0.0,,,,4.0,100.0",
        f"{session_id},abs_sagittal,stay,,,,,0.0,3.0,7.0,1,4.0,100.0",
        f"{session_id},velocity,percentile,99,,,,,,,,,",
    ):
        assert line in found


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
        ("\n\n=1", "'=1"),
        ('"=1"', '\'"=1"'),
        ("' =1", "'' =1"),
        ("`=1", "'`=1"),
        ("－1", "'－1"),
        ("﹢1", "'﹢1"),
        ("−1", "'−1"),
        ("\u200b＠x", "'＠x"),
        ("a=1", "a=1"),
        ("'", "'"),
    ],
)
def test_text_cells_are_defused(text: str, safe: str) -> None:
    assert defused(text) == cell(text) == safe


@given(st.text() | st.text(alphabet="=+-@＝＋－＠\t\r\n '\"`\u200b\u00a0a1"))
def test_no_text_cell_begins_as_a_formula(text: str) -> None:
    shown = defused(text)
    assert not shown.startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert not shown.lstrip('"` ').startswith(tuple("=+-@＝＋－＠"))
    assert shown.isprintable()


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
            known |= {"dps": "deg/s", "h": "h"}
            assert column.unit == known.get(suffix, ""), column
        if name != "samples":
            made = list(rows_of(name, session))
            assert made
            found, described = set().union(*made), {column.name for column in columns}
            assert found == described or (name == "sessions" and found <= described), name


def test_describe_is_a_table_itself() -> None:
    lines = describe()
    assert lines[0] == "table,column,unit,meaning"
    assert lines[1].startswith("sessions,session_id,,")
    assert len(lines) == 1 + sum(len(columns) for columns in dictionary.TABLES.values())
    assert all(line.isprintable() for line in lines)
