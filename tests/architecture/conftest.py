"""The project's own text, for tests that read it. Knows nothing of what the text does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Made by tools, or by a run; never part of the project.
MADE = frozenset({"__pycache__", "build", "demo-output", "dist"})
HIDDEN_BUT_OURS = frozenset({".ci", ".gitignore"})


def files_of(directory: Path) -> Iterator[Path]:
    """Every file of the project under `directory`; what tools made is not walked into."""
    for path in sorted(directory.iterdir()):
        hidden = path.name.startswith(".") and path.name not in HIDDEN_BUT_OURS
        if hidden or path.name in MADE or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from files_of(path)
        else:
            yield path


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def texts(root: Path) -> dict[str, str]:
    """Every text file of the project: its path from the root, with slashes, and what it says."""
    found: dict[str, str] = {}
    for path in files_of(root):
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(root).as_posix()] = data.decode("utf-8")
    return found


@pytest.fixture(scope="session")
def modules(texts: dict[str, str]) -> dict[str, str]:
    """The Python modules among `texts` that are installed: those of the two packages."""
    packages = ("companion/", "firmware_protocol/")
    return {path: text for path, text in texts.items() if path.startswith(packages) and path.endswith(".py")}
