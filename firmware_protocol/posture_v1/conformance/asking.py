"""The exchanges that scenes are made of: a command and its answer, once more where none came.

Pure scripts. Must never know: how a step is carried out.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Reading
from firmware_protocol.posture_v1.conformance.evidence import Clock, Evidence
from firmware_protocol.posture_v1.conformance.steps import Answered, Ask, Read, Refused, Reply, Step, Subscribe
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    INFO,
    MOTION,
    STATUS,
    Command,
    Info,
    Layout,
    Result,
    Start,
    Started,
    Status,
    StatusFlag,
    Stop,
    Stopped,
    Time,
    TimeAnswer,
)

T = TypeVar("T")
Asking: TypeAlias = Generator[Step, Reply, T]
_TRIES = 2


class SceneEnds(Exception):
    """What this scene needs is not there; the notes say why."""


def ask(seen: Evidence, data: bytes, *, blame: str = "answers", fetch_s: float = 0.0) -> Asking[Answered | None]:
    """Write to Control; the answer with its moments, None where none came in two tries or it was refused.

    `fetch_s`: it is a Fetch that may take so long; it is not written again.
    """
    sent_ns: int | None = None
    for _ in range(1 if fetch_s else _TRIES):
        seen.asked()
        reply = yield Ask(data, timeout_s=fetch_s, fetched=True) if fetch_s else Ask(data)
        if isinstance(reply, Answered):
            sent_ns = reply.sent_ns if sent_ns is None else sent_ns  # a late answer is that of the first try
            if reply.frame is not None:
                return Answered(sent_ns, reply.frame)
        seen.gave_up()
        if isinstance(reply, Refused):
            seen.note(blame, False, f"writing {_shown(data)} was refused with an error")
            return None
    seen.note(blame, False, f"{_shown(data)} was not answered")
    return None


def ask_for(seen: Evidence, command: Command, *, blame: str = "answers") -> Asking[Answered | None]:
    """The same for a command that every sensor knows: an answer with another opcode is none."""
    data = command.to_bytes()
    reply = yield from ask(seen, data, blame=blame)
    if reply is None or reply.frame is None:
        return None
    right = reply.frame.data[:1] == bytes([data[0] | 0x80])
    seen.note("answers-opcode", right, f"{_shown(data)} was answered {_shown(reply.frame.data)}")
    return reply if right else None


def ask_time(seen: Evidence) -> Asking[TimeAnswer | None]:
    """Time, entered among the clocks."""
    reply = yield from ask_for(seen, Time())
    if reply is None or reply.frame is None:
        return None
    answer = seen.parsed(reply.frame.data)
    if not isinstance(answer, TimeAnswer):
        return None
    restarted = bool(seen.clocks) and answer.time_us < seen.clocks[-1].time_us
    if restarted and seen.clocks[-1].link != seen.watch.link:
        seen.note("restart", False, f"its clock went back to {answer.time_us / 1e6:.1f} s over a lost link")
        seen.clocks.clear()
        seen.watch.run = None
    seen.clocks.append(Clock(reply.sent_ns, reply.frame.t_host_ns, answer.time_us, seen.watch.link))
    return answer


def ask_start(seen: Evidence, start: Start, *, rule: str = "start-answer") -> Asking[bool]:
    """Start, with notes on its answer; whether it samples as asked."""
    before = seen.watch.stream
    reply = yield from ask_for(seen, start)
    if reply is None or reply.frame is None:
        return False
    answer = seen.parsed(reply.frame.data)
    if not isinstance(answer, Started):
        return False
    said = Start(answer.rate_hz, answer.acc_range_g, answer.gyr_range_dps, answer.layout)
    done = answer.result == Result.OK and said == start
    seen.note(rule, done, f"{described(start)} was answered {result_word(answer.result)}, {described(said)}")
    if answer.result == Result.OK:
        if before is not None:
            told = f"{answer.stream} came after {before}"
            seen.note("start-stream", answer.stream == (before + 1) % 256, told)
        seen.clocks.append(Clock(reply.sent_ns, reply.frame.t_host_ns, answer.time_us, seen.watch.link))
    return done


def ask_stop(seen: Evidence) -> Asking[TimeAnswer | None]:
    """Stop, then Time: how many samples there were; None where one of the two was not answered."""
    run = seen.watch.run
    reply = yield from ask_for(seen, Stop())
    if reply is None or reply.frame is None:
        return None
    stopped = seen.parsed(reply.frame.data)
    if not isinstance(stopped, Stopped):
        return None
    if run is not None:
        done = stopped.result == Result.OK and stopped.stream == run.stream
        told = f"it was {result_word(stopped.result)} for stream {stopped.stream}, {run.stream} ran"
        seen.note("stop-answer", done, told)
    time = yield from ask_time(seen)
    if time is not None and time.layout == Layout.NONE:
        told = f"newest is {stopped.newest} and Time tells {time.index}"
        seen.note("stop-newest", (stopped.newest + 1) % 2**32 == time.index, told)
        if run is not None:
            run.taken = time.index
    return time


def read_status(seen: Evidence) -> Asking[Status | None]:
    """Status, read."""
    reply = yield Read(STATUS)
    if not isinstance(reply, Reading):
        seen.note("status-values", False, "it cannot be read")
        return None
    return seen.status_of(reply.data)


def read_info() -> Asking[tuple[Info | None, bytes]]:
    """Info, read: as a value, and as its bytes."""
    reply = yield Read(INFO)
    if not isinstance(reply, Reading):
        return None, b""
    try:
        return Info.from_bytes(reply.data), reply.data
    except ProtocolError:
        return None, reply.data


def arrive(seen: Evidence) -> Asking[TimeAnswer]:
    """What a host does on each new link (README.md, section 10); on one that is not new only Time is asked."""
    new = _is_new(seen)
    time = yield from greet(seen)
    if new:
        yield from follow(seen)
    return time


def greet(seen: Evidence) -> Asking[TimeAnswer]:
    """The same up to the point where Motion is subscribed to."""
    new = _is_new(seen)
    if new:
        yield Subscribe(CONTROL)
        yield Subscribe(STATUS)
        seen.subscribed()
    time = yield from ask_time(seen)
    if time is None:
        seen.over = "Time was not answered"
        raise SceneEnds
    return time


def follow(seen: Evidence) -> Asking[None]:
    """Subscribe to Motion."""
    yield Subscribe(MOTION)
    seen.watch.subscribed(seen.now_ns)


def _is_new(seen: Evidence) -> bool:
    return not seen.links or seen.links[-1][1] is not None


def stop_what_runs(seen: Evidence) -> Asking[None]:
    """Begin a scene with a sensor that does not sample."""
    if (yield from arrive(seen)).layout != Layout.NONE:
        yield from ask_stop(seen)


def samples(status: Status) -> bool:
    """Whether a Status says that it samples."""
    return bool(status.flags & StatusFlag.SAMPLING)


def described(start: Start) -> str:
    """What is asked, or in force, in words."""
    return f"{start.rate_hz} Hz, {start.acc_range_g} g, {start.gyr_range_dps} °/s, layout {start.layout}"


def result_word(result: int) -> str:
    """A result in words."""
    words = {Result.OK: "done", Result.BAD_VALUE: "bad value", Result.BUSY: "busy", Result.NOT_SAMPLING: "not sampling"}
    return words.get(Result(result), str(result)) if result in list(Result) else f"result {result}"


def _shown(data: bytes) -> str:
    return data.hex(" ") if data else "an empty write"
