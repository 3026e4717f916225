"""When each sample was taken, on the session's clock: one causal rule, no look-ahead.

Session time = anchor + index × nominal period (or the device's clock where there is no counter). A segment is anchored
where it starts, to the arrival of its first packet, and not again: the sensor's clock runs steadier than the arrival
of its packets. Knows: integers. Must never know: what the samples mean.

A tick says how long the host has waited. It matters only while nothing arrives: then session time goes on from the
newest sample by what the host's clock shows, so that silence has a length.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from companion.posture.stage import MOTION, Array, Beat, Joint, runs

_S = 1_000_000_000
LONGEST_SESSION_NS = 7 * 86_400 * _S
"""Later times cannot be right; elements that have them are left out, so that a forged time cannot fill the memory."""

_RATE_TOLERANCE = 1.02  # a sensor's clock keeps within 2 % of its nominal rate
_BUFFERED_NS = 2 * _S  # so long may a packet have waited in a queue
_UNCOUNTED_GAP_NS = _S  # without clock or counter, a longer silence cannot be joined


@dataclass(frozen=True, slots=True)
class TimelineState:
    """Where the newest sample stands; before the first one: the session's start."""

    segment: int = -1
    clock: Literal["index", "device", "count"] = "index"
    anchor_ns: int = 0
    origin: int = 0  # the index or device time at the anchor
    elapsed_ns: int = 0  # from the anchor to the newest sample
    t_ns: int = 0  # session time of the newest sample
    host_ns: int = 0  # its arrival
    heard_ns: int = 0  # arrival of any sample, even one that came too late for its place


@dataclass(frozen=True, slots=True)
class Timeline:
    """Stage: ARRIVALS to MOTION. Samples that come too late for their place are left out."""

    grace_ns: int = _S  # so long may a packet be on its way before the rows go on without it
    no_data_ns: int = 5 * _S  # from here on nobody waits for it

    def start(self) -> TimelineState:
        """Session time 0."""
        return TimelineState()

    def step(self, state: TimelineState, block: Array) -> tuple[TimelineState, Array]:
        """Times for every sample and every tick that matters, in order."""
        parts = [np.empty(0, dtype=MOTION)]
        silent = self._silent_ticks(state, block)
        for first, end in runs(silent):
            piece = block[first:end]
            if silent[first]:
                parts.append(self._wait(state, piece))
            else:
                state, made = _place(state, _samples(piece))
                parts += made
        joined = parts[1] if len(parts) == 2 else np.concatenate(parts)  # nearly always there is one part
        fits = joined["t_session_ns"] <= LONGEST_SESSION_NS
        return state, joined if fits.all() else joined[fits]

    def _silent_ticks(self, state: TimelineState, block: Array) -> Array:
        """Which elements are ticks that found nothing arriving: few, in a session that flows."""
        sample = block["beat"] == Beat.SAMPLE
        heard = np.maximum.accumulate(np.where(sample, block["t_host_ns"], state.heard_ns))
        return np.asarray(~sample & ((block["beat"] == Beat.END) | (block["t_host_ns"] - heard > self.grace_ns)))

    def _wait(self, state: TimelineState, ticks: Array) -> Array:
        silence = ticks["t_host_ns"] - state.host_ns
        ended = ticks["beat"] == Beat.END
        waited = np.where(ended | (silence >= self.no_data_ns), silence, silence - self.grace_ns)
        made = np.zeros(len(ticks), dtype=MOTION)
        # At the end the newest sample stands for its whole period, as every one before it did.
        made["t_session_ns"] = state.t_ns + np.maximum(waited, np.where(ended, ticks["period_ns"], 0))
        made["beat"], made["number"] = ticks["beat"], -1
        return np.asarray(made[ended | (waited > 0)])


def _samples(piece: Array) -> Array:
    sample = piece["beat"] == Beat.SAMPLE
    return piece if sample.all() else np.asarray(piece[sample])


def _place(state: TimelineState, samples: Array) -> tuple[TimelineState, list[Array]]:
    parts = []
    for first, end in runs(samples["segment"]):
        state, made = _place_segment(state, samples[first:end])
        parts += made
    if len(samples):
        state = replace(state, heard_ns=max(state.heard_ns, int(samples["t_host_ns"][-1])))
    return state, parts


def _place_segment(state: TimelineState, samples: Array) -> tuple[TimelineState, list[Array]]:
    """Samples of one segment, anchored anew where a jump cannot be true."""
    number = int(samples["segment"][0])
    if number < state.segment:
        return state, []  # late ones of a segment that is over
    fresh = number > state.segment
    parts = []
    while len(samples):
        if fresh:
            state = _anchored(state, samples[0])
        elapsed = _elapsed(state, samples)
        newest = np.maximum.accumulate(np.concatenate([[-1 if fresh else state.elapsed_ns], elapsed]))
        places = np.flatnonzero(elapsed > newest[:-1])
        kept, elapsed = (samples, elapsed) if len(places) == len(samples) else (samples[places], elapsed[places])
        end = _first_break(state, kept, elapsed, fresh)
        if end:
            parts.append(_timed(state, kept[:end], elapsed[:end], fresh))
            state = _moved(state, kept[end - 1], int(elapsed[end - 1]))
        # What comes after a break is placed by the new anchor, so it was not judged yet.
        samples, fresh = samples[places[end] if end < len(places) else len(samples) :], True
    return state, parts


def _anchored(state: TimelineState, first: Array) -> TimelineState:
    """The clock begins anew at a segment's first sample, never before the samples that are there."""
    clock: Literal["index", "device", "count"] = "count"
    clock = "index" if first["index"] >= 0 else "device" if first["t_device_ns"] >= 0 else clock
    period_ns = int(first["period_ns"])
    taken_ns = int(first["t_host_ns"]) - int(first["behind"]) * period_ns
    earliest_ns = state.t_ns + period_ns if state.segment >= 0 else 0
    origin = {"index": int(first["index"]), "device": int(first["t_device_ns"]), "count": 0}[clock]
    return replace(
        state,
        segment=int(first["segment"]),
        clock=clock,
        anchor_ns=max(taken_ns, earliest_ns),
        origin=origin,
        elapsed_ns=-period_ns,
    )


def _elapsed(state: TimelineState, samples: Array) -> Array:
    """Nanoseconds from the anchor to each sample, by the segment's clock."""
    period = samples["period_ns"]
    if state.clock == "device":
        return np.asarray(samples["t_device_ns"] - state.origin)
    if state.clock == "count":
        return np.asarray(state.elapsed_ns + np.cumsum(period))
    steps = samples["index"] - state.origin
    limit = 4 * LONGEST_SESSION_NS // np.maximum(period, 1)  # beyond it the product would overflow
    return np.asarray(np.clip(steps, -limit, limit) * period)


def _first_break(state: TimelineState, samples: Array, elapsed: Array, fresh: bool) -> int:
    """Where the first sample stands that cannot follow the one before it on the same clock; else the length."""
    host = samples["t_host_ns"]
    if fresh:
        passed, waited, offset = np.diff(elapsed), np.diff(host), 1
    else:
        passed = np.diff(elapsed, prepend=state.elapsed_ns)
        waited, offset = np.diff(host, prepend=state.host_ns), 0
    if state.clock == "count":
        broken = waited > np.maximum(_UNCOUNTED_GAP_NS, 10 * samples["period_ns"][offset:])
    else:
        broken = passed > waited * _RATE_TOLERANCE + _BUFFERED_NS
    found = np.flatnonzero(broken)
    return int(found[0]) + offset if len(found) else len(samples)


def _timed(state: TimelineState, samples: Array, elapsed: Array, fresh: bool) -> Array:
    made = np.zeros(len(samples), dtype=MOTION)
    made["t_session_ns"] = state.anchor_ns + elapsed
    made["joint"] = np.where(samples["clipped"], Joint.CLIPPED, 0)
    if fresh:
        made["joint"][0] |= Joint.RESTART
    for name in ("period_ns", "number", "beat", "acc_mps2", "gyr_radps"):
        made[name] = samples[name]
    return made


def _moved(state: TimelineState, newest: Array, elapsed_ns: int) -> TimelineState:
    t_ns = state.anchor_ns + elapsed_ns
    return replace(state, elapsed_ns=elapsed_ns, t_ns=t_ns, host_ns=int(newest["t_host_ns"]))
