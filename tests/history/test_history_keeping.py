"""The history's file: one writer at a time, whole after a kill, set aside where it is not ours to trust."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from companion import host
from companion.history import History, HistoryDamaged, Keeper, Unkeepable, copies_of
from companion.history.keeping import readable
from companion.history.schema import APPLICATION_ID, COLUMNS, TABLES, VERSION

Keeping = Callable[[], Any]


@pytest.fixture
def kept(entry, keeping: Keeping, path: Path) -> Path:
    """A history of one recording."""
    with keeping() as keeper, closing(keeper.opened()) as history:
        history.put(entry("a.posture"), "1")
    return path


def files_at(path: Path) -> list[str]:
    if not path.exists():
        return []
    with closing(History.at(path)) as history:
        return list(history.stamps("1"))


def names_beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_a_new_one_is_private_and_empty(keeping: Keeping, path: Path, told: list[str]) -> None:
    with keeping() as keeper:
        keeper.opened().close()
    assert files_at(path) == []
    assert names_beside(path) == ["history.db", "history.lock"]
    assert [each.stat().st_mode & 0o777 for each in path.parent.iterdir()] == [0o600, 0o600]
    assert told == []


def test_it_stays_from_one_time_to_the_next(kept: Path, keeping: Keeping, told: list[str]) -> None:
    with keeping() as keeper, closing(keeper.opened()) as history:
        assert list(history.stamps("1")) == ["a.posture"]
    assert told == []


def foreign(path: Path, application_id: int, version: int, *statements: str) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id={application_id}")
        connection.execute(f"PRAGMA user_version={version}")
        for statement in statements:
            connection.execute(statement)


EARLIER = (
    "CREATE TABLE sessions (file TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, forward_s REAL) WITHOUT ROWID",
    "INSERT INTO sessions VALUES ('a.posture', 12, 3.5)",
)
"""The first tables that ever were."""


@pytest.mark.parametrize("version", [1, VERSION - 1, VERSION + 1, 2**31 - 1])
def test_another_version_is_made_anew_and_not_kept(path: Path, keeping: Keeping, told: list[str], version: int) -> None:
    foreign(path, APPLICATION_ID, version, *EARLIER)
    assert readable(path) is None
    with keeping() as keeper, closing(keeper.opened()) as history:
        assert history.stamps("1") == {}
    assert int.from_bytes(path.read_bytes()[60:64]) == VERSION
    assert (names_beside(path), told) == (["history.db", "history.lock"], [])


def make_text(path: Path) -> None:
    path.write_text("my diary")


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_other(path: Path) -> None:
    foreign(path, 0, 7, "CREATE TABLE mine (x)")


def make_hostile(path: Path) -> None:
    foreign(path, APPLICATION_ID, VERSION, *TABLES.values(), "CREATE VIEW v AS SELECT * FROM v2")


def make_torn(path: Path) -> None:
    foreign(path, APPLICATION_ID, VERSION, *TABLES.values())
    path.write_bytes(path.read_bytes()[:4096])


def make_headless(path: Path) -> None:
    foreign(path, APPLICATION_ID, VERSION, *TABLES.values())
    path.write_bytes(b"X" + path.read_bytes()[1:])


def make_directory(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    target = path.with_name("elsewhere")
    foreign(target, APPLICATION_ID, VERSION, *TABLES.values())
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "to", "why"),
    [
        (make_text, "history.db.other", "it is damaged, or no database"),
        (make_empty, "history.db.other", "it is damaged, or no database"),
        (make_other, "history.db.other", "it is a database of something else"),
        (make_directory, "history.db.other", "it is no plain file"),
        (make_link, "history.db.other", "it is no plain file"),
        (make_hostile, "history.db.damaged", "its tables are not those of a history"),
        (make_torn, "history.db.damaged", "database disk image is malformed"),
        (make_headless, "history.db.damaged", "it is damaged, or no database"),
    ],
)
def test_what_cannot_be_trusted_is_set_aside_and_told(
    path: Path, keeping: Keeping, told: list[str], make: Callable[[Path], None], to: str, why: str
) -> None:
    make(path)
    aside = path.with_name(to)
    before = path.read_bytes() if path.is_file() else b""
    assert readable(path) is None
    with keeping() as keeper, closing(keeper.opened()) as history:
        assert history.stamps("1") == {}
        assert copies_of(path) == ([path, aside] if to.endswith("damaged") else [path])
        assert keeper.strangers == ([] if to.endswith("damaged") else [aside])
    assert told == [f"{path} could not be used ({why}); it is {to} now, and the history is made anew."]
    assert (aside.read_bytes() if aside.is_file() else b"") == before
    assert not path.is_symlink()


def test_nothing_is_overwritten_by_setting_aside(path: Path, keeping: Keeping) -> None:
    for text in ("one", "two", "three"):
        path.unlink(missing_ok=True)
        path.write_text(text)
        with keeping() as keeper:
            keeper.opened().close()
    kept = {each.name: each.read_text() for each in path.parent.glob("*.other*")}
    assert kept == {"history.db.other": "one", "history.db.other-2": "two", "history.db.other-3": "three"}


# ---- one at a time


def test_only_one_may_write(kept: Path, keeping: Keeping) -> None:
    with keeping():
        with pytest.raises(Unkeepable, match="another command is writing the history"), keeping():
            pass
        assert files_at(kept) == ["a.posture"], "everyone may read"
    with keeping():
        pass


def test_a_lock_that_was_deleted_meanwhile_counts_for_nothing(kept: Path, keeping: Keeping) -> None:
    with keeping() as keeper:
        keeper.lock.unlink()
        with keeping() as other:
            assert other.lock.exists()


def test_a_lock_that_is_deleted_while_it_is_taken_is_taken_anew(
    path: Path, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody deletes everything between the opening of the file and the lock on it."""
    hold, taken = host.hold_lock, []

    def late(lock: Path) -> int | None:
        taken.append(hold(lock))
        if len(taken) == 1:
            lock.unlink()
        return taken[-1]

    monkeypatch.setattr(host, "hold_lock", late)
    with Keeper.holding(path, 5.0, print) as keeper:
        assert len(taken) == 2
        assert keeper.lock.exists()


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with (
        pytest.raises(Unkeepable, match="cannot be written to"),
        Keeper.holding(tmp_path / "file" / "h.db", 0.0, print),
    ):
        pass


# ---- anew


def test_a_rebuild_takes_the_place_of_the_old_one(entry, kept: Path, keeping: Keeping) -> None:
    with keeping() as keeper, keeper.rebuilding() as history:
        history.put(entry("b.posture", 2), "1")
        assert files_at(kept) == ["a.posture"], "who reads meanwhile sees the old one"
    assert files_at(kept) == ["b.posture"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert names_beside(kept) == ["history.db", "history.lock"]


def test_a_rebuild_that_is_stopped_leaves_the_old_one(entry, kept: Path, keeping: Keeping) -> None:
    def stopped(history: History) -> None:
        history.put(entry("b.posture", 2), "1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), keeping() as keeper, keeper.rebuilding() as building:
        stopped(building)
    assert files_at(kept) == ["a.posture"]
    assert names_beside(kept) == ["history.db", "history.lock"]


def test_a_rebuild_does_not_lose_what_is_not_ours(path: Path, keeping: Keeping, told: list[str]) -> None:
    path.write_text("my diary")
    with keeping() as keeper, keeper.rebuilding():
        pass
    assert path.with_name("history.db.other").read_text() == "my diary"
    assert files_at(path) == []
    assert len(told) == 1


KILLED = """
import os, pathlib, signal, sys
from companion.history import Entry, Keeper, Stamp
where = pathlib.Path(sys.argv[1])
entry = Entry("b.posture", Stamp(1, 2), closed=True, error="x")
with Keeper.holding(where, 5.0, print) as keeper:
    {}
    os.kill(os.getpid(), signal.SIGKILL)
"""

IN_A_REBUILD = """
    building = keeper.rebuilding()
    building.__enter__().put(entry, "1")
"""
IN_A_TRANSACTION = """
    history = keeper.opened()
    connection = history._connection
    connection.execute("PRAGMA cache_size=1")
    connection.execute("PRAGMA cache_spill=1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM sessions")
    connection.executemany(
        "INSERT INTO episodes (file, episode, t_s, ended_by) VALUES ('z', ?, 0.0, ?)",
        ((number, "x" * 500) for number in range(2000)),
    )
    assert where.with_name("history.db-journal").stat().st_size > 4096
"""


def killed(path: Path, what: str) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED.format(what.strip()), str(path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL


def test_a_kill_in_a_rebuild_leaves_the_old_one(kept: Path, keeping: Keeping) -> None:
    killed(kept, IN_A_REBUILD)
    assert ".history.db.new" in names_beside(kept)
    assert files_at(kept) == ["a.posture"]
    with keeping() as keeper, keeper.rebuilding():
        pass
    assert names_beside(kept) == ["history.db", "history.lock"]


def test_a_kill_in_a_transaction_is_undone_by_the_next_writer(kept: Path, keeping: Keeping, told: list[str]) -> None:
    killed(kept, IN_A_TRANSACTION)
    assert kept.with_name("history.db-journal").exists()
    assert readable(kept) is None, "a reader undoes nothing"
    assert kept.with_name("history.db-journal").exists()
    with keeping() as keeper, closing(keeper.opened()) as history:
        assert list(history.stamps("1")) == ["a.posture"]
    assert not kept.with_name("history.db-journal").exists()
    assert told == []


def test_the_journal_of_a_killed_writer_is_not_played_into_the_next_file(entry, kept: Path, keeping: Keeping) -> None:
    killed(kept, IN_A_TRANSACTION)
    with keeping() as keeper, keeper.rebuilding() as history:
        for number in range(30):
            history.put(entry(f"{number}.posture", number), "1")
    assert names_beside(kept) == ["history.db", "history.lock"]
    assert len(files_at(kept)) == 30
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_journal_without_its_file_is_not_played_into_a_new_one(kept: Path, keeping: Keeping) -> None:
    killed(kept, IN_A_TRANSACTION)
    kept.unlink()
    with keeping() as keeper:
        keeper.opened().close()
    assert names_beside(kept) == ["history.db", "history.lock"]
    assert files_at(kept) == []


# ---- forgotten


def test_to_forget_takes_older_copies_with_it(entry, kept: Path, keeping: Keeping) -> None:
    for name in ("history.db.damaged", "history.db.damaged-2", ".history.db.new"):
        kept.with_name(name).write_bytes(kept.read_bytes())
    kept.with_name("history.db.other").write_text("mine")
    with keeping() as keeper:
        keeper.forget(["a.posture"])
    assert names_beside(kept) == ["history.db", "history.db.other", "history.lock"]
    assert files_at(kept) == []
    assert b"session_id 1" not in kept.read_bytes()


def test_to_forget_makes_no_history(keeping: Keeping, path: Path) -> None:
    with keeping() as keeper:
        keeper.forget(["a.posture"])
    assert names_beside(path) == ["history.lock"]


def test_a_file_of_the_lock_is_given_back(kept: Path, keeping: Keeping) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list descriptors")
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        with keeping() as keeper:
            keeper.opened().close()
    assert len(list(descriptors.iterdir())) == before


@pytest.mark.parametrize(("table", "column"), [("days", "forward_s"), ("sessions", "worn_s"), ("episodes", "t_s")])
def test_an_infinite_figure_is_damage(path: Path, keeping: Keeping, table: str, column: str) -> None:
    with keeping() as keeper, closing(keeper.opened()) as history:
        column = column if column in COLUMNS[table] else "forward_s"
        names = ", ".join(COLUMNS[table])
        kinds = {"TEXT": "'x'", "INTEGER": "1", "REAL": "1.0"}
        values = ", ".join("9e999" if name == column else kinds[kind] for name, kind in COLUMNS[table].items())
        history._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})")
        with pytest.raises(HistoryDamaged, match=f"a value in {table} is not of its type"):
            history.rows(table)
