"""What the screen says in its largest letters, and what it means: one decision, made in one place.

Pure. Knows: a snapshot. Must never know: colours, widgets.
"""

from dataclasses import dataclass

from companion.output.canvas import Tint
from companion.output.snapshot import Snapshot
from companion.output.words import MAY_HAVE_SLIPPED, plain_word
from companion.tables.instants import duration_words

_JUDGED = {"in_range": Tint.IN_RANGE, "forward": Tint.FORWARD, "reclined": Tint.RECLINED}


@dataclass(frozen=True, slots=True)
class Headline:
    """A word or two, what is to be said about them, and what they mean."""

    word: str
    detail: str
    tint: Tint


def headline(snapshot: Snapshot) -> Headline:
    """What matters most in this snapshot: guidance, then missing data, then an alert, then the state."""
    lasting = f"for {duration_words(snapshot.in_state_s)}"
    if snapshot.guide:
        return Headline("CALIBRATION", snapshot.guide, Tint.GUIDE)
    told = snapshot.fault or snapshot.context == "no_data"
    if told or snapshot.silent_s is not None:  # before it is told, it may be a short one; but the angle is an old one
        word = "FAULT" if snapshot.fault else "NO DATA"
        return Headline(word, _silence(snapshot), Tint.FAULT if told else Tint.QUIET)
    if snapshot.alert_forward_s is not None:
        forward = f"forward of your baseline for {duration_words(snapshot.alert_forward_s)}"
        detail = f"{forward} {MAY_HAVE_SLIPPED}" if snapshot.suspect else forward
        return Headline("ALERT", detail, Tint.ALERT)
    if snapshot.context != "still":
        return Headline(plain_word(snapshot.context).upper(), lasting, Tint.QUIET)
    if snapshot.state == "unjudged" and not snapshot.calibrated:
        return Headline("UNJUDGED", "not calibrated: press c", Tint.QUIET)
    return Headline(plain_word(snapshot.state).upper(), lasting, _JUDGED.get(snapshot.state, Tint.QUIET))


def _silence(snapshot: Snapshot) -> str:
    """How long the newest data are ago, and why no others come."""
    silent_s = snapshot.in_state_s if snapshot.silent_s is None else snapshot.silent_s
    lasting = f"for {duration_words(silent_s)}"
    words = f"no data {lasting}" if snapshot.fault else lasting
    cause = snapshot.cause or snapshot.silence
    return f"{words}: {cause}" if cause else words
