"""Packets of OpenEarable 2: what a table cannot say, and another decoder beside ours."""

import io
import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp

DATA = "34c2e3bc-34aa-11eb-adc1-0242ac120002"


def packet(t_us: int, samples: np.ndarray, step_us: int | None = None) -> bytes:
    """`samples` (N, 9)."""
    body = samples.astype("<f4").tobytes() + (b"" if step_us is None else struct.pack("<H", step_us))
    return struct.pack("<BBQ", 0, len(body), t_us) + body


def decoded(*packets: bytes) -> fp.Decoded:
    frames = [fp.Notification(t_host_ns=k, characteristic=DATA, data=data) for k, data in enumerate(packets)]
    return fp.driver("openearable").new_decoder().feed(frames)


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=20),
    step_us=st.integers(1, 2**16 - 1),
    first_us=st.integers(0, 2**50),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_of_any_length_are_one_stream(counts: list[int], step_us: int, first_us: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(scale=5, size=(sum(counts), 9)).astype("<f4")
    places = np.concatenate([[0], np.cumsum(counts)]).tolist()
    packets = [packet(first_us + a * step_us, values[a:b], step_us if b - a > 1 else None) for a, b in pairwise(places)]
    found = decoded(*packets)
    assert found.samples["acc_mps2"].tolist() == values[:, :3].astype(float).tolist()
    np.testing.assert_allclose(np.degrees(found.samples["gyr_radps"]), values[:, 3:6], rtol=1e-12)
    assert found.samples["t_device_ns"].tolist() == [(first_us + k * step_us) * 1000 for k in range(len(values))]
    assert (found.malformed, found.duplicates) == ((), 0)


@pytest.mark.filterwarnings("ignore")  # theirs, of the libraries that they use
@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    step_us=st.integers(1, 2**16 - 1),
    first_us=st.integers(0, 2**40),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_wearables_own_library_reads_the_same(counts: list[int], step_us: int, first_us: int, seed: int) -> None:
    """Values and the unit of the step; of the first time in a batch it makes one step too much."""
    parser = pytest.importorskip("open_wearable.parser")
    scheme = pytest.importorskip("open_wearable.scheme")
    names = {name: number for number, name in enumerate(["imu", "barometer", "ppg", "optical_temp", "bone_acc"])}
    reader = parser.Parser.from_sensor_schemes(scheme.build_default_sensor_schemes(names))
    values = np.random.default_rng(seed).normal(scale=5, size=(sum(counts), 9)).astype("<f4")
    packets, first = [], 0
    for count in counts:
        one = values[first : first + count]
        packets.append(packet(first_us + first * step_us, one, step_us if count > 1 else None))
        first += count
    theirs = reader.parse(io.BytesIO(b"".join(packets))).sensor_dfs[0]
    ours = decoded(*packets).samples
    assert theirs[["acc.x", "acc.y", "acc.z"]].to_numpy().tolist() == ours["acc_mps2"].tolist()
    np.testing.assert_allclose(theirs[["gyro.x", "gyro.y", "gyro.z"]], np.degrees(ours["gyr_radps"]), rtol=1e-12)
    late_us = np.repeat([step_us if count > 1 else 0 for count in counts], counts)
    np.testing.assert_allclose(theirs.index.to_numpy() * 1e6 - late_us, ours["t_device_ns"] / 1000, atol=2, rtol=1e-12)
