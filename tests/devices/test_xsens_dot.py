"""What the DOT's table does not show one by one: any orientation, any losses, and that its scripts are understood."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import firmware_protocol as fp
from firmware_protocol.devices.xsens_dot import CONTROL, DEVICE_CONTROL, RATES_HZ
from firmware_protocol.devices.xsens_payloads import FULL_BYTES, MEDIUM, MODES, layout

G = fp.STANDARD_GRAVITY_MPS2
WRAP_US = 2**32
parts = st.floats(-20, 20, width=32)
angles = st.floats(-180, 180, width=32)


def decode(*frames: fp.Frame) -> fp.Decoded:
    return fp.driver("xsens_dot").new_decoder().feed(frames)


def told(mode: int) -> fp.Frame:
    return fp.Written(t_host_ns=0, characteristic=CONTROL, data=bytes([1, 1, mode]))


def packet(t_us: int, *values: float) -> fp.Frame:
    data = struct.pack(f"<I{len(values)}f", t_us % WRAP_US, *values)
    return fp.Notification(t_host_ns=t_us * 1000, characteristic=MEDIUM, data=data)


@given(roll=angles, pitch=st.floats(-90, 90, width=32), yaw=angles, felt=st.tuples(parts, parts, parts))
def test_orientation_and_free_acceleration_give_what_an_accelerometer_feels(
    roll: float, pitch: float, yaw: float, felt: tuple[float, float, float]
) -> None:
    turn = Rotation.from_euler("ZYX", [yaw, pitch, roll], degrees=True)
    free = turn.apply(felt) - [0, 0, G]
    x, y, z, w = turn.as_quat()
    by_quaternion = decode(told(3), packet(0, w, x, y, z, *free))
    by_euler = decode(told(16), packet(0, roll, pitch, yaw, *free))
    for decoded in (by_quaternion, by_euler):
        np.testing.assert_allclose(decoded.samples["acc_mps2"], [felt], atol=2e-4)
        assert np.isnan(decoded.samples["gyr_radps"]).all()


@given(
    rate_hz=st.sampled_from(RATES_HZ),
    began_us=st.one_of(st.integers(0, WRAP_US - 1), st.integers(WRAP_US - 2_000_000, WRAP_US - 1)),
    arrived=st.lists(st.booleans(), min_size=1, max_size=60),
)
def test_what_is_lost_is_counted_by_the_clock(rate_hz: int, began_us: int, arrived: list[bool]) -> None:
    device_control = bytes(24) + struct.pack("<H", rate_hz) + bytes(6)
    frames = [fp.Reading(t_host_ns=0, characteristic=DEVICE_CONTROL, data=device_control), told(21)]
    taken_us = [began_us + k * 1_000_000 // rate_hz for k in range(len(arrived))]
    came_us = [t_us for t_us, came in zip(taken_us, arrived, strict=True) if came]
    decoded = decode(*frames, *(packet(t_us, 0, 0, G, 0, 0, 0) for t_us in came_us))
    assert (decoded.samples["t_device_ns"] - began_us * 1000).tolist() == [(t - began_us) * 1000 for t in came_us] or (
        began_us < WRAP_US <= came_us[0]  # none came before the wrap: nothing tells that there was one
    )
    within = "".join("x" if came else " " for came in arrived).strip()
    assert decoded.lost == within.count(" ")
    assert not decoded.malformed
    assert len(decoded.segments) == (1 if came_us else 0)


@pytest.mark.parametrize("number", MODES)
@given(data=st.data())
def test_a_payload_is_as_long_as_its_fields_or_filled_up(number: int, data: st.DataObject) -> None:
    full = FULL_BYTES[MODES[number].characteristic]
    length = data.draw(st.integers(0, full + 3))
    shortest = min(length for length in range(full + 1) if layout(number, length))
    assert (layout(number, length) is not None) == (length in {shortest, full})


@pytest.mark.parametrize(("asked_hz", "found_hz", "in_force_hz"), [(None, 20, 60), (50, 60, 60), (5, 30, 10)])
def test_what_the_script_does_is_understood(asked_hz: float | None, found_hz: int, in_force_hz: int) -> None:
    """The steps of `start` as the frames that the link makes of them."""
    script, frames, reply = fp.driver("xsens_dot").start(asked_hz), list[fp.Frame](), b""
    step = next(script)
    try:
        while True:
            match step:
                case fp.Read(characteristic):
                    reply = bytes(24) + struct.pack("<H", found_hz) + bytes(6)
                    frames.append(fp.Reading(t_host_ns=0, characteristic=characteristic, data=reply))
                case fp.Write(characteristic, data):
                    frames.append(fp.Written(t_host_ns=0, characteristic=characteristic, data=data))
            step, reply = script.send(reply), b""
    except StopIteration:
        pass
    decoded = decode(*frames, packet(0, 0, 0, G, 90, 0, 0))
    assert [segment.rate_hz for segment in decoded.segments] == [in_force_hz]
    np.testing.assert_allclose(decoded.samples["acc_mps2"], [[0, 0, G]], rtol=1e-6)
    np.testing.assert_allclose(decoded.samples["gyr_radps"], [[np.pi / 2, 0, 0]])
