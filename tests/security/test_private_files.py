"""T3, T17, T18, T19: where files are made, who may read them, what lies in their way, and how little room there is."""

import json
import os
import shutil
import stat
from collections import namedtuple
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import companion
from companion import host
from companion.commands.opening import opening
from companion.commands.places import checked_alias, places
from companion.commands.room import LEAST_BYTES, Room
from companion.errors import UsageError
from companion.recording import RecordingWriter, open_recording
from companion.settings import Settings
from firmware_protocol.frames import RecorderTrouble

Posture = Callable[..., Any]
Usage = namedtuple("Usage", "total used free")


def modes(*roots: Path) -> dict[str, int]:
    """The mode of everything that lies under some directories, those included."""
    found = [path for root in roots for path in (root, *root.rglob("*"))]
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in found}


def too_open(found: dict[str, int]) -> list[str]:
    return [name for name, mode in found.items() if mode & 0o077]


# ---- T17: who may read


@pytest.fixture
def lived(posture: Posture, data_dir: Path, tmp_path: Path, named: Callable[..., None]) -> Path:
    """A user who tries every command that makes a file, with the loosest umask; the directory of all outputs."""
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    (out / "given.csv").write_text("t,ax,ay,az\n" + "".join(f"{k / 50},0,0,9.81\n" for k in range(300)), "utf-8")
    (out / "given.csv").chmod(0o600)
    named("Posture 1234")
    with chdir(out):
        for command in (
            "simulate upright --to s.posture --duration 20",
            "import given.csv --out i.posture --columns t=t,ax=ax,ay=ay,az=az --units acc=mps2,t=s",
            "pair belt",
            "monitor belt --plain --duration 5",
            "monitor --simulated upright --json --duration 0.6",
            "sessions",
            "history",
            "export s.posture --out made/csv --tables sessions,samples,minutes",
            "export s.posture --out made/anonymous --anonymous",
            "report s.posture",
            "report s.posture --out page.html",
            "verify s.posture",
        ):
            ran = posture(*command.split())
            assert ran.code == 0, (command, ran.err)
    return out


@pytest.mark.slow
def test_nobody_else_may_read_what_any_command_makes(lived: Path, data_dir: Path) -> None:
    found = modes(lived, data_dir)
    assert too_open(found) == []
    kinds = {Path(name).suffix for name in found}
    assert {".posture", ".csv", ".html", ".json", ".db", ".lock"} <= kinds
    names = " ".join(found)
    assert "1234" not in names, "what a sensor calls itself stands in no file's name"


def test_the_naive_way_is_readable_by_all(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "csv").mkdir()
        (tmp_path / "csv" / "naive.csv").write_text("minutes")
    finally:
        os.umask(before)
    assert set(too_open(modes(tmp_path / "csv"))) == {"csv", "naive.csv"}


def test_logs_go_to_stderr_and_nowhere_else() -> None:
    """T19: what makes no log file fills no disk with logs."""
    makers = ("FileHandler", "basicConfig", "SysLogHandler", "logging.config", "logging.handlers")
    root = Path(companion.__file__).parent
    for path in (*root.rglob("*.py"), *(root.parent / "firmware_protocol").rglob("*.py")):
        assert not [name for name in makers if name in path.read_text("utf-8")], path


# ---- T3: names


ALIASES = [
    "../x",
    "a/b",
    "..",
    ".",
    "",
    "a" * 33,
    "x\0y",
    "con",
    "nul",
    "com1",
    "Ünal",
    "a b",
    "-\n",
    "$(id)",
    "a.lock",
]


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_cannot_lead_anywhere(posture: Posture, data_dir: Path, alias: str) -> None:
    with pytest.raises(UsageError):
        checked_alias(alias)
    if alias and not alias.startswith("-"):
        ran = posture("monitor", alias, "--simulated", "upright", "--plain", "--duration", "0.2")
        assert ran.code == 1
        assert not any(data_dir.rglob("*.posture"))


def test_the_naive_way_leaves_the_directory(tmp_path: Path) -> None:
    where = places(tmp_path / "data")
    naive = where.sessions / f"2026_{'x/../../../escaped'}.posture"
    assert not naive.resolve().is_relative_to(where.sessions.resolve())


def test_a_session_id_from_a_file_cannot_lead_anywhere(posture: Posture, recorded: Any, tmp_path: Path) -> None:

    header = opening(
        t_host_ns=0,
        driver="posture_v1",
        device="x",
        settings=Settings(),
        origin="live",
        rate_hz=50.0,
        calibration_json=None,
    )
    for number, name in enumerate(("../../x", "/etc/x", "a" * 200, "con", "x\0")):
        file = recorded([replace(header, session_id=name)], f"2026-11-22T09000{number}Z_x.posture")
        ran = posture("export", file, "--out", tmp_path / "csv")
        assert ran.code in (1, 5), name
        assert "cannot be part of a file name" in ran.err
    assert not (tmp_path / "csv").exists() or not any((tmp_path / "csv").iterdir())


# ---- T18: links in the way


VICTIM = "somebody else's letter"


def link(path: Path, victim: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(victim)
    return path


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "letter"
    path.write_text(VICTIM)
    return path


def test_the_naive_way_writes_through_a_link(tmp_path: Path, victim: Path) -> None:
    link(tmp_path / "naive", victim).write_text("ours")
    assert victim.read_text() == "ours"


@pytest.mark.parametrize("dangling", [False, True], ids=["a link", "a link to nothing"])
def test_nothing_is_written_through_a_link_at_an_output(
    posture: Posture, victim: Path, tmp_path: Path, dangling: bool
) -> None:
    if dangling:
        victim = tmp_path / "nowhere"
    source = tmp_path / "s.posture"
    assert posture("simulate", "upright", "--to", source, "--duration", "20").code == 0
    with open_recording(source) as opened:
        session_id = opened.header.session_id
    (tmp_path / "in.csv").write_text("t,ax,ay,az\n0,0,0,9.8\n0.02,0,0,9.8\n0.04,0,0,9.8\n")
    outputs = {
        tmp_path / "r.html": ("report", source, "--out", tmp_path / "r.html"),
        tmp_path / "i.posture": ("import", tmp_path / "in.csv", "--out", tmp_path / "i.posture"),
        tmp_path / "t.posture": ("simulate", "upright", "--to", tmp_path / "t.posture", "--duration", "5"),
        tmp_path / "csv" / f"{session_id}_minutes.csv": ("export", source, "--out", tmp_path / "csv"),
    }
    for path, command in outputs.items():
        link(path, victim)
        ran = posture(*command)
        assert (ran.code, len(ran.err.splitlines()) <= 3) == (1, True), (command, ran.err)
        assert path.is_symlink(), command
    assert not victim.exists() if dangling else victim.read_text() == VICTIM


@pytest.mark.slow
def test_nothing_is_written_through_a_link_in_the_data_directory(
    posture: Posture, named: Any, victim: Path, data_dir: Path
) -> None:
    """What is replaced is the link, what is refused is told in a sentence; the letter stays as it is."""
    named("Posture 1234")
    for name in ("history.db", "belt.lock"):
        link(data_dir / name, victim)
    assert posture("pair", "belt").code == 0
    ran = posture("monitor", "belt", "--plain", "--duration", "0.2")
    assert (ran.code, len(ran.err.splitlines())) == (1, 2), ran.err
    assert "cannot be used" in ran.err
    (data_dir / "belt.lock").unlink()
    assert posture("monitor", "belt", "--plain", "--duration", "4").code == 0
    assert posture("history").code in (0, 1)
    sensors = data_dir / "sensors.json"
    kept = victim.with_name("kept.json")
    kept.write_text(sensors.read_text())
    sensors.unlink()
    link(sensors, kept)
    assert posture("pair", "second").code == 0
    assert "second" in json.loads(sensors.read_text())["sensors"]
    assert not sensors.is_symlink()
    assert "second" not in kept.read_text()
    assert victim.read_text() == VICTIM


def test_a_recording_is_never_made_through_a_link(tmp_path: Path, victim: Path) -> None:
    path = link(tmp_path / "x.posture", victim)
    with pytest.raises(UsageError):
        RecordingWriter.create(path, threaded=False)
    with pytest.raises(FileExistsError):
        host.create_private_file(path)
    assert victim.read_text() == VICTIM


# ---- T19: little room


def disk(monkeypatch: pytest.MonkeyPatch, total: float, free: float) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(int(total), int(total - free), int(free)))


@pytest.mark.parametrize(
    ("total", "free", "is_told"),
    [
        (1e12, 2.1e10, False),
        (1e12, 1.9e10, True),
        (1e10, LEAST_BYTES + 1e6, False),
        (1e10, LEAST_BYTES - 1e6, True),
        (1e6, 1e6, True),
    ],
)
def test_when_room_is_scarce(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, total: float, free: float, is_told: bool
) -> None:
    disk(monkeypatch, total, free)
    assert bool(Room(tmp_path).trouble()) is is_told


def test_it_is_told_once_and_again_only_after_there_was_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room, told = Room(tmp_path), []
    for free in (6e8, 4.9e8, 4e8, 5.1e8, 4e8, 6e8, 4e8):
        disk(monkeypatch, 1e10, free)
        told.append(room.trouble())
    assert [bool(each) for each in told] == [False, True, False, False, False, False, True]
    assert told[1] == "little room is left for the recording: 490 MB are free on its disk"


def test_a_monitor_says_so_and_goes_on(posture: Posture, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """Silence would look like good news: neither the watch nor the recording stops while there is any room."""
    disk(monkeypatch, 1e10, 4.2e8)
    ran = posture("monitor", "--simulated", "upright", "--plain", "--duration", "1")
    assert ran.code == 0, ran.err
    words = "little room is left for the recording: 420 MB are free on its disk; the session goes on"
    assert sum(words in line for line in ran.out.splitlines()) == 1
    (file,) = (data_dir / "sessions").iterdir()
    with open_recording(file) as opened:
        frames = list(opened.frames())
    assert [frame.reason for frame in frames if isinstance(frame, RecorderTrouble)] == [words.partition(";")[0]]
    again = posture("replay", file, "--speed", "max", "--plain")
    assert words in again.out
