"""`posture verify`: 0 equal, 1 differs or damaged, 5 no recording; what was found out, in words and as JSON."""

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from companion import __version__, open_recording
from companion.commands import verify
from companion.recording.schema import seal
from companion.session import Session
from companion.views import settled
from firmware_protocol.frames import Closed, Notification

SAMPLES = Path(__file__).resolve().parents[2] / "recordings"
SAMPLE = SAMPLES / "slouch-31s.posture"

WHOLE = {
    "type": "verify",
    "equal": True,
    "closed": True,
    "frames": 427,
    "duration_s": 78.0,
    "damage": [],
    "structure": "whole",
    "hash": "equal",
    "figures": "equal",
    "history": "absent",
    "differing": [],
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copy(SAMPLE, tmp_path / "a.posture"))


def judged(posture: Any, path: Path, code: int, err: str = "") -> dict[str, Any]:
    before = path.read_bytes()
    ran = posture("verify", path, "--json")
    assert (ran.code, ran.err) == (code, err)
    assert path.read_bytes() == before
    (line,) = ran.lines
    found: dict[str, Any] = json.loads(line)
    assert found.pop("file") == str(path.absolute())
    return found


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.posture")), ids=lambda path: path.stem)
def test_the_samples_are_equal(posture: Any, sample: Path) -> None:
    found = judged(posture, sample, 0)
    assert found["equal"] is True
    assert (found["structure"], found["hash"], found["figures"]) == ("whole", "equal", "equal")


def test_a_whole_file_in_words_and_as_json(posture: Any, copy: Path) -> None:
    assert judged(posture, copy, 0) == WHOLE
    ran = posture("verify", copy)
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [
        str(copy),
        "427 frames, 0:01:18: each against its checksum",
        "pages of the file: whole",
        "count and checksum of the whole session: equal",
        "figures, computed whole and piece by piece: equal",
        "equal",
    ]


def test_a_flipped_byte_is_damage_with_its_time(posture: Any, copy: Path) -> None:
    with open_recording(copy) as recording:
        frames = list(recording.frames())
    number = next(n for n, frame in enumerate(frames) if n > 200 and isinstance(frame, Notification))
    frame = frames[number]
    assert isinstance(frame, Notification)
    data = bytearray(copy.read_bytes())
    data[data.index(frame.data) + 3] ^= 4
    copy.write_bytes(data)
    times_s = [(frames[n].t_host_ns - frames[0].t_host_ns) / 1e9 for n in (number - 1, number + 1)]
    damage = [{"from_s": round(times_s[0], 3), "to_s": round(times_s[1], 3), "reason": "1 frame is damaged or missing"}]
    changed = {"equal": False, "frames": 426, "damage": damage, "hash": "differs", "structure": "damaged"}
    found = judged(posture, copy, 1)
    assert found | {"structure": "damaged"} == WHOLE | changed
    ran = posture("verify", copy)
    assert (ran.code, ran.err) == (1, "")
    first_s, last_s = int(times_s[0]), int(times_s[1]) + 1
    assert f"damage 0:00:{first_s:02d}–0:00:{last_s:02d}: 1 frame is damaged or missing" in ran.lines
    assert ran.lines[-1] == "not equal"


def test_pages_that_are_damaged_without_a_loss_are_told(posture: Any, copy: Path) -> None:
    data = bytearray(copy.read_bytes())
    data[4096] ^= 1  # the root page of the frames
    copy.write_bytes(data)
    assert judged(posture, copy, 1) == WHOLE | {"equal": False, "structure": "damaged"}


@pytest.mark.parametrize("word", [b'"session_id"', b'"hash"'])
def test_both_copies_of_the_first_and_the_last_frame_are_looked_at(posture: Any, copy: Path, word: bytes) -> None:
    """One of the two is the second copy, with which nothing is lost."""
    told = []
    data = copy.read_bytes()
    for place in (data.index(word), data.rindex(word)):
        copy.write_bytes(data[:place] + b"?" + data[place + 1 :])
        told.append(judged(posture, copy, 1))
    assert [each["structure"] for each in told] == ["damaged", "damaged"]
    assert sorted(len(each["damage"]) for each in told) == [0, 1]
    assert {each["hash"] for each in told} == {"equal"}


def test_an_end_that_tells_another_count(posture: Any, copy: Path) -> None:
    connection = sqlite3.connect(copy)
    (payload,) = connection.execute("SELECT payload FROM frames ORDER BY number DESC LIMIT 1").fetchone()
    said = json.loads(payload) | {"count": 400}
    row, _ = seal(426, 14, 78_000_000_000, 0, json.dumps(said).encode())
    connection.execute("REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    found = judged(posture, copy, 1)
    assert (found["damage"], found["hash"], found["equal"]) == ([], "differs", False)


def test_a_missing_end_is_a_warning(posture: Any, copy: Path) -> None:
    connection = sqlite3.connect(copy)
    connection.execute("DELETE FROM frames WHERE number = 426")
    connection.execute("DELETE FROM copies WHERE number = 426")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    err = f"warning: {copy} has no end: it was cut off, or is being recorded now.\n"
    found = judged(posture, copy, 0, err)
    assert (found["equal"], found["closed"], found["hash"], found["frames"]) == (True, False, "absent", 426)


def test_a_cut_file(posture: Any, copy: Path) -> None:
    os.truncate(copy, copy.stat().st_size * 6 // 10)
    ran = posture("verify", copy, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["equal"], found["structure"]) == (1, False, "damaged")
    assert found["damage"][-1]["to_s"] > 70


def test_what_is_no_recording(posture: Any, tmp_path: Path) -> None:
    (tmp_path / "a.posture").write_text("no")
    ran = posture("verify", tmp_path / "a.posture")
    assert (ran.code, ran.out, ran.err) == (5, "", f"error: {tmp_path}/a.posture is no recording of this program.\n")
    ran = posture("verify", tmp_path / "none.posture", "--json")
    assert (ran.code, ran.out) == (1, "")


def test_figures_that_depend_on_the_cut_are_seen(posture: Any, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Session.feed

    def forgetful(self: Session, frames: Any) -> Any:
        pieces = list(frames)
        return feed(self, pieces if len(pieces) != 40 else pieces[20:])

    monkeypatch.setattr(Session, "feed", forgetful)
    found = judged(posture, copy, 1)
    assert (found["figures"], found["hash"], found["equal"]) == ("differs", "equal", False)


@pytest.fixture
def summary(copy: Path) -> dict[str, Any]:
    with open_recording(copy) as recording:
        return dict(settled(recording.header, recording.runs).summary)


@pytest.mark.parametrize(
    ("changes", "word", "differing"),
    [
        ({}, "equal", ()),
        ({"alerts": 7}, "differs", ("alerts",)),
        ({"forward_s": 1e9, "drift_ppm": 1.0}, "differs", ("forward_s", "drift_ppm")),
        ({"drift_ppm": float("nan")}, "equal", ()),
        ({"alerts": 7, "computed_by": "0.0.1"}, "other version", ()),
    ],
)
def test_the_history_of_the_same_version_is_compared(
    copy: Path, summary: dict[str, Any], changes: dict[str, Any], word: str, differing: tuple[str, ...]
) -> None:
    assert summary["drift_ppm"] is None or summary["drift_ppm"] != summary["drift_ppm"]
    with open_recording(copy) as recording:
        found = verify.verdict(recording, lambda _: None, summary | {"computed_by": __version__} | changes)
    assert (found.history, set(found.differing), found.is_equal) == (word, set(differing), word != "differs")


def test_the_end_of_a_recovered_session_is_an_end(posture: Any, data_dir: Path, copy: Path) -> None:
    sessions = data_dir / "sessions"
    sessions.mkdir(parents=True)
    connection = sqlite3.connect(copy)
    connection.execute("DELETE FROM frames WHERE number > 300")
    connection.execute("DELETE FROM copies WHERE number > 0")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    path = shutil.move(copy, sessions / "2026-03-01T101500Z_x.posture")
    assert posture("sessions", "--json").code == 0
    found = judged(posture, Path(path), 0)
    assert (found["equal"], found["closed"], found["frames"]) == (True, True, 302)
    with open_recording(path) as recording:
        *_, last = recording.frames()
    assert isinstance(last, Closed)
    assert last.reason == "recovered"
    assert posture("verify", Path(path).name).code == 0


def test_a_recording_in_the_history_is_compared_with_it(posture: Any, data_dir: Path, copy: Path) -> None:
    sessions = data_dir / "sessions"
    sessions.mkdir(parents=True)
    path = Path(shutil.move(copy, sessions / "2026-03-01T101500Z_x.posture"))
    assert judged(posture, path, 0)["history"] == "absent"
    assert posture("history").code == 0
    assert judged(posture, path, 0)["history"] == "equal"
    with sqlite3.connect(data_dir / "history.db") as connection:
        connection.execute("UPDATE sessions SET alerts = alerts + 1")
    connection.close()
    found = judged(posture, path, 1)
    assert (found["history"], found["differing"], found["equal"]) == ("differs", ["alerts"], False)
    os.utime(path, ns=(1, 1))  # what the history says is of another state of the file
    assert judged(posture, path, 0)["history"] == "absent"
