"""The page in a real Chromium: it draws, quietly and without a network, whatever was recorded."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from companion.overview import Overview

pytestmark = pytest.mark.slow  # a browser opens each page, and together they take more than a minute

INKED = """(place) => {
  const views = Bokeh.index.roots.filter((view) => view.canvas_view && document.querySelector(place).contains(view.el));
  return views.map((view) => {
    const canvas = view.canvas_view.primary.canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let at = 0; at < pixels.length; at += 4) {
      if (pixels[at + 3] > 0) colours.add(`${pixels[at] >> 4} ${pixels[at + 1] >> 4} ${pixels[at + 2] >> 4}`);
    }
    return colours.size;
  });
}"""
HOUR = (
    ("settling", 4, 0),
    ("in_range", 1700, 2),
    ("forward", 100, 22),
    ("moving", 30, 8),
    ("walking", 90, 5),
    ("reclined", 120, -20),
    ("in_range", 1536, 4),
    ("no_data", 20, 0),
)
EVIL = "</script><img src=x onerror=alert(1)><!--<script>{{7*7}}\u202e\u2066\x1b[31m'\"&lt;"


def quiet(seen: Any) -> bool:
    """Nothing was complained of, and nothing but the page itself was asked for."""
    assert seen.complaints == []
    assert [url[:40] for url in seen.requests[1:] if not url.startswith("data:")] == []
    return True


@pytest.mark.parametrize("dark", [False, True])
def test_it_draws_and_asks_for_nothing(opened: Callable[..., Any], desk_hour: Overview, dark: bool) -> None:
    seen = opened(desk_hour, dark=dark)
    assert quiet(seen)
    for place in ("#angle-0", "#hours"):
        (colours,) = seen.ask(INKED, place)
        assert colours > 8


def minute(session: Callable[..., Any]) -> dict[str, Any]:
    return {"sessions": [session("2026-10-21T09:00+02:00", ("in_range", 60, 2))]}


def no_rows(session: Callable[..., Any]) -> dict[str, Any]:
    return {"sessions": [session("2026-10-21T09:00+02:00")]}


def no_calibration(session: Callable[..., Any]) -> dict[str, Any]:
    made = session("2026-10-21T09:00+02:00", ("settling", 4, 0), ("unjudged", 3600, 0), calibrated=False)
    return {"sessions": [made]}


def day_of_25_hours(session: Callable[..., Any]) -> dict[str, Any]:
    whole = session("2026-10-25T00:00+02:00", *HOUR * 25)
    return {"sessions": [whole], "kind": "day", "first_day": date(2026, 10, 25)}


def thirty_sessions(session: Callable[..., Any]) -> dict[str, Any]:
    made = [
        session(
            f"2026-10-21T{8 + place // 4:02d}:{place % 4 * 15:02d}+02:00",
            ("in_range", 600, 2),
            ("forward", 100, 20),
            name=f"s{place}",
        )
        for place in range(30)
    ]
    return {"sessions": made, "kind": "day", "first_day": date(2026, 10, 21)}


def overlapping(session: Callable[..., Any]) -> dict[str, Any]:
    made = [
        session("2026-10-21T09:00+02:00", *HOUR, name="s1"),
        session("2026-10-21T09:30+02:00", *HOUR, name="s2"),
        session("2026-10-21T09:30+02:00", *HOUR, name="s3", zone="Asia/Tokyo"),
    ]
    return {"sessions": made}


def week(session: Callable[..., Any]) -> dict[str, Any]:
    monday = date(2026, 10, 19)
    made = [
        session(f"{monday + timedelta(days=place)}T08:00+02:00", *HOUR * 10, name=f"s{place}") for place in range(5)
    ]
    made.append(session(f"{monday + timedelta(days=5)}T10:00+02:00", *HOUR, name="short"))
    return {"sessions": made, "kind": "week", "first_day": monday}


@pytest.mark.parametrize(
    ("recorded", "angle_plots", "bar_plots"),
    [
        (minute, 1, 1),
        (no_rows, 1, 0),
        (no_calibration, 1, 1),
        (day_of_25_hours, 1, 1),
        (thirty_sessions, 1, 1),
        (overlapping, 3, 1),
        (week, 6, 2),
    ],
)
def test_whatever_was_recorded(
    opened: Callable[..., Any],
    session: Callable[..., Any],
    report_of: Callable[..., Overview],
    recorded: Callable[..., dict[str, Any]],
    angle_plots: int,
    bar_plots: int,
) -> None:
    said = recorded(session)
    seen = opened(report_of(*said.pop("sessions"), **said))
    assert quiet(seen)
    assert seen.ask("document.querySelectorAll('[id^=angle-].plot').length") == angle_plots
    assert seen.ask("document.querySelectorAll('.plot.bars').length") == bar_plots
    assert seen.ask("document.body.innerText.match(/\\b(NaN|nan|None|undefined|inf)\\b/g)") is None
    assert len(seen.ask(INKED, "body")) == angle_plots + bar_plots


def poisoned(value: Any) -> Any:
    """The same with every text that a recording brings replaced by one that means harm."""
    if isinstance(value, str):
        return EVIL
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            each.name: poisoned(getattr(value, each.name))
            for each in fields(value)
            if each.name not in ("kind", "utc_offset", "exposure", "utc_ms", "zone")
        }
        return replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(poisoned(each) for each in value)
    return {key: poisoned(each) for key, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("kind", ["session", "week"])
def test_texts_that_mean_harm_stay_texts(
    opened: Callable[..., Any], session: Callable[..., Any], report_of: Callable[..., Overview], kind: str
) -> None:
    made = session("2026-10-21T09:00+02:00", *HOUR, damage=((1.0, 2.0, "cut"),))
    first = date(2026, 10, 19) if kind == "week" else None
    overview = poisoned(
        report_of(made, session("2026-10-22T09:00+02:00", *HOUR, name="s2"), kind=kind, first_day=first)
    )
    overview = replace(overview, traces=tuple(replace(trace, zone=EVIL) for trace in overview.traces), zones=(EVIL,))
    seen = opened(overview)
    assert quiet(seen)
    assert seen.ask("document.images.length") == 0
    assert seen.ask("document.scripts.length") == 3
    text = seen.ask("document.body.innerText")
    assert "<img src=x onerror=alert(1)>" in text
    assert "{{7*7}}" in text
    assert [char for char in text if not char.isprintable() and char not in "\n\t"] == []


def test_poison_reaches_the_strings(desk_hour: Overview) -> None:
    overview = poisoned(desk_hour)
    assert overview.title == overview.sessions[0]["device"] == overview.episodes[0]["ended_by"] == EVIL
    assert np.array_equal(overview.traces[0].utc_ms, desk_hour.traces[0].utc_ms)


def test_the_policy_runs_no_other_script(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    seen.ask("""() => {
      const added = document.createElement("script");
      added.textContent = "window.ran = 1";
      document.body.append(added);
      document.body.insertAdjacentHTML("beforeend", "<img src='http://127.0.0.1:9/x' onerror='window.ran = 2'>");
      const style = document.createElement("link");
      style.rel = "stylesheet"; style.href = "http://127.0.0.1:9/y"; document.head.append(style);
    }""")
    seen.page.wait_for_timeout(300)
    assert seen.ask("window.ran") is None
    refused = [said for said in seen.complaints if "Content Security Policy" in said]
    for what in ("inline script", "inline event handler", "http://127.0.0.1:9/x", "http://127.0.0.1:9/y"):
        assert [said for said in refused if what in said], what
