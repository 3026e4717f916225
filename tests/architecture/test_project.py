"""No file of the checkout names a path of one machine or a registry, and none is unfinished."""

import re
import tomllib

import pytest

# Each pattern has a bracket somewhere, so that this file does not match itself.
FORBIDDEN = {
    "a machine's path": r"(?<![\w.])/(?:(?:wor[k]|roo[t])(?:/|\b)|(?:hom[e]|User[s])/(?!me/)\w)|[A-Z]:\\User[s]\\",
    "a registry": r"--(?:extra-)?inde[x]-url|pypi\.or[g]/simple|files\.pythonhoste[d]|PIP_INDE[X]",
    "unfinished": r"\b(?:TOD[O]|FIXM[E]|XX[X])\b|\bxfai[l]\b|pytest\.ski[p]\(\)",
}
PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+")


def violations(path: str, text: str) -> list[str]:
    """Everything in one file that no project file may hold, one sentence each."""
    return [
        f"{path}:{number}: {what}: {match[0]}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        for match in re.finditer(pattern, line)
    ]


def unpinned(constraints: str) -> list[str]:
    """The lines of a constraints file that are not exactly a name and a version."""
    return [line for line in constraints.splitlines() if PINNED.fullmatch(line) is None]


def normal(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required_names(project: str) -> set[str]:
    """Every distribution that pyproject.toml asks for, extras included, the project itself left out."""
    table = tomllib.loads(project)["project"]
    wanted = [
        *table["dependencies"],
        *(each for extra in table["optional-dependencies"].values() for each in extra),
    ]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", each)[0]) for each in wanted}  # type: ignore[index]
    return names - {normal(table["name"])}


def test_no_file_holds_what_none_may(texts: dict[str, str]) -> None:
    assert "pyproject.toml" in texts
    found = [sentence for path, text in texts.items() for sentence in violations(path, text)]
    assert not found, "\n".join(found)


def test_constraints_are_exact_and_complete(texts: dict[str, str]) -> None:
    constraints = texts["constraints.txt"]
    assert unpinned(constraints) == []
    pinned = [normal(line.split("==")[0]) for line in constraints.splitlines()]
    assert sorted(pinned) == sorted(set(pinned))
    assert required_names(texts["pyproject.toml"]) <= set(pinned)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("see /" + "work/main", "a machine's path"),
        ('open("/' + 'home/ada/x")', "a machine's path"),
        ("C:\\" + "Users\\ada", "a machine's path"),
        ("pip install --" + "index-url somewhere", "a registry"),
        ("pip install --extra-" + "index-url somewhere", "a registry"),
        ("# TO" + "DO: later", "unfinished"),
        ("pytest.mark.x" + "fail", "unfinished"),
    ],
)
def test_a_violation_is_seen(text: str, what: str) -> None:
    assert [sentence.split(": ")[1] for sentence in violations("x.py", text)] == [what]


@pytest.mark.parametrize(
    "text",
    ["the network/working set", "../shared/data", "~/posture", "a homework/x", "/home/me/x.posture", "/etc/localtime"],
)
def test_what_is_allowed_is_not_reported(text: str) -> None:
    assert violations("x.py", text) == []


def test_unpinned_lines_are_seen() -> None:
    lines = ["numpy>=2", "-e .", "numpy @ file:///x", "# numpy", "", "numpy==2.4.6; python_version > '3'"]
    assert unpinned("\n".join(["numpy==2.4.6", "ruamel.yaml==0.18", *lines])) == lines
