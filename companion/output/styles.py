"""From meanings to colours: the terminal's own sixteen, so that dark and light terminals both fit.

Knows: tints, rich's styles. No meaning rests on a colour alone: every filled block has its word inside.
"""

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from companion.output.canvas import Line, Tint

_STYLES: dict[Tint, Style] = {
    Tint.PLAIN: Style(),
    Tint.STRONG: Style(bold=True),
    Tint.DIM: Style(dim=True),
    Tint.LINE: Style(),
    Tint.QUIET: Style(bold=True),
    Tint.IN_RANGE: Style(color="black", bgcolor="green", bold=True),
    Tint.RECLINED: Style(color="black", bgcolor="cyan", bold=True),
    Tint.FORWARD: Style(color="black", bgcolor="yellow", bold=True),
    Tint.ALERT: Style(color="bright_white", bgcolor="red", bold=True),
    Tint.FAULT: Style(color="bright_white", bgcolor="magenta", bold=True),
    Tint.GUIDE: Style(color="bright_white", bgcolor="blue", bold=True),
}


@lru_cache(maxsize=256)
def strip(line: Line, width: int) -> Strip:
    """A line as Textual draws it, exactly `width` columns wide."""
    return Strip([Segment(span.text, _STYLES[span.tint]) for span in line]).adjust_cell_length(width)
