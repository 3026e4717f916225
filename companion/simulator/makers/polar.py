"""A Polar H10 or Verity Sense with its measurement service (PMD), as Polar's specification and SDK describe them.

An H10 goes on measuring when its host leaves without a word; its clock begins in 2019. Pure. Must never know: bumble,
hosts, drivers.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from companion.simulator.body import Body
from companion.simulator.faults import Faults
from companion.simulator.maker_sensor import BATTERY, USUAL_DRIFT_PPM, Floats, MakerSensor, counts
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
_HEART_RATE = "0000180d-0000-1000-8000-00805f9b34fb"
_POLAR = "0000feee-0000-1000-8000-00805f9b34fb"
_COMPANY = 0x006B

_ACCELERATION = 2
_SIZES = {0: 2, 1: 2, 2: 2, 4: 1}  # bytes of a rate, a resolution, a range, a number of channels
_REFUSALS = {0: 8, 1: 7, 2: 9, 4: 11}  # what is said to a value of each that it does not have
_BAD_OPCODE, _BAD_TYPE, _BAD_LENGTH, _BAD_PARAMETER, _ALREADY, _BAD_MTU = 1, 2, 4, 5, 6, 10
_LEAST_MTU = 232
_YEAR_2019_NS = 599_616_000_000_000_000  # since 2000
_COUNT_G = 0.000244  # 8 g in 32768 counts
_BLOCK = 10  # samples


@dataclass(frozen=True, slots=True)
class Model:
    """What one model, or one firmware of it, does in its own way. `factor`: counts leave, not milli-g."""

    appearance: Appearance
    features: bytes
    settings: dict[int, tuple[int, ...]]
    each: int  # samples in a packet
    differences: bool
    started: bytes  # what the answer to a start ends with
    factor: float | None = None
    stays: bool = False  # it goes on measuring without a host


def _appearance(name: str, address: str) -> Appearance:
    return Appearance(name, address, name.rsplit(" ", 1)[0], (_HEART_RATE, _POLAR), {_COMPANY: bytes([0x33, 0, 0])})


_VERITY: dict[int, tuple[int, ...]] = {0: (52,), 1: (16,), 2: (8,), 4: (3,)}
_SENSE = _appearance("Polar Sense 5A700414", "F4:12:3D:5A:70:14")
MODELS = {
    "h10": Model(
        _appearance("Polar H10 5A700404", "F4:12:3D:5A:70:04"),
        bytes([0x0F, 0x05]) + bytes(15),
        {0: (25, 50, 100, 200), 1: (16,), 2: (2, 4, 8)},
        each=36,
        differences=False,
        started=b"\0\1",
        stays=True,
    ),
    "verity_sense": Model(_SENSE, bytes([0x0F, 0x6E, 0x02]), _VERITY, 71, True, started=b"\0"),
    "older_verity_sense": Model(
        _SENSE, bytes([0x0F, 0x6E]), _VERITY, 71, True, b"\0\5\1" + struct.pack("<f", _COUNT_G), factor=_COUNT_G
    ),
}
"""By name; the first is the usual one."""


class Sensor(MakerSensor):
    """One of the models."""

    SERVED = (
        Served(_SERVICE, _CONTROL, Property.READ | Property.WRITE | Property.INDICATE),
        Served(_SERVICE, _DATA, Property.NOTIFY),
        BATTERY,
    )
    MOTION = _DATA

    def __init__(
        self,
        body: Body,
        *,
        faults: Faults | None = None,
        seed: int = 0,
        drift_ppm: float = USUAL_DRIFT_PPM,
        model: str = "h10",
    ) -> None:
        self.model = MODELS[model]
        super().__init__(body, faults=faults, seed=seed, drift_ppm=drift_ppm)

    @property
    def appearance(self) -> Appearance:
        """By the model."""
        return self.model.appearance

    def powered_on(self) -> None:
        """Nothing is measured; the range is that of the next start."""
        self._range_g = 8

    def left(self) -> None:
        """An H10 measures on, for nobody."""
        if not self.model.stays:
            self.halt()

    def value(self, characteristic: str) -> bytes:
        """What can be measured."""
        if characteristic != _CONTROL:
            raise KeyError(characteristic)
        return self.model.features

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A request, and the answer to it."""
        if characteristic != _CONTROL:
            raise KeyError(characteristic)
        opcode, measured = (*data[:2], 0, 0)[:2]
        error, more = self._carried_out(opcode, measured, data[2:]) if len(data) >= 2 else (_BAD_LENGTH, b"")
        return self.answer(_CONTROL, bytes([0xF0, opcode, measured, error]) + more)

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Frames that fit into a notification, each with the time of its last sample."""
        acc_g = np.clip(acc_mps2 / STANDARD_GRAVITY_MPS2, -self._range_g, self._range_g)
        values = counts(acc_g, 1000 if self.model.factor is None else 1 / self.model.factor)
        kind = (0x80 if self.model.differences else 0) | (self.model.factor is None)
        content = _differences(values) if self.model.differences else values.astype("<i2").tobytes()
        if 10 + len(content) > self.mtu - 3 and len(values) > 1:
            half = len(values) // 2
            parts = (slice(None, half), slice(half, None))
            return [data for part in parts for data in self.pack(acc_mps2[part], gyr_radps[part], taken_ns[part])]
        return [struct.pack("<BQB", _ACCELERATION, _YEAR_2019_NS + int(taken_ns[-1]), kind) + content]

    def _carried_out(self, opcode: int, measured: int, parameters: bytes) -> tuple[int, bytes]:
        """The error, 0 for none, and what follows it in the answer."""
        if opcode not in (1, 2, 3):
            return _BAD_OPCODE, b""
        if measured != _ACCELERATION:
            return _BAD_TYPE, b""
        if opcode == 1:
            return 0, b"\0" + _written(self.model.settings)
        if opcode == 2:
            error = self._started(parameters)
            return error, b"" if error else self.model.started
        if self.streaming is None:
            return _ALREADY, b"\0"
        self.halt()
        return 0, b"\0"

    def _started(self, parameters: bytes) -> int:
        if self.streaming is not None:
            return _ALREADY
        if self.mtu < _LEAST_MTU:
            return _BAD_MTU
        asked = _read(parameters)
        if asked is None or asked.keys() != self.model.settings.keys():
            return _BAD_PARAMETER  # an H10 that is asked for channels, too
        for kind, value in asked.items():
            if value not in self.model.settings[kind]:
                return _REFUSALS[kind]
        self._range_g = asked[2]
        self.stream(asked[0], self.model.each)
        return 0


def _written(settings: dict[int, tuple[int, ...]]) -> bytes:
    """Type, count, values, one setting after the other."""
    return b"".join(
        bytes([kind, len(values)]) + b"".join(value.to_bytes(_SIZES[kind], "little") for value in values)
        for kind, values in settings.items()
    )


def _read(parameters: bytes) -> dict[int, int] | None:
    """One value of each setting; None where that is not what is written."""
    asked: dict[int, int] = {}
    while parameters:
        size = _SIZES.get(parameters[0], 0)
        if not size or len(parameters) < 2 + size or parameters[1] != 1:
            return None
        asked[parameters[0]] = int.from_bytes(parameters[2 : 2 + size], "little")
        parameters = parameters[2 + size :]
    return asked


def _differences(values: Ints) -> bytes:
    """The first sample, then blocks of what each adds to the one before, as narrow as the widest of them needs."""
    content: bytes = values[0].astype("<i2").tobytes()
    added = np.diff(values, axis=0)
    for begin in range(0, len(added), _BLOCK):
        steps = added[begin : begin + _BLOCK].ravel().tolist()
        width = 1 + max(max(step, ~step).bit_length() for step in steps)
        bits = sum((step % (1 << width)) << (width * place) for place, step in enumerate(steps))
        content += bytes([width, len(steps) // 3]) + bits.to_bytes((width * len(steps) + 7) // 8, "little")
    return content
