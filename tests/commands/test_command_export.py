"""`export` and `sessions`: tables that agree with one another, nothing overwritten, nothing half written."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from companion.cli import main
from companion.recording import open_recording
from companion.tables.dictionary import DURATIONS, names


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "demo.posture"
    assert main(["simulate", "demo", "--to", str(file)]) == 0
    return file


def table(directory: Path, name: str) -> list[dict[str, str]]:
    (file,) = directory.glob(f"*_{name}.csv")
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_usual_tables(posture, demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "here"
    ran = posture("export", demo, "--out", out)
    session_id = open_recording(demo).header.session_id
    files = [f"{out}/{session_id}_{name}.csv" for name in ("sessions", "minutes", "episodes", "exposure")]
    assert (ran.code, ran.lines, ran.err) == (0, files, "")
    assert sorted(str(path) for path in out.iterdir()) == sorted(files)
    (session,) = table(out, "sessions")
    assert session["view"] == "settled"
    minutes = table(out, "minutes")
    for column in ("duration_s", *(column.name for column in DURATIONS)):
        assert sum(float(row[column]) for row in minutes) == pytest.approx(float(session[column]), abs=0.1), column
    (episode,) = table(out, "episodes")
    assert (episode["alerts"], episode["ended_by"]) == ("1", "recovered") == (session["alerts"], "recovered")


def test_the_exposure_agrees_with_the_session(posture, demo: Path, tmp_path: Path) -> None:
    posture("export", demo, "--out", tmp_path, "--tables", "sessions,exposure")
    (session,), exposure = table(tmp_path, "sessions"), table(tmp_path, "exposure")
    assert {row["session_id"] for row in exposure} == {session["session_id"]}
    for kind in ("rel", "abs"):
        found = {
            f"{kind}_p{row['percentile_pct']}_deg": row["angle_deg"]
            for row in exposure
            if (row["quantity"], row["measure"]) == (f"{kind}_sagittal", "percentile")
        }
        assert len(found) == 5
        assert found == {name: session[name] for name in found}
    for quantity in ("rel_sagittal", "rel_lateral", "abs_sagittal"):
        bands, stays = (
            [row for row in exposure if (row["quantity"], row["measure"]) == (quantity, measure)]
            for measure in ("band", "stay")
        )
        time_s = sum(float(row["time_s"]) for row in bands)
        assert 40 < time_s <= sum(float(session[f"{name}_s"]) for name in ("still", "moving", "walking"))
        assert sum(float(row["time_s"]) for row in stays) == pytest.approx(time_s)
        assert sum(float(row["share_pct"]) for row in bands) == pytest.approx(100, abs=0.5)


def test_samples_with_their_angles(posture, demo: Path, tmp_path: Path) -> None:
    posture("export", demo, "--out", tmp_path / "out", "--tables", "samples")
    rows = table(tmp_path / "out", "samples")
    assert tuple(rows[0]) == names("samples")
    assert len(rows) == len(open_recording(demo).samples())
    times = [float(row["t_s"]) for row in rows]
    assert times == sorted(times)
    slouched = [float(row["sagittal_deg"]) for row in rows if 45 < float(row["t_s"]) < 65]
    assert 22 < min(slouched) <= max(slouched) < 28


def test_settings_of_this_run_count(posture, demo: Path, tmp_path: Path) -> None:
    posture("export", demo, "--out", tmp_path, "--tables", "sessions", "--set", "alert.delay=60s")
    assert table(tmp_path, "sessions")[0]["alerts"] == "0"


def test_anonymous_leaves_out_times_and_names(posture, demo: Path, tmp_path: Path) -> None:
    posture("export", demo, "--out", tmp_path, "--tables", "sessions", "--anonymous")
    (session,) = table(tmp_path, "sessions")
    assert [session[name] for name in ("device", "started_utc", "started_local", "tz")] == [""] * 4


def test_nothing_is_overwritten_and_nothing_written_where_one_file_is_in_the_way(
    posture, demo: Path, tmp_path: Path
) -> None:
    session_id = open_recording(demo).header.session_id
    in_the_way = tmp_path / f"{session_id}_episodes.csv"
    in_the_way.write_text("mine")
    ran = posture("export", demo, "--out", tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert str(in_the_way) in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [in_the_way.name]
    assert in_the_way.read_text() == "mine"


def test_one_file_that_is_no_recording_stops_all_before_anything_is_written(
    posture, demo: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.posture").write_text("no recording")
    assert posture("export", demo, tmp_path / "x.posture", "--out", tmp_path / "out").code == 5
    assert posture("export", demo, demo, "--out", tmp_path / "out").code == 1
    assert posture("export", demo, tmp_path / "none.posture", "--out", tmp_path / "out").code == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", ["", "{} --tables nosuch", "{} --tables ,", "{} --out {}/x"])
def test_wrong_words(posture, demo: Path, words: str) -> None:
    ran = posture("export", *words.replace("{}", str(demo)).split())
    assert (ran.code, ran.out) == (1, "")
    assert 1 <= len(ran.err.splitlines()) <= 3


def test_describe_needs_no_recording(posture) -> None:
    ran = posture("export", "--describe")
    assert ran.code == 0
    rows = list(csv.DictReader(ran.lines))
    assert [(row["table"], row["column"]) for row in rows] == [
        (name, column) for name in ("sessions", "minutes", "episodes", "exposure", "samples") for column in names(name)
    ]


# ---- sessions


@pytest.fixture
def kept(data_dir: Path, demo: Path) -> Path:
    """A data directory with two good recordings and one that is none."""
    sessions = data_dir / "sessions"
    sessions.mkdir(parents=True)
    for name in ("2026-01-02T080000Z_simulated.posture", "2026-01-03T080000Z_simulated.posture"):
        shutil.copy(demo, sessions / name)
    (sessions / "2026-01-01T080000Z_upper-back.posture").write_text("no recording")
    (sessions / "notes.txt").write_text("mine")
    return sessions


def test_sessions_are_listed_newest_first_within_80_columns(posture, kept: Path) -> None:
    ran = posture("sessions")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[-1] for line in ran.lines[1:3]] == [
        "2026-01-03T080000Z_simulated.posture",
        "2026-01-02T080000Z_simulated.posture",
    ]
    assert ran.lines[3].endswith("2026-01-01T080000Z_upper-back.posture  cannot be read")
    assert len(ran.lines) == 4
    assert max(map(len, ran.lines[:3])) <= 80
    length, forward, alerts = ran.lines[1].split()[2:5]
    assert length in ("0:01:29", "0:01:30")
    assert (forward, alerts) == ("0:00:36", "1")


def test_sessions_as_json(posture, kept: Path) -> None:
    lines = [json.loads(line) for line in posture("sessions", "--json").lines]
    assert list(lines[0]) == [*names("sessions"), "file", "closed"]
    assert (lines[0]["file"], lines[0]["closed"]) == (str(kept / "2026-01-03T080000Z_simulated.posture"), True)
    assert (lines[0]["view"], lines[0]["alerts"], lines[0]["forward_s"]) == ("settled", 1, 36.0)
    assert list(lines[2]) == [*names("sessions"), "file", "closed", "error"]
    assert (lines[2]["session_id"], lines[2]["closed"]) == (None, False)


def test_no_sessions_is_no_error_and_makes_nothing(posture, data_dir: Path) -> None:
    ran = posture("sessions")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"There are no recordings in {data_dir}/sessions yet.\n"
    assert not data_dir.exists()


def test_a_session_that_was_cut_off_is_closed_and_an_open_one_left_alone(posture, data_dir: Path, demo: Path) -> None:
    from companion.recording import RecordingWriter
    from firmware_protocol.frames import Closed

    sessions = data_dir / "sessions"
    sessions.mkdir(parents=True)
    frames = list(open_recording(demo).frames())
    writer = RecordingWriter.create(sessions / "2026-01-02T080000Z_open.posture", threaded=False)
    for number, frame in enumerate(frames[:-1]):
        assert writer.put(number, frame)
    writer._commit()
    cut = sessions / "2026-01-01T080000Z_cut.posture"
    for suffix in ("", "-wal"):
        shutil.copy(f"{writer.path}{suffix}", f"{cut}{suffix}")
    lines = [json.loads(line) for line in posture("sessions", "--json").lines]
    assert [(Path(line["file"]).name, line["closed"]) for line in lines] == [
        ("2026-01-02T080000Z_open.posture", False),
        ("2026-01-01T080000Z_cut.posture", True),
    ]
    assert sorted(path.name for path in sessions.glob("*cut*")) == [cut.name]
    *_, last = open_recording(cut).frames()
    assert isinstance(last, Closed)
    assert last.reason == "recovered"
    assert posture("sessions").lines[1].endswith("2026-01-02T080000Z_open.posture  open")
    writer.close(Closed(t_host_ns=0, reason="r", count=0))
