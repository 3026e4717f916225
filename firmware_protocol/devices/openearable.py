"""OpenEarable 2: nine axes at the ear.

Sources: OpenEarable/open-earable-2 (`include/openearable_common.h`, `IMU.cpp`, `PPG.cpp`, `sensor_service.c`,
`ParseInfo`); `v2_sensor_value_parser.dart` of open_earable_flutter; open-wearable 0.1.0. All of them count the step
between the samples of a batch in microseconds. Pure. Must never know: radios, the present time.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from firmware_protocol.devices.battery import ask_battery
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, each_sample, not_finite
from firmware_protocol.devices.device_clock import DeviceClock
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement, Written
from firmware_protocol.scripts import Script, Subscribe, Write

SERVICE = "34c2e3bb-34aa-11eb-adc1-0242ac120002"
DATA = "34c2e3bc-34aa-11eb-adc1-0242ac120002"
CONFIGURATION = "34c2e3be-34aa-11eb-adc1-0242ac120002"
"""Its second version: which sensor, the index of its rate, what becomes of its data."""

RATES_HZ = (25, 50, 100, 200, 400, 800)
"""By index. Over the air the sensor sends up to 100 Hz."""
OFFERED_HZ = RATES_HZ[:3]
USUAL_HZ = 50

_IMU = 0
_STREAM, _OFF = 1, 0
_HEADER_BYTES, _SAMPLE_BYTES, _STEP_BYTES = 10, 36, 2
_HEADER_1_BYTES = 6
_LAST_US = (2**63 - 1) // 1000 - 1_000_000
"""What is later does not fit into 64 bits of nanoseconds, with the step of a batch."""
_FULL_MPS2, _BEYOND_MPS2 = 19.59, 19.63
"""The range is ±2 g, whose last steps are here, whichever g the firmware multiplies by; what is beyond has another."""

_VERSION_1 = "packets of OpenEarable 1 are not decoded: their axes and units are not known for sure"
_WRONG_LENGTH = "the length of the packet is not the one that it tells"
_WRONG_CONTENT = "the packet's content is no samples of acceleration, rotation and magnetic field"
_NO_TIME = "the clock in the packet is beyond what it can count"
_NO_STEP = "a batch without time between its samples"
_NOT_FINITE = "a number in the packet is not finite"
_FAULTS = (_NO_TIME, _NO_STEP, _NOT_FINITE)


def match(advertisement: Advertisement) -> float:
    """By its service where that is advertised; else by the name."""
    name = (advertisement.name or "").casefold()
    return 1.0 if SERVICE in advertisement.service_uuids else 0.4 if name.startswith("openearable") else 0.0


def start(rate_hz: float | None) -> Script:
    """Subscribe, then have the nine axes streamed."""
    wanted_hz = next((rate for rate in OFFERED_HZ if rate >= (rate_hz or USUAL_HZ)), OFFERED_HZ[-1])
    yield Subscribe(DATA)
    yield Write(CONFIGURATION, bytes([_IMU, RATES_HZ.index(wanted_hz), _STREAM]))


def stop() -> Script:
    """The sensor wants a rate that it has, also to stop."""
    yield Write(CONFIGURATION, bytes([_IMU, RATES_HZ.index(USUAL_HZ), _OFF]))


class Decoder(PacketDecoder):
    """A sample a packet, or a batch with the time between its samples at the end."""

    MOTION = frozenset({DATA})
    rate_hz = float(USUAL_HZ)

    def __init__(self) -> None:
        super().__init__()
        self._rate_told = False
        self._clock = DeviceClock(bits=64, tick_ns=1000, stamps="first")

    def linked(self) -> None:
        """The sensor is started anew."""
        self.rate_hz, self._rate_told = float(USUAL_HZ), False
        self._clock.forget()

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The rate."""
        if isinstance(frame, Written) and frame.characteristic == CONFIGURATION and len(frame.data) == 3:
            sensor, rate, options = frame.data
            if sensor == _IMU and options & _STREAM and rate < len(RATES_HZ):
                self.rate_hz, self._rate_told = float(RATES_HZ[rate]), True
                self._clock.forget()
                self.begin_segment()

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Packets of all sensors, of one length."""
        for alike in _by_head(packets):
            self._of_one_sensor(alike, gathered)

    def _of_one_sensor(self, packets: Packets, gathered: Gathered) -> None:
        """Packets that say the same of themselves. Other sensors than the one with nine axes are passed over."""
        length, head = len(packets.data[0]), packets.data[0][:2]
        content = head[1] if len(head) == 2 else -1
        count, rest = divmod(content, _SAMPLE_BYTES)
        if length == _HEADER_1_BYTES + content:
            gathered.refuse(_VERSION_1, packets.data)
        elif length != _HEADER_BYTES + content:
            gathered.refuse(_WRONG_LENGTH, packets.data)
        elif head[0] == _IMU and (content == _SAMPLE_BYTES or (count > 0 and rest == _STEP_BYTES)):
            self._give(packets, count, rest > 0, gathered)
        elif head[0] == _IMU:
            gathered.refuse(_WRONG_CONTENT, packets.data)

    def _give(self, packets: Packets, count: int, batched: bool, gathered: Gathered) -> None:
        """Of each sample acceleration in m/s², rotation in degrees a second, magnetic field in microtesla."""
        step = [("step_us", "<u2")] if batched else []
        samples = ("xyz", "<f4", (count, 3, 3))
        records = packets.records(np.dtype([("head", "u1", (2,)), ("us", "<u8"), samples, *step]))
        step_us = records["step_us"] if count > 1 else np.ones(len(records), np.uint16)
        faults = np.stack([records["us"] > _LAST_US, step_us == 0, not_finite(records["xyz"][:, :, :2])])
        refused = np.asarray(faults.any(axis=0))
        if refused.any():
            for place in np.flatnonzero(refused).tolist():
                gathered.refuse(_FAULTS[faults[:, place].argmax()], [packets.data[place]])
            records, step_us, packets = records[~refused], step_us[~refused], packets.without(refused)
        period_ns = round(1e9 / self.rate_hz) if self._rate_told else None
        clock = self._clock.follow(records["us"], np.full(len(records), count), period_ns)
        gathered.lost += clock.lost
        gathered.duplicates += count * int(np.count_nonzero(~clock.kept))
        t_device_ns = clock.stamp_ns[:, None] + step_us.astype(np.int64)[:, None] * 1000 * np.arange(count)
        t_host_ns = np.asarray(packets.t_host_ns, dtype=np.int64)
        for fresh, places in clock.stretches():
            if fresh:
                self.begin_segment()
            xyz = records["xyz"][places][:, :, :2].astype(np.float64).reshape(-1, 2, 3)
            largest_mps2 = np.abs(xyz[:, 0]).max(axis=1)
            clipped = (largest_mps2 >= _FULL_MPS2) & (largest_mps2 < _BEYOND_MPS2)
            arrival_ns, gyr_radps = each_sample(t_host_ns[places], count), np.radians(xyz[:, 1])
            self.give(gathered, arrival_ns, xyz[:, 0], gyr_radps, t_device_ns[places].ravel(), clipped=clipped)


def _by_head(packets: Packets) -> Iterator[Packets]:
    """Runs of packets of the same sensor that tell the same length."""
    length = len(packets.data[0])
    heads = np.frombuffer(b"".join(packets.data), np.uint8).reshape(len(packets.data), length)[:, :2]
    changed = np.flatnonzero((heads[1:] != heads[:-1]).any(axis=1)) + 1
    for a, b in pairwise([0, *changed.tolist(), len(packets.data)]):
        yield Packets(packets.characteristic, packets.data[a:b], packets.t_host_ns[a:b])


DRIVER = Driver(
    name="openearable",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="OpenEarable 2",
        gives=("acceleration", "rotation", "clock", "battery"),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(float(rate) for rate in OFFERED_HZ),
        notes=(
            "It is worn at the ear: what it measures is the pitch of the head, not the upper back.",
            "Accelerations of more than 2 g are cut off.",
            "No counter: what is lost is found by the sensor's clock.",
            "Faster than 100 Hz it records on its card only.",
            "Packets of OpenEarable 1 are counted, not decoded: their axes and units are not known for sure.",
        ),
    ),
    longest_interval_s=1.0,
    usual_rate_hz=float(USUAL_HZ),
    services=(SERVICE,),
    lacking="This OpenEarable has no sensor service; update its firmware to version 2 with the maker's app.",
    ask_battery=ask_battery,
)
