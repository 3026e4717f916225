"""The simulated sensors by the name of the driver whose protocol they speak: one file for each maker.

Each has a class `Sensor`. Must never know: bumble, hosts, drivers' code.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from companion.errors import UsageError
from companion.simulator.body import Body
from companion.simulator.faults import Faults
from companion.simulator.sensor import Firmware
from companion.simulator.served import SimulatedSensor

OURS = "posture_v1"


def simulated() -> tuple[str, ...]:
    """The drivers that there is a simulated sensor for; our own protocol first."""
    return (OURS, *sorted(module.name for module in iter_modules(__path__)))


def sensor_of(name: str | None, body: Body, *, faults: Faults | None = None, seed: int = 0) -> SimulatedSensor:
    """A sensor that speaks this driver's protocol (None: ours), worn by `body`. Raises UsageError."""
    if name in (None, OURS):
        return Firmware(body, faults=faults, seed=seed)
    if name not in simulated():
        raise UsageError(f"there is no simulated {name!r}.", f"There are: {', '.join(simulated())}.")
    made: Callable[..., SimulatedSensor] = import_module(f"{__name__}.{name}").Sensor
    return made(body, faults=faults, seed=seed)
