"""A terminal or pipe that nobody reads: the session goes on behind it, no frame is lost, alerts come on time.

The wearer of these tests leans 25° forward from the first moment on.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_protocol.frames import Dropped, LinkDown, Notification, RecorderTrouble, Tick
from firmware_protocol.posture_v1 import packets as p

fcntl = pytest.importorskip("fcntl", reason="there are no pseudo terminals on this system")
pty = pytest.importorskip("pty")
struct = pytest.importorskip("struct")
termios = pytest.importorskip("termios")

StartMonitor = Callable[..., Any]
Posture = Callable[..., bytes]

G_MPS2 = 9.80665
DELAY_S = 5.0
DURATIONS_S = [pytest.param(12, id="12 s", marks=pytest.mark.slow), pytest.param(60, id="60 s", marks=pytest.mark.slow)]


@pytest.fixture
def forward(tmp_path: Path) -> Path:
    """A motion file of someone who leans 25° forward, as still as people are."""
    noise = np.random.default_rng(7).normal(0.0, 0.02, (50 * 70, 3))
    lean = np.radians(25.0)
    np.savez(
        tmp_path / "forward.npz",
        acc=G_MPS2 * np.array([-np.sin(lean), 0.0, np.cos(lean)]) + noise,
        gyr=noise * 0.05,
        sampling_rate=50.0,
        up=np.array([0.0, 0.0, 1.0]),
        forward=np.array([1.0, 0.0, 0.0]),
    )
    return tmp_path / "forward.npz"


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """A pipe's two ends; it is full, so that the first line does not fit any more."""
    outside, inside = os.pipe()
    os.set_blocking(inside, False)
    with suppress(BlockingIOError):
        while True:
            os.write(inside, b"\n" * 4096)
    with suppress(BlockingIOError):
        while True:
            os.write(inside, b"\n")
    os.set_blocking(inside, True)
    yield outside, inside
    for end in (outside, inside):
        with suppress(OSError):
            os.close(end)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal's two sides: the one who should read, and the program's."""
    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    yield outside, inside
    for end in (outside, inside):
        with suppress(OSError):
            os.close(end)


def read_to_the_end(outside: int) -> bytes:
    """Everything that comes until the program's side is closed."""
    parts = []
    with suppress(OSError):  # how a terminal says that its other side is closed
        while part := os.read(outside, 65536):
            parts.append(part)
    return b"".join(parts)


def events_of(monitor: Any) -> list[tuple[str, float]]:
    """What the recording holds: each event and its time, in session seconds."""
    return [(type(event).__name__, event.t_session_ns / 1e9) for event in monitor.events_of_frames()]


def check_nothing_was_missed(monitor: Any, duration_s: float) -> None:
    frames = monitor.frames()
    assert not [frame for frame in frames if isinstance(frame, Dropped | LinkDown | RecorderTrouble)]

    # No sample is missing, and each packet was taken as it came: the sensor's clock and the host's never drift apart.
    samples = monitor.samples()
    assert np.array_equal(samples["index"], np.arange(len(samples)))
    assert len(samples) >= 50 * (duration_s - 2)
    stopped = p.parse_answer(
        [f.data for f in frames if isinstance(f, Notification) and f.characteristic == p.CONTROL][-1]
    )
    assert isinstance(stopped, p.Stopped)
    assert stopped.newest == len(samples) - 1

    # Forward from the first sample on: that the baseline does not fit is told before the alert.
    started, stale, raised, *_ = events_of(monitor)
    assert (started[0], stale[0], raised[0]) == ("SlouchStarted", "CalibrationStale", "AlertRaised")
    assert raised[1] - started[1] == pytest.approx(DELAY_S, abs=1e-6)
    # When the alert was due the session's thread was awake: its ticks stand at whole seconds of the clock.
    late_s = [frame.t_host_ns % 1_000_000_000 / 1e9 for frame in frames if isinstance(frame, Tick)]
    assert len(late_s) >= duration_s - 2
    assert float(np.median(late_s)) < 0.2


@pytest.mark.parametrize("duration_s", DURATIONS_S)
def test_output_that_nobody_reads_stops_nothing(
    start_monitor: StartMonitor,
    posture: Posture,
    full_pipe: tuple[int, int],
    terminal: tuple[int, int],
    forward: Path,
    duration_s: float,
) -> None:
    what = ["--simulated", forward, "--duration", duration_s, "--set", f"alert.delay={DELAY_S:g}s"]
    piped = start_monitor(*what, "--json", stdout=full_pipe[1])
    shown = start_monitor(*what, terminal=terminal[1])
    for inside in (full_pipe[1], terminal[1]):
        os.close(inside)
    for monitor in (piped, shown):
        monitor.wait_until(monitor.has_closed)
        check_nothing_was_missed(monitor, duration_s)

    # Somebody reads again: every line is there, and both end.
    out = read_to_the_end(full_pipe[0]).lstrip(b"\n")
    assert (piped.ended(), piped.err) == (0, "")
    assert out == posture("replay", piped.recording, "--speed", "max", "--json")
    out = read_to_the_end(terminal[0])
    assert shown.ended() == 0
    assert b"\x1b[?1049h" in out, "there was a screen"
    assert out.rstrip().endswith(str(shown.recording).encode())
