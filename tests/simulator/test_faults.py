"""The texts of `--fault`: what each means, and that nothing else means anything."""

import pytest

from companion.errors import UsageError
from companion.simulator.faults import Fault, Faults

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("link@20+20", Fault("link", 20 * S, 20 * S)),
        ("link@20", Fault("link", 20 * S, 10 * S)),
        ("lose@40+0.4", Fault("lose", 40 * S, 400_000_000)),
        ("lose@40", Fault("lose", 40 * S)),
        ("garbage@30", Fault("garbage", 30 * S)),
        ("short@3", Fault("short", 3 * S)),
        ("flip@0.5", Fault("flip", S // 2)),
        ("flip@0+12", Fault("flip", 0, 12 * S)),
        ("reboot@60", Fault("reboot", 60 * S, S)),
        ("reboot@60+5", Fault("reboot", 60 * S, 5 * S)),
        ("silent@50+10", Fault("silent", 50 * S, 10 * S)),
        ("silent@50", Fault("silent", 50 * S, 10 * S)),
        ("no-buffer", Fault("no-buffer")),
    ],
)
def test_a_text_is_a_fault(text: str, fault: Fault) -> None:
    assert Fault.of(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "link",
        "link@",
        "link@x",
        "link@-1",
        "link@1e3",
        "link@nan",
        "link@20+",
        "link@20+20+20",
        "link@20-5",
        " link@20",
        "LINK@20",
        "explode@20",
        "no-buffer@20",
        "link@20+0",
        "link@٢٠",
        "link@20\n",
        "link@" + "9" * 30,
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="fault"):
        Faults.of(["no-buffer", text])


def test_the_kinds_are_told() -> None:
    with pytest.raises(UsageError) as caught:
        Fault.of("explode@20")
    for kind in ("link", "lose", "garbage", "short", "flip", "reboot", "silent", "no-buffer"):
        assert kind in caught.value.hint


def test_faults_are_kept_by_start() -> None:
    faults = Faults.of(["silent@50+10", "link@20+20", "no-buffer", "flip@30"])
    assert [fault.kind for fault in faults.faults] == ["no-buffer", "link", "flip", "silent"]
    assert [fault.kind for fault in faults.of_kind("flip", "silent")] == ["flip", "silent"]


@pytest.mark.parametrize(("at_s", "holds"), [(19.999, False), (20.0, True), (39.999, True), (40.0, False)])
def test_a_fault_holds_from_its_start_up_to_its_end(at_s: float, holds: bool) -> None:
    faults = Faults.of(["link@20+20"])
    assert faults.holds("link", round(at_s * S)) is holds
    assert not faults.holds("silent", round(at_s * S))
