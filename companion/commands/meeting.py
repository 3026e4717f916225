"""Meeting a sensor for the first time: find it, connect or listen, look what it is, wait until it sends motion.

Knows: radios, drivers, what their decoders say. Must never know: what is remembered of sensors, sessions.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from companion import host
from companion.commands.air import Act, Air, on_air
from companion.errors import ConnectionLost, KeysRefused, LinkError, UsageError
from firmware_protocol.drivers import Battery, Driver, driver
from firmware_protocol.frames import Frame, LinkUp
from firmware_protocol.recognition import recognised
from firmware_protocol.samples import SAMPLES
from firmware_protocol.scripts import ScriptRefused

if TYPE_CHECKING:
    from companion.link.bonds import Bond
    from companion.link.client import SensorLink
    from companion.link.conditions import Conditions
    from companion.link.scan import Found

SEARCH_S = 10.0
LISTEN_S = 5.0  # or three of the driver's longest intervals
MEASURE_S = 2.0
"""So long a rate is measured, once there is motion; or two of the longest intervals."""
STOP_S = 5.0
ANSWER_S = 1.0  # for an answer that comes among the motion
CONNECT_TRIES = 3
FAULTS = 3
"""So many advertisements that a key does not open, and none that it does, are not damaged."""
_LOOK_S = 0.1
_OTHERS = "Another sensor may do; `posture devices` lists what this program knows."


class Met:
    """A sensor, its driver, and what was heard of it: `frames` as they came, the rest once `hear` has been called."""

    def __init__(self, found: "Found", chosen: Driver, frames: list[Frame]) -> None:
        self.found = found
        self.driver = chosen
        self.frames = frames
        self.samples: npt.NDArray[Any] = np.empty(0, dtype=SAMPLES)
        self.batteries: list[Battery] = []
        self.faults: Counter[str] = Counter()  # why packets could not be decoded
        self.nominal_hz: float | None = None  # as the sensor, or what was asked of it, says
        self.bond: Bond | None = None  # what the system says of its keys; None: it was not paired
        self.bonded_now = False  # the keys were made at this meeting
        self._decoder = chosen.new_decoder()
        self._heard = 0

    def hear(self) -> bool:
        """Decode what has come since; whether there was motion so far."""
        new, self._heard = self.frames[self._heard :], len(self.frames)
        decoded = self._decoder.feed(new)
        if len(decoded.samples):
            self.samples = np.concatenate([self.samples, decoded.samples])
        self.batteries += decoded.batteries
        self.faults.update(fault.reason for fault in decoded.malformed)
        self.nominal_hz = next((each.rate_hz for each in decoded.segments[::-1] if each.rate_hz), self.nominal_hz)
        return len(self.samples) > 0

    @property
    def patience_s(self) -> float:
        """How long to wait for motion."""
        return max(LISTEN_S, 3 * self.driver.longest_interval_s)

    @property
    def rotates(self) -> bool:
        """Whether it has a gyroscope."""
        return bool(np.isfinite(self.samples["gyr_radps"]).any())

    @property
    def battery(self) -> Battery | None:
        """The newest level, where one came."""
        return self.batteries[-1] if self.batteries else None

    def nothing(self) -> UsageError:
        """Why this sensor is of no use: it sent no motion."""
        if self.faults:
            reason = self.faults.most_common(1)[0][0].rstrip(".")
            if self.driver.secret:
                hint = (
                    "`posture pair --key HEX` takes its key, which its own app shows; --address A means another sensor."
                )
                return UsageError(f"The sensor's advertisements cannot be read: {reason}.", hint)
            return UsageError(f"What this sensor sends is not the motion that was expected: {reason}.", _OTHERS)
        if self.driver.broadcasts:
            return UsageError(f"The sensor advertised no motion within {self.patience_s:g} s.", _OTHERS)
        return UsageError(
            f"The sensor is connected, but it sent no motion within {self.patience_s:g} s.",
            "Wear it or move it (some sleep when they do not touch the skin), or switch it off and on; then try again.",
        )


def measured_hz(samples: npt.NDArray[Any]) -> float | None:
    """How many SAMPLES a second, by the sensor's own clock, else by when packets came; None: too few to say."""
    last = samples[samples["segment"] == samples["segment"][-1]]
    packets = np.flatnonzero(np.diff(last["t_host_ns"]))  # the last sample of each packet but the newest
    if len(packets) == 0:
        return None
    clocked = bool((last["t_device_ns"] >= 0).all())
    first = 0 if clocked else int(packets[0])  # a packet comes when its last sample is taken
    times_ns = last["t_device_ns" if clocked else "t_host_ns"]
    counted = bool((last["index"] >= 0).all())
    steps = int(last["index"][-1] - last["index"][first]) if counted else len(last) - 1 - first
    span_ns = int(times_ns[-1] - times_ns[first])
    return steps / span_ns * 1e9 if span_ns > 0 else None


async def _never(_: Any) -> bool:
    return False


async def _anyone(_: Met) -> None:
    pass


def _untold(_: bool | None) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which sensor is to be met, and what may be thrown away on the way."""

    address: str | None = None  # None: the nearest that a driver knows
    key: bytes = field(default=b"", repr=False)
    forget: bool = False  # this computer's keys for it, before anything else
    may_forget: Callable[[KeysRefused], Awaitable[bool]] = _never
    """Whether they may be forgotten, asked where the sensor does not accept them."""
    forgot: Callable[[bool | None], None] = _untold
    """Told that they are forgotten: whether there were any; None where the system does not tell."""
    accept: Callable[[Met], Awaitable[None]] = _anyone
    """Raises for a sensor that is not to be remembered; keys that were made for it are then forgotten."""


async def meet(act: Act | None, wish: Wish) -> Met:
    """The sensor that is wished for, once it has sent motion.

    Raises UsageError in one sentence where it is none, or sends none; LinkError where the radio says no.
    """
    async with on_air(act) as air:
        found = await _found(air, wish.address)
        if wish.forget:
            found = await _forgotten(air, found, wish)
        try:
            met = await _met(air, found, wish.key)
        except KeysRefused as refused:
            if wish.forget or not await wish.may_forget(refused):
                raise
            met = await _met(air, await _forgotten(air, found, wish, are_there=True), wish.key)
        try:
            await wish.accept(met)
        except BaseException:
            if met.bonded_now:
                await _forget(air, met.found)
            raise
    return met


async def _found(air: Air, address: str | None) -> "Found":
    from companion.link.scan import find

    found = await find(air.radio, address=address, timeout_s=SEARCH_S)
    if found.unusable is not None:
        raise UsageError(found.unusable.reason, _OTHERS)
    return found


async def _forgotten(air: Air, found: "Found", wish: Wish, *, are_there: bool | None = None) -> "Found":
    """The same sensor, found anew after this computer's keys for it are gone. Raises LinkError."""
    from companion.link.bonds import bluez_path, is_bonded

    if found.driver is not None and driver(found.driver).broadcasts:
        wish.forgot(False)  # there never were any
        return found
    assert found.device is not None
    if are_there is None and bluez_path(found.device) is not None:
        are_there = is_bonded(found.device)
    if not await _forget(air, found):
        raise KeysRefused(
            "This computer's keys for the sensor can be removed by hand only.",
            "Remove it in the system's Bluetooth settings, then run `posture pair` without --forget.",
        )
    wish.forgot(are_there)
    return await _found(air, found.address)


async def _forget(air: Air, found: "Found") -> bool:
    from companion.link.client import forget_bond

    assert found.device is not None
    return await forget_bond(found.device, air.radio)


async def _met(air: Air, found: "Found", key: bytes) -> Met:
    claimed = driver(found.driver) if found.driver is not None else None
    try:
        if claimed is not None and claimed.broadcasts:
            return await _overheard(air, Met(found, claimed, []), key)
        return await _connected(air, found, claimed, key)
    except ScriptRefused as error:
        raise UsageError(str(error), _OTHERS) from error


async def _connected(air: Air, found: "Found", claimed: Driver | None, key: bytes) -> Met:
    """Connect, look what it is, bond, start and stop: what a session would do, so that trouble shows now."""
    frames: list[Frame] = []
    link = await _linked(air, found, frames)
    try:
        met = Met(found, recognised(link.offers, claimed), frames)
        _refuse_needless(key, met.driver)
        await link.prepare(met.driver)
        frames.append(LinkUp(t_host_ns=host.boot_ns(), address=link.address, mtu=link.mtu))
        try:
            await link.run(met.driver.start(None))
            await _motion(met, link)
            await _battery(met, link)
            met.bond = await _bond(link, found)
        finally:
            await _quieten(met.driver, link)
        met.bonded_now = link.has_paired and not link.is_bonded
    finally:
        await link.close()
    return met


async def _bond(link: "SensorLink", found: "Found") -> "Bond | None":
    """What the system says of its keys for a sensor that was paired; None for one that was not."""
    from companion.link.bonds import Bond, bond_with

    if not link.has_paired:
        return None
    assert found.device is not None
    try:
        return await bond_with(found.device)
    except LinkError:
        return Bond.UNKNOWN


async def _linked(air: Air, found: "Found", frames: list[Frame]) -> "SensorLink":
    """A link to it; connecting fails now and then with some sensors, and is tried again. Raises LinkError."""
    from companion.link.client import SensorLink

    assert found.device is not None
    tries = 0
    async with _watched(air) as conditions:
        while True:
            tries += 1
            link = SensorLink(found.device, air.radio, frames.append, host.boot_ns)
            try:
                await _connect(link, conditions)
            except BaseException as error:
                await link.close()
                if tries < CONNECT_TRIES and isinstance(error, ConnectionLost):
                    continue
                raise
            return link


async def _connect(link: "SensorLink", conditions: "Conditions") -> None:
    """Connect, unless the system says that it cannot. Raises LinkError."""
    from companion.link.bonds import service_died

    async def connected() -> bool:
        await link.connect()
        return True

    if await conditions.unless_changed(connected()) is None:
        raise service_died(bonded=link.is_bonded)


@asynccontextmanager
async def _watched(air: Air) -> "AsyncIterator[Conditions]":
    """What the system says of its Bluetooth meanwhile; a dead service would else be waited for to the end."""
    from companion.link.bluez_watch import watch_bluez
    from companion.link.conditions import Conditions
    from companion.link.waiting import end_task

    conditions = Conditions()
    watching = asyncio.create_task(watch_bluez(conditions)) if air.radio.is_system else None
    try:
        yield conditions
    finally:
        if watching is not None:
            await end_task(watching)


def _refuse_needless(key: bytes, chosen: Driver) -> None:
    if key and not chosen.secret:
        raise UsageError(f"{chosen.name} sensors have no key.", "Leave out --key.")


async def _motion(met: Met, link: "SensorLink") -> None:
    """Listen until there is motion, and then until its rate can be told. Raises UsageError where there is none."""
    from companion.link.errors import lost

    loop = asyncio.get_running_loop()
    until = loop.time() + met.patience_s
    measuring = False
    while loop.time() < until:
        if await link.wait_lost(_LOOK_S):
            raise lost()
        if met.hear() and not measuring:
            measuring, until = True, loop.time() + max(MEASURE_S, 2 * met.driver.longest_interval_s)
    if not measuring:
        raise met.nothing()


async def _battery(met: Met, link: "SensorLink") -> None:
    """Ask for the battery's level; that a sensor has none, or does not tell, is no matter."""
    if met.driver.ask_battery is None or met.batteries:
        return
    loop = asyncio.get_running_loop()
    until = loop.time() + ANSWER_S
    try:
        await link.run(met.driver.ask_battery())
    except (LinkError, ScriptRefused):
        return
    met.hear()
    while not met.batteries and loop.time() < until and not await link.wait_lost(_LOOK_S):
        met.hear()


async def _quieten(chosen: Driver, link: "SensorLink") -> None:
    """Tell the sensor to stop, if it was told anything and still hears."""
    if link.is_lost or not link.was_written_to:
        return
    try:
        async with asyncio.timeout(STOP_S):
            await link.run(chosen.stop())
    except (LinkError, ScriptRefused, TimeoutError):
        return


async def _overheard(air: Air, met: Met, key: bytes) -> Met:
    """Listen until an advertisement holds motion. Raises UsageError where none does."""
    from companion.link.listener import Listener

    _refuse_needless(key, met.driver)
    stop = asyncio.Event()
    listener = Listener(
        met.driver,
        air.radio,
        met.frames.append,
        host.boot_ns,
        address=met.found.address,
        key=key,
        first_timeout_s=met.patience_s,
    )
    watching = asyncio.create_task(_until_motion(met, stop, has_key=bool(key)))
    try:
        await listener.run(stop)
    finally:
        watching.cancel()
        await asyncio.wait({watching})
    if not met.hear():
        raise met.nothing()
    return met


async def _until_motion(met: Met, stop: asyncio.Event, *, has_key: bool) -> None:
    """Set `stop` at the first motion, at the end of the time, or where only a key, or another one, can help."""
    loop = asyncio.get_running_loop()
    until = loop.time() + met.patience_s
    enough = FAULTS if has_key else 1
    while not met.hear() and loop.time() < until and met.faults.total() < enough:
        await asyncio.sleep(_LOOK_S)
    stop.set()
