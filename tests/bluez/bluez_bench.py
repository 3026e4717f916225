"""What a test in the guest holds in its hands: the air, BlueZ's service, the adapter, the `posture` command.

Knows: processes, the message bus by `dbus-send`, the commands' JSON lines. Must never know: the simulator (that is the
air's own process), bleak.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = Path("/out")
"""Shared with the computer outside: what is written here is kept."""
PATIENCE_S = 120.0
"""How long a test waits for something that takes seconds, before it says that it did not come."""
BONDS = Path("/var/lib/bluetooth")


def wait_until(done: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The first true answer of `done`; an AssertionError that says `what` did not come."""
    deadline_s = time.monotonic() + patience_s
    while not (answer := done()):
        assert time.monotonic() < deadline_s, f"waited {patience_s:g} s for {what}"
        time.sleep(0.05)
    return answer


class Air:
    """The air's process (see `air_process.py`), and its words as methods."""

    def __init__(self, socket_path: Path) -> None:
        command = [sys.executable, str(HERE / "air_process.py"), str(socket_path)]
        with (OUT / "air.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the air did not start: see air.log"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(socket_path))
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self.addresses: list[str] = []

    def do(self, word: str, **arguments: Any) -> Any:
        """One word to the process, and its answer."""
        self._socket.sendall((json.dumps({"do": word, **arguments}) + "\n").encode())
        said = json.loads(self._lines.readline() or '{"error": "the air has ended: see air.log"}')
        assert "error" not in said, said["error"]
        return said["answer"]

    def reset(self, *stories: str, faults: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> None:
        """New sensors, one for each story (F4:12:3D:5A:70:01 and so on), on a new air; the adapter is plugged in.

        A story begins anew when a host connects after an orderly end, as in `simulate --hci`. Every sensor is called
        "Posture 1234" unless `names` says otherwise; `faults` are those of `--fault`.
        """
        named = list(names) or ["Posture 1234"] * len(stories)
        self.addresses = self.do("reset", stories=stories, faults=faults, names=named, story_anew=True)

    def drop(self, sensor: int = 0) -> bool:
        """The sensor ends the link (0x13); whether there was one."""
        return bool(self.do("drop", sensor=sensor))

    def away(self, sensor: int = 0) -> None:
        """Out of range: the link is lost (0x08), nothing is advertised, no link can be made."""
        self.do("away", sensor=sensor)

    def back(self, sensor: int = 0) -> None:
        """In range again."""
        self.do("back", sensor=sensor)

    def vanish(self, seconds: float, sensor: int = 0) -> None:
        """Out of range for so long, and back by itself; returns at once."""
        self.do("vanish", seconds=seconds, sensor=sensor)

    def forget(self, sensor: int = 0) -> None:
        """The sensor's keys are gone, as after a reset to factory settings, and its link with them."""
        self.do("forget", sensor=sensor)

    def unplug(self) -> None:
        """The adapter is pulled out."""
        self.do("unplug")

    def plug(self) -> None:
        """The adapter is plugged in again."""
        self.do("plug")

    def told(self, sensor: int = 0) -> dict[str, Any]:
        """The sensor's account: connected, story_s, samples taken since each Start, sent, lost ..., spans, boot_s."""
        return dict(self.do("told", sensor=sensor))

    def wait_connected(self, wanted: bool = True, sensor: int = 0) -> None:
        """Wait until the sensor is connected, or is not."""
        wait_until(lambda: self.told(sensor)["connected"] is wanted, f"connected = {wanted}")

    def end(self) -> None:
        """End the process."""
        self._lines.close()
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.communicate()


def on_bus(destination: str, path: str, member: str, *arguments: str) -> str:
    """What a method on the system bus answers, as `dbus-send` prints it; empty where it fails."""
    command = ["dbus-send", "--system", "--print-reply=literal", f"--dest={destination}", path, member, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def bus_matches(pid: int) -> tuple[int, int]:
    """How many connections to the system bus a process has, and how many match rules on them in all."""
    bus, here = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    names = re.findall(r":\d+\.\d+", on_bus(bus, here, f"{bus}.ListNames"))
    owners = {name: on_bus(bus, here, f"{bus}.GetConnectionUnixProcessID", f"string:{name}") for name in names}
    own = [name for name, owner in owners.items() if owner.split()[-1:] == [str(pid)]]
    stats = [on_bus(bus, here, f"{bus}.Debug.Stats.GetConnectionStats", f"string:{name}") for name in own]
    rules = [re.search(r"MatchRules\s+variant\s+uint32 (\d+)", said) for said in stats]
    return len(own), sum(int(rule[1]) if rule else -1 for rule in rules)


class Bluetooth:
    """BlueZ's service and its adapter."""

    @property
    def pids(self) -> list[int]:
        """Processes of bluetoothd; one, or none where it has been ended."""
        return [int(each.parent.name) for each in Path("/proc").glob("[0-9]*/comm") if _comm(each) == "bluetoothd"]

    @property
    def running(self) -> bool:
        """Whether it is on the bus."""
        name = on_bus("org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", "string:org.bluez")
        return "true" in name

    def kill(self) -> None:
        """End it as kill -9 does."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.running, "bluetoothd to leave the bus")

    def start(self) -> None:
        """Start it as the guest's init does."""
        subprocess.run(["sh", "-c", f"bash {HERE}/guest/bluetoothd &"], check=True)  # a child of init, as the first was
        wait_until(lambda: self.running, "bluetoothd on the bus")

    def forget_everything(self) -> None:
        """A service without bonds, caches or addresses: ended, emptied, started."""
        self.kill()
        for each in BONDS.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        self.start()

    @property
    def adapters(self) -> list[str]:
        """Paths of the adapters, such as /org/bluez/hci0."""
        said = on_bus("org.bluez", "/", "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
        return sorted(set(re.findall(r"/org/bluez/hci\d+(?=\s)", said)))

    def get(self, name: str) -> str:
        """A property of the adapter as text; empty where there is no adapter."""
        for adapter in self.adapters[:1]:
            wanted = ("string:org.bluez.Adapter1", f"string:{name}")
            return on_bus("org.bluez", adapter, "org.freedesktop.DBus.Properties.Get", *wanted).split()[-1]
        return ""

    def power(self, on: bool) -> None:
        """Switch the adapter on or off, as a desktop's switch does."""
        wanted = ("string:org.bluez.Adapter1", "string:Powered", f"variant:boolean:{str(on).lower()}")
        on_bus("org.bluez", self.adapters[0], "org.freedesktop.DBus.Properties.Set", *wanted)
        self.wait_powered(on)

    def wait_powered(self, on: bool = True) -> None:
        """Wait until there is an adapter that is switched on, or off."""
        wait_until(lambda: self.get("Powered") == str(on).lower(), f"an adapter with Powered = {on}")

    @property
    def bonded(self) -> list[str]:
        """Addresses of the devices that this computer has keys for."""
        files = BONDS.glob("*/*/info")
        return sorted(each.parent.name for each in files if "LongTermKey]" in each.read_text())


def _comm(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # it has just ended
        return ""


@dataclass
class Running:
    """A `posture` command that runs, its lines with the time (monotonic, s) at which each came."""

    process: "subprocess.Popen[str]"
    lines: list[tuple[float, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def told(self, kind: str = "") -> list[dict[str, Any]]:
        """Its JSON lines so far, those of one type where it is named; each has `came_s` besides."""
        found = [{**json.loads(line), "came_s": came_s} for came_s, line in list(self.lines) if line.startswith("{")]
        return [each for each in found if not kind or each["type"] == kind]

    def newest(self, kind: str) -> dict[str, Any]:
        """Its newest JSON line of one type; empty where there is none yet. Reads no more than it must."""
        for _, line in reversed(self.lines):
            if line.startswith("{") and (found := json.loads(line))["type"] == kind:
                return dict(found)
        return {}

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Its event lines so far."""
        return [each for each in self.told("event") if not name or each["event"] == name]

    @property
    def err(self) -> str:
        """What it has said on stderr."""
        return "".join(self.said)

    def wait_until(self, done: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
        """Wait for something that this command brings about."""
        try:
            return wait_until(done, what, patience_s)
        except AssertionError as error:
            last = "\n".join(line for _, line in self.lines[-5:])
            raise AssertionError(f"{error}\nstdout ends: {last}\nstderr: {self.err}") from None

    def stop(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for its end; the exit code."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {patience_s:g} s; stderr: {self.err}") from None

    @property
    def descriptors(self) -> int:
        """How many file descriptors it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@dataclass(frozen=True)
class Commands:
    """The `posture` command, with a data directory of its own."""

    data: Path
    environment: Mapping[str, str]

    def __call__(self, *words: object, code: int = 0, patience_s: float = PATIENCE_S) -> str:
        """Run a command to its end, which must have this exit code; its stdout."""
        command = ["posture", *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=self.environment, timeout=patience_s, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *words: object) -> Iterator[Running]:
        """A command that runs; killed at the end if it still does."""
        process = subprocess.Popen(
            ["posture", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        command = Running(process)
        readers = [threading.Thread(target=_read, args=(command, which), daemon=True) for which in ("out", "err")]
        for reader in readers:
            reader.start()
        try:
            yield command
        finally:
            process.kill()
            process.wait()
            for reader in readers:
                reader.join()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()


def _read(command: Running, which: str) -> None:
    stream = command.process.stdout if which == "out" else command.process.stderr
    assert stream is not None
    for line in stream:
        if which == "out":
            command.lines.append((time.monotonic(), line.rstrip("\n")))
        else:
            command.said.append(line)
