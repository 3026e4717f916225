"""`posture calibrate`: the guided holds, on their own; stores the baseline for later sessions.

Knows: which sensor, the guide's steps. Must never know: how a baseline is computed.
"""

import os

from companion import host
from companion.commands.air import act_of
from companion.commands.alone import alone
from companion.commands.live import Plan, in_lines
from companion.commands.monitor import sensor_of
from companion.commands.opening import opening
from companion.commands.options import CalibrateOptions
from companion.commands.pinned import pinned
from companion.commands.places import open_data, places
from companion.commands.settings_file import in_force
from companion.commands.store import Store
from companion.errors import UsageError
from firmware_protocol.drivers import driver
from firmware_protocol.frames import Opened


def run(options: CalibrateOptions) -> None:
    """Lead through the steps; raises UsageError with the reason where no baseline was taken."""
    where = open_data(places(options.shared.data_dir))
    store = Store(where)
    settings = in_force(where.settings, os.environ, options.shared.settings).settings
    act = act_of(options.simulation)
    sensor = sensor_of(options.alias, act, store)
    kept: list[str] = []

    def header() -> Opened:
        return opening(
            t_host_ns=host.boot_ns(),
            driver=sensor.driver,
            device=sensor.alias,
            settings=settings,
            origin="simulated" if act else "live",
        )

    plan = Plan(
        header=header,
        driver=driver(sensor.driver),
        file=None,
        profile=settings.profile,
        act=act,
        address=sensor.address or None,
        verify=pinned(sensor),
        guided=True,
        until_guided=True,
        keep_calibration=kept.append,
    )
    with alone(where, sensor.alias, needed=act is None):
        refusal = in_lines(plan, "guide")
    if not kept:
        raise UsageError(
            refusal or "No baseline was taken: it was ended before the last step.", "`posture calibrate` begins anew."
        )
    store.remember_calibration(sensor.alias, settings.profile, kept[-1])
    print(f"baseline of {sensor.alias} for {settings.profile}: stored")
