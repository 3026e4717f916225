"""Listening to sensors that only advertise: what becomes a frame, when they are missed, and a radio that fails."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from fake_air import packets_backend

from companion.errors import BluetoothOff, DeviceNotFound
from companion.link.conditions import Conditions
from companion.link.listener import Listener, silence_of
from companion.link.radio import Radio
from companion.link.status import LinkState, LinkStatus
from companion.link.waiting import Backoff
from firmware_protocol import Advertisement, LinkDown, LinkUp, Reading, driver

ADDRESS, OTHER = "54:48:E6:8F:80:A5", "54:48:E6:8F:80:A6"
BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
GUARD_S = 20.0
MARKED = 0x0FF1


def _claims(advertisement: Advertisement) -> float:
    return float(MARKED in advertisement.manufacturer_data)


BEACON = replace(
    driver("imported"), name="beacon", match=_claims, broadcasts=True, secret="the key", longest_interval_s=2.0
)


class Ear:
    """A listener, the air it hears, and what it told. The clock stands still until a test moves it."""

    def __init__(self, **options: Any) -> None:
        self.air = packets_backend()
        self.now_ns = 1_000_000_000
        self.slept_ns = 0
        self.frames: list[Any] = []
        self.statuses: list[LinkStatus] = []
        self.listener = Listener(
            options.pop("of", BEACON),
            Radio(self.air),
            self.frames.append,
            lambda: self.now_ns,
            on_status=self.statuses.append,
            waits=lambda: self.now_ns - self.slept_ns,
            **({"address": ADDRESS} | options),
        )

    @asynccontextmanager
    async def running(self):
        stop = asyncio.Event()
        task = asyncio.create_task(self.listener.run(stop))
        try:
            await self.until(lambda: bool(self.air.listening))
            yield self
        finally:
            stop.set()
            async with asyncio.timeout(GUARD_S):
                await task
        assert self.air.listening == []

    async def until(self, reached):
        async with asyncio.timeout(GUARD_S):
            while not reached():
                await asyncio.sleep(0.005)

    def later(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def sleep(self, seconds: float) -> None:
        self.slept_ns += round(seconds * 1e9)
        self.later(seconds)

    def say(self, value: int = 1, address: str = ADDRESS, **fields: Any) -> None:
        self.air.say(address, **({"maker": {MARKED: bytes([value])}} | fields))

    def kinds(self) -> list[type]:
        return [type(frame) for frame in self.frames]

    def heard(self) -> list[int]:
        return [frame.manufacturer_data[MARKED][0] for frame in self.frames if isinstance(frame, Advertisement)]

    def states(self) -> list[LinkState]:
        told = [status.state for status in self.statuses]
        return [state for before, state in zip([None, *told], told, strict=False) if state is not before]


async def test_the_first_that_is_heard_is_a_link_and_then_an_advertisement():
    ear = Ear()
    async with ear.running():
        ear.say(7, name="Beacon\x1b[31m", rssi=-61)
    assert ear.frames == [
        LinkUp(t_host_ns=1_000_000_000, address=ADDRESS, mtu=None),
        Advertisement(
            t_host_ns=1_000_000_000,
            address=ADDRESS,
            name="Beacon\x1b[31m",
            rssi=-61,
            manufacturer_data={MARKED: b"\x07"},
        ),
    ]
    assert ear.states() == [LinkState.SCANNING, LinkState.STREAMING, LinkState.STOPPED]
    status = ear.statuses[-2]
    assert (status.address, status.name, status.rssi, status.attempt) == (ADDRESS, "Beacon[31m", -61, 0)


async def test_a_key_is_told_before_the_first_advertisement_of_each_link():
    ear = Ear(key=KEY, silence_s=5.0)
    async with ear.running():
        ear.say(1)
        ear.later(6)
        await ear.until(lambda: LinkDown in ear.kinds())
        ear.say(1)
    assert ear.kinds() == [LinkUp, Reading, Advertisement, LinkDown, LinkUp, Reading, Advertisement]
    assert ear.frames[1] == Reading(t_host_ns=1_000_000_000, characteristic="the key", data=KEY)
    assert ear.frames[5].data == KEY


async def test_what_is_new_is_told_at_once_and_the_same_once_a_second():
    ear = Ear()
    async with ear.running():
        for value, after_s in [(1, 0.0), (1, 0.3), (1, 0.6), (1, 0.2), (2, 0.01), (2, 0.98), (2, 0.1), (1, 0.0)]:
            ear.later(after_s)
            ear.say(value, rssi=-60 + value)
    assert ear.heard() == [1, 1, 2, 2, 1]
    times = [frame.t_host_ns for frame in ear.frames if isinstance(frame, Advertisement)]
    assert [round((t_ns - 1_000_000_000) / 1e9, 2) for t_ns in times] == [0.0, 1.1, 1.11, 2.19, 2.19]


async def test_others_are_not_listened_to():
    ear = Ear()
    async with ear.running():
        ear.say(1, OTHER)
        ear.say(2, ADDRESS.lower())
        ear.say(3, OTHER)
    assert ear.heard() == [2]


async def test_without_an_address_the_first_that_the_driver_knows_is_kept(monkeypatch):
    monkeypatch.setattr("firmware_protocol.recognition.drivers", lambda: (BEACON,))
    ear = Ear(address=None)
    async with ear.running():
        ear.say(1, OTHER, maker={0x1234: b"\x01"})
        ear.say(2, ADDRESS)
        ear.say(3, OTHER)
        ear.say(4, ADDRESS)
    assert ear.heard() == [2, 4]
    assert ear.frames[0].address == ADDRESS


async def test_a_silence_within_the_limit_is_none():
    ear = Ear(silence_s=5.0)
    async with ear.running():
        ear.say(1)
        ear.later(4.99)
        await asyncio.sleep(1.2)  # longer than two looks at the clock
        ear.say(2)
    assert ear.kinds() == [LinkUp, Advertisement, Advertisement]


async def test_a_sleep_of_this_computer_is_told_as_such_and_the_scan_begins_anew():
    ear = Ear(silence_s=5.0)
    async with ear.running():
        ear.say(1)
        before = ear.air.listening[0]
        ear.sleep(3600)
        ear.listener.look()
        assert [frame.cause for frame in ear.frames if isinstance(frame, LinkDown)] == ["this computer was asleep"]
        await ear.until(lambda: bool(ear.air.listening) and ear.air.listening[0] is not before)
        ear.say(2)
    assert ear.kinds() == [LinkUp, Advertisement, LinkDown, LinkUp, Advertisement]


async def test_an_adapter_that_is_switched_off_is_told_at_once_and_back_at_once():
    told: list[Conditions] = []

    async def watch(conditions: Conditions) -> None:
        told.append(conditions)
        await asyncio.Event().wait()

    ear = Ear(silence_s=5.0, watch=watch)
    async with ear.running():
        ear.say(1)
        told[0].tell("bluetooth is off")
        assert [frame.cause for frame in ear.frames if isinstance(frame, LinkDown)] == ["bluetooth is off"]
        assert ear.statuses[-1].cause == "bluetooth is off"
        before = ear.air.listening[0]
        await ear.until(lambda: bool(ear.air.listening) and ear.air.listening[0] is not before)
        told[0].tell("")
        assert ear.statuses[-1].cause == "not heard"
        await ear.until(lambda: bool(ear.air.listening))
        ear.say(2)
    assert ear.kinds() == [LinkUp, Advertisement, LinkDown, LinkUp, Advertisement]


def test_how_long_a_silence_may_be():
    assert [silence_of(replace(BEACON, longest_interval_s=each)) for each in (0.5, 2.0, 10.0)] == [5.0, 6.0, 30.0]


async def test_a_silence_is_told_with_its_time_and_the_return_too():
    ear = Ear(silence_s=0.05)
    async with ear.running():
        for value in (1, 2, 3):
            ear.say(value)
            ear.later(1)
            await ear.until(lambda value=value: ear.kinds().count(LinkDown) == value)
            assert ear.listener.status.state is LinkState.LOST
            assert ear.listener.status.lost_since_ns == ear.now_ns
        await asyncio.sleep(0.2)  # no second LinkDown for the same silence
        ear.say(4)
        assert (ear.listener.status.state, ear.listener.status.lost_since_ns) == (LinkState.STREAMING, None)
    assert ear.kinds() == [LinkUp, Advertisement, LinkDown] * 3 + [LinkUp, Advertisement]
    assert {frame.cause for frame in ear.frames if isinstance(frame, LinkDown)} == {"not heard"}
    assert {status.cause for status in ear.statuses if status.state is LinkState.LOST} == {"not heard"}


async def test_one_that_is_never_heard_is_not_found():
    ear = Ear(silence_s=0.05, first_timeout_s=0.1)
    task = asyncio.create_task(ear.listener.run(asyncio.Event()))
    await ear.until(lambda: bool(ear.air.listening))
    ear.later(1)
    with pytest.raises(DeviceNotFound) as caught:
        await task
    assert str(caught.value) == "The sensor was not seen within 0.1 s."
    assert caught.value.exit_code == 2
    assert (ear.frames, ear.air.listening) == ([], [])
    assert ear.statuses[-1].state is LinkState.STOPPED


async def test_a_scan_is_begun_anew_now_and_then_and_the_link_goes_on():
    ear = Ear(scan_window_s=0.02)
    async with ear.running():
        ear.say(1)
        await ear.until(lambda: ear.air.starts > 3 and bool(ear.air.listening))
        ear.say(2)
    assert ear.kinds() == [LinkUp, Advertisement, Advertisement]


async def test_between_two_windows_another_scan_may_have_the_radio():
    ear = Ear(scan_window_s=0.01)
    async with ear.running(), asyncio.timeout(GUARD_S), ear.listener._radio.scanning:
        assert ear.air.listening == []


def off() -> Exception:
    return BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF)


async def test_a_radio_that_fails_at_first_is_told():
    ear = Ear()
    ear.air.failures.append(off())
    with pytest.raises(BluetoothOff, match="Bluetooth is switched off"):
        await ear.listener.run(asyncio.Event())


async def test_a_radio_that_fails_later_is_tried_again():
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0.02)

    ear = Ear(sleep=sleep, scan_window_s=30.0, backoff=Backoff(lambda: 0.0))
    async with ear.running():
        ear.say(1)
        ear.air.failures += [off(), BleakError("busy"), off()]
        await ear.until(lambda: not ear.air.failures and bool(ear.air.listening))
        ear.say(2)
    assert ear.heard() == [1, 2]
    assert [wait for wait in waits if wait != 30.0] == [0.5, 1.0, 2.0]
    assert "bluetooth is off" in {status.cause for status in ear.statuses}


@pytest.mark.parametrize("heard", [False, True])
async def test_stopping_is_possible_at_any_moment(heard):
    ear = Ear()
    async with ear.running():
        if heard:
            ear.say(1)
    assert LinkDown not in ear.kinds()
    assert ear.statuses[-1].state is LinkState.STOPPED


async def test_an_encrypted_sensor_is_decoded_with_the_key_that_was_told():
    """Advertisement and key: the example of the format's page, over the frames that a session would record."""
    bthome = driver("bthome")
    sealed = bytes.fromhex("41a47266c95f730011223378237214")
    for key, reasons in ((KEY, []), (b"", ["encrypted, and no bind key is known"])):
        ear = Ear(of=bthome, key=key)
        async with ear.running():
            ear.say(data={BTHOME: sealed}, maker={})
        decoded = bthome.new_decoder().feed(ear.frames)
        assert [fault.reason for fault in decoded.malformed] == reasons
