"""When to speak: the delay, the repeats, the hourly limit, the digest, the word on recovery.

The delay is session time from the start of a slouch, the repeats a fixed grid after it, so that a fidget delays one
cue and not all that follow. A cue is raised only at a still moment of a slouch. At most so many in any rolling hour;
what would be more becomes one digest when the hour allows it. Knows: slouches. Must never know: how a cue is given.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from companion.posture.episodes import EpisodeStep
from companion.posture.rows import Context, State
from companion.posture.stage import Array, copied, runs

HOUR_NS = 3600 * 1_000_000_000
_FORWARD = int(State.FORWARD)


class AlertStep(IntEnum):
    """What is said at a row."""

    NONE = 0
    RAISED = 1
    CLEARED = 2
    DIGEST = 3


@dataclass(frozen=True, slots=True)
class AlertsState:
    """What was said in the last hour, what was held back, and how far the slouch under way has come."""

    raised_ns: tuple[int, ...] = ()  # cues of the last hour, digests among them
    withheld: int = 0
    withheld_since_ns: int = 0
    due: int = 0  # number on the grid of the next cue of this slouch
    alerts: int = 0  # of this slouch
    first_forward_ns: int = 0  # how long this slouch had lasted at its first cue
    snoozed_until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Stage: fills the fields of the cues."""

    delay_ns: int = 30_000_000_000
    repeat_ns: int = 120_000_000_000
    per_hour: int = 6
    coach: bool = True  # False: only watch

    def start(self) -> AlertsState:
        """Nothing said yet."""
        return AlertsState()

    def step(self, state: AlertsState, block: Array) -> tuple[AlertsState, Array]:
        """Decide cue by cue; the loops are over cues and over runs of forward rows, which are few."""
        if not (state.withheld or state.snoozed_until_ns or np.count_nonzero(block["episode"])):
            return state, block  # nothing to speak of: nearly always
        rows = copied(block)
        state = _snooze(state, rows)
        forward = rows["state"] == _FORWARD
        for first, end in runs(np.where(forward, rows["episode"], np.where(rows["episode_step"] != 0, -2, -1))):
            if rows["episode_step"][first] == EpisodeStep.BEGAN:
                state = replace(state, due=0, alerts=0, first_forward_ns=0)
            state = self._cues(state, rows, first, end)
            for place in first + np.flatnonzero(rows["episode_step"][first:end] == EpisodeStep.ENDED):
                state = _cleared(state, rows, int(place))
        return state, rows

    def _cues(self, state: AlertsState, rows: Array, first: int, end: int) -> AlertsState:
        while first < end:
            alert, digest = (
                self._next_alert(state, rows, first, end),
                self._next_digest(state, rows, first, end),
            )
            if digest < end and digest <= alert:
                state = self._digest(state, rows, digest)
                first = digest + 1
            elif alert < end:
                state = self._alert(state, rows, alert)
                first = alert + 1
            else:
                break
        return state

    def _next_alert(self, state: AlertsState, rows: Array, first: int, end: int) -> int:
        """Where the next cue of the grid is due among forward rows; `end` if nowhere."""
        if not self.coach or rows["state"][first] != State.FORWARD:
            return end
        due_ns = self.delay_ns + state.due * self.repeat_ns
        return first + int(np.searchsorted(rows["forward_ns"][first:end], due_ns))

    def _next_digest(self, state: AlertsState, rows: Array, first: int, end: int) -> int:
        """Where the hour first allows to tell what was held back; `end` if nowhere."""
        if not state.withheld or not self.coach or self.per_hour == 0:
            return end
        recent = state.raised_ns[-self.per_hour :]
        free_ns = recent[0] + HOUR_NS if len(recent) == self.per_hour else 0
        fits = (rows["context"][first:end] == Context.STILL) & ~rows["snoozed"][first:end]
        fits &= rows["episode_step"][first:end] != EpisodeStep.ENDED  # that row has its own word
        found = np.flatnonzero(fits & (rows["t_session_ns"][first:end] >= free_ns))
        return first + int(found[0]) if len(found) else end

    def _alert(self, state: AlertsState, rows: Array, place: int) -> AlertsState:
        t_ns = int(rows["t_session_ns"][place])
        due = (int(rows["forward_ns"][place]) - self.delay_ns) // self.repeat_ns + 1
        state = replace(state, due=due, raised_ns=tuple(t for t in state.raised_ns if t > t_ns - HOUR_NS))
        if rows["snoozed"][place]:
            return state
        if len(state.raised_ns) >= self.per_hour:
            since_ns = state.withheld_since_ns if state.withheld else t_ns
            return replace(state, withheld=state.withheld + 1, withheld_since_ns=since_ns)
        rows["alert_step"][place] = AlertStep.RAISED
        rows["alerts"][place] = state.alerts + 1
        first_ns = state.first_forward_ns if state.alerts else int(rows["forward_ns"][place])
        raised_ns = (*state.raised_ns, t_ns)
        return replace(state, alerts=state.alerts + 1, first_forward_ns=first_ns, raised_ns=raised_ns)

    def _digest(self, state: AlertsState, rows: Array, place: int) -> AlertsState:
        t_ns = int(rows["t_session_ns"][place])
        rows["alert_step"][place] = AlertStep.DIGEST
        rows["alerts"][place] = state.withheld
        rows["alert_ns"][place] = t_ns - state.withheld_since_ns
        recent = tuple(t for t in state.raised_ns if t > t_ns - HOUR_NS)
        return replace(state, withheld=0, withheld_since_ns=0, raised_ns=(*recent, t_ns))


def snoozed(state: AlertsState, until_ns: int) -> AlertsState:
    """No cues before `until_ns` of session time."""
    return replace(state, snoozed_until_ns=until_ns)


def _snooze(state: AlertsState, rows: Array) -> AlertsState:
    if not state.snoozed_until_ns or len(rows) == 0:
        return state
    rows["snoozed"] = rows["t_session_ns"] < state.snoozed_until_ns
    awake = np.flatnonzero(~rows["snoozed"])
    if len(awake) == 0:
        return state
    rows["snooze_ended"][awake[0]] = True
    return replace(state, snoozed_until_ns=0)


def _cleared(state: AlertsState, rows: Array, place: int) -> AlertsState:
    """The slouch ended here, and with it what was said about it."""
    rows["alerts"][place] = state.alerts
    if state.alerts:
        rows["alert_step"][place] = AlertStep.CLEARED
        rows["alert_ns"][place] = rows["forward_ns"][place] - state.first_forward_ns
    return replace(state, due=0, alerts=0, first_forward_ns=0)
