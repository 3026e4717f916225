"""What contexts, states and events are called in front of people: neutral words, with units.

Pure. Knows: rows' codes and events as values. Must never know: which screen, line or colour they end up in.
Only the words for `AlertRaised` contain ALERT in capitals, so that a script can look for it.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import TypeGuard

from companion.posture import events as happened
from companion.posture.events import Event
from companion.tables.instants import duration_words, elapsed_text
from companion.text import LONGEST_SENTENCE, printable

_NS_PER_S = 1e9
MAY_HAVE_SLIPPED = "(the sensor may have slipped)"
_UPSIDE_DOWN_DEG = 120.0
NOT_A_MEDICAL_DEVICE = "Not a medical device; stop at the first discomfort."

ENDINGS: Mapping[str, str] = {
    "recovered": "back in range",
    "moved": "moved",
    "walked": "walked",
    "lay_down": "lay down",
    "no_data": "no data",
    "session_end": "end of the session",
}
_MARKS: Mapping[str, str] = {
    "mark": "marked",
    "false_alarm": "noted as a false alarm",
    "baseline": "marked as your baseline",
}


def plain_word(code: str) -> str:
    """A context's or state's name as people read it: "in_range" is "in range"."""
    return code.replace("_", " ")


def angle_words(angle_deg: float | None, uncertainty_deg: float | None = None) -> str:
    """An angle with sign and unit, and its uncertainty where it is known; a dash where the angle is not."""
    if not is_known(angle_deg):
        return "–"
    angle = f"{_without_minus_zero(f'{angle_deg:+.1f}')}°"
    return f"{angle} ± {uncertainty_deg:.1f}°" if is_known(uncertainty_deg) else angle


def percent_words(percent: float | None) -> str:
    """A share in whole per cent; a dash where it is not known."""
    return f"{round(percent)} %" if is_known(percent) else "–"


def _without_minus_zero(text: str) -> str:
    return "+0.0" if text == "-0.0" else text


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether a figure is there and finite."""
    return value is not None and math.isfinite(value)


def counted(number: int, thing: str) -> str:
    """A count with its noun: "1 alert", "2 alerts"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def lasting(duration_ns: int) -> str:
    """A duration in nanoseconds, for people."""
    return duration_words(duration_ns / _NS_PER_S)


def told(text: str) -> str:
    """Somebody else's words, such as a cause or a mark: printable, and never mistaken for an alert."""
    return re.sub("ALERT", "alert", printable(text, LONGEST_SENTENCE))


def event_words(event: Event, clock: Callable[[int], str]) -> str:
    """An event in one line; `clock` gives the wall clock's reading at an instant of session time in ns."""
    words = _WORDS.get(type(event))
    if words is not None:
        return words(event)
    if isinstance(event, happened.Snoozed):
        return f"no alerts until {clock(event.until_ns)}; time is still counted"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(event).__name__).lower()


def _slouch_ended(event: happened.SlouchEnded) -> str:
    return (
        f"episode {event.episode} over after {lasting(event.duration_ns)}: "
        f"{ENDINGS.get(event.ended_by, told(event.ended_by))}; "
        f"peak {event.peak_deg:.1f}°, mean {event.mean_deg:.1f}°, {counted(event.alerts, 'alert')}"
    )


def _alert_cleared(event: happened.AlertCleared) -> str:
    if event.ended_by == "recovered":
        return f"back in range, {lasting(event.recovery_ns)} after the first alert"
    return f"no alert any more: {ENDINGS.get(event.ended_by, told(event.ended_by))}"


_RECALIBRATE = "press c, or `posture calibrate --quick`, to take your baseline anew"


def alert_words(event: happened.AlertRaised) -> str:
    """An alert; where the sensor may have slipped, that is said with it."""
    words = f"ALERT: forward of your baseline for {lasting(event.forward_ns)}, now {event.angle_deg:.1f}°"
    return f"{words} {MAY_HAVE_SLIPPED}" if event.suspect else words


def _stale(event: happened.CalibrationStale) -> str:
    sides = (
        (event.forward_deg, "forward of", "behind"),
        (event.right_deg, "to the right of", "to the left of"),
    )
    parts = [f"{abs(deg):.1f}° {more if deg > 0 else less}" for deg, more, less in sides if abs(deg) >= 1.0]
    where = " and ".join(parts) or f"{event.off_deg:.1f}° off"
    sideways = abs(event.right_deg) > abs(event.forward_deg)
    why = "the sensor probably sits otherwise" if sideways else "you sit otherwise, or the sensor does"
    return f"this session begins {where} your baseline: {why}; {_RECALIBRATE}"


def _slip(event: happened.SlipSuspected) -> str:
    if event.slip_deg > _UPSIDE_DOWN_DEG:
        return f"the sensor is upside down: nothing is judged until it is turned, or {_RECALIBRATE}"
    when = f"between {_elapsed(event.from_ns)} and {_elapsed(event.to_ns)}"
    if event.at_ns is not None:
        when += f", perhaps at {_elapsed(event.at_ns)}"
    then = "so far that nothing is judged" if event.held else "alerts go on, marked"
    return f"the sensor may have slipped by {event.slip_deg:.0f}°, {when}: {then}; {_RECALIBRATE}"


def _reattached(event: happened.SensorReattached) -> str:
    when = f"between {_elapsed(event.from_ns)} and {_elapsed(event.to_ns)}"
    words = f"the sensor was taken off and put on again, {when}; it sits {event.off_deg:.0f}° off since"
    return f"{words}: {_RECALIBRATE}" if event.suspect else words


def _elapsed(t_session_ns: int) -> str:
    return elapsed_text(t_session_ns / _NS_PER_S)


def _marked(event: happened.Marked) -> str:
    words = _MARKS.get(event.kind, told(event.kind))
    return f"{words}: {told(event.value)}" if event.value else words


def _gap_filled(event: happened.GapFilled) -> str:
    came = "came out of the sensor's buffer"
    if event.pieces == 1 and event.to_ns - event.from_ns >= _NS_PER_S:
        return f"{lasting(event.to_ns - event.from_ns)} of missing data {came}"
    return f"{counted(event.samples, 'missing sample')} {came}"


# Each takes its own kind of event; the table's key is the promise.
_WORDS: Mapping[type[Event], Callable[..., str]] = {
    happened.SlouchStarted: lambda e: f"forward of your baseline: {e.angle_deg:.1f}° (episode {e.episode})",
    happened.SlouchEnded: _slouch_ended,
    happened.AlertRaised: alert_words,
    happened.AlertCleared: _alert_cleared,
    happened.DigestRaised: lambda e: (
        f"digest: {counted(e.withheld, 'further alert')} held back in the last {lasting(e.over_ns)}"
    ),
    happened.SignalLost: lambda e: f"no data: {told(e.cause)}",
    happened.GapFilled: _gap_filled,
    happened.SignalFound: lambda e: f"data again after {lasting(e.silent_ns)} without",
    happened.Fault: lambda e: f"FAULT: no data for {lasting(e.silent_ns)}: {told(e.cause)}",
    happened.FaultCleared: lambda _: "the fault is over",
    happened.BatteryLow: lambda e: f"the sensor's battery is at {e.percent:.0f} %",
    happened.CalibrationTaken: lambda _: "calibration taken: this is your baseline now",
    happened.CalibrationStale: _stale,
    happened.SlipSuspected: _slip,
    happened.SlipCleared: lambda _: "the sensor sits as it did before",
    happened.SensorReattached: _reattached,
    happened.SnoozeEnded: lambda _: "alerts are on again",
    happened.Marked: _marked,
    happened.SettingTaken: lambda e: f"setting {told(e.key)} is {told(e.value)} now",
    happened.FramesDropped: lambda e: f"{counted(e.count, 'packet')} came faster than they could be taken",
    happened.RecordingTroubled: lambda e: (
        f"{'' if e.reason.startswith('little room') else 'the recording could not be written: '}"
        f"{told(e.reason)}; the session goes on"
    ),
}
