"""Which settings are in force and why: default < settings file < environment < flags of the command line.

Knows: where each source keeps its keys. Must never know: what a setting means (`companion.settings` does).
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from companion.errors import SettingsError
from companion.settings import KEYS, Settings

ENVIRONMENT_PREFIX = "POSTURE_"


class Source(StrEnum):
    """Where a value comes from, the weakest first."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings in force, and the source of each key."""

    settings: Settings
    sources: Mapping[str, Source]


def in_force(file: Path, environment: Mapping[str, str], flags: Iterable[tuple[str, str]]) -> InForce:
    """Lay the four sources over one another; of two flags with one key the later counts.

    Raises SettingsError that names the source (the file, the variable) and the key.
    """
    settings, sources = Settings(), dict.fromkeys(KEYS, Source.DEFAULT)
    layers: list[tuple[Source, str, Mapping[str, object]]] = [
        (Source.FILE, f"{file}: ", read_file(file)),
        (Source.ENVIRONMENT, "environment: ", from_environment(environment)),
        (Source.FLAG, "", dict(flags)),
    ]
    for source, told_as, texts in layers:
        try:
            settings = settings.changed(texts)
        except SettingsError as error:
            raise SettingsError(f"{told_as}{error}", error.hint) from error
        sources |= dict.fromkeys(texts, source)
    return InForce(settings, sources)


def read_file(file: Path) -> dict[str, object]:
    """Keys with dots and values of a settings file; empty where there is no file. Raises SettingsError."""
    try:
        with file.open("rb") as stream:
            tree = tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.", "Mend it, or move it away.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}.", 'A line of it looks like: alert.delay = "60s"') from error
    return dict(_leaves(tree))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict) and key not in KEYS:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def environment_name(key: str) -> str:
    """The environment variable of a setting: `alert.delay` is POSTURE_ALERT_DELAY."""
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    """The settings that the environment gives; a variable that is set to nothing counts as absent."""
    named = {key: environment.get(environment_name(key), "") for key in KEYS}
    return {key: text for key, text in named.items() if text}
