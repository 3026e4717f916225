"""What is remembered between runs: the paired sensors, and the latest calibration of each for each profile.

Two JSON files, mode 0600, always replaced as a whole: a reader sees the old one or the new one, never a half.
Knows: aliases and plain values. Must never know: what is in a calibration (its JSON is kept as it came).
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from companion import host
from companion.commands.places import Places, checked_alias
from companion.errors import DeviceNotFound, UsageError

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A sensor that was paired, as it is remembered."""

    alias: str
    driver: str
    address: str  # what the operating system calls it
    name: str = ""  # what it called itself
    identity: str = ""  # 16 bytes in hexadecimal, read over the encrypted link; "" where the sensor has none
    rate_hz: str = ""  # samples a second that are asked of it; "" where it has a rate of its own
    paired_utc: str = ""  # ISO 8601
    simulated: str = ""  # "yes": there is no such sensor; never the default beside a real one
    key: str = field(default="", repr=False)  # hexadecimal; of a sensor whose advertisements are encrypted

    @property
    def asked_hz(self) -> float | None:
        """The rate to ask it for; None: whatever is its own."""
        if not self.rate_hz:
            return None
        try:
            rate_hz = float(self.rate_hz)
        except ValueError:
            rate_hz = 0.0
        if not 0 < rate_hz < math.inf:
            raise UsageError(f"the rate of {self.alias!r} cannot be read.", "`posture pair` finds the sensor anew.")
        return rate_hz

    @property
    def key_bytes(self) -> bytes:
        """The key; empty where it has none."""
        try:
            return bytes.fromhex(self.key)
        except ValueError:
            raise UsageError(
                f"the key of {self.alias!r} cannot be read.", "`posture pair --key` takes it anew."
            ) from None


@dataclass(frozen=True, slots=True)
class Store:
    """The remembered sensors and calibrations of one user."""

    where: Places

    def sensors(self) -> dict[str, Sensor]:
        """Every remembered sensor by its alias, in the order of pairing."""
        kept = _read(self.where.sensors).get("sensors", {})
        return {
            alias: _sensor(self.where.sensors, values) for alias, values in _table(self.where.sensors, kept).items()
        }

    def default_alias(self) -> str | None:
        """The sensor that is meant where none is named: the first that was paired."""
        alias = _read(self.where.sensors).get("default")
        return alias if isinstance(alias, str) else None

    def sensor(self, alias: str | None = None) -> Sensor:
        """The sensor called `alias`, or the default one; raises DeviceNotFound where it is not remembered."""
        known = self.sensors()
        wanted = alias or self.default_alias()
        if wanted in known:
            return known[wanted]
        if wanted is None:
            raise DeviceNotFound("no sensor has been paired yet.", "`posture pair` finds one; --simulated needs none.")
        names = ", ".join(known) or "none"
        raise DeviceNotFound(f"no sensor is called {wanted!r}; known: {names}.", "`posture pair ALIAS` adds one.")

    def remember(self, sensor: Sensor) -> None:
        """Add a sensor, or replace the one of the same alias; the first becomes the default."""
        known = self.sensors() | {checked_alias(sensor.alias): sensor}
        default = self.default_alias()
        keeps = default in known and (bool(sensor.simulated) or not known[default].simulated)
        tree = {
            "version": _VERSION,
            "default": default if keeps else sensor.alias,
            "sensors": {alias: asdict(each) for alias, each in known.items()},
        }
        _write(self.where.sensors, tree)

    def calibration(self, alias: str, profile: str) -> str | None:
        """The latest calibration of a sensor for a profile, as JSON; None where there is none."""
        path = self.where.calibrations
        of_sensor = _table(path, _read(path).get("calibrations", {})).get(alias, {})
        kept = _table(path, of_sensor).get(profile)
        return None if kept is None else json.dumps(kept, ensure_ascii=False)

    def remember_calibration(self, alias: str, profile: str, calibration_json: str) -> None:
        """Keep a calibration, in place of the one that this sensor had for this profile."""
        path = self.where.calibrations
        kept = _table(path, _read(path).get("calibrations", {}))
        kept[checked_alias(alias)] = _table(path, kept.get(alias, {})) | {profile: json.loads(calibration_json)}
        _write(path, {"version": _VERSION, "calibrations": kept})

    def has_calibration(self, alias: str) -> bool:
        """Whether a calibration is kept of this sensor, for any profile."""
        path = self.where.calibrations
        return bool(_table(path, _read(path).get("calibrations", {})).get(alias))

    def forget_calibrations(self, alias: str) -> None:
        """Keep none of this sensor's calibrations."""
        path = self.where.calibrations
        kept = _table(path, _read(path).get("calibrations", {}))
        if kept.pop(alias, None) is not None:
            _write(path, {"version": _VERSION, "calibrations": kept})


def _sensor(path: Path, values: object) -> Sensor:
    names = {each.name for each in fields(Sensor)}
    try:
        return Sensor(**{name: str(value) for name, value in _table(path, values).items() if name in names})
    except TypeError as error:
        raise _unreadable(path) from error


def _table(path: Path, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable(path)
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path) from error
    try:
        tree = _table(path, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _unreadable(path) from error
    if tree.get("version") != _VERSION:
        raise UsageError(f"{path} was written by another version of this program.", "Update, or move the file away.")
    return tree


def _unreadable(path: Path) -> UsageError:
    return UsageError(f"{path} cannot be read.", "Mend it, or move it away and pair or calibrate again.")


def _write(path: Path, tree: Mapping[str, Any]) -> None:
    host.make_private_dir(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)  # left by a crash of a process of the same number
    try:
        with os.fdopen(host.create_private_file(beside), "w", encoding="utf-8") as stream:
            json.dump(tree, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", "Make room, or choose another place."
        ) from error
