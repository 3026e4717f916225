"""Which air a command works on: the system's Bluetooth, or a simulated sensor in this process, over real GATT.

Knows: stories, faults, radios. Must never know: frames, sessions.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from companion import host
from companion.commands.options import Simulation
from companion.errors import UsageError
from companion.settings import Settings
from firmware_protocol.drivers import Driver, driver

if TYPE_CHECKING:
    from companion.link.radio import Radio
    from companion.simulator.body import Body
    from companion.simulator.faults import Faults

OURS = "posture_v1"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Act:
    """A simulated sensor before it is switched on: who moves, what goes wrong, whose protocol it speaks."""

    body: "Body"
    faults: "Faults"
    driver: str = OURS
    others: tuple[str, ...] = ()  # drivers of further sensors in range

    def calibration_json(self, settings: Settings) -> str | None:
        """The wearer's true baseline, where the story has no holds from which it could be taken."""
        from companion.commands.opening import declared

        body = self.body
        return declared(body.up_sensor, body.forward_sensor, settings) if body.calibration_given else None


@dataclass(frozen=True, slots=True)
class Air:
    """An open radio, and how far the story on it has come (None: nobody plays one)."""

    radio: "Radio"
    story_s: Callable[[], float] | None = None


def act_of(simulation: Simulation) -> Act | None:
    """What the simulated sensor will play; None for the real radio.

    Raises UsageError for an unknown story, fault or device, and where the simulator is not installed.
    """
    if simulation.story is None:
        return None
    from companion.simulator.faults import Faults
    from companion.simulator.stories import body_of

    first, *others = [simulated_driver(name).name for name in (simulation.device or OURS).split(",")]
    act = Act(body_of(simulation.story), Faults.of(simulation.faults), first, tuple(others))
    import companion.simulator.radio  # noqa: F401 - says what to install where its extra is missing

    return act


def simulated_driver(name: str | None) -> Driver:
    """The driver of a simulated sensor (None: ours); raises UsageError where there is none."""
    from companion.simulator.makers import simulated

    name = (name or OURS).strip()
    if name not in simulated():
        raise UsageError(f"there is no simulated {name!r}.", f"There are: {', '.join(simulated())}.")
    return driver(name)


@asynccontextmanager
async def on_air(act: Act | None) -> AsyncIterator[Air]:
    """The radio, open while inside."""
    from companion.link.radio import Radio

    if act is None:
        yield Air(Radio())
        return
    from companion.simulator.makers import sensor_of
    from companion.simulator.radio import SimulatedRadio

    sensors = [sensor_of(name, act.body, faults=act.faults) for name in (act.driver, *act.others)]
    async with SimulatedRadio(*sensors, clock=host.boot_ns) as simulated:
        radio = Radio(simulated.scanner_backend, simulated.client_backend, simulated.adapter_backend)
        yield Air(radio, simulated.story_s)


def carried_out(doing: Coroutine[Any, Any, T]) -> T:
    """The result of what is done on the air; raises KeyboardInterrupt where Ctrl-C, SIGTERM or a closed terminal ended
    it, once it has ended in order.

    They cancel this alone. An exception in the loop itself would cancel the radio's own tasks too, and then nobody
    carries to the sensor that it is to stop, or brings its answer.
    """
    stopped = False

    async def until_stopped() -> T:
        nonlocal stopped
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(doing)

        def stop() -> None:
            nonlocal stopped
            stopped = True
            loop.call_soon_threadsafe(task.cancel)

        with host.stop_signals(stop):
            return await task

    try:
        return asyncio.run(until_stopped())
    except BaseException:
        if stopped:
            raise KeyboardInterrupt from None
        raise
