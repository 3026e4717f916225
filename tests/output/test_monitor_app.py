"""The live screen in Textual's own headless terminal: what can be read, which keys are passed on, how it ends."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from companion.output.monitor_app import MonitorApp, Panel
from companion.output.snapshot import Snapshot

SIZES = [(80, 24), (60, 20)]
CALM = Snapshot(
    device="clip",
    calibrated=True,
    t_s=754.0,
    context="still",
    state="in_range",
    in_state_s=75.0,
    sagittal_deg=3.1,
    lateral_deg=-0.4,
    uncertainty_deg=1.2,
    slouch_pct=10.0,
    history_deg=(1.0, 2.0, 14.0, None, 3.0) * 60,
    history_end_s=754,
    battery_pct=84.0,
    link="connected",
    loss_pct=0.0,
    rate_hz=50.0,
    next_break_s=1030.0,
)


class Stage:
    """An app on a headless terminal, with the snapshot it looks at and the keys it has passed on."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.said: list[tuple[str, str]] = []
        self.app = MonitorApp(lambda: self.snapshot, lambda kind, value: self.said.append((kind, value)))
        self.pilot: Pilot[None]

    async def show(self, snapshot: Snapshot) -> None:
        """Wait until this snapshot is on the screen."""
        self.snapshot = snapshot
        await self.settle()

    async def settle(self) -> None:
        """Wait until the latest snapshot is on the screen in the present size."""
        for _ in range(100):
            await self.pilot.pause(0.02)
            if self.app._shown is self.snapshot:
                break
        await self.pilot.pause()

    def panel(self, name: str) -> list[str]:
        """The lines of a panel as they are drawn."""
        panel = self.app.query_one(f"#{name}", Panel)
        return [panel.render_line(y).text for y in range(panel.size.height)]

    def seen(self) -> str:
        """All that can be read."""
        return "\n".join(line for panel in self.app.query(Panel) for line in self.panel(str(panel.id)))


Start = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def start() -> Start:
    @asynccontextmanager
    async def on(snapshot: Snapshot = CALM, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Stage]:
        stage = Stage(snapshot)
        async with stage.app.run_test(size=size) as stage.pilot:
            await stage.settle()
            yield stage

    return on


@pytest.mark.parametrize("size", SIZES)
async def test_everything_that_matters_can_be_read(start: Start, size: tuple[int, int]) -> None:
    async with start(size=size) as stage:
        seen = stage.seen()
        for words in (
            "desk · clip",
            "0:12:34",
            "I N   R A N G E",
            "for 1 min 15 s",
            "+3.1° ± 1.2°, 0.4° left",
            "forward of your baseline",
            "slouch",
            "10 %",
            "limit 12°",
            "5 min ago",
            "degrees from your baseline",
            "battery 84 %   50.0 Hz   loss 0.0 %   link connected",
            "0 alerts   next break in 17 min",
            "c calibrate",
            "s snooze 30 min",
            "m mark",
            "f false alarm",
            "q quit",
            "Not a medical device; stop at the first discomfort.",
        ):
            assert words in seen
        drawn = unescape(stage.app.export_screenshot()).replace("\u00a0", " ")
        assert "I N   R A N G E" in drawn
        assert "f false alarm" in drawn or "false alarm" in drawn


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"context": "no_data", "silence": "unreachable"}, ["N O   D A T A", "unreachable"]),
        ({"context": "no_data", "fault": True, "silence": "unreachable"}, ["F A U L T", "no data for", "unreachable"]),
        ({"alert_forward_s": 70.0, "alerts": 2}, ["A L E R T", "forward of your baseline", "2 alerts"]),
        ({"state": "reclined"}, ["R E C L I N E D"]),
        ({"snoozed_until": "14:05"}, ["snoozed until 14:05"]),
        ({"mode": "track"}, ["tracking, no alerts"]),
        ({"guide": "Hold still.", "guide_progress": 0.5}, ["C A L I B R A T I O N", "Hold still.", "━╌"]),
        (
            {"calibrated": False, "state": "unjudged", "sagittal_deg": None, "inclination_deg": 8.2},
            ["U N J U D G E D", "press c", "8.2°", "from vertical"],
        ),
        ({"note": "back in range"}, ["back in range"]),
        ({"link": "reconnecting: " + "x" * 60}, ["link reconnecting", "…"]),
    ],
)
async def test_states(start: Start, size: tuple[int, int], changes: dict[str, Any], words: list[str]) -> None:
    async with start(replace(CALM, **changes), size) as stage:
        for word in words:
            assert word in stage.seen()


@pytest.mark.parametrize("size", [*SIZES, (200, 60), (30, 9), (20, 5), (1, 1)])
async def test_a_long_name_and_any_size(start: Start, size: tuple[int, int]) -> None:
    async with start(replace(CALM, device="宽" * 20 + "[red]x" * 4, note="n" * 200), size) as stage:
        for panel in stage.app.query(Panel):
            for y in range(panel.size.height):
                assert panel.render_line(y).cell_length == panel.size.width
        if size[0] >= 60:
            assert "宽宽宽" in stage.seen()
            assert stage.panel("title")[0].rstrip().endswith("0:12:34")


async def test_new_snapshots_and_new_sizes_are_shown(start: Start) -> None:
    async with start() as stage:
        await stage.show(replace(CALM, state="forward", sagittal_deg=14.0, t_s=755.0))
        assert "F O R W A R D" in stage.seen()
        assert "0:12:35" in stage.seen()
        await stage.pilot.resize_terminal(60, 20)
        await stage.pilot.pause(0.1)
        assert {len(line) for line in stage.panel("keys")} == {60}
        assert {len(line.rstrip()) for line in stage.panel("history")[-1:]} == {58}
        assert "5 min ago" in stage.panel("history")[-1]
        assert "q quit" in stage.seen()


async def test_only_lines_that_differ_are_drawn_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as stage:
        redrawn: list[tuple[str | None, int]] = []
        refresh = Panel.refresh

        def noticed(self: Panel, *regions: Any, **options: Any) -> Any:
            redrawn.extend((self.id, region.y) for region in regions or [Region(y=-1)])
            return refresh(self, *regions, **options)

        monkeypatch.setattr(Panel, "refresh", noticed)
        await stage.show(replace(CALM))
        assert redrawn == []
        await stage.show(replace(CALM, lateral_deg=-0.6, in_state_s=76.0))
        assert redrawn == [("angle", 3), ("banner", 3)]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("c", [("calibrate", "")]),
        ("s", [("snooze", "30min")]),
        ("m", [("mark", "")]),
        ("f", [("false_alarm", "")]),
        ("ctrl+z", []),
        ("ctrl+p", []),
        ("x", []),
    ],
)
async def test_keys_are_passed_on(start: Start, key: str, said: list[tuple[str, str]]) -> None:
    async with start() as stage:
        await stage.pilot.press(key)
        await stage.pilot.pause()
        assert stage.said == said
        assert stage.app.is_running


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quitting(start: Start, key: str) -> None:
    async with start() as stage:
        await stage.pilot.press(key)
        await stage.pilot.pause()
        assert stage.said == [("quit", "")]
        assert not stage.app.is_running
    assert stage.app.return_code == 0


async def test_it_ends_with_the_session(start: Start) -> None:
    async with start() as stage:
        stage.snapshot = replace(CALM, ended=True)
        for _ in range(100):
            await stage.pilot.pause(0.02)
            if not stage.app.is_running:
                break
        assert not stage.app.is_running
        assert stage.said == []


async def test_the_bell_rings_once_for_each_alert(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[None] = []
    monkeypatch.setattr(MonitorApp, "bell", lambda _self: rung.append(None))
    async with start(replace(CALM, bells=3)) as stage:
        assert rung == []
        await stage.show(replace(CALM, bells=4))
        await stage.show(replace(CALM, bells=4))
        assert len(rung) == 1


@pytest.mark.parametrize("theme", ["textual-light", "textual-dark", "ansi-light"])
async def test_other_colours_show_the_same_words(start: Start, theme: str) -> None:
    async with start() as stage:
        before = stage.seen()
        stage.app.theme = theme
        await stage.pilot.pause(0.1)
        assert stage.seen() == before
        assert "I N   R A N G E" in unescape(stage.app.export_screenshot()).replace("\u00a0", " ")


async def test_nothing_in_the_screen_is_animated_or_takes_the_mouse(start: Start) -> None:
    async with start() as stage:
        assert stage.app.animation_level == "none"
        assert not [panel for panel in stage.app.query(Panel) if panel.can_focus]
