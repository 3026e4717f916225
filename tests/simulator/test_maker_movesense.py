"""The simulated Movesense: its answers, its clock, and packets that are too long for one notification."""

import struct

import numpy as np
import pytest

import firmware_protocol as fp
from companion.simulator.makers.movesense import Sensor
from companion.simulator.stories import body_of

COMMANDS = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
S = 1_000_000_000


def connected(mtu: int = 247) -> Sensor:
    sensor = Sensor(body_of("slouch"))
    sensor.connected(0, mtu)
    sensor.subscribed(DATA, True)
    return sensor


def said(sensor: Sensor, command: int, reference: int, path: str = "", now_ns: int = S) -> list[bytes]:
    return [each.data for each in sensor.write(COMMANDS, bytes([command, reference]) + path.encode(), now_ns)]


def test_it_says_hello() -> None:
    (answer,) = said(connected(), 0, 100)
    assert answer[:3] == b"\x01\x64\x01"
    assert answer[3:].split(b"\0")[:2] == [b"204730000105", b"Movesense"]


@pytest.mark.parametrize(
    ("command", "reference", "path", "status"),
    [
        (1, 99, "/Meas/IMU6/52", 200),
        (1, 99, "/Meas/IMU6/52\0", 200),
        (1, 99, "/Meas/IMU6/50", 404),
        (1, 99, "/Meas/IMU9/52", 404),
        (1, 99, "/Meas", 404),
        (1, 0, "/Meas/IMU6/52", 400),
        (2, 99, "", 404),
        (4, 99, "/Meas/Acc/Info", 404),
        (9, 99, "\3", 501),
    ],
)
def test_every_command_is_answered(command: int, reference: int, path: str, status: int) -> None:
    assert said(connected(), command, reference, path) == [struct.pack("<BBH", 1, reference, status)]


def test_one_measurement_at_a_time() -> None:
    sensor = connected()
    said(sensor, 1, 99, "/Meas/Acc/13")
    assert said(sensor, 1, 100, "/Meas/IMU6/52") == [bytes.fromhex("0164fb01")]
    assert said(sensor, 2, 100) == [bytes.fromhex("01649401")]
    assert said(sensor, 2, 99) == [bytes.fromhex("0163c800")]
    assert sensor.advance(3 * S) == []
    assert said(sensor, 1, 100, "/Meas/IMU6/52", 3 * S) == [bytes.fromhex("0164c800")]


def test_its_battery_can_be_asked_for() -> None:
    (answer,) = said(connected(), 4, 5, "/System/Energy/Level")
    assert (answer[:4], len(answer)) == (bytes.fromhex("0105c800"), 5)


@pytest.mark.parametrize(
    ("path", "lengths"),
    [("Acc/13", [18]), ("Gyro/52", [54]), ("IMU6/52", [102]), ("IMU6/104", [150, 50]), ("IMU6/208", [150, 150, 94])],
)
def test_a_long_packet_comes_in_parts(path: str, lengths: list[int]) -> None:
    sensor = connected()
    said(sensor, 1, 99, f"/Meas/{path}")
    sent = [each.data for each in sensor.advance(2 * S)]
    assert [len(data) for data in sent[: len(lengths)]] == lengths
    assert [data[:2] for data in sent[: len(lengths)]] == [b"\x02\x63", *[b"\x03\x63"] * (len(lengths) - 1)]
    assert len(sent) in range(12 * len(lengths), 14 * len(lengths))


def test_a_short_link_makes_parts_too() -> None:
    sensor = connected(mtu=100)
    said(sensor, 1, 99, "/Meas/IMU6/52")
    assert [len(each.data) for each in sensor.advance(2 * S)[:2]] == [97, 7]


def test_the_clock_counts_milliseconds_of_the_first_sample() -> None:
    sensor = connected()
    said(sensor, 1, 99, "/Meas/IMU6/52", 10 * S)
    stamps_ms = [struct.unpack_from("<I", each.data, 2)[0] for each in sensor.advance(20 * S)]
    assert stamps_ms[0] == pytest.approx(10_000 + 1000 / 52, abs=2)
    assert np.diff(stamps_ms) == pytest.approx(4000 / 52, abs=1)


def test_acceleration_comes_before_rotation() -> None:
    """Upright and still: one g, and next to no rotation."""
    sensor = connected()
    said(sensor, 1, 99, "/Meas/IMU6/52")
    values = np.frombuffer(sensor.advance(2 * S)[0].data[6:], "<f4").reshape(2, 4, 3)
    assert np.linalg.norm(values[0], axis=1) == pytest.approx(fp.STANDARD_GRAVITY_MPS2, abs=0.3)
    assert np.abs(values[1]).max() < 10


@pytest.mark.parametrize("rate_hz", [13, 26, 104, 208])
def test_the_driver_reads_each_rate(rate_hz: int) -> None:
    sensor = connected()
    path = f"/Meas/IMU6/{rate_hz}"
    said(sensor, 1, 99, path)
    written = fp.Written(t_host_ns=0, characteristic=COMMANDS, data=b"\x01\x63" + path.encode())
    sent = [fp.Notification(t_host_ns=each.t_ns, characteristic=DATA, data=each.data) for each in sensor.advance(5 * S)]
    found = fp.driver("movesense").new_decoder().feed([written, *sent])
    assert len(found.samples) == pytest.approx(4 * rate_hz, abs=rate_hz / 10)
    assert (found.malformed, found.lost, found.duplicates) == ((), 0, 0)
    assert np.linalg.norm(found.samples["acc_mps2"], axis=1) == pytest.approx(fp.STANDARD_GRAVITY_MPS2, abs=0.5)


def test_measurements_end_with_the_link() -> None:
    sensor = connected()
    said(sensor, 1, 99, "/Meas/IMU6/52")
    sensor.disconnected(2 * S)
    sensor.connected(3 * S)
    sensor.subscribed(DATA, True)
    assert sensor.advance(4 * S) == []
    assert said(sensor, 1, 99, "/Meas/IMU6/52", 4 * S) == [bytes.fromhex("0163c800")]
