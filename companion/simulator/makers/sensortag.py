"""A SensorTag CC2650 with TI's firmware, as its user's guide and the firmware's source describe it.

Everything is off and the period is 1 s when it starts. It samples by its own timer while an axis is on, whether anybody
is subscribed or not, sends a packet of noughts when its configuration is written, and switches off when its host has
gone. Wake-on-motion is not simulated. Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence

import numpy as np

from companion.simulator.maker_sensor import BATTERY, Floats, MakerSensor, counts
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_SERVICE = "f000aa80-0451-4000-b000-000000000000"
_DATA = "f000aa81-0451-4000-b000-000000000000"
_CONFIG = "f000aa82-0451-4000-b000-000000000000"
_PERIOD = "f000aa83-0451-4000-b000-000000000000"
_ADVERTISED = "0000aa80-0000-1000-8000-00805f9b34fb"

_AXES = 0x007F
_GYR_BITS, _ACC_BITS, _MAG_BIT = (2, 1, 0), (5, 4, 3), 6  # x, y, z
_RANGES_G = (2, 4, 8, 16)
_AT_FIRST = 0x0200  # everything off, 8 g
_SHORTEST, _FACTORY = 10, 100  # periods, in 10 ms
_COMPASS_UT = (20.0, -5.0, 40.0)  # somewhere in Europe


class Sensor(MakerSensor):
    """One out of its box."""

    APPEARANCE = Appearance(
        "CC2650 SensorTag",
        "F4:12:3D:5A:70:10",
        "simulated SensorTag CC2650",
        services=(_ADVERTISED,),
        manufacturer={0x000D: b""},
    )
    SERVED = (
        Served(_SERVICE, _DATA, Property.READ | Property.NOTIFY),
        Served(_SERVICE, _CONFIG, Property.READ | Property.WRITE),
        Served(_SERVICE, _PERIOD, Property.READ | Property.WRITE),
        BATTERY,
    )
    MOTION = _DATA

    def powered_on(self) -> None:
        """Off, as it comes out of its box."""
        self._config, self._period = _AT_FIRST, _FACTORY

    def left(self) -> None:
        """Its host is gone: it switches off, and keeps the period."""
        self._config = _AT_FIRST
        self.halt()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A configuration, which starts or stops it and empties its packet, or a period."""
        if characteristic == _CONFIG and len(data) == 2:
            (self._config,) = struct.unpack("<H", data)
            self._begin()
            return self.answer(_DATA, bytes(18))
        if characteristic == _PERIOD and len(data) == 1 and data[0] >= _SHORTEST:
            self._period = data[0]
            self._begin()
            return []
        raise KeyError(characteristic)

    def value(self, characteristic: str) -> bytes:
        """How it is set; motion is not kept to be read."""
        values = {_CONFIG: struct.pack("<H", self._config), _PERIOD: bytes([self._period])}
        return values[characteristic]

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Rate in 500/65536 °/s, acceleration in the range asked for, compass in µT; axes that are off are 0."""
        range_g = _RANGES_G[self._config >> 8 & 3]
        gyr = counts(np.degrees(gyr_radps[0]), 65536 / 500)
        acc = counts(acc_mps2[0], 32768 / (range_g * STANDARD_GRAVITY_MPS2))
        compass = counts(np.array(_COMPASS_UT), 1.0)
        on = [self._config >> bit & 1 for bit in (*_GYR_BITS, *_ACC_BITS, *3 * (_MAG_BIT,))]
        return [struct.pack("<9h", *(np.concatenate([gyr, acc, compass]) * on).tolist())]

    def _begin(self) -> None:
        if self._config & _AXES:
            self.stream(100 / self._period, each=1)
        else:
            self.halt()
