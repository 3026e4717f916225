"""What the service data of BTHome version 2 consist of: one byte about the device, then objects one after the other.

Source: the format's page at bthome.io, and const.py and parser.py of Bluetooth-Devices/bthome-ble 3.25.0. Pure. Must
never know: what a sensor is used for, keys, the present time.

An object is its number and a value. How long the value is stands nowhere but in this table, so that behind an object
that is not in it nothing can be read.
"""

from dataclasses import dataclass

PACKET_ID, BATTERY_PCT = 0x00, 0x01
COMMAND, TEXT, RAW = 0x3B, 0x53, 0x54
ROTATION = 0x3F  # signed, 0.1°
ACCELERATION = 0x63  # signed, 1e-6 m/s²; of the three axes, in order, where there are three

_ENCRYPTED, _HAS_ADDRESS = 1 << 0, 1 << 1
_VERSION = 2

_OF_LENGTH = {
    1: "00 01 09 0f 10 11 15 16 17 18 19 1a 1b 1c 1d 1e 1f 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f 3a 46 57 58 "
    "59 60 64 65",
    2: "02 03 06 07 08 0c 0d 0e 12 13 14 3c 3d 3f 40 41 43 44 45 47 48 49 4a 51 52 56 5a 5d 5e 5f 61 f0",
    3: "04 05 0a 0b 42 4b f2",
    4: "3e 4c 4d 4e 4f 50 55 5b 5c 62 63 f1",
}
LENGTHS = {number: length for length, numbers in _OF_LENGTH.items() for number in bytes.fromhex(numbers)}
"""Bytes of the value of each object that has always as many."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Service data, not yet opened. `fault` says why there is nothing to open, where it is not empty."""

    info: int = 0
    address: bytes = b""  # of the sensor, most significant byte first, where the data tell it
    payload: bytes = b""  # objects, or what they were encrypted to
    fault: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether a key is needed."""
        return bool(self.info & _ENCRYPTED)


@dataclass(frozen=True, slots=True)
class Objects:
    """Numbers and values, in order. `fault` says why what comes behind them cannot be read."""

    found: tuple[tuple[int, bytes], ...] = ()
    fault: str = ""

    def numbers(self, which: int) -> list[int]:
        """The values of every object of this number, as signed integers."""
        return [int.from_bytes(value, "little", signed=True) for number, value in self.found if number == which]

    def first(self, which: int) -> int | None:
        """The value of the first object of this number, as an unsigned integer."""
        return next((int.from_bytes(value, "little") for number, value in self.found if number == which), None)


def parcel(data: bytes) -> Parcel:
    """Take service data of UUID 0xFCD2 apart."""
    if not data:
        return Parcel(fault="BTHome without its first byte")
    info, rest = data[0], data[1:]
    if info >> 5 != _VERSION:
        return Parcel(fault=f"BTHome version {info >> 5}; only version 2 is known")
    if not info & _HAS_ADDRESS:
        return Parcel(info, b"", rest)
    return Parcel(info, rest[5::-1], rest[6:]) if len(rest) >= 6 else Parcel(fault="BTHome with half an address")


def objects(payload: bytes) -> Objects:
    """Every object up to the first that is unknown or not whole."""
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(payload):
        number = payload[place]
        first, end = _value(number, payload, place + 1)
        if end < 0:
            return Objects(tuple(found), f"BTHome object 0x{number:02x} is unknown, and what is behind it unread")
        if end > len(payload):
            return Objects(tuple(found), f"BTHome object 0x{number:02x} is not whole")
        found.append((number, payload[first:end]))
        place = end
    return Objects(tuple(found))


def _value(number: int, payload: bytes, place: int) -> tuple[int, int]:
    """Where the value of an object begins and ends, whose number stands before `place`; an end of -1: unknown."""
    if number in LENGTHS:
        return place, place + LENGTHS[number]
    if number not in (COMMAND, TEXT, RAW):
        return place, -1
    if place == len(payload):
        return place, place + 1
    length = payload[place] if number != COMMAND else 1 + (payload[place] & 0x1F)  # what to do, then its arguments
    return place + 1, place + 1 + length
