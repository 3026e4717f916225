"""The screen in a real (pseudo) terminal: signals, a terminal that nobody reads, a terminal that is closed."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="there are no pseudo terminals on this system")
fcntl = pytest.importorskip("fcntl")
struct = pytest.importorskip("struct")
termios = pytest.importorskip("termios")

SCREEN = """
import fcntl, itertools, os, sys, termios
from companion.output import monitor_app
from companion.output.snapshot import Snapshot

fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # a session of its own makes this its terminal, as a shell's is
monitor_app.UPDATES_A_SECOND = 50
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
counted = itertools.count()


def latest():
    tick = next(counted)
    history = tuple(float(second * (tick % 7)) for second in range(20))
    return Snapshot(t_s=float(tick), calibrated=True, history_deg=history, history_end_s=tick)


monitor_app.run_screen(
    latest,
    lambda kind, value: os.write(log, f"{kind} ".encode()),
)
os.write(log, b"ended ")
"""
PATIENCE_S = 20.0


class Terminal:
    """A terminal of 80 × 24 with the screen running in it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        log.touch()
        self._master, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCREEN, str(log)],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color"},
        )
        os.close(inside)
        self.output = b""

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def read_until(self, wanted: bytes) -> None:
        """Read what is written until `wanted` was among it."""
        self._wait_for(lambda: wanted in self.output, read=True)

    def wait_for(self, said: str, *, read: bool) -> None:
        """Wait until the log is `said`, reading what is written or leaving it."""
        self._wait_for(lambda: self._log.read_text() == said, read=read)

    def ends(self, *, read: bool) -> int:
        """Wait for the process to end; its exit code."""
        self._wait_for(lambda: self.process.poll() is not None, read=read)
        return self.process.wait()

    def close(self) -> None:
        """Close the terminal, as a window is closed."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def clean_up(self) -> None:
        self.close()
        self.process.kill()
        self.process.wait()

    def _wait_for(self, done: Callable[[], bool], *, read: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, (self._log.read_text(), self.output[-500:])
            if read and select.select([self._master], [], [], 0.02)[0]:
                try:
                    self.output += os.read(self._master, 65536)
                except OSError:  # the other side has closed
                    time.sleep(0.02)
            else:
                time.sleep(0.02)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path / "log")
    yield terminal
    terminal.clean_up()


def test_sigterm_restores_the_terminal(terminal: Terminal) -> None:
    terminal.read_until(b"quit")
    assert b"\x1b[?1049h" in terminal.output, "the screen has taken the whole terminal"
    assert b"\x1b[?1003h" not in terminal.output, "the mouse stays the terminal's"
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ends(read=True) == 0
    terminal.wait_for("quit ended ", read=True)
    assert terminal.output.endswith(b"\x1b[?1049l\x1b[?25h\x1b[?1004l")


def test_ctrl_z_does_nothing_and_ctrl_c_quits(terminal: Terminal) -> None:
    terminal.read_until(b"quit")
    terminal.type(b"\x1a")
    terminal.type(b"m")
    terminal.wait_for("mark ", read=True)
    terminal.type(b"\x03")
    assert terminal.ends(read=True) == 0
    terminal.wait_for("mark quit ended ", read=True)


def test_a_terminal_that_nobody_reads_stops_nothing(terminal: Terminal) -> None:
    terminal.read_until(b"quit")
    terminal.type(b"m")
    terminal.wait_for("mark ", read=False)
    time.sleep(2.0)  # a hundred updates: far more than the terminal and Textual's queue hold
    terminal.type(b"f")
    terminal.wait_for("mark false_alarm ", read=False)
    terminal.type(b"q")
    terminal.wait_for("mark false_alarm quit ", read=False)
    assert terminal.ends(read=True) == 0


def test_a_closed_terminal_ends_it(terminal: Terminal, tmp_path: Path) -> None:
    terminal.read_until(b"quit")
    terminal.close()
    terminal.ends(read=False)
    assert (tmp_path / "log").read_text() == "quit ended "
