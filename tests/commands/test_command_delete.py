"""`delete`: what was named and nothing else, out of the history too; refused as a whole where anything must stay."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from companion import host
from companion.cli import main
from companion.commands import delete
from companion.history import Keeper
from companion.recording import RecordingWriter, open_recording
from firmware_protocol.frames import Closed

LIVED = {
    "2026-10-20T080000Z_a": ("2026-10-20T10:00", "Europe/Paris"),
    "2026-10-24T183000Z_nepal": ("2026-10-25T00:15", "Asia/Kathmandu"),
    "2026-10-24T213000Z_paris": ("2026-10-24T23:30", "Europe/Paris"),
    "2026-10-25T010000Z_newfoundland": ("2026-10-24T22:30", "America/St_Johns"),
    "2026-10-25T080000Z_b": ("2026-10-25T09:00", "Europe/Paris"),
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lived")
    for name, (started, zone) in LIVED.items():
        what = ("simulate", "slouch", "--to", f"{directory}/{name}.posture", "--duration", "60")
        assert main([*what, "--started", started, "--zone", zone]) == 0
    return directory


@pytest.fixture
def here(posture, data_dir: Path, lived: Path) -> Path:
    """The directory of sessions, with all of them, and their history."""
    shutil.copytree(lived, data_dir / "sessions")
    assert posture("history").code == 0
    return data_dir / "sessions"


@pytest.fixture
def recorded_now(here: Path) -> Iterator[Path]:
    """A session that this process writes."""
    path = here / "2026-10-26T080000Z_open.posture"
    writer = RecordingWriter.create(path, threaded=False)
    for number, frame in enumerate(list(open_recording(next(here.glob("*_b*"))).frames())[:-1]):
        assert writer.put(number, frame)
    writer._commit()
    yield path
    writer.close(Closed(t_host_ns=0, reason="r", count=0))


def left(directory: Path) -> list[str]:
    return sorted(path.name.removesuffix(".posture") for path in directory.iterdir())


def dates(ran: Any) -> list[str]:
    return [json.loads(line)["date"] for line in ran.lines[:-1]]


def test_a_recording_is_gone_from_the_history_too(posture, here: Path, data_dir: Path) -> None:
    name = "2026-10-20T080000Z_a"
    session_id = open_recording(here / f"{name}.posture").header.session_id.encode()
    assert session_id in (data_dir / "history.db").read_bytes()
    ran = posture("delete", f"{name}.posture")
    assert (ran.code, ran.lines, ran.err) == (0, [f"{here}/{name}.posture"], "")
    assert left(here) == sorted(set(LIVED) - {name})
    for path in data_dir.rglob("*"):
        assert path.is_dir() or session_id not in path.read_bytes(), path
    assert dates(posture("history", "--json")) == ["2026-10-24", "2026-10-25"]


def test_paths_that_name_the_same_file_delete_it_once(posture, here: Path, monkeypatch) -> None:
    monkeypatch.chdir(here)
    name = "2026-10-20T080000Z_a.posture"
    ran = posture("delete", name, f"./{name}", f"../sessions/{name}", here / name)
    assert (ran.code, len(ran.lines)) == (0, 1)
    assert len(left(here)) == 4


def test_a_recording_elsewhere_can_be_deleted(posture, here: Path, lived: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copy(lived / "2026-10-20T080000Z_a.posture", elsewhere)
    before = (here.parent / "history.db").read_bytes()
    assert posture("delete", elsewhere).lines == [str(elsewhere)]
    assert not elsewhere.exists()
    assert (here.parent / "history.db").read_bytes() == before
    assert len(left(here)) == 5


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda path: path.write_text("my diary"), 5, "is no recording of this program"),
        (lambda path: path.write_bytes(b""), 5, "is no recording of this program"),
        (lambda path: path.mkdir(), 5, "is no file"),
        (lambda path: path.symlink_to("/etc/passwd"), 5, "is no recording of this program"),
        (lambda path: None, 1, "there is no file"),
    ],
)
def test_what_is_no_recording_is_never_deleted(posture, here: Path, tmp_path: Path, make, code, message) -> None:
    other = tmp_path / "other.posture"
    make(other)
    before = os.path.lexists(other)
    ran = posture("delete", here / "2026-10-20T080000Z_a.posture", other)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert os.path.lexists(other) == before
    assert left(here) == sorted(LIVED)


def test_neither_the_history_nor_another_file_of_ours_is_a_recording(posture, here: Path, data_dir: Path) -> None:
    notes = here / "notes.txt"
    notes.write_text("mine")
    for file in (data_dir / "history.db", notes):
        assert posture("delete", file).code == 5
        assert file.exists()


def test_a_damaged_one_of_ours_can_be_deleted(posture, here: Path) -> None:
    (here / "2026-10-01T080000Z_text.posture").write_text("no recording")
    newer = bytearray((here / "2026-10-20T080000Z_a.posture").read_bytes())
    newer[60:64] = (99).to_bytes(4)
    (here / "2026-10-02T080000Z_newer.posture").write_bytes(newer)
    assert len(posture("sessions").lines) == 8
    assert posture("delete", "2026-10-01T080000Z_text.posture", "2026-10-02T080000Z_newer.posture").code == 0
    assert left(here) == sorted(LIVED)
    assert len(posture("sessions").lines) == 6


def test_a_link_is_removed_and_never_what_it_points_to(posture, here: Path, lived: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.posture"
    shutil.copy(lived / "2026-10-20T080000Z_a.posture", target)
    for file in (target, tmp_path / "link.posture"):
        Path(f"{file}-wal").write_text("")
    for link, to in (
        (tmp_path / "link.posture", target),
        (here / "2026-10-02T080000Z_link.posture", target),
        (here / "2026-10-03T080000Z_broken.posture", tmp_path / "nothing"),
        (here / "2026-10-04T080000Z_out.posture", Path("/etc/passwd")),
    ):
        link.symlink_to(to)
        assert posture("delete", link).code == 0, link
        assert not link.is_symlink()
    assert target.exists()
    assert all(Path(f"{file}-wal").exists() for file in (target, tmp_path / "link.posture"))
    assert left(here) == sorted(LIVED)


def test_what_lies_beside_a_recording_goes_with_it(posture, here: Path) -> None:
    recording = here / "2026-10-20T080000Z_a.posture"
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{recording}{suffix}").write_text("")
    assert posture("delete", recording).code == 0
    assert left(here) == sorted(set(LIVED) - {"2026-10-20T080000Z_a"})


# ---- before a day


def test_before_a_day_means_the_sessions_own_midnight(posture, here: Path) -> None:
    """In Kathmandu it was the 25th already when it was the 24th in Paris, and in Newfoundland the 24th for long."""
    ran = posture("delete", "--before", "2026-10-25")
    assert ran.code == 0
    assert left(here) == ["2026-10-24T183000Z_nepal", "2026-10-25T080000Z_b"]
    assert len(ran.lines) == 3
    assert dates(posture("history", "--json")) == ["2026-10-25"]


def test_before_a_day_without_recordings_deletes_nothing(posture, here: Path) -> None:
    ran = posture("delete", "--before", "2026-10-20")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"There is no recording from before 2026-10-20 in {here}.\n"
    assert left(here) == sorted(LIVED)


def test_what_does_not_say_when_it_began_stays_and_is_told(posture, here: Path) -> None:
    (here / "2026-10-01T080000Z_text.posture").write_text("no recording")
    ran = posture("delete", "--before", "2027-01-01")
    assert left(here) == ["2026-10-01T080000Z_text"]
    assert ran.err == (
        "warning: 1 recording does not say when it began; `posture delete` takes names too, as `posture sessions` "
        "shows them.\n"
    )


# ---- everything


def test_all_is_all_of_the_wearer_and_nothing_else(posture, here: Path, data_dir: Path) -> None:
    (here / "gone.posture-wal").write_text("left")
    (here / "notes.txt").write_text("mine")
    (data_dir / "calibrations.json").write_text("{}")
    (data_dir / "history.db.damaged").write_text("old")
    for kept in ("sensors.json", "settings.toml"):
        (data_dir / kept).write_text("")
    ran = posture("delete", "--all")
    assert ran.code == 0
    assert ran.err == (
        f"Every recording, the history and the stored baselines are deleted; paired sensors in {data_dir} and "
        f"settings in {data_dir} stay.\n"
    )
    assert ran.lines == [
        *(f"{here}/{name}.posture" for name in sorted(LIVED)),
        f"{data_dir}/history.db",
        f"{data_dir}/history.db.damaged",
        f"{data_dir}/calibrations.json",
    ]
    assert left(here) == ["notes.txt"]
    assert left(data_dir) == ["sensors.json", "sessions", "settings.toml"]
    assert posture("delete", "--all").err == f"There is nothing to delete in {data_dir}.\n"


def test_all_of_nothing_makes_nothing(posture, data_dir: Path) -> None:
    ran = posture("delete", "--all")
    assert (ran.code, ran.out, ran.err) == (0, "", f"There is nothing to delete in {data_dir}.\n")
    assert not data_dir.exists()


# ---- what is refused, what remains


@pytest.mark.parametrize("what", [("--all",), ("--before", "2027-01-01"), ("NAMES",)])
def test_nothing_is_deleted_while_one_of_them_is_recorded(
    posture, here: Path, data_dir: Path, recorded_now: Path, what: tuple[str, ...]
) -> None:
    lock = data_dir / "simulated.lock"
    lock.write_text("4711")
    held = host.hold_lock(lock)
    before = sorted(path.name for path in data_dir.rglob("*"))
    arguments = ("2026-10-20T080000Z_a.posture", recorded_now.name) if what == ("NAMES",) else what
    ran = posture("delete", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error: {recorded_now} is being recorded now by process 4711; nothing was deleted.\nEnd the monitor first.\n"
    )
    assert held is not None
    os.close(held)
    assert posture("delete", *arguments).err.startswith(f"error: {recorded_now} is being recorded now; nothing")
    assert sorted(path.name for path in data_dir.rglob("*")) == before


def test_a_link_to_what_is_recorded_now_is_refused(posture, tmp_path: Path, recorded_now: Path) -> None:
    link = tmp_path / "link.posture"
    link.symlink_to(recorded_now)
    assert posture("delete", link).code == 1
    assert link.is_symlink()


def test_nothing_is_deleted_while_another_command_writes_the_history(
    posture, here: Path, data_dir, monkeypatch
) -> None:
    monkeypatch.setattr(delete, "_PATIENCE_S", 0.0)
    with Keeper.holding(data_dir / "history.db", 0.0, print):
        ran = posture("delete", "--all")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: nothing was deleted: another command is writing the history.\nTry again later.\n"
    assert left(here) == sorted(LIVED)


def test_what_could_not_be_deleted_is_told_and_stays_in_the_history(posture, here: Path, monkeypatch) -> None:
    unlink = Path.unlink

    def refused(path: Path, *arguments: Any, **named: Any) -> None:
        if path.name.endswith(("paris.posture", "nepal.posture")):
            raise PermissionError(1, "Operation not permitted")
        unlink(path, *arguments, **named)

    monkeypatch.setattr(Path, "unlink", refused)
    ran = posture("delete", "--before", "2027-01-01")
    assert (ran.code, len(ran.lines)) == (1, 3)
    assert ran.err == (
        f"error: 2 could not be deleted and remain: {here}/2026-10-24T183000Z_nepal.posture (Operation not permitted), "
        f"{here}/2026-10-24T213000Z_paris.posture (Operation not permitted).\nAll else is gone.\n"
    )
    assert dates(posture("history", "--json")) == ["2026-10-24", "2026-10-25"]


# ---- the question


class Terminal(io.StringIO):
    """Somebody at the keyboard."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "yes please\n", "Y es\n"])
def test_anything_but_yes_deletes_nothing(posture, here: Path, monkeypatch, answer: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    ran = posture("delete", "--all")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.endswith("There is no way back. Delete? [y/N] Nothing was deleted.\n")
    assert left(here) == sorted(LIVED)


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " y \n"])
def test_yes_deletes(posture, here: Path, data_dir: Path, monkeypatch, answer: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    size_mb = sum(path.stat().st_size for path in [*here.iterdir(), data_dir / "history.db"]) / 1e6
    ran = posture("delete", "--all")
    assert ran.code == 0
    assert ran.err.splitlines()[:7] == [
        *(f"  {name}.posture" for name in sorted(LIVED)),
        f"5 recordings of 2026-10-20 to 2026-10-25, {size_mb:.1f} MB",
        f"and the history and the stored baselines in {data_dir}",
    ]
    assert left(here) == []


def test_nobody_is_asked_with_yes(posture, here: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    ran = posture("delete", "--yes", "2026-10-20T080000Z_a.posture")
    assert (ran.code, ran.err) == (0, "")
    assert len(left(here)) == 4


@pytest.mark.parametrize("arguments", [(), ("x", "--all"), ("--all", "--before", "2026-01-01"), ("--before", "soon")])
def test_what_is_not_clear_is_refused(posture, here: Path, arguments: tuple[str, ...]) -> None:
    assert posture("delete", *arguments).code == 1
    assert left(here) == sorted(LIVED)
