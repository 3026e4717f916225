"""A sensor with neither clock nor counter: its samples say that their times are guessed."""

import numpy as np
import pytest

from companion.arrivals import with_guesses_flagged
from companion.session import Session
from firmware_protocol.drivers import Decoded, Segment
from firmware_protocol.frames import Notification, Opened
from firmware_protocol.samples import SampleFlag, make_samples

HEADER = Opened(
    t_host_ns=0,
    session_id="guessed",
    driver="posture_v1",
    device="back",
    rate_hz=50.0,
    utc_ns=0,
    zone="UTC",
    software_version="0",
)


class Counting:
    """Five samples for each packet, which say nothing of when they were taken."""

    def __init__(self, known):
        self.known, self.begun = known, False

    def feed(self, frames):
        times_ns = [frame.t_host_ns for frame in frames if isinstance(frame, Notification)]
        count = 5 * len(times_ns)
        samples = make_samples(
            np.tile([0.0, 0.0, 9.81], (count, 1)),
            np.zeros((count, 3)),
            t_host_ns=np.repeat(np.array(times_ns, dtype=np.int64), 5),
            **({self.known: np.repeat(times_ns, 5)} if self.known else {}),
        )
        segments, self.begun = () if self.begun else (Segment(0, 50.0),), True
        return Decoded(samples=samples, segments=segments)


@pytest.mark.parametrize("known", [None, "index", "t_device_ns"])
def test_samples_without_clock_and_counter_are_flagged(known):
    session = Session(HEADER)
    session._decoder = Counting(known)
    frames = [Notification(t_host_ns=packet * 100_000_000, characteristic="x", data=b"") for packet in range(1, 301)]
    samples = session.feed(frames).samples
    assert set(samples["flags"]) == {0 if known else SampleFlag.TIME_GUESSED}
    if known is None:
        assert session.close().summary["duration_s"] == pytest.approx(30.0, abs=0.2)


def test_only_those_without_either_are_flagged_and_the_input_stays():
    samples = make_samples(np.zeros((4, 3)), index=[0, -1, -1, 3], t_device_ns=[-1, -1, 5, 6])
    assert with_guesses_flagged(samples)["flags"].tolist() == [0, SampleFlag.TIME_GUESSED, 0, 0]
    assert not samples["flags"].any()
