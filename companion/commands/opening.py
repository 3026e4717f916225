"""The first frame of every new session, live, simulated or imported: what is decided before any packet.

Knows: settings, calibrations, the clocks. Must never know: how the packets come.
"""

from typing import TYPE_CHECKING
from uuid import uuid4

from companion import __version__, host
from companion.settings import Settings
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    import numpy.typing as npt

USUAL_RATE_HZ = 50.0
"""Enough for posture and steps; what every sensor of ours offers."""


def opening(
    *,
    t_host_ns: int,
    driver: str,
    device: str,
    settings: Settings,
    origin: str,
    rate_hz: float | None = USUAL_RATE_HZ,
    calibration_json: str | None = None,
) -> Opened:
    """The header of a session that begins now, at `t_host_ns` on the clock of its frames.

    `rate_hz` is asked of the sensor (None: whatever is its own). `device` is the sensor's alias, "simulated" or
    "imported"; `origin` is "live", "simulated" or "imported".
    """
    return Opened(
        t_host_ns=t_host_ns,
        session_id=uuid4().hex,
        driver=driver,
        device=device,
        rate_hz=rate_hz,
        utc_ns=host.utc_ns(),
        zone=host.zone_name(),
        settings_json=settings.to_json(),
        calibration_json=calibration_json,
        software_version=__version__,
        origin=origin,
    )


def declared(up_sensor: "npt.ArrayLike", forward_sensor: "npt.ArrayLike", settings: Settings) -> str:
    """A calibration from two known directions (3,) in the sensor's frame, for the profile in force, as JSON."""
    from companion.posture.mounting import Calibration

    return Calibration.from_axes(up_sensor, forward_sensor).with_profile(settings.profile).to_json()
