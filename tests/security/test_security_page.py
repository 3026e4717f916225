"""The page of promises names every threat, and for each a guard and a test that exist and that speak of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
THREATS = [*(f"T{number}" for number in (*range(1, 13), *range(16, 20), 22))]
ROW = re.compile(r"^\| (T\d+) \|(.+)\|$", re.MULTILINE)
FILE = re.compile(r"`([\w/]+\.py)`")


def rows(page: str) -> dict[str, list[str]]:
    """Threat, guard, where and test of each row, by its number."""
    return {number: [cell.strip() for cell in rest.split(" | ")] for number, rest in ROW.findall(page)}


def faults(page: str, root: Path) -> list[str]:
    """What is wrong with the table, one sentence each."""
    found = rows(page)
    told = [f"{number} is missing" for number in THREATS if number not in found]
    for number, cells in found.items():
        if len(cells) != 4 or not all(cells):
            told.append(f"{number} does not have four cells")
            continue
        tests = FILE.findall(cells[3])
        told += [] if tests else [f"{number} names no test"]
        told += [
            f"{number}: {name} does not exist"
            for name in (*FILE.findall(cells[2]), *tests)
            if not (root / name).is_file()
        ]
    return told


def test_every_threat_has_a_guard_and_a_test() -> None:
    assert faults(PAGE, ROOT) == []
    assert list(rows(PAGE)) == THREATS


@pytest.mark.parametrize("number", THREATS)
def test_a_test_of_ours_says_which_threats_it_is_about(number: str) -> None:
    for name in FILE.findall(rows(PAGE)[number][3]):
        if name.startswith("tests/security/"):
            opening = (ROOT / name).read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0]
            assert re.search(rf"\b{number}\b", opening), f"{name} does not speak of {number}"


def test_every_file_of_this_folder_is_in_the_table() -> None:
    named = {Path(name).name for name in FILE.findall(PAGE)}
    ours = {path.name for path in Path(__file__).parent.glob("*.py")}
    assert ours - named <= {"conftest.py", "network_watch.py", Path(__file__).name}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| T9 |", "| T90 |"),
        ("`tests/security/test_lies.py`", "`tests/security/test_truths.py`"),
        ("`companion/host.py`", "`companion/guest.py`"),
        ("`tests/security/test_floods.py`", "none"),
    ],
)
def test_a_table_that_says_too_much_is_seen(old: str, new: str) -> None:
    assert old in PAGE
    assert faults(PAGE.replace(old, new), ROOT) != []
