"""What every test may ask for: the optional recordings that lie outside the project. Knows no layer."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# A deadline would be a wall-clock assertion; the machine that runs the tests may be busy.
hypothesis.settings.register_profile("house", parent=hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("house")


def shared_data_directory(root: Path) -> Path:
    """Where the optional data is looked for: POSTURE_TEST_DATA, else `../shared/data` beside the checkout."""
    named = os.environ.get("POSTURE_TEST_DATA")
    return Path(named) if named else root.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real recordings that lie outside the project; skips the test where it is missing."""
    directory = shared_data_directory(ROOT)
    if not directory.is_dir():
        pytest.skip(f"no real recordings at {directory}; POSTURE_TEST_DATA says where they are")
    return directory
