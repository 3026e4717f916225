"""Makes the recordings that are missing here, by their recipes, and the tables in `expected/`.

    python recordings/make.py

A recording that is there stays as it is. A simulation takes its session's name, its date, its time zone and its
version from the moment it is made; the manifest says what stands in their place, so that a recording can be made
again and compared. Knows: the manifest, the command line, frames. Must never know: how a figure is computed.
"""

import contextlib
import csv
import io
import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from companion.cli import main
from companion.commands.new_recording import record
from companion.recording import open_recording
from companion.tables.instants import utc_text
from firmware_protocol.frames import CalibrationSet, ClockPair, Frame, Opened

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected"
DECISION_COLUMNS = ("t_s", "context", "state", "event", "episode")


@dataclass(frozen=True, slots=True)
class Sample:
    """One entry of the manifest. `recipe` is None where the recording cannot be made again."""

    path: Path
    origin: str
    licence: str
    shows: str
    session_id: str
    utc_ns: int
    zone: str
    software_version: str
    recipe: Mapping[str, Any] | None


def samples() -> list[Sample]:
    """The manifest, entry by entry."""
    entries = tomllib.loads((HERE / "manifest.toml").read_text(encoding="utf-8"))["recording"]
    return [_sample(entry) for entry in entries]


def _sample(entry: Mapping[str, Any]) -> Sample:
    identity = entry["identity"]
    started: datetime = identity["started_utc"]
    return Sample(
        path=HERE / entry["file"],
        origin=entry["origin"],
        licence=entry["licence"],
        shows=entry["shows"],
        session_id=identity["session_id"],
        utc_ns=int((started - datetime.fromtimestamp(0, UTC)).total_seconds()) * 1_000_000_000,
        zone=identity["zone"],
        software_version=identity["software_version"],
        recipe=entry.get("recipe"),
    )


# ---- recordings


def simulated(sample: Sample) -> list[Frame]:
    """The frames that the recipe gives today, under the sample's identity. Needs a recipe."""
    assert sample.recipe is not None
    faults = [word for fault in sample.recipe["faults"] for word in ("--fault", fault)]
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "made.posture"
        _posture("simulate", sample.recipe["story"], "--to", path, "--seed", sample.recipe["seed"], *faults)
        return list(identified(open_recording(path).frames(), sample))


def identified(frames: Iterable[Frame], sample: Sample) -> Iterator[Frame]:
    """The same session under the sample's identity: its name, date, zone and version, and nothing else, change."""
    shift_ns = 0
    for frame in frames:
        match frame:
            case Opened():
                shift_ns = sample.utc_ns - frame.utc_ns
                yield replace(
                    frame,
                    session_id=sample.session_id,
                    utc_ns=sample.utc_ns,
                    zone=sample.zone,
                    software_version=sample.software_version,
                )
            case ClockPair(utc_ns=utc_ns):
                yield replace(frame, utc_ns=utc_ns + shift_ns)
            case CalibrationSet(calibration_json=text, t_host_ns=t_host_ns):
                # A simulated session begins at 0 on its own clock.
                moved = json.loads(text) | {"taken_utc": utc_text(sample.utc_ns + t_host_ns)}
                yield replace(frame, calibration_json=json.dumps(moved, ensure_ascii=False))
            case _:
                yield frame


# ---- tables


def write_tables(sample: Sample, directory: Path) -> list[Path]:
    """Write what `export` says of the recording, and its decisions, into `directory`; existing files are in the way."""
    exported = _posture("export", sample.path, "--out", directory).splitlines()
    decided = directory / f"{sample.session_id}_decisions.csv"
    with decided.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(DECISION_COLUMNS)
        writer.writerows(decisions(_posture("replay", sample.path, "--speed", "max", "--json").splitlines()))
    return [*map(Path, exported), decided]


def decisions(lines: Iterable[str]) -> Iterator[tuple[object, ...]]:
    """What was decided, from the lines of `replay --json`: every change of context or state, and every event."""
    before: tuple[str, str] | None = None
    for line in map(json.loads, lines):
        if line["type"] == "posture" and (now := (line["context"], line["state"])) != before:
            before = now
            yield (line["t_s"], *now, "", "")
        elif line["type"] == "event":
            yield (line["t_s"], "", "", line["event"], line.get("episode", ""))


def _posture(*words: object) -> str:
    """What the command line prints, with the built-in settings whatever this computer's are."""
    with tempfile.TemporaryDirectory() as data, _no_settings(), contextlib.redirect_stdout(_Bytes()) as out:
        code = main([*map(str, words), "--data-dir", data])
    if code:
        raise SystemExit(code)
    return out.text()


@contextlib.contextmanager
def _no_settings() -> Iterator[None]:
    """No setting comes from the environment while this lasts."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("POSTURE_")}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


class _Bytes(io.TextIOWrapper):
    """A standard output that is kept, for commands that print text and for those that write bytes."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True)

    def text(self) -> str:
        """Everything so far."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("utf-8")


def make() -> None:
    """Make what is missing, and every table anew."""
    for sample in samples():
        if not sample.path.exists() and sample.recipe is not None:
            record(sample.path, simulated(sample))
            print(sample.path.relative_to(HERE.parent))
        for old in EXPECTED.glob(f"{sample.session_id}_*.csv"):
            old.unlink()
        for path in write_tables(sample, EXPECTED):
            print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    make()
