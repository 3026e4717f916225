"""The Thingy:52: everything that its fusion tells says the same; the configuration stays one that it takes."""

import math
import struct
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices.thingy52 import (
    CONFIG,
    DRIVER,
    EULER,
    GRAVITY,
    MATRIX,
    QUATERNION,
    RATES_HZ,
    Decoder,
)

G = fp.STANDARD_GRAVITY_MPS2
part = st.floats(-1, 1)
quaternions = st.tuples(part, part, part, part).filter(lambda q: np.linalg.norm(q) > 0.1)


def decoded(characteristic: str, data: bytes) -> Any:
    found = Decoder().feed([fp.Notification(t_host_ns=0, characteristic=characteristic, data=data)])
    assert not found.malformed
    return found.samples["acc_mps2"][0]


def matrix_of(quaternion: tuple[float, ...]) -> Any:
    """The rotation matrix of a quaternion of any length, as in any book."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def angles_deg(up: Any) -> tuple[float, float]:
    """The two angles that InvenSense's Motion Driver makes of where up is (inv_get_sensor_type_euler)."""
    x, y, z = up.tolist()
    about_x = math.degrees(math.atan2(y, math.hypot(x, z)))
    if z < 0:
        about_x = (180.0 if about_x >= 0 else -180.0) - about_x
    about_y = math.degrees(math.atan2(z, x)) - 90.0
    if about_y < -90.0:
        about_y = -180.0 - about_y
    return about_x, about_y


@given(quaternion=quaternions)
def test_everything_tells_the_same_up(quaternion: tuple[float, ...]) -> None:
    matrix = matrix_of(quaternion)
    up = matrix[2]
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    words = np.clip(np.rint(unit * 2**30), -(2**31), 2**31 - 1).astype(int)
    np.testing.assert_allclose(decoded(QUATERNION, struct.pack("<4i", *words)), up * G, atol=1e-6)
    halves = np.rint(matrix * 2**14).astype(int).ravel()
    np.testing.assert_allclose(decoded(MATRIX, struct.pack("<9h", *halves)), up * G, atol=2e-3)
    np.testing.assert_allclose(decoded(GRAVITY, struct.pack("<3f", *(up * G))), up * G, atol=1e-5)
    sixteenths = np.rint(np.array([*angles_deg(up), 12.5]) * 2**16).astype(int)
    np.testing.assert_allclose(decoded(EULER, struct.pack("<3i", *sixteenths)), up * G, atol=1e-3)


@given(now=st.one_of(st.binary(max_size=12), st.binary(min_size=9, max_size=9)), rate_hz=st.none() | st.floats(0, 1e4))
def test_only_a_configuration_that_it_takes_is_written(now: bytes, rate_hz: float | None) -> None:
    script = DRIVER.start(rate_hz)
    next(script)
    written = script.send(now)
    assert isinstance(written, fp.Write)
    assert written.characteristic == CONFIG
    pedometer, temperature, compass, rate, wakes = struct.unpack("<HHHHB", written.data)
    assert 100 <= pedometer <= 5000
    assert 100 <= temperature <= 5000
    assert 100 <= compass <= 1000
    assert wakes in (0, 1)
    wanted_hz = 50 if rate_hz is None else rate_hz
    assert rate == min((each for each in RATES_HZ if each >= wanted_hz), default=200)


@given(rate=st.sampled_from(RATES_HZ))
def test_what_it_is_asked_for_it_keeps(rate: int) -> None:
    """The fusion sends every n-th of its 200 samples in a second (dmp_set_fifo_rate)."""
    assert 200 / (200 // rate) == rate
