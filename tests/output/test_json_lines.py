"""JSON lines: every byte of the documented forms."""

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.output.lines import (
    LineWriter,
    damage_line,
    event_line,
    posture_lines,
    session_line,
    summary_line,
)
from companion.posture import events as happened
from companion.posture.rows import CONTEXTS, POSTURE, STATES
from firmware_protocol.frames import Opened

ANGLES = ("sagittal_deg", "lateral_deg", "slouch_pct", "uncertainty_deg")
MakeRows = Callable[..., Any]


def test_posture_lines(make_rows: MakeRows) -> None:
    known = make_rows(1, first=61, sagittal_deg=3.14, lateral_deg=-0.44, slouch_pct=12.0)
    unknown = make_rows(1, 62, "no_data", "unknown", **dict.fromkeys(ANGLES, math.nan))
    near_zero = make_rows(1, 0, state="unjudged", **dict(zip(ANGLES, (-0.04, -0.06, -0.0, math.inf), strict=True)))
    assert posture_lines(np.concatenate([known, unknown, near_zero])) == [
        '{"type":"posture","t_s":12.2,"sagittal_deg":3.1,"lateral_deg":-0.4,"slouch_pct":12.0,'
        '"uncertainty_deg":1.2,"context":"still","state":"in_range"}',
        '{"type":"posture","t_s":12.4,"sagittal_deg":null,"lateral_deg":null,"slouch_pct":null,'
        '"uncertainty_deg":null,"context":"no_data","state":"unknown"}',
        '{"type":"posture","t_s":0.0,"sagittal_deg":0.0,"lateral_deg":-0.1,"slouch_pct":0.0,'
        '"uncertainty_deg":null,"context":"still","state":"unjudged"}',
    ]
    assert posture_lines(known[:0]) == []


angles = st.floats(-400, 400) | st.just(math.nan)
row_values = st.tuples(
    st.integers(0, 10**6), *[angles] * 4, st.integers(0, len(CONTEXTS) - 1), st.integers(0, len(STATES) - 1)
)


@given(st.lists(row_values, max_size=6), st.integers(0, 6))
def test_posture_lines_are_json_and_do_not_depend_on_the_cut(values: list[Any], cut: int) -> None:
    rows = np.array([(t * 200_000_000, *rest, 0) for t, *rest in values], dtype=POSTURE)
    lines = posture_lines(rows)
    assert lines == posture_lines(rows[:cut]) + posture_lines(rows[cut:])
    for row, line in zip(rows, lines, strict=True):
        read = json.loads(line)
        assert (read["context"], read["state"]) == (CONTEXTS[row["context"]], STATES[row["state"]])
        for name in ANGLES:
            angle = float(row[name])
            assert read[name] is None if math.isnan(angle) else abs(read[name] - angle) <= 0.0501


AT = 45_000_000_000


@pytest.mark.parametrize(
    ("event", "rest"),
    [
        (
            happened.SlouchStarted(t_session_ns=AT, episode=1, angle_deg=14.21),
            '"SlouchStarted","episode":1,"angle_deg":14.2}',
        ),
        (
            happened.SlouchEnded(
                t_session_ns=AT,
                episode=2,
                duration_ns=31_250_000_000,
                peak_deg=math.nan,
                mean_deg=-0.01,
                alerts=1,
                ended_by="lay_down",
            ),
            '"SlouchEnded","episode":2,"duration_s":31.2,"peak_deg":null,"mean_deg":0.0,"alerts":1,"ended_by":"lay_down"}',
        ),
        (
            happened.AlertRaised(t_session_ns=AT, episode=1, number=2, angle_deg=15.0, forward_ns=150_000_000_000),
            '"AlertRaised","episode":1,"number":2,"angle_deg":15.0,"forward_s":150.0,"suspect":false}',
        ),
        (
            happened.AlertCleared(t_session_ns=AT, episode=1, recovery_ns=400_000_000, ended_by="moved"),
            '"AlertCleared","episode":1,"recovery_s":0.4,"ended_by":"moved"}',
        ),
        (happened.SignalLost(t_session_ns=AT, cause="out of\u202e range"), '"SignalLost","cause":"out of range"}'),
        (
            happened.Marked(t_session_ns=AT, kind="mark", value='"quoted" é'),
            '"Marked","kind":"mark","value":"\\"quoted\\" é"}',
        ),
        (happened.Snoozed(t_session_ns=AT, until_ns=1_845_000_000_000), '"Snoozed","until_s":1845.0}'),
        (happened.SnoozeEnded(t_session_ns=AT), '"SnoozeEnded"}'),
    ],
)
def test_event_line(event: happened.Event, rest: str) -> None:
    line = event_line(event, 1_774_745_985_004_000_000)
    assert line == '{"type":"event","t_s":45.0,"utc":"2026-03-29T00:59:45.004Z","event":' + rest
    assert json.loads(line)["event"] == type(event).__name__


def test_session_line(header: Opened) -> None:
    assert session_line(header, Path("/data/x.posture")) == (
        '{"type":"session","file":"/data/x.posture","device":"posture_v1","rate_hz":50.0,'
        '"started_utc":"2026-03-29T00:59:00.000Z","calibration":{"id":"c1"},'
        '"settings":{"alert.delay":"30s","alert.repeat":"2min","alert.per_hour":"6","slouch.limit_deg":"12",'
        '"still.sd_g":"0.05","break.every":"30min","slip.limit_deg":"10","profile":"desk","mode":"coach"},'
        '"software_version":"0.1.0"}'
    )


def test_session_line_of_a_hostile_header(header: Opened) -> None:
    hostile = replace(
        header,
        driver="\x1b]0;x\x07" + "d" * 50,
        rate_hz=None,
        calibration_json="{not json",
        settings_json='{"mode":"\\u009b\\u202e"}',
        utc_ns=10**30,
    )
    line = session_line(hostile, None, rate_hz=104.0)
    assert line.isprintable()
    assert json.loads(line) == {
        "type": "session",
        "file": None,
        "device": "]0;x" + "d" * 35 + "…",
        "rate_hz": 104.0,
        "started_utc": "",
        "calibration": None,
        "settings": None,
        "software_version": "0.1.0",
    }


def test_a_path_reads_back_exactly(header: Opened) -> None:
    path = "/tmp/\udcff\u202e/é.posture"
    line = session_line(header, path)
    line.encode()
    assert json.loads(line)["file"] == path


def test_summary_line() -> None:
    summary = {
        "session_id": "s1",
        "view": "settled",
        "duration_s": np.float64(90.0),
        "episodes": np.int64(1),
        "alerts": 2,
        "median_recovery_s": math.nan,
        "rate_hz": None,
        "loss_pct": 0.04,
        "lateral": -0.04,
        "worn": True,
    }
    assert summary_line(summary, "lived") == (
        '{"type":"summary","view":"lived","session_id":"s1","duration_s":90.0,"episodes":1,"alerts":2,'
        '"median_recovery_s":null,"rate_hz":null,"loss_pct":0.0,"lateral":0.0,"worn":true}'
    )


def test_damage_line() -> None:
    line = '{"type":"damage","from_s":10.0,"to_s":12.0,"reason":"checksum"}'
    assert damage_line(10.0, 12.02, "check\x07sum") == line


def test_writer_goes_on_after_a_short_write() -> None:
    class Raw(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:3]))

    raw = Raw()
    LineWriter(raw).put(["abc", "defgh"])
    assert raw.getvalue() == b"abc\ndefgh\n"


def test_writer_ends_each_line_and_flushes() -> None:
    class Stream(io.BytesIO):
        flushed = b""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    stream = Stream()
    assert LineWriter(stream).put(["a", "é\ud800"])
    assert stream.flushed == "a\né?\n".encode()
    assert LineWriter(stream).put([])


WRITES_FOR_EVER = """
import sys
from companion.output.lines import LineWriter
writer = LineWriter(sys.stdout.buffer)
while writer.put(["x" * 1000]):
    pass
assert writer.broken and not writer.put(["more"])
sys.stderr.write("ended")
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_leaves_ends_it_quietly(unbuffered: str) -> None:
    reads, writes = os.pipe()
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER], stdout=writes, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(writes)
        assert os.read(reads, 10) == b"x" * 10
        os.close(reads)
        _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (0, b"ended")
