"""The first frame of every new session, live, simulated or imported: what is decided before any packet.

Knows: settings, calibrations, the clocks. Must never know: how the packets come.
"""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from companion import __version__, host
from companion.errors import UsageError
from companion.settings import Settings
from companion.tables.calendar import utc_ns_of
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    import numpy.typing as npt

    from companion.commands.conductor import Asked
    from companion.posture.calibration import Calibration

USUAL_RATE_HZ = 50.0
"""Enough for posture and steps; what every sensor of ours offers."""

_FIRST_YEAR, _LAST_YEAR = 1678, 2261
"""What 64 bits of nanoseconds since 1970 hold, in whole years."""


def opening(
    *,
    t_host_ns: int,
    driver: str,
    device: str,
    settings: Settings,
    origin: str,
    rate_hz: float | None = USUAL_RATE_HZ,
    calibration_json: str | None = None,
    started: datetime | None = None,
) -> Opened:
    """The header of a session that begins at `t_host_ns` on the clock of its frames: now and here, or at `started`.

    `rate_hz` is asked of the sensor (None: whatever is its own). `device` is the sensor's alias, "simulated" or
    "imported"; `origin` is "live", "simulated" or "imported"; the zone of `started` is an IANA one.
    """
    return Opened(
        t_host_ns=t_host_ns,
        session_id=uuid4().hex,
        driver=driver,
        device=device,
        rate_hz=rate_hz,
        utc_ns=host.utc_ns() if started is None else _checked_utc_ns(started),
        zone=host.zone_name() if started is None else str(started.tzinfo),
        settings_json=settings.to_json(),
        calibration_json=calibration_json,
        software_version=__version__,
        origin=origin,
    )


def _checked_utc_ns(instant: datetime) -> int:
    """Nanoseconds since 1970; raises UsageError where a recording has no room for them."""
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise UsageError(f"a session cannot begin in {instant.year}.", f"From {_FIRST_YEAR} to {_LAST_YEAR} it can.")
    return utc_ns_of(instant)


def declared(up_sensor: "npt.ArrayLike", forward_sensor: "npt.ArrayLike", settings: Settings) -> str:
    """A calibration from two known directions (3,) in the sensor's frame, for the profile in force, as JSON."""
    from companion.posture.calibration import Calibration

    return Calibration.from_axes(up_sensor, forward_sensor).with_profile(settings.profile, settings.kind).to_json()


def understood(calibration_json: str | None) -> "Calibration | None":
    """A stored calibration as a value; raises UsageError where it is not readable."""
    from companion.posture.calibration import Calibration

    try:
        return None if calibration_json is None else Calibration.from_json(calibration_json)
    except ValueError as error:
        raise UsageError("the stored baseline is not readable.", "`posture calibrate` takes a new one.") from error


def asked_of(settings: Settings, stored: "Calibration | None") -> "Asked":
    """A guided calibration with bends, for the profile in force; its kind and the usual slouch stay as stored."""
    from companion.commands.conductor import Asked
    from companion.posture.guide import Wanted

    kind = settings.kind if stored is None else stored.kind
    return Asked(settings.profile, kind, Wanted(stored=stored))
