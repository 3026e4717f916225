"""The simulated sensor as the real bleak sees it: services, security, MTU, and byte for byte what the firmware sent."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import smp
from bumble.pairing import PairingConfig

from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate
from companion.simulator.radio import HciPacket, SimulatedRadio
from companion.simulator.sensor import Firmware
from companion.simulator.stories import body_of
from firmware_protocol.posture_v1 import packets as p

DEVICE_INFORMATION = "0000180a-0000-1000-8000-00805f9b34fb"
CCCD = "00002902-0000-1000-8000-00805f9b34fb"
MODEL_NUMBER = "00002a24-0000-1000-8000-00805f9b34fb"
START = p.Start(50, 8, 1000, p.Layout.ACC_GYR).to_bytes()
INSUFFICIENT_ENCRYPTION = 0x0F


@asynccontextmanager
async def simulated(*faults: str, log: Callable[[HciPacket], None] | None = None) -> AsyncIterator[SimulatedRadio]:
    firmware = Firmware(body_of("upright"), faults=Faults.of(faults))
    async with SimulatedRadio(firmware, speed=20.0, hci_log=log) as sim:
        yield sim


async def client_of(sim: SimulatedRadio, stack: AsyncExitStack, **options) -> BleakClient:
    """A connected client; it disconnects with the stack."""
    device = await BleakScanner.find_device_by_address(sim.address, timeout=5, backend=sim.scanner_backend)
    return await stack.enter_async_context(BleakClient(device, backend=sim.client_backend, **options))


@pytest.fixture
async def paired() -> AsyncIterator[tuple[SimulatedRadio, BleakClient, list[HciPacket]]]:
    log: list[HciPacket] = []
    async with simulated(log=log.append) as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack)
        await client.pair()
        yield sim, client, log


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.005)


async def test_it_serves_what_the_protocol_says(paired):
    _, client, _ = paired
    served = {
        characteristic.uuid: (characteristic.service_uuid, set(characteristic.properties))
        for characteristic in client.services.characteristics.values()
    }
    assert {uuid: found for uuid, found in served.items() if found[0] == p.SERVICE} == {
        p.MOTION: (p.SERVICE, {"notify"}),
        p.CONTROL: (p.SERVICE, {"write", "indicate"}),
        p.STATUS: (p.SERVICE, {"read", "notify"}),
        p.INFO: (p.SERVICE, {"read"}),
    }
    assert served[MODEL_NUMBER] == (DEVICE_INFORMATION, {"read"})
    with_subscription = {
        characteristic.uuid
        for characteristic in client.services.get_service(p.SERVICE).characteristics
        if [descriptor.uuid for descriptor in characteristic.descriptors] == [CCCD]
    }
    assert with_subscription == {p.MOTION, p.CONTROL, p.STATUS}
    assert client.name == "Posture 1234"


async def test_info_and_status_are_the_firmwares(paired):
    sim, client, _ = paired
    assert bytes(await client.read_gatt_char(p.INFO)) == sim.sensor.firmware.read(p.INFO, 0)
    status = p.Status.from_bytes(bytes(await client.read_gatt_char(p.STATUS)))
    assert status.newest == p.NONE_YET
    assert status.battery_pct == 92


async def test_every_notification_is_what_the_firmware_sent_and_what_crossed_the_hci(paired):
    sim, client, log = paired
    received: list[tuple[str, bytes]] = []
    for uuid in (p.CONTROL, p.STATUS, p.MOTION):
        await client.start_notify(uuid, lambda sender, data: received.append((sender.uuid, bytes(data))))
    await client.write_gatt_char(p.CONTROL, START, response=True)
    await until(lambda: len(received) > 60)
    handles = {each.handle: each.uuid for each in client.services.characteristics.values()}
    assert [(handles[handle], value) for handle, value in att_values(log)] == received
    motion = [p.Motion.from_bytes(data) for uuid, data in received if uuid == p.MOTION]
    indexes = [packet.index for packet in motion]
    assert indexes == list(range(0, 12 * len(indexes), 12))
    assert sim.sensor.firmware.ledger.spans[0].packets >= len(motion)


def att_values(log: list[HciPacket]) -> list[tuple[int, bytes]]:
    """Handle and value of each notification and indication that a host received, from HCI packets in H4 format."""
    acl = [packet.data for packet in log if packet.to_host and packet.data[0] == 2]
    att = [data[9:] for data in acl if data[7:9] == b"\x04\x00" and data[9] in {0x1B, 0x1D}]
    return [(int.from_bytes(pdu[1:3], "little"), pdu[3:]) for pdu in att]


async def test_the_mtu_is_agreed_on(paired):
    _, client, _ = paired
    assert client.mtu_size == 247
    assert {each.max_write_without_response_size for each in client.services.characteristics.values()} == {244}


@pytest.mark.parametrize("uuid", [p.INFO, p.STATUS])
async def test_nothing_is_read_in_the_clear(uuid):
    async with simulated() as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack)
        with pytest.raises(BleakGATTProtocolError) as caught:
            await client.read_gatt_char(uuid)
        assert caught.value.code == INSUFFICIENT_ENCRYPTION


async def test_a_command_is_refused_while_its_answer_could_not_be_told(paired):
    _, client, _ = paired
    with pytest.raises(BleakGATTProtocolError) as caught:
        await client.write_gatt_char(p.CONTROL, START, response=True)
    assert caught.value.code == 0xFD


async def test_nothing_is_written_or_subscribed_in_the_clear():
    async with simulated() as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack)
        with pytest.raises(BleakGATTProtocolError) as caught:
            await client.write_gatt_char(p.CONTROL, START, response=True)
        assert caught.value.code == INSUFFICIENT_ENCRYPTION
        for uuid in (p.MOTION, p.CONTROL, p.STATUS):
            with pytest.raises(BleakGATTProtocolError) as caught:
                await client.start_notify(uuid, lambda *_: None)
            assert caught.value.code == INSUFFICIENT_ENCRYPTION


async def test_device_information_is_open_to_all():
    async with simulated() as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack)
        assert bytes(await client.read_gatt_char(MODEL_NUMBER)) == b"simulated posture_v1 sensor"


async def test_pairing_is_secure_connections_just_works(paired):
    sim, client, _ = paired
    (connection,) = sim.sensor.device.connections.values()
    assert connection.is_encrypted
    assert connection.sc
    await client.pair()  # again: nothing to do


async def test_the_older_pairing_is_turned_away():
    async with simulated() as sim, AsyncExitStack() as stack:
        sim.central.device.pairing_config_factory = lambda _: PairingConfig(sc=False, mitm=False)
        client = await client_of(sim, stack)
        with pytest.raises(BleakError, match=smp.ErrorCode.AUTHENTICATION_REQUIREMENTS.name):
            await client.pair()
        with pytest.raises(BleakGATTProtocolError):
            await client.read_gatt_char(p.INFO)


async def test_a_bond_encrypts_the_next_connection_by_itself_until_it_is_removed():
    async with simulated() as sim:
        async with AsyncExitStack() as stack:
            await (await client_of(sim, stack)).pair()
        async with AsyncExitStack() as stack:
            client = await client_of(sim, stack)
            await client.read_gatt_char(p.INFO)
            await client.unpair()
            await until(lambda: not client.is_connected)
        async with AsyncExitStack() as stack:
            client = await client_of(sim, stack)
            with pytest.raises(BleakGATTProtocolError):
                await client.read_gatt_char(p.INFO)


async def test_pairing_while_connecting():
    async with simulated() as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack, pair=True)
        await client.read_gatt_char(p.INFO)


async def test_a_loss_is_reported_once_and_an_orderly_end_not_at_all():
    async with simulated() as sim:
        losses: list[BleakClient] = []
        async with AsyncExitStack() as stack:
            client = await client_of(sim, stack, disconnected_callback=losses.append)
            sim.cut_link()
            await until(lambda: losses == [client])
            assert not client.is_connected
            with pytest.raises(BleakError, match="Service Discovery"):
                await client.read_gatt_char(p.INFO)
            await client.disconnect()
        async with AsyncExitStack() as stack:
            await client_of(sim, stack, disconnected_callback=losses.append)
        await asyncio.sleep(0.05)
        assert len(losses) == 1


async def test_a_connection_to_nobody_ends_in_time_and_the_next_one_works():
    async with simulated() as sim:
        device = await BleakScanner.find_device_by_address(sim.address, timeout=5, backend=sim.scanner_backend)
        await sim.sensor.device.stop_advertising()
        with pytest.raises(TimeoutError):
            await BleakClient(device, backend=sim.client_backend, timeout=0.2).connect()
        await sim.sensor.device.start_advertising()
        async with BleakClient(device, backend=sim.client_backend, timeout=5) as client:
            assert client.is_connected


async def test_a_cancelled_connection_leaves_the_air_free():
    async with simulated() as sim:
        device = await BleakScanner.find_device_by_address(sim.address, timeout=5, backend=sim.scanner_backend)
        await sim.sensor.device.stop_advertising()
        connecting = asyncio.create_task(BleakClient(device, backend=sim.client_backend, timeout=100).connect())
        await asyncio.sleep(0.05)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await sim.sensor.device.start_advertising()
        async with BleakClient(device, backend=sim.client_backend, timeout=5) as client:
            assert client.is_connected


async def test_connecting_by_a_bare_address_twice_and_asking_the_adapter():
    async with simulated() as sim:
        adapter = await BleakAdapter.get(backend=sim.adapter_backend)
        assert await adapter.get_connected_devices([p.SERVICE]) == []
        async with BleakClient(sim.address, backend=sim.client_backend, timeout=5) as client:
            with pytest.raises(BleakError, match="already connected"):
                await client.connect()
            (device,) = await adapter.get_connected_devices([p.SERVICE])
            assert device.address == sim.address
            assert await adapter.get_connected_devices(["0000feed-0000-1000-8000-00805f9b34fb"]) == []


async def test_notifications_can_be_switched_off_again(paired):
    sim, client, _ = paired
    received: list[bytes] = []
    await client.start_notify(p.MOTION, lambda _, data: received.append(bytes(data)))
    await client.start_notify(p.CONTROL, lambda *_: None)
    await client.write_gatt_char(p.CONTROL, START, response=True)
    await until(lambda: len(received) > 3)
    await client.stop_notify(p.MOTION)
    told, began_s = len(received), sim.story_s()
    await until(lambda: sim.story_s() > began_s + 2)
    assert len(received) == told


async def test_a_descriptor_tells_the_subscription(paired):
    _, client, _ = paired
    descriptor = client.services.get_characteristic(p.STATUS).descriptors[0]
    assert bytes(await client.read_gatt_descriptor(descriptor.handle)) == b"\x00\x00"
    await client.start_notify(p.STATUS, lambda *_: None)
    assert bytes(await client.read_gatt_descriptor(descriptor.handle)) == b"\x01\x00"


async def test_a_filter_on_services_and_one_scan_at_a_time():
    async with simulated() as sim:
        options = {"timeout": 0.3, "backend": sim.scanner_backend}
        assert len(await BleakScanner.discover(service_uuids=[p.SERVICE], **options)) == 1
        assert await BleakScanner.discover(service_uuids=[DEVICE_INFORMATION], **options) == []
        async with BleakScanner(backend=sim.scanner_backend):
            with pytest.raises(BleakError, match="in progress"):
                await BleakScanner(backend=sim.scanner_backend).start()


async def test_a_sensor_out_of_reach_is_not_found_and_story_time_stands_still():
    async with simulated("link@0+10") as sim:
        found = await BleakScanner.discover(timeout=0.3, backend=sim.scanner_backend)
        assert found == []
        assert sim.story_s() == 0.0


async def test_the_story_begins_with_the_first_connection_and_goes_on_through_a_loss():
    async with simulated() as sim:
        await asyncio.sleep(0.1)
        assert sim.story_s() == 0.0
        async with AsyncExitStack() as stack:
            await client_of(sim, stack)
            await until(lambda: sim.story_s() > 1)
        async with AsyncExitStack() as stack:
            await client_of(sim, stack)
            assert sim.story_s() > 1


async def test_no_packet_passes_once_the_link_is_lost_and_none_before():
    async with simulated("link@10+1") as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack)
        await client.pair()
        received: list[p.Motion] = []
        await client.start_notify(p.MOTION, lambda _, data: received.append(p.Motion.from_bytes(bytes(data))))
        await client.start_notify(p.CONTROL, lambda *_: None)
        await client.write_gatt_char(p.CONTROL, START, response=True)
        await until(lambda: not client.is_connected)
        sent = sim.sensor.firmware.ledger.spans[0]
        assert (sent.fate, sent.packets) == ("sent", len(received))
        assert sim.sensor.firmware.read(p.STATUS, sim.sensor.now_ns)


async def test_a_program_that_sleeps_over_the_loss_gets_what_was_sent_before_it_and_no_more():
    async with simulated("link@10+1000") as sim, AsyncExitStack() as stack:
        client = await client_of(sim, stack)
        await client.pair()
        received: list[bytes] = []
        await client.start_notify(p.MOTION, lambda _, data: received.append(bytes(data)))
        await client.start_notify(p.CONTROL, lambda *_: None)
        await client.write_gatt_char(p.CONTROL, START, response=True)
        await until(lambda: sim.story_s() > 8)
        time.sleep(0.5)  # this program sleeps, and with it everything in it: for 10 s of the story
        await until(lambda: not client.is_connected)
        ledger = sim.sensor.firmware.ledger
        assert ledger.packets(Fate.SENT) == len(received)
        assert ledger.samples(Fate.SENT) < 10 * 50
        assert [span.fate for span in ledger.spans] == [Fate.SENT, Fate.LOST]


async def test_an_indication_that_nobody_confirmed_leaves_nothing_behind(paired):
    sim, client, _ = paired
    await client.start_notify(p.CONTROL, lambda *_: None)
    (connection,) = sim.central.device.connections.values()
    connection.gatt_client.send_confirmation = lambda _: None
    tasks = len(asyncio.all_tasks())
    for _ in range(2):  # the second waits for the first
        await client.write_gatt_char(p.CONTROL, p.Time().to_bytes(), response=True)
    await until(lambda: len(asyncio.all_tasks()) > tasks)
    sim.cut_link()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    server = sim.sensor.device.gatt_server
    assert (server.pending_confirmations, server.indication_semaphores, server.subscribers) == ({}, {}, {})
