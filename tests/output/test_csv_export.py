"""Exported files: whole or not there, private, never over anything."""

import csv
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from companion.errors import UsageError
from companion.output import csv_export
from companion.output.csv_export import check_targets, parse_tables, write_tables
from companion.tables.dictionary import names
from companion.tables.judged import Judged
from firmware_protocol.frames import Opened


@pytest.fixture
def session(header: Opened, make_rows: Callable[..., Any]) -> Judged:
    return Judged(header=header, summary={"device": 'a "b", c'}, posture=make_rows(10, 1), events=())


def written(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


FILES = [f"2026-03-29T005900Z-4f2a_{table}.csv" for table in ("episodes", "exposure", "minutes", "sessions")]


def test_files_are_private_and_read_back(session: Judged, tmp_path: Path) -> None:
    directory = tmp_path / "made" / "for it"
    paths = write_tables(session, directory)
    assert written(directory) == FILES
    assert sorted(path.name for path in paths) == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    data = (directory / FILES[3]).read_bytes()
    assert b"\r" not in data
    rows = list(csv.DictReader(data.decode().splitlines()))
    assert list(rows[0]) == list(names("sessions"))
    assert rows[0]["device"] == 'a "b", c'
    assert (directory / FILES[0]).read_text() == ",".join(names("episodes")) + "\n"


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
        write_tables(session, tmp_path)
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
        write_tables(session, tmp_path, ("sessions", "exposure", "minutes", "episodes"))
    assert written(tmp_path) == [FILES[1]]
    assert (tmp_path / FILES[1]).read_text() == "somebody else's"


def test_a_full_disk_leaves_nothing(session: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_tables(session, tmp_path)
    assert written(tmp_path) == []


def test_a_failing_table_leaves_nothing(session: Judged, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="samples"):
        write_tables(session, tmp_path, ("sessions", "samples"))
    assert written(tmp_path) == []


def test_a_directory_that_is_a_file(session: Judged, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        write_tables(session, tmp_path / "file")


@pytest.mark.parametrize("session_id", ["../x", "", ".hidden", "a/b", "a\0b", "x" * 81, "é"])
def test_a_session_id_cannot_lead_elsewhere(session: Judged, tmp_path: Path, session_id: str) -> None:
    hostile = replace(session, header=replace(session.header, session_id=session_id))
    with pytest.raises(UsageError, match="cannot be part of a file name"):
        write_tables(hostile, tmp_path)
    assert written(tmp_path) == []


def test_all_sessions_are_checked_first(tmp_path: Path) -> None:
    check_targets(["a", "b"], tmp_path / "absent")
    with pytest.raises(UsageError, match=r"a_sessions\.csv exists already"):
        check_targets(["a", "b", "a"], tmp_path)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        (None, ("sessions", "minutes", "episodes", "exposure")),
        ("samples", ("samples",)),
        (" minutes, samples ,minutes,", ("minutes", "samples")),
    ],
)
def test_lists_of_tables(text: str | None, tables: tuple[str, ...]) -> None:
    assert parse_tables(text) == tables


@pytest.mark.parametrize("text", ["", " , ", "days", "sessions,\x1b[31m"])
def test_unknown_tables_are_named(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_tables(text)
    assert str(refused.value).isprintable()
    assert refused.value.hint == "There are: sessions, minutes, episodes, exposure, samples."
