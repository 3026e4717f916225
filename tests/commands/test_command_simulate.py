"""`simulate`: stories into recordings, with their calibration in place; all of a file or none of it."""

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from companion.cli import arguments
from companion.commands.conductor import Asked, conducted
from companion.commands.new_recording import record
from companion.errors import UsageError
from companion.posture.calibration import Calibration
from companion.recording import open_recording
from companion.simulator.stories import STORIES
from firmware_protocol.frames import CalibrationSet, ClockPair, Closed, Opened, Tick


def events(ran) -> list[str]:
    return [line["event"] for line in map(json.loads, ran.lines) if line["type"] == "event"]


@pytest.mark.parametrize(
    ("story", "alerts", "slouches"),
    [("upright", 0, 0), ("slouch-29s", 0, 1), ("slouch-31s", 1, 1), ("slouch-10min", 5, 1)],
)
def test_stories_alert_as_often_as_they_say(posture, tmp_path: Path, story: str, alerts: int, slouches: int) -> None:
    file = tmp_path / "story.posture"
    made = posture("simulate", story, "--to", file)
    assert (made.code, made.out, made.err) == (0, f"{file}\n", "")
    happened = events(posture("replay", file, "--speed", "max", "--json"))
    assert (happened.count("AlertRaised"), happened.count("SlouchStarted")) == (alerts, slouches)


def test_the_recording_is_private_closed_and_one_file(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    posture("simulate", "upright", "--to", file, "--duration", "20", "--set", "alert.delay=45s")
    assert [path.name for path in tmp_path.iterdir()] == ["a.posture"]
    assert file.stat().st_mode & 0o777 == 0o600
    recording = open_recording(file)
    frames = list(recording.frames())
    assert recording.closed
    assert frames[0] == recording.header
    assert isinstance(frames[-1], Closed)
    assert (frames[-1].count, frames[-1].reason) == (len(frames) - 1, "the story ended")
    assert frames[-1].t_host_ns == pytest.approx(20e9, abs=0.1e9)
    header = recording.header
    assert (header.driver, header.device, header.origin, header.rate_hz) == (
        "posture_v1",
        "simulated",
        "simulated",
        50.0,
    )
    assert json.loads(header.settings_json)["alert.delay"] == "45s"


def test_the_calibration_of_the_holds_comes_after_the_frame_that_completes_it(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    posture("simulate", "demo", "--to", file, "--duration", "25", "--set", "profile=sofa")
    frames = list(open_recording(file).frames())
    placed = [place for place, frame in enumerate(frames) if isinstance(frame, CalibrationSet)]
    assert len(placed) == 1
    calibration = frames[placed[0]]
    assert calibration.t_host_ns == frames[placed[0] - 1].t_host_ns
    assert 15e9 < calibration.t_host_ns < 21e9
    made = Calibration.from_json(calibration.calibration_json)
    assert (made.profile, made.method) == ("sofa", "guided")
    assert made.taken_utc


def test_a_story_whose_calibration_is_given_has_it_from_the_start(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    posture("simulate", "upright", "--to", file, "--duration", "10")
    recording = open_recording(file)
    assert recording.header.calibration_json is not None
    assert not any(isinstance(frame, CalibrationSet) for frame in recording.frames())


def test_holds_that_are_not_finished_leave_no_calibration_but_a_warning(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    ran = posture("simulate", "demo", "--to", file, "--duration", "10")
    assert ran.code == 0
    assert ran.err.startswith("warning: No baseline was taken: ")
    assert len(ran.err.splitlines()) == 1
    assert not any(isinstance(frame, CalibrationSet) for frame in open_recording(file).frames())


def test_the_same_seed_makes_the_same_session_and_another_does_not(posture, tmp_path: Path) -> None:
    def samples(name: str, *more: str) -> np.ndarray:
        posture("simulate", "upright", "--to", tmp_path / name, "--duration", "5", *more)
        return open_recording(tmp_path / name).samples()["acc_mps2"]

    first = samples("1.posture", "--seed", "3")
    np.testing.assert_array_equal(first, samples("2.posture", "--seed", "3"))
    assert not np.array_equal(first, samples("3.posture", "--seed", "4"))


def test_faults_are_in_the_recording(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    ran = posture(
        "simulate", "upright", "--to", file, "--duration", "60", "--fault", "link@20+20", "--fault", "short@5"
    )
    assert ran.code == 0
    last = json.loads(posture("replay", file, "--speed", "max", "--json").lines[-1])
    assert (last["outages"], last["malformed"]) == (1, 1)
    assert last["no_data_s"] > 0


# ---- when and where


def exported(posture, file: Path, out: Path, name: str) -> list[dict[str, str]]:
    assert posture("export", file, "--out", out, "--tables", name).code == 0
    (path,) = out.glob(f"*_{name}.csv")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize(
    ("started", "zone", "utc", "local", "day_h"),
    [
        ("2026-10-25T01:30", "Europe/Paris", "2026-10-24T23:30:00.000Z", "2026-10-25T01:30:00.000+02:00", "25.0"),
        # 02:30 comes twice: the first of the two, unless the offset says which
        ("2026-10-25T02:30", "Europe/Paris", "2026-10-25T00:30:00.000Z", "2026-10-25T02:30:00.000+02:00", "25.0"),
        ("2026-10-25T02:30+01:00", "Europe/Paris", "2026-10-25T01:30:00.000Z", "2026-10-25T02:30:00.000+01:00", "25.0"),
        # 02:30 does not come at all: as much after two o'clock as it says
        ("2026-10-25T02:30Z", "Asia/Kathmandu", "2026-10-25T02:30:00.000Z", "2026-10-25T08:15:00.000+05:45", "24.0"),
        ("2026-10-25T02:30", "America/St_Johns", "2026-10-25T05:00:00.000Z", "2026-10-25T02:30:00.000-02:30", "24.0"),
        ("2026-10-25T02:30", "Etc/GMT+5", "2026-10-25T07:30:00.000Z", "2026-10-25T02:30:00.000-05:00", "24.0"),
        ("2026-10-25", "Europe/Paris", "2026-10-24T22:00:00.000Z", "2026-10-25T00:00:00.000+02:00", "25.0"),
        ("1970-01-01T00:00", "Europe/Paris", "1969-12-31T23:00:00.000Z", "1970-01-01T00:00:00.000+01:00", "24.0"),
        ("2261-12-31T23:59", "Pacific/Apia", "2261-12-31T10:59:00.000Z", "2261-12-31T23:59:00.000+13:00", "24.0"),
    ],
)
def test_a_session_begins_when_and_where_it_is_said(
    posture, tmp_path: Path, started: str, zone: str, utc: str, local: str, day_h: str
) -> None:
    file = tmp_path / "a.posture"
    made = posture("simulate", "upright", "--to", file, "--duration", "5", "--started", started, "--zone", zone)
    assert (made.code, made.err) == (0, "")
    (day,) = exported(posture, file, tmp_path / "days", "days")
    (session,) = exported(posture, file, tmp_path / "sessions", "sessions")
    for row in (day, session):
        assert (row["started_utc"], row["started_local"], row["tz"]) == (utc, local, zone)
    assert (day["date"], day["day_h"]) == (local[:10], day_h)


def test_without_a_zone_the_computers_counts_where_it_was_made(
    posture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.posture"
    monkeypatch.setenv("TZ", ":/usr/share/zoneinfo/Asia/Tokyo")
    posture("simulate", "upright", "--to", file, "--duration", "5", "--started", "2026-10-25T02:30")
    monkeypatch.setenv("TZ", "America/New_York")
    (day,) = exported(posture, file, tmp_path / "out", "days")
    assert (day["tz"], day["started_local"]) == ("Asia/Tokyo", "2026-10-25T02:30:00.000+09:00")


@pytest.mark.slow
def test_three_hours_over_the_autumn_change(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    started = ("--started", "2026-10-25T01:30", "--zone", "Europe/Paris")
    posture("simulate", "desk-hour", "--to", file, "--duration", "10800", *started)
    minutes = [row["started_local"] for row in exported(posture, file, tmp_path / "minutes", "minutes")]
    assert len(set(minutes)) == len(minutes) == 180
    assert (minutes[30], minutes[90]) == ("2026-10-25T02:00:00.000+02:00", "2026-10-25T02:00:00.000+01:00")
    assert minutes == sorted(minutes, key=datetime.fromisoformat)
    assert [text[11:13] for text in minutes].count("02") == 120
    (day,) = exported(posture, file, tmp_path / "days", "days")
    assert (day["date"], day["day_h"], day["duration_s"]) == ("2026-10-25", "25.0", "10800.0")
    (pair, *_) = [frame for frame in open_recording(file).frames() if isinstance(frame, ClockPair) and frame.t_host_ns]
    header = open_recording(file).header
    assert pair.utc_ns - header.utc_ns == pair.t_host_ns - header.t_host_ns


@pytest.mark.slow
def test_over_midnight_and_over_the_spring_change(posture, tmp_path: Path) -> None:
    file = tmp_path / "a.posture"
    started = ("--started", "2026-03-28T23:30", "--zone", "Europe/Paris")
    posture("simulate", "desk-hour", "--to", file, "--duration", "10800", *started)
    names = ("date", "day_h", "started_local", "t_s", "duration_s")
    assert [tuple(row[name] for name in names) for row in exported(posture, file, tmp_path / "days", "days")] == [
        ("2026-03-28", "24.0", "2026-03-28T23:30:00.000+01:00", "0.0", "1800.0"),
        ("2026-03-29", "23.0", "2026-03-29T00:00:00.000+01:00", "1800.0", "9000.0"),
    ]
    minutes = [row["started_local"] for row in exported(posture, file, tmp_path / "minutes", "minutes")]
    assert (minutes[149], minutes[150]) == ("2026-03-29T01:59:00.000+01:00", "2026-03-29T03:00:00.000+02:00")
    (session,) = exported(posture, file, tmp_path / "sessions", "sessions")
    days = exported(posture, file, tmp_path / "again", "days")
    for column in ("duration_s", "still_s", "forward_s", "walking_s", "episodes", "alerts"):
        assert sum(float(row[column]) for row in days) == pytest.approx(float(session[column])), column


WRONG = [
    "upright --to {}/b.posture --started nonsense",
    "upright --to {}/b.posture --started 2026-02-30",
    "upright --to {}/b.posture --started 2026-10-25 --zone No/Such",
    "upright --to {}/b.posture --zone Europe/Paris",
    "upright --to {}/b.posture --started 9999-12-31T23:59",
    "upright --to {}/b.posture --started 0001-01-01T00:00+14:00",
    "upright --to {}/b.posture --started 1677-12-31",
    "upright --to {}/b.posture --started 2026-03-29T02:30 --zone Europe/Paris",
    "nosuch --to {}/b.posture",
    "demo:nosuch=1 --to {}/b.posture",
    "none.npz --to {}/b.posture",
    "upright --to {}/b.posture --fault nosuch@1",
    "upright --to {}/b.posture --set alert.delay=1",
    "upright --to {}/missing/b.posture",
    "upright --to {}/there.posture",
    "upright --to {}",
    "upright --hci nosuch:1",
]


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_done_leaves_everything_as_it_was(posture, tmp_path: Path, words: str) -> None:
    (tmp_path / "there.posture").write_text("mine")
    ran = posture("simulate", *words.format(tmp_path).split())
    assert (ran.code, ran.out) == (1, "")
    assert 1 <= len(ran.err.splitlines()) <= 3
    assert [path.name for path in tmp_path.iterdir()] == ["there.posture"]
    assert (tmp_path / "there.posture").read_text() == "mine"


OPENED = Opened(
    t_host_ns=0, session_id="s", driver="posture_v1", device="d", utc_ns=0, zone="UTC", software_version="0"
)


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt(), ZeroDivisionError(), UsageError("no")])
def test_a_source_that_fails_leaves_nothing_behind(tmp_path: Path, stopped_by: BaseException) -> None:
    def failing():
        yield OPENED
        for second in range(6000):
            yield Tick(t_host_ns=second)
        raise stopped_by

    with pytest.raises(type(stopped_by)):
        record(tmp_path / "a.posture", failing())
    assert list(tmp_path.iterdir()) == []
    # the same name is free again, in the same process too
    assert record(tmp_path / "a.posture", [OPENED, Closed(t_host_ns=9, reason="r", count=0)]) == 2


@pytest.mark.parametrize("duration_s", ["3400", "7200"])
def test_a_disk_that_fills_leaves_nothing_on_it(posture, two_megabytes: Path, duration_s: str) -> None:
    """Also where it fills only when the last of it is brought into one file."""
    ran = posture("simulate", "desk-hour", "--duration", duration_s, "--to", two_megabytes / "a.posture")
    assert (ran.code, ran.out) == (1, "")
    said, hint = ran.err.splitlines()
    assert said.startswith(f"error: {two_megabytes / 'a.posture'} cannot be written: ")
    assert hint == "Make room, then try again."
    assert list(two_megabytes.iterdir()) == []


@pytest.fixture
def two_megabytes(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    where = tmp_path / "small"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", where], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    yield where
    subprocess.run(["umount", "-l", where], check=True)


def test_a_source_without_an_end_is_a_mistake_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Closed"):
        record(tmp_path / "a.posture", [OPENED])
    assert list(tmp_path.iterdir()) == []


def test_frames_of_a_calibrated_session_pass_unchanged() -> None:
    calibration_json = Calibration.from_axes([0, 0, 1], [1, 0, 0]).to_json()
    header = Opened(
        t_host_ns=0, session_id="s", driver="posture_v1", device="d", utc_ns=0, zone="UTC", software_version="0",
        calibration_json=calibration_json,
    )  # fmt: skip
    frames = [header, Tick(t_host_ns=1), Closed(t_host_ns=9, reason="r", count=0)]
    refused: list[str] = []
    assert list(conducted(iter(frames), Asked("desk"), refused)) == frames
    assert refused == []


def test_a_session_without_motion_passes_unchanged_and_says_why() -> None:
    frames = [OPENED, Tick(t_host_ns=1_000_000_000), Closed(t_host_ns=2_000_000_000, reason="r", count=0)]
    refused: list[str] = []
    assert list(conducted(iter(frames), Asked("desk"), refused)) == frames
    assert len(refused) == 1


def test_help_names_every_story() -> None:
    assert arguments.STORIES.split(", ") == list(STORIES)
