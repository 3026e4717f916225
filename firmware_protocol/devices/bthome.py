"""BTHome version 2: sensors of many makers that advertise what they measure, some of them encrypted.

Source: the format's page at bthome.io and Bluetooth-Devices/bthome-ble 3.25.0. Pure. Knows: `cryptography`, here and
nowhere else, and only once something encrypted has come. Must never know: radios, scanners, where keys are stored, the
present time.

BTHome names no axes. Three signed accelerations in one advertisement are taken for x, y and z in their order. One
rotation alone is the lean of an axis of the maker's choice: it becomes what an accelerometer reads that leans by this
angle from z towards x. Which way that is on the wearer is for the calibration to find. A magnitude of an acceleration
(object 0x51), like fewer than three accelerations or several rotations, has no direction, and gives no sample.
"""

from math import cos, radians, sin

import numpy as np

from firmware_protocol.devices.bthome_objects import (
    ACCELERATION,
    BATTERY_PCT,
    PACKET_ID,
    ROTATION,
    Objects,
    Parcel,
    objects,
    parcel,
)
from firmware_protocol.devices.decoding import Gathered, PacketDecoder, Packets, Told
from firmware_protocol.drivers import About, Battery, Confidence, Driver
from firmware_protocol.frames import Advertisement, Reading
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Script

SERVICE_DATA = "0000fcd2-0000-1000-8000-00805f9b34fb"
SECRET = "bthome bind key"
"""What the key is called; it has 16 bytes."""

REPEATED_NS = 4 * 1_000_000_000
"""So long the same packet id, or without one the same bytes, are the same measurement (the format's page)."""
ASSUMED_HZ = 1.0
"""Nothing tells how often such a sensor measures; what follows begins with this rate, and measures the true one."""
MOST_SILENCE_S = 10.0
"""No interval is laid down; it is the slowest at which a posture that is held for minutes is still seen well."""

_KEY_BYTES, _COUNTER_BYTES, _CHECK_BYTES = 16, 4, 4
_AXES = 3
_NO_KEY = "encrypted, and no bind key is known"
_DOWNGRADED = "not encrypted, though a bind key was given: anybody may have sent it"
_NO_CIPHER = "encrypted, and the package cryptography is not installed (extra bthome)"
_OLD_COUNTER = "an older counter: sent once more by someone, or the sensor was switched off and on"
_OTHER_KEY = "encrypted with another bind key, or damaged"


def match(advertisement: Advertisement) -> float:
    """Motion with a direction, in plain; what is encrypted may be anything."""
    data = advertisement.service_data.get(SERVICE_DATA)
    found = parcel(data) if data is not None else None
    if found is None or found.fault:
        return 0.0
    return 0.5 if found.encrypted else 0.0 if _acceleration(objects(found.payload)) is None else 1.0


def start(rate_hz: float | None) -> Script:  # noqa: ARG001 - it cannot be chosen
    """Nothing: it advertises by itself, at its own rate."""
    yield from ()


def stop() -> Script:
    """Nothing: it never stops."""
    yield from ()


def _acceleration(found: Objects) -> tuple[int, list[float]] | None:
    """What an accelerometer reads, in m/s², and the object that tells it; None: nothing with a direction."""
    axes = found.numbers(ACCELERATION)
    if len(axes) == _AXES:
        return ACCELERATION, [micro / 1e6 for micro in axes]
    rotations = found.numbers(ROTATION)
    if axes or len(rotations) != 1:
        return None
    angle = radians(rotations[0] / 10)
    return ROTATION, [STANDARD_GRAVITY_MPS2 * sin(angle), 0.0, STANDARD_GRAVITY_MPS2 * cos(angle)]


def _opened(key: bytes, address: bytes, sealed: Parcel) -> bytes | str:
    """The objects that were encrypted, or why there are none.

    AES in CCM mode with a check of 4 bytes; the nonce is the sensor's address, the service's UUID as it is sent, the
    first byte of the data and the counter.
    """
    try:
        from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.ciphers.aead import AESCCM
    except ImportError:
        return _NO_CIPHER
    body, tail = sealed.payload[: -_COUNTER_BYTES - _CHECK_BYTES], sealed.payload[-_COUNTER_BYTES - _CHECK_BYTES :]
    nonce = address + b"\xd2\xfc" + bytes([sealed.info]) + tail[:_COUNTER_BYTES]
    try:
        return AESCCM(key, tag_length=_CHECK_BYTES).decrypt(nonce, body + tail[_COUNTER_BYTES:], None)
    except (InvalidTag, UnsupportedAlgorithm, ValueError):
        return _OTHER_KEY


class Decoder(PacketDecoder):
    """At most one sample an advertisement, without a clock; advertisements of another sensor are passed over.

    A packet id is too short to count by: it only tells an advertisement that came again.
    """

    MOTION = frozenset()
    rate_hz: float | None = ASSUMED_HZ

    def __init__(self) -> None:
        super().__init__()
        self._address: str | None = None
        self._told_by = 0  # the object that the newest sample is from
        self.linked()

    def linked(self) -> None:
        """What came before is of another time; a sensor may count from the beginning. The key is told anew."""
        self._key = b""
        self._data: bytes | None = None  # the newest that were not the same bytes again
        self._data_ns = 0
        self._packet_id: int | None = None
        self._taken_ns = 0  # when that came
        self._counter = -1  # of the newest that was opened

    def motion(self, packets: Packets, gathered: Gathered) -> None:
        """There are no notifications."""

    def told(self, frame: Told, gathered: Gathered) -> None:
        """The bind key, or an advertisement with data of BTHome."""
        if isinstance(frame, Reading) and frame.characteristic == SECRET:
            self._key = frame.data if len(frame.data) == _KEY_BYTES else b""
            self._data = None  # what could not be opened may be tried again
        elif isinstance(frame, Advertisement) and SERVICE_DATA in frame.service_data:
            self._address = frame.address if self._address is None else self._address
            if frame.address == self._address:
                self._advertised(frame.address, frame.service_data[SERVICE_DATA], frame.t_host_ns, gathered)

    def _advertised(self, address: str, data: bytes, t_host_ns: int, gathered: Gathered) -> None:
        found = parcel(data)
        if data == self._data and (found.encrypted or t_host_ns - self._data_ns < REPEATED_NS):
            return
        self._data, self._data_ns = data, t_host_ns
        if found.fault:
            gathered.refuse(found.fault, [data])
            return
        payload: bytes | str | None = found.payload
        if found.encrypted:
            payload = self._decrypted(address, found)
        elif self._key:
            payload = _DOWNGRADED
        if isinstance(payload, str):
            gathered.refuse(payload, [data])
        elif payload is not None:
            self._measured(objects(payload), data, t_host_ns, gathered)

    def _decrypted(self, address: str, sealed: Parcel) -> bytes | str | None:
        """The payload in plain; why it is refused; or None, for one that came before.

        Only what fits the key moves the counter on. It must grow: a sensor that counts from the beginning is refused
        until the next link.
        """
        sender = sealed.address or _six_bytes(address)
        if len(sealed.payload) <= _COUNTER_BYTES + _CHECK_BYTES:
            return "encrypted, and too short"
        if not self._key:
            return _NO_KEY
        if not sender:
            return "encrypted, and the system does not tell the sensor's address, which is needed to open it"
        counter = int.from_bytes(sealed.payload[-_COUNTER_BYTES - _CHECK_BYTES : -_CHECK_BYTES], "little")
        if counter <= self._counter:
            return _OLD_COUNTER if counter < self._counter else None
        payload = _opened(self._key, sender, sealed)
        self._counter = counter if isinstance(payload, bytes) else self._counter
        return payload

    def _measured(self, content: Objects, data: bytes, t_host_ns: int, gathered: Gathered) -> None:
        """What was read counts, even where there is more that cannot be."""
        packet_id = content.first(PACKET_ID)
        if packet_id is not None and packet_id == self._packet_id and t_host_ns - self._taken_ns < REPEATED_NS:
            return
        self._packet_id, self._taken_ns = packet_id, t_host_ns
        percent = content.first(BATTERY_PCT)
        if percent is not None and percent <= 100:
            gathered.batteries.append(Battery(float(percent), t_host_ns=t_host_ns))
        fault = content.fault or ("a battery of BTHome has 0 to 100 per cent" if (percent or 0) > 100 else "")
        if fault:
            gathered.refuse(fault, [data])
        motion = _acceleration(content)
        if motion is None:
            return
        if motion[0] != self._told_by:
            self.begin_segment()  # a lean and an acceleration are of different axes
            self._told_by = motion[0]
        self.give(gathered, [t_host_ns], np.array([motion[1]]))


def _six_bytes(address: str) -> bytes:
    """An address such as 54:48:E6:8F:80:A5; nothing where it is none (macOS has names of its own)."""
    parts = address.split(":")
    try:
        made = bytes(int(part, 16) for part in parts)
    except ValueError:
        return b""
    return made if len(made) == 6 else b""


DRIVER = Driver(
    name="bthome",
    match=match,
    start=start,
    stop=stop,
    new_decoder=Decoder,
    about=About(
        title="Sensors that advertise BTHome version 2 with accelerations or a rotation",
        gives=("acceleration", "orientation", "battery"),
        confidence=Confidence.PUBLISHED,
        notes=(
            "A sample in some seconds, as often as the sensor advertises: enough to see a posture that is held for "
            "minutes, too slow for feedback at once.",
            "No gyroscope, no clock, no counter; it is listened to and never connected to, so its rate cannot be "
            "chosen.",
            "BTHome names no axes: three accelerations are taken for x, y and z in their order, a rotation alone for "
            "the lean of one axis.",
            "A magnitude of an acceleration has no direction and cannot be used.",
            "Encrypted sensors need their bind key, and the extra bthome of this program.",
        ),
    ),
    longest_interval_s=MOST_SILENCE_S,
    broadcasts=True,
    secret=SECRET,
)
