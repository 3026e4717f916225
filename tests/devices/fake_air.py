"""Devices that are no sensor of ours, for the tests of the link and of the commands: plain GATT servers, and packets.

`plain` makes a device for the simulated radio; `Packets` is a scanner's backend that says what a test tells it to.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from companion.simulator.ledger import Ledger
from companion.simulator.served import Appearance, Outgoing, Property, Served

FOREVER_NS = 2**62
ADDRESS = "F4:12:3D:5A:70:77"
READ, WRITE, NOTIFY = Property.READ, Property.WRITE, Property.NOTIFY
COMMAND = Property.WRITE_WITHOUT_RESPONSE
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"


class Plain:
    """A device with just these characteristics, which answers reads with `values` and takes every write.

    `packets` are sent in turn, one `every_s`, while a host is subscribed to `motion`. What is asked of it is kept:
    `written`, `listened`.
    """

    def __init__(
        self,
        appearance: Appearance,
        *served: Served,
        values: Mapping[str, bytes] | None = None,
        motion: str = "",
        packets: tuple[bytes, ...] = (),
        every_s: float = 0.02,
    ) -> None:
        self.appearance, self.served = appearance, served
        self.ledger = Ledger()
        self._values, self._motion, self._packets = dict(values or {}), motion, packets
        self._every_ns = round(every_s * 1e9)
        self._due_ns, self._now_ns, self._sent = FOREVER_NS, 0, 0
        self.written: list[tuple[str, bytes]] = []
        self.listened: list[str] = []

    def connected(self, now_ns: int, mtu: int = 247) -> None:
        self._now_ns = now_ns

    def disconnected(self, now_ns: int) -> None:
        self._due_ns = FOREVER_NS

    def subscribed(self, characteristic: str, on: bool) -> None:
        if on:
            self.listened.append(characteristic)
        if characteristic == self._motion and self._packets:
            self._due_ns = self._now_ns + self._every_ns if on else FOREVER_NS

    def read(self, characteristic: str, now_ns: int) -> bytes:
        return self._values[characteristic]

    def write(self, characteristic: str, data: bytes, now_ns: int) -> list[Outgoing]:
        self.written.append((characteristic, data))
        return []

    def begin_story(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def advance(self, now_ns: int) -> list[Outgoing]:
        sent = []
        while self._due_ns <= now_ns:
            packet = self._packets[self._sent % len(self._packets)]
            sent.append(Outgoing(self._due_ns, self._motion, packet))
            self._sent, self._due_ns = self._sent + 1, self._due_ns + self._every_ns
        self._now_ns = now_ns
        return sent

    def next_due_ns(self) -> int:
        return self._due_ns

    def link_allowed(self, now_ns: int) -> bool:
        return True


def plain(
    name: str,
    *served: Served,
    services: tuple[str, ...] = (),
    secure: bool = False,
    address: str = ADDRESS,
    **options: Any,
) -> Plain:
    """A device called `name` with these characteristics; it advertises `services`."""
    return Plain(Appearance(name, address, services=services, secure=secure), *served, **options)


class Packets(BaseBleakScanner):
    """A scanner that hears what `say` is told; derive one for each test."""

    listening: ClassVar[list["Packets"]]
    starts: ClassVar[int]
    failures: ClassVar[list[Exception]]  # raised by the next starts, in turn

    def __init__(self, detection_callback: Any, service_uuids: Any, *_mode: Any, **_options: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        type(self).starts += 1
        if self.failures:
            raise self.failures.pop(0)
        assert not self.listening, "one scan at a time"
        self.listening.append(self)
        self.heard_at_once()

    async def stop(self) -> None:
        self.listening.remove(self)

    def heard_at_once(self) -> None:
        """What is in range when a scan begins; for a test to say."""

    @classmethod
    def say(cls, address: str, **fields: Any) -> None:
        """An advertisement is on the air; whoever listens hears it."""
        for each in cls.listening:
            told = advertised(**fields)
            each.call_detection_callbacks(BLEDevice(address, told.local_name, None), told)


def packets_backend() -> type[Packets]:
    """A scanner of a test's own."""
    return type("TestPackets", (Packets,), {"listening": [], "starts": 0, "failures": []})


def advertised(
    name: str | None = None,
    rssi: int = -50,
    maker: dict[int, bytes] | None = None,
    data: dict[str, bytes] | None = None,
    services: tuple[str, ...] = (),
) -> AdvertisementData:
    """An advertisement as bleak gives it."""
    return AdvertisementData(name, maker or {}, data or {}, list(services), None, rssi, ())
