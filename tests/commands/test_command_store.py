"""What is remembered between runs: private, replaced as a whole, refused where it is not readable."""

import json
from pathlib import Path

import pytest

from companion.commands.places import places
from companion.commands.store import Sensor, Store
from companion.errors import DeviceNotFound, UsageError

BACK = Sensor(alias="back", driver="posture_v1", address="AA:BB", name="Posture", identity="00" * 16, paired_utc="x")
DESK = Sensor(alias="desk", driver="posture_v1", address="CC:DD")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(places(tmp_path / "data"))


def test_the_first_sensor_is_the_default(store: Store) -> None:
    for sensor in (BACK, DESK):
        store.remember(sensor)
    assert store.sensors() == {"back": BACK, "desk": DESK}
    assert store.default_alias() == "back"
    assert store.sensor() == BACK
    assert store.sensor("desk") == DESK


@pytest.mark.parametrize(
    ("first", "second", "default"), [("", "", "a"), ("yes", "yes", "a"), ("", "yes", "a"), ("yes", "", "b")]
)
def test_a_simulated_sensor_is_the_default_only_beside_no_real_one(
    store: Store, first: str, second: str, default: str
) -> None:
    store.remember(Sensor(alias="a", driver="polar", address="AA", simulated=first))
    store.remember(Sensor(alias="b", driver="witmotion", address="BB", simulated=second))
    assert store.default_alias() == default


def test_pairing_again_replaces(store: Store) -> None:
    store.remember(BACK)
    again = Sensor(alias="back", driver="other", address="EE:FF")
    store.remember(again)
    assert store.sensors() == {"back": again}


def test_an_unknown_sensor_is_not_found(store: Store) -> None:
    with pytest.raises(DeviceNotFound, match="no sensor has been paired yet"):
        store.sensor()
    store.remember(BACK)
    with pytest.raises(DeviceNotFound, match="no sensor is called 'x'; known: back") as caught:
        store.sensor("x")
    assert caught.value.exit_code == 2


def test_calibrations_are_kept_for_each_sensor_and_profile(store: Store) -> None:
    assert store.calibration("back", "desk") is None
    store.remember_calibration("back", "desk", '{"up": [0, 0, 1]}')
    store.remember_calibration("back", "sofa", '{"up": [0, 1, 0]}')
    store.remember_calibration("other", "desk", '{"up": [1, 0, 0]}')
    store.remember_calibration("back", "desk", '{"up": [0, 0, 0.1234567890123456789]}')
    kept = store.calibration("back", "desk")
    assert kept is not None
    assert json.loads(kept) == {"up": [0, 0, 0.1234567890123456789]}
    assert json.loads(store.calibration("back", "sofa") or "") == {"up": [0, 1, 0]}
    assert store.calibration("back", "standing") is None


def test_files_are_private_and_leave_nothing_beside_them(store: Store) -> None:
    store.remember(BACK)
    store.remember_calibration("back", "desk", "{}")
    names = sorted(path.name for path in store.where.data.iterdir())
    assert names == ["calibrations.json", "sensors.json"]
    for name in names:
        assert (store.where.data / name).stat().st_mode & 0o777 == 0o600
    assert store.where.data.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"version": 1, "sensors": []}', '{"version": 1, "sensors": {"a": 3}}', "\0",
     '{"version": 1, "sensors": {"a": {"alias": "a"}}}', '{"version": 2, "sensors": {}}', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_file_is_a_sentence_and_stays(store: Store, text: str) -> None:
    store.where.data.mkdir(parents=True)
    store.where.sensors.write_text(text)
    with pytest.raises(UsageError, match=r"sensors\.json"):
        store.remember(BACK)
    assert store.where.sensors.read_text() == text


def test_a_disk_that_takes_nothing_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.remember(BACK)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        store.remember(DESK)
    assert store.sensors() == {"back": BACK}
    assert [path.name for path in store.where.data.iterdir()] == ["sensors.json"]


def test_nothing_is_written_through_a_link_left_at_the_temporary_name(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 7)
    store.where.data.mkdir(parents=True)
    (tmp_path / "victim").write_text("untouched")
    (store.where.data / ".sensors.json.7").symlink_to(tmp_path / "victim")
    store.remember(BACK)
    assert (tmp_path / "victim").read_text() == "untouched"
    assert not store.where.sensors.is_symlink()
