"""What is said about each fifth of a second: the POSTURE row, its contexts and its states.

Knows: units and codes. Must never know: how a row is computed, printed or stored.
"""

from enum import IntEnum, IntFlag

import numpy as np

ROW_NS = 200_000_000
"""One row each 0.2 s of session time."""

ROWS_PER_S = 5

POSTURE = np.dtype(
    [
        ("t_session_ns", "<i8"),  # the row covers the samples with t - 1 s < t_sample <= t
        ("sagittal_deg", "<f8"),  # forward of the baseline positive; NaN: unknown
        ("lateral_deg", "<f8"),  # to the wearer's right positive; NaN: unknown
        ("slouch_pct", "<f8"),  # deviation along the slouch direction, in per cent of the range; NaN: unknown
        ("uncertainty_deg", "<f8"),  # one standard deviation of filter and calibration; NaN: unknown
        ("context", "u1"),  # Context
        ("state", "u1"),  # State
        ("flags", "<u4"),  # RowFlag
    ]
)
"""Packed, so that equal rows are equal bytes: padding would hold whatever was in memory."""


class Context(IntEnum):
    """What the body does. Only STILL is judged."""

    STILL = 0
    MOVING = 1
    WALKING = 2
    LYING = 3
    SETTLING = 4
    NO_DATA = 5
    NOT_WORN = 6


class State(IntEnum):
    """How a still moment is judged; UNKNOWN in every other context."""

    IN_RANGE = 0
    FORWARD = 1
    RECLINED = 2
    UNJUDGED = 3
    UNKNOWN = 4


class RowFlag(IntFlag):
    """What else is known about a row."""

    SNOOZED = 1  # no cues were to be given
    IN_EPISODE = 2  # a slouch was under way, breaks of up to 5 s included
    CLIPPED = 4  # some sample of the row was at the end of the sensor's range
    SUSPECT = 8  # the sensor may have slipped
    FROZEN = 16  # some sample of the row repeated the one before it, as no living trunk does


class Suspicion(IntEnum):
    """Whether the sensor still sits where it was calibrated."""

    NONE = 0
    SUSPECT = 1  # beyond the slip limit: told with every cue
    HELD = 2  # beyond 20° or upside down: nothing is judged


CONTEXTS: tuple[str, ...] = tuple(context.name.lower() for context in Context)
STATES: tuple[str, ...] = tuple(state.name.lower() for state in State)
