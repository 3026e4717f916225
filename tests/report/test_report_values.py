"""What the page is made of, without a browser: lanes, levels, stacks, cells, sizes, the words in it."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.report import page
from companion.output.report.lanes import Offset, ahead_ms, lanes_of, offsets_between
from companion.output.report.names import KIND_MEANINGS, MEANINGS, QUANTITIES
from companion.output.report.page import inert_json
from companion.output.report.palette import LOOKS, ROLES, style_sheet
from companion.output.report.stacks import Stack, day_stacks, hour_stacks
from companion.output.report.summaries import degrees, lane_numbers, lane_sentence, lane_title, stack_sentence
from companion.output.report.tables import Shown, episodes, shares, shown, span_words, tiles
from companion.overview import KINDS, Hour, Overview
from companion.posture.rows import RowFlag

HOUR_MS = 3_600_000
NEVER = r"bad|good|poor|incorrect|improper|perfect|ideal|lazy|pain\w*|disease|injur\w+|cure[sd]?|heal\w*|therap\w+"


def test_offsets_follow_the_zone() -> None:
    autumn = offsets_between(1_792_875_600_000, 1_792_904_400_000, "Europe/Paris")  # 2026-10-24 23:00 UTC, 8 h
    assert autumn == (
        Offset(1_792_875_600_000, 2 * HOUR_MS, "+02:00"),
        Offset(1_792_890_000_000, HOUR_MS, "+01:00"),
    )
    at = np.array([1_792_889_999_999.0, 1_792_890_000_000.0])
    assert ahead_ms(at, autumn).tolist() == [2 * HOUR_MS, HOUR_MS]
    assert offsets_between(0, 1, "No/Where") == (Offset(0, 0, "+00:00"),)
    assert offsets_between(10**17, 10**17 + 5, "Europe/Paris") == (Offset(10**17 // 900_000 * 900_000, 0, "+00:00"),)


def test_a_lane_for_each_day_and_more_where_sessions_overlap(session: Any, report_of: Any) -> None:
    hour = (("in_range", 3600, 2),)
    overview = report_of(
        session("2026-10-21T09:00+02:00", *hour, name="a"),
        session("2026-10-21T11:00+02:00", *hour, name="b"),
        session("2026-10-21T11:30+02:00", *hour, name="c"),
        session("2026-10-21T13:00+02:00", *hour, name="d", zone="Asia/Tokyo"),
        session("2026-10-22T09:00+02:00", *hour, name="e"),
    )
    lanes = lanes_of(overview.traces, same_hours=False)
    assert [[trace.session_id for trace in lane.traces] for lane in lanes] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert [lane.day.day for lane in lanes] == [21, 21, 21, 22]
    assert lane_title(lanes[2]) == "Wednesday, 2026-10-21, clock times of Asia/Tokyo (UTC+09:00)"


def test_days_of_a_week_show_the_same_hours(session: Any, report_of: Any) -> None:
    overview = report_of(
        session("2026-10-19T09:00+02:00", ("in_range", 3600, 2), name="a"),
        session("2026-10-20T15:00+02:00", ("in_range", 3600, 2), name="b"),
        kind="week",
        first_day=date(2026, 10, 19),
    )
    one, other = lanes_of(overview.traces, same_hours=True)
    assert other.from_ms - one.from_ms == other.to_ms - one.to_ms == 24 * HOUR_MS
    assert one.to_ms - one.from_ms == pytest.approx(7 * HOUR_MS, rel=0.011)


def test_from_afar_least_and_most_stay(session: Any, report_of: Any) -> None:
    made = session("2026-10-21T09:00+02:00", *(("in_range", 500, 2), ("forward", 40, 25), ("reclined", 40, -21)) * 9)
    (lane,) = lanes_of(report_of(made).traces, same_hours=False)
    levels = lane.levels
    assert [len(level.points["x"]) for level in levels] == [5221, 1306, 328]
    for level in levels:
        assert np.nanmin(level.envelope["least"]) == pytest.approx(-21.8, abs=0.01)
        assert np.nanmax(level.envelope["most"]) == pytest.approx(25.8, abs=0.01)
        assert np.nanmean(level.points["mean_deg"]) == pytest.approx(np.nanmean(levels[0].points["mean_deg"]), abs=0.1)
        spent = {k: float((s.columns["to_ms"] - s.columns["from_ms"]).sum()) for k, s in level.stretches.items()}
        assert sum(spent.values()) == 5220e3
        assert set(spent) == {"in_range", "forward", "reclined"}


def test_nothing_is_drawn_over_a_gap(session: Any, report_of: Any) -> None:
    made = session("2026-10-21T09:00+02:00", ("in_range", 1, 2), ("no_data", 0.6, 0), ("in_range", 0.4, 5))
    (lane,) = lanes_of(report_of(made).traces, same_hours=False)
    (level,) = lane.levels
    assert np.isfinite(level.points["mean_deg"]).tolist() == [True] * 5 + [False] * 3 + [True] * 2 + [False]
    outline = level.envelope
    assert len(outline["x"]) == 7 + 4
    for end in (0, 6, 7, 10):
        assert outline["least"][end] == outline["most"][end]
    assert level.points["kind"] == ["in range"] * 5 + ["no data"] * 3 + ["in range"] * 2 + [""]


def test_a_plot_in_words_and_numbers(desk_hour: Overview) -> None:
    (lane,) = lanes_of(desk_hour.traces, same_hours=False)
    assert lane_sentence(lane) == (
        "Median 2.5°, from 0.4° (10th percentile) to 16.2° (90th). Forward of the baseline for 6 min, 10.4 % of the "
        "still time that was judged, 3 alerts, between 09:00 and 10:00."
    )
    numbers = lane_numbers(lane)
    assert numbers.caption == "The plot in numbers, each 5 min"
    assert len(numbers.rows) == 12
    _, cells = numbers.rows[2]
    assert [cell.text for cell in cells] == ["09:10", "9.3", "1.2", "22.8", "1.7", "1"]


def test_the_sentence_of_a_plot_has_the_figures_of_the_tables(session: Any, report_of: Any) -> None:
    restless = (("in_range", 5, 2), ("moving", 3, 9), ("forward", 3.4, 20), ("in_range", 4, -6)) * 1500
    overview = report_of(session("2026-10-21T09:00+02:00", *restless))
    (lane,) = lanes_of(overview.traces, same_hours=False)
    figures = overview.figures
    low, middle, high = (f"{figures[f'rel_p{p}_deg']:.1f}°".replace("-", "\N{MINUS SIGN}") for p in (10, 50, 90))
    assert lane_sentence(lane).startswith(
        f"Median {middle}, from {low} (10th percentile) to {high} (90th). "
        "Forward of the baseline for 1 h 25 min, 27.4 % of the still time that was judged"
    )
    assert low.startswith("\N{MINUS SIGN}")
    minutes = [float(cells[4].text) for _, cells in lane_numbers(lane).rows]
    assert sum(minutes) == pytest.approx(figures["forward_s"] / 60, abs=0.05 * len(minutes))
    assert set(minutes[1:-1]) <= {6.6, 6.7}
    assert all("-" not in cell.text for _, cells in lane_numbers(lane).rows for cell in cells[1:])


def test_a_sensor_that_may_have_slipped_is_said_under_the_plot(session: Any, report_of: Any) -> None:
    made = session("2026-10-21T09:00+02:00", ("in_range", 600, 2), ("forward", 600, 20))
    made.judged.posture["flags"][3000:] |= int(RowFlag.SUSPECT)
    sentence = lane_sentence(lanes_of(report_of(made).traces, same_hours=False)[0])
    assert sentence == (
        "Median 2.0°, from 1.2° (10th percentile) to 2.8° (90th). Forward of the baseline for 10 min, 50.0 % of the "
        "still time that was judged, 1 alert, between 09:00 and 09:20. In 10 min of it the sensor may have slipped; "
        "the percentiles leave that out."
    )
    made.judged.posture["flags"][:] |= int(RowFlag.SUSPECT)
    sentence = lane_sentence(lanes_of(report_of(made).traces, same_hours=False)[0])
    assert sentence.startswith("Forward of the baseline for 10 min, 50.0 %")
    assert sentence.endswith("In 20 min of it the sensor may have slipped; the percentiles leave that out.")


@pytest.mark.parametrize(
    ("angle_deg", "expected"),
    [(-0.5, "\N{MINUS SIGN}0.5"), (-0.04, "0.0"), (0.04, "0.0"), (25.0, "25.0"), (-10.04, "\N{MINUS SIGN}10.0")],
)
def test_degrees_have_the_minus_of_the_axes(angle_deg: float, expected: str) -> None:
    assert degrees(angle_deg) == expected


def test_what_the_words_mean() -> None:
    words = dict(MEANINGS)
    assert "would have been given" not in words["Alert"]
    assert "The mode track gives none." in words["Alert"]
    assert "what is held back is not counted" in words["Alert"]
    assert "only the part that was cued" in words["Recovery"]
    assert "more than 20°" in KIND_MEANINGS["unjudged"]
    assert "Up to 20° such time is judged" in words["The sensor may have slipped"]
    assert "flat side" in QUANTITIES["abs_sagittal"]
    assert "Share of the still time that was judged" in words


def test_numbers_of_an_hour_that_comes_twice(session: Any, report_of: Any) -> None:
    made = session("2026-10-25T01:00+02:00", ("in_range", 4 * 3600, 3))
    (lane,) = lanes_of(report_of(made, kind="day", first_day=date(2026, 10, 25)).traces, same_hours=False)
    labels = [cells[0].text for _, cells in lane_numbers(lane).rows]
    assert len(labels) == len(set(labels)) == 16
    assert labels[3:9] == [
        "01:45 +02:00", "02:00 +02:00", "02:15 +02:00", "02:30 +02:00", "02:45 +02:00", "02:00 +01:00",
    ]  # fmt: skip


def test_hours_in_order_with_what_tells_them_apart(session: Any, report_of: Any) -> None:
    autumn = report_of(session("2026-10-25T01:00+02:00", ("in_range", 4 * 3600, 3)))
    assert [stack.label for stack in hour_stacks(autumn)] == ["01:00", "02:00 +02:00", "02:00 +01:00", "03:00"]
    night = report_of(session("2026-10-21T23:00+02:00", ("in_range", 7200, 3)))
    assert [stack.words for stack in hour_stacks(night)] == ["Wed 21 Oct 23:00", "Thu 22 Oct 00:00"]


def test_days_of_little_wear_are_pale_and_say_so(session: Any, report_of: Any) -> None:
    made = session("2026-10-19T09:00+02:00", ("in_range", 600, 3))
    stacks = day_stacks(report_of(made, kind="week", first_day=date(2026, 10, 19)).days)
    assert [(stack.label, stack.is_pale) for stack in stacks[:2]] == [("Mon 19 Oct\nshort", True), ("Tue 20 Oct", True)]
    assert stacks[0].seconds == dict.fromkeys(KINDS, 0.0) | {"in_range": 600.0}


def test_stacks_in_words() -> None:
    stacks = (Stack("09:00", {"forward": 61.0}), Stack("10:00", {"forward": 30.0}))
    assert stack_sentence(stacks, "hours") == "Minutes of each kind, by hours. Most time forward: 09:00, 1 min 01 s."
    assert stack_sentence((), "days") == "Nothing recorded, so there are no days."


def test_tiles(desk_hour: Overview) -> None:
    found = {tile.label: (tile.big.text, *(part.text for part in tile.parts)) for tile in tiles(desk_hour)}
    assert found == {
        "Worn": ("59 min 40 s", "3580.0 s", "of 3600.0 s recorded"),
        "Forward of baseline": ("6 min", "360.0 s", "10.4 % of the still time that was judged"),
        "Episodes": ("3", "3.0 per worn hour"),
        "Alerts": ("3", "3.0 per worn hour"),
        "Longest time forward": ("3 min 40 s", "219.8 s"),
        "Median recovery": ("1 min 10 s", "69.8 s", "from first alert to the end"),
        "Coverage": ("99.4 %", "worn share of the recording"),
        "Longest without a break": ("36 min 14 s", "1 break"),
    }


@pytest.mark.parametrize(
    ("stretches", "calibrated", "share", "sentence"),
    [
        (
            (("unjudged", 600, 0),),
            False,
            "nothing was judged",
            "No angle from a baseline is known. Nothing was judged between 09:00 and 09:10.",
        ),
        (
            (("unjudged", 60, 0), ("forward", 60, 20), ("in_range", 480, 20)),
            True,
            "11.1 % of the still time that was judged; 10.0 % of still time was not",
            "Median 20.0°, from 19.2° (10th percentile) to 20.8° (90th). Forward of the baseline for 1 min, 11.1 % of "
            "the still time that was judged, 1 alert, between 09:00 and 09:10.",
        ),
    ],
)
def test_what_was_not_judged_is_said(
    session: Any, report_of: Any, stretches: Any, calibrated: bool, share: str, sentence: str
) -> None:
    overview = report_of(session("2026-10-21T09:00+02:00", *stretches, calibrated=calibrated))
    assert tiles(overview)[1].parts[1].text == share
    assert lane_sentence(lanes_of(overview.traces, same_hours=False)[0]) == sentence


def test_shares_are_of_the_whole(desk_hour: Overview) -> None:
    found = shares(desk_hour)
    assert [share.kind for share in found] == list(KINDS)
    assert sum(share.percent for share in found) == pytest.approx(100)
    assert found[1] == type(found[1])(
        "forward", "forward of baseline", Shown("360.0", "forward_s", "360.0", is_number=True), "6 min", 10.0
    )


@pytest.mark.parametrize(
    ("table", "column", "value", "expected"),
    [
        ("sessions", "forward_s", 59.96, Shown("60.0", "forward_s", "60.0", is_number=True)),
        ("sessions", "forward_s", 5416.0, Shown("5416.0", "forward_s", "5416.0", "1 h 30 min", is_number=True)),
        ("sessions", "drift_ppm", None, Shown("–", "drift_ppm", "", is_number=True)),
        ("sessions", "rel_p50_deg", float("nan"), Shown("–", "rel_p50_deg", "", is_number=True)),
        ("sessions", "device", "=cmd", Shown("=cmd", "device", "'=cmd")),
        ("episodes", "ended_by", "lay_down", Shown("lay down", "ended_by", "lay_down")),
        (
            "episodes",
            "started_local",
            "2026-10-25T02:30:00.400+01:00",
            Shown("2026-10-25 02:30:00", "started_local", "2026-10-25T02:30:00.400+01:00"),
        ),
    ],
)
def test_one_value(table: str, column: str, value: object, expected: Shown) -> None:
    assert shown(table, column, {column: value}) == expected


def test_episodes_have_keys(desk_hour: Overview) -> None:
    assert [key for key, _ in episodes(desk_hour).rows] == ["s1 1", "s1 2", "s1 3"]


def test_spans_in_words() -> None:
    assert [span_words(None, 0.0, "°"), span_words(10.0, 20.0, "°"), span_words(511.0, None, " s")] == [
        "under 0°", "10 to 20°", "from 511 s",
    ]  # fmt: skip


@given(st.text() | st.dictionaries(st.text(), st.text()))
def test_json_in_a_script_cannot_end_it(value: object) -> None:
    text = inert_json(value)
    assert json.loads(text) == value
    assert not re.search(r"[<>&\u2028\u2029]", text)


def test_every_kind_has_a_look_a_meaning_and_a_swatch() -> None:
    assert set(LOOKS) == set(KIND_MEANINGS) == set(KINDS)
    for kind in KINDS:
        assert f".kind-{kind} {{" in style_sheet()
    for look in (*LOOKS.values(), *ROLES.values()):
        assert re.fullmatch("#[0-9a-f]{6}", look.light)
        assert re.fullmatch("#[0-9a-f]{6}", look.dark)


def test_eight_hours_stay_small(session: Any, report_of: Any) -> None:
    restless = (("in_range", 5, 2), ("moving", 3, 9), ("in_range", 4, 3), ("walking", 2, 5), ("forward", 46, 20)) * 480
    made = session("2026-10-21T09:00+02:00", *restless)
    assert made.judged.duration_ns == 8 * 3600 * 10**9
    assert len(page(report_of(made)).encode()) < 3_000_000


def scripts_of(text: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)


def test_the_policy_names_the_scripts_that_are_there(desk_hour: Overview) -> None:
    text = page(desk_hour)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts_of(text)]
    said = policy[1].replace("&#39;", "'")
    assert re.findall("'sha256-([^']*)'", said) == hashes
    assert len(hashes) == 2
    assert said.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in said
    assert "script-src 'unsafe-inline'" not in said


def test_nothing_refers_outside(desk_hour: Overview) -> None:
    text = page(desk_hour)
    assert re.findall(r"(?:src|href)\s*[=:]\s*[\"'`]?(?:https?:)?//", text) == []
    hosts = set(re.findall(r"https?://([\w.]+)", text))
    # Names of XML, and licences of what is in bokeh's script.
    assert hosts <= {"www.w3.org", "www.foretagsplatsen.se", "jquery.org", "github.com", "tabler.io"}
    text = re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    assert [found for found in re.findall(r"\b(?:src|href)\s*=\s*[\"']?([^\"'> ]*)", text) if found[0] != "#"] == []


def test_words_of_the_page_judge_nobody(desk_hour: Overview, session: Callable[..., Any], report_of: Any) -> None:
    week = report_of(session("2026-10-19T09:00+02:00"), kind="week", first_day=date(2026, 10, 19))
    for overview in (desk_hour, week):
        text = re.sub(r"<(script|style).*?</\1>", "", page(overview), flags=re.DOTALL)
        assert re.findall(rf"\b({NEVER})\b", re.sub("<[^>]*>", " ", text), flags=re.IGNORECASE) == []
        assert re.findall(r"\b(wrong\w*|correct\w*|proper\w*)\b", text) == []


def test_parts_of_the_page_are_in_the_package() -> None:
    names = {each.name for each in resources.files("companion.output.report").iterdir()}
    assert {"page.html", "macros.html", "page.js", "style.css"} <= names


def an_hour(hour: int, day: int = 16) -> Hour:
    begin = datetime(2026, 11, day, hour, tzinfo=UTC)
    seconds = dict.fromkeys(KINDS, 0.0) | {"forward": 60.0 * hour}
    return Hour(
        day=begin.date(), hour=hour, utc_offset="+00:00", begin_utc_ms=int(begin.timestamp()) * 1000, seconds=seconds
    )


def test_hours_without_a_recording_stand_empty(desk_hour: Overview) -> None:
    hours = (an_hour(9), an_hour(12), an_hour(8, day=17))
    in_order = hour_stacks(replace(desk_hour, kind="session", hours=hours))
    assert [(stack.group, stack.label, stack.seconds["forward"]) for stack in in_order] == [
        ("Mon 16 Nov", "09:00", 540.0),
        ("Mon 16 Nov", "10:00", 0.0),
        ("Mon 16 Nov", "11:00", 0.0),
        ("Mon 16 Nov", "12:00", 720.0),
        ("Tue 17 Nov", "08:00", 480.0),
    ]
    labels = [stack.label for stack in hour_stacks(replace(desk_hour, hours=(an_hour(9), an_hour(12)) * 2))]
    assert labels.count("10:00") == labels.count("11:00") == 1
    of_week = hour_stacks(replace(desk_hour, kind="week", hours=hours))
    assert [(stack.label, stack.seconds["forward"]) for stack in of_week] == [
        ("08:00", 480.0),
        ("09:00", 540.0),
        ("10:00", 0.0),
        ("11:00", 0.0),
        ("12:00", 720.0),
    ]
