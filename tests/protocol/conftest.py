"""A sensor for the tests of this folder: it takes samples, says what it says, and keeps its own books."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_protocol as fp
from firmware_protocol.posture_v1.packets import (
    CONTROL,
    MOTION,
    Layout,
    Motion,
    Result,
    Started,
    Stopped,
    TimeAnswer,
)

VECTORS = Path(fp.__file__).parent / "posture_v1" / "vectors.json"


class Sensor:
    """A sensor whose device clock reads `t_us` at the beginning and runs true, as the host's does.

    It takes samples `rate_error` faster than it says (0.01: 1 %). Each method that sends returns the frame.
    """

    def __init__(
        self, *, rate_hz: int = 50, layout: int = 2, stream: int = 7, t_us: int = 5_000_000, rate_error: float = 0
    ):
        self.rate_hz, self.layout, self.stream = rate_hz, layout, stream
        self.rate_error = rate_error
        self.true_ns = 1e9
        self._boot_us = t_us
        self.taken = 0
        self._t0_ns = self.true_ns  # true time of sample 0
        self.ranges = (8, 1000 if layout == Layout.ACC_GYR else 0)

    def _device_us(self, true_ns: float) -> int:
        return int(self._boot_us + (true_ns - 1e9) / 1000)

    def _frame(self, characteristic: str, data: bytes) -> fp.Notification:
        return fp.Notification(t_host_ns=int(self.true_ns) + 30_000_000, characteristic=characteristic, data=data)

    def _true_ns_of(self, index: int) -> float:
        return self._t0_ns + index * 1e9 / self.rate_hz / (1 + self.rate_error)

    def started(self) -> fp.Notification:
        self.stream, self.taken = (self.stream + 1) % 256, 0
        self._t0_ns = self.true_ns + 20_000_000
        now = self._device_us(self.true_ns)
        return self._frame(CONTROL, Started(0, self.stream, now, self.rate_hz, *self.ranges, self.layout).to_bytes())

    def running_since(self, index: int) -> None:
        """It has taken `index` samples before anyone listens."""
        self.taken = index
        self._t0_ns = self.true_ns - index * 1e9 / self.rate_hz / (1 + self.rate_error)

    def time(self, *, sampling: bool = True) -> fp.Notification:
        force = (self.rate_hz, *self.ranges, self.layout) if sampling else (0, 0, 0, 0)
        now = self._device_us(self.true_ns)
        return self._frame(CONTROL, TimeAnswer(0, self.stream, self.taken & 0xFFFFFFFF, now, *force).to_bytes())

    def stopped(self, result: int = Result.OK) -> fp.Notification:
        return self._frame(CONTROL, Stopped(result, self.stream, (self.taken - 1) & 0xFFFFFFFF).to_bytes())

    def take(self, count: int) -> range:
        """Take samples; returns their numbers."""
        numbers = range(self.taken, self.taken + count)
        self.taken += count
        self.true_ns = self._true_ns_of(self.taken - 1)
        return numbers

    def motion(self, numbers: range, *, backfilled: bool = False, **fields: Any) -> fp.Notification:
        """The packet of these samples; a sample's values tell its number."""
        axes = 3 if self.layout == Layout.ACC else 6
        raw = np.array([[(n * 7 + k) % 30_000 for k in range(axes)] for n in numbers], dtype=np.int16)
        ticks = self._device_us(self._true_ns_of(numbers.start)) * 1024 // 1_000_000
        values: dict[str, Any] = {
            "stream": self.stream,
            "index": numbers.start & 0xFFFFFFFF,
            "time_1024": ticks & 0xFFFF,
        }
        return self._frame(MOTION, Motion(raw=raw, backfilled=backfilled, **(values | fields)).to_bytes())

    def packets(self, count: int, samples: int) -> list[fp.Notification]:
        return [self.motion(self.take(samples)) for _ in range(count)]


@pytest.fixture(scope="session")
def new_sensor() -> type[Sensor]:
    return Sensor


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return loaded


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`message`, `invalid` and `decoding` are each vector of that kind in turn."""
    for argument, kind in (("message", "messages"), ("invalid", "invalid"), ("decoding", "decoding")):
        if argument in metafunc.fixturenames:
            cases = json.loads(VECTORS.read_text(encoding="utf-8"))[kind]
            metafunc.parametrize(argument, cases, ids=[case["name"] for case in cases])
