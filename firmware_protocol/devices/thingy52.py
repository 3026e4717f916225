"""Placeholder until its author replaces this file."""

from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement
from firmware_protocol.scripts import Script


def match(advertisement: Advertisement) -> float:
    """Never."""
    return 0.0


def start(rate_hz: float | None) -> Script:
    """Nothing."""
    yield from ()


def stop() -> Script:
    """Nothing."""
    yield from ()


class Decoder(PacketDecoder):
    """Nothing."""

    MOTION = frozenset()

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Nothing."""


DRIVER = Driver(
    name="thingy52",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(title="thingy52", gives=("acceleration",), confidence=Confidence.VENDOR),
)
