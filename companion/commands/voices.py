"""How a session is told as lines, live and in replay: JSON for programs, plain words for people.

Knows: which line follows from which part of a report. Must never know: how a line is written, where it goes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from companion.output.lines import damage_line, event_line, posture_lines, session_line, summary_line
from companion.output.plain import PlainLines
from companion.posture.events import Event
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    from companion.session import Report

Damage = tuple[float, float, str]
"""From and to in seconds of session time, and the reason."""


class Voice(Protocol):
    """Tells one session from its beginning to its end; each method returns the lines to print."""

    def begin(self, damage: Iterable[Damage] = ()) -> list[str]:
        """What is said first; `damage` is what a recording has lost."""
        ...

    def tell(self, report: "Report") -> list[str]:
        """What some frames completed, in the session's order."""
        ...

    def end(self, summary: dict[str, Any]) -> list[str]:
        """What is said last."""
        ...


class JsonVoice:
    """One object a line: session, damage, posture and events, summary."""

    def __init__(self, header: Opened, file: Path, view: str = "lived") -> None:
        self._header, self._file, self._view = header, file, view

    def begin(self, damage: Iterable[Damage] = ()) -> list[str]:
        """The session line, then the damage."""
        return [session_line(self._header, self._file), *(damage_line(*each) for each in damage)]

    def tell(self, report: "Report") -> list[str]:
        """Posture and event lines."""
        lines: list[str] = []
        for kind, what in report.in_order():
            if kind == "posture":
                lines += posture_lines(what)
            else:
                lines.append(event_line(what, self._header.utc_ns + what.t_session_ns))
        return lines

    def end(self, summary: dict[str, Any]) -> list[str]:
        """The summary line."""
        return [summary_line(summary, self._view)]


class PlainVoice:
    """Words for people, one line for each thing that matters."""

    def __init__(self, header: Opened, file: Path | None, *, live: bool = True) -> None:
        self._lines, self._file, self._live = PlainLines(header), file, live

    def begin(self, damage: Iterable[Damage] = ()) -> list[str]:  # noqa: ARG002 - people read of it on stderr
        """What this is, and which session."""
        return self._lines.opened(self._file, live=self._live)

    def tell(self, report: "Report") -> list[str]:
        """What changed, and every event."""
        return self._lines.feed(_told(report))

    def link(self, text: str) -> list[str]:
        """What has become of the link, live."""
        return self._lines.link(text)

    def step(self, text: str) -> list[str]:
        """One step of the guided calibration, live."""
        return self._lines.step(text)

    def end(self, summary: dict[str, Any]) -> list[str]:
        """The figures, and the recording's path."""
        return self._lines.closed(summary, self._file)


def _told(report: "Report") -> Iterator[tuple[str, Any] | Event]:
    return (what if kind == "event" else (kind, what) for kind, what in report.in_order())


def voice(style: str, header: Opened, file: Path | None, view: str = "lived", *, live: bool = True) -> Voice:
    """The voice of a style; what is no JSON is plain."""
    if style == "json" and file is not None:
        return JsonVoice(header, file, view)
    return PlainVoice(header, file, live=live)
