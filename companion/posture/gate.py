"""What may reach the filter: finite, plausible samples without holes.

One value that is not finite leaves the filter wrong for the rest of a session, with finite output; so what cannot be
true is taken out here and becomes a hole like a lost packet. Short holes are filled by a straight line, longer ones
make every filter after this stage start anew. Knows: holes. Must never know: devices, calibrations.
"""

from dataclasses import dataclass

import numpy as np

from companion.posture.few import SLOW_NS
from companion.posture.stage import MOTION, Array, Beat, Columns, Joint
from companion.posture.truth import LONGEST_FILL_NS, Known, judge


@dataclass(frozen=True, slots=True)
class GateState:
    """What the next sample is compared with."""

    known: Known
    broken: bool  # whether the next one may not be joined to the newest that passed
    froze: bool  # whether a sample was left out for it since the last that passed


@dataclass(frozen=True, slots=True)
class Gate:
    """Stage: MOTION to MOTION; every sample in it finite and plausible, evenly spaced but at restarts.

    Those of a slow sensor come as they come: nothing is made of several of them before they make rows.
    """

    def start(self) -> GateState:
        """Nothing has passed yet."""
        known = Known(Columns.zeros(0, MOTION), newest=np.full((1, 6), np.nan), same_ns=(0, 0))
        return GateState(known, broken=False, froze=False)

    def step(self, state: GateState, block: Columns) -> tuple[GateState, Columns]:
        """Take out what cannot be true, fill short holes, mark restarts; ticks pass."""
        if len(block) == 0:
            return state, block
        sample = block["beat"] == Beat.SAMPLE
        judged = judge(state.known, block, sample)
        passes, frozen, rested = judged.passes, judged.frozen, judged.rested
        if passes.all() and not frozen.any() and _whole(state, block):
            last = block[np.array([len(block) - 1])]
            return GateState(Known(last, judged.newest, judged.same_ns), broken=False, froze=False), block
        anew = sample & ((block["joint"] & Joint.RESTART) != 0)
        breaks = np.cumsum(anew | rested) + int(state.broken)
        chosen = np.flatnonzero(passes)
        broke = np.diff(breaks[chosen], prepend=0) > 0
        restart, missing = _holes(state, block, chosen, broke)
        marks = _marks(state, frozen, chosen, restart, broke)
        if not passes.all():
            block = _hushed(block, _silences(state, block, sample, passes))
            sample = block["beat"] == Beat.SAMPLE
        made = _passed(block, sample, chosen, marks, missing)
        if missing.any():
            _draw_lines(made, state, block[chosen], missing, np.flatnonzero(made["number"] >= 0))
        after = chosen[-1] if len(chosen) else -1
        broken = bool(breaks[-1] > (breaks[after] if after >= 0 else 0))
        froze = bool(frozen[after + 1 :].any() or (state.froze and after < 0))
        last = block[chosen[-1:]] if len(chosen) else state.known.last
        return GateState(Known(last, judged.newest, judged.same_ns), broken, froze), made


def _whole(state: GateState, block: Columns) -> bool:
    """Whether nothing is missing, before the block or in it: nearly always."""
    if len(state.known.last) == 0 or state.broken or state.froze or (block["joint"] & Joint.RESTART).any():
        return False
    t_ns, period_ns = block["t_session_ns"], block["period_ns"]
    steps_ns = t_ns - np.concatenate([state.known.last["t_session_ns"], t_ns[:-1]])
    return bool((2 * steps_ns < np.minimum(3 * period_ns, 2 * (LONGEST_FILL_NS + period_ns) + 1)).all())


def _marks(state: GateState, frozen: Array, chosen: Array, restart: Array, broke: Array) -> Array:
    """How each sample that passed joins the one before it."""
    marks = np.where(restart, np.uint8(Joint.RESTART), np.uint8(0))
    timed = restart & ~broke
    if len(state.known.last) == 0:
        timed[:1] = False
    marks |= np.where(timed, np.uint8(Joint.TIMED), np.uint8(0))
    if state.froze or frozen.any():
        count = np.cumsum(frozen)[chosen]
        since = np.diff(count, prepend=0) > 0
        since[:1] |= state.froze
        marks |= np.where(since, np.uint8(Joint.FROZEN), np.uint8(0))
    return marks


def _silences(state: GateState, block: Columns, sample: Array, passes: Array) -> Array:
    """Refused samples after which no hole can be filled any more: they still tell that time went on."""
    t_ns = block["t_session_ns"]
    before_ns = int(state.known.last["t_session_ns"][0]) if len(state.known.last) else -LONGEST_FILL_NS
    passed_ns = np.maximum.accumulate(np.where(passes, t_ns, before_ns))
    return np.asarray(sample & ~passes & (t_ns - passed_ns > LONGEST_FILL_NS + block["period_ns"]))


def _hushed(block: Columns, silent: Array) -> Columns:
    """These samples as ticks."""
    if not silent.any():
        return block
    nothing = {name: np.where(silent[:, None], np.nan, block[name]) for name in ("acc_mps2", "gyr_radps")}
    beat, number = np.where(silent, np.uint8(Beat.TICK), block["beat"]), np.where(silent, -1, block["number"])
    return block.changed(beat=beat, number=number, **nothing)


def _holes(state: GateState, block: Columns, chosen: Array, broke: Array) -> tuple[Array, Array]:
    """For each sample that passed: must filters restart there, and how many samples are missing before it."""
    t_ns, period_ns = block["t_session_ns"][chosen], np.maximum(block["period_ns"][chosen], 1)
    hole_ns = np.diff(t_ns, prepend=state.known.last["t_session_ns"] if len(state.known.last) else t_ns[:1])
    restart = broke | (hole_ns > LONGEST_FILL_NS + period_ns)
    if len(state.known.last) == 0:
        restart[:1] = True  # a session's first sample
    unfilled = restart | (period_ns >= SLOW_NS)
    missing = np.where(unfilled, 0, np.maximum((2 * hole_ns + period_ns) // (2 * period_ns) - 1, 0))
    return restart, missing


def _passed(block: Columns, sample: Array, chosen: Array, marks: Array, missing: Array) -> Columns:
    """Ticks, samples that passed, and room before those that have a short hole before them."""
    copies = np.where(sample, 0, 1)
    copies[chosen] = missing + 1
    made = block if (copies == 1).all() else block[np.repeat(np.arange(len(block)), copies)]
    joint = made["joint"] & ~np.uint8(Joint.RESTART)
    places = np.cumsum(copies)[chosen] - 1
    joint[places] |= marks
    made = made.changed(joint=joint)
    if missing.any():
        real = made["beat"] != Beat.SAMPLE
        real[places] = True
        made["joint"][~real], made["number"][~real] = Joint.FILLED, -1
    return made


def _draw_lines(made: Columns, state: GateState, good: Columns, missing: Array, places: Array) -> None:
    """Fill the room before each sample of `good` (at `places`) with a straight line from the one before it."""
    holes = np.flatnonzero(missing)
    counts = missing[holes]
    which = np.repeat(holes, counts)
    step = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)  # 0, 1, ... within each hole
    place = places[which] - counts.repeat(counts) + step
    before = Columns.joined([state.known.last, good])
    a, b = before[which - 1 + len(state.known.last)], good[which]
    part = (step + 1) / (missing[which] + 1)
    span_ns = b["t_session_ns"] - a["t_session_ns"]
    made["t_session_ns"][place] = a["t_session_ns"] + span_ns * (step + 1) // (missing[which] + 1)
    for name in ("acc_mps2", "gyr_radps"):
        made[name][place] = a[name] + (b[name] - a[name]) * part[:, None]
