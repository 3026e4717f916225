"""How each kind of time looks: a colour for light pages, one for dark ones, and a pattern: colour never tells alone.

Pure. Knows: the names of the kinds. Must never know: figures, which plot or table shows them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from companion.overview import KINDS


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of one kind and its hatch: a name of bokeh's patterns, None where the colour is plain."""

    light: str
    dark: str
    hatch: str | None = None


LOOKS: Mapping[str, Look] = {
    "in_range": Look("#3b82b0", "#5aa3d1"),
    "forward": Look("#d9730d", "#f0903a", "right_diagonal_line"),
    "reclined": Look("#7d5ba6", "#a98bd0", "left_diagonal_line"),
    "unjudged": Look("#7b848f", "#98a2ad", "cross"),
    "moving": Look("#8fbf9f", "#6c9c7c", "dot"),
    "walking": Look("#2f7d55", "#4fae7f", "vertical_line"),
    "lying": Look("#51607a", "#7c8ba8", "horizontal_line"),
    "settling": Look("#c3c9d0", "#565f69"),
    "no_data": Look("#e6e8eb", "#2b3036", "diagonal_cross"),
    "not_worn": Look("#f0f1f3", "#23272c", "dot"),
}
"""By kind; blue and orange are told apart by people who do not tell red from green."""

ROLES: Mapping[str, Look] = {
    "text": Look("#4a525c", "#aab3bd"),
    "grid": Look("#e3e6ea", "#2d3339"),
    "axis": Look("#a3abb5", "#59636e"),
    "line": Look("#1d2733", "#f2f4f6"),
    "envelope": Look("#7d95ab", "#7790a8"),
    "limit": Look("#a24e00", "#ffb26b"),
    "alert": Look("#b3261e", "#ff8a80"),
    "hatch": Look("#ffffff", "#14171a"),
    "hatch_dim": Look("#a3abb5", "#59636e"),
}
"""What else a plot draws."""

LIGHT_ROW = frozenset({"settling", "no_data", "not_worn"})
"""Kinds of a pale colour, whose pattern is darker than it."""


def colours(dark: bool) -> dict[str, str]:
    """The colour of every role, kinds included."""
    return {name: look.dark if dark else look.light for name, look in (*ROLES.items(), *LOOKS.items())}


def hatch_role(kind: str) -> str:
    """In which role a kind's pattern is drawn."""
    return "hatch_dim" if kind in LIGHT_ROW else "hatch"


def style_sheet() -> str:
    """The colours as custom properties `--k-KIND`, for the parts of the page that the browser itself draws."""
    return "\n".join(
        (
            f":root {{ {_properties(dark=False)} }}",
            f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_properties(dark=True)} }} }}",
            *_swatches(),
        )
    )


def _properties(dark: bool) -> str:
    shown = colours(dark)
    return " ".join(f"--k-{kind}: {shown[kind]}; --h-{kind}: {shown[hatch_role(kind)]};" for kind in KINDS)


_LINES: Mapping[str, str] = {
    "right_diagonal_line": "repeating-linear-gradient(135deg, {ink} 0 1.5px, transparent 1.5px 6px)",
    "left_diagonal_line": "repeating-linear-gradient(45deg, {ink} 0 1.5px, transparent 1.5px 6px)",
    "vertical_line": "repeating-linear-gradient(90deg, {ink} 0 1.5px, transparent 1.5px 6px)",
    "horizontal_line": "repeating-linear-gradient(0deg, {ink} 0 1.5px, transparent 1.5px 6px)",
    "cross": "repeating-linear-gradient(90deg, {ink} 0 1px, transparent 1px 6px), "
    "repeating-linear-gradient(0deg, {ink} 0 1px, transparent 1px 6px)",
    "diagonal_cross": "repeating-linear-gradient(135deg, {ink} 0 1px, transparent 1px 6px), "
    "repeating-linear-gradient(45deg, {ink} 0 1px, transparent 1px 6px)",
    "dot": "radial-gradient({ink} 1.2px, transparent 1.6px) 0 0 / 6px 6px",
}


def _swatches() -> Iterator[str]:
    for kind in KINDS:
        hatch = LOOKS[kind].hatch
        drawn = f"{_LINES[hatch].format(ink=f'var(--h-{kind})')}, " if hatch else ""
        yield f".kind-{kind} {{ background: {drawn}var(--k-{kind}); }}"
