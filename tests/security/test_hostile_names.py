"""T1, T2, T4, T16: a name from the air, and text in a file, reach terminal, page and tables as text or not at all."""

import csv
import io
import json
import logging
import re
from collections.abc import Callable
from dataclasses import fields, replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_air import packets_backend
from rich.console import Console

from companion.commands.ending import log_to_stderr
from companion.commands.opening import opening
from companion.link.radio import Radio
from companion.link.scan import scan
from companion.output.monitor_app import MonitorApp
from companion.output.snapshot import Snapshot, SnapshotBuilder
from companion.posture.events import Marked, RecordingTroubled
from companion.posture.rows import POSTURE
from companion.settings import Settings
from companion.simulator.stories import body_of
from companion.simulator.straight import frames as simulated
from firmware_protocol.frames import Frame, LinkDown, Opened, RecorderTrouble, UserMark

Unfit = Callable[[str], list[str]]

NAMES = {
    "a title of the window": "\x1b]0;owned\x07",
    "colours and a cleared screen": "\x1b[2J\x1b[31mred",
    "a control of eight bits": "\x9b31m\x85\x90x\x9c",
    "text that runs backwards": "\u202egnitsop\u2066\u200f",
    "markup": "[red]x[/red][/]",
    "a formula": "=cmd|'/C x'!A1",
    "HTML": "<script>alert(1)</script>",
    "the end of a line": "a\r\nALERT\x00\x0b\x08",
    "a path": "../../../etc/passwd",
}
"""At most 29 bytes each in UTF-8: so much holds a scan response."""

HOSTILE = "\x1b]0;x\x07\x9b2J\u202e[red]=1+1<b>\r\n\x00"


def naive(text: str) -> str:
    """How one would print a name without a thought."""
    return f"{text:<24}"


@pytest.mark.parametrize("name", NAMES)
def test_the_naive_way_falls(unfit: Unfit, name: str) -> None:
    """Every name here is either not fit to be printed, or means something to rich, a browser or a spreadsheet."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    try:
        console.print(NAMES[name], end="")
        rich = console.file.getvalue()  # type: ignore[attr-defined]
    except Exception:
        rich = "an error: markup that does not close"
    table = io.StringIO()
    csv.writer(table).writerow([NAMES[name]])
    falls = [unfit(naive(NAMES[name])), rich != NAMES[name], table.getvalue()[0] in "=+-@", "<" in NAMES[name]]
    assert any(falls) or name == "a path"
    assert len(NAMES[name].encode()) <= 29


def test_a_scan_shows_hostile_names_as_text(posture: Any, named: Any, unfit: Unfit) -> None:
    named(*NAMES.values())
    shown = posture("scan", "--timeout", "2", "-v")
    assert (shown.code, unfit(shown.out), unfit(shown.err)) == (0, [], [])
    assert len(shown.out.splitlines()) == 1 + len(NAMES)
    assert "[red]x[/red][/]" in shown.out
    told = posture("scan", "--timeout", "2", "--json")
    assert (told.code, unfit(told.out), unfit(told.err)) == (0, [], [])
    found = [json.loads(line)["name"] for line in told.out.splitlines()]
    assert len(found) == len(NAMES)
    assert max(map(len, found)) <= 40
    assert [each for each in found if unfit(each)] == []
    assert {name for name in NAMES.values() if name.isprintable()} <= set(found)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 200,
        "\u202e" * 200 + "end",
        "e\u0301" * 100,
        "\ud800name",
        b"\xff\xfe\x1b[31mraw".decode("utf-8", "replace"),
        "\x00",
    ],
)
async def test_a_name_of_any_length_is_cut_and_normal(unfit: Unfit, name: str) -> None:
    backend = packets_backend()
    backend.heard_at_once = lambda self: backend.say("F0:00:00:00:00:01", name=name)  # type: ignore[method-assign]
    (found,) = await scan(Radio(backend), 0.05)
    assert len(found.name) <= 40
    assert unfit(found.name) == []
    assert "e\u0301" not in found.name


@pytest.mark.slow
def test_a_hostile_sensor_is_paired_watched_and_listed_as_text(
    posture: Any, named: Any, unfit: Unfit, data_dir: Path, tmp_path: Path
) -> None:
    named(NAMES["colours and a cleared screen"])
    commands = [
        ("pair",),
        ("monitor", "--plain", "--duration", "5", "-v"),
        ("monitor", "--json", "--duration", "5"),
        ("sessions",),
        ("sessions", "--json"),
        ("history",),
        ("history", "--json"),
        ("export", *(data_dir / "sessions").glob("*"), "--out", tmp_path / "csv"),
    ]
    for command in commands:
        given = [*command, *sorted((data_dir / "sessions").glob("*"))] if command[0] == "export" else command
        ran = posture(*given)
        assert (ran.code, unfit(ran.out), unfit(ran.err)) == (0, [], []), command
    names = sorted(path.name for path in (data_dir / "sessions").iterdir())
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z_sensor(-\d)?\.posture", name) for name in names), names
    kept = json.loads((data_dir / "sensors.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in kept["sensors"].values()] == ["[2J[31mred"]


# ---- text in a file: a recording may come from anybody


def hostile(story_s: float = 8.0) -> list[Frame]:
    """A session whose every free text is hostile."""
    header = opening(
        t_host_ns=0,
        driver="posture_v1",
        device=HOSTILE,
        settings=Settings(),
        origin="live",
        rate_hz=50.0,
        calibration_json=None,
    )
    header = replace(header, software_version=HOSTILE, origin=HOSTILE)
    made = list(simulated(body_of("upright"), header=header, duration_s=story_s))
    last_ns = made[-1].t_host_ns
    said: list[Frame] = [
        RecorderTrouble(t_host_ns=last_ns + 1, reason=HOSTILE),
        UserMark(t_host_ns=last_ns + 2, kind=HOSTILE, value=HOSTILE),
        LinkDown(t_host_ns=last_ns + 3, cause=HOSTILE),
        UserMark(t_host_ns=last_ns + 45_000_000_000, kind="note", value=HOSTILE),
    ]
    return [*made, *said]


def test_every_free_text_of_a_recording_was_made_hostile() -> None:
    header = hostile(0.5)[0]
    assert isinstance(header, Opened)
    texts = {each.name for each in fields(Opened) if isinstance(getattr(header, each.name), str)}
    free = {name for name in texts if getattr(header, name) == HOSTILE}
    assert texts - free == {"session_id", "driver", "zone", "settings_json"}, "these have a form that is checked"


COMMANDS: list[tuple[str, ...]] = [
    ("replay", "FILE", "--speed", "max", "--plain"),
    ("replay", "FILE", "--speed", "max", "--json"),
    ("replay", "FILE", "--speed", "max", "--plain", "-v"),
    ("sessions",),
    ("sessions", "--json"),
    ("history",),
    ("history", "--json"),
    ("verify", "FILE"),
    ("verify", "FILE", "--json"),
]


def test_no_command_shows_hostile_text_of_a_file_as_it_is(posture: Any, recorded: Any, unfit: Unfit) -> None:
    file = recorded(hostile())
    for command in COMMANDS:
        ran = posture(*(str(file) if word == "FILE" else word for word in command))
        assert ran.code == 0, (command, ran.err)
        assert (unfit(ran.out), unfit(ran.err)) == ([], []), command


def test_tables_defuse_it(posture: Any, recorded: Any, unfit: Unfit, tmp_path: Path) -> None:
    header, *rest = hostile(2.0)
    file = recorded([replace(header, device="=1+1\x1b[31m", software_version="\t@x"), *rest])
    ran = posture("export", file, "--out", tmp_path / "csv")
    assert ran.code == 0, ran.err
    for table in (tmp_path / "csv").iterdir():
        text = table.read_text(encoding="utf-8")
        assert unfit(text) == [], table.name
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        numbers = re.compile(r"-?\d+(\.\d+)?")
        suspect = [cell for cell in cells if cell[:1] in tuple("=+-@") and not numbers.fullmatch(cell)]
        assert suspect == [], table.name
    (sessions,) = (tmp_path / "csv").glob("*_sessions.csv")
    assert "'=1+1[31m" in sessions.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_holds_it_as_text(posture: Any, recorded: Any, unfit: Unfit, tmp_path: Path) -> None:
    header, *rest = hostile(2.0)
    file = recorded([replace(header, device="<img src=x onerror=alert(1)>\x1b\u202e{{7*7}}"), *rest])
    ran = posture("report", file, "--out", tmp_path / "r.html")
    assert ran.code == 0, ran.err
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    own = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    assert "<img src=x" not in own
    assert "49" not in re.findall(r"onerror=alert\(1\)&gt;(.{0,12})", own)[0]
    assert "{{7*7}}" in unescape(own)
    assert unfit(own.replace("\t", "")) == []


async def test_the_screen_shows_it_as_text(unfit: Unfit) -> None:
    """Markup stays letters, and nothing that a terminal would obey is drawn; drawn as it came, it would be."""
    header = hostile(0.1)[0]
    assert isinstance(header, Opened)
    builder = SnapshotBuilder(replace(header, device=f"[red]{HOSTILE}"), Settings(), file=HOSTILE)
    events = (Marked(t_session_ns=0, kind=HOSTILE, value=HOSTILE), RecordingTroubled(t_session_ns=0, reason=HOSTILE))
    made = builder.update(np.empty(0, dtype=POSTURE), events, link=HOSTILE)
    drawn = await drawn_of(made)
    assert any("[red]" in line for line in drawn)
    assert unfit("\n".join(drawn)) == []
    assert unfit("\n".join(await drawn_of(replace(made, device=HOSTILE)))) != [], "the naive way falls"


async def drawn_of(snapshot: Snapshot) -> list[str]:
    """The lines of the screen that shows this snapshot, as text."""
    app = MonitorApp(lambda: snapshot, lambda kind, value: None)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.2)
        return ["".join(segment.text for segment in line) for line in app.screen._compositor.render_strips()]


def test_a_log_line_quotes_it_as_text(capfd: pytest.CaptureFixture[str], unfit: Unfit) -> None:
    log_to_stderr(True)
    logging.getLogger("companion.link").debug("the sensor said %s", HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("companion.link").exception("and so")
    log_to_stderr(False)
    err = capfd.readouterr().err
    assert unfit(err) == []
    assert "the sensor said" in err
    assert "ValueError" in err
