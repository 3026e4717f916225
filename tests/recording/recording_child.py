"""A process that records until it is killed, and says what it does: run by `test_recording_kill.py`.

One line for each frame: number, time on the host's clock in ns, number of durable frames, longest stall in ns.
"""

import sys
import time
from pathlib import Path

from companion import host
from companion.recording import RecordingWriter
from firmware_protocol.frames import Notification, Opened


def payload(number: int) -> bytes:
    return (number * 2_654_435_761).to_bytes(8, "little") * 8


def main() -> None:
    begin_ns = host.boot_ns()
    recorder = RecordingWriter.create(Path(sys.argv[1]))
    opened = Opened(
        t_host_ns=begin_ns,
        session_id="kill",
        driver="posture_v1",
        device="child",
        utc_ns=0,
        zone="UTC",
        software_version="0",
    )
    assert recorder.put(0, opened)
    longest_ns, number = 0, 0
    print(0, begin_ns, recorder.committed, 0, flush=True)
    while True:
        number += 1
        before_ns = host.boot_ns()
        time.sleep(0.02)
        now_ns = host.boot_ns()
        longest_ns = max(longest_ns, now_ns - before_ns - 20_000_000)
        assert recorder.put(number, Notification(t_host_ns=now_ns, characteristic="motion", data=payload(number)))
        print(number, now_ns, recorder.committed, longest_ns, flush=True)


if __name__ == "__main__":
    main()
