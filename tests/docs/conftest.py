"""The project's pages. Knows no layer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE = frozenset({"build", "demo-output", "dist"})


def paths_of(directory: Path) -> Iterator[Path]:
    """Every Markdown file of the project; hidden directories and what tools made are not walked into."""
    for path in sorted(directory.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in MADE:
            yield from paths_of(path)
        elif path.suffix == ".md":
            yield path


PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths_of(ROOT)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `page` runs once for each page of the project."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", sorted(PAGES))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def pages() -> dict[str, str]:
    """Every page of the project: its path from the root, with slashes, and what it says."""
    return PAGES
