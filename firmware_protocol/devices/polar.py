"""Polar's heart rate sensors that have an accelerometer: H10, Verity Sense, OH1, by the measurement service (PMD).

Sources: Polar Measurement Data Specification; polarofficial/polar-ble-sdk (`PmdTimeStampUtils`, `AccData`,
`TimeSystemExplained`, `KnownIssues`). Which way the axes point is not documented. Pure. Must never know: radios, the
present time.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from firmware_protocol.devices.battery import ask_battery
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told, at_the_end
from firmware_protocol.devices.device_clock import DeviceClock, Followed, missing
from firmware_protocol.devices.polar_control import (
    ACCELERATION,
    CONTROL,
    DATA,
    RANGE_G,
    RATE_HZ,
    START,
    USUAL_RANGE_G,
    USUAL_RATE_HZ,
    answer,
    asked_for,
    factor,
    start,
    stop,
    stopped_by_itself,
)
from firmware_protocol.devices.polar_frames import (
    DIFFERENCES,
    NO_TIME,
    WHOLE_BYTES,
    Blocks,
    Floats,
    Ints,
    blocks,
    head,
    milli_g,
    stamps,
    summed,
    whole,
)
from firmware_protocol.drivers import About, Confidence, Driver
from firmware_protocol.frames import Advertisement, Written
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
COMPANY, MEMBER = 0x006B, "0000feee-0000-1000-8000-00805f9b34fb"
"""Polar Electro at the Bluetooth SIG: its company identifier, and the service it advertises."""
KNOWN = ("Polar H10", "Polar Sense", "Polar Verity", "Polar OH1")

OTHERS = frozenset({0, 1, 3, 5, 6, 7, 10, 11, 12, 14})
"""What else the service measures, from ECG to heart rate."""
_IN_G, _IN_MILLI_G = 0, 1
"""Frame types of differences: counts of which the factor says how many g they are; milli-g."""
_END_OF_RANGE_MG = 999
"""For each g of the range: 32767 counts of 0.244 milli-g, the last of 8 g, are 7995 milli-g."""
_S = 1_000_000_000


def match(advertisement: Advertisement) -> float:
    """Maker and name: the motion service itself is not advertised, and not every Polar has it."""
    uuids = {uuid.lower() for uuid in (*advertisement.service_uuids, *advertisement.service_data)}
    name = advertisement.name or ""
    by_polar = COMPANY in advertisement.manufacturer_data or MEMBER in uuids
    if SERVICE in uuids:
        return 1.0
    if name.startswith(KNOWN):
        return 0.9 if by_polar else 0.4
    if name.startswith("Polar "):
        return 0.5 if by_polar else 0.3
    return 0.2 if by_polar else 0.0


class Decoder(PacketDecoder):
    """Frames of many samples and one time, that of the last.

    Where no start was seen, the rate is taken for the usual one, to place the samples of a segment's first frame; it
    does not say then what is lost. The unit of counts cannot be taken for anything: they wait for a factor.
    """

    MOTION = frozenset({DATA})
    rate_hz: float = USUAL_RATE_HZ
    _rate_told: bool
    _range_g: int
    _factor: float | None
    _parts: bytes  # of an answer that is not complete

    def __init__(self) -> None:
        super().__init__()
        self._clock = DeviceClock(bits=64, tick_ns=1, stamps="last")
        self._forget()

    def linked(self) -> None:
        """Nothing is known of what the sensor does now."""
        self._forget()
        self._clock.forget()

    def alike(self, data: bytes) -> tuple[int, int, int]:
        """Frames of one kind; of one length too, where their samples are whole."""
        measured, packing = head(data)
        return measured, packing, 0 if packing & DIFFERENCES else len(data)

    def told(self, frame: Told, gathered: Gathered) -> None:
        """What was started, how the sensor answered, and that it has stopped.

        A start may be recorded after its answer, so it is the answer that renews the factor.
        """
        if isinstance(frame, Advertisement) or frame.characteristic != CONTROL:
            return
        if not isinstance(frame, Written):
            self._indicated(frame.data)
        elif (wanted := asked_for(frame.data)) is not None:
            told_hz = max(wanted.get(RATE_HZ, ()), default=0)
            self.rate_hz, self._rate_told = float(told_hz or USUAL_RATE_HZ), told_hz > 0
            self._range_g = max(wanted.get(RANGE_G, ()), default=0) or USUAL_RANGE_G
            self._begin()

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Frames of acceleration; those of anything else are not motion."""
        measured, packing = head(packets.data[0])
        if measured in OTHERS:
            return
        if measured != ACCELERATION:
            gathered.refuse("no frame of Polar's measurement service", packets.data)
        elif packing & DIFFERENCES:
            self._differences(packets, packing ^ DIFFERENCES, gathered)
        else:
            self._whole(packets, packing, gathered)

    def _whole(self, packets: Packets, kind: int, gathered: Gathered) -> None:
        values = whole(packets.data, WHOLE_BYTES[kind]) if kind in WHOLE_BYTES else None
        if values is None:
            gathered.refuse("a frame has whole samples of three signed values, of 1, 2 or 3 bytes", packets.data)
            return
        each = len(values) // len(packets.data)
        refused = stamps(packets.data) <= 0
        gathered.refuse(NO_TIME, [packets.data[k] for k in np.flatnonzero(refused).tolist()])
        packets, values = packets.without(refused), values[~refused.repeat(each)]
        ends = at_the_end(values, -128, 127) if WHOLE_BYTES[kind] == 1 else False
        self._placed(packets, values.astype(np.float64), np.full(len(packets.data), each), gathered, ends)

    def _differences(self, packets: Packets, kind: int, gathered: Gathered) -> None:
        if kind not in (_IN_G, _IN_MILLI_G):
            gathered.refuse("differences are of frame type 0 or 1", packets.data)
        elif kind == _IN_G and self._factor is None:
            gathered.refuse("no factor has been told, so the unit of these counts is not known", packets.data)
        else:
            found = [blocks(data) for data in packets.data]
            for data, each in zip(packets.data, found, strict=True):
                if isinstance(each, str):
                    gathered.refuse(each, [data])
            packets = packets.without(np.array([isinstance(each, str) for each in found]))
            if packets.data:
                counts, of_frames = summed(packets.data, [each for each in found if isinstance(each, Blocks)])
                values = milli_g(counts, self._factor or 1.0, thousandfold=kind == _IN_G)
                self._placed(packets, values, of_frames, gathered)

    def _placed(self, packets: Packets, mg: Floats, counts: Ints, gathered: Gathered, ends: Any = False) -> None:
        """Give out samples (M, 3) of frames with `counts` (P,) of them, each at its time."""
        period_ns = round(_S / self.rate_hz) if self._rate_told else None
        found = self._clock.follow(stamps(packets.data), counts, period_ns)
        gathered.lost += found.lost
        gathered.duplicates += int(counts[~found.kept].sum())
        limit_mg = _END_OF_RANGE_MG * self._range_g
        ends_at = np.append(0, np.cumsum(counts))
        t_host_ns = np.array(packets.t_host_ns, dtype=np.int64).repeat(counts)
        t_device_ns, kept = sample_times(found, counts, self.rate_hz, period_ns), found.kept.repeat(counts)
        clipped = at_the_end(mg, -limit_mg, limit_mg) | ends
        for first, last in pairwise(sorted({0, *np.flatnonzero(found.fresh).tolist(), len(counts)})):
            if found.fresh[first]:
                self.begin_segment()
            part = np.flatnonzero(kept[ends_at[first] : ends_at[last]]) + ends_at[first]
            acc_mps2 = mg[part] * (STANDARD_GRAVITY_MPS2 / 1000)
            self.give(gathered, t_host_ns[part], acc_mps2, t_device_ns=t_device_ns[part], clipped=clipped[part])

    def _indicated(self, data: bytes) -> None:
        if stopped_by_itself(data):
            self._begin()
        said = answer(data)
        if said is not None and (said.opcode, said.measured, said.error) == (START, ACCELERATION, 0):
            parameters = self._parts + said.parameters
            self._factor, self._parts = factor(parameters), parameters if said.more else b""

    def _begin(self) -> None:
        """What comes next does not follow what came before."""
        self.begin_segment()
        self._clock.forget()

    def _forget(self) -> None:
        self.rate_hz, self._rate_told, self._range_g = float(USUAL_RATE_HZ), False, USUAL_RANGE_G
        self._factor, self._parts = None, b""


def sample_times(found: Followed, counts: Ints, rate_hz: float, period_ns: int | None) -> Ints:
    """The times (M,) of the samples of frames with `counts` (P,) of them, by the sensor's clock.

    Evenly from the frame before on (`PmdTimeStampUtils`); at the nominal rate where there is none, or where it is so
    far back that samples are missing, for which the rate must have been told (`period_ns`). No sample is older than the
    clock.
    """
    stamp_ns, before_ns = found.stamp_ns, found.before_ns
    follows = (before_ns >= 0) & (missing(stamp_ns - before_ns, counts, period_ns) == 0)
    young = ~follows & (stamp_ns < counts * (_S / rate_hz))  # a clock that began within the frame
    span_ns = np.where(follows, stamp_ns - before_ns, np.where(young, stamp_ns, _S)).repeat(counts)
    holds = np.where(follows | young, counts, round(rate_hz)).repeat(counts)  # so many samples
    behind = np.cumsum(counts).repeat(counts) - np.arange(1, counts.sum() + 1)  # samples up to the frame's last
    return np.asarray(stamp_ns.repeat(counts) - (2 * behind * span_ns + holds - 1) // (2 * holds))


DRIVER = Driver(
    name="polar",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Polar H10, Verity Sense and OH1",
        gives=("acceleration", "clock", "battery"),
        confidence=Confidence.VENDOR,
        rates_hz=(25.0, 50.0, 52.0, 100.0, 200.0),
        notes=(
            "No gyroscope: an H10 and an OH1 have none, and the one in a Verity Sense is not read.",
            "No counter: what is lost is told from the clock in the packets, to about half a packet.",
            "Samples come in batches, every 0.7 s from an H10 at 50 Hz and every 1 to 2 s from a Verity Sense, "
            "so angles and alerts come that much later.",
            "An H10 has 25, 50, 100 and 200 Hz, a Verity Sense 52 Hz, an OH1 50 Hz.",
            "An H10 must be worn on its strap: it needs contact with the skin, and drops the link 45 s "
            "after it is taken off.",
            "It measures until its battery is empty if nobody tells it to stop; this program does when a session ends "
            "in order.",
            "Its clock may never have been set (an H10 begins in 2019), so it is not taken for the time of day.",
            "Which way the axes point is not documented: calibrate.",
        ),
    ),
    longest_interval_s=2.0,
    usual_rate_hz=float(USUAL_RATE_HZ),
    services=(SERVICE,),
    lacking=(
        "This Polar device does not send its motion to other programs, for it has no measurement service (PMD); "
        "an H10, a Verity Sense and an OH1 have one."
    ),
    ask_battery=ask_battery,
)
