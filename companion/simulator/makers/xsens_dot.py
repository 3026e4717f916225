"""A Movella DOT, as the maker's BLE Services Specification of 2023 describes it.

Of the payload modes it knows the rate quantities. Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from companion.simulator.equipment import battery_pct
from companion.simulator.maker_sensor import Floats, MakerSensor
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served

_UUID = "1517{:04x}-4947-11e9-8646-d663bd873d93".format
_DEVICE_CONTROL, _CONTROL, _MEDIUM, _BATTERY = _UUID(0x1002), _UUID(0x2001), _UUID(0x2003), _UUID(0x3001)
_BOTH = Property.READ | Property.WRITE
_RATES_HZ = (1, 4, 10, 12, 15, 20, 30, 60)
_RATE_QUANTITIES = 21
_MEDIUM_BYTES = 40
_RATE_BIT = 1 << 4
_ON_FOR_US = 2**32 - 12_000_000
"""It has been on for 71 minutes when the story begins, so that its clock wraps soon after."""


class Sensor(MakerSensor):
    """A sensor that remembers `saved_hz`, the output rate that was set last."""

    APPEARANCE = Appearance("Movella DOT", "F4:12:3D:5A:70:06", "simulated DOT", manufacturer={0x0886: b""})
    SERVED = (
        Served(_UUID(0x1000), _DEVICE_CONTROL, _BOTH),
        Served(_UUID(0x2000), _CONTROL, _BOTH),
        Served(_UUID(0x2000), _UUID(0x2002), Property.NOTIFY),
        Served(_UUID(0x2000), _MEDIUM, Property.NOTIFY),
        Served(_UUID(0x2000), _UUID(0x2004), Property.NOTIFY),
        Served(_UUID(0x3000), _BATTERY, Property.READ | Property.NOTIFY),
    )
    MOTION = _MEDIUM

    def __init__(self, *args: Any, saved_hz: int = 60, **options: Any) -> None:
        self._rate_hz, self._mode = saved_hz, 4
        super().__init__(*args, **options)

    def powered_on(self) -> None:
        """The clock begins; rate and mode are kept."""
        self._on_for_us = _ON_FOR_US if self.clock.boot_ns == 0 else 0

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """Start and stop; a rate while nothing is measured."""
        if characteristic == _CONTROL and len(data) == 3 and data[0] == 1:
            self._measure(data[1] == 1, data[2])
        elif characteristic == _DEVICE_CONTROL and len(data) == 32:
            (rate_hz,) = struct.unpack_from("<H", data, 24)
            if data[0] & _RATE_BIT and rate_hz in _RATES_HZ and self.streaming is None:
                self._rate_hz = rate_hz
        else:
            raise KeyError(characteristic)
        return []

    def value(self, characteristic: str) -> bytes:
        """What is measured, how it is set, the battery."""
        if characteristic == _CONTROL:
            return bytes([1, self.streaming is not None, self._mode])
        if characteristic == _DEVICE_CONTROL:
            return struct.pack("<3B4BB16sHB5x", 0, 0, 0, 10, 0, 30, 0, 11, b"Movella DOT", self._rate_hz, 0)
        if characteristic == _BATTERY:
            return bytes([battery_pct(self.now_ns), 0])
        raise KeyError(characteristic)

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Time in microseconds, m/s² and degrees a second, zeros to the end."""
        time_us = (int(taken_ns[0]) // 1000 + self._on_for_us) % 2**32
        payload = struct.pack("<I6f", time_us, *acc_mps2[0].tolist(), *np.degrees(gyr_radps[0]).tolist())
        return [payload.ljust(_MEDIUM_BYTES, b"\0")]

    def _measure(self, on: bool, mode: int) -> None:
        if not on:
            self.halt()
        elif mode == _RATE_QUANTITIES:
            self._mode = mode
            self.stream(self._rate_hz, each=1)
