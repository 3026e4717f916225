"""Every part of the accuracy and robustness benchmarks, on the beginning of one recording of each kind."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

PARTS = {
    "accuracy": {
        "live": ["Live, no loss"],
        "batch": ["Batch, no loss"],
        "trials": ["Each trial, 50 Hz, no loss"],
        "thinning": ["Ways of thinning, 50 Hz, no loss"],
        "accelerometer": ["Accelerometer only"],
    },
    "robustness": {
        "loss": ["Lost packets, trunk-like trials", "Lost packets, people"],
        "starts": ["Begun in motion, no loss"],
        "bias": ["Never at rest, trunk-like trials"],
        "sensors": ["Coarse and noisy sensors, trunk-like trials", "Coarse and noisy sensors, people"],
        "faults": ["Broken samples, trunk-like trials", "Broken samples, people"],
        "mountings": ["Mountings"],
        "uncertainty": ["Uncertainty"],
    },
}


@pytest.mark.parametrize(("name", "part"), [(name, part) for name, parts in PARTS.items() for part in parts])
def test_a_part_fills_its_tables(script: Callable[[str], ModuleType], name: str, part: str) -> None:
    tables = list(script(name).measured(quick=True, only=part))
    assert [table.title for table in tables] == PARTS[name][part]
    for table in tables:
        assert table.rows
        for case, figures in table.rows.items():
            assert set(figures) <= set(table.columns)
            ours = [value for column, value in figures.items() if column.startswith("ours") or column.endswith("%")]
            assert ours, case
            assert np.isfinite(ours).all(), (case, figures)
            assert f"| {case} |" in table.markdown()


def test_a_script_says_when_where_and_by_which_command(shared_data: Path) -> None:
    command = [sys.executable, "benchmarks/accuracy.py", "--quick", "--only", "batch"]
    told = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"POSTURE_TEST_DATA": str(shared_data)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "`python benchmarks/accuracy.py --quick --only batch`" in told
    assert f"Python {sys.version.split()[0]}" in told
    assert "| trunk-like, 50 Hz |" in told
    assert str(shared_data) not in told


def test_a_script_without_recordings_says_where_they_are_looked_for(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "benchmarks/robustness.py", "--quick"],
        cwd=ROOT,
        env=os.environ | {"POSTURE_TEST_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == f"no recordings at {tmp_path}; POSTURE_TEST_DATA says where they are\n"


def test_a_part_that_does_not_exist_is_named(script: Callable[[str], ModuleType]) -> None:
    with pytest.raises(
        SystemExit, match="no part is named speed; there are live, batch, trials, thinning, accelerometer"
    ):
        script("accuracy").measured(quick=True, only="live,speed")


def test_a_maker_has_its_figures(script: Callable[[str], ModuleType]) -> None:
    drivers = script("drivers")
    found = drivers.figures("polar", minutes=1.0, rounds=1)
    assert set(found) == set(drivers.COLUMNS)
    assert found["error, most °"] < 2.0
    assert found["samples/s"] == pytest.approx(50.0, rel=0.05)
