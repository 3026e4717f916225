"""A MetaMotion board, as the maker's SDK speaks with it: the accelerometer, the battery, and no other module.

Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence
from typing import Any

from companion.simulator.equipment import battery_pct
from companion.simulator.maker_sensor import Floats, MakerSensor, counts
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_UUID = "326a{:04x}-85cb-9195-d9dd-464cfbbae75a".format
_SERVICE, _COMMAND, _NOTIFY = _UUID(0x9000), _UUID(0x9001), _UUID(0x9006)
_ACCELEROMETER, _SETTINGS = 0x03, 0x11
_RANGES_G = {"R": {3: 2, 5: 4, 8: 8, 12: 16}, "S": {0: 2, 1: 4, 2: 8, 3: 16}}
_OUT_OF_THE_BOX = {"R": b"\x28\x03", "S": b"\xa8\x02"}
_REVISIONS = {"R": b"\x01\x01", "S": b"\x04\x00"}
_FULL_BATTERY_MV, _EMPTY_BATTERY_MV = 4200, 3300


class Sensor(MakerSensor):
    """A MetaMotion R (with a BMI160) or S (with a BMI270)."""

    APPEARANCE = Appearance("MetaWear", "F4:12:3D:5A:70:07", "simulated MetaMotion", services=(_SERVICE,))
    SERVED = (
        Served(_SERVICE, _COMMAND, Property.WRITE | Property.WRITE_WITHOUT_RESPONSE),
        Served(_SERVICE, _NOTIFY, Property.NOTIFY),
    )
    MOTION = _NOTIFY
    EVENT_NS = 15_000_000

    def __init__(self, *args: Any, model: str = "R", **options: Any) -> None:
        self._model = model
        super().__init__(*args, **options)

    def powered_on(self) -> None:
        """Everything is off, and set as it comes."""
        self._configuration = _OUT_OF_THE_BOX[self._model]
        self._on = dict.fromkeys((1, 2, 4), False)  # registers: power, sampling, data

    def left(self) -> None:
        """Nobody listens: it stops."""
        self._on = dict.fromkeys(self._on, False)
        self.halt()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """Module, register, parameters; what it does not know it does not answer."""
        if characteristic != _COMMAND:
            raise KeyError(characteristic)
        module, register, rest = data[:1], data[1:2], data[2:]
        if register == b"\x80":
            known = {_ACCELEROMETER: _REVISIONS[self._model], _SETTINGS: b"\x00\x03"}
            return self.answer(_NOTIFY, data[:2] + known.get(data[0], b""))
        if module == bytes([_SETTINGS]) and register in (b"\x8c", b"\xcc"):
            return self.answer(_NOTIFY, b"\x11\x8c" + self._battery())
        if module == bytes([_ACCELEROMETER]) and rest:
            self._set(data[1], rest)
        return []

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Counts of the range in force, one sample each."""
        range_g = _RANGES_G[self._model].get(self._configuration[1], 2)
        raw = counts(acc_mps2[0], 32768 / (range_g * STANDARD_GRAVITY_MPS2))
        return [struct.pack("<2B3h", _ACCELEROMETER, 4, *raw.tolist())]

    def _set(self, register: int, rest: bytes) -> None:
        """It samples while all three registers say so."""
        if register == 3 and len(rest) == 2:
            self._configuration = rest
        elif register == 2 and len(rest) == 2:  # a mask to set, a mask to clear
            self._on[2] = bool((self._on[2] | rest[0]) & ~rest[1] & 1)
        elif register in self._on:
            self._on[register] = rest[0] == 1
        if not all(self._on.values()):
            self.halt()
        elif self.streaming is None:
            self.stream(100 * 2.0 ** ((self._configuration[0] & 0x0F) - 8), each=1)

    def _battery(self) -> bytes:
        percent = battery_pct(self.now_ns)
        millivolts = _EMPTY_BATTERY_MV + (_FULL_BATTERY_MV - _EMPTY_BATTERY_MV) * percent // 100
        return struct.pack("<BH", percent, millivolts)
