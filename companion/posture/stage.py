"""What a stage of the pipeline is, and the arrays that travel between stages.

One implementation serves live sessions, replay and batch: parameters live in the stage object, state travels through
the call. Knows: numpy. Must never know: bytes, devices, clocks, files, screens.

The clock travels in the same arrays as the samples. An element whose `beat` is not SAMPLE carries no motion: it says
"nothing later than `t` can be missing any more", so that silence makes rows too, at one place and in one order.
"""

from enum import IntEnum, IntFlag
from itertools import pairwise
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class Beat(IntEnum):
    """What an element of ARRIVALS, MOTION or UPS is."""

    SAMPLE = 0
    TICK = 1  # the host's clock moved on
    END = 2  # the session ends here


class Joint(IntFlag):
    """How a sample of MOTION joins the one before it."""

    RESTART = 1  # it does not: filters start anew
    FILLED = 2  # it was interpolated over a short gap
    CLIPPED = 4  # the sensor was at the end of its range


ARRIVALS = np.dtype(
    [
        ("t_host_ns", "<i8"),  # since the session's first frame
        ("t_device_ns", "<i8"),  # -1: no clock
        ("index", "<i8"),  # -1: no counter
        ("period_ns", "<i8"),  # nominal
        ("segment", "<i8"),
        ("behind", "<i8"),  # samples after this one in the same packet
        ("number", "<i8"),  # of the sample in its session; -1: a tick
        ("beat", "u1"),
        ("clipped", "?"),
        ("acc_mps2", "<f8", (3,)),
        ("gyr_radps", "<f8", (3,)),
    ],
    align=True,
)
"""What goes into the timeline: samples as they came, with the host's ticks among them."""

MOTION = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("period_ns", "<i8"),
        ("number", "<i8"),  # of the sample in its session; -1: a tick or filled
        ("beat", "u1"),
        ("joint", "u1"),
        ("acc_mps2", "<f8", (3,)),
        ("gyr_radps", "<f8", (3,)),
    ],
    align=True,
)
"""Samples on the session's clock, in order. Out of the gate: finite, plausible, evenly spaced but for restarts."""

UPS = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("period_ns", "<i8"),
        ("number", "<i8"),  # of the sample in its session; -1: a tick or filled
        ("beat", "u1"),
        ("joint", "u1"),
        ("settled", "?"),  # the filter has had time since its last start
        ("gyro", "?"),  # a gyroscope took part
        ("up", "<f8", (3,)),  # the up direction in the calibrated frame
        ("sigma_deg", "<f8"),  # one standard deviation of its error about either horizontal axis
        ("acc_norm_g", "<f8"),
    ],
    align=True,
)
"""Where up is at each sample."""

ROWS = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("silent_ns", "<i8"),  # since the newest sample
        ("up", "<f8", (3,)),  # mean of the up vector over the last second; NaN: too few samples
        ("acc_sd_g", "<f8"),  # standard deviation of |a| over 2 s; NaN: too few samples
        ("stride_share", "<f8"),  # share of the variance of |a| over 4 s that lies at walking cadence
        ("stride_sd_g", "<f8"),  # its standard deviation at walking cadence over 4 s
        ("sigma_deg", "<f8"),  # of the filter over the last second: one standard deviation about one axis
        ("velocity_dps", "<f8"),  # how fast the up direction turns, low-passed at 5 Hz; NaN: no gyroscope
        ("rate_hz", "<f8"),  # nominal rate of the samples in force; NaN before the first
        ("settled", "?"),
        ("gyro", "?"),
        ("clipped", "?"),
        ("context", "u1"),
        ("state", "u1"),
        ("sagittal_deg", "<f8"),
        ("lateral_deg", "<f8"),
        ("inclination_deg", "<f8"),  # sagittal, relative to gravity
        ("slouch_pct", "<f8"),
        ("deviation_deg", "<f8"),  # the number judged
        ("uncertainty_deg", "<f8"),
        ("suspicion", "u1"),  # Suspicion: has the sensor slipped
        ("slip_deg", "<f8"),  # how far, where it is suspected; NaN: not
        ("episode", "<i8"),  # number of the slouch under way or ended here; 0: none
        ("episode_step", "u1"),  # EpisodeStep
        ("ended_by", "u1"),  # EndedBy
        (
            "forward_ns",
            "<i8",
        ),  # since the slouch started; on the row that ends it: to its last forward moment
        ("peak_deg", "<f8"),
        ("mean_deg", "<f8"),
        ("alert_step", "u1"),  # AlertStep
        ("alerts", "<i8"),  # alerts of this slouch so far, or withheld ones in a digest
        (
            "alert_ns",
            "<i8",
        ),  # from the first alert to the slouch's end, or from the first one withheld to the digest
        ("snoozed", "?"),
        ("snooze_ended", "?"),
    ],
    align=True,
)
"""One element each 0.2 s of session time; every later stage fills in its part."""

S = TypeVar("S")


class Stage(Protocol[S]):
    """One step of the pipeline.

    Law: `step(s, a ++ b)` equals `step(s, a)` then `step(s', b)`, outputs joined, bit for bit.
    """

    def start(self) -> S:
        """The state before the first element."""
        ...

    def step(self, state: S, block: Array) -> tuple[S, Array]:
        """The state after `block`, and what `block` completed. Neither argument is changed."""
        ...


def runs(keys: Array) -> list[tuple[int, int]]:
    """Bounds (first, end) of the runs of equal values in a one-dimensional array."""
    if len(keys) == 0:
        return []
    cuts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    edges = [0, *cuts.tolist(), len(keys)]
    return list(pairwise(edges))
