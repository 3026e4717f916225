"""The scripts of posture_v1, run against tables of answers; no radio, no waiting."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import firmware_protocol as fp
from firmware_protocol.posture_v1.driver import DRIVER
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    INFO,
    MOTION,
    SERVICE,
    STATUS,
    Info,
    Start,
    Started,
    Status,
    Stop,
    Stopped,
    Time,
    TimeAnswer,
    Unsupported,
)

IDENTITY = bytes(range(16))
FULL = Info(IDENTITY, 0x7F, 31, 15, 31, 0)
STATUS_NOW = Status(6, 1, 0xFFFFFFFF, 0, 0, 9, 80, 25)
IDLE = TimeAnswer(0, 6, 0, 9_000_000, 0, 0, 0, 0)
RUNS = TimeAnswer(0, 7, 400, 17_000_000, 50, 8, 1000, 2)
RUNS_SLOWLY = TimeAnswer(0, 7, 400, 17_000_000, 25, 8, 1000, 2)
DONE = Started(0, 7, 9_100_000, 50, 8, 1000, 2)
BEFORE = [fp.Read(INFO), fp.Subscribe(CONTROL), fp.Subscribe(STATUS), fp.Read(STATUS)]


def run(script: fp.Script, replies: list[bytes]) -> Iterator[fp.GattStep]:
    """The steps of a script; each Read and Await is answered by the next reply that it accepts."""
    answers, reply = iter(replies), None
    try:
        while True:
            step = next(script) if reply is None else script.send(reply)
            yield step
            reply = b""
            if isinstance(step, fp.Read | fp.Await):
                accept = getattr(step, "accept", None)
                reply = next(answer for answer in answers if accept is None or accept(answer))
    except StopIteration:
        return


def said(steps: list[fp.GattStep]) -> list[fp.GattStep]:
    """The steps without the waiting."""
    return [step for step in steps if not isinstance(step, fp.Await)]


def written(steps: list[fp.GattStep]) -> list[bytes]:
    return [step.data for step in steps if isinstance(step, fp.Write)]


def start(info: Info, answers: list[Any], rate_hz: float | None = None) -> list[fp.GattStep]:
    replies = [
        message if isinstance(message, bytes) else message.to_bytes() for message in (info, STATUS_NOW, *answers)
    ]
    return list(run(DRIVER.start(rate_hz), replies))


def test_a_sensor_that_is_idle_is_started() -> None:
    steps = start(FULL, [IDLE, DONE, RUNS])
    assert said(steps) == [
        *BEFORE,
        fp.Write(CONTROL, Time().to_bytes()),
        fp.Subscribe(MOTION),
        fp.Write(CONTROL, Start(50, 8, 1000, 2).to_bytes()),
        fp.Write(CONTROL, Time().to_bytes()),
    ]
    assert all(step.with_response for step in steps if isinstance(step, fp.Write))


def test_each_write_is_followed_by_waiting_for_its_own_answer() -> None:
    steps = start(FULL, [IDLE, DONE, RUNS])
    for step, after in pairwise(steps):
        if isinstance(step, fp.Write):
            assert isinstance(after, fp.Await)
            assert after.characteristic == CONTROL
            assert after.accept is not None
            assert after.accept(bytes([step.data[0] | 0x80]) + b"\x00") is False  # too short to be one
            assert after.accept(Unsupported(step.data[0]).to_bytes())
            assert not after.accept(Unsupported(0x44).to_bytes())
            assert not after.accept(Stopped(0, 0, 0).to_bytes())
            assert not after.accept(b"")


def test_a_sensor_that_samples_as_wanted_is_left_alone() -> None:
    steps = start(FULL, [RUNS])
    assert said(steps) == [*BEFORE, fp.Write(CONTROL, Time().to_bytes()), fp.Subscribe(MOTION)]


def test_a_sensor_that_samples_otherwise_is_stopped_first_so_that_its_tail_is_counted() -> None:
    steps = start(FULL, [RUNS_SLOWLY, Stopped(0, 7, 402), DONE, RUNS])
    assert written(steps) == [message.to_bytes() for message in (Time(), Stop(), Start(50, 8, 1000, 2), Time())]


@pytest.mark.parametrize(
    ("info", "rate_hz", "asked"),
    [
        (FULL, 200.0, Start(200, 8, 1000, 2)),
        (Info(IDENTITY, 0, 0b00010, 0b0011, 0, 0), None, Start(25, 4, 0, 1)),
        (Info(IDENTITY, 1, 0b11000, 0b1000, 0b00011, 0), None, Start(100, 16, 250, 2)),
        (Info(IDENTITY, 1, 0b00100, 0b1100, 0b10000, 0), 50.0, Start(50, 8, 2000, 2)),
        (Info(IDENTITY, 1, 0b00100, 0b1100, 0, 0), 50.0, Start(50, 8, 0, 1)),
    ],
    ids=["rate as asked", "least of a small one", "next above or last", "next range above", "no range, no gyroscope"],
)
def test_what_is_asked_of_which_sensor(info: Info, rate_hz: float | None, asked: Start) -> None:
    running = TimeAnswer(0, 7, 0, 1, asked.rate_hz, asked.acc_range_g, asked.gyr_range_dps, asked.layout)
    started = Started(0, 7, 1, asked.rate_hz, asked.acc_range_g, asked.gyr_range_dps, asked.layout)
    assert written(start(info, [IDLE, started, running], rate_hz))[1] == asked.to_bytes()


@pytest.mark.parametrize(
    ("info", "answers", "rate_hz", "sentence"),
    [
        (b"\x02\x00", [], None, "The sensor speaks version 2 of its protocol; this program knows version 1."),
        (b"\x01\x00", [], None, "The sensor's description cannot be read: Info has 27 bytes, not 2."),
        (b"", [], None, "The sensor's description cannot be read: Info has 27 bytes, not 0."),
        (FULL, [], 60.0, "The sensor does not sample at 60 Hz; it offers 10, 25, 50, 100, 200 Hz."),
        (FULL, [], 12.5, "The sensor does not sample at 12.5 Hz; it offers 10, 25, 50, 100, 200 Hz."),
        (
            Info(IDENTITY, 0, 0, 15, 0, 0),
            [],
            None,
            "The sensor offers no rate or no range that this program knows.",
        ),
        (FULL, [Unsupported(3)], None, "The sensor does not tell its time, which this protocol requires."),
        (
            FULL,
            [IDLE, Started(1, 6, 9, 0, 0, 0, 0)],
            None,
            "The sensor did not start to sample at 50 Hz, though it offers that rate.",
        ),
        (
            FULL,
            [IDLE, Unsupported(1)],
            None,
            "The sensor did not start to sample at 50 Hz, though it offers that rate.",
        ),
    ],
)
def test_refusals_are_one_sentence(info: Any, answers: list[Any], rate_hz: float | None, sentence: str) -> None:
    with pytest.raises(fp.ScriptRefused) as refused:
        start(info, answers, rate_hz)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("answer", [Stopped(0, 7, 99), Stopped(3, 7, 99), Unsupported(2)], ids=str)
def test_stop_waits_for_the_answer(answer: Any) -> None:
    steps = list(run(DRIVER.stop(), [answer.to_bytes()]))
    assert said(steps) == [fp.Write(CONTROL, Stop().to_bytes())]
    assert isinstance(steps[-1], fp.Await)


def test_match_is_by_service() -> None:
    def advertisement(*uuids: str) -> fp.Advertisement:
        return fp.Advertisement(t_host_ns=0, address="C0:00:00:00:00:01", service_uuids=uuids)

    assert DRIVER.match(advertisement(SERVICE.upper())) == 1.0
    assert DRIVER.match(advertisement("0000180f-0000-1000-8000-00805f9b34fb")) == 0.0
    assert fp.best_match(advertisement(SERVICE)) is DRIVER
    assert fp.driver("posture_v1") is DRIVER


def test_uuids_are_distinct_128_bit_and_lower_case() -> None:
    uuids = [SERVICE, MOTION, CONTROL, STATUS, INFO]
    assert len(set(uuids)) == 5
    assert all(len(uuid) == 36 and uuid == uuid.lower() for uuid in uuids)
    assert DRIVER.services == (SERVICE,)


def test_what_a_script_hears_is_what_the_decoder_needs() -> None:
    """The answers of a start, as frames, announce the stream twice: one of them may be lost."""
    heard = [fp.Notification(t_host_ns=0, characteristic=CONTROL, data=a.to_bytes()) for a in (IDLE, DONE, RUNS)]
    for missing in range(3):
        decoded = DRIVER.new_decoder().feed(heard[:missing] + heard[missing + 1 :])
        assert [segment.rate_hz for segment in decoded.segments] == [50.0]
