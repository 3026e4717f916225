"""The scenes in the order in which they are played. A link that is lost ends a scene; it may be played again.

Pure. Must never know: how a step is carried out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from firmware_protocol.posture_v1.conformance.asking import SceneEnds
from firmware_protocol.posture_v1.conformance.evidence import Evidence
from firmware_protocol.posture_v1.conformance.meeting import information, meeting
from firmware_protocol.posture_v1.conformance.returning import returning
from firmware_protocol.posture_v1.conformance.running import live, rates
from firmware_protocol.posture_v1.conformance.steps import Play
from firmware_protocol.posture_v1.conformance.whole import judge


@dataclass(frozen=True, slots=True)
class Scene:
    """Some rules that are looked at together. `name` is what `Rule.scene` says; `seconds` about how long it takes."""

    name: str
    title: str  # for people, while they wait
    seconds: int
    script: Callable[[Evidence], Play]

    def play(self, seen: Evidence) -> Play:
        """The scene's script; it has no steps once nothing more can be asked."""
        if seen.over:
            return
        try:
            yield from self.script(seen)
        except SceneEnds:
            return


def _whole(seen: Evidence) -> Play:
    judge(seen)
    yield from ()


SCENES: tuple[Scene, ...] = (
    Scene("meeting", "what is offered", 1, meeting),
    Scene("info", "what it says of itself", 1, information),
    Scene("live", "a stream, with commands beside it", 17, live),
    Scene("rates", "every rate and range", 10, rates),
    Scene("return", "going away and coming back", 15, returning),
)
"""What is played over the air, in this order; `WHOLE` is judged behind all of them, whatever became of them."""
WHOLE = Scene("whole", "all of it together", 0, _whole)
