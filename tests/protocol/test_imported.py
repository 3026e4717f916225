"""Motion recorded elsewhere goes in and comes out the same, bit for bit."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices.imported import CHARACTERISTIC, DRIVER, encode


def frames(blocks: list[bytes]) -> list[fp.Frame]:
    return [fp.Notification(t_host_ns=1000 + k, characteristic=CHARACTERISTIC, data=b) for k, b in enumerate(blocks)]


def some_samples(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    samples = np.frombuffer(rng.bytes(count * fp.SAMPLES.itemsize), dtype=fp.SAMPLES).copy()
    samples["segment"] = np.sort(rng.integers(0, 3, count))
    samples["t_host_ns"] = 1000
    return samples


@given(count=st.integers(0, 700), seed=st.integers(0, 2**32 - 1), rate_hz=st.floats(0.1, 1000))
def test_any_bits_come_back(count: int, seed: int, rate_hz: float) -> None:
    samples = some_samples(count, seed)
    blocks = encode(samples, rate_hz)
    decoded = DRIVER.new_decoder().feed(frames(blocks))
    assert not decoded.malformed
    for name in ("t_device_ns", "index", "segment", "flags", "acc_mps2", "gyr_radps"):
        assert decoded.samples[name].tobytes() == samples[name].tobytes(), name
    present = np.unique(samples["segment"]).tolist()
    assert decoded.segments == tuple(fp.Segment(number, rate_hz) for number in present)
    assert all(len(block) <= 20 + 512 * 68 for block in blocks)


def test_absent_clock_counter_and_gyroscope_stay_absent() -> None:
    samples = fp.make_samples(np.array([[0.1, 0.2, 9.81]] * 3))
    decoded = DRIVER.new_decoder().feed(frames(encode(samples, 12.5)))
    assert decoded.samples["t_device_ns"].tolist() == [-1, -1, -1]
    assert decoded.samples["index"].tolist() == [-1, -1, -1]
    assert np.isnan(decoded.samples["gyr_radps"]).all()
    assert decoded.samples["t_host_ns"].tolist() == [1000] * 3
    assert decoded.lost == 0


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_jumps_of_the_counter_are_lost_across_blocks(cut: int) -> None:
    index = [5, 6, 9, 10, 10, 8, 20]
    blocks = [encode(fp.make_samples(np.zeros((1, 3)), index=[number]), 50.0)[0] for number in index]
    decoder = DRIVER.new_decoder()
    decoded = [decoder.feed(frames(blocks[:cut])), decoder.feed(frames(blocks[cut:]))]
    assert sum(part.lost for part in decoded) == 2 + 11
    assert sum(len(part.samples) for part in decoded) == 7


def test_a_new_rate_is_a_new_announcement() -> None:
    samples = fp.make_samples(np.zeros((2, 3)), index=[7, 8])
    blocks = encode(samples, 50.0) + encode(samples, 50.0) + encode(samples, 25.0)
    decoded = DRIVER.new_decoder().feed(frames(blocks))
    assert decoded.segments == (fp.Segment(0, 50.0), fp.Segment(0, 25.0))


HEADER = struct.Struct("<4sHxxId")


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"", "a block has at least 20 bytes, not 0"),
        (HEADER.pack(b"PSI2", 1, 0, 50.0) + bytes(68), "the block does not begin with PSI1"),
        (HEADER.pack(b"PSI1", 0, 0, 50.0), "20 bytes do not hold 0 samples"),
        (HEADER.pack(b"PSI1", 2, 0, 50.0) + bytes(68), "88 bytes do not hold 2 samples"),
        (HEADER.pack(b"PSI1", 513, 0, 50.0) + bytes(68 * 513), "34904 bytes do not hold 513 samples"),
        (HEADER.pack(b"PSI1", 1, 0, 0.0) + bytes(68), "no motion has a rate of 0.0 Hz"),
        (HEADER.pack(b"PSI1", 1, 0, float("nan")) + bytes(68), "no motion has a rate of nan Hz"),
    ],
)
def test_other_bytes_are_malformed(block: bytes, reason: str) -> None:
    assert DRIVER.new_decoder().feed(frames([block])).malformed == (fp.Malformed(reason, block),)


def test_there_is_no_sensor_to_talk_to() -> None:
    for script in (DRIVER.start(50.0), DRIVER.stop()):
        with pytest.raises(fp.ScriptRefused, match="recording made elsewhere"):
            next(script)
    named = fp.Advertisement(t_host_ns=0, address="C0:00:00:00:00:01", name="imported")
    assert DRIVER.match(named) == 0.0
    assert fp.driver("imported") is DRIVER
