"""Movesense sensors through the GATT SensorData Protocol (GSP).

Sources: the GATT SensorData Protocol specification of movesense.com (GD-77, version 1); the Python client of the
maker's gatt_sensordata_app; `protocol.py` of sensein/movesense-py; "Using Movesense CustomGATTService" of 2018
(notifications of 155 bytes at most). Pure. Must never know: radios, the present time.
"""

import struct
from itertools import groupby
from operator import itemgetter

import numpy as np

from firmware_protocol.devices.battery import ask_battery
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, each_sample, not_finite
from firmware_protocol.devices.device_clock import DeviceClock
from firmware_protocol.devices.movesense_packets import FIRST, PART_2, RATES_HZ, RESPONSE, Layout, Messages
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement, Written
from firmware_protocol.scripts import Await, Script, ScriptRefused, Subscribe, Write

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMANDS = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
WHITEBOARD = "0000fdf3-0000-1000-8000-00805f9b34fb"
"""Advertised by every Movesense, and by other products of the same house; it does not say whether GSP is there."""
COMPANIES = frozenset({0x009F, 0x0C93})
"""Suunto, and Movesense Oy."""

USUAL_HZ = 52
REFERENCE = 99
"""Our number of the stream; the host chooses it, and every answer and packet has it."""

_SUBSCRIBE, _UNSUBSCRIBE = 1, 2
_REFUSALS = 300  # the status is one of HTTP
_NOT_FINITE = "a number in the packet is not finite"


def match(advertisement: Advertisement) -> float:
    """Never certain: whether the firmware has the SensorData service shows only when it is connected."""
    if SERVICE in advertisement.service_uuids:
        return 0.8
    if not (advertisement.name or "").casefold().startswith("movesense"):
        return 0.0
    made = WHITEBOARD in advertisement.service_uuids or not COMPANIES.isdisjoint(advertisement.manufacturer_data)
    return 0.8 if made else 0.4


def start(rate_hz: float | None) -> Script:
    """Subscribe to acceleration and rotation; raises ScriptRefused where the sensor refuses that path."""
    path = f"/Meas/IMU6/{_rate_hz(rate_hz)}"
    yield Subscribe(DATA)
    yield Write(COMMANDS, bytes([_SUBSCRIBE, REFERENCE]) + path.encode())
    answer = yield Await(DATA, accept=_is_ours)
    if len(answer) >= 4 and answer[0] == RESPONSE:
        (status,) = struct.unpack_from("<H", answer, 2)
        if status >= _REFUSALS:
            raise ScriptRefused(f"The Movesense refused the measurement {path} with status {status}.")


def stop() -> Script:
    """End the subscription to the measurement."""
    yield Write(COMMANDS, bytes([_UNSUBSCRIBE, REFERENCE]))


def _is_ours(data: bytes) -> bool:
    """The answer to our command, or data of our stream: answers can be lost, and some firmware may send none."""
    return len(data) >= 2 and data[0] in (RESPONSE, FIRST, PART_2) and data[1] == REFERENCE


def _rate_hz(asked_hz: float | None) -> int:
    """The lowest rate that gives what is asked for; the highest where none does."""
    return next((rate for rate in RATES_HZ if rate >= (asked_hz or USUAL_HZ)), RATES_HZ[-1])


class Decoder(PacketDecoder):
    """As many samples in a packet as its path says; a packet comes in one notification or in parts."""

    MOTION = frozenset({DATA})
    rate_hz = float(USUAL_HZ)

    def __init__(self) -> None:
        super().__init__()
        self._messages = Messages()
        self._clock = DeviceClock(bits=32, tick_ns=1_000_000, stamps="first")

    def alike(self, data: bytes) -> bool:
        """All of them: the parts of a packet differ in length, and belong together."""
        return True

    def linked(self) -> None:
        """Nothing is subscribed to on a new link."""
        self._messages.forget()
        self._clock.forget()

    def told(self, frame: Told, gathered: Gathered) -> None:
        """Which path a reference stands for."""
        if not isinstance(frame, Written) or frame.characteristic != COMMANDS or len(frame.data) < 2:
            return
        command, reference = frame.data[:2]
        if command == _SUBSCRIBE:
            self._messages.subscribe(reference, frame.data[2:].decode(errors="replace"))
        elif command == _UNSUBSCRIBE:
            self._messages.unsubscribe(reference)
        if command in (_SUBSCRIBE, _UNSUBSCRIBE):
            self._clock.forget()
            self.begin_segment()

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Whole packets of one layout together."""
        layout = self._messages.plain(packets.data)
        if layout is not None:
            self._give(layout, packets, gathered)
            return
        for found, each in groupby(self._messages.joined(packets.data, packets.t_host_ns), itemgetter(0)):
            joined = list(each)
            data, t_host_ns = [data for _, data, _ in joined], [t_ns for _, _, t_ns in joined]
            if isinstance(found, Layout):
                self._give(found, Packets(packets.characteristic, data, t_host_ns), gathered)
            else:
                gathered.refuse(found, data)

    def _give(self, layout: Layout, packets: Packets, gathered: Gathered) -> None:
        """Acceleration in m/s², rotation in degrees a second, and the time of the first sample in milliseconds."""
        records = packets.records(layout.dtype)
        refused = not_finite(records["arrays"][:, : 1 + layout.gyroscope])
        if refused.any():
            gathered.refuse(_NOT_FINITE, [packets.data[place] for place in np.flatnonzero(refused).tolist()])
            records, packets = records[~refused], packets.without(refused)
        self.rate_hz, count = float(layout.rate_hz), layout.count
        clock = self._clock.follow(records["ms"], np.full(len(records), count), round(1e9 / layout.rate_hz))
        gathered.lost += clock.lost
        gathered.duplicates += count * int(np.count_nonzero(~clock.kept))
        within_ns = np.rint(np.arange(count) * (1e9 / layout.rate_hz)).astype(np.int64)
        t_host_ns = np.asarray(packets.t_host_ns, dtype=np.int64)
        for fresh, places in clock.stretches():
            if fresh:
                self.begin_segment()
            arrays = records["arrays"][places, : 1 + layout.gyroscope].astype(np.float64)
            gyr_radps = np.radians(arrays[:, 1]).reshape(-1, 3) if layout.gyroscope else np.nan
            t_device_ns = (clock.stamp_ns[places, None] + within_ns).ravel()
            arrival_ns = each_sample(t_host_ns[places], count)
            self.give(gathered, arrival_ns, arrays[:, 0].reshape(-1, 3), gyr_radps, t_device_ns)


DRIVER = Driver(
    name="movesense",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Movesense Active, HR2, HR+, Medical and Flash, with the GATT SensorData service",
        gives=("acceleration", "rotation", "clock", "battery"),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(float(rate) for rate in RATES_HZ),
        notes=(
            "By others' accounts it needs firmware 2.3 or later, or the gatt_sensordata_app: older firmware "
            "speaks only the maker's Whiteboard protocol, which this program does not.",
            "No counter: what is lost is found by the sensor's clock, in packets of 77 ms.",
            "Up to 52 Hz its accelerometer works in a mode that uses little power.",
            "Above 52 Hz a packet comes in parts and is dropped when one of them is lost; whether the firmware sends "
            "packets of more than 104 Hz is not known.",
            "Some firmware wakes only when the sensor is moved or its strap is worn.",
            "The layout is known from documents and the maker's client; no captured packet has been published.",
        ),
    ),
    longest_interval_s=1.0,
    usual_rate_hz=float(USUAL_HZ),
    services=(SERVICE,),
    lacking=(
        "This Movesense's firmware has no GATT SensorData service; update it to 2.3 or later, "
        "or load the gatt_sensordata_app."
    ),
    ask_battery=ask_battery,
)
