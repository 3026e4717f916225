"""The panels: every one fits its width, whatever the snapshot, and says what it should."""

from dataclasses import fields, replace
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from companion.output import panels
from companion.output.canvas import Line, Tint
from companion.output.headline import headline
from companion.output.snapshot import Snapshot
from companion.posture.rows import CONTEXTS, STATES
from companion.text import printable

JUDGED = replace(
    Snapshot(),
    calibrated=True,
    context="still",
    state="in_range",
    in_state_s=75.0,
    sagittal_deg=3.14,
    lateral_deg=-0.44,
    uncertainty_deg=1.2,
    slouch_pct=10.4,
)


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


@pytest.mark.parametrize(
    ("changes", "word", "detail", "tint"),
    [
        ({}, "IN RANGE", "for 1 min 15 s", Tint.IN_RANGE),
        ({"state": "forward"}, "FORWARD", "for 1 min 15 s", Tint.FORWARD),
        ({"state": "reclined"}, "RECLINED", "for 1 min 15 s", Tint.RECLINED),
        ({"state": "unjudged"}, "UNJUDGED", "for 1 min 15 s", Tint.QUIET),
        ({"state": "unjudged", "calibrated": False}, "UNJUDGED", "not calibrated: press c", Tint.QUIET),
        ({"context": "walking", "state": "unknown"}, "WALKING", "for 1 min 15 s", Tint.QUIET),
        ({"context": "not_worn", "state": "unknown"}, "NOT WORN", "for 1 min 15 s", Tint.QUIET),
        ({"alert_forward_s": 30.0}, "ALERT", "forward of your baseline for 30 s", Tint.ALERT),
        ({"alert_forward_s": 30.0, "context": "no_data"}, "NO DATA", "for 1 min 15 s", Tint.FAULT),
        ({"context": "no_data", "silence": "gone"}, "NO DATA", "for 1 min 15 s: gone", Tint.FAULT),
        ({"context": "no_data", "fault": True}, "FAULT", "no data for 1 min 15 s", Tint.FAULT),
        ({"context": "no_data", "silent_s": 80.0, "cause": "gone"}, "NO DATA", "for 1 min 20 s: gone", Tint.FAULT),
        ({"fault": True, "silent_s": 31.0, "silence": "gone"}, "FAULT", "no data for 31 s: gone", Tint.FAULT),
        ({"context": "settling", "silent_s": 2.0, "cause": "gone"}, "NO DATA", "for 2 s: gone", Tint.QUIET),
        ({"silent_s": 1.2}, "NO DATA", "for 1 s", Tint.QUIET),
        ({"guide": "Bend forward.", "fault": True}, "CALIBRATION", "Bend forward.", Tint.GUIDE),
    ],
)
def test_headline(changes: dict[str, Any], word: str, detail: str, tint: Tint) -> None:
    head = headline(replace(JUDGED, **changes))
    assert (head.word, head.detail, head.tint) == (word, detail, tint)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["      ╺━┓ ° ", "   ╺╋╸ ━┫   ", "      ╺━┛   ", "+3.1° ± 1.2°, 0.4° left", "forward of your baseline"]),
        ({"sagittal_deg": -0.4, "lateral_deg": 0.4}, ["┏━┓", "┃ ┃", "┗━┛", "-0.4° ± 1.2°, 0.4° right", "behind"]),
        ({"sagittal_deg": None}, ["", "╺━╸", "", "–", "angle unknown"]),
        ({"calibrated": False, "inclination_deg": 8.2}, ["┏━┓", "┣━┫", "┗━┛", "8.2°", "from vertical"]),
    ],
)
def test_angle(changes: dict[str, Any], lines: list[str]) -> None:
    shown = text(panels.angle(replace(JUDGED, **changes), 30))
    for line, part in zip(shown, lines, strict=True):
        assert part.strip() in line


def test_what_is_not_judged_stands_in_a_frame() -> None:
    assert text(panels.banner(replace(JUDGED, context="walking"), 20, 5)) == [
        "╭──────────────────╮",
        "│  W A L K I N G   │",
        "│                  │",
        "│  for 1 min 15 s  │",
        "╰──────────────────╯",
    ]


def test_slouch_bar() -> None:
    for percent, bar in ((None, "╌╌╌╌┃╌╌╌╌╌"), (-20.0, "╌╌╌╌┃╌╌╌╌╌"), (30.0, "━━━╌┃╌╌╌╌╌"), (250.0, "━━━━┃━━━━━")):
        (line,) = text(panels.slouch(replace(JUDGED, slouch_pct=percent), 30))
        assert line[12:22] == bar
    assert text(panels.slouch(replace(JUDGED, slouch_pct=-20.4), 30)) == ["     slouch ╌╌╌╌┃╌╌╌╌╌   -20 %"]


@pytest.mark.parametrize(("t_s", "minutes"), [(0.0, 1), (60.0, 1), (60.2, 2), (120.0, 2), (120.2, 5), (9e4, 5)])
def test_a_young_session_is_drawn_larger(t_s: float, minutes: int) -> None:
    lines = text(panels.history(replace(JUDGED, t_s=t_s), 60, 8))
    assert f"{minutes} min ago" in lines[-1]


def test_facts() -> None:
    full = replace(
        JUDGED,
        battery_pct=84.0,
        rate_hz=50.0,
        loss_pct=0.04,
        link="connected",
        alerts=1,
        next_break_s=1030.0,
        snoozed_until="14:05",
    )
    assert [line.rstrip() for line in text(panels.facts(full, 80))] == [
        " battery 84 %   50.0 Hz   loss 0.0 %   link connected",
        " 1 alert   next break in 17 min   snoozed until 14:05",
    ]
    assert [line.rstrip() for line in text(panels.facts(replace(JUDGED, next_break_s=-5.0), 80))] == [
        " battery –   link –",
        " 0 alerts   a break is due",
    ]


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("lost", " link lost   battery 84 %   loss 30.0 %"),
        ("connected, but no data come", " link connected, but no data come   battery 84 %   loss 30.0 %"),
        (
            "lost (the sensor no longer knows this computer)",
            " link lost (the sensor no longer knows this computer)   battery 84 %",
        ),
    ],
)
def test_the_cause_of_a_trouble_is_told_in_full(link: str, told: str) -> None:
    snapshot = replace(JUDGED, battery_pct=84.0, rate_hz=50.0, loss_pct=30.0, link=link, trouble=True)
    line, _ = text(panels.facts(snapshot, 80))
    assert (line.rstrip(), len(line) <= 80) == (told, True)


def test_the_uncalibrated_are_offered_the_key() -> None:
    assert "press c" in text(panels.note(Snapshot(), 60))[0]
    assert "medical" in text(panels.note(JUDGED, 60))[0]
    assert text(panels.note(replace(JUDGED, note="marked"), 60))[0].strip() == "marked"


def test_what_can_be_done_is_offered_where_nothing_else_is_said() -> None:
    snapshot = replace(Snapshot(), calibrated=True, offer="The sensor may sit otherwise: press c.")
    assert "press c" in text(panels.note(snapshot, 80))[0]
    assert "press c" not in text(panels.note(replace(snapshot, note="marked"), 80))[0]
    assert "press c" not in text(panels.note(replace(snapshot, guide="Hold."), 80))[0]


def test_keys_fit_a_narrow_terminal() -> None:
    for width in (60, 80):
        (line,) = text(panels.keys(width))
        assert line.rstrip() == line
        assert len(line) <= width
        for key, what in panels.KEYS:
            assert f"{key} {what}" in line


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Anything that a field of this type may hold."""
    number = st.floats(-9999, 9999)
    strategies: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(0, 10**6),
        float: number,
        str: st.text(max_size=60).map(printable),
        float | None: st.none() | number,
        tuple[float | None, ...]: st.lists(st.none() | number, max_size=40).map(tuple),
    }
    return strategies[hint]


hints = get_type_hints(Snapshot)
snapshots = st.builds(
    Snapshot,
    **{field.name: values_of(hints[field.name]) for field in fields(Snapshot)}
    | {"context": st.sampled_from(CONTEXTS), "state": st.sampled_from(STATES), "limit_deg": st.floats(0.1, 90)}
    | {"limit_at_deg": st.none() | st.floats(-90, 90)},
)


@given(snapshots, st.integers(24, 200), st.integers(5, 40))
def test_every_panel_fits_whatever_it_shows(snapshot: Snapshot, width: int, height: int) -> None:
    banner = panels.banner(snapshot, width, height)
    assert len(banner) == height
    flat = (panels.title, panels.angle, panels.facts, panels.note)
    painted = [banner, *(painter(snapshot, width) for painter in flat)]
    for line in text([line for lines in painted for line in lines]):
        assert cell_len(line) == width
        assert line.isprintable()
    for line in text(panels.slouch(snapshot, width) + panels.history(snapshot, width, height)):
        assert cell_len(line) <= width


@given(snapshots)
def test_the_word_stands_in_the_banner(snapshot: Snapshot) -> None:
    shown = "\n".join(text(panels.banner(snapshot, 40, 5)))
    assert " ".join(headline(snapshot).word) in shown or headline(snapshot).word in shown


def test_the_offer_to_calibrate_is_not_made_during_a_calibration() -> None:
    shown = [
        "".join(span.text for line in panels.note(Snapshot(guide=guide), 80) for span in line)
        for guide in ("", "hold still")
    ]
    assert "press c" in shown[0]
    assert "press c" not in shown[1]
