"""What is special to the simulated Thingy:52 and CLUE: what outlives a restart, and whose period is whose."""

import struct

import numpy as np
import pytest

from companion.simulator.faults import Faults
from companion.simulator.makers.adafruit import Sensor as Clue
from companion.simulator.makers.thingy52 import Sensor as Thingy
from companion.simulator.stories import body_of

S = 1_000_000_000
CONFIG, RAW = (f"ef68{number}-9b35-4933-9b10-52ffa9740042" for number in ("0401", "0406"))
PERIOD, ACCELEROMETER, DATA, GYROSCOPE = (
    f"adaf{number}-c332-42a8-93bd-25e905756cb8" for number in ("0001", "0200", "0201", "0400")
)


def sent_in_a_second(sensor: Thingy | Clue, from_ns: int) -> int:
    sensor.advance(from_ns)
    return len(sensor.advance(from_ns + S))


def test_a_thingy_begins_at_10_hz_and_keeps_what_it_is_told_over_a_restart() -> None:
    sensor = Thingy(body_of("slouch"), faults=Faults.of(["reboot@5"]))
    sensor.connected(0)
    sensor.subscribed(RAW, True)
    assert sent_in_a_second(sensor, S) == 10
    sensor.write(CONFIG, bytes.fromhex("e803f401f401320001"), 3 * S)
    assert sent_in_a_second(sensor, 3 * S) == 50
    sensor.advance(8 * S)
    assert sensor.streaming is None
    assert sensor.read(CONFIG, 8 * S).hex() == "e803f401f401320001"


@pytest.mark.parametrize("config", ["", "e803f401f4013200", "e803f401f401040001", "6300f401f401320001"])
def test_a_thingy_refuses_what_it_does_not_know(config: str) -> None:
    with pytest.raises(KeyError):
        Thingy(body_of("slouch")).write(CONFIG, bytes.fromhex(config), 0)


def test_a_thingys_fusion_sends_every_nth_sample() -> None:
    sensor = Thingy(body_of("slouch"), drift_ppm=0.0)
    sensor.connected(0)
    sensor.write(CONFIG, bytes.fromhex("e803f401f4013c0001"), 0)  # 60 Hz
    sensor.subscribed(RAW, True)
    assert sensor.streaming is not None
    assert sensor.streaming.nominal_hz == pytest.approx(200 / 3)


def test_a_thingy_stops_short_of_full_scale() -> None:
    (data,) = Thingy(body_of("slouch")).pack(np.array([[500.0, -500.0, 9.80665]]), np.full((1, 3), 30.0), np.array([0]))
    assert struct.unpack("<6h", data[:12]) == (31 << 10, -(32 << 10), 1 << 10, 1023 << 5, 1023 << 5, 1023 << 5)


def test_each_of_a_clues_services_has_a_period_of_its_own() -> None:
    sensor = Clue(body_of("slouch"))
    sensor.connected(0)
    sensor.subscribed(DATA, True)
    assert sent_in_a_second(sensor, S) == 1
    sensor.write(f"{GYROSCOPE}/{PERIOD}", struct.pack("<i", 20), 2 * S)
    assert sent_in_a_second(sensor, 3 * S) == 1
    sensor.write(f"{ACCELEROMETER}/{PERIOD}", struct.pack("<i", 20), 4 * S)
    assert sent_in_a_second(sensor, 5 * S) == 50
    sensor.write(f"{ACCELEROMETER}/{PERIOD}", struct.pack("<i", -1), 6 * S)
    assert sent_in_a_second(sensor, 7 * S) == 0
    assert sensor.read(f"{GYROSCOPE}/{PERIOD}", 8 * S) == struct.pack("<i", 20)
