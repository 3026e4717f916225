"""`posture calibrate`: the guided holds, on their own; stores the baseline for later sessions.

Knows: which sensor, what is asked of the wearer, the words for what came out. Must never know: how a baseline is
computed.
"""

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from companion import host
from companion.commands.air import Act, act_of
from companion.commands.alone import alone
from companion.commands.fronts import in_lines
from companion.commands.live import Plan
from companion.commands.monitor import as_paired, driver_of, rate_of, sensor_of
from companion.commands.opening import asked_of, opening, understood
from companion.commands.options import CalibrateOptions
from companion.commands.pinned import mended_by, pinned
from companion.commands.places import open_data, places
from companion.commands.quality import quality_lines
from companion.commands.settings_file import in_force
from companion.commands.store import Sensor, Store
from companion.errors import UsageError
from companion.settings import Settings
from firmware_protocol.frames import Opened

if TYPE_CHECKING:
    from companion.commands.conductor import Asked
    from companion.posture.calibration import Calibration, Kind
    from companion.posture.guide import Way

_ANEW = "`posture calibrate` begins anew."


def run(options: CalibrateOptions) -> None:
    """Lead through the steps; raises UsageError with the reason where no baseline was taken."""
    _compatible(options)
    where = open_data(places(options.shared.data_dir))
    store = Store(where)
    settings = in_force(where.settings, os.environ, options.shared.settings).settings
    act = act_of(as_paired(options.simulation, options.alias, store))
    sensor = sensor_of(options.alias, act, store)
    stored = understood(store.calibration(sensor.alias, settings.profile))
    asked = _asked(options, settings, sensor, stored)
    kept: list[str] = []
    with alone(where, sensor.alias, needed=act is None), mended_by(sensor.alias):
        ending = in_lines(_plan(settings, act, sensor, asked, kept), "guide")
    refusal = ending.refusal or "No baseline was taken: it was ended before the last step."
    made = understood(kept[-1]) if kept else None
    if made is None:
        if ending.by_signal:
            print(f"{refusal}\n{_ANEW}", file=sys.stderr)
            return
        raise UsageError(refusal, _way_out(asked))
    store.remember_calibration(sensor.alias, settings.profile, made.to_json())
    for line in quality_lines(sensor.alias, made, set_limit_deg=settings.slouch.limit_deg):
        print(line)
    if ending.refusal and not ending.by_signal:  # the baseline stands, and something else that was asked for does not
        raise UsageError(
            ending.refusal, f"The baseline is stored; `posture calibrate {_rest(options)}` tries that again."
        )


def _compatible(options: CalibrateOptions) -> None:
    if options.quick and (options.no_bend or options.mounting is not None):
        raise UsageError("--quick has no bend at all.", "Leave out --no-bend and --mounting, or --quick.")


def _way(options: CalibrateOptions, stored: "Calibration | None") -> "Way":
    if options.quick:
        return "quick"
    if options.mounting is not None:
        return "mounting"
    if options.no_bend:
        return "nod"
    return "kept" if stored is not None and (options.slouch or options.fit_test) else "bend"


def _asked(options: CalibrateOptions, settings: Settings, sensor: Sensor, stored: "Calibration | None") -> "Asked":
    """What the options come to; raises UsageError where there is nothing that --quick could keep."""
    if options.quick and stored is None:
        raise UsageError(
            f"--quick keeps a stored baseline, and there is none of {sensor.alias!r} for {settings.profile!r}.",
            "`posture calibrate`, without --quick, takes one.",
        )
    usual = asked_of(settings, stored)
    kind: Kind | None = None if options.kind is None else "standing" if options.kind == "standing" else "sitting"
    wanted = replace(
        usual.wanted,
        way=_way(options, stored),
        axis=options.mounting,
        slouch=options.slouch,
        fit=options.fit_test,
    )
    return replace(usual, kind=kind or usual.kind, wanted=wanted)


def _plan(settings: Settings, act: Act | None, sensor: Sensor, asked: "Asked", kept: list[str]) -> Plan:
    def header() -> Opened:
        return opening(
            t_host_ns=host.boot_ns(),
            driver=sensor.driver,
            device=sensor.alias,
            settings=settings,
            origin="simulated" if act else "live",
            rate_hz=rate_of(sensor),
        )

    return Plan(
        header=header,
        driver=driver_of(sensor),
        file=None,
        asked=asked,
        act=act,
        address=sensor.address or None,
        key=sensor.key_bytes,
        verify=pinned(sensor),
        guided=True,
        until_guided=True,
        keep_calibration=kept.append,
    )


def _way_out(asked: "Asked") -> str:
    match asked.wanted.way:
        case "quick":
            return "`posture calibrate`, without --quick, finds where you face anew."
        case "kept":
            return "`posture calibrate --quick --slouch` takes the baseline with it."
        case "bend":
            return f"{_ANEW} Who cannot bend adds --no-bend."
        case _:
            return _ANEW


def _rest(options: CalibrateOptions) -> str:
    """What is left to do once there is a baseline."""
    return " ".join(word for word, given in (("--slouch", options.slouch), ("--fit-test", options.fit_test)) if given)
