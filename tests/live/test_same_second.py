"""Two monitors that begin in the same second on one data directory: each has a recording of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.commands.live import Live, Plan
from companion.commands.places import next_name
from companion.recording import open_recording
from firmware_protocol.drivers import driver

AT_ONE_TIME = """
import sys
from companion import host
host.utc_ns = lambda: 1_772_360_100_000_000_000
from companion.commands import monitor
monitor.new_session_file = lambda where, alias, utc_ns: where.sessions / f"2026-03-01T101500Z_{alias}.posture"
from companion.cli import main
sys.exit(main(["monitor", "--simulated", "upright", "--duration", "1", "--json", "--data-dir", sys.argv[1]]))
"""


@pytest.mark.slow
def test_monitors_of_one_second_do_not_meet(tmp_path: Path) -> None:
    """Both have chosen the same name, as neither file was there yet."""
    command = [sys.executable, "-c", AT_ONE_TIME, str(tmp_path / "data")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    made = sorted((tmp_path / "data" / "sessions").iterdir())
    stem = "2026-03-01T101500Z_simulated"
    assert [path.name for path in made] == [f"{stem}-2.posture", f"{stem}-3.posture", f"{stem}.posture"]
    for path in made:
        with open_recording(path) as recording:
            list(recording.frames())
            assert (recording.damage, recording.closed) == ([], True)
    assert {path.name.encode() in b"".join(out for out, _ in said) for path in made} == {True}


def test_a_name_that_was_taken_meanwhile(tmp_path: Path) -> None:
    taken = tmp_path / "2026-03-01T101500Z_back.posture"
    taken.write_text("mine")
    (tmp_path / "2026-03-01T101500Z_back-2.posture-wal").touch()  # another one that begins at this moment

    class Nobody:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None

    plan = Plan(header=lambda: None, driver=driver("posture_v1"), file=taken, asked=None)  # type: ignore[arg-type,return-value]
    recorder = Live(plan, Nobody())._create()
    assert recorder is not None
    assert recorder.path == tmp_path / "2026-03-01T101500Z_back-3.posture"
    recorder._database.remove()
    assert taken.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("2026-03-01T101500Z_back.posture", "2026-03-01T101500Z_back-2.posture"),
        ("2026-03-01T101500Z_back-2.posture", "2026-03-01T101500Z_back-3.posture"),
        ("2026-03-01T101500Z_upper-back.posture", "2026-03-01T101500Z_upper-back-2.posture"),
        ("2026-03-01T101500Z_a_b-9.posture", "2026-03-01T101500Z_a_b-10.posture"),
    ],
)
def test_the_next_name(name: str, after: str) -> None:
    assert next_name(Path("/x") / name) == Path("/x") / after
