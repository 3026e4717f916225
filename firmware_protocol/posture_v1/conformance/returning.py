"""The scene of a host that goes away while the sensor samples, and comes back.

Pure script. Must never know: how a step is carried out.
"""

from firmware_protocol.counters import signed_difference
from firmware_protocol.posture_v1.conformance.asking import (
    SceneEnds,
    ask_start,
    ask_stop,
    ask_time,
    follow,
    greet,
    read_status,
    stop_what_runs,
)
from firmware_protocol.posture_v1.conformance.evidence import Evidence
from firmware_protocol.posture_v1.conformance.fetching import fetches, unsupported
from firmware_protocol.posture_v1.conformance.meanwhile import meanwhile, unsubscribed
from firmware_protocol.posture_v1.conformance.meeting import identity_again
from firmware_protocol.posture_v1.conformance.running import information_of, wanted
from firmware_protocol.posture_v1.conformance.runs import RATE_SHARE, Run
from firmware_protocol.posture_v1.conformance.steps import Listen, Play, Reconnect
from firmware_protocol.posture_v1.packets import Capability, Status, TimeAnswer

AWAY_S = 3.0
_BEFORE_S, _AFTER_S = 1.6, 1.6
_BLOCK_S = 0.25
"""Samples in a packet that is not full yet, or in a chip's FIFO: at most so much (README.md, sections 6 and 7)."""
_ON_THE_WAY_S = 0.5  # packets that were handed to the radio when the link ended


def returning(seen: Evidence) -> Play:
    """Start, go away, return: the stream must have gone on."""
    info = information_of(seen)
    yield from stop_what_runs(seen)
    start = wanted(info)
    if not (yield from ask_start(seen, start)):
        raise SceneEnds
    yield Listen(_BEFORE_S)
    before, run = (yield from ask_time(seen)), seen.watch.run
    if before is None or run is None:
        raise SceneEnds
    yield Reconnect(AWAY_S)
    yield from identity_again(seen)
    after = yield from greet(seen)
    if info.capabilities & Capability.BUFFER:
        yield from unsubscribed(seen, run)
    yield from follow(seen)
    status = yield from read_status(seen)
    if not _went_on(seen, before, after):
        return
    first = len(run.packets)
    if status is not None and run.packets:
        _dropped(seen, run, status)
    yield Listen(_AFTER_S)
    _backlog(seen, run, after, first)
    if info.capabilities & Capability.BUFFER:
        yield from fetches(seen, run, info)
        yield from meanwhile(seen, run, info, start)
    else:
        yield from unsupported(seen)
    yield from ask_stop(seen)


def _went_on(seen: Evidence, before: TimeAnswer, after: TimeAnswer) -> bool:
    if after.time_us < before.time_us:
        return False  # it has restarted, which is noted
    said, was = _running(after), _running(before)
    seen.note("return-stream", said == was, f"{_words(was)} ran before, {_words(said)} afterwards")
    if said != was:
        return False
    counted = signed_difference(after.index, before.index)
    due = (after.time_us - before.time_us) * before.rate_hz / 1e6
    slack = RATE_SHARE * due + 2 * _BLOCK_S * before.rate_hz + 1
    told = f"{counted} were counted in a time of {due:.0f}"
    seen.note("return-index", abs(counted - due) <= slack, told)
    return True


def _running(time: TimeAnswer) -> tuple[int, int, int, int, int]:
    return time.stream, time.rate_hz, time.acc_range_g, time.gyr_range_dps, time.layout


def _words(running: tuple[int, int, int, int, int]) -> str:
    stream, rate_hz, acc_range_g, gyr_range_dps, layout = running
    return f"stream {stream} ({rate_hz} Hz, {acc_range_g} g, {gyr_range_dps} °/s, layout {layout})"


def _dropped(seen: Evidence, run: Run, status: Status) -> None:
    """Between what must have been dropped and what has not come: the radio's own losses are in no counter."""
    taken = (status.newest + 1) % 2**32
    came = sum(len(packet.motion.raw) for packet in run.packets if packet.end <= taken)
    most, rate_hz = taken - came, run.force.rate_hz
    least = round((seen.away_s * (1 - RATE_SHARE) - 2 * _BLOCK_S - _ON_THE_WAY_S) * rate_hz)
    told = f"it is {status.dropped}; {came} of {taken} samples came, and no link was there for {seen.away_s:.1f} s"
    seen.note("dropped", least <= status.dropped <= most, told)


def _backlog(seen: Evidence, run: Run, after: TimeAnswer, first: int) -> None:
    """What came first on the new link may have been in hand when it was made, and is no older."""
    came = run.packets[first:]
    if not came:
        return
    oldest = after.index - round(2 * _BLOCK_S * run.force.rate_hz) - 1
    told = f"sample {came[0].index} came, though {after.index} were taken when the link was made"
    seen.note("return-backlog", came[0].index >= oldest, told)
