"""Ruuvi: how often a measurement is heard, and how that is cut, decides nothing; compared with a public decoder."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices.ruuvi import COMPANY, DRIVER, INTERVAL_S, Decoder

TURN = 65535
raw_mg = st.integers(-32767, 32767)


def df5(number: int, acc_mg: tuple[int, int, int] = (0, 0, 1000), power: int = 0xAC36) -> bytes:
    return struct.pack(">BhHHhhhHBH6s", 5, 4860, 21396, 50044, *acc_mg, power, 66, number, bytes(6))


def heard(listed: list[bytes], address: str = "C0:00:00:00:00:01") -> list[fp.Frame]:
    return [
        fp.Advertisement(t_host_ns=k * 10**9, address=address, manufacturer_data={COMPANY: data})
        for k, data in enumerate(listed)
    ]


@given(steps=st.lists(st.integers(1, 600), max_size=40), first=st.integers(0, TURN - 1), often=st.integers(1, 4))
def test_every_number_is_a_sample_or_lost(steps: list[int], first: int, often: int) -> None:
    numbers = [first, *(first + np.cumsum(steps, dtype=int)).tolist()]
    decoded = Decoder().feed(heard([df5(number % TURN) for number in numbers for _ in range(often)]))
    assert decoded.samples["index"].tolist() == numbers
    assert len(decoded.samples) + decoded.lost == numbers[-1] - first + 1
    assert (len(decoded.segments), decoded.duplicates, decoded.malformed) == (1, 0, ())


@given(
    listed=st.lists(
        st.one_of(
            st.builds(df5, st.integers(0, TURN), st.tuples(raw_mg, raw_mg, raw_mg), st.integers(0, TURN)),
            st.binary(max_size=30).map(lambda data: b"\x05" + data),
            st.binary(max_size=30),
        ),
        max_size=12,
    ),
    cuts=st.lists(st.integers(0, 12), max_size=4),
)
def test_any_bytes_any_cut(listed: list[bytes], cuts: list[int]) -> None:
    frames = heard(listed)
    whole = Decoder().feed(frames)
    decoder = Decoder()
    parts = [decoder.feed(frames[a:b]) for a, b in pairwise([0, *sorted(cuts), len(frames)])]
    assert b"".join(part.samples.tobytes() for part in parts) == whole.samples.tobytes()
    assert sum((part.malformed for part in parts), ()) == whole.malformed
    assert sum((part.batteries for part in parts), ()) == whole.batteries
    assert sum(part.lost for part in parts) == whole.lost
    assert len(whole.samples) + len(whole.malformed) <= len(frames)


@given(acc_mg=st.tuples(raw_mg, raw_mg, raw_mg), power=st.integers(0, 0xFFFF), number=st.integers(0, TURN))
def test_as_a_public_decoder(acc_mg: tuple[int, int, int], power: int, number: int) -> None:
    oracle = pytest.importorskip("ruuvitag_sensor.decoder").Df5Decoder()
    data = df5(number, acc_mg, power)
    theirs = oracle.decode_data(data.hex())
    ours = Decoder().feed(heard([data]))
    axes = [theirs[f"acceleration_{axis}"] for axis in "xyz"]
    np.testing.assert_allclose(ours.samples["acc_mps2"], [np.multiply(axes, fp.STANDARD_GRAVITY_MPS2 / 1000)])
    assert [each.volts for each in ours.batteries] == [theirs["battery"] / 1000 for _ in range(power >> 5 != 0x7FF)]
    assert ours.samples["index"].tolist() == [-1 if number == TURN else theirs["measurement_sequence_number"]]


def test_it_is_listened_to() -> None:
    assert DRIVER.broadcasts
    assert not DRIVER.secret
    assert 8.995 < DRIVER.longest_interval_s < 8 * INTERVAL_S
