"""What else happens to a sensor while a Fetch runs: a second one, Time, Stop, Start; and who may not ask for one.

Pure scripts. A Fetch may be over before the next command comes: then nothing can be said of it. Must never know: how
a step is carried out.
"""

from firmware_protocol.counters import signed_difference
from firmware_protocol.posture_v1.conformance.asking import Asking, ask_start, ask_stop, ask_time
from firmware_protocol.posture_v1.conformance.evidence import Evidence
from firmware_protocol.posture_v1.conformance.fetching import LATE_S, counts, fetch_all, in_a_packet
from firmware_protocol.posture_v1.conformance.runs import NS_PER_S, Run
from firmware_protocol.posture_v1.conformance.steps import Ask, Listen, Refused, Subscribe, Unsubscribe
from firmware_protocol.posture_v1.conformance.watch import Fetching
from firmware_protocol.posture_v1.packets import (
    MOTION,
    Fetch,
    FetchDone,
    Info,
    Result,
    Start,
    Started,
    Stopped,
    TimeAnswer,
)

_PACKETS = 25
_AHEAD_S = 2.0
_UNCOUNTED_S = 0.25  # samples in a chip's FIFO may be missing in a Time answer (README.md, section 7)
_LONG_ANSWER_S = 0.4  # an answer behind that of the Fetch, so late: it has waited for it


def unsubscribed(seen: Evidence, run: Run) -> Asking[None]:
    """Before Motion is subscribed to on a new link; a sensor may have kept it for a bonded host, and is asked anew."""
    fetch = Fetch(run.stream, 0, 3)
    done, _ = yield from fetch_all(seen, run, fetch)
    if done is not None and done.result != Result.BUSY:
        yield Subscribe(MOTION)
        yield Unsubscribe(MOTION)
        done, _ = yield from fetch_all(seen, run, fetch)
    if done is not None:
        right = (done.result, done.sent, done.gone) == (Result.BUSY, 0, fetch.count)
        seen.note("fetch-unsubscribed", right, f"result {done.result}, sent {done.sent}, gone {done.gone}")


def meanwhile(seen: Evidence, run: Run, info: Info, start: Start) -> Asking[None]:
    """Everything beside a Fetch; afterwards a new stream runs."""
    yield from _two(seen, run)
    if (yield from _time_waits(seen, run)) and (yield from _time_waits(seen, run)):  # once it may be the radio
        seen.note("fetch-others", False, "Time was answered after the Fetch, twice")
    yield from _stopped(seen, run, info)
    yield from _started_over(seen, run, start)
    yield from _emptied(seen, run)


def _two(seen: Evidence, run: Run) -> Asking[None]:
    """A second Fetch while the first runs; where the first is done before that, nothing can be said."""
    first, second = _many(run), Fetch(run.stream, 1, 3)
    seen.watch.fetching = Fetching(run.stream, 0, run.end, run.end)
    mark = len(seen.answers)
    for fetch in (first, second):
        yield from _put(seen, fetch)
    done = yield from _until_answered(seen, mark, 2)
    seen.watch.fetching = None
    if len(done) == 2 and done[0].first == second.first:
        busy = (done[0].result, done[0].sent, done[0].gone) == (Result.BUSY, 0, second.count)
        seen.note("fetch-busy", busy, f"result {done[0].result}, sent {done[0].sent}, gone {done[0].gone}")
        counts(seen, first, done[1])
    elif not done:
        seen.note("fetch-busy", False, "neither was answered")


def _time_waits(seen: Evidence, run: Run) -> Asking[bool]:
    """Time during a Fetch that asks for samples of the next two seconds, too; whether its answer seems to wait."""
    first = max(0, run.end - _PACKETS * in_a_packet(run))
    fetch = Fetch(run.stream, first, run.end + round(_AHEAD_S * run.force.rate_hz) - first)
    seen.watch.fetching = Fetching(run.stream, first, fetch.count, run.end)
    mark = len(seen.answers)
    yield from _put(seen, fetch)
    time = yield from ask_time(seen)
    done = yield from _until_answered(seen, mark, 1)
    seen.watch.fetching = None
    if time is None or not done:
        if not done:
            seen.note("fetch-later", False, f"{fetch.to_bytes().hex(' ')} was not answered")
        return False
    counts(seen, fetch, done[0])
    _later(seen, run, fetch, done[0], time)
    kinds = [type(seen.parsed(data)) for data in seen.answers[mark:]]
    if kinds.index(TimeAnswer) < kinds.index(FetchDone):
        seen.note("fetch-others", True)
        return False
    return seen.clocks[-1].received_ns - seen.clocks[-1].sent_ns > _LONG_ANSWER_S * NS_PER_S


def _later(seen: Evidence, run: Run, fetch: Fetch, done: FetchDone, time: TimeAnswer) -> None:
    """What Time told when the Fetch had come is the most that can have been sent."""
    taken = signed_difference(time.index, fetch.first)
    told = f"{done.sent} were sent where {taken} had been taken at a Time that came after it"
    seen.note("fetch-later", done.sent <= taken + _UNCOUNTED_S * run.force.rate_hz + 1, told)


def _stopped(seen: Evidence, run: Run, info: Info) -> Asking[None]:
    """Stop while a Fetch runs: all of it comes nevertheless."""
    fetch = _many(run)
    seen.watch.fetching = Fetching(run.stream, fetch.first, fetch.count, run.end)
    mark = len(seen.answers)
    yield from _put(seen, fetch)
    yield from ask_stop(seen)
    done = yield from _until_answered(seen, mark, 1)
    yield Listen(LATE_S)
    seen.watch.fetching = None
    for answer in done:
        counts(seen, fetch, answer)
    kinds = [type(seen.parsed(data)) for data in seen.answers[mark:]]
    if Stopped not in kinds or FetchDone in kinds[: kinds.index(Stopped)]:
        return  # it was over when Stop came
    if not done:
        seen.note("fetch-stop", False, "the Fetch was never answered")
    elif info.buffer_samples >= run.end and _holds_all(seen):
        told = f"sent {done[0].sent}, gone {done[0].gone} of {fetch.count}"
        seen.note("fetch-stop", done[0].gone == 0, told)


def _holds_all(seen: Evidence) -> bool:
    """Whether the Fetch of the gap has brought everything; else one cannot tell why something is gone now."""
    found = seen.book.entries.get("fetch-held")
    return found is not None and not found.broken


def _started_over(seen: Evidence, run: Run, start: Start) -> Asking[None]:
    """Start while a Fetch runs: first the end of the Fetch, then the new stream."""
    fetch = _many(run)
    seen.watch.fetching = Fetching(run.stream, 0, run.end, run.end)
    mark = len(seen.answers)
    yield from _put(seen, fetch)
    started = yield from ask_start(seen, start, rule="fetch-start")
    yield from _until_answered(seen, mark, 1)
    yield Listen(LATE_S)
    seen.watch.fetching = None
    answers = [seen.parsed(data) for data in seen.answers[mark:]]
    kinds = [type(answer) for answer in answers]
    if started and Started in kinds:
        right = FetchDone in kinds and kinds.index(FetchDone) < kinds.index(Started)
        seen.note("fetch-start", right, "the Fetch was answered later, or never")
    for answer in answers:
        if isinstance(answer, FetchDone):
            counts(seen, fetch, answer)


def _emptied(seen: Evidence, run: Run) -> Asking[None]:
    """The stream before, once another one runs."""
    if seen.watch.run is None or seen.watch.run.stream == run.stream or not run.end:
        return
    fetch = Fetch(run.stream, 0, min(10, run.end))
    done, fetching = yield from fetch_all(seen, run, fetch)
    if done is not None:
        counts(seen, fetch, done)
        gone = (done.sent, done.gone) == (0, fetch.count) and not fetching.packets
        seen.note("fetch-old", gone, f"sent {done.sent}, gone {done.gone} of {fetch.count} of stream {run.stream}")


def _many(run: Run) -> Fetch:
    """Enough to take a while, whatever the packets hold."""
    return Fetch(run.stream, 0, max(1, min(run.end, _PACKETS * in_a_packet(run))))


def _put(seen: Evidence, fetch: Fetch) -> Asking[None]:
    """Write a Fetch and do not wait."""
    seen.asked()
    reply = yield Ask(fetch.to_bytes(), timeout_s=0.0, fetched=True)
    if isinstance(reply, Refused):
        seen.gave_up()
        seen.note("fetch-busy", False, "writing it was refused with an error")


def _until_answered(seen: Evidence, mark: int, count: int) -> Asking[list[FetchDone]]:
    """The answers to Fetch since `mark`, once there are `count`, or after a while."""
    done: list[FetchDone] = []
    for _ in range(20):
        done = [each for each in map(seen.parsed, seen.answers[mark:]) if isinstance(each, FetchDone)]
        if len(done) >= count:
            break
        yield Listen(0.2)
    return done
