"""The checks that a sensor's firmware must pass, as scripts that ask and rules that judge what came.

Pure. Knows: the specification, steps, frames. Must never know: how a step is carried out, the present time, screens.

A scene is a script; whoever carries out its steps tells the evidence every frame, and asks it for verdicts when the
scene has ended. The same scenes run over a radio and, in tests, against a model of a firmware.
"""

from firmware_protocol.posture_v1.conformance.evidence import Evidence, Verdict
from firmware_protocol.posture_v1.conformance.rules import RULES, Rule
from firmware_protocol.posture_v1.conformance.scenes import SCENES, WHOLE, Scene
from firmware_protocol.posture_v1.conformance.steps import (
    Answered,
    Ask,
    Configure,
    Listen,
    Offer,
    Pair,
    Reconnect,
    Refused,
    Reply,
    Step,
    Unsubscribe,
)

__all__ = [
    "RULES",
    "SCENES",
    "WHOLE",
    "Answered",
    "Ask",
    "Configure",
    "Evidence",
    "Listen",
    "Offer",
    "Pair",
    "Reconnect",
    "Refused",
    "Reply",
    "Rule",
    "Scene",
    "Step",
    "Unsubscribe",
    "Verdict",
]
