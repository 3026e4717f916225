"""A RuuviTag in its usual mode, as Ruuvi's page on data format 5 has it. Pure. Must never know: hosts, drivers."""

import struct

from companion.simulator.advertiser import Advertiser
from companion.simulator.maker_sensor import Floats, counts
from companion.simulator.served import Appearance
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_ADDRESS = "F4:12:3D:5A:70:0B"
_NAME = "Ruuvi 700B"
_WARM, _MOIST, _PRESSURE = 24 * 200, 40 * 400, 101_325 - 50_000  # 1/200 °C, 1/400 %, Pa above 50 000
_POWER = (2977 - 1600) << 5 | (4 + 40) // 2  # 2.977 V, 4 dBm
_MOVEMENTS = 66
_NUMBERS = 65_535  # 65535 itself says that there is none


class Sensor(Advertiser):
    """One measurement, advertised until the next."""

    PERIOD_NS = 1_285_000_000

    def tell(self, number: int, acc_mps2: Floats) -> Appearance:
        """Milli-g, big-endian, with the number of the measurement."""
        acc_mg = counts(acc_mps2, 1000 / STANDARD_GRAVITY_MPS2).clip(min=-0x7FFF).tolist()
        data = struct.pack(
            ">BhHH3hHBH6s",
            5,
            _WARM,
            _MOIST,
            _PRESSURE,
            *acc_mg,
            _POWER,
            _MOVEMENTS,
            number % _NUMBERS,
            bytes.fromhex(_ADDRESS.replace(":", "")),
        )
        return Appearance(_NAME, _ADDRESS, "simulated RuuviTag", manufacturer={0x0499: data}, connectable=False)
