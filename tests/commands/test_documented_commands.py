"""docs/commands.md says what the program says. `python tests/commands/test_documented_commands.py` renews the help."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
HELP = re.compile(r"^```text\n\$ posture ([^\n]*)--help\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = (
    *(
        "",
        "scan",
        "devices",
        "pair",
        "calibrate",
        "monitor",
        "replay",
        "export",
        "sessions",
        "verify",
        "history",
        "report",
    ),
    *("delete", "simulate", "import"),
    *("doctor", "conformance"),
    *("config show", "config path"),
)


def help_of(command: str) -> str:
    """The help as it looks on a terminal of 80 columns."""
    code = "import sys; from companion.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, *command.split(), "--help"]
    ran = subprocess.run(
        words, capture_output=True, text=True, encoding="utf-8", check=True, env={**os.environ, "COLUMNS": "80"}
    )
    return ran.stdout


def documented() -> dict[str, str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return {match[1].strip(): match[2] for match in HELP.finditer(text)}


def test_every_command_has_its_help_in_the_document() -> None:
    assert tuple(documented()) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documented_help_is_the_program_s(command: str) -> None:
    assert documented().get(command) == help_of(command)


def test_every_setting_is_documented_with_its_default() -> None:
    from companion.settings import Settings

    section = DOCUMENT.read_text(encoding="utf-8").split("## Settings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\S+) \| .+ \|$", section, re.MULTILINE)
    assert rows == list(Settings().shown().items())


def test_every_story_is_documented_and_every_story_in_the_help_exists() -> None:
    from companion.cli import STORIES as IN_HELP
    from companion.simulator.stories import STORIES

    section = DOCUMENT.read_text(encoding="utf-8").split("## Stories")[1].split("\n## ")[0]
    named = [name for cells in re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE) for name in cells.split(", ")]
    assert [name.strip("`") for name in named] == list(STORIES)
    assert set(IN_HELP.split(", ")) <= set(STORIES)


def renew() -> None:
    """Write the program's help into the document."""
    text = HELP.sub(
        lambda match: f"```text\n$ posture {match[1]}--help\n{help_of(match[1])}```",
        DOCUMENT.read_text(encoding="utf-8"),
    )
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew()
