"""What is special to the simulated DOT: the bytes of its packets, its clock that wraps, the rate that it remembers."""

import struct

import numpy as np
import pytest

import firmware_protocol as fp
from companion.simulator.makers.xsens_dot import Sensor
from companion.simulator.stories import body_of

S = 1_000_000_000
UUID = "1517{}-4947-11e9-8646-d663bd873d93".format
DEVICE_CONTROL, CONTROL, MEDIUM, BATTERY = UUID(1002), UUID(2001), UUID(2003), UUID(3001)


def streamed(sensor: Sensor, rate_hz: float | None, until_ns: int) -> list[fp.Frame]:
    """The driver's script carried out after a second, and everything that leaves until then, as frames."""
    frames: list[fp.Frame] = []
    sensor.connected(S)
    script, reply = fp.driver("xsens_dot").start(rate_hz), b""
    step = next(script)
    try:
        while True:
            match step:
                case fp.Read(characteristic):
                    reply = sensor.read(characteristic, S)
                    frames.append(fp.Reading(t_host_ns=S, characteristic=characteristic, data=reply))
                case fp.Write(characteristic, data):
                    assert sensor.write(characteristic, data, S) == []
                    frames.append(fp.Written(t_host_ns=S, characteristic=characteristic, data=data))
                case fp.Subscribe(characteristic):
                    sensor.subscribed(characteristic, True)
            step, reply = script.send(reply), b""
    except StopIteration:
        pass
    for sent in sensor.advance(until_ns):
        frames.append(fp.Notification(t_host_ns=sent.t_ns, characteristic=sent.characteristic, data=sent.data))
    return frames


def test_the_clock_wraps_in_mid_story() -> None:
    frames = streamed(Sensor(body_of("slouch"), drift_ppm=0), None, 21 * S)
    packets = [frame.data for frame in frames if isinstance(frame, fp.Notification)]
    assert {len(data) for data in packets} == {40}
    assert {data[28:] for data in packets} == {bytes(12)}
    times_us = [int.from_bytes(data[:4], "little") for data in packets]
    assert times_us[0] == 2**32 - 12_000_000 + 1_016_666
    assert min(times_us) < 16_667
    decoded = fp.driver("xsens_dot").new_decoder().feed(frames)
    assert len(decoded.samples) == 1200
    assert (decoded.lost, decoded.duplicates, len(decoded.segments)) == (0, 0, 1)
    steps = np.diff(decoded.samples["t_device_ns"])
    assert steps.min() >= 16_666_000
    assert steps.max() <= 16_667_000


def test_a_packet_holds_what_the_body_does() -> None:
    body = body_of("slouch")
    sensor = Sensor(body, drift_ppm=0)
    (packet,) = (frame for frame in streamed(sensor, 1, int(2.5 * S)) if isinstance(frame, fp.Notification))
    acc, gyr = body.sample(1.0, 0, 1, 2.0)
    values = struct.unpack("<6f", packet.data[4:28])
    np.testing.assert_allclose(values, [*acc[0], *np.degrees(gyr[0])], rtol=1e-6)


@pytest.mark.parametrize(("saved_hz", "asked_hz", "in_force_hz"), [(20, None, 60), (60, 12, 12), (4, 4, 4)])
def test_the_rate_is_set_before_it_starts(saved_hz: int, asked_hz: float | None, in_force_hz: int) -> None:
    sensor = Sensor(body_of("slouch"), saved_hz=saved_hz)
    frames = streamed(sensor, asked_hz, 4 * S)
    assert sensor.streaming is not None
    assert sensor.streaming.nominal_hz == in_force_hz
    decoded = fp.driver("xsens_dot").new_decoder().feed(frames)
    assert [segment.rate_hz for segment in decoded.segments] == [in_force_hz]
    assert decoded.lost == 0
    faster = b"\x10" + bytes(23) + struct.pack("<H", 30) + bytes(6)
    sensor.write(DEVICE_CONTROL, faster, 4 * S)
    assert sensor.read(DEVICE_CONTROL, 4 * S)[24:26] == struct.pack("<H", in_force_hz)  # not while it measures


def test_a_stop_stops_and_what_is_read_tells_it() -> None:
    sensor = Sensor(body_of("slouch"))
    assert sensor.read(CONTROL, 0) == bytes([1, 0, 4])
    streamed(sensor, None, 2 * S)
    assert sensor.read(CONTROL, 2 * S) == bytes([1, 1, 21])
    assert sensor.read(BATTERY, 2 * S) == bytes([92, 0])
    (stop,) = fp.driver("xsens_dot").stop()
    assert isinstance(stop, fp.Write)
    sensor.write(stop.characteristic, stop.data, 2 * S)
    assert sensor.read(CONTROL, 2 * S) == bytes([1, 0, 21])
    assert sensor.advance(5 * S) == []
