"""What Movesense's SensorData protocol sends: messages joined to packets, and the layout of each.

A packet that is too long for one notification comes in parts, which are joined for each reference. Pure. Must never
know: what becomes of a packet, the sensor's clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

RATES_HZ = (13, 26, 52, 104, 208, 416, 833, 1666)
RESPONSE, FIRST, PART_2 = 1, 2, 3
"""What a sensor sends: the answer to a command, a packet or its first part, the rest of one."""

_IN_ONE_BYTES = 155
"""A packet up to this length comes in one notification: the sensor's ATT_MTU is at most 158."""
_CUT_BYTES = 150
"""Where the first notification of a longer packet ends in the published example; no shorter one is part of a packet."""


@dataclass(frozen=True)
class Layout:
    """A packet of one path: two bytes, the clock, then one array after the other, each of `count` vectors."""

    rate_hz: int
    arrays: int
    gyroscope: bool  # it is the second array; the first is the accelerometer

    @property
    def count(self) -> int:
        """Thirteen packets a second, whatever the rate: 1, 2, 4 ... 128 samples in each."""
        return self.rate_hz // 13

    @cached_property
    def size(self) -> int:
        """Bytes of a packet, with the two before its payload."""
        return 6 + 12 * self.arrays * self.count

    @property
    def dtype(self) -> "np.dtype[np.void]":
        """A packet as one record."""
        return np.dtype([("head", "u1", (2,)), ("ms", "<u4"), ("arrays", "<f4", (self.arrays, self.count, 3))])


_KINDS = {"acc": (1, False), "imu6m": (2, False), "imu9": (3, True), "imu6": (2, True)}
_LAYOUTS = {f"/meas/{kind}/{rate}": Layout(rate, *_KINDS[kind]) for kind in _KINDS for rate in RATES_HZ}
_UNTOLD = {layout.size: layout for layout in _LAYOUTS.values()}
"""Where no path was told, a length is of IMU6, which the driver subscribes to; else of IMU9, else of Acc."""
_LONGEST = max(_UNTOLD)

_NO_MESSAGE = "this is no response, data or second part of the SensorData protocol"
_WRONG_SIZE = "the length of the packet is not that of its path"
_NO_SIZE = "no path has been told, and none has packets of this length"
_NO_FIRST = "a second part came without its first"
_NO_SECOND = "a first part came whose second was lost"

Found = tuple[Layout | str, bytes, int]
"""A whole packet and its layout, or what is none and why; and when it arrived."""


class Messages:
    """Of each reference, which path it stands for and what has come of a packet."""

    def __init__(self) -> None:
        self._paths: dict[int, Layout | None] = {}  # None: no acceleration comes by it
        self._halves: dict[int, tuple[bytes, int]] = {}  # what has come, and how long its first notification was

    def forget(self) -> None:
        """Subscriptions end with a link, and so do packets."""
        self._paths.clear()
        self._halves.clear()

    def subscribe(self, reference: int, path: str) -> None:
        """From here on the reference stands for this path; the case of its letters does not matter."""
        self._paths[reference] = _LAYOUTS.get(path.rstrip("\0").casefold())

    def unsubscribe(self, reference: int) -> None:
        """What the reference stands for is not known any more."""
        self._paths.pop(reference, None)

    def plain(self, messages: Iterable[bytes]) -> Layout | None:
        """The layout of all of them, where each is a whole packet and nothing has to be joined."""
        (head, size), *others = {(bytes(message[:2]), len(message)) for message in messages}
        if others or self._halves or len(head) < 2 or head[0] != FIRST or self._passed_over(head[1]):
            return None
        return self._layout(head[1], size, in_one=True)

    def joined(self, messages: Iterable[bytes], t_host_ns: Iterable[int]) -> Iterator[Found]:
        """Whole packets with their layouts, and what is none with the reason, in order."""
        for message, arrival_ns in zip(messages, t_host_ns, strict=True):
            kind, reference = message[:2] if len(message) >= 2 else (0, 0)
            if kind in (FIRST, PART_2) and not self._passed_over(reference):
                half, part_bytes = self._halves.pop(reference, (b"", 0))
                if kind == FIRST:
                    if half:
                        yield _NO_SECOND, half, arrival_ns
                    half, part_bytes = message, len(message)
                elif half:
                    half += message[2:]
                more = len(message) == part_bytes  # only the last part is shorter than the others
                found = self._found(reference, half, part_bytes if more else 0, in_one=kind == FIRST)
                if found is not None:
                    yield found, half or message, arrival_ns
            elif kind not in (FIRST, PART_2) and not _is_response(message):
                yield _NO_MESSAGE, message, arrival_ns

    def _found(self, reference: int, data: bytes, part_bytes: int, *, in_one: bool) -> Layout | str | None:
        """What has come of a packet: all of it, or what is wrong; None where more may follow such a part."""
        if not data:
            return _NO_FIRST
        layout = self._layout(reference, len(data), in_one=in_one)
        path = self._paths.get(reference)
        least = _CUT_BYTES if path is None or path.size <= _IN_ONE_BYTES else 1
        if layout is None and part_bytes >= least and len(data) < (path.size if path else _LONGEST):
            self._halves[reference] = data, part_bytes
            return None
        return layout or (_WRONG_SIZE if path else _NO_SIZE)

    def _layout(self, reference: int, size: int, *, in_one: bool) -> Layout | None:
        """The layout of a whole packet of this size, in one message or joined."""
        path = self._paths.get(reference)
        if path is not None:
            return path if path.size == size else None
        # What is cut there is as long as a whole packet of IMU9/52, and nothing but the path tells which it is.
        return None if in_one and size == _CUT_BYTES else _UNTOLD.get(size)

    def _passed_over(self, reference: int) -> bool:
        """Whether something else than acceleration comes by it."""
        return self._paths.get(reference, True) is None


def _is_response(message: bytes) -> bool:
    """Whether it has a status, which is one of HTTP, or a version and texts, by which HELLO is answered."""
    if len(message) < 4 or message[0] != RESPONSE:
        return False
    status = int.from_bytes(message[2:4], "little")
    return 100 <= status <= 599 or all(each == 0 or 32 <= each < 127 for each in message[3:])
