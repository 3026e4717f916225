"""`report`: the page has what the exported tables have, days are local ones, and nothing is touched or overwritten."""

import csv
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.cli import main
from companion.output.csv_tables import cell
from companion.overview import KINDS, Overview
from companion.recording import RecordingWriter, open_recording
from companion.tables.dictionary import names
from firmware_protocol.frames import CalibrationSet, Closed, Frame, Notification

SUMS = ("duration_s", *(f"{kind}_s" for kind in KINDS), "worn_s", "suspect_s", "episodes", "alerts")

RECORDINGS = {
    # In the night in which Paris puts its clocks back: two hours from 01:30 end at 02:30, not at 03:30.
    "autumn": ("desk-hour", "2h", "2026-10-25T01:30", "Europe/Paris"),
    "midnight": ("walk-and-sit", "20min", "2026-10-22T23:50", "Europe/Paris"),
    "morning": ("slouch-31s", "3min", "2026-10-23T09:00", "Europe/Paris"),
    "kolkata": ("upright", "2min", "2026-10-20T09:29", "Asia/Kolkata"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of recordings."""
    directory = tmp_path_factory.mktemp("report")
    for name, (story, duration, started, zone) in RECORDINGS.items():
        said = (
            "--to",
            str(directory / f"{name}.posture"),
            "--duration",
            duration,
            "--started",
            started,
            "--zone",
            zone,
        )
        assert main(["simulate", story, *said]) == 0
    return directory


@pytest.fixture
def kept(data_dir: Path, made: Path) -> Path:
    """The same in the data directory."""
    sessions = data_dir / "sessions"
    sessions.mkdir(parents=True)
    for file in made.glob("*.posture"):
        shutil.copy(file, sessions)
    return sessions


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Overview]:
    """Every overview that a page was asked for, in place of pages."""
    found: list[Overview] = []

    def page(overview: Overview) -> str:
        found.append(overview)
        return "a page\n"

    monkeypatch.setattr("companion.output.report.page", page)
    return found


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def exported(
    posture, tmp_path: Path, *files: Path, changed: tuple[str, ...] = ()
) -> Callable[[str], list[dict[str, str]]]:
    """The tables of recordings, by name."""
    out = tmp_path / "csv"
    assert posture("export", *files, "--out", out, *changed).code == 0

    def table(name: str) -> list[dict[str, str]]:
        rows = []
        for file in sorted(out.glob(f"*_{name}.csv")):
            with file.open(encoding="utf-8", newline="") as stream:
                rows += list(csv.DictReader(stream))
        return rows

    return table


def texts(values: dict[str, object]) -> dict[str, str]:
    return {name: cell(value) for name, value in values.items()}


# ---- values


@pytest.mark.parametrize("changed", [(), ("--set", "slouch.limit_deg=9", "--set", "alert.delay=10s")])
@pytest.mark.parametrize("name", ["autumn", "morning"])
def test_every_figure_of_a_session_is_that_of_the_tables(
    posture, made: Path, shown: list[Overview], tmp_path: Path, name: str, changed: tuple[str, ...]
) -> None:
    file = made / f"{name}.posture"
    assert posture("report", file, *changed).code == 0
    table, (overview,) = exported(posture, tmp_path, file, changed=changed), shown
    (session,), (day,) = table("sessions"), table("days")
    assert [texts(row) for row in overview.sessions] == [session]
    assert texts(overview.figures) == {
        column: day[column] for column in names("days")[names("days").index("duration_s") :]
    }
    shared = [column for column in overview.figures if column in session]
    assert len(shared) > 20
    assert {column: cell(overview.figures[column]) for column in shared} == {
        column: session[column] for column in shared
    }
    assert {f"{kind}_s": cell(seconds) for kind, seconds in overview.shares.items()} == {
        f"{kind}_s": session[f"{kind}_s"] for kind in KINDS
    }
    rows = table("episodes")
    assert len(rows) > 0
    assert [{column: cell(row.get(column)) for column in names("episodes")} for row in overview.episodes] == rows
    lines = [{column: cell(line.get(column)) for column in names("exposure")[1:]} for line in overview.exposure]
    assert [{"session_id": session["session_id"], **line} for line in lines] == table("exposure")
    for kind in KINDS:
        assert cell(sum(hour.seconds[kind] for hour in overview.hours)) == session[f"{kind}_s"]
    assert len(overview.traces[0].alerts_utc_ms) == int(session["alerts"])
    assert cell(overview.quality[0].columns["rate_hz"]) == session["rate_hz"]


def test_a_day_of_several_sessions_is_their_sum(posture, kept: Path, shown: list[Overview], tmp_path: Path) -> None:
    assert posture("report", "--day", "2026-10-23").code == 0
    (overview,) = shown
    table = exported(posture, tmp_path, kept / "midnight.posture", kept / "morning.posture")
    rows = [row for row in table("days") if row["date"] == "2026-10-23"]
    assert len(rows) == 2
    for column in SUMS:
        assert overview.figures[column] == pytest.approx(sum(float(row[column]) for row in rows)), column
    assert overview.figures["longest_forward_s"] == max(float(row["longest_forward_s"]) for row in rows)
    assert len(overview.episodes) == overview.figures["episodes"]
    for quantity in ("rel_sagittal", "rel_lateral", "abs_sagittal"):
        bands = [line for line in overview.exposure if (line["quantity"], line["measure"]) == (quantity, "band")]
        worn_s = sum(overview.shares[kind] for kind in KINDS[:6])
        assert 0.9 * worn_s < sum(line["time_s"] for line in bands) <= worn_s
    assert sum(round(5 * sum(hour.seconds.values())) for hour in overview.hours) == round(
        5 * overview.figures["duration_s"]
    )


def test_midnight_parts_a_session_between_two_days(posture, kept: Path, shown: list[Overview], tmp_path: Path) -> None:
    assert posture("report", "--day", "2026-10-22").code == 0
    assert posture("report", "--day", "2026-10-23").code == 0
    first, second = shown
    assert (first.title, len(first.sessions)) == ("Thursday, 2026-10-22", 1)
    assert (second.title, len(second.sessions)) == ("Friday, 2026-10-23", 2)
    days = exported(posture, tmp_path, kept / "midnight.posture")("days")
    assert texts(first.figures) == {column: days[0][column] for column in first.figures}
    assert first.figures["duration_s"] == 600.0
    assert [(hour.hour, hour.utc_offset) for hour in first.hours] == [(23, "+02:00")]
    assert [(hour.hour, hour.utc_offset) for hour in second.hours] == [(0, "+02:00"), (9, "+02:00")]


def test_the_hour_that_comes_twice(posture, kept: Path, shown: list[Overview]) -> None:
    assert posture("report", "--day", "2026-10-25").code == 0
    (overview,) = shown
    assert [(hour.hour, hour.utc_offset, round(sum(hour.seconds.values()))) for hour in overview.hours] == [
        (1, "+02:00", 1800),
        (2, "+02:00", 3600),
        (2, "+01:00", 1800),
    ]
    assert overview.days[0].day_h == 25.0
    assert any("change of clocks, from +02:00 to +01:00" in note for note in overview.notes)


def test_a_week_of_two_zones_with_gaps(posture, kept: Path, shown: list[Overview]) -> None:
    assert posture("report", "--week", "2026-W43").lines == [f"{Path.cwd()}/posture-report-2026-W43.html"]
    (overview,) = shown
    assert (overview.kind, overview.title) == ("week", "Week 2026-W43, 19 to 25 October 2026")
    assert overview.zones == ("Asia/Kolkata", "Europe/Paris")
    assert [(day.day.day, day.sessions) for day in overview.days] == [
        *((19, 0), (20, 1), (21, 0), (22, 1), (23, 2), (24, 0), (25, 1)),
    ]
    assert [day.is_short for day in overview.days] == [True, True, True, True, True, True, False]
    assert [(hour.day.day, hour.hour, hour.utc_offset) for hour in overview.hours][:2] == [
        (20, 9, "+05:30"),
        (22, 23, "+02:00"),
    ]
    assert overview.figures["duration_s"] == pytest.approx(
        sum(day.figures["duration_s"] for day in overview.days if day.figures is not None)
    )
    assert len(overview.breaks) >= 2


# ---- which recordings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--day 2026-10-24",
            "Nothing was recorded on 2026-10-24.\nThe nearest days with recordings are 2026-10-23 and 2026-10-25.",
        ),
        ("--day 2020-02-29", "Nothing was recorded on 2020-02-29.\nThe nearest day with a recording is 2026-10-20."),
        ("--day 2027-01-01", "Nothing was recorded on 2027-01-01.\nThe nearest day with a recording is 2026-10-25."),
        (
            "--week 2026-W44",
            "Nothing was recorded in the week 2026-W44.\nThe nearest day with a recording is 2026-10-25.",
        ),
    ],
)
def test_a_day_without_recordings_names_the_nearest(posture, kept: Path, words: str, message: str) -> None:
    ran = posture("report", *words.split())
    assert (ran.code, ran.out, ran.err) == (1, "", f"error: {message}\n")
    assert list(Path.cwd().iterdir()) == []


def test_a_row_that_midnight_falls_into_belongs_to_the_day_before(posture, kept: Path) -> None:
    *frames, _ = open_recording(kept / "midnight.posture").frames()
    for file in kept.iterdir():
        file.unlink()
    t0_ns = frames[0].t_host_ns
    frames = [frame for frame in frames if frame.t_host_ns < t0_ns + 600_000_000_000]
    writer = RecordingWriter.create(kept / "short.posture", threaded=False)
    for number, frame in enumerate(frames):
        assert writer.put(number, frame)
    writer.close(Closed(t_host_ns=t0_ns + 600_100_000_000, reason="end", count=len(frames)))
    ran = posture("report", "--day", "2026-10-23")
    assert (ran.code, ran.out, ran.err) == (1, "", "error: Nothing was recorded on 2026-10-23.\n")
    assert list(Path.cwd().iterdir()) == []


def test_no_recordings_at_all(posture, data_dir: Path) -> None:
    ran = posture("report", "--day", "2026-10-24")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: Nothing was recorded on 2026-10-24, and nothing on any other day.\n")
    assert not data_dir.exists()


def test_only_the_recordings_of_the_day_are_read(
    posture, kept: Path, shown: list[Overview], monkeypatch: pytest.MonkeyPatch
) -> None:
    from companion.commands import report

    seen, really = [], report.computed

    def computed(recording, *rest, **said):
        seen.append(recording.path.name)
        return really(recording, *rest, **said)

    monkeypatch.setattr(report, "computed", computed)
    assert posture("report", "--day", "2026-10-23").code == 0
    assert seen == ["midnight.posture", "morning.posture"]


def test_what_cannot_be_read_is_named_and_a_copy_counts_once(posture, kept: Path, shown: list[Overview]) -> None:
    shutil.copy(kept / "morning.posture", kept / "again.posture")
    (kept / "strange.posture").write_text("no recording")
    ran = posture("report", "--day", "2026-10-23")
    assert (ran.code, ran.err) == (0, f"warning: {kept}/strange.posture cannot be read: left out.\n")
    assert len(shown[0].sessions) == 2


def test_a_session_that_was_cut_off_is_closed_first_and_one_that_is_named_is_not(
    posture, kept: Path, shown: list[Overview]
) -> None:
    frames = list(open_recording(kept / "morning.posture").frames())
    (kept / "morning.posture").unlink()
    writer = RecordingWriter.create(kept / "open.posture", threaded=False)
    for number, frame in enumerate(frames[:-1]):
        assert writer.put(number, frame)
    writer._commit()
    for suffix in ("", "-wal"):
        shutil.copy(f"{writer.path}{suffix}", f"{kept / 'cut.posture'}{suffix}")
    writer.close(Closed(t_host_ns=0, reason="r", count=0))
    (kept / "open.posture").unlink()
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    ran = posture("report", kept / "cut.posture", "--out", "named.html")
    assert (ran.code, ran.lines) == (0, [f"{Path.cwd()}/named.html"])
    assert ran.err == f"warning: {kept}/cut.posture has no end: it was cut off, or is being recorded now.\n"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    assert (shown[0].quality[0].closed, shown[0].notes[0]) == (
        False,
        "This session has no end: it was cut off, or is being recorded now.",
    )
    assert posture("report", "--day", "2026-10-23").err == ""
    assert sorted(path.name for path in kept.glob("cut*")) == ["cut.posture"]
    assert any(note.endswith("was cut off; its last moments may be missing.") for note in shown[1].notes)
    assert shown[1].figures["alerts"] == 1 + sum(row["alerts"] for row in shown[1].episodes[:-1])


def test_several_files_are_one_page_and_each_session_is_named_once(
    posture, made: Path, shown: list[Overview], tmp_path: Path
) -> None:
    files = [made / f"{name}.posture" for name in ("morning", "kolkata")]
    assert posture("report", *files).lines == [f"{Path.cwd()}/posture-report-2026-10-20T092900.html"]
    (overview,) = shown
    assert (overview.kind, overview.title) == ("session", "2 sessions, 2026-10-20 to 2026-10-23")
    assert [trace.zone for trace in overview.traces] == ["Asia/Kolkata", "Europe/Paris"]
    copy = shutil.copy(files[0], tmp_path / "copy.posture")
    ran = posture("report", files[0], copy, "--out", "x.html")
    assert (ran.code, ran.out, Path("x.html").exists()) == (1, "", False)
    assert f"{copy} holds the same session" in ran.err


# ---- strange recordings


def rewritten(source: Path, target: Path, keep: Callable[[Frame], bool]) -> Path:
    """A recording with only some of the frames of another."""
    frames = [frame for frame in open_recording(source).frames() if not isinstance(frame, Closed) and keep(frame)]
    writer = RecordingWriter.create(target, threaded=False)
    for number, frame in enumerate(frames):
        assert writer.put(number, frame)
    writer.close(Closed(t_host_ns=frames[-1].t_host_ns, reason="end", count=len(frames)))
    return target


def test_without_a_calibration(posture, made: Path, shown: list[Overview], tmp_path: Path) -> None:
    file = rewritten(
        made / "morning.posture", tmp_path / "none.posture", lambda frame: not isinstance(frame, CalibrationSet)
    )
    assert posture("report", file).code == 0
    (overview,) = shown
    assert (overview.figures["unjudged_s"], overview.figures["forward_s"]) == (overview.figures["still_s"], 0.0)
    assert (overview.traces[0].limit_deg, overview.figures["rel_p50_deg"]) == (None, None)
    assert overview.baselines[0].calibration_id is None
    assert any("had no calibration" in note for note in overview.notes)


def test_without_rows(posture, made: Path, shown: list[Overview], tmp_path: Path) -> None:
    file = rewritten(made / "morning.posture", tmp_path / "empty.posture", lambda frame: hasattr(frame, "session_id"))
    assert posture("report", file).code == 0
    (overview,) = shown
    assert (overview.figures["duration_s"], overview.hours, len(overview.traces[0].utc_ms)) == (0.0, (), 0)
    assert "This session holds no motion." in overview.notes


def test_a_damaged_recording_is_read_as_far_as_it_goes(
    posture, made: Path, shown: list[Overview], tmp_path: Path
) -> None:
    file = tmp_path / "damaged.posture"
    data = bytearray((made / "morning.posture").read_bytes())
    packets = [
        each.data for each in open_recording(made / "morning.posture").frames() if isinstance(each, Notification)
    ]
    data[data.index(packets[len(packets) // 2]) + 10] ^= 0x55
    file.write_bytes(data)
    ran = posture("report", file)
    assert (ran.code, len(ran.lines)) == (0, 1)
    assert ran.err.startswith(f"warning: {file} is damaged: ")
    (overview,) = shown
    assert len(overview.quality[0].damage) >= 1
    assert any(note.startswith("This session is damaged: ") for note in overview.notes)
    assert overview.figures["duration_s"] > 150


# ---- the file


def test_the_page_is_private_and_its_path_is_printed(posture, made: Path, tmp_path: Path) -> None:
    ran = posture("report", made / "morning.posture")
    path = Path.cwd() / "posture-report-2026-10-23T090000.html"
    assert (ran.code, ran.lines, ran.err) == (0, [str(path)], "")
    assert [each.name for each in Path.cwd().iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert "not a medical device" in text
    assert "Friday, 2026-10-23" in text


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_what_exists_is_refused(posture, made: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "there.html"
    if kind == "file":
        target.write_text("mine")
    elif kind == "directory":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    ran = posture("report", made / "morning.posture", "--out", target)
    assert (ran.code, ran.out) == (1, "")
    assert "exists already" in ran.err
    assert not (tmp_path / "nowhere").exists()
    assert kind != "file" or target.read_text() == "mine"


def test_what_appears_meanwhile_is_refused(
    posture, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "there.html"

    def page(_: Overview) -> str:
        target.symlink_to(tmp_path / "nowhere")
        return "a page"

    monkeypatch.setattr("companion.output.report.page", page)
    ran = posture("report", made / "morning.posture", "--out", target)
    assert (ran.code, ran.out) == (1, "")
    assert "exists already" in ran.err
    assert not (tmp_path / "nowhere").exists()
    assert list(tmp_path.glob("*.part")) == list(tmp_path.glob(".*.part")) == []


def test_a_full_disk_leaves_nothing(
    posture, made: Path, shown: list[Overview], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    ran = posture("report", made / "morning.posture")
    assert (ran.code, ran.out) == (1, "")
    assert "No space left on device" in ran.err
    assert list(Path.cwd().iterdir()) == []


def test_a_missing_extra_says_how_to_get_it(posture, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bokeh", None)
    ran = posture("report", made / "morning.posture")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        'error: The report needs the extra `report`.\nInstall it with: pip install "posture-companion[report]"\n'
    )


@pytest.mark.parametrize(
    "words",
    [
        "",
        "{} --day 2026-10-23",
        "--day 2026-10-23 --week 2026-W43",
        "--day 2026-13-01",
        "--week 2026-W54",
        "nosuch.posture",
        "{} --out nowhere/x.html",
        "{} --set no.such=1",
    ],
)
def test_wrong_words(posture, made: Path, words: str) -> None:
    ran = posture("report", *words.replace("{}", str(made / "morning.posture")).split())
    assert (ran.code, ran.out) == (1, "")
    assert 1 <= len(ran.err.splitlines()) <= 3
    assert list(Path.cwd().iterdir()) == []


def test_a_file_that_is_no_recording(posture, tmp_path: Path) -> None:
    (tmp_path / "x.posture").write_text("no recording")
    assert posture("report", tmp_path / "x.posture").code == 5
