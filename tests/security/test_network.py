"""T17, T22: nothing is sent anywhere and nothing listens, whatever is done; Bluetooth is the only way out."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = Path(__file__).parent / "network_watch.py"


def seen(data: Path, *words: str) -> list[str]:
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("POSTURE_")}
    ran = subprocess.run(
        [sys.executable, str(WATCH), str(data), *words], env=quiet, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found: list[str] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_no_command_opens_a_network_socket(tmp_path: Path) -> None:
    assert seen(tmp_path / "data") == []


def test_the_watch_sees_one(tmp_path: Path) -> None:
    found = seen(tmp_path / "data", "naive")
    assert found.count(f"a socket of family {int(socket.AF_INET)}") == 2
    assert sum(each.startswith("socket.bind") for each in found) == 1
    assert sum(each.startswith("socket.connect") for each in found) == 1
