"""The commands that speak to a sensor, real or simulated, and the list of drivers: parse, call one command each.

Knows: words, options. Must never know: sensors, files, posture. Commands are imported when they are called, so that
`--help` loads no numerical, radio or screen package.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from companion.cli.application import CARE, Command, app
from companion.cli.arguments import (
    STORIES,
    Alias,
    DataDir,
    Device,
    Duration,
    Fault,
    Json,
    Mode,
    Plain,
    Profile,
    Set,
    Simulated,
    Verbose,
)
from companion.commands import options, words
from companion.commands.words import instant, seconds, shared, simulation, style
from companion.errors import UsageError


@app.command(cls=Command, epilog=CARE)
def scan(
    *,
    timeout: Annotated[float, typer.Option(parser=seconds, metavar="S", help="How long to listen.")] = 10.0,
    json: Json = False,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """List the sensors in range, best signal first, each with its driver."""
    from companion.commands import scan as command

    command.run(
        options.ScanOptions(
            shared=shared(data_dir, verbose),
            simulation=simulation(simulated, device, fault),
            style=style(plain, json),
            timeout_s=timeout,
        )
    )


@app.command(cls=Command, epilog=CARE)
def devices(
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="This driver; without it, all of them.")] = None,
    json: Json = False,
    data_dir: DataDir = None,  # noqa: ARG001 - every command takes it
    verbose: Verbose = False,  # noqa: ARG001
) -> None:
    """List the drivers: what their sensors give, and how well each is known."""
    from companion.commands import devices as command

    command.run(options.DevicesOptions(name=name, as_json=json))


@app.command(cls=Command, epilog=CARE)
def pair(
    *,
    alias: Annotated[str | None, typer.Argument(metavar="ALIAS", help="What to call the sensor.")] = None,
    address: Annotated[
        Any, typer.Option(parser=words.bluetooth_address, metavar="A", help="This sensor; without it, the nearest.")
    ] = None,
    key: Annotated[
        Any,
        typer.Option(parser=words.key, metavar="HEX", help="Of a sensor that encrypts what it advertises: 32 digits."),
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget this computer's old keys for it, and pair anew.")
    ] = False,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Find a sensor, bond with it, read what it can do, and remember it."""
    from companion.commands import pair as command

    command.run(
        options.PairOptions(
            shared=shared(data_dir, verbose),
            simulation=simulation(simulated, device, fault),
            style=style(plain, False),
            alias=alias,
            address=address,
            key=key or b"",
            forget=forget,
        )
    )


@app.command(cls=Command, epilog=CARE)
def calibrate(
    *,
    alias: Alias = None,
    profile: Profile = None,
    kind: Annotated[
        str | None,
        typer.Option(parser=words.kind, metavar="sitting|standing", help="What a profile of your own is for."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One hold, each morning: where you face stays.")] = False,
    no_bend: Annotated[bool, typer.Option("--no-bend", help="A nod from the hips of 5° or more will do.")] = False,
    mounting: Annotated[
        Any,
        typer.Option(parser=words.sensor_axis, metavar="AXIS", help="No bend: this axis of the sensor faces forward."),
    ] = None,
    slouch: Annotated[bool, typer.Option("--slouch", help="Show your usual slouch: your own range.")] = False,
    fit_test: Annotated[bool, typer.Option("--fit-test", help="Lean, turn, walk: does the sensor wobble?")] = False,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Take your baseline: hold, bend forward, hold. The steps wait for you."""
    from companion.commands import calibrate as command

    command.run(
        options.CalibrateOptions(
            shared=shared(data_dir, verbose, set_, profile=profile),
            simulation=simulation(simulated, device, fault),
            style=style(plain, False),
            alias=alias,
            kind=kind,
            quick=quick,
            no_bend=no_bend,
            mounting=mounting,
            slouch=slouch,
            fit_test=fit_test,
        )
    )


@app.command(cls=Command, epilog=CARE)
def monitor(
    *,
    alias: Alias = None,
    profile: Profile = None,
    mode: Mode = None,
    duration: Duration = None,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Begin with the guided holds.")] = False,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    json: Json = False,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Watch posture live; every session is recorded."""
    from companion.commands import monitor as command

    command.run(
        options.MonitorOptions(
            shared=shared(data_dir, verbose, set_, profile=profile, mode=mode),
            simulation=simulation(simulated, device, fault),
            style=style(plain, json),
            alias=alias,
            duration_s=duration,
            calibrate=calibrate,
        )
    )


@app.command(cls=Command, epilog=CARE)
def simulate(
    *,
    story: Annotated[str, typer.Argument(metavar="STORY", help=f"{STORIES}; or a motion file (.npz).")],
    to: Annotated[Path | None, typer.Option(metavar="FILE.posture", help="Write a recording, without a radio.")] = None,
    hci: Annotated[
        str | None, typer.Option(metavar="TRANSPORT", help="Be a sensor on this Bluetooth controller.")
    ] = None,
    duration: Duration = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Speak this driver's protocol; see `posture devices`.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed, another wearer.")] = 0,
    started: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="With --to: when it began, such as 2026-10-25T01:30.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --to: the time zone, such as Europe/Paris.")
    ] = None,
    fault: Fault = None,
    set_: Set = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Play a story into a recording, or as a sensor on a Bluetooth controller."""
    if (to is None) == (hci is None):
        raise UsageError("simulate needs either --to FILE.posture or --hci TRANSPORT.")
    if zone is not None and started is None:
        raise UsageError("--zone says where --started is meant.", "Add --started INSTANT.")
    from companion.commands import simulate as command

    command.run(
        options.SimulateOptions(
            shared=shared(data_dir, verbose, set_),
            story=story,
            to=to,
            hci=hci,
            device=device,
            duration_s=duration,
            seed=seed,
            faults=tuple(fault or ()),
            started=None if started is None else instant(started, zone),
        )
    )
