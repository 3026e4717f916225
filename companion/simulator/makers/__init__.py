"""The simulated sensors by the name of the driver whose protocol they speak: one file for each maker.

Must never know: bumble, hosts, drivers' code.
"""

from collections.abc import Callable

from companion.errors import UsageError
from companion.simulator.body import Body
from companion.simulator.faults import Faults
from companion.simulator.makers import (
    adafruit,
    bthome,
    metawear,
    microbit,
    movesense,
    openearable,
    polar,
    ruuvi,
    sensortag,
    thingy52,
    witmotion,
    xsens_dot,
)
from companion.simulator.sensor import Firmware
from companion.simulator.served import SimulatedSensor

OURS = "posture_v1"
_SENSORS: dict[str, Callable[..., SimulatedSensor]] = {
    OURS: Firmware,
    "witmotion": witmotion.Sensor,
    "polar": polar.Sensor,
    "movesense": movesense.Sensor,
    "xsens_dot": xsens_dot.Sensor,
    "metawear": metawear.Sensor,
    "thingy52": thingy52.Sensor,
    "microbit": microbit.Sensor,
    "adafruit": adafruit.Sensor,
    "openearable": openearable.Sensor,
    "sensortag": sensortag.Sensor,
    "ruuvi": ruuvi.Sensor,
    "bthome": bthome.Sensor,
}


def simulated() -> tuple[str, ...]:
    """The drivers that there is a simulated sensor for; our own protocol first."""
    return tuple(_SENSORS)


def sensor_of(name: str | None, body: Body, *, faults: Faults | None = None, seed: int = 0) -> SimulatedSensor:
    """A sensor that speaks this driver's protocol (None: ours), worn by `body`. Raises UsageError."""
    made = _SENSORS.get(OURS if name is None else name)
    if made is None:
        raise UsageError(f"there is no simulated {name!r}.", f"There are: {', '.join(simulated())}.")
    return made(body, faults=faults, seed=seed)
