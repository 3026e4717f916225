"""The scripts of benchmarks/ as modules, on the recordings that `shared_data` finds."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def script(shared_data: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a script by its name, as running it would: its own folder comes first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTURE_TEST_DATA", str(shared_data))
        patch.syspath_prepend(str(BENCHMARKS))
        before = set(sys.modules)
        yield importlib.import_module
        for name in set(sys.modules) - before:
            if (BENCHMARKS / f"{name}.py").exists():
                del sys.modules[name]
