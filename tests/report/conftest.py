"""Reports of sessions made from words, and a real Chromium that opens them without a network."""

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from companion.output.report import page
from companion.overview import Overview, Recorded, build
from companion.posture.calibration import Calibration
from companion.posture.events import AlertCleared, AlertRaised, Event, SlouchEnded, SlouchStarted
from companion.posture.exposure import EXPOSED
from companion.posture.rows import CONTEXTS, POSTURE, ROW_NS, ROWS_PER_S, STATES
from companion.tables.judged import Judged
from companion.tables.rows import figures_of, started
from firmware_protocol.frames import Opened

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
)
NS_PER_S = 1_000_000_000

Stretch = tuple[str, float, float]  # kind, seconds, sagittal angle
HOUR_AT_A_DESK: tuple[Stretch, ...] = (
    ("settling", 4, 0),
    ("in_range", 600, 2),
    ("forward", 100, 22),
    ("in_range", 500, 3),
    ("moving", 30, 8),
    ("forward", 40, 17),
    ("in_range", 900, 1),
    ("walking", 90, 5),
    ("reclined", 120, -20),
    ("in_range", 700, 4),
    ("forward", 220, 26),
    ("no_data", 20, 0),
    ("in_range", 276, 2),
)

Made = Callable[..., Recorded]


def rows_of(stretches: Sequence[Stretch]) -> Any:
    """POSTURE rows, one each 0.2 s, swaying a little."""
    blocks = [np.zeros(0, dtype=POSTURE)]
    for kind, seconds, angle in stretches:
        block = np.zeros(round(seconds * ROWS_PER_S), dtype=POSTURE)
        still = kind in STATES
        block["context"] = CONTEXTS.index("still" if still else kind)
        block["state"] = STATES.index(kind if still else "unknown")
        sway = np.sin(np.arange(len(block)) / 9) * (0.8 if still else 6)
        known = kind not in ("no_data", "settling", "unjudged")
        block["sagittal_deg"] = angle + sway if known else np.nan
        block["lateral_deg"] = sway / 3 if known else np.nan
        block["uncertainty_deg"] = 0.7 if known else np.nan
        blocks.append(block)
    rows = np.concatenate(blocks)
    rows["t_session_ns"] = (1 + np.arange(len(rows))) * ROW_NS
    return rows


def events_of(stretches: Sequence[Stretch]) -> tuple[Event, ...]:
    """One episode for each forward stretch, with an alert after 30 s of it."""
    found, at_ns, episodes = list[Event](), 0, itertools.count(1)
    for kind, seconds, angle in stretches:
        end_ns = at_ns + round(seconds * NS_PER_S)
        if kind == "forward":
            found += _episode(next(episodes), at_ns, end_ns, angle)
        at_ns = end_ns
    return tuple(found)


def _episode(number: int, begin_ns: int, end_ns: int, angle: float) -> Iterator[Event]:
    alerted = end_ns - begin_ns > 30 * NS_PER_S
    begun_ns, length_ns = begin_ns + ROW_NS, end_ns - begin_ns - ROW_NS
    yield SlouchStarted(t_session_ns=begun_ns, episode=number, angle_deg=angle)
    if alerted:
        alert_ns = begun_ns + 30 * NS_PER_S
        yield AlertRaised(t_session_ns=alert_ns, episode=number, number=1, angle_deg=angle, forward_ns=30 * NS_PER_S)
        yield AlertCleared(t_session_ns=end_ns, episode=number, recovery_ns=end_ns - alert_ns, ended_by="recovered")
    yield SlouchEnded(
        t_session_ns=end_ns,
        episode=number,
        duration_ns=length_ns,
        peak_deg=angle + 0.8,
        mean_deg=angle,
        alerts=int(alerted),
        ended_by="recovered",
    )


@pytest.fixture(scope="session")
def session() -> Made:
    """session("2026-10-25T01:30+02:00", ("in_range", 60, 2), ("forward", 40, 20), zone="Europe/Paris", ...)."""

    def make(
        began: str,
        *stretches: Stretch,
        zone: str = "Europe/Paris",
        name: str = "s1",
        device: str = "upper back",
        calibrated: bool = True,
        **said: Any,
    ) -> Recorded:
        rows = rows_of(stretches)
        if not calibrated:
            rows["sagittal_deg"] = rows["lateral_deg"] = rows["uncertainty_deg"] = np.nan
        header = Opened(
            t_host_ns=7_000,
            session_id=name,
            driver="posture_v1",
            device=device,
            utc_ns=round(datetime.fromisoformat(began).timestamp()) * NS_PER_S,
            zone=zone,
            software_version="0.2.0",
            origin=said.pop("origin", "live"),
        )
        exposed = np.zeros(len(rows), dtype=EXPOSED)
        exposed["worn"] = (rows["context"] <= CONTEXTS.index("walking")) & np.isfinite(rows["sagittal_deg"])
        for column in ("sagittal_deg", "lateral_deg"):
            exposed[column] = rows[column]
        exposed["inclination_deg"], exposed["velocity_dps"] = rows["sagittal_deg"] + 30, np.abs(rows["lateral_deg"])
        events = events_of(stretches) if calibrated else ()
        bare = Judged(header=header, summary={}, posture=rows, events=events, exposed=exposed)
        judged = replace(bare, summary=_summary(bare))
        usual: dict[str, Any] = {
            "calibration": Calibration.from_axes((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)) if calibrated else None,
            "range_deg": 30.0,
            "limit_deg": 12.0,
            "limit_sagittal_deg": 12.0 if calibrated else None,
        }
        return Recorded(judged=judged, **(usual | said))

    return make


def _summary(judged: Judged) -> dict[str, Any]:
    header = judged.header
    quality = {"rate_hz": 50.0, "samples": 10 * len(judged.posture), "lost_samples": 3, "duplicates": 0}
    return {
        **started(header, 0),
        **figures_of([judged.whole()]),
        **quality,
        "view": "settled",
        "tz": header.zone,
        "device": header.device,
        "profile": "desk",
        "mode": "coach",
        "malformed": 1,
        "loss_pct": 0.1,
        "drift_ppm": -12.3,
        "outages": 0,
        "calibration_id": "c1",
        "software_version": header.software_version,
    }


@pytest.fixture(scope="session")
def report_of() -> Callable[..., Overview]:
    """report_of(session, ..., kind="day", first_day=date(2026, 10, 25))."""

    def make(*sessions: Recorded, kind: str = "session", first_day: date | None = None) -> Overview:
        return build(kind, sessions, "0.2.0", first_day)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def desk_hour(session: Made, report_of: Callable[..., Overview]) -> Overview:
    """An hour at a desk, with three episodes."""
    return report_of(session("2026-10-21T09:00+02:00", *HOUR_AT_A_DESK))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no Chromium at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@dataclass
class Seen:
    """A page that was opened, and everything that it said and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def ask(self, script: str, argument: object = None) -> Any:
        """The value of an expression or function of JavaScript."""
        return self.page.evaluate(script, argument)

    def until(self, script: str, argument: object = None) -> None:
        """Wait for something to be true. The browser's own waiting would evaluate texts, which the page forbids."""
        for _ in range(400):
            if self.ask(script, argument):
                return
            self.page.wait_for_timeout(25)
        pytest.fail(f"never true: {script}")


Open = Callable[..., Seen]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """opened(overview or HTML text, dark=False, phone=False): the page once its plots are drawn."""
    contexts = list[Any]()

    def open_page(shown: Overview | str, *, dark: bool = False, phone: bool = False) -> Seen:
        path = tmp_path / f"report-{len(contexts)}.html"
        path.write_text(shown if isinstance(shown, str) else page(shown), encoding="utf-8")
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        hand: dict[str, Any] = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2} if phone else {}
        context = browser.new_context(
            viewport=size, color_scheme="dark" if dark else "light", offline=True, timezone_id="Asia/Tokyo", **hand
        )
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("console", lambda said: said.type in ("error", "warning") and seen.complaints.append(said.text))
        seen.page.on("dialog", lambda dialog: (seen.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(path.as_uri())
        seen.until("document.documentElement.dataset.plots !== undefined")
        assert seen.ask("document.documentElement.dataset.plots") == "drawn"
        seen.until("Bokeh.documents.every((each) => each.is_idle)")
        return seen

    yield open_page
    for context in contexts:
        context.close()
