"""`posture conformance` over the virtual radio: the real command, the real bleak, our own simulated sensor."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from companion.commands import conformance as command
from companion.errors import ConnectionLost
from companion.host import boot_ns
from companion.link.examiner import Examiner
from companion.link.radio import Radio
from companion.simulator.faults import Faults
from companion.simulator.radio import SimulatedRadio
from companion.simulator.sensor import Firmware
from companion.simulator.stories import body_of
from firmware_protocol.drivers import driver
from firmware_protocol.posture_v1.conformance import (
    RULES,
    SCENES,
    WHOLE,
    Listen,
    Pair,
    Scene,
    Unsubscribe,
    Verdict,
)
from firmware_protocol.posture_v1.packets import STATUS
from firmware_protocol.scripts import Subscribe

LINE = re.compile(r"(ok|FAIL) +([a-z-]+) +(\S.*)")
RUN = "import sys; from companion.cli import main; sys.exit(main(sys.argv[1:]))"
Posture = Callable[..., Any]


async def ran(data_dir: Path, *faults: str) -> tuple[int | None, dict[str, str], list[str]]:
    """The command in a process of its own: its code, verdict by id, lines on stderr."""
    words = [word for fault in faults for word in ("--fault", fault)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, "conformance", "--simulated", "--data-dir", str(data_dir), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    verdicts = {}
    for line in out.decode().splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, line
        verdicts[match[2]] = match[1]
    return process.returncode, verdicts, err.decode().splitlines()


@pytest.mark.slow
async def test_the_command_gives_a_verdict_for_each_fault(tmp_path: Path) -> None:
    cases: dict[tuple[str, ...], set[str]] = {
        (): set(),
        ("lose@3",): set(),
        ("short@3",): {"motion-length"},
        ("garbage@3",): {"motion-layout"},
        ("reboot@4",): {"restart"},
        ("link@5+2",): set(),
        ("no-buffer",): set(),
    }
    results = await asyncio.gather(*(ran(tmp_path / str(number), *faults) for number, faults in enumerate(cases)))
    for (faults, rules), (code, verdicts, err) in zip(cases.items(), results, strict=True):
        assert {name for name, word in verdicts.items() if word == "FAIL"} == rules, faults
        assert code == (1 if rules else 0), faults
        assert len(err) <= 3, faults
        assert set(verdicts) <= {rule.name for rule in RULES}
        assert len(verdicts) > 60


async def test_it_is_stopped_like_everything_else(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, "conformance", "--simulated", "--data-dir", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 60)  # lines come one by one
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert first.startswith(b"ok")
    assert process.returncode == 0
    assert err.decode().splitlines()[-1] == "stopped before the end"


def test_only_our_own_sensors_have_a_specification(posture: Posture) -> None:
    said = posture("conformance", "--simulated", "--device", "polar")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == (
        "error: 'simulated' is a polar sensor, and only posture_v1 has a specification here."
    )


def test_without_a_paired_sensor_there_is_none(posture: Posture) -> None:
    assert posture("conformance").code == 2
    assert posture("conformance", "nobody").code == 2


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            None,
            [
                "FAIL  motion-rate         the measured rate is within 2 % of the nominal one: "
                "52.49 Hz were measured at 50 Hz"
            ],
        ),
        (
            60,
            [
                "FAIL  motion-rate         the measured rate is within 2 % of",
                "                          the nominal one: 52.49 Hz were",
                "                          measured at 50 Hz",
            ],
        ),
        (
            10,  # no narrower than what leaves a sentence 20 letters
            [
                "FAIL  motion-rate         the measured rate is",
                "                          within 2 % of the",
                "                          nominal one: 52.49",
                "                          Hz were measured at",
                "                          50 Hz",
            ],
        ),
    ],
)
def test_a_verdict_is_one_line_but_on_a_terminal(columns: int | None, lines: list[str]) -> None:
    rule = next(rule for rule in RULES if rule.name == "motion-rate")
    sentence = f"{rule.says}: 52.49 Hz were measured at 50 Hz"
    assert command._lines(Verdict(rule, False, sentence), columns) == lines


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(("columns", "width"), [(72, 72), (0, 80)])
def test_the_width_is_the_terminal_s(columns: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours):
        monkeypatch.setattr(sys, "stdout", terminal)
        assert command._width() == width


# The examiner, on scenes of its own.


async def test_the_examiner_ends_a_subscription() -> None:
    firmware = Firmware(body_of("upright"))
    async with SimulatedRadio(firmware) as sim:
        radio = Radio(sim.scanner_backend, sim.client_backend, sim.adapter_backend)
        examiner = Examiner(radio, driver("posture_v1"), boot_ns)
        said: list[Any] = []

        def once(_: Any) -> Any:
            for step in (Pair(), Subscribe(STATUS), Unsubscribe(STATUS), Subscribe(STATUS)):
                yield step
                said.append(STATUS in firmware._subscribed)

        try:
            await examiner.meet()
            await examiner.play(Scene("live", "subscribing", 1, once))
        finally:
            await examiner.close()
    assert said == [False, True, False, True]


async def listened(seconds: float, *faults: str, made: type[Firmware] = Firmware) -> Examiner:
    """A sensor that was met, described, and listened to."""
    firmware = made(body_of("upright"), faults=Faults.of(faults))
    async with SimulatedRadio(firmware) as sim:
        radio = Radio(sim.scanner_backend, sim.client_backend, sim.adapter_backend)
        examiner = Examiner(radio, driver("posture_v1"), boot_ns)
        try:
            await examiner.meet()
            for scene in (*SCENES[:2], Scene("live", "listening", 1, lambda _: iter_of(Listen(seconds)))):
                await examiner.play(scene)
            await examiner.play(WHOLE)
        finally:
            await examiner.close()
    return examiner


def iter_of(step: Listen) -> Any:
    yield step


async def test_before_pairing_everything_is_refused_over_the_air() -> None:
    examiner = await listened(0.1)
    said = {verdict.rule.name for scene in SCENES[:2] for verdict in examiner.evidence.verdicts(scene.name)}
    assert {"advertised", "gatt", "gatt-cccd", "security", "indications-off", "info-length", "identity"} <= said
    assert all(not entry.broken for entry in examiner.evidence.book.entries.values())


@pytest.mark.slow
async def test_a_link_that_is_lost_is_made_again_and_the_scene_played_anew() -> None:
    examiner = await listened(1.5, "link@0.8+0.3")
    assert examiner.losses == 1
    assert "link" not in {name for name, entry in examiner.evidence.book.entries.items() if entry.broken}


async def test_a_sensor_that_loses_the_link_each_time_is_told_so() -> None:
    class Leaving(Firmware):
        since_ns = 0

        def connected(self, now_ns: int, mtu: int = 247) -> None:
            self.since_ns = now_ns
            super().connected(now_ns, mtu)

        def link_allowed(self, now_ns: int) -> bool:
            return not self._connected or now_ns - self.since_ns < 700_000_000

        def next_due_ns(self) -> int:
            return min(super().next_due_ns(), self._now_ns + 50_000_000)

    examiner = await listened(30.0, made=Leaving)
    entry = examiner.evidence.book.entries["link"]
    assert entry.broken >= 1
    assert entry.first.startswith("it was lost 3 times during: ")


async def test_a_sensor_that_does_not_come_back_is_lost_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("companion.link.examiner.RETURN_S", 0.5)
    with pytest.raises(ConnectionLost, match="did not come back"):
        await listened(5.0, "link@0.8+100")


def test_the_command_is_done_in_the_time_that_it_tells() -> None:
    assert sum(scene.seconds for scene in SCENES) < command._UNDER_S == 60
    assert next(scene for scene in SCENES if scene.name == "live").seconds > 10
