"""A WitMotion WT901BLE, as the maker's manual and SDK describe it.

Frames of 20 bytes, several to a notification at high rates, cut where the ATT MTU ends. Pure. Must never know: bumble,
hosts, drivers.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from companion.simulator.equipment import TEMPERATURE_C, battery_pct
from companion.simulator.maker_sensor import Floats, MakerSensor, counts
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_UUID = "0000{:04x}-0000-1000-8000-00805f9a34fb".format
_SERVICE, _NOTIFY, _WRITE = _UUID(0xFFE5), _UUID(0xFFE4), _UUID(0xFFE9)

_SAVE, _RATE, _READ, _TEMPERATURE, _MAGNETIC_FIELD, _BATTERY, _KEY = 0x00, 0x03, 0x27, 0x40, 0x3A, 0x64, 0x69
_RATES_HZ = {0x05: 5.0, 0x06: 10.0, 0x07: 20.0, 0x08: 50.0, 0x09: 100.0, 0x0B: 200.0}
_UNLOCK = 0xB588
_UNLOCKED_NS = 10 * 1_000_000_000
_ATT_BYTES = 3

_ACC_PER_MPS2 = 32768 / (16 * STANDARD_GRAVITY_MPS2)
_GYR_PER_RADPS = 32768 / np.radians(2000)
_ANGLE_PER_RAD = 32768 / np.pi
_EARTH_MG = (360, 105, 122)


class Sensor(MakerSensor):
    """A sensor that `saved`, the code of a rate, was last stored in; the box has 0x06, 10 Hz."""

    APPEARANCE = Appearance("WT901BLE67", "F4:12:3D:5A:70:03", "simulated WT901BLE")
    SERVED = (
        Served(_SERVICE, _NOTIFY, Property.NOTIFY),
        Served(_SERVICE, _WRITE, Property.WRITE | Property.WRITE_WITHOUT_RESPONSE),
    )
    MOTION = _NOTIFY

    def __init__(self, *args: Any, saved: int = 0x06, **options: Any) -> None:
        self._saved = saved
        super().__init__(*args, **options)

    def powered_on(self) -> None:
        """What was not saved is forgotten, and it is locked."""
        self._rate, self._locked_ns = self._saved, 0

    def heard(self, characteristic: str, on: bool) -> None:
        """It sends motion to whoever is subscribed."""
        if characteristic == _NOTIFY:
            self._begin() if on else self.halt()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """FF AA, a register, its value; what it does not know, and what is locked, it passes over."""
        if characteristic != _WRITE:
            raise KeyError(characteristic)
        if len(data) == 5 and data[:2] == b"\xff\xaa":
            register, value = struct.unpack("<BH", data[2:])
            if register == _READ:
                return self.answer(_NOTIFY, b"\x55\x71" + struct.pack("<9H", value, *self._registers(value)))
            if register == _KEY:
                self._locked_ns = self.now_ns + _UNLOCKED_NS if value == _UNLOCK else 0
            elif self.now_ns < self._locked_ns:
                self._set(register, value)
        return []

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Acceleration, rate, angles; the heading is not known and stays 0."""
        x, y, z = acc_mps2.T
        angles = np.stack([np.arctan2(y, z), np.arctan2(-x, np.hypot(y, z)), np.zeros_like(x)], axis=1)
        raw = (counts(acc_mps2, _ACC_PER_MPS2), counts(gyr_radps, _GYR_PER_RADPS), counts(angles, _ANGLE_PER_RAD))
        frames = b"".join(b"\x55\x61" + numbers.tobytes() for numbers in np.hstack(raw).astype("<i2"))
        room = self.mtu - _ATT_BYTES
        return [frames[k : k + room] for k in range(0, len(frames), room)]

    def _begin(self) -> None:
        """A notification at least every 40 ms or so where there is something to tell, and no more than four frames."""
        rate_hz = _RATES_HZ[self._rate]
        self.stream(rate_hz, each=min(max(1, int(rate_hz // 25)), 4))

    def _set(self, register: int, value: int) -> None:
        if register == _RATE and value in _RATES_HZ:
            self._rate = value
            if self.streaming is not None:
                self._begin()
        elif register == _SAVE and value == 0:
            self._saved = self._rate

    def _registers(self, first: int) -> list[int]:
        """Eight registers; those that nobody needs here are 0."""
        known = {_RATE: self._rate, _TEMPERATURE: 100 * TEMPERATURE_C, _BATTERY: self._centivolts()}
        known |= dict(zip(range(_MAGNETIC_FIELD, _MAGNETIC_FIELD + 3), _EARTH_MG, strict=True))
        return [known.get(register, 0) for register in range(first, first + 8)]

    def _centivolts(self) -> int:
        """One lithium cell: 3.4 V is empty, 3.96 V nine tenths, 3.99 V full."""
        return round(float(np.interp(battery_pct(self.now_ns), [0, 10, 50, 90, 100], [340, 368, 382, 396, 399])))
