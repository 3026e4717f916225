"""T5, T10: a search, guided by coverage, for bytes that break what must hold for any bytes (`fuzz_targets.py`).

    python tests/security/fuzz_search.py [--target decoders] [--seconds 60] [--seed 1] [--corpus DIR] [--own]

What reaches a new pair of lines is kept, and changed further. Where the package `atheris` is installed (libFuzzer for
Python; Linux and macOS) it does the searching, else, or with `--own`, a small loop of our own does. It is not among the
project's dependencies. Bytes that break something are written to the corpus directory and named on stdout; they belong
into `FOUND` of `test_any_bytes.py`.
"""

import argparse
import hashlib
import importlib
import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType

HERE = Path(__file__).resolve().parent


def targets(instrumented: bool) -> ModuleType:
    """The targets, and all that they import, made to tell atheris where they go."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "devices")]
    if not instrumented:
        return importlib.import_module("fuzz_targets")
    import atheris

    with atheris.instrument_imports(include=["firmware_protocol", "companion"]):
        return importlib.import_module("fuzz_targets")


class Covered:
    """Which pairs of lines of our own code one call went through."""

    def __init__(self) -> None:
        self.pairs: set[tuple[int, int, int]] = set()
        self._last = 0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> "Covered | None":
        if event == "call":
            name = frame.f_code.co_filename
            return self if "firmware_protocol" in name or "companion" in name else None
        if event == "line":
            self.pairs.add((id(frame.f_code), self._last, frame.f_lineno))
            self._last = frame.f_lineno
        return self


def searched(
    target: Callable[[bytes], None], changed: Callable[..., bytes], corpus: list[bytes], chance: random.Random
) -> Iterator[tuple[bytes, Exception | None]]:
    """For ever: an input and what it raised; `corpus` grows by what reaches something new."""
    known: set[tuple[int, int, int]] = set()
    waiting = list(corpus)
    while True:
        data = waiting.pop() if waiting else changed(chance.choice(corpus), corpus, chance)
        covered, raised = Covered(), None
        sys.settrace(covered)
        try:
            target(data)
        except Exception as error:
            raised = error
        finally:
            sys.settrace(None)
        if covered.pairs - known:
            known |= covered.pairs
            corpus.append(data)
        yield data, raised


def search(found: ModuleType, name: str, seconds: float, seed: int, directory: Path) -> int:
    """Search with our own loop; how many different failures there were."""
    corpus, failures, tried = found.seeds(name), dict[str, bytes](), 0
    until_s = time.monotonic() + seconds
    for data, raised in searched(found.TARGETS[name], found.changed, corpus, random.Random(seed)):
        tried += 1
        if raised is not None and failures.setdefault(repr(raised)[:80], data) is data:
            place = directory / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
            place.write_bytes(data)
            print(f"{place}: {raised!r}")
        if time.monotonic() > until_s:
            break
    print(f"{name}: {tried} inputs, {len(corpus)} that reached something new, {len(failures)} failures")
    return len(failures)


def search_with_atheris(found: ModuleType, name: str, seconds: float, seed: int, directory: Path) -> None:
    """Search with libFuzzer, which ends the process."""
    import atheris

    for number, data in enumerate(found.seeds(name)):
        (directory / f"seed-{number}").write_bytes(data)
    options = [f"-max_total_time={seconds:.0f}", f"-seed={seed}", "-max_len=4096", "-timeout=20"]
    options += [f"-artifact_prefix={directory}/found-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(directory)], found.TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="decoders", help="decoders, sessions, messages, rows or files")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="where to keep what is found; a new directory where absent")
    parser.add_argument("--own", action="store_true", help="our own loop, also where atheris is installed")
    asked = parser.parse_args()
    directory = asked.corpus or Path(tempfile.mkdtemp(prefix="fuzz-"))
    directory.mkdir(parents=True, exist_ok=True)
    helped = importlib.util.find_spec("atheris") is not None and not asked.own
    found = targets(helped)
    if helped:
        search_with_atheris(found, asked.target, asked.seconds, asked.seed, directory)
    return 1 if search(found, asked.target, asked.seconds, asked.seed, directory) else 0


if __name__ == "__main__":
    raise SystemExit(main())
