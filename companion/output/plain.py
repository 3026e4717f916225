"""Plain lines for people, where there is no screen: one line for each thing that matters.

Pure: the lines follow from the session alone, whatever pieces it came in, so a replay prints what was seen.
Knows: rows and events as values. Must never know: terminals, colours, how a figure is computed.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from companion.output.words import (
    NOT_A_MEDICAL_DEVICE,
    angle_words,
    counted,
    event_words,
    is_known,
    percent_words,
    plain_word,
    told,
)
from companion.posture.events import Event
from companion.posture.rows import CONTEXTS, STATES, Context, State
from companion.tables.instants import clock_text, duration_words, elapsed_text
from companion.text import printable, printable_path
from firmware_protocol.frames import Opened

STATUS_EVERY_NS = 10_000_000_000
"""How often a line tells the state when nothing changes."""

TOLD_AFTER_NS = 1_000_000_000
"""How long a new context or state must hold before it is told, so that a fidget is not a page of text."""

_NS_PER_S = 1e9
_ANGLES = ["sagittal_deg", "uncertainty_deg", "slouch_pct"]


class PlainLines:
    """The lines of one session. Feed it what happened, in order; every method returns the lines to print."""

    def __init__(self, header: Opened) -> None:
        self._header = header
        self._now_ns = 0
        self._link = ""
        self._seen = (-1, -1)  # context and state of the newest row
        self._since_ns = 0  # since when
        self._told = (-1, -1)  # context and state that were last told

    def opened(self, file: str | os.PathLike[str] | None = None, *, live: bool = True) -> list[str]:
        """What is said once at the start; `live`: the file is being written."""
        header = self._header
        rate = "" if header.rate_hz is None else f", {header.rate_hz:.3g} Hz"
        lines = [
            NOT_A_MEDICAL_DEVICE,
            f"session {printable(header.session_id)}: {told(printable(header.device))}"
            f" ({told(printable(header.driver))}{rate})",
        ]
        if header.calibration_json is None:
            lines.append("not calibrated: angles are not judged until you calibrate")
        return lines if file is None else [*lines, f"recording {'to' if live else 'from'} {printable_path(file)}"]

    def feed(self, in_order: Iterable[tuple[str, npt.NDArray[Any]] | Event]) -> list[str]:
        """Rows, as ("posture", POSTURE rows), and events, in the order in which the session gave them."""
        lines: list[str] = []
        for item in in_order:
            if isinstance(item, Event):
                lines += self._event(item)
            else:
                lines += self._rows(item[1])
        return lines

    def link(self, text: str) -> list[str]:
        """What has become of the link; said when it differs from what was said last."""
        if text == self._link:
            return []
        self._link = text
        return [self._at(self._now_ns, f"link: {told(text)}")]

    def step(self, text: str) -> list[str]:
        """One step of a guided procedure, such as a calibration."""
        return [self._at(self._now_ns, told(text))]

    def closed(self, summary: Mapping[str, object], file: str | os.PathLike[str] | None = None) -> list[str]:
        """The figures of the whole session; the last line is the recording's path."""
        lines = ["", "summary", *(f"  {name:<15}{value}" for name, value in _figures(summary))]
        return lines if file is None else [*lines, f"recording: {printable_path(file)}"]

    def _event(self, event: Event) -> list[str]:
        self._now_ns = max(self._now_ns, event.t_session_ns)
        return [self._at(event.t_session_ns, event_words(event, self._clock))]

    def _clock(self, t_session_ns: int) -> str:
        return clock_text(self._header.utc_ns + t_session_ns, self._header.zone)

    def _rows(self, rows: npt.NDArray[Any]) -> list[str]:
        if len(rows) == 0:
            return []
        t_ns, codes = rows["t_session_ns"], rows["context"] * np.int64(256) + rows["state"]
        changes = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist()]
        due, angles = t_ns % STATUS_EVERY_NS == 0, rows[_ANGLES]
        lines: list[str] = []
        for first, end in zip(changes, [*changes[1:], len(rows)], strict=True):  # few: a state lasts
            seen = (int(rows["context"][first]), int(rows["state"][first]))
            if seen != self._seen:
                self._seen, self._since_ns = seen, int(t_ns[first])
            if seen != self._told:
                held = first + int(np.searchsorted(t_ns[first:end], self._since_ns + TOLD_AFTER_NS))
                due[held : min(held + 1, end)] |= not due[first:held].any()
            places = (first + np.flatnonzero(due[first:end])).tolist()
            if places:
                self._told = seen
            lines += [self._at(int(t_ns[place]), _row_words(*seen, *angles[place].tolist())) for place in places]
        self._now_ns = int(t_ns[-1])
        return lines

    def _at(self, t_session_ns: int, words: str) -> str:
        return f"{elapsed_text(t_session_ns / _NS_PER_S)}  {words}"


def _row_words(context: int, state: int, sagittal_deg: float, uncertainty_deg: float, slouch_pct: float) -> str:
    words = plain_word(CONTEXTS[context])
    if context == Context.STILL and state != State.UNKNOWN:
        words += f", {plain_word(STATES[state])}"
    if is_known(sagittal_deg):
        words += f"  {angle_words(sagittal_deg, uncertainty_deg)}"
    return f"{words}  slouch {percent_words(slouch_pct)}" if is_known(slouch_pct) else words


def _figures(summary: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    for name in ("duration", "still", "in_range", "forward", "reclined", "unjudged", "no_data"):
        yield plain_word(name), _duration(summary.get(f"{name}_s"))
    longest = summary.get("longest_forward_s")
    yield "episodes", _count(summary.get("episodes")) + (f", longest {_duration(longest)}" if longest else "")
    yield "alerts", _count(summary.get("alerts"))
    yield "loss", _loss(summary)


def _duration(value: object) -> str:
    return duration_words(value) if isinstance(value, int | float) and is_known(value) else "–"


def _count(value: object) -> str:
    return "–" if value is None else str(value)


def _loss(summary: Mapping[str, object]) -> str:
    """The view's loss, and what the recording lacks: less than that where samples came late."""
    percent, lost, outages = (summary.get(name) for name in ("loss_pct", "lost_samples", "outages"))
    unknown = "– (this sensor has nothing to count it by)" if summary.get("samples") else "–"
    words = unknown
    if isinstance(percent, float) and is_known(percent):
        words = f"{percent:.1f} %"
        if isinstance(lost, int):
            words += f" ({_lacking(percent, lost, summary.get('samples'))})"
    return f"{words}, link lost {counted(outages, 'time')}" if isinstance(outages, int) and outages else words


def _lacking(percent: float, lost: int, samples: object) -> str:
    """How many samples are missing, and how many of those that were came later: `percent` counts them as lost."""
    late = round(percent / 100 * (samples + lost)) - lost if isinstance(samples, int) else 0
    if late <= 0:
        return counted(lost, "sample")
    return f"as lived: {counted(late, 'sample')} came later, {lost} {'is' if lost == 1 else 'are'} missing"
