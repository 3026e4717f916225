"""The firmware model: its answers, its packets, and that every sample it took is accounted for."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.simulator.body import Body
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate, Ledger, Span
from companion.simulator.sensor import USUAL_IDENTITY, Firmware, Outgoing
from companion.simulator.stories import body_of
from firmware_protocol.posture_v1 import packets as p

MS = 1_000_000
S = 1000 * MS
G_MPS2 = 9.80665
START = p.Start(rate_hz=50, acc_range_g=8, gyr_range_dps=1000, layout=2)
ALL = (p.MOTION, p.CONTROL, p.STATUS)

Array = npt.NDArray[np.float64]


class Resting(Body):
    """A body that always feels the same, with or without a gyroscope."""

    def __init__(self, acc_mps2: Iterable[float], gyr_radps: Iterable[float] | None = (0.0, 0.0, 0.0)) -> None:
        self._felt = np.array([*acc_mps2, *(gyr_radps or (np.nan,) * 3)])
        super().__init__(
            name="resting",
            duration_s=60.0,
            calibration_given=True,
            up_sensor=np.array([0.0, 0.0, 1.0]),
            forward_sensor=np.array([1.0, 0.0, 0.0]),
            has_gyroscope=gyr_radps is not None,
        )

    def truth(self, t_s: Array | float) -> tuple[Array, Array]:
        zero = np.zeros(np.atleast_1d(t_s).shape)
        return zero, zero

    def _motion(self, rate_hz: float, start_s: float, number: int) -> tuple[Array, Array]:
        felt = np.tile(self._felt, (1024, 1))
        return felt[:, :3], felt[:, 3:]


UPRIGHT = Resting((0.0, 0.0, G_MPS2))


def listened_to(firmware: Firmware, mtu: int = 247, now_ns: int = 0) -> Firmware:
    firmware.connected(now_ns, mtu)
    for characteristic in ALL:
        firmware.subscribed(characteristic, True)
    return firmware


def started(firmware: Firmware, now_ns: int = 100 * MS, start: p.Start = START) -> list[Outgoing]:
    return firmware.write(p.CONTROL, start.to_bytes(), now_ns)


def motions(outgoing: Iterable[Outgoing]) -> list[p.Motion]:
    return [p.Motion.from_bytes(out.data) for out in outgoing if out.characteristic == p.MOTION]


def answer(outgoing: list[Outgoing]) -> p.Answer:
    (control,) = [out for out in outgoing if out.characteristic == p.CONTROL]
    return p.parse_answer(control.data)


# Packets.


def test_packets_hold_the_bodys_motion_as_the_converter_gives_it() -> None:
    body = body_of("walk-and-sit")
    firmware = listened_to(Firmware(body, drift_ppm=0.0))
    started(firmware, 40 * S)
    sent = motions(firmware.advance(50 * S))
    acc, gyr = body.sample(50.0, 0, 496, 40.02)  # sample 0 is taken one period after the Start
    expected = np.concatenate([acc / (8 * G_MPS2), gyr / np.radians(1000)], axis=1) * 32768
    raw = np.concatenate([packet.raw for packet in sent])
    assert raw.shape == (492, 6)
    assert np.array_equal(raw, np.rint(expected[:492]))
    assert [packet.index for packet in sent] == list(range(0, 492, 12))
    assert not any(packet.clipped or packet.backfilled or packet.motor for packet in sent)


@pytest.mark.parametrize(
    ("mtu", "start", "each", "size"),
    [
        (23, p.Start(50, 8, 1000, 2), 1, 20),
        (23, p.Start(50, 8, 0, 1), 2, 20),
        (69, p.Start(50, 8, 1000, 2), 4, 56),
        (247, p.Start(50, 8, 1000, 2), 12, 152),
        (247, p.Start(200, 8, 1000, 2), 19, 236),
        (247, p.Start(10, 8, 1000, 2), 2, 32),
    ],
)
def test_a_packet_is_as_long_as_the_link_and_a_quarter_second_allow(
    mtu: int, start: p.Start, each: int, size: int
) -> None:
    firmware = listened_to(Firmware(UPRIGHT), mtu)
    started(firmware, start=start)
    outgoing = [out for out in firmware.advance(3 * S) if out.characteristic == p.MOTION]
    assert {len(out.data) for out in outgoing} == {size}
    assert {len(packet.raw) for packet in motions(outgoing)} == {each}


def test_a_packet_leaves_when_its_last_sample_is_taken() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    started(firmware, 100 * MS)
    sent = [out.t_ns for out in firmware.advance(1 * S) if out.characteristic == p.MOTION]
    assert sent == [340 * MS, 580 * MS, 820 * MS]


@pytest.mark.parametrize("drift_ppm", [-200.0, 0.0, 12.0])
def test_times_are_the_sensors_clock_at_the_first_sample(drift_ppm: float) -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=drift_ppm))
    begun = answer(started(firmware, 100 * MS))
    assert isinstance(begun, p.Started)
    sent = motions(firmware.advance(200 * S))
    first_us = begun.time_us + 20_000
    expected = [(first_us + packet.index * 20_000) * 1024 / 1e6 % 65536 for packet in sent]
    found = [packet.time_1024 for packet in sent]
    assert len(found) > 800  # the field has gone round three times
    behind = (np.array(expected) - found) % 65536
    assert behind.min() >= 0.0
    assert behind.max() < 1.1  # whole ticks, rounded down; the microseconds of the answer are, too


def test_the_sensors_clock_drifts() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=100.0))
    told = answer(firmware.write(p.CONTROL, p.Time().to_bytes(), 1000 * S))
    assert isinstance(told, p.TimeAnswer)
    assert told.time_us == 1_000_100_000
    started(firmware, 1000 * S)
    firmware.advance(2000 * S)
    assert firmware.ledger.taken == {0: 50_004}  # the first one 20 ms after the Start


@pytest.mark.parametrize(
    ("body", "clipped"),
    [
        (Resting((0.0, 0.0, 7.9 * G_MPS2)), False),
        (Resting((0.0, 0.0, 8.1 * G_MPS2)), True),
        (Resting((-8.1 * G_MPS2, 0.0, 0.0)), True),
        (Resting((0.0, 0.0, G_MPS2), (0.0, np.radians(999.0), 0.0)), False),
        (Resting((0.0, 0.0, G_MPS2), (0.0, np.radians(1001.0), 0.0)), True),
    ],
)
def test_what_is_beyond_the_range_is_clipped_and_flagged(body: Body, clipped: bool) -> None:
    firmware = listened_to(Firmware(body))
    started(firmware)
    sent = motions(firmware.advance(1 * S))
    assert {packet.clipped for packet in sent} == {clipped}
    if clipped:
        assert {int(np.abs(packet.raw.astype(int)).max()) for packet in sent} <= {32767, 32768}


def test_packets_say_when_the_motor_ran() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    started(firmware, 0)
    firmware.advance(1 * S)
    done = firmware.write(p.CONTROL, p.Vibrate(p.Pattern.LONG).to_bytes(), 1 * S)
    assert answer(done) == p.Done(0x04, p.Result.OK)
    sent = motions(firmware.advance(3 * S))
    assert [packet.index * 20 + 20 for packet in sent if packet.motor] == [980, 1220, 1460]  # ms of first samples


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=8), st.sampled_from([23, 247]))
def test_any_steps_of_time_give_the_same_packets(steps_ms: list[int], mtu: int) -> None:
    faults = Faults.of(["lose@2+0.5", "flip@4", "garbage@5", "short@6", "silent@8+3", "reboot@30"])
    runs = []
    for stops in ([60_000], [*np.minimum(np.cumsum(steps_ms), 60_000).tolist(), 60_000]):
        firmware = listened_to(Firmware(UPRIGHT, faults=faults), mtu)
        out = started(firmware)
        for stop_ms in stops:
            out += firmware.advance(max(stop_ms, 100) * MS)
        runs.append((out, firmware.ledger))
    assert runs[0] == runs[1]


# Accounting.

MOMENTS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 12_000)),
    st.tuples(st.just("connect"), st.sampled_from([23, 69, 247])),
    st.tuples(st.just("disconnect"), st.just(0)),
    st.tuples(st.just("subscribe"), st.just(1)),
    st.tuples(st.just("unsubscribe"), st.just(0)),
    st.tuples(st.just("start"), st.sampled_from([10, 50, 200])),
    st.tuples(st.just("stop"), st.just(0)),
)
FAULTS = st.lists(
    st.builds(
        "{}@{}{}".format,
        st.sampled_from(["link", "lose", "garbage", "short", "flip", "reboot", "silent"]),
        st.integers(0, 40),
        st.sampled_from(["", "+0.4", "+7"]),
    ),
    max_size=4,
)


@given(st.lists(MOMENTS, max_size=25), FAULTS)
def test_what_was_taken_was_sent_or_lost(moments: list[tuple[str, int]], faults: list[str]) -> None:
    firmware = Firmware(UPRIGHT, faults=Faults.of(faults))
    now_ns, out = 0, []
    for what, number in [("connect", 247), ("subscribe", 1), ("start", 50), *moments, ("wait", 5000)]:
        if what == "wait":
            now_ns += number * MS
            out += firmware.advance(now_ns)
        elif what == "connect" and firmware.link_allowed(now_ns):
            firmware.connected(now_ns, number)
        elif what == "disconnect":
            out += firmware.advance(now_ns)
            firmware.disconnected(now_ns)
        elif what in ("subscribe", "unsubscribe"):
            out += firmware.advance(now_ns)
            firmware.subscribed(p.MOTION, bool(number))
        elif what == "start":
            out += started(firmware, now_ns, p.Start(number, 8, 1000, 2))
        elif what == "stop":
            out += firmware.write(p.CONTROL, p.Stop().to_bytes(), now_ns)
    ledger = firmware.ledger
    for run, taken in ledger.taken.items():
        assert ledger.samples(run=run) + ledger.in_hand(run) == taken
        assert 0 <= ledger.in_hand(run) < 50
        ended = np.cumsum([0, *(span.count for span in ledger.spans if span.run == run)])
        assert [span.first for span in ledger.spans if span.run == run] == ended[:-1].tolist()
    sent = [data for data in out if data.characteristic == p.MOTION]
    assert len(sent) == ledger.packets(Fate.SENT, Fate.GARBAGE, Fate.SHORT, Fate.FLIPPED)
    _are_the_ledgers(sent, ledger)


def _are_the_ledgers(sent: list[Outgoing], ledger: Ledger) -> None:
    """Packet by packet, what is in the bytes is what the ledger says of them."""
    waiting = iter(sent)
    for span in ledger.spans:
        at = span.first
        for _ in range(0 if span.fate is Fate.LOST else span.packets):
            data = next(waiting).data
            if span.fate is Fate.SENT:
                packet = p.Motion.from_bytes(data)
                assert (packet.stream, packet.index) == (span.stream, at)
                at += len(packet.raw)
        assert span.fate is not Fate.SENT or at == span.first + span.count
    assert next(waiting, None) is None


def test_a_ledger_joins_what_fared_alike() -> None:
    ledger = Ledger()
    for first, fate in ((0, Fate.SENT), (12, Fate.SENT), (24, Fate.LOST), (36, Fate.SENT)):
        ledger.note(Span(0, 7, first, 12, 1, fate))
    ledger.note(Span(1, 8, 48, 12, 1, Fate.SENT))
    assert ledger.spans == [
        Span(0, 7, 0, 24, 2, Fate.SENT),
        Span(0, 7, 24, 12, 1, Fate.LOST),
        Span(0, 7, 36, 12, 1, Fate.SENT),
        Span(1, 8, 48, 12, 1, Fate.SENT),
    ]
    assert ledger.samples(Fate.SENT) == 48
    assert ledger.samples(run=0) == 48
    assert ledger.packets(Fate.SENT, run=0) == 3


def test_a_long_session_keeps_a_short_ledger() -> None:
    firmware = listened_to(Firmware(UPRIGHT))
    started(firmware)
    for minute in range(1, 61):
        firmware.advance(minute * 60 * S)
    assert len(firmware.ledger.spans) == 1


# Faults.


@pytest.mark.parametrize(
    ("fault", "fate", "packets"),
    [
        ("lose@5", Fate.LOST, 1),
        ("lose@5+1.2", Fate.LOST, 5),
        ("garbage@5", Fate.GARBAGE, 1),
        ("short@5", Fate.SHORT, 1),
        ("flip@5", Fate.FLIPPED, 1),
        ("flip@5+2.4", Fate.FLIPPED, 10),
        ("silent@5+2.4", Fate.LOST, 10),
        ("link@5+2.4", Fate.LOST, 10),
    ],
)
def test_a_fault_touches_the_packets_of_its_time(fault: str, fate: Fate, packets: int) -> None:
    firmware = listened_to(Firmware(UPRIGHT, faults=Faults.of([fault])))
    started(firmware)
    firmware.advance(20 * S)
    touched = [span for span in firmware.ledger.spans if span.fate is not Fate.SENT]
    # Packets are due each 0.24 s from 0.34 s on; the first one from 5 s on begins with sample 240.
    assert touched == [Span(0, touched[0].stream, 240, 12 * packets, packets, fate)]


@given(st.integers(0, 2**63), st.sampled_from([23, 247]), st.sampled_from([1, 2]))
def test_garbage_and_short_packets_are_no_packets(seed: int, mtu: int, layout: int) -> None:
    faults = Faults.of(["garbage@1+1", "short@2+1"])
    firmware = listened_to(Firmware(UPRIGHT, faults=faults, seed=seed), mtu)
    started(firmware, start=p.Start(50, 8, 1000 * (layout == 2), layout))
    sent = [out for out in firmware.advance(4 * S) if out.characteristic == p.MOTION]
    faulty = [out for out in sent if p.motion_fault(out.data) is not None]
    assert [out.t_ns for out in sent if S <= out.t_ns < 3 * S] == [out.t_ns for out in faulty]
    assert faulty


def test_a_flip_turns_one_bit() -> None:
    outs = []
    for faults in (Faults(), Faults.of(["flip@5"])):
        firmware = listened_to(Firmware(UPRIGHT, faults=faults))
        started(firmware)
        outs.append([out for out in firmware.advance(10 * S) if out.characteristic == p.MOTION])
    differing = [(a, b) for a, b in zip(*outs, strict=True) if a != b]
    assert len(differing) == 1
    ((whole, flipped),) = differing
    bits = [np.unpackbits(np.frombuffer(out.data, np.uint8)) for out in (whole, flipped)]
    assert int((bits[0] != bits[1]).sum()) == 1


def test_after_a_reboot_clock_and_stream_are_new_and_nothing_is_sampled() -> None:
    firmware = listened_to(Firmware(UPRIGHT, faults=Faults.of(["reboot@10.1"]), drift_ppm=0.0))
    first = answer(started(firmware))
    firmware.advance(10 * S)
    assert firmware.link_allowed(10 * S)
    assert not firmware.link_allowed(10_100 * MS)
    assert not firmware.link_allowed(11_099 * MS)
    assert firmware.link_allowed(11_100 * MS)
    assert not any(out.characteristic == p.MOTION for out in firmware.advance(12 * S))
    assert firmware.ledger.in_hand(0) == 0
    assert firmware.ledger.taken[0] == 500
    assert firmware.ledger.samples(Fate.LOST) == 500 - 492  # what was in hand is gone
    listened_to(firmware, now_ns=12 * S)
    told = answer(firmware.write(p.CONTROL, p.Time().to_bytes(), 12 * S))
    assert isinstance(first, p.Started)
    assert isinstance(told, p.TimeAnswer)
    assert (told.time_us, told.layout, told.index) == (1_900_000, 0, 0)
    again = answer(started(firmware, 12 * S))
    assert isinstance(again, p.Started)
    assert again.stream != first.stream
    assert firmware.ledger.taken == {0: 500, 1: 0}


def test_sampling_goes_on_without_a_host() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    started(firmware)
    assert motions(firmware.advance(5 * S))[-1].index == 228
    firmware.disconnected(5 * S)
    assert firmware.advance(25 * S) == []
    listened_to(firmware, now_ns=25 * S)
    told = answer(firmware.write(p.CONTROL, p.Time().to_bytes(), 25 * S))
    assert isinstance(told, p.TimeAnswer)
    assert (told.index, told.rate_hz) == (1245, 50)
    sent = motions(firmware.advance(26 * S))
    assert sent[0].index == 1236  # the packet that was under way when the host came back
    assert firmware.ledger.samples(Fate.LOST) == 1236 - 240
    assert p.Status.from_bytes(firmware.read(p.STATUS, 26 * S)).dropped == 1236 - 240


def test_a_story_may_begin_later() -> None:
    firmware = listened_to(Firmware(UPRIGHT, faults=Faults.of(["reboot@5", "lose@2"])))
    firmware.begin_story(3 * S)
    started(firmware, 3 * S)
    firmware.advance(8 * S - 1)
    (lost,) = [span for span in firmware.ledger.spans if span.fate is Fate.LOST]
    assert lost.first == 96  # due 2.16 s after the story's begin
    assert firmware.link_allowed(8 * S - 1)
    assert not firmware.link_allowed(8 * S)
    firmware.begin_story(30 * S)
    assert firmware.link_allowed(30 * S)
    assert firmware.next_due_ns() <= 35 * S


def test_the_body_moves_from_the_storys_begin() -> None:
    firmware = listened_to(Firmware(body_of("slouch"), drift_ppm=0.0))
    firmware.begin_story(20 * S)
    started(firmware, 20 * S)
    raw = np.concatenate([packet.raw for packet in motions(firmware.advance(40 * S))])
    expected, _ = body_of("slouch").sample(50.0, 0, len(raw), 0.02)
    assert np.array_equal(raw[:, :3], np.rint(expected / (8 * G_MPS2) * 32768))


# Commands.


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", p.Unsupported(0)),
        (b"\x77", p.Unsupported(0x77)),
        (b"\x02\x00", p.Unsupported(0x02)),  # a Stop that is too long
        (b"\x01\x32", p.Unsupported(0x01)),
        (p.Fetch(1, 0, 10).to_bytes()[:-1], p.Unsupported(0x06)),
        (p.Identify().to_bytes(), p.Done(0x05, p.Result.OK)),
        (p.Vibrate(3).to_bytes(), p.Done(0x04, p.Result.OK)),
        (p.Vibrate(9).to_bytes(), p.Done(0x04, p.Result.BAD_VALUE)),
    ],
)
def test_commands_are_answered(data: bytes, expected: p.Answer) -> None:
    assert answer(listened_to(Firmware(UPRIGHT)).write(p.CONTROL, data, S)) == expected


@pytest.mark.parametrize(
    "start",
    [
        p.Start(60, 8, 1000, 2),
        p.Start(50, 3, 1000, 2),
        p.Start(50, 8, 750, 2),
        p.Start(50, 8, 0, 2),
        p.Start(50, 8, 1000, 1),
        p.Start(50, 8, 1000, 3),
        p.Start(50, 8, 1000, 0),
    ],
)
def test_a_start_that_is_not_offered_changes_nothing(start: p.Start) -> None:
    firmware = listened_to(Firmware(UPRIGHT))
    begun = answer(started(firmware, 1 * S))
    refused = answer(started(firmware, 2 * S, start))
    assert isinstance(begun, p.Started)
    assert isinstance(refused, p.Started)
    assert (refused.result, refused.stream, refused.rate_hz) == (p.Result.BAD_VALUE, begun.stream, 50)
    assert motions(firmware.advance(3 * S))[-1].stream == begun.stream
    assert set(firmware.ledger.taken) == {0}


def test_a_sensor_without_gyroscope_says_so() -> None:
    firmware = listened_to(Firmware(Resting((0.0, 0.0, G_MPS2), None)))
    info = p.Info.from_bytes(firmware.read(p.INFO, 0))
    assert not info.capabilities & p.Capability.GYROSCOPE
    assert info.gyr_ranges_dps == ()
    refused = answer(started(firmware))
    assert isinstance(refused, p.Started)
    assert refused.result == p.Result.BAD_VALUE
    started(firmware, start=p.Start(50, 8, 0, 1))
    assert motions(firmware.advance(S))[0].raw.shape == (12, 3)


def test_info_tells_what_there_is() -> None:
    info = p.Info.from_bytes(Firmware(UPRIGHT).read(p.INFO, 0))
    assert info.identity == USUAL_IDENTITY
    assert (info.rates_hz, info.acc_ranges_g) == (p.RATES_HZ, p.ACC_RANGES_G)
    assert info.gyr_ranges_dps == p.GYR_RANGES_DPS
    assert info.capabilities & p.Capability.GYROSCOPE
    assert info.capabilities & p.Capability.BUFFER
    assert info.buffer_samples == 120_000  # 10 minutes at the highest rate


def test_each_start_is_a_stream_and_stop_says_how_far_it_went() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    streams = []
    for second in range(0, 600, 2):
        begun = answer(started(firmware, second * S))
        assert isinstance(begun, p.Started)
        streams.append(begun.stream)
        out = firmware.write(p.CONTROL, p.Stop().to_bytes(), second * S + 1010 * MS)
        # 50 samples were taken; the packet that is not full goes out before the answer.
        assert [len(packet.raw) for packet in motions(out)] == [12, 12, 12, 12, 2]
        assert out[-1].characteristic == p.CONTROL
        assert answer(out) == p.Stopped(p.Result.OK, begun.stream, 49)
    assert np.unique(np.diff(streams) % 256).tolist() == [1]
    assert firmware.ledger.samples(Fate.SENT) == 300 * 50


def test_a_start_while_sampling_sends_what_is_in_hand_first() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    first = answer(started(firmware, 0))
    out = started(firmware, 110 * MS)
    assert isinstance(first, p.Started)
    (rest,) = motions(out)
    assert (rest.stream, rest.index, len(rest.raw)) == (first.stream, 0, 5)
    assert motions(firmware.advance(S))[0].stream == (first.stream + 1) % 256


def test_stopping_twice_is_told() -> None:
    firmware = listened_to(Firmware(UPRIGHT))
    never = answer(firmware.write(p.CONTROL, p.Stop().to_bytes(), S))
    assert isinstance(never, p.Stopped)
    assert (never.result, never.newest) == (p.Result.NOT_SAMPLING, p.NONE_YET)
    started(firmware, 2 * S)
    done = answer(firmware.write(p.CONTROL, p.Stop().to_bytes(), 3 * S))
    again = answer(firmware.write(p.CONTROL, p.Stop().to_bytes(), 4 * S))
    assert isinstance(done, p.Stopped)
    assert again == p.Stopped(p.Result.NOT_SAMPLING, done.stream, done.newest)


def test_nothing_is_told_to_who_has_not_subscribed() -> None:
    firmware = Firmware(UPRIGHT)
    assert started(firmware) == []
    firmware.connected(S, 247)
    assert firmware.write(p.CONTROL, p.Time().to_bytes(), S) == []
    firmware.subscribed(p.CONTROL, True)
    assert {out.characteristic for out in firmware.write(p.CONTROL, p.Time().to_bytes(), S)} == {p.CONTROL}
    assert firmware.advance(30 * S) == []
    firmware.subscribed(p.MOTION, True)
    assert {out.characteristic for out in firmware.advance(60 * S)} == {p.MOTION}
    firmware.disconnected(60 * S)
    firmware.connected(61 * S)  # a subscription ends with its connection
    assert firmware.advance(70 * S) == []


def test_another_mtu_cuts_what_is_in_hand_anew() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    started(firmware, 9_850 * MS)
    assert firmware.advance(10_010 * MS) == []  # eight samples are in hand; a status came less than a second before
    firmware.connected(10_010 * MS, 69)
    firmware.connected(10_010 * MS, 23)
    assert firmware.next_due_ns() == 10_010 * MS + 1
    after = firmware.advance(10_030 * MS)
    assert [(out.t_ns // MS, packet.index) for out, packet in zip(after, motions(after), strict=True)] == [
        *((10_010, number) for number in range(8)),
        (10_030, 8),
    ]


def test_status_comes_each_ten_seconds_and_when_sampling_begins_or_ends() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    out = started(firmware, 2 * S) + firmware.advance(45 * S)
    out += firmware.write(p.CONTROL, p.Stop().to_bytes(), 45 * S)
    told = [(o.t_ns // S, p.Status.from_bytes(o.data)) for o in out if o.characteristic == p.STATUS]
    assert [t_s for t_s, _ in told] == [0, 2, 10, 20, 30, 40, 45]  # the first when it was subscribed to
    flags = p.StatusFlag
    idle, sampling = flags.WORN | flags.HAS_BUFFER, flags.WORN | flags.HAS_BUFFER | flags.SAMPLING
    assert [status.flags for _, status in told] == [idle, *[sampling] * 5, idle]
    assert [status.uptime_s for _, status in told] == [0, 2, 10, 20, 30, 40, 45]
    assert [status.newest for _, status in told] == [p.NONE_YET, p.NONE_YET, 399, 899, 1399, 1899, 2149]
    assert {status.oldest for _, status in told} == {0}
    assert {status.dropped for _, status in told} == {0}


def test_status_comes_once_a_second_at_most() -> None:
    firmware = listened_to(Firmware(UPRIGHT, drift_ppm=0.0))
    out = [*started(firmware, 300 * MS), *firmware.write(p.CONTROL, p.Stop().to_bytes(), 600 * MS)]
    out += [*started(firmware, 800 * MS), *firmware.advance(5 * S)]
    told = [(o.t_ns, p.Status.from_bytes(o.data).flags) for o in out if o.characteristic == p.STATUS]
    idle, sampling = p.StatusFlag.WORN | p.StatusFlag.HAS_BUFFER, p.StatusFlag.SAMPLING
    assert told == [(1, idle), (S + 1, idle | sampling)]


def test_the_battery_runs_down() -> None:
    firmware = Firmware(UPRIGHT)
    levels = [p.Status.from_bytes(firmware.read(p.STATUS, hour * 3600 * S)).battery_pct for hour in (0, 4, 16, 99)]
    assert levels == [92, 80, 44, 1]


@pytest.mark.parametrize("characteristic", [p.MOTION, p.CONTROL, "x"])
def test_what_cannot_be_read_or_written_is_no_key(characteristic: str) -> None:
    firmware = Firmware(UPRIGHT)
    with pytest.raises(KeyError):
        firmware.read(characteristic, 0)
    if characteristic != p.CONTROL:
        with pytest.raises(KeyError):
            firmware.write(characteristic, b"\x03", 0)


def test_time_does_not_go_back() -> None:
    firmware = Firmware(UPRIGHT)
    firmware.advance(S)
    with pytest.raises(ValueError, match="went back"):
        firmware.advance(S - 1)


def test_the_next_due_moment_is_when_something_happens() -> None:
    firmware = listened_to(Firmware(UPRIGHT, faults=Faults.of(["link@2.5+1", "reboot@6+2"]), drift_ppm=0.0))
    started(firmware)
    now_ns, allowed, due = 100 * MS, True, []
    while now_ns < 20 * S:
        now_ns = firmware.next_due_ns()
        due.append(now_ns)
        assert firmware.advance(now_ns - 1) == []
        assert firmware.link_allowed(now_ns - 1) is allowed
        firmware.advance(now_ns)
        allowed = firmware.link_allowed(now_ns)
    packets = range(340 * MS, 6 * S, 240 * MS)
    edges = [2500 * MS, 3500 * MS, 6 * S, 8 * S]
    second = S + 1  # after the first status, which came when it was subscribed to: one of the Start
    assert due == sorted({second, *packets, *edges, 16 * S, 26 * S})  # each 10 s a status, from the reboot on
