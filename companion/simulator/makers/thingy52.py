"""A Thingy:52 with Nordic's firmware and its motion service, as the firmware's source describes it.

It keeps its configuration when it restarts, and its fusion sends every n-th of 200 samples a second. Pure. Must never
know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence

import numpy as np

from companion.simulator.maker_sensor import BATTERY, Floats, MakerSensor, counts
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_CONFIGURATION = "ef680100-9b35-4933-9b10-52ffa9740042"
_SERVICE = "ef680400-9b35-4933-9b10-52ffa9740042"
_CONFIG = "ef680401-9b35-4933-9b10-52ffa9740042"
_RAW = "ef680406-9b35-4933-9b10-52ffa9740042"
_GRAVITY = "ef68040a-9b35-4933-9b10-52ffa9740042"

_FUSION_HZ = 200
_LIMITS = ((100, 5000), (100, 5000), (100, 1000), (5, 200), (0, 1))
_COMPASS_UT = (20.0, -5.0, 40.0)  # somewhere in Europe


class Sensor(MakerSensor):
    """One out of its box."""

    APPEARANCE = Appearance(
        "Thingy", "F4:12:3D:5A:70:08", "simulated Thingy:52", services=(_CONFIGURATION,), manufacturer={0x0059: b""}
    )
    SERVED = (
        Served(_SERVICE, _CONFIG, Property.READ | Property.WRITE),
        Served(_SERVICE, _RAW, Property.NOTIFY),
        Served(_SERVICE, _GRAVITY, Property.NOTIFY),
        BATTERY,
    )
    MOTION = _RAW

    _config = struct.pack("<HHHHB", 1000, 500, 500, 10, 1)

    def heard(self, characteristic: str, on: bool) -> None:
        """It samples for whoever is subscribed."""
        if characteristic == _RAW:
            self._begin() if on else self.halt()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A configuration within its limits; it is kept in flash memory, and motion starts anew with it."""
        if characteristic != _CONFIG or len(data) != 9:
            raise KeyError(characteristic)
        fields = struct.unpack("<HHHHB", data)
        if not all(low <= field <= high for field, (low, high) in zip(fields, _LIMITS, strict=True)):
            raise KeyError(characteristic)
        self._config = data
        if self.streaming is not None:
            self._begin()
        return []

    def value(self, characteristic: str) -> bytes:
        """The configuration; nothing else can be read."""
        if characteristic != _CONFIG:
            raise KeyError(characteristic)
        return self._config

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Acceleration in 1/1024 g, rate in 1/32 °/s, compass in 1/16 µT; the firmware stops short of full scale."""
        acc = counts(acc_mps2[0], 2**10 / STANDARD_GRAVITY_MPS2).clip(max=31 << 10)
        gyr = counts(np.degrees(gyr_radps[0]), 2**5).clip(max=1023 << 5)
        compass = counts(np.array(_COMPASS_UT), 2**4)
        return [struct.pack("<9h", *acc.tolist(), *gyr.tolist(), *compass.tolist())]

    def _begin(self) -> None:
        (rate_hz,) = struct.unpack_from("<H", self._config, 6)
        self.stream(_FUSION_HZ / (_FUSION_HZ // rate_hz), each=1)
