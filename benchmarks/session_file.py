"""The session file's figures: size of an hour, cost of writing, time to read and to salvage eight hours.

    python benchmarks/session_file.py [--hours 8]

One six-axis sensor at 50 Hz with 5 samples a packet: 10 notifications of 68 bytes and one tick a second.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from companion.recording import RecordingWriter, open_recording
from companion.recording.salvage import salvage
from firmware_protocol.frames import Closed, Frame, Notification, Opened, Tick

CHARACTERISTIC = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
SECOND_NS = 1_000_000_000
T_OPENED_NS = 40 * 86_400 * SECOND_NS  # a computer that has been up for 40 days


def opened() -> Opened:
    return Opened(
        t_host_ns=T_OPENED_NS,
        session_id="20260101T080000Z-benchmark",
        driver="posture_v1",
        device="benchmark",
        rate_hz=50.0,
        utc_ns=1_767_254_400 * SECOND_NS,
        zone="UTC",
        software_version="0",
    )


def frames(hours: float) -> Iterator[Frame]:
    chance = random.Random(1)
    yield opened()
    for second in range(int(hours * 3600)):
        begin_ns = T_OPENED_NS + second * SECOND_NS
        for packet in range(10):
            late_ns = chance.randrange(20_000_000)
            yield Notification(
                t_host_ns=begin_ns + packet * SECOND_NS // 10 + late_ns,
                characteristic=CHARACTERISTIC,
                data=chance.randbytes(68),
            )
        yield Tick(t_host_ns=begin_ns + SECOND_NS)


def write(path: Path, hours: float) -> tuple[int, float]:
    """Writes a session; returns its frames (without the last) and the seconds that writing took, per frame."""
    writer = RecordingWriter.create(path, threaded=False)
    count, spent_s = 0, 0.0
    for number, frame in enumerate(frames(hours)):
        begin_s = time.perf_counter()
        writer.put(number, frame)
        spent_s += time.perf_counter() - begin_s
        count += 1
    begin_s = time.perf_counter()
    writer.close(Closed(t_host_ns=T_OPENED_NS + int(hours * 3600 * SECOND_NS), reason="end", count=count))
    return count, spent_s + time.perf_counter() - begin_s


def live_put_s(path: Path, count: int = 11_000) -> float:
    """Seconds that the radio's thread spends in `put`, per frame."""
    writer = RecordingWriter.create(path)
    session = list(zip(range(count), frames(1), strict=False))
    writer.put(*session[0])
    begin_s = time.perf_counter()
    for number, frame in session[1:]:
        writer.put(number, frame)
    spent_s = time.perf_counter() - begin_s
    writer.close(Closed(t_host_ns=T_OPENED_NS, reason="end", count=count))
    return spent_s / (count - 1)


def commit_s(path: Path, seconds: int = 300) -> float:
    """CPU seconds that one second of a session costs the recorder: 11 rows, one durable transaction."""
    writer = RecordingWriter.create(path, threaded=False)
    session = enumerate(frames(1))
    writer.put(*next(session))
    begin_s = time.process_time()
    for _ in range(seconds):
        for _ in range(11):
            writer.put(*next(session))
        writer._commit()
    spent_s = time.process_time() - begin_s
    writer.close(Closed(t_host_ns=T_OPENED_NS, reason="end", count=1 + 11 * seconds))
    return spent_s / seconds


def best_of(times: int, path: Path) -> float:
    """Seconds to open a session and to build all its frames, each checked."""
    best_s = float("inf")
    for _ in range(times):
        begin_s = time.perf_counter()
        with open_recording(path) as recording:
            count = sum(1 for _ in recording.frames())
            assert count > 0
            assert recording.damage == []
        best_s = min(best_s, time.perf_counter() - begin_s)
    return best_s


def salvage_s(path: Path) -> tuple[float, float]:
    """Cut the file in half; seconds to salvage it, and the share of the rows before the cut that came back."""
    with open_recording(path) as recording:
        whole = sum(1 for _ in recording.frames())
    os.truncate(path, path.stat().st_size // 2)
    begin_s = time.perf_counter()
    rows = len(salvage(path, None).frames)
    return time.perf_counter() - begin_s, rows / (whole / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=8.0)
    hours = parser.parse_args().hours
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hours.posture"
        count, write_s = write(path, hours)
        mb_per_hour = path.stat().st_size / 1e6 / hours
        read_s = best_of(3, path)
        cut_s, share = salvage_s(path)
        put_s = live_put_s(Path(directory) / "live.posture")
        second_s = commit_s(Path(directory) / "commit.posture")
    rows = [
        ("size", f"{mb_per_hour:.2f} MB/h", "3.5 MB/h or less"),
        (f"written at once, {hours:g} h ({count} frames)", f"{write_s:.2f} s", ""),
        ("`put` in the radio's thread", f"{put_s * 1e6:.1f} µs", ""),
        ("CPU of one second of a session, committed", f"{second_s * 1e3:.2f} ms", ""),
        (f"read, checked, as frames, {hours:g} h", f"{read_s:.2f} s", ""),
        ("the same for 150,000 frames", f"{read_s * 150_000 / count:.2f} s", "0.6 s or less"),
        ("salvage of the first half of the file", f"{cut_s:.2f} s", ""),
        ("rows of that half that came back", f"{share:.1%}", "95 % or more"),
    ]
    print("| figure | measured | aim |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
