"""Hostile files through the whole commands: refused with a sentence, or read safely, in under a second, unchanged.

Every case is a file that someone made in order to have something run, crash, hang, or filled up. Knows: SQLite's file
format, the command line. Must never know: how a recording is read.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from durability_kills import environment

from companion import open_recording
from companion.recording.codec import KINDS
from companion.recording.schema import COPY, seal
from firmware_protocol import frames as fp

BASE: Final = Path(__file__).resolve().parents[1] / "recordings" / "slouch-31s.posture"
NAME: Final = "2026-01-01T000000Z_x.posture"
LONGEST_S: Final = 1.0
COMMANDS: Final = ("verify", "replay", "export", "sessions")

_RUN = """
import sys, time, companion.session, companion.commands.replay, companion.commands.export, companion.commands.verify
from companion.cli import main
began_s = time.perf_counter()
code = main(sys.argv[1:])
print(f"TOOK {time.perf_counter() - began_s:.3f}", file=sys.stderr)
sys.exit(code)
"""
"""The command, timed without the start of the interpreter."""

Make = Callable[[Path], object]
_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n)"


def opened(**changes: object) -> bytes:
    """The payload of an `Opened` that says something else than it did."""
    with open_recording(BASE) as recording:
        header = recording.header
    fields = {name: getattr(header, name) for name in header.__dataclass_fields__}
    return json.dumps(fields | changes).encode("ascii")


def _saying(**changes: object) -> Make:
    """A recording whose first frame, and its copy, say something else."""
    return lambda path: _with_opening(path, opened(**changes))


def _with_opening(path: Path, payload: bytes) -> None:
    shutil.copy(BASE, path)
    connection = sqlite3.connect(path, isolation_level=None)
    for table, kind in (("frames", KINDS[fp.Opened]), ("copies", COPY + KINDS[fp.Opened])):
        row, _ = seal(0, kind, 0, 0, payload)
        connection.execute(f"REPLACE INTO {table} VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()


def _row(frame: type, t_ns: int = 9_000_000_000, **said: object) -> Make:
    """A recording in which one frame says this, under a checksum that is right."""
    payload = json.dumps(said).encode("ascii") if said else b""
    return lambda path: _with_row(path, seal(60, KINDS[frame], t_ns, 0, payload)[0])


def _with_row(path: Path, row: tuple[object, ...]) -> None:
    shutil.copy(BASE, path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()


def _schema(*statements: str) -> Make:
    """A recording whose tables, or whatever else it describes, were written over."""

    def make(path: Path) -> None:
        shutil.copy(BASE, path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return make


def _in_schema(kind: str, name: str, sql: str, page: int = 0) -> str:
    quoted = sql.replace("'", "''")
    return f"INSERT INTO sqlite_schema VALUES ('{kind}', '{name}', '{name}', {page}, '{quoted}')"


def _bytes_at(offset: int, data: bytes, more: bytes = b"", size: int = 0) -> Make:
    def make(path: Path) -> None:
        held = bytearray(BASE.read_bytes())
        held[offset : offset + len(data)] = data
        path.write_bytes(held + more)
        if size:
            os.truncate(path, size)

    return make


def _beside(suffix: str, make_side: Callable[[Path], object], header: bytes = b"\x02\x02") -> Make:
    """A recording with something of a stranger beside it."""

    def make(path: Path) -> None:
        _bytes_at(18, header)(path)
        make_side(path.with_name(path.name + suffix))

    return make


def _sparse_wal(path: Path) -> None:
    path.write_bytes(struct.pack(">8I", 0x377F0682, 3_007_000, 4096, 0, 0, 0, 0, 0))
    os.truncate(path, 4 << 30)


def _far_wal(path: Path) -> None:
    """A `-wal` whose checksums are right and whose one page belongs at eight terabytes."""
    header = struct.pack(">6I", 0x377F0682, 3_007_000, 4096, 0, 1, 2)
    sums = _wal_sums(header, 0, 0)
    place = struct.pack(">2I", 0x7FFFFFFF, 0x7FFFFFFF)
    page_sums = _wal_sums(place + bytes(4096), *sums)
    salt = struct.pack(">2I", 1, 2)
    path.write_bytes(header + struct.pack(">2I", *sums) + place + salt + struct.pack(">2I", *page_sums) + bytes(4096))


def _wal_sums(data: bytes, first: int, second: int) -> tuple[int, int]:
    """SQLite's file format, "WAL file format", little-endian sums."""
    for one, two in struct.iter_unpack("<2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _hot_journal(path: Path) -> None:
    """What SQLite would bring back: one page, of zeros, over the root of the frames."""
    header = bytes.fromhex("d9d505f920a163d7") + struct.pack(">5I", 1, 0, 19, 512, 4096)
    path.write_bytes(header.ljust(512, b"\0") + struct.pack(">I", 2) + bytes(4096) + bytes(4))


DEEP, DIGITS = "[" * 200_000, "9" * 4_000
CASES: Final[dict[str, Make]] = {
    "settings, deep": _saying(settings_json=DEEP),
    "settings, no object": _saying(settings_json="[]"),
    "settings, a duration of years": _saying(settings_json='{"alert.delay": "1e300h"}'),
    "settings, NaN": _saying(settings_json='{"still.sd_g": NaN}'),
    "settings, escapes": _saying(settings_json='{"profile": "\\u001b[31m\\u202e"}'),
    "calibration, deep": _saying(calibration_json=DEEP),
    "calibration, no object": _saying(calibration_json="5"),
    "calibration, thousands of digits": _saying(calibration_json=f'{{"up": [{DIGITS}, 0, 0], "forward": [0, 1, 0]}}'),
    "calibration, NaN": _saying(calibration_json='{"up": [NaN, 0, 1], "forward": [1, 0, 0]}'),
    "calibration in mid-session, thousands of digits": _row(
        fp.CalibrationSet, calibration_json=f'{{"up": [{DIGITS}, 0, 0], "forward": [0, 1, 0]}}'
    ),
    "zone, a path": _saying(zone="../../../etc/passwd"),
    "zone, a directory": _saying(zone="Europe"),
    "zone, long": _saying(zone="A/" * 100_000),
    "zone, NUL": _saying(zone="Europe\0Paris"),
    "session_id, a path": _saying(session_id="../../evil"),
    "session_id, absolute": _saying(session_id="/evil"),
    "session_id, NUL": _saying(session_id="a\0b"),
    "session_id, long": _saying(session_id="x" * 5_000),
    "session_id, surrogate": _saying(session_id="\udc80"),
    "device, escapes": _saying(device="\x1b[31mred\u202e\x07"),
    "device, a formula": _saying(device="=1+1"),
    "device, surrogate": _saying(device="a\ud800b"),
    "device, a megabyte": _saying(device="d" * 900_000),
    "driver, none such": _saying(driver="\x1b[31m../x"),
    "rate, 0": _saying(rate_hz=0),
    "rate, 1e300": _saying(rate_hz=1e300),
    "utc, first": _saying(utc_ns=-(1 << 63)),
    "utc, last": _saying(utc_ns=(1 << 63) - 1),
    "opening, keys twice": lambda path: _with_opening(path, opened()[:-1] + b', "driver": {"a": 1}}'),
    "opening, deep": lambda path: _with_opening(path, b"[" * 900_000),
    "a tick after 73 years": _row(fp.Tick, 1 << 61),
    "a tick before 73 years": _row(fp.Tick, -(1 << 61)),
    "a setting that is none": _row(fp.SettingChanged, key="nope", value="x"),
    "a snooze for ever": _row(fp.UserMark, kind="snooze", value="1e300h"),
    "a mark with escapes": _row(fp.UserMark, kind="\x1b[2J", value="\u202e"),
    "a cause with escapes": _row(fp.LinkDown, cause="\x1b]0;x\x07"),
    "2**63 frames dropped": _row(fp.Dropped, count=(1 << 63) - 1),
    "an end in the middle": _row(fp.Closed, reason="x", count=0, hash=""),
    "a view": _schema(f"CREATE VIEW v AS {_ENDLESS} SELECT i FROM n"),
    "an endless view in place of the frames": _schema(
        "DELETE FROM sqlite_schema WHERE name = 'frames'",
        _in_schema(
            "view",
            "frames",
            f"CREATE VIEW frames AS {_ENDLESS} SELECT i AS number, 0 AS kind, 0 AS t_ns, 0 AS source,"
            " x'' AS payload, 0 AS crc FROM n",
        ),
    ),
    "a trigger": _schema("CREATE TRIGGER t AFTER INSERT ON frames BEGIN DELETE FROM copies; END"),
    "a generated column": _schema(
        "DELETE FROM sqlite_schema WHERE name = 'frames'",
        _in_schema(
            "table",
            "frames",
            "CREATE TABLE frames (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, t_ns INTEGER NOT NULL,"
            " source NOT NULL, payload BLOB AS (zeroblob(1000000000)), crc INTEGER NOT NULL)",
            2,
        ),
    ),
    "a virtual table": _schema(_in_schema("table", "vt", "CREATE VIRTUAL TABLE vt USING fts5(a)")),
    "an index on an expression": _schema("CREATE INDEX i ON frames(hex(payload))"),
    "a description that is none": _schema(_in_schema("table", "x", "CREATE GARBAGE")),
    "a description of 20 MB": _schema(
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'CREATE TABLE x(a) --' || hex(zeroblob(10000000)))"
    ),
    "a million tables": _schema(
        f"{_ENDLESS[:-1]} LIMIT 1000000) INSERT INTO sqlite_schema"
        " SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE t' || i || '(a)' FROM n"
    ),
    "another application's": _schema("PRAGMA application_id=1"),
    "a newer version": _schema("PRAGMA user_version=99"),
    "a version below zero": _schema("PRAGMA user_version=-1"),
    "a blob of 100 MB": _schema("INSERT INTO frames VALUES (100000, 1, 0, 1, zeroblob(100000000), 0)"),
    "types that are others": _schema("UPDATE frames SET payload = 'text', t_ns = x'00', crc = 1.5 WHERE number > 0"),
    "a page count of 2**32": _bytes_at(28, b"\xff\xff\xff\xff"),
    "pages of 64 kB": _bytes_at(16, b"\x00\x01"),
    "a free list in circles": _bytes_at(32, b"\0\0\0\2\0\0\xff\xff"),
    "a tree in circles": _bytes_at(4096 + 8, b"\0\0\0\2"),
    "4 GB of nothing behind it": _bytes_at(0, b"", size=4 << 30),
    "4 GB of nothing behind a broken tree": _bytes_at(4096, b"\x63", size=4 << 30),
    "30 MB of noise behind a broken tree": _bytes_at(4096, b"\x63", more=os.urandom(30 << 20)),
    "a -wal of 4 GB": _beside("-wal", _sparse_wal),
    "a -wal of noise": _beside("-wal", lambda side: side.write_bytes(os.urandom(200_000))),
    "a -wal far away": _beside("-wal", _far_wal),
    "a -wal that is a directory": _beside("-wal", Path.mkdir),
    "a -wal that is a link": _beside("-wal", lambda side: side.symlink_to("/dev/zero")),
    "a -journal of a stranger": _beside("-journal", _hot_journal, b"\x01\x01"),
    "a directory": Path.mkdir,
    "a link in circles": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
}
if hasattr(os, "mkfifo"):
    CASES["a pipe"] = os.mkfifo
    CASES["a -wal that is a pipe"] = _beside("-wal", os.mkfifo)

REFUSED: Final = frozenset(
    """settings, deep|settings, no object|calibration, deep|calibration, no object|calibration, NaN|opening, deep
    |calibration, thousands of digits|driver, none such|a view|a trigger|a virtual table|an index on an expression
    |a million tables|another application's|a newer version|a version below zero|a directory
    |a link to a device|a pipe|an endless view in place of the frames|a setting that is none""".replace(
        "\n    ", ""
    ).split("|")
)
"""What no command may read anything from: exit code 5. Of the rest, what can be read is, and what cannot is named."""


@dataclass
class Met:
    """One hostile file through all commands."""

    name: str
    codes: dict[str, int] = field(default_factory=dict)
    longest_s: float = 0.0
    troubles: list[str] = field(default_factory=list)


def meet(directory: Path, name: str) -> Met:
    """Make the file in a data directory, run every command over it, look at what came of it."""
    sessions = directory / "data" / "sessions"
    sessions.mkdir(parents=True)
    path, met = sessions / NAME, Met(name)
    CASES[name](path)
    before = _digest(path)
    for command in COMMANDS:
        _run(met, command, path, directory)
    if _digest(path) != before and not name.startswith("a -wal"):
        met.troubles.append("the file was changed")
    if name in REFUSED and {met.codes[command] for command in COMMANDS[:3]} != {5}:
        met.troubles.append(f"not refused: {met.codes}")
    shutil.rmtree(directory)
    return met


def _digest(path: Path) -> bytes:
    """What a file holds, as far as it is small enough to matter."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 200 << 20:
        return b""
    return hashlib.sha256(path.read_bytes()).digest()


def _run(met: Met, command: str, path: Path, directory: Path) -> None:
    arguments: dict[str, list[Any]] = {
        "verify": [path, "--json"],
        "replay": [path, "--speed", "max", "--json"],
        "export": [path, "--out", directory / "out", "--tables", "sessions,minutes,episodes,exposure,samples"],
        "sessions": ["--json", "--data-dir", directory / "data"],
    }
    run = [sys.executable, "-c", _RUN, command, *map(str, arguments[command])]
    try:
        ran = subprocess.run(run, env=environment(), capture_output=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        met.troubles.append(f"{command}: more than 30 s")
        met.codes[command] = -1
        return
    *said, took = ran.stderr.decode(errors="replace").splitlines() or [""]
    met.codes[command] = ran.returncode
    if not took.startswith("TOOK "):
        met.troubles.append(f"{command}: {took[:200]}")
        return
    met.longest_s = max(met.longest_s, float(took.removeprefix("TOOK ")))
    if len(said) > 3 or any(each in ran.stdout + ran.stderr for each in (b"\x1b", b"\x07", b"\xe2\x80\xae")):
        met.troubles.append(f"{command}: says {said[:4]}")
    if ran.returncode not in (0, 1, 5) or (ran.returncode == 1 and command != "verify" and len(said) != 2):
        met.troubles.append(f"{command}: exit code {ran.returncode}")


def figures(done: list[Met]) -> dict[str, Any]:
    """The row of the table."""
    return {
        "files": len(done),
        "refused": sum(met.codes.get("replay") == 5 for met in done),
        "longest, s": round(max(met.longest_s for met in done), 2),
        "over a second": sum(met.longest_s > LONGEST_S for met in done),
        "troubles": sum(len(met.troubles) for met in done),
    }
