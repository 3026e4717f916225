"""BTHome: objects one after the other, advertisements that repeat, keys; compared with a public decoder."""

import struct
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices import bthome_objects
from firmware_protocol.devices.bthome import SECRET, SERVICE_DATA, Decoder
from firmware_protocol.devices.bthome_objects import LENGTHS, objects, parcel

MAC = "54:48:E6:8F:80:A5"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
S = 1_000_000_000
VARIABLE = (0x3B, 0x53, 0x54)


def heard(data: bytes, t_s: float = 0.0, address: str = MAC) -> fp.Frame:
    return fp.Advertisement(t_host_ns=round(t_s * S), address=address, service_data={SERVICE_DATA: data})


def told(key: bytes = KEY) -> fp.Frame:
    return fp.Reading(t_host_ns=0, characteristic=SECRET, data=key)


def accelerations(*micro: int) -> bytes:
    return b"".join(b"\x63" + struct.pack("<i", each) for each in micro)


def sealed(plain: bytes, counter: int, info: int = 0x41) -> bytes:
    cipher = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead").AESCCM(KEY, tag_length=4)
    counted = struct.pack("<I", counter)
    made: bytes = cipher.encrypt(
        bytes.fromhex(MAC.replace(":", "")) + b"\xd2\xfc" + bytes([info]) + counted, plain, None
    )
    return bytes([info]) + made[:-4] + counted + made[-4:]


@st.composite
def one_object(draw: st.DrawFn) -> tuple[int, bytes, bytes]:
    """A number, its value, and how it is sent."""
    number = draw(st.sampled_from([*LENGTHS, *VARIABLE]))
    if number not in VARIABLE:
        value = draw(st.binary(min_size=LENGTHS[number], max_size=LENGTHS[number]))
        return number, value, bytes([number]) + value
    value = draw(st.binary(min_size=1, max_size=9))
    length = len(value) - 1 if number == 0x3B else len(value)
    return number, value, bytes([number, length]) + value


@given(sent=st.lists(one_object(), max_size=8), cut=st.integers(0, 80))
def test_objects_are_found_up_to_where_they_are_cut(sent: list[tuple[int, bytes, bytes]], cut: int) -> None:
    payload = b"".join(each[2] for each in sent)
    ends = np.cumsum([0, *(len(each[2]) for each in sent)]).tolist()
    found = objects(payload[:cut])
    whole = sum(end <= cut for end in ends[1:])
    assert found.found == tuple((number, value) for number, value, _ in sent[:whole])
    assert bool(found.fault) == (cut < len(payload) and cut not in ends)


@given(sent=st.lists(one_object(), max_size=3), number=st.integers(0x66, 0xEF), behind=st.binary(max_size=9))
def test_behind_what_is_unknown_nothing_is_read(
    sent: list[tuple[int, bytes, bytes]], number: int, behind: bytes
) -> None:
    found = objects(b"".join(each[2] for each in sent) + bytes([number]) + behind)
    assert len(found.found) == len(sent)
    assert f"0x{number:02x}" in found.fault


def test_lengths_as_a_public_decoder_has_them() -> None:
    theirs = pytest.importorskip("bthome_ble.const").MEAS_TYPES
    fixed = {number: kind.data_length for number, kind in theirs.items() if number not in VARIABLE}
    assert fixed == LENGTHS
    signed = {number for number, kind in theirs.items() if kind.data_format == "signed_integer"}
    assert {bthome_objects.ROTATION, bthome_objects.ACCELERATION} <= signed


def by_them(data: bytes, key: bytes | None = None) -> dict[str, Any]:
    """What the public decoder reads."""
    decoder = pytest.importorskip("bthome_ble").BTHomeBluetoothDeviceData(bindkey=key)
    service_info = pytest.importorskip("habluetooth").BluetoothServiceInfoBleak(
        name="",
        address=MAC,
        rssi=-60,
        manufacturer_data={},
        service_data={SERVICE_DATA: data},
        service_uuids=[],
        source="",
        device=None,
        advertisement=None,
        connectable=False,
        time=1.0,
        tx_power=None,
    )
    update = decoder.update(service_info)
    return {key.key: value.native_value for key, value in update.entity_values.items()}


@given(
    axes=st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 3),
    percent=st.integers(0, 100),
    counter=st.none() | st.integers(0, 2**32 - 1),
)
def test_accelerations_as_a_public_decoder(axes: tuple[int, ...], percent: int, counter: int | None) -> None:
    plain = bytes([1, percent]) + accelerations(*axes)
    data = b"\x40" + plain if counter is None else sealed(plain, counter)
    theirs = by_them(data, None if counter is None else KEY)
    ours = Decoder().feed([told(), heard(data)])
    assert ours.samples["acc_mps2"].tolist() == [[theirs[f"acceleration_{k}"] for k in (1, 2, 3)]]
    assert [each.percent for each in ours.batteries] == [theirs["battery"]]


@given(tenths=st.integers(-(2**15), 2**15 - 1))
def test_a_rotation_as_a_public_decoder(tenths: int) -> None:
    data = b"\x40\x3f" + struct.pack("<h", tenths)
    x, y, z = Decoder().feed([heard(data)]).samples["acc_mps2"][0].tolist()
    angle_deg = by_them(data)["rotation"]
    assert (np.degrees(np.arctan2(x, z)) - angle_deg + 180) % 360 - 180 == pytest.approx(0, abs=1e-9)
    assert (y, np.hypot(x, z)) == (0.0, pytest.approx(fp.STANDARD_GRAVITY_MPS2))


def test_the_same_bytes_count_again_after_four_seconds() -> None:
    data = b"\x40" + accelerations(0, 0, 9_806_650)
    with_id = b"\x40\x00\x07" + accelerations(0, 0, 9_806_650)
    for sent in (data, with_id):
        frames = [heard(sent, t_s) for t_s in (0.0, 1.0, 3.9, 4.0, 5.0, 7.99, 8.0)]
        assert Decoder().feed(frames).samples["t_host_ns"].tolist() == [0, 4 * S, 8 * S]


def test_a_packet_id_that_stays_is_one_measurement_every_four_seconds_whatever_else_changes() -> None:
    frames = [heard(b"\x40\x00\x07" + accelerations(k, 0, 9_806_650), t_s=k) for k in range(9)]
    assert Decoder().feed(frames).samples["t_host_ns"].tolist() == [0, 4 * S, 8 * S]


def test_what_is_encrypted_counts_once_however_late_it_comes_again() -> None:
    frames = [told(), *(heard(sealed(accelerations(0, 0, 9_806_650), 5), t_s) for t_s in (0.0, 60.0))]
    decoded = Decoder().feed(frames)
    assert (len(decoded.samples), decoded.malformed) == (1, ())
    assert len(Decoder().feed(frames[1:]).malformed) == 1


def test_a_lean_and_an_acceleration_are_not_joined() -> None:
    lean, axes = b"\x40\x3f\x00\x00", b"\x40" + accelerations(0, 9_806_650, 0)
    decoded = Decoder().feed([heard(each, t_s) for t_s, each in enumerate((lean, axes, lean))])
    assert decoded.samples["segment"].tolist() == [0, 1, 2]


def test_without_the_package_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sealed(accelerations(0, 0, 9_806_650), 5)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    decoder = Decoder()
    (fault,) = decoder.feed([told(), heard(data)]).malformed
    assert "extra bthome" in fault.reason
    monkeypatch.undo()
    assert len(decoder.feed([told(), heard(data)]).samples) == 1


@given(
    sent=st.lists(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda data: b"A" + data)), max_size=10),
    plain=st.lists(st.binary(max_size=30), max_size=4),
    cuts=st.lists(st.integers(0, 15), max_size=4),
)
def test_any_bytes_any_cut(sent: list[bytes], plain: list[bytes], cuts: list[int]) -> None:
    listed = [*sent, *(sealed(each, k) for k, each in enumerate(plain)), *sent]
    frames = [told(), *(heard(data, k) for k, data in enumerate(listed))]
    whole = Decoder().feed(frames)
    decoder = Decoder()
    parts = [decoder.feed(frames[a:b]) for a, b in pairwise([0, *sorted(cuts), len(frames)])]
    assert b"".join(part.samples.tobytes() for part in parts) == whole.samples.tobytes()
    assert sum((part.malformed for part in parts), ()) == whole.malformed
    assert sum((part.batteries for part in parts), ()) == whole.batteries


@given(data=st.binary(max_size=40))
def test_what_is_taken_apart_is_put_together_again(data: bytes) -> None:
    found = parcel(data)
    if not found.fault:
        assert bytes([found.info]) + found.address[::-1] + found.payload == data
