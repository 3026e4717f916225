"""The page as a whole: values into the template, plots beside it, and a policy that forbids everything else.

Knows: the overview, the rooms of this package, jinja2. Must never know: files that are not part of the package.
No text of a recording reaches the page as anything but text: everything that the template prints is made printable
and then escaped, data inside scripts cannot end them, and the policy runs no script but the three of this page.
"""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from companion.output.report import names, palette, session_tables, summaries, tables
from companion.output.report.lanes import Lane, lanes_of
from companion.output.report.plots import angle_plot, library, stack_plot
from companion.output.report.stacks import Stack, day_stacks, hour_stacks
from companion.output.words import NOT_A_MEDICAL_DEVICE
from companion.overview import Overview
from companion.text import printable

_BREAKS = re.compile(r"(?<=,) (?!\d\d:\d\d\b(?! to \d\d:))| (?=to \d{4}-)| (?=\()")
_LONGEST = 2_000
_SESSION_PX, _WEEK_PX, _BARS_PX = 340, 200, 280


def page(overview: Overview) -> str:
    """The HTML text of a report: one file, no network, nothing that is not in it."""
    lanes = lanes_of(overview.traces, same_hours=overview.kind == "week")
    hours, days = hour_stacks(overview), day_stacks(overview.days) if overview.kind == "week" else ()
    plots = _plots(overview, lanes, hours, days)
    scripts = (library(), _text("page.js"))
    text: str = _template().render(
        overview=overview,
        notes=overview.notes,
        lanes=[_lane_texts(place, lane) for place, lane in enumerate(lanes)],
        hours=hours,
        tables=tables,
        of_sessions=session_tables,
        title_parts=title_parts(overview.title),
        names=names,
        summaries=summaries,
        day_stacks=days,
        legend=summaries.legend(overview.shares),
        care=NOT_A_MEDICAL_DEVICE,
        style=_markup(_text("style.css") + palette.style_sheet()),
        policy=_policy(scripts),
        scripts=[_markup(script) for script in scripts],
        data=_markup(inert_json(plots)),
    )
    return text


def title_parts(title: str) -> tuple[str, ...]:
    """A title, cut where a line may end: never between a day and the time on it, nor within a span of time."""
    return tuple(_BREAKS.split(title))


def inert_json(value: object) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plots(
    overview: Overview, lanes: Sequence[Lane], hours: Sequence[Stack], days: Sequence[Stack]
) -> dict[str, object]:
    """What the page's script draws: items by the id of the place where each belongs."""
    height = _WEEK_PX if overview.kind == "week" or len(lanes) > 2 else _SESSION_PX
    kinds = dict(summaries.legend(overview.shares))
    plots = [
        {
            "place": f"angle-{place}",
            "item": angle_plot(lane, height_px=height),
            "offsets": [[offset.from_ms, offset.ahead_ms] for offset in lane.offsets],
        }
        for place, lane in enumerate(lanes)
    ]
    for place, stacks in (("hours", hours), ("days", days)):
        if stacks and kinds:
            plots.append({"place": place, "item": stack_plot(stacks, kinds, height_px=_BARS_PX, unit="minutes")})
    return {
        "plots": plots,
        "colours": {"light": palette.colours(dark=False), "dark": palette.colours(dark=True)},
    }


def _lane_texts(place: int, lane: Lane) -> dict[str, Any]:
    return {
        "id": f"angle-{place}",
        "title": summaries.lane_title(lane),
        "sentence": summaries.lane_sentence(lane),
        "numbers": summaries.lane_numbers(lane),
        "limits": tuple(
            dict.fromkeys("none" if trace.limit_deg is None else f"{trace.limit_deg:.1f}°" for trace in lane.traces)
        ),
        "changes": len(lane.offsets) > 1,
    }


def _policy(scripts: Sequence[str]) -> str:
    """What the browser may do: these scripts, the page's own styles and pictures inside it; no network at all."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def _template() -> Any:
    """The template; what it prints is printable, and then escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def fit(value: object) -> object:
        return printable(value, _LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        finalize=fit,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _text(name: str) -> str:
    """A file of this package."""
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _markup(text: str) -> object:
    """Text of this package, or made inert, that stands in the page as it is."""
    from markupsafe import Markup

    return Markup(text)
