"""The shape of the packages: names that say something, docstrings, functions and files that can be read."""

import ast
from collections.abc import Iterator

import pytest

EMPTY_NAMES = frozenset(
    "base common core helper helpers manager managers misc shared stuff tool tools util utils".split()  # noqa: SIM905
)
LONGEST_FUNCTION = 50
LONGEST_FILE = 400

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def length(function: FunctionNode) -> int:
    """Lines of a function from its `def` to its end, the docstring left out."""
    last = function.end_lineno or function.lineno
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    documented = (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1 if docstring else 0
    return last - function.lineno + 1 - documented


def complaints(path: str, source: str) -> Iterator[str]:
    """Everything about one module's shape that the house rules do not allow, one sentence each."""
    for part in path.removesuffix(".py").split("/"):
        if part in EMPTY_NAMES or part.endswith(("_utils", "_helpers", "_manager")):
            yield f"{path}: {part!r} says nothing about what is inside"
    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        yield f"{path}: opens without a docstring that says what it is"
    lines = source.count("\n")
    if lines > LONGEST_FILE:
        yield f"{path}: {lines} lines; {LONGEST_FILE} at most, split by idea"
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode) and length(node) > LONGEST_FUNCTION:
            yield f"{path}:{node.lineno}: {node.name} has {length(node)} lines; {LONGEST_FUNCTION} at most"


def test_the_packages_keep_their_shape(modules: dict[str, str]) -> None:
    assert modules
    found = [sentence for path, source in modules.items() for sentence in complaints(path, source)]
    assert not found, "\n".join(found)


def test_no_two_test_files_share_a_name(texts: dict[str, str]) -> None:
    names = [path.rsplit("/", 1)[-1] for path in texts if path.startswith("tests/") and "/test_" in path]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("path", "source", "sentence"),
    [
        ("companion/utils.py", '"""Doc."""', "says nothing"),
        ("companion/link/manager.py", '"""Doc."""', "says nothing"),
        ("companion/helpers/x.py", '"""Doc."""', "says nothing"),
        ("companion/link/x_utils.py", '"""Doc."""', "says nothing"),
        ("companion/link/x.py", "X = 1", "opens without a docstring"),
        ("companion/link/x.py", "", "opens without a docstring"),
        ("companion/link/x.py", '"""Doc."""' + "\n" * 401, "401 lines"),
        ("companion/link/x.py", '"""Doc."""\ndef f():\n' + "    x = 1\n" * 50, "f has 51 lines"),
        (
            "companion/link/x.py",
            '"""Doc."""\nclass A:\n  async def g():\n' + "    x = 1\n" * 50,
            "g has 51 lines",
        ),
    ],
)
def test_a_violation_is_seen(path: str, source: str, sentence: str) -> None:
    found = list(complaints(path, source))
    assert len(found) == 1, found
    assert sentence in found[0]


def test_a_docstring_does_not_lengthen_a_function() -> None:
    source = '"""Doc."""\ndef f():\n    """One.\n\n    Two.\n    """\n' + "    x = 1\n" * 49
    assert list(complaints("companion/link/x.py", source)) == []
