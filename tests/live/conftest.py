"""The monitor as a process of its own: started, left alone, stopped or killed from outside, and what is left of it.

Knows the command line, recordings, and the session class as the judge of what a recording means.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from companion.cli import main
from companion.commands.voices import JsonVoice
from companion.errors import RecordingError
from companion.posture.events import Event
from companion.recording import open_recording
from companion.session import Session
from firmware_protocol.frames import Frame

PATIENCE_S = 120.0
"""How long a test waits for something that takes seconds, before it says that it did not come."""

Sink = int | IO[bytes] | None
StartMonitor = Callable[..., "Monitor"]
Lived = Callable[[str], "Monitor"]
Posture = Callable[..., bytes]


def environment() -> dict[str, str]:
    """This one, without settings of this machine's user."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POSTURE_")}


@dataclass(frozen=True)
class Monitor:
    """`posture monitor` in a process of its own, with a data directory of its own."""

    process: "subprocess.Popen[bytes]"
    directory: Path

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def out(self) -> bytes:
        """What it has written to stdout so far, where that was not led elsewhere."""
        return (self.directory / "out").read_bytes()

    @property
    def err(self) -> str:
        return (self.directory / "err").read_text()

    @property
    def lines(self) -> list[str]:
        """The whole lines of stdout so far."""
        text = self.out.decode()
        return text[: text.rfind("\n") + 1].splitlines()

    @property
    def files(self) -> list[Path]:
        """Everything that lies where its recording lies."""
        return sorted((self.data / "sessions").iterdir())

    @property
    def recording(self) -> Path:
        (path,) = (path for path in self.files if path.suffix == ".posture")
        return path

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Its JSON lines of one type."""
        return [found for found in map(json.loads, self.lines) if found["type"] == kind]

    def has_closed(self) -> bool:
        """Whether its recording has come to an end, and is one file."""
        if not (self.data / "sessions").is_dir() or [path.suffix for path in self.files] != [".posture"]:
            return False
        try:
            with open_recording(self.recording) as recording:
                return recording.closed
        except RecordingError:  # it is being made
            return False

    def frames(self) -> list[Frame]:
        """All frames of its recording, which has no damage."""
        with open_recording(self.recording) as recording:
            frames = list(recording.frames())
            assert recording.damage == []
        return frames

    def samples(self) -> Any:
        """SAMPLES of its recording."""
        with open_recording(self.recording) as recording:
            return recording.samples()

    def lines_of_frames(self) -> list[str]:
        """The posture and event lines that the frames of its recording complete, computed here, frame by frame."""
        with open_recording(self.recording) as recording:
            session, voice = Session(recording.header), JsonVoice(recording.header, self.recording)
            return [line for frame in recording.frames() for line in voice.tell(session.feed([frame]))]

    def events_of_frames(self) -> list[Event]:
        """The events that its recording means, those of its end included."""
        with open_recording(self.recording) as recording:
            session = Session(recording.header)
            return [*session.feed(recording.frames()).events, *session.close().events]

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Wait for something that this monitor will bring about."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline_s, self.err
            time.sleep(0.02)

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(PATIENCE_S)

    def clean_up(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def posture(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Posture]:
    """The real command line in this process, which is not the monitor's: exit code 0, nothing on stderr, its stdout."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    mask = os.umask(0o077)

    def run(*arguments: object) -> bytes:
        capfdbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        assert (code, err) == (0, b"")
        return out

    yield run
    os.umask(mask)


@pytest.fixture
def start_monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartMonitor]:
    """Starts monitors; those that still run at the end of the test are killed."""
    with ExitStack() as stack:
        yield _starter(stack, tmp_path_factory)


def _starter(stack: ExitStack, directories: pytest.TempPathFactory) -> StartMonitor:
    def start(*arguments: object, stdout: Sink = None, terminal: Sink = None) -> Monitor:
        directory = directories.mktemp("monitor")
        command = [sys.executable, "-m", "companion.cli", "monitor", *map(str, arguments)]
        with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
            process = subprocess.Popen(
                [*command, "--data-dir", directory / "data"],
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=terminal or stdout or out,
                stderr=terminal or err,
                env=environment() | {"TERM": "xterm-256color"},
                start_new_session=True,
            )
        monitor = Monitor(process, directory)
        stack.callback(monitor.clean_up)
        return monitor

    return start


FAULTY = {
    "packets": "slouch --duration 19 --set alert.delay=5s --fault no-buffer --fault lose@4+0.4"
    " --fault garbage@6 --fault short@8",
    "link": "slouch --duration 15 --fault link@4+3 --fault reboot@11",
    "no buffer": "slouch --duration 9 --fault no-buffer --fault link@3+2",
    "silence": "upright --duration 14 --fault no-buffer --fault silent@3+7 --fault flip@12",
}
STORIES = FAULTY | {"guided": "demo --duration 21 --fault lose@8"}
PERSON = "lowerback_mobilised/HA001_Test5_Trial1.npz"


@pytest.fixture(scope="session")
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Sessions that several tests look at, by name. They all run at once, as each lasts as long as its story."""
    arguments = {name: text.split() for name, text in STORIES.items()}
    try:
        shared: Path = request.getfixturevalue("shared_data")
        arguments["person"] = [str(shared / PERSON), "--duration", "12", "--set", "slouch.limit_deg=5"]
    except pytest.skip.Exception:  # only the test that asks for the person is skipped
        pass
    with ExitStack() as stack:
        start = _starter(stack, tmp_path_factory)
        monitors = {name: start("--json", "--simulated", *given) for name, given in arguments.items()}

        def ended(name: str) -> Monitor:
            monitor = monitors[name]
            assert (monitor.ended(), monitor.err) == (0, "")
            return monitor

        yield ended
