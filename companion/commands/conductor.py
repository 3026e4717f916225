"""Leads a session through its guided calibration: watches the angles, puts the result in its place.

Pure: frames and angles in, frames out; the same live and in `simulate`. Knows: the guide, sessions. Must never
know: how a wearer is told, files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from companion.posture.baselines import CalibrationRefused
from companion.posture.calibration import Kind
from companion.posture.guide import Guide, Prompt, Wanted
from companion.session import Session
from companion.tables.instants import utc_text
from firmware_protocol.frames import CalibrationSet, Closed, Frame, Opened

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be calibrated, and for which profile."""

    profile: str
    kind: Kind = "sitting"
    wanted: Wanted = field(default_factory=Wanted)


class Conductor:
    """One guided calibration within a session. Give it the ANGLES of every report until it is `over`."""

    def __init__(self, header: Opened, asked: Asked) -> None:
        self._header, self._asked = header, asked
        self._guide = Guide(asked.wanted)

    @property
    def prompt(self) -> Prompt:
        """What the wearer is asked for now."""
        return self._guide.prompt

    @property
    def over(self) -> bool:
        """Whether there is a baseline, or a reason why there is none."""
        return self._guide.result is not None

    @property
    def refusal(self) -> str:
        """Why there is no baseline, or not all that was asked for, in one sentence; empty while that is open."""
        result = self._guide.result
        return str(result) if isinstance(result, CalibrationRefused) else self._guide.shortfall

    def watch(self, angles: "npt.NDArray[Any]", t_host_ns: int) -> CalibrationSet | None:
        """Take ANGLES that came until `t_host_ns`; the frame to put into the session, once there is a baseline."""
        if self.over:
            return None
        self._guide.feed(angles)
        return self._placed(t_host_ns)

    def finish(self, t_host_ns: int) -> CalibrationSet | None:
        """Nothing more comes: the frame, if the last moment completes the baseline; else there is a refusal."""
        if self.over:
            return None
        self._guide.finish()
        return self._placed(t_host_ns)

    def _placed(self, t_host_ns: int) -> CalibrationSet | None:
        result = self._guide.result
        if result is None or isinstance(result, CalibrationRefused):
            return None
        asked = self._asked
        if asked.wanted.way != "kept":
            taken_utc = utc_text(self._header.utc_ns + t_host_ns - self._header.t_host_ns)
            result = replace(result, taken_utc=taken_utc)
        made = replace(result, profile=asked.profile, kind=asked.kind)
        return CalibrationSet(t_host_ns=t_host_ns, calibration_json=made.to_json())


def conducted(frames: Iterable[Frame], asked: Asked, refused: list[str]) -> Iterator[Frame]:
    """The frames of a session, with a `CalibrationSet` where the holds in them are complete.

    A session that opens with a calibration passes unchanged. `refused` takes the reason where there is no baseline.
    """
    source = iter(frames)
    header = next(source)
    yield header
    if isinstance(header, Opened) and header.calibration_json is None:
        yield from _through_the_holds(header, source, Conductor(header, asked), refused)
    yield from source


def _through_the_holds(
    header: Opened, source: Iterator[Frame], conductor: Conductor, refused: list[str]
) -> Iterator[Frame]:
    session = Session(header, keep_angles=True)
    for frame in source:  # one at a time, so that the place of the result depends on the session alone
        parts: tuple[Frame | None, Frame | None]
        if isinstance(frame, Closed):
            parts = (conductor.finish(frame.t_host_ns), frame)
        else:
            parts = (frame, conductor.watch(session.feed([frame]).angles, frame.t_host_ns))
        if conductor.refusal:
            refused.append(conductor.refusal)
        yield from (part for part in parts if part is not None)
        if conductor.over:
            return
