"""A session that has ended, in its settled view: as if everything had come when it was due.

The session is run as it was lived; where nothing came late, that is the settled view too. Otherwise it is run once
more, with what came late in its place, and gets the alerts that were raised. Frames are gone through twice then, never
kept. Pure. Knows: sessions, settlements, alerts. Must never know: where frames come from, or where rows go.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from companion.posture.attaching import Told, with_alerts
from companion.posture.events import AlertCleared, AlertRaised, Event
from companion.posture.rows import ROW_NS
from companion.posture.stage import Array
from companion.session import Session
from companion.settling import Lateness, Settlement
from companion.stream import Report
from firmware_protocol.frames import Frame, Opened

Runs = Callable[[], Iterable[Sequence[Frame]]]
"""A session's frames, many at a time, from its first; anew with each call."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is wanted of a session beside rows, events and summary."""

    samples: bool = False
    angles: bool = False
    exposed: bool = False


@dataclass(frozen=True, slots=True)
class Lived:
    """What a settled view takes from the session as it was lived."""

    settlement: Settlement
    alerts: tuple[Event, ...]  # all events will do


@dataclass(frozen=True, slots=True)
class Viewed:
    """A session from its first frame to its last: itself at its end, and everything that it reported."""

    session: Session
    reports: tuple[Report, ...]
    lived: Lived | None = None  # None: nothing came late

    @property
    def summary(self) -> dict[str, Any]:
        """The columns of `sessions`."""
        return self.reports[-1].summary or {}

    def whole(self) -> "Whole":
        """Rows, events and summary as one."""
        told = list(_told(self.reports))
        return Whole(np.concatenate([report.posture for report in self.reports]), tuple(told), self.summary)

    def again(self, header: Opened, runs: Runs) -> "Viewed":
        """The settled view of the beginning of this session."""
        return settled(header, runs) if self.lived is None else resettled(header, runs, self.lived)


@dataclass(frozen=True, slots=True)
class Whole:
    """All rows of a session, its events and its summary."""

    posture: Array  # POSTURE (N,)
    told: tuple[Told, ...]  # each event, and how many rows come before it
    summary: dict[str, Any]

    def by_row(self) -> Iterator[Report]:
        """A report for each row, with the events that come with it; without the summary."""
        done = 0
        for row in range(len(self.posture)):
            end = done
            while end < len(self.told) and self.told[end][0] <= row + 1:
                end += 1
            yield self._part(row, row + 1, done, end)
            done = end

    def behind(self, rows: int, events: int) -> Report:
        """What comes behind so many rows and events, and the summary."""
        return replace(self._part(rows, len(self.posture), events, len(self.told)), summary=self.summary)

    def _part(self, first: int, end: int, first_event: int, end_event: int) -> Report:
        told = self.told[first_event:end_event]
        places = tuple(min(max(place - first, 0), end - first) for place, _ in told)
        return Report(self.posture[first:end], tuple(event for _, event in told), places=places)


NOTHING_MORE = Keep()


def settled(header: Opened, runs: Runs, keep: Keep = NOTHING_MORE) -> Viewed:
    """The session in its settled view."""
    lateness = Lateness()
    session = Session(header, keep_angles=keep.angles, keep_exposed=keep.exposed, lateness=lateness)
    reports = list[Report]()
    events = list[Event]()
    for report in _reports(session, runs(), keep):
        events += report.events
        reports.append(report)
        if lateness:  # only what was told matters now
            reports.clear()
    if not lateness:
        summary = (reports[-1].summary or {}) | {"view": "settled"}
        return Viewed(session, (*reports[:-1], replace(reports[-1], summary=summary)))
    known = Lived(Settlement.of(lateness, header.t_host_ns), tuple(events))
    return resettled(header, runs, known, keep)


def resettled(header: Opened, runs: Runs, known: Lived, keep: Keep = NOTHING_MORE) -> Viewed:
    """The settled view of a session, or of its beginning, that has been lived before."""
    session = Session(header, keep_angles=keep.angles, keep_exposed=keep.exposed, settlement=known.settlement)
    reports = tuple(_with_alerts(list(_reports(session, runs(), keep)), known.alerts))
    return Viewed(session, reports, known)


def _reports(session: Session, runs: Iterable[Sequence[Frame]], keep: Keep) -> Iterator[Report]:
    for piece in runs:
        report = session.feed(piece)
        yield report if keep.samples else replace(report, sample_blocks=())
    yield session.close()


def _with_alerts(reports: list[Report], alerts: Sequence[Event]) -> Iterator[Report]:
    """The same reports, with alerts as they were raised; what a slouch's end tells of them may be known later."""
    firsts = np.cumsum([0, *(len(report.posture) for report in reports)]).tolist()
    known = [event for event in alerts if event.t_session_ns <= firsts[-1] * ROW_NS]
    told, done = with_alerts(list(_told(reports)), known, firsts[-1]), 0
    for number, report in enumerate(reports):
        end = len(told) if number == len(reports) - 1 else done
        while number < len(reports) - 1 and end < len(told) and told[end][0] <= firsts[number + 1]:
            end += 1
        places = tuple(min(max(place - firsts[number], 0), len(report.posture)) for place, _ in told[done:end])
        events = tuple(event for _, event in told[done:end])
        summary = None if report.summary is None else _counted(report.summary, [event for _, event in told])
        yield replace(report, events=events, places=places, summary=summary)
        done = end


def _told(reports: Iterable[Report]) -> Iterator[Told]:
    """Each event, and how many rows of all reports come before it."""
    before = 0
    for report in reports:
        yield from ((before + place, event) for place, event in zip(report.places, report.events, strict=True))
        before += len(report.posture)


def _counted(summary: dict[str, Any], events: Sequence[Event]) -> dict[str, Any]:
    """The summary with the alerts that were raised."""
    recoveries_ns = [event.recovery_ns for event in events if isinstance(event, AlertCleared)]
    return summary | {
        "alerts": sum(isinstance(event, AlertRaised) for event in events),
        "median_recovery_s": median(recoveries_ns) / 1e9 if recoveries_ns else None,
    }
