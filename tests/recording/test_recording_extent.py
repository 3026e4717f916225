"""How long a session is: looked up where it ended in order, read where it did not, the same either way."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from companion.recording import Recording, RecordingWriter, open_recording
from companion.recording.extent import length_ns
from firmware_protocol.frames import Closed, Frame

SECOND_NS = 1_000_000_000


@pytest.fixture
def closed(session_of: Callable[[int], list[Frame]], write: Callable[..., Path], tmp_path: Path) -> Path:
    return write(tmp_path / "a.posture", session_of(30))


def test_of_a_closed_session_nothing_is_read(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = open_recording(closed)
    expected = recording.end().t_ns
    assert 30 * SECOND_NS <= expected < 31 * SECOND_NS
    monkeypatch.setattr(Recording, "end", None)
    assert length_ns(recording) == expected


def test_an_open_session_is_read(session_of: Callable[[int], Iterable[Frame]], tmp_path: Path) -> None:
    writer = RecordingWriter.create(tmp_path / "open.posture", threaded=False)
    for number, frame in enumerate(session_of(30)):
        assert writer.put(number, frame)
    writer._commit()
    for suffix in ("", "-wal"):
        shutil.copy(f"{writer.path}{suffix}", f"{tmp_path / 'cut.posture'}{suffix}")
    writer.close(Closed(t_host_ns=0, reason="r", count=0))
    with open_recording(tmp_path / "cut.posture") as recording:
        assert length_ns(recording) == 30 * SECOND_NS


def test_a_damaged_session_is_read_as_far_as_it_goes(closed: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.posture"
    data = closed.read_bytes()
    cut.write_bytes(data[: len(data) * 3 // 4])
    with open_recording(cut) as recording:
        assert 10 * SECOND_NS < length_ns(recording) < 31 * SECOND_NS
