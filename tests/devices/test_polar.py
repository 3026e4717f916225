"""Laws of Polar's frames that a table cannot say, and other people's decoders beside ours."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices import polar

CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
COUNT_G = 2.44e-4
S = 1_000_000_000


def frame(stamp_ns: int, packing: int, content: bytes) -> bytes:
    return struct.pack("<BQB", 2, stamp_ns, packing) + content


def notified(*packets: bytes) -> list[fp.Frame]:
    return [fp.Notification(t_host_ns=k, characteristic=DATA, data=data) for k, data in enumerate(packets)]


def started(rate_hz: int) -> fp.Frame:
    return fp.Written(t_host_ns=0, characteristic=CONTROL, data=struct.pack("<BBBBH", 2, 2, 0, 1, rate_hz))


def told(factor: float) -> fp.Frame:
    data = bytes.fromhex("f0020200000501") + struct.pack("<f", factor)
    return fp.Notification(t_host_ns=0, characteristic=CONTROL, data=data)


def decoded(*frames: fp.Frame) -> fp.Decoded:
    return polar.DRIVER.new_decoder().feed(frames)


def mg(found: fp.Decoded) -> list[list[int]]:
    values = found.samples["acc_mps2"] * (1000 / fp.STANDARD_GRAVITY_MPS2)
    whole = np.rint(values)
    np.testing.assert_allclose(values, whole, rtol=1e-12, atol=1e-9)
    return whole.astype(int).tolist()


def packed(values: list[int], width: int) -> bytes:
    """Two's complement, without gaps, from the lowest bit on, to a whole byte: one long binary number."""
    binary = "".join(format(value & ((1 << width) - 1), f"0{width}b") for value in reversed(values))
    return int(binary or "0", 2).to_bytes((len(values) * width + 7) // 8, "little")


def whole(samples: list[list[int]], size: int) -> bytes:
    return b"".join(value.to_bytes(size, "little", signed=True) for sample in samples for value in sample)


def differences(samples: list[list[int]], lengths: list[int], spare_bits: int) -> bytes:
    """The first sample, then the others in blocks of these lengths, as narrow as can be or a little wider."""
    content, last = struct.pack("<3h", *samples[0]), samples[0]
    rest = samples[1:]
    for length in [*lengths, *[255] * (len(rest) // 255 + 1)]:
        steps = []
        for sample in rest[:length]:
            steps += [new - old for new, old in zip(sample, last, strict=True)]
            last = sample
        rest = rest[length:]
        widest = max((step.bit_length() if step >= 0 else (~step).bit_length() for step in steps), default=0)
        if steps:
            width = min(widest + 1 + spare_bits, 32)
            content += bytes([width, len(steps) // 3]) + packed(steps, width)
    return content


def within(bits: int, most: int = 90) -> st.SearchStrategy[list[list[int]]]:
    value = st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    small = st.integers(-20, 20)
    return st.lists(st.lists(st.one_of(small, value), min_size=3, max_size=3), min_size=1, max_size=most)


lengths = st.lists(st.integers(1, 30), max_size=5)
spare = st.integers(0, 9)


@given(size=st.sampled_from([1, 2, 3]), data=st.data())
def test_whole_samples_are_read_as_they_were_packed(size: int, data: st.DataObject) -> None:
    samples = data.draw(within(8 * size))
    found = decoded(*notified(frame(S, size - 1, whole(samples, size))))
    assert mg(found) == samples
    assert not found.malformed


@given(within(16), lengths, spare)
def test_differences_are_read_as_they_were_packed(samples: list[list[int]], lengths: list[int], spare: int) -> None:
    found = decoded(*notified(frame(S, 0x81, differences(samples, lengths, spare))))
    assert mg(found) == samples
    assert not found.malformed


@given(within(16), lengths, st.floats(2**-17, 2**-10, width=32))
def test_counts_times_a_factor_in_single_precision(samples: list[list[int]], lengths: list[int], factor: float) -> None:
    """The product is rounded to 32 bits, then cut off."""
    scale = single(factor * 1000)
    wanted = [[int(single(count * scale)) for count in sample] for sample in samples]
    found = decoded(told(factor), *notified(frame(S, 0x80, differences(samples, lengths, 0))))
    assert mg(found) == wanted


def single(value: float) -> float:
    """Rounded to 32 bits. The products above are exact in 64 before."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


@given(within(16, most=20), lengths, st.data())
def test_a_frame_of_differences_that_is_cut_gives_no_more(
    samples: list[list[int]], lengths: list[int], data: st.DataObject
) -> None:
    """Cut between two blocks it cannot be told from a shorter frame; anywhere else it is refused."""
    content = differences(samples, lengths, 0)
    cut = data.draw(st.integers(0, len(content) - 1))
    found = decoded(*notified(frame(S, 0x81, content[:cut])))
    assert len(found.malformed) == (not len(found.samples))
    assert mg(found) == samples[: len(found.samples)]


@given(st.data())
def test_frames_in_any_cut(data: st.DataObject) -> None:
    """Sound frames, broken ones, late ones, stops and starts."""
    stamps = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=12))
    frames: list[fp.Frame] = []
    for stamp in stamps:
        samples, kind = data.draw(within(16, most=6)), data.draw(st.sampled_from([1, 0x81, 0x80]))
        content = whole(samples, 2) if kind == 1 else differences(samples, [2], 0)
        broken = data.draw(st.sampled_from([0, 0, 0, 1, 2, 7]))
        time_ns = data.draw(st.sampled_from([stamp * S // 20] * 6 + [0, 2**63, stamp * 100 * S]))
        frames += notified(frame(time_ns, kind, content[: len(content) - broken]))
        frames += data.draw(st.sampled_from([[]] * 6 + [[told(COUNT_G)], [started(50)], [started(200)], [stopped()]]))
    together, one_by_one = polar.DRIVER.new_decoder(), polar.DRIVER.new_decoder()
    at_once, parts = together.feed(frames), [one_by_one.feed([each]) for each in frames]
    assert at_once.samples.tobytes() == b"".join(part.samples.tobytes() for part in parts)
    for name in ("malformed", "segments", "batteries"):
        assert getattr(at_once, name) == sum((getattr(part, name) for part in parts), ())
    assert at_once.lost == sum(part.lost for part in parts)
    assert at_once.duplicates == sum(part.duplicates for part in parts)


def stopped() -> fp.Frame:
    return fp.Notification(t_host_ns=0, characteristic=CONTROL, data=b"\x01\x02")


@given(
    rate_hz=st.sampled_from([25, 50, 52, 100, 200]),
    counts=st.lists(st.integers(8, 80), min_size=2, max_size=30),
    drift=st.floats(0.98, 1.02),
    data=st.data(),
)
def test_what_is_lost_is_told_from_the_clock(
    rate_hz: int, counts: list[int], drift: float, data: st.DataObject
) -> None:
    """A clock up to 2 % off its nominal rate; single frames are lost in between, of lengths that vary by a third."""
    counts = [30 + count % 10 for count in counts]
    taken = np.arange(sum(counts)) + 1
    times_ns = S + np.rint(taken * (S / rate_hz * drift)).astype(np.int64)
    ends = np.cumsum(counts)
    kept = [True] + [data.draw(st.integers(0, 3)) > 0 for _ in counts[2:]] + [True]
    kept = [keep or not before for keep, before in zip(kept, [False, *kept], strict=False)]  # one at a time
    packets = [frame(int(times_ns[end - 1]), 1, bytes(6 * n)) for end, n in zip(ends, counts, strict=True)]
    found = decoded(started(rate_hz), *notified(*[packet for packet, keep in zip(packets, kept, strict=True) if keep]))
    lost = sum(n for n, keep in zip(counts, kept, strict=True) if not keep)
    assert abs(found.lost - lost) <= 0.02 * 80 * (len(kept) - sum(kept)) + 0.5
    assert (found.lost == 0) == (lost == 0)
    wanted_ns = times_ns[np.repeat(kept, counts)]
    assert np.abs(found.samples["t_device_ns"] - wanted_ns).max() <= 0.02 * 40 * S / rate_hz + 1
    assert (np.diff(found.samples["t_device_ns"]) > 0).all()
    assert len(found.segments) == 1


settings = st.fixed_dictionaries(
    {0: st.lists(st.integers(1, 1000), min_size=1, max_size=6)},
    optional={
        1: st.lists(st.integers(1, 32), min_size=1, max_size=3),
        2: st.lists(st.integers(1, 32), min_size=1, max_size=5),
        4: st.lists(st.integers(1, 9), min_size=1, max_size=2),
    },
)


@given(offered=settings, rate_hz=st.none() | st.floats(1, 2000), data=st.data())
def test_only_what_is_offered_is_asked_for(
    offered: dict[int, list[int]], rate_hz: float | None, data: st.DataObject
) -> None:
    """In the order rate, resolution, range, channels, however the sensor tells them, and in however many parts."""
    parameters = b""
    for kind in data.draw(st.permutations(list(offered))):
        size = 1 if kind == 4 else 2
        parameters += bytes([kind, len(offered[kind])]) + b"".join(x.to_bytes(size, "little") for x in offered[kind])
    cut = data.draw(st.integers(0, len(parameters)))
    parts = [bytes.fromhex("f001020001") + parameters[:cut], bytes.fromhex("f001020000") + parameters[cut:]]
    command = start_command(rate_hz, parts)
    assert command[:2] == b"\x02\x02"
    place, chosen = 2, dict[int, int]()
    while place < len(command):
        kind, one, size = command[place], command[place + 1], 1 if command[place] == 4 else 2
        assert one == 1
        chosen[kind] = int.from_bytes(command[place + 2 : place + 2 + size], "little")
        place += 2 + size
    assert list(chosen) == sorted(offered)
    assert all(chosen[kind] in offered[kind] for kind in offered)
    wanted_hz = 50 if rate_hz is None else rate_hz
    assert chosen[0] == min((x for x in offered[0] if x >= wanted_hz), default=max(offered[0]))


def start_command(rate_hz: float | None, answers: list[bytes]) -> bytes:
    """What the script writes to start, where the sensor answers so to the question for its settings."""
    script, replies = polar.DRIVER.start(rate_hz), iter(answers)
    step = next(script)
    while not (isinstance(step, fp.Write) and step.data[0] == 2):
        step = script.send(next(replies) if isinstance(step, fp.Await) else b"")
    return step.data


def test_answers_to_something_else_are_passed_over() -> None:
    """A stop by the sensor itself, an answer to another request, one about the ECG, half an answer."""
    script = polar.DRIVER.stop()
    next(script)
    step = script.send(b"")
    assert isinstance(step, fp.Await)
    assert step.accept is not None
    other = [bytes.fromhex(each) for each in ("0102", "f002020000", "f003000000", "f00302", "")]
    assert not any(step.accept(data) for data in other)
    assert step.accept(bytes.fromhex("f0030206"))


# Other people's decoders.


@given(data=st.data())
def test_as_polar_python_decodes(data: st.DataObject) -> None:
    """Without differences of 1 bit, whose sign it leaves out, and within the last place of its double precision."""
    pytest.importorskip("polar_python")
    from polar_python.models.acc_data import ACCData
    from polar_python.models.pmd_data_frame import PmdDataFrame

    kind = data.draw(st.sampled_from([0, 1, 0x80, 0x81]))
    samples = data.draw(within(8 if kind == 0 else 16))
    one_bit_more = 1 + data.draw(spare)
    content = whole(samples, kind + 1) if kind < 2 else differences(samples, data.draw(lengths), one_bit_more)
    packet = frame(data.draw(st.integers(1, 2**62)), kind, content)
    factor = single(data.draw(st.floats(2**-17, 2**-10, width=32))) if kind == 0x80 else 1.0
    theirs = ACCData.from_dataframe(PmdDataFrame.from_bytes(bytearray(packet), lambda _: factor))
    found = decoded(told(factor), *notified(packet))
    assert np.abs(np.array(mg(found)) - np.array(theirs.data)).max() <= (kind == 0x80)
    assert found.samples["t_device_ns"][-1] == theirs.timestamp - 946_684_800 * S


@given(within(16))
def test_as_bleakheart_decodes(samples: list[list[int]]) -> None:
    bleakheart = pytest.importorskip("bleakheart")
    packet = frame(S, 1, whole(samples, 2))
    theirs: list[Any] = bleakheart.PolarMeasurementData._decode_acc_data(None, packet)
    assert mg(decoded(*notified(packet))) == [list(each) for each in theirs]


@given(offered=settings)
def test_settings_as_polar_python_reads_them(offered: dict[int, list[int]]) -> None:
    pytest.importorskip("polar_python")
    from polar_python.models.measurement_settings import MeasurementSettings

    data = bytes.fromhex("f001020000")
    for kind, values in offered.items():
        data += bytes([kind, len(values)]) + b"".join(x.to_bytes(1 if kind == 4 else 2, "little") for x in values)
    theirs = {int(each.type): max(each.values) for each in MeasurementSettings.from_bytes(bytearray(data)).settings}
    command = start_command(10_000, [data])
    assert int.from_bytes(command[4:6], "little") == theirs[0]
