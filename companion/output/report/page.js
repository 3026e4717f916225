"use strict";
// Draws the plots with bokeh, and adds what bokeh does not have: clocks on the wall, dark pages, buttons, paper.
(() => {
  const given = JSON.parse(document.getElementById("report-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)");
  const drawn = [];
  const NOTHING = "Nothing recorded here: ‹ and › move, Whole shows all.";
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const pad = (number) => String(number).padStart(2, "0");

  // The colour of every property that has a role stands in the tags of its model, as "property=role".
  function paint(root, colours) {
    for (const model of root.references()) {
      const changes = {};
      for (const tag of model.tags ?? []) {
        const [property, role] = tag.split("=");
        if (role === undefined) continue;
        changes[property] = property in (model.properties ?? {}) && isSpec(model, property)
          ? { value: colours[role] }
          : colours[role];
      }
      if (Object.keys(changes).length > 0) model.setv(changes);
    }
  }

  // Of a glyph a colour may also be a column; then a plain one has to be called a value.
  function isSpec(model, property) {
    const now = model[property];
    return now !== null && typeof now === "object" && "value" in now;
  }

  function ahead(offsets, at) {
    let found = offsets[0][1];
    for (const [from, by] of offsets) if (from <= at) found = by;
    return found;
  }

  // Ticks at round times of the clock on the wall, on an axis that goes on evenly through a change of clocks.
  function clock(axis, offsets) {
    const ticker = axis.ticker;
    const utc = ticker.get_ticks.bind(ticker);
    ticker.get_ticks = (low, high, range, cross) => {
      const by = ahead(offsets, low);
      const plain = utc(low + by, high + by, range, cross).major.map((tick) => tick - by);
      const step = plain.length > 1 ? plain[1] - plain[0] : 0;
      const changes = offsets.filter(([from]) => from > low && from < high);
      if (changes.length === 0 || step <= 0) return { major: plain, minor: [] };
      const major = plain.filter((tick) => tick < changes[0][0]);
      changes.forEach(([from, later], place) => {
        const until = place + 1 < changes.length ? changes[place + 1][0] : high + 1;
        for (let at = Math.ceil((from + later) / step) * step - later; at < until; at += step) major.push(at);
      });
      return { major, minor: [] };
    };
    axis.formatter.doFormat = (ticks) => {
      const steps = ticks.slice(1).map((tick, place) => tick - ticks[place]);
      const seconds = Math.min(...steps, Infinity) < 60_000;
      const shown = ticks.map((tick) => new Date(tick + ahead(offsets, tick)));
      const days = shown.map((each) => each.getUTCDate());
      return shown.map((each, place) => {
        const minutes = `${pad(each.getUTCHours())}:${pad(each.getUTCMinutes())}`;
        const time = seconds ? `${minutes}:${pad(each.getUTCSeconds())}` : minutes;
        const isNew = place === 0 ? days.some((day) => day !== days[0]) : days[place] !== days[place - 1];
        return isNew ? `${time}\n${each.getUTCDate()} ${months[each.getUTCMonth()]}` : time;
      });
    };
  }

  // The wheel zooms after a click into the plot, and scrolls the page again once the pointer has left.
  function gestures(place, figure) {
    const tool = (name) => figure.toolbar.tools.find((each) => each.type === name);
    if (!coarse.matches) figure.toolbar.active_drag = tool("PanTool") ?? null;
    place.addEventListener("click", () => {
      if (!coarse.matches) figure.toolbar.active_scroll = tool("WheelZoomTool") ?? null;
    });
    place.addEventListener("pointerleave", () => { figure.toolbar.active_scroll = null; });
  }

  // A finger does not hover: where it tapped, a pointer is said to be, until the page moves or something else is tapped.
  function taps(place, events) {
    const say = (type, at) => events.dispatchEvent(new PointerEvent(type, {
      view: window, isPrimary: true, pointerType: "mouse", pointerId: 1000, clientX: at.clientX, clientY: at.clientY,
    }));
    let last = null;
    const end = () => {
      if (last !== null) say("pointerout", last);
      last = null;
    };
    place.addEventListener("click", (event) => {
      if (event.pointerType !== "touch") return;
      last = { clientX: event.clientX, clientY: event.clientY };
      say("pointermove", last);
    });
    addEventListener("scroll", end, { passive: true });
    addEventListener("pointerdown", (event) => { if (!place.contains(event.target)) end(); });
  }

  const moves = {
    in: (from, to) => [from + (to - from) / 4, to - (to - from) / 4],
    out: (from, to) => [from - (to - from) / 2, to + (to - from) / 2],
    earlier: (from, to) => [from - (to - from) / 3, to - (to - from) / 3],
    later: (from, to) => [from + (to - from) / 3, to + (to - from) / 3],
  };

  function move(range, whole, name) {
    if (name === "whole") return range.setv({ start: whole[0], end: whole[1] });
    let [from, to] = moves[name](range.start, range.end);
    const least = range.min_interval ?? 0;
    if (to - from < least) [from, to] = [(from + to - least) / 2, (from + to + least) / 2];
    const over = Math.max(0, whole[0] - from) - Math.max(0, to - whole[1]);
    [from, to] = [Math.max(whole[0], from + over), Math.min(whole[1], to + over)];
    return range.setv({ start: from, end: to });
  }

  function buttons(place, figure) {
    const whole = [figure.x_range.start, figure.x_range.end];
    const bar = document.querySelector(`[data-moves="${place.id}"]`);
    if (bar === null) return;
    bar.hidden = false;
    for (const button of bar.querySelectorAll("button")) {
      button.addEventListener("click", () => move(figure.x_range, whole, button.dataset.move));
    }
  }

  // Labels of bars that do not fit beside each other stand on end.
  function labels(place, figure) {
    const factors = figure.x_range.factors;
    const longest = Math.max(...factors.map((each) => (Array.isArray(each) ? each[1] : each).split("\n")[0].length));
    const fits = factors.length * (longest * 7 + 8) < place.clientWidth - 70;
    figure.below[0].major_label_orientation = fits ? "horizontal" : "vertical";
  }

  // As many points as there are pixels: of the levels of fineness the finest that does not crowd.
  function levels(place, view, figure) {
    const whole = figure.x_range.end - figure.x_range.start;
    const found = [];
    for (const renderer of figure.renderers) {
      const [word, number] = (renderer.tags?.[0] ?? "").split(" ");
      if (word === "level") (found[Number(number)] ??= []).push(renderer);
    }
    let asked = false;
    const nothing = document.querySelector(`[data-nothing="${place.id}"]`);
    const stretches = (found[0] ?? []).map((each) => each.data_source.data).filter((data) => "from_ms" in data);
    const isRecorded = (from, to) => stretches.some((data) => {
      const ends = [...data.to_ms];
      return [...data.from_ms].some((begin, number) => begin < to && ends[number] > from);
    });
    const choose = () => {
      asked = false;
      // What was said of a point stands no longer where that point was, or is of points that are drawn no more.
      for (const tool of view.tool_views.values()) tool._clear?.();
      const said = isRecorded(figure.x_range.start, figure.x_range.end) ? "" : NOTHING;
      if (nothing !== null && nothing.textContent !== said) nothing.textContent = said;
      const share = (figure.x_range.end - figure.x_range.start) / whole;
      const room = Math.max(view.frame.bbox.width, 200) * 0.8;
      const fits = found.findIndex((level) => level.at(-1).data_source.get_length() * share <= room);
      const chosen = fits < 0 ? found.length - 1 : fits;
      found.forEach((level, number) => level.forEach((renderer) => { renderer.visible = number === chosen; }));
      figure.below[0].ticker.desired_num_ticks = Math.max(3, Math.round(view.frame.bbox.width / 105));
    };
    figure.x_range.change.connect(() => {
      if (!asked) requestAnimationFrame(choose);
      asked = true;
    });
    addEventListener("resize", choose);
    choose();
  }

  async function draw({ place: id, item, offsets }) {
    const place = document.getElementById(id);
    const views = await Bokeh.embed.embed_item(item, place);
    const view = views.roots[0];
    const figure = view.model;
    if (offsets !== undefined) {
      clock(figure.below[0], offsets);
      gestures(place, figure);
      buttons(place, figure);
      levels(place, view, figure);
    } else {
      labels(place, figure);
      addEventListener("resize", () => labels(place, figure));
    }
    if (dark.matches) paint(figure, given.colours.dark);
    const events = view.canvas_view.events_el;
    events.tabIndex = -1;
    taps(place, events);
    drawn.push({ place, view, figure });
  }

  function repaint() {
    for (const { figure } of drawn) paint(figure, given.colours[dark.matches ? "dark" : "light"]);
  }

  // Paper is light, and as wide as it is: each plot is drawn once more, as a picture that fits it.
  function toPaper() {
    for (const { place, view, figure } of drawn) {
      paint(figure, given.colours.light);
      // Bokeh would take up the new colours of glyphs in a moment; the paper does not wait.
      for (const each of view.computed_renderer_views) void each.set_visuals?.();
      const picture = view.export("png", true).canvas;
      picture.className = "paper";
      picture.removeAttribute("style");
      picture.setAttribute("aria-hidden", "true");
      place.after(picture);
    }
    for (const details of document.querySelectorAll("details:not([open]):not([data-paper])")) {
      details.open = true;
      details.dataset.closed = "";
    }
  }

  function fromPaper() {
    for (const picture of document.querySelectorAll("canvas.paper")) picture.remove();
    for (const details of document.querySelectorAll("details[data-closed]")) {
      details.open = false;
      delete details.dataset.closed;
    }
    repaint();
  }

  // A table that is wider than its place can be scrolled by the keyboard, and shows at which side it goes on.
  function edges(box) {
    const hidden = box.scrollWidth - box.clientWidth;
    const scrolls = hidden > 1;
    const said = { tabindex: "0", role: "region", "aria-label": box.dataset.name };
    for (const [name, text] of Object.entries(said)) {
      if (scrolls) box.setAttribute(name, text);
      else box.removeAttribute(name);
    }
    box.toggleAttribute("data-left", scrolls && box.scrollLeft > 1);
    box.toggleAttribute("data-right", scrolls && box.scrollLeft < hidden - 1);
  }

  const resized = new ResizeObserver((entries) => { for (const { target } of entries) edges(target); });
  for (const box of document.querySelectorAll(".box")) {
    box.addEventListener("scroll", () => edges(box), { passive: true });
    resized.observe(box);
    edges(box);
  }

  Bokeh.set_log_level("error");
  dark.addEventListener("change", repaint);
  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", fromPaper);
  Promise.all(given.plots.map(draw)).then(
    () => { document.documentElement.dataset.plots = "drawn"; },
    (reason) => {
      document.documentElement.dataset.plots = "failed";
      console.error(reason);
    },
  );
})();
