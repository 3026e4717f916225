"""The control point of Polar's measurement service: what is asked of it, what it answers, in which order.

Sources: Polar Measurement Data Specification; polarofficial/polar-ble-sdk, `PmdSetting`, `PmdControlPointResponse`,
`BlePMDClient`. Pure. Must never know: frames of motion, radios, the present time.
"""

import struct
from collections.abc import Generator
from dataclasses import dataclass, replace

from firmware_protocol.scripts import Await, GattStep, Read, Script, ScriptRefused, Subscribe, Write

CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

ACCELERATION = 2
OFFERED, START, STOP = 1, 2, 3
ALREADY = 6
RATE_HZ, RESOLUTION_BITS, RANGE_G, CHANNELS, FACTOR = 0, 1, 2, 4, 5

USUAL_RATE_HZ = 50
USUAL_RANGE_G = 8

_SIZES = {RATE_HZ: 2, RESOLUTION_BITS: 2, RANGE_G: 2, 3: 4, CHANNELS: 1, FACTOR: 4, 6: 16}
"""Bytes of one value of each setting; 3 is a range in thousandths, 6 a key."""
_FEATURES, _ANSWER, _STOPPED = 0x0F, 0xF0, 0x01
_MOST_PARTS = 16  # of an answer; more than any sensor's settings fill
_LARGEST_FACTOR = 1.0  # a sensor of 16 bits has thousands of counts in a g

_REASONS = {
    1: "it does not know the request",
    2: "it measures none",
    3: "it does not send any to other programs",
    4: "it does not know a request of this length",
    5: "it does not take a setting of the request",
    ALREADY: "it measures already, and cannot be stopped",
    7: "it does not take the resolution that it offers",
    8: "it does not take the rate that it offers",
    9: "it does not take the range that it offers",
    10: "the Bluetooth packets agreed on are too small, it needs an MTU of 232 bytes",
    11: "it does not take the number of axes that it offers",
    12: "it is busy with something else, such as a recording of its own",
    13: "it is in its charger, take it out first",
    14: "its memory is full",
}
"""What the sensor says where it refuses, by its error code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the control point says to a request."""

    opcode: int
    measured: int
    error: int
    more: bool  # another part follows
    parameters: bytes


def answer(data: bytes) -> Answer | None:
    """An indication as an answer; None where it is none. One that refuses may end after the error."""
    if len(data) < 4 or data[0] != _ANSWER:
        return None
    error = data[3]
    return Answer(data[1], data[2], error, not error and any(data[4:5]), b"" if error else data[5:])


def stopped_by_itself(data: bytes) -> bool:
    """Whether an indication says that the sensor has stopped to send acceleration."""
    return data[:1] == bytes([_STOPPED]) and ACCELERATION in data[1:]


def settings(data: bytes) -> dict[int, tuple[int, ...]]:
    """The values of each setting, in any order, up to what is cut off or not known."""
    found: dict[int, tuple[int, ...]] = {}
    place = 0
    while place + 2 <= len(data) and (size := _SIZES.get(data[place], 0)):
        end = place + 2 + data[place + 1] * size
        if end > len(data):
            break
        values = (data[at : at + size] for at in range(place + 2, end, size))
        found[data[place]] = tuple(int.from_bytes(value, "little") for value in values)
        place = end
    return found


def asked_for(written: bytes) -> dict[int, tuple[int, ...]] | None:
    """The settings in a request to start; None where it is none."""
    return settings(written[2:]) if written[:2] == bytes([START, ACCELERATION]) else None


def factor(parameters: bytes) -> float | None:
    """The factor that the answer to a start tells; None where it tells none, or none that can be one."""
    for value in settings(parameters).get(FACTOR, ()):
        (told,) = struct.unpack("<f", value.to_bytes(4, "little"))
        return float(told) if 0 < told <= _LARGEST_FACTOR else None
    return None


def start(rate_hz: float | None) -> Script:
    """Subscribe, ask what is offered, start at the lowest rate that will do; raises ScriptRefused."""
    yield Subscribe(CONTROL)
    yield Subscribe(DATA)
    features = yield Read(CONTROL, optional=True)
    if len(features) > 1 and features[0] == _FEATURES and not features[1] >> ACCELERATION & 1:
        raise ScriptRefused(
            "This Polar sensor sends no acceleration to other programs; an H10, a Verity Sense and an OH1 do."
        )
    offered = settings(_granted((yield from _exchange(bytes([OFFERED, ACCELERATION])))).parameters)
    request = bytes([START, ACCELERATION]) + _chosen(offered, rate_hz)
    started = yield from _exchange(request)
    if started.error == ALREADY:
        yield from stop()
        started = yield from _exchange(request)
    _granted(started)


def stop() -> Script:
    """Stop; whatever the answer is, such as that nothing was running, there is no more to do."""
    request = bytes([STOP, ACCELERATION])
    yield Write(CONTROL, request)
    yield _answer_to(request)


def _exchange(request: bytes) -> Generator[GattStep, bytes, Answer]:
    """Write a request and put its answer together."""
    yield Write(CONTROL, request)
    whole = _read((yield _answer_to(request)))
    for _ in range(_MOST_PARTS):
        if not whole.more:
            break
        part = _read((yield _answer_to(request)))
        whole = replace(whole, more=part.more, parameters=whole.parameters + part.parameters)
    return whole


def _answer_to(request: bytes) -> Await:
    return Await(CONTROL, accept=lambda data: len(data) >= 4 and data[:3] == bytes([_ANSWER]) + request[:2])


def _read(data: bytes) -> Answer:
    understood = answer(data)
    if understood is None:
        raise ScriptRefused("The Polar sensor's answer cannot be understood.")
    return understood


def _granted(found: Answer) -> Answer:
    if found.error:
        reason = _REASONS.get(found.error, "it does not say why")
        raise ScriptRefused(f"The Polar sensor does not send its acceleration: {reason} (error {found.error}).")
    return found


def _chosen(offered: dict[int, tuple[int, ...]], rate_hz: float | None) -> bytes:
    """The settings to start with: of what is offered only, for a sensor without channels refuses them."""
    rates = sorted(set(offered.get(RATE_HZ, ())) - {0})
    if not rates:
        raise ScriptRefused("The Polar sensor offers no rate for its acceleration.")
    wanted_hz = USUAL_RATE_HZ if rate_hz is None else rate_hz
    chosen = struct.pack("<BBH", RATE_HZ, 1, next((rate for rate in rates if rate >= wanted_hz), rates[-1]))
    if bits := offered.get(RESOLUTION_BITS):
        chosen += struct.pack("<BBH", RESOLUTION_BITS, 1, max(bits))
    if ranges := offered.get(RANGE_G):
        fitting = [each for each in ranges if each <= USUAL_RANGE_G]
        chosen += struct.pack("<BBH", RANGE_G, 1, max(fitting, default=min(ranges)))
    if channels := offered.get(CHANNELS):
        chosen += bytes([CHANNELS, 1, 3 if 3 in channels else max(channels)])
    return chosen
