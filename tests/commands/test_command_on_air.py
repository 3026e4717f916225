"""`simulate --hci`: a sensor on somebody else's controller, found over the air, ended by a signal or its time."""

import asyncio
import signal
import sys
from pathlib import Path

from bleak import BleakScanner

from companion.simulator.radio import RemoteRadio
from companion.simulator.radio_server import AirServer
from firmware_protocol.posture_v1.packets import SERVICE

RUN = "import sys; from companion.cli import main; sys.exit(main(sys.argv[1:]))"


async def started(transport: str, *more: str) -> asyncio.subprocess.Process:
    """The command in a process of its own, once it says that the sensor is on the air."""
    words = [sys.executable, "-c", RUN, "simulate", "upright", "--hci", transport, *more]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    assert b"Ctrl-C ends it" in await process.stderr.readline()
    return process


async def test_it_is_found_over_the_air_and_ends_with_zero_at_sigterm(tmp_path: Path) -> None:
    async with asyncio.timeout(30), AirServer(path=tmp_path / "air") as air:
        process = await started(air.transport)
        async with RemoteRadio(air.transport) as radio:
            found = await BleakScanner.find_device_by_filter(
                lambda _, advertisement: SERVICE in advertisement.service_uuids, 10, backend=radio.scanner_backend
            )
        assert found is not None
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_it_ends_by_itself_after_its_duration(tmp_path: Path) -> None:
    async with asyncio.timeout(30), AirServer(path=tmp_path / "air") as air:
        process = await started(air.transport, "--duration", "0.5")
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
