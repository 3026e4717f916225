"""The plots: angle over time, time by hour, time by day. Each is one item that bokeh's own script draws in the page.

Knows: values to draw, looks, bokeh. Must never know: the page around them. Nothing here needs the network or evaluates
text as a program: what a plot does beyond bokeh (local clocks, dark pages, buttons) stands in the page's own script.
Colours are given by role, as tags such as "line_color=axis"; the script of the page changes them with the page's.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.output.report import palette
from companion.output.report.lanes import Lane, Level
from companion.output.report.names import kind_words
from companion.output.report.stacks import Stack

Drawing = Any
"""One of bokeh's figures or models: most of what they take is not in their types."""

_LIGHT = palette.colours(dark=False)
_RIBBON_HEIGHT = 0.07  # of the frame
_MIN_SPAN_MS = 5_000
_PALE = 0.3
_FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_ANGLE_TIP = (
    "<div class='tip'><b>@wall{%H:%M:%S}</b><br>@mean_deg{+0.0}° ± @uncertainty_deg{0.0}°"
    "<br>@least_deg{+0.0}° to @most_deg{+0.0}°<br>@kind</div>"
)
_STRETCH_TIP = "<div class='tip'><b>$name</b><br>@wall_from{%H:%M:%S} to @wall_to{%H:%M:%S}</div>"
_ALERT_TIP = "<div class='tip'><b>@wall{%H:%M:%S}</b><br>alert</div>"
_STACK_TIP = "<div class='tip'><b>@label</b><br>$name: @$name{0.0} min</div>"


_ELSEWHERE = re.compile(r"https://(?:[a-z]+\.)*(?:jsdelivr\.net|googleapis\.com|google\.com|bokeh\.org)[^\"'`\s$<>)]*")
"""Where bokeh's script would fetch formulas, maps and icons from, and its makers' pages: a report has none of these."""


@lru_cache(maxsize=1)
def library() -> str:
    """Bokeh's own script, as text: nothing but its core, without the addresses that it knows."""
    from bokeh.resources import Resources

    script = "\n".join(Resources(mode="inline", components=["bokeh"], minified=True).js_raw)
    return _ELSEWHERE.sub("about:blank", script)


def angle_plot(lane: Lane, *, height_px: int) -> dict[str, Any]:
    """Angle over time with the kinds of time as a ribbon below it, and forward time shaded."""
    shown = _angle_figure(lane, height_px)
    _forward(shown, lane)
    _levels(shown, lane)
    _limits(shown, lane)
    _alerts(shown, lane)
    return _item(shown)


def stack_plot(stacks: Sequence[Stack], kinds: Mapping[str, str], *, height_px: int, unit: str) -> dict[str, Any]:
    """Stacked bars of minutes, one for each of `stacks`, of `kinds` (code to words) from the bottom up."""
    from bokeh.models import FactorRange, HoverTool
    from bokeh.plotting import figure

    places: list[Any] = [(stack.group, stack.label) if stack.group else stack.label for stack in stacks]
    shown: Drawing = figure(
        x_range=FactorRange(factors=places), height=height_px, tools="", toolbar_location=None,
        sizing_mode="stretch_width",
    )  # fmt: skip
    bottom = np.zeros(len(stacks))
    for kind, words in kinds.items():
        minutes = np.array([stack.seconds.get(kind, 0.0) / 60 for stack in stacks])
        if minutes.any():
            _bars(shown, kind, words, stacks, places, bottom, minutes)
        bottom = bottom + minutes
    shown.add_tools(HoverTool(tooltips=_STACK_TIP))
    shown.y_range.start = 0
    shown.yaxis.axis_label = unit
    _dressed(shown)
    _grouped(shown)
    return _item(shown)


def _bars(
    shown: Drawing,
    kind: str,
    words: str,
    stacks: Sequence[Stack],
    places: list[Any],
    bottom: npt.NDArray[np.float64],
    minutes: npt.NDArray[np.float64],
) -> None:
    from bokeh.models import VBar

    columns = {
        "place": places,
        "label": [stack.words for stack in stacks],
        "bottom": bottom,
        "top": bottom + minutes,
        words: minutes,
        "alpha": [_PALE if stack.is_pale else 1.0 for stack in stacks],
    }
    bars = VBar(
        x="place", bottom="bottom", top="top", width=0.78, fill_alpha="alpha", hatch_alpha="alpha", **_look(kind)
    )
    _add(shown, bars, columns, name=words)


def _grouped(shown: Drawing) -> None:
    """How days below hours look, and no lines between bars."""
    shown.xgrid.grid_line_color = None
    shown.x_range.group_padding = 0.6
    axis = shown.xaxis[0]
    axis.separator_line_color = None
    axis.group_text_font, axis.group_text_font_size, axis.group_text_font_style = _FONT, "12px", "normal"
    axis.group_text_color = _LIGHT["text"]
    axis.tags = [*axis.tags, "group_text_color=text"]


def _angle_figure(lane: Lane, height_px: int) -> Drawing:
    from bokeh.models import HSpan, PanTool, Range1d, WheelZoomTool
    from bokeh.plotting import figure

    low, high = lane.y_range_deg
    least = min(_MIN_SPAN_MS, lane.to_ms - lane.from_ms)
    bounds = (lane.from_ms, lane.to_ms)
    shown: Drawing = figure(
        height=height_px,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        x_range=Range1d(start=lane.from_ms, end=lane.to_ms, bounds=bounds, min_interval=least),
        y_range=Range1d(start=low - _RIBBON_HEIGHT * 1.4 * (high - low), end=high),
        tools=[PanTool(dimensions="width"), WheelZoomTool(dimensions="width")],
        active_drag=None,
        active_scroll=None,
        toolbar_location=None,
    )
    shown.extra_y_ranges = {"share": Range1d(start=0, end=1)}
    shown.yaxis.axis_label = "forward of baseline, degrees"
    shown.xaxis.formatter.context = None  # the page's script says the date, by the clock on the wall
    _dressed(shown)
    baseline = HSpan(y="y", line_width=1, **_coloured(line_color="axis"))
    _add(shown, baseline, {"y": [0]}, level="underlay")
    return shown


def _forward(shown: Drawing, lane: Lane) -> None:
    """Forward time, shaded from the ribbon to the top."""
    from bokeh.models import Quad

    if "forward" in lane.stretches:
        shade = Quad(
            left="from_ms", right="to_ms", bottom=0.0, top=1.0, fill_alpha=0.15, line_color=None,
            **_coloured(fill_color="forward"),
        )  # fmt: skip
        _add(shown, shade, lane.stretches["forward"].columns, y_range_name="share", level="underlay")


def _levels(shown: Drawing, lane: Lane) -> None:
    """Kinds and angles at every level of fineness; the coarsest is seen until the page's script chooses."""
    from bokeh.models import HoverTool

    ribbons, lines = list[Drawing](), list[Drawing]()
    levels = lane.levels
    for number, level in enumerate(levels):
        said = {"tags": [f"level {number}"], "visible": number == len(levels) - 1}
        ribbons += _ribbon(shown, level, said)
        lines.append(_curve(shown, level, said))
    clock: Any = dict.fromkeys(("@wall", "@wall_from", "@wall_to"), "datetime")
    if ribbons:
        shown.add_tools(HoverTool(renderers=ribbons, tooltips=_STRETCH_TIP, formatters=clock))
    shown.add_tools(
        HoverTool(renderers=lines, tooltips=_ANGLE_TIP, formatters=clock, mode="vline", line_policy="nearest")
    )


def _ribbon(shown: Drawing, level: Level, said: dict[str, Any]) -> list[Drawing]:
    from bokeh.models import Quad

    drawn = list[Drawing]()
    for kind, stretches in level.stretches.items():
        ribbon = Quad(left="from_ms", right="to_ms", bottom=0.0, top=_RIBBON_HEIGHT, **_look(kind))
        drawn.append(_add(shown, ribbon, stretches.columns, y_range_name="share", name=kind_words(kind), **said))
    return drawn


def _curve(shown: Drawing, level: Level, said: dict[str, Any]) -> Drawing:
    """From the least to the most, and the mean: the last of its level, by whose points the level is chosen."""
    from bokeh.models import Line, VArea

    area = VArea(x="x", y1="least", y2="most", fill_alpha=0.38, **_coloured(fill_color="envelope"))
    _add(shown, area, level.envelope, **said)
    line = Line(x="x", y="mean_deg", line_width=1.4, line_join="round", **_coloured(line_color="line"))
    return _add(shown, line, level.points, **said)


def _limits(shown: Drawing, lane: Lane) -> None:
    from bokeh.models import Segment

    limit = Segment(
        x0="from_ms", x1="to_ms", y0="limit_deg", y1="limit_deg", line_dash=[6, 4], line_width=1.4,
        **_coloured(line_color="limit"),
    )  # fmt: skip
    _add(shown, limit, lane.limits)


def _alerts(shown: Drawing, lane: Lane) -> None:
    from bokeh.models import HoverTool, Scatter

    if not len(lane.alerts["x"]):
        return
    mark = Scatter(
        x="x", y={"value": 0.96}, marker={"value": "inverted_triangle"}, size=10, line_color=None,
        **_coloured(fill_color="alert"),
    )  # fmt: skip
    marks = _add(shown, mark, lane.alerts, y_range_name="share")
    clock: Any = {"@wall": "datetime"}
    shown.add_tools(HoverTool(renderers=[marks], tooltips=_ALERT_TIP, formatters=clock))


def _add(shown: Drawing, glyph: Drawing, columns: Mapping[str, Any], **said: Any) -> Drawing:
    """Put a glyph and what it draws into a figure."""
    from bokeh.models import ColumnDataSource

    return shown.add_glyph(ColumnDataSource(dict(columns)), glyph, **said)


def _look(kind: str) -> dict[str, Any]:
    """Colour and pattern of a kind, for a glyph that is filled."""
    return {
        "line_color": None,
        "hatch_pattern": palette.LOOKS[kind].hatch,
        "hatch_scale": 6,
        **_coloured(fill_color=kind, hatch_color=palette.hatch_role(kind)),
    }


def _coloured(**roles: str) -> dict[str, Any]:
    """The light colours of some properties, and the tags that say which colour is of which role."""
    return {name: _LIGHT[role] for name, role in roles.items()} | {
        "tags": [f"{name}={role}" for name, role in roles.items()]
    }


def _dressed(shown: Drawing) -> None:
    """No frame, no background: the page's own shows through; calm axes."""
    shown.background_fill_color = None
    shown.border_fill_color = None
    shown.outline_line_color = None
    shown.min_border_left = 56
    shown.min_border_right = 12
    shown.toolbar.logo = None
    shown.lod_threshold = None  # what is drawn is coarse enough; thinned out it would have other colours
    lines = _coloured(
        axis_line_color="axis",
        major_tick_line_color="axis",
        major_label_text_color="text",
        axis_label_text_color="text",
    )
    for axis in shown.axis:
        axis.update(
            **lines,
            minor_tick_line_color=None,
            major_label_text_font=_FONT,
            axis_label_text_font=_FONT,
            major_label_text_font_size="12px",
            axis_label_text_font_size="12px",
            axis_label_text_font_style="normal",
        )
    for grid in shown.grid:
        grid.update(**_coloured(grid_line_color="grid"))
    shown.xgrid.grid_line_alpha = 0.6


def _item(shown: Drawing) -> dict[str, Any]:
    from bokeh.embed import json_item

    item: dict[str, Any] = dict(json_item(shown))
    return item
