"""T8, T9: floods of packets while the disk or the terminal stands still, and floods of advertisements."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from fake_air import packets_backend

from companion.commands import listeners
from companion.commands.listeners import LineListener
from companion.link.liveness import Liveness
from companion.link.radio import Radio
from companion.link.scan import MAX_REMEMBERED, Sightings, find
from companion.recording import open_recording, writer
from companion.recording.database import Database
from companion.session import Session
from firmware_protocol import driver
from firmware_protocol.frames import Dropped, Notification, Opened
from firmware_protocol.posture_v1 import packets as p

# ---- T8: packets


def test_what_finds_no_room_is_dropped_counted_and_told(
    posture: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    """The disk stands still for a while: the queue is bounded, and the books of file and screen agree."""
    append, stalls, longest = Database.append, [1.6], []

    def slow(self: Database, rows: Any, copies: Any = ()) -> None:
        rows = list(rows)
        longest.append(len(rows))
        if len(rows) > 1 and stalls:
            time.sleep(stalls.pop())
        append(self, rows, copies)

    monkeypatch.setattr(Database, "append", slow)
    monkeypatch.setattr(writer, "MAX_WAITING_ROWS", 12)
    ran = posture("monitor", "--simulated", "upright", "--json", "--duration", "4")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    told = [line["count"] for line in lines if line.get("event") == "FramesDropped"]
    (file,) = (data_dir / "sessions").iterdir()
    with open_recording(file) as opened:
        frames = list(opened.frames())
        assert opened.damage == []
        header = opened.header
    assert [frame.count for frame in frames if isinstance(frame, Dropped)] == told
    assert sum(told) >= 3
    assert max(longest) <= 12, "never more than there is room for"
    session = Session(header)
    session.feed(frames)
    summary = session.close().summary
    assert summary is not None
    assert {name: lines[-1][name] for name in ("samples", "lost_samples")} == {
        name: summary[name] for name in ("samples", "lost_samples")
    }
    assert summary["lost_samples"] > 0


def test_a_naive_queue_takes_it_all() -> None:
    waiting: list[bytes] = []
    for _ in range(100_000):
        waiting.append(bytes(20))
    assert len(waiting) > 12_000


def test_the_watchdog_keeps_little_of_a_flood() -> None:
    ours = driver("posture_v1")
    liveness, most = Liveness(ours.new_decoder, 0), 0
    frame = Notification(t_host_ns=0, characteristic=p.MOTION, data=bytes(20))
    for _ in range(20_000):
        liveness.take(frame)
        most = max(most, len(liveness._waiting))
    assert most <= 4096


def test_lines_that_nobody_reads_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more, the oldest are dropped: who looks again sees what is now."""
    monkeypatch.setattr(listeners, "MOST_WAITING", 100)
    listener = LineListener("plain")
    header = Opened(
        t_host_ns=0, session_id="s", driver="posture_v1", device="x", rate_hz=50.0, utc_ns=0, zone="UTC",
        software_version="0",
    )  # fmt: skip
    listener.began(header, None)
    for number in range(1000):
        listener._put([f"line {number}", "and another"])
    listener.ended()
    kept = []
    while (lines := listener.lines.get()) is not None:
        kept.append(lines)
    assert len(kept) == 100
    assert kept[-1] == ["line 999", "and another"]
    assert listener.unread >= 2 * 900


# ---- T9: advertisements


def heard(number: int, rssi: int = -40, *, services: tuple[str, ...] = ()) -> tuple[BLEDevice, AdvertisementData]:
    """An address that nobody has seen before, with a name that changes."""
    address = f"C0:00:00:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"
    name = f"\x1b[{number}m{'x' * (number % 300)}"
    return BLEDevice(address, name, None), AdvertisementData(name, {}, {}, list(services), None, rssi, ())


@pytest.mark.slow
def test_ten_thousand_addresses_are_not_remembered() -> None:
    sightings, naive = Sightings(lambda: 0), dict[str, str]()
    sightings.see(*heard(0xFFFFFF, -95, services=(p.SERVICE,)))
    for number in range(10_000):
        device, data = heard(number)
        sightings.see(device, data)
        naive[device.address] = data.local_name or ""
    found = sightings.best_first()
    assert len(found) == MAX_REMEMBERED == 256
    assert [each.address for each in found if each.driver is not None] == ["C0:00:00:FF:FF:FF"]
    assert max(len(each.name) for each in found) <= 40
    assert len(naive) == 10_000


def test_one_address_with_many_names_is_one_device() -> None:
    sightings = Sightings(lambda: 0)
    device, _ = heard(1)
    for number in range(1000):
        sightings.see(device, heard(number)[1])
    assert len(sightings.best_first()) == 1


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_the_wanted_sensor_is_found_among_forgers(count: int) -> None:
    """Thousands that claim to be one of ours, all nearer: the paired sensor is found by its address."""
    backend = packets_backend()
    wanted = "F4:12:3D:5A:70:01"
    finding = asyncio.create_task(find(Radio(backend), driver=driver("posture_v1"), address=wanted, timeout_s=30.0))
    while not backend.listening:
        await asyncio.sleep(0.005)
    for number in range(count):
        device, data = heard(number, -30, services=(p.SERVICE,))
        backend.say(device.address, name=data.local_name, rssi=-30, services=(p.SERVICE,))
        if number == count // 2:
            backend.say(wanted, name="Posture 1234", rssi=-95, services=(p.SERVICE,))
        if number % 500 == 0:
            await asyncio.sleep(0)
    found = await finding
    assert (found.address, found.driver) == (wanted, "posture_v1")
