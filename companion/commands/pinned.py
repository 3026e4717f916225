"""Is it the sensor that was paired? Its own 16 bytes, read over the encrypted link, say so.

Knows: the remembered sensor, the protocol's Info. Must never know: links, sessions.
"""

from collections.abc import Callable, Iterable

from companion.commands.store import Sensor
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Frame, Reading
from firmware_protocol.posture_v1.packets import INFO, Info
from firmware_protocol.scripts import ScriptRefused


def identity_of(frames: Iterable[Frame]) -> str:
    """The identity (hexadecimal) among what was read from a sensor; empty for a sensor that has none."""
    for frame in frames:
        if isinstance(frame, Reading) and frame.characteristic == INFO:
            try:
                return Info.from_bytes(frame.data).identity.hex()
            except ProtocolError:
                return ""
    return ""


def pinned(sensor: Sensor) -> Callable[[Reading], None] | None:
    """What looks at every reading of a start and raises ScriptRefused for an impostor; None: nothing was pinned."""
    if not sensor.identity:
        return None

    def verify(reading: Reading) -> None:
        found = identity_of([reading])
        if found and found != sensor.identity:
            raise ScriptRefused(f"This sensor is not the one that was paired as {sensor.alias!r}.")

    return verify
