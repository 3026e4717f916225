"""`posture pair`: finds a sensor, bonds with it, reads what it can do, remembers it.

Knows: radios, drivers' scripts, the store. Must never know: sessions, what the bytes mean beyond the drivers' own word.
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from companion import host
from companion.commands.air import Act, Air, act_of, on_air
from companion.commands.options import PairOptions
from companion.commands.pinned import identity_of
from companion.commands.places import checked_alias, open_data, places
from companion.commands.store import Sensor, Store
from companion.errors import UsageError
from firmware_protocol.drivers import Decoded, Driver, driver
from firmware_protocol.frames import Frame
from firmware_protocol.scripts import ScriptRefused

if TYPE_CHECKING:
    from companion.link.scan import Found

SEARCH_S = 10.0


@dataclass(frozen=True, slots=True)
class _Met:
    """A sensor that was connected to, and what it said."""

    found: "Found"
    driver: Driver
    frames: tuple[Frame, ...]


def run(options: PairOptions) -> None:
    """Pair, print what was learned; the first sensor becomes the default."""
    where = open_data(places(options.shared.data_dir))
    store = Store(where)
    act = act_of(options.simulation)
    wanted = None if options.alias is None else checked_alias(options.alias)
    met = asyncio.run(_meet(act, options.address))
    decoded = met.driver.new_decoder().feed(met.frames)
    rate_hz = next((each.rate_hz for each in decoded.segments if each.rate_hz), None)
    identity = identity_of(met.frames)
    alias = wanted or _known_alias(store, identity, met.found.address) or _free_alias(store)
    sensor = Sensor(
        alias=alias,
        driver=met.driver.name,
        address=met.found.address,
        name=met.found.name,
        identity=identity,
        rate_hz="" if rate_hz is None else f"{rate_hz:g}",
        paired_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        simulated="yes" if act else "",
    )
    store.remember(sensor)
    for line in _learned(sensor, decoded):
        print(line)
    is_default = store.default_alias() == alias
    print(
        "`posture monitor` uses it from now on." if is_default else f"`posture monitor {alias}` uses it.",
        file=sys.stderr,
    )


def _known_alias(store: Store, identity: str, address: str) -> str | None:
    """What this very sensor is called already."""
    same = (each for each in store.sensors().values() if identity and each.identity == identity)
    found = next(same, None) or next((each for each in store.sensors().values() if each.address == address), None)
    return None if found is None else found.alias


def _free_alias(store: Store) -> str:
    taken = store.sensors()
    numbers = (f"sensor{number}" if number > 1 else "sensor" for number in range(1, len(taken) + 2))
    return next(name for name in numbers if name not in taken)


async def _meet(act: Act | None, address: str | None) -> _Met:
    async with on_air(act) as air:
        found = await _found(air, address)
        if found.driver is None:
            raise UsageError(f"{found.name or found.address} is no sensor that this program knows.")
        chosen = driver(found.driver)
        return _Met(found, chosen, await _conversation(air, found, chosen))


async def _found(air: Air, address: str | None) -> "Found":
    from companion.link.scan import find

    return await find(air.radio, address=address, timeout_s=SEARCH_S)


async def _conversation(air: Air, found: "Found", chosen: Driver) -> tuple[Frame, ...]:
    """Connect, bond, start and stop: what a session would do, so that trouble shows now."""
    from companion.link.client import SensorLink

    frames: list[Frame] = []
    assert found.device is not None
    link = SensorLink(found.device, air.radio, frames.append, host.boot_ns)
    try:
        await link.open(chosen)
        await link.run(chosen.start(None))
        await link.run(chosen.stop())
    except ScriptRefused as error:
        raise UsageError(str(error), "Another sensor, or another driver, may do.") from error
    finally:
        await link.close()
    return tuple(frames)


def _learned(sensor: Sensor, decoded: Decoded) -> list[str]:
    lines = [f"{sensor.alias}: {sensor.name or sensor.address} ({sensor.driver})"]
    if sensor.rate_hz:
        lines.append(f"  rate     {sensor.rate_hz} Hz")
    levels = [each.percent for each in decoded.batteries if each.percent is not None]
    if levels:
        lines.append(f"  battery  {levels[-1]:.0f} %")
    if not sensor.identity:
        lines.append("  this kind of sensor has no identity of its own: another one could pose as it")
    return lines
