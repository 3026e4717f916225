"""What is special to the simulated MetaMotion: two models, three switches, answers to commands."""

import struct

import numpy as np
import pytest

import firmware_protocol as fp
from companion.simulator.makers.metawear import Sensor
from companion.simulator.served import Outgoing
from companion.simulator.stories import body_of

S = 1_000_000_000
COMMAND, NOTIFY = (f"326a900{k}-85cb-9195-d9dd-464cfbbae75a" for k in (1, 6))
SWITCHES = (b"\x03\x04\x01", b"\x03\x02\x01\x00", b"\x03\x01\x01")


def connected(model: str = "R") -> Sensor:
    sensor = Sensor(body_of("slouch"), model=model, drift_ppm=0)
    sensor.connected(S)
    sensor.subscribed(NOTIFY, True)
    return sensor


def answer(sensor: Sensor, command: bytes) -> list[bytes]:
    return [sent.data for sent in sensor.write(COMMAND, command, S)]


@pytest.mark.parametrize("model", ["R", "S"])
@pytest.mark.parametrize(("asked_hz", "rate_hz"), [(None, 50), (100, 100), (300, 200)])
def test_either_model_is_set_up_and_understood(model: str, asked_hz: float | None, rate_hz: int) -> None:
    sensor, frames, said = connected(model), list[fp.Frame](), list[Outgoing]()
    script, reply = fp.driver("metawear").start(asked_hz), b""
    step = next(script)
    try:
        while True:
            match step:
                case fp.Write(characteristic, data):
                    said = sensor.write(characteristic, data, S)
                    frames.append(fp.Written(t_host_ns=S, characteristic=characteristic, data=data))
                case fp.Await():
                    reply = said[-1].data
                    frames.append(fp.Notification(t_host_ns=S, characteristic=NOTIFY, data=reply))
            step, reply = script.send(reply), b""
    except StopIteration:
        pass
    sent = sensor.advance(3 * S)
    frames += [fp.Notification(t_host_ns=each.t_ns, characteristic=NOTIFY, data=each.data) for each in sent]
    decoded = fp.driver("metawear").new_decoder().feed(frames)
    assert [segment.rate_hz for segment in decoded.segments] == [rate_hz]
    assert 1.9 * rate_hz <= len(decoded.samples) <= 2 * rate_hz
    acc, _ = sensor.body.sample(float(rate_hz), 0, len(decoded.samples), 1.0 + 1.0 / rate_hz)
    np.testing.assert_allclose(decoded.samples["acc_mps2"], acc, atol=fp.STANDARD_GRAVITY_MPS2 / 4096)


@pytest.mark.parametrize("missing", range(3))
def test_it_samples_while_all_three_switches_are_on(missing: int) -> None:
    sensor = connected()
    for place, command in enumerate(SWITCHES):
        if place != missing:
            assert answer(sensor, command) == []
    assert sensor.streaming is None
    answer(sensor, SWITCHES[missing])
    assert sensor.streaming is not None
    assert sensor.streaming.nominal_hz == 100  # as it comes out of its box
    off = (b"\x03\x04\x00", b"\x03\x02\x00\x01", b"\x03\x01\x00")
    answer(sensor, off[missing])
    assert sensor.streaming is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (b"\x03\x80", [b"\x03\x80\x01\x01"]),
        (b"\x11\x80", [b"\x11\x80\x00\x03"]),
        (b"\x13\x80", [b"\x13\x80"]),  # a module that it does not have
        (b"\x11\x8c", [b"\x11\x8c" + struct.pack("<BH", 92, 4128)]),
        (b"\x11\xcc", [b"\x11\x8c" + struct.pack("<BH", 92, 4128)]),
        (b"\x13\x03\x28\x00", []),
        (b"", []),
    ],
)
def test_commands_are_answered(command: bytes, said: list[bytes]) -> None:
    assert answer(connected(), command) == said


def test_a_lost_link_switches_everything_off() -> None:
    sensor = connected()
    for command in SWITCHES:
        answer(sensor, command)
    sensor.disconnected(2 * S)
    sensor.connected(3 * S)
    sensor.subscribed(NOTIFY, True)
    assert sensor.advance(5 * S) == []
