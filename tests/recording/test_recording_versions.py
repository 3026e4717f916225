"""Files of every version of the format, and of every version of the program, are read as what they were."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from companion.errors import UnsupportedVersion
from companion.recording import identity, open_recording, reader
from companion.recording.codec import KINDS, payload_of
from companion.recording.schema import VERSION, Row
from companion.recording.versions import STEPS, upgrade_from
from companion.session import Session
from firmware_protocol.frames import CalibrationSet, Frame, Tick, UserMark

SAMPLES = Path(__file__).with_name("versions")
PROGRAMS = ("program-0.1.0", "program-0.2.0-tilt", "program-0.2.0-makers", "program-0.2.0-polar")
EVENTS = {"CalibrationTaken", "SlouchStarted", "SlouchEnded", "AlertRaised", "AlertCleared", "SignalLost"}


def plain(value: Any) -> Any:
    """A field of a frame as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def told(frame: Frame) -> list[Any]:
    return [type(frame).__name__, {field.name: plain(getattr(frame, field.name)) for field in fields(frame)}]


def expected(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_file_of_every_version_is_read(version: int) -> None:
    """A version without a sample fails here."""
    before = (SAMPLES / f"v{version}.posture").read_bytes()
    assert int.from_bytes(before[60:64]) == version
    with open_recording(SAMPLES / f"v{version}.posture") as recording:
        assert [told(frame) for frame in recording.frames()] == expected(f"v{version}")
        assert (recording.damage, recording.closed) == ([], True)
    assert (SAMPLES / f"v{version}.posture").read_bytes() == before


def test_every_kind_of_frame_is_in_the_sample_of_its_version() -> None:
    assert {name for name, _ in expected(f"v{VERSION}")} == {kind.__name__ for kind in KINDS}


def test_every_step_between_versions_is_there() -> None:
    assert set(STEPS) == set(range(1, VERSION))


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_an_earlier_program_recorded_means_what_it_said_of_it(name: str) -> None:
    said = expected(name)
    with open_recording(SAMPLES / f"{name}.posture") as recording:
        frames = list(recording.frames())
        assert (recording.damage, recording.closed) == ([], True)
        assert json.loads(recording.header.settings_json) == said["settings"]
        session = Session(recording.header)
        reports = [session.feed(frames), session.close()]
    assert Counter(type(frame).__name__ for frame in frames) == said["frames"]
    placed = [json.loads(frame.calibration_json) for frame in frames if isinstance(frame, CalibrationSet)]
    assert [{name: each[name] for name in ("up", "forward")} for each in placed] == said["calibrations"]
    assert reports[1].summary is not None
    columns = {**reports[1].summary, "rate_hz": round(float(reports[1].summary["rate_hz"]), 1)}
    assert {column: columns[column] for column in said["columns"]} == said["columns"]
    happened = [event for report in reports for event in report.events if type(event).__name__ in EVENTS]
    assert [[type(event).__name__, getattr(event, "episode", None)] for event in happened] == said["events"]


@pytest.mark.parametrize("version", [VERSION + 1, 255, 2**31 - 1])
def test_a_newer_version_is_refused_with_a_sentence(tmp_path: Path, version: int) -> None:
    data = bytearray((SAMPLES / "v1.posture").read_bytes())
    data[60:64] = version.to_bytes(4)
    (tmp_path / "a.posture").write_bytes(data)
    with pytest.raises(UnsupportedVersion, match=rf"newer version of this program \(format {version}\)\.$") as caught:
        open_recording(tmp_path / "a.posture")
    assert (caught.value.exit_code, caught.value.hint) == (5, "Update the program to read it.")
    assert (tmp_path / "a.posture").read_bytes() == data


def old_mark(row: Row) -> Row:
    """As if marks had once been numbered 9 by another name, and devices had been called otherwise."""
    number, kind, t_ns, source, payload, crc = row
    if kind == KINDS[UserMark]:
        payload = payload.replace(b'"note"', b'"remark"')
    return number, kind, t_ns, source, payload.replace(b'"back"', b'"upper back"'), crc


def doubled(row: Row) -> Row:
    return (*row[:4], row[4].replace(b"remark", b"remark remark"), row[5])


def test_rows_of_an_older_version_go_through_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays as it is, its checksums are looked at before anything is changed."""
    monkeypatch.setattr(identity, "VERSION", 3)
    monkeypatch.setattr(reader, "upgrade_from", lambda version: upgrade_from(version, {1: old_mark, 2: doubled}, 3))
    with open_recording(SAMPLES / "v1.posture") as recording:
        found = [told(frame) for frame in recording.frames()]
        assert (recording.damage, recording.header.device) == ([], "upper back")
    wanted = expected("v1")
    wanted[0][1]["device"] = "upper back"
    (mark,) = (fields for name, fields in wanted if name == "UserMark")
    mark["kind"] = "remark remark"
    assert found == wanted


def test_a_version_whose_step_was_forgotten_is_no_silent_guess() -> None:
    with pytest.raises(KeyError):
        upgrade_from(1, {2: doubled}, 3)
    assert upgrade_from(3, {1: old_mark, 2: doubled}, 3) is None


def test_the_upgrade_holds_in_the_rows_of_the_fast_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks and packets are read many at a time where nothing is to be changed, and one at a time where it is."""

    def later(row: Row) -> Row:
        return (*row[:2], row[2] + 5, *row[3:]) if row[1] == KINDS[Tick] else row

    monkeypatch.setattr(reader, "upgrade_from", lambda version: later)
    with open_recording(SAMPLES / "v1.posture") as recording:
        moved = [frame for frame in recording.frames() if isinstance(frame, Tick)]
    monkeypatch.undo()
    with open_recording(SAMPLES / "v1.posture") as recording:
        plain_ones = [frame for frame in recording.frames() if isinstance(frame, Tick)]
    assert moved == [replace(frame, t_host_ns=frame.t_host_ns + 5) for frame in plain_ones]


def test_payloads_are_written_as_in_the_sample(write: Callable[[Path, list[Frame]], Path], tmp_path: Path) -> None:
    """A change of what is written is a new version: these bytes are version 1."""
    with open_recording(SAMPLES / "v1.posture") as recording:
        *frames, closed = recording.frames()
    path = write(tmp_path / "again.posture", frames)
    assert [payload_of(frame) for frame in frames][1].startswith(b'{"address":"C0:FF:EE:00:00:01","name":"Sensor')
    with open_recording(path) as recording:
        *again, other = recording.frames()
    assert again == frames
    assert (closed.hash, closed.count) == (other.hash, other.count)  # type: ignore[union-attr]
