"""The command line starts without the heavy packages: `posture --help` loads none of them."""

import json
import subprocess
import sys

import pytest

HEAVY = frozenset({"bleak", "bumble", "numpy", "scipy", "textual", "vqf"})

HELP = """
import contextlib, io, sys
sys.argv = ["posture", "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    from companion.cli import main
    main()
"""


def packages_after(program: str) -> set[str]:
    """The top-level packages that are loaded once `program` has run in a fresh interpreter."""
    reported = program + "\nimport json, sys\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", reported],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        encoding="utf-8",
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("program", [HELP, "import companion", "import companion.settings, companion.errors"])
def test_nothing_heavy_is_loaded(program: str) -> None:
    loaded = packages_after(program)
    assert "companion" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("package", ["numpy", "vqf"])
def test_a_heavy_package_would_be_seen(package: str) -> None:
    assert package in packages_after(f"import companion\nimport {package}")
