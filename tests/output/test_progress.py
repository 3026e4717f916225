"""The bar: on a terminal only, gone at the end however that comes, never wider than the terminal, never in a pipe."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from companion.output import progress as bars
from companion.output.progress import Advance, progress

CLEARED = re.compile(r"\r\x1b\[1A\x1b\[2K$")  # to the line of the bar, and empty it
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns on which bars are shown at once and always up to date."""
    shown = Terminal()
    monkeypatch.setattr(bars, "SHOW_AFTER_S", 0.0)
    monkeypatch.setattr(bars, "_UPDATE_EVERY_S", 0.0)
    for name, value in (("TERM", "xterm-256color"), ("COLUMNS", "80"), ("LINES", "24")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


@contextmanager
def bar(stderr: io.StringIO | None, doing: str, total: float | None) -> Iterator[Advance]:
    """A bar on this stderr; put in place here, as pytest has a stderr of its own for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        with progress(doing, total) as advance:
            yield advance


def states(terminal: Terminal) -> list[str]:
    """What the line showed, one state after the other."""
    return [text.strip() for text in re.split(r"[\r\n]+", ESCAPE.sub("", terminal.getvalue())) if text.strip()]


def test_a_bar_grows_and_vanishes(terminal: Terminal) -> None:
    with bar(terminal, "exporting", 200) as advance:
        for _ in range(4):
            advance(50)
    assert [re.sub(r"[━╸╺ ]+", " ", state).split(" ")[:2] for state in states(terminal)][-1] == ["exporting", "100%"]
    assert "25%" in terminal.getvalue()
    assert CLEARED.search(terminal.getvalue())
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError()])
def test_a_bar_vanishes_where_its_work_is_ended(terminal: Terminal, error: BaseException) -> None:
    def work() -> None:
        with bar(terminal, "exporting", 2) as advance:
            advance(1)
            raise error

    with pytest.raises(type(error)):
        work()
    assert "50%" in terminal.getvalue()
    assert CLEARED.search(terminal.getvalue())


@pytest.mark.parametrize("width", [4, 8, 20, 23, 24, 39, 40, 200])
def test_a_bar_stays_within_its_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with bar(terminal, "exporting", 8) as advance:
        advance(2)
        advance(6)
    assert max(map(len, states(terminal))) <= width
    assert terminal.getvalue().count("\x1b[1A") == 1  # only the end goes up a line
    assert ("%" in terminal.getvalue()) == (width >= 15)


@pytest.mark.parametrize("total", [None, 0, 0.0])
def test_an_unknown_total_has_no_per_cent(terminal: Terminal, total: float | None) -> None:
    with bar(terminal, "reading", total) as advance:
        advance(5)
        advance(0)
    assert "reading" in terminal.getvalue()
    assert "%" not in ESCAPE.sub("", terminal.getvalue())


def test_more_than_was_said_is_all(terminal: Terminal) -> None:
    with bar(terminal, "reading", 2) as advance:
        advance(50)
    assert "100%" in terminal.getvalue()
    assert "2500%" not in terminal.getvalue()


def test_no_colour_where_none_is_wanted(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with bar(terminal, "reading", 2) as advance:
        advance(1)
    assert "50%" in terminal.getvalue()
    assert re.search(r"\x1b\[[0-9;]*m", terminal.getvalue()) is None


def test_words_are_no_markup(terminal: Terminal) -> None:
    with bar(terminal, "[red]a[/]", 2) as advance:
        advance(1)
    assert "[red]a[/]" in terminal.getvalue()


def test_what_is_quick_shows_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "SHOW_AFTER_S", 3600.0)
    with bar(terminal, "reading", 2) as advance:
        advance(2)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("term", ["dumb", "unknown", None])
def test_a_terminal_that_draws_nothing_anew_gets_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, term: str | None
) -> None:
    monkeypatch.delenv("TERM")
    if term is not None:
        monkeypatch.setenv("TERM", term)
    with bar(terminal, "reading", 2) as advance:
        advance(1)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("stderr", [io.StringIO(), None])
def test_what_is_no_terminal_gets_nothing(terminal: Terminal, stderr: io.StringIO | None) -> None:
    with bar(stderr, "reading", 2) as advance:
        advance(1)
    assert stderr is None or stderr.getvalue() == ""
    assert terminal.getvalue() == ""


def test_what_is_printed_meanwhile_goes_where_it_would(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)  # pytest puts its own in before the test, not in it
    with bar(terminal, "reading", 2) as advance:
        advance(1)
        print("data")
    assert out.getvalue() == "data\n"


# ---- a real terminal

SLOW = """
import sys
from companion.output import progress as bars
bars.SHOW_AFTER_S = bars._UPDATE_EVERY_S = 0.0
from companion.commands.export import run
from companion.commands.options import ExportOptions
from pathlib import Path
run(ExportOptions(files=(Path(sys.argv[1]),), out=Path(sys.argv[2])))
"""

RECORDING = Path(__file__).parents[2] / "recordings" / "walk-and-sit.posture"


def on_a_terminal(*command: str, columns: int) -> tuple[int, str, str]:
    """Run a command whose stderr is a terminal and whose stdout is a pipe: code, stdout, what the terminal got."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment | {"TERM": "xterm-256color"},
        text=True,
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        out = process.stdout.read()
        code = process.wait()
    os.close(master)
    return code, out, shown.decode("utf-8")


@pytest.mark.parametrize("columns", [80, 12])
def test_export_shows_one_bar_on_a_real_terminal_and_its_paths_in_the_pipe(tmp_path: Path, columns: int) -> None:
    code, out, shown = on_a_terminal(sys.executable, "-c", SLOW, str(RECORDING), str(tmp_path / "out"), columns=columns)
    assert code == 0
    assert len(out.splitlines()) == 5
    assert all(line.endswith(".csv") for line in out.splitlines())
    assert "exporting"[: columns - 5] in shown
    assert shown.endswith("\r\x1b[1A\x1b[2K")


STOPPED = """
import os, signal, sys
from companion.output import progress as bars
bars.SHOW_AFTER_S = bars._UPDATE_EVERY_S = 0.0
from companion.cli import main
import companion.commands.recorded as recorded
from companion.recording import Recording
really = Recording.runs
def runs(self):
    for piece in really(self):
        yield piece
        os.kill(os.getpid(), signal.SIGINT)
Recording.runs = runs
sys.exit(main(["export", sys.argv[1], "--out", sys.argv[2]]))
"""


def test_ctrl_c_leaves_a_clean_line_and_no_file(tmp_path: Path) -> None:
    code, out, shown = on_a_terminal(sys.executable, "-c", STOPPED, str(RECORDING), str(tmp_path / "out"), columns=80)
    assert (code, out) == (0, "")
    assert "exporting" in shown
    assert shown.endswith("\r\x1b[1A\x1b[2Kstopped before the end\r\n")
    assert list(tmp_path.iterdir()) == []
