"""Our pairing agent on a real message bus of its own, before a small BlueZ that can be told to behave badly."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from companion.errors import BluetoothOff, LinkError, PairingRefused
from companion.link import agent
from companion.link.agent import pair_through_bluez, properties_of
from companion.link.bonds import Bond, bond_with

dbus_fast = pytest.importorskip("dbus_fast")
from bleak.backends.device import BLEDevice  # noqa: E402
from dbus_fast import BusType, Message, MessageType, Variant  # noqa: E402
from dbus_fast.aio import MessageBus  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="needs dbus-daemon")

DEVICE = "/org/bluez/hci0/dev_F4_12_3D_5A_70_01"
OTHER = "/org/bluez/hci0/dev_F4_12_3D_5A_70_02"
AGENT = "org.bluez.Agent1"
BLUEZ = "org.bluez.Error."


@pytest.fixture(scope="module")
def bus_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A message bus of our own."""
    address = f"unix:path={tmp_path_factory.mktemp('bus') / 'socket'}"
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", f"--address={address}"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    daemon.stdout.readline()
    yield address
    daemon.kill()
    daemon.communicate()


class SmallBlueZ:
    """Answers as BlueZ 5.66 does, and notes what it was called. `asks` are calls of the agent while it pairs."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.paired = self.bonded = False
        self.refusal = ""
        self.silent = self.dies = False
        self.asks: list[tuple[str, str, list[Any]]] = []
        self.called: list[str] = []
        self.answers: list[str] = []
        self._agent = ("", "")
        self._tasks: set[asyncio.Task[None]] = set()
        bus.add_message_handler(self._heard)

    def _heard(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.destination != "org.bluez":
            return None
        if message.member == "GetAll":
            told = {"Paired": Variant("b", self.paired), "Bonded": Variant("b", self.bonded)}
            return Message.new_method_return(message, "a{sv}", [told])
        self.called.append(f"{message.member} {message.body}" if message.body else str(message.member))
        if message.member == "RegisterAgent":
            self._agent = (str(message.sender), message.body[0])
        if message.member != "Pair":
            return Message.new_method_return(message)
        task = asyncio.ensure_future(self._pair(message))
        self._tasks.add(task)
        return True

    async def _pair(self, message: Message) -> None:
        assert message.path == DEVICE
        for member, signature, body in self.asks:
            self.answers.append(await ask(self.bus, self._agent, member, signature, body))
        if self.dies:
            self.bus.disconnect()
        elif self.refusal:
            await self.bus.send(Message.new_error(message, BLUEZ + self.refusal, "no"))
        elif not self.silent:
            self.paired = self.bonded = True
            await self.bus.send(Message.new_method_return(message))


async def ask(bus: MessageBus, whom: tuple[str, str], member: str, signature: str, body: list[Any]) -> str:
    """What an agent says to a call: "yes", or the error's last word."""
    name, path = whom
    reply = await bus.call(Message(name, path, AGENT, member, signature=signature, body=body))
    assert reply is not None
    return "yes" if reply.message_type is MessageType.METHOD_RETURN else str(reply.error_name).rpartition(".")[2]


@pytest.fixture
async def bluez(bus_address: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallBlueZ]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address)
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    small = SmallBlueZ(bus)
    await bus.request_name("org.bluez")
    yield small
    bus.disconnect()


async def test_an_agent_of_ours_is_there_while_one_sensor_is_paired_and_displaces_nobody(bluez: SmallBlueZ):
    await pair_through_bluez(DEVICE)
    assert bluez.paired
    assert bluez.called == [
        "RegisterAgent ['/posture_companion/agent', 'NoInputNoOutput']",
        "Pair",
        "UnregisterAgent ['/posture_companion/agent']",
    ]


async def test_a_sensor_that_is_paired_is_left_alone(bluez: SmallBlueZ):
    bluez.paired = True
    await pair_through_bluez(DEVICE)
    assert bluez.called == []


QUESTIONS = [
    (("RequestAuthorization", "o", [DEVICE]), "yes"),
    (("RequestConfirmation", "ou", [DEVICE, 123456]), "yes"),
    (("Cancel", "", []), "yes"),
    (("RequestAuthorization", "o", [OTHER]), "Rejected"),
    (("RequestConfirmation", "ou", [OTHER, 123456]), "Rejected"),
    (("RequestPasskey", "o", [DEVICE]), "Rejected"),
    (("RequestPinCode", "o", [DEVICE]), "Rejected"),
    (("DisplayPasskey", "ouq", [DEVICE, 1, 0]), "Rejected"),
    (("AuthorizeService", "os", [DEVICE, "00001124-0000-1000-8000-00805f9b34fb"]), "Rejected"),
    (("RequestAuthorization", "", []), "Rejected"),
    (("SomethingNew", "o", [DEVICE]), "Rejected"),
]


async def test_only_the_sensor_that_is_paired_right_now_is_authorised(bluez: SmallBlueZ):
    bluez.asks = [question for question, _ in QUESTIONS]
    await pair_through_bluez(DEVICE)
    assert bluez.answers == [answer for _, answer in QUESTIONS]


async def test_nobody_but_bluez_is_answered(bluez: SmallBlueZ):
    bluez.silent = True
    pairing = asyncio.create_task(pair_through_bluez(DEVICE))
    while "Pair" not in bluez.called:
        await asyncio.sleep(0.005)
    stranger = await MessageBus(bus_type=BusType.SYSTEM).connect()
    said = await ask(stranger, bluez._agent, "RequestAuthorization", "o", [DEVICE])
    stranger.disconnect()
    pairing.cancel()
    await asyncio.wait({pairing})
    assert said == "Rejected"


@pytest.mark.parametrize("name", ["AuthenticationFailed", "AuthenticationRejected", "AuthenticationCanceled"])
async def test_a_refusal_is_a_refusal_and_the_agent_goes(bluez: SmallBlueZ, name: str):
    bluez.refusal = name
    with pytest.raises(PairingRefused):
        await pair_through_bluez(DEVICE)
    assert bluez.called[-1].startswith("UnregisterAgent")


async def test_bluez_that_dies_meanwhile_is_told_as_what_it_is(bluez: SmallBlueZ):
    bluez.dies = True
    with pytest.raises(BluetoothOff, match="its service is not running"):
        await pair_through_bluez(DEVICE)


async def test_pairing_that_never_ends_has_an_end(bluez: SmallBlueZ, monkeypatch: pytest.MonkeyPatch):
    bluez.silent = True
    monkeypatch.setattr(agent, "PAIR_TIMEOUT_S", 0.05)
    with pytest.raises(PairingRefused):
        await pair_through_bluez(DEVICE)
    assert bluez.called[-1].startswith("UnregisterAgent")


async def test_a_cancelled_pairing_leaves_no_agent_behind(bluez: SmallBlueZ):
    bluez.silent = True
    pairing = asyncio.create_task(pair_through_bluez(DEVICE))
    while "Pair" not in bluez.called:
        await asyncio.sleep(0.005)
    pairing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pairing
    assert bluez.called[-1].startswith("UnregisterAgent")


@pytest.mark.parametrize("speaks", [pair_through_bluez, properties_of])
async def test_without_a_bus_or_without_bluez_there_is_one_sentence(
    bus_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaks: Any
):
    for address in (f"unix:path={tmp_path}/none", bus_address):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with pytest.raises(BluetoothOff):
            await speaks(DEVICE)


@pytest.mark.parametrize(
    ("paired", "bonded", "bond"),
    [(True, True, Bond.BONDED), (True, False, Bond.PAIRED), (False, False, Bond.OPEN)],
)
async def test_what_bluez_says_of_a_bond_is_read(bluez: SmallBlueZ, paired: bool, bonded: bool, bond: Bond):
    bluez.paired, bluez.bonded = paired, bonded
    assert await bond_with(BLEDevice("F4:12:3D:5A:70:01", "x", {"path": DEVICE, "props": {}})) is bond


async def test_elsewhere_nothing_is_known_of_a_bond():
    assert await bond_with(BLEDevice("F4:12:3D:5A:70:01", "x", object())) is Bond.UNKNOWN


async def test_an_error_of_bluez_is_a_link_error(bluez: SmallBlueZ):
    bluez.refusal = "Failed"
    with pytest.raises(LinkError):
        await pair_through_bluez(DEVICE)
