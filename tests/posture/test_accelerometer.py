"""The low-pass of sensors without a gyroscope: the bits of scipy's, however it is cut, and nothing to load for it."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from companion.posture.accelerometer import CUTOFF_HZ, directions, low_passed

ACC_MPS2 = np.random.default_rng(4).normal(size=(500, 3)) * 9.81


@given(cuts=st.lists(st.integers(1, 499), max_size=8), rate_hz=st.sampled_from([10.0, 50.0, 200.0]))
def test_it_is_the_first_order_filter_however_it_is_cut(cuts: list[int], rate_hz: float) -> None:
    gain = float(-np.expm1(-2 * np.pi * CUTOFF_HZ / rate_hz))
    smooth, left = lfilter([gain], [1.0, gain - 1.0], ACC_MPS2, axis=0, zi=ACC_MPS2[:1] * (1 - gain))
    memory, parts = None, []
    for first, end in pairwise(sorted({0, *cuts, 500})):
        part, memory = low_passed(ACC_MPS2[first:end], memory, 1 / rate_hz)
        parts.append(part)
    assert np.concatenate(parts).tobytes() == directions(smooth).tobytes()
    assert memory is not None
    assert memory.tobytes() == left.tobytes()


def test_a_live_session_without_a_gyroscope_stops_for_nothing_to_load() -> None:
    program = (
        "import sys, numpy, companion, firmware_protocol as fp\n"
        "acc = numpy.tile([0.0, 0.0, 9.81], (500, 1))\n"
        "samples = fp.make_samples(acc, t_device_ns=numpy.arange(500) * 20_000_000)\n"
        "companion.analyse(samples)\n"
        "print('scipy.signal' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
