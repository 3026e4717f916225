"""The posture companion: motion of the upper back in, posture, episodes and alerts out.

The public names are loaded when they are first used, so that the command line starts without numerical packages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_HOMES = {
    "SAMPLES": "firmware_protocol.samples",
    "POSTURE": "companion.posture.rows",
    "CONTEXTS": "companion.posture.rows",
    "STATES": "companion.posture.rows",
    "estimate_up": "companion.analysis",
    "analyse": "companion.analysis",
    "Analysis": "companion.analysis",
    "Calibration": "companion.posture.calibration",
    "CalibrationRefused": "companion.posture.baselines",
    "calibrate": "companion.analysis",
    "Settings": "companion.settings",
    "Session": "companion.session",
    "open_recording": "companion.recording",
    "RecordingError": "companion.errors",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names are the table above

if TYPE_CHECKING:
    from companion.analysis import Analysis, analyse, calibrate, estimate_up
    from companion.errors import RecordingError
    from companion.posture.baselines import CalibrationRefused
    from companion.posture.calibration import Calibration
    from companion.posture.rows import CONTEXTS, POSTURE, STATES
    from companion.recording import open_recording
    from companion.session import Session
    from companion.settings import Settings
    from firmware_protocol.samples import SAMPLES


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'companion' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
