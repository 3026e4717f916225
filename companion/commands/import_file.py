"""`posture import`: motion that was recorded elsewhere becomes a recording.

Knows: motion files, CSV files, the driver for imported motion, the recorder. Must never know: posture. Nothing is
guessed silently: what was understood is told on stderr.
"""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion import __version__, host
from companion.commands.csv_motion import read_csv
from companion.commands.options import ImportOptions
from companion.commands.places import absent, places
from companion.commands.settings_file import in_force
from companion.errors import UsageError
from firmware_protocol.frames import Closed, Frame, Opened

if TYPE_CHECKING:
    from companion.settings import Settings
    from companion.simulator.motion_file import MotionFile


def run(options: ImportOptions) -> None:
    """Write the recording, print its path, and say on stderr what was understood."""
    path = absent(options.out)
    settings = in_force(places(options.shared.data_dir).settings, os.environ, options.shared.settings).settings
    motion, told = _motion(options)
    from companion.commands.new_recording import record

    record(path, frames(motion, settings))
    for sentence in told:
        print(sentence, file=sys.stderr)
    print(path.absolute())
