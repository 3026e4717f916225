"""Flipped bytes and cut files: what is still read of real recordings, and whether every loss is named with its time.

The truth is the undamaged file, row by row. Knows: recordings, where a row lies in its file, the command line.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from durability_kills import posture

from companion import open_recording
from companion.errors import RecordingError
from companion.recording import RecordingWriter
from companion.recording.codec import COPY_OF_OPENED
from companion.recording.salvage import _Pages, _rows_in
from companion.recording.schema import PAGE_BYTES
from firmware_protocol.frames import Closed, Frame, Notification, Opened, Reading, Tick

ROOT = Path(__file__).resolve().parents[1]
HEADER_BYTES = 100
LEAST_CUT, MOST_CUT = 0.05, 0.999
SOURCES = 40
SECOND_NS = 1_000_000_000

Damage = list[tuple[float, float, str]]


@dataclass(frozen=True)
class Original:
    """An undamaged file, what it holds, and how far into the file each row reaches."""

    path: Path
    frames: list[Frame]
    reach_bytes: dict[int, int]  # by number: the end of the last page that the row stands in

    @classmethod
    def of(cls, path: Path) -> "Original":
        """Read an undamaged file."""
        with open_recording(path) as recording:
            frames = list(recording.frames())
            assert recording.damage == [], path
        return cls(path, frames, _reach(path))


def _reach(path: Path) -> dict[int, int]:
    reach: dict[int, int] = {}
    with path.open("rb") as file:
        pages = _Pages(file, None)
        touched: list[int] = []
        numbered = pages.numbered
        pages.numbered = lambda number: touched.append(number) or numbered(number)  # type: ignore[method-assign]
        for place, page in enumerate(pages.all(), start=1):
            touched.clear()
            for row in _rows_in(page, pages):
                if row[1] < COPY_OF_OPENED - 2:  # of the table `frames`
                    reach.setdefault(row[0], max([place, *touched]) * PAGE_BYTES)
                touched.clear()
    return reach


@dataclass
class Loss:
    """What one damage did."""

    file: str
    where: str
    refused: bool = False
    header: bool = False
    lost: int = 0
    wrong: int = 0
    unnamed: int = 0
    """Lost frames whose time lies in no range that was told."""
    lost_s: float = 0.0
    """Time from the last good frame to the next one, over all that was lost."""
    told_s: float = 0.0
    stood: int = 0
    read_of_stood: int = 0
    changed: bool = False
    troubles: list[str] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        """Something was lost or wrong, and not all of it was named."""
        return self.unnamed > 0 or self.wrong > 0

    @property
    def share(self) -> float:
        """How much of what stood before the cut was read."""
        return self.read_of_stood / self.stood if self.stood else 1.0


def judge(loss: Loss, original: Original, copy: Path, cut_bytes: int | None) -> Damage | None:
    """Compare a damaged copy, row by row, with what it was; None where it was refused."""
    before = copy.read_bytes()
    try:
        with open_recording(copy) as recording:
            given = list(recording.frames())
            damage = list(recording.damage)
    except RecordingError as error:
        loss.refused = True
        if "\n" in str(error) or str(error).count(". "):
            loss.troubles.append(f"not one sentence: {error}")
        return None
    finally:
        loss.changed = copy.read_bytes() != before
    there = _places(given, original.frames, loss)
    _name(loss, original.frames, there, damage)
    if cut_bytes is not None:
        stood = [number for number, reach in original.reach_bytes.items() if reach <= cut_bytes]
        loss.stood, loss.read_of_stood = len(stood), sum(number in there for number in stood)
    return damage


def _places(given: list[Frame], original: list[Frame], loss: Loss) -> set[int]:
    """Numbers of the frames that were given, which must come in their order; others are wrong."""
    there, due = set[int](), 0
    for frame in given:
        try:
            place = original.index(frame, due, due + 20_000)
        except ValueError:
            loss.wrong += 1
            continue
        there.add(place)
        due = place + 1
    return there


def _name(loss: Loss, original: list[Frame], there: set[int], damage: Damage) -> None:
    t0_ns, last_s = original[0].t_host_ns, 0.0
    was_lost = False
    for number, frame in enumerate(original):
        t_s = (frame.t_host_ns - t0_ns) / 1e9
        if number in there:
            loss.lost_s += (t_s - last_s) if was_lost else 0.0
            last_s, was_lost = t_s, False
            continue
        was_lost = True
        loss.lost += 1
        loss.unnamed += not any(from_s <= t_s <= to_s for from_s, to_s, _ in damage)
    loss.told_s = sum(to_s - from_s for from_s, to_s, _ in damage)


def flip_one(directory: Path, original: Original, seed: int, through_commands: bool) -> Loss:
    """One bit of one byte anywhere in the file, and its copies in all commands."""
    chance = random.Random(f"flip {seed}")
    data = bytearray(original.path.read_bytes())
    offset, bit = chance.randrange(len(data)), chance.randrange(8)
    data[offset] ^= 1 << bit
    loss = Loss(original.path.name, f"byte {offset}, bit {bit}", header=offset < HEADER_BYTES)
    return _damaged(directory, original, bytes(data), loss, None, through_commands)


def cut_one(directory: Path, original: Original, seed: int, through_commands: bool) -> Loss:
    """The file up to some fraction of it."""
    chance = random.Random(f"cut {seed}")
    share = chance.uniform(LEAST_CUT, MOST_CUT)
    data = original.path.read_bytes()
    cut_bytes = int(len(data) * share)
    loss = Loss(original.path.name, f"cut at {share:.2%}")
    return _damaged(directory, original, data[:cut_bytes], loss, cut_bytes, through_commands)


def _damaged(
    directory: Path, original: Original, data: bytes, loss: Loss, cut_bytes: int | None, through_commands: bool
) -> Loss:
    copy = directory / "damaged.posture"
    copy.write_bytes(data)
    try:
        damage = judge(loss, original, copy, cut_bytes)
        if through_commands:
            _through_commands(loss, copy, damage)
    except Exception as error:  # whatever it is, it is what is counted here
        loss.troubles.append(f"{type(error).__name__}: {error}")
    if copy.read_bytes() != data:
        loss.changed = True
    copy.unlink()
    return loss


def _through_commands(loss: Loss, copy: Path, damage: Damage | None) -> None:
    """`replay`, `export` and `verify`: the same damage, a warning, the documented exit codes."""
    out = copy.with_name("out")
    replayed = posture("replay", copy, "--speed", "max", "--json")
    exported = posture("export", copy, "--out", out)
    verified = posture("verify", copy, "--json")
    shutil.rmtree(out, ignore_errors=True)
    for ran in (replayed, exported, verified):
        if b"Traceback" in ran.stderr or ran.stderr.count(b"\n") > 3:
            loss.troubles.append(f"{ran.args[3]}: {ran.stderr.decode()[-300:]}")
    codes = [ran.returncode for ran in (replayed, exported)]
    if damage is None:
        if [*codes, verified.returncode] != [5, 5, 5]:
            loss.troubles.append(f"refused, and yet {codes} {verified.returncode}")
        return
    if codes != [0, 0] or verified.returncode not in ((1,) if damage else (0, 1)):
        loss.troubles.append(f"exit codes {codes} {verified.returncode}")
        return
    lines = [json.loads(line) for line in replayed.stdout.splitlines()]
    told = [(line["from_s"], line["to_s"], line["reason"]) for line in lines if line["type"] == "damage"]
    if len(told) != len(damage) or [each[2] for each in told] != [each[2] for each in damage]:
        loss.troubles.append(f"replay tells {told}, the recording {damage}")
    if damage and not all(b"warning:" in ran.stderr for ran in (replayed, exported)):
        loss.troubles.append("damage without a warning")
    if [each["reason"] for each in json.loads(verified.stdout)["damage"]] != [each[2] for each in damage]:
        loss.troubles.append("verify tells other damage")


def run(
    directory: Path, originals: list[Original], runs: int, one: Callable[..., Loss], command_every: int
) -> list[Loss]:
    """So many damages, over the files in turn."""
    return [
        one(directory, originals[number % len(originals)], number, number % command_every == 0)
        for number in range(runs)
    ]


flips, cuts = partial(run, one=flip_one), partial(run, one=cut_one)


def figures(done: list[Loss]) -> dict[str, Any]:
    """The row of the table for these files."""
    readable = [loss for loss in done if not loss.refused]
    return {
        "files": len(done),
        "refused": len(done) - len(readable),
        "of them behind byte 100": sum(loss.refused and not loss.header for loss in done),
        "with a loss": sum(loss.lost > 0 for loss in readable),
        "most s lost": round(max((loss.lost_s for loss in readable), default=0.0), 2),
        "most s told": round(max((loss.told_s for loss in readable), default=0.0), 2),
        "least share read of what stood": round(min((loss.share for loss in readable), default=1.0), 4),
        "silent": sum(loss.silent for loss in done),
        "changed files": sum(loss.changed for loss in done),
        "exceptions": sum(len(loss.troubles) for loss in done),
    }


def originals(directory: Path, shared_data: Path | None, quick: bool = False) -> list[Original]:
    """Different real files: samples, simulated, another maker's, imported, with many sources."""
    made = [shutil.copy(path, directory / path.name) for path in sorted((ROOT / "recordings").glob("*.posture"))]
    wanted = {
        "simulated": ("slouch-10min", "--duration", 60 if quick else 600),
        "polar": ("slouch-31s", "--device", "polar", "--duration", 60 if quick else 300),
        "faulty": (
            "demo",
            "--duration",
            60,
            "--fault",
            "lose@20+0.4",
            "--fault",
            "link@30+10",
            "--fault",
            "garbage@50",
        ),
    }
    for name, (story, *options) in wanted.items():
        path = directory / f"{name}.posture"
        ran = posture("simulate", story, "--to", path, *options)
        assert ran.returncode == 0, ran.stderr
        made.append(path)
    made.append(many_sources(directory / "sources.posture", 30 if quick else 300))
    motion = None if shared_data is None else next(iter(sorted(shared_data.glob("lowerback_mobilised/*.npz"))), None)
    if motion is not None:
        path = directory / "imported.posture"
        ran = posture("import", motion, "--out", path)
        assert ran.returncode == 0, ran.stderr
        made.append(path)
    return [Original.of(Path(path)) for path in made]


def many_sources(path: Path, seconds: int) -> Path:
    """A session in which forty characteristics speak, one of them with large values."""
    chance = random.Random(7)
    t0_ns = 5_000 * SECOND_NS
    writer = RecordingWriter.create(path, threaded=False)
    frames: list[Frame] = [
        Opened(
            t_host_ns=t0_ns,
            session_id="20260101T000000Z-sources",
            driver="posture_v1",
            device="sources",
            rate_hz=50.0,
            utc_ns=1_767_225_600 * SECOND_NS,
            zone="UTC",
            software_version="0",
        )
    ]
    for step in range(seconds * 10):
        t_ns = t0_ns + step * SECOND_NS // 10 + 1
        name = f"{chance.randrange(SOURCES):08x}-0000-1000-8000-00805f9b34fb"
        kind = Reading if step % 7 == 0 else Notification
        frames.append(
            kind(
                t_host_ns=t_ns,
                characteristic=name,
                data=chance.randbytes(chance.choice((1, 20, 244, 9_000)) if step % 50 == 0 else 60),
            )
        )
        if step % 10 == 9:
            frames.append(Tick(t_host_ns=t_ns + 1))
    for number, frame in enumerate(frames):
        assert writer.put(number, frame)
    writer.close(Closed(t_host_ns=t0_ns + seconds * SECOND_NS, reason="ended", count=len(frames)))
    return path


def shared_data() -> Path | None:
    """Where real motion lies, where it does."""
    named = os.environ.get("POSTURE_TEST_DATA")
    directory = Path(named) if named else ROOT.parent / "shared" / "data"
    return directory if directory.is_dir() else None
