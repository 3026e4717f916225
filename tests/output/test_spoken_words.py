"""The words for people: neutral, with units, and one word for alerts only."""

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output import words
from companion.output.words import angle_words, event_words, percent_words
from companion.posture import events as happened
from companion.posture.events import Event

S = 1_000_000_000
JUDGING = ("bad", "wrong", "correct", "good", "healthy", "upright", "fail")


def clock(t_session_ns: int) -> str:
    return f"clock({t_session_ns})"


def every_kind(text: str) -> Iterator[Event]:
    """One event of every kind there is, with `text` wherever it takes any."""
    sample: dict[Any, object] = {int: 2_000_000_000, float: 14.2, str: text, bool: True, int | None: 9_000_000_000}
    for kind in get_args(happened.AnyEvent):
        yield kind(**{field.name: sample[field.type] for field in dataclasses.fields(kind)})


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            happened.SlouchStarted(t_session_ns=0, episode=3, angle_deg=14.16),
            "forward of your baseline: 14.2° (episode 3)",
        ),
        (
            happened.SlouchEnded(
                t_session_ns=0,
                episode=3,
                duration_ns=75_000_000_000,
                peak_deg=16.2,
                mean_deg=14.0,
                alerts=1,
                ended_by="recovered",
            ),
            "episode 3 over after 1 min 15 s: back in range; peak 16.2°, mean 14.0°, 1 alert",
        ),
        (
            happened.GapFilled(t_session_ns=0, from_ns=7 * S, to_ns=130 * S, samples=6150),
            "2 min 03 s of missing data came out of the sensor's buffer",
        ),
        (
            happened.GapFilled(t_session_ns=0, from_ns=7 * S, to_ns=60 * S, samples=36, pieces=3),
            "36 missing samples came out of the sensor's buffer",
        ),
        (
            happened.GapFilled(t_session_ns=0, from_ns=0, to_ns=S // 50, samples=1),
            "1 missing sample came out of the sensor's buffer",
        ),
        (
            happened.AlertRaised(t_session_ns=0, episode=1, number=1, angle_deg=15.1, forward_ns=30_000_000_000),
            "ALERT: forward of your baseline for 30 s, now 15.1°",
        ),
        (
            happened.AlertRaised(
                t_session_ns=0, episode=1, number=1, angle_deg=15.1, forward_ns=30_000_000_000, suspect=True
            ),
            "ALERT: forward of your baseline for 30 s, now 15.1° (the sensor may have slipped)",
        ),
        (
            happened.CalibrationStale(t_session_ns=0, off_deg=14.4, forward_deg=14.3, right_deg=-2.0),
            "this session begins 14.3° forward of and 2.0° to the left of your baseline: you sit otherwise, or the "
            "sensor does; press c, or `posture calibrate --quick`, to take your baseline anew",
        ),
        (
            happened.CalibrationStale(t_session_ns=0, off_deg=14.0, forward_deg=-0.4, right_deg=14.0),
            "this session begins 14.0° to the right of your baseline: the sensor probably sits otherwise; press c, or "
            "`posture calibrate --quick`, to take your baseline anew",
        ),
        (
            happened.SlipSuspected(t_session_ns=0, from_ns=60 * S, to_ns=75 * S, slip_deg=14.6),
            "the sensor may have slipped by 15°, between 0:01:00 and 0:01:15: alerts go on, marked; press c, or "
            "`posture calibrate --quick`, to take your baseline anew",
        ),
        (
            happened.SlipSuspected(t_session_ns=0, from_ns=0, to_ns=75 * S, slip_deg=24.6, at_ns=9 * S, held=True),
            "the sensor may have slipped by 25°, between 0:00:00 and 0:01:15, perhaps at 0:00:09: so far that nothing "
            "is judged; press c, or `posture calibrate --quick`, to take your baseline anew",
        ),
        (
            happened.SlipSuspected(t_session_ns=0, from_ns=0, to_ns=75 * S, slip_deg=176.0, held=True),
            "the sensor is upside down: nothing is judged until it is turned, or press c, or `posture calibrate "
            "--quick`, to take your baseline anew",
        ),
        (happened.SlipCleared(t_session_ns=0), "the sensor sits as it did before"),
        (
            happened.SensorReattached(t_session_ns=0, from_ns=60 * S, to_ns=75 * S, off_deg=4.0, suspect=False),
            "the sensor was taken off and put on again, between 0:01:00 and 0:01:15; it sits 4° off since",
        ),
        (
            happened.AlertCleared(t_session_ns=0, episode=1, recovery_ns=25_000_000_000, ended_by="recovered"),
            "back in range, 25 s after the first alert",
        ),
        (
            happened.AlertCleared(t_session_ns=0, episode=1, recovery_ns=0, ended_by="no_data"),
            "no alert any more: no data",
        ),
        (happened.Snoozed(t_session_ns=0, until_ns=7), "no alerts until clock(7); time is still counted"),
        (happened.Marked(t_session_ns=0, kind="false_alarm", value=""), "noted as a false alarm"),
        (happened.Marked(t_session_ns=0, kind="mark", value="an ALERT"), "marked: an alert"),
        (
            happened.Fault(t_session_ns=0, cause="out of range", silent_ns=30_000_000_000),
            "FAULT: no data for 30 s: out of range",
        ),
    ],
)
def test_event_words(event: Event, text: str) -> None:
    assert event_words(event, clock) == text


def test_an_event_without_words_of_its_own_is_named() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class BreakDueNow(Event):
        pass

    assert event_words(BreakDueNow(t_session_ns=0), clock) == "break due now"


def test_only_alerts_are_called_alert_in_capitals_and_nothing_judges() -> None:
    for event in every_kind("ALERT \x1b[31m\u202e"):
        text = event_words(event, clock)
        assert ("ALERT" in text) == isinstance(event, happened.AlertRaised), text
        assert text.isprintable()
        assert not [word for word in JUDGING if word in text.lower()], text


def test_every_kind_of_event_has_words() -> None:
    assert {*words._WORDS, happened.Snoozed} == {type(event) for event in every_kind("x")}


@pytest.mark.parametrize(
    ("angle", "uncertainty", "text"),
    [
        (3.14, 1.2, "+3.1° ± 1.2°"),
        (-3.16, None, "-3.2°"),
        (-0.04, float("nan"), "+0.0°"),
        (None, 1.2, "–"),
        (float("nan"), 1.2, "–"),
    ],
)
def test_angle_words(angle: float | None, uncertainty: float | None, text: str) -> None:
    assert angle_words(angle, uncertainty) == text


@given(st.floats(-1000, 1000))
def test_percent_words(percent: float) -> None:
    text = percent_words(percent)
    assert text != "-0 %"
    assert abs(float(text.removesuffix(" %")) - percent) <= 0.5


def test_unknown_percent() -> None:
    assert percent_words(None) == percent_words(float("inf")) == "–"
