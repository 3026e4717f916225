"""Words of the command line as values: durations, days, directions, KEY=VALUE, and the story after `--simulated`.

Raises UsageError with what the word should have been. Must never know: typer, settings, files.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from companion import host
from companion.commands.options import Shared, Simulation, Style
from companion.errors import UsageError
from companion.tables.calendar import day_of, parse_day, parse_week

DEFAULT_STORY = "demo"
KEY_BYTES = 16
_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.ASCII | re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def with_story(arguments: Sequence[str]) -> list[str]:
    """The arguments, a bare `--simulated` spelled out.

    The word after `--simulated` is the story, unless it begins with a dash.
    """
    spelled: list[str] = []
    for position, word in enumerate(arguments):
        if word == "--":
            return [*spelled, *arguments[position:]]
        following = arguments[position + 1 : position + 2]
        bare = word == "--simulated" and (not following or following[0].startswith("-"))
        spelled.append(f"{word}={DEFAULT_STORY}" if bare else word)
    return spelled


def seconds(text: str | float) -> float:
    """A duration above 0 in seconds, from a number of seconds or a number with s, min or h; a default passes."""
    if isinstance(text, int | float):
        return float(text)
    from companion.settings import duration_s

    try:
        value = duration_s(text) if text.strip()[-1:].isalpha() else float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a duration.", "A duration is written 90, 90s, 5min or 1h.") from error
    return _above_zero(text, value)


def times_real_time(text: str) -> float:
    """A speed above 0; "max" is infinity."""
    if text == "max":
        return math.inf
    try:
        return _above_zero(text, float(text))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a speed.", "A speed is a number above 0, or max.") from error


def _above_zero(text: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise UsageError(f"{text!r} is not a number above 0.")
    return value


def direction(text: str) -> tuple[float, float, float]:
    """Three numbers X,Y,Z that are not all zero."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a direction.", "A direction is three numbers, such as 0,0,1.") from error
    if not 0 < math.hypot(x, y, z) < math.inf:
        raise UsageError(f"{text!r} has no direction.", "A direction is three numbers, such as 0,0,1.")
    return x, y, z


def sensor_axis(text: str) -> tuple[float, float, float]:
    """An axis of the sensor as a direction: x, +x, -x and so on, or three numbers X,Y,Z."""
    sign, name = (text[0], text[1:]) if text[:1] in ("+", "-") else ("+", text)
    if name not in ("x", "y", "z"):
        try:
            return direction(text)
        except UsageError:
            raise UsageError(
                f"{text!r} is not an axis of the sensor.", "Write x, -x, y, -y, z or -z; or three numbers X,Y,Z."
            ) from None
    length = -1.0 if sign == "-" else 1.0
    return (length * (name == "x"), length * (name == "y"), length * (name == "z"))


def key(text: str) -> bytes:
    """A key of 16 bytes in hexadecimal; what was typed stands in no message."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != KEY_BYTES:
        raise UsageError("a key has 32 hexadecimal digits.", "The sensor's own app shows it, as its bind key.")
    return value


def bluetooth_address(text: str) -> str:
    """A Bluetooth address as systems write it: 48 bits in hexadecimal, and on macOS a UUID in its place."""
    if not (_ADDRESS.fullmatch(text) or _UUID.fullmatch(text)):
        raise UsageError(
            f"{text!r} is no Bluetooth address such as AA:BB:CC:DD:EE:FF (on macOS, a UUID).",
            "`posture scan` lists the addresses in range.",
        )
    return text


def local_day(text: str) -> date:
    """A date such as 2026-11-22, or "today" or "yesterday" here."""
    if text in ("today", "yesterday"):
        return day_of(host.utc_ns(), host.zone_name()) - timedelta(days=text == "yesterday")
    try:
        return parse_day(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date such as 2026-11-22.", "Write YEAR-MONTH-DAY.") from None


def local_week(text: str) -> date:
    """The Monday of a week such as 2026-W47, or of the week of a date."""
    for parse in (parse_week, parse_day):
        try:
            found = parse(text)
        except ValueError:
            continue
        return found - timedelta(days=found.weekday())
    raise UsageError(f"{text!r} is no week such as 2026-W47.", "A date stands for the week it lies in.")


def instant(text: str, zone: str | None) -> datetime:
    """An instant in ISO 8601 with its IANA zone; without an offset it is what a clock in that zone shows."""
    name = zone or host.zone_name()
    try:
        where = ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"there is no time zone {name!r}.", "Write an IANA name such as Europe/Paris.") from None
    try:
        found = datetime.fromisoformat(text)
        there = (found.replace(tzinfo=where) if found.tzinfo is None else found).astimezone(UTC).astimezone(where)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no instant such as 2026-10-25T01:30.", "Write ISO 8601.") from None
    if found.tzinfo is None and there.replace(tzinfo=None) != found:
        raise UsageError(f"no clock in {name} showed {text}: they were put forward.", f"It was {there:%H:%M} then.")
    return there


def kind(text: str) -> str:
    """What a profile is for."""
    if text not in ("sitting", "standing"):
        raise UsageError(f"there is no kind {text!r}.", "A profile is of kind sitting or standing.")
    return text


def split_pair(text: str) -> tuple[str, str]:
    """KEY=VALUE as two texts."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set takes KEY=VALUE, not {text!r}.", "For example: --set alert.delay=60s")
    return key.strip(), value.strip()


def shared(
    data_dir: Path | None,
    verbose: bool,
    texts: Sequence[str] | None = None,
    *,
    profile: str | None = None,
    mode: str | None = None,
) -> Shared:
    """The options every command takes; --profile and --mode are settings too, and count after --set."""
    named = [(key, value) for key, value in (("profile", profile), ("mode", mode)) if value is not None]
    return Shared(data_dir=data_dir, settings=(*(split_pair(text) for text in texts or ()), *named), verbose=verbose)


def simulation(story: str | None, device: str | None, faults: Sequence[str] | None) -> Simulation:
    """The simulated sensor; raises UsageError for its options without `--simulated`."""
    if story is None and (device is not None or faults):
        raise UsageError("--device and --fault belong to a simulated sensor.", "Add --simulated [STORY].")
    return Simulation(story=story, device=device, faults=tuple(faults or ()))


def style(plain: bool, as_json: bool) -> Style:
    """How to print; JSON counts where both are asked for."""
    return "json" if as_json else "plain" if plain else "auto"
