"""Is it the sensor that was paired? Its own 16 bytes, read over the encrypted link, say so.

Knows: the remembered sensor, the protocol's Info. Must never know: links, sessions.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from companion.commands.store import Sensor
from companion.errors import LinkError
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import Frame, Reading
from firmware_protocol.posture_v1.packets import INFO, Info
from firmware_protocol.scripts import ScriptRefused

_FORGET = "posture pair --forget"


class AnotherSensor(ScriptRefused):
    """It has another identity than the one that was paired under this name, or none; `hint` says what can be done."""

    def __init__(self, alias: str) -> None:
        super().__init__(not_the_one(alias))
        self.hint = f"`posture pair {alias}` gives it this name, if you agree; `posture pair NAME` another one."


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
    """What looks at every reading of a start and raises AnotherSensor for an impostor; None: nothing was pinned."""
    if not sensor.identity:
        return None

    def verify(reading: Reading) -> None:
        if reading.characteristic == INFO and identity_of([reading]) != sensor.identity:
            raise AnotherSensor(sensor.alias)

    return verify


def not_the_one(alias: str) -> str:
    """What is said of a sensor that has another identity than the one that was paired under this name, or none."""
    return f"This sensor is not the one that was paired as {alias!r}."


@contextmanager
def mended_by(alias: str | None) -> Iterator[None]:
    """Inside, an error that `pair --forget` may mend leaves with that command for the sensor of this name, if any."""
    try:
        yield
    except LinkError as error:
        error.hint = error.hint.replace(_FORGET, f"posture pair {alias} --forget") if alias else error.hint
        raise
