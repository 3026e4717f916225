"""What a live session tells, made into lines for the main thread, or into snapshots for the screen.

Runs in the session's thread and never waits: lines go into a queue, a snapshot replaces the one before it.
Knows: voices, snapshots, the steps of the guided calibration in words. Must never know: terminals, threads' lives.
"""

import queue
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from companion.commands.voices import PlainVoice, Voice, voice
from companion.output.snapshot import QUIET_S, Snapshot, SnapshotBuilder
from companion.output.words import is_known
from companion.posture.guide import BENDS, Prompt, Step
from companion.posture.rows import POSTURE
from companion.posture.slouch import kind_of, sagittal_at, scale_of
from companion.session import Report
from companion.settings import Settings
from firmware_protocol.drivers import driver
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    from companion.link.status import LinkStatus
    from companion.posture.calibration import Calibration

STEPS: Mapping[Step, str] = {
    Step.HOLD: "calibration: hold still, as tall as is comfortable, for 5 s",
    Step.BEND: "calibration: bend forward from the hips, about 30°, twice",
    Step.HOLD_AGAIN: "calibration: hold still again, as tall as is comfortable, for 5 s",
    Step.NOD: "calibration: bend forward from the hips as far as is comfortable, 5° or more, twice",
    Step.SLOUCH: "calibration: now sit or stand the way you slouch, and stay so for 5 s",
    Step.FIT: "fit test: for 20 s lean, turn, and walk about",
    Step.DONE: "calibration: done",
    Step.REFUSED: "calibration: not taken",
}
BELL = "\a"
MOST_WAITING = 50_000
"""So many times lines wait for a reader: over two hours of JSON. Of more, the oldest are dropped and counted."""
_NO_ROWS = np.empty(0, dtype=POSTURE)


def link_words(status: "LinkStatus") -> str:
    """The link in a few words, with the cause of a trouble, else the signal, where they are known."""
    words, cause = status.state.value, status.cause
    if words == "stopped" or cause == f"link {words}":  # there is no more to say of it
        return words
    if words == "streaming":
        return cause or (words if status.rssi is None else f"{words}, {status.rssi} dBm")
    if status.name and words in ("connecting", "starting"):
        words = f"{words} {status.name}"
    return f"{words} ({cause})" if cause else words


def _is_new(prompt: Prompt, before: Prompt | None) -> bool:
    """Whether there is something to say, and a bell to ring: another step, a bend, a bend that was too small."""
    said = (prompt.step, prompt.bends, prompt.short_deg)
    return before is None or said != (before.step, before.bends, before.short_deg)


def guide_words(prompt: Prompt, before: Prompt | None) -> str:
    """What the guided calibration says now."""
    if before is None or before.step is not prompt.step:
        return STEPS[prompt.step]
    if prompt.short_deg != before.short_deg:
        return f"calibration: that was {prompt.short_deg[-1]:.0f}°, and {prompt.least_deg:.0f}° or more is needed"
    return f"calibration: {prompt.bends} of {BENDS} seen"


class LineListener:
    """Puts lists of lines into `lines`; None is the end. Style "guide" tells the guided calibration only."""

    def __init__(self, style: str, bell: bool = False) -> None:
        self.lines: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        self.unread = 0  # lines that were dropped because nobody read
        self._style = style
        self._bell = bell
        self._voice: Voice | None = None
        self._asked: Prompt | None = None
        self.refusal = ""

    def began(self, header: Opened, file: Path | None) -> None:
        """Say what this is."""
        self._voice = voice(self._style, header, file)
        if self._style != "guide":
            self._put(self._voice.begin())

    def report(self, report: Report) -> None:
        """Say what frames completed; the last report brings the summary."""
        if self._voice is not None:
            told = self._voice.tell(report)
            if self._style == "guide":
                return  # the voice only keeps the time
            self._put(told)
            if report.summary is not None:
                self._put(self._voice.end(report.summary))

    def link(self, status: "LinkStatus") -> None:
        """Say what became of the link, to people; tries to make it again are many, and each says nothing new."""
        if status.lost_since_ns is not None and status.state.value in ("connecting", "starting"):
            return
        if isinstance(self._voice, PlainVoice):
            self._put(self._voice.link(link_words(status)))

    def prompt(self, prompt: Prompt, refusal: str) -> None:
        """Say each step of the guided calibration once, to people."""
        self.refusal = refusal
        before, self._asked = self._asked, prompt
        if not isinstance(self._voice, PlainVoice) or not _is_new(prompt, before):
            return
        ring = BELL if self._bell else ""
        self._put([ring + line for line in self._voice.step(refusal or guide_words(prompt, before))])

    def calibrated(self, calibration: "Calibration | None") -> None:
        """The rows and events say what follows."""

    def ended(self) -> None:
        """Let the reader of the lines go."""
        self.lines.put(None)

    def _put(self, lines: list[str]) -> None:
        if not lines:
            return
        self.lines.put(lines)
        while self.lines.qsize() > MOST_WAITING:
            with suppress(queue.Empty):  # the reader woke up at this moment
                self.unread += len(self.lines.get_nowait() or ())


class ScreenListener:
    """Keeps the latest snapshot; the screen reads the reference whenever it likes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._builder: SnapshotBuilder | None = None
        self._voice: PlainVoice | None = None
        self._summary: dict[str, Any] | None = None
        self._asked: Prompt | None = None
        self._told = ""
        self._axis: int | None = None
        self._absence = ""
        self._snapshot = Snapshot()

    def latest(self) -> Snapshot:
        """The newest snapshot; from any thread."""
        return self._snapshot

    def began(self, header: Opened, file: Path | None) -> None:
        """Start the picture."""
        from companion.link.status import NO_DATA, NOT_HEARD

        spoken = driver(header.driver)
        self._absence = NOT_HEARD if spoken.broadcasts else NO_DATA
        quiet_s = max(QUIET_S, 2 * spoken.longest_interval_s)
        self._builder = SnapshotBuilder(header, self._settings, file=str(file or ""), quiet_s=quiet_s)
        self._voice = PlainVoice(header, file)
        self._snapshot = self._builder.latest

    def report(self, report: Report) -> None:
        """Bring the picture up to date."""
        self._summary = report.summary
        if self._builder is not None:
            self._snapshot = self._builder.update(
                report.posture,
                report.events,
                batteries=report.batteries,
                loss_pct=report.loss_pct,
                rate_hz=report.rate_hz,
                inclination_deg=self._inclination_deg(report),
                data_ns=int(report.angles["t_session_ns"][-1]) if len(report.angles) else None,
                ended=report.summary is not None,
            )

    def link(self, status: "LinkStatus") -> None:
        """Show the link."""
        if self._builder is None:
            return
        streaming = status.state.value == "streaming"
        cause = status.cause or (self._absence if streaming else "")
        trouble = bool(status.cause) or status.lost_since_ns is not None
        self._snapshot = self._builder.update(_NO_ROWS, link=link_words(status), cause=cause, trouble=trouble)

    def prompt(self, prompt: Prompt, refusal: str) -> None:
        """Show the step of the guided calibration, with a bell at each new one."""
        if self._builder is None:
            return
        over = prompt.step in (Step.DONE, Step.REFUSED)
        if _is_new(prompt, self._asked):
            self._told = guide_words(prompt, self._asked)
        text = refusal if prompt.step is Step.REFUSED else "" if over else self._told
        progress = prompt.part if not over else None
        before, self._asked = self._asked, prompt
        self._snapshot = self._builder.guide(text, progress, ring=_is_new(prompt, before))

    def calibrated(self, calibration: "Calibration | None") -> None:
        """Show the limit and the range that are this wearer's."""
        if self._builder is None or calibration is None:
            return
        settings = self._settings
        kind = kind_of(calibration, settings.profile, settings.kind)
        scale = scale_of(calibration, kind, settings.slouch.limit_deg)
        self._snapshot = self._builder.scaled(
            scale.limit_deg, scale.range_deg, sagittal_at(calibration, scale.limit_deg)
        )

    def ended(self) -> None:
        """Let the screen go."""
        if self._builder is not None:
            self._snapshot = self._builder.update(_NO_ROWS, ended=True)
        else:
            self._snapshot = Snapshot(ended=True)

    def figures(self) -> list[str]:
        """The session's summary in words, for when the screen has gone; empty where there was no session."""
        if self._voice is None or self._summary is None:
            return []
        return self._voice.end(self._summary)

    def _inclination_deg(self, report: Report) -> float | None:
        """How far the sensor leans from the way it was first seen, by the axis that was nearest to vertical then."""
        settled = report.angles["up"][report.angles["settled"]]
        if not len(settled):
            return None
        up = settled[-1]
        if self._axis is None:
            self._axis = int(np.argmax(np.abs(up)))
        angle_deg = float(np.degrees(np.arccos(np.clip(abs(up[self._axis]), 0, 1))))
        return angle_deg if is_known(angle_deg) else None
