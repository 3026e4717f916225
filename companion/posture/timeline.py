"""When each sample was taken, on the session's clock: one causal rule, no look-ahead.

Session time = anchor + index × nominal period (or the device's clock where there is no counter). A segment is anchored
where it starts, to the arrival of its first packet, and not again: the sensor's clock runs steadier than the arrival
of its packets. Where the rate proves to be over 2 % off, time is anchored anew and goes on with the measured period.
A sensor with neither clock nor counter has the number of its samples × a period fitted to the arrivals; a lost packet
cannot be seen there, a silence can. A slow sensor has its own clock, or the arrivals themselves: beside its period the
radio's whims are nothing, and its real period may be quite another. Knows: integers. Must never know: what the samples
mean.

A tick says how long the host has waited. It matters only while nothing arrives: then session time goes on from the
newest sample by what the host's clock shows, so that silence has a length.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from companion.posture.few import SLOW_NS
from companion.posture.pace import TOLERANCE, Counted, Pace, Spacing, until_next_window, window_of
from companion.posture.stage import MOTION, Array, Beat, Columns, Joint, runs

_S = 1_000_000_000
LONGEST_SESSION_NS = 7 * 86_400 * _S
"""Later times cannot be right; elements that have them are left out, so that a forged time cannot fill the memory."""

LEAST_GRACE_NS = _S
"""A tick that comes within this time of a packet says nothing."""

_ANCHOR_FIELDS = ("index", "t_device_ns", "period_ns", "t_host_ns", "behind", "segment")
_BUFFERED_NS = 2 * _S  # so long may a packet have waited in a queue
_CLIPPED, _RESTART = np.uint8(Joint.CLIPPED), np.uint8(Joint.RESTART)
_AHEAD_NS = _S // 2
"""So much, and twice the tolerance, may a clock that only counts samples run ahead of their arrival: the first packet
may have come late, and the rate is not known yet."""
_UNCOUNTED_GAP_NS = _S  # without clock or counter, a silence of more, and of more than two packets, cannot be joined


@dataclass(frozen=True, slots=True)
class TimelineState:
    """Where the newest sample stands; before the first one: the session's start."""

    segment: int = -1
    clock: Literal["index", "device", "count", "arrival"] = "index"
    anchor_ns: int = 0
    origin: int = 0  # the index, device time or arrival (of the first sample, had each its own) at the anchor
    nominal_ns: int = 0  # the period that the samples bring
    period_ns: int = 0  # the one in force: measured, where the rate is over 2 % off
    step_ns: int = 0  # of a clock that only counts samples: fitted to the arrivals
    counted: int = 0  # samples since the anchor
    elapsed_ns: int = 0  # from the anchor to the newest sample
    t_ns: int = 0  # session time of the newest sample
    host_ns: int = 0  # its arrival
    heard_ns: int = 0  # arrival of any sample, even one that came too late for its place
    prompt: bool = False  # whether that one stands at its arrival, so that nothing earlier can come any more
    pace: Pace = field(default_factory=Pace)
    arrived: Counted = field(default_factory=Counted)
    spacing: Spacing = field(default_factory=Spacing)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Stage: ARRIVALS to MOTION. Samples that come too late for their place are left out."""

    grace_ns: int = LEAST_GRACE_NS  # so long may a packet be on its way before the rows go on without it
    no_data_ns: int = 5 * _S  # from here on nobody waits for it

    def start(self) -> TimelineState:
        """Session time 0."""
        return TimelineState()

    def step(self, state: TimelineState, block: Columns) -> tuple[TimelineState, Columns]:
        """Times for every sample and every tick that matters, in order."""
        parts: list[Columns] = []
        if not block["beat"].any():
            return self._within_a_session(*_place(state, block))
        silent = self._silent_ticks(state, block)
        for first, end in runs(silent):
            piece = block[first:end]
            if silent[first]:
                parts.append(self._wait(state, piece))
            else:
                state, made = _place(state, _samples(piece))
                parts += made
        return self._within_a_session(state, parts)

    def _within_a_session(self, state: TimelineState, parts: list[Columns]) -> tuple[TimelineState, Columns]:
        joined = Columns.joined(parts or [Columns.zeros(0, MOTION)])
        if state.t_ns <= LONGEST_SESSION_NS and not joined["beat"].any():
            return state, joined
        fits: Array = joined["t_session_ns"] <= LONGEST_SESSION_NS
        return state, joined if fits.all() else joined[fits]

    def _silent_ticks(self, state: TimelineState, block: Columns) -> Array:
        """Which elements are ticks that found nothing arriving: few, in a session that flows."""
        sample = block["beat"] == Beat.SAMPLE
        heard = np.maximum.accumulate(np.where(sample, block["t_host_ns"], state.heard_ns))
        grace_ns = self._grace_ns(state, block, sample)
        return np.asarray(~sample & ((block["beat"] == Beat.END) | (block["t_host_ns"] - heard > grace_ns)))

    def _grace_ns(self, state: TimelineState, block: Columns, sample: Array) -> "Array | int":
        """For how long nothing is awaited at each element."""
        prompt = _prompt(block) & sample
        if not (state.prompt or np.count_nonzero(prompt)):
            return self.grace_ns
        newest = np.maximum.accumulate(np.where(sample, np.arange(len(sample)), -1))
        return np.where(np.where(newest >= 0, prompt[newest], state.prompt), LEAST_GRACE_NS, self.grace_ns)

    def _wait(self, state: TimelineState, ticks: Columns) -> Columns:
        silence = ticks["t_host_ns"] - state.host_ns
        ended = ticks["beat"] == Beat.END
        if state.clock == "arrival":
            waited = least = silence
        else:
            waited = np.where(ended | (silence >= self.no_data_ns), silence, silence - self.grace_ns)
            least = np.where(ended, ticks["period_ns"], 0)
        # At the end the newest sample stands for its whole period, as every one before it did.
        t_ns = state.t_ns + np.maximum(waited, least)
        number = np.full(len(ticks), -1, dtype=np.int64)
        made = Columns.zeros(len(ticks), MOTION).changed(t_session_ns=t_ns, beat=ticks["beat"], number=number)
        matters: Array = ended | (waited > 0)
        return made[matters]


def _samples(piece: Columns) -> Columns:
    sample = piece["beat"] == Beat.SAMPLE
    return piece if sample.all() else piece[sample]


def _place(state: TimelineState, samples: Columns) -> tuple[TimelineState, list[Columns]]:
    prompt = _prompt(samples)
    pieces = runs(2 * samples["segment"] + prompt if np.count_nonzero(prompt) else samples["segment"])
    parts = []
    for first, end in pieces:
        state, made = _place_segment(state, samples if len(pieces) == 1 else samples[first:end])
        parts += made
    if len(samples) == 0:
        return state, parts
    newest_ns, newest_prompt = max(int(samples["t_host_ns"][-1]), state.heard_ns), bool(prompt[-1])
    if newest_ns == state.heard_ns and newest_prompt == state.prompt:
        return state, parts
    return replace(state, heard_ns=newest_ns, prompt=newest_prompt), parts


def _prompt(samples: Columns) -> Array:
    return stand_at_arrival(samples["period_ns"], samples["t_device_ns"])


def stand_at_arrival(period_ns: Array, t_device_ns: Array) -> Array:
    """Which samples (N,) do: those of a slow sensor without a clock of its own."""
    return np.asarray((period_ns >= SLOW_NS) & (t_device_ns < 0))


def _place_segment(state: TimelineState, samples: Columns) -> tuple[TimelineState, list[Columns]]:
    """Samples of one segment, anchored anew where a jump cannot be true and where the rate proves to be another."""
    number = int(samples["segment"][0])
    if number < state.segment:
        return state, []  # late ones of a segment that is over
    parts, ratio = [], 1.0
    prompt = samples["period_ns"][0] >= SLOW_NS and samples["t_device_ns"][0] < 0
    fresh = number > state.segment or prompt != (state.clock == "arrival")
    while len(samples):
        if fresh:
            state = _anchored(state, samples, ratio)
        piece = samples
        if state.clock == "count":
            state = _guessed(state)
            piece = samples[: until_next_window(state.counted * state.period_ns, state.period_ns)]
        state, made, taken, ratio = _advance(state, piece, fresh)
        parts += made
        # What comes after a break is placed by the new anchor, so it was not judged yet.
        if taken == len(samples):
            break
        fresh, samples = taken < len(piece), samples[taken:]
    return state, parts


def _anchored(state: TimelineState, samples: Columns, ratio: float) -> TimelineState:
    """The clock begins anew at a segment's first sample, never before the samples that are there.

    Where the segment only goes on behind a break, what was learnt about its rate stays.
    """
    first = {name: int(samples[name][0]) for name in _ANCHOR_FIELDS}
    clock: Literal["index", "device", "count", "arrival"] = "count"
    clock = "index" if first["index"] >= 0 else "device" if first["t_device_ns"] >= 0 else clock
    if first["period_ns"] >= SLOW_NS:
        clock = "device" if first["t_device_ns"] >= 0 else "arrival"
    nominal_ns = period_ns = step_ns = first["period_ns"]
    arrived = Counted()
    if (state.segment, state.nominal_ns, state.clock) == (first["segment"], nominal_ns, clock):
        period_ns = round(state.period_ns * ratio)
        step_ns = state.step_ns if ratio == 1.0 else period_ns
        arrived = state.arrived if ratio == 1.0 else arrived
    taken_ns = first["t_host_ns"] - first["behind"] * period_ns
    earliest_ns = state.t_ns + (1 if clock == "arrival" else period_ns) if state.segment >= 0 else 0
    return TimelineState(
        segment=first["segment"],
        clock=clock,
        nominal_ns=nominal_ns,
        period_ns=period_ns,
        step_ns=step_ns,
        anchor_ns=max(taken_ns, earliest_ns),
        origin={"index": first["index"], "device": first["t_device_ns"], "count": taken_ns, "arrival": taken_ns}[clock],
        elapsed_ns=-step_ns,
        t_ns=state.t_ns,
        host_ns=state.host_ns,
        heard_ns=state.heard_ns,
        arrived=arrived,
    )


def _guessed(state: TimelineState) -> TimelineState:
    """Without clock or counter: where a window of the pace begins, the step that keeps up with the arrivals."""
    newest_ns = (state.counted - 1) * state.period_ns
    if state.counted == 0 or window_of(newest_ns) == window_of(newest_ns + state.period_ns):
        return state
    step_ns = state.pace.guessed_step_ns(state.period_ns, newest_ns, newest_ns - state.elapsed_ns)
    return replace(state, step_ns=step_ns or state.step_ns)


def _advance(state: TimelineState, samples: Columns, fresh: bool) -> tuple[TimelineState, list[Columns], int, float]:
    """Samples on one clock, up to the first that cannot follow: how many that are, and the period's ratio there."""
    before_ns = -1 if fresh else state.elapsed_ns
    elapsed, whole = _elapsed(state, samples, before_ns), len(samples)
    passed, places = _steps(elapsed, before_ns), None
    if passed.min() <= 0:  # some come too late
        newest = np.maximum.accumulate(np.concatenate([[before_ns], elapsed]))
        places = np.flatnonzero(elapsed > newest[:-1])
        samples, elapsed = samples[places], elapsed[places]
        passed = _steps(elapsed, before_ns)
    if len(samples) == 0:
        return state, [], whole, 1.0
    host = samples["t_host_ns"]
    waited = _steps(host, int(host[0]) if fresh else state.host_ns)
    end = _first_break(state, passed, waited, samples["behind"])
    arrived, known, off = state.arrived, end, 1.0
    if state.clock == "count":
        arrived, known, off = arrived.follow(host[:end], samples["behind"][:end] == 0, state.period_ns)
    followed, end, ratio = _followed(state, elapsed[:known], passed[:known], host[:known])
    ratio = off if end == known else ratio
    made = []
    if end:
        made = [_timed(state, samples[:end] if end < len(samples) else samples, elapsed[:end], fresh)]
        state = _moved(state, followed, int(host[end - 1]), int(elapsed[end - 1]), end)
        state = state if arrived is state.arrived else replace(state, arrived=arrived)
    taken = end if places is None else int(places[end]) if end < len(places) else whole
    return state, made, taken, ratio


def _elapsed(state: TimelineState, samples: Columns, before_ns: int) -> Array:
    """Nanoseconds from the anchor to each sample, by the segment's clock; `before_ns` to the one before them."""
    if state.clock == "arrival":
        return _arrived(samples, state.origin, before_ns)
    if state.clock == "device":
        return np.asarray(samples["t_device_ns"] - state.origin)
    if state.clock == "count":
        return _counted(state, samples)
    limit = 4 * LONGEST_SESSION_NS // max(state.period_ns, 1)  # beyond it the product would overflow
    steps = np.minimum(np.maximum(samples["index"] - state.origin, -limit), limit)
    return np.asarray(steps * state.period_ns)


def _counted(state: TimelineState, samples: Columns) -> Array:
    """So many steps since the anchor; not far ahead of the arrivals, where the rate is higher than was assumed."""
    elapsed: Array = state.elapsed_ns + state.step_ns * np.arange(1, len(samples) + 1)
    arrived: Array = samples["t_host_ns"] - state.origin
    latest: Array = arrived + arrived * round(200 * TOLERANCE) // 100 + _AHEAD_NS
    if not np.count_nonzero(elapsed > latest):
        return elapsed
    newest_ns, kept = state.elapsed_ns, []
    for latest_ns in latest.tolist():
        newest_ns = max(min(newest_ns + state.step_ns, latest_ns), newest_ns + 1)
        kept.append(newest_ns)
    return np.array(kept, dtype=np.int64)


def _arrived(samples: Columns, origin_ns: int, before_ns: int) -> Array:
    """Since the origin, growing: arrivals, and a period between the samples of one packet where there is room."""
    taken_ns = samples["t_host_ns"] - samples["behind"] * samples["period_ns"] - origin_ns
    steps = np.arange(1, len(taken_ns) + 1)
    return np.asarray(np.maximum(np.maximum.accumulate(taken_ns - steps), before_ns) + steps)


def _steps(values: Array, before: int) -> Array:
    """From each value's predecessor to it."""
    made = np.empty_like(values)
    if len(values):
        made[0] = values[0] - before
        np.subtract(values[1:], values[:-1], out=made[1:])
    return made


def _first_break(state: TimelineState, passed: Array, waited: Array, behind: Array) -> int:
    """Where the first sample stands that cannot follow the one before it on the same clock; else the length."""
    if state.clock == "arrival":
        return len(passed)
    if state.clock == "count":
        broken = waited > np.maximum(2 * (behind + 1) * state.period_ns, max(_UNCOUNTED_GAP_NS, 10 * state.period_ns))
    elif passed.max() <= _BUFFERED_NS and waited.min() >= 0:
        return len(passed)
    else:
        broken = passed > waited * (1 + TOLERANCE) + _BUFFERED_NS
    return int(broken.argmax()) if broken.any() else len(passed)


def _followed(state: TimelineState, elapsed: Array, passed: Array, host: Array) -> tuple[Pace | Spacing, int, float]:
    """Up to where the rate is what it was said to be, and how much longer the period is from there on."""
    if state.clock == "arrival":
        return state.pace, len(elapsed), 1.0
    if state.clock == "device":
        return state.spacing.follow(elapsed, passed, state.period_ns)
    if state.clock == "count":
        elapsed = (state.counted + np.arange(len(elapsed))) * state.period_ns
    return state.pace.follow(elapsed, host)


def _timed(state: TimelineState, samples: Columns, elapsed: Array, fresh: bool) -> Columns:
    joint = samples["clipped"] * _CLIPPED
    if fresh:
        joint[0] |= _RESTART
    made = {name: samples[name] for name in ("period_ns", "number", "beat", "acc_mps2", "gyr_radps")}
    if state.period_ns != state.nominal_ns:
        made["period_ns"] = np.full(len(samples), state.period_ns)
    return Columns({"t_session_ns": state.anchor_ns + elapsed, "joint": joint, **made})


def _moved(state: TimelineState, followed: Pace | Spacing, host_ns: int, elapsed_ns: int, count: int) -> TimelineState:
    return replace(
        state,
        elapsed_ns=elapsed_ns,
        t_ns=state.anchor_ns + elapsed_ns,
        host_ns=host_ns,
        heard_ns=max(state.heard_ns, host_ns),
        counted=state.counted + count,
        pace=followed if isinstance(followed, Pace) else state.pace,
        spacing=followed if isinstance(followed, Spacing) else state.spacing,
    )
