"""`posture simulate`: a story straight into a recording, or a simulated sensor on a Bluetooth controller.

Knows: stories, frames, the conductor, the recorder. Must never know: how a body moves, what the bytes mean.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from companion import host
from companion.commands.options import SimulateOptions
from companion.commands.places import absent, places
from companion.commands.settings_file import in_force

if TYPE_CHECKING:
    from companion.simulator.body import Body
    from companion.simulator.faults import Faults


def run(options: SimulateOptions) -> None:
    """Make the recording and print its path, or serve the sensor until stopped."""
    from companion.simulator.faults import Faults
    from companion.simulator.stories import body_of

    body, faults = body_of(options.story, seed=options.seed), Faults.of(options.faults)
    if options.to is not None:
        _to_file(absent(options.to), body, faults, options)
    elif options.hci is not None:
        _on_air(options.hci, body, faults, options)


def _to_file(path: Path, body: "Body", faults: "Faults", options: SimulateOptions) -> None:
    from companion.commands.conductor import conducted
    from companion.commands.new_recording import record
    from companion.simulator import straight

    settings = in_force(places(options.shared.data_dir).settings, os.environ, options.shared.settings).settings
    frames = straight.frames(body, faults, settings_json=settings.to_json(), utc_ns=host.utc_ns())
    refused: list[str] = []
    record(path, conducted(frames, settings.profile, refused))
    for reason in refused:
        print(f"warning: {reason}", file=sys.stderr)
    print(path.absolute())


def _on_air(transport: str, body: "Body", faults: "Faults", options: SimulateOptions) -> None:
    ...
