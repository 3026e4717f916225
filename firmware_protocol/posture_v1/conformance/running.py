"""The scenes of a connection that stays: a long stream with commands beside it, then every rate and range.

Pure scripts. Must never know: how a step is carried out.
"""

from collections.abc import Iterator
from itertools import product

from firmware_protocol.posture_v1.conformance.asking import (
    Asking,
    SceneEnds,
    ask,
    ask_for,
    ask_start,
    ask_stop,
    ask_time,
    described,
    read_status,
    result_word,
    samples,
    stop_what_runs,
)
from firmware_protocol.posture_v1.conformance.evidence import Evidence
from firmware_protocol.posture_v1.conformance.runs import NS_PER_S
from firmware_protocol.posture_v1.conformance.steps import Listen, Play
from firmware_protocol.posture_v1.packets import (
    ACC_RANGES_G,
    GYR_RANGES_DPS,
    NONE_YET,
    RATES_HZ,
    TICKS_PER_S,
    Capability,
    Done,
    Info,
    Layout,
    Result,
    Start,
    Started,
    Status,
    Stop,
    Stopped,
    TimeAnswer,
    Unsupported,
)

LONG_S = 11.5
"""So long the first stream is listened to: Status comes every 10 s."""
SHORT_S = 1.3
AT_ONCE_S = 1.5
SILENT_S = 0.6
_UPTIME_SLACK_S = 2.0
_PATTERN_LONG, _NO_PATTERN = 3, 7
_MOTOR_S = {"vibrate": 2.0, "identify": 4.0}  # 0.6 and 2 s, 100 ms to die away, and the radio's delay


def wanted(info: Info) -> Start:
    """What a host asks for (driver.py): 50 Hz, 8 g, 1000 °/s, six axes; the nearest above where it is not offered."""
    has_gyroscope = bool(info.gyr_ranges_dps)
    return Start(
        rate_hz=_at_least(50, info.rates_hz),
        acc_range_g=_at_least(8, info.acc_ranges_g),
        gyr_range_dps=_at_least(1000, info.gyr_ranges_dps) if has_gyroscope else 0,
        layout=Layout.ACC_GYR if has_gyroscope else Layout.ACC,
    )


def information_of(seen: Evidence) -> Info:
    """What the scene before has read."""
    assert seen.info is not None
    return seen.info


def live(seen: Evidence) -> Play:
    """A stream as a host has it, every other command beside it, and its Stop."""
    info = information_of(seen)
    yield from stop_what_runs(seen)
    yield Listen(AT_ONCE_S)
    _status_came(seen)
    idle = yield from ask_time(seen)
    if idle is not None:
        seen.note("time-stopped", _is_idle(idle), f"it told {described(_force(idle))}")
    if idle is not None and idle.index == 0:
        _none_yet(seen, (yield from read_status(seen)))
    start, begun_ns = wanted(info), seen.now_ns
    if not (yield from ask_start(seen, start)):
        raise SceneEnds
    yield Listen(2.5)
    _status_says(seen, begun_ns, samples_now=True)
    yield from ask_time(seen)
    yield from _nonsense(seen)
    if seen.watch.run is None and not (yield from ask_start(seen, start)):
        raise SceneEnds  # one of these commands has stopped it
    yield from _bad_values(seen, info, start)
    yield from _felt(seen, info)
    yield from _status_beside(seen, sampling=True)
    left_s = LONG_S - (seen.now_ns - begun_ns) / NS_PER_S
    yield Listen(max(1.0, left_s))
    yield from ask_time(seen)
    yield from _ended(seen)


def _status_came(seen: Evidence) -> None:
    since_ns = seen.links[-1][0]
    came = any(told.t_ns >= since_ns for told in seen.statuses)
    seen.note("status-once", came, f"none came within {AT_ONCE_S:g} s")


def _status_says(seen: Evidence, since_ns: int, *, samples_now: bool) -> None:
    came = any(samples(told.status) == samples_now for told in seen.statuses if told.t_ns >= since_ns)
    word = "began" if samples_now else "ended"
    seen.note("status-change", came, f"none came within 1.5 s after sampling {word}")


def _nonsense(seen: Evidence) -> Asking[None]:
    """Commands that do not exist, or not in this length."""
    cases = (
        ("unsupported-opcode", b"\x07"),
        ("unsupported-length", b"\x02\x00"),
        ("unsupported-length", b"\x03\x00"),
        ("unsupported-length", b"\x01\x32\x08\x08"),
        ("unsupported-empty", b""),
    )
    for rule, data in cases:
        if seen.book.entries.get(rule) and seen.book.entries[rule].broken:
            continue
        reply = yield from ask(seen, data, blame=rule)
        if reply is not None and reply.frame is not None:
            right = reply.frame.data == Unsupported(data[0] if data else 0).to_bytes()
            seen.note(rule, right, f"{data.hex(' ')} was answered {reply.frame.data.hex(' ')}")


def _bad_values(seen: Evidence, info: Info, start: Start) -> Asking[None]:
    """Values that are not offered; what runs must go on."""
    for data in _not_offered(info, start):
        reply = yield from ask(seen, data, blame="start-refuses")
        if reply is None or reply.frame is None:
            return
        answer = seen.parsed(reply.frame.data)
        refused = isinstance(answer, Started) and answer.result == Result.BAD_VALUE
        goes_on = isinstance(answer, Started) and seen.watch.run is not None and _force(answer) == start
        goes_on = goes_on and isinstance(answer, Started) and answer.stream == seen.watch.stream
        told = f"{data.hex(' ')} was answered {reply.frame.data.hex(' ')}"
        seen.note("start-refuses", refused and goes_on, told)
        if not refused:
            if not (yield from ask_start(seen, start)):
                raise SceneEnds
            return
    run, time = seen.watch.run, (yield from ask_time(seen))
    if time is not None and run is not None:
        goes_on = (time.stream, _force(time)) == (run.stream, start)
        seen.note("start-refuses", goes_on, f"stream {time.stream} ran with {described(_force(time))}")


def _not_offered(info: Info, start: Start) -> Iterator[bytes]:
    """Start with one value that this sensor does not offer, as bytes."""
    _, rate, acc, gyr, layout = start.to_bytes()
    rates = [hz for hz in RATES_HZ if hz not in info.rates_hz]
    for other in (0, rate + 1, *rates[:1]):
        yield bytes([1, other, acc, gyr, layout])
    accelerations = [g for g in ACC_RANGES_G if g not in info.acc_ranges_g]
    for other in (0, 3, *accelerations[:1]):
        yield bytes([1, rate, other, gyr, layout])
    rotations = [dps // 125 for dps in GYR_RANGES_DPS if dps not in info.gyr_ranges_dps]
    for other in (0, 3, *rotations[:1]) if layout == Layout.ACC_GYR else (1,):
        yield bytes([1, rate, acc, other, layout])
    yield bytes([1, rate, acc, 8, Layout.ACC])
    yield bytes([1, rate, acc, gyr, 3])


def _felt(seen: Evidence, info: Info) -> Asking[None]:
    """The motor and the light, where there are any."""
    yield from _done(seen, info, Capability.IDENTIFY, b"\x05", "identify")
    begun_s, run = _device_s(seen), seen.watch.run
    done = yield from _done(seen, info, Capability.VIBRATION, bytes([4, _PATTERN_LONG]), "vibrate")
    if not done:
        return
    yield Listen(1.5)
    during = [packet for packet in run.packets if packet.ticks > begun_s * TICKS_PER_S] if run else []
    if during:
        seen.note("motion-motor", any(packet.motion.motor for packet in during), "it ran 600 ms, and no packet has it")
    reply = yield from ask(seen, bytes([4, _NO_PATTERN]), blame="vibrate")
    if reply is not None and reply.frame is not None:
        told = f"pattern {_NO_PATTERN} was answered {reply.frame.data.hex(' ')}"
        seen.note("vibrate", reply.frame.data == Done(4, Result.BAD_VALUE).to_bytes(), told)


def _device_s(seen: Evidence) -> float:
    """About what the device clock tells now: a packet may come later than its samples were taken."""
    last = seen.clocks[-1]
    return last.time_us / 1e6 + (seen.now_ns - last.received_ns) / NS_PER_S


def _done(seen: Evidence, info: Info, capability: Capability, data: bytes, rule: str) -> Asking[bool]:
    """Have it done; True where the sensor says that it does. One that cannot must not say so."""
    can = bool(info.capabilities & capability)
    began_ns = seen.now_ns
    seen.watch.motor.append((began_ns, began_ns + 10 * NS_PER_S))
    reply = yield from ask(seen, data, blame=rule)
    if reply is None or reply.frame is None:
        seen.watch.motor.pop()
        return False
    seen.watch.motor[-1] = (began_ns, reply.frame.t_host_ns + round(_MOTOR_S[rule] * NS_PER_S))
    done = reply.frame.data == Done(data[0], Result.OK).to_bytes()
    told = f"{'it can' if can else 'it cannot'}, and answered {reply.frame.data.hex(' ')}"
    seen.note(rule, done == can, told)
    return done and can


def _status_beside(seen: Evidence, *, sampling: bool) -> Asking[None]:
    """Status, read, beside a Time."""
    time = yield from ask_time(seen)
    status = yield from read_status(seen)
    if time is None or status is None:
        return
    seen.note("status-sampling", samples(status) == sampling, f"it said {'no' if sampling else 'yes'}")
    apart_s = status.uptime_s - time.time_us / 1e6
    seen.note("status-uptime", abs(apart_s) <= _UPTIME_SLACK_S, f"they are {apart_s:+.0f} s apart")


def _ended(seen: Evidence) -> Asking[None]:
    """Stop, silence, Stop again."""
    run, begun_ns = seen.watch.run, seen.now_ns
    time = yield from ask_stop(seen)
    if time is None:
        return
    yield Listen(SILENT_S)
    seen.note("stop-silent", True)
    seen.note("time-stopped", _is_idle(time), f"it told {described(_force(time))}")
    again = yield from ask_for(seen, Stop(), blame="stop-twice")
    answer = seen.parsed(again.frame.data) if again is not None and again.frame is not None else None
    if isinstance(answer, Stopped) and run is not None:
        same = (answer.stream, (answer.newest + 1) % 2**32) == (run.stream, time.index)
        told = f"it was {result_word(answer.result)}, stream {answer.stream}, newest {answer.newest}"
        seen.note("stop-twice", answer.result == Result.NOT_SAMPLING and answer.stream == run.stream, told)
        if not same and answer.stream == run.stream:
            seen.note("stop-newest", False, f"at the second Stop newest is {answer.newest}, Time tells {time.index}")
    yield Listen(AT_ONCE_S - SILENT_S)
    _status_says(seen, begun_ns, samples_now=False)
    yield from _status_beside(seen, sampling=False)


def rates(seen: Evidence) -> Play:
    """Lowest, highest and the other layout for a while each; a Start while sampling; then every combination."""
    info = information_of(seen)
    yield from stop_what_runs(seen)
    for start in _extremes(info):
        if not (yield from ask_start(seen, start)):
            continue
        yield Listen(SHORT_S)
        yield from ask_time(seen)
        yield from _counted(seen)
    yield from _before_the_first(seen, next(_extremes(info)))
    yield from _restarts(seen, wanted(info))
    for start in _combinations(info):
        if not (yield from ask_start(seen, start, rule="start-offers")):
            break
    yield from stop_what_runs(seen)


def _counted(seen: Evidence) -> Asking[None]:
    """Stop; Status must then say what Time says."""
    time = yield from ask_stop(seen)
    status = yield from read_status(seen)
    if time is not None and status is not None:
        same = (status.stream, (status.newest + 1) % 2**32) == (time.stream, time.index)
        told = f"stream {status.stream}, newest {status.newest}, while Time tells {time.stream} and {time.index}"
        seen.note("status-newest", same, told)


def _before_the_first(seen: Evidence, start: Start) -> Asking[None]:
    """Stop right after Start. A sensor that claims a sample sends it; where none comes twice, there was none."""
    for once_more in (True, False):
        if not (yield from ask_start(seen, start)):
            return
        run, time = seen.watch.run, (yield from ask_stop(seen))
        status = yield from read_status(seen)
        if time is None or run is None or run.packets:
            return  # too late to see it
        if time.index == 0:
            return _none_yet(seen, status)
        if not once_more:
            told = f"Time told {time.index} right after Start, and no sample came before the answer to Stop"
            seen.note("newest-none", False, told)


def _none_yet(seen: Evidence, status: Status | None) -> None:
    """Status where Time tells that no sample was taken."""
    if status is not None:
        seen.note("newest-none", status.newest == NONE_YET, f"Status told {status.newest} where Time told 0 samples")


def _restarts(seen: Evidence, start: Start) -> Asking[None]:
    if not (yield from ask_start(seen, start)):
        return
    yield Listen(0.5)
    first = seen.watch.run
    if not (yield from ask_start(seen, start, rule="start-restarts")):
        return
    yield Listen(0.8)
    second = seen.watch.run
    if first is not None and second is not None:
        seen.note("start-restarts", second is not first, f"stream {first.stream} went on")
    yield from _counted(seen)


def _extremes(info: Info) -> Iterator[Start]:
    for end in (0, -1):
        rate, acc = info.rates_hz[end], info.acc_ranges_g[end]
        gyr = info.gyr_ranges_dps[end] if info.gyr_ranges_dps else 0
        yield Start(rate, acc, gyr, Layout.ACC_GYR if gyr else Layout.ACC)
    if info.gyr_ranges_dps:
        usual = wanted(info)
        yield Start(usual.rate_hz, usual.acc_range_g, 0, Layout.ACC)


def _combinations(info: Info) -> Iterator[Start]:
    """Every rate with every acceleration range, and with every gyroscope range: what may be wired up wrongly."""
    for rate, acc in product(info.rates_hz, info.acc_ranges_g):
        yield Start(rate, acc, 0, Layout.ACC)
    for turn, (rate, gyr) in enumerate(product(info.rates_hz, info.gyr_ranges_dps)):
        yield Start(rate, info.acc_ranges_g[turn % len(info.acc_ranges_g)], gyr, Layout.ACC_GYR)


def _is_idle(time: TimeAnswer) -> bool:
    return (time.rate_hz, time.acc_range_g, time.gyr_range_dps, time.layout) == (0, 0, 0, 0)


def _force(answer: Started | TimeAnswer) -> Start:
    return Start(answer.rate_hz, answer.acc_range_g, answer.gyr_range_dps, answer.layout)


def _at_least(value: int, offered: tuple[int, ...]) -> int:
    return next((other for other in offered if other >= value), offered[-1])
