"""`replay`: the same lines at every speed, damage told, the recording untouched."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from companion.cli import main
from companion.commands import replay
from companion.commands.replay import in_time
from companion.recording import RecordingWriter, open_recording
from firmware_protocol.frames import Closed, Tick


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("replay") / "demo.posture"
    assert main(["simulate", "demo", "--to", str(file)]) == 0
    return file


def test_json_begins_with_the_session_and_ends_with_the_summary(posture, demo: Path) -> None:
    ran = posture("replay", demo, "--speed", "max", "--json")
    assert (ran.code, ran.err) == (0, "")
    lines = [json.loads(line) for line in ran.lines]
    assert lines[0]["type"] == "session"
    assert (lines[0]["file"], lines[0]["device"], lines[0]["rate_hz"]) == (str(demo), "posture_v1", 50.0)
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["view"] == "lived"
    assert {line["type"] for line in lines[1:-1]} == {"posture", "event"}
    times = [line["t_s"] for line in lines[1:-1]]
    assert times == sorted(times)
    rows = [line["t_s"] for line in lines if line["type"] == "posture"]
    assert rows == [round(0.2 * number, 1) for number in range(1, len(rows) + 1)]
    assert lines[-1]["alerts"] == sum(line.get("event") == "AlertRaised" for line in lines) == 1


@pytest.mark.parametrize("speed", ["300", "1000"])
def test_every_speed_prints_the_same_bytes(posture, demo: Path, speed: str) -> None:
    assert (
        posture("replay", demo, "--speed", speed, "--json").out
        == posture("replay", demo, "--speed", "max", "--json").out
    )
    assert posture("replay", demo, "--speed", speed).out == posture("replay", demo, "--speed", "max").out


def test_plain_lines_hold_an_alert_and_the_words(posture, demo: Path) -> None:
    ran = posture("replay", demo, "--speed", "max", "--plain")
    assert sum("ALERT" in line for line in ran.lines) == 1
    assert ran.lines[-1] == f"recording: {demo}"
    assert "not a medical device" in ran.out.lower()
    assert "discomfort" in ran.out


def test_settings_of_this_run_replace_those_of_the_recording(posture, demo: Path) -> None:
    ran = posture("replay", demo, "--speed", "max", "--json", "--set", "alert.delay=60s", "--set", "profile=sofa")
    lines = [json.loads(line) for line in ran.lines]
    assert lines[0]["settings"]["alert.delay"] == "1min"
    assert (lines[-1]["alerts"], lines[-1]["episodes"], lines[-1]["profile"]) == (0, 1, "sofa")
    tracked = posture("replay", demo, "--speed", "max", "--json", "--set", "mode=track")
    assert json.loads(tracked.lines[-1])["alerts"] == 0
    assert posture("replay", demo, "--set", "alert.delay=1").code == 1


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A session whose link was lost for 12 s, and the same one with none lost."""
    files = [tmp_path_factory.mktemp("settled") / f"{name}.posture" for name in ("lost", "kept")]
    for file, fault in zip(files, (["--fault", "link@24+12"], []), strict=True):
        assert main(["simulate", "slouch", "--duration", "70", "--to", str(file), *fault]) == 0
    return files[0], files[1]


def lines_of(out: str, kind: str) -> list[str]:
    return [line for line in out.splitlines() if f'"type":"{kind}"' in line]


def test_settled_rows_are_those_of_the_session_without_the_outage(posture, interrupted: tuple[Path, Path]) -> None:
    lost, kept = interrupted
    lived, settled, whole = (
        posture("replay", file, "--speed", "max", "--json", *words).out
        for file, words in ((lost, ()), (lost, ("--settled",)), (kept, ()))
    )
    assert lines_of(settled, "posture") == lines_of(whole, "posture") != lines_of(lived, "posture")
    assert (lived.count('"GapFilled"'), settled.count('"GapFilled"')) == (1, 0)
    assert (lived.count('"AlertRaised"'), settled.count('"AlertRaised"'), whole.count('"AlertRaised"')) == (1, 1, 1)
    lines = [json.loads(lines_of(out, "summary")[0]) for out in (lived, settled)]
    assert [line["outages"] for line in lines] == [1, 0]
    assert [line["lost_samples"] for line in lines] == [0, 0]
    assert posture("replay", lost, "--speed", "max").out.count("of missing data came out of the sensor's buffer") == 1


@pytest.mark.parametrize("style", ["--json", "--plain"])
def test_settled_is_the_same_at_every_speed(posture, interrupted: tuple[Path, Path], style: str) -> None:
    fast, slow = (
        posture("replay", interrupted[0], "--settled", "--speed", speed, style).out for speed in ("max", "700")
    )
    assert fast == slow


def test_settled_and_stopped_it_ends_with_what_was_told(interrupted: tuple[Path, Path]) -> None:
    """Stopped in the outage, which the buffer filled later."""
    stop, told = threading.Event(), []
    with open_recording(interrupted[0]) as recording:
        for report in replay._settled(recording, recording.header, 1e6, stop):
            told.append(report)
            if len(told) == 150:
                stop.set()
    rows = sum(len(report.posture) for report in told)
    assert rows in (150, 151)
    assert told[-1].summary["duration_s"] == rows / 5
    assert (told[-1].summary["no_data_s"], told[-1].summary["view"]) == (0.0, "settled")
    names = [type(event).__name__ for report in told for event in report.events]
    assert names == ["SlouchStarted", "SlouchEnded"]


def test_settled_says_so(posture, demo: Path) -> None:
    ran = posture("replay", demo, "--speed", "max", "--json", "--settled")
    assert json.loads(ran.lines[-1])["view"] == "settled"


def test_a_name_from_the_data_directory_is_enough(posture, demo: Path, data_dir: Path) -> None:
    (data_dir / "sessions").mkdir(parents=True)
    shutil.copy(demo, data_dir / "sessions" / "x.posture")
    assert posture("replay", "x.posture", "--speed", "max").code == 0


def cut_off(tmp_path: Path) -> RecordingWriter:
    """The writer of a session that is open: `open.posture` with its -wal beside it."""
    source = main(["simulate", "upright", "--to", str(tmp_path / "whole.posture"), "--duration", "20"])
    assert source == 0
    frames = list(open_recording(tmp_path / "whole.posture").frames())
    writer = RecordingWriter.create(tmp_path / "open.posture", threaded=False)
    for number, frame in enumerate(frames[:-1]):
        assert writer.put(number, frame)
    writer._commit()
    return writer


def test_an_open_session_is_read_with_its_wal_and_not_touched(posture, tmp_path: Path) -> None:
    writer = cut_off(tmp_path)
    copies = tmp_path / "copies"
    copies.mkdir()
    for beside in tmp_path.glob("open.posture*"):
        shutil.copy(beside, copies)
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in copies.iterdir()}
    assert "open.posture-wal" in before
    ran = posture("replay", copies / "open.posture", "--speed", "max", "--json")
    assert ran.code == 0
    assert ran.err.startswith("warning: ")
    assert "has no end" in ran.err
    assert json.loads(ran.lines[-1])["duration_s"] > 19
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in copies.iterdir()} == before
    writer.close(Closed(t_host_ns=0, reason="r", count=0))


def test_damage_is_told_before_the_rows_and_on_stderr(posture, demo: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.posture"
    data = bytearray(demo.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    damaged.write_bytes(data)
    ran = posture("replay", damaged, "--speed", "max", "--json")
    assert ran.code == 0
    warnings = ran.err.splitlines()
    assert 1 <= len(warnings) <= 3
    assert warnings[0].startswith("warning: ")
    types = [json.loads(line)["type"] for line in ran.lines]
    count = types.count("damage")
    assert count >= 1
    assert types[: count + 1] == ["session", *["damage"] * count]
    fast = posture("replay", damaged, "--speed", "300", "--json")
    assert fast.out == ran.out


@pytest.mark.parametrize(
    ("content", "code"), [(b"", 5), (b"SQLite format 3\0" + bytes(200), 5), (b"no recording" * 100, 5)]
)
def test_what_is_no_recording_ends_with_five(posture, tmp_path: Path, content: bytes, code: int) -> None:
    (tmp_path / "x.posture").write_bytes(content)
    for command in ("replay", "export"):
        ran = posture(command, tmp_path / "x.posture")
        assert (ran.code, ran.out) == (code, "")
        assert len(ran.err.splitlines()) <= 3


def test_a_newer_version_is_refused_with_a_sentence(posture, demo: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.posture"
    data = bytearray(demo.read_bytes())
    data[60:64] = (99).to_bytes(4)
    newer.write_bytes(data)
    ran = posture("replay", newer)
    assert ran.code == 5
    assert "newer version" in ran.err


def test_ctrl_c_ends_with_zero_and_the_summary(demo: Path) -> None:
    code = "import sys; from companion.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "replay", str(demo), "--json", "--speed", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    types = [json.loads(line)["type"] for line in [*first, *rest.splitlines()]]
    assert types[0] == "session"
    assert types[-1] == "summary"


class Clock:
    """A clock that goes on only while somebody waits."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000
        self.waits: list[float] = []

    def __call__(self) -> int:
        return self.now_ns

    def wait(self, seconds: float) -> bool:
        self.waits.append(round(seconds, 6))
        self.now_ns += round(seconds * 1e9)
        return False


TICKS = [Tick(t_host_ns=1000 + round(second * 1e9)) for second in (0, 0, 1, 1, 1.5, 4)]


def test_frames_come_when_they_are_due() -> None:
    clock = Clock()
    pieces = list(in_time(TICKS, 1000, 2.0, clock.wait, clock))
    assert clock.waits == [0.5, 0.25, 1.25]
    assert pieces == [TICKS[:2], TICKS[2:4], TICKS[4:5], TICKS[5:]]


def test_at_full_speed_nobody_waits() -> None:
    assert list(in_time(TICKS, 1000, float("inf"), lambda _: pytest.fail("waited"), time.monotonic_ns)) == [TICKS]


def test_a_replay_that_is_stopped_hands_over_no_more() -> None:
    assert list(in_time(TICKS, 1000, 1.0, lambda _: True, Clock())) == [TICKS[:2]]
