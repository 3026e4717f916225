"""The scripts of every off-the-shelf sensor, carried out against a table of answers."""

from typing import Any

import pytest
from golden import advertisement, every, names, uuid

import firmware_protocol as fp

_SCRIPTS, _SEEN = list(every("scripts")), list(every("advertisements"))


def carried_out(script: fp.Script, answers: list[bytes | None]) -> list[tuple[str, ...]]:
    """The steps of a script, each answered in turn (None: no bytes)."""
    steps: list[tuple[str, ...]] = []
    reply: bytes | None = None
    remaining = iter(answers)
    while True:
        try:
            step = next(script) if reply is None else script.send(reply)
        except StopIteration:
            return steps
        match step:
            case fp.Write(characteristic, data):
                steps.append(("write", characteristic, data.hex()))
            case fp.Subscribe(characteristic):
                steps.append(("subscribe", characteristic))
            case fp.Read(characteristic):
                steps.append(("read", characteristic))
            case fp.Await(characteristic):
                steps.append(("await", characteristic))
        reply = next(remaining, b"") or b""
        if isinstance(step, fp.Await) and step.accept is not None:
            assert step.accept(reply), f"the answer {reply.hex()} is not taken for one"


def script_of(entry: dict[str, Any], driver: fp.Driver) -> fp.Script:
    match entry["script"]:
        case "start":
            return driver.start(entry.get("rate_hz"))
        case "stop":
            return driver.stop()
    assert driver.ask_battery is not None
    return driver.ask_battery()


@pytest.mark.parametrize(("whole", "entry"), [each[1:] for each in _SCRIPTS], ids=[each[0] for each in _SCRIPTS])
def test_a_script(whole: dict[str, Any], entry: dict[str, Any]) -> None:
    wanted = [(kind, uuid(whole, name), *rest) for kind, name, *rest in entry["steps"]]
    answers = [bytes.fromhex(rest[0]) if kind in ("read", "await") and rest else None for kind, _, *rest in wanted]
    wanted = [step if step[0] == "write" else step[:2] for step in wanted]
    script = script_of(entry, fp.driver(whole["driver"]))
    if entry.get("refused"):
        with pytest.raises(fp.ScriptRefused, match=entry["refused"]):
            carried_out(script, answers)
        return
    assert carried_out(script, answers) == wanted


@pytest.mark.parametrize(("whole", "entry"), [each[1:] for each in _SEEN], ids=[each[0] for each in _SEEN])
def test_an_advertisement(whole: dict[str, Any], entry: dict[str, Any]) -> None:
    seen = advertisement(entry["advertisement"])
    assert fp.driver(whole["driver"]).match(seen) == entry["match"]


@pytest.mark.parametrize("name", [each.name for each in fp.drivers()])
def test_every_driver_has_a_table(name: str) -> None:
    assert name in {"imported", "posture_v1", *names()}
