"""MbientLab's MetaMotion and MetaWear boards with a Bosch BMI160 or BMI270.

Source: mbientlab/MetaWear-SDK-Cpp, accelerometer_bosch.cpp, sensor_fusion.cpp, datainterpreter.cpp and its tests. The
driver starts the raw acceleration; what a board's own fusion sends is decoded too. Pure. Must never know: radios, the
present time.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices.decoding import (
    Gathered,
    PacketDecoder,
    Packets,
    Told,
    at_the_end,
    each_sample,
    not_finite,
)
from firmware_protocol.devices.orientation import at_rest, up_of_gravity, up_of_quaternions
from firmware_protocol.drivers import About, Battery, Confidence, Driver
from firmware_protocol.frames import Advertisement, Written
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Await, Script, ScriptRefused, Subscribe, Write

SERVICE = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFY = "326a9006-85cb-9195-d9dd-464cfbbae75a"
COMPANY = 0x626D

WHICH_ACCELEROMETER = b"\x03\x80"
CONFIGURE, CONFIGURED = b"\x03\x03", b"\x03\x83"
BATTERY = b"\x11\x8c"
"""Module, and register; bit 7 of it asks for a value, and stands in the answer."""

RATES_HZ = (50, 100, 200)
USUAL_HZ = 50
_RANGE_G = 8
_FUSION_HZ = 100.0

_ACCELEROMETER = 0x03
_MODULES = {*range(0x01, 0x1A), 0xFE}
"""What the SDK knows; what begins otherwise is of no board."""
_ACCELERATION, _PACKED_BMI160, _PACKED_BMI270 = 0x0304, 0x031C, 0x0305
_FUSED_ACCELERATION, _QUATERNION, _GRAVITY = 0x1904, 0x1907, 0x1909
_LENGTHS = {
    _ACCELERATION: 8,
    _PACKED_BMI160: 20,
    _PACKED_BMI270: 20,
    _FUSED_ACCELERATION: 15,
    _QUATERNION: 18,
    _GRAVITY: 14,
}
"""What motion is taken from, and how long it is. Euler angles are not: nothing says how a board means them."""


@dataclass(frozen=True, slots=True)
class Chip:
    """An accelerometer, as the boards' firmware drives it."""

    implementation: int
    rate_bits: int  # stand beside the code of a rate from 12.5 Hz on
    codes: dict[int, int]  # of the ranges, to g
    packed: int  # the register of three samples in one packet

    def configuration(self, rate_hz: int) -> bytes:
        """What sets this rate, one of RATES_HZ, and the driver's range."""
        code = next(code for code, range_g in self.codes.items() if range_g == _RANGE_G)
        return CONFIGURE + bytes([self.rate_bits | 7 + RATES_HZ.index(rate_hz), code])


CHIPS = (
    Chip(1, 0x20, {0x03: 2, 0x05: 4, 0x08: 8, 0x0C: 16}, _PACKED_BMI160),  # BMI160: MetaMotion R and RL
    Chip(4, 0xA0, {0x00: 2, 0x01: 4, 0x02: 8, 0x03: 16}, _PACKED_BMI270),  # BMI270: MetaMotion S
)


def match(advertisement: Advertisement) -> float:
    """The boards advertise their service; the name can be changed."""
    if SERVICE in advertisement.service_uuids:
        return 1.0
    named = (advertisement.name or "").casefold().startswith("metawear")
    return 0.5 if named or COMPANY in advertisement.manufacturer_data else 0.0


def start(rate_hz: float | None) -> Script:
    """Ask which accelerometer it is, set rate and range, then switch on: data, sampling, power, in this order."""
    yield Subscribe(NOTIFY)
    yield _command(WHICH_ACCELEROMETER)
    answer = yield Await(NOTIFY, accept=lambda data: data[:2] == WHICH_ACCELEROMETER)
    chip = next((chip for chip in CHIPS if answer[2:3] == bytes([chip.implementation])), None)
    if chip is None:
        raise ScriptRefused(
            "This MetaWear board has an accelerometer that is not known here; MetaMotion R, RL and S can be used."
        )
    yield _command(chip.configuration(_rate_hz(rate_hz)))
    for command in (b"\x03\x04\x01", b"\x03\x02\x01\x00", b"\x03\x01\x01"):
        yield _command(command)


def stop() -> Script:
    """Switch off in the opposite order."""
    for command in (b"\x03\x01\x00", b"\x03\x02\x00\x01", b"\x03\x04\x00"):
        yield _command(command)


def ask_battery() -> Script:
    """The answer comes as a notification; boards with old firmware give none."""
    yield _command(BATTERY)


def _command(data: bytes) -> Write:
    return Write(COMMAND, data, with_response=False)


def _rate_hz(asked_hz: float | None) -> int:
    """The lowest rate that gives what is asked for; the highest where none does."""
    return next((rate for rate in RATES_HZ if rate >= (asked_hz or USUAL_HZ)), RATES_HZ[-1])


class Decoder(PacketDecoder):
    """Everything comes in one characteristic, marked by module and register; there is no clock and no counter."""

    MOTION = frozenset({NOTIFY})

    def __init__(self) -> None:
        super().__init__()
        self._implementation: int | None = None
        self._configuration: tuple[int, int] | None = None  # codes of rate and range

    def linked(self) -> None:
        """Both are asked for, and set, after each link."""
        self._implementation, self._configuration, self.rate_hz = None, None, None

    def alike(self, data: bytes) -> Hashable:
        """Packets of one kind and length."""
        return data[:2], len(data)

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Samples of one kind, or what says how to read them."""
        first, header = packets.data[0], int.from_bytes(packets.data[0][:2])
        if header not in _LENGTHS:
            for data, t_host_ns in zip(packets.data, packets.t_host_ns, strict=True):
                self._answered(data, t_host_ns, gathered)
        elif len(first) != _LENGTHS[header]:
            gathered.refuse(f"a MetaWear packet {header:04x} has {_LENGTHS[header]} bytes", packets.data)
        elif first[0] == _ACCELEROMETER:
            self._raw(header, packets, gathered)
        else:
            self._fused(header, packets, gathered)

    def told(self, frame: Told, gathered: Gathered) -> None:
        """How the accelerometer was set."""
        if not isinstance(frame, Written) or frame.characteristic != COMMAND:
            return
        if frame.data[:2] == CONFIGURE and len(frame.data) == 4:
            self._configured(*frame.data[2:])

    def _answered(self, data: bytes, t_host_ns: int, gathered: Gathered) -> None:
        """Which accelerometer it is, how it is set, the battery; what other modules say is passed over."""
        kind, rest = data[:2], data[2:]
        if len(kind) < 2 or kind[0] not in _MODULES:
            gathered.refuse("no MetaWear module sends this", [data])
        elif kind == WHICH_ACCELEROMETER:
            self._implementation = rest[0] if rest else -1
        elif kind == CONFIGURED and len(rest) >= 2:
            self._configured(*rest[:2])
        elif kind == BATTERY and len(rest) == 3 and rest[0] <= 100:
            gathered.batteries.append(Battery(float(rest[0]), int.from_bytes(rest[1:], "little") / 1000, t_host_ns))
        elif kind == BATTERY:
            gathered.refuse("a MetaWear battery is a percentage and millivolts", [data])

    def _configured(self, rate_code: int, range_code: int) -> None:
        """The low half of the rate's code counts doublings: 8 is 100 Hz (BMI160 data sheet, register ACC_CONF)."""
        self._configuration = (rate_code, range_code)
        doublings = (rate_code & 0x0F) - 8
        self.rate_hz = 100.0 * 2.0**doublings if -8 < doublings <= 4 else None

    def _raw(self, header: int, packets: Packets, gathered: Gathered) -> None:
        range_g = self._range_g(header)
        if isinstance(range_g, str):
            gathered.refuse(range_g, packets.data)
            return
        count = (_LENGTHS[header] - 2) // 6
        raw = packets.records(np.dtype([("header", "u1", (2,)), ("raw", "<i2", (count, 3))]))["raw"].reshape(-1, 3)
        acc_mps2 = raw * (range_g * STANDARD_GRAVITY_MPS2 / 32768)
        clipped = at_the_end(raw, -32768, 32767)
        self.give(gathered, each_sample(packets.t_host_ns, count), acc_mps2, clipped=clipped)

    def _range_g(self, header: int) -> int | str:
        """The range of raw acceleration in g, or why it is not known: 3 means 2 g to one chip and 16 g to the other."""
        if self._configuration is None:
            return "the accelerometer's range has not been told"
        rate_code, range_code = self._configuration
        if self._implementation is not None:
            fitting = [chip for chip in CHIPS if chip.implementation == self._implementation]
        else:
            fitting = [chip for chip in CHIPS if range_code in chip.codes]
            told = [chip for chip in fitting if rate_code & 0xF0 == chip.rate_bits and rate_code & 0x0F >= 5]
            fitting = told if len(fitting) > 1 and told else fitting
        fitting = [chip for chip in fitting if range_code in chip.codes and header in (_ACCELERATION, chip.packed)]
        return fitting[0].codes[range_code] if len(fitting) == 1 else "what was told leaves the range open"

    def _fused(self, header: int, packets: Packets, gathered: Gathered) -> None:
        size = {_QUATERNION: 4}.get(header, 3)
        rest = _LENGTHS[header] - 2 - 4 * size
        layout = np.dtype([("header", "u1", (2,)), ("values", "<f4", (size,)), ("rest", "u1", (rest,))])
        acc_mps2 = _fused_mps2(header, packets.records(layout)["values"])
        refused = not_finite(acc_mps2)
        gathered.refuse("a board's fusion has sent no direction", packets.without(~refused).data)
        if self._configuration is None:
            self.rate_hz = _FUSION_HZ
        self.give(gathered, packets.without(refused).t_host_ns, acc_mps2[~refused])


def _fused_mps2(header: int, sent: NDArray[Any]) -> NDArray[np.float64]:
    """Acceleration (P, 3) in m/s² of what the fusion sent (P, 3 or 4); NaN where it is no number or no direction."""
    with np.errstate(all="ignore"):
        values = sent.astype(np.float64)
    if header == _FUSED_ACCELERATION:
        return values * (STANDARD_GRAVITY_MPS2 / 1000)
    return at_rest(up_of_quaternions(values) if header == _QUATERNION else up_of_gravity(values))


DRIVER = Driver(
    name="metawear",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="MbientLab MetaMotion R, RL and S, and MetaWear boards with the same accelerometers",
        gives=("acceleration", "battery"),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(float(rate) for rate in RATES_HZ),
        notes=(
            "Only acceleration is asked for: its fusion gives a direction without movement, so that walking would "
            "be taken for stillness.",
            "No clock, no counter: what is lost cannot be counted.",
            "One program at a time can be connected to it.",
            "At 100 Hz and more the link needs a connection interval of 7.5 ms.",
            "Logging or macros that other software has stored in it run on through restarts.",
        ),
    ),
    longest_interval_s=1.0,
    usual_rate_hz=float(USUAL_HZ),
    services=(SERVICE,),
    lacking="This sensor has no MetaWear service; where it is in its boot loader, update it with the maker's app.",
    ask_battery=ask_battery,
)
