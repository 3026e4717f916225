"""Keys that a sensor no longer accepts, and a sensor that is another one: what the link says, what it lets through."""

import asyncio

import pytest
from bleak.backends.device import BLEDevice

from companion.commands.pinned import pinned
from companion.commands.store import Sensor
from companion.errors import ConnectionLost, KeysRefused, PairingRefused
from companion.link.bonds import bluez_path, is_bonded, is_stale_bond, keys_refused
from companion.link.client import SensorLink, forget_bond
from companion.link.scan import find
from companion.link.waiting import Backoff
from companion.simulator.sensor import USUAL_IDENTITY
from firmware_protocol import LinkDown, LinkUp, Notification, Reading, driver

POSTURE = driver("posture_v1")
REFUSED = "sensor not accepted"


async def link_to(rig) -> SensorLink:
    found = await find(rig.radio, address=rig.sim.address)
    return SensorLink(found.device, rig.radio, rig.frames.append, lambda: 0)


async def test_keys_that_a_reset_sensor_has_lost_are_told_apart_from_any_refusal(on_air):
    rig = await on_air()
    link = await link_to(rig)
    await link.open(POSTURE)
    await link.close()
    rig.sim.sensor.forget_bonds()
    link = await link_to(rig)
    with pytest.raises(KeysRefused) as refused:
        await link.open(POSTURE)
    await link.close()
    assert is_stale_bond(refused.value)
    assert refused.value.exit_code == 4
    assert refused.value.hint.endswith("posture pair --forget")
    found = await find(rig.radio, address=rig.sim.address)
    assert await forget_bond(found.device, rig.radio)
    link = await link_to(rig)
    await link.open(POSTURE)
    await link.close()


def test_what_is_no_matter_of_keys_is_not_taken_for_it():
    assert not is_stale_bond(None)
    assert not is_stale_bond(PairingRefused("No."))
    assert not is_stale_bond(ConnectionLost("Gone."))
    later = ConnectionLost("Gone.")
    later.__cause__ = keys_refused()
    assert is_stale_bond(later)


@pytest.mark.parametrize(
    ("details", "bonded", "path"),
    [
        ({"path": "/org/bluez/hci0/dev_1", "props": {"Paired": True, "Bonded": True}}, True, "/org/bluez/hci0/dev_1"),
        ({"path": "/org/bluez/hci0/dev_1", "props": {"Paired": True, "Bonded": False}}, False, "/org/bluez/hci0/dev_1"),
        ({"path": "/org/bluez/hci0/dev_1", "props": {"Paired": True}}, True, "/org/bluez/hci0/dev_1"),
        ({"path": "/org/bluez/hci0/dev_1", "props": {}}, False, "/org/bluez/hci0/dev_1"),
        ({}, False, None),
        (object(), False, None),
    ],
)
def test_what_bleak_keeps_of_a_device_tells_of_keys_on_linux(details, bonded, path):
    device = BLEDevice("F4:12:3D:5A:70:01", "x", details)
    assert (is_bonded(device), bluez_path(device)) == (bonded, path)


async def test_an_impostor_that_comes_back_in_the_sensors_place_leaves_nothing_in_the_session(on_air):
    rig = await on_air()

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0)

    ours = Sensor(alias="back", driver="posture_v1", address=rig.sim.address, identity=USUAL_IDENTITY.hex())
    async with rig.running(verify=pinned(ours), sleep=sleep, backoff=Backoff(lambda: 0.0)):
        await rig.until_streaming()
        rig.firmware._identity = b"\x66" * 16
        rig.sim.cut_link()
        await rig.until(lambda: rig.statuses[-1].cause == REFUSED)
        lost = next(number for number, frame in enumerate(rig.frames) if isinstance(frame, LinkDown))
        await rig.until(lambda: sum(status.cause == REFUSED for status in rig.statuses) > 3)
        since = rig.frames[lost + 1 :]
        rig.firmware._identity = USUAL_IDENTITY
        await rig.until(lambda: len(rig.of(Notification)) > 0 and rig.statuses[-1].state.value == "streaming")
    assert not [frame for frame in since if isinstance(frame, Reading | Notification)]
    assert isinstance(rig.of(LinkUp)[-1], LinkUp)
