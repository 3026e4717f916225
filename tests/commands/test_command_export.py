"""`export` and `sessions`: tables that agree with one another, nothing overwritten, nothing half written."""

import csv
import json
import re
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from companion.cli import main
from companion.commands.new_recording import record
from companion.recording import open_recording
from companion.tables.dictionary import DEFAULT_TABLES, DURATIONS, TABLES, names
from firmware_protocol.frames import CalibrationSet, ClockPair, Tick


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
    files = [f"{out}/{session_id}_{name}.csv" for name in DEFAULT_TABLES]
    assert (ran.code, ran.lines, ran.err) == (0, files, "")
    assert sorted(str(path) for path in out.iterdir()) == sorted(files)
    (session,) = table(out, "sessions")
    assert session["view"] == "settled"
    for part in ("minutes", "days"):
        for column in ("duration_s", *(column.name for column in DURATIONS)):
            whole = sum(float(row[column]) for row in table(out, part))
            assert whole == pytest.approx(float(session[column]), abs=0.1), column
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


def test_the_samples_are_the_recording_exactly(posture, demo: Path, tmp_path: Path) -> None:
    posture("export", demo, "--out", tmp_path, "--tables", "samples")
    rows, held = table(tmp_path, "samples"), open_recording(demo).samples()
    for name, unit in (("acc", "mps2"), ("gyr", "radps")):
        read = np.array([[float(row[f"{name}_{axis}_{unit}"]) for axis in "xyz"] for row in rows])
        assert np.array_equal(read, held[f"{name}_{unit}"])
    times_ns = np.array([int(row["t_s"].replace(".", "")) for row in rows])
    assert set(np.diff(times_ns).tolist()) == {20_000_000}


def test_a_gap_shows_in_the_times_of_the_samples(posture, tmp_path: Path) -> None:
    file = tmp_path / "gap.posture"
    posture("simulate", "upright", "--to", file, "--duration", "40", "--fault", "no-buffer", "--fault", "link@20+8")
    posture("export", file, "--out", tmp_path / "out", "--tables", "samples,sessions")
    times_ns = np.array([int(row["t_s"].replace(".", "")) for row in table(tmp_path / "out", "samples")])
    steps, counts = np.unique(np.diff(times_ns), return_counts=True)
    assert (steps[0], counts[0]) == (20_000_000, len(times_ns) - 2)
    assert steps[1] % 20_000_000 == 0
    assert steps[1] // 20_000_000 - 1 == int(table(tmp_path / "out", "sessions")[0]["lost_samples"]) > 350


NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
TEXTS = {
    "session_id", "view", "started_utc", "started_local", "tz", "device", "profile", "mode", "calibration_id",
    "software_version", "date", "ended_by", "quantity", "measure",
}  # fmt: skip


def test_a_spreadsheet_sees_numbers_as_numbers_and_no_formula(posture, demo: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.posture"
    frames = list(open_recording(demo).frames())
    header = replace(frames[0], device="=cmd|' /C calc'!A0", zone='\t"=HYPERLINK("x")', software_version="＝1+1")
    record(hostile, [header, *frames[1:]])
    posture("export", hostile, "--out", tmp_path / "out", "--tables", ",".join(TABLES), "--set", "profile=-1")
    for name in TABLES:
        rows = table(tmp_path / "out", name)
        assert rows
        for row in rows:
            for column, cell in row.items():
                if column in TEXTS:
                    assert not cell.lstrip(' "`').startswith(tuple("=+-@\t\r\n＝＋－＠")), (name, column, cell)
                else:
                    assert cell == "" or NUMBER.fullmatch(cell), (name, column, cell)
    assert table(tmp_path / "out", "sessions")[0]["device"] == "'=cmd|' /C calc'!A0"


def common_columns(directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What a session of one day and its day say in the columns that both tables have."""
    (session,), (day,) = table(directory, "sessions"), table(directory, "days")
    shared = [name for name in session if name in day]
    assert len(shared) >= 27
    return {name: session[name] for name in shared}, {name: day[name] for name in shared}


@pytest.mark.parametrize(
    "words",
    [
        ["walk-and-sit"],
        ["walk-and-sit:slip_deg=15,slip_s=600", "--duration", "1000"],
        ["demo", "--fault", "link@44+12", "--fault", "lose@80+0.4"],
        ["slouch", "--duration", "90", "--device", "polar"],
        ["upright", "--duration", "60", "--device", "ruuvi"],
    ],
)
def test_the_day_of_a_session_within_one_day_says_what_the_session_says(
    posture, tmp_path: Path, words: list[str]
) -> None:
    file = tmp_path / "a.posture"
    started = ("--started", "2026-10-25T01:30", "--zone", "Europe/Paris")
    assert posture("simulate", *words, "--to", file, *started).code == 0
    assert posture("export", file, "--out", tmp_path / "out").code == 0
    session, day = common_columns(tmp_path / "out")
    assert session == day
    assert "slip" not in words[0] or float(day["suspect_s"]) > 100


def test_the_day_of_real_motion_says_what_the_session_says(posture, shared_data: Path, tmp_path: Path) -> None:
    motion = min(shared_data.glob("lowerback_mobilised/*.npz"), key=lambda path: (path.stat().st_size, path))
    file = tmp_path / "real.posture"
    assert posture("import", motion, "--out", file).code == 0
    assert posture("export", file, "--out", tmp_path / "out").code == 0
    session, day = common_columns(tmp_path / "out")
    assert session == day


def test_every_sample_of_real_motion_is_exported(posture, shared_data: Path, tmp_path: Path) -> None:
    motion = min(shared_data.glob("lowerback_mobilised/*.npz"), key=lambda path: (path.stat().st_size, path))
    file = tmp_path / "real.posture"
    posture("import", motion, "--out", file)
    posture("export", file, "--out", tmp_path / "out", "--tables", "samples")
    rows, held = table(tmp_path / "out", "samples"), open_recording(file).samples()
    read = [[float(row[f"acc_{axis}_mps2"] or "nan") for axis in "xyz"] for row in rows]
    assert np.array_equal(np.array(read), held["acc_mps2"], equal_nan=True)
    times_ns = np.array([int(row["t_s"].replace(".", "")) for row in rows])
    assert np.array_equal(times_ns - times_ns[0], held["t_device_ns"] - held["t_device_ns"][0])


def test_exported_samples_come_back_as_they_were(posture, tmp_path: Path) -> None:
    first, again = tmp_path / "first.posture", tmp_path / "again.posture"
    posture(
        "simulate", "demo", "--to", first, "--fault", "link@44+12", "--fault", "lose@80+0.4", "--fault", "reboot@60"
    )
    posture("export", first, "--out", tmp_path / "out", "--tables", "samples")
    (file,) = (tmp_path / "out").iterdir()
    assert posture("import", file, "--out", again).code == 0
    held, back = (open_recording(path).samples() for path in (first, again))
    held = held[np.lexsort([held["index"], held["segment"]])]  # the settled order
    for name in ("acc_mps2", "gyr_radps"):
        assert held[name].tobytes() == back[name].tobytes()
    times_ns = np.array([int(row["t_s"].replace(".", "")) for row in table(tmp_path / "out", "samples")])
    assert np.array_equal(times_ns - times_ns[0], back["t_device_ns"])


def test_samples_that_no_trunk_makes_are_exported_in_their_place_without_angles(posture, tmp_path: Path) -> None:
    count = 2000
    chance = np.random.default_rng(1)
    acc, gyr = chance.normal((0, 0, 9.8), 0.02, (count, 3)), chance.normal(0, 0.01, (count, 3))
    strange = [0, 500, *range(700, 710), count - 1]
    acc[strange], gyr[1200] = 300.0, 90.0
    np.savez(tmp_path / "odd.npz", acc=acc, gyr=gyr, sampling_rate=50.0, up=[0, 0, 1], forward=[1, 0, 0])
    file = tmp_path / "odd.posture"
    posture("import", tmp_path / "odd.npz", "--out", file)
    posture("export", file, "--out", tmp_path / "out", "--tables", "samples")
    rows = table(tmp_path / "out", "samples")
    assert [row["t_s"] for row in rows] == [f"{number / 50:.9f}" for number in range(count)]
    read = np.array([[float(row[f"acc_{axis}_mps2"]) for axis in "xyz"] for row in rows])
    assert np.array_equal(read, open_recording(file).samples()["acc_mps2"])
    without = [number for number, row in enumerate(rows) if not row["sagittal_deg"]]
    assert without == sorted([*strange, 1200])


def test_anonymous_leaves_out_times_and_names(posture, demo: Path, tmp_path: Path) -> None:
    posture("export", demo, "--out", tmp_path, "--tables", "sessions", "--anonymous")
    (session,) = table(tmp_path, "sessions")
    assert [session[name] for name in ("device", "started_utc", "started_local", "tz")] == [""] * 4


def test_no_word_and_no_time_of_a_recording_is_in_its_anonymous_tables(posture, demo: Path, tmp_path: Path) -> None:
    frames = list(open_recording(demo).frames())
    words = {name: f"canary-{name}" for name in ("session_id", "device", "zone", "software_version", "origin")}
    settings = {**json.loads(frames[0].settings_json), "profile": "canary-profile"}
    calibrations = [
        replace(frame, calibration_json=json.dumps({**json.loads(frame.calibration_json), "profile": "canary-cal"}))
        if isinstance(frame, CalibrationSet)
        else frame
        for frame in frames[1:]
    ]
    header = replace(frames[0], **words, settings_json=json.dumps(settings), utc_ns=1_792_888_200_000_000_000)
    file = tmp_path / "canary-file.posture"
    record(file, [header, *calibrations])
    out = tmp_path / "out"
    ran = posture("export", file, "--out", out, "--tables", ",".join(TABLES), "--anonymous")
    assert (ran.code, ran.err) == (0, "")
    assert "canary" not in ran.out.replace(str(tmp_path), "")
    for path in out.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "canary" not in path.name + text
        assert not re.search(r"20\d\d-\d\d|T\d\d:\d\d|\d:\d\d|1970-", text), path.name
    (session,) = table(out, "sessions")
    assert (session["profile"], session["mode"], session["alerts"]) == ("", "coach", "1")
    assert session["session_id"] == next(out.glob("*_days.csv")).name.removesuffix("_days.csv")


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
    assert posture("export", demo, tmp_path / "none.posture", "--out", tmp_path / "out").code == 1
    assert not (tmp_path / "out").exists()


def test_a_session_that_is_named_twice_is_told_by_its_files(posture, demo: Path, tmp_path: Path) -> None:
    ran = posture("export", demo, demo, "--out", tmp_path / "out")
    assert (ran.code, ran.out, ran.err) == (1, "", f"error: {demo} was named twice.\nName it once.\n")
    shutil.copy(demo, tmp_path / "copy.posture")
    ran = posture("export", demo, tmp_path / "copy.posture", "--out", tmp_path / "out")
    same = f"error: {tmp_path}/copy.posture and {demo} are the same session.\nName one of them.\n"
    assert (ran.code, ran.out, ran.err) == (1, "", same)
    assert not (tmp_path / "out").exists()


def test_several_recordings_are_exported_together(posture, demo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.posture"
    posture("simulate", "upright", "--to", other, "--duration", "5")
    ran = posture("export", demo, other, "--out", tmp_path / "out")
    ids = [open_recording(file).header.session_id for file in (demo, other)]
    assert ran.lines == [f"{tmp_path}/out/{one}_{name}.csv" for one in ids for name in DEFAULT_TABLES]
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_a_second_recording_that_cannot_be_computed_leaves_nothing_of_the_first(
    posture, demo: Path, tmp_path: Path
) -> None:
    frames = list(open_recording(demo).frames())
    foreign = tmp_path / "foreign.posture"
    record(foreign, [replace(frames[0], session_id="other", driver="nosuch"), *frames[1:]])
    ran = posture("export", demo, foreign, "--out", tmp_path / "out")
    assert (ran.code, ran.out) == (5, "")
    assert "nosuch" in ran.err
    assert not (tmp_path / "out").exists()


def test_an_end_that_is_missing_and_damage_are_warned_of(posture, demo: Path, tmp_path: Path) -> None:
    frames = list(open_recording(demo).frames())
    file = tmp_path / "a.posture"
    record(file, frames)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x40
    file.write_bytes(data)
    ran = posture("export", file, "--out", tmp_path / "out")
    assert ran.code == 0
    assert re.fullmatch(
        rf"warning: {re.escape(str(file))} is damaged: \d+\.\d s between \d+\.\d s and \d+\.\d s are missing.*\.\n",
        ran.err,
    )
    assert len(ran.lines) == 5


def test_a_clock_that_was_set_in_mid_session_is_warned_of(posture, demo: Path, tmp_path: Path) -> None:
    frames = [
        replace(frame, utc_ns=frame.utc_ns + 3600 * 10**9)
        if isinstance(frame, ClockPair) and frame.t_host_ns
        else frame
        for frame in open_recording(demo).frames()
    ]
    file = tmp_path / "a.posture"
    record(file, frames)
    ran = posture("export", file, "--out", tmp_path / "out")
    told = "the computer's clock was set by +3600.0 s, seen at 60.0 s; times of day go on from the session's start."
    assert (ran.code, ran.err) == (0, f"warning: {file}: {told}\n")
    utc = [row["started_utc"] for row in table(tmp_path / "out", "minutes")]
    first, second = (datetime.fromisoformat(text) for text in utc)
    assert (second - first).total_seconds() == 60
    assert posture("export", file, "--out", tmp_path / "none", "--anonymous").err == ""


@pytest.mark.parametrize("utc_ns", [2**63 - 1, -(2**63), 0])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
def test_the_ends_of_what_a_recording_can_hold_are_exported(
    posture, demo: Path, tmp_path: Path, utc_ns: int, zone: str
) -> None:
    frames = [
        Tick(t_host_ns=frame.t_host_ns) if isinstance(frame, ClockPair) else frame
        for frame in open_recording(demo).frames()
    ]
    file = tmp_path / "a.posture"
    record(file, [replace(frames[0], utc_ns=utc_ns, zone=zone), *frames[1:]])
    ran = posture("export", file, "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert sum(float(row["duration_s"]) for row in table(tmp_path / "out", "days")) == pytest.approx(90.0, abs=0.5)


def test_a_zone_that_is_not_known_here_is_warned_of(posture, demo: Path, tmp_path: Path) -> None:
    frames = list(open_recording(demo).frames())
    file = tmp_path / "a.posture"
    record(file, [replace(frames[0], zone="Mars/Olympus"), *frames[1:]])
    ran = posture("export", file, "--out", tmp_path / "out")
    told = f"warning: {file} names the time zone 'Mars/Olympus', unknown here: local times are in UTC.\n"
    assert (ran.code, ran.err) == (0, told)
    (session,) = table(tmp_path / "out", "sessions")
    assert session["started_local"] == session["started_utc"].replace("Z", "+00:00")


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
        (name, column) for name in TABLES for column in names(name)
    ]
    assert all(row["meaning"] for row in rows)


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
