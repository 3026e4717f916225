"""What the wearer reads neither judges nor promises: no text of the program has a word of these lists.

String literals of the companion count, an f-string as one text. Docstrings do not, except those of decorated
functions in cli/: they are the help of the commands.
"""

import ast
import re
from collections.abc import Iterator

import pytest

JUDGING = r"bad(ly)?|good|poor(ly)?|incorrect(ly)?|improper(ly)?|perfect(ly)?|ideal(ly)?|lazy|hunch(ed|ing)?"
PROMISING = r"pains?|painful|diseases?|injur(y|ies|ed)|cur(e|es|ed|ing)|heal(s|ed|ing|th|thy|thier)?|unhealthy"
MEDICAL = r"therap(y|ies|eutic)|diagnos(e|es|is|ed|tic|tics)|symptoms?|harm(s|ful|ed)?|suffer(s|ing)?"
NEVER = re.compile(rf"\b({JUDGING}|{PROMISING}|{MEDICAL})\b", re.IGNORECASE)
"""Words that have no place in any text."""

OF_ONE = re.compile(r"\b(wrong(ly)?|correct(ly|ed|ion)?|proper(ly)?|right)\b", re.IGNORECASE)
BODY = re.compile(
    r"\b(postures?|positions?|sit(s|ting)?|stand(s|ing)?|spines?|shoulders?|slouch\w*|neck)\b", re.IGNORECASE
)
"""Words that are plain beside a file or an adapter, and a verdict beside a body; right is also a side."""

SIDES = re.compile(
    r"\b(to (the|your) right|right (side|hand|shoulder)|left|right (is )?positive|lateral)\b", re.IGNORECASE
)


def verdicts(text: str) -> list[str]:
    """The words of a text that the wearer must not read, in lower case."""
    found = [match[0].lower() for match in NEVER.finditer(text)]
    if BODY.search(text):
        found += [match[0].lower() for match in OF_ONE.finditer(SIDES.sub("", text))]
    return found


def shown_texts(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every literal that the program can show."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    hidden = {id(node) for node in _statements(tree)} - {id(node) for node in _helps(path, tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(pieces)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | hidden:
            yield node.lineno, node.value


def _statements(tree: ast.Module) -> Iterator[ast.expr]:
    """Every constant that is a statement of its own: docstrings, and what describes a name above it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _helps(path: str, tree: ast.Module) -> Iterator[ast.expr]:
    """The docstrings that become the help of a command: those of decorated functions in cli/."""
    for node in ast.walk(tree) if path.startswith("companion/cli/") else ():
        if isinstance(node, ast.FunctionDef) and node.decorator_list and isinstance(node.body[0], ast.Expr):
            yield node.body[0].value


def violations(path: str, source: str) -> list[str]:
    """Every word of one module that the wearer must not read, one sentence each."""
    return [
        f"{path}:{line}: {word!r} in {text!r}"
        for line, text in shown_texts(path, ast.parse(source))
        for word in verdicts(text)
    ]


def test_no_text_judges_or_promises(modules: dict[str, str]) -> None:
    companion = {path: source for path, source in modules.items() if path.startswith("companion/")}
    assert companion
    found = [sentence for path, source in companion.items() for sentence in violations(path, source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Bad posture for 30 s", ["bad"]),
        ("GOOD: back in range", ["good"]),
        ("Your posture is wrong", ["wrong"]),
        ("the correct posture", ["correct"]),
        ("Sit properly.", ["properly"]),
        ("prevents back pain", ["pain"]),
        ("healthy, good and ideal", ["healthy", "good", "ideal"]),
        ("stand right", ["right"]),
        ("forward of your baseline by 14.2°", []),
        ("back in range after 12 s", []),
        ("sagittal positive forward, lateral positive to your right while sitting", []),
        ("not a medical device; stop at the first discomfort", []),
        ("what is wrong with Bluetooth here", []),
        ("the password is not right", []),
        ("badge, goodbye, painted, curated, harmonic, idealised", []),
    ],
)
def test_verdicts(text: str, words: list[str]) -> None:
    assert verdicts(text) == words


@pytest.mark.parametrize(
    ("path", "source", "count"),
    [
        ("companion/output/lines.py", "print('good')", 1),
        ("companion/output/lines.py", "print(f'{angle} is ba' 'd')", 1),
        ("companion/output/lines.py", "def f():\n    return {'poor': 1}", 1),
        ("companion/output/lines.py", '"""Never says bad."""\nX = 1\n"""Good."""', 0),
        ("companion/output/lines.py", "bad = 1  # bad", 0),
        ("companion/cli/air.py", '@app.command()\ndef monitor():\n    """Shows bad posture."""', 1),
        ("companion/cli/air.py", 'def _clean(text):\n    """Cures bad text."""', 0),
    ],
)
def test_which_literals_count(path: str, source: str, count: int) -> None:
    assert len(violations(path, source)) == count
