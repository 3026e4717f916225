"""Control: the commands that a host writes and the answers that a sensor indicates, all of at most 20 bytes.

Pure. Knows: the bytes of one message. Must never know: what was asked before.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from firmware_protocol.errors import BadValue, TooShort, UnknownKind
from firmware_protocol.posture_v1.motion import Layout
from firmware_protocol.posture_v1.wire import NEWEST, Field, Message, Opcode

RATES_HZ = (10, 25, 50, 100, 200)
ACC_RANGES_G = (2, 4, 8, 16)
GYR_RANGES_DPS = (125, 250, 500, 1000, 2000)
CLOCK_BITS = 52
"""Device clocks stay under 2^52 µs (142 years), so that they can be told in nanoseconds in 64 bits."""
_GYR_RANGES: dict[int, tuple[int, ...]] = {Layout.ACC: (0,), Layout.ACC_GYR: GYR_RANGES_DPS}


class Result(IntEnum):
    """How a command went; a host treats other values as not done."""

    OK = 0
    BAD_VALUE = 1  # a value that this sensor does not offer; nothing has changed
    BUSY = 2  # not now; nothing has changed
    NOT_SAMPLING = 3  # Stop: there was nothing to stop


class Pattern(IntEnum):
    """What Vibrate plays."""

    OFF = 0
    TICK = 1  # 100 ms
    DOUBLE = 2  # 150 ms, pause 100 ms, 150 ms
    LONG = 3  # 600 ms


_RATE = Field("rate_hz", "u8", "samples per second: 10, 25, 50, 100 or 200")
_ACC_RANGE = Field("acc_range_g", "u8", "acceleration full scale in g: 2, 4, 8 or 16")
_GYR_RANGE = Field(
    "gyr_range_dps",
    "u8",
    "angular rate full scale in units of 125 °/s: 1, 2, 4, 8 or 16; 0 with layout 1",
    unit=125,
)
_LAYOUT = Field("layout", "u8", "1 = acceleration, 2 = acceleration and angular rate")
_RESULT = Field("result", "u8", "0 done, 1 bad value, 2 busy, 3 was not sampling")
_IN_FORCE = (
    Field("rate_hz", "u8", "rate in force; 0 = not sampling"),
    Field("acc_range_g", "u8", "range in force; 0 = not sampling"),
    Field("gyr_range_dps", "u8", "range in force, in units of 125 °/s; 0 = none", unit=125),
    Field("layout", "u8", "layout in force; 0 = not sampling"),
)


@dataclass(frozen=True, slots=True)
class Start(Message):
    """Begin to sample, as a new stream. What is asked is not checked here: the sensor answers BAD_VALUE."""

    rate_hz: int
    acc_range_g: int
    gyr_range_dps: int
    layout: int

    LAYOUT = (Opcode(0x01), _RATE, _ACC_RANGE, _GYR_RANGE, _LAYOUT)


@dataclass(frozen=True, slots=True)
class Stop(Message):
    """Stop sampling; what is still in hand is sent before the answer."""

    LAYOUT = (Opcode(0x02),)


@dataclass(frozen=True, slots=True)
class Time(Message):
    """Ask for the device's clock and what it samples now."""

    LAYOUT = (Opcode(0x03),)


@dataclass(frozen=True, slots=True)
class Vibrate(Message):
    """Run the motor."""

    pattern: int

    LAYOUT = (Opcode(0x04), Field("pattern", "u8", "0 off, 1 tick, 2 double, 3 long"))


@dataclass(frozen=True, slots=True)
class Identify(Message):
    """Blink (or vibrate) so that a person sees which sensor this is."""

    LAYOUT = (Opcode(0x05),)


@dataclass(frozen=True, slots=True)
class Fetch(Message):
    """Ask for samples out of the buffer."""

    stream: int
    first: int
    count: int

    LAYOUT = (
        Opcode(0x06),
        Field("stream", "u8", "which stream"),
        Field("first", "u32", "number of the first sample wanted"),
        Field("count", "u32", "how many samples are wanted, at least 1"),
    )


def _check_clock(time_us: int) -> None:
    if time_us >> CLOCK_BITS:
        raise BadValue(f"no sensor has run for {time_us} µs")


def _check_in_force(rate_hz: int, acc_range_g: int, gyr_range_dps: int, layout: int) -> None:
    if layout == Layout.NONE:
        if rate_hz or acc_range_g or gyr_range_dps:
            raise BadValue("layout 0 (not sampling) goes with rate and ranges of 0")
        return
    if layout not in _GYR_RANGES:
        raise BadValue(f"there is no layout {layout}")
    if rate_hz not in RATES_HZ or acc_range_g not in ACC_RANGES_G or gyr_range_dps not in _GYR_RANGES[layout]:
        asked = f"{rate_hz} Hz, {acc_range_g} g, {gyr_range_dps} °/s, layout {layout}"
        raise BadValue(f"the protocol does not have {asked}")


@dataclass(frozen=True, slots=True)
class Started(Message):
    """Answer to Start: what is in force now. Unless `result` is OK, that is what was in force before."""

    result: int
    stream: int
    time_us: int
    rate_hz: int
    acc_range_g: int
    gyr_range_dps: int
    layout: int

    LAYOUT = (
        Opcode(0x81),
        _RESULT,
        Field("stream", "u8", "the new stream"),
        Field("time_us", "u64", "device clock in µs at this answer; sample 0 is taken within 1 s of it"),
        *_IN_FORCE,
    )

    def check(self) -> None:
        """Raise BadValue where what is in force is no combination that the protocol has."""
        _check_clock(self.time_us)
        _check_in_force(self.rate_hz, self.acc_range_g, self.gyr_range_dps, self.layout)
        if self.result == Result.OK and self.layout == Layout.NONE:
            raise BadValue("a Start that was done samples something")


@dataclass(frozen=True, slots=True)
class Stopped(Message):
    """Answer to Stop: how far the stream went."""

    result: int
    stream: int
    newest: int

    LAYOUT = (
        Opcode(0x82),
        _RESULT,
        Field("stream", "u8", "the stream that ended"),
        Field("newest", "u32", NEWEST),
    )


@dataclass(frozen=True, slots=True)
class TimeAnswer(Message):
    """Answer to Time: the device's clock and what it samples now."""

    result: int
    stream: int
    index: int
    time_us: int
    rate_hz: int
    acc_range_g: int
    gyr_range_dps: int
    layout: int

    LAYOUT = (
        Opcode(0x83),
        _RESULT,
        Field("stream", "u8", "the stream that runs, or the last that ran"),
        Field("index", "u32", "number of the NEXT sample to be taken = samples taken, mod 2^32"),
        Field("time_us", "u64", "device clock in µs, since boot, at this answer; never steps, never wraps"),
        *_IN_FORCE,
    )

    def check(self) -> None:
        """Raise BadValue where what is in force is no combination that the protocol has."""
        _check_clock(self.time_us)
        _check_in_force(self.rate_hz, self.acc_range_g, self.gyr_range_dps, self.layout)


@dataclass(frozen=True, slots=True)
class Done(Message):
    """Answer to Vibrate (when the motor begins, not when it ends) and to Identify."""

    command: int
    result: int

    LAYOUT = (
        Field("command", "u8", "the command's opcode + 0x80: 0x84 for Vibrate, 0x85 for Identify", plus=0x80),
        _RESULT,
    )

    def check(self) -> None:
        """Raise BadValue for a command that is answered otherwise."""
        if self.command not in (0x04, 0x05):
            raise BadValue(f"command 0x{self.command:02x} is not answered by Done")


@dataclass(frozen=True, slots=True)
class FetchDone(Message):
    """Answer to Fetch, after the last backfilled packet. `sent` + `gone` = the count that was asked."""

    result: int
    stream: int
    first: int
    sent: int
    gone: int

    LAYOUT = (
        Opcode(0x86),
        _RESULT,
        Field("stream", "u8", "as asked"),
        Field("first", "u32", "as asked"),
        Field("sent", "u32", "how many of the samples asked for were sent"),
        Field("gone", "u32", "how many of them the buffer does not hold"),
    )


@dataclass(frozen=True, slots=True)
class Unsupported(Message):
    """Answer to a command that this sensor does not know, or that has the wrong length."""

    command: int

    LAYOUT = (Opcode(0xFF), Field("command", "u8", "the opcode as it was written; 0 for an empty write"))


Command: TypeAlias = Start | Stop | Time | Vibrate | Identify | Fetch
Answer: TypeAlias = Started | Stopped | TimeAnswer | Done | FetchDone | Unsupported

COMMANDS: dict[int, type[Command]] = {
    0x01: Start,
    0x02: Stop,
    0x03: Time,
    0x04: Vibrate,
    0x05: Identify,
    0x06: Fetch,
}
ANSWERS: dict[int, type[Answer]] = {
    0x81: Started,
    0x82: Stopped,
    0x83: TimeAnswer,
    0x84: Done,
    0x85: Done,
    0x86: FetchDone,
    0xFF: Unsupported,
}


def parse_command(data: bytes) -> Command:
    """Read what a host wrote to CONTROL; raises TooShort, TooLong, UnknownKind or BadValue."""
    if not data:
        raise TooShort("a command has at least one byte")
    if data[0] not in COMMANDS:
        raise UnknownKind(f"there is no command 0x{data[0]:02x}")
    return COMMANDS[data[0]].from_bytes(data)


def parse_answer(data: bytes) -> Answer:
    """Read what a sensor indicated on CONTROL; raises TooShort, TooLong, UnknownKind or BadValue."""
    if not data:
        raise TooShort("an answer has at least one byte")
    if data[0] not in ANSWERS:
        raise UnknownKind(f"there is no answer 0x{data[0]:02x}")
    return ANSWERS[data[0]].from_bytes(data)
