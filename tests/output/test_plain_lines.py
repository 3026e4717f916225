"""Plain lines: what a person without a screen is told, whole and in order, however the session is cut."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.plain import PlainLines
from companion.posture import events as happened
from companion.posture.events import Event
from companion.posture.rows import CONTEXTS, POSTURE, STATES
from firmware_protocol.frames import Opened

MakeRows = Callable[..., Any]
S = 1_000_000_000
UNKNOWN = {"sagittal_deg": math.nan, "uncertainty_deg": math.nan, "slouch_pct": math.nan}


def test_a_short_session_in_full(header: Opened, make_rows: MakeRows) -> None:
    plain = PlainLines(header)
    lines = plain.opened(Path("/data/x.posture"))
    lines += plain.link("connected")
    lines += plain.link("connected")
    lines += plain.feed(
        [
            ("posture", make_rows(6, 1, "settling", "unknown", **UNKNOWN)),
            ("posture", make_rows(43, 7)),
            ("posture", make_rows(40, 50, state="forward", sagittal_deg=15.1, slouch_pct=50.4)),
            happened.SlouchStarted(t_session_ns=10 * S, episode=1, angle_deg=14.2),
            happened.AlertRaised(t_session_ns=18 * S, episode=1, number=1, angle_deg=15.1, forward_ns=8_000_000_000),
            happened.Snoozed(t_session_ns=19 * S, until_ns=60 * S),
        ]
    )
    lines += plain.step("hold still")
    assert lines == [
        "Not a medical device; stop at the first discomfort.",
        "session 2026-03-29T005900Z-4f2a: clip (posture_v1, 50 Hz)",
        "recording to /data/x.posture",
        "0:00:00  link: connected",
        "0:00:01  settling",
        "0:00:02  still, in range  +1.0° ± 1.2°  slouch 3 %",
        "0:00:10  still, forward  +15.1° ± 1.2°  slouch 50 %",
        "0:00:10  forward of your baseline: 14.2° (episode 1)",
        "0:00:18  ALERT: forward of your baseline for 8 s, now 15.1°",
        "0:00:19  no alerts until 03:00; time is still counted",
        "0:00:19  hold still",
    ]


def test_a_fidget_is_not_told_and_nothing_new_is_told_every_ten_seconds(header: Opened, make_rows: MakeRows) -> None:
    rows = [
        make_rows(20, 1),
        make_rows(4, 21, "moving", "unknown", **UNKNOWN),
        make_rows(100, 25),
    ]
    lines = PlainLines(header).feed([("posture", part) for part in rows])
    assert [line[:7] for line in lines] == ["0:00:01", "0:00:10", "0:00:20"]


def test_the_uncalibrated_are_told_once(header: Opened) -> None:
    lines = PlainLines(replace(header, calibration_json=None, rate_hz=None)).opened()
    assert lines[1:] == [
        "session 2026-03-29T005900Z-4f2a: clip (posture_v1)",
        "not calibrated: angles are not judged until you calibrate",
    ]


def test_nothing_from_a_device_reaches_the_terminal(header: Opened) -> None:
    hostile = "\x1b[2J\u202eALERT\x07\x9b[red]"
    plain = PlainLines(replace(header, device=hostile, driver=hostile, session_id=hostile))
    lines = plain.opened("/tmp/\x1b.posture") + plain.link(hostile) + plain.step(hostile)
    lines += plain.feed([happened.SignalLost(t_session_ns=0, cause=hostile)])
    lines += plain.closed({"device": hostile}, "/tmp/\x1b.posture")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if "ALERT" in line and not line.startswith("session ")]


def test_the_summary_in_full(header: Opened) -> None:
    summary = {
        "duration_s": 90.0,
        "still_s": 80.0,
        "in_range_s": 45.4,
        "forward_s": 34.6,
        "reclined_s": 0.0,
        "unjudged_s": 0.0,
        "no_data_s": 2.0,
        "episodes": 1,
        "longest_forward_s": 34.6,
        "alerts": 1,
        "loss_pct": 0.26,
        "lost_samples": 12,
        "outages": 1,
    }
    assert PlainLines(header).closed(summary, "/data/x.posture") == [
        "",
        "summary",
        "  duration       1 min 30 s",
        "  still          1 min 20 s",
        "  in range       45 s",
        "  forward        35 s",
        "  reclined       0 s",
        "  unjudged       0 s",
        "  no data        2 s",
        "  episodes       1, longest 35 s",
        "  alerts         1",
        "  loss           0.3 % (12 samples), link lost 1 time",
        "recording: /data/x.posture",
    ]


@pytest.mark.parametrize(
    ("loss_pct", "samples", "lost", "words"),
    [
        (30.0, 3377, 0, "30.0 % (as lived: 1013 samples came later, 0 are missing)"),
        (10.0, 99, 1, "10.0 % (as lived: 9 samples came later, 1 is missing)"),
        (1.0, 99, 1, "1.0 % (1 sample)"),
        (100 * 12 / 4615, 4603, 12, "0.3 % (12 samples)"),
        (None, 99, 0, "– (this sensor has nothing to count it by)"),
    ],
)
def test_what_came_later_is_told_from_what_is_missing(
    header: Opened, loss_pct: float | None, samples: int, lost: int, words: str
) -> None:
    summary = {"loss_pct": loss_pct, "samples": samples, "lost_samples": lost, "outages": 0}
    assert PlainLines(header).closed(summary)[-1] == f"  loss           {words}"


def test_a_summary_without_figures_is_still_one(header: Opened) -> None:
    lines = PlainLines(header).closed({"loss_pct": None, "duration_s": math.nan})
    assert lines[2] == "  duration       –"
    assert lines[-1] == "  loss           –"


runs = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(range(len(CONTEXTS))), st.sampled_from(range(len(STATES)))),
    max_size=8,
)
alerts = st.lists(st.integers(0, 400), max_size=3)


def session(spans: list[tuple[int, int, int]], raised: list[int]) -> list[tuple[str, Any] | Event]:
    """Rows one by one, with alerts after some of them: the finest cut there is."""
    pieces: list[tuple[str, Any] | Event] = []
    codes = [(context, state) for count, context, state in spans for _ in range(count)]
    for number, (context, state) in enumerate(codes, 1):
        row = np.array([(number * S // 5, 3.0, 0.0, 10.0, 1.0, context, state, 0)], dtype=POSTURE)
        pieces.append(("posture", row))
        if number in raised:
            pieces.append(
                happened.AlertRaised(
                    t_session_ns=number * S // 5, episode=1, number=1, angle_deg=14.0, forward_ns=30 * S
                )
            )
    return pieces


def joined(pieces: list[tuple[str, Any] | Event]) -> Iterator[tuple[str, Any] | Event]:
    """The same session with rows in the largest pieces."""
    rows: list[Any] = []
    for piece in pieces:
        if isinstance(piece, Event):
            if rows:
                yield "posture", np.concatenate(rows)
            rows = []
            yield piece
        else:
            rows.append(piece[1])
    if rows:
        yield "posture", np.concatenate(rows)


@given(runs, alerts)
def test_the_lines_do_not_depend_on_the_cut(spans: list[tuple[int, int, int]], raised: list[int]) -> None:
    opened = Opened(
        t_host_ns=0,
        session_id="s",
        driver="d",
        device="d",
        utc_ns=0,
        zone="UTC",
        software_version="0",
    )
    pieces = session(spans, raised)
    whole, cut = PlainLines(opened), PlainLines(opened)
    lines = whole.feed(joined(pieces))
    assert lines == [line for piece in pieces for line in cut.feed([piece])]
    told = [line for line in lines if "ALERT" not in line]
    count = sum(span[0] for span in spans)
    assert len(told) <= count / 5 + count / 50 + 1, "about one line a second at most"
    assert len(lines) - len(told) == len([piece for piece in pieces if isinstance(piece, Event)])
