"""The BBC micro:bit with its Bluetooth accelerometer service.

Sources: the Accelerometer Service in lancaster-university/microbit-docs and the micro:bit Bluetooth profile 1.9, which
has signed milli-g (the profile's web page says otherwise; every client known reads milli-g); microbit-dal issues 22
and 443. Pure. Must never know: radios, the present time.
"""

import struct

import numpy as np

from firmware_protocol.devices.battery import ask_battery
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told
from firmware_protocol.drivers import About, Confidence, Driver, Pairing
from firmware_protocol.frames import Advertisement, Reading, Written
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Read, Script, Subscribe, Write

SERVICE = "e95d0753-251d-470a-a062-fa1922dfa9a8"
DATA = "e95dca4b-251d-470a-a062-fa1922dfa9a8"
PERIOD = "e95dfb24-251d-470a-a062-fa1922dfa9a8"

PERIODS_MS = (10, 20, 80, 160, 640)
"""What the service knows, without 1, 2 and 5 ms: they are faster than its link, and 1 ms, like 0, stops some boards."""
USUAL_MS = 20

_PACKET = np.dtype([("mg", "<i2", (3,))])


def match(advertisement: Advertisement) -> float:
    """The service is never advertised; the name may be."""
    name = (advertisement.name or "").casefold()
    return 1.0 if SERVICE in advertisement.service_uuids else 0.4 if name.startswith("bbc micro:bit") else 0.0


def start(rate_hz: float | None) -> Script:
    """Ask for the period, read what is in force (boards round it in their own ways), subscribe."""
    yield Write(PERIOD, struct.pack("<H", _period_ms(rate_hz)))
    yield Read(PERIOD, optional=True)
    yield Subscribe(DATA)


def stop() -> Script:
    """Nothing is needed: it stops when nobody is subscribed."""
    yield from ()


def _period_ms(rate_hz: float | None) -> int:
    """The longest period that gives the rate; the shortest where none does."""
    if rate_hz is None:
        return USUAL_MS
    return next((period for period in reversed(PERIODS_MS) if 1000 / period >= rate_hz), PERIODS_MS[0])


class Decoder(PacketDecoder):
    """One sample a packet, without a clock or a counter."""

    MOTION = frozenset({DATA})
    rate_hz = 1000 / USUAL_MS

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Three axes in milli-g."""
        if len(packets.data[0]) != _PACKET.itemsize:
            gathered.refuse("a micro:bit's sample has 6 bytes", packets.data)
            return
        self.give(gathered, packets.t_host_ns, packets.records(_PACKET)["mg"] * (STANDARD_GRAVITY_MPS2 / 1000))

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The period that was written, then read."""
        if isinstance(frame, Reading | Written) and frame.characteristic == PERIOD and len(frame.data) == 2:
            (period_ms,) = struct.unpack("<H", frame.data)
            self.rate_hz = 1000 / period_ms if period_ms else self.rate_hz


DRIVER = Driver(
    name="microbit",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="BBC micro:bit V1 and V2, with a program that has the accelerometer service",
        gives=("acceleration",),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(1000 / period for period in reversed(PERIODS_MS)),
        notes=(
            "No gyroscope, no clock, no counter: what is lost cannot be counted.",
            "The program on it must have the Bluetooth accelerometer service, and may ask for pairing.",
            "Boards with newer hardware keep other periods than asked for; the rate is measured.",
        ),
    ),
    longest_interval_s=1.0,
    usual_rate_hz=1000 / USUAL_MS,
    services=(SERVICE,),
    lacking=(
        "This micro:bit's program has no accelerometer service; load one that has it, "
        "such as a MakeCode program with the block 'bluetooth accelerometer service'."
    ),
    pairing=Pairing.WHEN_ASKED,
    ask_battery=ask_battery,
)
