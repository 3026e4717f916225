"""Every command that a page shows can be given, and blocks that are marked so are run.

A block whose fence says `run` behind the language is executed, page by page, in an empty directory with a copy of
recordings/: a `sh` block line by line, each line a `posture` command; a `python` block as a program. A `text` block
whose fence says `output` holds lines that the block before it printed, in their order; a line "..." stands for any
number of others.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from companion.cli import app, main

FENCED = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(posture [^`]+)`")
COMMENT = re.compile(r"(?:^|\s+)#\s.*$")
LEFT_OUT = "..."
MISSING = "Missing parameter"
RUN_PAGES = ("README.md", "docs/adding-a-device.md", "recordings/README.md")


@dataclass(frozen=True)
class Block:
    """A fenced block: the words behind the fence, and what stands inside."""

    info: tuple[str, ...]
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty, without comments."""
        bare = (COMMENT.sub("", line).strip() for line in self.text.splitlines())
        return [line for line in bare if line]


def blocks(page: str) -> list[Block]:
    return [Block(tuple(match["info"].split()), match["text"]) for match in FENCED.finditer(page)]


def wrong_commands(page: str) -> Iterator[tuple[str, str]]:
    """Every `posture` command that could not be given like this, and why.

    Commands of `sh` blocks are whole; running text may name one without its arguments, or leave parts out.
    """
    for block in blocks(page):
        for line in block.lines if block.info[:1] == ("sh",) else ():
            if is_posture(line) and (said := complaint(line)):
                yield line, said
    for command in INLINE.findall(FENCED.sub("", page)):
        if LEFT_OUT not in command and (said := complaint(command)) and not said.startswith(MISSING):
            yield command, said


def is_posture(line: str) -> bool:
    return re.match(r"(\.venv/bin/)?posture ", line) is not None


def complaint(command: str) -> str:
    """What the program would say against a command, found by parsing it and not running it; "" for nothing."""
    words, found = shlex.split(command)[1:], typer.main.get_command(app)
    name = "posture"
    while words and not words[0].startswith("-") and (commands := commands_of(found)):
        if words[0] not in commands:
            return f"no command {words[0]!r}"
        name, found, words = words[0], commands[words[0]], words[1:]
    try:
        found.make_context(name, words)
    except typer.Exit as left:  # after --help and --version
        return f"exit code {left.exit_code}" if left.exit_code else ""
    except Exception as error:
        return str(error) or repr(error)
    return ""


def commands_of(group: object) -> dict[str, Any]:
    """The commands of a group by name; none of what is no group."""
    return dict(getattr(group, "commands", {}))


# ---- commands can be given


def test_every_command_of_a_page_can_be_given(pages: dict[str, str], page: str) -> None:
    assert list(wrong_commands(pages[page])) == []


def test_only_running_text_may_leave_out_arguments() -> None:
    assert list(wrong_commands("see `posture replay --json`, or `posture import FILE --out ...`")) == []
    assert len(list(wrong_commands("see `posture replay --nosuch`"))) == 1
    assert len(list(wrong_commands("```sh\nposture replay --json\n```\n"))) == 1


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("posture nosuch", False),
        ("posture monitor --nosuch", False),
        ("posture replay", False),
        (".venv/bin/posture replay", False),
        ("posture sessions --json yes", False),
        ("posture replay FILE --speed quick", False),
        ("posture config nosuch", False),
        ("posture simulate STORY --seed -1", False),
        ("posture --help", True),
        ("posture config show --help", True),
        ("posture monitor --simulated --duration 5min", True),
        ("posture replay FILE --speed 20", True),
    ],
)
def test_which_commands_can_be_given(command: str, given: bool) -> None:
    assert (complaint(command) == "") is given


def test_every_target_of_make_that_a_page_names_exists(pages: dict[str, str], page: str, root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [line for block in blocks(pages[page]) if block.info[:1] == ("sh",) for line in block.lines]
    shown = [*lines, *re.findall(r"`(make [^`]+)`", FENCED.sub("", pages[page]))]
    named = [word for line in shown if line.startswith("make ") for word in line.split()[1:]]
    assert [word for word in named if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")] == [
        word for word in named if word in targets
    ]


def test_every_command_of_the_program_is_in_the_page_of_commands(pages: dict[str, str]) -> None:
    commands = commands_of(typer.main.get_command(app))
    assert [name for name in commands if f"\n## {name}\n" not in pages["docs/commands.md"]] == []
    assert [name for name in commands if f"posture {name}" not in pages["docs/commands.md"]] == []


# ---- blocks that are marked are run


@pytest.fixture
def runs(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs a block in an empty directory with the recordings; gives the lines that it printed."""
    for name in [name for name in os.environ if name.startswith("POSTURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POSTURE_DATA_DIR", str(tmp_path / "data"))
    place = tmp_path / "checkout"
    shutil.copytree(root / "recordings", place / "recordings")
    monkeypatch.chdir(place)
    mask = os.umask(0o077)
    os.umask(mask)

    def run(block: Block) -> list[str]:
        if block.info[0] == "python":
            words = [sys.executable, "-W", "error", "-c", block.text]
            return subprocess.run(
                words, capture_output=True, text=True, encoding="utf-8", check=True
            ).stdout.splitlines()
        capfd.readouterr()
        for line in block.lines:
            assert is_posture(line), f"{line}: only posture is run"
            assert main(shlex.split(line)[1:]) == 0, f"{line}: {capfd.readouterr().err}"
        return capfd.readouterr().out.splitlines()

    yield run
    os.umask(mask)


def missing(shown: str, printed: list[str]) -> list[str]:
    """The shown lines that were not printed, or not in this order.

    The digits of measured numbers may differ, as their last place does between processors; so may trailing spaces.
    """
    rest = iter([without_digits(line) for line in printed])
    wanted = [line for line in shown.splitlines() if line.strip() not in ("", LEFT_OUT)]
    return [line for line in wanted if without_digits(line) not in rest]


def without_digits(line: str) -> str:
    return re.sub(r"[+-]?\d+\.\d+", "#", line).rstrip()


def test_marked_blocks_run_and_print_what_the_page_shows(
    pages: dict[str, str], page: str, runs: Callable[[Block], list[str]]
) -> None:
    printed: list[str] | None = None
    for block in blocks(pages[page]):
        if block.info[1:] == ("run",):
            printed = runs(block)
        elif block.info == ("text", "output"):
            assert printed is not None, f"{page}: output of no block"
            assert missing(block.text, printed) == [], f"{page}: {printed}"


@pytest.mark.parametrize("page_with_marks", RUN_PAGES)
def test_the_pages_that_show_how_have_marked_blocks(pages: dict[str, str], page_with_marks: str) -> None:
    assert any(block.info[1:] == ("run",) for block in blocks(pages[page_with_marks]))


@pytest.mark.parametrize(
    ("shown", "printed", "absent"),
    [
        ("a\nc\n", ["a", "b", "c"], []),
        ("a\n...\nc\n", ["a ", "b", "c"], []),
        ("c\na\n", ["a", "b", "c"], ["a"]),
        ("d\n", ["a"], ["d"]),
        ("-1.2° after 3 s\n", ["+1.3° after 3 s"], []),
        ("1.2° after 3 s\n", ["1.2° after 4 s"], ["1.2° after 3 s"]),
    ],
)
def test_shown_output_is_compared_line_by_line(shown: str, printed: list[str], absent: list[str]) -> None:
    assert missing(shown, printed) == absent


# ---- a sensor's five lines, with a simulated one


@pytest.mark.parametrize("command", ["scan --timeout 2", "pair", "monitor --plain --duration 2"])
def test_the_way_of_a_sensor_works_with_a_simulated_one(
    pages: dict[str, str], command: str, runs: Callable[[Block], list[str]]
) -> None:
    name, _, _ = command.partition(" ")
    assert f"posture {name}" in [line for block in blocks(pages["README.md"]) for line in block.lines]
    assert runs(Block(("sh", "run"), f"posture {command} --simulated\n"))
