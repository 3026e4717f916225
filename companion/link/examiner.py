"""Plays scenes of the protocol's checks on a real link, and tells their evidence every frame.

Knows: links, scans, the steps of a scene. Must never know: what is checked, who reads the verdicts.

A refusal is an answer here, not an error. A link that is lost is made again, and its scene played from its beginning;
where it is lost in the same scene again and again, the evidence is told so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bleak.backends import BleakBackend
from bleak.exc import BleakGATTProtocolError

from companion.errors import BluetoothOff, ConnectionLost, DeviceNotFound, LinkError, PairingRefused, PermissionMissing
from companion.link.client import SensorLink
from companion.link.errors import link_errors, lost
from companion.link.radio import Radio
from companion.link.scan import find
from firmware_protocol.drivers import Driver
from firmware_protocol.frames import Frame, LinkDown, LinkUp, Notification, Reading
from firmware_protocol.posture_v1.conformance import (
    Answered,
    Ask,
    Configure,
    Evidence,
    Listen,
    Offer,
    Pair,
    Reconnect,
    Refused,
    Reply,
    Scene,
    Step,
    Unsubscribe,
)
from firmware_protocol.posture_v1.packets import CONTROL, INFO, Stop
from firmware_protocol.scripts import GattStep, Read, Script, ScriptRefused, Subscribe, Write

SEARCH_S = 10.0
RETURN_S = 30.0
"""So long a sensor is looked for that was there before."""
CONNECT_TRIES = 3
SCENE_TRIES = 3
STOP_S = 5.0
_LOOK_S = 0.1
_NOTICE_S = 0.5  # a system may tell of a lost link after a request on it has failed
_NEVER_OURS = (BluetoothOff, PermissionMissing, PairingRefused)
log = logging.getLogger(__name__)


class ExaminedLink(SensorLink):
    """A link that also says what it offers in full, and lets one write where a subscription is made."""

    @property
    def layout(self) -> tuple[Offer, ...]:
        """Every characteristic; raises LinkError where the sensor is gone."""
        with link_errors():
            found = list(self._client.services.characteristics.values())
        hidden = not any(each.descriptors for each in found)
        return tuple(
            Offer(
                each.service_uuid,
                each.uuid,
                frozenset(each.properties),
                None if hidden else tuple(descriptor.uuid for descriptor in each.descriptors),
            )
            for each in found
        )

    @property
    def shows_refusals(self) -> bool:
        """Whether a request in the clear reaches the sensor as it is: the systems' own backends pair by themselves."""
        return not isinstance(self._client.backend_id, BleakBackend)

    async def configure(self, characteristic: str) -> None:
        """Write to the descriptor that makes a subscription. Raises LinkError."""
        with link_errors():
            found = self._client.services.get_characteristic(characteristic)
        if found is None or not found.descriptors:
            raise lost()
        await self._within(self._client.write_gatt_descriptor(found.descriptors[0], b"\1\0"), STOP_S)

    async def unsubscribe(self, characteristic: str) -> None:
        """Have no more notifications of what was subscribed to on this link. Raises LinkError."""
        with link_errors():
            found = self._client.services.get_characteristic(characteristic)
        if found is None:
            raise lost()
        await self._within(self._client.stop_notify(found), STOP_S)
        self._subscribed.discard(found.handle)


class Examiner:
    """A sensor under examination. `address` None: the nearest of the driver's. `verify` sees what Info reads."""

    def __init__(
        self,
        radio: Radio,
        driver: Driver,
        clock: Callable[[], int],
        *,
        address: str | None = None,
        verify: Callable[[Reading], None] | None = None,
    ) -> None:
        self._radio, self._driver, self._clock = radio, driver, clock
        self._address, self._verify = address, verify
        self.evidence = Evidence()
        self.losses = 0
        self._frames: list[Frame] = []
        self._came = asyncio.Event()
        self._link: ExaminedLink | None = None
        self._bonded = False

    async def meet(self) -> None:
        """Find it and connect, not yet paired. Raises LinkError."""
        advertised = await self._connect(SEARCH_S)
        link = self._connected()
        self.evidence.advertised = advertised
        self.evidence.offers = link.layout
        self.evidence.fresh = link.shows_refusals

    async def play(self, scene: Scene) -> None:
        """Carry a scene out. Raises LinkError where the sensor does not come back, ScriptRefused for an impostor."""
        for _ in range(SCENE_TRIES):
            try:
                await self._carry_out(scene)
                return
            except _NEVER_OURS:
                raise
            except LinkError as error:
                log.debug("in the scene %s: %s", scene.name, error)
                self.losses += 1
            await self._leave("link lost")
            await self._return()
        self.evidence.note("link", False, f"it was lost {SCENE_TRIES} times during: {scene.title}")
        if not self._bonded:
            self.evidence.over = "no link lasts long enough"

    async def close(self) -> None:
        """Leave the sensor as a host does: stopped, and disconnected. Raises nothing."""
        link = self._link
        if link is None:
            return
        if link.was_written_to and not link.is_lost:
            try:
                async with asyncio.timeout(STOP_S):
                    await link.run(_only(Write(CONTROL, Stop().to_bytes())))
            except (LinkError, ScriptRefused, TimeoutError) as error:
                log.debug("stopping: %s", error)
        await link.close()

    # Links.

    def _connected(self) -> ExaminedLink:
        if self._link is None:
            raise lost()
        return self._link

    async def _connect(self, search_s: float) -> tuple[str, ...] | None:
        """A new link; returns the services that were advertised, None where nobody heard that."""
        for tries in range(1, CONNECT_TRIES + 1):
            found = await find(self._radio, driver=self._driver, address=self._address, timeout_s=search_s)
            assert found.device is not None
            link = ExaminedLink(found.device, self._radio, self._tell, self._clock)
            try:
                await link.connect()
            except BaseException as error:
                await link.close()
                if tries < CONNECT_TRIES and isinstance(error, ConnectionLost):
                    continue
                raise
            self._address, self._link = found.address, link
            mtu = link.mtu if link.shows_refusals else None  # BlueZ may tell the smallest one at first
            self._tell(LinkUp(t_host_ns=self._clock(), address=link.address, mtu=mtu))
            return None if found.rssi is None else found.advertisement.service_uuids
        raise lost()

    async def _return(self) -> None:
        """The sensor again, over an encrypted link where there was a bond."""
        try:
            await self._connect(RETURN_S)
        except DeviceNotFound as error:
            raise ConnectionLost("The sensor was lost, and did not come back.", error.hint) from error
        if self._bonded:
            await self._connected().prepare(self._driver)

    async def _leave(self, cause: str) -> None:
        link = self._connected()
        await link.close()
        self._link = None
        self._tell(LinkDown(t_host_ns=self._clock(), cause=cause))

    # Steps.

    async def _carry_out(self, scene: Scene) -> None:
        script = scene.play(self.evidence)
        try:
            step = next(script)
            while True:
                step = script.send(await self._do(step))
        except StopIteration:
            return
        finally:
            script.close()

    async def _do(self, step: Step) -> Reply:
        match step:
            case Read():
                return await self._read(step)
            case Subscribe():
                return await self._tried(_only(step))
            case Unsubscribe(characteristic):
                return await self._refusal(self._connected().unsubscribe(characteristic))
            case Configure(characteristic):
                return await self._refusal(self._connected().configure(characteristic))
            case Ask():
                return await self._ask(step)
            case Listen(seconds):
                await self._listen(seconds)
            case Pair():
                await self._connected().prepare(self._driver)
                self._bonded = True
            case Reconnect(away_s):
                await self._leave("asked for")
                await asyncio.sleep(away_s)
                await self._return()
        return None

    async def _read(self, step: Read) -> Reply:
        mark = len(self._frames)
        refused = await self._tried(_only(step))
        if refused is not None:
            return refused
        frame = next((each for each in self._frames[mark:] if isinstance(each, Reading)), None)
        if frame is not None and step.characteristic == INFO and self._verify is not None:
            self._verify(frame)
        return frame or Refused(None)

    async def _ask(self, step: Ask) -> Reply:
        mark, sent_ns = len(self._frames), self._clock()
        refused = await self._tried(_only(Write(CONTROL, step.data)))
        if refused is not None:
            return refused
        until_ns = self._clock() + round(step.timeout_s * 1e9)
        while (found := self._answer(step, mark)) is None and self._clock() < until_ns:
            await self._listen(_LOOK_S, wake=True)
        return Answered(sent_ns, found)

    def _answer(self, step: Ask, mark: int) -> Notification | None:
        told = (each for each in self._frames[mark:] if isinstance(each, Notification))
        return next((each for each in told if each.characteristic == CONTROL and step.takes(each.data)), None)

    async def _tried(self, script: Script) -> Refused | None:
        return await self._refusal(self._connected().run(script))

    async def _refusal(self, doing: Awaitable[None]) -> Refused | None:
        """None once it is done; else what refused it. Raises LinkError where it was the loss of the link."""
        try:
            await doing
        except (BluetoothOff, PermissionMissing):
            raise
        except ScriptRefused:
            return Refused(None)
        except LinkError as error:
            code = _code_of(error)
            if code is None and await self._connected().wait_lost(_NOTICE_S):
                raise
            return Refused(code)
        return None

    async def _listen(self, seconds: float, *, wake: bool = False) -> None:
        """Let time pass, or, with `wake`, until a frame comes. Raises LinkError where the link is lost meanwhile."""
        if wake:
            self._came.clear()
        end_ns = self._clock() + round(seconds * 1e9)
        while (left_s := (end_ns - self._clock()) / 1e9) > 0 and not (wake and self._came.is_set()):
            if await self._connected().wait_lost(min(left_s, 0.01 if wake else _LOOK_S)):
                raise lost()
        self.evidence.watch.passed(self._clock())

    def _tell(self, frame: Frame) -> None:
        self._frames.append(frame)
        self.evidence.feed(frame)
        self._came.set()


def _only(step: GattStep) -> Script:
    """A script of one step."""
    yield step


def _code_of(error: LinkError) -> int | None:
    """ATT's error code, where the sensor's answer was an error and the system tells it."""
    cause = error.__cause__
    return int(cause.code) if isinstance(cause, BleakGATTProtocolError) else None
