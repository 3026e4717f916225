"""The recordings in recordings/ are what their recipes give, and are still understood as they were.

Frames are compared, never the bytes of files: SQLite lays out the same rows differently from version to version.
Bytes, times and decisions are compared exactly. Numbers that went through an arc tangent are not: its last bit
differs between processors.
"""

import csv
import json
import math
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from companion.recording import open_recording
from companion.tables.dictionary import TABLES
from firmware_protocol.frames import CalibrationSet, Closed, Frame, Opened

RECORDINGS = Path(__file__).parents[2] / "recordings"
MADE_AGAIN = ("demo-link-filled.posture",)
FILES = ("slouch-31s.posture", "walk-and-sit.posture", "demo-link-lost.posture", *MADE_AGAIN)
LARGEST_BYTES = 1_000_000
TABLE_NAMES = ("sessions", "days", "minutes", "episodes", "exposure", "decisions")

MEASURED_UNITS = frozenset({"deg", "%", "Hz", "ppm"})
"""Of numbers that were measured; seconds and counts are decisions, made in whole rows of 0.2 s."""
ELSEWHERE = frozenset({"software_version"})
"""Columns that say which program computed the row, not what it found."""


def comparable(frame: Frame, recorded: Frame) -> Frame:
    """`frame`, made today, with what may differ from `recorded` taken from there."""
    match frame, recorded:
        case Closed(), Closed():
            return replace(frame, hash=recorded.hash)  # covers the last bits of the calibration; checked by the reader
        case Opened(settings_json=made), Opened(settings_json=kept):
            # A later version may have more settings; those that it had then must be the same.
            common = {key: value for key, value in json.loads(made).items() if key in json.loads(kept)}
            return replace(frame, settings_json=json.dumps(common))
        case CalibrationSet(calibration_json=made), CalibrationSet(calibration_json=kept):
            assert_alike(json.loads(made), json.loads(kept))
            return replace(frame, calibration_json=kept)
        case _:
            return frame


def assert_alike(made: object, kept: object) -> None:
    """The same values, numbers within a millionth."""
    if isinstance(kept, dict):
        assert isinstance(made, dict)
        assert list(made) == list(kept)
        made, kept = list(made.values()), list(kept.values())
    if isinstance(kept, list):
        assert isinstance(made, list)
        assert len(made) == len(kept)
        for one, other in zip(made, kept, strict=True):
            assert_alike(one, other)
    elif isinstance(kept, float):
        assert isinstance(made, float)
        assert math.isclose(made, kept, rel_tol=1e-6, abs_tol=1e-9)
    else:
        assert made == kept


def measured(table: str) -> frozenset[str]:
    """The columns of a table that hold measured numbers."""
    columns = TABLES.get(table, ())
    return frozenset(column.name for column in columns if column.unit in MEASURED_UNITS)


def same_number(made: str, kept: str) -> bool:
    """Two printed numbers, at most one unit of the last place apart; or both missing."""
    if not made or not kept:
        return made == kept
    one, other = Decimal(made), Decimal(kept)
    exponent = other.as_tuple().exponent
    return one.as_tuple().exponent == exponent and abs(one - other) <= Decimal((0, (1,), int(exponent)))


def differences(table: str, made: list[dict[str, str]], kept: list[dict[str, str]]) -> list[str]:
    """Every cell that is not as it was, one sentence each."""
    if len(made) != len(kept):
        return [f"{table}: {len(made)} rows, {len(kept)} expected"]
    numbers = measured(table)
    found = []
    for place, (row, other) in enumerate(zip(made, kept, strict=True)):
        if list(row) != list(other):
            found.append(f"{table}: columns {list(row)}, {list(other)} expected")
        for name in set(row) & set(other) - ELSEWHERE:
            alike = same_number(row[name], other[name]) if name in numbers else row[name] == other[name]
            if not alike:
                found.append(f"{table}, row {place}, {name}: {row[name]!r}, {other[name]!r} expected")
    return found


def read(directory: Path, session_id: str, table: str) -> list[dict[str, str]]:
    with (directory / f"{session_id}_{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- what lies there


def test_the_manifest_names_every_recording_and_every_table(make: ModuleType) -> None:
    samples = make.samples()
    assert tuple(sample.path.name for sample in samples) == FILES
    assert sorted(path.name for path in RECORDINGS.glob("*.posture")) == sorted(FILES)
    expected = {f"{sample.session_id}_{table}.csv" for sample in samples for table in TABLE_NAMES}
    assert {path.name for path in (RECORDINGS / "expected").iterdir()} == expected


def test_the_page_describes_every_recording_as_the_manifest_does(make: ModuleType) -> None:
    page = (RECORDINGS / "README.md").read_text(encoding="utf-8")
    for sample in make.samples():
        recipe = sample.recipe
        assert (recipe is None) == (sample.path.name not in MADE_AGAIN)
        if recipe is None:
            assert re.search(rf"\| `{sample.path.name}` \| {sample.origin} \| .* \| {sample.shows} \|", page)
            continue
        faults = "".join(f" --fault {fault}" for fault in recipe["faults"])
        made_with = f"posture simulate {recipe['story']} --seed {recipe['seed']}{faults}"
        assert f"| `{sample.path.name}` | {sample.origin} | `{made_with}` | {sample.shows} |" in page


@pytest.mark.parametrize("file", FILES)
def test_a_sample_is_small_whole_and_bears_the_identity_of_the_manifest(make: ModuleType, file: str) -> None:
    (sample,) = [sample for sample in make.samples() if sample.path.name == file]
    assert sample.path.stat().st_size < LARGEST_BYTES
    recording = open_recording(sample.path)
    frames = list(recording.frames())
    assert (recording.closed, recording.damage) == (True, [])
    assert isinstance(frames[-1], Closed)
    assert frames[-1].count == len(frames) - 1
    header = recording.header
    assert (header.session_id, header.utc_ns, header.zone) == (sample.session_id, sample.utc_ns, sample.zone)
    assert (header.origin, header.software_version) == (sample.origin, sample.software_version)
    assert header.device in {"simulated", "imported"}  # never a person's name for a sensor


# ---- (a) the recipe gives the recording


@pytest.mark.parametrize("file", MADE_AGAIN)
def test_the_recipe_gives_the_recording_frame_by_frame(make: ModuleType, file: str) -> None:
    (sample,) = [sample for sample in make.samples() if sample.path.name == file]
    kept = list(open_recording(sample.path).frames())
    made = make.simulated(sample)
    for number, (frame, recorded) in enumerate(zip(made, kept, strict=False)):
        assert type(frame) is type(recorded), f"frame {number}"
        assert comparable(frame, recorded) == recorded, f"frame {number}"
    assert len(made) == len(kept)


# ---- (b) the recording is understood as it was


@pytest.mark.parametrize("file", FILES)
def test_the_recording_says_what_it_said(make: ModuleType, file: str, tmp_path: Path) -> None:
    (sample,) = [sample for sample in make.samples() if sample.path.name == file]
    before = sample.path.read_bytes()
    written = make.write_tables(sample, tmp_path)
    assert [path.name for path in written] == [f"{sample.session_id}_{table}.csv" for table in TABLE_NAMES]
    assert sample.path.read_bytes() == before
    found = [
        sentence
        for table in TABLE_NAMES
        for sentence in differences(
            table,
            read(tmp_path, sample.session_id, table),
            read(RECORDINGS / "expected", sample.session_id, table),
        )
    ]
    assert not found, "\n".join(found)


# ---- the comparison itself


@pytest.mark.parametrize(
    ("made", "kept", "same"),
    [
        ("12.3", "12.3", True),
        ("12.4", "12.3", True),
        ("12.2", "12.3", True),
        ("12.5", "12.3", False),
        ("-0.1", "0.0", True),
        ("-12.3", "12.3", False),
        ("12.30", "12.3", False),
        ("", "", True),
        ("", "0.0", False),
        ("0.0", "", False),
        ("7", "8", True),
        ("6", "8", False),
    ],
)
def test_printed_numbers_may_differ_by_one_unit_of_the_last_place(made: str, kept: str, same: bool) -> None:
    assert same_number(made, kept) is same


@pytest.mark.parametrize(
    ("table", "name", "kept", "made", "seen"),
    [
        ("minutes", "sagittal_mean_deg", "1.0", "1.1", False),
        ("minutes", "sagittal_mean_deg", "1.0", "1.2", True),
        ("minutes", "still_s", "1.0", "1.2", True),
        ("minutes", "alerts", "1", "2", True),
        ("episodes", "t_s", "31.4", "31.6", True),
        ("episodes", "ended_by", "recovered", "moved", True),
        ("sessions", "software_version", "0.1.0", "0.2.0", False),
        ("decisions", "t_s", "0.2", "0.3", True),
        ("decisions", "context", "still", "moving", True),
    ],
)
def test_decisions_may_not_differ_at_all(table: str, name: str, kept: str, made: str, seen: bool) -> None:
    assert bool(differences(table, [{name: made}], [{name: kept}])) is seen


def test_missing_rows_and_columns_are_seen() -> None:
    assert differences("minutes", [], [{"t_s": "0.0"}])
    assert differences("minutes", [{"t_s": "0.0"}], [{"t_s": "0.0", "alerts": "0"}])
