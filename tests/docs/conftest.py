"""The project's pages, and the blocks of code in them. Knows Markdown as far as the pages use it; no layer.

A block whose fence says `run` after the language is executed, page by page, in an empty directory with a copy of
recordings/: a `sh` block line by line, of which every line is a `posture` command; a `python` block as a program.
A `text` block whose fence says `output` holds lines that the block before it printed, in their order, "..." for any
number of others.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE = frozenset({"build", "demo-output", "dist"})

_FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(^|\s)#\s.*$")


@dataclass(frozen=True)
class Block:
    """A fenced block: the first word behind the fence, the others, and what stands inside."""

    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a `sh` block, without comments."""
        lines = [_COMMENT.sub("", line).strip() for line in self.text.splitlines()]
        return [line for line in lines if line]


def blocks_of(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    found = []
    for match in _FENCE.finditer(page):
        language, *marks = match["info"].split() or [""]
        found.append(Block(language, tuple(marks), match["text"]))
    return found


def prose_of(page: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page)


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
