"""What a step comes to on sensors that are not quite as a driver expects: over real GATT, on plain devices."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fake_air import ADDRESS, BATTERY_LEVEL, BATTERY_SERVICE, COMMAND, NOTIFY, READ, WRITE, plain

from companion.errors import ConnectionLost, LinkError, PairingRefused
from companion.host import boot_ns
from companion.link.client import SensorLink
from companion.link.errors import asks_for_pairing, translated
from companion.link.scan import find
from companion.simulator.served import Served
from firmware_protocol import Pairing, Read, Reading, ScriptRefused, Subscribe, Write, Written, driver

SERVICE, OTHER_SERVICE, VALUE, ABSENT = (f"0000{number}-2d8e-4a5c-9a6b-3a3f1c2b7d10" for number in range(1000, 1004))
DRIVER = replace(driver("microbit"), name="made_up", services=(SERVICE,), lacking="", pairing=Pairing.NEVER)
ATT_WRITE_REQUEST, ATT_WRITE_COMMAND = b"\x12", b"\x52"


@asynccontextmanager
async def linked(rig, of=DRIVER, **options):
    """A link to the rig's device, opened for a driver."""
    found = await find(rig.radio, address=ADDRESS, driver=of)
    link = SensorLink(found.device, rig.radio, rig.frames.append, boot_ns)
    try:
        await link.open(of, **options)
        yield link
    finally:
        await link.close()


async def replies(link, *steps):
    """Carry out a script of these steps; what each was answered with."""
    answers: list[bytes] = []

    def script():
        for step in steps:
            answers.append((yield step))

    await link.run(script())
    return answers


def twice(*, reversed_order: bool = False):
    """A device that has the same characteristic in two services."""
    ours, theirs = Served(SERVICE, VALUE, READ, key="ours"), Served(OTHER_SERVICE, VALUE, READ, key="theirs")
    order = (theirs, ours) if reversed_order else (ours, theirs)
    return plain("made up", *order, values={"ours": b"\x01", "theirs": b"\x02"})


async def test_a_step_reads_the_characteristic_of_its_own_service(among):
    rig = await among(twice())
    async with linked(rig) as link:
        steps = [Read(VALUE, service=SERVICE), Read(VALUE, service=OTHER_SERVICE.upper())]
        assert await replies(link, *steps) == [b"\x01", b"\x02"]
    assert [frame.characteristic for frame in rig.of(Reading)] == [VALUE, VALUE]


@pytest.mark.parametrize("reversed_order", [False, True])
async def test_without_a_service_the_driver_s_own_is_meant(among, reversed_order):
    rig = await among(twice(reversed_order=reversed_order))
    async with linked(rig) as link:
        assert await replies(link, Read(VALUE)) == [b"\x01"]


async def test_both_of_two_equal_names_can_be_subscribed_to(among):
    device = plain(
        "made up",
        Served(SERVICE, VALUE, NOTIFY, key="ours"),
        Served(OTHER_SERVICE, VALUE, NOTIFY, key="theirs"),
    )
    rig = await among(device)
    async with linked(rig) as link:
        await replies(link, Subscribe(VALUE, service=OTHER_SERVICE), Subscribe(VALUE), Subscribe(VALUE))
    assert device.listened == ["theirs", "ours"]


@pytest.mark.parametrize("step", [Read(ABSENT), Write(ABSENT, b"x"), Subscribe(ABSENT), Read(VALUE, service=ABSENT)])
@pytest.mark.parametrize("lacking", ["", "This board's program has no such thing."])
async def test_a_characteristic_that_is_missing_is_told_in_the_driver_s_sentence(among, step, lacking):
    rig = await among(twice())
    missing = step.characteristic
    async with linked(rig, replace(DRIVER, lacking=lacking)) as link:
        with pytest.raises(ScriptRefused) as caught:
            await replies(link, step)
    assert str(caught.value) == (
        lacking or f"The sensor does not offer the characteristic {missing}, which made_up needs."
    )
    assert not link.was_written_to


async def test_a_service_that_is_missing_is_told_so_too(among):
    rig = await among(plain("made up", Served(OTHER_SERVICE, VALUE, READ)))
    for lacking in ("", "Load another program."):
        with pytest.raises(ScriptRefused) as caught:
            async with linked(rig, replace(DRIVER, lacking=lacking)):
                pass
        assert str(caught.value) == (
            lacking or f"The sensor does not offer the service {SERVICE}, which made_up needs."
        )


async def test_what_is_optional_and_missing_or_refused_is_let_pass(among):
    rig = await among(plain("made up", Served(SERVICE, VALUE, NOTIFY), Served(SERVICE, BATTERY_LEVEL, READ)))
    steps = [
        Read(ABSENT, optional=True),
        Subscribe(ABSENT, optional=True),
        Read(VALUE, optional=True),  # it may not be read
        Subscribe(BATTERY_LEVEL, optional=True),  # it does not notify
        Read(BATTERY_LEVEL, optional=True),  # the device answers with an error
        Read(VALUE, service=OTHER_SERVICE, optional=True),
    ]
    async with linked(rig) as link:
        assert await replies(link, *steps) == [b""] * 6
    assert rig.of(Reading) == []


async def test_an_optional_step_on_a_lost_link_is_a_lost_link(among):
    rig = await among(twice())
    async with linked(rig) as link:
        rig.sim.cut_link()
        assert await link.wait_lost(5.0)
        with pytest.raises(ConnectionLost, match="was lost"):
            await replies(link, Read(VALUE, optional=True))


@pytest.mark.parametrize(
    ("properties", "asked", "sent"),
    [
        (WRITE, True, ATT_WRITE_REQUEST),
        (WRITE, False, ATT_WRITE_REQUEST),
        (COMMAND, True, ATT_WRITE_COMMAND),
        (COMMAND, False, ATT_WRITE_COMMAND),
        (WRITE | COMMAND, True, ATT_WRITE_REQUEST),
        (WRITE | COMMAND, False, ATT_WRITE_COMMAND),
    ],
)
async def test_a_write_goes_the_way_that_the_characteristic_takes(among, properties, asked, sent):
    device = plain("made up", Served(SERVICE, VALUE, properties))
    rig = await among(device)
    async with linked(rig) as link:
        before = len(rig.hci)
        assert await replies(link, Write(VALUE, b"\x2a", with_response=asked)) == [b""]
        assert link.was_written_to
        await rig.until(lambda: bool(device.written))
        writes = [each.data[9:10] for each in rig.hci[before:] if not each.to_host and each.data[-1:] == b"\x2a"]
    assert writes == [sent]
    assert device.written == [(VALUE, b"\x2a")]
    assert [(frame.characteristic, frame.data) for frame in rig.of(Written)] == [(VALUE, b"\x2a")]


async def test_a_write_settles_before_the_next_step(among):
    rig = await among(plain("made up", Served(SERVICE, VALUE, WRITE | READ), values={VALUE: b"v"}))
    loop = asyncio.get_running_loop()
    async with linked(rig) as link:
        before_s = loop.time()
        assert await replies(link, Write(VALUE, b"x", settle_s=0.2), Read(VALUE)) == [b"", b"v"]
        assert loop.time() - before_s >= 0.2


async def test_a_link_that_goes_while_a_write_settles_is_a_lost_link(among):
    rig = await among(plain("made up", Served(SERVICE, VALUE, WRITE)))
    async with linked(rig) as link:
        asyncio.get_running_loop().call_later(0.1, rig.sim.cut_link)
        with pytest.raises(ConnectionLost, match="was lost"):
            await replies(link, Write(VALUE, b"x", settle_s=1000.0))


def guarded():
    """A device that wants an encrypted link for everything."""
    return plain("made up", Served(SERVICE, VALUE, READ | WRITE | NOTIFY), values={VALUE: b"v"}, secure=True)


async def bonded(rig) -> bool:
    return await rig.sim.central.bonded(rig.sim.sensor.device.random_address)


async def test_where_it_is_asked_for_pairing_comes_with_the_step_that_needs_it(among):
    rig = await among(guarded())
    async with linked(rig, replace(DRIVER, pairing=Pairing.WHEN_ASKED)) as link:
        assert not await bonded(rig)
        assert await replies(link, Write(VALUE, b"x"), Read(VALUE), Subscribe(VALUE)) == [b"", b"v", b""]
    assert await bonded(rig)
    assert rig.firmware.written == [(VALUE, b"x")]
    assert len(rig.of(Written)) == len(rig.of(Reading)) == 1


@pytest.mark.parametrize("step", [Read(VALUE), Subscribe(VALUE)])
async def test_a_read_or_a_subscription_may_be_what_asks(among, step):
    rig = await among(guarded())
    async with linked(rig, replace(DRIVER, pairing=Pairing.WHEN_ASKED)) as link:
        await replies(link, step)
    assert await bonded(rig)


async def test_nothing_is_paired_with_for_an_optional_step(among):
    rig = await among(guarded())
    async with linked(rig, replace(DRIVER, pairing=Pairing.WHEN_ASKED)) as link:
        assert await replies(link, Read(VALUE, optional=True)) == [b""]
    assert not await bonded(rig)


async def test_a_sensor_that_does_not_ask_is_not_paired_with(among):
    rig = await among(twice())
    async with linked(rig, replace(DRIVER, pairing=Pairing.WHEN_ASKED)) as link:
        await replies(link, Read(VALUE))
    assert not await bonded(rig)


@pytest.mark.parametrize(("pairing", "may"), [(Pairing.NEVER, True), (Pairing.WHEN_ASKED, False)])
async def test_never_is_never_whatever_the_sensor_asks(among, pairing, may):
    rig = await among(guarded())
    async with linked(rig, replace(DRIVER, pairing=pairing), pair=may) as link:
        with pytest.raises(PairingRefused):
            await replies(link, Read(VALUE))
    assert not await bonded(rig)


async def test_always_pairs_before_anything_is_asked(among):
    rig = await among(twice())
    async with linked(rig, replace(DRIVER, pairing=Pairing.ALWAYS)):
        assert await bonded(rig)


async def test_a_step_that_is_refused_for_another_reason_is_not_paired_for(among):
    rig = await among(plain("made up", Served(SERVICE, VALUE, NOTIFY)))
    async with linked(rig, replace(DRIVER, pairing=Pairing.WHEN_ASKED)) as link:
        with pytest.raises(LinkError, match=r"refused a request .Read Not Permitted"):
            await replies(link, Read(VALUE))
    assert not await bonded(rig)


async def test_what_a_sensor_offers_is_told_once_it_is_connected(among):
    rig = await among(plain("made up", Served(SERVICE, VALUE, READ), Served(BATTERY_SERVICE, BATTERY_LEVEL, READ)))
    found = await find(rig.radio, address=ADDRESS, driver=DRIVER)
    link = SensorLink(found.device, rig.radio, rig.frames.append, boot_ns)
    await link.connect()
    assert {SERVICE, BATTERY_SERVICE} <= set(link.offers)
    await link.close()


def bluez(name, *details):
    from bleak.exc import BleakDBusError

    return BleakDBusError(f"org.bluez.Error.{name}", list(details))


def gatt(code):
    from bleak.exc import BleakGATTProtocolError

    return BleakGATTProtocolError(code)


@pytest.mark.parametrize(
    ("error", "asks"),
    [
        (gatt(0x05), True),
        (gatt(0x08), True),
        (gatt(0x0C), True),
        (gatt(0x0F), True),
        (gatt(0x0E), True),  # what BlueZ says at times
        (gatt(0x02), False),
        (gatt(0x03), False),
        (bluez("NotPermitted", "Not paired"), True),
        (bluez("NotPermitted", "Read not permitted"), False),
        (bluez("AuthenticationFailed"), True),
        (bluez("Failed", "Not connected"), False),
        (TimeoutError(), False),
    ],
)
def test_which_refusals_ask_for_pairing(error, asks):
    meant = translated(error)
    assert meant is not None
    meant.__cause__ = error
    assert asks_for_pairing(meant) is asks
