"""The buffer of the firmware model: what it holds, how a Fetch is answered, and what becomes of every sample."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.simulator.body import Body
from companion.simulator.buffer import EVENT_NS
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate, Ledger, Span
from companion.simulator.sensor import Firmware, Outgoing
from companion.simulator.stories import body_of
from firmware_protocol.posture_v1 import packets as p

MS = 1_000_000
S = 1000 * MS
Array = npt.NDArray[np.float64]


class Shaken(Body):
    """A body whose every sample is another one, some of them beyond the range."""

    def __init__(self) -> None:
        super().__init__(
            name="shaken",
            duration_s=60.0,
            calibration_given=True,
            up_sensor=np.array([0.0, 0.0, 1.0]),
            forward_sensor=np.array([1.0, 0.0, 0.0]),
        )

    def truth(self, t_s: Array | float) -> tuple[Array, Array]:
        zero = np.zeros(np.atleast_1d(t_s).shape)
        return zero, zero

    def _motion(self, rate_hz: float, start_s: float, number: int) -> tuple[Array, Array]:
        n = np.arange(number * 1024, (number + 1) * 1024, dtype=float)
        acc = np.stack([n % 97, np.where(n % 130 == 0, 90.0, 0.0), -(n % 11)], axis=1)
        return acc, np.stack([n % 7, n % 5, n % 3], axis=1)


SHAKEN = Shaken()


def connected(firmware: Firmware, now_ns: int, mtu: int = 247) -> Firmware:
    firmware.connected(now_ns, mtu)
    for characteristic in (p.MOTION, p.CONTROL, p.STATUS):
        firmware.subscribed(characteristic, True)
    return firmware


def sampling(*faults: str, start: p.Start | None = None, mtu: int = 247, **options: Any) -> tuple[Firmware, int]:
    """A sensor that a host has started at 0 s, and its stream."""
    firmware = connected(Firmware(SHAKEN, faults=Faults.of(faults), drift_ppm=0.0, **options), 0, mtu)
    begun = answers(firmware.write(p.CONTROL, (start or p.Start(50, 8, 1000, 2)).to_bytes(), 0))[0]
    assert isinstance(begun, p.Started)
    return firmware, begun.stream


def out_of_range(firmware: Firmware, from_s: int, to_s: int) -> list[Outgoing]:
    """What comes until the link is lost at `from_s`; the host is back at `to_s`."""
    out = firmware.advance(from_s * S)
    firmware.disconnected(from_s * S)
    connected(firmware, to_s * S)
    return out


def answers(outgoing: Iterable[Outgoing]) -> list[p.Answer]:
    return [p.parse_answer(out.data) for out in outgoing if out.characteristic == p.CONTROL]


def motions(outgoing: Iterable[Outgoing]) -> list[p.Motion]:
    return [p.Motion.from_bytes(out.data) for out in outgoing if out.characteristic == p.MOTION]


def spans(packets: Iterable[p.Motion]) -> list[tuple[int, int]]:
    return [(packet.index, packet.index + len(packet.raw)) for packet in packets]


def status(firmware: Firmware, now_ns: int) -> p.Status:
    return p.Status.from_bytes(firmware.read(p.STATUS, now_ns))


def test_what_was_missed_is_sent_behind_the_live_packets_and_then_answered() -> None:
    firmware, stream = sampling()
    out_of_range(firmware, 10, 20)  # samples 492 to 995 were due meanwhile
    out = firmware.write(p.CONTROL, p.Fetch(stream, 492, 504).to_bytes(), 20 * S)
    out += firmware.advance(23 * S)
    old, live = [[m for m in motions(out) if m.backfilled is way] for way in (True, False)]
    assert spans(old) == [(first, first + 12) for first in range(492, 996, 12)]
    assert spans(live) == [(first, first + 12) for first in range(996, 1140, 12)]
    times = [out.t_ns for out in out]
    assert times == sorted(times)
    moments = [o.t_ns for o in out if o.characteristic == p.MOTION and p.Motion.from_bytes(o.data).backfilled]
    assert set(np.diff(moments)) == {EVENT_NS}
    assert answers(out) == [p.FetchDone(0, stream, 492, 504, 0)]
    done = [out.characteristic for out in out].index(p.CONTROL)
    assert out[done - 1].t_ns == out[done].t_ns == 20 * S + 42 * EVENT_NS
    assert firmware.ledger.backfilled == [Span(0, stream, 492, 504, 42, Fate.SENT)]
    assert firmware.ledger.delivered(0) == [(0, 1140)]
    assert (firmware.ledger.never_came(0), firmware.ledger.sent_again(0)) == (1150 - 1140, 0)  # ten are in hand


def test_of_two_that_are_due_together_the_live_one_goes_first() -> None:
    firmware, stream = sampling()
    firmware.advance(2400 * MS)  # packets are due each 240 ms
    out = firmware.write(p.CONTROL, p.Fetch(stream, 0, 120).to_bytes(), 2400 * MS)
    together = [out for out in out + firmware.advance(2640 * MS) if out.t_ns == 2640 * MS]
    assert [packet.backfilled for packet in motions(together)] == [False, True]


@pytest.mark.parametrize("mtu", [23, 69, 247])
@pytest.mark.parametrize("layout", [1, 2])
def test_a_backfilled_packet_is_the_live_one_but_for_one_bit(mtu: int, layout: int) -> None:
    start = p.Start(100, 8, 1000 if layout == 2 else 0, layout)
    firmware, stream = sampling(start=start, mtu=mtu)
    sent = []
    for second, pattern in ((1, p.Pattern.LONG), (3, p.Pattern.TICK), (4, p.Pattern.LONG)):
        sent += firmware.write(p.CONTROL, p.Vibrate(pattern).to_bytes(), second * S)
    sent += firmware.write(p.CONTROL, p.Vibrate(p.Pattern.OFF).to_bytes(), 4200 * MS)
    sent += firmware.advance(8 * S)
    live = [out.data for out in sent if out.characteristic == p.MOTION]
    end = motions(sent)[-1].index + len(motions(sent)[-1].raw)
    fetched = firmware.write(p.CONTROL, p.Fetch(stream, 0, end).to_bytes(), 8 * S) + firmware.advance(60 * S)
    old = [o.data for o in fetched if o.characteristic == p.MOTION and o.data[0] & p.MotionKind.BACKFILLED]
    assert [bytes([data[0] | p.MotionKind.BACKFILLED]) + data[1:] for data in live] == old
    kinds = {data[0] for data in live}
    assert len(kinds) == 4  # with and without motor, with and without a clipped sample


def test_the_motor_is_said_to_run_until_a_tenth_of_a_second_after_it_stopped() -> None:
    firmware, _ = sampling(start=p.Start(100, 8, 1000, 2), mtu=23)  # a sample in each packet, each 10 ms
    firmware.advance(1 * S)
    firmware.write(p.CONTROL, p.Vibrate(p.Pattern.LONG).to_bytes(), 1 * S)
    out = firmware.advance(1200 * MS) + firmware.write(p.CONTROL, p.Vibrate(p.Pattern.OFF).to_bytes(), 1200 * MS)
    out += firmware.advance(3 * S)
    ran = [packet.index * 10 + 10 for packet in motions(out) if packet.motor]  # ms at which they were taken
    assert (ran[0], ran[-1], len(ran)) == (1010, 1290, 29)


@pytest.mark.parametrize(
    ("first", "count", "sent", "gone"),
    [
        (0, 10, 0, 10),  # all overwritten: the buffer of 500 holds 500 to 999
        (400, 200, 100, 100),
        (500, 500, 500, 0),
        (990, 30, 10, 20),  # the last twenty have not been taken
        (1000, 5, 0, 5),
        (0, 2**32 - 1, 500, 2**32 - 501),
        (2**32 - 100, 700, 100, 600),  # it wraps
        (2**32 - 100, 50, 0, 50),
    ],
)
def test_sent_and_gone_are_what_was_asked(first: int, count: int, sent: int, gone: int) -> None:
    firmware, stream = sampling(buffer_samples=500)
    firmware.write(p.CONTROL, p.Stop().to_bytes(), 20 * S)
    assert (status(firmware, 20 * S).oldest, status(firmware, 20 * S).newest) == (500, 999)
    out = firmware.write(p.CONTROL, p.Fetch(stream, first, count).to_bytes(), 20 * S) + firmware.advance(40 * S)
    assert answers(out) == [p.FetchDone(0, stream, first, sent, gone)]
    wanted = range(first, first + count)
    held = [n for n in range(500, 1000) if n in wanted or n + 2**32 in wanted]
    assert [n for packet in spans(motions(out)) for n in range(*packet)] == held


@pytest.mark.parametrize(
    ("first", "count", "other", "expected"),
    [
        (0, 0, 0, p.FetchDone(1, 0, 0, 0, 0)),  # bad value
        (5, 10, 1, p.FetchDone(0, 1, 5, 0, 10)),  # another stream
    ],
)
def test_what_is_answered_at_once(first: int, count: int, other: int, expected: p.FetchDone) -> None:
    firmware, stream = sampling()
    number = (stream + other) % 256
    out = firmware.write(p.CONTROL, p.Fetch(number, first, count).to_bytes(), 60 * MS)
    assert answers(out) == [p.FetchDone(expected.result, number, first, expected.sent, expected.gone)]


def test_before_the_first_start_nothing_is_held() -> None:
    firmware = connected(Firmware(SHAKEN), 0)
    told = status(firmware, 0)
    assert (told.newest, told.oldest, told.flags) == (p.NONE_YET, 0, p.StatusFlag.WORN | p.StatusFlag.HAS_BUFFER)
    out = firmware.write(p.CONTROL, p.Fetch(told.stream, 0, 7).to_bytes(), S)
    assert answers(out) == [p.FetchDone(0, told.stream, 0, 0, 7)]


def test_a_second_fetch_is_busy_and_other_commands_are_answered() -> None:
    firmware, stream = sampling()
    firmware.advance(10 * S)
    out = firmware.write(p.CONTROL, p.Fetch(stream, 0, 240).to_bytes(), 10 * S)
    out += firmware.write(p.CONTROL, p.Fetch(stream, 100, 5).to_bytes(), 10 * S + 100 * MS)
    out += firmware.write(p.CONTROL, p.Time().to_bytes(), 10 * S + 200 * MS)
    out += firmware.write(p.CONTROL, p.Stop().to_bytes(), 10 * S + 300 * MS)
    out += firmware.advance(12 * S)
    busy, time, stopped, done = answers(out)
    assert busy == p.FetchDone(2, stream, 100, 0, 5)
    assert isinstance(time, p.TimeAnswer)
    assert stopped == p.Stopped(0, stream, 514)
    assert done == p.FetchDone(0, stream, 0, 240, 0)
    assert sum(packet.backfilled for packet in motions(out)) == 20


def test_without_motion_subscribed_it_is_busy() -> None:
    firmware, stream = sampling()
    firmware.advance(10 * S)
    firmware.subscribed(p.MOTION, False)
    out = firmware.write(p.CONTROL, p.Fetch(stream, 0, 100).to_bytes(), 10 * S)
    assert answers(out) == [p.FetchDone(2, stream, 0, 0, 100)]


def test_a_start_ends_a_fetch() -> None:
    firmware, stream = sampling()
    firmware.advance(10 * S)
    firmware.write(p.CONTROL, p.Fetch(stream, 0, 240).to_bytes(), 10 * S)
    refused = firmware.write(p.CONTROL, p.Start(60, 8, 1000, 2).to_bytes(), 10 * S + 45 * MS)
    assert [type(answer) for answer in answers(refused)] == [p.Started]  # nothing has changed
    out = firmware.write(p.CONTROL, p.Start(50, 8, 1000, 2).to_bytes(), 10 * S + 70 * MS)
    done, begun = answers(out)
    assert done == p.FetchDone(0, stream, 0, 24, 216)
    assert isinstance(begun, p.Started)
    assert not any(packet.backfilled for packet in motions(firmware.advance(12 * S)))
    assert status(firmware, 12 * S).oldest == 0
    out = firmware.write(p.CONTROL, p.Fetch(stream, 0, 5).to_bytes(), 12 * S)
    assert answers(out) == [p.FetchDone(0, stream, 0, 0, 5)]


def test_a_lost_link_ends_a_fetch_without_an_answer() -> None:
    firmware, stream = sampling()
    firmware.advance(10 * S)
    firmware.write(p.CONTROL, p.Fetch(stream, 0, 240).to_bytes(), 10 * S)
    out = out_of_range(firmware, 11, 15)
    assert len([packet for packet in motions(out) if packet.backfilled]) == 20  # till 10.6 s: that one was through
    firmware.write(p.CONTROL, p.Fetch(stream, 0, 720).to_bytes(), 15 * S)  # it would take 1.8 s
    firmware.advance(15 * S + 100 * MS)
    firmware.disconnected(15 * S + 100 * MS)
    connected(firmware, 15 * S + 500 * MS)
    out = firmware.advance(20 * S)
    assert answers(out) == []
    assert not any(packet.backfilled for packet in motions(out))


def test_who_no_longer_listens_to_motion_ends_a_fetch() -> None:
    firmware, stream = sampling()
    firmware.advance(10 * S)
    firmware.write(p.CONTROL, p.Fetch(stream, 0, 240).to_bytes(), 10 * S)
    out = firmware.advance(10 * S + 70 * MS)
    firmware.subscribed(p.MOTION, False)
    assert answers(out + firmware.advance(12 * S)) == [p.FetchDone(0, stream, 0, 24, 216)]


def test_a_reboot_empties_the_buffer() -> None:
    firmware, stream = sampling("reboot@10")
    firmware.advance(12 * S)
    connected(firmware, 12 * S)
    told = status(firmware, 12 * S)
    assert (told.newest, told.oldest) == (p.NONE_YET, 0)
    for number in {stream, told.stream}:
        out = firmware.write(p.CONTROL, p.Fetch(number, 0, 5).to_bytes(), 12 * S)
        assert answers(out) == [p.FetchDone(0, number, 0, 0, 5)]


def test_what_is_overwritten_while_it_waits_is_gone() -> None:
    """At the smallest MTU and 200 Hz the ring turns six times as fast as it is read."""
    firmware, stream = sampling(start=p.Start(200, 8, 1000, 2), mtu=23, buffer_samples=1000)
    firmware.advance(10 * S)
    out = firmware.write(p.CONTROL, p.Fetch(stream, 1000, 1000).to_bytes(), 10 * S) + firmware.advance(20 * S)
    (done,) = answers(out)
    assert isinstance(done, p.FetchDone)
    sent = [packet.index for packet in motions(out) if packet.backfilled]
    assert (done.sent, done.sent + done.gone) == (len(sent), 1000)
    assert set(np.diff(sent)) == {6}
    assert len(sent) == 166


def test_a_sensor_without_a_buffer_says_so_everywhere() -> None:
    firmware, stream = sampling("no-buffer")
    out = firmware.advance(10 * S) + firmware.write(p.CONTROL, p.Fetch(stream, 0, 5).to_bytes(), 10 * S)
    assert answers(out) == [p.Unsupported(0x06)]
    info = p.Info.from_bytes(firmware.read(p.INFO, 10 * S))
    assert (info.buffer_samples, info.capabilities & p.Capability.BUFFER) == (0, 0)
    told = status(firmware, 10 * S)
    assert told.oldest == told.newest + 1 == 500
    assert not told.flags & p.StatusFlag.HAS_BUFFER


@pytest.mark.parametrize(
    ("fault", "fate", "packets"),
    [
        ("lose@10", Fate.LOST, 1),
        ("garbage@10+0.3", Fate.GARBAGE, 10),
        ("short@10", Fate.SHORT, 1),
        ("silent@10+0.15", Fate.LOST, 5),
    ],
)
def test_faults_touch_backfilled_packets_too_and_the_sensor_does_not_know(fault: str, fate: Fate, packets: int) -> None:
    firmware, stream = sampling(fault)
    firmware.advance(9900 * MS)  # the next live packet is due at 10.08 s
    out = firmware.write(p.CONTROL, p.Fetch(stream, 0, 240).to_bytes(), 9990 * MS) + firmware.advance(11 * S)
    assert answers(out) == [p.FetchDone(0, stream, 0, 240, 0)]
    assert [span.packets for span in firmware.ledger.backfilled if span.fate is fate] == [packets]
    assert firmware.ledger.backfilled[-1].fate is Fate.SENT


def test_dropped_counts_what_was_never_sent_live() -> None:
    firmware, stream = sampling()
    out_of_range(firmware, 10, 20)
    firmware.write(p.CONTROL, p.Fetch(stream, 492, 504).to_bytes(), 20 * S)
    firmware.advance(30 * S)
    assert status(firmware, 30 * S).dropped == 504


MOMENTS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 9000)),
    st.tuples(st.just("fetch"), st.integers(0, 900)),
    st.tuples(st.just("link"), st.sampled_from([0, 23, 247])),
    st.tuples(st.just("start"), st.sampled_from([10, 50, 200])),
    st.tuples(st.just("stop"), st.just(0)),
)
FAULTS = st.lists(
    st.builds(
        "{}@{}{}".format,
        st.sampled_from(["lose", "garbage", "short", "reboot", "silent"]),
        st.integers(0, 40),
        st.sampled_from(["", "+0.4", "+7"]),
    ),
    max_size=4,
)


def played(moments: list[tuple[str, int]], faults: list[str], *, step_ms: int = 0) -> tuple[list[Outgoing], Ledger]:
    """What leaves a sensor to which all this happens, looked at every `step_ms` (0: as rarely as can be)."""
    firmware, _ = sampling(*faults, buffer_samples=700)
    now_ns, out = 0, []
    for what, number in [*moments, ("wait", 3000)]:
        if what == "wait":
            steps = range(now_ns + step_ms * MS, now_ns + number * MS, step_ms * MS) if step_ms else ()
            now_ns += number * MS
            out += [out for step_ns in (*steps, now_ns) for out in firmware.advance(step_ns)]
        elif what == "link":
            firmware.disconnected(now_ns)
            if number:
                connected(firmware, now_ns, number)
        elif what == "fetch":
            told = status(firmware, now_ns)
            out += firmware.write(p.CONTROL, p.Fetch(told.stream, number, 300).to_bytes(), now_ns)
        else:
            command = p.Start(number, 8, 1000, 2) if what == "start" else p.Stop()
            out += firmware.write(p.CONTROL, command.to_bytes(), now_ns)
    return out, firmware.ledger


@given(st.lists(MOMENTS, max_size=20), FAULTS)
@settings(max_examples=40)
def test_each_fetch_is_answered_for_what_it_sent_however_often_one_looks(
    moments: list[tuple[str, int]], faults: list[str]
) -> None:
    out, ledger = played(moments, faults)
    assert (out, ledger) == played(moments, faults, step_ms=170)
    assert [o.t_ns for o in out] == sorted(o.t_ns for o in out)
    for done in answers(out):
        if isinstance(done, p.FetchDone):
            assert done.sent + done.gone == 300
            assert not (done.result and done.sent)
    whole = [o.data for o in out if o.characteristic == p.MOTION and p.motion_fault(o.data) is None]
    old = [packet for packet in map(p.Motion.from_bytes, whole) if packet.backfilled]
    sent = [span for span in ledger.backfilled if span.fate is Fate.SENT]
    assert sum(len(packet.raw) for packet in old) == sum(span.count for span in sent)
    assert len(old) == sum(span.packets for span in sent)
    for run, taken in ledger.taken.items():
        came = sum(len(range(*part)) for part in ledger.delivered(run))
        assert came + ledger.never_came(run) == taken
        on_air = sum(s.count for s in _of(run, ledger.spans) if s.fate is Fate.SENT)
        on_air += sum(s.count for s in _of(run, ledger.backfilled) if s.fate is Fate.SENT)
        assert on_air - came == ledger.sent_again(run)


def _of(run: int, of: list[Span]) -> Iterator[Span]:
    return (span for span in of if span.run == run)


def test_a_story_is_the_same_from_the_buffer() -> None:
    body = body_of("walk-and-sit")
    firmware = connected(Firmware(body, drift_ppm=0.0), 0)
    firmware.write(p.CONTROL, p.Start(50, 8, 1000, 2).to_bytes(), 0)
    live = np.concatenate([packet.raw for packet in motions(firmware.advance(60 * S))])
    stream = status(firmware, 60 * S).stream
    out = firmware.write(p.CONTROL, p.Fetch(stream, 7, 2000).to_bytes(), 60 * S) + firmware.advance(90 * S)
    old = np.concatenate([packet.raw for packet in motions(out) if packet.backfilled])
    assert np.array_equal(old, live[7:2007])
