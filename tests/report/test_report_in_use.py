"""The page under a hand: hover, zoom, wheel, clocks that change, dark pages, telephones, paper."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from companion.output.report.palette import colours
from companion.overview import Overview

pytestmark = pytest.mark.slow  # a browser opens each page, and together they take more than a minute

HALF_HOUR = (("in_range", 900, 2), ("forward", 60, 20), ("walking", 90, 5), ("in_range", 750, 3))
RANGE = "() => { const range = Bokeh.documents[0].roots()[0].x_range; return [range.start, range.end]; }"
TIPS = """() => {
  const found = [];
  const walk = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.classList.contains("tip")) found.push(each.innerText);
      if (each.shadowRoot !== null) walk(each.shadowRoot);
    }
  };
  walk(document);
  return found.filter((text) => text !== "");
}"""


def over(seen: Any, across: float, down: float) -> tuple[float, float]:
    """A place in the first plot's frame, in parts of its width and height; the plot is scrolled into view."""
    seen.page.locator("#angle-0").scroll_into_view_if_needed()
    box = seen.ask(
        "() => { const view = Bokeh.index.roots[0]; const at = view.el.getBoundingClientRect();"
        "const frame = view.frame.bbox; return [at.x + frame.x0, at.y + frame.y0, frame.width, frame.height]; }"
    )
    return box[0] + across * box[2], box[1] + down * box[3]


def test_hover_says_time_angle_and_kind(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    # Of 3600 s, from 1234 s on for 40 s forward with 17°; the frame has half a per cent of margin at either side.
    seen.page.mouse.move(*over(seen, (1254 + 18) / 3636, 0.5))
    seen.until(f"({TIPS})().length > 0")
    (tip,) = seen.ask(TIPS)
    assert tip.startswith("09:2")
    assert "° ± 0.7°" in tip
    assert tip.endswith("forward of baseline")


@pytest.mark.parametrize(("dark", "ground"), [(False, "rgb(255, 255, 255)"), (True, "rgb(26, 30, 34)")])
def test_what_hover_says_is_as_dark_as_the_page(
    opened: Callable[..., Any], desk_hour: Overview, dark: bool, ground: str
) -> None:
    seen = opened(desk_hour, dark=dark)
    seen.page.mouse.move(*over(seen, 0.5, 0.5))
    seen.until(f"({TIPS})().length > 0")
    assert seen.ask("getComputedStyle(document.querySelector('.bk-Tooltip')).backgroundColor") == ground


def test_hover_on_the_ribbon_says_from_when_to_when(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    seen.page.mouse.move(*over(seen, (2215 + 18) / 3636, 0.97))
    seen.until(f"({TIPS})().length > 1")
    assert "walking\n09:36:14 to 09:37:44" in seen.ask(TIPS)


def test_buttons_zoom_and_move(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    first, last = seen.ask(RANGE)
    press = lambda name: seen.page.get_by_role("button", name=name, exact=True).click()  # noqa: E731
    press("Zoom in")
    assert seen.ask(RANGE) == [first + (last - first) / 4, last - (last - first) / 4]
    press("Earlier")
    assert seen.ask(RANGE)[0] == pytest.approx(first + (last - first) / 12)
    press("Earlier")
    assert seen.ask(RANGE) == [first, pytest.approx((first + last) / 2)]
    press("Zoom out")
    assert seen.ask(RANGE) == [first, last]
    for _ in range(30):
        press("Zoom in")
    low, high = seen.ask(RANGE)
    assert high - low == pytest.approx(5000)
    press("Whole")
    assert seen.ask(RANGE) == [first, last]


def test_near_by_more_points_are_drawn(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    points = (
        "() => Bokeh.documents[0].roots()[0].renderers"
        ".filter((each) => each.visible && each.tags[0]?.startsWith('level') && 'x' in each.data_source.data)"
        ".map((each) => each.data_source.get_length())"
    )
    far = seen.ask(points)
    for _ in range(4):
        seen.page.get_by_role("button", name="Zoom in").click()
    seen.until(f"(far) => Math.min(...({points})()) > 4 * far", max(far))
    assert len(far) == len(seen.ask(points)) == 2


def test_the_wheel_scrolls_the_page_until_the_plot_was_clicked(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    whole = seen.ask(RANGE)
    seen.page.mouse.move(*over(seen, 0.5, 0.4))
    before = seen.ask("scrollY")
    seen.page.mouse.wheel(0, 80)
    seen.until("(before) => scrollY > before", before)
    assert seen.ask(RANGE) == whole
    place = over(seen, 0.5, 0.4)
    seen.page.mouse.click(*place)
    seen.until("Bokeh.documents[0].roots()[0].toolbar.active_scroll !== null")
    before = seen.ask("scrollY")
    seen.page.mouse.wheel(0, -120)
    seen.until(f"(whole) => ({RANGE})()[0] > whole", whole[0])
    assert seen.ask("scrollY") == before
    seen.page.mouse.move(5, 5)
    seen.until("Bokeh.documents[0].roots()[0].toolbar.active_scroll === null")


@pytest.mark.parametrize(
    ("day", "began", "hours", "labels"),
    [
        (
            "2026-10-25",
            "00:00+02:00",
            8,
            ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00", "05:00", "06:00", "07:00"],
        ),
        ("2026-03-29", "00:00+01:00", 6, ["00:00", "01:00", "03:00", "04:00", "05:00", "06:00", "07:00"]),
    ],
)
def test_labels_follow_the_clock_on_the_wall_through_a_change(
    opened: Callable[..., Any],
    session: Callable[..., Any],
    report_of: Callable[..., Overview],
    day: str,
    began: str,
    hours: int,
    labels: list[str],
) -> None:
    made = session(f"{day}T{began}", *HALF_HOUR * (2 * hours))
    seen = opened(report_of(made, kind="day", first_day=date.fromisoformat(day)))
    found = seen.ask("""() => {
      const figure = Bokeh.documents[0].roots()[0];
      const axis = figure.below[0];
      axis.ticker.desired_num_ticks = 8;
      const ticks = axis.ticker.get_ticks(figure.x_range.start, figure.x_range.end, figure.x_range, 0).major;
      return [axis.formatter.doFormat(ticks, { loc: 0 }), ticks.slice(1).map((tick, at) => tick - ticks[at])];
    }""")
    assert [label.split("\n")[0] for label in found[0]] == labels
    assert set(found[1]) == {3_600_000}
    assert "Clocks were changed on this day" in seen.ask("document.querySelector('#angles').innerText")


def test_ticks_stand_at_round_times_of_a_zone_of_half_hours(
    opened: Callable[..., Any], session: Callable[..., Any], report_of: Callable[..., Overview]
) -> None:
    seen = opened(report_of(session("2026-10-21T09:10+05:30", *HALF_HOUR * 8, zone="Asia/Kolkata")))
    found = seen.ask("""() => {
      const figure = Bokeh.documents[0].roots()[0];
      const axis = figure.below[0];
      axis.ticker.desired_num_ticks = 5;
      return axis.formatter.doFormat(
        axis.ticker.get_ticks(figure.x_range.start, figure.x_range.end, figure.x_range, 0).major, { loc: 0 });
    }""")
    assert found == ["10:00", "11:00", "12:00", "13:00"]


def test_a_dark_page_draws_dark_plots_and_follows_a_change(opened: Callable[..., Any], desk_hour: Overview) -> None:
    text = "Bokeh.documents[0].roots()[0].below[0].major_label_text_color"
    seen = opened(desk_hour, dark=True)
    assert seen.ask(text) == colours(dark=True)["text"]
    seen.page.emulate_media(color_scheme="light")
    seen.until(f"(light) => {text} === light", colours(dark=False)["text"])
    assert seen.ask("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)"
    assert seen.complaints == []


@pytest.mark.parametrize("width", [390, 320])
def test_a_telephone_scrolls_down_only(opened: Callable[..., Any], desk_hour: Overview, width: int) -> None:
    seen = opened(desk_hour, phone=True)
    seen.page.set_viewport_size({"width": width, "height": 844})
    seen.ask("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    seen.until("document.querySelector('.plot').clientWidth < innerWidth")
    assert seen.ask("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
    assert seen.ask("Bokeh.documents[0].roots()[0].toolbar.active_drag") is None
    touch = "getComputedStyle(Bokeh.index.roots[0].canvas_view.events_el).touchAction"
    assert seen.ask(touch) == "auto"


def test_a_tap_says_what_hover_says_until_the_page_moves(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour, phone=True)
    seen.page.touchscreen.tap(*over(seen, (1254 + 18) / 3636, 0.5))
    seen.until(f"({TIPS})().length > 0")
    assert seen.ask(TIPS)[0].endswith("forward of baseline")
    seen.ask("() => scrollBy(0, 200)")
    seen.until(f"({TIPS})().length === 0")


@pytest.fixture(scope="module")
def lunch(session: Callable[..., Any], report_of: Callable[..., Overview]) -> Overview:
    """A day with an hour and a half between two sessions."""
    return report_of(
        session("2026-10-21T09:00+02:00", *HALF_HOUR, name="s1"),
        session("2026-10-21T11:00+02:00", *HALF_HOUR, name="s2"),
        kind="day",
        first_day=date(2026, 10, 21),
    )


def test_where_nothing_was_recorded_the_plot_says_so(opened: Callable[..., Any], lunch: Overview) -> None:
    seen = opened(lunch)
    said = "document.querySelector('[data-nothing=angle-0]').innerText"
    assert seen.ask("document.querySelector('[data-nothing=angle-0]').ariaLive") == "polite"
    assert seen.ask(said) == ""
    for _ in range(3):
        seen.page.get_by_role("button", name="Zoom in").click()
    seen.until(f"{said} === 'Nothing recorded here: ‹ and › move, Whole shows all.'")
    for _ in range(8):
        seen.page.get_by_role("button", name="Later", exact=True).click()
    seen.until(f"{said} === ''")
    assert seen.complaints == []


def test_no_hover_box_stays_behind_when_the_plot_moves(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour)
    seen.page.mouse.move(*over(seen, 0.5, 0.4))
    seen.until(f"({TIPS})().length > 0")
    seen.page.mouse.click(*over(seen, 0.5, 0.4))
    seen.until("Bokeh.documents[0].roots()[0].toolbar.active_scroll !== null")
    before = seen.ask(RANGE)
    for _ in range(8):
        seen.page.mouse.wheel(0, -120)
    seen.until(f"(before) => ({RANGE})()[0] > before", before[0])
    seen.page.wait_for_timeout(300)
    x, y = over(seen, 0.52, 0.4)
    seen.page.mouse.move(x, y)
    seen.page.wait_for_timeout(300)
    assert len(seen.ask(TIPS)) == 1


WIDER = """() => [...document.querySelectorAll("body *")]
  .filter((each) => each.closest(".unseen, script") === null && each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.tagName + " " + each.textContent.slice(0, 30))"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll("main *, header *, footer *")]
  .filter((each) => each.getClientRects().length > 0 && each.closest(".unseen") === null
    && [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ""))
  .map((each) => parseFloat(getComputedStyle(each).fontSize) * 0.75))"""


def a_week(session: Callable[..., Any], report_of: Callable[..., Overview], sessions: int) -> Overview:
    """Many sessions, all in one week, two a day."""
    stretches = (*HALF_HOUR, ("forward", 100, 22), ("reclined", 100, -20)) * 5
    made = [
        session(f"2026-10-{19 + number // 2}T{9 + number % 2 * 5:02d}:00+02:00", *stretches, name=f"{number:032x}")
        for number in range(sessions)
    ]
    return report_of(*made, kind="week", first_day=date(2026, 10, 19))


A4_PX = 703  # 210 mm less two margins of 12 mm


def test_nothing_is_wider_than_paper_or_too_small_to_read(
    opened: Callable[..., Any], session: Callable[..., Any], report_of: Callable[..., Overview]
) -> None:
    seen = opened(a_week(session, report_of, 12))
    seen.page.set_viewport_size({"width": A4_PX, "height": 1000})
    seen.ask("() => dispatchEvent(new Event('beforeprint'))")
    seen.page.emulate_media(media="print")
    assert seen.ask("document.documentElement.scrollWidth") == A4_PX
    assert seen.ask(WIDER) == []
    assert seen.ask(SMALLEST) >= 7.99
    seen.ask("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert seen.ask(WIDER) == []
    assert seen.ask(SMALLEST) >= 7.99


def test_a_week_is_few_pages(
    opened: Callable[..., Any], session: Callable[..., Any], report_of: Callable[..., Overview]
) -> None:
    seen = opened(a_week(session, report_of, 12))
    assert 4 <= seen.page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") <= 12
    seen.ask("() => dispatchEvent(new Event('beforeprint'))")
    closed = seen.ask("[...document.querySelectorAll('details:not([open]) > summary')].map((each) => each.innerText)")
    assert "Every figure of these sessions, with its meaning" in closed
    assert "Figures" not in closed


@pytest.mark.parametrize("sessions", [1, 2, 5])
def test_tables_fit_a_screen(
    opened: Callable[..., Any], session: Callable[..., Any], report_of: Callable[..., Overview], sessions: int
) -> None:
    seen = opened(a_week(session, report_of, sessions))
    seen.ask("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    cut = """() => [...document.querySelectorAll(".box")]
      .filter((box) => box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1)
      .map((box) => box.dataset.name)"""
    assert seen.ask(cut) == []


def test_paper_is_light_whole_and_fits(opened: Callable[..., Any], desk_hour: Overview) -> None:
    seen = opened(desk_hour, dark=True)
    seen.ask("() => dispatchEvent(new Event('beforeprint'))")
    seen.page.emulate_media(media="print", color_scheme="dark")
    pictures = seen.ask("""() => [...document.querySelectorAll("canvas.paper")].map((picture) => {
      const pixels = picture.getContext("2d").getImageData(0, 0, picture.width, picture.height).data;
      const seen = new Set();
      for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] === 255) {
          seen.add("#" + [0, 1, 2].map((by) => pixels[at + by].toString(16).padStart(2, "0")).join(""));
        }
      }
      return [getComputedStyle(picture).display, [...seen]];
    })""")
    assert [display for display, _ in pictures] == ["block", "block"]
    assert colours(dark=False)["in_range"] in pictures[0][1]
    assert colours(dark=True)["in_range"] not in pictures[0][1]
    assert seen.ask("document.querySelectorAll('details:not([open])').length") == 0
    assert seen.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    hidden = seen.ask("[...document.querySelectorAll('.plot, .moves')].map((each) => getComputedStyle(each).display)")
    assert set(hidden) == {"none"}
    seen.ask("() => dispatchEvent(new Event('afterprint'))")
    assert seen.ask("document.querySelectorAll('canvas.paper, details[open]').length") == 0


def test_it_prints(opened: Callable[..., Any], desk_hour: Overview) -> None:
    pdf = opened(desk_hour).page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF-")
    assert 4 <= pdf.count(b"/Type /Page\n") <= 15
    assert pdf.count(b"/Subtype /Image") >= 2
    assert b"/ToUnicode" in pdf
