"""What a sensor tells when it is read: Status and Info.

Pure. Knows: the bytes of one value. Must never know: when it was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from firmware_protocol.errors import BadValue
from firmware_protocol.posture_v1.control import ACC_RANGES_G, GYR_RANGES_DPS, RATES_HZ
from firmware_protocol.posture_v1.wire import NEWEST, Field, Message

PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 0

BATTERY_UNKNOWN = 255
TEMPERATURE_UNKNOWN = -128


class Capability(IntFlag):
    """What a sensor has, in Info's `capabilities`; unknown bits are ignored."""

    GYROSCOPE = 1
    VIBRATION = 2
    IDENTIFY = 4
    BUFFER = 8
    WEAR = 16  # it can tell whether it is worn
    BATTERY = 32
    TEMPERATURE = 64


class StatusFlag(IntFlag):
    """Bits of Status's `flags`; unknown bits are ignored."""

    WORN = 1  # set as well by a sensor that cannot tell
    CHARGING = 2
    HAS_BUFFER = 4
    SAMPLING = 8


@dataclass(frozen=True, slots=True)
class Status(Message):
    """What STATUS reads and notifies."""

    stream: int
    flags: int
    newest: int
    oldest: int
    dropped: int
    uptime_s: int
    battery_pct: int
    temp_c: int

    LAYOUT = (
        Field("stream", "u8", "the stream that runs, or the last that ran"),
        Field(
            "flags",
            "u8",
            "bit 0 worn, 1 charging, 2 has a buffer, 3 sampling; the rest 0, ignored",
        ),
        Field("newest", "u32", NEWEST),
        Field(
            "oldest",
            "u32",
            "oldest sample in the buffer (inclusive); newest + 1 mod 2^32 = empty",
        ),
        Field("dropped", "u32", "samples of this stream that were never notified live, mod 2^32"),
        Field("uptime_s", "u32", "whole seconds since boot"),
        Field("battery_pct", "u8", "0 to 100; 255 = unknown"),
        Field("temp_c", "i8", "temperature of the sensor in °C; -128 = unknown"),
    )

    def check(self) -> None:
        """Raise BadValue for a battery over 100 % that is not 255."""
        if self.battery_pct > 100 and self.battery_pct != BATTERY_UNKNOWN:
            raise BadValue(f"a battery has 0 to 100 %, or 255 for unknown, not {self.battery_pct}")


@dataclass(frozen=True, slots=True)
class Info(Message):
    """What INFO reads: the protocol's version, the sensor's identity, and what it offers."""

    identity: bytes
    capabilities: int
    rates_mask: int
    acc_ranges_mask: int
    gyr_ranges_mask: int
    buffer_samples: int
    major: int = PROTOCOL_MAJOR
    minor: int = PROTOCOL_MINOR

    MAY_GROW = True
    LAYOUT = (
        Field("major", "u8", "protocol major, 1; another one is another protocol"),
        Field("minor", "u8", "protocol minor, 0; a later one may append fields here and add commands"),
        Field(
            "capabilities",
            "u16",
            "bit 0 gyroscope, 1 vibration, 2 identify, 3 buffer, 4 wear detection, 5 battery, 6 temperature",
        ),
        Field("identity", "id", "16 random bytes made once for each sensor, kept over reset and update"),
        Field("rates_mask", "u8", "bits 0-4: 10, 25, 50, 100, 200 Hz"),
        Field("acc_ranges_mask", "u8", "bits 0-3: ±2, 4, 8, 16 g"),
        Field("gyr_ranges_mask", "u8", "bits 0-4: ±125, 250, 500, 1000, 2000 °/s; 0 without a gyroscope"),
        Field("buffer_samples", "u32", "how many samples the buffer holds; 0 = no buffer"),
    )

    @property
    def rates_hz(self) -> tuple[int, ...]:
        """The rates that the sensor offers."""
        return members(self.rates_mask, RATES_HZ)

    @property
    def acc_ranges_g(self) -> tuple[int, ...]:
        """The acceleration ranges that the sensor offers."""
        return members(self.acc_ranges_mask, ACC_RANGES_G)

    @property
    def gyr_ranges_dps(self) -> tuple[int, ...]:
        """The angular rate ranges that the sensor offers."""
        return members(self.gyr_ranges_mask, GYR_RANGES_DPS)


def mask(values: Sequence[int], table: Sequence[int]) -> int:
    """Bit k is set where table[k] is in values; raises BadValue for a value that is not in the table."""
    unknown = set(values) - set(table)
    if unknown:
        raise BadValue(f"{sorted(unknown)} are not among {list(table)}")
    return sum(1 << bit for bit, value in enumerate(table) if value in values)


def members(bits: int, table: Sequence[int]) -> tuple[int, ...]:
    """The values of `table` whose bit is set; unknown bits are passed over."""
    return tuple(value for bit, value in enumerate(table) if bits >> bit & 1)
