"""Damaged session files: what is lost is little and named, what is given is right, and the file stays as it is."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.errors import RecordingError
from companion.recording import RecordingWriter, close_cut_off_sessions, open_recording
from companion.recording.schema import PAGE_BYTES
from firmware_protocol.frames import Closed, Frame, Notification, Opened

SECONDS = 300
HEADER_BYTES = 100
SessionOf = Callable[[int], list[Frame]]
Write = Callable[[Path, list[Frame]], Path]
Read = Callable[[Path], tuple[list[Frame], list[tuple[float, float, str]]]]


@pytest.fixture(scope="module")
def five_minutes(tmp_path_factory: pytest.TempPathFactory, session_of: SessionOf, write: Write) -> bytes:
    """The bytes of a closed session file."""
    return write(tmp_path_factory.mktemp("whole") / "whole.posture", session_of(SECONDS)).read_bytes()


@pytest.fixture
def whole(tmp_path: Path, five_minutes: bytes) -> Path:
    """A session file without damage."""
    path = tmp_path / "whole.posture"
    path.write_bytes(five_minutes)
    return path


def changed(path: Path, offset: int, mask: int) -> Path:
    """A copy of a file with one byte changed."""
    data = bytearray(path.read_bytes())
    data[offset] ^= mask
    copy = path.with_name("changed.posture")
    copy.write_bytes(data)
    return copy


def places_in(given: list[Frame], original: list[Frame]) -> list[int]:
    """Which of the original frames were given; fails where one was never recorded or comes out of order."""
    numbers = {repr(frame): number for number, frame in enumerate(original)}
    places = [numbers[repr(frame)] for frame in given]
    assert places == sorted(set(places))
    return places


def require_named(lost: list[int], original: list[Frame], damage: list[tuple[float, float, str]]) -> None:
    for number in lost:
        t_s = (original[number].t_host_ns - original[0].t_host_ns) / 1e9
        assert any(from_s <= t_s <= to_s for from_s, to_s, _ in damage), (number, t_s, damage)


@pytest.mark.parametrize("seed", range(40))
def test_one_changed_byte_takes_ten_seconds_at_most(whole: Path, read: Read, seed: int) -> None:
    original, _ = read(whole)
    chance = random.Random(seed)
    offset = chance.randrange(whole.stat().st_size)
    copy = changed(whole, offset, 1 << chance.randrange(8))
    before = copy.read_bytes()
    try:
        given, damage = read(copy)
    except RecordingError:
        assert offset < HEADER_BYTES
        return
    lost = sorted(set(range(len(original))) - set(places_in(given, original)))
    require_named(lost, original, damage)
    assert sum(to_s - from_s for from_s, to_s, _ in damage) <= 10.0
    assert copy.read_bytes() == before


def leaf_of_frames(path: Path) -> int:
    """The offset of a page in the middle of the file that holds frames."""
    data = path.read_bytes()
    middle = len(data) // 2 // PAGE_BYTES * PAGE_BYTES
    assert data[middle] == 13  # SQLite: a leaf of a table
    return middle


ROOT_OF_FRAMES, ROOT_OF_COPIES = PAGE_BYTES, 2 * PAGE_BYTES
STRUCTURE = {
    "the schema's text": lambda path: path.read_bytes().index(b"CREATE TABLE frames") + 30,
    "the schema's page type": lambda path: 100,
    "the schema's number of cells": lambda path: 104,
    "the root page's type": lambda path: ROOT_OF_FRAMES,
    "the root page's number of cells": lambda path: ROOT_OF_FRAMES + 4,
    "the root page's last child": lambda path: ROOT_OF_FRAMES + 11,
    "the root page's first cell": lambda path: ROOT_OF_FRAMES + 13,
    "the copies' page type": lambda path: ROOT_OF_COPIES,
    "a leaf's type": leaf_of_frames,
    "a leaf's number of cells": lambda path: leaf_of_frames(path) + 4,
    "a leaf's first cell": lambda path: leaf_of_frames(path) + 9,
    "the last leaf's number of cells": lambda path: path.stat().st_size - PAGE_BYTES + 4,
}


@pytest.mark.parametrize("where", STRUCTURE)
@pytest.mark.parametrize("mask", [1, 2, 4, 8])
def test_a_changed_byte_in_sqlites_structure_takes_nothing(whole: Path, read: Read, where: str, mask: int) -> None:
    original, _ = read(whole)
    copy = changed(whole, STRUCTURE[where](whole), mask)
    with open_recording(copy) as recording:
        assert list(recording.frames()) == original
        assert (recording.damage, recording.closed) == ([], True)


def test_a_changed_payload_takes_one_frame(whole: Path, read: Read) -> None:
    original, _ = read(whole)
    frame = original[1500]
    assert isinstance(frame, Notification)
    copy = changed(whole, whole.read_bytes().index(frame.data), 1)
    given, damage = read(copy)
    assert given == original[:1500] + original[1501:]
    before, after = ((original[n].t_host_ns - original[0].t_host_ns) / 1e9 for n in (1499, 1501))
    assert damage == [(before, after, "1 frame is damaged or missing")]
    assert 0 < after - before < 0.5


def test_opening_and_end_are_there_twice(whole: Path, read: Read) -> None:
    original, _ = read(whole)
    data = whole.read_bytes()
    seconds = (original[-1].t_host_ns - original[0].t_host_ns) / 1e9
    for word, number, t_s in ((b'"session_id"', 0, 0.0), (b'"hash"', len(original) - 1, seconds)):
        first, second = data.index(word), data.rindex(word)
        assert first != second
        told = []
        for offset in (first, second):
            with open_recording(changed(whole, offset, 1)) as recording:
                assert list(recording.frames()) == original
                assert recording.closed
                told += recording.damage
        assert told == [(t_s, t_s, f"frame {number} is damaged and was read from its copy")]


@pytest.mark.parametrize("number", [2, 3])
def test_a_row_that_names_a_source_takes_only_itself(whole: Path, read: Read, number: int) -> None:
    original, _ = read(whole)
    frame = original[number]
    assert isinstance(frame, Notification)
    row = f"2={frame.characteristic}".encode() + frame.data
    given, damage = read(changed(whole, whole.read_bytes().index(row) + 5, 4))
    assert given == original[:number] + original[number + 1 :]
    assert [reason for *_, reason in damage] == ["1 frame is damaged or missing"]


def test_a_lost_page_takes_the_frames_in_it(whole: Path, read: Read) -> None:
    """Also the first one, where the opening and the names of the sources stand."""
    original, _ = read(whole)
    data = bytearray(whole.read_bytes())
    frame = original[2]
    assert isinstance(frame, Notification)
    page = data.index(frame.data) // PAGE_BYTES * PAGE_BYTES
    data[page : page + PAGE_BYTES] = bytes(PAGE_BYTES)
    whole.write_bytes(data)
    given, damage = read(whole)
    gone = len(original) - len(given)
    assert given == [original[0], *original[gone + 1 :]]
    assert 20 < gone < 45
    t_s = (original[gone + 1].t_host_ns - original[0].t_host_ns) / 1e9
    assert damage == [
        (0.0, 0.0, "frame 0 is damaged and was read from its copy"),
        (0.0, t_s, f"{gone} frames are damaged or missing"),
    ]


def test_rows_that_do_not_belong_together_are_found(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    """A whole row, taken from another session under the same number: only the hash of the session tells."""
    frames = session_of(20)
    other = [frames[0], *(Notification(t_host_ns=f.t_host_ns, characteristic="x", data=b"?") for f in frames[1:])]
    path, strange = write(tmp_path / "a.posture", frames), write(tmp_path / "b.posture", other)
    connection = sqlite3.connect(path)
    connection.execute("ATTACH ? AS b", (str(strange),))
    connection.execute("REPLACE INTO frames SELECT * FROM b.frames WHERE number = 7")
    connection.commit()
    connection.close()
    with open_recording(path) as recording:
        assert len(list(recording.frames())) == len(frames) + 1
        assert recording.damage == [(0.0, 20.0, "the frames do not add up to the checksum of the whole session")]


def test_frames_that_are_not_there_are_named(whole: Path, read: Read) -> None:
    original, _ = read(whole)
    connection = sqlite3.connect(whole, isolation_level=None)
    connection.execute("DELETE FROM frames WHERE number BETWEEN 111 AND 220")
    connection.execute("VACUUM")  # or they would be found in the free pages
    connection.close()
    given, damage = read(whole)
    assert given == original[:111] + original[221:]
    edges = [(original[number].t_host_ns - original[0].t_host_ns) / 1e9 for number in (110, 221)]
    assert damage == [(*edges, "110 frames are damaged or missing")]


@pytest.mark.parametrize("cut_pct", [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 99.9])
def test_a_cut_file_gives_what_stands_before_the_cut(whole: Path, read: Read, cut_pct: float) -> None:
    original, _ = read(whole)
    cut = whole.with_name("cut.posture")
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * cut_pct / 100)])
    before = cut.read_bytes()
    with open_recording(cut) as recording:
        given, damage = list(recording.frames()), recording.damage
    places = places_in(given, original)
    overhead = 5 * PAGE_BYTES / whole.stat().st_size  # of schema, roots and copies
    assert len(places) >= 0.95 * (cut_pct / 100 - overhead) * len(original)
    require_named(sorted(set(range(len(original))) - set(places)), original, damage)
    assert close_cut_off_sessions(cut.parent) == []
    assert cut.read_bytes() == before


@pytest.mark.parametrize("seconds", [20, 40])
def test_cut_within_the_first_page_the_rows_before_the_cut_are_read(
    tmp_path: Path, session_of: SessionOf, write: Write, read: Read, seconds: int
) -> None:
    """SQLite fills a page from its end: the first rows, which spell out the sources, are the first to go."""
    path = write(tmp_path / "short.posture", session_of(seconds))
    whole, _ = read(path)
    data = path.read_bytes()
    cut = tmp_path / "cut.posture"
    counts = set()
    for length in range(3 * PAGE_BYTES + 200, 4 * PAGE_BYTES, 150):
        cut.write_bytes(data[:length])
        stood = [number for number, frame in enumerate(whole) if _stands_in(frame, data[3 * PAGE_BYTES : length])]
        given, damage = read(cut)
        assert set(stood) <= set(places_in(given, whole))
        require_named(sorted(set(range(len(whole))) - set(places_in(given, whole))), whole, damage)
        counts.add(len(stood))
    assert len(counts) > 10


def _stands_in(frame: Frame, data: bytes) -> bool:
    """Whether all of a packet's row is there: its payload, and the checksum of up to four bytes behind it."""
    if not isinstance(frame, Notification) or len(frame.data) < 8:
        return False
    at = data.find(frame.data)
    return 0 <= at <= len(data) - len(frame.data) - 4


def test_a_session_that_was_cut_off_and_then_cut(tmp_path: Path, session_of: SessionOf, read: Read) -> None:
    frames = session_of(SECONDS)
    path, copy = tmp_path / "a.posture", tmp_path / "copy.posture"
    recorder = RecordingWriter.create(path, threaded=False)
    for number, frame in enumerate(frames):
        recorder.put(number, frame)
    recorder._commit()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    shutil.copyfile(path, copy)  # no Closed, and no -wal beside it
    recorder._database.close()
    pages = copy.stat().st_size // PAGE_BYTES
    with copy.open("r+b") as file:
        file.truncate(pages // 2 * PAGE_BYTES)
    given, damage = read(copy)
    assert given == frames[: len(given)]
    assert len(given) > 0.45 * len(frames)
    ((from_s, to_s, reason),) = damage
    assert reason == "the file is cut short; its end is estimated"
    assert (from_s, to_s) == (pytest.approx(SECONDS / 2, rel=0.1), pytest.approx(SECONDS, rel=0.1))


@pytest.fixture
def cut_off(tmp_path: Path, session_of: SessionOf) -> tuple[Path, list[Frame]]:
    """A session as a kill leaves it, many commits of it in the -wal file."""
    frames = session_of(60)
    writing = tmp_path / "writing.posture"
    recorder = RecordingWriter.create(writing, threaded=False)
    for number, frame in enumerate(frames):
        assert recorder.put(number, frame)
        if number % 11 == 0:
            recorder._commit()
    recorder._commit()
    (tmp_path / "left").mkdir()
    for suffix in ("", "-wal", "-shm"):
        shutil.copyfile(tmp_path / f"writing.posture{suffix}", tmp_path / "left" / f"a.posture{suffix}")
    recorder._database.close()
    return tmp_path / "left" / "a.posture", frames


@pytest.mark.parametrize("seed", range(10))
def test_one_changed_byte_in_the_wal(cut_off: tuple[Path, list[Frame]], read: Read, seed: int) -> None:
    path, frames = cut_off
    chance = random.Random(seed)
    wal = path.with_name("a.posture-wal")
    data = bytearray(wal.read_bytes())
    data[chance.randrange(32, len(data))] ^= 1 << chance.randrange(8)
    wal.write_bytes(data)
    given, damage = read(path)
    lost = sorted(set(range(len(frames))) - set(places_in(given, frames)))
    assert len(lost) <= 1  # most rows stand in the -wal more than once
    require_named(lost, frames, damage)
    assert wal.read_bytes() == data
    assert close_cut_off_sessions(path.parent) == ([] if lost else [path])
    assert [frame for frame in read(path)[0] if not isinstance(frame, Closed)] == given


def test_a_cut_wal(cut_off: tuple[Path, list[Frame]], read: Read) -> None:
    path, frames = cut_off
    wal = path.with_name("a.posture-wal")
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size // 2 + 1000)
    given, damage = read(path)
    assert (given, damage) == (frames[: len(given)], [])
    assert len(given) > 0.4 * len(frames)
    assert close_cut_off_sessions(path.parent) == [path]
    *again, closed = read(path)[0]
    assert (again, type(closed)) == (given, Closed)


@pytest.mark.parametrize("where", ["the last checksum", "the last page"])
def test_a_damaged_tail_without_an_end_is_told(cut_off: tuple[Path, list[Frame]], read: Read, where: str) -> None:
    path, frames = cut_off
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    (crc,) = connection.execute("SELECT crc FROM frames ORDER BY number DESC").fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    at = data.rindex(crc.to_bytes(4, signed=True))
    if where == "the last checksum":
        data[at] ^= 1
    else:
        page = at // PAGE_BYTES * PAGE_BYTES
        data[page : page + PAGE_BYTES] = bytes(PAGE_BYTES)
    path.write_bytes(data)
    given, damage = read(path)
    assert given == frames[: len(given)] != frames
    assert damage[-1][2] == "the file is damaged and has no end; frames after this may be missing"
    assert close_cut_off_sessions(path.parent) == []
    assert path.read_bytes() == data


def test_frames_larger_than_a_page(tmp_path: Path, opened: Opened, write: Write, read: Read) -> None:
    chance = random.Random(5)
    frames: list[Frame] = [opened]
    for number, size in enumerate([*range(3_980, 4_110), 8_000, 8_191, 12_300, 34_836, 34_836, 34_836, 100_000]):
        data = chance.randbytes(size)
        t_ns = opened.t_host_ns + number
        frames.append(Notification(t_host_ns=t_ns, characteristic="samples", data=data))
    path = write(tmp_path / "a.posture", frames)
    original, _ = read(path)
    assert original[:-1] == frames
    given, damage = read(changed(path, 4096, 15))  # the root page: everything must be salvaged
    assert (given, damage) == (original, [])
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 30_000)
    given, damage = read(path)
    assert len(places_in(given, original)) == len(original) - 1
    assert damage == [(135e-9, 136e-9, "1 frame is damaged or missing")]


def test_the_rest_is_read_again_each_time(whole: Path, read: Read) -> None:
    original, _ = read(whole)
    frame = original[1500]
    assert isinstance(frame, Notification)
    with open_recording(changed(whole, whole.read_bytes().index(frame.data), 1)) as recording:
        assert recording.damage == []
        once = list(recording.frames())
        damage = recording.damage
        assert list(recording.frames()) == once
        assert recording.damage == damage
        assert len(damage) == 1


@pytest.mark.parametrize("place", [0, 3, 9, 13, 17, 22, 25, 30])
def test_a_changed_byte_in_the_header_of_the_wal(cut_off: tuple[Path, list[Frame]], read: Read, place: int) -> None:
    """SQLite passes over all of a `-wal` whose header it does not like; its rows are there all the same."""
    path, frames = cut_off
    wal = path.with_name("a.posture-wal")
    data = bytearray(wal.read_bytes())
    data[place] ^= 4
    wal.write_bytes(data)
    assert read(path) == (frames, [])
    assert close_cut_off_sessions(path.parent) == [path]
    assert [frame for frame in read(path)[0] if not isinstance(frame, Closed)] == frames
