"""Laws of Movesense's packets and of its script that a table cannot say."""

import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from golden import frames, table
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp

COMMANDS = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
ARRAYS = {"Acc": 1, "IMU6m": 2, "IMU6": 2, "IMU9": 3}
RATES = (13, 26, 52, 104, 208, 416, 833, 1666)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)


def subscribed(path: str, reference: int) -> fp.Frame:
    data = bytes([1, reference]) + path.encode()
    return fp.Written(t_host_ns=0, characteristic=COMMANDS, data=data)


def notified(*messages: bytes) -> list[fp.Frame]:
    return [fp.Notification(t_host_ns=k, characteristic=DATA, data=data) for k, data in enumerate(messages)]


def packet(stamp_ms: int, arrays: np.ndarray, reference: int) -> bytes:
    """`arrays` (arrays, samples, 3)."""
    return struct.pack("<BBI", 2, reference, stamp_ms) + arrays.astype("<f4").tobytes()


def in_parts(whole: bytes, cut: int) -> list[bytes]:
    """As notifications of at most so many bytes."""
    rest = [whole[a:b] for a, b in pairwise([*range(cut, len(whole), cut - 2), len(whole)])]
    return [whole[:cut], *(bytes([3, whole[1]]) + part for part in rest)]


def decoded(*frames: fp.Frame) -> fp.Decoded:
    return fp.driver("movesense").new_decoder().feed(frames)


@given(
    kind=st.sampled_from(sorted(ARRAYS)),
    rate=st.integers(0, 7),
    reference=st.integers(1, 255),
    cut=st.integers(150, 244),
    hits=st.lists(st.sets(st.integers(0, 40), min_size=1), max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_packet_is_decoded_whole_or_not_at_all(
    kind: str, rate: int, reference: int, cut: int, hits: list[set[int]], seed: int
) -> None:
    """Packets are cut wherever a link makes it so; of every second one, some notifications are lost."""
    count, packets = COUNTS[rate], 2 * len(hits) + 1
    values = np.random.default_rng(seed).normal(scale=10, size=(packets, ARRAYS[kind], count, 3)).astype("<f4")
    messages, whole, faults = [], [], 0
    for k in range(packets):
        parts = in_parts(packet(1000 + k * 77, values[k], reference), cut)
        lost = hits[k // 2].intersection(range(len(parts))) if k % 2 else set()
        arrived = [part for number, part in enumerate(parts) if number not in lost]
        messages += arrived
        whole += [] if lost else [k]
        faults += 0 if not lost else len(arrived) if 0 in lost else 1
    found = decoded(subscribed(f"/Meas/{kind}/{RATES[rate]}", reference), *notified(*messages))
    assert found.samples["acc_mps2"].tolist() == values[whole, 0].astype(float).reshape(-1, 3).tolist()
    gyr_dps = values[whole, 1].reshape(-1, 3) if kind in ("IMU6", "IMU9") else np.full((count * len(whole), 3), np.nan)
    np.testing.assert_allclose(np.degrees(found.samples["gyr_radps"]), gyr_dps, rtol=1e-12)
    assert len(found.malformed) == faults
    assert found.samples["t_device_ns"][::count].tolist() == [(1000 + k * 77) * 10**6 for k in whole]


@given(rate=st.integers(0, 7), kind=st.sampled_from(["IMU6", "IMU9"]), cut=st.integers(150, 155))
def test_a_packet_needs_no_path(rate: int, kind: str, cut: int) -> None:
    """As in a recording whose beginning is gone, where parts are as long as the sensor can make them."""
    values = np.arange(ARRAYS[kind] * COUNTS[rate] * 3).reshape(ARRAYS[kind], COUNTS[rate], 3)
    whole = packet(5, values, 99)
    found = decoded(*notified(*in_parts(whole, cut)))
    if len(whole) == 150:
        assert len(found.samples) == 0
    else:
        assert found.samples["acc_mps2"].tolist() == values[0].astype(float).tolist()
        assert [segment.rate_hz for segment in found.segments] == [RATES[rate]]
    assert not found.malformed


@pytest.mark.parametrize(
    "answer", [b"", b"\x01\x63", b"\x01\x63\xc8\x00", b"\x01\x63\xc9\x00", b"\x02\x63\x00\x00\xff\xff"]
)
def test_what_is_no_refusal_starts_it(answer: bytes) -> None:
    script = fp.driver("movesense").start(None)
    step = next(script)
    while not isinstance(step, fp.Await):
        step = script.send(b"")
    with pytest.raises(StopIteration):
        script.send(answer)


@pytest.mark.parametrize(
    ("message", "is_answer"),
    [("0163c800", True), ("01639401", True), ("0263", True), ("0363", True), ("0164c800", False), ("0463", False)],
)
def test_only_our_reference_answers(message: str, is_answer: bool) -> None:
    """An answer to another command, or data of another stream, is passed over."""
    steps = []
    script = fp.driver("movesense").start(52)
    steps = [next(script), script.send(b""), script.send(b"")]
    accept = steps[-1].accept
    assert accept is not None
    assert accept(bytes.fromhex(message)) == is_answer


def test_a_half_that_waits_does_not_hold_up_another_reference() -> None:
    long, short = packet(0, np.ones((3, 8, 3)), 7), packet(77, np.full((2, 4, 3), 2.0), 99)
    first, second = in_parts(long, 150)
    found = decoded(*notified(first, short, short[:2] + b"\x9a\0\0\0" + short[6:]))
    assert len(found.samples) == 8
    assert not found.malformed
    assert len(decoded(*notified(first, short, second)).samples) == 4  # older than what came: it is of another stream


@pytest.mark.parametrize("entry", table("movesense")["vectors"], ids=lambda entry: entry["name"])
def test_one_message_at_a_time_gives_the_same(entry: dict[str, Any]) -> None:
    sent = frames(table("movesense"), entry["frames"])
    decoder, whole = fp.driver("movesense").new_decoder(), decoded(*sent)
    parts = [decoder.feed([frame]) for frame in sent]
    assert np.concatenate([part.samples for part in parts]).tobytes() == whole.samples.tobytes()
    assert tuple(fault for part in parts for fault in part.malformed) == whole.malformed
