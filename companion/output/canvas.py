"""A line of the screen as plain spans of text, each with a tint that says what it means.

Pure. The tints become colours in one table, `styles.py`. Must never know: terminals.
"""

from enum import Enum
from typing import NamedTuple, TypeAlias


class Tint(Enum):
    """What a piece of text is, whatever colour that has."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    LINE = "line"
    QUIET = "quiet"
    IN_RANGE = "in range"
    RECLINED = "reclined"
    FORWARD = "forward"
    ALERT = "alert"
    FAULT = "fault"
    GUIDE = "guide"


class Span(NamedTuple):
    """Some text in one tint, without control characters: it comes from `text.printable` or from us."""

    text: str
    tint: Tint = Tint.PLAIN


Line: TypeAlias = tuple[Span, ...]
