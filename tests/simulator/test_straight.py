"""Whole sessions without a radio: what a host would have recorded, and that it decodes to what the body did."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.errors import UsageError
from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate
from companion.simulator.sensor import USUAL_DRIFT_PPM
from companion.simulator.stories import body_of
from companion.simulator.straight import Host, frames
from firmware_protocol.drivers import Decoded
from firmware_protocol.frames import ClockPair, Frame, LinkDown, LinkUp, Notification, Opened, Reading, Tick, Written
from firmware_protocol.posture_v1 import packets as p
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.samples import SampleFlag

S = 1_000_000_000
G_MPS2 = 9.80665
HEADER = Opened(
    t_host_ns=7_000 * S + 123,
    session_id="simulated",
    driver="posture_v1",
    device="simulated",
    utc_ns=1_760_000_000 * S,
    zone="UTC",
    software_version="0",
    origin="simulated",
)


def host(story: str = "demo", *faults: str, duration_s: float | None = None, seed: int = 0) -> Host:
    return Host(body_of(story, seed=seed), header=HEADER, faults=Faults.of(faults), duration_s=duration_s, seed=seed)


def decoded(session: list[Frame]) -> Decoded:
    return Decoder().feed(session)


def times_s(session: list[Frame], *kinds: type) -> list[float]:
    return [(frame.t_host_ns - HEADER.t_host_ns) / S for frame in session if isinstance(frame, kinds)]


def test_the_frames_decode_to_the_bodys_motion() -> None:
    session = list(host().frames())
    found = decoded(session)
    assert (found.lost, found.duplicates, found.malformed) == (0, 0, ())
    (start,) = [f for f in session if isinstance(f, Written) and f.data[0] == 0x01]
    asked = p.Start.from_bytes(start.data)
    # The write reached the sensor 7 ms before the host knew; sample 0 is taken one period later.
    story_s = (start.t_host_ns - HEADER.t_host_ns) / S - 0.007 + 0.02
    rate_hz = 50.0 * (1 + USUAL_DRIFT_PPM * 1e-6)
    acc, gyr = body_of("demo").sample(rate_hz, 0, len(found.samples), story_s)
    assert found.samples["index"].tolist() == list(range(len(acc)))
    acc_step, gyr_step = asked.acc_range_g * G_MPS2 / 32768, np.radians(asked.gyr_range_dps) / 32768
    assert np.abs(found.samples["acc_mps2"] - acc).max() <= acc_step / 2 * (1 + 1e-9)
    assert np.abs(found.samples["gyr_radps"] - gyr).max() <= gyr_step / 2 * (1 + 1e-9)


def test_a_session_begins_and_ends_as_over_a_radio() -> None:
    session = list(host("upright", duration_s=3.0).frames())
    assert session[0] is HEADER
    assert [type(frame) for frame in session[1:6]] == [ClockPair, LinkUp, Reading, Notification, Reading]
    written = [p.parse_command(frame.data) for frame in session if isinstance(frame, Written)]
    assert written == [p.Time(), p.Start(50, 8, 1000, 2), p.Time(), p.Stop()]
    answers = [f.data[0] for f in session if isinstance(f, Notification) and f.characteristic == p.CONTROL]
    assert answers == [0x83, 0x81, 0x83, 0x82]
    assert 3.0 <= times_s(session, Notification)[-1] < 3.1
    assert not times_s(session, LinkDown)


def test_nothing_overtakes() -> None:
    session = list(host("demo", "link@20+20", "reboot@60", duration_s=90.0).frames())
    stamps = [frame.t_host_ns for frame in session]
    assert stamps == sorted(stamps)


def test_the_host_ticks_once_a_second_and_pairs_its_clocks_once_a_minute() -> None:
    session = list(host("upright", "link@30+40", duration_s=150.0).frames())
    assert times_s(session, Tick) == [float(second) for second in range(1, 151)]
    assert times_s(session, ClockPair) == [0.0, 60.0, 120.0]
    pairs = [frame for frame in session if isinstance(frame, ClockPair)]
    assert {pair.utc_ns - pair.t_host_ns for pair in pairs} == {HEADER.utc_ns - HEADER.t_host_ns}


def test_packets_arrive_a_few_milliseconds_after_they_leave() -> None:
    session = list(host("upright", duration_s=60.0).frames())
    arrivals = [f.t_host_ns for f in session if isinstance(f, Notification) and f.characteristic == p.MOTION]
    between_ms = np.diff(arrivals)[1:-1] / 1e6
    assert between_ms.mean() == pytest.approx(240.0, abs=0.2)
    assert 1.0 < between_ms.std() < 5.0


@pytest.mark.parametrize(
    ("fault", "down_s", "up_s"),
    [("link@20+20", 20.0, 40.0), ("reboot@60", 60.0, 61.0), ("reboot@60+4", 60.0, 64.0)],
)
def test_a_lost_link_is_made_again(fault: str, down_s: float, up_s: float) -> None:
    session = list(host("demo", fault).frames())
    (lost_s,) = times_s(session, LinkDown)
    _, found_s = times_s(session, LinkUp)
    assert down_s < lost_s < down_s + 0.5
    assert up_s < found_s < up_s + 1.5
    assert not [t_s for t_s in times_s(session, Notification) if lost_s < t_s < found_s]


def test_a_stream_goes_on_after_a_lost_link() -> None:
    simulated = host("demo", "link@20+20", "no-buffer")
    session = list(simulated.frames())
    found = decoded(session)
    assert len(found.segments) == 1
    assert found.lost == simulated.firmware.ledger.samples(Fate.LOST) == 1056
    assert commands(session) == [p.Time(), p.Start(50, 8, 1000, 2), p.Time(), p.Time(), p.Stop()]


def commands(session: list[Frame]) -> list[p.Command]:
    return [p.parse_command(frame.data) for frame in session if isinstance(frame, Written)]


def test_what_an_outage_cost_is_fetched_from_the_buffer() -> None:
    simulated = host("demo", "link@20+20")
    session = list(simulated.frames())
    found, ledger = decoded(session), simulated.firmware.ledger
    stream = ledger.spans[0].stream
    assert commands(session)[3:] == [p.Time(), p.Fetch(stream, 984, 1056), p.Stop()]
    assert (found.lost, found.duplicates, found.malformed) == (0, 0, ())
    assert len(found.samples) == ledger.taken[0]
    late = found.samples["index"][found.samples["flags"] & SampleFlag.BACKFILLED > 0]
    assert late.tolist() == list(range(984, 2040))
    assert [(filled.segment, filled.first, filled.count) for filled in found.filled] == [(0, 984, 1056)]
    (_, up_s) = times_s(session, LinkUp)
    done_s = (found.filled[0].t_host_ns - HEADER.t_host_ns) / S
    assert up_s + 1056 / 12 * 0.03 < done_s < up_s + 1056 / 12 * 0.03 + 3.0
    assert ledger.samples(Fate.LOST) == 1056  # they were never sent live


def test_two_minutes_take_eighteen_seconds_to_fetch_while_motion_flows() -> None:
    simulated = host("upright", "link@20+120", duration_s=200.0)
    session = list(simulated.frames())
    found = decoded(session)
    assert (found.lost, found.duplicates) == (0, 0)
    assert len(found.samples) == simulated.firmware.ledger.taken[0]
    assert (found.filled[-1].t_host_ns - HEADER.t_host_ns) / S < 160.0
    arrivals = found.samples[found.samples["flags"] & SampleFlag.BACKFILLED == 0]["t_host_ns"]
    after = np.diff(arrivals[arrivals > HEADER.t_host_ns + 141 * S])
    assert after.max() < 0.26 * S


def test_a_session_that_ends_during_a_fetch_ends_all_the_same() -> None:
    simulated = host("upright", "link@10+30", duration_s=43.5)
    session = list(simulated.frames())
    found, ledger = decoded(session), simulated.firmware.ledger
    assert [type(command) for command in commands(session)][-2:] == [p.Fetch, p.Stop]
    assert times_s(session, Notification)[-1] == pytest.approx(43.5, abs=0.1)
    assert len(found.samples) + found.lost == ledger.taken[0]
    assert found.lost > 1000
    assert found.lost - ledger.never_came(0) in (0, 12)  # one may still have been on its way
    (filled,) = found.filled
    assert (filled.first, filled.count) == (480, ledger.samples(Fate.LOST) - found.lost)


def test_after_a_reboot_a_new_stream_begins() -> None:
    simulated = host("demo", "reboot@60")
    found = decoded(list(simulated.frames()))
    assert [segment.rate_hz for segment in found.segments] == [50.0, 50.0]
    assert len(simulated.firmware.ledger.taken) == 2
    # The host cannot know of samples that a dead sensor had in hand.
    assert len(found.samples) == simulated.firmware.ledger.samples(Fate.SENT)


def test_connected_but_silent() -> None:
    session = list(host("demo", "silent@50+10").frames())
    motion = [f for f in session if isinstance(f, Notification) and f.characteristic == p.MOTION]
    silences = [(b.t_host_ns - a.t_host_ns) / S for a, b in pairwise(motion)]
    assert max(silences) == pytest.approx(10.1, abs=0.3)
    assert not times_s(session, LinkDown)
    status = [f for f in session if isinstance(f, Notification) and f.characteristic == p.STATUS]
    assert len(status) == 11  # one when it is subscribed to, one for the Start, one for the Stop, one each ten seconds


FAULTS = st.lists(
    st.builds(
        "{}@{}{}".format,
        st.sampled_from(["link", "lose", "garbage", "short", "silent"]),
        st.integers(1, 40),  # the link is back before the end, so that the host learns of every loss
        st.sampled_from(["", "+0.4", "+7"]),
    ),
    max_size=4,
)


@given(FAULTS, st.sampled_from([[], [], ["no-buffer"]]), st.integers(0, 5))
@settings(max_examples=25)
def test_what_was_taken_was_received_or_lost(faults: list[str], buffer: list[str], seed: int) -> None:
    faults = faults + buffer
    simulated = host("upright", *faults, duration_s=60.0, seed=seed)
    found = decoded(list(simulated.frames()))
    ledger = simulated.firmware.ledger
    whole = np.concatenate([np.arange(first, end) for first, end in ledger.delivered(0)])
    assert np.array_equal(np.sort(found.samples["index"]), whole)
    assert len(found.samples) + found.lost == ledger.taken[0]
    assert (found.lost, found.duplicates) == (ledger.never_came(0), 0)
    garbled = [span.packets for span in ledger.spans + ledger.backfilled if span.fate in (Fate.GARBAGE, Fate.SHORT)]
    assert len(found.malformed) == sum(garbled)
    assert not ledger.backfilled or "no-buffer" not in faults


def test_a_fault_at_the_end_leaves_the_rest_untold() -> None:
    simulated = host("upright", "link@55+20", duration_s=60.5)
    session = list(simulated.frames())
    assert times_s(session, LinkDown)
    assert len(times_s(session, LinkUp)) == 1
    assert times_s(session, Tick)[-1] == 60.5
    assert isinstance(session[-1], Tick)
    assert simulated.firmware.ledger.taken[0] == pytest.approx(60.2 * 50, abs=5)


def test_the_same_arguments_give_the_same_frames() -> None:
    once, again = (list(host("walk-and-sit", "flip@30", seed=3).frames()) for _ in range(2))
    other = list(host("walk-and-sit", "flip@30", seed=4).frames())
    assert once == again
    assert once != other


def test_a_longer_session_repeats_the_story() -> None:
    found = decoded(list(frames(body_of("slouch-29s"), header=HEADER, duration_s=130.0)))
    body = body_of("slouch-29s")
    acc, t_s = found.samples["acc_mps2"], 0.3 + np.arange(len(found.samples)) / 50
    angle = np.degrees(np.arctan2(-acc @ body.forward_sensor, acc @ body.up_sensor))
    forward = (angle > 20.0) & (t_s > 22.0)
    begins = t_s[1:][np.diff(forward.astype(int)) == 1]
    firsts = [begins[0], *begins[1:][np.diff(begins) > 5.0]]  # noise crosses the line more than once
    assert firsts == pytest.approx([31.0, 31.0 + 76.0 - 22.0], abs=0.5)


@pytest.mark.parametrize("rate_hz", [25.0, 100.0, None])
def test_another_rate_may_be_asked_for(rate_hz: float | None) -> None:
    found = decoded(list(frames(body_of("upright"), header=HEADER, duration_s=5.0, rate_hz=rate_hz)))
    assert [segment.rate_hz for segment in found.segments] == [rate_hz or 50.0]


def test_a_session_too_short_to_connect_holds_the_header_and_ticks() -> None:
    session = list(host("upright", "link@0+30", duration_s=2.0).frames())
    assert [type(frame) for frame in session] == [Opened, ClockPair, Tick, Tick]


def test_what_the_sensor_does_not_offer_is_said() -> None:
    with pytest.raises(UsageError, match="60 Hz"):
        list(frames(body_of("upright"), header=HEADER, rate_hz=60.0))
    other = Opened(
        t_host_ns=0, session_id="s", driver="imported", device="simulated", utc_ns=0, zone="UTC", software_version="0"
    )
    with pytest.raises(UsageError, match="no simulated 'imported'"):
        frames(body_of("upright"), header=other)
