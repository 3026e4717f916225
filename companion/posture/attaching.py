"""Alerts of a session as it was lived, in its settled view: none more, none less, each with the slouch it belongs to.

What was said was said, at its time; only the slouches may be others, once everything is in its place. An alert belongs
to the slouch under way at its time, else to the latest that had begun, else to the first there is. With no slouch at
all there is nothing to alert of, and no alert. Whether a slouch that had alerts ended, and how long after the first,
follows from the slouch. Knows: events. Must never know: frames, rows.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from companion.posture.episodes import EndedBy
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
from companion.posture.rows import ROW_NS

Told = tuple[int, Event]
"""An event, and how many rows come before it."""

_OF_ROWS = (
    SignalLost,
    SignalFound,
    Fault,
    FaultCleared,
    SnoozeEnded,
    CalibrationStale,
    SensorReattached,
    SlipCleared,
    SlipSuspected,
    SlouchStarted,
    SlouchEnded,
)
"""What a row tells before it alerts; other events with it are told behind it."""

_NEVER_CLEARED = EndedBy.SESSION_END.name.lower()


def with_alerts(settled: Sequence[Told], lived: Sequence[Event], rows: int) -> list[Told]:
    """Events of a settled view that alerts of nothing, with what was alerted of as it was `lived`; in order.

    `rows`: how many the settled view has.
    """
    raised = list(_raised(settled, [event for event in lived if isinstance(event, AlertRaised)]))
    counts, firsts_ns = dict[int, int](), dict[int, int]()
    for alert in raised:
        counts[alert.episode] = alert.number
        firsts_ns.setdefault(alert.episode, alert.t_session_ns)
    began_ns = {event.episode: event.t_session_ns for _, event in settled if isinstance(event, SlouchStarted)}
    told: list[Told] = []
    for place, event in settled:
        if not isinstance(event, SlouchEnded):
            told.append((place, event))
            continue
        told.append((place, replace(event, alerts=counts.get(event.episode, 0))))
        if event.episode in firsts_ns and event.ended_by != _NEVER_CLEARED:
            recovery_ns = began_ns[event.episode] + event.duration_ns - firsts_ns[event.episode]
            told.append((place, _cleared(event, max(recovery_ns, 0))))
    digests = [event for event in lived if isinstance(event, DigestRaised)]
    return _merged(told, sorted([*raised, *digests], key=lambda event: event.t_session_ns), rows)


def _raised(settled: Sequence[Told], alerts: Sequence[AlertRaised]) -> Iterator[AlertRaised]:
    """The alerts, with the episodes of the settled view."""
    starts = [event for _, event in settled if isinstance(event, SlouchStarted)]
    begins_ns, counts = [event.t_session_ns for event in starts], dict[int, int]()
    for alert in alerts if starts else ():
        episode = starts[max(bisect_right(begins_ns, alert.t_session_ns) - 1, 0)].episode
        counts[episode] = counts.get(episode, 0) + 1
        yield replace(alert, episode=episode, number=counts[episode])


def _cleared(event: SlouchEnded, recovery_ns: int) -> AlertCleared:
    return AlertCleared(
        t_session_ns=event.t_session_ns, episode=event.episode, recovery_ns=recovery_ns, ended_by=event.ended_by
    )


def _merged(told: Sequence[Told], said: Sequence[Event], rows: int) -> list[Told]:
    """Alerts stand behind what their row tells, and before what was told after that row."""
    merged: list[Told] = []
    done = 0
    for event in said:
        place = min(event.t_session_ns // ROW_NS, rows)
        while done < len(told) and (told[done][0] < place or (told[done][0] == place and _is_of_row(told[done][1]))):
            merged.append(told[done])
            done += 1
        merged.append((place, event))
    return [*merged, *told[done:]]


def _is_of_row(event: Event) -> bool:
    ends_session = isinstance(event, SlouchEnded) and event.ended_by == _NEVER_CLEARED
    return isinstance(event, (*_OF_ROWS, AlertCleared)) and not ends_session
