"""Who cannot see a plot, or not its colours, or has no mouse, reads the same: structure, texts, contrast."""

import itertools
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from companion.output.report.palette import LOOKS
from companion.overview import KINDS, Overview

pytestmark = pytest.mark.slow  # a browser opens each page, and together they take more than a minute

CONTRASTS = """() => {
  const rgba = (text) => {
    const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a ?? 1] : [r, g, b, a ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "");
    if (!own || element.closest("script, .plot, .unseen") || element.getClientRects().length === 0) continue;
    const under = ground(element);
    const ink = over(rgba(getComputedStyle(element).color), under);
    const [low, high] = [light(ink), light(under)].sort((one, other) => one - other);
    found.push([(high + 0.05) / (low + 0.05), element.tagName + ": " + element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out(opened: Callable[..., Any], desk_hour: Overview, dark: bool) -> None:
    seen = opened(desk_hour, dark=dark)
    seen.ask("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = seen.ask(CONTRASTS)
    assert len(found) > 300
    assert [each for each in found if each[0] < 4.5] == []


def test_the_structure_is_told(opened: Callable[..., Any], session: Any, report_of: Any) -> None:
    made = session("2026-10-21T09:00+02:00", ("in_range", 300, 2), ("forward", 60, 20), ("walking", 90, 4))
    seen = opened(report_of(made, kind="week", first_day=date(2026, 10, 19)))
    assert seen.ask("document.documentElement.lang") == "en"
    for landmark in ("header", "nav", "main", "footer"):
        assert seen.ask(f"document.querySelectorAll('body > {landmark}').length") == 1
    levels = seen.ask("[...document.querySelectorAll('h1, h2, h3, h4')].map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = seen.ask("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    for link in seen.ask("[...document.querySelectorAll('a')].map((each) => each.getAttribute('href'))"):
        assert link.startswith("#")
        assert link[1:] in ids


def test_every_plot_has_words_and_a_table(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    plots = seen.ask("""[...document.querySelectorAll(".plot")].map((plot) => [
      plot.getAttribute("role"), plot.getAttribute("aria-label"),
      plot.closest("figure").querySelector("figcaption").innerText,
      plot.closest("figure").querySelectorAll("table tbody tr").length,
    ])""")
    assert len(plots) == 2
    for role, label, caption, rows in plots:
        assert role == "img"
        assert len(label) > 60
        assert len(caption) > 40
        assert rows > 0
    assert "3 alerts, between 09:00 and 10:00" in plots[0][1]


def test_every_table_names_itself_and_its_columns(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    tables = seen.ask("""[...document.querySelectorAll("table")].map((table) => [
      table.caption?.textContent ?? "",
      table.querySelectorAll("th:not([scope])").length,
      table.querySelectorAll("th").length,
    ])""")
    assert len(tables) > 10
    for caption, without_scope, headings in tables:
        assert caption
        assert without_scope == 0
        assert headings > 1


BOXES = """() => [...document.querySelectorAll(".box")].map((box) => [
  box.scrollWidth > box.clientWidth + 1, box.getAttribute("tabindex"), box.getAttribute("role"),
  (box.ariaLabel ?? "") !== "", box.matches("[data-right]"), getComputedStyle(box).maskImage !== "none",
])"""
SCROLLS = [True, "0", "region", True, True, True]
FITS = [False, None, None, False, False, False]


def test_only_a_table_that_scrolls_is_a_stop_and_shows_that_it_goes_on(
    opened: Callable[..., Any], desk_hour: Overview
) -> None:
    seen = opened(desk_hour)
    seen.ask("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    seen.until("document.querySelectorAll('.box[tabindex]').length === 0")
    assert {tuple(each) for each in seen.ask(BOXES)} == {tuple(FITS)}
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.until("document.querySelectorAll('.box[tabindex]').length > 0")
    seen.page.wait_for_timeout(200)
    found = seen.ask(BOXES)
    assert all(each in (SCROLLS, FITS) for each in found)
    assert SCROLLS in found
    seen.ask("() => { const box = document.querySelector('.stays').parentElement; box.scrollLeft = 9999; }")
    seen.until("!document.querySelector('.stays').parentElement.matches('[data-right]')")
    assert seen.ask("document.querySelector('.stays').parentElement.matches('[data-left]')")
    seen.page.set_viewport_size({"width": 1280, "height": 900})
    seen.until("document.querySelectorAll('.box[tabindex], .box[data-left]').length === 0")


def test_sections_are_called_the_same_in_both_places(opened: Callable[..., Any], session: Any, report_of: Any) -> None:
    made = session("2026-10-21T09:00+02:00", ("in_range", 300, 2), ("forward", 60, 20), ("walking", 90, 4))
    for overview in (report_of(made), report_of(made, kind="week", first_day=date(2026, 10, 19))):
        pairs = opened(overview).ask("""[...document.querySelectorAll("nav a")].map((link) => [
          link.innerText, document.querySelector(link.hash + " h2").innerText,
        ])""")
        assert len(pairs) > 9
        assert [pair for pair in pairs if not pair[1].startswith(pair[0])] == []


def test_the_keyboard_reaches_the_buttons(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    seen.page.get_by_role("button", name="Zoom in").focus()
    seen.page.keyboard.press("Enter")
    low, high = seen.ask("(() => { const r = Bokeh.documents[0].roots()[0].x_range; return [r.start, r.end]; })()")
    assert high - low == pytest.approx(3636e3 / 2, rel=1e-3)
    assert seen.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    names = seen.ask("[...document.querySelectorAll('button')].map((each) => each.ariaLabel ?? each.innerText)")
    assert names == ["Zoom in", "Zoom out", "Earlier", "Later", "Whole"]


def test_patterns_tell_what_colours_tell() -> None:
    drawn = {kind: LOOKS[kind].hatch for kind in KINDS}
    judged = [drawn[kind] for kind in ("in_range", "forward", "reclined", "unjudged", "walking", "lying", "no_data")]
    assert len(set(judged)) == len(judged)


def test_it_says_what_it_is_not(opened: Callable[..., Any], desk_hour: Overview) -> None:
    text = opened(desk_hour).ask("document.body.innerText")
    assert "not a medical device" in text
    assert "discomfort" in text
    for part in ("The head", "The hips", "The skin"):
        assert part in text
