"""Tests on Linux's own Bluetooth: skipped outside of the guest; what they need inside. Knows the bench, no layer."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bluez_bench import OUT, Air, Bluetooth, Commands

IN_GUEST = "BLUEZ_GUEST" in os.environ
WHY_NOT = (
    "runs in a virtual machine: make test-bluez"
    if shutil.which("qemu-system-x86_64")
    else "needs QEMU (apt install qemu-system-x86 mmdebstrap squashfs-tools cpio), then: make test-bluez"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the guest, outside of it."""
    for item in items:
        if not IN_GUEST and item.get_closest_marker("bluez") is not None:
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))


@pytest.fixture(scope="session")
def air_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Air]:
    """One process for all tests: starting Python is what takes long here."""
    air = Air(tmp_path_factory.mktemp("air") / "socket")
    yield air
    air.end()


@pytest.fixture
def bluetooth() -> Bluetooth:
    """BlueZ's service and adapter."""
    return Bluetooth()


@pytest.fixture
def nothing_on_air(air_process: Air, bluetooth: Bluetooth) -> Iterator[Air]:
    """No sensor, no adapter, a service that runs and has never seen any; `reset` brings both."""
    air_process.do("close")
    bluetooth.forget_everything()
    yield air_process
    air_process.do("close")


@pytest.fixture
def air(nothing_on_air: Air, bluetooth: Bluetooth) -> Air:
    """One sensor with the story `upright` in range of an adapter that is on; nobody has met it before.

    A test that wants another story or more sensors says so: `air.reset("demo", "upright")`.
    """
    nothing_on_air.reset("upright")
    bluetooth.wait_powered()
    return nothing_on_air


@pytest.fixture
def posture(tmp_path: Path) -> Iterator[Commands]:
    """The `posture` command with nothing stored yet; what it has stored is kept outside of the guest."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("POSTURE_")}
    yield Commands(tmp_path / "data", {**ours, "POSTURE_DATA_DIR": str(tmp_path / "data")})
    if (tmp_path / "data").is_dir():
        shutil.copytree(tmp_path / "data", OUT / tmp_path.name)
