"""The documentation of the session file is true: its tables, its example, its size."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.errors import RecordingError
from companion.recording import open_recording
from companion.recording.codec import FIELDS, KINDS
from companion.recording.schema import APPLICATION_ID, PAGE_BYTES, TABLES, VERSION
from firmware_protocol import driver, make_samples
from firmware_protocol.devices import imported
from firmware_protocol.frames import Frame, Notification, Opened

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "session-file.md").read_text(encoding="utf-8")
SessionOf = Callable[[int], list[Frame]]
Write = Callable[[Path, list[Frame]], Path]


def test_the_schema_is_the_documented_one_and_holds_no_results(
    tmp_path: Path, session_of: SessionOf, write: Write
) -> None:
    path = write(tmp_path / "a.posture", session_of(2))
    connection = sqlite3.connect(path)
    schema = connection.execute("SELECT sql FROM sqlite_schema").fetchall()
    pragmas = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "page_size", "journal_mode")
    ]
    kinds = {kind for (kind,) in connection.execute("SELECT kind FROM frames")}
    connection.close()
    documented = re.findall(r"^CREATE TABLE .*$", PAGE, re.MULTILINE)
    assert [sql for (sql,) in schema] == documented == list(TABLES.values())
    assert pragmas == [APPLICATION_ID, VERSION, PAGE_BYTES, "delete"]
    assert kinds <= set(KINDS.values())  # frames only: no posture row, no event


def test_the_documented_kinds() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    assert {(int(number), name) for number, name, _ in rows} == {(n, kind.__name__) for kind, n in KINDS.items()}
    names = {kind.__name__: set(fields) for kind, fields in FIELDS.items()}
    for _, name, words in rows:
        told = set(re.findall(r"`(\w+)`(?! = 0)", words))
        assert told - {"t_ns"} == names.get(name, set()), name


def test_the_documented_example_reads_a_session(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    frames = session_of(2)
    path = write(tmp_path / "a.posture", frames)
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    run = [sys.executable, "-c", example[1], path]
    lines = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == len(frames) + 1
    assert isinstance(frames[2], Notification)
    assert lines[2] == f"0.000 s 1 {frames[2].characteristic} {frames[2].data.hex()}"
    assert lines[12] == "1.000 s 0  "
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(frames[2].data)] ^= 1
    path.write_bytes(damaged)
    failed = subprocess.run(run, capture_output=True, text=True, check=False)
    assert "frame 2 is damaged" in failed.stderr


def test_an_hour_takes_at_most_three_and_a_half_megabytes(tmp_path: Path, session_of: SessionOf, write: Write) -> None:
    minutes = {number: write(tmp_path / f"{number}.posture", session_of(60 * number)) for number in (1, 13)}
    twelve_bytes = minutes[13].stat().st_size - minutes[1].stat().st_size
    assert 3_000_000 < twelve_bytes * 5 <= 3_500_000


def test_samples_come_from_the_headers_driver(tmp_path: Path, opened: Opened, write: Write) -> None:
    samples = make_samples([[0.0, 9.81, 0.1 * number] for number in range(1_000)], index=range(1_000))
    header = Opened(**{name: getattr(opened, name) for name in opened.__dataclass_fields__} | {"driver": "imported"})
    frames: list[Frame] = [header]
    for block in imported.encode(samples, 50.0):
        frames.append(Notification(t_host_ns=header.t_host_ns, characteristic=imported.CHARACTERISTIC, data=block))
    decoded = driver("imported").new_decoder().feed(frames).samples
    with open_recording(write(tmp_path / "a.posture", frames)) as recording:
        assert recording.samples().tobytes() == decoded.tobytes()
        assert len(recording.samples()) == 1_000
    assert (decoded["acc_mps2"] == samples["acc_mps2"]).all()


def test_a_driver_that_is_not_installed_is_a_sentence(tmp_path: Path, opened: Opened, write: Write) -> None:
    header = Opened(**{name: getattr(opened, name) for name in opened.__dataclass_fields__} | {"driver": "no_such"})
    with (
        open_recording(write(tmp_path / "a.posture", [header])) as recording,
        pytest.raises(RecordingError, match="needs the driver 'no_such'"),
    ):
        recording.samples()
