"""What the MetaWear table does not show one by one: every value of every range, and that its script is understood."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices.metawear import COMMAND, NOTIFY, RATES_HZ

G = fp.STANDARD_GRAVITY_MPS2
ANSWERS = {"BMI160": b"\x03\x80\x01\x02", "BMI270": b"\x03\x80\x04\x00"}
CODES = {"BMI160": {2: 3, 4: 5, 8: 8, 16: 12}, "BMI270": {2: 0, 4: 1, 8: 2, 16: 3}}
PACKED = {"BMI160": b"\x03\x1c", "BMI270": b"\x03\x05"}
counts = st.integers(-32768, 32767)


def heard(data: bytes) -> fp.Frame:
    return fp.Notification(t_host_ns=0, characteristic=NOTIFY, data=data)


def written(data: bytes) -> fp.Frame:
    return fp.Written(t_host_ns=0, characteristic=COMMAND, data=data)


@given(
    chip=st.sampled_from(sorted(ANSWERS)),
    range_g=st.sampled_from([2, 4, 8, 16]),
    raw=st.lists(st.tuples(counts, counts, counts), min_size=3, max_size=9).filter(lambda raw: len(raw) % 3 == 0),
    packed=st.booleans(),
)
def test_counts_are_parts_of_the_range(chip: str, range_g: int, raw: list[tuple[int, int, int]], packed: bool) -> None:
    told = [heard(ANSWERS[chip]), written(bytes([3, 3, 0x27, CODES[chip][range_g]]))]
    each = 3 if packed else 1
    groups = [raw[k : k + each] for k in range(0, len(raw), each)]
    header = PACKED[chip] if packed else b"\x03\x04"
    packets = [header + b"".join(struct.pack("<3h", *one) for one in group) for group in groups]
    samples = fp.driver("metawear").new_decoder().feed([*told, *map(heard, packets)]).samples
    np.testing.assert_allclose(samples["acc_mps2"], np.array(raw) / 32768 * range_g * G, rtol=1e-12)
    at_an_end = [bool({-32768, 32767} & set(one)) for one in raw]
    assert ((samples["flags"] & fp.SampleFlag.CLIPPED) != 0).tolist() == at_an_end


@pytest.mark.parametrize("chip", ANSWERS)
@pytest.mark.parametrize("rate_hz", [None, *RATES_HZ])
def test_what_the_script_does_is_understood(chip: str, rate_hz: float | None) -> None:
    """The steps of `start` as the frames that the link makes of them: 8 g, so 4096 counts are 1 g."""
    script, frames = fp.driver("metawear").start(rate_hz), list[fp.Frame]()
    step = next(script)
    try:
        while True:
            reply = b""
            match step:
                case fp.Await(characteristic):
                    reply = ANSWERS[chip]
                    frames.append(heard(reply))
                case fp.Write(characteristic, data, with_response):
                    assert (characteristic, with_response) == (COMMAND, False)
                    frames.append(written(data))
            step = script.send(reply)
    except StopIteration:
        pass
    decoded = fp.driver("metawear").new_decoder().feed([*frames, heard(b"\x03\x04" + struct.pack("<3h", 0, -4096, 0))])
    np.testing.assert_allclose(decoded.samples["acc_mps2"], [[0, -G, 0]])
    assert [segment.rate_hz for segment in decoded.segments] == [rate_hz or 50]


def test_only_the_answer_about_the_accelerometer_is_taken_for_one() -> None:
    script = fp.driver("metawear").start(None)
    awaited = [next(script) for _ in range(3)][-1]
    assert isinstance(awaited, fp.Await)
    assert awaited.accept is not None
    assert awaited.accept(b"\x03\x80\x01\x02")
    assert not any(awaited.accept(data) for data in (b"\x11\x80\x00\x03", b"\x03\x04", b""))
