"""Which settings are in force: default < file < environment < flag, each with its source; where files lie."""

import json
from pathlib import Path

import pytest

from companion.commands.places import checked_alias, new_session_file, open_data, places, recording_named
from companion.commands.settings_file import Source, environment_name, in_force
from companion.errors import SettingsError, UsageError
from companion.settings import KEYS

LAYERS = [
    ("[alert]", {}, (), "30s", "default"),
    # file, environment, flags -> value, source of alert.delay
    ("", {}, (), "30s", "default"),
    ('alert.delay = "60s"', {}, (), "1min", "file"),
    ("[alert]\ndelay = 60", {}, (), "1min", "file"),
    ('alert.delay = "60s"', {"POSTURE_ALERT_DELAY": "45s"}, (), "45s", "environment"),
    ('alert.delay = "60s"', {"POSTURE_ALERT_DELAY": ""}, (), "1min", "file"),
    ("", {"POSTURE_ALERT_DELAY": "45s"}, (("alert.delay", "10s"),), "10s", "flag"),
    ("", {}, (("alert.delay", "10s"), ("alert.delay", "20s")), "20s", "flag"),
    ("", {}, (("alert.delay", "30s"),), "30s", "flag"),
]


@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_the_stronger_source_counts(tmp_path: Path, layers: tuple) -> None:
    file, environment, flags, value, source = layers
    (tmp_path / "settings.toml").write_text(file)
    found = in_force(tmp_path / "settings.toml", environment, flags)
    assert found.settings.flat()["alert.delay"] == value
    assert found.sources["alert.delay"] == source
    assert {kind for key, kind in found.sources.items() if key != "alert.delay"} == {Source.DEFAULT}


def test_every_key_has_its_own_variable() -> None:
    names = [environment_name(key) for key in KEYS]
    assert len(set(names)) == len(KEYS)
    assert "POSTURE_STILL_SD_G" in names
    assert "POSTURE_DATA_DIR" not in names


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("alert.dlay = 3", ["settings.toml", "'alert.dlay'"]),
        ("[alrt]\ndelay = 3", ["settings.toml", "'alrt.delay'"]),
        ("alert = 3", ["settings.toml", "'alert'"]),
        ("[alert.delay]\nx = 1", ["settings.toml", "alert.delay"]),
        ("alert.delay = 'soon'", ["settings.toml", "alert.delay", "'soon'"]),
        ("alert.delay = [1]", ["settings.toml", "alert.delay"]),
        ("alert.delay = nan", ["settings.toml", "alert.delay"]),
        ("mode = 1979-05-27", ["settings.toml", "mode"]),
        ("alert.delay = ", ["settings.toml", "not TOML", "Invalid value"]),
        ("\0", ["settings.toml", "not TOML"]),
    ],
)
def test_a_wrong_file_is_named_with_its_key(posture, data_dir: Path, file: str, words: list[str]) -> None:
    data_dir.mkdir()
    (data_dir / "settings.toml").write_text(file)
    ran = posture("config", "show")
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) <= 3
    for word in words:
        assert word in ran.err


def test_a_file_that_is_no_text_is_named(posture, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "settings.toml").write_bytes(b"\xff\xfe\x00")
    assert "settings.toml is not TOML" in posture("config", "show").err
    (data_dir / "settings.toml").unlink()
    (data_dir / "settings.toml").mkdir()
    assert "settings.toml cannot be read" in posture("config", "show").err


def test_a_wrong_variable_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^environment: alert\.delay cannot be 'soon'"):
        in_force(tmp_path / "none", {"POSTURE_ALERT_DELAY": "soon"}, ())


def test_show_prints_key_value_and_source(posture, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "settings.toml").write_text('slouch.limit_deg = 20\nprofile = "sofa"\n')
    ran = posture("config", "show", "--set", "mode=track")
    assert ran.lines == [
        "alert.delay       30s    default",
        "alert.repeat      2min   default",
        "alert.per_hour    6      default",
        "slouch.limit_deg  20     file",
        "still.sd_g        0.05   default",
        "break.every       30min  default",
        "slip.limit_deg    10     default",
        "profile           sofa   file",
        "mode              track  flag",
    ]
    table = json.loads(posture("config", "show", "--json").out)
    assert list(table) == list(KEYS)
    assert table["profile"] == {"value": "sofa", "source": "file"}


def test_path_prints_one_path(posture, data_dir: Path, tmp_path: Path) -> None:
    assert posture("config", "path").out == f"{data_dir}/settings.toml\n"
    assert posture("config", "path", "--data-dir", tmp_path / "x").out == f"{tmp_path}/x/settings.toml\n"
    assert json.loads(posture("config", "path", "--json").out) == {
        "settings": f"{data_dir}/settings.toml",
        "data": str(data_dir),
        "sessions": f"{data_dir}/sessions",
    }
    assert not data_dir.exists()  # looking makes nothing


def test_without_a_directory_the_system_s_own_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("companion.host.default_data_dir", lambda: tmp_path / "share")
    monkeypatch.setattr("companion.host.default_config_dir", lambda: tmp_path / "config")
    where = places(None)
    assert where.settings == tmp_path / "config" / "settings.toml"
    assert where.sensors == tmp_path / "share" / "sensors.json"
    assert where.sessions == tmp_path / "share" / "sessions"


def test_directories_are_private(tmp_path: Path) -> None:
    where = open_data(places(tmp_path / "a" / "b"))
    assert where.data.stat().st_mode & 0o777 == 0o700
    assert where.sessions.stat().st_mode & 0o777 == 0o700


def test_a_place_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is no directory"):
        open_data(places(tmp_path / "file"))


def test_names_of_recordings(tmp_path: Path) -> None:
    where = open_data(places(tmp_path))
    first = new_session_file(where, "upper-back", 1_763_804_701_999_999_999)
    assert first == tmp_path / "sessions" / "2025-11-22T094501Z_upper-back.posture"
    first.touch()
    second = new_session_file(where, "upper-back", 1_763_804_701_000_000_000)
    assert second.name == "2025-11-22T094501Z_upper-back-2.posture"


@pytest.mark.parametrize("alias", ["", "A", "a b", "../a", "a/b", "a" * 33, "ä", "a\n", "a.b", "١"])
def test_aliases_that_are_refused(alias: str) -> None:
    with pytest.raises(UsageError, match="alias"):
        checked_alias(alias)


def test_a_recording_is_found_by_its_name_too(tmp_path: Path) -> None:
    where = open_data(places(tmp_path))
    kept = where.sessions / "x.posture"
    kept.touch()
    assert recording_named(where, kept) == kept
    assert recording_named(where, Path("x.posture")) == kept
    for absent in (Path("y.posture"), Path("elsewhere/x.posture")):
        with pytest.raises(UsageError, match="there is no file"):
            recording_named(where, absent)
