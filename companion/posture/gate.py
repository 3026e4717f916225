"""What may reach the filter: finite, plausible samples without holes.

One value that is not finite leaves the filter wrong for the rest of a session, with finite output; so what cannot be
true is taken out here and becomes a hole like a lost packet. Short holes are filled by a straight line, longer ones
make every filter after this stage start anew. Knows: physical limits. Must never know: devices, calibrations.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.stage import MOTION, Array, Beat, Joint
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

MOST_ACC_MPS2 = 16 * STANDARD_GRAVITY_MPS2
"""No usual sensor can be trusted beyond this length of the vector."""

MOST_GYR_RADPS = 2200 * np.pi / 180
"""A tenth above the largest usual range of 2000 °/s."""

LONGEST_FILL_NS = 250_000_000
"""A straight line over a longer hole does more harm than a new start (measured on 50 Hz trunk motion)."""


@dataclass(frozen=True, slots=True)
class GateState:
    """The newest sample that passed (an array of at most one), and whether the next one may be joined to it."""

    last: Array
    broken: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """Stage: MOTION to MOTION; every sample in it finite and plausible, evenly spaced but at restarts."""

    def start(self) -> GateState:
        """Nothing has passed yet."""
        return GateState(last=np.empty(0, dtype=MOTION), broken=False)

    def step(self, state: GateState, block: Array) -> tuple[GateState, Array]:
        """Take out what cannot be true, fill short holes, mark restarts; ticks pass."""
        if len(block) == 0:
            return state, block
        sample = block["beat"] == Beat.SAMPLE
        passes = _of_one_kind(state, block, sample & _plausible(block))
        breaks = np.cumsum(sample & ((block["joint"] & Joint.RESTART) != 0)) + int(state.broken)
        chosen = np.flatnonzero(passes)
        restart, missing = _holes(state, block, chosen, np.diff(breaks[chosen], prepend=0))
        made = _passed(block, sample, chosen, restart, missing)
        if missing.any():
            _draw_lines(made, state, block[chosen], missing, np.flatnonzero(made["number"] >= 0))
        if len(chosen):
            last_break = breaks[chosen[-1]]
            return GateState(last=block[chosen[-1:]], broken=bool(breaks[-1] > last_break)), made
        return GateState(last=state.last, broken=bool(breaks[-1] > 0)), made


def _plausible(block: Array) -> Array:
    acc, gyr = _square(block["acc_mps2"]), _square(block["gyr_radps"])
    without = np.isnan(block["gyr_radps"]).all(axis=1)
    with np.errstate(invalid="ignore"):  # NaN compares false, which is what is wanted
        return np.asarray((acc <= MOST_ACC_MPS2**2) & (without | (gyr <= MOST_GYR_RADPS**2)))


def _square(vectors: Array) -> Array:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(x * x + y * y + z * z)


def _of_one_kind(state: GateState, block: Array, passes: Array) -> Array:
    """Take out samples that lose or gain a gyroscope in mid-stream, until a hole lets the stream change its kind."""
    gyro = np.isfinite(block["gyr_radps"][:, 0])
    kinds = np.concatenate([np.isfinite(state.last["gyr_radps"][:, 0]), gyro[passes]])
    if len(kinds) == 0 or (kinds == kinds[0]).all():
        return passes
    kept = passes.copy()
    last = state.last[0] if len(state.last) else None
    for place in np.flatnonzero(passes):  # rare: only in a block where the kind changes
        this = block[place]
        if last is not None and gyro[place] != np.isfinite(last["gyr_radps"][0]):
            kept[place] = this["t_session_ns"] - last["t_session_ns"] > LONGEST_FILL_NS + this["period_ns"]
        last = this if kept[place] else last
    return kept


def _holes(state: GateState, block: Array, chosen: Array, breaks: Array) -> tuple[Array, Array]:
    """For each sample that passed: must filters restart there, and how many samples are missing before it."""
    t_ns, period_ns = block["t_session_ns"][chosen], np.maximum(block["period_ns"][chosen], 1)
    hole_ns = np.diff(t_ns, prepend=state.last["t_session_ns"] if len(state.last) else t_ns[:1])
    restart = (breaks > 0) | (hole_ns > LONGEST_FILL_NS + period_ns)
    if len(state.last) == 0:
        restart[:1] = True  # a session's first sample
    missing = np.where(restart, 0, np.maximum((2 * hole_ns + period_ns) // (2 * period_ns) - 1, 0))
    return restart, missing


def _passed(block: Array, sample: Array, chosen: Array, restart: Array, missing: Array) -> Array:
    """Ticks, samples that passed, and room before those that have a short hole before them."""
    copies = np.where(sample, 0, 1)
    copies[chosen] = missing + 1
    made = block.copy() if (copies == 1).all() else block[np.repeat(np.arange(len(block)), copies)]
    joint = made["joint"] & ~np.uint8(Joint.RESTART)
    places = np.cumsum(copies)[chosen] - 1
    joint[places] |= np.where(restart, np.uint8(Joint.RESTART), np.uint8(0))
    made["joint"] = joint
    if missing.any():
        real = made["beat"] != Beat.SAMPLE
        real[places] = True
        made["joint"][~real], made["number"][~real] = Joint.FILLED, -1
    return made


def _draw_lines(made: Array, state: GateState, good: Array, missing: Array, places: Array) -> None:
    """Fill the room before each sample of `good` (at `places`) with a straight line from the one before it."""
    holes = np.flatnonzero(missing)
    counts = missing[holes]
    which = np.repeat(holes, counts)
    step = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)  # 0, 1, ... within each hole
    place = places[which] - counts.repeat(counts) + step
    before = np.concatenate([state.last, good])
    a, b = before[which - 1 + len(state.last)], good[which]
    part = (step + 1) / (missing[which] + 1)
    span_ns = b["t_session_ns"] - a["t_session_ns"]
    made["t_session_ns"][place] = a["t_session_ns"] + span_ns * (step + 1) // (missing[which] + 1)
    for name in ("acc_mps2", "gyr_radps"):
        made[name][place] = a[name] + (b[name] - a[name]) * part[:, None]
