"""The harness of the guest, on this computer and without QEMU: what is tried again, skipped, failed, shown and kept.

A shell script stands in for the emulator: it finds the directory of the run on its command line, as the guest finds it
on its second share, and leaves there what a guest would.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import guest_boot
import guest_image
import pytest
from guest_verdict import ATTEMPTS, Boot, Outcome, outcome_of

GUEST = Path(__file__).resolve().parent / "guest"
ROOT = GUEST.parents[2]

NEVER, GOOD, BAD, DEAD, HUNG = Boot(False), Boot(True, 0), Boot(True, 1), Boot(True), Boot(True, overdue=True)


@pytest.mark.parametrize(
    ("boots", "outcome", "sentence"),
    [
        ([GOOD], Outcome.PASSED, "All tests in the guest passed."),
        ([BAD], Outcome.FAILED, "Tests in the guest failed (pytest ended with 1)."),
        ([Boot(True, 5)], Outcome.FAILED, "Tests in the guest failed (pytest ended with 5)."),
        ([DEAD], Outcome.FAILED, "The guest became ready and then died."),
        ([HUNG], Outcome.FAILED, "The guest became ready and then did not end in time."),
        ([NEVER], Outcome.AGAIN, "The guest never became ready (boot 1 of 3); once more."),
        ([Boot(False, overdue=True)], Outcome.AGAIN, "The guest never became ready (boot 1 of 3); once more."),
        ([NEVER, NEVER], Outcome.AGAIN, "The guest never became ready (boot 2 of 3); once more."),
        ([NEVER] * 3, Outcome.SKIPPED, "The guest never became ready (boot 3 of 3): nothing was tested."),
        ([NEVER, GOOD], Outcome.PASSED, "All tests in the guest passed."),
        ([NEVER, NEVER, BAD], Outcome.FAILED, "Tests in the guest failed (pytest ended with 1)."),
        ([NEVER, NEVER, DEAD], Outcome.FAILED, "The guest became ready and then died."),
    ],
)
def test_what_boots_come_to(boots, outcome, sentence):
    assert outcome_of(boots) == (outcome, sentence)


def test_only_what_passed_is_success_and_what_was_skipped_has_a_code_of_its_own():
    codes = {outcome: outcome.exit_code for outcome in Outcome if outcome is not Outcome.AGAIN}
    assert codes == {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.SKIPPED: 77}


EMULATORS = {
    "passes": ('echo 9.9 >"$run/ready"; echo "1 passed" >"$run/output.log"; echo 0 >"$run/status"', 0, "passed", 1),
    "fails": ('echo 9.9 >"$run/ready"; echo 1 >"$run/status"', 1, "failed", 1),
    "dies when ready": ('echo 9.9 >"$run/ready"; exit 1', 1, "failed", 1),
    "hangs when ready": ('echo 9.9 >"$run/ready"; exec sleep 600', 1, "failed", 1),
    "dies at boot": ("exit 1", 77, "skipped", ATTEMPTS),
    "hangs at boot": ("exec sleep 600", 77, "skipped", ATTEMPTS),
    "stumbles once": ('test -e "$run/2" && { echo 9.9 >"$run/ready"; echo 0 >"$run/status"; }', 0, "passed", 2),
}
SHEBANG = "#!/bin/sh\nfor word; do case $word in *id=out,path=*) run=${word#*path=}; run=${run%%,*};; esac; done\n"
COUNT = 'for n in 1 2 3 4; do test -e "$run/$n" || { touch "$run/$n"; break; }; done\n'


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The harness's program with an image that is there already, and little patience."""
    spec = importlib.util.spec_from_file_location("guest_main", GUEST / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(program, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(program, "LIMIT_S", 0.5)
    monkeypatch.setattr(program, "missing_tools", lambda: "")
    monkeypatch.setattr(program, "image_for", lambda *_: guest_boot.Image(tmp_path))
    monkeypatch.setattr(guest_boot, "READY_WITHIN_S", 0.3)
    monkeypatch.setattr(guest_boot, "_LOOK_EVERY_S", 0.01)
    return program


@pytest.mark.skipif(sys.platform == "win32", reason="the emulator's stand-in is a shell script")
@pytest.mark.parametrize("emulator", EMULATORS)
def test_a_run_is_judged_shown_and_kept(emulator, harness, tmp_path, monkeypatch, capfd):
    does, code, verdict, boots = EMULATORS[emulator]
    stand_in = tmp_path / "bin" / "qemu-system-x86_64"
    stand_in.parent.mkdir()
    stand_in.write_text(SHEBANG + COUNT + does + "\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    assert harness.main(["-k", "some words"]) == code
    (run,) = harness.CACHE.glob("run-*")
    assert (harness.CACHE / "verdict").read_text() == verdict + "\n"
    assert len(list(run.glob("[1-4]"))) == boots
    command = (run / "command").read_text()
    assert command.startswith("python3 -m pytest -m bluez ")
    assert command.endswith(" -k 'some words' tests/bluez\n")
    out, err = capfd.readouterr()
    assert ("1 passed" in out) is (emulator == "passes")
    assert len(err.splitlines()) == boots


def test_without_the_tools_a_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert guest_image.missing_tools() == (
        "The guest needs QEMU and the tools that make its disk: "
        "apt install qemu-system-x86 mmdebstrap squashfs-tools cpio xz-utils"
    )


def test_what_cannot_be_built_is_skipped_with_the_reason(harness, monkeypatch, capfd):
    def cannot(*_: object) -> guest_boot.Image:
        raise guest_image.CannotBuild("Debian is not here.")

    monkeypatch.setattr(harness, "image_for", cannot)
    assert harness.main([]) == 77
    assert capfd.readouterr().err == "The guest cannot be built here. Debian is not here.\n"


def test_an_image_is_named_by_what_it_is_made_from(tmp_path):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    first = guest_image.key_of(tmp_path, "bookworm")
    assert guest_image.key_of(tmp_path, "trixie") != first
    with (tmp_path / "constraints.txt").open("a") as constraints:
        constraints.write("one-more==1.0\n")
    assert guest_image.key_of(tmp_path, "bookworm") != first


def test_an_address_never_reaches_the_screen():
    with pytest.raises(guest_image.CannotBuild) as caught:
        guest_image._run(["sh", "-c", "echo cannot reach ftp://some.where/dists; exit 3"])
    assert str(caught.value) == "sh ended with 3:\ncannot reach <address>"
