"""The sequencer: one order for recorder and session, and nothing missing without being told."""

import asyncio
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.link.sequencer import Sequencer
from firmware_protocol import Closed, Dropped, Frame, LinkUp, Notification, Opened, Tick

OPENED = Opened(
    t_host_ns=1, session_id="s", driver="posture_v1", device="d", utc_ns=0, zone="UTC", software_version="0"
)


@dataclass
class Both:
    """A recorder with room for so many frames, and a session, each with what it saw."""

    room: list[bool] = field(default_factory=list)  # what it answers, call by call; True when the list has run out
    recorded: list[tuple[int, Frame]] = field(default_factory=list)
    seen: list[Frame] = field(default_factory=list)

    def take(self, number: int, frame: Frame) -> bool:
        taken = self.room.pop(0) if self.room else True
        if taken:
            self.recorded.append((number, frame))
        return taken

    def sequencer(self) -> Sequencer:
        return Sequencer(lambda: 99, self.take, self.seen.append)


def tick(number: int) -> Tick:
    return Tick(t_host_ns=number)


def test_frames_are_numbered_from_0_and_go_to_both():
    both = Both()
    sequencer = both.sequencer()
    for frame in (OPENED, tick(5), tick(3)):
        sequencer.put(frame)
    assert both.recorded == [(0, OPENED), (1, tick(5)), (2, tick(3))]
    assert both.seen == [OPENED, tick(5), tick(3)]
    assert sequencer.count == 3


def test_what_is_dropped_is_seen_by_nobody_and_told_when_there_is_room_again():
    both = Both(room=[True, True, False, False, False])
    sequencer = both.sequencer()
    for frame in (OPENED, tick(1), tick(2)):  # 2 finds no room
        sequencer.put(frame)
    assert sequencer.missing == 1
    sequencer.put(tick(3))  # nor does the Dropped before 3
    sequencer.put(tick(4))
    assert sequencer.missing == 3
    sequencer.put(tick(5))
    told = Dropped(t_host_ns=99, count=3)
    assert both.recorded == [(0, OPENED), (1, tick(1)), (2, told), (3, tick(5))]
    assert both.seen == [OPENED, tick(1), told, tick(5)]
    assert sequencer.missing == 0


def test_room_for_the_word_but_not_for_the_frame():
    both = Both(room=[True, False, True, False])
    sequencer = both.sequencer()
    for frame in (OPENED, tick(1), tick(2), tick(3)):
        sequencer.put(frame)
    assert both.seen == [OPENED, Dropped(t_host_ns=99, count=1), Dropped(t_host_ns=99, count=1), tick(3)]


def test_closing_tells_what_is_missing_counts_the_frames_and_takes_no_more():
    both = Both(room=[True, False])
    sequencer = both.sequencer()
    sequencer.put(OPENED)
    sequencer.put(tick(1))
    closed = sequencer.close("done")
    assert closed == Closed(t_host_ns=99, reason="done", count=2)
    sequencer.put(tick(2))
    assert both.recorded == [(0, OPENED), (1, Dropped(t_host_ns=99, count=1))]
    assert both.seen == [OPENED, Dropped(t_host_ns=99, count=1), closed]


def test_without_room_to_the_very_end_the_missing_frames_stay_counted():
    both = Both(room=[True, False, False])
    sequencer = both.sequencer()
    sequencer.put(OPENED)
    sequencer.put(tick(1))
    assert sequencer.close("full").count == 1
    assert sequencer.missing == 1


@pytest.mark.parametrize(("before", "frame"), [([], tick(1)), ([OPENED], OPENED)])
def test_a_session_begins_with_exactly_one_opened(before: list[Frame], frame: Frame):
    sequencer = Both().sequencer()
    for earlier in before:
        sequencer.put(earlier)
    with pytest.raises(ValueError, match="exactly one Opened"):
        sequencer.put(frame)


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_recorder_and_session_always_agree_and_nothing_vanishes(room: list[bool], count: int):
    both = Both(room=[True, *room])
    sequencer = both.sequencer()
    sequencer.put(OPENED)
    for number in range(count):
        sequencer.put(tick(number))
    assert [frame for _, frame in both.recorded] == both.seen
    assert [number for number, _ in both.recorded] == list(range(sequencer.count))
    ticks = [frame.t_host_ns for frame in both.seen if isinstance(frame, Tick)]
    told = sum(frame.count for frame in both.seen if isinstance(frame, Dropped))
    assert ticks == sorted(ticks)
    assert len(ticks) + told + sequencer.missing == count


async def test_frames_of_another_thread_come_through_the_loop_in_their_order():
    both = Both()
    loop = asyncio.get_running_loop()
    mine = threading.get_ident()
    threads: list[int] = []
    sequencer = Sequencer(lambda: 99, both.take, lambda _: threads.append(threading.get_ident()))
    sequencer.put(OPENED)

    def other() -> None:
        for number in range(50):
            sequencer.put_threadsafe(loop, tick(number))

    await asyncio.to_thread(other)
    await asyncio.sleep(0)
    assert [frame for _, frame in both.recorded[-50:]] == [tick(number) for number in range(50)]
    assert set(threads) == {mine}


def test_the_sequencer_needs_nothing_of_bluetooth():
    code = "import companion.link.sequencer, companion.link.radio, sys; print('bleak' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_kinds_of_frames_do_not_matter():
    both = Both()
    sequencer = both.sequencer()
    frames = [
        OPENED,
        LinkUp(t_host_ns=2, address="a"),
        Notification(t_host_ns=3, characteristic="c", data=b"\x00"),
    ]
    for frame in frames:
        sequencer.put(frame)
    assert both.seen == frames
