"""Sensor and host on different controllers: over sockets, in other processes, and what happens when one side goes."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from bleak import BleakClient, BleakScanner

from companion.errors import UsageError
from companion.simulator.faults import Faults
from companion.simulator.peripheral import Peripheral
from companion.simulator.radio import RemoteRadio, SensorOptions, serve
from companion.simulator.radio_server import AirServer, RadioServer
from companion.simulator.sensor import SENSOR_ADDRESS, Firmware
from companion.simulator.stories import body_of
from firmware_protocol.posture_v1 import packets as p

START = p.Start(50, 8, 1000, p.Layout.ACC_GYR).to_bytes()


def firmware_of(*faults: str) -> Firmware:
    return Firmware(body_of("upright"), faults=Faults.of(faults))


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(radio: RemoteRadio, received: list[bytes], **options) -> AsyncIterator[BleakClient]:
    """A client that is paired, and has the sensor sample."""
    device = await BleakScanner.find_device_by_address(SENSOR_ADDRESS, timeout=5, backend=radio.scanner_backend)
    assert device is not None
    async with BleakClient(device, backend=radio.client_backend, **options) as client:
        await client.pair()
        await client.start_notify(p.MOTION, lambda _, data: received.append(bytes(data)))
        await client.start_notify(p.CONTROL, lambda *_: None)
        await client.write_gatt_char(p.CONTROL, START, response=True)
        await until(lambda: len(received) > 2)
        yield client


@pytest.mark.parametrize("unix", [False, True])
async def test_a_host_reaches_a_sensor_behind_a_socket(unix, tmp_path):
    received: list[bytes] = []
    path = tmp_path / "air" if unix else None
    async with RadioServer(firmware_of(), path=path, speed=20.0) as server:
        async with RemoteRadio(server.transport) as radio, connected(radio, received) as client:
            assert client.mtu_size == 247
        await until(lambda: not server.sensor.connected)
    assert [p.Motion.from_bytes(data).index for data in received[:3]] == [0, 12, 24]


async def test_the_socket_is_for_this_computer_only():
    async with RadioServer(firmware_of()) as server:
        assert server.transport.startswith("tcp-client:127.0.0.1:")


async def test_a_host_that_vanishes_leaves_the_sensor_free_for_the_next():
    received: list[bytes] = []
    async with RadioServer(firmware_of(), speed=20.0) as server:
        code = (
            "import asyncio, os, sys\n"
            "from bleak import BleakClient\n"
            "from companion.simulator.radio import RemoteRadio\n"
            "async def main():\n"
            f"    async with RemoteRadio({server.transport!r}) as radio:\n"
            f"        await BleakClient({SENSOR_ADDRESS!r}, backend=radio.client_backend).connect()\n"
            "        os._exit(0)\n"
            "asyncio.run(main())\n"
        )
        killed = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        await until(lambda: server.sensor.connected)
        assert await killed.wait() == 0
        await until(lambda: not server.sensor.connected)
        async with RemoteRadio(server.transport) as radio, connected(radio, received):
            pass
    assert received


async def test_a_server_that_vanishes_is_a_lost_link_and_holds_nobody_up():
    received: list[bytes] = []
    losses: list[BleakClient] = []
    async with RadioServer(firmware_of(), speed=20.0) as server, RemoteRadio(server.transport) as radio:
        async with connected(radio, received, disconnected_callback=losses.append) as client:
            server._end()
            await until(lambda: losses == [client])
        with pytest.raises(TimeoutError):
            await BleakClient(SENSOR_ADDRESS, backend=radio.client_backend, timeout=0.1).connect()


async def test_noise_on_the_socket_closes_it_and_harms_nobody():
    received: list[bytes] = []
    async with RadioServer(firmware_of(), speed=20.0) as server:
        _, host, port = server.transport.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        async with RemoteRadio(server.transport) as radio, connected(radio, received):
            pass
    assert received


@asynccontextmanager
async def served(transport: str, *faults: str) -> AsyncIterator[Peripheral]:
    """A sensor on a controller, as `simulate --hci` runs it."""
    stop, here = asyncio.Event(), asyncio.get_running_loop().create_future()
    options = SensorOptions(speed=20.0, story_anew=True)
    task = asyncio.create_task(
        serve(firmware_of(*faults), transport, stop=stop, options=options, ready=here.set_result)
    )
    await asyncio.wait({task, here}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    yield await here
    stop.set()
    async with asyncio.timeout(20):
        await task


async def test_a_sensor_takes_a_controller_for_itself_and_its_story_starts_anew_after_an_orderly_end():
    received: list[bytes] = []
    async with AirServer() as air, served(air.transport) as sensor, RemoteRadio(air.transport) as radio:
        async with connected(radio, received) as client:
            await until(lambda: sensor.story_s() > 30)
            await client.write_gatt_char(p.CONTROL, p.Stop().to_bytes(), response=True)
        await until(lambda: not sensor.connected)
        assert sensor.story_s() == 0.0
        async with connected(radio, received):
            assert sensor.story_s() < 30


async def test_a_lost_link_resets_the_controller_and_the_story_goes_on():
    received: list[bytes] = []
    losses: list[BleakClient] = []
    async with AirServer() as air, served(air.transport, "link@12+3") as sensor, RemoteRadio(air.transport) as radio:
        async with connected(radio, received, disconnected_callback=losses.append):
            await until(lambda: bool(losses))
        assert sensor.story_s() >= 12.0
        async with connected(radio, received):
            assert sensor.story_s() > 15.0


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def test_a_host_at_the_other_end_gets_a_controller():
    received: list[bytes] = []
    where = f"127.0.0.1:{a_free_port()}"
    async with served(f"tcp-server:{where}", "link@12+3") as sensor, RemoteRadio(f"tcp-client:{where}") as radio:
        losses: list[BleakClient] = []
        async with connected(radio, received, disconnected_callback=losses.append):
            await until(lambda: bool(losses))
        await until(lambda: sensor.story_s() > 15)
        async with connected(radio, received):
            pass
        await until(lambda: not sensor.connected)


async def test_a_controller_that_goes_ends_the_service():
    stop = asyncio.Event()
    async with AirServer() as air:
        here = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(firmware_of(), air.transport, stop=stop, ready=here.set_result))
        await here
    async with asyncio.timeout(20):
        await task


@pytest.mark.parametrize(
    "transport", ["", "nonsense", "tcp-client:127.0.0.1:1", "unix:/nonexistent/air", "serial:/nonexistent/tty"]
)
async def test_a_transport_that_cannot_be_opened_is_a_sentence(transport):
    with pytest.raises(UsageError, match="cannot be opened") as caught:
        await serve(firmware_of(), transport, stop=asyncio.Event())
    assert caught.value.exit_code == 1
    with pytest.raises(UsageError):
        async with RemoteRadio(transport):
            pass


def test_without_the_extra_there_is_a_sentence_that_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['bumble'] = None\n"
        "from companion.errors import UsageError\n"
        "try:\n"
        "    import companion.simulator.radio\n"
        "except UsageError as error:\n"
        "    print(error, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "A simulated sensor needs a package that is not installed. "
        'Install it with: pip install "posture-companion[simulator]"\n'
    )


def test_the_firmware_model_needs_no_extra():
    code = (
        "import sys\n"
        "sys.modules['bumble'] = None\n"
        "import companion.simulator.sensor, companion.simulator.straight, companion.simulator.stories\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
