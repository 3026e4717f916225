"""Laws of the decoder, over whatever a radio and a sensor can do: any cut gives the same, and the books are exact."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.posture_v1.packets import CONTROL, MOTION, STATUS, FetchDone, Status, motion_fault
from firmware_protocol.samples import SampleFlag

seeds = st.integers(0, 2**32 - 1)


class Chaos:
    """Frames of a sensor to which everything happens, drawn from one seed."""

    def __init__(self, sensor: Any, seed: int) -> None:
        self.sensor = sensor
        self.rng = np.random.default_rng(seed)
        self.samples = int(self.rng.integers(1, 8))
        self.frames: list[fp.Frame] = []

    def run(self, steps: int) -> list[fp.Frame]:
        """That many things happen, in a random order; most of the time packets come as they should."""
        actions: list[Callable[[], None]] = [
            *[self.plain] * 6,
            *[self.lose] * 2,
            self.twice,
            self.swapped,
            self.backfill,
            self.garbage,
            self.flip,
            self.other_length,
            self.forged_run,
            self.clock_jump,
            self.restart,
            self.time_answer,
            self.reboot,
            self.stop,
            self.status,
            self.outage,
            self.before_any_answer,
        ]
        for _ in range(steps):
            actions[self.rng.integers(len(actions))]()
        return self.frames

    def plain(self) -> None:
        self.frames += self.sensor.packets(int(self.rng.integers(1, 30)), self.samples)

    def lose(self) -> None:
        self.sensor.take(int(self.rng.integers(1, 300)))

    def twice(self) -> None:
        self.frames += self.frames[-int(self.rng.integers(1, 6)) :]

    def swapped(self) -> None:
        self.frames += self.sensor.packets(4, self.samples)[::-1]

    def backfill(self) -> None:
        first = max(0, self.sensor.taken - int(self.rng.integers(1, 400)))
        self.frames.append(self.sensor.motion(range(first, first + self.samples), backfilled=True))
        if first % 2:
            done = FetchDone(0, self.sensor.stream, first % 2**32, self.samples, 0)
            self.frames.append(fp.Notification(t_host_ns=0, characteristic=CONTROL, data=done.to_bytes()))

    def garbage(self) -> None:
        where = [MOTION, CONTROL, STATUS][self.rng.integers(3)]
        data = self.rng.bytes(int(self.rng.integers(0, 40)))
        self.frames.append(fp.Notification(t_host_ns=0, characteristic=where, data=data))

    def flip(self) -> None:
        packet = self.sensor.packets(1, self.samples)[0]
        data = bytearray(packet.data)
        data[self.rng.integers(8)] ^= 1 << self.rng.integers(8)
        self.frames.append(fp.Notification(t_host_ns=packet.t_host_ns, characteristic=MOTION, data=bytes(data)))

    def other_length(self) -> None:
        self.frames += self.sensor.packets(1, int(self.rng.integers(1, 12)))

    def forged_run(self) -> None:
        index, time = int(self.rng.integers(2**32 - 100)), int(self.rng.integers(2**16))
        for k in range(int(self.rng.integers(1, 7))):
            numbers = range(index + k * self.samples, index + (k + 1) * self.samples)
            fields = {"time_1024": (time + k * self.samples * 1024 // self.sensor.rate_hz) % 2**16}
            self.frames.append(self.sensor.motion(numbers, **fields))

    def clock_jump(self) -> None:
        self.sensor._boot_us += int(self.rng.integers(0, 10**8))

    def restart(self) -> None:
        self.sensor.rate_hz = int(self.rng.choice([10, 25, 50, 100, 200]))
        self.frames.append(self.sensor.started())

    def time_answer(self) -> None:
        self.frames.append(self.sensor.time(sampling=bool(self.rng.integers(4))))

    def reboot(self) -> None:
        self.sensor._boot_us = -int(self.sensor.true_ns // 1000) + int(self.rng.integers(10**7, 10**8))
        self.sensor._boot_us = max(self.sensor._boot_us, 10**6)
        self.frames += [fp.LinkDown(t_host_ns=0, cause="reboot"), self.sensor.started()]

    def stop(self) -> None:
        self.frames.append(self.sensor.stopped())

    def status(self) -> None:
        data = Status(0, 0, 0, 0, 0, 0, int(self.rng.integers(101)), 0).to_bytes()
        self.frames.append(fp.Notification(t_host_ns=0, characteristic=STATUS, data=data))

    def outage(self) -> None:
        self.sensor.take(int(self.sensor.rate_hz * self.rng.integers(1, 10_000)))
        if self.rng.integers(2):
            self.frames.append(self.sensor.time())

    def before_any_answer(self) -> None:
        if not self.frames:
            self.plain()


def chaos(new_sensor: Any, seed: int, steps: int) -> list[fp.Frame]:
    """A session that begins close to the wraps of index and time, with or without Start."""
    rng = np.random.default_rng(seed)
    sensor = new_sensor(
        layout=int(rng.integers(1, 3)),
        rate_hz=int(rng.choice([10, 50, 200])),
        stream=int(rng.integers(256)),
        t_us=64_000_000 * int(rng.integers(1, 10**6)) - int(rng.integers(0, 10**7)),
        rate_error=float(rng.uniform(-0.015, 0.015)),
    )
    story = Chaos(sensor, seed)
    if rng.integers(2):
        story.frames.append(sensor.started())
    else:
        sensor.running_since(2**32 - int(rng.integers(0, 200)))
        story.frames.append(sensor.time())
    return story.run(steps)


def fed(frames: list[fp.Frame], cuts: list[int]) -> list[fp.Decoded]:
    decoder = Decoder()
    edges = [0, *sorted(cuts), len(frames)]
    return [decoder.feed(frames[a:b]) for a, b in pairwise(edges)]


def joined(parts: list[fp.Decoded]) -> tuple[Any, ...]:
    return (
        b"".join(part.samples.tobytes() for part in parts),
        tuple(battery for part in parts for battery in part.batteries),
        tuple(malformed for part in parts for malformed in part.malformed),
        tuple(segment for part in parts for segment in part.segments),
        sum(part.lost for part in parts),
        sum(part.duplicates for part in parts),
        tuple(filled for part in parts for filled in part.filled),
    )


@settings(max_examples=150)
@given(seed=seeds, steps=st.integers(1, 40), data=st.data())
def test_any_cut_gives_the_same(new_sensor: Any, seed: int, steps: int, data: st.DataObject) -> None:
    frames = chaos(new_sensor, seed, steps)
    whole = joined(fed(frames, []))
    cuts = data.draw(st.lists(st.integers(0, len(frames)), max_size=8))
    assert joined(fed(frames, cuts)) == whole
    assert joined(fed(frames, list(range(1, len(frames))))) == whole


def test_a_flipped_index_far_behind_is_no_plain_packet(new_sensor: Any) -> None:
    """Found by the law above: beyond a minute, the 16-bit time agrees with any index."""
    frames = chaos(new_sensor, 32581, 19)
    assert joined(fed(frames, list(range(1, len(frames))))) == joined(fed(frames, []))


@settings(max_examples=100)
@given(seed=seeds, steps=st.integers(1, 30))
def test_every_sample_is_given_out_once_and_in_its_place(new_sensor: Any, seed: int, steps: int) -> None:
    """Within a segment no index comes twice, device time follows index, and what is not late is in order."""
    samples = Decoder().feed(chaos(new_sensor, seed, steps)).samples
    for segment in np.unique(samples["segment"]):
        part = samples[samples["segment"] == segment]
        assert len(np.unique(part["index"])) == len(part)
        live = part[part["flags"] & SampleFlag.BACKFILLED == 0]
        assert (np.diff(live["index"]) > 0).all()
        assert (live["index"] >= 0).all()


@settings(max_examples=100)
@given(seed=seeds, steps=st.integers(1, 40))
def test_what_was_filled_came_late(new_sensor: Any, seed: int, steps: int) -> None:
    """Each sample that is told as filled is given out once, flagged; those in another order besides are not told."""
    decoded = Decoder().feed([*chaos(new_sensor, seed, steps), fp.LinkDown(t_host_ns=0, cause="the end")])
    late = decoded.samples[decoded.samples["flags"] & SampleFlag.BACKFILLED > 0]
    told = [(each.segment, each.first + k) for each in decoded.filled for k in range(each.count)]
    assert len(set(told)) == len(told)
    assert set(told) <= set(zip(late["segment"].tolist(), late["index"].tolist(), strict=True))


FATES = ["arrives", "arrives", "arrives", "arrives", "lost", "twice", "swapped"]


FATES = ["arrives", "arrives", "arrives", "arrives", "lost", "twice", "swapped"]


class Books:
    """A sensor's samples, those that were sent, and how often one was sent again."""

    def __init__(self, sensor: Any) -> None:
        self.sensor = sensor
        self.frames: list[fp.Frame] = []
        self.begun = sensor.taken
        self.sent: set[int] = set()
        self.again = 0

    def send(self, numbers: range, *, backfilled: bool = False) -> None:
        self.frames.append(self.sensor.motion(numbers, backfilled=backfilled))
        self.again += len(self.sent & set(numbers))
        self.sent |= set(numbers)

    def packets(self, rng: np.random.Generator) -> None:
        fates = rng.choice(FATES, size=int(rng.integers(1, 20)))
        arriving = [(self.sensor.take(int(rng.integers(1, 8))), fate) for fate in fates]
        arriving = [pair for pair in arriving if pair[1] != "lost"]
        for k in range(len(arriving) - 1):
            if arriving[k][1] == "swapped":
                arriving[k], arriving[k + 1] = arriving[k + 1], arriving[k]
        for numbers, fate in arriving:
            for _ in range(2 if fate == "twice" else 1):
                self.send(numbers)

    def time(self, rng: np.random.Generator) -> None:
        self.frames.append(self.sensor.time())

    def silent(self, rng: np.random.Generator) -> None:
        self.sensor.take(int(rng.integers(1, self.sensor.rate_hz * 600)))

    def outage(self, rng: np.random.Generator) -> None:
        self.silent(rng)
        self.time(rng)

    def fill(self, rng: np.random.Generator) -> None:
        size = int(rng.integers(1, 8))
        oldest = max(self.begun, self.sensor.taken - 2000)
        if self.sent and self.sensor.taken - oldest >= size:
            first = int(rng.integers(oldest, self.sensor.taken - size + 1))
            self.send(range(first, first + size), backfilled=True)


@settings(max_examples=150)
@given(
    kind=st.fixed_dictionaries(
        {
            "rate_hz": st.sampled_from([10, 25, 50, 100, 200]),
            "layout": st.sampled_from([1, 2]),
            "rate_error": st.floats(-0.015, 0.015),
            "t_us": st.integers(0, 10**9),
        }
    ),
    joined_at=st.one_of(st.none(), st.integers(2**32 - 300, 2**32 - 1), st.integers(1, 1000)),
    plan=st.lists(
        st.tuples(
            st.sampled_from([Books.packets, Books.packets, Books.outage, Books.silent, Books.fill, Books.time]), seeds
        ),
        max_size=25,
    ),
)
def test_taken_is_received_plus_lost(
    new_sensor: Any,
    kind: dict[str, Any],
    joined_at: int | None,
    plan: list[tuple[Callable[[Books, np.random.Generator], None], int]],
) -> None:
    """Against the sensor's own list: losses, repeats, another order, outages with and without an answer, backfill."""
    sensor = new_sensor(**kind)
    if joined_at is not None:
        sensor.running_since(joined_at)
    answer = sensor.started() if joined_at is None else sensor.time()
    books = Books(sensor)
    for act, seed in plan:
        act(books, np.random.default_rng(seed))
    decoded = Decoder().feed([answer, *books.frames, sensor.stopped()])
    assert not decoded.malformed
    assert sorted(decoded.samples["index"].tolist()) == sorted(books.sent)
    assert decoded.lost == sensor.taken - books.begun - len(books.sent)
    assert decoded.duplicates == books.again
    assert len(decoded.segments) == 1


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([MOTION, CONTROL, STATUS, fp.Reading.__name__]),
            st.one_of(
                st.binary(max_size=48),
                st.binary(max_size=40).map(lambda tail: bytes([2, 7]) + tail),
                st.binary(max_size=18).map(lambda tail: bytes([0x83, 0]) + tail),
                st.binary(max_size=10).map(lambda tail: bytes([0x81, 0, 7]) + tail + bytes([50, 8, 8, 2])),
                st.binary(min_size=8, max_size=8).map(lambda t: bytes([0x81, 0, 7]) + t + bytes([50, 8, 8, 2])),
            ),
            st.integers(0, 2**62),
        ),
        max_size=40,
    )
)
def test_any_bytes_give_samples_or_malformed(drawn: list[tuple[str, bytes, int]]) -> None:
    frames: list[fp.Frame] = [
        fp.Reading(t_host_ns=t, characteristic=STATUS, data=data)
        if where == "Reading"
        else fp.Notification(t_host_ns=t, characteristic=where, data=data)
        for where, data, t in drawn
    ]
    whole = joined(fed(frames, []))
    assert joined(fed(frames, list(range(1, len(frames))))) == whole
    shown = {bad.data for bad in Decoder().feed(frames).malformed}
    sound = [data for where, data, _ in drawn if where == MOTION and data not in shown]
    assert all(motion_fault(data) is None for data in sound)


@pytest.mark.parametrize("interval", [1, 3, 7, 64, 100])
def test_a_fault_every_so_many_packets_is_no_different_one_at_a_time(new_sensor: Any, interval: int) -> None:
    """The decoder changes its pace where faults are frequent; what comes out does not."""
    sensor = new_sensor()
    frames: list[fp.Frame] = [sensor.started()]
    for k, packet in enumerate(sensor.packets(1500, 3)):
        frames += [packet, packet] if k % interval == 0 else [packet]
    decoded = fed(frames, [])
    assert joined(decoded) == joined(fed(frames, list(range(1, len(frames)))))
    assert decoded[0].duplicates == 3 * len(range(0, 1500, interval))
    assert len(decoded[0].samples) == 4500
