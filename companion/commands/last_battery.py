"""The battery of a sensor when its last recording ended.

Knows: the directory of recordings, drivers. Must never know: radios, who asks. Writes nothing.
"""

import time
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from companion.commands.places import SUFFIX, Places
from companion.commands.store import Sensor
from companion.errors import RecordingError
from firmware_protocol.drivers import driver

if TYPE_CHECKING:
    from companion.recording import Recording

PATIENCE_S = 2.0
"""A night takes less; of a longer recording the battery is not worth the wait."""
_LOOKED_AT = 5  # recordings of that name, of which some may be simulated ones


def last_battery(where: Places, sensor: Sensor) -> tuple[float, datetime] | None:
    """Per cent as told last in the newest recording of `sensor`, and when (UTC) that began; None: it tells none."""
    from companion.recording import open_recording

    newest_first = sorted(where.sessions.glob(f"*_{sensor.alias}*{SUFFIX}"), reverse=True)
    for path in islice(newest_first, _LOOKED_AT):
        try:
            recording = open_recording(path)
            header = recording.header
            if (header.device, header.driver, header.origin) == (sensor.alias, sensor.driver, "live"):
                level = _last_level(recording)
                return None if level is None else (level, datetime.fromtimestamp(header.utc_ns // 10**9, UTC))
        except RecordingError:
            continue
    return None


def _last_level(recording: "Recording") -> float | None:
    give_up_s = time.monotonic() + PATIENCE_S
    decoder, level = driver(recording.header.driver).new_decoder(), None
    for run in recording.runs():
        levels = [each.percent for each in decoder.feed(run).batteries if each.percent is not None]
        level = levels[-1] if levels else level
        if time.monotonic() > give_up_s:
            return None
    return level
