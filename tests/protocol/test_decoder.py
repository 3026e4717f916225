"""The decoder against golden sessions, and what it does about gaps, wraps, reboots and forgeries."""

from typing import Any

import numpy as np
import pytest

import firmware_protocol as fp
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.posture_v1.packets import CONTROL, MOTION, STATUS, Done, FetchDone, Motion, Status, Unsupported
from firmware_protocol.samples import SampleFlag

CHARACTERISTICS = {"control": CONTROL, "motion": MOTION}
DISAGREE = "index and device time disagree"


def indices(decoded: fp.Decoded) -> list[int]:
    return [int(index) for index in decoded.samples["index"]]


def reasons(decoded: fp.Decoded) -> list[str]:
    return [malformed.reason for malformed in decoded.malformed]


def test_golden_sessions(decoding: dict[str, Any]) -> None:
    frames = [
        fp.Notification(t_host_ns=k, characteristic=CHARACTERISTICS[one["on"]], data=bytes.fromhex(one["hex"]))
        for k, one in enumerate(decoding["frames"])
    ]
    decoded = Decoder().feed(frames)
    assert (decoded.lost, decoded.duplicates) == (decoding["lost"], decoding["duplicates"])
    assert reasons(decoded) == decoding["malformed"]
    assert [[segment.number, segment.rate_hz] for segment in decoded.segments] == decoding["segments"]
    for name in ("index", "t_device_ns", "segment", "flags"):
        assert decoded.samples[name].tolist() == [sample[name] for sample in decoding["samples"]], name
    for sample, expected in zip(decoded.samples, decoding["samples"], strict=True):
        assert sample["acc_mps2"] == pytest.approx(expected["acc_mps2"], rel=0, abs=1e-12)
        gyr = expected["gyr_radps"] or [float("nan")] * 3
        assert sample["gyr_radps"] == pytest.approx(gyr, rel=0, abs=1e-12, nan_ok=True)


def test_a_malformed_packet_shows_its_bytes() -> None:
    bad = fp.Notification(t_host_ns=0, characteristic=MOTION, data=b"\x03\x07")
    assert Decoder().feed([bad]).malformed == (fp.Malformed("Motion has at least 8 bytes, not 2", b"\x03\x07"),)


def test_arrival_time_is_that_of_the_packet(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(20, 3)]
    hosts = [frame.t_host_ns for frame in frames[1:]]
    assert Decoder().feed(frames).samples["t_host_ns"].tolist() == [t for t in hosts for _ in range(3)]


def test_battery_comes_from_status_read_or_notified() -> None:
    def status(percent: int) -> bytes:
        return Status(0, 0, 0, 0, 0, 0, percent, 0).to_bytes()

    decoded = Decoder().feed(
        [
            fp.Reading(t_host_ns=5, characteristic=STATUS, data=status(90)),
            fp.Notification(t_host_ns=6, characteristic=STATUS, data=status(255)),
            fp.Notification(t_host_ns=7, characteristic=STATUS, data=status(0)),
            fp.Notification(t_host_ns=8, characteristic=STATUS, data=status(90)[:-1]),
        ]
    )
    assert decoded.batteries == (fp.Battery(90.0, t_host_ns=5), fp.Battery(0.0, t_host_ns=7))
    assert reasons(decoded) == ["Status has 20 bytes, not 19"]


def test_frames_that_are_not_this_sensors_are_passed_over(new_sensor: Any) -> None:
    sensor = new_sensor()
    other = "0000ffe4-0000-1000-8000-00805f9a34fb"
    frames: list[fp.Frame] = [
        fp.Tick(t_host_ns=0),
        fp.Notification(t_host_ns=0, characteristic=other, data=b"\x00"),
        fp.Reading(t_host_ns=0, characteristic=MOTION, data=b"\x00"),
        fp.Written(t_host_ns=0, characteristic=CONTROL, data=b"\x00"),
        sensor.started(),
        fp.Notification(t_host_ns=0, characteristic=CONTROL, data=Done(5, 0).to_bytes()),
        fp.Notification(t_host_ns=0, characteristic=CONTROL, data=FetchDone(0, 7, 0, 0, 1).to_bytes()),
        fp.Notification(t_host_ns=0, characteristic=CONTROL, data=Unsupported(6).to_bytes()),
        sensor.motion(sensor.take(2)),
        fp.LinkDown(t_host_ns=0, cause="out of range"),
        sensor.motion(sensor.take(2)),
    ]
    decoded = Decoder().feed(frames)
    assert indices(decoded) == [0, 1, 2, 3]
    assert not decoded.malformed


@pytest.mark.parametrize("rate_error", [-0.015, 0.0, 0.015])
def test_device_time_follows_the_devices_own_clock_for_an_hour(new_sensor: Any, rate_error: float) -> None:
    """A packet's first sample has the time it was taken at, within a tick; the others follow at the nominal period."""
    sensor = new_sensor(rate_hz=25, rate_error=rate_error)
    decoded = Decoder().feed([sensor.started(), *sensor.packets(15_000, 6)])
    assert len(decoded.samples) == 90_000
    assert (decoded.lost, reasons(decoded)) == (0, [])
    taken_us = 5_020_000 + np.arange(90_000) * 40_000 / (1 + rate_error)
    assert np.abs(decoded.samples["t_device_ns"] / 1000 - taken_us)[::6].max() < 1_000
    assert (np.diff(decoded.samples["t_device_ns"].reshape(-1, 6)) == 40_000_000).all()


def test_gaps_are_counted_and_nothing_else_changes(new_sensor: Any) -> None:
    sensor = new_sensor()
    packets = [sensor.started(), *sensor.packets(100, 5)]
    whole = Decoder().feed(packets).samples
    decoded = Decoder().feed(packets[:41] + packets[44:])
    assert decoded.lost == 15
    assert decoded.samples.tobytes() == np.delete(whole, np.arange(200, 215)).tobytes()


def test_an_outage_without_any_answer_is_counted_by_the_hosts_clock(new_sensor: Any) -> None:
    sensor = new_sensor()
    before = [sensor.started(), *sensor.packets(10, 5)]
    sensor.take(50 * 600)
    decoded = Decoder().feed(before + sensor.packets(10, 5))
    assert (decoded.lost, decoded.duplicates, reasons(decoded)) == (30_000, 0, [])
    assert len(decoded.segments) == 1
    assert decoded.samples["t_device_ns"][50] == pytest.approx(5.02e9 + 30_050 * 20e6, abs=2e6)


def test_an_outage_ends_with_a_time_answer(new_sensor: Any) -> None:
    """Two hours at a rate 1 % off: the 16-bit time wraps over a hundred times, the answer says where it is."""
    sensor = new_sensor(rate_error=0.01)
    frames = [sensor.started(), *sensor.packets(10, 5)]
    sensor.take(50 * 7200)
    frames += [sensor.time(), *sensor.packets(10, 5)]
    decoded = Decoder().feed(frames)
    assert (decoded.lost, decoded.duplicates, reasons(decoded)) == (360_000, 0, [])
    assert [segment.number for segment in decoded.segments] == [0]
    assert decoded.samples["t_device_ns"][50] == pytest.approx(5.02e9 + 360_050 * 20e6 / 1.01, abs=2e6)


def test_a_packet_begun_before_the_time_answer_is_taken_whole(new_sensor: Any) -> None:
    sensor = new_sensor()
    sensor.running_since(100_000)
    numbers = sensor.take(4)
    answer = sensor.time()
    late = sensor.motion(range(numbers.start, numbers.start + 8))
    sensor.take(4)
    decoded = Decoder().feed([answer, late, *sensor.packets(2, 8), sensor.stopped()])
    assert indices(decoded) == list(range(100_000, 100_024))
    assert not decoded.samples["flags"].any()
    assert (decoded.lost, decoded.duplicates, reasons(decoded)) == (0, 0, [])


def test_joining_a_running_stream_counts_what_is_missed_from_the_answer_on(new_sensor: Any) -> None:
    sensor = new_sensor()
    sensor.running_since(100_000)
    answer = sensor.time()
    sensor.take(8)
    decoded = Decoder().feed([answer, *sensor.packets(2, 8)])
    assert (decoded.lost, indices(decoded)[0]) == (8, 100_008)


def test_backfill_of_a_long_outage_has_the_sensors_own_times(new_sensor: Any) -> None:
    """Ten hours from the buffer, at a rate 1 % off: nominal periods would err by six minutes."""
    sensor = new_sensor(rate_hz=10, rate_error=0.01)
    frames = [sensor.started(), *sensor.packets(10, 2)]
    gap = sensor.take(10 * 36_000)
    frames += [sensor.time(), *sensor.packets(10, 2)]
    some = [range(n, n + 42) for n in range(gap.start, gap.stop - 41, 9_999)]
    decoder = Decoder()
    assert decoder.feed(frames).lost == len(gap)
    decoded = decoder.feed([sensor.motion(numbers, backfilled=True) for numbers in some])
    assert reasons(decoded) == []
    assert decoded.lost == -42 * len(some)
    assert set(decoded.samples["flags"].tolist()) == {int(SampleFlag.BACKFILLED)}
    first = decoded.samples[::42]
    assert np.abs(first["t_device_ns"] - (5.02e9 + first["index"] * 100e6 / 1.01)).max() < 2e6


def test_backfill_twice_is_a_duplicate_and_edges_are_kept(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(2, 5)]
    sensor.take(10)
    frames += sensor.packets(2, 5)
    decoder = Decoder()
    assert decoder.feed(frames).lost == 10
    first = decoder.feed([sensor.motion(range(8, 15), backfilled=True)])
    assert (indices(first), first.lost, first.duplicates) == ([10, 11, 12, 13, 14], -5, 2)
    second = decoder.feed([sensor.motion(range(13, 22), backfilled=True)])
    assert (indices(second), second.lost, second.duplicates) == ([15, 16, 17, 18, 19], -5, 4)
    expected = 5.02e9 + second.samples["index"] * 20e6
    assert np.abs(second.samples["t_device_ns"] - expected).max() < 1e6


def test_backfill_before_the_first_live_packet_after_a_reconnect(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(2, 5)]
    gap = sensor.take(50 * 120)
    frames += [sensor.time(), *(sensor.motion(range(n, n + 40), backfilled=True) for n in gap[::40])]
    frames += [*sensor.packets(3, 5), sensor.stopped()]
    decoded = Decoder().feed(frames)
    assert (decoded.lost, decoded.duplicates, reasons(decoded)) == (0, 0, [])
    assert indices(decoded) == list(range(6025))


def test_a_stream_joined_late_can_be_filled_from_before(new_sensor: Any) -> None:
    """What was taken before this host came is not lost to it; if the buffer gives it, it is given out."""
    sensor = new_sensor()
    sensor.running_since(1000)
    decoder = Decoder()
    assert decoder.feed([sensor.time(), *sensor.packets(2, 5)]).lost == 0
    decoded = decoder.feed([sensor.motion(range(990, 1003), backfilled=True)])
    assert (indices(decoded), decoded.lost, decoded.duplicates) == (list(range(990, 1000)), 0, 3)


def test_what_was_filled_before_the_first_live_packet_is_not_given_out_again(new_sensor: Any) -> None:
    sensor = new_sensor()
    sensor.running_since(1000)
    filled = sensor.motion(range(994, 1000), backfilled=True)
    answer = sensor.time()
    sensor.take(4)
    live = sensor.motion(range(996, 1004))
    decoded = Decoder().feed([answer, filled, live])
    assert (indices(decoded), decoded.lost, decoded.duplicates) == (list(range(994, 1004)), 0, 4)


def test_a_hole_that_is_closed_is_told_when_the_fetch_is_done(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(2, 5)]
    sensor.take(20)
    frames += sensor.packets(2, 5)
    decoder = Decoder()
    decoder.feed(frames)
    parts = (range(10, 15), range(15, 20), range(22, 27))
    between = [sensor.motion(part, backfilled=True) for part in parts]
    live = sensor.packets(1, 5)
    assert decoder.feed([between[0], live[0], between[1], between[2], between[2]]).filled == ()
    sensor.take(50)
    done = fp.Notification(t_host_ns=99, characteristic=CONTROL, data=FetchDone(0, 8, 10, 15, 5).to_bytes())
    assert decoder.feed([done]).filled == (fp.Filled(0, 10, 10, 99), fp.Filled(0, 22, 5, 99))
    assert decoder.feed([done]).filled == ()


@pytest.mark.parametrize("end", ["link", "stop", "start", "another", "nothing"])
def test_what_a_fetch_that_was_broken_off_gave_is_told_too(new_sensor: Any, end: str) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(2, 5)]
    sensor.take(20)
    frames += [*sensor.packets(2, 5), sensor.motion(range(10, 15), backfilled=True)]
    if end == "another":
        sensor.stream += 1
    last: dict[str, fp.Frame] = {
        "link": fp.LinkDown(t_host_ns=99, cause="x"),
        "stop": sensor.stopped(),
        "another": sensor.time(),
        "nothing": fp.Tick(t_host_ns=99),
    }
    frames.append(last[end] if end in last else sensor.started())
    told = [(each.segment, each.first, each.count) for each in Decoder().feed(frames).filled]
    assert told == ([] if end == "nothing" else [(0, 10, 5)])


def test_packets_in_another_order_are_not_lost(new_sensor: Any) -> None:
    sensor = new_sensor()
    start, packets = sensor.started(), sensor.packets(10, 3)
    packets[4], packets[5] = packets[5], packets[4]
    decoded = Decoder().feed([start, *packets])
    assert (decoded.lost, decoded.duplicates, sorted(indices(decoded))) == (0, 0, list(range(30)))
    late = decoded.samples[decoded.samples["flags"] == SampleFlag.BACKFILLED]
    assert late["index"].tolist() == [12, 13, 14]
    assert decoded.filled == ()  # they came late, but not from the buffer


def test_every_packet_twice(new_sensor: Any) -> None:
    """A double subscription, as some hosts make after a reconnect."""
    sensor = new_sensor()
    start, packets = sensor.started(), sensor.packets(300, 5)
    decoded = Decoder().feed([start, *(packet for packet in packets for _ in range(2))])
    assert (indices(decoded), decoded.duplicates, decoded.lost) == (list(range(1500)), 1500, 0)
    assert decoded.samples.tobytes() == Decoder().feed([start, *packets]).samples.tobytes()


@pytest.mark.parametrize("bit", range(32))
def test_one_flipped_bit_of_an_index_costs_one_packet(new_sensor: Any, bit: int) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(2000, 5)]
    flipped = bytearray(frames[1500].data)
    flipped[2 + bit // 8] ^= 1 << bit % 8
    frames[1500] = fp.Notification(t_host_ns=frames[1500].t_host_ns, characteristic=MOTION, data=bytes(flipped))
    decoded = Decoder().feed(frames)
    assert len(decoded.segments) == 1
    assert len(decoded.samples) + decoded.lost == 10_000
    assert decoded.lost == 5
    assert reasons(decoded) == [DISAGREE]


@pytest.mark.parametrize("bit", range(16))
def test_one_flipped_bit_of_a_time_costs_one_packet_or_a_few_milliseconds(new_sensor: Any, bit: int) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(50, 5)]
    flipped = bytearray(frames[20].data)
    flipped[6 + bit // 8] ^= 1 << bit % 8
    frames[20] = fp.Notification(t_host_ns=frames[20].t_host_ns, characteristic=MOTION, data=bytes(flipped))
    decoded = Decoder().feed(frames)
    assert len(decoded.samples) + decoded.lost == 250
    assert decoded.lost == (5 if bit > 3 else 0) == 5 * len(decoded.malformed)
    in_order = np.diff(decoded.samples["t_device_ns"])
    assert in_order.min() > 20e6 - 10e6


def test_a_clock_that_jumped_is_followed_after_three_packets(new_sensor: Any) -> None:
    """The index goes on, the time does not: the sensor is believed at its fourth packet, in a new segment."""
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    sensor._boot_us += 20_000_000
    frames += sensor.packets(6, 5)
    decoded = Decoder().feed(frames)
    assert reasons(decoded) == [DISAGREE] * 3
    assert [(segment.number, segment.rate_hz) for segment in decoded.segments] == [(0, 50.0), (1, 50.0)]
    assert indices(decoded) == [*range(20), *range(35, 50)]
    assert decoded.samples["segment"].tolist() == [0] * 20 + [1] * 15
    assert decoded.lost == 15


def test_after_a_clock_that_jumped_the_period_is_measured_anew(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(1000, 5)]
    sensor._boot_us += 20_000_000
    frames += sensor.packets(4, 5)
    gap = sensor.take(5000)
    frames += [*sensor.packets(4, 5), sensor.motion(gap[:10], backfilled=True)]
    decoded = Decoder().feed(frames)
    assert (reasons(decoded), indices(decoded)[-10:]) == ([DISAGREE] * 3, list(gap[:10]))


def test_a_counter_that_began_anew_is_followed_and_counts_nothing_it_cannot_know(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(1000, 5)]
    sensor.running_since(0)
    frames += sensor.packets(6, 5)
    decoded = Decoder().feed(frames)
    assert reasons(decoded) == [DISAGREE] * 3
    assert indices(decoded)[5000:] == list(range(15, 30))
    assert (decoded.lost, decoded.samples["segment"][-1]) == (0, 1)


def test_forged_packets_that_do_not_agree_with_each_other_change_nothing(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    forged = [
        sensor.motion(range(index, index + 5), time_1024=time)
        for index, time in ((900_000, 3), (77, 60_000), (5, 40_000), (2_000_000, 9), (123, 31_000), (9_999, 17))
    ]
    decoded = Decoder().feed(frames + forged + sensor.packets(4, 5))
    assert reasons(decoded) == [DISAGREE] * 6
    assert (indices(decoded), decoded.lost, len(decoded.segments)) == (list(range(40)), 0, 1)


def test_doubts_are_forgotten_when_a_packet_agrees(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started()]
    for k in range(10):
        frames += [*sensor.packets(1, 5), sensor.motion(range(10**6 + 5 * k, 10**6 + 5 * k + 5))]
    decoded = Decoder().feed(frames)
    assert (indices(decoded), len(decoded.malformed), len(decoded.segments)) == (list(range(50)), 10, 1)


def test_stop_tells_of_the_tail_once(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    sensor.take(7)
    decoder = Decoder()
    assert decoder.feed([*frames, sensor.stopped()]).lost == 7
    assert decoder.feed([sensor.stopped(result=3), sensor.time(sampling=False)]).lost == 0


def test_stop_before_the_first_sample(new_sensor: Any) -> None:
    sensor = new_sensor()
    decoded = Decoder().feed([sensor.started(), sensor.stopped()])
    assert (decoded.lost, len(decoded.samples)) == (0, 0)


def test_a_time_answer_tells_that_the_stream_ended_while_nobody_listened(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    sensor.take(700)
    decoded = Decoder().feed([*frames, sensor.time(sampling=False), sensor.started(), *sensor.packets(2, 5)])
    assert decoded.lost == 700
    assert indices(decoded) == [*range(20), *range(10)]
    assert [segment.number for segment in decoded.segments] == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"stream": 9},
        {"rate_hz": 25},
        {"ranges": (4, 1000)},
        {"ranges": (8, 500)},
        {"_boot_us": 1_000_000},
        {"_boot_us": 4_300_000},
    ],
    ids=str,
)
def test_a_time_answer_of_another_stream_begins_a_segment(new_sensor: Any, change: dict[str, Any]) -> None:
    """Stream, rate, ranges, or a device clock that went backwards (a reboot)."""
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    for name, value in change.items():
        setattr(sensor, name, value)
    sensor.running_since(sensor.taken)
    decoded = Decoder().feed([*frames, sensor.time(), *sensor.packets(2, 5)])
    assert [segment.rate_hz for segment in decoded.segments] == [50.0, float(sensor.rate_hz)]
    assert decoded.samples["segment"].tolist() == [0] * 20 + [1] * 10
    assert (decoded.lost, reasons(decoded)) == (0, [])


def test_a_time_answer_whose_count_does_not_fit_its_clock_is_of_another_stream(new_sensor: Any) -> None:
    """Same number and values, 256 starts later."""
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    sensor.true_ns += 100e9
    sensor.running_since(30)
    decoded = Decoder().feed([*frames, sensor.time(), *sensor.packets(2, 5)])
    assert [segment.number for segment in decoded.segments] == [0, 1]
    assert (indices(decoded)[20:], decoded.lost) == (list(range(30, 40)), 0)


def test_a_refused_start_changes_nothing(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    refused = bytearray(frames[0].data)
    refused[1] = 1
    frames.append(fp.Notification(t_host_ns=0, characteristic=CONTROL, data=bytes(refused)))
    decoded = Decoder().feed(frames + sensor.packets(4, 5))
    assert (len(decoded.segments), indices(decoded)) == (1, list(range(40)))


def test_after_a_reboot_without_start_nothing_is_announced(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    late = sensor.packets(1, 5)
    sensor.stream += 1
    decoded = Decoder().feed([*frames, sensor.time(sampling=False), *late])
    assert reasons(decoded) == ["no answer to Start or Time has told what is sampled"]


def test_an_index_that_would_lie_before_the_first_is_malformed(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(1, 5)]
    ticks = Motion.from_bytes(frames[1].data).time_1024 - 41
    frames.append(sensor.motion(range(2**32 - 2, 2**32 + 3), time_1024=ticks))
    decoded = Decoder().feed(frames)
    assert (indices(decoded), reasons(decoded)) == (list(range(5)), [DISAGREE])


def test_two_decoders_share_nothing(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(4, 5)]
    one, other = Decoder(), Decoder()
    one.feed(frames)
    assert other.feed(frames).samples.tobytes() == Decoder().feed(frames).samples.tobytes()


def test_a_backfilled_packet_of_the_future_is_malformed_and_changes_nothing(new_sensor: Any) -> None:
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(10, 5)]
    forged = [sensor.motion(range(50 + ahead, 55 + ahead), backfilled=True) for ahead in (150, 1000, 2900, 9000)]
    decoded = Decoder().feed([*frames, *forged, *sensor.packets(700, 5)])
    assert reasons(decoded)[:3] == ["backfilled samples that have not been taken yet", DISAGREE, DISAGREE]
    assert len(decoded.malformed) == 4
    assert (indices(decoded), decoded.lost, decoded.duplicates) == (list(range(3550)), 0, 0)
    assert not decoded.samples["flags"].any()


@pytest.mark.parametrize("one_by_one", [False, True])
def test_backfill_ahead_of_all_that_is_live_does_not_make_live_packets_late(new_sensor: Any, one_by_one: bool) -> None:
    """It may be true, within what radios delay: such samples are given out, once, and the live ones around them too."""
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(10, 5)]
    frames += [sensor.motion(range(first, first + 5), backfilled=True) for first in (62, 80, 80, 100)]
    frames += sensor.packets(4, 5)  # 50 to 69
    sensor.take(7)  # 70 to 76
    frames += [*sensor.packets(20, 5), sensor.stopped()]
    decoder = Decoder()
    parts = [decoder.feed([frame]) for frame in frames] if one_by_one else [decoder.feed(frames)]
    flags = {int(one["index"]): int(one["flags"]) for part in parts for one in part.samples}
    late = {*range(62, 67), *range(80, 85), *range(100, 105)}
    assert sum(len(part.samples) for part in parts) == len(flags)
    assert sorted(flags) == [number for number in range(177) if not 70 <= number < 77]
    assert {number for number, flag in flags.items() if flag} == late
    assert (sum(part.lost for part in parts), sum(part.duplicates for part in parts)) == (7, 20)


def test_a_live_packet_of_the_future_is_not_believed(new_sensor: Any) -> None:
    """The 16-bit time of a forged packet may agree; by the host's clock it cannot have been taken."""
    sensor = new_sensor()
    frames = [sensor.started(), *sensor.packets(10, 5)]
    decoded = Decoder().feed([*frames, sensor.motion(range(2950, 2955)), *sensor.packets(700, 5)])
    assert reasons(decoded) == [DISAGREE]
    assert (indices(decoded), decoded.lost) == (list(range(3550)), 0)
    assert not decoded.samples["flags"].any()


def test_backfill_does_not_make_the_first_live_packet_late(new_sensor: Any) -> None:
    sensor = new_sensor()
    sensor.running_since(1000)
    filled = sensor.motion(range(990, 994), backfilled=True)
    answer = sensor.time()
    sensor.take(4)
    decoded = Decoder().feed([answer, filled, sensor.motion(range(992, 1004))])
    live = decoded.samples[decoded.samples["flags"] == 0]
    assert (live["index"].tolist(), decoded.lost, decoded.duplicates) == (list(range(994, 1004)), 0, 2)
