"""A Movesense sensor with the GATT SensorData Protocol, as the maker's specification and clients describe it.

It has no magnetometer, and sends one measurement at a time. Pure. Must never know: bumble, hosts, drivers.
"""

import struct
from collections.abc import Sequence

import numpy as np

from companion.simulator.equipment import battery_pct
from companion.simulator.maker_sensor import BATTERY, Floats, MakerSensor
from companion.simulator.sampling import Ints
from companion.simulator.served import Appearance, Outgoing, Property, Served

_SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
_COMMANDS = "34800001-7185-4d5d-b431-630e7050e8f0"
_DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
_ADVERTISED = "0000fdf3-0000-1000-8000-00805f9b34fb"
_SUUNTO = 0x009F

_HELLO, _SUBSCRIBE, _UNSUBSCRIBE, _GET = 0, 1, 2, 4
_RESPONSE, _PACKET, _PART_2 = 1, 2, 3
_OK, _BAD_REQUEST, _NOT_FOUND, _NOT_IMPLEMENTED, _NO_ROOM = 200, 400, 404, 501, 507

_RATES_HZ = (13, 26, 52, 104, 208, 416, 833, 1666)
_MEASURED = {"Acc": "a", "Gyro": "g", "IMU6": "ag"}
_PATHS = {f"/Meas/{name}/{rate}": (rate, what) for name, what in _MEASURED.items() for rate in _RATES_HZ}
_BATTERY_PATH = "/System/Energy/Level"
_SERIAL = "204730000105"
_STRINGS = (_SERIAL, "Movesense", "F4-12-3D-5A-70-05", "gatt_sensordata_app", "2.3.0")
_PROTOCOL_VERSION = 1

_MOST_BYTES = 155  # of a notification: the sensor's own ATT_MTU is 158
_CUT_BYTES = 150  # of the first part of what is longer


class Sensor(MakerSensor):
    """A sensor that answers commands, and measures from a SUBSCRIBE to an UNSUBSCRIBE."""

    APPEARANCE = Appearance(
        f"Movesense {_SERIAL}",
        "F4:12:3D:5A:70:05",
        "simulated Movesense",
        services=(_ADVERTISED,),
        manufacturer={_SUUNTO: bytes.fromhex("ffd4")},
    )
    SERVED = (
        Served(_SERVICE, _COMMANDS, Property.WRITE),
        Served(_SERVICE, _DATA, Property.NOTIFY),
        BATTERY,
    )
    MOTION = _DATA

    def powered_on(self) -> None:
        """Nothing is measured."""
        self._reference, self._what = 0, ""

    def left(self) -> None:
        """Measurements end with the link."""
        self._end()

    def obey(self, characteristic: str, data: bytes) -> list[Outgoing]:
        """A command, its reference, and what belongs to it; every one is answered."""
        if characteristic != _COMMANDS or len(data) < 2:
            raise KeyError(characteristic)
        command, reference, body = data[0], data[1], data[2:]
        if command == _HELLO:
            told = b"".join(text.encode() + b"\0" for text in _STRINGS)
            return self.answer(_DATA, bytes([_RESPONSE, reference, _PROTOCOL_VERSION]) + told)
        status, value = self._done(command, reference, body.rstrip(b"\0").decode(errors="replace"))
        return self.answer(_DATA, struct.pack("<BBH", _RESPONSE, reference, status) + value)

    def pack(self, acc_mps2: Floats, gyr_radps: Floats, taken_ns: Ints) -> Sequence[bytes]:
        """The time of the first sample in milliseconds, then all accelerations, then all rates in degrees a second."""
        arrays = {"a": acc_mps2, "g": np.degrees(gyr_radps)}
        content = b"".join(arrays[each].astype("<f4").tobytes() for each in self._what)
        stamp_ms = int(taken_ns[0]) // 1_000_000 % 2**32
        return self._in_parts(struct.pack("<BBI", _PACKET, self._reference, stamp_ms) + content)

    def _in_parts(self, packet: bytes) -> list[bytes]:
        most_bytes = min(_MOST_BYTES, self.mtu - 3)
        if len(packet) <= most_bytes:
            return [packet]
        cut = min(_CUT_BYTES, most_bytes)
        head = bytes([_PART_2, self._reference])
        later = [head + packet[k : k + cut - 2] for k in range(cut, len(packet), cut - 2)]
        return [packet[:cut], *later]

    def _done(self, command: int, reference: int, path: str) -> tuple[int, bytes]:
        """What comes of a command: a status, and a value."""
        if reference == 0:
            return _BAD_REQUEST, b""
        if command == _SUBSCRIBE:
            return self._subscribe(reference, path), b""
        if command == _UNSUBSCRIBE and reference == self._reference:
            self._end()
            return _OK, b""
        if command == _GET and path == _BATTERY_PATH:
            return _OK, bytes([battery_pct(self.now_ns)])
        return (_NOT_FOUND if command in (_UNSUBSCRIBE, _GET) else _NOT_IMPLEMENTED), b""

    def _subscribe(self, reference: int, path: str) -> int:
        if path not in _PATHS:
            return _NOT_FOUND
        if self.streaming is not None:
            return _NO_ROOM
        rate_hz, self._what = _PATHS[path]
        self._reference = reference
        self.stream(rate_hz, each=rate_hz // 13)
        return _OK

    def _end(self) -> None:
        self.halt()
        self._reference = 0
