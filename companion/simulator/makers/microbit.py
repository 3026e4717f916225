"""A BBC micro:bit with the Bluetooth accelerometer service, as its profile describes it.

Its notifications come in bursts, every 45 ms or so. Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence

import numpy as np

from companion.simulator.maker_sensor import BATTERY, Floats, MakerSensor, counts
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_SERVICE = "e95d0753-251d-470a-a062-fa1922dfa9a8"
_DATA = "e95dca4b-251d-470a-a062-fa1922dfa9a8"
_PERIOD = "e95dfb24-251d-470a-a062-fa1922dfa9a8"
_PERIODS_MS = (1, 2, 5, 10, 20, 80, 160, 640)
_NEVER = np.empty(0, dtype=np.int64)


class Sensor(MakerSensor):
    """A board with a program that needs no pairing."""

    APPEARANCE = Appearance("BBC micro:bit [zuvov]", "F4:12:3D:5A:70:02", "simulated micro:bit")
    SERVED = (
        Served(_SERVICE, _DATA, Property.READ | Property.NOTIFY),
        Served(_SERVICE, _PERIOD, Property.READ | Property.WRITE),
        BATTERY,
    )
    MOTION = _DATA
    EVENT_NS = 45_000_000

    def powered_on(self) -> None:
        """20 ms is what the board begins with."""
        self._period_ms = 20

    def heard(self, characteristic: str, on: bool) -> None:
        """It samples for whoever is subscribed."""
        if characteristic == _DATA:
            self._begin() if on else self.halt()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A period takes the nearest that the board has, from the next sample on."""
        if characteristic != _PERIOD or len(data) != 2:
            raise KeyError(characteristic)
        (asked_ms,) = struct.unpack("<H", data)
        self._period_ms = min(_PERIODS_MS, key=lambda period: abs(period - asked_ms))
        if self.streaming is not None:
            self._begin()
        return []

    def value(self, characteristic: str) -> bytes:
        """The period, or where the board lies now."""
        if characteristic == _PERIOD:
            return struct.pack("<H", self._period_ms)
        if characteristic == _DATA:
            acc, gyr = self.body.sample(1000 / self._period_ms, 0, 1, self.story_s)
            return self.pack(acc, gyr, _NEVER)[0]
        raise KeyError(characteristic)

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Milli-g, one sample each."""
        return [struct.pack("<3h", *counts(acc_mps2[0], 1000 / STANDARD_GRAVITY_MPS2).tolist())]

    def _begin(self) -> None:
        self.stream(1000 / self._period_ms, each=1)
