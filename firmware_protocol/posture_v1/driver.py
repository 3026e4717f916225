"""The driver of posture_v1 sensors: how one is recognised, started and stopped, as values and scripts.

Pure. Must never know: how a step is carried out, the present time.

Start never disturbs a sensor that already samples as wanted: its stream goes on, so that what was missed while no
host was there is counted exactly. Each start ends with a second Time exchange: what is in force is then said twice in
the recording, so that one damaged row cannot make a session unreadable.
"""

from collections.abc import Callable, Generator

from firmware_protocol.drivers import About, Confidence, Driver, Pairing
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Advertisement
from firmware_protocol.posture_v1.backfill import Backfill
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    INFO,
    MOTION,
    PROTOCOL_MAJOR,
    RATES_HZ,
    SERVICE,
    STATUS,
    Answer,
    Capability,
    Command,
    Info,
    Layout,
    Result,
    Start,
    Started,
    Stop,
    Time,
    TimeAnswer,
    Unsupported,
    parse_answer,
)
from firmware_protocol.scripts import Await, GattStep, Read, Script, ScriptRefused, Subscribe, Write

RATE_HZ = 50
"""Unless another is asked for: bending and walking lie below 10 Hz, and the radio is idle most of the time."""
ACC_RANGE_G = 8
"""Stumbles, stairs and taps on the back stay within ±8 g, at 0.24 mg a step; ±4 g clips some of them."""
GYR_RANGE_DPS = 1000
"""A trunk turns at up to some 500 °/s; ±1000 leaves room for a knock, at 0.03 °/s a step."""

_Exchange = Generator[GattStep, bytes, Answer]


def match(advertisement: Advertisement) -> float:
    """1 where the advertisement names this protocol's service, else 0."""
    return float(SERVICE in (uuid.lower() for uuid in advertisement.service_uuids))


def start(rate_hz: float | None) -> Script:
    """Subscribe, and start sampling unless the sensor already samples so; raises ScriptRefused."""
    info = _supported((yield Read(INFO)))
    wanted = _wanted(info, rate_hz)
    yield Subscribe(CONTROL)
    yield Subscribe(STATUS)
    yield Read(STATUS)
    in_force = yield from _exchange(Time())
    if not isinstance(in_force, TimeAnswer) or in_force.result != Result.OK:
        raise ScriptRefused("The sensor does not tell its time, which this protocol requires.")
    yield Subscribe(MOTION)
    if _start_of(in_force) == wanted:
        return
    if in_force.layout != Layout.NONE:
        yield from _exchange(Stop())
    started = yield from _exchange(wanted)
    if not isinstance(started, Started) or started.result != Result.OK:
        raise ScriptRefused(f"The sensor did not start to sample at {wanted.rate_hz} Hz, though it offers that rate.")
    yield from _exchange(Time())


def stop() -> Script:
    """Stop sampling; the answer says how many samples there were."""
    yield from _exchange(Stop())


def _exchange(command: Command) -> _Exchange:
    """Write a command and wait for its answer."""
    data = command.to_bytes()
    yield Write(CONTROL, data)
    try:
        return parse_answer((yield Await(CONTROL, accept=_answers(data[0]))))
    except ProtocolError as error:
        raise ScriptRefused(f"The sensor's answer cannot be read: {error}.") from error


def _answers(opcode: int) -> Callable[[bytes], bool]:
    def accept(data: bytes) -> bool:
        try:
            answer = parse_answer(data)
        except ProtocolError:
            return False
        return data[0] == opcode | 0x80 or answer == Unsupported(opcode)

    return accept


def _supported(data: bytes) -> Info:
    if data and data[0] != PROTOCOL_MAJOR:
        raise ScriptRefused(
            f"The sensor speaks version {data[0]} of its protocol; this program knows version {PROTOCOL_MAJOR}."
        )
    try:
        return Info.from_bytes(data)
    except ProtocolError as error:
        raise ScriptRefused(f"The sensor's description cannot be read: {error}.") from error


def _wanted(info: Info, rate_hz: float | None) -> Start:
    has_gyroscope = bool(info.capabilities & Capability.GYROSCOPE and info.gyr_ranges_dps)
    if not info.rates_hz or not info.acc_ranges_g:
        raise ScriptRefused("The sensor offers no rate or no range that this program knows.")
    return Start(
        rate_hz=_rate(info.rates_hz, rate_hz),
        acc_range_g=_at_least(ACC_RANGE_G, info.acc_ranges_g),
        gyr_range_dps=_at_least(GYR_RANGE_DPS, info.gyr_ranges_dps) if has_gyroscope else 0,
        layout=Layout.ACC_GYR if has_gyroscope else Layout.ACC,
    )


def _rate(offered: tuple[int, ...], rate_hz: float | None) -> int:
    if rate_hz is None:
        return _at_least(RATE_HZ, offered)
    if rate_hz not in offered:
        rates = ", ".join(map(str, offered))
        raise ScriptRefused(f"The sensor does not sample at {rate_hz:g} Hz; it offers {rates} Hz.")
    return int(rate_hz)


def _at_least(value: int, offered: tuple[int, ...]) -> int:
    return next((other for other in offered if other >= value), offered[-1])


def _start_of(answer: TimeAnswer) -> Start:
    return Start(answer.rate_hz, answer.acc_range_g, answer.gyr_range_dps, answer.layout)


DRIVER = Driver(
    name="posture_v1",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Sensors with the posture_v1 firmware",
        gives=("acceleration", "rotation", "battery", "clock", "counter"),
        confidence=Confidence.OWN,
        rates_hz=RATES_HZ,
        notes=("Which of these rates a sensor offers, it says itself.",),
    ),
    longest_interval_s=0.25,  # a packet holds at most a quarter of a second
    usual_rate_hz=float(RATE_HZ),
    services=(SERVICE,),
    lacking="This device does not offer the posture_v1 service; another firmware may be on it.",
    pairing=Pairing.ALWAYS,
    new_backfill=Backfill,
)
