"""Small sessions for the recorder's tests. Knows frames and the recorder."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from companion.recording import RecordingWriter, open_recording
from firmware_protocol.frames import Closed, Frame, Notification, Opened, Reading, Tick

MOTION = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
SECOND_NS = 1_000_000_000
T_OPENED_NS = 123_456_789_012_345


def packet_data(second: int, packet: int) -> bytes:
    """68 bytes that look like motion to nobody and occur once."""
    return (hashlib.sha512(f"{second} {packet}".encode()).digest() * 2)[:68]


@pytest.fixture(scope="session")
def opened() -> Opened:
    return Opened(
        t_host_ns=T_OPENED_NS,
        session_id="20260301T101500Z-4f2a",
        driver="posture_v1",
        device="back",
        rate_hz=50.0,
        utc_ns=1_772_360_100_000_000_000,
        zone="Europe/Paris",
        settings_json='{"alert.delay": "30s"}',
        calibration_json='{"up": [0.0, 1.0, 0.0]}',
        software_version="0.1.0",
    )


@pytest.fixture(scope="session")
def session_of(opened: Opened) -> Callable[[int], list[Frame]]:
    """Builds the frames of a session of so many seconds: 10 packets and a tick a second, the battery each minute."""

    def build(seconds: int) -> list[Frame]:
        frames: list[Frame] = [opened]
        for second in range(seconds):
            begin_ns = T_OPENED_NS + second * SECOND_NS
            if second % 60 == 0:
                frames.append(Reading(t_host_ns=begin_ns, characteristic=BATTERY, data=bytes([90 - second // 60])))
            for packet in range(10):
                t_ns = begin_ns + packet * 100_000_007
                frames.append(Notification(t_host_ns=t_ns, characteristic=MOTION, data=packet_data(second, packet)))
            frames.append(Tick(t_host_ns=begin_ns + SECOND_NS))
        return frames

    return build


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Iterable[Frame]], Path]:
    """Writes frames into a closed session file."""

    def put_all(path: Path, frames: Iterable[Frame]) -> Path:
        writer = RecordingWriter.create(path, threaded=False)
        count, t_last_ns = 0, 0
        for count, frame in enumerate(frames, start=1):
            assert writer.put(count - 1, frame)
            t_last_ns = frame.t_host_ns
        writer.close(Closed(t_host_ns=t_last_ns, reason="stopped", count=count))
        return path

    return put_all


@pytest.fixture(scope="session")
def read() -> Callable[[Path], tuple[list[Frame], list[tuple[float, float, str]]]]:
    """All frames of a session file, and the damage that was found."""

    def read_all(path: Path) -> tuple[list[Frame], list[tuple[float, float, str]]]:
        with open_recording(path) as recording:
            frames = list(recording.frames())
            return frames, recording.damage

    return read_all
