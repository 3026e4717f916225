"""`posture monitor`: the live session, on a screen, as plain lines or as JSON; always recorded.

Knows: which sensor, which settings, which listener. Must never know: how a session runs.
"""

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from companion import host
from companion.commands.air import Act, act_of
from companion.commands.alone import alone
from companion.commands.fronts import in_lines, on_screen
from companion.commands.live import Plan
from companion.commands.opening import asked_of, opening, understood
from companion.commands.options import MonitorOptions, Simulation
from companion.commands.pinned import mended_by, pinned
from companion.commands.places import Places, checked_alias, close_cut_off, new_session_file, open_data, places
from companion.commands.settings_file import in_force
from companion.commands.store import Sensor, Store
from companion.errors import DeviceNotFound, UsageError
from companion.settings import Settings
from firmware_protocol.drivers import Driver, driver
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    from companion.posture.calibration import Calibration

SIMULATED_ALIAS = "simulated"


def run(options: MonitorOptions) -> None:
    """Watch until the story, the time or the wearer ends it."""
    where = open_data(places(options.shared.data_dir))
    settings = in_force(where.settings, os.environ, options.shared.settings).settings
    act = act_of(as_paired(options.simulation, options.alias, Store(where)))
    sensor = sensor_of(options.alias, act, Store(where))
    with alone(where, sensor.alias, needed=act is None), mended_by(sensor.alias):
        close_cut_off(where)
        plan = _plan(options, where, settings, act, sensor)
        if options.style == "auto" and _is_terminal():
            on_screen(plan, settings)
        else:
            in_lines(plan, options.style)


def _is_terminal() -> bool:
    """Whether a screen would be seen: it is drawn on stderr, and keys come from stdin."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def sensor_of(alias: str | None, act: Act | None, store: Store) -> Sensor:
    """The paired sensor that is meant; raises DeviceNotFound where there is none. A simulated one needs no pairing."""
    if act is None:
        sensor = store.sensor(alias)
        if sensor.simulated:
            raise DeviceNotFound(
                f"{sensor.alias!r} is a simulated sensor.", "Add --simulated, or find a real one with `posture pair`."
            )
        return sensor
    return Sensor(alias=checked_alias(alias or SIMULATED_ALIAS), driver=act.driver, address="", simulated="yes")


def as_paired(simulation: Simulation, alias: str | None, store: Store) -> Simulation:
    """The simulated sensor that has this alias, where one was paired under it; raises UsageError for another device."""
    known = store.sensors().get(alias) if alias is not None and simulation.story is not None else None
    if known is None or not known.simulated or simulation.device == known.driver:
        return simulation
    if simulation.device is not None:
        raise UsageError(f"{alias!r} is a {known.driver} sensor.", "Leave out --device, or use another name.")
    return replace(simulation, device=known.driver)


def rate_of(sensor: Sensor) -> float | None:
    """The rate that a sensor is asked for: what is remembered, else its driver's usual one; None: it has its own."""
    usual_hz = driver_of(sensor).usual_rate_hz
    return sensor.asked_hz or (None if usual_hz is None else float(usual_hz))


def driver_of(sensor: Sensor) -> Driver:
    """The driver of a remembered sensor; raises UsageError where it is not installed."""
    try:
        return driver(sensor.driver)
    except KeyError:
        raise UsageError(
            f"the driver {sensor.driver!r} of {sensor.alias!r} is not installed.",
            "Install the package that brings it, or pair the sensor anew.",
        ) from None


def _plan(options: MonitorOptions, where: Places, settings: Settings, act: Act | None, sensor: Sensor) -> Plan:
    store = Store(where)
    known = act.calibration_json(settings) if act else store.calibration(sensor.alias, settings.profile)

    def header() -> Opened:
        return opening(
            t_host_ns=host.boot_ns(),
            driver=sensor.driver,
            device=sensor.alias,
            settings=settings,
            origin="simulated" if act else "live",
            rate_hz=rate_of(sensor),
            calibration_json=known,
        )

    def keep(calibration_json: str) -> None:
        store.remember_calibration(sensor.alias, settings.profile, calibration_json)

    def keep_learned(found: "Calibration") -> None:
        remember_walking(store, sensor.alias, settings.profile, found)

    return Plan(
        header=header,
        driver=driver_of(sensor),
        file=new_session_file(where, sensor.alias, host.utc_ns()),
        asked=asked_of(settings, understood(known)),
        act=act,
        address=sensor.address or None,
        key=sensor.key_bytes,
        verify=pinned(sensor),
        duration_s=options.duration_s,
        guided=options.calibrate or (act is not None and known is None),
        keep_calibration=None if act else keep,
        keep_learned=None if act else keep_learned,
    )


def remember_walking(store: Store, alias: str, profile: str, found: "Calibration") -> None:
    """Keep how the wearer walks beside the baseline that it was found with; a newer baseline is left alone."""
    latest = understood(store.calibration(alias, profile))
    if latest is not None and latest.calibration_id == found.calibration_id:
        store.remember_calibration(alias, profile, found.to_json())
