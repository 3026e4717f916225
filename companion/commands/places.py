"""Where this program keeps what it stores: one directory given by the user, or the system's own two.

    DIR/settings.toml · sensors.json · calibrations.json · history.db · sessions/YYYY-MM-DDTHHMMSSZ_<alias>.posture

Knows: names of files. Must never know: what is in them. Directories are made, mode 0700, when first needed.
"""

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from companion import host
from companion.errors import UsageError

SUFFIX = ".posture"
_NUMBERED = re.compile(r"(.+)-(\d{1,6})", re.ASCII)
_ALIAS = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.ASCII)  # to Windows, also with a suffix
_ALIAS_HAS = "An alias has 1 to 32 of a-z, 0-9, - and _, and begins and ends with a letter or a digit."


@dataclass(frozen=True, slots=True)
class Places:
    """The files and directories of one user. Nothing is made by naming it."""

    data: Path
    config: Path

    @property
    def settings(self) -> Path:
        """The settings file; it need not exist."""
        return self.config / "settings.toml"

    @property
    def sensors(self) -> Path:
        """The sensors that were paired; it need not exist."""
        return self.data / "sensors.json"

    @property
    def calibrations(self) -> Path:
        """The latest calibration of each sensor and profile; it need not exist."""
        return self.data / "calibrations.json"

    @property
    def history(self) -> Path:
        """What the recordings came to; it need not exist, and can be made again from them."""
        return self.data / "history.db"

    @property
    def sessions(self) -> Path:
        """The directory of recordings; it need not exist."""
        return self.data / "sessions"


def places(data_dir: Path | None) -> Places:
    """Everything under `data_dir` where it is given, else the user's own two directories. Raises UsageError."""
    if data_dir is None:
        return Places(data=host.default_data_dir(), config=host.default_config_dir())
    directory = data_dir.expanduser().absolute()
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no directory.", "Name one with --data-dir, or leave it out.")
    return Places(data=directory, config=directory)


def open_data(where: Places) -> Places:
    """Make the directories that a command is about to write to; raises UsageError where that cannot be."""
    host.make_private_dir(where.data)
    host.make_private_dir(where.sessions)
    return where


def close_cut_off(where: Places) -> list[Path]:
    """Close the sessions that a crash cut off and return them; one that a monitor records is left alone."""
    if not where.sessions.is_dir():
        return []
    from companion.recording import close_cut_off_sessions

    return close_cut_off_sessions(where.sessions)


def checked_alias(text: str) -> str:
    """An alias that is safe in a file's name; raises UsageError for any other."""
    if _ALIAS.fullmatch(text) is None:
        raise UsageError(f"{text!r} cannot be an alias.", _ALIAS_HAS)
    if _DEVICE.fullmatch(text):
        raise UsageError(f"{text!r} cannot be an alias: Windows keeps that name for itself.", "Choose another one.")
    return text


def new_alias(text: str) -> str:
    """An alias that can be typed in a command besides, where one that begins with - would be taken for an option."""
    if checked_alias(text).strip("-_") != text:
        raise UsageError(f"{text!r} cannot be an alias.", _ALIAS_HAS)
    return text


def new_session_file(where: Places, alias: str, utc_ns: int) -> Path:
    """A path for a recording that begins now, where no file is yet (the second of one second gets -2).

    Another monitor may begin in the same moment: who finds the name taken when making the file asks for `next_name`.
    """
    began = datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC)
    path = where.sessions / f"{began:%Y-%m-%dT%H%M%SZ}_{checked_alias(alias)}{SUFFIX}"
    while path.exists():
        path = next_name(path)
    return path


def next_name(path: Path) -> Path:
    """The name after this one, for recordings that begin in the same second: ..._back, ..._back-2, ..._back-3."""
    began, _, name = path.stem.partition("_")
    numbered = _NUMBERED.fullmatch(name)
    stem, number = (numbered[1], int(numbered[2])) if numbered else (name, 1)
    return path.with_name(f"{began}_{stem}-{number + 1}{path.suffix}")


def recording_named(where: Places, given: Path) -> Path:
    """The recording that a user means: the path itself, else a recording of that name in the data directory.

    Raises UsageError where there is neither.
    """
    if given.exists():
        return given
    kept = where.sessions / given.name
    if given.name == str(given) and kept.exists():
        return kept
    raise UsageError(f"there is no file {given}.", "`posture sessions` lists the recordings.")


def absent(path: Path) -> Path:
    """`path`, where nothing may be yet, in a directory that exists; raises UsageError."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already.", "Nothing is ever overwritten: choose another name.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no directory {path.absolute().parent}.", "Make it first, or choose another place.")
    return path


def warn_of_name(path: Path) -> None:
    """Say on stderr where a recording has a name by which it is not found in the data directory."""
    if path.suffix != SUFFIX:
        print(f"warning: a recording is listed and counted only where its name ends in {SUFFIX}.", file=sys.stderr)
