"""The WitMotion stream: frames are found however the notifications cut it, and longer frames are never motion."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices.witmotion import NOTIFY
from firmware_protocol.devices.witmotion_frames import LONGER

NUMBERS = st.integers(-32768, 32767).filter(lambda number: 0x55 not in number.to_bytes(2, "little", signed=True))
"""Without 0x55: a notification must not begin with what looks like a header by chance."""
FRAMES = st.lists(st.lists(NUMBERS, min_size=9, max_size=9), min_size=1, max_size=12)
JUNK = st.binary(min_size=1, max_size=7).filter(lambda data: 0x55 not in data)


def frame(numbers: list[int]) -> bytes:
    return b"\x55\x61" + struct.pack("<9h", *numbers)


def notifications(*data: bytes) -> list[fp.Frame]:
    return [fp.Notification(t_host_ns=1000 * k, characteristic=NOTIFY, data=each) for k, each in enumerate(data)]


def decoded(*data: bytes) -> fp.Decoded:
    """At once; one after the other gives the same."""
    frames, decoder = notifications(*data), fp.driver("witmotion").new_decoder()
    whole, parts = fp.driver("witmotion").new_decoder().feed(frames), [decoder.feed([frame]) for frame in frames]
    assert b"".join(part.samples.tobytes() for part in parts) == whole.samples.tobytes()
    assert tuple(fault for part in parts for fault in part.malformed) == whole.malformed
    return whole


def raw_of(result: fp.Decoded) -> list[list[int]]:
    """The numbers of the sensor that gave these samples, six each."""
    acc = result.samples["acc_mps2"] / fp.STANDARD_GRAVITY_MPS2 * 2048
    raw = np.hstack([acc, np.degrees(result.samples["gyr_radps"]) / 2000 * 32768])
    assert np.allclose(raw, np.rint(raw), rtol=0, atol=1e-9)
    return np.rint(raw).astype(int).tolist()


@given(sent=FRAMES, data=st.data())
def test_any_cut_of_the_stream_gives_its_frames(sent: list[list[int]], data: st.DataObject) -> None:
    stream = b"".join(map(frame, sent))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
    parts = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    result = decoded(*parts)
    assert raw_of(result) == [numbers[:6] for numbers in sent]
    ends = np.cumsum([len(part) for part in parts])
    arrivals = [1000 * int(np.searchsorted(ends, 20 * (k + 1))) for k in range(len(sent))]
    assert result.samples["t_host_ns"].tolist() == arrivals
    assert not result.malformed


@given(sent=FRAMES, junk=st.lists(st.none() | JUNK, max_size=3))
def test_a_little_junk_costs_no_frame_and_is_counted(sent: list[list[int]], junk: list[bytes | None]) -> None:
    between = [*junk, *[None] * len(sent)]
    parts = [(between[k] or b"") + frame(numbers) for k, numbers in enumerate(sent)]
    merged, apart = decoded(b"".join(parts)), decoded(*parts)
    assert raw_of(merged) == raw_of(apart) == [numbers[:6] for numbers in sent]
    runs = [each for each in between[: len(sent)] if each]
    assert [each.data for each in merged.malformed] == [each.data for each in apart.malformed] == runs


@given(
    size=st.integers(28, 32),
    bodies=st.lists(st.binary(min_size=40, max_size=40).map(lambda body: body.replace(b"\x55", b"\x54")), min_size=1),
    together=st.integers(1, 4),
)
def test_longer_frames_are_no_motion(size: int, bodies: list[bytes], together: int) -> None:
    longer = [b"\x55\x61" + body[: size - 2] for body in bodies]
    parts = [b"".join(longer[k : k + together]) for k in range(0, len(longer), together)]
    result = decoded(*parts)
    assert len(result.samples) == 0
    assert [(each.reason, each.data) for each in result.malformed] == [(LONGER, each) for each in longer]
    cut = [part for each in longer for part in (each[:20], each[20:])]
    assert len(decoded(*cut).samples) == 1  # only the first of a link is given out before more is known
    assert {each.reason for each in decoded(*cut).malformed} == {LONGER}
    small = [part for each in longer for part in (each[:14], each[14:])]
    assert len(decoded(*small).samples) == 0


def test_a_long_run_is_decoded_like_its_parts() -> None:
    rng = np.random.default_rng(4)
    sent = rng.integers(-20000, 20000, (3000, 9)).tolist()
    parts, place = [], 0
    while place < len(sent):
        count = int(rng.integers(1, 5))
        parts.append(b"".join(map(frame, sent[place : place + count])))
        place += count
    result = decoded(*parts)
    assert raw_of(result) == [numbers[:6] for numbers in sent]
    assert result.samples["t_host_ns"].tolist() == [
        1000 * k for k, part in enumerate(parts) for _ in range(0, len(part), 20)
    ]


def test_in_doubt_a_frame_has_the_arrival_of_the_next() -> None:
    frames = [frame([k, 0, 2048, 0, 0, 0, 0, 0, 0]) for k in range(4)]
    result = decoded(frames[0], bytes(60), *frames[1:])  # so much noise is no longer frame, but not believed either
    assert raw_of(result) == [[k, 0, 2048, 0, 0, 0] for k in range(4)]
    assert result.samples["t_host_ns"].tolist() == [0, 3000, 3000, 4000]
    assert [each.data for each in result.malformed] == [bytes(60)]
    assert result.malformed[0].reason != LONGER


@pytest.mark.parametrize("stray", [b"\x55", b"\x55\x61\x00", b"\x01\x55"])
def test_one_odd_notification_among_many(stray: bytes) -> None:
    parts = [frame([k, 0, 2048, 0, 0, 0, 0, 0, 0]) for k in range(100)]
    result = decoded(*parts[:50], stray, *parts[50:])
    assert raw_of(result) == [[k, 0, 2048, 0, 0, 0] for k in range(100)]
    assert b"".join(each.data for each in result.malformed) == stray


def test_the_sensor_is_given_time_between_writes() -> None:
    steps = list(fp.driver("witmotion").start(50.0))
    assert [step.settle_s for step in steps if isinstance(step, fp.Write)] == [0.1, 0.1]


def test_the_reason_of_longer_frames_can_be_shown() -> None:
    assert LONGER.endswith(".")
    assert "vibration" in LONGER
    assert "28 bytes" in LONGER
