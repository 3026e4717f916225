"""From rows to events: what a listener hears, in order.

Knows: rows and what their steps mean. Must never know: how an event is shown. The cause of a silence is given to it:
only the session knows the link.
"""

from dataclasses import dataclass, replace

import numpy as np

from companion.posture.alerts import AlertStep
from companion.posture.context import FAULT_PERIODS, limit_ns
from companion.posture.episodes import EndedBy, EpisodesState, EpisodeStep, forward_ns
from companion.posture.events import (
    AlertCleared,
    AlertRaised,
    CalibrationStale,
    DigestRaised,
    Event,
    Fault,
    FaultCleared,
    SensorReattached,
    SignalFound,
    SignalLost,
    SlipCleared,
    SlipSuspected,
    SlouchEnded,
    SlouchStarted,
    SnoozeEnded,
)
from companion.posture.rows import Context, Suspicion
from companion.posture.slip import SlipStep
from companion.posture.stage import Array

_NO_DATA = int(Context.NO_DATA)


@dataclass(frozen=True, slots=True)
class TellingState:
    """Whether data are missing, and whether that was called a fault."""

    silent: bool = False
    silent_ns: int = 0
    faulted: bool = False
    excused_ns: int = 0  # of the silence: this computer was asleep, and nobody is to be alarmed for that


def excused(state: TellingState, silent_ns: int) -> TellingState:
    """So much of the silence is no fault; one begins to count anew from here."""
    return replace(state, excused_ns=silent_ns)


def tell(state: TellingState, rows: Array, cause: str, fault_ns: int) -> tuple[TellingState, list[tuple[int, Event]]]:
    """The events of `rows`, each with the place of its row; `cause` says why data would be missing now."""
    state, heard = _signal(state, rows, cause, fault_ns)
    told = [(place, event) for place in _noted(rows) for event in _of_row(rows[place])]
    if not heard:
        return state, told
    return state, sorted(heard + told, key=lambda pair: pair[0])


def last_word(state: EpisodesState, alerts: int, t_session_ns: int) -> list[Event]:
    """What remains to be said when a session ends in the middle of a slouch."""
    if not state.under_way:
        return []
    return [
        SlouchEnded(
            t_session_ns=t_session_ns,
            episode=state.episode,
            duration_ns=forward_ns(state),
            peak_deg=state.peak_deg,
            mean_deg=state.sum_deg / max(state.forward_rows, 1),
            alerts=alerts,
            ended_by=EndedBy.SESSION_END.name.lower(),
        )
    ]


def _noted(rows: Array) -> list[int]:
    noted = rows["episode_step"] | rows["alert_step"] | rows["slip_step"] | rows["snooze_ended"]
    places: list[int] = noted.nonzero()[0].tolist()
    return places


def _of_row(row: Array) -> list[Event]:
    t_ns, episode = int(row["t_session_ns"]), int(row["episode"])
    told: list[Event] = [SnoozeEnded(t_session_ns=t_ns)] if row["snooze_ended"] else []
    if row["slip_step"]:  # before any alert that it may put in doubt
        told.append(_slip(row, t_ns))
    if row["episode_step"] == EpisodeStep.BEGAN:
        told.append(SlouchStarted(t_session_ns=t_ns, episode=episode, angle_deg=float(row["deviation_deg"])))
    elif row["episode_step"] == EpisodeStep.ENDED:
        told.append(_ended(row, t_ns, episode))
    if row["alert_step"] == AlertStep.RAISED:
        told.append(_raised(row, t_ns, episode))
    elif row["alert_step"] == AlertStep.CLEARED:
        told.append(
            AlertCleared(
                t_session_ns=t_ns,
                episode=episode,
                recovery_ns=int(row["alert_ns"]),
                ended_by=EndedBy(int(row["ended_by"])).name.lower(),
            )
        )
    elif row["alert_step"] == AlertStep.DIGEST:
        told.append(DigestRaised(t_session_ns=t_ns, withheld=int(row["alerts"]), over_ns=int(row["alert_ns"])))
    return told


def _ended(row: Array, t_ns: int, episode: int) -> SlouchEnded:
    return SlouchEnded(
        t_session_ns=t_ns,
        episode=episode,
        duration_ns=int(row["forward_ns"]),
        peak_deg=float(row["peak_deg"]),
        mean_deg=float(row["mean_deg"]),
        alerts=int(row["alerts"]),
        ended_by=EndedBy(int(row["ended_by"])).name.lower(),
    )


def _raised(row: Array, t_ns: int, episode: int) -> AlertRaised:
    return AlertRaised(
        t_session_ns=t_ns,
        episode=episode,
        number=int(row["alerts"]),
        angle_deg=float(row["deviation_deg"]),
        forward_ns=int(row["forward_ns"]),
        suspect=bool(row["suspicion"] != Suspicion.NONE),
    )


def _slip(row: Array, t_ns: int) -> Event:
    step, held = SlipStep(int(row["slip_step"])), bool(row["suspicion"] == Suspicion.HELD)
    off_deg, from_ns, to_ns = float(row["slip_off_deg"]), int(row["slip_from_ns"]), int(row["slip_to_ns"])
    if step is SlipStep.STALE:
        forward_deg, right_deg = float(row["slip_forward_deg"]), float(row["slip_right_deg"])
        return CalibrationStale(t_session_ns=t_ns, off_deg=off_deg, forward_deg=forward_deg, right_deg=right_deg)
    if step is SlipStep.PUT_ON:
        suspect = bool(row["suspicion"] != Suspicion.NONE)
        return SensorReattached(t_session_ns=t_ns, from_ns=from_ns, to_ns=to_ns, off_deg=off_deg, suspect=suspect)
    if step is SlipStep.CLEARED:
        return SlipCleared(t_session_ns=t_ns)
    at_ns = int(row["slip_at_ns"])
    return SlipSuspected(
        t_session_ns=t_ns,
        from_ns=from_ns,
        to_ns=to_ns,
        slip_deg=off_deg,
        at_ns=None if at_ns < 0 else at_ns,
        held=held,
    )


def _signal(
    state: TellingState, rows: Array, cause: str, fault_ns: int
) -> tuple[TellingState, list[tuple[int, Event]]]:
    told: list[tuple[int, Event]] = []
    silent = rows["context"] == _NO_DATA
    if not (state.silent or np.count_nonzero(silent)):
        return state, told
    late = silent & (rows["silent_ns"] - state.excused_ns >= limit_ns(rows, fault_ns, FAULT_PERIODS))
    # Only where something changes: the rows at which silence, or its being a fault, begins or ends.
    changes = np.flatnonzero(np.diff(silent, prepend=state.silent) | np.diff(late, prepend=state.faulted))
    for place in changes.tolist():
        t_ns, silent_ns = int(rows["t_session_ns"][place]), int(rows["silent_ns"][place])
        if silent[place] and not state.silent:
            told.append((place, SignalLost(t_session_ns=t_ns, cause=cause)))
        if late[place] and not state.faulted:
            told.append((place, Fault(t_session_ns=t_ns, cause=cause, silent_ns=silent_ns)))
        if state.silent and not silent[place]:
            before_ns = int(rows["silent_ns"][place - 1]) if place else state.silent_ns
            told.append((place, SignalFound(t_session_ns=t_ns, silent_ns=before_ns)))
            told += [(place, FaultCleared(t_session_ns=t_ns))] if state.faulted else []
            state = replace(state, excused_ns=0)
        state = replace(state, silent=bool(silent[place]), faulted=bool(late[place]))
    if len(rows):
        state = replace(state, silent_ns=int(rows["silent_ns"][-1]))
    return state, told
