"""`posture calibrate` in its variants, over the simulated radio where it has to be; and how its steps are told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from companion.commands.listeners import BELL, LineListener, ScreenListener
from companion.commands.places import places
from companion.commands.quality import quality_lines
from companion.commands.store import Store
from companion.commands.words import sensor_axis
from companion.errors import UsageError
from companion.posture.calibration import Calibration
from companion.posture.guide import Prompt, Step
from companion.settings import Settings
from companion.simulator.stories import body_of
from firmware_protocol.frames import Opened

HEADER = Opened(
    t_host_ns=0, session_id="s", driver="posture_v1", device="back", rate_hz=50.0, utc_ns=0, zone="UTC",
    settings_json=Settings().to_json(), calibration_json=None, software_version="0", origin="live",
)  # fmt: skip


def stored(data_dir: Path, story: str, **more: Any) -> Calibration:
    """The true baseline of a story's wearer, as if it had been taken before."""
    body = body_of(story)
    made = replace(Calibration.from_axes(body.up_sensor, body.forward_sensor), method="guided", **more)
    Store(places(data_dir)).remember_calibration("simulated", made.profile, made.to_json())
    return made


def kept(data_dir: Path, profile: str = "desk") -> Calibration:
    of_sensor = json.loads((data_dir / "calibrations.json").read_text(encoding="utf-8"))["calibrations"]["simulated"]
    return Calibration.from_json(json.dumps(of_sensor[profile]))


def told(lines: list[str]) -> list[str]:
    return [line.split("calibration: ")[1].split(",")[0] for line in lines if "calibration: " in line]


REFUSED = [
    (["--quick"], "--quick keeps a stored baseline, and there is none of 'simulated' for 'desk'."),
    (["--quick", "--profile", "sofa"], "there is none of 'simulated' for 'sofa'."),
    (["--quick", "--no-bend"], "--quick has no bend at all."),
    (["--quick", "--mounting", "x"], "--quick has no bend at all."),
    (["--mounting", "up"], "'up' is not an axis of the sensor."),
    (["--mounting", "0,0,0"], "'0,0,0' is not an axis of the sensor."),
    (["--kind", "lying"], "there is no kind 'lying'."),
    (["--profile", "Küche"], "profile cannot be 'Küche'"),
]


@pytest.mark.parametrize(("arguments", "reason"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_cannot_be_done_is_said_before_anything_is_connected(posture, arguments, reason) -> None:
    ran = posture("calibrate", "--simulated", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert reason in ran.err
    assert len(ran.err.splitlines()) <= 3


def test_a_stored_baseline_that_is_not_readable_is_one_sentence(posture, data_dir: Path) -> None:
    Store(places(data_dir)).remember_calibration("simulated", "desk", '{"up": 3}')
    ran = posture("calibrate", "--simulated", "--quick")
    assert ran.code == 1
    assert ran.err.startswith("error: the stored baseline is not readable.")


@pytest.mark.slow
def test_quick_keeps_where_the_wearer_faces(posture, data_dir: Path) -> None:
    before = stored(data_dir, "upright", kind="standing")
    ran = posture("calibrate", "--simulated", "upright:restuck_deg=9", "--quick")
    assert ran.code == 0, ran.err
    assert told(ran.lines) == ["hold still", "done"]
    now = kept(data_dir)
    assert (now.method, now.profile, now.kind) == ("quick", "desk", "standing")
    assert now.axis_sigma_deg == pytest.approx(9, abs=0.6)
    assert now.taken_utc > before.taken_utc
    assert "baseline of simulated for desk (standing): stored" in ran.lines
    assert any(line.startswith("  taken from   one hold and the stored axis, sway 0.") for line in ran.lines)


@pytest.mark.slow
def test_quick_is_refused_where_up_has_moved_too_far_and_changes_nothing(posture, data_dir: Path) -> None:
    before = stored(data_dir, "upright")
    ran = posture("calibrate", "--simulated", "upright:restuck_deg=18", "--quick")
    assert ran.code == 1
    assert "up moved by 18° in the sensor since the stored baseline" in ran.err
    assert "`posture calibrate`, without --quick" in ran.err
    assert kept(data_dir) == before


@pytest.mark.slow
def test_a_declared_mounting_and_a_profile_of_ones_own(posture, data_dir: Path) -> None:
    body = body_of("upright")
    axis = ",".join(f"{value:.3f}" for value in body.forward_sensor)
    ran = posture(
        "calibrate", "--simulated", "upright", "--mounting", axis, "--profile", "kitchen", "--kind", "standing"
    )
    assert ran.code == 0, ran.err
    now = kept(data_dir, "kitchen")
    assert (now.method, now.profile, now.kind) == ("mounting", "kitchen", "standing")


@pytest.mark.slow
def test_a_slouch_on_its_own_is_added_to_the_stored_baseline(posture, data_dir: Path) -> None:
    before = stored(data_dir, "slouch", taken_utc="2026-01-01T00:00:00.000Z")
    ran = posture("calibrate", "--simulated", "slouch:slouch_deg=-20", "--slouch")
    assert ran.code == 0, ran.err
    now = kept(data_dir)
    assert replace(now, slouch=None) == before
    assert now.own_range_deg == pytest.approx(20, abs=0.7)
    assert any(line.startswith("  usual slouch ") and " backward; from " in line for line in ran.lines)


@pytest.mark.slow
def test_who_cannot_bend_nods_and_the_quality_says_so(posture, data_dir: Path) -> None:
    ran = posture("calibrate", "--simulated", "demo:bend_deg=8", "--no-bend")
    assert ran.code == 0, ran.err
    assert kept(data_dir).method == "nod"
    assert any(line.startswith("  taken from   two holds and nods from the hips") for line in ran.lines)


STEPS = [
    Prompt(Step.HOLD),
    Prompt(Step.HOLD, 0.5),
    Prompt(Step.BEND),
    Prompt(Step.BEND, short_deg=(11.2,), least_deg=15.0),
    Prompt(Step.BEND, 0.0, 1, (11.2,), 15.0),
    Prompt(Step.HOLD_AGAIN, 0.0, 2, (11.2,), 15.0),
    Prompt(Step.HOLD_AGAIN, 0.7, 2, (11.2,), 15.0),
    Prompt(Step.SLOUCH, 0.0, 2),
    Prompt(Step.DONE, 1.0, 2),
]
TOLD = [
    "hold still, as tall as is comfortable, for 5 s",
    "bend forward from the hips, about 30°, twice",
    "that was 11°, and 15° or more is needed",
    "1 of 2 seen",
    "hold still again, as tall as is comfortable, for 5 s",
    "now sit or stand the way you slouch, and stay so for 5 s",
    "done",
]


@pytest.mark.parametrize("bell", [True, False])
def test_a_bell_rings_where_a_step_begins_and_where_the_last_one_ends(bell) -> None:
    listener = LineListener("guide", bell=bell)
    listener.began(HEADER, None)
    for prompt in STEPS:
        listener.prompt(prompt, "")
    listener.ended()
    lines = [line for part in iter(listener.lines.get, None) for line in part]
    assert lines == [f"{BELL if bell else ''}0:00:00  calibration: {words}" for words in TOLD]


def test_the_screen_rings_too_and_shows_what_is_asked_for() -> None:
    listener = ScreenListener(Settings())
    listener.began(HEADER, None)
    shown = []
    for prompt in STEPS:
        listener.prompt(prompt, "")
        shown.append((listener.latest().bells, listener.latest().guide))
    words = [f"calibration: {text}" for text in (TOLD[0], *TOLD[:5], TOLD[4], TOLD[5])]
    assert shown == [*zip([1, 1, 2, 3, 4, 5, 5, 6], words, strict=True), (7, "")]
    listener.prompt(Prompt(Step.REFUSED), "No baseline was taken: x.")
    assert listener.latest().guide == "No baseline was taken: x."


def test_the_screen_takes_the_limit_and_range_of_a_new_baseline() -> None:
    listener = ScreenListener(Settings())
    listener.began(HEADER, None)
    listener.calibrated(None)
    assert (listener.latest().limit_deg, listener.latest().limit_pct) == (12.0, 40.0)
    slouch = (-0.34202014332566873, 0.0, 0.9396926207859084)  # 20° forward
    listener.calibrated(replace(Calibration.from_axes([0, 0, 1], [1, 0, 0]), slouch=slouch))
    assert listener.latest().limit_deg == pytest.approx(8.0)
    assert listener.latest().limit_pct == pytest.approx(40.0)
    assert listener.latest().limit_at_deg == pytest.approx(8.0)
    listener.calibrated(replace(Calibration.from_axes([0, 0, 1], [-1, 0, 0]), slouch=slouch))  # 20° backward
    assert listener.latest().limit_at_deg == pytest.approx(-8.0)
    listener.calibrated(replace(Calibration.from_axes([0, 0, 1], [0, 1, 0]), slouch=slouch))  # to a side
    assert listener.latest().limit_at_deg is None


AXES = [("x", (1, 0, 0)), ("+y", (0, 1, 0)), ("-z", (0, 0, -1)), ("1,2,-3", (1, 2, -3))]


@pytest.mark.parametrize(("text", "direction"), AXES)
def test_axes_of_the_sensor(text, direction) -> None:
    assert sensor_axis(text) == direction


@pytest.mark.parametrize("text", ["", "-", "w", "xy", "1,2", "nan,0,0"])
def test_what_is_no_axis(text) -> None:
    with pytest.raises(UsageError, match="is not an axis of the sensor"):
        sensor_axis(text)


def test_the_quality_is_told_in_neutral_lines() -> None:
    made = Calibration(
        up=(0.0, 0.0, 1.0), forward=(1.0, 0.0, 0.0), uncertainty_deg=0.54, axis_ratio=312.4, method="guided",
        spread_deg=0.31, difference_deg=0.4, axis_sigma_deg=1.2, slouch=(0.0, 0.34202014, 0.93969262), wobble_deg=0.084,
    )  # fmt: skip
    assert quality_lines("back", made) == [
        "baseline of back for desk (sitting): stored",
        "  taken from   two holds and forward bends, sway 0.3°, holds differ by 0.4°",
        "  uncertain by 0.5°, where you face by 1° (axis ratio 312)",
        "  usual slouch 20.0° to the right; from 8.0° on it counts",
        "  fit          the sensor shakes by 0.08° (on a belt: 0.2° or less)",
    ]
    plain = replace(made, slouch=None, wobble_deg=None, method="quick", axis_ratio=None, difference_deg=None)
    assert quality_lines("back", plain)[1:] == [
        "  taken from   one hold and the stored axis, sway 0.3°",
        "  uncertain by 0.5°, where you face by 1°",
        "  fit          `posture calibrate --fit-test` tells (20 s: lean, turn, walk)",
    ]
