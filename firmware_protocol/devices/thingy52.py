"""Nordic's Thingy:52 and its motion service.

Sources: ble_tms.h, ble_tms.c, m_motion.c and drv_motion.c of NordicSemiconductor/Nordic-Thingy52-FW; what angles and
matrix mean: eMPL_outputs.c and dmp_set_fifo_rate of InvenSense's Motion Driver, which that firmware is built on. Pure.
Must never know: radios, the present time.

The driver asks for raw data. What the sensor's own fusion tells is decoded as well, for recordings of other programs:
as what an accelerometer at rest reads there, without a gyroscope.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices.battery import ask_battery
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, at_the_end, not_finite
from firmware_protocol.devices.orientation import Floats, at_rest, up_of_gravity, up_of_quaternions
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement, Reading, Written
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Read, Script, Subscribe, Write

_BASE = "ef68{:04x}-9b35-4933-9b10-52ffa9740042"
ADVERTISED = _BASE.format(0x0100)  # the configuration service
SERVICE = _BASE.format(0x0400)
CONFIG = _BASE.format(0x0401)
QUATERNION = _BASE.format(0x0404)
RAW = _BASE.format(0x0406)
EULER = _BASE.format(0x0407)
MATRIX = _BASE.format(0x0408)
GRAVITY = _BASE.format(0x040A)

COMPANY = 0x0059
RATES_HZ = (5, 10, 20, 25, 40, 50, 100, 200)
"""Its fusion runs at 200 Hz and sends every n-th: of the 5 to 200 Hz that it takes, these are kept as asked for."""
USUAL_HZ = 50

_CONFIG = struct.Struct("<HHHHB")  # periods of pedometer, temperature, compass (ms), rate (Hz), wakes when moved
_FACTORY = (1000, 500, 500, 10, 1)
_LEAST, _MOST = (100, 100, 100, 5, 0), (5000, 5000, 1000, 200, 1)  # it refuses a configuration beyond these

_RAW = np.dtype([("acc", "<i2", (3,)), ("gyr", "<i2", (3,)), ("compass", "<i2", (3,))])
_G, _DPS = 1 / 2**10, 1 / 2**5
_ACC_END, _GYR_END = 31 << 10, 1023 << 5  # the firmware's own limits above; below they are those of 16 bits
_LOWEST = -(1 << 15)
_NO_DIRECTION = "this tells no direction"
_MOST_DEG = 180.0


def match(advertisement: Advertisement) -> float:
    """The configuration service, which it advertises; its name can be changed."""
    if ADVERTISED in advertisement.service_uuids:
        return 1.0
    named = (advertisement.name or "").casefold().startswith("thingy")
    return 0.0 if not named else 0.6 if COMPANY in advertisement.manufacturer_data else 0.3


def start(rate_hz: float | None) -> Script:
    """Set the rate and leave the rest of the configuration as it is; subscribing starts the sensor."""
    now = yield Read(CONFIG, optional=True)
    *others, _, wakes = _allowed(now) or _FACTORY
    yield Write(CONFIG, _CONFIG.pack(*others, _offered_hz(rate_hz), wakes))
    yield Subscribe(RAW)


def stop() -> Script:
    """Nothing is needed: it stops when nobody is subscribed."""
    yield from ()


def _offered_hz(rate_hz: float | None) -> int:
    """The lowest rate that is enough, or the highest."""
    wanted_hz = USUAL_HZ if rate_hz is None else rate_hz
    return next((rate for rate in RATES_HZ if rate >= wanted_hz), RATES_HZ[-1])


def _allowed(config: bytes) -> tuple[int, ...] | None:
    """The fields of a configuration; None: it is none that the sensor takes."""
    if len(config) != _CONFIG.size:
        return None
    fields = _CONFIG.unpack(config)
    return fields if all(a <= x <= b for a, x, b in zip(_LEAST, fields, _MOST, strict=True)) else None


class Decoder(PacketDecoder):
    """One sample a packet, without a clock or a counter."""

    MOTION = frozenset({RAW, QUATERNION, EULER, MATRIX, GRAVITY})
    rate_hz = float(USUAL_HZ)

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """What the characteristic says the packets are."""
        if packets.characteristic == RAW:
            self._raw(packets, gathered)
            return
        dtype, acc_of = _FUSED[packets.characteristic]
        if len(packets.data[0]) != dtype.itemsize:
            gathered.refuse(f"this characteristic of a Thingy:52 has {dtype.itemsize} bytes", packets.data)
            return
        acc_mps2 = acc_of(packets.records(dtype)["values"])
        refused = not_finite(acc_mps2)
        gathered.refuse(_NO_DIRECTION, [packets.data[k] for k in np.flatnonzero(refused).tolist()])
        self.give(gathered, packets.without(refused).t_host_ns, acc_mps2[~refused])

    def _raw(self, packets: Packets, gathered: Gathered) -> None:
        if len(packets.data[0]) != _RAW.itemsize:
            gathered.refuse(f"raw motion of a Thingy:52 has {_RAW.itemsize} bytes", packets.data)
            return
        found = packets.records(_RAW)
        acc, gyr = found["acc"], found["gyr"]
        clipped = at_the_end(acc, _LOWEST, _ACC_END) | at_the_end(gyr, _LOWEST, _GYR_END)
        gyr_radps = np.radians(gyr * _DPS)
        self.give(gathered, packets.t_host_ns, acc * (_G * STANDARD_GRAVITY_MPS2), gyr_radps, clipped=clipped)

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The configuration that was read, or written."""
        if isinstance(frame, Reading | Written) and frame.characteristic == CONFIG:
            fields = _allowed(frame.data)
            self.rate_hz = float(fields[3]) if fields else self.rate_hz


def _of_quaternions(values: NDArray[Any]) -> Floats:
    return at_rest(up_of_quaternions(values / 2**30))


def _of_euler(values: NDArray[Any]) -> Floats:
    """Not Euler's angles: how far y points up, over the top to ±180°; then how far z leans from up towards -x, to ±90°.

    The third angle is the heading.
    """
    angles_deg = values / 2**16
    about_x, about_y = np.radians(angles_deg[:, 0]), np.radians(angles_deg[:, 1])
    level = np.cos(about_x)
    up = np.stack([-np.abs(level) * np.sin(about_y), np.sin(about_x), level * np.cos(about_y)], axis=1)
    up[np.abs(angles_deg).max(axis=1) > _MOST_DEG] = np.nan
    return at_rest(up)


def _of_matrix(values: NDArray[Any]) -> Floats:
    """The third row is where up is: the matrix is that of the quaternion, which turns the sensor's frame."""
    rows = values[:, 6:] / 2**14
    return at_rest(np.where(np.abs((rows * rows).sum(axis=1, keepdims=True) - 1) < 0.1, up_of_gravity(rows), np.nan))


def _of_gravity(values: NDArray[Any]) -> Floats:
    """It is in m/s², and points up; its length says nothing."""
    with np.errstate(invalid="ignore"):  # what is not a number is refused later
        return at_rest(up_of_gravity(values))


_FUSED: dict[str, tuple["np.dtype[Any]", Callable[[NDArray[Any]], Floats]]] = {
    QUATERNION: (np.dtype([("values", "<i4", (4,))]), _of_quaternions),
    EULER: (np.dtype([("values", "<i4", (3,))]), _of_euler),
    MATRIX: (np.dtype([("values", "<i2", (9,))]), _of_matrix),
    GRAVITY: (np.dtype([("values", "<f4", (3,))]), _of_gravity),
}

DRIVER = Driver(
    name="thingy52",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Nordic Thingy:52",
        gives=("acceleration", "rotation", "battery"),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(float(rate) for rate in RATES_HZ),
        notes=(
            "No clock, no counter: what is lost cannot be counted.",
            "It advertises for three minutes; press its button when it is not found.",
            "The rate is kept in the sensor's flash memory, and other programs find it there afterwards.",
            "By its firmware's source the accelerometer's sign is turned over and the gyroscope's is not: calibrate "
            "with the bend, and check which side a lean is shown on.",
        ),
    ),
    usual_rate_hz=float(USUAL_HZ),
    services=(SERVICE,),
    lacking="This Thingy has no motion service; install Nordic's Thingy:52 firmware on it.",
    ask_battery=ask_battery,
)
