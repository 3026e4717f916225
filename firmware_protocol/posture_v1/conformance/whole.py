"""What can be said at the end only: rates, times, clocks, intervals, and what a few lost packets must not decide.

Pure arithmetic over the evidence. Must never know: how it was come by.
"""

from itertools import pairwise

import numpy as np

from firmware_protocol.posture_v1.conformance.evidence import Clock, Evidence
from firmware_protocol.posture_v1.conformance.runs import (
    JITTER_TICKS,
    NS_PER_S,
    RATE_SHARE,
    Line,
    Packet,
    Run,
    line_of,
    measured_hz,
)
from firmware_protocol.posture_v1.packets import (
    NONE_YET,
    TICKS_PER_S,
    Capability,
    StatusFlag,
    TimeAnswer,
)
from firmware_protocol.posture_v1.track import ticks_of

_TURN = 1 << 16
_FIFO_TICKS = TICKS_PER_S / 4  # samples in a chip's FIFO may not have been counted yet (README.md, section 7)
_CLOCK_SHARE = 0.02
_CLOCK_SLACK_US = 5_000
STATUS_EVERY_S, _STATUS_LATE_S = 10.0, 1.0
STATUS_APART_S = 0.7  # a second, less what the radio may do to two notifications
_WAIT_S, _LATE_SHARE, _LONG_RUN_S = 1.3, 0.25, 4.0
"""1 s, and what this computer may be late; a radio disturbed for seconds delays less than a quarter of a run."""
_STILL_G, _ONE_G_SHARE = 0.05, 0.15


def judge(seen: Evidence) -> None:
    """Enter what the whole shows."""
    seen.watch.end()
    for run in seen.watch.runs:
        _rate(seen, run)
        _times(seen, run)
        _waits(seen, run)
        _gravity(seen, run)
        _soon(seen, run)
    _beginnings(seen)
    _ends(seen)
    _agreement(seen)
    _clock(seen)
    _statuses(seen)
    if seen.clocks:
        seen.note("restart", True)
    if seen.links:
        seen.note("link", True)


def _rate(seen: Evidence, run: Run) -> None:
    found = measured_hz(run)
    if found is None:
        return
    hz, doubt = found
    off = hz / run.force.rate_hz - 1
    told = f"{hz:.2f} Hz were measured at {run.force.rate_hz} Hz"
    seen.note("motion-rate", abs(off) <= RATE_SHARE + doubt, told)


def _times(seen: Evidence, run: Run) -> None:
    for segment in run.segments:
        line = line_of(segment)
        if line is not None:
            told = f"at {run.force.rate_hz} Hz they lie {line.spread / TICKS_PER_S * 500:.1f} ms to either side"
            seen.note("motion-time", line.spread <= JITTER_TICKS, told)


def _waits(seen: Evidence, run: Run) -> None:
    """How long after its last sample each packet came at least, by the device clock and the nearest Time answer."""
    if not run.packets or run.packets[-1].t_ns - run.packets[0].t_ns < _LONG_RUN_S * NS_PER_S:
        return
    waits_s = [wait_s for packet in run.packets if (wait_s := _wait_s(seen, run, packet)) is not None]
    late = [wait_s for wait_s in waits_s if wait_s > _WAIT_S]
    told = f"{len(late)} of {len(waits_s)} came more than {_WAIT_S:g} s after their last sample"
    if waits_s:
        words = f"{told}, up to {max(waits_s):.1f} s"
        seen.note("motion-late", len(late) < max(2, _LATE_SHARE * len(waits_s)), words)


def _wait_s(seen: Evidence, run: Run, packet: Packet) -> float | None:
    """At least so long; None where no device time was told on this link."""
    told = [clock for clock in seen.clocks if clock.link == packet.link]
    if not told:
        return None
    clock = min(told, key=lambda each: abs(each.received_ns - packet.t_ns))
    taken_s = packet.ticks / TICKS_PER_S + (len(packet.motion.raw) - 1) / run.force.rate_hz
    apart_s = taken_s - clock.time_us / 1e6
    return (packet.t_ns - clock.received_ns) / NS_PER_S - apart_s - _CLOCK_SHARE * abs(apart_s)


def _gravity(seen: Evidence, run: Run) -> None:
    """Where a second of acceleration is still, it is gravity; a sensor that moves is let pass."""
    for first in range(0, run.end, max(run.force.rate_hz, 1)):
        inside = [
            packet.motion.raw[:, :3] for packet in run.packets if first <= packet.index < first + run.force.rate_hz
        ]
        if sum(map(len, inside)) < 0.7 * run.force.rate_hz:
            continue
        size_g = np.linalg.norm(np.concatenate(inside).astype(np.float64), axis=1) * run.force.acc_range_g / 32768
        if float(size_g.std()) < _STILL_G:
            mean_g = float(size_g.mean())
            told = f"it is {mean_g:.2f} g in the range of ±{run.force.acc_range_g} g"
            seen.note("motion-gravity", abs(mean_g - 1) <= _ONE_G_SHARE, told)


def _soon(seen: Evidence, run: Run) -> None:
    line = line_of(run.segments[0]) if run.begun and run.segments else None
    if line is not None:
        late = _modulo(line.ticks(0) - ticks_of(run.told_us)) / TICKS_PER_S
        seen.note("start-soon", -0.02 <= late <= 1.02, f"it was taken {late:+.2f} s from it")


def _beginnings(seen: Evidence) -> None:
    """The first packet of a stream may be lost; not that of every stream."""
    early, starts = seen.watch.early_starts, seen.watch.starts
    if starts:  # some systems deliver notifications and indications on two ways
        seen.note("start-order", 4 * early <= starts, f"it came first at {early} of {starts} Starts")
    first = [run.packets[0].index for run in seen.watch.runs if run.begun and run.packets]
    late = [index for index in first if index != 0]
    if first:
        seen.note(
            "start-first", 2 * len(late) <= len(first), f"the first packet began with sample {max(late, default=0)}"
        )


def _ends(seen: Evidence) -> None:
    """The last packet of a stream may be lost; not that of most streams."""
    ended = [run for run in seen.watch.runs if run.taken is not None and run.packets]
    short = [run for run in ended if run.taken is not None and run.end < run.taken]
    for run in ended:
        if run.taken is not None and run.end > run.taken:
            told = f"sample {run.end - 1} came, and Time told {run.taken} samples"
            seen.note("stop-flush", False, told)
    if ended:
        missing = max(((run.taken or 0) - run.end for run in short), default=0)
        told = f"{len(short)} of {len(ended)} times up to {missing} samples at the end never came"
        seen.note("stop-flush", 2 * len(short) <= len(ended), told)


def _agreement(seen: Evidence) -> None:
    """Time answers against the line through the packets of their stream."""
    lines = {id(run): [line for line in map(line_of, run.segments) if line is not None] for run in seen.watch.runs}
    for answer, run in seen.times:
        line = _line_at(lines[id(run)], answer)
        if line is None:
            continue
        off = _modulo(line.ticks(answer.index) - ticks_of(answer.time_us))
        period = TICKS_PER_S / run.force.rate_hz
        told = f"sample {answer.index} would be taken {off / TICKS_PER_S * 1000:+.0f} ms after its time"
        seen.note("time-agrees", -_FIFO_TICKS - JITTER_TICKS <= off <= period + JITTER_TICKS, told)


def _line_at(lines: list[Line], answer: TimeAnswer) -> Line | None:
    """The line of the segment that a sample number lies in, or just behind."""
    near = [line for line in lines if line.first <= answer.index <= line.last + answer.rate_hz]
    return near[-1] if near else None


def _clock(seen: Evidence) -> None:
    """What passed on the sensor lies between the shortest and the longest that can have passed here."""
    for one, two in pairwise(seen.clocks):
        _passed(seen, one, two)
    if len(seen.clocks) > 2:
        _passed(seen, seen.clocks[0], seen.clocks[-1])


def _passed(seen: Evidence, one: Clock, two: Clock) -> None:
    there_us = two.time_us - one.time_us
    least_us = (two.sent_ns - one.received_ns) / 1000 * (1 - _CLOCK_SHARE) - _CLOCK_SLACK_US
    most_us = (two.received_ns - one.sent_ns) / 1000 * (1 + _CLOCK_SHARE) + _CLOCK_SLACK_US
    here_s = (two.received_ns - one.received_ns) / NS_PER_S
    seen.note("clock", least_us <= there_us <= most_us, f"{there_us / 1e6:.3f} s passed on it in {here_s:.3f} s")


def _statuses(seen: Evidence) -> None:
    for told in seen.statuses:
        _buffer(seen, told.status.flags, told.status.newest, told.status.oldest)
    sure = [told for told in seen.statuses if not told.doubtful]
    apart = [(two.t_ns - one.t_ns) / NS_PER_S for one, two in pairwise(sure) if one.link == two.link]
    close = [apart_s for apart_s in apart if apart_s < STATUS_APART_S]
    if apart:  # a delay on the way may bring one near to the next, now and then
        words = f"{len(close)} of {len(apart)} came less than {STATUS_APART_S:g} s after the one before"
        seen.note("status-pace", 4 * len(close) <= len(apart), words)
    for begin_ns, end_ns in seen.links:
        _regular(seen, begin_ns, seen.now_ns if end_ns is None else end_ns)


def _regular(seen: Evidence, begin_ns: int, end_ns: int) -> None:
    most_s = STATUS_EVERY_S + _STATUS_LATE_S
    if end_ns - begin_ns < most_s * NS_PER_S:
        return
    times = [begin_ns, *(told.t_ns for told in seen.statuses if begin_ns <= told.t_ns <= end_ns), end_ns]
    longest_s = max(two - one for one, two in pairwise(times)) / NS_PER_S
    seen.note("status-every", longest_s <= most_s, f"{longest_s:.1f} s passed without one")


def _buffer(seen: Evidence, flags: int, newest: int, oldest: int) -> None:
    if seen.info is None:
        return
    has = bool(seen.info.capabilities & Capability.BUFFER)
    told = bool(flags & StatusFlag.HAS_BUFFER)
    seen.note("status-buffer", has == told, f"the flag is {'set' if told else 'not set'}")
    held = (newest - oldest + 1) % 2**32
    room = seen.info.buffer_samples if has else 0
    taken = 0 if newest == NONE_YET else newest + 1
    words = f"{oldest} to {newest} would be {held} samples, and it has room for {room}"
    seen.note("status-buffer", held <= min(room, max(taken, 0)), words)


def _modulo(ticks: float) -> float:
    """Nearest to 0, as a difference of times that are told modulo 64 s."""
    return (ticks + _TURN / 2) % _TURN - _TURN / 2
