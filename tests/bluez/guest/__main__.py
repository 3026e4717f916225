"""Runs the tests of this folder's parent in the guest: `python tests/bluez/guest [words for pytest]`.

Knows: in which order to build, boot and judge. Must never know: how any of them is done.

Exit codes: 0 all passed, 1 a test failed or a guest that was ready died or hung, 77 nothing was tested. The word for it
stands in `.bluez-guest/verdict`, for whoever started this through a program with exit codes of its own.
"""

import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from guest_boot import boot
from guest_image import CannotBuild, image_for, missing_tools
from guest_verdict import Boot, Outcome, outcome_of

CHECKOUT = Path(__file__).resolve().parents[3]
CACHE = CHECKOUT / ".bluez-guest"
LIMIT_S = 900.0
"""So long may the tests take, on a machine that has other things to do; a quiet one needs a third of it."""
PYTEST = ("python3", "-m", "pytest", "-m", "bluez", "-p", "no:cacheprovider", "--durations=0", "--durations-min=1")
PYTEST += ("-o", "faulthandler_timeout=420")  # everything takes longer here


def main(words: list[str]) -> int:
    """Build, boot until there is a verdict, tell it; the exit code."""
    verdict = CACHE / "verdict"
    CACHE.mkdir(exist_ok=True)
    verdict.unlink(missing_ok=True)
    outcome, sentence = _run(words)
    verdict.write_text(outcome.value + "\n")
    print(sentence, file=sys.stderr)
    return outcome.exit_code


def _run(words: list[str]) -> tuple[Outcome, str]:
    if lacking := missing_tools():
        return Outcome.SKIPPED, lacking
    start_s = time.monotonic()
    try:
        image = image_for(CHECKOUT, CACHE)
    except CannotBuild as error:
        return Outcome.SKIPPED, f"The guest cannot be built here. {error}"
    image_s = time.monotonic() - start_s
    run = _run_directory()
    print(f"host: the image was there after {image_s:.1f} s; logs of this run are in {run}", flush=True)
    (run / "command").write_text(_command(words))
    boots: list[Boot] = []
    while True:
        start_s = time.monotonic()
        boots.append(boot(image, CHECKOUT, run, limit_s=LIMIT_S))
        print(f"host: {time.monotonic() - start_s:.1f} s from power on to power off", flush=True)
        outcome, sentence = outcome_of(boots)
        if outcome is not Outcome.AGAIN:
            return outcome, sentence
        print(sentence, file=sys.stderr)


def _run_directory() -> Path:
    """A directory of this run's own, for its logs; those of earlier runs go, unless they may still be going on."""
    for old in CACHE.glob("run-*"):
        if time.time() - old.stat().st_mtime > 2 * LIMIT_S:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=CACHE, prefix="run-"))


def _command(words: list[str]) -> str:
    """What the guest's init runs in the checkout: the tests, or with `--` any other command."""
    if words[:1] == ["--"]:
        return shlex.join(words[1:]) + "\n"
    places = [] if any(word.startswith("tests/") for word in words) else ["tests/bluez"]
    return shlex.join([*PYTEST, *words, *places]) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
