"""Alerts of a lived session in its settled view, in numbers written out."""

import pytest

from companion.posture.attaching import Told, with_alerts
from companion.posture.events import (
    AlertCleared,
    AlertRaised,
    DigestRaised,
    Event,
    Marked,
    SignalLost,
    SlouchEnded,
    SlouchStarted,
)

S = 1_000_000_000


def raised(t_s: int, episode: int = 1, number: int = 1) -> AlertRaised:
    return AlertRaised(t_session_ns=t_s * S, episode=episode, number=number, angle_deg=20.0, forward_ns=9 * S)


def slouch(number: int, from_s: int, to_s: int, ended_by: str = "recovered") -> list[Told]:
    """A slouch of the settled view: over 2 s after its last forward moment, and told of no alerts."""
    began = SlouchStarted(t_session_ns=from_s * S, episode=number, angle_deg=15.0)
    ended = SlouchEnded(
        t_session_ns=(to_s + 2) * S,
        episode=number,
        duration_ns=(to_s - from_s) * S,
        peak_deg=25.0,
        mean_deg=20.0,
        alerts=0,
        ended_by=ended_by,
    )
    return [(from_s * 5, began), ((to_s + 2) * 5, ended)]


def said(told: list[Told]) -> list[tuple[float, str]]:
    """Each event's time in seconds, and what matters of it."""

    def words(event: Event) -> str:
        match event:
            case SlouchStarted():
                return f"began {event.episode}"
            case SlouchEnded():
                return f"ended {event.episode}, {event.alerts}"
            case AlertRaised():
                return f"alert {event.episode}.{event.number}"
            case AlertCleared():
                return f"cleared {event.episode} after {event.recovery_ns / S:g}, {event.ended_by}"
        return type(event).__name__

    assert [place for place, _ in told] == [event.t_session_ns * 5 // S for _, event in told]
    return [(event.t_session_ns / S, words(event)) for _, event in told]


@pytest.mark.parametrize(
    ("settled", "lived", "expected"),
    [
        pytest.param(
            slouch(1, 10, 60),
            [raised(20), raised(40, number=2)],
            [
                (10, "began 1"),
                (20, "alert 1.1"),
                (40, "alert 1.2"),
                (62, "ended 1, 2"),
                (62, "cleared 1 after 40, recovered"),
            ],
            id="in the slouch under way",
        ),
        pytest.param(
            slouch(1, 10, 100),
            [raised(20), raised(80, episode=2), raised(90, episode=2, number=2)],
            [
                (10, "began 1"),
                (20, "alert 1.1"),
                (80, "alert 1.2"),
                (90, "alert 1.3"),
                (102, "ended 1, 3"),
                (102, "cleared 1 after 80, recovered"),
            ],
            id="a gap had made two slouches of one",
        ),
        pytest.param(
            [*slouch(1, 10, 20), *slouch(2, 30, 50, "walked")],
            [raised(25), raised(40, number=2)],
            [
                (10, "began 1"),
                (22, "ended 1, 1"),
                (22, "cleared 1 after 0, recovered"),
                (25, "alert 1.1"),
                (30, "began 2"),
                (40, "alert 2.1"),
                (52, "ended 2, 1"),
                (52, "cleared 2 after 10, walked"),
            ],
            id="behind the latest, and one that was two",
        ),
        pytest.param(
            slouch(1, 30, 50),
            [raised(20)],
            [(20, "alert 1.1"), (30, "began 1"), (52, "ended 1, 1"), (52, "cleared 1 after 30, recovered")],
            id="before the first",
        ),
        pytest.param([], [raised(20)], [], id="no slouch at all"),
        pytest.param(slouch(1, 10, 60), [], [(10, "began 1"), (62, "ended 1, 0")], id="none was raised"),
        pytest.param(
            slouch(1, 10, 60, "session_end"),
            [raised(20)],
            [(10, "began 1"), (20, "alert 1.1"), (62, "ended 1, 1")],
            id="the session ends in it",
        ),
        pytest.param(
            [
                (100, SignalLost(t_session_ns=20 * S, cause="x")),
                (100, Marked(t_session_ns=20 * S, kind="mark", value="")),
            ],
            [DigestRaised(t_session_ns=20 * S, withheld=2, over_ns=S)],
            [(20, "SignalLost"), (20, "DigestRaised"), (20, "Marked")],
            id="behind what its row tells, before what was told after the row",
        ),
    ],
)
def test_alerts_stand_where_they_were_raised(
    settled: list[Told], lived: list[Event], expected: list[tuple[float, str]]
) -> None:
    found = said(
        with_alerts(settled, [*lived, AlertCleared(t_session_ns=0, episode=1, recovery_ns=1, ended_by="moved")], 1000)
    )
    assert found == expected
