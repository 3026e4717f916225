"""Ruuvi tags, which advertise one measurement every second or so: data format 5, also called RAWv2.

Sources: Ruuvi's documentation of data format 5 and of the intervals of its advertisements; how its firmware counts
measurements (RE_5_SEQCTR_MAX in its endpoints). Pure. Must never know: radios, scanners, the present time.

A tag repeats one measurement until it has the next. Its repetitions are how advertising works: they are passed over
and count as nothing. What was not heard of the numbers in between is lost, as in any other stream.
"""

from struct import Struct

import numpy as np

from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told
from firmware_protocol.devices.device_clock import JUMP_SAMPLES
from firmware_protocol.drivers import About, Battery, Confidence, Driver
from firmware_protocol.frames import Advertisement
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2, UNKNOWN
from firmware_protocol.scripts import Script

COMPANY = 0x0499
FORMAT = 5
INTERVAL_S = 1.285
"""Between two measurements of the usual firmware; others take 0.211, 6.42 or 8.995 s, and the rate is measured."""
MOST_SILENCE_S = 9.0
"""One interval of the slowest firmware, seven of the usual one: by Ruuvi's own account 25 to 90 % of the advertisements
are heard, so a few that are missed in a row are no reason to say anything."""

_DATA = Struct(">B6x3hHxH6x")  # big-endian; temperature, humidity, pressure, movement and address are passed over
_MISSING_ACC = -0x8000
_MOST_ACC = 0x7FFF
_MISSING_VOLTS = 0x7FF
_MISSING_NUMBER = 0xFFFF
_OVERTAKEN = 16
"""An older number, by up to this, is of an advertisement that came late or again, not of a tag that began anew."""
_TURN = 0xFFFF  # numbers run from 0 to 65534, then begin again: 65535 says that there is none
_NOT_READ = "this format of Ruuvi has no acceleration, or not as format 5 has it; set the tag to format 5 (RAWv2)"


def match(advertisement: Advertisement) -> float:
    """Format 5 with an acceleration: the tags without an accelerometer send the same format."""
    data = advertisement.manufacturer_data.get(COMPANY, b"")
    if len(data) != _DATA.size or data[0] != FORMAT:
        return 0.0
    return 0.0 if _MISSING_ACC in _DATA.unpack(data)[1:4] else 1.0


def start(rate_hz: float | None) -> Script:  # noqa: ARG001 - it cannot be chosen
    """Nothing: it advertises by itself, at its own rate."""
    yield from ()


def stop() -> Script:
    """Nothing: it never stops."""
    yield from ()


class Decoder(PacketDecoder):
    """One measurement an advertisement, numbered by the tag; advertisements of another tag are passed over."""

    MOTION = frozenset()
    rate_hz = 1 / INTERVAL_S

    def __init__(self) -> None:
        super().__init__()
        self._address: str | None = None
        self.linked()

    def linked(self) -> None:
        """What came before is of another time."""
        self._data: bytes | None = None
        self._number = UNKNOWN  # of the newest measurement, without wraps; none: it had no number

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """There are no notifications."""

    def told(self, frame: Told, gathered: Gathered) -> None:
        """An advertisement with data of Ruuvi's."""
        data = frame.manufacturer_data.get(COMPANY) if isinstance(frame, Advertisement) else None
        if data is None or not isinstance(frame, Advertisement):
            return
        if self._address is None:
            self._address = frame.address
        if frame.address == self._address and data != self._data:
            self._data = data
            self._advertised(data, frame.t_host_ns, gathered)

    def _advertised(self, data: bytes, t_host_ns: int, gathered: Gathered) -> None:
        if len(data) != _DATA.size or data[0] != FORMAT:
            known = data[:1] == bytes([FORMAT])
            gathered.refuse("format 5 of Ruuvi has 24 bytes" if known else _NOT_READ, [data])
            return
        _, *acc_mg, power, number = _DATA.unpack(data)
        if not self._is_new(number, gathered):
            return
        if power >> 5 != _MISSING_VOLTS:
            gathered.batteries.append(Battery(None, (1600 + (power >> 5)) / 1000, t_host_ns))
        if _MISSING_ACC not in acc_mg:
            raw = np.array([acc_mg])
            clipped = np.array([_MOST_ACC in acc_mg or -_MOST_ACC in acc_mg])
            acc_mps2 = raw * (STANDARD_GRAVITY_MPS2 / 1000)
            self.give(gathered, [t_host_ns], acc_mps2, index=self._number, clipped=clipped)

    def _is_new(self, number: int, gathered: Gathered) -> bool:
        """Follow the numbers; False: this measurement has been advertised before."""
        if number == _MISSING_NUMBER or self._number == UNKNOWN:
            fresh = UNKNOWN if number == _MISSING_NUMBER else number
            if fresh != self._number:
                self.begin_segment()
            self._number = fresh
            return True
        step = (number - self._number + _TURN // 2) % _TURN - _TURN // 2
        if -_OVERTAKEN <= step <= 0:
            return False
        if step <= JUMP_SAMPLES and step > 0:
            gathered.lost += step - 1
            self._number += step
        else:  # the tag began anew, or was out of reach for long
            self.begin_segment()
            self._number = number
        return True


DRIVER = Driver(
    name="ruuvi",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="RuuviTag with data format 5 (RAWv2)",
        gives=("acceleration", "battery", "counter"),
        confidence=Confidence.VENDOR,
        notes=(
            "One sample in 1.3 s, and some are not heard: enough to see a posture that is held for minutes, too slow "
            "for feedback at once.",
            "No gyroscope, no clock; it is listened to and never connected to, so its rate cannot be chosen.",
            "Tags with another data format, and those without an accelerometer, cannot be used.",
            "Tells the volts of its battery, not what is left in per cent.",
        ),
    ),
    longest_interval_s=MOST_SILENCE_S,
    usual_rate_hz=1 / INTERVAL_S,
    broadcasts=True,
)
