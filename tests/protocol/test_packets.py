"""The codec against golden bytes, in both directions, and against anything else."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol.errors
from firmware_protocol.errors import BadValue, ProtocolError, TooShort, UnknownKind
from firmware_protocol.posture_v1 import packets
from firmware_protocol.posture_v1.packets import (
    ANSWERS,
    COMMANDS,
    GYR_RANGES_DPS,
    RATES_HZ,
    Done,
    Fetch,
    Info,
    Layout,
    Motion,
    Start,
    Started,
    Status,
    Stopped,
    mask,
    members,
    motion_fault,
    parse_answer,
    parse_command,
    samples_per_packet,
)


def _value(name: str, value: Any) -> Any:
    if name == "raw":
        return np.array(value, dtype=np.int16)
    return bytes.fromhex(value) if name == "identity" else value


def _message(vector: dict[str, Any]) -> Any:
    kind = getattr(packets, vector["message"])
    return kind(**{name: _value(name, value) for name, value in vector["fields"].items()})


def test_fields_make_the_golden_bytes(message: dict[str, Any]) -> None:
    assert _message(message).to_bytes().hex() == message["hex"]


def test_golden_bytes_make_the_fields(message: dict[str, Any]) -> None:
    kind = getattr(packets, message["message"])
    assert kind.from_bytes(bytes.fromhex(message["hex"])) == _message(message)


def test_commands_and_answers_are_told_apart(message: dict[str, Any]) -> None:
    data, kind = bytes.fromhex(message["hex"]), getattr(packets, message["message"])
    if kind in COMMANDS.values():
        assert parse_command(data) == _message(message)
    elif kind in ANSWERS.values():
        assert parse_answer(data) == _message(message)


def test_all_but_motion_and_info_fit_the_smallest_mtu(message: dict[str, Any]) -> None:
    assert message["message"] in ("Motion", "Info") or len(message["hex"]) <= 40


def test_every_message_has_a_golden_vector(vectors: dict[str, Any]) -> None:
    covered = {vector["message"] for vector in vectors["messages"]}
    assert covered == {kind.__name__ for kind in (*COMMANDS.values(), *ANSWERS.values(), Motion, Status, Info)}


def test_bytes_that_are_refused(invalid: dict[str, Any]) -> None:
    data = bytes.fromhex(invalid["hex"])
    readers = {"command": parse_command, "answer": parse_answer}
    read = readers.get(invalid["message"]) or getattr(packets, invalid["message"]).from_bytes
    with pytest.raises(ProtocolError) as caught:
        read(data)
    assert type(caught.value) is getattr(firmware_protocol.errors, invalid["error"])


READERS = [
    parse_command,
    parse_answer,
    *(kind.from_bytes for kind in (*COMMANDS.values(), *ANSWERS.values(), Motion, Status, Info)),
]


@given(st.one_of(st.binary(max_size=40), st.binary(min_size=500, max_size=520)))
def test_any_bytes_are_read_or_refused_and_what_is_read_is_written_back(data: bytes) -> None:
    for read in READERS:
        try:
            message = read(data)
        except ProtocolError:
            continue
        again = message.to_bytes()
        assert type(message).from_bytes(again) == message
        if not isinstance(message, Info | Motion):  # Info may be longer; bits 6-7 of Motion are ignored
            assert again == data


@given(
    axes=st.sampled_from([3, 6]),
    count=st.integers(1, 42),
    head=st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 65535)),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_motion_round_trip(
    axes: int, count: int, head: tuple[int, int, int], flags: tuple[bool, bool, bool], seed: int
) -> None:
    raw = np.random.default_rng(seed).integers(-32768, 32767, (count, axes), dtype=np.int16, endpoint=True)
    motion = Motion(*head, raw, *flags)
    read = Motion.from_bytes(motion.to_bytes())
    assert np.array_equal(read.raw, raw)
    assert (read.stream, read.index, read.time_1024) == head
    assert (read.backfilled, read.clipped, read.motor) == flags
    assert hash(read) == hash(motion)
    assert read == motion
    assert motion_fault(motion.to_bytes()) is None


def test_upper_bits_of_the_kind_are_ignored() -> None:
    plain = Motion(7, 0, 5120, np.zeros((1, 6), np.int16))
    data = bytearray(plain.to_bytes())
    data[0] |= 0xC0
    assert Motion.from_bytes(bytes(data)) == plain


@pytest.mark.parametrize(
    "unfit",
    [
        Start(256, 8, 1000, 2),
        Start(50, 8, 1001, 2),
        Stopped(0, -1, 0),
        Fetch(0, 2**32, 1),
        Done(3, 0),
        Started(0, 1, 2**52, 50, 8, 1000, 2),
        Status(0, 0, 0, 0, 0, 0, 101, 0),
        Info(bytes(15), 0, 0, 0, 0, 0),
        Motion(0, 0, 0, np.zeros((0, 6), np.int16)),
        Motion(0, 0, 0, np.zeros((43, 6), np.int16)),
        Motion(0, 0, 0, np.zeros((1, 4), np.int16)),
        Motion(0, 0, 0, np.zeros((1, 6))),  # type: ignore[arg-type]
        Motion(0, 2**32, 0, np.zeros((1, 6), np.int16)),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_not_written(unfit: Any) -> None:
    with pytest.raises(BadValue):
        unfit.to_bytes()


def test_a_later_info_may_be_longer() -> None:
    info = Info(bytes(16), 1, 31, 15, 31, 0, minor=3)
    assert Info.from_bytes(info.to_bytes() + b"more") == info


def test_an_opcode_of_another_message_is_an_unknown_kind() -> None:
    with pytest.raises(UnknownKind):
        Stopped.from_bytes(Done(4, 0).to_bytes() + bytes(5))
    with pytest.raises(TooShort):
        Stopped.from_bytes(b"\x82")


@pytest.mark.parametrize(
    ("att_mtu", "rate_hz", "layout", "count"),
    [
        (23, 50, Layout.ACC_GYR, 1),
        (23, 50, Layout.ACC, 2),
        (23, 10, Layout.ACC, 2),
        (69, 50, Layout.ACC_GYR, 4),
        (185, 50, Layout.ACC_GYR, 12),
        (247, 50, Layout.ACC_GYR, 12),
        (247, 200, Layout.ACC_GYR, 19),
        (517, 200, Layout.ACC_GYR, 42),
        (517, 200, Layout.ACC, 50),
        (517, 10, Layout.ACC_GYR, 2),
        (515, 200, Layout.ACC_GYR, 42),
        (527, 200, Layout.ACC_GYR, 42),
        (600, 200, Layout.ACC_GYR, 42),
        (65535, 200, Layout.ACC_GYR, 42),
        (65535, 200, Layout.ACC, 50),
        (600, 50, Layout.ACC_GYR, 12),
    ],
)
def test_samples_per_packet(att_mtu: int, rate_hz: int, layout: Layout, count: int) -> None:
    assert samples_per_packet(att_mtu, rate_hz, layout) == count


def test_masks() -> None:
    assert mask((10, 50, 200), RATES_HZ) == 0b10101
    assert members(0b10101, RATES_HZ) == (10, 50, 200)
    assert members(0xFF, GYR_RANGES_DPS) == GYR_RANGES_DPS
    info = Info(bytes(16), 1, 0b00110, 0b1100, 0b00001, 0)
    assert (info.rates_hz, info.acc_ranges_g, info.gyr_ranges_dps) == ((25, 50), (8, 16), (125,))
    with pytest.raises(BadValue):
        mask((60,), RATES_HZ)
