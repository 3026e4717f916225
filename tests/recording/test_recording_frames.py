"""What is recorded is what is read: every kind of frame, and the rows that stand in the file."""

import hashlib
import json
import sqlite3
import struct
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.recording import RecordingWriter, open_recording
from companion.recording.codec import FIELDS, KINDS
from firmware_protocol import frames as kinds_of_frames
from firmware_protocol.frames import (
    Advertisement,
    CalibrationSet,
    ClockPair,
    Closed,
    Dropped,
    Frame,
    LinkDown,
    LinkUp,
    Notification,
    Opened,
    Reading,
    RecorderTrouble,
    SettingChanged,
    Tick,
    UserMark,
    Written,
)

times_ns = st.integers(0, 2**61)
texts = st.text()
names = st.text(st.characters(exclude_categories=["Cs"]))
some_bytes = st.binary(max_size=600)

KEYWORDS: dict[type, dict[str, st.SearchStrategy[object]]] = {
    Notification: {"characteristic": names, "data": some_bytes},
    Reading: {"characteristic": names, "data": some_bytes},
    Written: {"characteristic": names, "data": some_bytes},
    Advertisement: {
        "address": texts,
        "name": st.none() | texts,
        "rssi": st.none() | st.integers(-127, 20),
        "manufacturer_data": st.dictionaries(st.integers(0, 65535), some_bytes, max_size=3),
        "service_data": st.dictionaries(texts, some_bytes, max_size=3),
        "service_uuids": st.lists(texts, max_size=3).map(tuple),
    },
    LinkUp: {"address": texts, "mtu": st.none() | st.integers(23, 517)},
    LinkDown: {"cause": texts},
    Tick: {},
    ClockPair: {"utc_ns": st.integers(-(2**63), 2**63 - 1)},
    UserMark: {"kind": texts, "value": texts},
    SettingChanged: {"key": texts, "value": texts},
    CalibrationSet: {"calibration_json": texts},
    Dropped: {"count": st.integers(0, 10**9)},
    RecorderTrouble: {"reason": texts},
}
any_frame = st.one_of([st.builds(kind, t_host_ns=times_ns, **fields) for kind, fields in KEYWORDS.items()])
any_opening = st.builds(
    Opened,
    t_host_ns=times_ns,
    session_id=texts,
    driver=texts,
    device=texts,
    rate_hz=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    utc_ns=st.integers(-(2**63), 2**63 - 1),
    zone=texts,
    settings_json=texts,
    calibration_json=st.none() | texts,
    software_version=texts,
    origin=texts,
)


def test_every_kind_has_a_number_and_a_strategy() -> None:
    every = set(kinds_of_frames.Frame.__args__)
    assert set(KINDS) == every
    assert len(set(KINDS.values())) == len(every)
    assert set(KEYWORDS) | {Opened, Closed} == every
    for kind, fields in FIELDS.items():
        assert set(kind.__dataclass_fields__) - set(fields) <= {"t_host_ns"}


@settings(max_examples=25)
@given(opening=any_opening, frames=st.lists(any_frame, max_size=30), reason=texts)
def test_what_is_read_is_what_was_recorded(opening: Opened, frames: list[Frame], reason: str) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "a.posture"
        writer = RecordingWriter.create(path, threaded=False)
        for number, frame in enumerate([opening, *frames]):
            assert writer.put(number, frame)
        writer.close(Closed(t_host_ns=7, reason=reason, count=len(frames) + 1))
        with open_recording(path) as recording:
            *read, closed = recording.frames()
            assert recording.header == opening
            assert recording.closed
            assert recording.damage == []
    assert read == [opening, *frames]
    assert isinstance(closed, Closed)
    assert (closed.t_host_ns, closed.reason, closed.count) == (7, reason, len(frames) + 1)


def test_the_rows_in_the_file(tmp_path: Path, opened: Opened) -> None:
    name = "0000ffe4-0000-1000-8000-00805f9a34fb"
    t0_ns = opened.t_host_ns
    later = [
        Notification(t_host_ns=t0_ns + 5, characteristic=name, data=b"\x01\x02"),
        Notification(t_host_ns=t0_ns + 6, characteristic=name, data=b""),
        Notification(t_host_ns=t0_ns + 7, characteristic=name, data=b"\xff"),
        Written(t_host_ns=t0_ns + 7, characteristic="b", data=b"go"),
        Tick(t_host_ns=t0_ns + 1_000_000_000),
        Notification(t_host_ns=t0_ns + 60_000_000_006, characteristic=name, data=b"\x03"),
        LinkDown(t_host_ns=t0_ns - 4, cause="out of range — °"),
    ]
    writer = RecordingWriter.create(tmp_path / "a.posture", threaded=False)
    for number, frame in enumerate([opened, *later]):
        assert writer.put(number, frame)
    writer.close(Closed(t_host_ns=t0_ns + 9, reason="stopped", count=8))

    connection = sqlite3.connect(tmp_path / "a.posture")
    rows = connection.execute("SELECT number, kind, t_ns, source, payload FROM frames").fetchall()
    crcs = [crc for (crc,) in connection.execute("SELECT crc FROM frames")]
    copies = connection.execute("SELECT number, kind, t_ns, source, payload FROM copies").fetchall()
    connection.close()
    assert rows[1:-1] == [
        (1, 1, 5, f"1={name}", b"\x01\x02"),
        (2, 1, 6, f"1={name}", b""),
        (3, 1, 7, 1, b"\xff"),
        (4, 4, 7, "2=b", b"go"),
        (5, 0, 1_000_000_000, 0, b""),
        (6, 1, 60_000_000_006, f"1={name}", b"\x03"),
        (7, 7, -4, 0, b'{"cause":"out of range \\u2014 \\u00b0"}'),
    ]
    assert rows[0][:4] == (0, 2, 0, 0)
    assert json.loads(rows[0][4])["calibration_json"] == opened.calibration_json
    bodies = [
        struct.pack("<qqqqI", number, kind, t_ns, int(str(source).split("=")[0]), len(payload))
        + (source.encode() if isinstance(source, str) else b"")
        + payload
        for number, kind, t_ns, source, payload in rows
    ]
    assert crcs == [struct.unpack("<i", struct.pack("<I", zlib.crc32(body)))[0] for body in bodies]
    digest = hashlib.sha256(b"".join(bodies[:-1])).hexdigest()
    assert rows[-1][:4] == (8, 14, 9, 0)
    assert json.loads(rows[-1][4]) == {"reason": "stopped", "count": 8, "hash": digest}
    named = [(1, 127, 5, f"1={name}", b""), (4, 127, 7, "2=b", b"")]
    assert copies == [(0, 66, 0, 0, rows[0][4]), *named, (8, 78, 9, 0, rows[-1][4])]


T = 5
REFUSED: list[tuple[int, object]] = [
    (0, Tick(t_host_ns=T)),  # a session does not begin so
    (1, Tick(t_host_ns=T)),
]
REFUSED_LATER: list[tuple[int, object]] = [
    (0, Tick(t_host_ns=T)),  # the number was there
    (1, "no frame"),
    (1, Tick(t_host_ns=2**62)),
    (1, Tick(t_host_ns=None)),  # type: ignore[arg-type]
    (1, Notification(t_host_ns=T, characteristic=None, data=b"")),  # type: ignore[arg-type]
    (1, Notification(t_host_ns=T, characteristic="\ud800", data=b"")),
    (1, Notification(t_host_ns=T, characteristic="a", data="text")),  # type: ignore[arg-type]
    (1, Notification(t_host_ns=T, characteristic="a", data=bytes(1 << 21))),
    (1, LinkDown(t_host_ns=T, cause=3)),  # type: ignore[arg-type]
    (1, Dropped(t_host_ns=T, count=True)),
    (None, Tick(t_host_ns=T)),  # type: ignore[list-item]
]


def test_what_cannot_be_recorded_is_refused_and_does_no_harm(tmp_path: Path, opened: Opened) -> None:
    told: list[str] = []
    writer = RecordingWriter.create(tmp_path / "a.posture", on_trouble=told.append, threaded=False)
    for number, frame in REFUSED:
        assert not writer.put(number, frame)  # type: ignore[arg-type]
    assert writer.put(0, opened)
    for number, frame in REFUSED_LATER:
        assert not writer.put(number, frame)  # type: ignore[arg-type]
    assert not writer.put(1, opened)
    last = Notification(t_host_ns=opened.t_host_ns, characteristic="a", data=b"x")
    assert writer.put(1, last)
    writer.close(Closed(t_host_ns=opened.t_host_ns, reason="stopped", count=2))
    assert len(told) == len(set(told)) > 8
    with open_recording(tmp_path / "a.posture") as recording:
        assert list(recording.frames())[:2] == [opened, last]
        assert recording.damage == []


def test_numbers_from_numpy_are_numbers(tmp_path: Path, opened: Opened) -> None:
    t_ns = np.int64(opened.t_host_ns + 1)
    writer = RecordingWriter.create(tmp_path / "a.posture", threaded=False)
    assert writer.put(0, opened)
    assert writer.put(np.int64(1), Dropped(t_host_ns=t_ns, count=np.int64(3)))  # type: ignore[arg-type]
    assert writer.put(2, Notification(t_host_ns=t_ns, characteristic="a", data=bytearray(b"xy")))  # type: ignore[arg-type]
    writer.close(Closed(t_host_ns=t_ns, reason="stopped", count=np.int64(3)))  # type: ignore[arg-type]
    with open_recording(tmp_path / "a.posture") as recording:
        assert list(recording.frames())[1:3] == [
            Dropped(t_host_ns=opened.t_host_ns + 1, count=3),
            Notification(t_host_ns=opened.t_host_ns + 1, characteristic="a", data=b"xy"),
        ]


@pytest.mark.parametrize("threaded", [True, False])
def test_both_ways_of_writing_give_the_same_rows(tmp_path: Path, session_of, threaded: bool) -> None:
    frames = session_of(20)
    writer = RecordingWriter.create(tmp_path / "a.posture", threaded=threaded)
    assert all(writer.put(number, frame) for number, frame in enumerate(frames))
    writer.close(Closed(t_host_ns=frames[-1].t_host_ns, reason="stopped", count=len(frames)))
    with open_recording(tmp_path / "a.posture") as recording:
        *read, closed = recording.frames()
    assert read == frames
    assert closed.hash.hex() == "ee94aea9e0494444f9078d2b4f66efa977a6ecba01bc3fe5443cb6a8bc005b2f"
