"""Adafruit's service: the period of the accelerometer is written and of nothing else; layouts as in its own library."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices.adafruit import DATA, DRIVER, PERIOD, SERVICE, Decoder


def test_each_service_has_a_period_and_only_that_of_the_accelerometer_is_written() -> None:
    steps = [*DRIVER.start(None), *DRIVER.start(10.0), *DRIVER.stop()]
    written = [step for step in steps if isinstance(step, fp.Write)]
    assert [(step.characteristic, step.service) for step in written] == [(PERIOD, SERVICE)] * 3
    assert all(step.with_response for step in written)


@given(acc_mps2=st.lists(st.tuples(*[st.floats(width=32)] * 3), max_size=20))
def test_what_is_finite_is_a_sample(acc_mps2: list[tuple[float, ...]]) -> None:
    frames = [
        fp.Notification(t_host_ns=k, characteristic=DATA, data=struct.pack("<3f", *v)) for k, v in enumerate(acc_mps2)
    ]
    decoded = Decoder().feed(frames)
    finite = [k for k, v in enumerate(acc_mps2) if np.isfinite(v).all()]
    assert decoded.samples["t_host_ns"].tolist() == finite
    assert decoded.samples["acc_mps2"].tolist() == [list(acc_mps2[k]) for k in finite]
    assert len(decoded.malformed) == len(acc_mps2) - len(finite)


def test_as_adafruits_own_library() -> None:
    pytest.importorskip("adafruit_ble_adafruit", exc_type=ImportError)
    module = pytest.importorskip("adafruit_ble_adafruit.accelerometer_service", exc_type=ImportError)
    theirs = module.AccelerometerService
    assert str(theirs.uuid).casefold().endswith(SERVICE)
    assert str(theirs.acceleration.uuid).casefold().endswith(DATA)
    assert str(theirs.measurement_period.uuid).casefold().endswith(PERIOD)
    assert theirs.acceleration._struct_format == "<fff"
    assert theirs.measurement_period._struct_format == "<i"
