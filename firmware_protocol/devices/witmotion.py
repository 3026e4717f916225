"""WitMotion's motion sensors with Bluetooth 5.0: the WT901BLE family.

Sources: WITMOTION/WitBluetooth_BWT901BLE5_0 (the maker's Python and Android SDK); the WT901BLECL datasheet v20-0707 and
the WT901BLECL 5.0 manual, chapter 6; the Bluetooth 5.0 communication protocol of the maker's SDK pages. How the stream
is cut into frames stands in `witmotion_frames`. Pure. Must never know: radios, the present time.
"""

import math
import re
import struct

import numpy as np

from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, at_the_end
from firmware_protocol.devices.witmotion_frames import MOTION, REGISTERS, FrameCutter
from firmware_protocol.drivers import About, Battery, Confidence, Driver
from firmware_protocol.frames import Advertisement, Written
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Script, Subscribe, Write

SERVICE = "0000ffe5-0000-1000-8000-00805f9a34fb"
NOTIFY = "0000ffe4-0000-1000-8000-00805f9a34fb"
WRITE = "0000ffe9-0000-1000-8000-00805f9a34fb"
"""On a base of the maker's own: 9a34fb, not the 9b34fb of the Bluetooth SIG."""

RATE_CODES = {10.0: 0x06, 20.0: 0x07, 50.0: 0x08, 100.0: 0x09, 200.0: 0x0B}
"""What is offered, in Hz. Slower ones exist; 0x0A is 200 Hz on some models, and 0x0B not documented there."""
USUAL_HZ = 50.0

ACC_MPS2 = 16 * STANDARD_GRAVITY_MPS2 / 32768
GYR_RADPS = math.radians(2000) / 32768
"""One unit of the raw numbers: the ranges are 16 g and 2000 degrees a second, whatever the model."""

_COMMAND = struct.Struct("<2sBH")  # FF AA, register, value
_RATE, _READ, _BATTERY, _KEY = 0x03, 0x27, 0x64, 0x69
_UNLOCK = 0xB588
_SETTLE_S = 0.1  # the maker's SDK waits as long between writes

_VOLTS_1 = (3.40, 3.50, 3.68, 3.70, 3.73, 3.77, 3.79, 3.82, 3.87, 3.93, 3.96, 3.99)
_PERCENT_1 = (0, 5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 100)
_VOLTS_2 = (6.50, 6.80, 7.35, 7.75, 8.50, 8.80)
_PERCENT_2 = (0, 10, 30, 60, 90, 100)
"""One cell, two cells in series (above 5.5 V), as the maker's Android SDK has them; between two points a line."""

_OTHER_PRODUCT = re.compile("WTVB|SDCL")
_MODEL = re.compile(r"WT\d")
_MAKER = re.compile("[BH]?WT")


def match(advertisement: Advertisement) -> float:
    """The maker tells its sensors by "WT" in the name; so are its vibration sensors and recorders called."""
    name = advertisement.name or ""
    if _OTHER_PRODUCT.search(name.upper()):
        return 0.0
    if SERVICE in advertisement.service_uuids:
        return 1.0
    return 0.4 if _MODEL.search(name.upper()) else 0.2 if _MAKER.match(name) else 0.0


def start(rate_hz: float | None) -> Script:
    """Motion comes by itself; the rate is a register, and registers are locked until the key is written."""
    yield Subscribe(NOTIFY)
    yield Write(WRITE, command(_KEY, _UNLOCK), settle_s=_SETTLE_S)
    yield Write(WRITE, command(_RATE, RATE_CODES[_offered(rate_hz)]), settle_s=_SETTLE_S)


def stop() -> Script:
    """Nothing is needed: it stops when nobody is subscribed."""
    yield from ()


def ask_battery() -> Script:
    """Ask for the register; the answer comes among the motion."""
    yield Write(WRITE, command(_READ, _BATTERY))


def command(register: int, value: int) -> bytes:
    """The bytes that write a register; register 0x27 asks for the eight registers from `value` on."""
    return _COMMAND.pack(b"\xff\xaa", register, value)


def _offered(rate_hz: float | None) -> float:
    """The lowest rate offered that is at least the one asked for, in Hz; the highest where none is."""
    asked_hz = USUAL_HZ if rate_hz is None else rate_hz
    return next((offered for offered in RATE_CODES if offered >= asked_hz), max(RATE_CODES))


def percent_of(volts: float) -> float:
    """How full the battery is, by the maker's table."""
    table = (_VOLTS_2, _PERCENT_2) if volts > 5.5 else (_VOLTS_1, _PERCENT_1)
    return float(np.interp(volts, *table))


class Decoder(PacketDecoder):
    """Motion without a clock or a counter, and now and then registers."""

    MOTION = frozenset({NOTIFY})
    rate_hz: float | None = USUAL_HZ

    def __init__(self) -> None:
        super().__init__()
        self._cutter = FrameCutter()

    def alike(self, data: bytes) -> None:
        """All notifications are one stream, whatever their lengths."""

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Acceleration and rate of the motion frames; the sensor's own angles are left aside."""
        frames, t_host_ns = self._cutter.cut(packets, gathered)
        moving = frames["kind"] == MOTION
        raw = frames["raw"][moving][:, :6]
        clipped = at_the_end(raw, -32768, 32767)
        self.give(gathered, t_host_ns[moving], raw[:, :3] * ACC_MPS2, raw[:, 3:] * GYR_RADPS, clipped=clipped)
        for place in np.flatnonzero(frames["kind"] == REGISTERS).tolist():
            first, value = frames["raw"][place, :2].tolist()
            if first == _BATTERY and value > 0:  # 0: no battery that it could measure
                gathered.batteries.append(Battery(percent_of(value / 100), value / 100, int(t_host_ns[place])))

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The rate that was written; what came before was at another one."""
        if isinstance(frame, Written) and frame.characteristic == WRITE and len(frame.data) == _COMMAND.size:
            begin, register, code = _COMMAND.unpack(frame.data)
            if (begin, register) == (b"\xff\xaa", _RATE):
                self.rate_hz = next((rate_hz for rate_hz, known in RATE_CODES.items() if known == code), None)
                self.begin_segment()

    def linked(self) -> None:
        """The stream begins anew; the rate stays until the sensor is switched off."""
        self._cutter.forget()


DRIVER = Driver(
    name="witmotion",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="WitMotion WT901BLE family: WT901BLECL5.0, BWT901BLE5.0, WT901BLE67 and 68, WT9011DCL",
        gives=("acceleration", "rotation", "battery"),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(RATE_CODES),
        notes=(
            "No clock and no counter: times are those of arrival, and what is lost cannot be counted.",
            "The rate asked for is not stored in the sensor: its own comes back when it is switched off.",
            "The codes of the rates differ between models, above 100 Hz for certain; the rate is measured.",
            "Which way its axes point is not documented for every model; the calibration finds out.",
            "Connecting fails now and then; it is tried again.",
            "WIT's vibration sensors (WTVB01) and recorders (WT901SDCL) look alike on the air, send longer frames, "
            "and cannot be used.",
        ),
    ),
    usual_rate_hz=USUAL_HZ,
    services=(SERVICE,),
    lacking=(
        "This sensor does not have WitMotion's motion service (FFE5); sensors with Bluetooth 5.0 of the WT901 family "
        "have it, such as the WT901BLECL5.0 or the WT9011DCL."
    ),
    ask_battery=ask_battery,
)
