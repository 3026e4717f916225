"""Parsing and the way out: exit codes, few lines, a help that loads nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion import __version__
from companion.commands.options import MonitorOptions, Shared, Simulation
from companion.commands.words import seconds, split_pair, times_real_time, with_story
from companion.errors import CompanionError, DeviceNotFound, NotARecording, UsageError

HEAVY = ("numpy", "scipy", "vqf", "bleak", "textual", "bumble", "rich", "sqlite3", "asyncio")


def test_help_loads_no_heavy_package() -> None:
    code = (
        "import sys; from companion.cli import main; main(['--help']); main(['monitor', '--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


COMMANDS = [
    *("scan", "devices", "pair", "calibrate", "monitor", "replay", "export", "sessions", "simulate", "import"),
    *("config", "config show", "config path"),
]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_says_what_this_is_not(posture, command: str) -> None:
    ran = posture(*command.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "not a medical device" in ran.out
    assert "discomfort" in ran.out


def test_without_arguments_the_help_is_shown(posture) -> None:
    ran = posture()
    assert ran.code == 0
    assert ran.out == posture("--help").out
    for command in COMMANDS:
        assert f"\n  {command.split()[0]} " in ran.out


def test_version(posture) -> None:
    assert posture("--version").out == f"posture-companion {__version__}\n"


WRONG = [
    "foo",
    "monitr",
    "--foo",
    "monitor --foo",
    "monitor a b",
    "monitor --duration 0",
    "monitor --duration -1",
    "monitor --duration nan",
    "monitor --duration inf",
    "monitor --duration 5years",
    "monitor --set alert.delay",
    "monitor --set =3",
    "monitor --device polar",
    "monitor --fault link@3",
    "scan --timeout x",
    "devices nothing-of-the-kind",
    "devices --simulated",
    "pair --key 1234",
    "replay",
    "replay nothing.posture --speed 0",
    "replay nothing.posture --speed -1",
    "replay nothing.posture --speed nan",
    "replay nothing.posture --speed fast",
    "simulate",
    "simulate demo",
    "simulate demo --to a.posture --hci usb:0",
    "simulate demo --to a.posture --seed x",
    "import a.csv",
    "import a.csv --out b.posture --rate 0",
    "config",
    "config show more",
    "config show --set no.such=1",
    "config show --set alert.delay=soon",
    "config show --set mode=louder",
]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_end_with_one_and_few_lines(posture, words: str) -> None:
    ran = posture(*words.split())
    assert ran.code == 1
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert 1 <= len(lines) <= 3
    assert lines[0].startswith("error: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("a", "b"), 1), (DeviceNotFound("a", "b"), 2), (NotARecording("a", "b"), 5)],
)
def test_an_error_of_the_tree_becomes_its_code_and_two_lines(
    posture, monkeypatch: pytest.MonkeyPatch, error: CompanionError, code: int
) -> None:
    def fail(_options: object) -> None:
        raise error

    monkeypatch.setattr("companion.commands.config.show", fail)
    ran = posture("config", "show")
    assert (ran.code, ran.out, ran.err) == (code, "", "error: a\nb\n")


def test_messages_are_one_printable_line_each(posture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: object) -> None:
        raise UsageError("a name \x1b[31m\u202e of\nmany lines", "hint\r\n\x07")

    monkeypatch.setattr("companion.commands.config.show", fail)
    assert posture("config", "show").err == "error: a name [31m of many lines\nhint\n"


def test_ctrl_c_ends_with_zero_and_says_that_it_was_not_the_end(posture, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("companion.commands.config.show", stop)
    ran = posture("config", "show")
    assert (ran.code, ran.out, ran.err) == (0, "", "stopped before the end\n")


def test_an_input_that_ends_is_told(posture, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_options: object) -> None:
        raise EOFError

    monkeypatch.setattr("companion.commands.config.show", ask)
    ran = posture("config", "show")
    assert (ran.code, ran.out, ran.err.splitlines()[-1]) == (1, "", "error: the input ended.")


def test_a_terminal_without_a_letter_shows_another(data_dir: Path) -> None:
    code = "import sys; from companion.cli import main; sys.exit(main(['sessions']))"
    (data_dir / "sessions").mkdir(parents=True)
    (data_dir / "sessions" / "x.posture").write_text("no recording")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.splitlines()[1].startswith("?")


def test_a_bug_shows_its_traceback(posture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("companion.commands.config.show", fail)
    with pytest.raises(ZeroDivisionError):
        posture("config", "show")


def test_a_reader_that_goes_away_is_no_error(data_dir: Path) -> None:
    code = (
        "import sys, os; from companion import cli; from companion.commands import config;"
        "config.show = lambda options: [print('x' * 10000) for _ in range(100)];"
        "sys.exit(cli.main(['config', 'show']))"
    )
    script = f'set -o pipefail; {sys.executable} -c "{code}" | head -c 3'
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "xxx", "")


def test_sigterm_ends_with_zero_and_says_that_it_was_not_the_end(data_dir: Path) -> None:
    code = (
        "import os, signal, sys; from companion import cli; from companion.commands import config;"
        "config.show = lambda options: os.kill(os.getpid(), signal.SIGTERM) or signal.pause();"
        "sys.exit(cli.main(['config', 'show']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "stopped before the end\n")


@pytest.mark.parametrize(
    ("given_words", "story", "alias"),
    [
        ("--simulated", "demo", None),
        ("--simulated --json", "demo", None),
        ("--json --simulated", "demo", None),
        ("--simulated slouch --json", "slouch", None),
        ("--simulated=slouch --json", "slouch", None),
        ("desk1 --simulated", "demo", "desk1"),
        ("desk1 --simulated motion.npz", "motion.npz", "desk1"),
        ("--simulated upright desk1", "upright", "desk1"),
        ("--simulated -v desk1", "demo", "desk1"),
        ("desk1", None, "desk1"),
    ],
)
def test_a_bare_simulated_is_the_demo(
    posture, monkeypatch: pytest.MonkeyPatch, given_words: str, story: str | None, alias: str | None
) -> None:
    seen = []

    class Monitor:
        run = staticmethod(seen.append)

    monkeypatch.setitem(sys.modules, "companion.commands.monitor", Monitor)
    monkeypatch.setattr("companion.commands.monitor", Monitor, raising=False)
    assert posture("monitor", *given_words.split()).code == 0
    assert (seen[0].simulation.story, seen[0].alias) == (story, alias)


def test_every_option_of_monitor_arrives(posture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    class Monitor:
        run = staticmethod(seen.append)

    monkeypatch.setitem(sys.modules, "companion.commands.monitor", Monitor)
    monkeypatch.setattr("companion.commands.monitor", Monitor, raising=False)
    words = (
        "monitor desk1 --simulated slouch --device posture_v1 --fault link@20+20 --fault no-buffer --json "
        "--set alert.delay=60s --set mode=coach --mode track --profile sofa --duration 2min --calibrate -v"
    )
    posture(*words.split(), "--data-dir", tmp_path)
    assert seen == [
        MonitorOptions(
            shared=Shared(
                data_dir=tmp_path,
                settings=(("alert.delay", "60s"), ("mode", "coach"), ("profile", "sofa"), ("mode", "track")),
                verbose=True,
            ),
            simulation=Simulation(story="slouch", device="posture_v1", faults=("link@20+20", "no-buffer")),
            style="json",
            alias="desk1",
            duration_s=120.0,
            calibrate=True,
        )
    ]


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert with_story(["--simulated", "--", "--simulated"]) == ["--simulated=demo", "--", "--simulated"]


@given(st.lists(st.sampled_from(["--simulated", "--json", "slouch", "a1", "--set", "k=v"])))
def test_only_a_bare_simulated_changes(words: list[str]) -> None:
    spelled = with_story(words)
    assert [word.partition("=demo")[0] for word in spelled] == words


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90.0), ("0.5", 0.5), ("90s", 90.0), ("2min", 120.0), ("1.5h", 5400.0), (" 3 ", 3.0)],
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("max", float("inf")), ("1", 1.0), ("0.25", 0.25), ("20", 20.0)])
def test_times_real_time(text: str, value: float) -> None:
    assert times_real_time(text) == value


def test_a_value_may_hold_an_equals_sign() -> None:
    assert split_pair(" key = a=b ") == ("key", "a=b")


def test_verbose_writes_to_stderr_only(posture) -> None:
    plain, verbose = posture("config", "show", "--json"), posture("config", "show", "--json", "-v")
    assert json.loads(verbose.out) == json.loads(plain.out)
