"""The first thing a newcomer types: `make demo` in a copy of the checkout, with an empty home directory."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # makes a virtual environment

Make = Callable[..., "subprocess.CompletedProcess[str]"]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "demo-output", "*cache*", ".hypothesis")
OURS = ("HOME", "MAKE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "POSTURE_DATA_DIR", "VIRTUAL_ENV")


@pytest.fixture(scope="module")
def make(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Runs make in a copy of the checkout, in a directory with a space in its name."""
    place = tmp_path_factory.mktemp("new computer")
    shutil.copytree(root, place / "checkout", ignore=NOT_COPIED)
    (place / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in OURS}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["make", f"PYTHON={sys.executable}", *words],
            cwd=place / "checkout",
            env=kept | {"HOME": str(place / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run


def promised(output: str) -> tuple[Path, Path]:
    """The recording and the directory of CSV files that the last two lines name."""
    recording, tables = output.splitlines()[-2:]
    assert recording.startswith("recording: /")
    assert tables.startswith("CSV: /")
    return Path(recording.removeprefix("recording: ")), Path(tables.removeprefix("CSV: "))


def test_the_demo_sets_up_once_and_leaves_a_recording_and_its_tables(make: Make) -> None:
    first = make("demo", "ARGS=--duration 3")
    assert first.returncode == 0, first.stderr
    assert "Setting up" in first.stderr
    recording, tables = promised(first.stdout)
    assert stat.S_IMODE(recording.stat().st_mode) == 0o600
    page = first.stdout.splitlines()[-3].removeprefix("report: ")
    assert "not a medical device" in Path(page).read_text(encoding="utf-8")
    names = sorted(path.stem.rsplit("_", 1)[-1] for path in tables.iterdir())
    assert names == ["days", "episodes", "exposure", "minutes", "sessions"]

    again = make("demo", "ARGS=--duration 1")
    assert again.returncode == 0, again.stderr
    assert "Setting up" not in again.stderr
    assert promised(again.stdout)[0] != recording
    assert recording.exists()

    unknown = make("demo", "STORY=nosuch")
    assert unknown.returncode != 0
    assert "CSV:" not in unknown.stdout

    assert "pip install" not in make("-n", "demo").stdout
    (recording.parents[4] / "constraints.txt").touch()
    assert "pip install" in make("-n", "demo").stdout
