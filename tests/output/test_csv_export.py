"""Exported files: whole or not there, private, never over anything."""

import csv
import errno
import math
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from companion.errors import RecordingError, UsageError
from companion.output import csv_export
from companion.output.csv_export import check_targets, exporting, parse_tables
from companion.tables.dictionary import DEFAULT_TABLES, names
from companion.tables.judged import Judged
from companion.tables.samples import SampleTable
from firmware_protocol.frames import Opened
from firmware_protocol.samples import make_samples


def export(*sessions: Judged, to: Path, tables: tuple[str, ...] = DEFAULT_TABLES, **options: Any) -> list[Path]:
    with exporting(to, tables) as files:
        for session in sessions:
            files.add(session, **options)
        return files.publish()


@pytest.fixture
def session(header: Opened, make_rows: Callable[..., Any]) -> Judged:
    return Judged(header=header, summary={"device": 'a "b", c'}, posture=make_rows(10, 1), events=())


def written(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


FILES = [f"2026-03-29T005900Z-4f2a_{table}.csv" for table in sorted(DEFAULT_TABLES)]


def test_files_are_private_and_read_back(session: Judged, tmp_path: Path) -> None:
    directory = tmp_path / "made" / "for it"
    paths = export(session, to=directory)
    assert written(directory) == FILES
    assert sorted(path.name for path in paths) == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    data = (directory / FILES[4]).read_bytes()
    assert b"\r" not in data
    rows = list(csv.DictReader(data.decode().splitlines()))
    assert list(rows[0]) == list(names("sessions"))
    assert rows[0]["device"] == 'a "b", c'
    assert (directory / FILES[1]).read_text() == ",".join(names("episodes")) + "\n"


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_what_exists_is_refused_before_anything_is_written(session: Judged, tmp_path: Path, kind: str) -> None:
    target = tmp_path / FILES[1]
    if kind == "file":
        target.write_text("mine")
    elif kind == "directory":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"exists already\."):
        export(session, to=tmp_path)
    assert written(tmp_path) == [FILES[1]]
    assert kind != "file" or target.read_text() == "mine"


def test_what_appears_meanwhile_is_refused_and_nothing_stays(
    session: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = csv_export._publish

    def too_late(drafts: dict[Path, Path]) -> None:
        (tmp_path / FILES[1]).write_text("somebody else's")
        really(drafts)

    monkeypatch.setattr(csv_export, "_publish", too_late)
    with pytest.raises(UsageError, match="exists already"):
        export(session, to=tmp_path, tables=("sessions", "exposure", "minutes", "episodes"))
    assert written(tmp_path) == [FILES[1]]
    assert (tmp_path / FILES[1]).read_text() == "somebody else's"


def test_a_full_disk_leaves_nothing(session: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device"):
        export(session, to=tmp_path)
    assert written(tmp_path) == []


def test_a_failing_table_leaves_nothing(session: Judged, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="samples"):
        export(session, to=tmp_path, tables=("sessions", "samples"))
    assert written(tmp_path) == []


def another(session: Judged) -> Judged:
    return replace(session, header=replace(session.header, session_id="another"))


def test_all_files_of_all_sessions(session: Judged, tmp_path: Path) -> None:
    paths = export(session, another(session), to=tmp_path, tables=("days", "minutes"))
    assert [path.name for path in paths] == [
        "2026-03-29T005900Z-4f2a_days.csv",
        "2026-03-29T005900Z-4f2a_minutes.csv",
        "another_days.csv",
        "another_minutes.csv",
    ]
    assert written(tmp_path) == sorted(path.name for path in paths)


class Stopped(BaseException):
    """Ctrl-C, SIGTERM, the end of the world."""


@pytest.mark.parametrize("error", [Stopped(), KeyboardInterrupt(), ValueError()])
def test_a_second_session_that_fails_leaves_nothing_of_the_first(
    session: Judged, tmp_path: Path, error: BaseException
) -> None:
    directory = tmp_path / "made" / "for it"

    def export_and_fail() -> None:
        with exporting(directory) as files:
            files.add(session)
            assert len(written(directory)) == 5
            assert all(name.startswith(".") for name in written(directory))
            raise error

    with pytest.raises(type(error)):
        export_and_fail()
    assert written(tmp_path) == []


def test_a_directory_that_was_there_stays_and_so_do_the_files_of_others(session: Judged, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    directory = tmp_path / "there" / "made"

    def export_and_stop() -> None:
        with exporting(directory) as files:
            files.add(session)
            (directory / "mine").write_text("mine")
            raise Stopped

    with pytest.raises(Stopped):
        export_and_stop()
    assert written(directory) == ["mine"]


@pytest.mark.parametrize("when", [1, 3, 5])
def test_stopped_while_names_are_given_nothing_has_a_name(
    session: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    really, calls = Path.replace, iter(range(1, 99))

    def stopped(draft: Path, target: Path) -> Path:
        if next(calls) == when:
            raise Stopped
        return really(draft, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(Stopped):
        export(session, to=tmp_path)
    assert written(tmp_path) == []


def test_the_same_session_twice_is_refused(session: Judged, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        export(session, session, to=tmp_path)
    assert written(tmp_path) == []


def test_samples_are_told_as_they_are_written(session: Judged, tmp_path: Path) -> None:
    count = 70_000
    values = np.zeros((count, 3))
    nothing = np.full(count, math.nan)
    table = SampleTable(
        samples=make_samples(values), t_session_ns=np.arange(count), sagittal_deg=nothing, lateral_deg=nothing
    )
    told: list[float] = []
    (path,) = export(session, to=tmp_path, tables=("samples",), samples=table, advance=told.append)
    assert told == [65_536, 4_464]
    assert len(path.read_text().splitlines()) == 1 + count


def test_anonymous_files_do_not_carry_the_sessions_own_id(session: Judged, tmp_path: Path) -> None:
    paths = export(session, to=tmp_path, anonymous=True)
    (prefix,) = {path.name.partition("_")[0] for path in paths}
    assert len(prefix) == 32
    assert set(prefix) <= set("0123456789abcdef")
    (row,) = csv.DictReader((tmp_path / f"{prefix}_days.csv").read_text(encoding="utf-8").splitlines())
    assert row["session_id"] == prefix


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB; only root may make one."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a small file system can be made by root only")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_full_is_said_and_left_as_it_was(session: Judged, small_disk: Path) -> None:
    long = replace(session, posture=np.repeat(session.posture, 40_000))
    with pytest.raises(UsageError, match=r"could not be written to .*: No space left on device\."):
        export(long, to=small_disk / "made")
    assert written(small_disk) == []
    assert len(export(session, to=small_disk / "made", tables=("sessions", "days"))) == 2


def test_a_directory_that_is_a_file(session: Judged, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        export(session, to=tmp_path / "file")


@pytest.mark.parametrize("session_id", ["../x", "", ".hidden", "a/b", "a\0b", "x" * 81, "é", "NUL", "com1.x", "a\n"])
def test_a_session_id_cannot_lead_elsewhere(session: Judged, tmp_path: Path, session_id: str) -> None:
    hostile = replace(session, header=replace(session.header, session_id=session_id))
    with pytest.raises(RecordingError, match="cannot be part of a file name"):
        export(hostile, to=tmp_path)
    assert written(tmp_path) == []


def test_all_sessions_are_checked_first(tmp_path: Path) -> None:
    check_targets(["a", "b"], tmp_path / "absent")
    with pytest.raises(UsageError, match=r"a_sessions\.csv exists already"):
        check_targets(["a", "b", "a"], tmp_path)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        (None, ("sessions", "days", "minutes", "episodes", "exposure")),
        ("days", ("days",)),
        ("samples", ("samples",)),
        (" minutes, samples ,minutes,", ("minutes", "samples")),
    ],
)
def test_lists_of_tables(text: str | None, tables: tuple[str, ...]) -> None:
    assert parse_tables(text) == tables


@pytest.mark.parametrize("text", ["", " , ", "weeks", "sessions,\x1b[31m"])
def test_unknown_tables_are_named(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_tables(text)
    assert str(refused.value).isprintable()
    assert refused.value.hint == "There are: sessions, days, minutes, episodes, exposure, samples."
