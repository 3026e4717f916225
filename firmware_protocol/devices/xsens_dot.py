"""The Movella DOT, sold as Xsens DOT before.

Source: Movella DOT BLE Services Specification, revision C of July 2023. The driver starts the rate quantities
(acceleration and rotation in the sensor's frame); the other public payloads are decoded too, so that what other
software started is understood. Pure. Must never know: radios, the present time.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices import xsens_payloads as payloads
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told
from firmware_protocol.devices.device_clock import DeviceClock
from firmware_protocol.devices.xsens_payloads import LONG, MEDIUM, MODES, PRIVATE, SHORT
from firmware_protocol.drivers import About, Battery, Confidence, Driver, Pairing
from firmware_protocol.frames import Advertisement, Written
from firmware_protocol.scripts import Read, Script, Subscribe, Write

SERVICE = "15172000-4947-11e9-8646-d663bd873d93"
CONTROL = "15172001-4947-11e9-8646-d663bd873d93"
DEVICE_CONTROL = "15171002-4947-11e9-8646-d663bd873d93"
BATTERY = "15173001-4947-11e9-8646-d663bd873d93"
COMPANY = 0x0886

RATES_HZ = (1, 4, 10, 12, 15, 20, 30, 60)
USUAL_HZ = 60
"""The sensor's own default, and what it streams at most."""

_MEASUREMENT, _STOP, _START = 1, 0, 1
_RATE_QUANTITIES = 21
_RATE_ONLY = 1 << 4
"""Visit index of the device control: of all its fields only the output rate is meant."""
_RATE = slice(24, 26)
_UNTOLD = {LONG: 26, MEDIUM: _RATE_QUANTITIES, SHORT: 5}
"""The mode where none was told: the only public one of the long payload; the one that this driver starts; the only
short one that fills its 20 bytes, which is looked at."""
_FAULTS = (*payloads.FAULTS, "no payload mode has been told")
_UNCLEAR = len(_FAULTS) - 1


def match(advertisement: Advertisement) -> float:
    """The maker's company id and the sensor's name; it advertises no service."""
    name = (advertisement.name or "").casefold()
    named = name.startswith(("xsens dot", "movella dot"))
    made = COMPANY in advertisement.manufacturer_data
    return 0.9 if named and made else 0.5 if named or made else 0.0


def start(rate_hz: float | None) -> Script:
    """Set the rate where it is another one, subscribe, then start: the maker asks for this order."""
    wanted_hz = _rate_hz(rate_hz)
    control = yield Read(DEVICE_CONTROL, optional=True)
    if len(control) >= _RATE.stop and control[_RATE] != struct.pack("<H", wanted_hz):
        rest = control[1 : _RATE.start], struct.pack("<H", wanted_hz), control[_RATE.stop :]
        yield Write(DEVICE_CONTROL, bytes([_RATE_ONLY]) + b"".join(rest))
    yield Subscribe(MEDIUM)
    yield Write(CONTROL, bytes([_MEASUREMENT, _START, _RATE_QUANTITIES]))


def stop() -> Script:
    """Stop the measurement."""
    yield Write(CONTROL, bytes([_MEASUREMENT, _STOP, 0]))


def ask_battery() -> Script:
    """Subscribe to the level and read it."""
    yield Subscribe(BATTERY, optional=True)
    yield Read(BATTERY, optional=True)


def _rate_hz(asked_hz: float | None) -> int:
    """The lowest rate that gives what is asked for; the highest where none does."""
    return next((rate for rate in RATES_HZ if rate >= (asked_hz or USUAL_HZ)), RATES_HZ[-1])


class Decoder(PacketDecoder):
    """One sample a packet, with the sensor's clock in each."""

    MOTION = frozenset({LONG, MEDIUM, SHORT})
    rate_hz = float(USUAL_HZ)

    def __init__(self) -> None:
        super().__init__()
        self._mode: int | None = None  # as the host or the sensor told; None: neither did
        self._rate_told = False
        self._clock = DeviceClock(bits=32, tick_ns=1000, stamps="first")

    def linked(self) -> None:
        """Both are set anew after each link."""
        self._mode, self.rate_hz, self._rate_told = None, float(USUAL_HZ), False
        self._clock.forget()

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """Payloads of the mode in force."""
        number = _UNTOLD[packets.characteristic] if self._mode is None else self._mode
        records = _records(number, packets)
        if isinstance(records, str):
            gathered.refuse(records, packets.data)
            return
        found = payloads.faults(records)
        if self._mode is None and packets.characteristic == SHORT:
            # the other short ones end in four zeros; so may this one, and then nothing tells which it is
            found = np.where(records["quaternion"][:, 3].view("<u4") == 0, _UNCLEAR, found)
        if found.any():
            for place in np.flatnonzero(found).tolist():
                gathered.refuse(_FAULTS[found[place]], [packets.data[place]])
            packets, records = packets.without(found != 0), records[found == 0]
        self._give(packets, records, gathered)

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The payload mode, the output rate, the battery."""
        if isinstance(frame, Advertisement):
            return
        data, written = frame.data, isinstance(frame, Written)
        if frame.characteristic == CONTROL and len(data) == 3 and data[0] == _MEASUREMENT:
            # what is written has a mode only where it starts; what is read tells the mode in any case
            self._mode = data[2] if not written or data[1] == _START else self._mode
        elif frame.characteristic == DEVICE_CONTROL and len(data) >= _RATE.stop:
            if not written or data[0] & _RATE_ONLY:
                self._set_rate(*struct.unpack("<H", data[_RATE]))
        elif frame.characteristic == BATTERY and data and not written:
            if len(data) == 2 and data[0] <= 100 and data[1] <= 1:
                gathered.batteries.append(Battery(float(data[0]), t_host_ns=frame.t_host_ns))
            else:
                gathered.refuse("a DOT's battery is a percentage, and 0 or 1 for charging", [data])

    def _set_rate(self, rate_hz: int) -> None:
        if rate_hz in RATES_HZ:
            if rate_hz != self.rate_hz:
                self._clock.forget()
            self.rate_hz, self._rate_told = float(rate_hz), True

    def _give(self, packets: Packets, records: NDArray[Any], gathered: Gathered) -> None:
        acc_mps2 = payloads.acceleration_mps2(records)
        if acc_mps2 is None:
            return
        gyr_radps, clipped = payloads.rotation_radps(records), payloads.clipped(records)
        period_ns = round(1e9 / self.rate_hz) if self._rate_told else None
        t = self._clock.follow(records["time_us"], np.ones(len(records), np.int64), period_ns)
        gathered.lost += t.lost
        gathered.duplicates += int(len(records) - np.count_nonzero(t.kept))
        t_host_ns = np.array(packets.t_host_ns, dtype=np.int64)
        for fresh, k in t.stretches():
            if fresh:
                self.begin_segment()
            gyr = gyr_radps[k] if isinstance(gyr_radps, np.ndarray) else gyr_radps
            clip = clipped[k] if isinstance(clipped, np.ndarray) else clipped
            self.give(gathered, t_host_ns[k], acc_mps2[k], gyr, t.stamp_ns[k], clipped=clip)


def _records(number: int, packets: Packets) -> NDArray[Any] | str:
    """Packets as records of this mode, or why they cannot be."""
    if number in PRIVATE:
        return f"only the maker's software can decode payload mode {number}"
    if number not in MODES:
        return f"payload mode {number} is not known"
    if packets.characteristic != MODES[number].characteristic:
        return f"payload mode {number} does not come on this characteristic"
    dtype = payloads.layout(number, length := len(packets.data[0]))
    return f"payload mode {number} never has {length} bytes" if dtype is None else packets.records(dtype)


DRIVER = Driver(
    name="xsens_dot",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Movella DOT and Xsens DOT, first and second generation",
        gives=("acceleration", "rotation", "battery", "clock"),
        confidence=Confidence.VENDOR,
        rates_hz=tuple(float(rate) for rate in RATES_HZ),
        notes=(
            "It streams at 60 Hz at most; 120 Hz is for recordings inside the sensor only.",
            "No counter: what is lost is found by the sensor's clock, which wraps after 71.6 min and is followed.",
            "Payloads of the high fidelity modes and custom mode 4 can be decoded by the maker's software only.",
            "On Windows, pair it once in the system's settings before it is used.",
            "The link must carry packets of 40 bytes, which adapters with Bluetooth 4.2 or later do.",
        ),
    ),
    longest_interval_s=1.0,
    usual_rate_hz=float(USUAL_HZ),
    services=(SERVICE,),
    lacking="This sensor has no DOT measurement service; update its firmware with the maker's app.",
    pairing=Pairing.WHEN_ASKED,
    ask_battery=ask_battery,
)
