"""The bell rings in terminals only."""

import io

from companion.output.notify import TerminalBell


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_rings() -> None:
    terminal = Terminal()
    assert TerminalBell(terminal).ring()
    assert terminal.getvalue() == "\a"


def test_a_pipe_stays_clean() -> None:
    pipe = io.StringIO()
    assert not TerminalBell(pipe).ring()
    assert pipe.getvalue() == ""


def test_a_closed_terminal_is_no_error() -> None:
    terminal = Terminal()
    terminal.close()
    assert not TerminalBell(terminal).ring()
