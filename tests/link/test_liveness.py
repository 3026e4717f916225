"""What counts as a sign of life: samples, and nothing else."""

import numpy as np

from companion.link.liveness import Liveness
from firmware_protocol import Decoded, Frame, LinkUp, Notification, make_samples

MOTION, STATUS = "motion", "status"


class Decoder:
    """One sample for each notification of MOTION; it counts how often it is asked."""

    asked = 0

    def feed(self, frames: list[Frame]) -> Decoded:
        Decoder.asked += 1
        times = [
            frame.t_host_ns for frame in frames if isinstance(frame, Notification) and frame.characteristic == MOTION
        ]
        return Decoded(samples=make_samples(np.zeros((len(times), 3)), t_host_ns=np.array(times, dtype=np.int64)))


def told(t_host_ns: int, characteristic: str) -> Notification:
    return Notification(t_host_ns=t_host_ns, characteristic=characteristic, data=b"x")


def test_until_the_first_sample_silence_counts_from_the_beginning():
    liveness = Liveness(Decoder, 100)
    assert liveness.last_sample_ns() == 100
    liveness.take(LinkUp(t_host_ns=150, address="a"))
    liveness.take(told(160, STATUS))
    assert liveness.last_sample_ns() == 100


def test_the_newest_sample_counts_and_other_packets_do_not():
    liveness = Liveness(Decoder, 100)
    for frame in (told(200, MOTION), told(300, MOTION), told(400, STATUS)):
        liveness.take(frame)
    assert liveness.last_sample_ns() == 300
    assert liveness.last_sample_ns() == 300
    liveness.take(told(500, MOTION))
    assert liveness.last_sample_ns() == 500


def test_nothing_is_decoded_until_somebody_asks_unless_too_much_waits():
    Decoder.asked = 0
    liveness = Liveness(Decoder, 0)
    for number in range(4095):
        liveness.take(told(number, MOTION))
    assert Decoder.asked == 0
    liveness.take(told(4095, MOTION))
    assert Decoder.asked == 1
    assert liveness.last_sample_ns() == 4095
