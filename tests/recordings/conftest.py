"""The samples in recordings/ and the script that makes them. Knows no layer."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "recordings" / "make.py"


@pytest.fixture
def make() -> Iterator[ModuleType]:
    """recordings/make.py as a module; it runs the command line, which makes files private for the whole process."""
    spec = importlib.util.spec_from_file_location("recordings_make", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    mask = os.umask(0o077)
    yield module
    os.umask(mask)
    del sys.modules[spec.name]
