"""What is fetched from a sensor's buffer, when, and when not: frames in, commands out."""

from collections.abc import Callable
from typing import Any

import pytest

import firmware_protocol as fp
from firmware_protocol.posture_v1.backfill import TRIES, Backfill
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    INFO,
    STATUS,
    Capability,
    Fetch,
    FetchDone,
    Info,
    Status,
    StatusFlag,
    Unsupported,
)

S = 1_000_000_000


def description(buffer: bool = True) -> fp.Reading:
    info = Info(bytes(range(16)), Capability.BUFFER if buffer else 0, 31, 15, 31, 36_000 if buffer else 0)
    return fp.Reading(t_host_ns=0, characteristic=INFO, data=info.to_bytes())


class Told:
    """A session with a sensor, and what its Backfill asks of it."""

    def __init__(self, sensor: Any, *, buffer: bool = True) -> None:
        self.sensor = sensor
        self.backfill = Backfill()
        self.script: fp.Script | None = None
        self.hear(fp.LinkUp(t_host_ns=0, address="x"), description(buffer))

    def hear(self, *frames: fp.Frame) -> None:
        self.backfill.feed(frames)

    def live(self, packets: int = 1, samples: int = 5) -> None:
        self.hear(*self.sensor.packets(packets, samples))

    def missed(self, samples: int) -> range:
        """These are taken, and do not come."""
        numbers: range = self.sensor.take(samples)
        return numbers

    def flows(self) -> None:
        """A second of motion, so that nothing is too fresh."""
        assert self.backfill.next() is None
        self.live(10)

    def asked(self) -> Fetch | None:
        """The next script's command."""
        self.script = self.backfill.next()
        if self.script is None:
            return None
        step = next(self.script)
        assert isinstance(step, fp.Write)
        assert step.characteristic == CONTROL
        self.awaited = self.script.send(b"")
        assert isinstance(self.awaited, fp.Await)
        return Fetch.from_bytes(step.data)

    def control(self, message: Any) -> None:
        """An indication arrives; it ends the script where that awaits it."""
        frame = self.sensor._frame(CONTROL, message.to_bytes())
        self.hear(frame)
        if self.script is not None and self.awaited.accept(frame.data):
            with pytest.raises(StopIteration):
                self.script.send(frame.data)

    def sends(self, numbers: range, each: int = 5) -> None:
        for first in range(numbers.start, numbers.stop, each):
            part = range(first, min(first + each, numbers.stop))
            self.hear(self.sensor.motion(part, backfilled=True))

    def done(self, fetch: Fetch, sent: int | None = None, result: int = 0) -> None:
        sent = fetch.count if sent is None else sent
        self.control(FetchDone(result, fetch.stream, fetch.first, sent, fetch.count - sent))

    def status(self, oldest: int, newest: int, stream: int | None = None) -> None:
        stream = self.sensor.stream if stream is None else stream
        data = Status(stream, StatusFlag.HAS_BUFFER, newest, oldest, 0, 0, 90, 30).to_bytes()
        self.hear(self.sensor._frame(STATUS, data))


@pytest.fixture
def told(new_sensor: Any) -> Callable[..., Told]:
    """Makes sessions whose sensor has been started and has sent 20 samples."""

    def make(*, buffer: bool = True, **options: Any) -> Told:
        session = Told(new_sensor(**options), buffer=buffer)
        session.hear(session.sensor.started())
        session.live(4)
        return session

    return make


def test_nothing_is_asked_for_where_nothing_is_missing(told: Any) -> None:
    session = told()
    for _ in range(100):
        session.live(5)
        assert session.asked() is None


def test_a_hole_is_asked_for_once_it_is_half_a_second_old(told: Any) -> None:
    session = told()
    session.missed(10)
    session.live(1)
    assert session.asked() is None
    session.live(4)  # 0.1 s each
    assert session.asked() is None
    session.live(1)
    assert session.asked() == Fetch(session.sensor.stream, 20, 10)
    assert session.awaited.timeout_s == pytest.approx(10.2)


def test_what_comes_in_another_order_is_not_asked_for(told: Any) -> None:
    session = told()
    late = session.sensor.motion(session.sensor.take(5))
    session.live(2)
    assert session.asked() is None
    session.hear(late)
    session.live(10)
    assert session.asked() is None


def test_an_outage_is_fetched_in_chunks_oldest_first_and_nothing_twice(told: Any) -> None:
    session = told()
    gap = session.missed(6000)
    session.hear(fp.LinkDown(t_host_ns=0, cause="x"), fp.LinkUp(t_host_ns=int(session.sensor.true_ns), address="x"))
    session.hear(session.sensor.time())
    session.live(1)
    session.flows()
    asked = []
    while (fetch := session.asked()) is not None:
        asked.append((fetch.first, fetch.count))
        session.live(1)
        session.sends(range(fetch.first, fetch.first + fetch.count))
        session.live(1)
        session.done(fetch)
    assert asked == [(gap.start + 1500 * k, 1500) for k in range(4)]
    session.live(100)
    assert session.asked() is None


def test_chunks_are_whole_packets(told: Any) -> None:
    """19 samples at 100 Hz: of 30 s, 157 packets."""
    session = told(rate_hz=100)
    session.missed(6000)
    session.live(1, 19)
    session.flows()
    session.live(1, 19)
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (20, 157 * 19)
    assert session.awaited.timeout_s == pytest.approx(10 + 15.7)


def test_what_was_sent_and_did_not_come_is_asked_for_three_times(told: Any) -> None:
    session = told()
    gap = session.missed(20)
    session.live(1)
    session.flows()
    asked = []
    while (fetch := session.asked()) is not None:
        asked.append((fetch.first, fetch.count))
        if len(asked) == 1:
            session.sends(gap[5:10])
        session.live(1)
        session.done(fetch)
    one, other = (gap.start, 5), (gap.start + 10, 10)
    assert asked == [(gap.start, 20), *[one] * (TRIES - 1), *[other] * (TRIES - 1)]
    session.missed(5)  # a new hole is another matter
    session.live(1)
    session.flows()
    assert session.asked().first == session.sensor.taken - 60


def test_what_is_gone_is_not_asked_for_again(told: Any) -> None:
    session = told()
    gap = session.missed(20)
    session.live(1)
    session.flows()
    fetch = session.asked()
    session.sends(gap[12:])
    session.live(1)
    session.done(fetch, sent=8)
    session.live(20)
    assert session.asked() is None


def test_gone_and_lost_on_the_way_are_told_apart_by_asking_again(told: Any) -> None:
    session = told()
    gap = session.missed(20)
    session.live(1)
    session.flows()
    fetch = session.asked()
    session.sends(gap[10:15])  # the first ten are gone, the last five were lost on the way
    session.live(1)
    session.done(fetch, sent=10)
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (gap.start, 10)
    session.live(1)
    session.done(fetch, sent=0)
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (gap.start + 15, 5)
    session.sends(gap[15:])
    session.live(1)
    session.done(fetch)
    assert session.asked() is None


def test_what_the_buffer_no_longer_holds_is_passed_over(told: Any) -> None:
    session = told()
    gap = session.missed(1000)
    session.live(1)
    session.status(oldest=gap.start + 400, newest=session.sensor.taken - 1)
    session.flows()
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (gap.start + 400, 600)


@pytest.mark.parametrize("stream", [None, 77])
def test_a_status_that_cannot_be_is_not_believed(told: Any, stream: int | None) -> None:
    session = told()
    gap = session.missed(1000)
    session.live(1)
    newest = session.sensor.taken - 1 if stream else 5
    session.status(oldest=gap.start + 400, newest=newest, stream=stream)
    session.flows()
    assert session.asked().first == gap.start


def test_a_busy_sensor_is_left_alone_twice_as_long_each_time(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    fetch, waits = session.asked(), []
    for _ in range(7):
        session.done(fetch, sent=0, result=2)
        answered_ns = session.sensor.true_ns
        while (fetch := session.asked()) is None:
            session.live(1)
        waits.append(round((session.sensor.true_ns - answered_ns) / S))
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_a_sensor_that_does_not_answer_is_tried_three_times(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    asked = 0
    for _ in range(1000):
        session.live(5)
        if session.asked() is not None:
            asked += 1
            session.script.close()
    assert asked == TRIES


def test_a_fetch_that_is_broken_off_goes_on_after_the_link_is_back(told: Any) -> None:
    session = told()
    gap = session.missed(1000)
    session.live(1)
    session.flows()
    for kept in range(100, 600, 100):
        assert session.asked().first == gap[kept - 100]
        session.sends(gap[kept - 100 : kept])
        session.live(1)
        down = session.sensor.true_ns
        session.hear(fp.LinkDown(t_host_ns=int(down), cause="x"))
        session.script.close()
        assert session.asked() is None
        session.hear(fp.LinkUp(t_host_ns=int(down), address="x"), description(), session.sensor.time())
        assert session.asked() is None  # motion does not flow yet
        session.live(1)
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (gap[500], 500)


def test_links_that_are_lost_one_after_the_other_cost_no_sample(told: Any) -> None:
    session = told()
    gap = session.missed(20)
    session.live(1)
    session.flows()
    for _ in range(2 * TRIES):
        assert session.asked().first == gap.start
        broken_off(session)
    fetch = session.asked()
    session.sends(gap)
    session.live(1)
    session.done(fetch)
    assert session.asked() is None


def test_a_sensor_that_ends_the_link_whenever_it_is_asked_is_left_alone(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    asked = 0
    while session.asked() is not None:
        asked += 1
        broken_off(session)
    assert asked == 4 * TRIES


def broken_off(session: Any) -> None:
    """The link is lost before anything comes, and is back; then motion flows."""
    down = int(session.sensor.true_ns)
    session.hear(fp.LinkDown(t_host_ns=down, cause="x"))
    session.script.close()
    session.hear(fp.LinkUp(t_host_ns=down, address="x"), description(), session.sensor.time())
    session.live(1)


def test_only_while_motion_flows(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    fetch = session.asked()
    session.done(fetch)  # nothing came
    assert session.asked() is None
    session.live(1)
    assert session.asked() == fetch


def test_a_sensor_without_a_buffer_is_asked_nothing(told: Any) -> None:
    session = told(buffer=False)
    session.missed(20)
    session.live(1)
    session.flows()
    assert session.asked() is None


def test_one_that_does_not_know_the_command_is_not_asked_again(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    session.asked()
    session.control(Unsupported(0x06))
    session.hear(fp.LinkUp(t_host_ns=0, address="x"), description(), session.sensor.time())
    session.missed(20)
    session.live(100)
    assert session.asked() is None
    session.live(100)
    assert session.asked() is None


def test_other_answers_are_not_taken_for_ones_own(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    fetch = session.asked()
    accept = session.awaited.accept
    assert accept(FetchDone(0, fetch.stream, fetch.first, 20, 0).to_bytes())
    assert accept(Unsupported(6).to_bytes())
    for other in (
        FetchDone(0, fetch.stream + 1, fetch.first, 20, 0),
        FetchDone(0, fetch.stream, fetch.first + 1, 20, 0),
        Unsupported(3),
    ):
        assert not accept(other.to_bytes())
    assert not accept(b"")
    assert not accept(b"\x86\x00")


def test_what_was_before_this_session_joined_is_not_fetched(new_sensor: Any) -> None:
    session = Told(new_sensor())
    session.sensor.running_since(100_000)
    session.hear(session.sensor.time())
    session.missed(10)
    session.live(1)
    session.flows()
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (100_000, 10)  # and none of the hundred thousand
    session.sends(range(100_000, 100_010))
    session.live(1)
    session.done(fetch)
    assert session.asked() is None


def test_what_a_stream_that_ended_lacks_is_not_asked_for(told: Any) -> None:
    session = told()
    session.missed(20)
    session.live(1)
    session.flows()
    session.hear(session.sensor.started())
    session.live(20)
    assert session.asked() is None
    session.missed(5)
    session.live(1)
    session.flows()
    assert session.asked() == Fetch(session.sensor.stream, 100, 5)


def test_indices_wrap(new_sensor: Any) -> None:
    session = Told(new_sensor())
    session.sensor.running_since(2**32 - 100)
    session.hear(session.sensor.time())
    session.live(10)
    session.missed(100)
    session.live(1)
    session.flows()
    fetch = session.asked()
    assert (fetch.first, fetch.count) == (2**32 - 50, 100)
    session.sends(range(2**32 - 50, 2**32 + 50))
    session.live(1)
    session.done(fetch)
    assert session.asked() is None


def test_a_long_session_keeps_few_frames(told: Any) -> None:
    session = told()
    for _ in range(50):
        session.live(100)
        assert session.asked() is None
        assert len(session.backfill._waiting) < 1124


@pytest.mark.parametrize("ask_in_between", [False, True])
def test_a_packet_whose_time_is_wrong_is_fetched(told: Any, ask_in_between: bool) -> None:
    """Its head is what it should be: nothing but its time shows that the decoder refuses it."""
    session = told()
    session.live(20)
    assert session.asked() is None
    wrong = session.missed(5)
    session.hear(session.sensor.motion(wrong, time_1024=30_000))
    if ask_in_between:
        assert session.asked() is None
    session.live(20)
    if ask_in_between:
        assert session.asked() is None  # it shows now
        session.live(10)
    else:
        session.flows()
    assert session.asked() == Fetch(session.sensor.stream, wrong.start, 5)


def test_nothing_is_decoded_where_nothing_is_missing(told: Any) -> None:
    session = told()
    session.live(20)
    assert session.asked() is None
    for _ in range(50):
        session.live(10)
        assert session.asked() is None
    assert len(session.backfill._waiting) == 500


def test_many_holes_are_looked_at_a_few_at_a_time(told: Any) -> None:
    """What is gone is passed over, however many parts it has, and the next hole is found."""
    session = told()
    gap = session.missed(1400)
    session.live(1)
    session.flows()
    fetch = session.asked()
    for number in gap[::2]:
        session.sends(range(number, number + 1))
    session.live(1)
    session.done(fetch, sent=700)
    missed = session.missed(5)
    session.live(10)
    assert [session.asked() for _ in range(3)] == [None, None, None]  # 700 holes
    assert session.asked() is None  # it shows now
    session.live(10)
    assert session.asked() == Fetch(session.sensor.stream, missed.start, 5)
