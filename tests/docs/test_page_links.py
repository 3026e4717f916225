"""Links between the pages lead somewhere, and files that the pages name exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
NAMED = re.compile(r"`((?:\.ci|benchmarks|companion|docs|firmware_protocol|recordings|tests)/[\w./-]*)`")
OUTSIDE = re.compile(r"[a-z]+:", re.IGNORECASE)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchor(heading: str) -> str:
    """A heading as the part of an address behind "#": lower case, words joined by hyphens."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")


def dead_links(name: str, text: str, root: Path) -> Iterator[str]:
    """Every link and every named file that leads nowhere, one sentence each."""
    prose = FENCE.sub("", text)
    for target in LINK.findall(prose):
        if OUTSIDE.match(target):
            continue
        path, _, wanted = target.partition("#")
        page = root / name if not path else (root / name).parent / path
        if not page.exists():
            yield f"{name}: {target}: there is no such file"
        elif wanted and wanted not in {
            anchor(each) for each in HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
        }:
            yield f"{name}: {target}: there is no such heading"
    for path in NAMED.findall(prose):
        if not (root / path).exists():
            yield f"{name}: `{path}` does not exist"


def test_links_and_named_files_exist(page: str, pages: dict[str, str], root: Path) -> None:
    found = list(dead_links(page, pages[page], root))
    assert not found, "\n".join(found)


def test_every_page_of_docs_can_be_reached_from_the_first(pages: dict[str, str]) -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in pages:
            continue
        reached.add(name)
        for target in LINK.findall(FENCE.sub("", pages[name])):
            parts = (Path(name).parent / target.partition("#")[0]).parts
            clean: list[str] = []
            for part in parts:
                if part == "..":
                    clean.pop()
                else:
                    clean.append(part)
            waiting.append("/".join(clean))
    assert sorted({name for name in pages if name.startswith("docs/")} - reached) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[a](there.md)", 0),
        ("[a](there.md#a-title-with-code)", 0),
        ("[a](#own)\n\n# Own", 0),
        ("[a](nowhere.md)", 1),
        ("[a](there.md#nowhere)", 1),
        ("![a](nowhere.png)", 1),
        ("see `docs/nowhere.md`", 1),
        ("see `docs/there.md`", 0),
        ("```\n[a](nowhere.md)\n```", 0),
        ("[a](https://example.org/nowhere)", 0),
    ],
)
def test_what_counts_as_dead(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "there.md").write_text("## A title, with `code`\n", encoding="utf-8")
    (tmp_path / "docs" / "page.md").write_text(text, encoding="utf-8")
    assert len(list(dead_links("docs/page.md", text, tmp_path))) == count
