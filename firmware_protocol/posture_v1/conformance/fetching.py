"""What is asked of a sensor's buffer while it samples.

Pure scripts. Must never know: how a step is carried out.
"""

from itertools import pairwise

from firmware_protocol.posture_v1.conformance.asking import Asking, ask, result_word
from firmware_protocol.posture_v1.conformance.evidence import Evidence
from firmware_protocol.posture_v1.conformance.runs import NS_PER_S, Line, Run, line_of
from firmware_protocol.posture_v1.conformance.steps import Listen
from firmware_protocol.posture_v1.conformance.watch import Fetching
from firmware_protocol.posture_v1.packets import (
    Fetch,
    FetchDone,
    Info,
    Motion,
    Result,
    Unsupported,
)

_TWINS_S = 1.0
"""So much before and behind the gap is fetched as well: it came live, and must be the same."""
_SHORTEST_S, _EACH_S = 3.0, 0.1  # patience with a Fetch, and with each packet of it
_BEYOND = 3
_LIVE_S = 1.5  # the longest silence of live packets beside a Fetch: they may wait for 1 s
LATE_S = 0.3  # for packets behind the answer
_CLOSE_TICKS = 8.2 + 2.5  # 8 ms, and roundings down to a whole tick


def unsupported(seen: Evidence) -> Asking[None]:
    """A sensor without a buffer."""
    data = Fetch(seen.watch.stream or 0, 0, 1).to_bytes()
    reply = yield from ask(seen, data, blame="fetch-unsupported", fetch_s=_SHORTEST_S)
    if reply is not None and reply.frame is not None:
        right = reply.frame.data == Unsupported(6).to_bytes()
        seen.note("fetch-unsupported", right, f"it was answered {reply.frame.data.hex(' ')}")


def fetches(seen: Evidence, run: Run, info: Info) -> Asking[None]:
    """The gap of a disconnection with what lies beside it; what is not held; more than there can be; nothing."""
    yield from _gap(seen, run, info)
    yield from _not_held(seen, run)
    yield from _beyond_all(seen, run)
    yield from _none_at_all(seen, run)


def _gap(seen: Evidence, run: Run, info: Info) -> Asking[None]:
    if len(run.packets) < 2:
        return  # nothing came live that could be compared
    holes = [(one.end, two.index) for one, two in pairwise(run.packets)]
    begin, end = max(holes, key=lambda hole: hole[1] - hole[0], default=(0, run.end))
    beside = round(_TWINS_S * run.force.rate_hz)
    first = max(0, begin - beside)
    fetch = Fetch(run.stream, first, min(end + beside, run.end) - first)
    packets_before, began_ns = len(run.packets), seen.now_ns
    done, fetching = yield from fetch_all(seen, run, fetch)
    if done is None:
        return
    lasted_s = (seen.now_ns - began_ns) / NS_PER_S
    counts(seen, fetch, done)
    seen.note("fetch-counts", done.result == Result.OK, f"the result was {done.result}")
    room = info.buffer_samples >= run.end
    if room:
        seen.note("fetch-held", done.gone == 0, f"{done.gone} of samples {first} to {end + beside - 1} are gone")
    _brought(seen, run, fetch, done, fetching)
    yield Listen(_LIVE_S + 0.25)
    times = [began_ns, *(packet.t_ns for packet in run.packets[packets_before:]), seen.now_ns]
    longest_s = max(two - one for one, two in pairwise(times)) / NS_PER_S
    told = f"none came for {longest_s:.1f} s of a Fetch of {lasted_s:.1f} s"
    seen.note("fetch-live", longest_s <= _LIVE_S + 0.25, told)


def fetch_all(seen: Evidence, run: Run, fetch: Fetch) -> Asking[tuple[FetchDone | None, Fetching]]:
    """One Fetch to its end, and what came of it."""
    fetching = seen.watch.fetching = Fetching(fetch.stream, fetch.first, fetch.count, run.end)
    patience_s = _SHORTEST_S + _EACH_S * min(fetch.count, run.end) / max(1, in_a_packet(run))
    reply = yield from ask(seen, fetch.to_bytes(), blame="fetch-counts", fetch_s=patience_s)
    yield Listen(LATE_S)
    seen.watch.fetching = None
    answer = seen.parsed(reply.frame.data) if reply is not None and reply.frame is not None else None
    if answer is not None and not isinstance(answer, FetchDone):
        seen.note("answers-opcode", False, f"{fetch.to_bytes().hex(' ')} was answered {answer}")
    return (answer if isinstance(answer, FetchDone) else None), fetching


def counts(seen: Evidence, fetch: Fetch, done: FetchDone) -> None:
    """What every answer to Fetch must say."""
    echoes = (done.stream, done.first) == (fetch.stream, fetch.first)
    seen.note(
        "fetch-counts", echoes, f"stream {fetch.stream}, {fetch.first} was asked; {done.stream}, {done.first} told"
    )
    told = f"sent {done.sent} + gone {done.gone} where {fetch.count} were asked for"
    seen.note("fetch-counts", done.sent + done.gone == fetch.count, told)


def _brought(seen: Evidence, run: Run, fetch: Fetch, done: FetchDone, fetching: Fetching) -> None:
    """The packets themselves; one that the radio lost is no fault."""
    came = sum(len(motion.raw) for motion in fetching.packets)
    seen.note("fetch-sent", came <= done.sent, f"{came} came where {done.sent} are told")
    seen.note("fetch-sent", came > 0 or not done.sent, f"none came where {done.sent} are told")
    at, line = fetch.first, line_of(max(run.segments, key=len, default=[]))
    for motion in fetching.packets:
        end = motion.index + len(motion.raw)
        inside = at <= motion.index and end <= fetch.first + fetch.count
        seen.note("fetch-order", inside, f"sample {motion.index} came where {at} was the next")
        at = max(at, end)
        _twin(seen, run, motion)
        _timed(seen, line, motion)


def _twin(seen: Evidence, run: Run, motion: Motion) -> None:
    """A fetched packet beside the live ones."""
    end = motion.index + len(motion.raw)
    for packet in run.packets:
        first, after = max(packet.index, motion.index), min(packet.end, end)
        if first >= after:
            continue
        live = packet.motion.raw[first - packet.index : after - packet.index]
        same = bool((live == motion.raw[first - motion.index : after - motion.index]).all())
        seen.note("fetch-same", same, f"sample {first} or one of the {after - first} from there differs")


def _timed(seen: Evidence, line: Line | None, motion: Motion) -> None:
    """Its device time against the line through the live ones."""
    if line is not None:
        off = (motion.time_1024 - line.ticks(motion.index) + 32768) % 65536 - 32768
        seen.note("fetch-time", abs(off) <= _CLOSE_TICKS, f"sample {motion.index} is {off / 1.024:+.0f} ms off")


def _not_held(seen: Evidence, run: Run) -> Asking[None]:
    """Samples of another stream, and of the future."""
    for fetch in (Fetch((run.stream + 7) % 256, 0, 10), Fetch(run.stream, (run.end + 100_000) % 2**32, 5)):
        done, fetching = yield from fetch_all(seen, run, fetch)
        if done is None:
            return
        counts(seen, fetch, done)
        told = f"sent {done.sent}, gone {done.gone} of {fetch.count}"
        gone = (done.sent, done.gone) == (0, fetch.count) and not fetching.packets
        seen.note("fetch-gone", gone, told)


def _beyond_all(seen: Evidence, run: Run) -> Asking[None]:
    """First and count together pass 2^32. Whether numbers beyond it are those from 0 on is not said: both will do."""
    first = run.end - 10
    if first <= _BEYOND:
        return
    fetch = Fetch(run.stream, first, 2**32 - first + _BEYOND)
    done, _ = yield from fetch_all(seen, run, fetch)
    if done is not None:
        counts(seen, fetch, done)
        told = f"{fetch.first} + {fetch.count} was answered {result_word(done.result)}"
        seen.note("fetch-wraps", done.result == Result.OK, told)


def _none_at_all(seen: Evidence, run: Run) -> Asking[None]:
    done, _ = yield from fetch_all(seen, run, Fetch(run.stream, 0, 0))
    if done is not None:
        right = (done.result, done.sent, done.gone) == (Result.BAD_VALUE, 0, 0)
        seen.note("fetch-zero", right, f"result {done.result}, sent {done.sent}, gone {done.gone}")


def in_a_packet(run: Run) -> int:
    """How many samples the last packets held, at most."""
    return max((len(packet.motion.raw) for packet in run.packets[-8:]), default=1)
