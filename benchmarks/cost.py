"""What a running monitor costs: share of a core in steady state, for each style and each thread. Linux only.

    python benchmarks/cost.py [--seconds 120] [--skip 10] [--mtu 247] [--rounds 1] [--styles json,screen,receiver]

The simulated sensor runs in a process of its own behind a UNIX socket, so its work is in no figure. What remains in the
monitor's process besides the monitor is the host side of the simulated radio (HCI, L2CAP, ATT and GATT in Python),
where a real system has its Bluetooth service; `receiver` is that alone: a bare bleak client that subscribes and throws
everything away. CPU time is utime + stime from /proc, over the whole process and over each thread.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
STORY = "upright"
RATE_HZ = 50
STYLES = {
    "json": "`monitor --json`",
    "plain": "`monitor --plain`",
    "screen": "`monitor` on a terminal of 100 × 30",
    "receiver": "a bare bleak client on the same radio",
    "together": "`monitor --simulated --json`, sensor in the same process",
}
AIMS_PCT = {"json": 2.0, "plain": 2.0, "screen": 5.0}


# ---- the processes that are measured, and the sensor


def be_sensor(socket: Path) -> None:
    """The simulated sensor, until it is killed."""
    from companion.simulator.radio_server import RadioServer
    from companion.simulator.sensor import Firmware
    from companion.simulator.stories import body_of

    async def run() -> None:
        async with RadioServer(Firmware(body_of(STORY)), path=socket):
            await asyncio.Event().wait()

    asyncio.run(run())


def be_monitor(socket: Path, mtu: int, names: Path, arguments: list[str]) -> int:
    """The real command line; only its radio leads to the sensor's process."""
    from companion import host
    from companion.cli import main
    from companion.commands import live
    from companion.commands.air import Act, Air
    from companion.link.radio import Radio
    from companion.simulator import central
    from companion.simulator.radio import RemoteRadio

    @asynccontextmanager
    async def remote(_act: Act | None) -> AsyncIterator[Air]:
        async with RemoteRadio(f"unix:{socket}", clock=host.boot_ns) as radio:
            yield Air(Radio(radio.scanner_backend, radio.client_backend, radio.adapter_backend))

    live.on_air, central.MTU = remote, mtu
    tell_names(names)
    return main(["monitor", "--simulated", STORY, *arguments])


def be_receiver(socket: Path, mtu: int, names: Path) -> None:
    """What is left of a monitor without the monitor: connect, pair, start, and receive."""
    from bleak import BleakClient, BleakScanner

    from companion.simulator import central
    from companion.simulator.radio import RemoteRadio
    from firmware_protocol.posture_v1 import packets as p

    central.MTU = mtu

    async def run() -> None:
        async with RemoteRadio(f"unix:{socket}") as radio:
            device = await BleakScanner.find_device_by_filter(lambda *_: True, backend=radio.scanner_backend)
            assert device is not None
            async with BleakClient(device, backend=radio.client_backend) as client:
                await client.pair()
                for uuid in (p.CONTROL, p.STATUS, p.MOTION):
                    await client.start_notify(uuid, lambda *_: None)
                start = p.Start(rate_hz=RATE_HZ, acc_range_g=8, gyr_range_dps=1000, layout=p.Layout.ACC_GYR)
                await client.write_gatt_char(p.CONTROL, start.to_bytes(), response=True)
                await asyncio.Event().wait()

    tell_names(names)
    asyncio.run(run())


def tell_names(file: Path) -> None:
    """Write down, a few seconds from now, which thread has which number; Python does not tell the system."""

    def tell() -> None:
        file.write_text(json.dumps({each.native_id: each.name for each in threading.enumerate()}))

    timer = threading.Timer(5.0, tell)
    timer.daemon = True
    timer.start()


# ---- the measurement


def cpu_s(stat: Path) -> float:
    """User and system time of a process or thread so far."""
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def threads_cpu_s(pid: int) -> dict[int, float]:
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[int(task.name)] = cpu_s(task / "stat")
    return found


@contextmanager
def ended_after(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def sensor(socket: Path) -> Iterator[None]:
    with ended_after(subprocess.Popen([sys.executable, __file__, "--be", "sensor", str(socket)])):
        while not socket.exists():
            time.sleep(0.05)
        yield


@contextmanager
def read_terminal() -> Iterator[int]:
    """A terminal of 100 × 30 whose other side is read; gives the descriptor for the program."""
    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(outside, 65536):
                pass

    threading.Thread(target=read, daemon=True).start()
    try:
        yield inside
    finally:
        os.close(inside)
        os.close(outside)


@contextmanager
def measured(style: str, directory: Path, mtu: int) -> Iterator["subprocess.Popen[bytes]"]:
    """The process whose time is taken."""
    socket, names = directory / "radio", directory / "names"
    data = ["--data-dir", str(directory / "data")]
    told = [] if style == "screen" else [f"--{style}"]
    if style == "together":
        command = [sys.executable, "-m", "companion.cli", "monitor", "--simulated", STORY, "--json", *data]
    else:
        kind = "receiver" if style == "receiver" else "monitor"
        command = [sys.executable, __file__, "--be", kind, str(socket), str(mtu), str(names)]
        command += [] if kind == "receiver" else ["--", *told, *data]
    with contextlib.ExitStack() as stack:
        if style != "together":
            stack.enter_context(sensor(socket))
        terminal = stack.enter_context(read_terminal()) if style == "screen" else subprocess.DEVNULL
        environment = os.environ | {"TERM": "xterm-256color"}
        process = subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal if style == "screen" else None,
            env=environment,
            start_new_session=True,
        )
        yield stack.enter_context(ended_after(process))


def shares_pct(style: str, mtu: int, skip_s: float, seconds: float) -> tuple[float, dict[str, float]]:
    """Per cent of a core: the process, and each thread by name."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with measured(style, directory, mtu) as process:
            time.sleep(skip_s)
            stat = Path(f"/proc/{process.pid}/stat")
            began_s, whole, threads = time.monotonic(), cpu_s(stat), threads_cpu_s(process.pid)
            time.sleep(seconds)
            passed_s = time.monotonic() - began_s
            whole, later = cpu_s(stat) - whole, threads_cpu_s(process.pid)
            if process.poll() is not None:
                raise SystemExit(f"{style}: it ended early, with {process.returncode}")
        names_file = directory / "names"
        names = json.loads(names_file.read_text()) if names_file.exists() else {}
    by_name: dict[str, float] = {}
    for number, now_s in later.items():
        name = names.get(str(number), "?")
        by_name[name] = by_name.get(name, 0.0) + 100 * (now_s - threads.get(number, 0.0)) / passed_s
    return 100 * whole / passed_s, {name: share for name, share in by_name.items() if share >= 0.05}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--skip", type=float, default=10.0)
    parser.add_argument("--mtu", type=int, default=247, help="247 gives 12 samples a packet, 71 gives 5")
    parser.add_argument("--rounds", type=int, default=1, help="of all styles; the median counts")
    parser.add_argument("--styles", default="json,screen,receiver")
    given = parser.parse_args()
    styles = given.styles.split(",")
    found: dict[str, list[tuple[float, dict[str, float]]]] = {style: [] for style in styles}
    for _ in range(given.rounds):
        for style in styles:
            found[style].append(shares_pct(style, given.mtu, given.skip, given.seconds))
    samples = max(1, min((given.mtu - 11) // 12, RATE_HZ // 4))
    print(f"{RATE_HZ} Hz, {samples} samples a packet, {given.seconds:g} s after the first {given.skip:g} s\n")
    print("| process | share of a core | aim | by thread |\n|---|---|---|---|")
    for style in styles:
        middle = sorted(found[style], key=lambda each: each[0])[len(found[style]) // 2]
        share = statistics.median(each[0] for each in found[style])
        threads = ", ".join(f"{name} {part:.2f} %" for name, part in sorted(middle[1].items()))
        aim = f"{AIMS_PCT[style]:g} % or less" if style in AIMS_PCT else ""
        print(f"| {STYLES[style]} | {share:.2f} % | {aim} | {threads} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--be"]:
        kind, path, *rest = sys.argv[2:]
        if kind == "sensor":
            be_sensor(Path(path))
        elif kind == "receiver":
            be_receiver(Path(path), int(rest[0]), Path(rest[1]))
        else:
            sys.exit(be_monitor(Path(path), int(rest[0]), Path(rest[1]), rest[3:]))
    else:
        main()
