"""`history`, and `sessions` made quick by it: what the recordings say, however it came about, at any hour anywhere."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion import host
from companion.cli import main
from companion.commands import kept, sessions
from companion.commands.options import Shared
from companion.history import History, Keeper, Unkeepable
from companion.history.schema import TABLES
from companion.recording import RecordingWriter, open_recording
from companion.tables.dictionary import DURATIONS
from firmware_protocol.frames import Closed

LIVED = {
    "2026-10-24T233000Z_change": ("slouch", "2026-10-25T01:30", "Europe/Paris", 10_800),
    "2026-10-26T224000Z_midnight": ("slouch-10min", "2026-10-26T23:50", "Europe/Paris", 1_200),
    "2026-10-30T181430Z_nepal": ("demo", "2026-10-30T23:59:30", "Asia/Kathmandu", 90),
    "2026-10-28T070000Z_paris": ("demo", "2026-10-28T08:00", "Europe/Paris", 90),
    "2026-10-28T230000Z_newfoundland": ("fidget", "2026-10-28T20:30", "America/St_Johns", 300),
}
"""Over the end of summer time, over midnight, elsewhere, and who travels: two zones on one date."""

TODAY = datetime(2026, 10, 31, 12, tzinfo=ZoneInfo("Europe/Paris"))
SUMMED = ("duration_s", *(column.name for column in DURATIONS), "worn_s", "episodes", "alerts")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lived")
    for name, (story, started, zone, length_s) in LIVED.items():
        what = ("simulate", story, "--to", f"{directory}/{name}.posture", "--duration", str(length_s))
        assert main([*what, "--started", started, "--zone", zone]) == 0
    return directory


@pytest.fixture
def here(data_dir: Path, lived: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of sessions, with all of them, on 31 October at noon in Paris."""
    monkeypatch.setattr(host, "utc_ns", lambda: int(TODAY.timestamp()) * 1_000_000_000)
    monkeypatch.setattr(host, "zone_name", lambda: "Europe/Paris")
    shutil.copytree(lived, data_dir / "sessions")
    return data_dir / "sessions"


def days(ran: Any) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in ran.lines]
    assert [line["type"] for line in found] == ["day"] * (len(found) - 1) + ["summary"]
    return {line["date"]: line for line in found[:-1]}


def content(data_dir: Path) -> dict[str, list[Any]]:
    if not (data_dir / "history.db").exists():  # there was no recording yet
        return {table: [] for table in TABLES}
    with closing(History.at(data_dir / "history.db")) as history:
        return {table: history.rows(table) for table in TABLES}


# ---- the figures


def test_every_figure_of_a_day_is_the_sum_of_its_exported_parts(posture, here: Path, tmp_path: Path) -> None:
    found = days(posture("history", "--json"))
    assert posture("export", *sorted(here.iterdir()), "--out", tmp_path, "--tables", "days,episodes").code == 0
    parts: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in sorted(tmp_path.glob("*_days.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                parts[row["date"]].append(row)
    assert list(found) == sorted(parts)
    for name, day in found.items():
        for column in SUMMED:
            assert day[column] == pytest.approx(sum(float(row[column]) for row in parts[name]), abs=0.051), column
        assert day["sessions"] == len(parts[name])
        assert day["longest_forward_s"] == max(float(row["longest_forward_s"]) for row in parts[name])
        contexts = ("still", "moving", "walking", "lying", "settling", "no_data", "not_worn")
        assert sum(day[f"{context}_s"] for context in contexts) == pytest.approx(day["duration_s"], abs=0.1)
        if len(parts[name]) == 1:
            (row,) = parts[name]
            assert day["median_recovery_s"] == (float(row["median_recovery_s"]) if row["median_recovery_s"] else None)
            assert (day["coverage_pct"], day["day_h"]) == (float(row["coverage_pct"]), float(row["day_h"]))


def test_days_are_those_of_the_wearers_clock(posture, here: Path) -> None:
    found = days(posture("history", "--json"))
    told = {name: [day[each] for each in ("day_h", "zones", "sessions", "duration_s")] for name, day in found.items()}
    paris, nepal = ["Europe/Paris"], ["Asia/Kathmandu"]
    assert told == {
        "2026-10-25": [25.0, paris, 1, 10_800.0],
        "2026-10-26": [24.0, paris, 1, 600.0],
        "2026-10-27": [24.0, paris, 1, 600.0],
        "2026-10-28": [27.5, ["Europe/Paris", "America/St_Johns"], 2, pytest.approx(390.0, abs=0.5)],
        "2026-10-30": [24.0, nepal, 1, pytest.approx(30.0, abs=0.2)],
        "2026-10-31": [24.0, nepal, 1, pytest.approx(60.0, abs=0.5)],
    }


def test_the_sums_leave_short_days_out(posture, here: Path) -> None:
    ran = posture("history", "--json")
    found, summary = days(ran), json.loads(ran.lines[-1])
    assert {name: day["short"] for name, day in found.items()}["2026-10-25"] is False
    assert [name for name, day in found.items() if not day["short"]] == ["2026-10-25"]
    assert (summary["days"], summary["short_days"], summary["sessions"]) == (len(found), len(found) - 1, 1)
    assert (summary["from"], summary["to"]) == (min(found), max(found))
    for column in (*SUMMED, "longest_forward_s", "median_recovery_s", "forward_pct", "episodes_per_h"):
        assert summary[column] == found["2026-10-25"][column], column


# ---- what is shown


def dates_in(ran: Any) -> list[str]:
    return [line[3:13] for line in ran.lines if line[3:5] == "20"]


def test_a_week_ends_today_and_has_every_day(posture, here: Path) -> None:
    ran = posture("history", "--week")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0] == "Local days 2026-10-25 to 2026-10-31"
    assert dates_in(ran) == [f"2026-10-{day}" for day in range(25, 32)]
    assert ran.lines[7] == "Th 2026-10-29  · no session"
    assert "Mo 2026-10-26*   0:10" in ran.lines[4]
    assert any(line.startswith("1 day            3:00") for line in ran.lines)
    assert ran.lines[-1] == "* under 2 h worn: not in the sums and the average"
    assert max(map(len, ran.lines)) <= 80
    assert "\x1b" not in ran.out


def test_a_month_has_31_days_and_a_row_for_each_run_of_empty_ones(posture, here: Path) -> None:
    ran = posture("history", "--month")
    assert ran.lines[0] == "Local days 2026-10-01 to 2026-10-31"
    assert ran.lines[3] == "Th 2026-10-01  · no session (24 days, to Sa 2026-10-24)"
    assert dates_in(ran) == [f"2026-10-{day:02d}" for day in (1, 25, 26, 27, 28, 29, 30, 31)]
    (marks,) = [line for line in ran.lines if line.startswith("   0 %")]
    assert marks == "   0 %┴" + "· " * 24 + "─ * * * · * *"


def test_without_a_span_the_latest_days_are_shown_however_old(posture, here: Path, monkeypatch) -> None:
    monkeypatch.setattr(host, "utc_ns", lambda: int(TODAY.timestamp() + 90 * 86_400) * 1_000_000_000)
    ran = posture("history")
    assert ran.lines[0] == "Local days 2026-10-25 to 2026-10-31"
    assert dates_in(ran) == [f"2026-10-{day}" for day in range(25, 32)]
    ran = posture("history", "--week")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == (
        "There is no session in the last 7 days; the latest is of 2026-10-31, 90 days ago. "
        "`posture history` shows the latest days there are.\n"
    )
    summary = json.loads(posture("history", "--week", "--json").lines[0])
    assert (summary["type"], summary["days"], summary["forward_pct"]) == ("summary", 0, None)
    assert (summary["from"], summary["to"]) == ("2027-01-23", "2027-01-29")


def test_no_recordings_is_no_error_and_makes_nothing(posture, data_dir: Path) -> None:
    for arguments in ((), ("--week",), ("--rebuild",)):
        ran = posture("history", *arguments)
        assert (ran.code, ran.out) == (0, "")
        assert ran.err == f"There are no recordings in {data_dir}/sessions yet.\n"
    assert not data_dir.exists()


# ---- kept, and made again


def test_it_is_private_and_reads_nothing_twice(posture, here: Path, data_dir: Path, monkeypatch) -> None:
    first = posture("history", "--json")
    assert (data_dir / "history.db").stat().st_mode & 0o777 == 0o600
    before = (data_dir / "history.db").read_bytes()
    monkeypatch.setattr(kept, "entry_of", None)
    monkeypatch.setattr(kept, "close_cut_off", None)
    assert posture("history", "--json").out == first.out
    assert (data_dir / "history.db").read_bytes() == before


def test_nothing_heavy_is_loaded_where_nothing_is_new(posture, here: Path, data_dir: Path) -> None:
    posture("history")
    program = (
        "import sys\nfrom companion.cli import main\nassert main(['history', '--month']) == 0\n"
        "print(sorted({'numpy', 'scipy', 'vqf', 'bleak', 'textual', 'rich'} & set(sys.modules)))"
    )
    environment = os.environ | {"POSTURE_DATA_DIR": str(data_dir)}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.fixture(scope="module")
def short_ones(lived: Path) -> list[Path]:
    return [lived / f"{name}.posture" for name in LIVED if not name.endswith("change")]


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(changes=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["add", "remove", "change"])), max_size=4))
def test_any_order_of_sessions_gives_what_a_rebuild_gives(
    posture, data_dir: Path, short_ones: list[Path], changes: list[tuple[int, str]]
) -> None:
    shutil.rmtree(data_dir, ignore_errors=True)
    (data_dir / "sessions").mkdir(parents=True)
    shutil.copy2(short_ones[0], data_dir / "sessions")
    for number, what in changes:
        file = data_dir / "sessions" / short_ones[number].name
        if what == "remove":
            file.unlink(missing_ok=True)
        else:
            shutil.copyfile(short_ones[number if what == "add" else (number + 1) % 4], file)
        assert posture("history").code == 0
    assert posture("sessions").code == 0
    grown = content(data_dir)
    assert posture("history", "--rebuild").code == 0
    assert content(data_dir) == grown
    assert {row["file"] for row in grown["sessions"]} == {file.name for file in (data_dir / "sessions").iterdir()}


def test_figures_of_another_version_are_computed_anew(posture, here: Path, data_dir: Path, monkeypatch) -> None:
    first = posture("history", "--json").out
    with closing(sqlite3.connect(data_dir / "history.db")) as connection, connection:
        connection.execute("UPDATE days SET worn_s = 0.0")
        connection.execute("UPDATE sessions SET computed_by = '0.0.1'")
    assert posture("history", "--json").out == first


def test_ctrl_c_loses_nothing_that_was_done(posture, here: Path, data_dir: Path, monkeypatch) -> None:
    compute, left = kept.entry_of, [2]

    def until_stopped(*arguments: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return compute(*arguments)

    monkeypatch.setattr(kept, "entry_of", until_stopped)
    assert posture("history").code == 0
    assert len(content(data_dir)["sessions"]) == 2
    left[0] = 3
    assert len(dates_in(posture("history"))) == 7
    assert left == [0], "the two were not computed again"


def test_a_damaged_history_is_made_anew_and_told(posture, here: Path, data_dir: Path) -> None:
    first = posture("history", "--json").out
    with closing(sqlite3.connect(data_dir / "history.db")) as connection, connection:
        connection.execute("UPDATE days SET worn_s = 'much'")
    ran = posture("history", "--json")
    assert (ran.code, ran.out) == (0, first)
    assert ran.err == (
        f"warning: {data_dir}/history.db could not be used (a value in days is not of its type); it is "
        "history.db.damaged now, and the history is made anew.\n"
    )
    assert posture("history", "--json").err == ""


def test_two_at_once_give_the_same_answer(posture, here: Path, data_dir: Path, monkeypatch) -> None:
    monkeypatch.setattr(kept, "PATIENCE_S", 0.0)
    monkeypatch.setattr(kept, "REBUILD_PATIENCE_S", 0.0)
    first = posture("history", "--json")
    with Keeper.holding(data_dir / "history.db", 0.0, print) as keeper, keeper.rebuilding():
        meanwhile = posture("history", "--json")
        assert (meanwhile.out, meanwhile.err) == (first.out, "")
        next(here.glob("*newfoundland*")).unlink()
        less = posture("history", "--json")
        assert (less.code, len(less.lines)) == (0, len(first.lines))
        assert less.out != first.out
        assert less.err == (
            "warning: the history is only read: another command is writing the history; "
            "what it lacks is computed now and not kept.\n"
        )
        refused = posture("history", "--rebuild")
        assert refused.code == 1
        assert "error: the history cannot be made anew: another command is writing the history." in refused.err
    assert posture("history", "--json").out == less.out


def test_where_nothing_can_be_written_everything_is_computed(posture, here: Path, data_dir: Path) -> None:
    (data_dir / "history.lock").mkdir()
    for arguments in (("history", "--json"), ("sessions", "--json")):
        ran = posture(*arguments)
        assert ran.code == 0
        assert f"{data_dir} cannot be written to: Is a directory; what it lacks is computed now" in ran.err
    assert not (data_dir / "history.db").exists()
    (data_dir / "history.lock").rmdir()
    assert posture("sessions", "--json").out == ran.out


def test_without_room_for_the_history_the_answer_is_the_same(posture, here: Path, data_dir: Path, monkeypatch) -> None:
    def full(*_: Any) -> None:
        raise Unkeepable("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(History, "put", full)
        ran = posture("history", "--json")
    assert ran.code == 0
    assert ran.err == (
        "warning: the history cannot be written: database or disk is full; what it lacks is computed each time.\n"
    )
    assert content(data_dir)["sessions"] == []
    assert posture("history", "--json").out == ran.out


# ---- sessions


@pytest.fixture
def strange(here: Path) -> Iterator[Path]:
    """One that is no recording, one that is damaged, one of a newer version, and one that is being recorded now."""
    (here / "2026-10-20T080000Z_text.posture").write_text("no recording")
    damaged = bytearray(next(here.glob("*midnight*")).read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 5000] = b"\xff" * 5000
    (here / "2026-10-21T080000Z_damaged.posture").write_bytes(damaged)
    newer = bytearray(next(here.glob("*nepal*")).read_bytes())
    newer[60:64] = (99).to_bytes(4)
    (here / "2026-10-22T080000Z_newer.posture").write_bytes(newer)
    (here / "2026-10-23T080000Z_cut.posture").write_bytes(damaged[: len(damaged) * 2 // 3])
    writer = RecordingWriter.create(here / "2026-10-31T080000Z_open.posture", threaded=False)
    for number, frame in enumerate(list(open_recording(next(here.glob("*_paris*"))).frames())[:-1]):
        assert writer.put(number, frame)
    writer._commit()
    yield here
    writer.close(Closed(t_host_ns=0, reason="r", count=0))


def test_sessions_says_what_it_would_say_without_a_history(posture, strange: Path, data_dir: Path) -> None:
    from companion.recording import sessions_in

    listed = [sessions.listed(file, Shared(data_dir=data_dir)) for file in sessions_in(strange)]
    begun = [one for one in listed if one.columns is not None]
    begun.sort(key=lambda one: str((one.columns or {})["started_utc"]), reverse=True)  # whatever their names say
    computed = [sessions._json_line(one) for one in [*begun, *(one for one in listed if one.columns is None)]]
    for _ in ("made", "read"):
        assert posture("sessions", "--json").lines == computed
    assert len(computed) == 10
    assert [json.loads(line)["closed"] for line in computed].count(False) == 3


def test_only_what_may_change_is_computed_again(posture, strange: Path, monkeypatch) -> None:
    first, again = posture("sessions"), []
    compute = kept.entry_of

    def noted(path: Path, *arguments: Any) -> Any:
        again.append(path.name)
        return compute(path, *arguments)

    monkeypatch.setattr(kept, "entry_of", noted)
    assert posture("sessions").out == first.out
    assert again == ["2026-10-31T080000Z_open.posture"]


def test_the_history_says_what_its_figures_lack(posture, strange: Path) -> None:
    ran = posture("history", "--json")
    assert ran.err.splitlines() == [
        "2 recordings cannot be read; `posture sessions` names what cannot.",
        "2 recordings with damage: what could not be read is missing from the figures.",
        "1 recording without an end, such as one being made now: counted so far.",
    ]
    summary = json.loads(ran.lines[-1])
    assert [summary[name] for name in ("unreadable", "damaged", "without_end")] == [2, 2, 1]


def test_what_is_being_recorded_counts_once(posture, strange: Path) -> None:
    """The open one holds the frames of another session, under that one's name; the longer of the two counts."""
    found = days(posture("history", "--json"))
    assert found["2026-10-28"]["sessions"] == 2


def test_a_session_that_was_cut_off_is_closed_first(posture, here: Path, data_dir: Path) -> None:
    whole = next(here.glob("*_paris*"))
    posture("history")
    writer = RecordingWriter.create(data_dir / "x.posture", threaded=False)
    for number, frame in enumerate(list(open_recording(whole).frames())[:-1]):
        assert writer.put(number, frame)
    writer._commit()
    cut = here / "2026-10-29T080000Z_cut.posture"
    for suffix in ("", "-wal"):
        shutil.copy(f"{writer.path}{suffix}", f"{cut}{suffix}")
    writer.close(Closed(t_host_ns=0, reason="r", count=0))
    ran = posture("history")
    assert (ran.code, ran.err) == (0, "")
    assert not cut.with_name(f"{cut.name}-wal").exists()
    assert open_recording(cut).closed


def test_settings_of_this_run_are_computed(posture, here: Path, data_dir: Path) -> None:
    usual = posture("sessions", "--json")
    with_settings = posture("sessions", "--json", "--set", "alert.delay=10min")
    assert (with_settings.code, len(with_settings.lines)) == (0, len(usual.lines))
    alerts = [[json.loads(line)["alerts"] for line in ran.lines] for ran in (usual, with_settings)]
    assert sum(alerts[0]) > sum(alerts[1])
    assert posture("sessions", "--json").out == usual.out


def test_a_data_directory_that_moves_keeps_its_history(posture, strange: Path, data_dir: Path, monkeypatch) -> None:
    posture("history")
    moved = data_dir.with_name("moved")
    shutil.copytree(data_dir, moved, copy_function=shutil.copy2)
    ran = posture("sessions", "--json", "--data-dir", moved)
    (error,) = [json.loads(line)["error"] for line in ran.lines if "_text" in line]
    assert error == f"{moved}/sessions/2026-10-20T080000Z_text.posture is no recording of this program."
