"""Files that are no recording, or want to be more than one: refused with a sentence, never run, never changed."""

import json
import os
import sqlite3
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.errors import CompanionError, NotARecording, RecordingError, UnsupportedVersion
from companion.recording import close_cut_off_sessions, open_recording
from companion.recording import salvage as salvage_module
from companion.recording.query import Query
from companion.recording.schema import APPLICATION_ID, TABLES, VERSION, pack_head
from firmware_protocol.frames import Frame, LinkDown, Opened

SessionOf = Callable[[int], list[Frame]]
Write = Callable[[Path, list[Frame]], Path]


def database(path: Path, *statements: str, application_id: int = APPLICATION_ID, version: int = VERSION) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA application_id={application_id}")
    connection.execute(f"PRAGMA user_version={version}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n)"
VIEW = (
    f"CREATE VIEW frames AS {ENDLESS} SELECT i AS number, 0 AS kind, 0 AS t_ns, 0 AS source, x'' AS payload, 0 AS crc"
    " FROM n"
)
BARE = "CREATE TABLE frames (number INTEGER PRIMARY KEY, kind, t_ns, source, payload, crc)"


def text_file(path: Path) -> None:
    path.write_text("number,kind\n" * 1000, encoding="utf-8")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 << 30)


def cut_header(path: Path) -> None:
    database(path, *TABLES.values())
    os.truncate(path, 99)


def no_first_page(path: Path) -> None:
    database(path, *TABLES.values())
    with path.open("r+b") as file:
        file.write(bytes(4096))


STRANGE: dict[str, tuple[Callable[[Path], object], type[CompanionError], str]] = {
    "nothing": (lambda path: None, NotARecording, "there is no file"),
    "a directory": (lambda path: path.mkdir(), NotARecording, "is no file"),
    "a pipe": (os.mkfifo, NotARecording, "is no file"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), NotARecording, "there is no file"),
    "an empty file": (lambda path: path.touch(), NotARecording, "no recording of this program"),
    "a text": (text_file, NotARecording, "no recording of this program"),
    "five gigabytes": (sparse, NotARecording, "larger than any recording"),
    "half a header": (cut_header, NotARecording, "no recording of this program"),
    "no first page": (no_first_page, NotARecording, "no recording of this program"),
    "a foreign database": (
        lambda path: database(path, *TABLES.values(), application_id=7),
        NotARecording,
        "an SQLite file, but no recording",
    ),
    "no version": (
        lambda path: database(path, *TABLES.values(), version=0),
        NotARecording,
        "an SQLite file, but no recording",
    ),
    "a newer version": (
        lambda path: database(path, *TABLES.values(), version=VERSION + 1),
        UnsupportedVersion,
        "newer version of this program",
    ),
    "no tables": (lambda path: database(path, "CREATE TABLE other (a)"), NotARecording, "the beginning"),
    "no frames": (lambda path: database(path, *TABLES.values()), NotARecording, "the beginning"),
    "other columns": (lambda path: database(path, BARE, TABLES["copies"]), NotARecording, "the beginning"),
    "an endless view": (
        lambda path: database(path, VIEW, TABLES["copies"]),
        NotARecording,
        "tables or programs that no recording has",
    ),
    "a trigger": (
        lambda path: database(
            path, *TABLES.values(), "CREATE TRIGGER t AFTER INSERT ON frames BEGIN DELETE FROM copies; END"
        ),
        NotARecording,
        "tables or programs that no recording has",
    ),
    "an index": (
        lambda path: database(path, *TABLES.values(), "CREATE INDEX i ON frames (hex(payload))"),
        NotARecording,
        "tables or programs that no recording has",
    ),
    "a table of posture rows": (
        lambda path: database(path, *TABLES.values(), "CREATE TABLE posture (t_s, angle_deg)"),
        NotARecording,
        "tables or programs that no recording has",
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_recording_is_refused_with_one_sentence(tmp_path: Path, name: str) -> None:
    make, error, words = STRANGE[name]
    path = tmp_path / "a.posture"
    make(path)
    before = path.read_bytes() if path.is_file() and path.stat().st_size < 1 << 20 else None
    with pytest.raises(error, match=words) as caught:
        open_recording(path)
    assert str(caught.value).count(". ") == 0
    assert "\n" not in str(caught.value)
    assert close_cut_off_sessions(tmp_path) == []
    assert [each.name for each in tmp_path.iterdir()] == ([] if name == "nothing" else ["a.posture"])
    if before is not None:
        assert path.read_bytes() == before


INSERT = "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)"
BIG = 3 << 20


def sealed(number: int, kind: int, source: int | str, payload: bytes, t_ns: int = 0) -> tuple[object, ...]:
    """A row whose checksum is right."""
    spelled = source.encode() if isinstance(source, str) else b""
    head = pack_head(number, kind, t_ns, int(str(source).partition("=")[0]), len(payload))
    return (
        number,
        kind,
        t_ns,
        source,
        payload,
        struct.unpack("<i", struct.pack("<I", zlib.crc32(head + spelled + payload)))[0],
    )


ROWS: dict[str, tuple[object, ...]] = {
    "a huge payload": (5, 1, 0, 1, bytes(BIG), 0),
    "a huge payload with its checksum": sealed(5, 1, 1, bytes(BIG)),
    "text as payload": (5, 1, 0, 1, "text", 0),
    "a number as payload": (5, 1, 0, 1, 3.5, 0),
    "text as kind": (5, "one", 0, 1, b"", 0),
    "bytes as time": (5, 1, b"\0", 1, b"", 0),
    "bytes as source": (5, 1, 0, b"1=x", b"", 0),
    "a source without number": (5, 1, 0, "motion", b"", 0),
    "a source with a long number": (5, 1, 0, "9" * 5000 + "=x", b"", 0),
    "a checksum that is text": (5, 1, 0, 1, b"", "crc"),
    "a checksum that is no whole number": (5, 1, 0, 1, b"", 1.5),
    "a wrong checksum": (5, 1, 0, 1, b"\x01", 0),
    "a source that nothing names": sealed(5, 1, 99, b"\x01"),
    "a time beyond all clocks": sealed(5, 0, 0, b"", 2**63 - 1),
    "a packet's time beyond all clocks": sealed(5, 1, "9=x", b"", -(2**63)),
    "a kind that is not known": sealed(5, 63, 0, b"{}"),
    "a kind of the other table": sealed(5, 64 + 14, 0, b"{}"),
    "no JSON": sealed(5, 7, 0, b"\xff\x00"),
    "JSON of another shape": sealed(5, 7, 0, b'{"cause": ["out of range"]}'),
    "JSON that is a list": sealed(5, 7, 0, b"[]"),
    "JSON without a field": sealed(5, 7, 0, b"{}"),
    "a number of no use": sealed(5, 12, 0, b'{"count": NaN}'),
    "a number of more than 64 bits": sealed(5, 12, 0, b'{"count": 99999999999999999999}'),
    "deep JSON": sealed(5, 7, 0, b"[" * 500_000),
    "a number of five thousand digits": sealed(5, 12, 0, b'{"count": ' + b"9" * 5_000 + b"}"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_strange_row_is_skipped_and_named(tmp_path: Path, session_of: SessionOf, write: Write, name: str) -> None:
    frames = session_of(2)
    path = write(tmp_path / "a.posture", frames)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DELETE FROM frames WHERE number = 5")
    connection.execute("VACUUM")  # or the old row would be found in the free space of its page
    connection.execute(INSERT, ROWS[name])
    connection.close()
    with open_recording(path) as recording:
        *given, _ = recording.frames()
        damage = recording.damage
    assert given == frames[:5] + frames[6:]
    ((from_s, to_s, reason),) = damage
    assert (round(from_s, 3), round(to_s, 3)) == (0.2, 0.4)
    assert reason.startswith("1 frame is damaged or missing")


def test_an_opening_that_says_nothing_is_no_recording(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    path = write(tmp_path / "a.posture", session_of(1))
    connection = sqlite3.connect(path)
    connection.execute(INSERT, sealed(0, 2, 0, b'{"driver": "posture_v1"}'))
    connection.execute("DELETE FROM copies WHERE number = 0")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    with pytest.raises(NotARecording):
        open_recording(path)


def test_reading_writes_nothing_anywhere(
    tmp_path: Path, session_of: SessionOf, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    place = tmp_path / "place"
    place.mkdir()
    path = write(place / "a.posture", session_of(30))
    before = path.read_bytes()
    place.chmod(0o500)
    try:
        with open_recording(path) as recording:
            assert len(list(recording.frames())) == len(session_of(30)) + 1
    finally:
        place.chmod(0o700)
    connection = sqlite3.connect(path)  # an SQLite session with files beside it, as a kill leaves them
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    left = {each.name: each.read_bytes() for each in place.iterdir()}
    assert set(left) == {"a.posture", "a.posture-wal", "a.posture-shm"}
    with open_recording(path) as recording:
        assert len(list(recording.frames())) == len(session_of(30)) + 1
        assert [each.stat().st_mode & 0o777 for each in private.iterdir()] == [0o700]
    assert {each.name: each.read_bytes() for each in place.iterdir()} == left
    assert list(private.iterdir()) == []
    connection.close()
    assert len(path.read_bytes()) == len(before)


def test_a_file_that_goes_away_while_it_is_read(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    path = write(tmp_path / "a.posture", session_of(10))
    recording = open_recording(path)
    path.unlink()
    with pytest.raises(RecordingError):
        list(recording.frames())


def test_a_device_that_lies_about_its_name_is_recorded_as_it_lies(tmp_path: Path, opened: Opened, write: Write) -> None:
    strange = LinkDown(t_host_ns=opened.t_host_ns, cause="\x1b[31m\u202e\x00 ' \"; DROP TABLE frames; --")
    with open_recording(write(tmp_path / "a.posture", [opened, strange])) as recording:
        assert list(recording.frames())[1] == strange


def test_embedded_json_that_no_parser_should_meet(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    """Settings and calibrations are JSON within JSON, and are parsed by those who use them."""
    frames = session_of(2)
    for number, text in enumerate(("[" * 200_000, '{"a":' * 60, '{"up": [' + "9" * 400 + ", 0, 0]}")):
        path = write(tmp_path / f"{number}.posture", frames)
        connection = sqlite3.connect(path)
        connection.execute(INSERT, sealed(5, 11, 0, json.dumps({"calibration_json": text}).encode(), 10**8))
        connection.commit()
        connection.close()
        with open_recording(path) as recording:
            *given, _ = recording.frames()
            ((_, _, reason),) = recording.damage
        assert given == frames[:5] + frames[6:]
        assert "nested too deeply, or a number without an end" in reason


def test_payloads_are_not_more_than_the_file_has_room_for(
    tmp_path: Path, session_of: SessionOf, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows can share their overflow pages: gigabytes out of a small file. Here the file only seems smaller."""
    frames = session_of(60)
    path = write(tmp_path / "a.posture", frames)
    connection = sqlite3.connect(path)
    enough = sum(len(payload) for (payload,) in connection.execute("SELECT payload FROM frames"))
    assert sum(map(len, Query(connection, enough).batches())) == len(frames) + 1
    with pytest.raises(sqlite3.DatabaseError, match="more payloads than the file has room for"):
        list(Query(connection, enough - 1).batches())
    connection.close()

    opened_pages = salvage_module._Pages.opened

    def smaller(where: Path, wal: Path | None) -> salvage_module._Pages:
        pages = opened_pages(where, wal)
        pages.bytes = enough // 2
        return pages

    monkeypatch.setattr(salvage_module._Pages, "opened", smaller)
    found = salvage_module.salvage(path, None)
    assert found.capped
    assert len(frames) // 4 < len(found.frames) < len(frames) * 3 // 4


def test_no_chain_of_pages_goes_on_for_ever(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    path = write(tmp_path / "a.posture", session_of(2))
    with path.open("rb") as file:
        pages = salvage_module._Pages(file, None)
        pages.overflow_left = 2
        assert [len(pages.numbered(2)) for _ in range(4)] == [4096, 4096, 0, 0]


STRANGE_SIDES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": Path.mkdir,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "empty": Path.touch,
    "noise": lambda path: path.write_bytes(os.urandom(50_000)),
    "four gigabytes of nothing": lambda path: (path.write_bytes(bytes(32)), os.truncate(path, 4 << 30)),
    "a header, then four gigabytes of nothing": lambda path: (
        path.write_bytes(struct.pack(">8I", 0x377F0682, 3_007_000, 4096, 0, 0, 0, 0, 0)),
        os.truncate(path, 4 << 30),
    ),
}


@pytest.mark.parametrize("name", STRANGE_SIDES)
@pytest.mark.parametrize("header", [b"\x01\x01", b"\x02\x02"])
def test_something_strange_beside_a_recording(
    tmp_path: Path, session_of: SessionOf, write: Write, name: str, header: bytes
) -> None:
    """With 2 in its header the file says that it has a `-wal`."""
    path = write(tmp_path / "a.posture", session_of(5))
    data = bytearray(path.read_bytes())
    data[18:20] = header
    path.write_bytes(data)
    STRANGE_SIDES[name](path.with_name("a.posture-wal"))
    with open_recording(path) as recording:
        assert list(recording.frames())[:-1] == session_of(5)
        assert (recording.damage, recording.closed) == ([], True)
    close_cut_off_sessions(tmp_path)
    with open_recording(path) as recording:
        assert list(recording.frames())[:-1] == session_of(5)


def test_a_million_tables_are_not_looked_at(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    path = write(tmp_path / "a.posture", session_of(2))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute(
        f"{ENDLESS[:-1]} LIMIT 3000) INSERT INTO sqlite_schema SELECT 'table', 't' || i, 't' || i, 2, 'CREATE' FROM n"
    )
    connection.close()
    with pytest.raises(NotARecording, match="tables or programs that no recording has"):
        open_recording(path)


def test_what_holds_no_opening_at_its_beginning_is_not_read_to_its_end(
    tmp_path: Path, session_of: SessionOf, write: Write
) -> None:
    whole = write(tmp_path / "whole.posture", session_of(5)).read_bytes()
    path = tmp_path / "a.posture"
    path.write_bytes(whole[:100] + b"\1" * (2 << 20) + whole[4096:])
    with pytest.raises(NotARecording, match="does not hold the beginning"):
        open_recording(path)


def test_eight_megabytes_of_something_else_end_the_search(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    frames = session_of(60)
    whole = write(tmp_path / "whole.posture", frames).read_bytes()
    middle = len(whole) // 2 // 4096 * 4096
    path = tmp_path / "a.posture"
    for strange, is_found in ((b"\1" * (1 << 20), True), (b"\1" * (9 << 20), False), (bytes(9 << 20), True)):
        path.write_bytes(whole[:4096] + b"\1" + whole[4097:middle] + strange + whole[middle:])
        with open_recording(path) as recording:
            given, damage = list(recording.frames()), recording.damage
        assert (given[:-1] == frames) is is_found
        assert is_found or "too long" in damage[-1][2]
        assert is_found or any("missing" in reason for *_, reason in damage)
