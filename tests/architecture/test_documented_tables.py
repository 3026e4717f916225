"""The tables of the documentation say what the code says: fields, codes, flags, dependencies."""

import tomllib
from enum import IntEnum, IntFlag

import numpy as np
import pytest

from companion.posture.rows import POSTURE, Context, RowFlag, State
from firmware_protocol.samples import SAMPLES, SampleFlag

PAGE = "docs/frames-and-units.md"


def table(page: str, first_header: str, after: str = "") -> list[list[str]]:
    """The cells of the first Markdown table with this first header, below the line `after`; without its head."""
    lines = page[page.index(after) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_header} |"))
    rows: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        unescaped = line.replace("\\|", "/")
        rows.append([cell.strip().strip("`") for cell in unescaped.strip("|").split("|")])
    return rows


def fields(dtype: "np.dtype[np.void]") -> list[list[str]]:
    """Names and types of a structured type's fields, as the documentation writes them."""
    described = []
    for name in dtype.names or ():
        base, shape = dtype[name].base, dtype[name].shape
        kind = f"{base.kind}{base.itemsize}"
        described.append([name, kind + (f"[{shape[0]}]" if shape else "")])
    return described


def codes(kinds: type[IntEnum] | type[IntFlag], lower: bool) -> list[list[str]]:
    """Names and values of an enumeration, as the documentation writes them."""
    return [[str(kind.name).lower() if lower else str(kind.name), str(int(kind))] for kind in kinds]


@pytest.mark.parametrize(("heading", "dtype"), [("## SAMPLES", SAMPLES), ("## POSTURE", POSTURE)])
def test_fields(texts: dict[str, str], heading: str, dtype: "np.dtype[np.void]") -> None:
    documented = table(texts[PAGE], "field", after=heading)
    assert [row[:2] for row in documented] == fields(dtype)
    assert all(len(row) == 4 and all(row) for row in documented)


@pytest.mark.parametrize(
    ("header", "kinds", "lower"),
    [
        ("sample flag", SampleFlag, False),
        ("context", Context, True),
        ("state", State, True),
        ("row flag", RowFlag, False),
    ],
)
def test_codes(texts: dict[str, str], header: str, kinds: type[IntEnum] | type[IntFlag], lower: bool) -> None:
    documented = table(texts[PAGE], header)
    assert [row[:2] for row in documented] == codes(kinds, lower)
    assert all(len(row) == 3 and all(row) for row in documented)


def test_size_of_a_sample(texts: dict[str, str]) -> None:
    assert f"`firmware_protocol.samples.SAMPLES`, {SAMPLES.itemsize} bytes, aligned" in texts[PAGE]


def test_dependencies(texts: dict[str, str]) -> None:
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    extras = project["optional-dependencies"]
    used = ("simulator", "bthome", "report", "benchmarks")
    wanted = [*project["dependencies"], *(each for name in used for each in extras[name])]
    names = {requirement.split(">")[0].split("=")[0].strip() for requirement in wanted}
    documented = table(texts["docs/architecture.md"], "package")
    assert {row[0] for row in documented} == names
    assert all(len(row) == 3 and all(row) for row in documented)


def test_a_difference_is_seen() -> None:
    page = "# X\n\n| field | type | unit |\n|---|---|---|\n| `t_ns` | i8 | ns |\n| `a` | f8[3] | \\|a\\| |\n\n| x |\n"
    assert table(page, "field") == [["t_ns", "i8", "ns"], ["a", "f8[3]", "/a/"]]
    dtype = np.dtype([("t_ns", "<i8"), ("a", "<f4", (3,))])
    assert fields(dtype) == [["t_ns", "i8"], ["a", "f4[3]"]]
