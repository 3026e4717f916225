"""pair, monitor and calibrate where keys are refused, or another sensor stands under a known name; over real GATT."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from companion.commands.air import Air
from companion.commands.places import places
from companion.commands.store import Store
from companion.link.client import SensorLink
from companion.link.radio import Radio
from companion.link.scan import find
from companion.simulator.radio import SimulatedRadio
from companion.simulator.sensor import SENSOR_ADDRESS, Firmware
from companion.simulator.stories import body_of
from firmware_protocol import driver

STALE = "The sensor does not accept the keys that this computer has for it: it was reset, or another one poses as it."
OURS, OTHER = b"\x01" * 16, b"\x02" * 16
MONITOR = ("monitor", "--plain", "--duration", "5")
CALIBRATE = pytest.param(("calibrate", "--plain"), marks=pytest.mark.slow)
REMOVED = "This computer's old keys for it were removed."
UNTOLD = f"{REMOVED[:-1]}, if there were any: the system does not tell."
FORGET = "Forget this computer's old keys for it, and pair anew? [y/N] "


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is there at once, or never."""
    for name, seconds in (("MEASURE_S", 0.3), ("SEARCH_S", 2.0)):
        monkeypatch.setattr(f"companion.commands.meeting.{name}", seconds)


class Mute(Firmware):
    """A sensor whose Info cannot be read as what the protocol says."""

    def read(self, characteristic: str, now_ns: int) -> bytes:
        return super().read(characteristic, now_ns)[:5]


class Interrupting(Firmware):
    """A sensor that has just sent its first motion when somebody presses Ctrl-C, or ends the program otherwise."""

    number = signal.SIGINT
    made: "Interrupting | None" = None
    pressed = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        type(self).made = self

    def advance(self, now_ns: int) -> list[Any]:
        out = super().advance(now_ns)
        if out and self.sampling and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), self.number)
        return out


InRange = Callable[..., list[Any]]


@pytest.fixture
def in_range(monkeypatch: pytest.MonkeyPatch) -> InRange:
    """Puts our own sensor in range of the commands, with this identity; `stale`: this computer has keys that it lost.

    What is returned gets whatever each command leaves behind: whether there still are keys at its end.
    """

    def put(identity: bytes = OURS, *, stale: bool = False, kind: type[Firmware] = Firmware) -> list[Any]:
        bonded: list[Any] = []

        @asynccontextmanager
        async def on_air(_act: object) -> AsyncIterator[Air]:
            firmware = kind(body_of("upright"), identity=identity)
            async with SimulatedRadio(firmware) as simulated:
                radio = Radio(simulated.scanner_backend, simulated.client_backend, simulated.adapter_backend)
                if stale:
                    await _bond(radio)
                    simulated.sensor.forget_bonds()
                try:
                    yield Air(radio)
                finally:
                    bonded.append(await simulated.central.bonded(simulated.sensor.device.random_address))

        for room in ("meeting", "live"):
            monkeypatch.setattr(f"companion.commands.{room}.on_air", on_air)
        return bonded

    return put


async def _bond(radio: Radio) -> None:
    found = await find(radio, address=SENSOR_ADDRESS)
    assert found.device is not None
    link = SensorLink(found.device, radio, lambda _: None, lambda: 0)
    await link.open(driver("posture_v1"))
    await link.close()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sits down at a terminal and answers what is asked, with this line."""

    def sit(line: str) -> None:
        class Terminal:
            def isatty(self) -> bool:
                return True

            def readline(self) -> str:
                return line + "\n"

            def fileno(self) -> int:
                raise ValueError("nothing to wait for: the answer is there")

        monkeypatch.setattr(sys, "stdin", Terminal())

    return sit


def identity_kept(data_dir: Path, alias: str = "back") -> str:
    return json.loads((data_dir / "sensors.json").read_text())["sensors"][alias]["identity"]


def store_of(data_dir: Path) -> Store:
    return Store(places(data_dir))


def test_a_sensor_of_ours_is_paired_and_what_the_system_says_of_its_keys_is_told(posture, in_range) -> None:
    in_range()
    ran = posture("pair", "back")
    assert (ran.code, ran.err) == (0, "`posture monitor` uses it from now on.\n")
    assert ran.lines == [
        "back: Posture 1234 (posture_v1)",
        "  rate     50 Hz",
        "  gives    acceleration, rotation",
        "  battery  92 %",
        "  security not readable on this system",
    ]


def test_refused_keys_are_told_and_left_alone_where_nobody_can_be_asked(posture, in_range, data_dir: Path) -> None:
    bonded = in_range(stale=True)
    ran = posture("pair", "back")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == f"error: {STALE}\nIf it was reset, this mends it: posture pair back --forget\n"
    assert bonded == [True]
    assert not (data_dir / "sensors.json").exists()


def test_without_a_name_the_advice_has_none(posture, in_range) -> None:
    in_range(stale=True)
    assert posture("pair").err.endswith("If it was reset, this mends it: posture pair --forget\n")


@pytest.mark.parametrize("words", [MONITOR, CALIBRATE])
def test_monitor_and_calibrate_name_the_cause_and_what_mends_it(posture, in_range, data_dir: Path, words) -> None:
    in_range()
    assert posture("pair", "back").code == 0
    in_range(stale=True)
    ran = posture(*words)
    assert ran.code == 4
    assert ran.err.endswith(f"error: {STALE}\nIf it was reset, this mends it: posture pair back --forget\n")
    assert not list((data_dir / "sessions").iterdir())


def test_forget_throws_the_old_keys_away_and_pairs_anew(posture, in_range, data_dir: Path) -> None:
    bonded = in_range(stale=True)
    ran = posture("pair", "back", "--forget")
    assert (ran.code, ran.lines[0]) == (0, "back: Posture 1234 (posture_v1)")
    assert bonded == [True]
    assert identity_kept(data_dir) == OURS.hex()


def test_forget_is_no_matter_where_there_are_no_keys(posture, in_range) -> None:
    in_range()
    ran = posture("pair", "back", "--forget")
    assert (ran.code, ran.err) == (0, f"{UNTOLD}\n`posture monitor` uses it from now on.\n")


@pytest.mark.parametrize("line", ["y", pytest.param("YES", marks=pytest.mark.slow)])
def test_somebody_at_the_terminal_may_consent(posture, in_range, answers, data_dir: Path, line: str) -> None:
    in_range(stale=True)
    answers(line)
    ran = posture("pair", "back")
    assert ran.code == 0
    assert ran.err == f"{STALE}\n{FORGET}{REMOVED}\n`posture monitor` uses it from now on.\n"
    assert identity_kept(data_dir) == OURS.hex()


@pytest.mark.parametrize("line", ["", pytest.param("n", marks=pytest.mark.slow)])
def test_anything_but_yes_leaves_the_keys(posture, in_range, answers, data_dir: Path, line: str) -> None:
    bonded = in_range(stale=True)
    answers(line)
    ran = posture("pair", "back")
    assert ran.code == 4
    assert ran.err == (
        f"{STALE}\n{FORGET}error: This computer's old keys stay, and the sensor is not paired.\n"
        "If it was reset, this mends it: posture pair back --forget\n"
    )
    assert bonded == [True]
    assert not (data_dir / "sensors.json").exists()


def another_under_the_name(posture, in_range, data_dir: Path) -> list[Any]:
    """`back` is paired and calibrated, and now another sensor with its name and address is in its place."""
    in_range()
    assert posture("pair", "back").code == 0
    store_of(data_dir).remember_calibration("back", "desk", '{"of": "the first"}')
    return in_range(OTHER)


@pytest.mark.parametrize("words", [("--forget",), pytest.param(("--address", SENSOR_ADDRESS), marks=pytest.mark.slow)])
def test_another_sensor_does_not_get_a_known_name_unasked(posture, in_range, data_dir: Path, words) -> None:
    bonded = another_under_the_name(posture, in_range, data_dir)
    ran = posture("pair", "back", *words)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (UNTOLD + "\n" if words == ("--forget",) else "") + (
        "error: This sensor is not the one that was paired as 'back'.\n"
        "Another name keeps them apart: posture pair NAME\n"
    )
    assert bonded == [False], "the keys that were made for it are thrown away again"
    assert identity_kept(data_dir) == OURS.hex()
    assert store_of(data_dir).has_calibration("back")


def test_the_address_of_a_known_sensor_does_not_give_another_one_its_name(posture, in_range, data_dir: Path) -> None:
    another_under_the_name(posture, in_range, data_dir)
    assert posture("pair").err.startswith("error: This sensor is not the one that was paired as 'back'.\n")
    assert posture("pair", "belt").code == 0
    assert (identity_kept(data_dir), identity_kept(data_dir, "belt")) == (OURS.hex(), OTHER.hex())


def test_somebody_at_the_terminal_may_give_the_name_away_and_no_calibration_goes_with_it(
    posture, in_range, answers, data_dir: Path
) -> None:
    another_under_the_name(posture, in_range, data_dir)
    question = (
        "This sensor is not the one that was paired as 'back'.\n"
        "Give it that name all the same, and forget the calibration of the other one? [y/N] "
    )
    answers("n")
    ran = posture("pair", "back")
    assert ran.code == 1
    assert ran.err == (
        f"{question}error: 'back' stays with its own sensor, and this one is not remembered.\n"
        "Another name keeps them apart: posture pair NAME\n"
    )
    assert store_of(data_dir).has_calibration("back")
    answers("y")
    ran = posture("pair", "back")
    assert (ran.code, ran.err) == (0, f"{question}`posture monitor` uses it from now on.\n")
    assert identity_kept(data_dir) == OTHER.hex()
    assert not store_of(data_dir).has_calibration("back")


def test_the_same_sensor_paired_again_keeps_its_calibration(posture, in_range, data_dir: Path) -> None:
    another_under_the_name(posture, in_range, data_dir)
    in_range()
    assert posture("pair", "back").code == 0
    assert store_of(data_dir).has_calibration("back")


@pytest.mark.parametrize(("identity", "kind"), [(OTHER, Firmware), (OURS, Mute)], ids=["another", "mute"])
@pytest.mark.parametrize("words", [MONITOR, CALIBRATE])
def test_nothing_of_an_impostor_becomes_a_session(
    posture, in_range, data_dir: Path, words, identity: bytes, kind: type[Firmware]
) -> None:
    in_range()
    assert posture("pair", "back").code == 0
    in_range(identity, kind=kind)
    ran = posture(*words)
    assert (ran.code, "No baseline" in ran.out) == (1, False)
    assert ran.err.endswith(
        "error: This sensor is not the one that was paired as 'back'.\n"
        "`posture pair back` gives it this name, if you agree; `posture pair NAME` another one.\n"
    )
    assert not list((data_dir / "sessions").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_it_measures_it_leaves_the_sensor_stopped_at_once(
    posture, in_range, data_dir: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(Interrupting, "number", number)
    monkeypatch.setattr("companion.commands.meeting.MEASURE_S", 60.0)
    in_range(kind=Interrupting)
    ran = posture("pair", "back")
    assert (ran.code, ran.out, ran.err) == (0, "", "stopped before the end\n")
    assert Interrupting.made is not None
    assert Interrupting.made.pressed
    assert not Interrupting.made.sampling, "it was told to stop, and obeyed"
    assert not (data_dir / "sensors.json").exists()
