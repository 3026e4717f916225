"""JSON lines for programs: one object a line, the form of each documented in docs/commands.md.

Pure but for `LineWriter`, which writes lines of any kind to a stream. Knows: rows, events and frames as
values. Must never know: how a row or an event is computed. The same values always give the same bytes:
decimals are fixed, keys stand in their documented order, and what is unknown is null.
"""

import dataclasses
import io
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from companion.errors import SettingsError
from companion.posture.events import Event
from companion.posture.rows import CONTEXTS, STATES
from companion.settings import Settings
from companion.tables.instants import utc_text
from companion.text import LONGEST_SENTENCE, json_text, printable
from firmware_protocol.frames import Opened

_NS_PER_S = 1_000_000_000
_MOST_TENTHS = 3600  # a full turn either way
_ANGLES = ("sagittal_deg", "lateral_deg", "slouch_pct", "uncertainty_deg")
_WORDS = tuple(tuple(f'"context":"{context}","state":"{state}"' for state in STATES) for context in CONTEXTS)


def session_line(header: Opened, file: str | os.PathLike[str] | None, rate_hz: float | None = None) -> str:
    """The first line; `rate_hz` is the sensor's own where the header leaves the rate to the driver."""
    rate = header.rate_hz if header.rate_hz is not None else rate_hz
    return _object(
        type=json_text("session"),
        file=json_text(None if file is None else os.fspath(file)),
        device=json_text(printable(header.driver)),
        rate_hz=_number(rate),
        started_utc=json_text(utc_text(header.utc_ns)),
        calibration=_embedded(header.calibration_json),
        settings=_embedded(_in_force(header.settings_json)),
        software_version=json_text(printable(header.software_version)),
    )


def _in_force(settings_json: str) -> str | None:
    """The settings as they take effect, as JSON; None where they cannot be read."""
    try:
        return json.dumps(Settings.from_json(settings_json).shown(), ensure_ascii=False)
    except SettingsError:
        return None


def posture_lines(rows: npt.NDArray[Any]) -> list[str]:
    """One line for each POSTURE row (N,). Fast: a night of rows takes a fifth of a second."""
    seconds = _row_seconds(rows["t_session_ns"])
    angles = (_decimals(rows[name]) for name in _ANGLES)
    words = [_WORDS[context][state] for context, state in _codes(rows)]
    return [
        f'{{"type":"posture","t_s":{t_s},"sagittal_deg":{sagittal},"lateral_deg":{lateral},"slouch_pct":{slouch},'
        f'"uncertainty_deg":{uncertainty},{said}}}'
        for t_s, sagittal, lateral, slouch, uncertainty, said in zip(seconds, *angles, words, strict=True)
    ]


def _row_seconds(t_session_ns: npt.NDArray[Any]) -> list[str]:
    """`_seconds` of each, which are whole tenths where they are rows of a session."""
    tenths, rests = np.divmod(t_session_ns, _NS_PER_S // 10)
    if rests.any() or (tenths < 0).any():
        return [_seconds(t_ns) for t_ns in t_session_ns.tolist()]
    return [f"{tenth // 10}.{tenth % 10}" for tenth in tenths.tolist()]


def _decimals(values: npt.NDArray[Any]) -> list[str]:
    """`_number` of each value, from a table wherever it is plain what that would be: formatting takes ten times as
    long.
    """
    finite = np.isfinite(values)
    tenths = np.clip(np.where(finite, values, 0.0), -_MOST_TENTHS, _MOST_TENTHS) * 10
    nearest = np.rint(tenths)
    # Next to the middle between two tenths the last digits of the value decide.
    plain = (np.abs(nearest) <= _MOST_TENTHS) & (np.abs(tenths - nearest) < 0.499)
    places = np.where(plain & finite, nearest, _MOST_TENTHS + 1).astype(np.int64) + _MOST_TENTHS
    table = _table()
    made = [table[place] for place in places.tolist()]
    for place in np.flatnonzero(finite & ~plain).tolist():
        made[place] = _number(float(values[place]))
    return made


@cache
def _table() -> tuple[str, ...]:
    """`_number` of every tenth from -360 to 360; behind them, what is unknown."""
    tenths = range(-_MOST_TENTHS, _MOST_TENTHS + 1)
    return (*(_number(tenth / 10) for tenth in tenths), _number(None))


def _codes(rows: npt.NDArray[Any]) -> Iterable[tuple[int, int]]:
    return zip(rows["context"].tolist(), rows["state"].tolist(), strict=True)


def event_line(event: Event, utc_ns: int) -> str:
    """One event; `utc_ns` is its instant on the wall clock. Its fields follow in order, `_ns` as `_s`."""
    fields = {
        _in_seconds(field.name): _field(field.name, getattr(event, field.name))
        for field in dataclasses.fields(event)
        if field.name != "t_session_ns"
    }
    head = {
        "type": json_text("event"),
        "t_s": _seconds(event.t_session_ns),
        "utc": json_text(utc_text(utc_ns)),
    }
    return _object(**head, event=json_text(type(event).__name__), **fields)


def summary_line(summary: Mapping[str, object], view: str) -> str:
    """The last line: what `sessions.csv` says, in its order; `view` is "lived" or "settled"."""
    columns = {name: _value(value) for name, value in summary.items() if name != "view"}
    return _object(type=json_text("summary"), view=json_text(view), **columns)


def damage_line(from_s: float, to_s: float, reason: str) -> str:
    """A stretch of a recording, in seconds of session time, that could not be read."""
    return _object(type=json_text("damage"), from_s=_number(from_s), to_s=_number(to_s), reason=_value(reason))


def _object(**members: str) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in members.items()) + "}"


def _in_seconds(name: str) -> str:
    return name.removesuffix("_ns") + "_s" if name.endswith("_ns") else name


def _field(name: str, value: object) -> str:
    return _seconds(value) if name.endswith("_ns") and isinstance(value, int) else _value(value)


def _value(value: object) -> str:
    """One value as JSON: numbers with one decimal, whole numbers as they are, text made printable."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return _number(float(value))
    return json_text(printable(value, LONGEST_SENTENCE) if isinstance(value, str) else value)


def _seconds(duration_ns: int) -> str:
    return _number(duration_ns / _NS_PER_S)


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "null"
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text


def _embedded(text: str | None) -> str:
    """JSON out of a recording, read and written anew; null where it is none."""
    try:
        return "null" if text is None else json_text(json.loads(text))
    except (ValueError, RecursionError):
        return "null"


class LineWriter:
    """Writes lines as UTF-8 and flushes each batch; once nobody reads any more it is quietly `broken`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.broken = False

    def put(self, lines: Iterable[str]) -> bool:
        """Write lines, each with its newline, and flush. False where nobody reads (as after `| head`)."""
        text = "".join([f"{line}\n" for line in lines])
        if text and not self.broken:
            try:
                self._write_all(text.encode("utf-8", "replace"))
            except BrokenPipeError:
                self.broken = True
                self._let_go()
        return not self.broken

    def _write_all(self, data: bytes) -> None:
        """A stream without a buffer (PYTHONUNBUFFERED) may take a part only, as when a signal comes between."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) or 0 :]
        self._stream.flush()

    def _let_go(self) -> None:
        """Point the stream at nothing, so that Python's own flush at exit has nothing to complain about."""
        try:
            descriptor = self._stream.fileno()
        except (OSError, io.UnsupportedOperation):
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
