"""Every setting: its key, its default, what it takes, and which is in force. Validated by pydantic.

Knows: keys and texts as people write them. Must never know: where a settings file lies, or who asks. No I/O.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from companion.errors import SettingsError

_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h)\s*", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)


def duration_s(text: object) -> float:
    """Seconds in a duration such as "30s", "2min" or "1.5h"; raises ValueError for anything else."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number with s, min or h, such as 30s or 2min")
    return float(match[1]) * _UNITS_S["min" if match[2] == "m" else match[2]]


def duration_text(seconds: float) -> str:
    """The shortest exact way to write a duration: "30s", "2min", "1h"."""
    for unit in ("h", "min"):
        if seconds and seconds % _UNITS_S[unit] == 0:
            return f"{seconds / _UNITS_S[unit]:g}{unit}"
    return f"{seconds:g}s"


def _slug(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError("a name has 1 to 32 of a-z, 0-9, - and _")
    return text


def _duration(minimum_s: float, maximum_s: float) -> Any:
    return Annotated[float, BeforeValidator(duration_s), Field(ge=minimum_s, le=maximum_s)]


Slug = Annotated[str, AfterValidator(_slug)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Alert(_Strict):
    """When to speak. Defaults and their evidence: docs/commands.md."""

    delay: _duration(5, 600) = 30.0  # type: ignore[valid-type]
    repeat: _duration(10, 3600) = 120.0  # type: ignore[valid-type]
    per_hour: Annotated[int, Field(ge=0, le=60)] = 6


class Slouch(_Strict):
    """How far forward counts. None: by the profile's kind (sitting 12°, standing 7°)."""

    limit_deg: Annotated[float, Field(gt=0, le=90)] | None = None


class Still(_Strict):
    """When the wearer counts as still: standard deviation of |acceleration| over 2 s, in g."""

    sd_g: Annotated[float, Field(gt=0, le=1)] = 0.05


class Break(_Strict):
    """How long without a break before one is due."""

    every: _duration(60, 86_400) = 1800.0  # type: ignore[valid-type]


class Slip(_Strict):
    """From how far the sensor is suspected of having slipped."""

    limit_deg: Annotated[float, Field(gt=0, le=90)] = 10.0


SITTING_LIMIT_DEG = 12.0
STANDING_LIMIT_DEG = 7.0
PROFILE_KINDS: Mapping[str, Literal["sitting", "standing"]] = {
    "desk": "sitting",
    "sofa": "sitting",
    "standing": "standing",
}


class Settings(_Strict):
    """The settings in force, immutable. Keys are written with dots: `alert.delay`."""

    alert: Alert = Alert()
    slouch: Slouch = Slouch()
    still: Still = Still()
    break_: Break = Field(default=Break(), alias="break")
    slip: Slip = Slip()
    profile: Slug = "desk"
    mode: Literal["coach", "track"] = "coach"

    @property
    def kind(self) -> Literal["sitting", "standing"]:
        """Whether the profile is one for sitting or for standing; a profile of another name counts as sitting."""
        return PROFILE_KINDS.get(self.profile, "sitting")

    @property
    def limit_deg(self) -> float:
        """Degrees forward of the baseline from which a posture counts as forward."""
        if self.slouch.limit_deg is not None:
            return self.slouch.limit_deg
        return STANDING_LIMIT_DEG if self.kind == "standing" else SITTING_LIMIT_DEG

    @classmethod
    def of(cls, texts: Mapping[str, object]) -> "Settings":
        """Settings from keys with dots and texts as `--set` takes them; raises SettingsError."""
        return cls().changed(texts)

    def changed(self, texts: Mapping[str, object]) -> "Settings":
        """These settings with some changed; raises SettingsError naming the key and what it takes."""
        tree = self._tree()
        for key, value in texts.items():
            _put(tree, key, value)
        try:
            return Settings.model_validate(tree)
        except ValidationError as error:
            raise _sentence(error) from error

    def flat(self) -> dict[str, str]:
        """Every key with dots and its value as text, in the order of the documentation."""
        return {key: _text(key, value) for key, value in _leaves(self._tree())}

    def shown(self) -> dict[str, str]:
        """Like `flat`, with what "auto" comes to: for people and programs that read it."""
        return self.flat() | {"slouch.limit_deg": f"{self.limit_deg:g}"}

    def to_json(self) -> str:
        """The settings as one JSON object of keys with dots; `from_json` reads it back."""
        return json.dumps(self.flat(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Read what `to_json` wrote; keys that this version does not know are passed over."""
        try:
            flat = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SettingsError("the settings in this recording are not readable.") from error
        if not isinstance(flat, dict):
            raise SettingsError("the settings in this recording are not readable.")
        return cls.of({key: value for key, value in flat.items() if key in KEYS})

    def _tree(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        found += _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


KEYS: tuple[str, ...] = tuple(key for key, _ in _leaves(Settings().model_dump(by_alias=True)))
DURATION_KEYS = frozenset({"alert.delay", "alert.repeat", "break.every"})


def _text(key: str, value: Any) -> str:
    if value is None:
        return "auto"
    return duration_text(value) if key in DURATION_KEYS else f"{value:g}" if isinstance(value, float) else str(value)


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    if key not in KEYS:
        raise SettingsError(f"there is no setting {key!r}.", f"There are: {', '.join(KEYS)}.")
    *branches, leaf = key.split(".")
    for branch in branches:
        tree = tree[branch]
    tree[leaf] = None if key == "slouch.limit_deg" and value == "auto" else value


def _sentence(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    return SettingsError(f"{key} cannot be {first['input']!r}: {reason[0].lower()}{reason[1:]}.")
