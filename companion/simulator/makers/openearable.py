"""An OpenEarable 2 at the ear, as its firmware and its own app describe it.

It has no magnetometer: that field is nought. Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence

import numpy as np

from companion.simulator.maker_sensor import BATTERY, Floats, MakerSensor
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_SERVICE = "34c2e3bb-34aa-11eb-adc1-0242ac120002"
_DATA = "34c2e3bc-34aa-11eb-adc1-0242ac120002"
_CONFIGURATION = "34c2e3be-34aa-11eb-adc1-0242ac120002"

_IMU = 0
_RATES_HZ = (25, 50, 100)  # faster ones are for the card only
_STREAM = 1
_FULL_MPS2 = 2 * STANDARD_GRAVITY_MPS2


class Sensor(MakerSensor):
    """It measures from one configuration to the next."""

    APPEARANCE = Appearance("OpenEarable-7A0A", "F4:12:3D:5A:70:0A", "simulated OpenEarable 2")
    SERVED = (
        Served(_SERVICE, _CONFIGURATION, Property.WRITE),
        Served(_SERVICE, _DATA, Property.NOTIFY),
        BATTERY,
    )
    MOTION = _DATA

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A sensor, the index of its rate, and what becomes of its data; a rate that there is not changes nothing."""
        if characteristic != _CONFIGURATION or len(data) != 3:
            raise KeyError(characteristic)
        sensor, rate, options = data
        if sensor == _IMU and rate < len(_RATES_HZ):
            self.halt()
            if options & _STREAM:
                self.stream(_RATES_HZ[rate], each=1)
        return []

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """Which sensor, how many bytes, microseconds; then m/s², degrees a second and microtesla."""
        acc = np.clip(acc_mps2[0], -_FULL_MPS2, _FULL_MPS2)
        values = np.concatenate([acc, np.degrees(gyr_radps[0]), np.zeros(3)]).astype("<f4").tobytes()
        return [struct.pack("<BBQ", _IMU, len(values), int(taken_ns[0]) // 1000) + values]
