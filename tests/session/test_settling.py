"""Where late samples belong, in numbers written out; and that no bytes whatever break either view."""

import struct
from dataclasses import replace
from functools import cache

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.session import Session
from companion.settling import Lateness, Settlement
from companion.simulator import straight
from companion.simulator.faults import Faults
from companion.simulator.stories import body_of
from companion.views import Viewed, settled
from firmware_protocol.frames import Frame, LinkDown, LinkUp, Notification, Opened
from firmware_protocol.posture_v1.packets import MOTION
from firmware_protocol.samples import SAMPLES, SampleFlag

PERIOD_NS, T0_NS = 20, 1000
LATE = int(SampleFlag.BACKFILLED)


def packet(t_ns: int, first: int, count: int = 1, *, late: bool = False, segment: int = 0) -> np.ndarray:
    """Samples of one packet; their own clock runs at 20 ns a sample from 7 on."""
    made = np.zeros(count, dtype=SAMPLES)
    made["t_host_ns"], made["segment"], made["flags"] = t_ns, segment, LATE * late
    made["index"] = np.arange(first, first + count)
    made["t_device_ns"] = 7 + PERIOD_NS * made["index"]
    return made


def settlement(*packets: np.ndarray, links: tuple[tuple[int, bool], ...] = (), cut: bool = False) -> Settlement:
    found = Lateness(periods_ns={0: PERIOD_NS, 1: PERIOD_NS, 2: PERIOD_NS})
    for samples in packets if cut else [np.concatenate(packets)]:
        found.see(samples)
    found.links.extend(links)
    return Settlement.of(found, T0_NS)


def placed(found: Settlement) -> list[tuple[int, int, int]]:
    """Segment, number and time of each sample that has a place."""
    return [(int(each["segment"]), int(each["index"]), int(each["t_host_ns"])) for each in found.samples]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        pytest.param([packet(1100, 0), packet(1140, 2), packet(1200, 1, late=True)], [(0, 1, 1120)], id="one"),
        pytest.param(
            # 10 steps of 21 ns, and one ns more every tenth
            [packet(1100, 0), packet(1311, 10), packet(1400, 3, 2, late=True), packet(1401, 8, late=True)],
            [(0, 3, 1184), (0, 4, 1184), (0, 8, 1268)],
            id="even steps between what came, a packet at its last sample",
        ),
        pytest.param(
            [packet(1100, 0, 2), packet(1200, 6, 2), packet(1300, 4, 2, late=True), packet(1301, 2, 2, late=True)],
            [(0, 2, 1133), (0, 3, 1133), (0, 4, 1166), (0, 5, 1166)],
            id="sent in another order",
        ),
        pytest.param(
            [packet(1100, 3, 2), packet(1150, 0, 2, late=True), packet(1160, 2, late=True)],
            [(0, 0, 1040), (0, 1, 1040), (0, 2, 1060)],
            id="before the first, by the period",
        ),
        pytest.param([packet(1005, 3), packet(1050, 0, 2, late=True), packet(1060, 2, late=True)], [], id="too early"),
        pytest.param(
            [packet(1100, 0), packet(1500, 1, late=True), packet(1510, 2, late=True)],
            [(0, 1, 1120), (0, 2, 1140)],
            id="behind the last, by the period",
        ),
        pytest.param([packet(1100, 0), packet(1110, 9, late=True)], [(0, 9, 1110)], id="not later than it came"),
        pytest.param(
            [packet(1100, 0), packet(1102, 4), *(packet(1200 + n, n, late=True) for n in (1, 2, 3))],
            [(0, 1, 1100), (0, 2, 1100), (0, 3, 1101)],
            id="no room for as many",
        ),
        pytest.param(
            [packet(1100, 0), packet(1200, 5, segment=1), packet(1300, 3, late=True, segment=1)],
            [(0, 3, 1160)],
            id="a segment that goes on counting",
        ),
        pytest.param(
            [
                packet(1100, 50),
                packet(1200, 0, segment=1),
                packet(1300, 20, segment=1),
                packet(1400, 9, late=True, segment=1),
            ],
            [(1, 9, 1245)],
            id="a segment that counts anew",
        ),
        pytest.param(
            [
                packet(1100, 0),
                packet(1200, 5, segment=1),
                packet(1300, 2, 2, late=True, segment=1),
                packet(1310, 3, 2, late=True, segment=0),
            ],
            [(0, 2, 1140), (0, 3, 1180), (0, 4, 1180)],
            id="the same in two segments of one count, once",
        ),
        pytest.param(
            [packet(1100, 0), packet(1200, 200_000_000), packet(1300, 9, late=True)],
            [],
            id="where the count is further on than the host's clock allows",
        ),
        pytest.param([packet(1100, 0), packet(1200, 5, late=True, segment=2)], [], id="of a segment unheard of"),
        pytest.param([packet(1100, 5, late=True)], [], id="nothing else came"),
    ],
)
def test_late_samples_stand_where_they_would_have_come(
    packets: list[np.ndarray], expected: list[tuple[int, int, int]], cut: bool
) -> None:
    found = settlement(*packets, cut=cut)
    assert placed(found) == expected
    assert found.is_placed.sum() == len(expected)
    assert (found.samples["flags"] == 0).all()


OUTAGE = (packet(1100, 0), packet(1200, 5))


@pytest.mark.parametrize(
    ("filled", "links", "unbroken"),
    [
        pytest.param((1, 2, 3, 4), ((1110, False), (1190, True)), {1110, 1190}, id="whole"),
        pytest.param((1, 2, 4), ((1110, False), (1190, True)), set(), id="one is missing"),
        pytest.param((), ((1110, False), (1190, True)), set(), id="all are"),
        pytest.param(
            (1, 2, 3, 4),
            ((1050, True), (1110, False), (1120, True), (1130, False), (1190, True), (1300, False)),
            {1110, 1120, 1130, 1190},
            id="tried again and again, and lost for good",
        ),
        pytest.param((1, 2, 3, 4), ((1220, False), (1230, True)), set(), id="nothing was missing"),
    ],
)
def test_an_outage_is_none_where_all_of_its_hole_was_filled(
    filled: tuple[int, ...], links: tuple[tuple[int, bool], ...], unbroken: set[int]
) -> None:
    late = [packet(1300 + number, number, late=True) for number in filled]
    assert settlement(*OUTAGE, packet(1290, 6), *late, links=links).unbroken_ns == unbroken


# ---- whatever a radio does


@cache
def filled() -> list[Frame]:
    """Half a minute with a hole that the buffer fills, a reboot, and another stream."""
    body, faults = body_of("slouch"), Faults.of(("link@4+8", "lose@20", "reboot@24"))
    opened = Opened(
        t_host_ns=10**12, session_id="a", driver="posture_v1", device="d", utc_ns=0, zone="UTC", software_version="0"
    )
    return list(straight.frames(body, header=opened, faults=faults, duration_s=34))


def mangled(frames: list[Frame], seed: int) -> list[Frame]:
    """The same with everything done to them that a radio, a hostile sensor or a damaged file could do."""
    rng, made = np.random.default_rng(seed), list(frames)
    for _ in range(int(rng.integers(1, 60))):
        place = int(rng.integers(1, len(made)))
        frame, other = made[place], made[int(rng.integers(1, len(made)))]
        match int(rng.integers(8)):
            case 0:
                made[place : place + int(rng.integers(1, 20))] = []
            case 1:
                made.insert(place, replace(other, t_host_ns=frame.t_host_ns))
            case 2:
                made[place] = replace(frame, t_host_ns=frame.t_host_ns + int(rng.integers(-(10**11), 10**11)))
            case 3:
                made.insert(place, LinkDown(t_host_ns=frame.t_host_ns, cause="lost"))
            case 4:
                made.insert(place, LinkUp(t_host_ns=frame.t_host_ns, address="x"))
            case _ if isinstance(frame, Notification) and frame.data:
                data, byte = bytearray(frame.data), int(rng.integers(min(8, len(frame.data))))
                data[byte] ^= 8 if byte == 0 else int(rng.integers(256))
                made[place] = replace(frame, data=bytes(data))
        if len(made) < 20:
            break
    return made


@given(seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=10)
def test_no_bytes_break_a_view_and_both_count_the_same(seed: int) -> None:
    assert_views_agree(mangled(filled(), seed))


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=60)
def test_no_bytes_break_a_view_and_both_count_the_same_many_times(seed: int) -> None:
    assert_views_agree(mangled(filled(), seed))


def assert_views_agree(frames: list[Frame]) -> None:
    header = frames[0]
    assert isinstance(header, Opened)
    session = Session(header)
    lived = Viewed(session, (session.feed(frames), session.close())).whole()
    view = settled(header, lambda: [frames]).whole()
    pieces = [frames[first : first + 13] for first in range(0, len(frames), 13)]
    cut = settled(header, lambda: pieces).whole()
    for name in ("samples", "lost_samples", "duplicates", "malformed"):
        assert view.summary[name] == lived.summary[name], name
    assert view.summary["outages"] <= lived.summary["outages"]
    assert view.summary["loss_pct"] is None or 0 <= view.summary["loss_pct"] <= lived.summary["loss_pct"]
    assert (cut.posture.tobytes(), cut.told) == (view.posture.tobytes(), view.told)


def test_a_forged_packet_of_the_future_changes_no_length_and_no_row() -> None:
    """One live and one backfilled packet, 58 s ahead of what the sensor can have taken: both views are as without."""
    header = filled()[0]
    assert isinstance(header, Opened)
    frames = list(straight.frames(body_of("upright"), header=header, faults=Faults.of(()), duration_s=90))
    packets = [frame for frame in frames if isinstance(frame, Notification) and frame.characteristic == MOTION]
    packet = packets[80]
    place = frames.index(packet)
    kind, stream, index, time = struct.unpack_from("<BBIH", packet.data)
    forged = [
        replace(
            packet,
            t_host_ns=packet.t_host_ns + 1 + n,
            data=struct.pack("<BBIH", kind | bit, stream, index + 2900, (time + 2900 * 1024 // 50) % 2**16)
            + packet.data[8:],
        )
        for n, bit in enumerate((8, 0))
    ]
    attacked = [*frames[: place + 1], *forged, *frames[place + 1 :]]
    clean = settled(header, lambda: [frames]).whole()
    session = Session(header)
    lived = Viewed(session, (session.feed(attacked), session.close())).whole()
    view = settled(header, lambda: [attacked]).whole()
    assert lived.posture.tobytes() == view.posture.tobytes() == clean.posture.tobytes()
    assert (lived.summary["malformed"], lived.summary["lost_samples"]) == (2, 0)
