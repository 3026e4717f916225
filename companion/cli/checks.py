"""The commands that examine what this program has to work with: this computer's Bluetooth, a sensor's firmware.

Knows: words, options. Must never know: sensors, radios. Commands are imported when they are called.
"""

import typer

from companion.cli.application import CARE, Command, app
from companion.cli.arguments import Alias, DataDir, Device, Fault, Json, Plain, Simulated, Verbose
from companion.commands import options
from companion.commands.words import shared, simulation, style


@app.command(cls=Command, epilog=CARE)
def doctor(
    *,
    json: Json = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Look what of Bluetooth works here, and say how to mend what does not."""
    from companion.commands import doctor as command

    code = command.run(options.DoctorOptions(shared=shared(data_dir, verbose), as_json=json))
    if code:
        raise typer.Exit(code)


@app.command(cls=Command, epilog=CARE)
def conformance(
    *,
    alias: Alias = None,
    simulated: Simulated = None,
    device: Device = None,
    fault: Fault = None,
    plain: Plain = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Check a sensor's firmware against the protocol over the air, one line a check."""
    from companion.commands import conformance as command

    conforms = command.run(
        options.ConformanceOptions(
            shared=shared(data_dir, verbose),
            simulation=simulation(simulated, device, fault),
            style=style(plain, False),
            alias=alias,
        )
    )
    if not conforms:
        raise typer.Exit(1)
