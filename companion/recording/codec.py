"""Frames to payloads and back: bytes as they came, everything else as one JSON object.

Pure. Knows: every kind of frame. Must never know: SQLite, files, the order of frames. Nothing that is decoded here can
execute, and what has not exactly the expected types is refused.
"""

import json
import math
import re
from collections.abc import Callable
from itertools import accumulate
from operator import index
from typing import Any, Final, TypeAlias

from companion.recording.schema import COPY, MAX_TIME_NS
from firmware_protocol.frames import (
    Advertisement,
    CalibrationSet,
    ClockPair,
    Closed,
    Dropped,
    Frame,
    LinkDown,
    LinkUp,
    Notification,
    Opened,
    Reading,
    RecorderTrouble,
    SettingChanged,
    Tick,
    UserMark,
    Written,
)


class RowError(ValueError):
    """A row is whole, but it does not say what its kind must say."""


BytesFrame: TypeAlias = type[Notification] | type[Reading] | type[Written]

KINDS: Final[dict[type, int]] = {
    Tick: 0,  # SQLite stores 0 and 1 without a byte, so the two commonest kinds have these numbers
    Notification: 1,
    Opened: 2,
    Reading: 3,
    Written: 4,
    Advertisement: 5,
    LinkUp: 6,
    LinkDown: 7,
    ClockPair: 8,
    UserMark: 9,
    SettingChanged: 10,
    CalibrationSet: 11,
    Dropped: 12,
    RecorderTrouble: 13,
    Closed: 14,
}
"""The number of each kind in the file. A number is never given to another kind."""

OPENED: Final = KINDS[Opened]
CLOSED: Final = KINDS[Closed]
COPY_OF_OPENED: Final = COPY + OPENED
COPY_OF_CLOSED: Final = COPY + CLOSED

BYTES_KINDS: Final[dict[int, BytesFrame]] = {
    KINDS[Notification]: Notification,
    KINDS[Reading]: Reading,
    KINDS[Written]: Written,
}
"""Kinds whose payload is the bytes themselves and whose source is a characteristic."""

_DEEPEST_JSON: Final = 50
_BRACKETS = re.compile(r"[\[\]{}]")
_ENDLESS_NUMBER = re.compile(r"[0-9]{300}")  # larger than any float

Check: TypeAlias = Callable[[Any], Any]
"""Turns a JSON value into a field's value; ValueError or TypeError where it is something else."""


def _exactly(*kinds: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) not in kinds:  # type(), not isinstance(): True is no number here
            raise TypeError(f"{type(value).__name__} where {kinds[0].__name__} belongs")
        return value

    return check


_text = _exactly(str)
_text_or_none = _exactly(str, type(None))


def _json_or_none(value: Any) -> str | None:
    """A text that holds JSON. Whether it does is found out by who uses it; that it can be parsed at all, here."""
    text: str | None = _text_or_none(value)
    if text is not None and (_depth(text) > _DEEPEST_JSON or _ENDLESS_NUMBER.search(text)):
        raise ValueError("nested too deeply, or a number without an end")
    return text


def _json(value: Any) -> str:
    return _json_or_none(_text(value)) or ""


def _depth(text: str) -> int:
    """At most how deep lists and objects are nested: brackets within strings count too."""
    steps = [1 if char in "[{" else -1 for char in _BRACKETS.findall(text)]
    return max(accumulate(steps), default=0)


def _integer(value: Any) -> int:
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
        raise TypeError("no whole number of 64 bits")
    return value


def _integer_or_none(value: Any) -> int | None:
    return None if value is None else _integer(value)


def _time_ns(value: Any) -> int:
    if not -MAX_TIME_NS < _integer(value) < MAX_TIME_NS:
        raise ValueError("no time of any clock")
    return int(value)


def _number_or_none(value: Any) -> float | None:
    number: float | None = _exactly(float, int, type(None))(value)
    if number is not None and not math.isfinite(number):
        raise ValueError("no finite number")
    return number


def _bytes(value: Any) -> bytes:
    return bytes.fromhex(_text(value))


def _bytes_by_number(value: Any) -> dict[int, bytes]:
    return {int(key): _bytes(data) for key, data in value.items()}


def _bytes_by_text(value: Any) -> dict[str, bytes]:
    return {key: _bytes(data) for key, data in value.items()}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _exactly(list)(value))


FIELDS: Final[dict[type, dict[str, Check]]] = {
    Opened: {
        "t_host_ns": _time_ns,  # the one absolute time in the file; every row's t_ns counts from it
        "session_id": _text,
        "driver": _text,
        "device": _text,
        "rate_hz": _number_or_none,
        "utc_ns": _integer,
        "zone": _text,
        "settings_json": _json,
        "calibration_json": _json_or_none,
        "software_version": _text,
        "origin": _text,
    },
    Advertisement: {
        "address": _text,
        "name": _text_or_none,
        "rssi": _integer_or_none,
        "manufacturer_data": _bytes_by_number,
        "service_data": _bytes_by_text,
        "service_uuids": _texts,
    },
    LinkUp: {"address": _text, "mtu": _integer_or_none},
    LinkDown: {"cause": _text},
    Tick: {},
    ClockPair: {"utc_ns": _integer},
    UserMark: {"kind": _text, "value": _text},
    SettingChanged: {"key": _text, "value": _text},
    CalibrationSet: {"calibration_json": _json},
    Dropped: {"count": _integer},
    RecorderTrouble: {"reason": _text},
    Closed: {"reason": _text, "count": _integer, "hash": _bytes},
}
"""The fields in the JSON object of each kind, besides the time."""

_BY_NUMBER: Final = {number: kind for kind, number in KINDS.items() if kind in FIELDS}


def payload_of(frame: Frame) -> bytes:
    """The payload of any frame. Raises TypeError or ValueError where a field is not of its type."""
    if isinstance(frame, Notification | Reading | Written):
        return memoryview(frame.data).tobytes()
    fields = FIELDS[type(frame)]
    if not fields:
        return b""
    values = {name: _plain(getattr(frame, name)) for name in fields}
    text = json.dumps(values, separators=(",", ":"), allow_nan=False, default=index)
    written = json.loads(text)
    for name, check in fields.items():
        check(written[name])  # what could not be read back must not be written
    return text.encode("ascii")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def frame_of(kind: int, t_host_ns: int, payload: bytes) -> Frame:
    """The frame of a payload whose kind is not one of `BYTES_KINDS`; `Opened` brings its own time.

    Raises RowError where kind or payload is not what this version knows.
    """
    frame_type = _BY_NUMBER.get(kind)
    if frame_type is None:
        raise RowError(f"kind {kind} is not known")
    fields = FIELDS[frame_type]
    if not fields:
        return frame_type(t_host_ns=t_host_ns)  # type: ignore[no-any-return]
    try:
        values = json.loads(payload.decode("ascii"))
        checked = {name: check(values[name]) for name, check in fields.items()}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise RowError(f"a {frame_type.__name__} cannot be read: {error}") from error
    return frame_type(**{"t_host_ns": t_host_ns, **checked})  # type: ignore[no-any-return]
