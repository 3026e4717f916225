"""A sensor that advertises BTHome version 2 without encryption: packet id, battery, and an acceleration on three axes.

Pure. Must never know: hosts, drivers.
"""

import struct

from companion.simulator.advertiser import Advertiser
from companion.simulator.maker_sensor import Floats, counts
from companion.simulator.served import Appearance

_SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"
_VERSION_2 = 0x40
_BATTERY_PCT = 87


class Sensor(Advertiser):
    """A home-made one, which measures once a second."""

    PERIOD_NS = 1_000_000_000

    def tell(self, number: int, acc_mps2: Floats) -> Appearance:
        """Millionths of a metre per second squared."""
        data = struct.pack("<BBBBB", _VERSION_2, 0x00, number % 256, 0x01, _BATTERY_PCT)
        for micro in counts(acc_mps2, 1e6, bits=32).tolist():
            data += struct.pack("<Bi", 0x63, micro)
        return Appearance(
            "lean", "F4:12:3D:5A:70:0C", "simulated BTHome", service_data={_SERVICE: data}, connectable=False
        )
