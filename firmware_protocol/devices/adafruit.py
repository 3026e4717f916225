"""Adafruit's boards with its accelerometer service: CLUE, Circuit Playground Bluefruit, and what else has it.

Sources: README of adafruit/bluetooth-low-energy; the service classes of adafruit-circuitpython-ble-adafruit 1.4.16;
the library Bluefruit52Lib of Adafruit_nRF52_Arduino. Pure. Must never know: radios, the present time.
"""

import struct

import numpy as np

from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, not_finite
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement, Reading, Written
from firmware_protocol.scripts import Script, Subscribe, Write

SERVICE = "adaf0200-c332-42a8-93bd-25e905756cb8"
DATA = "adaf0201-c332-42a8-93bd-25e905756cb8"
PERIOD = "adaf0001-c332-42a8-93bd-25e905756cb8"
"""Each of Adafruit's services has one of its own; this driver writes that of the accelerometer and no other."""

PERIODS_MS = (10, 20, 50, 100)
"""What is asked for. Any is allowed; 0 is not asked for, because boards then send only what has changed."""
USUAL_MS = 20
STOPPED_MS = -1

COMPANY = 0x0822
NAMES = ("circuitpy", "clue")
_BOARD_FIELD = b"\x04\x01\x00"  # of the manufacturer data: 4 bytes, of field 1, the board's USB product number
_PACKET = np.dtype([("mps2", "<f4", (3,))])


def match(advertisement: Advertisement) -> float:
    """The service, the maker's word for one of its boards, or a name only."""
    if SERVICE in advertisement.service_uuids:
        return 1.0
    named = (advertisement.name or "").casefold().startswith(NAMES)
    data = advertisement.manufacturer_data.get(COMPANY)
    if data is None:
        return 0.3 if named else 0.0
    return 0.5 if named or data.startswith(_BOARD_FIELD) else 0.0


def start(rate_hz: float | None) -> Script:
    """Ask for the period (a board comes with 1 s), then subscribe."""
    yield Write(PERIOD, struct.pack("<i", _period_ms(rate_hz)), service=SERVICE)
    yield Subscribe(DATA)


def stop() -> Script:
    """Measure no more."""
    yield Write(PERIOD, struct.pack("<i", STOPPED_MS), service=SERVICE)


def _period_ms(rate_hz: float | None) -> int:
    """The longest period that gives the rate; the shortest where none does."""
    if rate_hz is None:
        return USUAL_MS
    return next((period for period in reversed(PERIODS_MS) if 1000 / period >= rate_hz), PERIODS_MS[0])


class Decoder(PacketDecoder):
    """One sample a packet, without a clock or a counter."""

    MOTION = frozenset({DATA})
    rate_hz: float | None = 1000 / USUAL_MS

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Three axes in m/s², as float32."""
        if len(packets.data[0]) != _PACKET.itemsize:
            gathered.refuse("an acceleration of Adafruit's service has 12 bytes", packets.data)
            return
        acc_mps2 = packets.records(_PACKET)["mps2"]
        refused = not_finite(acc_mps2)
        gathered.refuse("not a number", [packets.data[k] for k in np.flatnonzero(refused).tolist()])
        self.give(gathered, packets.without(refused).t_host_ns, acc_mps2[~refused])

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The period that was written or read."""
        if isinstance(frame, Reading | Written) and frame.characteristic == PERIOD and len(frame.data) == 4:
            (period_ms,) = struct.unpack("<i", frame.data)
            if period_ms >= 0:
                self.rate_hz = 1000 / period_ms if period_ms else None


DRIVER = Driver(
    name="adafruit",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Adafruit CLUE, Circuit Playground Bluefruit and others with Adafruit's accelerometer service",
        gives=("acceleration",),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(1000 / period for period in reversed(PERIODS_MS)),
        notes=(
            "No gyroscope, no clock, no counter: what is lost cannot be counted.",
            "The board must run a program with the accelerometer service, such as Adafruit's Bluefruit Playground.",
            "How fast a board measures depends on its program, above all one in CircuitPython; the rate is measured.",
        ),
    ),
    usual_rate_hz=1000 / USUAL_MS,
    services=(SERVICE,),
    lacking=(
        "This board's program has no accelerometer service; load one that has it, such as Adafruit's "
        "Bluefruit Playground."
    ),
)
