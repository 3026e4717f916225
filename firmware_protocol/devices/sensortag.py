"""Texas Instruments' SensorTag CC2650 and its movement service.

Sources: TI's CC2650 SensorTag User's Guide and table of attributes; sensortag_mov.c and SensorMpu9250.c of TI's BLE SDK
2.2, for what is sent when, and for both scales; node-sensortag for the names it goes by, and its issue 62. Rates are
scaled as TI's code means it, 65536 / 500 counts to a degree a second: its own integer division makes 131 of it, and
npm's sensortag 1.3.0 divides by 128, which is 2 % more. Pure. Must never know: radios, the present time.

Axes that are switched off read 0. Whenever the configuration is written the firmware sets the whole packet to 0, and
sends that until the first measurement: such packets are passed over, as is what comes while an axis of the
accelerometer is off.
"""

import struct

import numpy as np

from firmware_protocol.devices.battery import ask_battery
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, at_the_end
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement, Reading, Written
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Script, Subscribe, Write

_BASE = "f000{:04x}-0451-4000-b000-000000000000"
SERVICE = _BASE.format(0xAA80)
DATA = _BASE.format(0xAA81)
CONFIG = _BASE.format(0xAA82)
PERIOD = _BASE.format(0xAA83)

ADVERTISED = "0000aa80-0000-1000-8000-00805f9b34fb"
"""How it advertises the service: by its short number, as if that were one of the Bluetooth SIG's."""
COMPANY = 0x000D
NAMES = frozenset({"cc2650 sensortag", "sensortag 2.0"})

PERIODS = (10, 20, 50, 100)
"""What is asked for, in units of 10 ms: 100 ms is the shortest that it takes, 1 s what it begins with."""
USUAL = 10

GYROSCOPE, ACCELEROMETER = 0x0007, 0x0038
"""Bits of the configuration, one for each axis. Bit 6 is the magnetometer, bit 7 wake-on-motion."""
_RANGE_BIT = 8  # and 9: 2, 4, 8 or 16 g
USUAL_CONFIG = GYROSCOPE | ACCELEROMETER | 2 << _RANGE_BIT
"""8 g is also what the firmware goes back to when it resets its sensor."""
_OFF = 0

_DPS = 500 / 65536
_CONFIG = struct.Struct("<H")
_PACKET = np.dtype([("gyr", "<i2", (3,)), ("acc", "<i2", (3,)), ("mag", "<i2", (3,))])


def match(advertisement: Advertisement) -> float:
    """The service; else its name, with TI's company number or without, which much else of TI's has too."""
    if {SERVICE, ADVERTISED} & set(advertisement.service_uuids):
        return 1.0
    if (advertisement.name or "").casefold() not in NAMES:
        return 0.0
    return 0.6 if COMPANY in advertisement.manufacturer_data else 0.4


def start(rate_hz: float | None) -> Script:
    """Switch accelerometer and gyroscope on, at 8 g and without wake-on-motion; ask for the period; subscribe."""
    yield Write(CONFIG, _CONFIG.pack(USUAL_CONFIG))
    yield Write(PERIOD, bytes([_period(rate_hz)]))
    yield Subscribe(DATA)


def stop() -> Script:
    """Switch everything off, for the sake of its battery."""
    yield Write(CONFIG, _CONFIG.pack(_OFF))


def _period(rate_hz: float | None) -> int:
    """The longest period that gives the rate; the shortest where none does."""
    if rate_hz is None:
        return USUAL
    return next((period for period in reversed(PERIODS) if 100 / period >= rate_hz), PERIODS[0])


class Decoder(PacketDecoder):
    """One sample a packet, without a clock or a counter. Where no configuration was told, `start`'s is in force."""

    MOTION = frozenset({DATA})
    rate_hz = 100 / USUAL

    def __init__(self) -> None:
        super().__init__()
        self._config = USUAL_CONFIG

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Rates, accelerations and the magnetometer, which is not used, as the configuration scales them."""
        if len(packets.data[0]) != _PACKET.itemsize:
            gathered.refuse(f"motion of a SensorTag has {_PACKET.itemsize} bytes", packets.data)
            return
        if not self._on(ACCELEROMETER):
            return
        found = packets.records(_PACKET)
        measured = np.asarray(found["gyr"].any(axis=1) | found["acc"].any(axis=1))
        acc, gyr = found["acc"][measured], found["gyr"][measured]
        range_g = 2 << (self._config >> _RANGE_BIT & 3)
        acc_mps2 = acc * (range_g * STANDARD_GRAVITY_MPS2 / 32768)
        gyr_radps = np.radians(gyr * _DPS) if self._on(GYROSCOPE) else np.nan
        clipped = at_the_end(acc, -32768, 32767) | at_the_end(gyr, -32768, 32767)
        self.give(gathered, packets.without(~measured).t_host_ns, acc_mps2, gyr_radps, clipped=clipped)

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The configuration and the period that were written, or read."""
        if not isinstance(frame, Reading | Written):
            return
        if frame.characteristic == CONFIG and len(frame.data) == _CONFIG.size:
            (self._config,) = _CONFIG.unpack(frame.data)
        elif frame.characteristic == PERIOD and len(frame.data) == 1 and frame.data[0] >= PERIODS[0]:
            self.rate_hz = 100 / frame.data[0]

    def linked(self) -> None:
        """What was written before may be in force no longer; `start` writes it anew."""
        self._config = USUAL_CONFIG

    def _on(self, axes: int) -> bool:
        """Whether all of these are switched on."""
        return self._config & axes == axes


DRIVER = Driver(
    name="sensortag",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="TI SensorTag CC2650",
        gives=("acceleration", "rotation", "battery"),
        confidence=Confidence.THIRD_PARTY,
        rates_hz=tuple(100 / period for period in reversed(PERIODS)),
        notes=(
            "10 Hz at the most.",
            "No clock, no counter: what is lost cannot be counted.",
            "It is no longer made, and its battery runs out quickly.",
            "Wake-on-motion must stay off, as it does here: with it a sensor that is held still sends nothing.",
        ),
    ),
    longest_interval_s=1.0,
    usual_rate_hz=100 / USUAL,
    services=(SERVICE,),
    lacking="This SensorTag has no movement service (F000AA80); the CC2650 with TI's own firmware has it.",
    ask_battery=ask_battery,
)
