"""A CLUE with a program that has Adafruit's services for the accelerometer and the gyroscope.

Each service has a measurement period under the same UUID. Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence

from companion.simulator.maker_sensor import Floats, MakerSensor
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served

_UUID = "adaf{:04x}-c332-42a8-93bd-25e905756cb8"
_PERIOD = _UUID.format(0x0001)
_ACCELEROMETER, _ACCELERATION = _UUID.format(0x0200), _UUID.format(0x0201)
_GYROSCOPE, _RATE = _UUID.format(0x0400), _UUID.format(0x0401)
_PERIOD_HERE, _PERIOD_THERE = f"{_ACCELEROMETER}/{_PERIOD}", f"{_GYROSCOPE}/{_PERIOD}"

_FIRST_MS = 1000
_FASTEST_MS = 5  # what its program comes to


class Sensor(MakerSensor):
    """A board that is asked for accelerations; its gyroscope can be asked for, and sends nothing."""

    APPEARANCE = Appearance(
        "CLUE", "F4:12:3D:5A:70:09", "simulated CLUE", manufacturer={0x0822: bytes.fromhex("0401007280")}
    )
    SERVED = (
        Served(_GYROSCOPE, _PERIOD, Property.READ | Property.WRITE, _PERIOD_THERE),
        Served(_GYROSCOPE, _RATE, Property.NOTIFY),
        Served(_ACCELEROMETER, _PERIOD, Property.READ | Property.WRITE, _PERIOD_HERE),
        Served(_ACCELEROMETER, _ACCELERATION, Property.NOTIFY),
    )
    MOTION = _ACCELERATION

    def powered_on(self) -> None:
        """One measurement a second is what each service begins with."""
        self._periods_ms = {_PERIOD_HERE: _FIRST_MS, _PERIOD_THERE: _FIRST_MS}

    def heard(self, characteristic: str, on: bool) -> None:
        """It samples for whoever is subscribed."""
        if characteristic == _ACCELERATION:
            self._begin() if on else self.halt()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A period in ms, from the next sample on; below 0 it stops."""
        if characteristic not in self._periods_ms or len(data) != 4:
            raise KeyError(characteristic)
        (self._periods_ms[characteristic],) = struct.unpack("<i", data)
        if characteristic == _PERIOD_HERE and self.listening(_ACCELERATION):
            self._begin()
        return []

    def value(self, characteristic: str) -> bytes:
        """A period; values are only sent."""
        return struct.pack("<i", self._periods_ms[characteristic])

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Metres per second squared, one sample each."""
        return [struct.pack("<3f", *acc_mps2[0].tolist())]

    def _begin(self) -> None:
        period_ms = self._periods_ms[_PERIOD_HERE]
        if period_ms < 0:
            self.halt()
        else:
            self.stream(1000 / max(period_ms, _FASTEST_MS), each=1)
